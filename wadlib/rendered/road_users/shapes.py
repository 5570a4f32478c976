"""How things look: the catalogue of road users, one mesh for each of WAD's seven classes."""

from collections.abc import Callable

import numpy as np

from wadlib._shared.words import one_of
from wadlib.errors import RenderError
from wadlib.labels import CLASSES
from wadlib.rendered.drawing.mesh import Mesh
from wadlib.rendered.road_users.bicycles import build_bicycle, draw_bicycle
from wadlib.rendered.road_users.buses import build_bus, draw_bus
from wadlib.rendered.road_users.cars import build_car, draw_car
from wadlib.rendered.road_users.figure import draw_figure
from wadlib.rendered.road_users.motorbicycles import build_motorbicycle, draw_motorbicycle
from wadlib.rendered.road_users.people import build_person
from wadlib.rendered.road_users.tricycles import build_tricycle, draw_tricycle
from wadlib.rendered.road_users.trucks import build_truck, draw_truck

Builder = Callable[[np.random.Generator, float, int], Mesh]

BUILDERS: dict[int, Builder] = {
    33: lambda rng, phase, lod: build_car(draw_car(rng), lod),
    34: lambda rng, phase, lod: build_motorbicycle(draw_motorbicycle(rng), phase, lod),
    35: lambda rng, phase, lod: build_bicycle(draw_bicycle(rng), phase, lod),
    36: lambda rng, phase, lod: build_person(draw_figure(rng), phase, lod),
    38: lambda rng, phase, lod: build_truck(draw_truck(rng), lod),
    39: lambda rng, phase, lod: build_bus(draw_bus(rng), lod),
    40: lambda rng, phase, lod: build_tricycle(draw_tricycle(rng), phase, lod),
}

ANIMATED = frozenset({34, 35, 36, 40})
"""Classes whose mesh depends on `phase`; the others can be built once and kept."""


def make_shape(class_id: int, rng: np.random.Generator, phase: float = 0.0, lod: int = 0) -> Mesh:
    """Make one object of a class; body, size and colours are drawn from `rng`.

    Everything is drawn before `phase` and `lod` are used: a generator with the same seed gives the
    same object in every phase and at both levels of detail.

    Parameters
    ----------
    class_id : int
        WAD id: 33 car, 34 motorbicycle, 35 bicycle, 36 person, 38 truck, 39 bus, 40 tricycle.
    rng : numpy.random.Generator
    phase : float, 0..1
        One pair of steps, one turn of the pedals.
    lod : int
        0 in full (400 to 1200 triangles), 1 coarse (about 100 to 350) for objects under some 60
        pixels, with nearly the same silhouette.

    Returns
    -------
    Mesh
        x forward, origin on the ground under the middle. Riders of bicycles and motorbicycles are
        in the mesh with ``labelled`` False; the driver of a tricycle belongs to the tricycle.

    Raises
    ------
    RenderError
        A class that WAD does not evaluate, or a level of detail other than 0 and 1.

    Examples
    --------
    >>> length, width, height = make_shape(33, np.random.default_rng(0)).size
    >>> 3.5 < length < 5.2, height < 2
    (True, True)
    """
    if class_id not in BUILDERS:
        raise RenderError(
            f"make_shape: class {class_id!r} has no shape",
            cause="an id of another dataset, or a network index 1..7 instead of a WAD id",
            fix="use one of " + ", ".join(f"{row.id} {row.name}" for row in CLASSES.values()),
        )
    one_of(lod, (0, 1), "make_shape: lod", RenderError)
    return BUILDERS[class_id](rng, phase, lod)
