"""Goods of the demo world: a shop of things made by hand, and what goes with tea."""

from dvor.contracts.catalog import Kind
from dvor.demo.stalls import Choice, Stall, prices

THREE = prices(many=((3, 5), (10, 10)))
"""Cheaper by the three, and by the ten."""


def _goods(
    key: str, category: str, ru: str, en: str, about_ru: str, about_en: str, *choices: Choice
) -> Stall:
    return Stall(key, Kind.PRODUCT, category, ru, en, about_ru, about_en, choices)


GOODS: tuple[Stall, ...] = (
    _goods(
        "mug-mist",
        "kitchen",
        "Кружка «Туман»",
        "Mist, a stoneware mug",
        "Каменная масса, матовая дымчатая глазурь. Держит тепло, ложится в ладонь, не боится "
        "посудомойки. Лепим в Гжели небольшими партиями, поэтому оттенок у каждой свой.",
        "Thrown in Gzhel in small batches, so no two shades of the smoky matt glaze are quite the "
        "same. Keeps tea hot, sits well in the hand, survives the dishwasher.",
        Choice("250 мл", "250 ml", 1290, 24),
        Choice("400 мл", "400 ml", 1590, 18),
    ),
    _goods(
        "skillet",
        "kitchen",
        "Чугунная сковорода с деревянной ручкой",
        "Cast-iron skillet, wooden handle",
        "Тяжёлая, честная, на полвека. Уже прокалена льняным маслом: помыли, поставили на огонь "
        "и жарите. Ручка снимается — можно в духовку.",
        "The last frying pan you will buy. Seasoned with linseed oil and ready for the stove; take "
        "the handle off and it goes into the oven.",
        Choice("22 см", "22 cm", 2190, 15),
        Choice("26 см", "26 cm", 2790, 20),
        Choice("28 см", "28 cm", 3190, 9),
    ),
    _goods(
        "chopping-board",
        "kitchen",
        "Разделочная доска из ясеня",
        "Chopping board in solid ash",
        "Торцевой набор: ножи не тупятся, доска не ведёт. Пропитана маслом и воском. Раз в пару "
        "месяцев протрите маслом — и она будет как новая.",
        "End grain, so your knives stay sharp and the board stays flat. Finished in oil and wax; "
        "give it a little more oil every other month.",
        Choice("Малая, 30 × 20 см", "Small, 30 × 20 cm", 2400, 12),
        Choice("Большая, 45 × 30 см", "Large, 45 × 30 cm", 4300, 2),
    ),
    _goods(
        "fireweed-tea",
        "food",
        "Иван-чай с чабрецом",
        "Fireweed tea with thyme",
        "Собран в июле под Вологдой, скручен руками, высушен в русской печи. Пахнет мёдом и "
        "нагретым лугом. Кофеина нет — можно и на ночь.",
        "Picked near Vologda in July, rolled by hand and dried in a wood oven. Smells of honey and "
        "a warm meadow, and has no caffeine to keep you up.",
        Choice("Пачка 50 г", "50 g packet", 320, 80, (), THREE),
        Choice("Банка 100 г", "100 g tin", 690, 35, (), THREE),
    ),
    _goods(
        "gingerbread",
        "food",
        "Тульский пряник, печатный",
        "Tula gingerbread, stamped by hand",
        "По старой доске и на настоящем меду. Лежит месяц, но обычно столько не живёт.",
        "Pressed in a carved pear-wood mould and made with real honey. Keeps for a month, in theory.",
        Choice("С абрикосом", "Apricot", 290, 60, (), THREE),
        Choice("Со сливой", "Plum", 290, 45, (), THREE),
        Choice("С варёной сгущёнкой", "Caramel", 310, 50, (), THREE),
    ),
    _goods(
        "coffee",
        "food",
        "Кофе «Утренний двор»",
        "Courtyard Morning coffee",
        "Бразилия и Эфиопия пополам, средняя обжарка. Шоколад, орех, немного ягод в конце. "
        "Обжариваем по вторникам, в среду отправляем.",
        "Half Brazil, half Ethiopia, roasted medium: chocolate, hazelnut, a few berries at the "
        "end. We roast on Tuesdays and post on Wednesdays.",
        Choice("Зерно, 250 г", "Beans, 250 g", 640, 40),
        Choice("Зерно, 1 кг", "Beans, 1 kg", 2290, 16),
        Choice("Молотый, 250 г", "Ground, 250 g", 660, 25),
    ),
    _goods(
        "honey",
        "food",
        "Липовый мёд с одной пасеки",
        "Single-apiary linden honey",
        "Качаем в конце июля, не греем и не смешиваем. К зиме загустеет — так и должно быть.",
        "Spun at the end of July, never heated, never blended. It sets by winter, as honest honey "
        "does.",
        Choice("350 г", "350 g", 450, 30),
        Choice("1 кг", "1 kg", 1150, 14),
    ),
    _goods(
        "lamp-arch",
        "decor",
        "Настольная лампа «Арка»",
        "Arch table lamp",
        "Гнутый дуб и лён. Тёплый свет, плавная регулировка, провод в тканевой оплётке. "
        "Высота 42 см, лампочка в комплекте.",
        "Steam-bent oak under a linen shade, with a dimmer and a cloth-covered cord. Stands 42 cm "
        "tall; the bulb is in the box.",
        Choice("Светлый дуб", "Light oak", 6900, 7),
        Choice("Тёмный дуб", "Dark oak", 6900, 4),
    ),
    _goods(
        "beeswax-candles",
        "decor",
        "Свечи из вощины, шесть штук",
        "Six rolled beeswax candles",
        "Ничего, кроме воска и хлопкового фитиля. Горят три часа, не коптят и пахнут ульем.",
        "Wax, a cotton wick and nothing else. Three hours each, no smoke, a faint smell of the "
        "hive.",
        Choice("", "", 540, 70),
    ),
    _goods(
        "willow-basket",
        "home",
        "Корзина из ивы",
        "Willow basket",
        "Плетёт мастер из-под Кирова: за грибами, за хлебом или под дрова у печки.",
        "Woven by a maker near Kirov: for mushrooms, for bread, or for logs beside the stove.",
        Choice("Под хлеб", "For bread", 980, 22),
        Choice("Грибная, 12 л", "For the forest, 12 l", 1850, 11),
        Choice("Под дрова", "For logs", 3400, 3),
    ),
    _goods(
        "linen-throw",
        "textiles",
        "Плед из умягчённого льна",
        "Stonewashed linen throw",
        "Лён вологодский, стиран с камнем: мягкий с первого дня, с каждой стиркой мягче. "
        "140 × 200 см.",
        "Vologda flax, washed with stones until it drapes. Softer with every wash. 140 × 200 cm.",
        Choice("Овсяный", "Oat", 5200, 9),
        Choice("Графит", "Graphite", 5200, 6),
        Choice("Терракота", "Terracotta", 5200, 8),
    ),
    _goods(
        "linen-towels",
        "textiles",
        "Льняные полотенца, пара",
        "Pair of linen towels",
        "Вафельное плетение: воду берут мгновенно, сохнут за час. 50 × 70 см.",
        "A waffle weave that drinks water and dries within the hour. 50 × 70 cm.",
        Choice("", "", 1480, 33),
    ),
    _goods(
        "down-shawl",
        "wear",
        "Оренбургская паутинка",
        "Orenburg lace shawl",
        "Тот самый платок, что проходит через кольцо. Козий пух и шёлк, вязка вручную, две "
        "недели работы.",
        "The shawl that slips through a wedding ring: goat down and silk, two weeks of knitting "
        "by hand.",
        Choice("Белая", "White", 8900, 3),
        Choice("Серая", "Grey", 8900, 1),
    ),
    _goods(
        "felt-slippers",
        "wear",
        "Домашние тапочки из войлока",
        "Felt house slippers",
        "Цельноваляные, на кожаной подошве. Первый день чуть тесны, потом садятся по ноге.",
        "Felted in one piece on a leather sole. Snug on the first day, yours from the second.",
        Choice("37–38", "EU 37–38", 2350, 10),
        Choice("39–40", "EU 39–40", 2350, 12),
        Choice("41–42", "EU 41–42", 2350, 7),
        Choice("43–44", "EU 43–44", 2350, 1),
    ),
    _goods(
        "canvas-bag",
        "wear",
        "Холщовая сумка «Гостиный двор»",
        "Gostiny Dvor canvas tote",
        "Плотный хлопок, внутри карман на молнии, длинные ручки. Выдерживает арбуз.",
        "Heavy cotton with a zipped pocket and long handles. Tested with a watermelon.",
        Choice("Натуральная", "Natural", 1190, 40),
        Choice("Чёрная", "Black", 1290, 28),
    ),
    _goods(
        "notebook",
        "stationery",
        "Блокнот в точку, раскрывается плоско",
        "Dotted notebook that lies flat",
        "Бумага 100 г, чернила не просвечивают. Шит нитками, 160 страниц.",
        "Paper heavy enough for a fountain pen, thread-sewn, 160 pages.",
        Choice("A5", "A5", 720, 55),
        Choice("B6", "B6", 620, 42),
    ),
    _goods(
        "postcards",
        "stationery",
        "Открытки «Русский Север», 12 штук",
        "The Russian North: twelve postcards",
        "Кижи, Кенозеро, Соловки — линогравюры на хлопковой бумаге. С конвертами.",
        "Kizhi, Kenozero, Solovki: linocuts on cotton paper, envelopes included.",
        Choice("", "", 890, 26),
    ),
    _goods(
        "glass-baubles",
        "party",
        "Ёлочные шары ручной росписи",
        "Hand-painted glass baubles",
        "Выдувают и расписывают в Клину. Упакованы так, что переживут и дачу, и почту.",
        "Blown and painted in Klin, and packed to survive both the post and the attic.",
        Choice("Четыре шара, «Метель»", "Set of four, Blizzard", 2600, 14),
        Choice("Шесть шаров, «Ярмарка»", "Set of six, The Fair", 3700, 8),
    ),
    _goods(
        "wooden-train",
        "toys",
        "Деревянный поезд с вагонами",
        "Wooden train with three wagons",
        "Бук, масло, магнитные сцепки. Подходит к обычным деревянным рельсам. С двух лет.",
        "Oiled beech with magnet couplings; runs on the usual wooden rails. From two years.",
        Choice("", "", 1950, 19),
    ),
    _goods(
        "board-game-fair",
        "toys",
        "Настольная игра «Ярмарка»",
        "The Fair, a board game",
        "Торгуйтесь, везите товар, обгоняйте соседа. Партия — сорок минут, от двух до пяти "
        "человек, с восьми лет.",
        "Haggle, haul your goods, overtake your neighbour. Two to five players, forty minutes, "
        "from eight years.",
        Choice("На русском", "In Russian", 2490, 21),
        Choice("На английском", "In English", 2690, 5),
    ),
    _goods(
        "bogorodskoye-toy",
        "toys",
        "Богородская игрушка «Кузнецы»",
        "The Blacksmiths, a Bogorodskoye toy",
        "Мужик и медведь стучат по наковальне уже триста лет. Липа, ручная резьба.",
        "A man and a bear have been hammering at this anvil for three hundred years. Carved in "
        "lime wood.",
        Choice("", "", 1650, 1),
    ),
)
