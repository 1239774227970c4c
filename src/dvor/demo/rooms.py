"""Rooms of the demo world: small hotels and houses between Kaliningrad and Vladivostok."""

from dvor.contracts.catalog import Kind, Place
from dvor.contracts.inventory import Rules
from dvor.demo.stalls import (
    FRIDAY,
    SATURDAY,
    SUNDAY,
    Choice,
    Stall,
    may_days,
    new_year,
    nights,
    prices,
    summer,
)


def _stay(
    key: str,
    category: str,
    place: Place,
    ru: str,
    en: str,
    about_ru: str,
    about_en: str,
    *choices: Choice,
) -> Stall:
    return Stall(key, Kind.STAY, category, ru, en, about_ru, about_en, choices, place)


ROOMS: tuple[Stall, ...] = (
    _stay(
        "suzdal-kupecheskaya",
        "hotels",
        Place(city="Суздаль", address="улица Ленина, 82"),
        "Гостиница «Купеческая»",
        "Kupecheskaya, a merchant's house",
        "Дом чаеторговца 1840-х: скрипучие половицы, изразцовые печи и сад до самой Каменки. "
        "Завтрак с сырниками с восьми до одиннадцати, велосипеды — бесплатно.\n\n"
        "Заезд с 14:00, выезд до 12:00.",
        "A tea trader's house of the 1840s with creaking boards, tiled stoves and a garden down to "
        "the river. Curd pancakes for breakfast until eleven, bicycles on the house.\n\n"
        "Check-in from 14:00, check-out by 12:00.",
        Choice("Стандарт", "Standard", 4900, 6, ((summer, 5900), (new_year, 9800)), nights(5900)),
        Choice(
            "Комфорт с видом на Каменку",
            "River view",
            6800,
            3,
            ((summer, 7900), (may_days, 8400), (new_year, 12900)),
            nights(7800),
        ),
        Choice(
            "Люкс с камином",
            "Suite with a fireplace",
            11500,
            1,
            ((new_year, 19500),),
            nights(13500),
        ),
    ),
    _stay(
        "plyos-pristan",
        "hotels",
        Place(city="Плёс", address="Советская улица, 37"),
        "Гостиница «Пристань»",
        "Pristan on the Volga",
        "Девять номеров в двух шагах от воды. Левитан писал тут закаты, вы их просто увидите "
        "из окна. Копчёный лещ — в соседнем доме.",
        "Nine rooms two steps from the water. Levitan came here to paint the sunsets; you can have "
        "them from bed. Smoked bream next door.",
        Choice("Двухместный", "Double", 5200, 6, ((summer, 6400), (new_year, 8200)), nights(6100)),
        Choice(
            "С балконом на Волгу",
            "Balcony over the Volga",
            7600,
            3,
            ((summer, 9200),),
            nights(8900),
        ),
    ),
    _stay(
        "kolomna-lindens",
        "hotels",
        Place(city="Коломна", address="улица Лажечникова, 11"),
        "Мини-отель «Две липы»",
        "Two Lindens",
        "Внутри кремля, за спиной у собора. Утром пахнет пастилой — фабрика через дорогу.",
        "Inside the kremlin, right behind the cathedral. Mornings smell of apple pastila from the "
        "works across the road.",
        Choice("Двухместный", "Double", 4300, 5, ((new_year, 6500),), nights(4900)),
        Choice(
            "Семейный, на четверых",
            "Family room for four",
            6900,
            2,
            ((new_year, 9900),),
            nights(7900),
        ),
    ),
    _stay(
        "kaliningrad-lantern",
        "hotels",
        Place(
            city="Калининград",
            address="улица Тельмана, 24",
            timezone="Europe/Kaliningrad",
        ),
        "Вилла «Старый фонарь»",
        "The Old Lantern villa",
        "Особняк 1909 года в Амалиенау: витражи на лестнице, каштаны под окнами. До вокзала с "
        "поездом на море — двадцать минут пешком.",
        "A villa of 1909 in Amalienau, stained glass on the stairs and chestnuts at the windows. "
        "Twenty minutes on foot to the train for the sea.",
        Choice("Мансарда", "Attic room", 3900, 3, ((summer, 5200),)),
        Choice("Двухместный", "Double", 4800, 5, ((summer, 6300),)),
        Choice("С эркером", "Bay-window room", 6500, 1, ((summer, 8400),)),
    ),
    _stay(
        "rostov-nero",
        "guesthouses",
        Place(city="Ростов Великий", address="Подозёрка, 18"),
        "Гостевой дом у озера Неро",
        "Guest house on Lake Nero",
        "Из окон — вода и звонницы. Хозяйка варит уху, хозяин катает на лодке и знает, когда "
        "звонят колокола.",
        "Water and belfries in every window. Irina makes the fish soup, Pavel rows you out and "
        "knows when the bells ring.",
        Choice("Комната на двоих", "Room for two", 3400, 4, ((summer, 3900),)),
        Choice("Комната на троих", "Room for three", 4200, 2, ((summer, 4800),)),
    ),
    _stay(
        "solovki-yard",
        "guesthouses",
        Place(city="Соловецкий", address="улица Заозёрная, 9"),
        "Соловецкий дворик",
        "Solovetsky Yard",
        "Тёплый деревянный дом на островах. Зимой мы закрываем половину комнат, летом занимайте "
        "заранее: пароходов больше, чем кроватей.",
        "A warm wooden house on the islands. Half the rooms sleep through the winter; in summer "
        "book early, for there are more boats than beds.",
        Choice("Двухместная", "Double", 4600, 5, ((summer, 6900),)),
        Choice("Одноместная", "Single", 3100, 2, ((summer, 4700),)),
    ),
    _stay(
        "baikal-izba",
        "guesthouses",
        Place(city="Листвянка", address="улица Чапаева, 61", timezone="Asia/Irkutsk"),
        "Байкальская изба",
        "Izba on Baikal",
        "До озера сто шагов, до бани — двадцать. В феврале под окнами поёт лёд.",
        "A hundred steps to the lake, twenty to the banya. In February the ice sings below the "
        "windows.",
        Choice("Комната с печью", "Room with a stove", 4400, 3, ((summer, 5600), (new_year, 7400))),
        Choice("Мансарда с видом на озеро", "Lake-view loft", 5900, 1, ((summer, 7200),)),
    ),
    _stay(
        "myshkin-honey",
        "guesthouses",
        Place(city="Мышкин", address="Никольская улица, 14"),
        "Медовый дом",
        "The Honey House",
        "Три комнаты, самовар на веранде и пасека за забором. Паром через Волгу — бесплатно, "
        "каждые сорок минут.",
        "Three rooms, a samovar on the veranda and hives behind the fence. The ferry over the "
        "Volga is free and leaves every forty minutes.",
        Choice("Комната на двоих", "Room for two", 2900, 3, ((summer, 3300), (new_year, 4500))),
    ),
    _stay(
        "petersburg-bay-window",
        "apartments",
        Place(city="Санкт-Петербург", address="улица Рубинштейна, 23"),
        "Квартира с эркером на Рубинштейна",
        "Bay-window flat on Rubinstein Street",
        "Третий этаж доходного дома, потолки 3,6 м, тихая спальня во двор. Кухня настоящая: "
        "можно прийти с рынка и готовить.",
        "Third floor of an old tenement, ceilings of 3.6 m, a quiet bedroom on the courtyard and a "
        "real kitchen for what you bring from the market.",
        Choice(
            "Вся квартира, до четырёх гостей",
            "The whole flat, up to four guests",
            8900,
            1,
            ((summer, 11900), (new_year, 14500)),
            prices(long=((7, 12), (28, 30)), deposit=10000),
            Rules(length_min=2, notice_hours=24),
        ),
    ),
    _stay(
        "kazan-studio",
        "apartments",
        Place(city="Казань", address="улица Баумана, 44"),
        "Студии у Казанского кремля",
        "Studios by the Kazan Kremlin",
        "Двенадцать минут до кремля, эчпочмаки внизу. Самостоятельный заезд по коду, стиральная "
        "машина и рабочий стол.",
        "Twelve minutes from the Kremlin, hot echpochmak downstairs. You let yourself in with a "
        "code; there is a washing machine and a proper desk.",
        Choice("Студия", "Studio", 3800, 4, ((summer, 4600), (new_year, 6200))),
        Choice("Студия с террасой", "Studio with a terrace", 5100, 2, ((summer, 6400),)),
    ),
    _stay(
        "vladivostok-bay",
        "apartments",
        Place(city="Владивосток", address="Светланская улица, 51", timezone="Asia/Vladivostok"),
        "Окна на Золотой Рог",
        "Windows on the Golden Horn",
        "Мост, корабли и сопки — всё из кровати. Внизу крабовая, в шкафу бинокль.",
        "The bridge, the ships and the hills, all without getting up. Crab downstairs, binoculars "
        "in the cupboard.",
        Choice(
            "Квартира, до трёх гостей", "The flat, up to three guests", 6200, 1, ((summer, 7700),)
        ),
    ),
    _stay(
        "karelia-aframe",
        "countryside",
        Place(city="Сортавала", address="посёлок Рантуэ, берег залива"),
        "А-фреймы в сосновом лесу",
        "A-frames among the pines",
        "Четыре домика, печь, причал и тишина. Дрова наколоты, связь ловит у бани.",
        "Four cabins, a stove in each, a jetty and silence. The wood is chopped; the signal lives "
        "by the sauna.",
        Choice(
            "Домик на двоих",
            "Cabin for two",
            7400,
            3,
            ((summer, 9600), (new_year, 13500)),
            nights(8900),
        ),
        Choice(
            "Домик с баней, на четверых",
            "Cabin with a sauna, for four",
            12800,
            1,
            ((summer, 15900), (new_year, 22000)),
            nights(14900),
        ),
    ),
    _stay(
        "pereslavl-cottage",
        "countryside",
        Place(city="Переславль-Залесский", address="село Веськово, Петровская улица, 6"),
        "Дом с садом у Плещеева озера",
        "Garden house by Lake Pleshcheyevo",
        "Яблони, гамак, мангал и два велосипеда. Собаку берите с собой: забор высокий, соседи "
        "добрые.",
        "Apple trees, a hammock, a grill and two bicycles. Bring the dog: the fence is high and "
        "the neighbours are kind.",
        Choice(
            "Весь дом, до шести гостей",
            "The whole house, up to six guests",
            9900,
            1,
            ((summer, 12500), (may_days, 14000), (new_year, 18000)),
            prices(long=((7, 15),), deposit=15000),
            Rules(
                length_min=2,
                arrival_weekdays=(FRIDAY, SATURDAY, SUNDAY),
                horizon_days=180,
            ),
        ),
    ),
)
