"""Rooms and the houses they are in."""

# A drawing reads best as one shape after another, not as one argument a line.
# fmt: off

from dvor.web.pictures.brush import (
    BLUE,
    CLAY,
    CREAM,
    CRIMSON,
    GREEN,
    INK,
    OCHRE,
    PLUM,
    STONE,
    STONE_DARK,
    WHITE,
    WOOD,
    WOOD_DARK,
    Dice,
    Hue,
    arch,
    circle,
    cloud,
    ellipse,
    path,
    placed,
    plant,
    rect,
    sky,
    stroke,
    tree,
)


def _view(dice: Dice) -> str:
    """What is seen through the arched window of a room: drawn in a box of 200 x 240."""
    night = dice.chance(0.25)
    back = PLUM.deep if night else dice.choice((BLUE.pale, BLUE.light, OCHRE.pale, CRIMSON.pale))
    light = circle(dice.uniform(50, 150), dice.uniform(60, 100), 19, OCHRE.light if night else OCHRE.mid)
    match dice.randrange(4):
        case 0:
            far = rect(0, 150, 200, 90, BLUE.deep if night else BLUE.mid) + stroke("M24 176h36M110 190h44M60 212h30", BLUE.light, 3) + path("M120 150L132 116V150zM134 150V122L152 150z", CREAM)
        case 1:
            tall = [dice.uniform(60, 150) for _ in range(6)]
            far = "".join(rect(i * 36 - 6, 240 - h, 32, h, (PLUM.mid if night else BLUE.mid) if i % 2 else (INK if night else BLUE.deep)) + "".join(rect(i * 36 + 1 + 10 * (k % 2), 250 - h + 18 * (k // 2), 6, 9, OCHRE.light) for k in range(6)) for i, h in enumerate(tall))
        case 2:
            far = path("M-10 240L60 110L130 240z", BLUE.mid) + path("M60 110l16 28l-12 6l-8 -6l-10 8z", WHITE) + path("M70 240L150 140L230 240z", GREEN.deep) + path("M0 206C70 186 140 190 200 210V240H0z", GREEN.mid)
        case _:
            far = "".join(placed(tree(Dice(f"{dice.random()}"), dice.uniform(90, 140)), x, 236) for x in (24, 70, 124, 176)) + path("M0 220C70 206 140 208 200 222V240H0z", GREEN.mid)
    return rect(0, 0, 200, 240, back) + light + far


def _window(dice: Dice, x: float, y: float, scale: float) -> str:
    """An arched window, `x` and `y` at the middle of its sill."""
    name = f"w{dice.randrange(10**6)}"
    clip = f'<clipPath id="{name}"><path d="M0 240V100a100 100 0 0 1 200 0V240z"/></clipPath>'
    bars = stroke("M100 0V240M0 130H200", WHITE, 7)
    frame = f'<path d="M0 240V100a100 100 0 0 1 200 0V240z" fill="none" stroke="{WHITE}" stroke-width="11"/>'
    return placed(f'{clip}<g clip-path="url(#{name})">{_view(dice)}{bars}</g>{frame}' + rect(-14, 236, 228, 14, WHITE, 3), x - 100 * scale, y - 240 * scale, scale)


def _bed(dice: Dice, hue: Hue, other: Hue) -> str:
    """A bed seen from its side-front, 300 wide, standing on 0."""
    head = arch(0, -10, 250, 150, WOOD_DARK) if dice.chance(0.5) else rect(-130, -134, 260, 124, hue.deep, 16)
    pillows = "".join(rect(x, -98, 92, 44, c, 18) for x, c in ((-104, WHITE), (12, WHITE))) + rect(-34, -84, 68, 36, other.mid, 14)
    stripes = "".join(rect(x, -58, 10, 58, other.light) for x in (-118, -72, -26, 20, 66, 108)) if dice.chance(0.35) else ""
    return head + pillows + rect(-142, -58, 284, 52, hue.mid, 14) + stripes + rect(-142, -62, 284, 20, WHITE, 10) + rect(-132, -8, 14, 24, WOOD_DARK) + rect(118, -8, 14, 24, WOOD_DARK)


def _side(dice: Dice, hue: Hue) -> str:
    """A bedside table with a lamp."""
    return rect(-30, -64, 60, 64, WOOD) + rect(-34, -70, 68, 10, WOOD_DARK, 3) + circle(0, -34, 4, CREAM) + rect(-3, -104, 6, 36, INK) + path("M-16 -136H16L30 -98H-30z", hue.light) + ellipse(0, -98, 30, 4, OCHRE.pale)


def room(dice: Dice) -> str:
    """A bedroom with an arched window."""
    wall, bed, other = dice.hues(3)
    boards = rect(0, 412, 400, 88, WOOD) + "".join(stroke(f"M{x} 412L{200 + (x - 200) * 1.5:.0f} 500", WOOD_DARK, 2) for x in range(20, 400, 60))
    rug = ellipse(200, 462, 170, 26, other.light) + ellipse(200, 462, 140, 19, other.mid) if dice.chance(0.6) else ""
    art = placed(rect(-26, -34, 52, 68, WHITE) + rect(-19, -27, 38, 54, other.light) + arch(0, 27, 22, 40, other.mid), 66, 230) if dice.chance(0.5) else ""
    corner = placed(plant(dice, dice.hue(wall)), 352, 432, 1.15) if dice.chance(0.5) else placed(_side(dice, other), 364, 424)
    return rect(0, 0, 400, 500, wall.light) + _window(dice, dice.choice((200, 220)), 300, dice.uniform(0.84, 1)) + art + rect(0, 404, 400, 10, WHITE) + boards + rug + placed(_bed(dice, bed, other), 188, 448, 0.98) + corner


def living(dice: Dice) -> str:
    """A flat: sofa, lamp, a window over the town."""
    wall, sofa, other = dice.hues(3)
    couch = rect(-128, -106, 256, 90, sofa.mid, 26) + rect(-150, -72, 48, 66, sofa.deep, 18) + rect(102, -72, 48, 66, sofa.deep, 18) + rect(-104, -58, 102, 42, sofa.light, 12) + rect(2, -58, 102, 42, sofa.light, 12) + rect(-92, -100, 54, 48, other.mid, 12) + rect(-118, -8, 12, 20, WOOD_DARK) + rect(106, -8, 12, 20, WOOD_DARK)
    lamp = stroke("M0 0V-214C0 -246 60 -246 64 -216", INK, 5) + path("M36 -196a28 28 0 0 1 56 0z", OCHRE.mid) + ellipse(0, -2, 32, 6, INK)
    table = ellipse(0, -44, 62, 12, WOOD) + stroke("M-34 -38L-42 0M34 -38L42 0", WOOD_DARK, 6) + rect(-12, -66, 24, 20, other.deep, 4)
    left = dice.chance(0.5)
    return rect(0, 0, 400, 500, wall.light) + _window(dice, 216 if left else 184, 286, 0.92) + rect(0, 400, 400, 100, dice.choice((WOOD, STONE))) + rect(0, 396, 400, 8, WHITE) + placed(lamp, 56 if left else 344, 430, 1.05, 0, not left) + placed(couch, 206, 432, 0.98) + ellipse(200, 470, 150, 20, other.light) + placed(table, 200, 484, 0.9) + placed(plant(dice, other), 356 if left else 44, 430, 1.2)


def _lit(dice: Dice, night: bool) -> str:
    return OCHRE.light if dice.chance(0.6 if night else 0.12) else (PLUM.mid if night else BLUE.light)


def facade(dice: Dice) -> str:
    """A hotel from the street."""
    night = dice.chance(0.4)
    wall, trim = dice.choice(((CREAM, CRIMSON), (OCHRE.light, GREEN), (CRIMSON.light, BLUE), (BLUE.light, CLAY), (CLAY.light, PLUM), (GREEN.light, OCHRE)))
    rows = ""
    for floor, y in enumerate((176, 252)):
        for x in (92, 146, 200, 254, 308):
            rows += arch(x, y, 32, 50, WHITE) + arch(x, y, 24, 44, _lit(dice, night)) + rect(x - 18, y, 36, 5, trim.mid)
            if dice.chance(0.3) and floor == 0:
                rows += rect(x - 20, y - 10, 40, 4, INK) + "".join(rect(x - 20 + k * 9, y - 10, 2, 14, INK) for k in range(5))
    ground = "".join(arch(x, 404, 50, 92, trim.deep) + arch(x, 404, 40, 84, OCHRE.light if night else BLUE.pale) for x in (100, 300))
    door = arch(200, 404, 84, 122, WHITE) + arch(200, 404, 68, 112, trim.deep) + rect(198, 300, 4, 104, OCHRE.light) + path("M136 298H264L276 322H124z", trim.mid) + "".join(path(f"M{x} 322a12 12 0 0 0 25 0z", trim.mid if i % 2 else CREAM) for i, x in enumerate(range(125, 274, 25)))
    roof = path("M48 108H352L336 70H64z", trim.deep) + rect(44, 104, 312, 13, WHITE)
    tower = arch(200, 78, 76, 62, wall) + circle(200, 50, 14, WHITE) + stroke("M200 50V41M200 50L207 52", INK, 3) if dice.chance(0.5) else "".join(rect(x, 46, 20, 30, wall) for x in (104, 276))
    back = sky(dice, night=night)
    trees = placed(tree(dice, 130), 32, 416) + placed(tree(dice, 118), 370, 416)
    return back + tower + rect(58, 108, 284, 298, wall) + roof + rows + rect(52, 270, 296, 8, WHITE) + ground + door + rect(0, 404, 400, 96, STONE) + rect(0, 404, 400, 9, STONE_DARK) + path("M172 412H228L262 500H138z", trim.mid) + trees


def house(dice: Dice) -> str:
    """A guest house with a pitched roof, a fence and flowers."""
    night = dice.chance(0.3)
    wall, trim = dice.hues(2, GREEN)
    flowers = "".join(circle(dice.uniform(6, 394), dice.uniform(440, 492), 6, dice.hue(GREEN).mid) for _ in range(26))
    panes = "".join(rect(x - 30, 270, 60, 66, WHITE) + rect(x - 24, 276, 48, 54, _lit(dice, night)) + stroke(f"M{x} 276V330M{x - 24} 303H{x + 24}", WHITE, 4) + rect(x - 46, 268, 13, 70, trim.mid) + rect(x + 33, 268, 13, 70, trim.mid) + rect(x - 34, 338, 68, 13, WOOD_DARK) + "".join(circle(x + k, 336, 8, CRIMSON.mid if k % 2 else OCHRE.mid) for k in (-24, -9, 8, 23)) for x in (118, 282))
    door = arch(200, 412, 58, 126, WHITE) + arch(200, 412, 46, 118, trim.deep) + circle(212, 356, 4, OCHRE.light)
    attic = circle(200, 186, 29, WHITE) + circle(200, 186, 23, _lit(dice, night)) + stroke("M200 162V210M176 186H224", WHITE, 4)
    fence = "".join(path(f"M{x} 424V372l9 -12l9 12V424z", WHITE) for x in (*range(-4, 150, 24), *range(246, 400, 24))) + rect(0, 386, 158, 7, WHITE) + rect(242, 386, 158, 7, WHITE)
    chimney = rect(272, 118, 30, 66, CLAY.deep) + (cloud(292, 104, 0.5) if dice.chance(0.6) else "")
    return sky(dice, night=night) + placed(tree(dice, 220), 36, 412) + placed(tree(dice, 190), 374, 412) + chimney + rect(72, 232, 256, 182, wall.light) + path("M200 104L352 242H48z", trim.deep) + path("M200 134L304 232H96z", wall.light) + attic + panes + door + rect(0, 410, 400, 90, GREEN.mid) + path("M172 412H228L270 500H130z", STONE) + fence + flowers


def cabin(dice: Dice) -> str:
    """An A-frame or a log house by water or in a forest."""
    night = dice.chance(0.4)
    trim = dice.hue(GREEN)
    firs = "".join(placed(tree(Dice("fir"), dice.uniform(150, 250)), x, 372) for x in (20, 70, 330, 382, 120, 286))
    hill = path("M0 330C100 250 190 300 240 280S360 250 400 300V420H0z", GREEN.deep if night else GREEN.light)
    if dice.chance(0.55):
        glass = path("M200 176L268 352H132z", OCHRE.light if night else BLUE.light)
        home = path("M200 112L318 372H82z", trim.deep) + path("M200 150L284 372H116z", WOOD) + glass + stroke("M200 178V372M148 312H252M170 254H230", WOOD_DARK, 5) + rect(176, 312, 48, 60, WOOD_DARK) + rect(70, 366, 260, 13, WOOD_DARK, 3)
    else:
        logs = "".join(rect(96, y, 208, 19, WOOD if i % 2 else WOOD_DARK, 9) for i, y in enumerate(range(256, 372, 19)))
        home = logs + path("M200 164L334 262H66z", trim.deep) + rect(118, 286, 56, 50, WHITE) + rect(123, 291, 46, 40, OCHRE.light if night else BLUE.light) + stroke("M146 291V331", WHITE, 4) + arch(244, 372, 50, 92, trim.mid) + rect(262, 150, 26, 52, CLAY.deep) + cloud(284, 140, 0.55)
    if dice.chance(0.55):
        ground = path("M0 366C140 350 260 356 400 370V424H0z", GREEN.mid) + path("M0 414C140 400 260 404 400 416V500H0z", BLUE.deep if night else BLUE.mid) + stroke("M30 448h70M250 438h90M120 476h60M300 484h60", BLUE.light, 4) + path("M176 404H224L240 460H160z", WOOD)
    else:
        ground = path("M0 366C140 350 260 356 400 370V500H0z", GREEN.mid) + path("M178 376H222C230 420 300 440 280 500H120C100 450 170 420 178 376z", OCHRE.light) + "".join(circle(dice.uniform(10, 390), dice.uniform(430, 490), 5, dice.hue(GREEN).mid) for _ in range(16))
    return sky(dice, night=night) + hill + firs + home + ground


def hotels(dice: Dice) -> str:
    """The house from outside, or a room of it."""
    return facade(dice) if dice.chance(0.55) else room(dice)


def guesthouses(dice: Dice) -> str:
    """The house from outside, or a room of it."""
    return house(dice) if dice.chance(0.65) else room(dice)


def apartments(dice: Dice) -> str:
    """The living room, or the bedroom."""
    return living(dice) if dice.chance(0.65) else room(dice)


SCENES = {"hotels": hotels, "guesthouses": guesthouses, "apartments": apartments, "countryside": cabin}
