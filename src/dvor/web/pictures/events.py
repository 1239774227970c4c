"""What happens and where: stages, lecture rooms, workshops, streets."""

# A drawing reads best as one shape after another, not as one argument a line.
# fmt: off

from dvor.web.pictures.brush import (
    BLUE,
    CLAY,
    CREAM,
    CRIMSON,
    FLOOR,
    GREEN,
    INK,
    OCHRE,
    PLUM,
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
    person,
    placed,
    plant,
    rect,
    ring,
    sky,
    stroke,
    tree,
)


def _audience(dice: Dice, colour: str, rows: int = 2) -> str:
    """Heads of people seen from behind."""
    heads = rect(0, 492, 400, 8, colour)
    for row in range(rows):
        y = 462 + row * 30
        for x in range(-10 + row * 24, 420, 50):
            at = dice.about(x, 5)
            heads += circle(at, y - 24 + dice.about(0, 4), 16, colour) + path(f"M{at - 27:.0f} {y + 30}c0 -52 54 -52 54 0z", colour)
    return heads


def _beams(dice: Dice, *hues: Hue) -> str:
    shapes = ""
    for index, hue in enumerate(hues):
        top = 90 + index * 220 / max(len(hues) - 1, 1)
        foot = dice.about(200, 70)
        shapes += path(f"M{top - 8:.0f} 40L{foot - 62:.0f} 410H{foot + 62:.0f}L{top + 8:.0f} 40z", hue.light, 0.32)
        shapes += placed(rect(-13, -24, 26, 34, INK, 5) + rect(-15, 6, 30, 7, hue.light), top, 40, 1, (200 - top) / 9)
    return shapes


def _piano() -> str:
    keys = rect(-104, -82, 84, 11, WHITE) + "".join(rect(-98 + i * 12, -82, 5, 7, INK) for i in range(7))
    return stroke("M-86 -60V0M84 -60V0M10 -60V0", INK, 8) + path("M-110 -86H60C110 -86 112 -60 96 -56H-110z", INK) + path("M-20 -88L92 -92C104 -140 40 -150 20 -170z", INK) + stroke("M10 -90L40 -150", STEEL, 3) + keys + rect(-168, -40, 46, 9, INK, 4) + stroke("M-160 -32V0M-130 -32V0", INK, 6)


def _cello(hue: Hue) -> str:
    return stroke("M0 0V22", INK, 4) + path("M-40 -20C-48 -54 -26 -62 -24 -74C-22 -86 -36 -98 -30 -120C-20 -146 20 -146 30 -120C36 -98 22 -86 24 -74C26 -62 48 -54 40 -20C30 8 -30 8 -40 -20z", hue.mid) + rect(-6, -216, 12, 110, WOOD_DARK, 3) + circle(0, -222, 9, WOOD_DARK) + stroke("M-15 -52c-6 -12 4 -22 0 -34M15 -52c6 -12 -4 -22 0 -34", INK, 3) + stroke("M-2 -206V-30M2 -206V-30", CREAM, 1.5) + placed(rect(-2, -120, 4, 190, WOOD), 52, -60, 1, 24)


def _guitar(hue: Hue) -> str:
    return placed(path("M-44 -34C-46 -66 -24 -68 -24 -84C-24 -104 -34 -108 -26 -124C-16 -140 16 -140 26 -124C34 -108 24 -104 24 -84C24 -68 46 -66 44 -34C40 4 -40 4 -44 -34z", hue.mid) + circle(0, -76, 14, INK) + rect(-7, -236, 14, 122, WOOD_DARK) + rect(-12, -256, 24, 26, INK, 4) + rect(-18, -36, 36, 6, INK), 0, 0, 1, 14)


def _drums(hue: Hue) -> str:
    return stroke("M-96 0V-132M96 0V-142", STEEL, 5) + ellipse(-96, -134, 38, 6, OCHRE.mid) + ellipse(96, -144, 42, 6, OCHRE.mid) + "".join(rect(x, -116, 54, 40, hue.mid, 6) + ellipse(x + 27, -116, 27, 7, CREAM) for x in (-58, 6)) + circle(0, -44, 50, hue.deep) + circle(0, -44, 42, CREAM) + circle(0, -44, 15, hue.mid)


def _microphone() -> str:
    return ellipse(0, -2, 30, 6, INK) + stroke("M0 -4V-152", STEEL, 5) + placed(rect(-7, -16, 14, 40, INK, 6) + circle(0, -20, 14, STEEL), 4, -166, 1, 24)


def concerts(dice: Dice) -> str:
    """A stage in an arch with instruments and light."""
    wall, light, other = dice.hues(3, GREEN)
    dark = arch(200, 410, 250, 326, dice.choice((INK, PLUM.deep, wall.mid)))
    glow = arch(200, 410, 300, 366, wall.deep)
    match dice.case("piano", "cello", "guitar", "drums"):
        case "piano":
            glow += arch(200, 410, 250, 326, OCHRE.pale)
            band = placed(_piano(), 218, 410, 1.05)
        case "cello":
            glow += dark
            band = placed(_cello(CLAY), 146, 396, 1) + placed(_cello(OCHRE), 246, 396, 1.08)
        case "guitar":
            glow += dark
            band = placed(_guitar(light), 136, 412, 0.95) + placed(_microphone(), 212, 412, 1.15) + placed(_drums(other), 278, 404, 0.62)
        case _:
            glow += dark
            band = placed(_drums(light), 200, 404, 1.08)
    floor = rect(0, 406, 400, 94, WOOD_DARK) + ellipse(200, 412, 140, 14, OCHRE.light)
    return rect(0, 0, 400, 500, wall.mid) + glow + _beams(dice, *dice.sample([light, other, OCHRE], dice.choice((2, 3)))) + floor + band + _audience(dice, INK, 2)


def lectures(dice: Dice) -> str:
    """A lectern before a board, listeners in rows."""
    wall, board, coat = dice.hues(3)
    screen = arch(206, 300, 236, 238, WHITE) + arch(206, 290, 216, 218, board.deep)
    match dice.case("stars", "numbers", "shapes", "arches", "leaves"):
        case "stars":
            drawn = circle(206, 196, 33, OCHRE.mid) + "".join(ring(206, 196, r, board.light, 2) + circle(206 + r * 0.8, 196 - r * 0.6, 8, h.mid) for r, h in zip((50, 68, 88), dice.hues(3, board), strict=True))
        case "numbers":
            drawn = "".join(rect(136 + i * 32, 270 - h, 20, h, hue.mid) for i, (h, hue) in enumerate(zip((40, 66, 52, 96, 124), dice.hues(5, board), strict=True)))
        case "shapes":
            drawn = path("M176 236V156L236 236z", OCHRE.light) + rect(136, 156, 40, 80, board.mid) + rect(176, 236, 60, 36, board.light) + stroke("M176 156L236 236L272 190L212 110z", CREAM, 4)
        case "arches":
            drawn = path("M150 260V170a28 28 0 0 1 56 0V260zM212 260V190a22 22 0 0 1 44 0V260z", OCHRE.light) + path("M140 262H272V270H140z", CREAM) + circle(248, 128, 17, CREAM)
        case _:
            drawn = stroke("M206 270V180M206 210C170 200 160 170 156 150M206 190C240 184 250 160 256 136", GREEN.light, 6) + ellipse(154, 142, 17, 24, GREEN.mid) + ellipse(258, 128, 17, 24, GREEN.mid) + ellipse(206, 158, 19, 28, GREEN.light)
    lectern = path("M-40 -92H40L30 -74H-30z", WOOD_DARK) + path("M-24 -74H24L30 0H-30z", WOOD) + arch(0, -8, 30, 44, WOOD_DARK)
    left = dice.chance(0.5)
    x = 74 if left else 334
    lamp = stroke(f"M{400 - x} 0V70", INK, 3) + path(f"M{400 - x - 34} 100a34 34 0 0 1 68 0z", OCHRE.mid)
    return rect(0, 0, 400, 500, wall.light) + screen + drawn + lamp + rect(0, 396, 400, 104, WOOD) + placed(person(dice, 178, coat), x, 404) + placed(lectern, x + (34 if left else -34), 412, 1.05) + _audience(dice, wall.deep, 2)


def _easel(dice: Dice) -> str:
    a, b, c = dice.hues(3)
    return stroke("M-58 0L-10 -250M58 0L10 -250M0 -40V-250", WOOD_DARK, 8) + rect(-80, -206, 160, 132, CREAM) + rect(-72, -198, 144, 116, a.light) + circle(26, -164, 19, b.mid) + path("M-72 -82V-124C-40 -154 -10 -104 20 -128S60 -120 72 -112V-82z", c.mid) + rect(-90, -76, 180, 11, WOOD_DARK, 3)


def _wheel(hue: Hue) -> str:
    return rect(-16, -56, 32, 56, STEEL) + ellipse(0, -60, 86, 15, STONE_DARK) + ellipse(0, -66, 86, 15, STONE) + path("M-22 -150C-20 -140 -52 -124 -50 -100C-48 -80 -30 -70 -28 -66H28C30 -70 48 -80 50 -100C52 -124 20 -140 22 -150z", hue.mid) + ellipse(0, -150, 22, 6, hue.deep) + "".join(stroke(f"M-44 {y}Q0 {y + 12} 44 {y}", hue.deep, 3) for y in (-112, -96))


def _pot(hue: Hue) -> str:
    steam = "".join(stroke(f"M{x} -146c-9 -12 9 -18 0 -32", WHITE, 5) for x in (-26, 0, 26))
    return steam + rect(-84, -96, 168, 15, hue.deep, 7) + path("M-62 -108H62V-18a18 18 0 0 1 -18 18H-44a18 18 0 0 1 -18 -18z", hue.mid) + path("M14 -108H62V-18a18 18 0 0 1 -18 18H14z", hue.deep, 0.3) + ellipse(0, -108, 62, 11, hue.light)


def _cheese() -> str:
    holes = "".join(circle(x, y, r, OCHRE.deep) for x, y, r in ((-30, -20, 8), (0, -34, 6), (34, -18, 9), (14, -12, 5)))
    return path("M-66 -46L54 -78L66 -46z", OCHRE.light) + rect(-66, -46, 132, 46, OCHRE.mid) + holes + rect(-84, -6, 168, 8, WOOD_DARK, 4)


def _machine(hue: Hue) -> str:
    return path("M-96 -20H96V0H-96z", WOOD) + path("M-84 -116H70C92 -116 96 -100 96 -84V-20H52V-78H-48V-62H-84z", hue.deep) + circle(96, -92, 23, INK) + circle(96, -92, 9, STEEL) + rect(-70, -64, 8, 36, STEEL) + rect(-20, -138, 26, 22, CRIMSON.mid, 3) + path("M-150 -22C-100 -44 -60 -18 -20 -22V-6H-150z", OCHRE.mid)


def workshops(dice: Dice) -> str:
    """A table where something is being made."""
    wall, hue, other = dice.hues(3)
    shelf = rect(64, 196, 272, 11, WOOD_DARK, 3)
    pots = "".join(placed(path("M-18 -46C-16 -40 -28 -30 -24 -14C-22 -4 -12 0 -12 0H12C12 0 22 -4 24 -14C28 -30 16 -40 18 -46z", h.mid) + ellipse(0, -46, 18, 5, h.deep), x, 196, s) for x, h, s in zip((104, 166, 230, 292), dice.hues(4), (1, 1.3, 0.9, 1.2), strict=True))
    match dice.case("pottery", "painting", "sewing", "cooking"):
        case "pottery":
            thing = placed(_wheel(CLAY), 200, FLOOR, 1.2)
            top = shelf + pots
        case "painting":
            thing = placed(_easel(dice), 178, FLOOR + 4, 1.16) + "".join(placed(rect(-15, -34, 30, 34, h.mid, 4) + rect(-15, -40, 30, 9, STEEL, 2), x, FLOOR) for x, h in zip((292, 328), dice.hues(2), strict=True))
            top = ""
        case "cooking":
            thing = placed(_pot(hue), 136, FLOOR, 1.1) + placed(_cheese(), 290, FLOOR, 1.05)
            top = shelf + pots
        case _:
            thing = placed(_machine(hue), 200, FLOOR, 1.18)
            top = shelf + "".join(placed(rect(-19, -28, 38, 28, h.mid, 3) + rect(-24, -34, 48, 8, WOOD, 3) + rect(-24, -4, 48, 6, WOOD, 3), x, 194) for x, h in zip((100, 160, 220, 280), dice.hues(4), strict=True))
    return niche(wall, dice) + top + counter(WOOD, WOOD_DARK) + thing + (placed(plant(dice, other), 60, FLOOR, 0.85) if dice.chance(0.6) else "")


def _curtains(hue: Hue) -> str:
    folds = "".join(path(f"M{x} 0H{x + 22}C{x + 26} 150 {x + 8 - x * 0.16:.0f} 300 {x + 16} 430H{x - 6}C{x - 6} 300 {x + 2} 150 {x} 0z", hue.mid if i % 2 else hue.deep) for i, x in enumerate(range(0, 88, 22)))
    return folds + placed(folds, 400, 0, 1, 0, True) + "".join(path(f"M{x} 0H{x + 67}V52a33.5 38 0 0 1 -67 0z", hue.deep if i % 2 else hue.mid) + stroke(f"M{x + 2} 62a32 34 0 0 0 63 0", OCHRE.mid, 4) for i, x in enumerate(range(0, 400, 67)))


def _mask(hue: Hue, *, sad: bool) -> str:
    mouth = "M-24 30Q0 4 24 30Q0 18 -24 30z" if sad else "M-26 14Q0 52 26 14Q0 26 -26 14z"
    return path("M-52 -58C-20 -44 20 -44 52 -58C60 10 34 66 0 70C-34 66 -60 10 -52 -58z", hue.light) + path("M0 -50C20 -48 40 -52 52 -58C60 10 34 66 0 70z", hue.mid, 0.5) + path("M-34 -18q12 -14 24 0q-12 8 -24 0zM10 -18q12 -14 24 0q-12 8 -24 0z", INK) + path(mouth, INK)


def theatre(dice: Dice) -> str:
    """Curtains, and on the stage a set, masks or players."""
    hue = dice.choice((CRIMSON, CRIMSON, PLUM, BLUE, GREEN))
    one, two = dice.hues(2, hue)
    back = dice.choice((PLUM.deep, BLUE.deep, OCHRE.pale, CRIMSON.pale))
    dark = back in (PLUM.deep, BLUE.deep)
    floor = rect(0, 392, 400, 108, WOOD) + "".join(stroke(f"M{x} 392L{200 + (x - 200) * 1.7:.0f} 500", WOOD_DARK, 2) for x in range(30, 400, 48))
    match dice.case("masks", "tale", "play"):
        case "masks":
            scene = placed(_mask(OCHRE, sad=False), 164, 232, 1.15, -12) + placed(_mask(one, sad=True), 246, 284, 1.05, 12)
        case "tale":
            moon = circle(236, 150, 38, OCHRE.light)
            castle = rect(110, 262, 180, 132, two.mid) + "".join(rect(x, 224, 44, 170, two.deep) + path(f"M{x - 6} 226L{x + 22} 172L{x + 50} 226z", one.mid) for x in (104, 252)) + arch(200, 394, 56, 84, INK) + "".join(arch(x, 300, 16, 30, OCHRE.light) for x in (126, 274))
            scene = moon + castle
        case _:
            scene = (circle(200, 176, 46, OCHRE.light if dark else CRIMSON.mid)) + placed(tree(dice, 170), 112, 396) + placed(person(dice, 168, one), 172, 420) + placed(person(dice, 160, two), 246, 420, 1, 0, True)
    light = path("M150 60L90 400H310L250 60z", CREAM, 0.16 if dark else 0.5)
    heads = "".join(path(f"M{x} 500a20 22 0 0 1 40 0z", INK) for x in range(10, 400, 48))
    return rect(0, 0, 400, 500, back) + light + floor + scene + _curtains(hue) + heads


def _house(dice: Dice, x: float, wide: float, tall: float, hue: Hue) -> str:
    windows = "".join(arch(x + wx, 392 - wy, 17, 28, WHITE if dice.chance(0.8) else OCHRE.mid) for wx in (wide * 0.3, wide * 0.7) for wy in range(92, int(tall) - 20, 50))
    roof = path(f"M{x - 4:.0f} {392 - tall:.0f}L{x + wide / 2:.0f} {350 - tall:.0f}L{x + wide + 4:.0f} {392 - tall:.0f}z", hue.deep) if dice.chance(0.6) else rect(x - 3, 384 - tall, wide + 6, 12, hue.deep)
    return rect(x, 392 - tall, wide, tall, hue.light) + roof + windows + arch(x + wide / 2, 392, 28, 52, hue.deep)


def tours(dice: Dice) -> str:
    """A walk through an old street, or along a river under a bridge."""
    night = dice.case("day", "day", "day", "day", "night") == "night"
    hues = dice.hues(5)
    row = "".join(_house(dice, x, 78, dice.uniform(150, 240), hue) for x, hue in zip((-8, 74, 236, 318), hues, strict=False))
    tower = rect(160, 130, 70, 262, hues[4].mid) + path("M154 132L195 60L236 132z", hues[4].deep) + circle(195, 168, 19, WHITE) + stroke("M195 168V156M195 168L203 172", INK, 3) + arch(195, 392, 44, 110, INK) + circle(195, 54, 5, OCHRE.mid)
    if dice.chance(0.6):
        umbrella = placed(stroke("M0 0V-76", INK, 4) + path("M-44 -70a44 44 0 0 1 88 0q-11 -9 -22 0q-11 -9 -22 0q-11 -9 -22 0q-11 -9 -22 0z", CRIMSON.mid), 118, 360)
        walkers = umbrella + "".join(placed(person(dice, tall), x, 470) for x, tall in ((104, 124), (168, 112), (222, 120), (280, 100), (328, 116)))
        ground = rect(0, 390, 400, 110, STONE) + "".join(stroke(f"M{dice.uniform(0, 360):.0f} {y}h{dice.uniform(20, 40):.0f}", STONE_DARK, 3) for y in (410, 424, 440, 462, 484, 404, 478))
        return sky(dice, night=night) + row + tower + ground + walkers
    water = rect(0, 436, 400, 64, BLUE.mid) + stroke("M20 450h50M310 456h70M130 474h60M260 484h50", BLUE.light, 4)
    spans = "".join(arch(x, 440, 108, 78, BLUE.deep) + arch(x, 440, 96, 70, BLUE.mid) for x in (66, 200, 334))
    bridge = rect(0, 344, 400, 74, STONE) + rect(0, 340, 400, 10, STONE_DARK) + spans + rect(0, 418, 400, 24, BLUE.mid)
    boat = placed(path("M-74 -26H74L54 4H-54z", hues[0].mid) + rect(-34, -50, 58, 26, CREAM, 4) + stroke("M0 -50V-78", INK, 3) + path("M2 -78L30 -68L2 -58z", CRIMSON.mid), dice.uniform(160, 240), 476)
    walkers = "".join(placed(person(dice, 66), x, 346) for x in (70, 104, 268, 300))
    return sky(dice, night=night) + row + tower + walkers + bridge + water + boat


SCENES = {"concerts": concerts, "lectures": lectures, "workshops": workshops, "theatre": theatre, "tours": tours}
