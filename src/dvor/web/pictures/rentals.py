"""Things to rent where they are used: a workshop, a park, a camp, a viewpoint, a shore."""

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
    placed,
    rect,
    ring,
    sky,
    stroke,
    tree,
)


def _hammer(hue: Hue) -> str:
    return rect(-6, 0, 12, 120, hue.mid, 5) + path("M-40 -16H26C40 -16 46 -4 46 8H30C26 0 16 2 8 6H-40z", STEEL)


def _saw(hue: Hue) -> str:
    teeth = "".join("l7 6l-7 6" for _ in range(8))
    return path("M-14 40L14 40L14 152L-2 152z", STEEL) + path(f"M14 44{teeth}z", STEEL) + path("M-24 0H24V34C24 44 16 48 8 48H-16C-24 48 -28 40 -26 32z", hue.mid) + rect(-8, 12, 20, 20, CREAM, 8)


def _wrench(hue: Hue) -> str:
    return rect(-8, 22, 16, 106, STEEL, 6) + path("M-26 -12L-10 -12V10H10V-12L26 -12C32 14 20 34 0 34S-32 14 -26 -12z", STEEL) + rect(-8, 76, 16, 52, hue.mid, 6)


def _screwdriver(hue: Hue) -> str:
    return rect(-12, 0, 24, 56, hue.mid, 9) + rect(-12, 12, 24, 8, hue.deep) + rect(-4, 56, 8, 70, STEEL) + path("M-6 122H6L3 136H-3z", STEEL)


def _drill(hue: Hue) -> str:
    return (
        path("M-8 -66H26L34 0H-4z", INK) + rect(-14, -16, 62, 26, hue.deep, 5) + rect(-54, -112, 108, 50, hue.mid, 13)
        + rect(-54, -112, 34, 50, hue.deep, 13) + path("M54 -104H78L90 -94V-80L78 -70H54z", STEEL) + rect(90, -90, 44, 6, STEEL) + circle(14, -88, 10, hue.light)
        + path("M-12 -60h10v16h-10z", CRIMSON.mid)
    )


def _toolbox(hue: Hue) -> str:
    return stroke("M-36 -84V-108H36V-84", INK, 8) + rect(-84, -84, 168, 84, hue.mid, 7) + rect(-84, -84, 168, 28, hue.deep, 7) + rect(-14, -64, 28, 22, CREAM, 3) + "".join(rect(x, -70, 12, 22, STEEL, 2) for x in (-64, 52))


def _ladder() -> str:
    steps = "".join(stroke(f"M{-36 + y * 0.11:.0f} -{y}H{36 - y * 0.11:.0f}", WOOD, 8) for y in range(36, 250, 42))
    return steps + stroke("M-42 0L-12 -268M42 0L12 -268", WOOD_DARK, 9)


def tools(dice: Dice) -> str:
    """A wall of tools over a workbench."""
    wall, first, second, third = dice.hues(4)
    holes = "".join(circle(x, y, 2.5, wall.mid) for x in range(92, 330, 28) for y in range(108, 330, 28))
    board = arch(200, 360, 300, 310, wall.pale) + holes
    hung = dice.sample([_hammer, _saw, _wrench, _screwdriver], 3)
    pegs = "".join(placed(rect(-3, -10, 6, 16, WOOD_DARK, 3) + tool(hue), x, y, 0.92) for tool, hue, x, y in zip(hung, (first, second, third), (124, 200, 276), (180, 132, 180), strict=True))
    below = dice.case("drill", "toolbox", "both", "ladder")
    bench = counter(WOOD, WOOD_DARK)
    if below == "drill":
        thing = placed(_drill(dice.hue(wall)), 186, FLOOR, 1.15)
    elif below == "toolbox":
        thing = placed(_toolbox(dice.hue(wall)), 200, FLOOR, 1.1)
    else:
        thing = placed(_toolbox(first), 140, FLOOR, 0.8) + placed(_drill(second), 268, FLOOR, 0.85)
    if below == "ladder":
        return rect(0, 0, 400, 500, wall.light) + board + placed(_ladder(), 290, FLOOR, 1.1) + bench + placed(_toolbox(first), 160, FLOOR, 1.05) + placed(_hammer(second), 130, 160)
    return rect(0, 0, 400, 500, wall.light) + board + pegs + bench + thing


def _bike(dice: Dice, hue: Hue) -> str:
    wheels = "".join(ring(x, -56, 53, INK, 7) + ring(x, -56, 47, STEEL, 2) + circle(x, -56, 6, INK) + "".join(placed(rect(-0.7, -46, 1.4, 92, STEEL), x, -56, 1, turn) for turn in (0, 36, 72, 108, 144)) for x in (-88, 88))
    frame = stroke("M-88 -56L-40 -132H54L-10 -56L-40 -132M-10 -56H-88M54 -132L88 -56M54 -132L46 -162", hue.mid, 9)
    bars = stroke("M22 -170H46L66 -162", INK, 7) if dice.chance(0.5) else stroke("M20 -156C24 -176 52 -176 50 -162", INK, 7)
    saddle = stroke("M-40 -132L-46 -154", INK, 6) + path("M-74 -160C-60 -168 -34 -166 -20 -156L-24 -152H-66z", INK)
    extra = rect(50, -196, 60, 40, WOOD, 6) + "".join(circle(x, -202, 12, h.mid) for x, h in zip((64, 80, 96), dice.hues(3), strict=True)) if dice.chance(0.5) else circle(-10, -56, 15, hue.deep) + circle(-10, -56, 6, CREAM)
    return wheels + frame + saddle + bars + extra


def _scooter(hue: Hue) -> str:
    return ring(-84, -22, 19, INK, 9) + ring(84, -22, 19, INK, 9) + rect(-96, -40, 160, 13, hue.mid, 6) + stroke("M78 -26L56 -194", hue.deep, 11) + stroke("M28 -200H84", INK, 10) + circle(52, -170, 8, OCHRE.light)


def bikes(dice: Dice) -> str:
    """A bicycle or a scooter before an arch, or in a park."""
    first, _ = dice.hues(2, GREEN)
    if dice.chance(0.5):
        wall = dice.hue(first)
        back = rect(0, 0, 400, 500, wall.light) + arch(200, FLOOR, 236, 312, wall.deep) + arch(200, FLOOR, 204, 296, wall.mid) + rect(196, 190, 8, 216, wall.deep) + circle(182, 300, 5, OCHRE.light) + rect(0, FLOOR, 400, 100, STONE) + rect(0, FLOOR, 400, 8, STONE_DARK)
    else:
        back = sky(dice, night=False) + path("M0 330C90 270 180 300 240 322S360 290 400 320V500H0z", GREEN.light) + placed(tree(dice, 190), 80, 380) + placed(tree(dice, 150), 330, 370) + rect(0, 376, 400, 124, GREEN.mid) + path("M0 410H400V470H0z", STONE)
    thing = placed(_scooter(first), 204, 440, 1.35) if dice.case("bike", "bike", "bike", "scooter") == "scooter" else placed(_bike(dice, first), 200, 438, 1.26, 0, dice.chance(0.5))
    return back + thing + (placed(tree(dice, 90), 40, 470) if dice.chance(0.4) else "")


def _mountains(dice: Dice, near: str, far: str, snow: str) -> str:
    a, b = dice.uniform(90, 150), dice.uniform(240, 310)
    return path(f"M-20 380L{a:.0f} 190L{a + 150:.0f} 380z", far) + path(f"M{a:.0f} 190l24 30l-14 8l-12 -8l-10 10l-12 -10z", snow) + path(f"M{b - 190:.0f} 400L{b:.0f} 160L{b + 180:.0f} 400z", near) + path(f"M{b:.0f} 160l28 38l-16 8l-13 -9l-12 12l-14 -11l-5 4z", snow)


def _tent(hue: Hue) -> str:
    return path("M0 -128L116 0H-116z", hue.mid) + path("M0 -128L116 0H34z", hue.deep) + path("M0 -100L34 0H-34z", INK) + path("M0 -100L-34 0H-10C-6 -40 -2 -70 0 -100z", hue.light) + stroke("M0 -128L-8 -142M0 -128L8 -142", WOOD_DARK, 4)


def _fire() -> str:
    return placed(rect(-34, -10, 68, 10, WOOD_DARK, 5), 0, 0, 1, 9) + placed(rect(-34, -10, 68, 10, WOOD, 5), 0, 0, 1, -9) + path("M0 -72C26 -44 28 -26 18 -12H-18C-28 -26 -20 -36 -10 -46C-6 -52 -2 -60 0 -72z", "#e0702f") + path("M2 -42C14 -28 14 -18 9 -11H-9C-14 -20 -4 -28 2 -42z", OCHRE.light)


def _backpack(hue: Hue) -> str:
    return rect(-50, -112, 100, 112, hue.mid, 26) + rect(-38, -54, 76, 46, hue.deep, 12) + rect(-44, -146, 88, 32, CREAM, 16) + rect(-26, -146, 9, 32, INK) + rect(17, -146, 9, 32, INK) + rect(-38, -96, 76, 26, hue.light, 10)


def camping(dice: Dice) -> str:
    """A tent among hills and firs, by day or under stars."""
    night = dice.chance(0.45)
    hue, other = dice.hues(2, GREEN, PLUM)
    hills = _mountains(dice, BLUE.deep, PLUM.mid, CREAM) if night else _mountains(dice, BLUE.mid, BLUE.light, WHITE)
    ground = GREEN.deep if night else GREEN.mid
    firs = "".join(placed(tree(Dice(str(seed)), dice.about(130, 30)), x, 388) for seed, x in ((dice.randrange(9), 30), (7, 84), (11, 340), (19, 388)))
    near = placed(_fire(), 318, 456, 1.05) if dice.chance(0.6) else placed(_backpack(other), 318, 462, 0.72)
    return sky(dice, night=night) + hills + firs + path("M0 372C120 350 260 356 400 376V500H0z", ground) + path("M0 452C140 432 280 440 400 456V500H0z", GREEN.deep if not night else INK, 0.5) + placed(_tent(hue), 176, 448, 1.22) + near


def _camera(hue: Hue) -> str:
    return rect(-36, -124, 72, 30, INK, 7) + rect(-84, -104, 168, 104, INK, 13) + rect(-84, -66, 168, 40, hue.mid) + circle(0, -50, 46, STEEL) + circle(0, -50, 38, INK) + circle(0, -50, 27, BLUE.deep) + circle(-9, -60, 9, BLUE.light) + rect(-66, -118, 26, 12, hue.mid, 4) + circle(60, -86, 7, CRIMSON.mid)


def _film_camera(hue: Hue) -> str:
    reels = "".join(circle(x, -128, 36, hue.mid) + circle(x, -128, 12, CREAM) + "".join(circle(x + a, -128 + b, 6, hue.deep) for a, b in ((-20, 0), (20, 0), (0, -20), (0, 20))) for x in (-42, 34))
    return reels + rect(-76, -96, 140, 84, INK, 9) + path("M64 -74L108 -96V-14L64 -34z", STEEL) + rect(-60, -76, 50, 40, hue.deep, 5)


def _tripod() -> str:
    return stroke("M0 -8L-58 190M0 -8L58 190M0 -8V176", INK, 8) + rect(-20, -18, 40, 14, STEEL, 4)


def cameras(dice: Dice) -> str:
    """A camera: at a viewpoint, in a studio, on a counter."""
    hue, back = dice.hues(2)
    shown = _camera(hue) if dice.case("camera", "camera", "film") == "camera" else _film_camera(hue)
    match dice.randrange(3):
        case 0:
            return sky(dice, night=False) + _mountains(dice, GREEN.mid, BLUE.light, WHITE) + path("M0 388C140 366 280 370 400 392V500H0z", GREEN.deep) + placed(_tripod(), 200, 290) + placed(shown, 200, 286, 0.9)
        case 1:
            lamp = stroke("M0 0V230", INK, 6) + path("M-44 8L-26 -58H26L44 8z", INK) + path("M-44 8H44L52 22H-52z", OCHRE.light)
            paper = path("M60 60H340V372C340 430 380 452 400 470V500H0V470C20 452 60 430 60 372z", back.pale)
            return rect(0, 0, 400, 500, back.mid) + paper + path("M96 190L300 470H150z", WHITE, 0.45) + placed(lamp, 84, 186, 1, -8) + placed(_tripod(), 236, 276) + placed(shown, 236, 272, 0.8)
        case _:
            return niche(back, dice) + counter(WOOD, WOOD_DARK) + placed(shown, 200, FLOOR, 1.35) + placed(rect(-20, -44, 40, 44, INK, 5) + rect(-20, -32, 40, 10, hue.mid), 330, FLOOR, 0.9)


def _board(hue: Hue, other: Hue) -> str:
    return path("M0 -270C34 -236 38 -120 30 0C26 14 -26 14 -30 0C-38 -120 -34 -236 0 -270z", hue.mid) + path("M-34 -120L35 -150V-120L-33 -90z", other.mid) + path("M-33 -80L34 -110V-98L-32 -68z", CREAM) + stroke("M0 -262V8", CREAM, 2)


def _kayak(hue: Hue) -> str:
    return stroke("M-70 -86L86 -4", WOOD_DARK, 6) + ellipse(-76, -90, 22, 10, hue.deep) + path("M-150 -34C-80 -12 80 -12 150 -34C120 14 -120 14 -150 -34z", hue.mid) + ellipse(0, -20, 44, 9, INK) + path("M-150 -34C-80 -12 80 -12 150 -34L142 -22C80 -2 -80 -2 -142 -22z", CREAM)


def _skis(hue: Hue, other: Hue) -> str:
    return "".join(placed(rect(-10, -280, 20, 280, h.mid, 10) + rect(-10, -180, 20, 36, CREAM) + rect(-12, -120, 24, 44, INK, 4), x, 0, 1, turn) for h, x, turn in ((hue, -22, -5), (other, 22, 5)))


def _ball(hue: Hue) -> str:
    return circle(0, -38, 38, CREAM) + path("M0 -56l17 12l-6 20h-22l-6 -20z", hue.deep) + stroke("M0 -56V-74M17 -44L34 -50M11 -24L22 -8M-11 -24L-22 -8M-17 -44L-34 -50", hue.deep, 4) + ring(0, -38, 37, hue.deep, 3)


def _racket(hue: Hue) -> str:
    strings = "".join(stroke(f"M{x} -176V-84", CREAM, 2) for x in range(-30, 31, 12)) + "".join(stroke(f"M-38 {y}H38", CREAM, 2) for y in range(-166, -88, 12))
    return strings + f'<ellipse cx="0" cy="-130" rx="40" ry="52" fill="none" stroke="{hue.deep}" stroke-width="9"/>' + stroke("M-20 -84L0 -54L20 -84", hue.deep, 7) + stroke("M0 -58V0", INK, 12)


def sport(dice: Dice) -> str:
    """Boards on a beach, a kayak on a lake, skis in snow, a court among trees, a ball on a field."""
    hue, other = dice.hues(2)
    match dice.case("sup", "kayak", "skis", "tennis", "ball"):
        case "sup":
            sea = rect(0, 282, 400, 90, BLUE.mid) + stroke("M40 312h46M180 330h60M300 306h50", BLUE.light, 4)
            boards = placed(_board(hue, other), 150, 448, 1, -5) + placed(_board(other, hue), 252, 452, 1.08, 4)
            return sky(dice, night=False) + sea + path("M0 366C120 350 260 372 400 358V500H0z", OCHRE.light) + boards
        case "kayak":
            return sky(dice, night=False) + _mountains(dice, GREEN.deep, GREEN.light, WHITE) + rect(0, 340, 400, 160, BLUE.mid) + stroke("M30 380h60M280 372h70M60 470h80M250 480h60M190 400h40", BLUE.light, 4) + placed(_kayak(hue), 200, 446, 1.12, -3)
        case "skis":
            return sky(dice, night=False) + _mountains(dice, BLUE.light, BLUE.pale, WHITE) + "".join(placed(tree(Dice("fir"), 130), x, 396) for x in (46, 352)) + path("M0 372C130 340 280 366 400 384V500H0z", WHITE) + ellipse(200, 458, 104, 13, BLUE.light) + placed(_skis(hue, other), 200, 454)
        case "tennis":
            pines = "".join(placed(tree(Dice(f"pine{x}"), 120), x, 312) for x in (30, 96, 168, 236, 304, 372))
            court = path("M96 340H304L420 500H-20z", CLAY.mid) + stroke("M96 340L-20 500M304 340L420 500M134 340L62 500M266 340L338 500M200 340V500", WHITE, 4) + stroke("M82 362H318", WHITE, 3)
            net = "".join(stroke(f"M{x} 346V392", STONE, 1.5) for x in range(64, 340, 13)) + stroke("M60 361H340M60 376H340", STONE, 1.5) + stroke("M58 345H342", WHITE, 7) + stroke("M58 340V398M342 340V398", INK, 6)
            return sky(dice, night=False) + rect(0, 300, 400, 200, GREEN.mid) + pines + court + net + placed(_racket(hue), 262, 484, 1.05, 24) + circle(150, 452, 17, OCHRE.light) + stroke("M138 440C146 448 146 458 138 466", WHITE, 3)
        case _:
            stripes = "".join(path(f"M{200 + (i - 3) * 60} 330L{200 + (i - 3) * 190} 500H{200 + (i - 2) * 190}L{200 + (i - 2) * 60} 330z", GREEN.mid if i % 2 else GREEN.deep) for i in range(6))
            goal = stroke("M90 336V196H310V336", WHITE, 8) + "".join(stroke(f"M{x} 200V330", STONE, 1.5) for x in range(112, 306, 22)) + "".join(stroke(f"M94 {y}H306", STONE, 1.5) for y in range(218, 330, 22))
            return sky(dice, night=False) + rect(0, 300, 400, 40, CLAY.light) + rect(0, 330, 400, 170, GREEN.mid) + stripes + goal + placed(_ball(hue), dice.uniform(150, 250), 450, 1.35)


SCENES = {"tools": tools, "bikes": bikes, "camping": camping, "cameras": cameras, "sport": sport}
