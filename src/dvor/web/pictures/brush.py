"""Flat shapes as SVG text, the colours of the court, and a seeded choice among them."""

from dataclasses import dataclass
from random import Random

WIDTH, HEIGHT = 400, 500
FLOOR = 404
"""Where things stand."""

CREAM, INK, WHITE = "#fff7e8", "#2b2632", "#ffffff"
WOOD, WOOD_DARK, STONE, STONE_DARK, STEEL = "#c08a55", "#8a5a34", "#dcd5c7", "#b5ac9c", "#8f95a3"
SKIN = ("#f2c6a0", "#d99a6c", "#a86f4a", "#7c4f35")


@dataclass(frozen=True)
class Hue:
    """One colour in four strengths."""

    pale: str
    light: str
    mid: str
    deep: str


OCHRE = Hue("#fbeed0", "#f3d392", "#dd9f35", "#99600c")
GREEN = Hue("#e2efdc", "#b4d3af", "#5c9a67", "#215238")
BLUE = Hue("#dfebf5", "#afcde8", "#4f87c2", "#1e4272")
CRIMSON = Hue("#fae1e1", "#f0b3b9", "#cf4d68", "#7e1838")
CLAY = Hue("#f6e3d6", "#e6b899", "#c4764c", "#7d4023")
PLUM = Hue("#ece4f3", "#cbb6de", "#8664ad", "#43286b")
ALL = (OCHRE, GREEN, BLUE, CRIMSON, CLAY, PLUM)


def number(value: float) -> str:
    """A coordinate, short."""
    return f"{value:.1f}".rstrip("0").rstrip(".")


def rect(x: float, y: float, w: float, h: float, fill: str, r: float = 0) -> str:
    """A rectangle from its upper left corner."""
    round_ = f' rx="{number(r)}"' if r else ""
    return f'<rect x="{number(x)}" y="{number(y)}" width="{number(w)}" height="{number(h)}"{round_} fill="{fill}"/>'


def circle(x: float, y: float, r: float, fill: str) -> str:
    """A disc."""
    return f'<circle cx="{number(x)}" cy="{number(y)}" r="{number(r)}" fill="{fill}"/>'


def ellipse(x: float, y: float, rx: float, ry: float, fill: str) -> str:
    """An ellipse."""
    return f'<ellipse cx="{number(x)}" cy="{number(y)}" rx="{number(rx)}" ry="{number(ry)}" fill="{fill}"/>'


def path(d: str, fill: str, opacity: float = 1) -> str:
    """A filled path."""
    seen = f' opacity="{opacity}"' if opacity < 1 else ""
    return f'<path d="{d}" fill="{fill}"{seen}/>'


def stroke(d: str, colour: str, width: float = 4) -> str:
    """A drawn line with round ends."""
    return (
        f'<path d="{d}" fill="none" stroke="{colour}" stroke-width="{number(width)}"'
        ' stroke-linecap="round" stroke-linejoin="round"/>'
    )


def ring(x: float, y: float, r: float, colour: str, width: float = 4) -> str:
    """A circle's line."""
    return f'<circle cx="{number(x)}" cy="{number(y)}" r="{number(r)}" fill="none" stroke="{colour}" stroke-width="{number(width)}"/>'


def arch(x: float, y: float, w: float, h: float, fill: str) -> str:
    """A round arch standing on `y`, `x` its middle."""
    half = w / 2
    left, right, spring = number(x - half), number(x + half), number(y - h + half)
    return path(
        f"M{left} {number(y)}V{spring}a{number(half)} {number(half)} 0 0 1 {number(w)} 0V{number(y)}H{right}z",
        fill,
    )


def placed(
    drawing: str, x: float, y: float, scale: float = 1, turn: float = 0, flip: bool = False
) -> str:
    """A drawing moved, scaled, turned (degrees), mirrored."""
    steps = f"translate({number(x)} {number(y)})"
    if turn:
        steps += f" rotate({number(turn)})"
    if scale != 1 or flip:
        steps += f" scale({scale * (-1 if flip else 1):.3g} {scale:.3g})"
    return f'<g transform="{steps}">{drawing}</g>'


def soft(drawing: str, opacity: float) -> str:
    """A drawing that lets things behind shine through."""
    return f'<g opacity="{opacity}">{drawing}</g>'


class Dice(Random):
    """Choices that are the same for the same seed; `subject` is what must be seen, if known."""

    subject = ""

    def case(self, *names: str) -> str:
        """One of these scenes: the subject's own, else any."""
        any_ = self.choice(names)
        return self.subject if self.subject in names else any_

    def hue(self, *without: Hue) -> Hue:
        """One of the court's colours."""
        return self.choice([hue for hue in ALL if hue not in without])

    def hues(self, count: int, *without: Hue) -> list[Hue]:
        """Different colours."""
        return self.sample([hue for hue in ALL if hue not in without], count)

    def about(self, value: float, spread: float) -> float:
        """A number near `value`."""
        return value + self.uniform(-spread, spread)

    def chance(self, likelihood: float) -> bool:
        """True so often."""
        return self.random() < likelihood


def plant(dice: Dice, pot: Hue) -> str:
    """A plant in a pot, standing on 0."""
    leaves = []
    tall = dice.about(96, 14)
    style = dice.randrange(3)
    for index in range(7):
        turn = -66 + index * 22 + dice.about(0, 5)
        leaf = GREEN.mid if index % 2 else GREEN.deep
        if style == 0:
            shape = path(
                f"M0 0C-16 {-tall * 0.4:.0f} -9 {-tall * 0.8:.0f} 0 {-tall:.0f}C9 {-tall * 0.8:.0f} 16 {-tall * 0.4:.0f} 0 0z",
                leaf,
            )
        elif style == 1:
            shape = stroke(f"M0 0V{-tall * 0.75:.0f}", GREEN.deep, 2.5) + ellipse(
                0, -tall * 0.85, 15, 20, leaf
            )
        else:
            shape = path(
                f"M0 0C-7 {-tall * 0.5:.0f} -4 {-tall * 0.9:.0f} 0 {-tall * 1.1:.0f}C4 {-tall * 0.9:.0f} 7 {-tall * 0.5:.0f} 0 0z",
                leaf,
            )
        leaves.append(placed(shape, 0, -46, 1, turn))
    bowl = (
        path("M-28 -50H28L21 0H-21z", pot.mid)
        + path("M0 -50H28L21 0H0z", pot.deep, 0.35)
        + rect(-31, -56, 62, 11, pot.deep, 3)
    )
    return "".join(leaves) + bowl


def tree(dice: Dice, tall: float = 130) -> str:
    """A tree, standing on 0: a round one or a fir."""
    if dice.chance(0.5):
        crown = ellipse(0, -tall * 0.66, tall * 0.27, tall * 0.36, GREEN.mid) + path(
            f"M0 {-tall * 1.02:.0f}A{tall * 0.27:.0f} {tall * 0.36:.0f} 0 0 1 0 {-tall * 0.3:.0f}z",
            GREEN.deep,
            0.4,
        )
        return rect(-4, -tall * 0.4, 8, tall * 0.4, WOOD_DARK) + crown
    layers = "".join(
        path(f"M0 {-tall * top:.0f}L{tall * wide:.0f} {-tall * low:.0f}H{-tall * wide:.0f}z", fill)
        for top, wide, low, fill in (
            (0.62, 0.28, 0.12, GREEN.deep),
            (0.82, 0.23, 0.36, GREEN.mid),
            (1.0, 0.17, 0.6, GREEN.deep),
        )
    )
    return rect(-4, -tall * 0.16, 8, tall * 0.16, WOOD_DARK) + layers


def person(dice: Dice, tall: float = 120, hue: Hue | None = None) -> str:
    """A standing person without a face, standing on 0."""
    coat = hue or dice.hue()
    skin, hair = dice.choice(SKIN), dice.choice((INK, WOOD_DARK, "#d8b36a", "#8d8a94"))
    unit = tall / 120
    body = (
        rect(-14, -46, 11, 46, INK, 4) + rect(3, -46, 11, 46, INK, 4)
        + path("M-22 -36V-72a22 20 0 0 1 44 0V-36z", coat.mid) + path("M0 -92a22 20 0 0 1 22 20V-36H0z", coat.deep, 0.3)
        + circle(0, -106, 14, skin) + path("M-15 -104a15 15 0 0 1 30 -2c-6 -1 -12 -4 -15 -8c-3 6 -9 9 -15 10z", hair)
    )  # fmt: skip
    return placed(body, 0, 0, unit, 0, dice.chance(0.5))


def sky(dice: Dice, *, night: bool) -> str:
    """The whole picture as sky with sun, moon, stars or clouds."""
    if night:
        stars = "".join(
            circle(dice.uniform(30, 370), dice.uniform(30, 220), dice.uniform(1.2, 2.6), CREAM)
            for _ in range(22)
        )
        x, y = dice.uniform(110, 290), dice.uniform(90, 140)
        moon = circle(x, y, 27, OCHRE.light) + circle(x + 12, y - 7, 23, PLUM.deep)
        return rect(0, 0, WIDTH, HEIGHT, PLUM.deep) + stars + moon
    back, sun = dice.choice(
        (
            (BLUE.pale, OCHRE.mid),
            (BLUE.light, CREAM),
            (OCHRE.pale, CRIMSON.mid),
            (CRIMSON.pale, OCHRE.mid),
        )
    )
    x, y = dice.uniform(110, 290), dice.uniform(95, 150)
    clouds = "".join(
        cloud(dice.uniform(40, 330), dice.uniform(70, 190), dice.uniform(0.6, 1.1))
        for _ in range(2)
    )
    return rect(0, 0, WIDTH, HEIGHT, back) + circle(x, y, 36, sun) + clouds


def cloud(x: float, y: float, scale: float) -> str:
    """A small cloud."""
    return placed(
        path("M-40 0a17 17 0 0 1 8 -32a24 24 0 0 1 45 -7a19 19 0 0 1 26 39z", WHITE, 0.85),
        x,
        y,
        scale,
    )


def niche(back: Hue, dice: Dice) -> str:
    """A wall with an arch in it: the court itself."""
    wide = dice.choice((250, 276, 300))
    return (
        rect(0, 0, WIDTH, HEIGHT, back.light)
        + arch(200, 420, wide + 40, 372, back.mid if dice.chance(0.35) else WHITE)
        + arch(200, 420, wide, 350, back.pale)
    )


def counter(front: str, top: str, *, boards: bool = True) -> str:
    """What goods stand on: a counter across the picture."""
    lines = "".join(stroke(f"M{x} 428V500", top, 2) for x in range(40, 400, 80)) if boards else ""
    return (
        rect(0, FLOOR + 10, WIDTH, HEIGHT - FLOOR, front) + lines + rect(0, FLOOR, WIDTH, 16, top)
    )
