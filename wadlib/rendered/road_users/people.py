"""Where a person's joints are: walking, standing, or seated on a saddle.

Joints are placed first, clothes are put on them afterwards (`figure.dress`), so that the same figure
crosses the road on foot and rides a bicycle.
"""

import math

import numpy as np

from wadlib.rendered.drawing.mesh import Mesh, merge
from wadlib.rendered.drawing.solids import limb
from wadlib.rendered.road_users.figure import HIP_HALF, SHOULDER_HALF, Figure, Joints, Vector, dress

# Lengths as shares of the body height (Winter, Biomechanics and Motor Control of Human Movement, 4.1).
THIGH, SHANK, ANKLE = 0.245, 0.246, 0.039
UPPER_ARM, FOREARM = 0.17, 0.146
TORSO = 0.288


def build_person(person: Figure, phase: float = 0.0, lod: int = 0) -> Mesh:
    """Build the mesh of a person on foot; one full pair of steps while `phase` goes from 0 to 1."""
    joints = walking(person, phase)
    parts = [dress(person, joints, lod)]
    if person.umbrella:
        parts.append(_umbrella(person, joints, lod))
    return merge(parts)


def walking(person: Figure, phase: float) -> Joints:
    """Place the joints of a walk: thighs swing like pendulums, the knee of the leg that swings forward bends."""
    h, swing = person.height, person.stride
    turn = 2 * math.pi * (phase + person.start)
    knees, ankles, elbows, wrists = [], [], [], []
    lean = math.radians(3) * swing
    for sign, shift in ((1, 0.0), (-1, math.pi)):
        thigh = math.radians(4 + 23 * math.sin(turn + shift)) * swing
        bend = math.radians(6 + 50 * max(0.0, math.cos(turn + shift)) ** 1.5) * swing
        hip = np.array([0, sign * HIP_HALF * h, 0])
        knee = hip + THIGH * h * np.array([math.sin(thigh), 0.004, -math.cos(thigh)])
        ankles.append(knee + SHANK * h * np.array([math.sin(thigh - bend), 0, -math.cos(thigh - bend)]))
        knees.append(knee)
    low = min(float(a[2]) for a in ankles)
    pelvis = np.array([0, 0, ANKLE * h - low])
    neck = pelvis + TORSO * h * np.array([math.sin(lean), 0, math.cos(lean)])
    for sign, shift in ((1, math.pi), (-1, 0.0)):  # an arm swings with the leg of the other side
        arm = math.radians(20 * math.sin(turn + shift)) * swing
        shoulder = neck + np.array([0, sign * SHOULDER_HALF * h * person.build, -0.02 * h])
        elbow = shoulder + UPPER_ARM * h * np.array([math.sin(arm - 0.05), sign * 0.16, -math.cos(arm)])
        fold = arm + math.radians(12 + 14 * swing)
        elbows.append(elbow)
        wrists.append(elbow + FOREARM * h * np.array([math.sin(fold), sign * 0.02, -math.cos(fold)]))
    if person.umbrella:
        shoulder = neck + np.array([0, -SHOULDER_HALF * h * person.build, -0.02 * h])
        wrists[1] = neck + h * np.array([0.16, -0.09, -0.06])
        elbows[1] = reach(shoulder, wrists[1], UPPER_ARM * h, FOREARM * h, np.array([-0.3, -0.5, -1.0]))
    return Joints(pelvis, neck, *_pairs([k + pelvis for k in knees], [a + pelvis for a in ankles], elbows, wrists))


def seated(person: Figure, saddle: Vector, grips: Vector, feet: Vector, lean: float) -> Joints:
    """Place a rider's joints: pelvis on the `saddle`, hands on `grips` and soles on `feet`, both (2,3) left, right.

    `lean` is the angle of the back in radians, forward from upright.
    """
    h = person.height
    pelvis = saddle + np.array([0, 0, 0.055 * h])
    neck = pelvis + TORSO * h * np.array([math.sin(lean), 0, math.cos(lean)])
    knees, ankles, elbows, wrists = [], [], [], []
    for k, sign in enumerate((1, -1)):
        hip = pelvis + np.array([0, sign * HIP_HALF * h, 0])
        ankle = feet[k] + [-0.05 * h, 0, ANKLE * h]
        knees.append(reach(hip, ankle, THIGH * h, SHANK * h, np.array([1.0, sign * 0.25, 0.6])))
        ankles.append(ankle)
        shoulder = neck + np.array([0, sign * SHOULDER_HALF * h * person.build, -0.02 * h])
        elbows.append(reach(shoulder, grips[k], UPPER_ARM * h, FOREARM * h, np.array([-0.4, sign * 0.7, -1.0])))
        wrists.append(grips[k])
    return Joints(pelvis, neck, *_pairs(knees, ankles, elbows, wrists))


def _pairs(*joints: list[Vector]) -> list[tuple[Vector, Vector]]:
    return [(left, right) for left, right in joints]


def reach(start: Vector, end: Vector, upper: float, lower: float, towards: Vector) -> Vector:
    """Find the middle joint of a two-bone limb from `start` to `end`, bent `towards` a direction.

    The law of cosines: with d the distance, the joint lies (upper^2 - lower^2 + d^2) / 2d along it.
    A limb too short to reach is stretched: its joint lies on the line.

    Examples
    --------
    >>> reach(np.zeros(3), np.array([0, 0, 8.0]), 5, 5, np.array([1.0, 0, 0])).tolist()
    [3.0, 0.0, 4.0]
    """
    line = end - start
    distance = float(np.linalg.norm(line))
    line = line / distance
    along = (upper**2 - lower**2 + distance**2) / (2 * distance)
    if distance > upper + lower:
        along = distance * upper / (upper + lower)
    off = math.sqrt(max(0.0, upper**2 - along**2)) if distance <= upper + lower else 0.0
    side = towards - line * float(towards @ line)
    return np.asarray(start + along * line + off * side / np.linalg.norm(side))


def _umbrella(person: Figure, joints: Joints, lod: int) -> Mesh:
    hand = joints.wrists[1] + [0.02, 0, 0]
    top = joints.neck + np.array([0.06, -0.05, 0.36]) * person.height
    cloth = [top + np.array([0, 0, 0.16]), top + np.array([0, 0, 0.10]), top - [0, 0, 0.06]]
    canopy = limb(cloth, [0.02, 0.28, 0.5], colour=person.bag_colour, sides=6 if lod else 8)
    return merge([canopy, limb([hand, top], 0.01, colour=(0.1, 0.1, 0.1), sides=3)])
