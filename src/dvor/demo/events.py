"""Events of the demo world, always in the weeks to come."""

from datetime import time

from dvor.contracts.catalog import Kind, Place
from dvor.demo.halls import Hall, philharmonic
from dvor.demo.stalls import Choice, Stall, When

_MON, _TUE, _WED, _THU, _FRI, _SAT, _SUN = range(7)


def _event(
    key: str,
    category: str,
    place: Place,
    when: When,
    ru: str,
    en: str,
    about_ru: str,
    about_en: str,
    *choices: Choice,
    hall: Hall | None = None,
) -> Stall:
    return Stall(key, Kind.EVENT, category, ru, en, about_ru, about_en, choices, place, when, hall)


EVENTS: tuple[Stall, ...] = (
    _event(
        "blizzard-concert",
        "concerts",
        Place(city="Ярославль", address="Комитетская улица, 11, филармония"),
        When(9, _SAT, time(19), 2),
        "«Метель» и «Времена года»",
        "The Blizzard and The Seasons",
        "Свиридов и Чайковский в один вечер. Губернаторский оркестр, антракт двадцать минут, "
        "глинтвейн в фойе.",
        "Sviridov and Tchaikovsky in one evening, by the Governor's Orchestra. One interval, with "
        "mulled wine in the foyer.",
        Choice("Первые ряды", "Front rows", 2600, 36),
        Choice("Партер", "Stalls", 1800, 60),
        Choice("Балкон", "Balcony", 1100, 56),
        hall=philharmonic,
    ),
    _event(
        "courtyard-jazz",
        "concerts",
        Place(city="Москва", address="Хохловский переулок, 7, во дворе"),
        When(4, _FRI, time(20), 2.5),
        "Джаз во дворе: квартет Лазаревой",
        "Courtyard jazz: the Lazareva Quartet",
        "Саксофон, контрабас и сто стульев под гирляндами. В дождь переходим под арку.",
        "A saxophone, a double bass and a hundred chairs under the lights. If it rains we move "
        "beneath the arch.",
        Choice("Стул", "A chair", 1500, 100),
        Choice("Столик на двоих", "Table for two", 4200, 2),
    ),
    _event(
        "organ-evening",
        "concerts",
        Place(
            city="Калининград",
            address="улица Канта, 1, Кафедральный собор",
            timezone="Europe/Kaliningrad",
        ),
        When(12, _SUN, time(18), 1.5),
        "Бах при свечах: орган собора",
        "Bach by candlelight on the cathedral organ",
        "Токката, хоралы и Пассакалия на самом большом органе страны. Приходите за полчаса: "
        "рассадка свободная.",
        "The Toccata, chorales and the Passacaglia on the largest organ in the country. Seats are "
        "not numbered, so come half an hour early.",
        Choice("Неф", "Nave", 1400, 150),
        Choice("Боковой неф", "Side aisle", 900, 60),
    ),
    _event(
        "samovar-songs",
        "concerts",
        Place(city="Суздаль", address="Кремлёвская улица, 20, Трапезная"),
        When(16, _SAT, time(17), 2),
        "Песни у самовара",
        "Songs around the samovar",
        "Поют девять женщин из Гороховца, подпевают все. Чай и баранки входят.",
        "Nine women from Gorokhovets sing and everybody joins in. Tea and bread rings included.",
        Choice("Взрослый", "Adult", 900, 45),
        Choice("Детский", "Child", 400, 15),
    ),
    _event(
        "icon-lecture",
        "lectures",
        Place(city="Москва", address="улица Забелина, 1"),
        When(6, _WED, time(19, 30), 1.5),
        "Как читать русскую икону",
        "How to read a Russian icon",
        "Почему перспектива «неправильная», что значит красный и кто все эти люди на полях. "
        "Лекция реставратора для тех, кто никогда не понимал.",
        "Why the perspective is 'wrong', what red means and who the people in the margins are. By "
        "a restorer, for those who never got it. In Russian, with English captions.",
        Choice("Билет", "Ticket", 700, 60),
        Choice("Студенческий", "Student", 350, 20),
    ),
    _event(
        "gostiny-dvor-lecture",
        "lectures",
        Place(city="Санкт-Петербург", address="Невский проспект, 35, галерея второго этажа"),
        When(10, _THU, time(19), 2),
        "Гостиные дворы: город под одной крышей",
        "Gostiny dvors: a town under one roof",
        "От Новгорода XII века до Росси. Как лавка, амбар и постоялый двор "
        "сложились в одно здание — и зачем ему арки.",
        "From twelfth-century Novgorod to Rossi: how a shop, a warehouse and an inn grew into one "
        "building, and what the arches are for.",
        Choice("Билет", "Ticket", 600, 50),
        Choice("С прогулкой по галереям", "With a walk through the galleries", 1200, 12),
    ),
    _event(
        "ural-sky",
        "lectures",
        Place(
            city="Екатеринбург", address="Коуровская обсерватория", timezone="Asia/Yekaterinburg"
        ),
        When(20, _SAT, time(21), 3),
        "Небо над Уралом: ночь у телескопа",
        "The sky over the Urals: a night at the telescope",
        "Час рассказа и два часа наблюдений. Если облачно — переносим, билеты остаются в силе.",
        "An hour of stories and two of looking. If it is cloudy we move the date and your ticket "
        "stays good.",
        Choice("Билет", "Ticket", 1600, 24),
        Choice("С автобусом из города", "With the bus from town", 2300, 16),
    ),
    _event(
        "pottery",
        "workshops",
        Place(city="Москва", address="Хохловский переулок, 7, мастерская"),
        When(3, _TUE, time(19), 3),
        "Гончарный круг за один вечер",
        "The potter's wheel in one evening",
        "Восемь кругов, два мастера, фартуки наши. Сделаете две пиалы; обожжём и через две "
        "недели отдадим.",
        "Eight wheels, two potters, our aprons. You make two bowls; we fire them and you collect "
        "them a fortnight later.",
        Choice("Место за кругом", "A place at the wheel", 3400, 8),
    ),
    _event(
        "block-printing",
        "workshops",
        Place(city="Переславль-Залесский", address="Ростовская улица, 27"),
        When(13, _SAT, time(12), 4),
        "Набойка по ткани старыми досками",
        "Block printing with old boards",
        "Настоящие доски XIX века, индиго и марена. Уходите со своим платком или скатертью.",
        "Original nineteenth-century boards, indigo and madder. You leave with a kerchief or a "
        "tablecloth of your own.",
        Choice("Платок", "A kerchief", 2800, 10),
        Choice("Скатерть", "A tablecloth", 4600, 4),
    ),
    _event(
        "cheese",
        "workshops",
        Place(city="Кострома", address="улица Молочная Гора, 3"),
        When(18, _SUN, time(11), 3.5),
        "Варим костромской сыр",
        "Make a Kostroma cheese",
        "От молока до пресса — своими руками. Пока сыр отдыхает, обедаем. Головку пришлём "
        "через месяц.",
        "From milk to press with your own hands, and lunch while the cheese rests. We post you the "
        "wheel a month later.",
        Choice("Участник", "Participant", 4100, 2),
    ),
    _event(
        "cherry-orchard",
        "theatre",
        Place(city="Нижний Новгород", address="Большая Покровская улица, 13"),
        When(11, _FRI, time(18, 30), 2.5),
        "«Вишнёвый сад» на камерной сцене",
        "The Cherry Orchard on the small stage",
        "Семьдесят мест вокруг одного стола. Без антракта между третьим и четвёртым действием: "
        "так страшнее.",
        "Seventy seats around a single table. No pause between the last two acts; it is sadder "
        "that way. In Russian, surtitles in English.",
        Choice("Первый круг", "First circle", 2200, 24),
        Choice("Второй круг", "Second circle", 1500, 46),
    ),
    _event(
        "puppet-fisherman",
        "theatre",
        Place(city="Казань", address="Петербургская улица, 57, театр «Экият»"),
        When(5, _SUN, time(12), 1),
        "«Сказка о рыбаке и рыбке» в тенях",
        "The Fisherman and the Fish, a shadow play",
        "Пушкин, лампа и двадцать картонных волн. От пяти лет; после спектакля тени дают "
        "потрогать.",
        "Pushkin, one lamp and twenty cardboard waves. From five years; afterwards the shadows may "
        "be touched.",
        Choice("Взрослый", "Adult", 600, 50),
        Choice("Детский", "Child", 450, 50),
    ),
    _event(
        "attic-quartet",
        "concerts",
        Place(city="Санкт-Петербург", address="улица Марата, 36, мансарда"),
        When(6, _SAT, time(19), 1.5),
        "Шостакович на чердаке: Восьмой квартет",
        "Shostakovich in the attic: the Eighth Quartet",
        "Четыре музыканта, двадцать четыре места и один люк в крышу. Билеты разошлись за утро, "
        "но кто-нибудь всегда не приходит: встаньте в очередь.",
        "Four musicians, twenty-four seats and a hatch to the roof. The tickets went in a morning, "
        "but somebody always cannot come: stand in line.",
        Choice("Место", "A place", 2000, 0),
    ),
    _event(
        "petersburg-staircases",
        "tours",
        Place(city="Санкт-Петербург", address="Каменноостровский проспект, 26, у арки"),
        When(7, _SAT, time(14), 2.5),
        "Парадные Петроградской стороны",
        "Staircases of the Petrograd Side",
        "Витражи, камины и лифты с бархатными скамейками — девять домов, куда просто так не "
        "войти. Идём тихо: там живут.",
        "Stained glass, fireplaces and lifts with velvet seats, in nine houses that are usually "
        "locked. We walk softly, for people live there.",
        Choice("На русском", "In Russian", 1300, 15),
        Choice("На английском", "In English", 1700, 10),
    ),
    _event(
        "plyos-lantern-walk",
        "tours",
        Place(city="Плёс", address="Торговая площадь, у фонтана"),
        When(8, _FRI, time(21), 1.5),
        "Ночной Плёс с фонарём",
        "Plyos by lantern",
        "Легенды, подъём на Соборную гору и чай из термоса над Волгой. Обувь — удобная.",
        "Legends, the climb up Cathedral Hill and tea from a flask above the Volga. Wear shoes you "
        "trust.",
        Choice("Участник", "One walker", 800, 20),
    ),
)
