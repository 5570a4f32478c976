"""A dressed figure: who somebody is (`Figure`), where the joints are (`Joints`), and the body put on them."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wadlib.rendered.drawing.mesh import MATTE, Mesh, box, merge, skin
from wadlib.rendered.drawing.solids import limb, sphere
from wadlib.rendered.road_users.parts import pick, pick_paint

Vector = npt.NDArray[np.float64]

HAND, HIP_HALF, SHOULDER_HALF = 0.075, 0.052, 0.112
"""Length of a hand and half the distance of hips and shoulders, as shares of the body height."""

SKIN = np.array((0.72, 0.55, 0.45))
HAIR = {"black": (0.08, 0.075, 0.07), "brown": (0.17, 0.12, 0.09), "grey": (0.50, 0.49, 0.48)}
TOPS = {"white": 14, "black": 14, "grey": 9, "navy": 10, "blue": 8, "sky": 6, "red": 9, "maroon": 4, "green": 5}
TOPS |= {"olive": 5, "yellow": 5, "orange": 4, "pink": 5, "brown": 4, "champagne": 5, "silver": 3}
LEGS = {"black": 22, "navy": 20, "blue": 14, "grey": 13, "brown": 5, "champagne": 6, "olive": 4, "white": 4}
LEGS |= {"maroon": 2, "red": 2, "pink": 2}


@dataclass(frozen=True, eq=False)
class Figure:
    """One person, fully drawn; metres and albedos."""

    height: float
    build: float
    garment: str
    top: Vector
    legs: Vector
    shoes: Vector
    hair: Vector
    skin: Vector
    long_hair: bool
    short_sleeves: bool
    bag: str
    bag_colour: Vector
    hat: bool
    umbrella: bool
    stride: float
    start: float


@dataclass(frozen=True)
class Joints:
    """Where the joints are, metres; pairs are (left, right)."""

    pelvis: Vector
    neck: Vector
    knees: tuple[Vector, Vector]
    ankles: tuple[Vector, Vector]
    elbows: tuple[Vector, Vector]
    wrists: tuple[Vector, Vector]


def draw_figure(rng: np.random.Generator, rider: bool = False) -> Figure:
    """Draw a person: one in eight is a child, one in five stands still. A `rider` is grown up and needs both hands."""
    child = rng.random() < 0.12
    tall, small = rng.normal(1.67, 0.08), rng.uniform(1.05, 1.45)
    height = float(small if child and not rider else np.clip(tall, 1.48, 1.90))
    garment = pick(rng, {"trousers": 55, "coat": 14, "skirt": 10, "dress": 8, "shorts": 13})
    bag = pick(rng, {"none": 55, "backpack": 22, "handbag": 23})
    standing = rng.random() < 0.2
    return Figure(
        height=height,
        build=float(np.clip(rng.normal(1.05, 0.11), 0.85, 1.35)),
        garment=garment,
        top=pick_paint(rng, TOPS),
        legs=pick_paint(rng, LEGS),
        shoes=pick_paint(rng, {"black": 5, "white": 3, "brown": 2, "red": 1, "grey": 2}),
        hair=np.array(HAIR[pick(rng, {"black": 75, "brown": 15, "grey": 10})]),
        skin=SKIN * rng.uniform(0.8, 1.12),
        long_hair=bool(rng.random() < (0.75 if garment in ("skirt", "dress") else 0.25)),
        short_sleeves=bool(rng.random() < 0.4) and garment != "coat",
        bag="none" if rider and bag == "handbag" else bag,
        bag_colour=pick_paint(rng),
        hat=bool(rng.random() < 0.12),
        umbrella=bool(rng.random() < 0.05),
        stride=0.0 if standing else float(rng.uniform(0.75, 1.15)),
        start=float(rng.random()),
    )


def dress(person: Figure, joints: Joints, lod: int = 0) -> Mesh:
    """Build body, clothes, head and bag on the given joints: about 450 triangles, or 150 for `lod` 1."""
    h, b = person.height, person.build
    parts = [_torso(person, joints, lod), _head(person, joints, lod)]
    sides = 3 if lod else 6
    bare = person.garment in ("shorts", "skirt", "dress")
    sleeve = person.skin if person.short_sleeves else person.top
    thick = h * (0.7 + 0.3 * b)
    seat = person.top if person.garment in ("coat", "dress") else person.legs
    for k, sign in enumerate((1, -1)):
        hip = joints.pelvis + np.array([0, sign * HIP_HALF * h, 0.01 * h])
        knee, ankle = joints.knees[k], joints.ankles[k]
        shin = person.skin if bare else person.legs
        line = np.array([hip, knee, ankle - [0, 0, 0.01 * h]])
        thigh = {"skirt": person.skin, "dress": person.top, "coat": person.top}.get(person.garment, person.legs)
        parts.append(limb(line, thick * np.array([0.052, 0.037, 0.027]), colour=np.array([thigh, shin]), sides=sides))
        toe = ankle + h * np.array([0.105, 0, -0.024])
        heel = ankle + h * np.array([-0.035, 0, -0.017])
        foot = np.array([[0.024, 0.02], [0.026, 0.016]]) * h
        parts.append(limb([heel, toe], foot, colour=person.shoes, sides=3 if lod else 4))
        shoulder = joints.neck + np.array([0, sign * SHOULDER_HALF * h * b * 0.93, -0.03 * h])
        elbow, wrist = joints.elbows[k], joints.wrists[k]
        pointing = (wrist - elbow) / np.linalg.norm(wrist - elbow)
        if lod:
            line = np.array([shoulder, elbow, wrist + pointing * 0.05 * h])
            radii, sleeves = thick * np.array([0.034, 0.027, 0.02]), np.array([person.top, sleeve])
        else:
            ball = shoulder - [0, sign * 0.035 * h, -0.012 * h]  # the arm begins inside the torso: a round shoulder
            line = np.array([ball, shoulder, elbow, wrist, wrist + pointing * HAND * h])
            radii = thick * np.array([0.026, 0.036, 0.027, 0.020, 0.016])
            sleeves = np.array([person.top, person.top, sleeve, person.skin])
        parts.append(limb(line, radii, colour=sleeves, sides=3 if lod else 5))
    if person.garment in ("skirt", "dress", "coat"):
        parts.append(_skirt(person, joints, seat if person.garment != "skirt" else person.legs, lod))
    if person.bag != "none":
        parts.append(_bag(person, joints))
    return merge(parts)


def _torso(person: Figure, joints: Joints, lod: int) -> Mesh:
    """Ovals up the spine: hips, waist, chest, shoulders, neck."""
    h, b = person.height, person.build
    spine = joints.neck - joints.pelvis
    up = spine / np.linalg.norm(spine)
    forward = np.array([up[2], 0, -up[0]])
    share = np.array([-0.12, 0.05, 0.38, 0.72, 0.93, 1.02, 1.06])
    across = np.array([0.055, 0.094, 0.080, 0.098, 0.092, 0.040, 0.030]) * h * b
    deep = np.array([0.050, 0.066, 0.058, 0.068, 0.052, 0.034, 0.030]) * h * b
    keep = np.array([0, 1, 3, 4]) if lod else np.arange(7)
    sides = 5 if lod else 9
    angle = 2 * np.pi * np.arange(sides) / sides
    centre = joints.pelvis + share[keep, None] * spine
    rings = centre[:, None] + across[keep, None, None] * np.cos(angle)[:, None] * np.array([0, 1.0, 0])
    rings = rings + deep[keep, None, None] * np.sin(angle)[:, None] * forward
    seat = person.top if person.garment in ("coat", "dress") else person.legs
    levels = (share[keep][:-1] + share[keep][1:]) / 2
    colours = np.where(levels[:, None] < 0.1, seat, person.top)
    colours = np.where(levels[:, None] > 1.0, person.skin, colours)
    return skin(rings, np.repeat(colours[:, None], sides, axis=1), MATTE)


def _head_height(person: Figure) -> float:
    """The height of an adult with this person's head: children have large heads."""
    return max(person.height, 0.75 + 0.55 * person.height)


def head_centre(person: Figure, joints: Joints) -> Vector:
    """Find the middle of the head: it follows the back, but a leaning rider looks up."""
    spine = (joints.neck - joints.pelvis) / np.linalg.norm(joints.neck - joints.pelvis)
    return np.asarray(joints.neck + (0.6 * spine + [0.03, 0, 0.4]) * 0.098 * _head_height(person))


def _head(person: Figure, joints: Joints, lod: int) -> Mesh:
    """An egg whose upper and hind quads have the colour of the hair (or the hat)."""
    h = _head_height(person)
    rows, sides = (3, 5) if lod else (6, 8)
    radii, unit = np.array([0.056, 0.046, 0.070]) * h, sphere(rows, sides, 0.5)
    centre = head_centre(person, joints)
    middle = (unit[:-1] + unit[1:] + np.roll(unit, -1, 1)[:-1] + np.roll(unit, -1, 1)[1:]) / 4
    hairy = (middle[..., 2] > 0.42) | ((middle[..., 0] < -0.05) & (middle[..., 2] > -0.55))
    crown = person.bag_colour if person.hat else person.hair
    colours = np.where(hairy[..., None], crown, person.skin)
    egg = skin(unit * radii + centre, colours, MATTE)
    egg.colours[-sides:] = crown  # the fan on top
    parts = [egg]
    if person.long_hair:
        back = centre + h * np.array([[-0.038, 0, 0.02], [-0.052, 0, -0.06], [-0.045, 0, -0.13]])
        fall = np.array([[0.04, 0.022], [0.048, 0.026], [0.03, 0.014]]) * h
        parts.append(limb(back, fall, colour=person.hair, sides=4 if lod else 6))
    if person.hat and lod == 0:
        brim = centre + np.array([0, 0, 0.026 * h])
        rim = np.array([0.075, 0.088]) * h * np.ones((2, 1))
        parts.append(limb([brim, brim + np.array([0, 0, 0.012 * h])], rim, colour=crown, sides=8))
    return merge(parts)


def _skirt(person: Figure, joints: Joints, colour: Vector, lod: int) -> Mesh:
    """A cone from the waist to between hip and shin that follows the knees."""
    h, b = person.height, person.build
    down = {"skirt": 0.75, "dress": 1.05, "coat": 0.9}[person.garment]
    knees = (joints.knees[0] + joints.knees[1]) / 2
    apart = abs(float(joints.knees[0][0] - joints.knees[1][0])) / 2
    hem = joints.pelvis + (knees - joints.pelvis) * down
    line = np.array([joints.pelvis + np.array([0, 0, 0.05 * h]), joints.pelvis - [0, 0, 0.02 * h], hem])
    radii = np.array([[0.088, 0.064], [0.102, 0.078], [0.105, 0.072]]) * h * b
    radii[2, 1] += apart * down
    return limb(line, radii, colour=colour, sides=5 if lod else 9)


def _bag(person: Figure, joints: Joints) -> Mesh:
    h = person.height
    if person.bag == "backpack":
        centre = joints.pelvis + 0.62 * (joints.neck - joints.pelvis) - [0.105 * h * person.build, 0, 0]
        return box((0.08 * h, 0.155 * h, 0.21 * h), centre, colour=person.bag_colour)
    hand = joints.wrists[0]
    return box((0.15 * h, 0.05 * h, 0.13 * h), hand - [0, -0.01, 0.15 * h], colour=person.bag_colour)
