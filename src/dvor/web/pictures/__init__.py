"""Pictures for listings that have none of their own: drawn by us, the same for the same seed."""

from functools import lru_cache

from dvor.web.pictures import events, goods, rentals, stays
from dvor.web.pictures.brush import HEIGHT, WIDTH, Dice

_SCENES = {**rentals.SCENES, **stays.SCENES, **events.SCENES}
_ANY = {"rental": "tools", "stay": "hotels", "event": "concerts"}
CACHED = 512


@lru_cache(maxsize=CACHED)
def draw(kind: str, category: str, seed: str) -> str:
    """An SVG scene of 400 x 500 for a category of a kind; unknown ones get their kind's scene.

    The middle of the picture lies within a round arch, the mask that pages show it in.
    """
    dice = Dice(f"{kind}/{category}/{seed}")
    if kind in _ANY:
        scene = _SCENES[category if category in _SCENES else _ANY[kind]](dice)
    else:
        scene = goods.draw(category, dice)
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}">{scene}</svg>'
