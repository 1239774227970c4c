"""Things for rent in the demo world. All are fetched from one workshop in Moscow, or by the water."""

from dvor.contracts.catalog import Kind, Place
from dvor.contracts.inventory import Rules
from dvor.demo.stalls import SATURDAY, SUNDAY, Choice, Stall, lent, prices, summer

_MOSCOW = Place(city="Москва", address="Хохловский переулок, 7, во дворе")
_PETERSBURG = Place(city="Санкт-Петербург", address="набережная реки Карповки, 5")
_KARELIA = Place(city="Сортавала", address="Ладожская улица, 3, лодочная станция")


_PARK = Place(city="Москва", address="Парковая аллея, 12, Сокольники")
_WEEKEND = (SATURDAY, SUNDAY)


def _court(ru: str, en: str, price: int, weekend: int) -> Choice:
    """A court: up to four hours, dearer at weekends."""
    pricing = prices(weekend=_WEEKEND, of=weekend, long=((3, 10),))
    return Choice(
        *(ru, en, price, 1, (), pricing), Rules(length_max=4, notice_hours=1), by_hour=True
    )


def _rent(
    key: str,
    category: str,
    place: Place,
    ru: str,
    en: str,
    about_ru: str,
    about_en: str,
    *choices: Choice,
) -> Stall:
    return Stall(key, Kind.RENTAL, category, ru, en, about_ru, about_en, choices, place)


RENTALS: tuple[Stall, ...] = (
    _rent(
        "rotary-hammer",
        "tools",
        _MOSCOW,
        "Перфоратор SDS-plus, 800 Вт",
        "Rotary hammer, SDS-plus, 800 W",
        "Берёт бетон и кирпич. В кейсе — пять буров, пика и лопатка. Покажем, как не сверлить "
        "себе проводку.",
        "Goes through concrete and brick. Five bits and two chisels in the case, and a word of "
        "advice about your wiring.",
        Choice("", "", 700, 3, (), lent(5000)),
    ),
    _rent(
        "cordless-drill",
        "tools",
        _MOSCOW,
        "Шуруповёрт с двумя аккумуляторами",
        "Cordless drill with two batteries",
        "18 вольт, ударный режим, набор бит и свёрл. Одного заряда хватает на шкаф, двух — на "
        "кухню.",
        "18 V with a hammer setting, bits and drills. One charge builds a wardrobe, two a kitchen.",
        Choice("", "", 500, 4),
    ),
    _rent(
        "floor-sander",
        "tools",
        _MOSCOW,
        "Паркетная шлифмашина",
        "Floor sander",
        "Для пола, который старше вас. В паре с угловой машинкой проходит комнату за день. "
        "Шкурка — по расходу.",
        "For a floor older than you are. With the edge sander you finish a room in a day; you pay "
        "for the paper you use.",
        Choice("Барабанная", "Drum sander", 2400, 1, (), lent(10000)),
        Choice("Угловая", "Edge sander", 1200, 2, (), lent(5000)),
    ),
    _rent(
        "ladder",
        "tools",
        _MOSCOW,
        "Лестница-трансформер, 4,7 м",
        "Folding ladder, 4.7 m",
        "Стремянка, приставная и помост. Складывается и влезает в легковую машину.",
        "Stepladder, leaning ladder or platform. Folds small enough for an ordinary car.",
        Choice("", "", 450, 2),
    ),
    _rent(
        "city-bike",
        "bikes",
        _MOSCOW,
        "Городской велосипед «Прогулка»",
        "Stroller, a city bike",
        "Прямая посадка, восемь передач во втулке, корзина, замок и свет. Цепь закрыта — брюки "
        "целы.",
        "Upright, eight hub gears, basket, lock and lights. The chain is covered, so wear what you "
        "like.",
        Choice(
            "Рама S, рост 155–168",
            "Frame S, 155–168 cm",
            900,
            4,
            ((summer, 1100),),
            lent(3000, weekend=1100),
        ),
        Choice(
            "Рама M, рост 168–180",
            "Frame M, 168–180 cm",
            900,
            6,
            ((summer, 1100),),
            lent(3000, weekend=1100),
        ),
        Choice(
            "Рама L, рост 180–195",
            "Frame L, 180–195 cm",
            900,
            3,
            ((summer, 1100),),
            lent(3000, weekend=1100),
        ),
    ),
    _rent(
        "mountain-bike",
        "bikes",
        _MOSCOW,
        "Горный велосипед, колёса 29″",
        "Mountain bike, 29″ wheels",
        "Хардтейл: вилка 120 мм, гидравлические тормоза, двенадцать передач. Перед выдачей "
        "настраиваем под ваш вес.",
        "A hardtail with a 120 mm fork, hydraulic brakes and twelve gears, set up for your weight "
        "before you leave.",
        Choice("Рама M", "Frame M", 1600, 2, ((summer, 1900),), lent(8000, weekend=1900)),
        Choice("Рама L", "Frame L", 1600, 2, ((summer, 1900),), lent(8000, weekend=1900)),
    ),
    _rent(
        "bike-trailer",
        "bikes",
        _MOSCOW,
        "Велоприцеп для двоих детей",
        "Bike trailer for two children",
        "Пятиточечные ремни, дождевик, подвеска. Цепляется к любому велосипеду за минуту.",
        "Five-point belts, a rain cover and springs. Hooks on to any bike in a minute.",
        Choice("", "", 800, 1),
    ),
    _rent(
        "e-scooter",
        "bikes",
        _PETERSBURG,
        "Электросамокат, запас хода 45 км",
        "E-scooter with a range of 45 km",
        "Большие колёса и амортизаторы — брусчатку проходит мягко. Шлем даём бесплатно, и "
        "просим его надеть.",
        "Big wheels and suspension make cobbles bearable. A helmet comes free, and we do ask you "
        "to wear it.",
        Choice("", "", 1300, 5),
    ),
    _rent(
        "tent",
        "camping",
        _MOSCOW,
        "Палатка трёхсезонная",
        "Three-season tent",
        "Дуги алюминиевые, швы проклеены, тамбур под рюкзаки. Сушим и проверяем после каждого "
        "похода.",
        "Aluminium poles, taped seams and a porch for rucksacks. Dried and checked after every "
        "trip.",
        Choice("Двухместная, 2,3 кг", "For two, 2.3 kg", 600, 6),
        Choice("Трёхместная, 3,1 кг", "For three, 3.1 kg", 750, 4),
        Choice("Семейная, на пятерых", "Family tent for five", 1200, 1),
    ),
    _rent(
        "sleeping-bag",
        "camping",
        _MOSCOW,
        "Спальник с чистым вкладышем",
        "Sleeping bag with a fresh liner",
        "Вкладыш стираем после каждого гостя, спальник проветриваем. Компрессионный мешок внутри.",
        "The liner is washed after every guest and the bag aired. Compression sack included.",
        Choice("До +5 °C", "Down to +5 °C", 250, 10),
        Choice("До −10 °C", "Down to −10 °C", 400, 6),
    ),
    _rent(
        "camp-kitchen",
        "camping",
        _MOSCOW,
        "Походная кухня на четверых",
        "Camp kitchen for four",
        "Горелка с ветрозащитой, котлы на 2 и 3 литра, миски, кружки, доска и нож. Газ — "
        "отдельно, баллон есть у нас.",
        "A stove with a windshield, two pots, bowls, mugs, a board and a knife. Gas is extra; we "
        "sell canisters.",
        Choice("", "", 350, 5),
    ),
    _rent(
        "camera",
        "cameras",
        _MOSCOW,
        "Полнокадровая камера, 33 Мп",
        "Full-frame camera, 33 MP",
        "Беззеркалка, которая сама держит фокус на глазах. Два аккумулятора, карта 128 ГБ, "
        "сумка. Депозита нет — нужен паспорт.",
        "A mirrorless body that keeps focus on the eyes for you. Two batteries, a 128 GB card and "
        "a bag; we ask for a passport instead of a deposit.",
        Choice("Только камера", "Body only", 2900, 2, (), lent(40000), Rules(length_max=14)),
        Choice(
            "С объективом 24–70 мм f/2,8",
            "With a 24–70 mm f/2.8",
            4400,
            2,
            (),
            lent(60000),
            Rules(length_max=14),
        ),
    ),
    _rent(
        "portrait-lens",
        "cameras",
        _MOSCOW,
        "Портретный объектив 85 мм f/1,8",
        "Portrait lens, 85 mm f/1.8",
        "Фон тает, кожа остаётся кожей. Байонет E, бленда и фильтр в комплекте.",
        "Melts the background and is kind to skin. E-mount, with hood and filter.",
        Choice("", "", 1100, 2),
    ),
    _rent(
        "projector",
        "cameras",
        _MOSCOW,
        "Проектор и экран для кино во дворе",
        "Projector and screen for a courtyard cinema",
        "Full HD, 3 500 люмен, экран два на полтора на треноге, колонка и все провода. Нужна "
        "только розетка и темнота.",
        "Full HD, 3,500 lumens, a two-metre screen on a stand, a speaker and every cable. You "
        "bring a socket and the dark.",
        Choice("", "", 2100, 2),
    ),
    _rent(
        "sup-board",
        "sport",
        _PETERSBURG,
        "Надувной сапборд",
        "Inflatable paddle board",
        "Доска, весло, насос, жилет и гермомешок. По Карповке на рассвете — самое то.",
        "Board, paddle, pump, vest and dry bag. Take it down the Karpovka at dawn.",
        Choice("До 90 кг", "Up to 90 kg", 1200, 4, ((summer, 1500),), lent(4000, weekend=1400)),
        Choice("До 140 кг", "Up to 140 kg", 1400, 3, ((summer, 1700),), lent(4000, weekend=1600)),
    ),
    _rent(
        "kayak",
        "sport",
        _KARELIA,
        "Каяк для ладожских шхер",
        "Kayak for the Ladoga skerries",
        "Морской каяк с рулём, юбкой, веслом и картой стоянок. Инструктаж на берегу — полчаса.",
        "A sea kayak with rudder, spray deck, paddle and a map of the camp sites. Half an hour of "
        "instruction on the shore.",
        Choice("Одноместный", "Single", 2200, 4, ((summer, 2600),), lent(8000, weekend=2500)),
        Choice("Двухместный", "Double", 3300, 2, ((summer, 3900),), lent(12000, weekend=3700)),
    ),
    _rent(
        "tennis-court",
        "sport",
        _PARK,
        "Теннисный корт по часам",
        "Tennis court by the hour",
        "Два корта под соснами: один грунтовый, другой с твёрдым покрытием. Свет, душ и ракетки — "
        "на месте, мячи свои или наши. Играем в любую погоду, кроме ливня.",
        "Two courts among the pines, one clay and one hard. Floodlights, showers and rackets are "
        "here; bring your own balls or borrow ours. Only heavy rain stops play.",
        _court("Грунт", "Clay", 1200, 1600),
        _court("Хард", "Hard", 900, 1200),
    ),
    _rent(
        "cross-country-ski",
        "sport",
        _MOSCOW,
        "Беговые лыжи, полный комплект",
        "Cross-country skis, the full set",
        "Лыжи с камусом — мазать не надо. Ботинки 36–46, палки по росту.",
        "Skin skis, so no waxing. Boots from 36 to 46, poles to fit.",
        Choice("Взрослый", "Adult", 700, 8),
        Choice("Детский", "Child", 450, 5),
    ),
)
