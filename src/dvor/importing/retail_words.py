"""The words of the retail file: shouted descriptions made readable, categories guessed."""

import re

TITLE_MAX_CHARACTERS = 200

# These keep their capitals; everything else becomes ordinary small letters.
_NAMES = """
3D Bakelike BBQ CD Charlie Charlotte Chinese Christmas Cinderella Clarissa Copenhagen Cupid DIY
Easter Edwardian Emily England English Europe France French George Georgian Gustavian Halloween I
India Ivy Jack Japan LED Lola London Lucy Madras Molly Moroccan Nordic Olivia Paris Poppy's
Provence PVC Rex Rosie Russian Santa Santas Scandinavian Scottie Scotty Swiss Tokyo TV UK Union US
USA Valentine Victorian WC York
"""
_PHRASES = {
    "dolly girl": "Dolly Girl",
    "guns and roses": "Guns and Roses",
    "jardin de provence": "Jardin de Provence",
    "les enfants": "Les Enfants",
    "new england": "New England",
    "new york": "New York",
    "polkadot": "polka dot",
    "t-light": "T-light",
    "union flag": "Union flag",
    "willie winkie": "Willie Winkie",
}
_SPELLED = {word.lower(): word for word in _NAMES.split()}
_SET = re.compile(r"\b(?:SET\s*/\s*|S/|SET OF(?=\d))(\d+)\b", re.IGNORECASE)

# A category on each line; a title belongs to the first that has one of its words.
_CATEGORIES = """
party: christmas advent easter halloween party balloon balloons bunting garland garlands wreath \
    bauble baubles reindeer santa santas snowmen snowman pannetone paper-chain invites cones gift \
    tissues ribbon ribbons wrap celebration
textiles: cushion quilt towel towels doormat cloth flannel pad hottie water-bottle oven ironing
kitchen: mug mugs cup cups saucer plate plates bowl bowls teapot tea coffee cake cakestand \
    cupcake cookie cutter cutters jam jar jug bread baking cooking cutlery lunch snack napkin \
    napkins spoon spoons teaspoons coaster coasters placemats tray egg beakers popcorn recipe \
    biscuit doilies caddy pizza breakfast fridge kitchen apron
stationery: card cards notebook notebooks pencil pencils pen pens eraser erasers rubbers sticker \
    stickers tape tapes calendar chalk chalkboard writing stationery envelopes stamps calculator \
    letters tattoos scissor
wear: bag bags shopper purse umbrella parasol hat slipper slippers scarf necklace bracelet bangle \
    ring earrings hair hairband hairbands brooch luggage charm cases warmer tote
toys: toy toys doll playhouse game jigsaw puzzle puzzles dominoes skittles spinning skipping \
    babushka feltcraft harmonica marbles snap playing alphabet blocks drawing paint colouring \
    tops soft spaceboy rocking seaside spade cowboys snakes mice
decor: candle candles candlestick candleholder t-light t-lights tealight lantern light lights \
    lamp nightlight clock frame frames mirror mirrored sign heart hearts decoration vase holder \
    ornament incense cabinet sideboard hanger hook hooks rack knob doorstop doorsign basket \
    baskets drawer birdcage cloche ducks wicker
"""
_WORDS = {
    slug: frozenset(words.split())
    for slug, _, words in (line.partition(":") for line in _CATEGORIES.split("\n") if line)
}
_ELSEWHERE = "home"
_TWO_WORDS = {"hot water bottle": "water-bottle", "paper chain": "paper-chain"}


def title_of(description: str) -> str:
    """A description as a title: `RED WOOLLY  T-LIGHT S/4.` -> `Red woolly T-light set of 4`."""
    text = " ".join(description.split()).strip(" ,.;")
    text = _SET.sub(r"SET OF \1", text)
    if sum(map(str.islower, text)) > sum(map(str.isupper, text)):
        return (text[:1].upper() + text[1:])[:TITLE_MAX_CHARACTERS]
    text = re.sub(r"[a-z0-9][a-z0-9']*", _spelled, text.lower())
    for phrase, written in _PHRASES.items():
        text = re.sub(rf"(?<![a-z]){re.escape(phrase)}", written, text, flags=re.IGNORECASE)
    text = re.sub(r",(?=\S)", ", ", text)
    return (text[:1].upper() + text[1:])[:TITLE_MAX_CHARACTERS]


def _spelled(match: re.Match[str]) -> str:
    return _SPELLED.get(match[0], match[0])


def category_of(title: str) -> str:
    """The category a title belongs to, by its words; `home` where none tells."""
    text = title.lower()
    for phrase, word in _TWO_WORDS.items():
        text = text.replace(phrase, word)
    words = set(re.findall(r"[a-z0-9][a-z0-9'-]*", text))
    for slug, telling in _WORDS.items():
        if words & telling:
            return slug
    return _ELSEWHERE
