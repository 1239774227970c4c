"""Goods on a counter, by category. Each thing stands on 0 and is about 150 high."""

# A drawing reads best as one shape after another, not as one argument a line.
# fmt: off

from collections.abc import Callable

from dvor.web.pictures.brush import (
    CLAY,
    CREAM,
    FLOOR,
    GREEN,
    INK,
    OCHRE,
    STEEL,
    STONE,
    STONE_DARK,
    WHITE,
    WOOD,
    WOOD_DARK,
    Dice,
    Hue,
    arch,
    circle,
    counter,
    ellipse,
    niche,
    path,
    placed,
    plant,
    rect,
    ring,
    stroke,
)

Thing = Callable[[Dice, Hue], str]


def _teapot(dice: Dice, hue: Hue) -> str:
    band = rect(-58, -56, 116, 14, hue.light) if dice.chance(0.6) else "".join(circle(x, -48, 6, CREAM) for x in (-36, -12, 12, 36))
    return (
        stroke("M54 -66C98 -82 96 -22 50 -26", hue.deep, 10)
        + path("M-52 -50L-96 -92C-100 -98 -90 -106 -82 -100L-48 -76z", hue.deep)
        + path("M-62 -50C-62 -96 62 -96 62 -50C62 -12 40 0 0 0S-62 -12 -62 -50z", hue.mid)
        + path("M8 -84C44 -82 62 -72 62 -50C62 -12 40 0 8 0z", hue.deep, 0.25) + band
        + ellipse(0, -86, 34, 8, hue.deep) + circle(0, -98, 8, hue.deep)
    )


def _mug(dice: Dice, hue: Hue) -> str:
    steam = stroke("M-12 -92c-8 -10 8 -14 0 -26M12 -92c-8 -10 8 -14 0 -26", WHITE, 4)
    mark = circle(-4, -38, 14, hue.light) if dice.chance(0.5) else rect(-36, -48, 70, 12, hue.light)
    return steam + ring(40, -42, 19, hue.deep, 9) + path("M-38 -80H36V-14a14 14 0 0 1 -14 14H-24a14 14 0 0 1 -14 -14z", hue.mid) + mark + ellipse(-1, -80, 37, 8, hue.deep)


def _jug(dice: Dice, hue: Hue) -> str:
    flowers = "".join(
        stroke(f"M0 -120Q{x / 2:.0f} -160 {x} {y}", GREEN.deep, 3) + circle(x, y, 12, c) + circle(x, y, 4, OCHRE.mid)
        for (x, y), c in zip(((-34, -176), (0, -196), (32, -172)), [h.mid for h in dice.hues(3, GREEN)], strict=True)
    )
    return flowers + stroke("M30 -104C76 -112 72 -44 34 -44", hue.deep, 9) + path("M-24 -132H26L20 -104C56 -80 46 0 22 0H-22C-46 0 -54 -80 -18 -104z", hue.light) + path("M-41 -52C-44 -24 -36 0 -22 0H22C36 0 45 -24 41 -52z", hue.mid)


def _bowl(dice: Dice, hue: Hue) -> str:
    fruit = [OCHRE.mid, "#d9643a", GREEN.mid, "#c43d4b"]
    heap = "".join(circle(x, -54 - y, 22, dice.choice(fruit)) for x, y in ((-36, 4), (36, 4), (-14, 14), (16, 16), (0, 34)))
    return heap + path("M-72 -54H72C70 -18 40 -8 26 -8V0H-26V-8C-40 -8 -70 -18 -72 -54z", hue.mid) + path("M-72 -54H72L71 -42H-71z", hue.deep)


def _plates(dice: Dice, hue: Hue) -> str:
    return "".join(path(f"M-66 {-y - 14}H66C58 {-y - 2} 40 {-y} 30 {-y}H-30C-40 {-y} -58 {-y - 2} -66 {-y - 14}z", hue.light if i % 2 else hue.mid) for i, y in enumerate(range(0, 70, 13))) + placed(_mug(dice, dice.hue(hue)), 0, -78, 0.7)


def _spoons(dice: Dice, hue: Hue) -> str:
    sticks = "".join(placed(rect(-4, -110, 8, 110, WOOD) + ellipse(0, -122, 14, 20, WOOD if i % 2 else WOOD_DARK), x, -60, 0.85, x * 0.8) for i, x in enumerate((-22, -4, 18)))
    return sticks + path("M-40 -92H40L34 0H-34z", hue.mid) + path("M4 -92H40L34 0H4z", hue.deep, 0.28) + rect(-42, -72, 84, 10, hue.light)


def _lamp(dice: Dice, hue: Hue) -> str:
    shade = path("M-34 -196H34L62 -118H-62z", hue.mid) if dice.chance(0.5) else path("M-62 -118a62 66 0 0 1 124 0z", hue.mid)
    return rect(-4, -120, 8, 112, INK) + ellipse(0, -5, 38, 8, INK) + shade + path("M-62 -118H62L58 -108H-58z", OCHRE.light) + circle(0, -108, 8, OCHRE.pale)


def _vase(dice: Dice, hue: Hue) -> str:
    sprigs = "".join(
        placed(stroke("M0 0C6 -34 -6 -60 0 -96", GREEN.deep, 3) + "".join(ellipse(s * 9, -y, 9, 5, GREEN.mid if s > 0 else dice.choice((GREEN.mid, OCHRE.mid))) for y in range(26, 100, 17) for s in (-1, 1)), 0, -112, 1, turn)
        for turn in (-26, 4, 30)
    )
    return sprigs + path("M-14 -122H14C12 -98 46 -84 46 -48C46 -16 28 0 0 0S-46 -16 -46 -48C-46 -84 -12 -98 -14 -122z", hue.mid) + path("M4 -122H14C12 -98 46 -84 46 -48C46 -16 28 0 4 0z", hue.deep, 0.3)


def _candles(dice: Dice, hue: Hue) -> str:
    one = "".join(rect(x - 13, -h, 26, h, c) + path(f"M{x} {-h - 30}C{x + 12} {-h - 14} {x + 8} {-h - 4} {x} {-h - 4}S{x - 12} {-h - 14} {x} {-h - 30}z", OCHRE.mid) for x, h, c in ((-34, 74, CREAM), (0, 116, hue.light), (34, 52, hue.mid)))
    return one + rect(-62, -10, 124, 10, hue.deep, 5)


def _frame(dice: Dice, hue: Hue) -> str:
    other = dice.hue(hue)
    return rect(-62, -160, 124, 160, WOOD_DARK, 3) + rect(-52, -150, 104, 140, CREAM) + arch(0, -22, 68, 106, hue.light) + circle(10, -92, 15, other.mid) + path("M-34 -22V-52C-14 -66 8 -40 34 -56V-22z", hue.mid)


def _clock(dice: Dice, hue: Hue) -> str:
    return path("M-36 0L-26 -22H26L36 0z", hue.deep) + circle(0, -76, 60, hue.mid) + circle(0, -76, 48, CREAM) + stroke(f"M0 -76V-110M0 -76L{dice.choice((-22, 24))} -66", INK, 6) + circle(0, -76, 5, hue.deep)


def _folded(dice: Dice, hue: Hue) -> str:
    rows = dice.hues(4)
    parts = []
    for index, row in enumerate(rows):
        y, wide = -index * 32, 66 - index * 3
        parts.append(rect(-wide, y - 32, wide * 2, 31, row.mid, 13) + rect(-wide + 16, y - 32, wide - 4, 31, row.light) + stroke(f"M{wide - 10} {y - 17}H{wide - 40}", row.deep, 3))
    return "".join(parts)


def _cushion(dice: Dice, hue: Hue) -> str:
    mark = "".join(stroke(f"M{x} -106V-18", hue.light, 7) for x in (-30, -10, 10, 30)) if dice.chance(0.5) else path("M0 -98L38 -62L0 -26L-38 -62z", hue.light)
    return path("M-66 -118C-30 -108 30 -108 66 -118C56 -80 56 -40 66 0C30 -10 -30 -10 -66 0C-56 -40 -56 -80 -66 -118z", hue.mid) + mark


def _roll(dice: Dice, hue: Hue) -> str:
    other = dice.hue(hue)
    return rect(-34, -170, 68, 170, hue.mid, 4) + "".join(rect(-34, y, 68, 9, c) for y, c in ((-140, other.mid), (-124, CREAM), (-52, CREAM), (-36, other.mid))) + ellipse(0, -170, 34, 11, hue.deep) + ellipse(0, -170, 20, 6, hue.light)


def _basket(dice: Dice, hue: Hue) -> str:
    cloth = path("M-54 -84C-58 -124 -30 -136 -12 -122C4 -146 40 -138 40 -118C58 -116 58 -96 54 -84z", hue.mid) + path("M4 -84C0 -110 20 -122 40 -118C58 -116 58 -96 54 -84z", hue.light)
    weave = "".join(stroke(f"M-54 {y}H54", WOOD_DARK, 3) for y in (-66, -46, -26))
    return cloth + path("M-60 -84H60L48 0H-48z", WOOD) + weave + rect(-64, -90, 128, 14, WOOD_DARK, 6)


def _gift(dice: Dice, hue: Hue) -> str:
    other = dice.hue(hue)
    bow = path("M0 -116C-34 -150 -54 -128 -40 -112C-30 -104 -10 -108 0 -116z", other.mid) + path("M0 -116C34 -150 54 -128 40 -112C30 -104 10 -108 0 -116z", other.deep)
    return rect(-58, -88, 116, 88, hue.mid) + path("M0 -88H58V0H0z", hue.deep, 0.22) + rect(-66, -116, 132, 30, hue.deep, 3) + rect(-12, -116, 24, 116, other.light) + bow


def _gifts(dice: Dice, hue: Hue) -> str:
    return _gift(dice, hue) + placed(_gift(dice, dice.hue(hue)), dice.about(0, 14), -116, 0.66)


def _bag(dice: Dice, hue: Hue) -> str:
    return stroke("M-22 -108C-22 -152 22 -152 22 -108", hue.deep, 7) + path("M-52 -112H52L60 0H-60z", hue.mid) + path("M10 -112H52L60 0H10z", hue.deep, 0.25) + arch(0, -28, 46, 54, hue.light)


def _books(dice: Dice, hue: Hue) -> str:
    parts, y = [], 0.0
    for row in dice.hues(4):
        tall, wide, shift = dice.choice((20, 24, 28)), dice.about(60, 9), dice.about(0, 8)
        parts.append(rect(shift - wide, y - tall, wide * 2, tall, row.mid, 3) + rect(shift + wide - 12, y - tall + 4, 12, tall - 8, CREAM) + rect(shift - wide + 14, y - tall, 7, tall, row.light))
        y -= tall
    return "".join(parts)


def _pencils(dice: Dice, hue: Hue) -> str:
    sticks = "".join(placed(rect(-6, -92, 12, 92, h.mid) + path("M-6 -92L0 -112L6 -92z", CREAM) + path("M-2 -105L0 -112L2 -105z", INK), x, -54, 1, x * 0.55) for x, h in zip((-24, -8, 8, 24), dice.hues(4), strict=True))
    return sticks + rect(-38, -88, 76, 88, hue.mid, 5) + rect(4, -88, 34, 88, hue.deep, 5) + rect(-38, -62, 76, 12, hue.light)


def _letter(dice: Dice, hue: Hue) -> str:
    return rect(-70, -96, 140, 96, hue.light, 4) + stroke("M-68 -92L0 -40L68 -92", hue.mid, 4) + circle(0, -42, 15, hue.mid) + circle(0, -42, 8, hue.deep)


def _notebook(dice: Dice, hue: Hue) -> str:
    return rect(-50, -140, 104, 140, hue.mid, 6) + rect(-50, -140, 20, 140, hue.deep, 6) + rect(-12, -112, 48, 30, CREAM, 2) + rect(36, -140, 7, 140, hue.light) + placed(rect(-4, -120, 8, 120, OCHRE.mid, 2), 70, 0, 1, 6)


def _balloons(dice: Dice, hue: Hue) -> str:
    return "".join(stroke(f"M0 0Q{x / 3:.0f} -70 {x} {y + 40}", INK, 2) + ellipse(x, y, 33, 40, h.mid) + ellipse(x - 11, y - 14, 7, 11, h.light) + path(f"M{x - 6} {y + 46}L{x} {y + 37}L{x + 6} {y + 46}z", h.deep) for (x, y), h in zip(((-46, -190), (44, -200), (0, -236)), dice.hues(3), strict=True))


def _cake(dice: Dice, hue: Hue) -> str:
    candles = "".join(rect(x - 3, -128, 6, 26, c.mid) + ellipse(x, -136, 4, 8, OCHRE.mid) for x, c in zip((-26, 0, 26), dice.hues(3, OCHRE), strict=True))
    return candles + rect(-44, -104, 88, 46, CREAM, 6) + path("M-44 -98a6 6 0 0 1 6 -6H38a6 6 0 0 1 6 6V-84q-11 14 -22 0q-11 14 -22 0q-11 14 -22 0q-11 14 -22 0z", hue.mid) + rect(-66, -58, 132, 50, hue.light, 6) + path("M-66 -52a6 6 0 0 1 6 -6H60a6 6 0 0 1 6 6V-38q-11 14 -22 0q-11 14 -22 0q-11 14 -22 0q-11 14 -22 0q-11 14 -22 0q-11 14 -22 0z", hue.mid) + rect(-80, -10, 160, 10, STONE, 5)


def _hat(dice: Dice, hue: Hue) -> str:
    other = dice.hue(hue)
    return path("M0 -150L50 0H-50z", hue.mid) + path("M-17 -100L25 -76L17 -100zM-34 -48L42 -24L36 -44L-28 -66z", other.light) + circle(0, -152, 15, other.mid)


def _dress(dice: Dice, hue: Hue) -> str:
    dots = "".join(circle(x, y, 5, hue.light) for x, y in ((-16, -70), (12, -84), (26, -44), (-34, -38), (-4, -40), (0, -112), (40, -20), (-48, -16), (8, -12), (-22, -14)))
    return stroke("M0 -212V-196M-40 -168L0 -194L40 -168", WOOD_DARK, 5) + path("M-36 -174L-14 -160Q0 -148 14 -160L36 -174L44 -140L28 -116L66 0H-66L-28 -116L-44 -140z", hue.mid) + dots + rect(-29, -118, 58, 10, hue.deep)


def _handbag(dice: Dice, hue: Hue) -> str:
    return stroke("M-34 -84C-34 -150 34 -150 34 -84", hue.deep, 9) + path("M-62 -88H62L70 -8a8 8 0 0 1 -8 8H-62a8 8 0 0 1 -8 -8z", hue.mid) + path("M-62 -88H62L65 -54C34 -32 -34 -32 -65 -54z", hue.deep) + circle(0, -42, 10, OCHRE.mid)


def _straw_hat(dice: Dice, hue: Hue) -> str:
    return ellipse(0, -12, 92, 15, OCHRE.mid) + path("M-48 -14C-46 -92 46 -92 48 -14z", OCHRE.light) + path("M-49 -14C-48 -24 -48 -30 -46 -38H46C48 -30 48 -24 49 -14z", hue.mid)


def _shoes(dice: Dice, hue: Hue) -> str:
    shoe = path("M-42 -56C-30 -48 -18 -48 -8 -56C4 -34 30 -30 46 -24C54 -20 54 -8 52 -6H-44C-46 -22 -46 -40 -42 -56z", hue.mid) + rect(-46, -10, 100, 10, CREAM, 5) + stroke("M-2 -46L10 -52M8 -38L20 -44", CREAM, 4)
    return placed(shoe, -18, 0) + placed(shoe, 26, 0, 1.06)


def _blocks(dice: Dice, hue: Hue) -> str:
    spots = ((-40, 0), (18, 0), (-11, -54))
    marks = [lambda c: circle(26, -27, 13, c), lambda c: path("M26 -42L42 -14H10z", c), lambda c: rect(14, -39, 24, 24, c)]
    dice.shuffle(marks)
    return "".join(placed(rect(0, -54, 53, 54, h.mid, 4) + rect(6, -48, 41, 42, h.light, 3) + mark(h.deep), x - 16, y) for (x, y), h, mark in zip(spots, dice.hues(3), marks, strict=True)) + path("M-24 -108L14 -108L-5 -140z", dice.hue().mid)


def _bear(dice: Dice, hue: Hue) -> str:
    fur, pale = dice.choice(((WOOD, OCHRE.pale), (CLAY.mid, CLAY.pale), (STEEL, CREAM)))
    return "".join(circle(x, -148, 17, fur) + circle(x, -148, 8, pale) for x in (-32, 32)) + ellipse(0, -46, 48, 46, fur) + ellipse(0, -42, 27, 30, pale) + circle(0, -118, 42, fur) + ellipse(0, -106, 20, 15, pale) + ellipse(0, -112, 7, 5, INK) + circle(-15, -126, 4.500, INK) + circle(15, -126, 4.500, INK) + "".join(ellipse(x, -10, 20, 12, fur) for x in (-36, 36)) + path("M-26 -80H26L0 -68zM-30 -90L0 -76L-30 -62zM30 -90L0 -76L30 -62z", hue.mid)


def _train(dice: Dice, hue: Hue) -> str:
    other = dice.hue(hue)
    wheels = "".join(circle(x, -17, 17, INK) + circle(x, -17, 7, OCHRE.mid) for x in (-50, -8, 40))
    return rect(-72, -62, 120, 42, hue.mid, 5) + rect(6, -116, 52, 60, other.mid, 4) + rect(18, -104, 28, 28, CREAM, 3) + rect(-2, -126, 68, 14, hue.deep, 4) + rect(-56, -96, 24, 36, other.deep) + path("M-64 -108H-24L-30 -94H-58z", other.mid) + wheels + circle(-46, -138, 12, WHITE) + circle(-28, -154, 9, WHITE)


def _rings(dice: Dice, hue: Hue) -> str:
    return rect(-4, -150, 8, 150, WOOD) + "".join(rect(-w, -y - 26, w * 2, 25, h.mid, 12) for y, w, h in zip((8, 34, 60, 86), (62, 50, 38, 27), dice.hues(4), strict=True)) + circle(0, -134, 17, hue.deep) + rect(-54, -8, 108, 8, WOOD_DARK, 4)


def _tin(dice: Dice, hue: Hue) -> str:
    leaf = path("M0 -84C26 -74 26 -38 0 -26C-26 -38 -26 -74 0 -84z", GREEN.mid) + stroke("M0 -76V-24", GREEN.deep, 3)
    return rect(-44, -126, 88, 126, hue.mid, 7) + rect(8, -126, 36, 126, hue.deep, 7) + rect(-48, -146, 96, 26, hue.deep, 6) + circle(0, -56, 36, CREAM) + leaf


def _jar(dice: Dice, hue: Hue) -> str:
    inside = dice.choice((OCHRE.mid, "#b4303f", "#d9643a", "#6b3f8e"))
    return rect(-42, -112, 84, 112, WHITE, 15) + rect(-36, -92, 72, 86, inside, 12) + rect(-36, -62, 72, 34, CREAM) + circle(0, -45, 10, inside) + rect(-40, -130, 80, 24, hue.mid, 5) + rect(-30, -98, 8, 30, WHITE, 4)


def _coffee(dice: Dice, hue: Hue) -> str:
    return path("M-46 -128L-40 -140H40L46 -128V0H-46z", hue.deep) + path("M-40 -140H40L36 -158H-36z", hue.mid) + circle(0, -66, 33, CREAM) + placed(ellipse(0, 0, 13, 20, WOOD_DARK) + stroke("M0 -17C8 -6 -8 6 0 17", CREAM, 3), 0, -66, 1, 30)


def _cupcake(dice: Dice, hue: Hue) -> str:
    return path("M-38 -58H38L28 0H-28z", hue.deep) + "".join(stroke(f"M{x} -56L{x * 0.74:.0f} -2", hue.light, 3) for x in (-24, -8, 8, 24)) + path("M-48 -56C-58 -84 -30 -92 -26 -100C-24 -128 24 -128 26 -100C30 -92 58 -84 48 -56z", hue.light) + circle(0, -126, 12, "#c43d4b") + "".join(circle(x, y, 4, c.mid) for (x, y), c in zip(((-24, -76), (8, -70), (26, -82)), dice.hues(3), strict=True))


def _croissant(dice: Dice, hue: Hue) -> str:
    return ellipse(0, -8, 86, 9, STONE) + path("M-72 -22C-70 -66 -34 -84 0 -84S70 -66 72 -22C62 -10 48 -16 42 -26C30 -44 -30 -44 -42 -26C-48 -16 -62 -10 -72 -22z", OCHRE.mid) + stroke("M-38 -30L-54 -62M-16 -40L-20 -80M16 -40L20 -80M38 -30L54 -62", OCHRE.deep, 4)


def _plant(dice: Dice, hue: Hue) -> str:
    return placed(plant(dice, hue), 0, 0, 1.15)


def _pan(dice: Dice, hue: Hue) -> str:
    return rect(52, -44, 110, 15, WOOD, 7) + path("M-86 -58H62C60 -18 44 0 28 0H-52C-68 0 -84 -18 -86 -58z", INK) + rect(-92, -64, 160, 12, STEEL, 6) + ellipse(-12, -64, 52, 15, OCHRE.light) + circle(-12, -66, 13, OCHRE.mid)


def _cutting_board(dice: Dice, hue: Hue) -> str:
    return rect(-56, -170, 112, 170, WOOD, 18) + rect(-20, -206, 40, 52, WOOD, 16) + circle(0, -186, 9, WOOD_DARK) + "".join(stroke(f"M{x} -150V-20", WOOD_DARK, 2) for x in (-28, 0, 28)) + circle(-14, -34, 25, "#c43d4b") + circle(30, -26, 18, GREEN.mid)


def _heart(dice: Dice, hue: Hue) -> str:
    return stroke("M0 -300V-150", WOOD_DARK, 3) + path("M0 -40C-90 -100 -80 -170 -40 -170C-18 -170 -4 -156 0 -142C4 -156 18 -170 40 -170C80 -170 90 -100 0 -40z", hue.mid) + path("M0 -40C90 -100 80 -170 40 -170C18 -170 4 -156 0 -142z", hue.deep, 0.3) + circle(-34, -130, 9, hue.light)


def _baubles(dice: Dice, hue: Hue) -> str:
    parts = ""
    for (x, y, r), h in zip(((-52, -96, 40), (40, -70, 46), (2, -172, 36)), dice.hues(3, GREEN), strict=True):
        parts += stroke(f"M{x} -290V{y - r}", INK, 2) + rect(x - 9, y - r - 11, 18, 14, OCHRE.deep, 3) + circle(x, y, r, h.mid) + path(f"M{x - r} {y}a{r} {r} 0 0 0 {2 * r} 0q-{r * 0.5:.0f} -14 -{r} 0t-{r} 0z", h.light) + circle(x - r * 0.4, y - r * 0.4, r * 0.16, CREAM)
    return parts


def _slippers(dice: Dice, hue: Hue) -> str:
    one = path("M-58 0C-64 -14 -60 -26 -50 -30C-36 -36 -26 -30 -10 -46C8 -66 44 -58 56 -34C62 -20 60 -4 58 0z", hue.mid) + ellipse(-30, -30, 24, 8, hue.deep) + rect(-60, -8, 120, 10, hue.deep, 5)
    return placed(one, -16, -10, 0.95) + placed(one, 20, 0)


def _bottle(dice: Dice, hue: Hue) -> str:
    return rect(-16, -170, 32, 40, hue.deep, 6) + path("M-16 -134C-18 -116 -44 -112 -46 -88V-14a14 14 0 0 0 14 14H32a14 14 0 0 0 14 -14V-88C44 -112 18 -116 16 -134z", hue.mid) + path("M-46 -84C-28 -74 28 -74 46 -84V-30C28 -20 -28 -20 -46 -30z", hue.light) + path("M0 -32C-24 -48 -20 -66 -9 -66C-4 -66 -1 -62 0 -58C1 -62 4 -66 9 -66C20 -66 24 -48 0 -32z", hue.deep)


def _umbrella(dice: Dice, hue: Hue) -> str:
    return stroke("M0 -160V-14c0 18 26 18 26 0", WOOD_DARK, 7) + path("M-92 -110a92 92 0 0 1 184 0q-15 -14 -30.7 0q-15 -14 -30.700 0q-15 -14 -30.600 0q-15 -14 -30.700 0q-15 -14 -30.700 0q-15 -14 -30.600 0z", hue.mid) + path("M-31 -110C-30 -160 -14 -190 0 -202C14 -190 30 -160 31 -110q-15 -14 -31 0q-15 -14 -31 0z", hue.light)


SUBJECTS: dict[str, Thing] = {
    "mug": _mug, "teapot": _teapot, "jug": _jug, "bowl": _bowl, "plates": _plates, "spoons": _spoons, "pan": _pan,
    "board": _cutting_board, "lamp": _lamp, "vase": _vase, "candles": _candles, "frame": _frame, "clock": _clock,
    "heart": _heart, "folded": _folded, "cushion": _cushion, "basket": _basket, "gift": _gift, "bag": _bag,
    "books": _books, "pencils": _pencils, "letter": _letter, "notebook": _notebook, "cake": _cake, "baubles": _baubles,
    "dress": _dress, "handbag": _handbag, "hat": _straw_hat, "shoes": _shoes, "slippers": _slippers, "blocks": _blocks,
    "bear": _bear, "train": _train, "tea": _tin, "jar": _jar, "coffee": _coffee, "cupcake": _cupcake, "bottle": _bottle,
    "umbrella": _umbrella, "plant": _plant, "croissant": _croissant, "balloons": _balloons,
}  # fmt: skip

THINGS: dict[str, tuple[Thing, ...]] = {
    "home": (_lamp, _jug, _vase, _plant, _basket, _clock, _teapot),
    "kitchen": (_teapot, _mug, _jug, _bowl, _plates, _spoons),
    "decor": (_lamp, _vase, _candles, _frame, _clock, _plant),
    "textiles": (_folded, _cushion, _roll, _basket),
    "gifts": (_gift, _gifts, _bag, _candles, _letter),
    "stationery": (_books, _pencils, _letter, _notebook),
    "party": (_balloons, _cake, _hat, _gift),
    "wear": (_dress, _handbag, _straw_hat, _shoes),
    "toys": (_blocks, _bear, _train, _rings),
    "food": (_tin, _jar, _coffee, _cupcake, _croissant, _mug),
}


def draw(category: str, dice: Dice) -> str:
    """Two or three things of the category on a counter in an arch."""
    things = dice.sample(THINGS.get(category, THINGS["home"]), 3)
    if dice.subject in SUBJECTS:
        things = [SUBJECTS[dice.subject], *(thing for thing in things if thing is not SUBJECTS[dice.subject])]
    back, first, second, third = dice.hues(4)
    if dice.chance(0.5):
        back = OCHRE
        first, second, third = dice.hues(3, OCHRE)
    front, top = dice.choice(((WOOD, WOOD_DARK), (STONE, STONE_DARK), (back.deep, INK), (WHITE, back.mid)))
    scene = niche(back, dice) + _above(dice, back) + counter(front, top, boards=dice.chance(0.6))
    if dice.chance(0.3):
        return scene + placed(things[0](dice, first), 200, FLOOR + 4, 1.66)
    if len(things) < 3 or dice.chance(0.4):
        return scene + placed(things[0](dice, first), 134, FLOOR + 2, 1.36) + placed(things[1](dice, second), 280, FLOOR + 4, 1.1)
    return (
        scene + placed(things[1](dice, second), 92, FLOOR, 0.98) + placed(things[2](dice, third), 314, FLOOR, 0.98)
        + placed(things[0](dice, first), 202, FLOOR + 8, 1.26)
    )


def _above(dice: Dice, back: Hue) -> str:
    match dice.randrange(4):
        case 0:  # an awning
            colours = (back.deep, CREAM)
            return "".join(path(f"M{x} 0H{x + 50}V70a25 25 0 0 1 -50 0z", colours[i % 2]) for i, x in enumerate(range(0, 400, 50)))
        case 1:  # a lamp
            hue = dice.hue(back)
            return stroke("M200 0V96", INK, 3) + path("M152 150a48 54 0 0 1 96 0z", hue.mid) + ellipse(200, 151, 48, 7, OCHRE.light)
        case 2:  # bunting
            flags = "".join(path(f"M{x} {y}h36l-18 34z", h.mid) for x, y, h in zip((62, 112, 164, 216, 268, 310), (92, 110, 118, 118, 108, 90), dice.hues(6), strict=True))
            return stroke("M30 74Q200 164 370 74", INK, 2) + flags
        case _:
            return ""
