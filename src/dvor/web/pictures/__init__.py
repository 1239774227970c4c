"""Pictures for listings that have none of their own: drawn by us, the same for the same seed."""

from functools import lru_cache
from typing import Protocol

from dvor.contracts.catalog import Text
from dvor.web.pictures import events, goods, rentals, stays
from dvor.web.pictures.brush import HEIGHT, WIDTH, Dice
from dvor.web.pictures.subjects import fitting

_SCENES = {**rentals.SCENES, **stays.SCENES, **events.SCENES}
_ANY = {"rental": "tools", "stay": "hotels", "event": "concerts"}
_ABLE = {
    **dict.fromkeys(goods.THINGS, frozenset(goods.SUBJECTS)),
    "tools": frozenset({"drill", "toolbox", "ladder"}),
    "bikes": frozenset({"bike", "scooter"}),
    "cameras": frozenset({"camera", "film"}),
    "sport": frozenset({"sup", "kayak", "skis", "tennis", "ball"}),
    "concerts": frozenset({"piano", "cello", "guitar", "drums"}),
    "lectures": frozenset({"stars", "numbers", "shapes", "arches", "leaves"}),
    "workshops": frozenset({"pottery", "painting", "sewing", "cooking"}),
    "theatre": frozenset({"masks", "tale", "play"}),
    "tours": frozenset({"night"}),
}
"""Category -> what its scenes can be made to show."""
CACHED = 512


class Shown(Protocol):
    """Anything with a picture and a title: a card, a line, a listing."""

    @property
    def picture(self) -> str:
        """Address of its picture."""
        ...

    @property
    def title(self) -> Text:
        """Its words."""
        ...


def address(shown: Shown) -> str:
    """Where the picture of this is: one that shows what its title names, where we can draw it."""
    category = shown.picture.split("/")[3:4]
    return fitting(
        shown.picture, shown.title, _ABLE.get(category[0] if category else "", frozenset())
    )


@lru_cache(maxsize=CACHED)
def draw(kind: str, category: str, seed: str) -> str:
    """An SVG scene of 400 x 500 for a category of a kind; unknown ones get their kind's scene.

    `seed` may begin with what must be seen: `kayak-1f2e3d4c`. The middle of the picture lies within
    a round arch, the mask that pages show it in.
    """
    subject, _, grain = seed.rpartition("-")
    dice = Dice(f"{kind}/{category}/{grain}")
    dice.subject = subject
    if kind in _ANY:
        scene = _SCENES[category if category in _SCENES else _ANY[kind]](dice)
    else:
        scene = goods.draw(category, dice)
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}">{scene}</svg>'
