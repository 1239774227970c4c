"""What a picture must show, told from the words of a title."""

# A list of words reads best as lines.
# fmt: off

import re

from dvor.contracts.catalog import Text

_WORDS = (
    # goods; the first that fits wins
    ("cupcake", r"cake cases|cupcake|кекс|капкейк"), ("bottle", r"bottle|бутыл|грелк|термос"),
    ("umbrella", r"umbrella|parasol|зонт"), ("candles", r"t-?lights?\b|candle|lantern|свеч|фонар(?!я)"),
    ("mug", r"\bmugs?\b|\bcups?\b|кружк|чашк"), ("teapot", r"teapot|kettle|чайник|самовар"),
    ("tea", r"\btea\b|чай\b|чая\b|lunch box|\btins?\b"), ("coffee", r"coffee|кофе"), ("jar", r"honey|\bjam\b|мёд|мед\b|варень|jar\b"),
    ("jug", r"\bjugs?\b|кувшин|молочник"), ("bowl", r"\bbowls?\b|миск|салатник"), ("plates", r"plates?\b|тарел|посуд"),
    ("spoons", r"spoon|cutlery|ложк|прибор"), ("pan", r"\bpan\b|skillet|сковород|кастрюл"),
    ("board", r"cutting board|chopping|разделочн"), ("lamp", r"\blamps?\b|лампа|светильник|торшер"),
    ("baubles", r"bauble|christmas|ёлоч|елоч|новогод"), ("heart", r"heart|сердц"), ("vase", r"\bvase|ваз[аы]"),
    ("clock", r"clock|часы\b|будильник"), ("frame", r"frame|picture|рамк|картин"),
    ("folded", r"towel|blanket|throw|linen|scarf|shawl|плед|полотен|платок|паутинк|бель[её]|скатерт"),
    ("cushion", r"cushion|pillow|подуш"), ("basket", r"basket|wicker|корзин"), ("letter", r"postcard|\bcards?\b|envelope|открыт|конверт|письм"),
    ("notebook", r"notebook|diary|блокнот|тетрад|ежедневник"), ("books", r"\bbooks?\b|книг"), ("pencils", r"pencil|\bpens?\b|карандаш|ручк[аи]\b"),
    ("handbag", r"handbag|purse|сумочк|кошел"), ("bag", r"\bbags?\b|shopper|сумк|шоппер|мешок"),
    ("slippers", r"slipper|тапоч|валенк"), ("shoes", r"\bshoes?\b|sneaker|туфл|кроссовк"), ("hat", r"\bhats?\b|шляп|панам"),
    ("dress", r"\bdress\b|skirt|\bshirt|плать|юбк|рубаш"), ("train", r"\btrain\b|поезд|паровоз"),
    ("bear", r"\bbears?\b|teddy|медвед|blacksmiths|богородск"), ("blocks", r"\bgame\b|blocks|puzzle|игра\b|кубик|пазл"),
    ("balloons", r"balloon|воздушн"), ("cake", r"\bcakes?\b|gingerbread|торт|пряник"), ("croissant", r"croissant|bakery|булоч|выпечк"),
    ("gift", r"\bgifts?\b|ribbon|подар"), ("plant", r"\bplants?\b|растени|цвет[ыо]к"),
    # things to rent
    ("drill", r"\bdrill|screwdriver|перфоратор|шурупов|дрел"), ("ladder", r"ladder|лестниц|стремянк"), ("toolbox", r"sander|\bsaw\b|шлифмаш|пила\b|набор инструмент"),
    ("scooter", r"scooter|самокат"), ("bike", r"\bbikes?\b|bicycle|велосипед|велоприцеп|cycle"),
    ("film", r"projector|screen|video|проектор|экран|кинокамер|видео"), ("camera", r"camera|lens|камера|объектив|фотоаппарат"),
    ("sup", r"paddle ?board|surf|\bsup\b|сапборд|сёрф"), ("kayak", r"kayak|canoe|boat|каяк|байдарк|лодк"), ("skis", r"\bskis?\b|snowboard|лыж|сноуборд"), ("tennis", r"tennis|теннис"), ("ball", r"\bball\b|football|мяч"),
    # events
    ("piano", r"piano|organ\b|bach|орган\b|роял|фортепиан|бах\b"), ("drums", r"jazz|джаз|барабан"), ("cello", r"orchestra|seasons|quartet|оркестр|времена года|симфон|скрип"),
    ("guitar", r"songs?\b|guitar|rock|песн|гитар|рок\b"),
    ("stars", r"\bsky\b|stars?\b|telescope|неб[оа]|звёзд|космос"), ("arches", r"icon|architect|court|city|икон|дворы|архитект"),
    ("shapes", r"math|geometr|математ"), ("leaves", r"garden(?!\s+house)|botan|ботан|растен"), ("numbers", r"business|money|data|финанс|данны"),
    ("pottery", r"potter|ceramic|гончар|керамик"), ("painting", r"paint|watercolou?r|живопис|акварел|рису"), ("sewing", r"print|textile|sew|knit|ткан|набойк|шить|вяза"), ("cooking", r"cheese|cook|bak|сыр|кулинар|готов"),
    ("tale", r"tale|fisherman|shadow|сказк|рыбак|куклы"), ("play", r"orchard|\bplay\b|сад»|пьес|драм"), ("masks", r"comedy|mask|комеди|маск"),
    ("night", r"night|lantern|ночн|фонар"),
)
_KNOWN = tuple((subject, re.compile(pattern)) for subject, pattern in _WORDS)
_DRAWN = re.compile(r"^(/pictures/[a-z]+/[a-z-]+/)([0-9a-f]+\.svg)$")


def subjects_of(title: Text) -> list[str]:
    """What the title names, the surest first."""
    words = f"{title.ru} {title.en}".lower()
    return [subject for subject, pattern in _KNOWN if pattern.search(words)]


def fitting(address: str, title: Text, able: frozenset[str]) -> str:
    """The address of a drawn picture that shows what the title names; others stay as they are."""
    drawn = _DRAWN.match(address)
    subject = next((name for name in subjects_of(title) if name in able), "") if drawn else ""
    return f"{drawn[1]}{subject}-{drawn[2]}" if drawn and subject else address
