"""The tables of results/maskrcnn/README.md say what the files beside them hold."""

import importlib.util
import json
from itertools import takewhile
from math import log
from pathlib import Path

import numpy as np
import pytest

MASKRCNN = Path(__file__).resolve().parents[1] / "results" / "maskrcnn"
SETS = {"rendered videos": "rendered", "Cityscapes": "cityscapes", "WAD, 8 frames": "wad"}
EXTRAS = {"": "", "mirrored": "-mirror", "mirrored, every class": "-mirror-every-class", "four looks": "-looks"}
CLASSES = ("car", "motorbicycle", "bicycle", "person", "truck", "bus", "tricycle", "mean")


def rows_below(header):
    """Rows of the table with this first line, as lists of cells."""
    text = (MASKRCNN / "README.md").read_text(encoding="utf-8")
    lines = text.partition(header + "\n")[2].splitlines()[1:]
    table = takewhile(lambda line: line.startswith("|"), lines)
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in table]


def score_in(path):
    return json.loads((MASKRCNN / "streets" / path).read_text(encoding="utf-8"))


def shown(value):
    return "–" if value is None else f"{value:.3f}"


def test_the_weights_on_three_sets():
    header = "| scored on | weights | " + " | ".join(CLASSES) + " | 95 % of the mean | AP |"
    rows = rows_below(header)
    assert {(place, weights) for place, weights, *_ in rows} >= {
        (s, w) for s in SETS for w in ("rendered", "wild", "streets")
    }
    for place, weights, *cells in rows:
        folder, _, extra = weights.partition(", ")
        name = SETS[place] + EXTRAS[extra]
        score = score_in(f"{folder}/{name}.json")
        low, high = score["intervals"]["report_iou"]["mean"]
        expected = [shown(score["report_iou"][c]) for c in CLASSES]
        assert cells == [*expected, f"{low:.3f} to {high:.3f}", shown(score["ap"]["mean"])], (place, weights)


@pytest.mark.parametrize("place", SETS)
def test_the_remedy_with_and_without(place):
    header = "| scored on | Cityscapes | seed | " + " | ".join(CLASSES) + " | AP |"
    rows = [row for row in rows_below(header) if row[0] == place]
    assert len(rows) == 4
    for _, with_it, seed, *cells in rows:
        run = {"without": "alone", "with": "mixed"}[with_it]
        score = score_in(f"remedy/{run}-seed{seed}/{SETS[place]}.json")
        assert cells == [*(shown(score["report_iou"][c]) for c in CLASSES), shown(score["ap"]["mean"])]


def test_the_adjustment_on_three_sides():
    kept = json.loads((MASKRCNN / "streets" / "adjustment.json").read_text(encoding="utf-8"))
    rows = rows_below("| tau | threshold | ulm and bochum | wild rendered | plain rendered |")
    assert rows == [[f"{row['tau']:g}", f"{row['threshold']:g}", *map(shown, list(row.values())[2:])] for row in kept]


def test_looks_on_three_sides():
    kept = json.loads((MASKRCNN / "streets" / "looks.json").read_text(encoding="utf-8"))
    sides = ("ulm and bochum", "wild rendered", "plain rendered")
    rows = rows_below("| looks | " + " | ".join(f"{side}: mean | AP" for side in sides) + " | seconds |")
    expected = []
    for row in kept:
        scores = [shown(row[side][name]) for side in sides for name in ("mean", "ap")]
        expected.append([row["looks"], *scores, str(row["seconds"])])
    assert rows == expected


@pytest.fixture(scope="module")
def ship():
    spec = importlib.util.spec_from_file_location("ship", MASKRCNN / "streets" / "ship.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_class_with_an_eighth_of_the_objects_gets_three_times_as_much_as_one_with_half(ship):
    found = ship.offsets({33: 80, 36: 40, 38: 10, 40: 0}, tau=1 / 4)
    assert found == pytest.approx({33: 0, 36: log(2) / 4, 38: 3 * log(2) / 4, 40: 0})


@pytest.mark.slow
def test_weights_are_averaged_and_only_the_bias_of_the_classes_is_adjusted(ship, tmp_path):
    from wadlib.maskrcnn import Config, MaskRCNN
    from wadlib.maskrcnn.weights import find, read_config

    shares = {"rendered": 3, "streets": 1}
    ship.main(tmp_path / "shipped.h5", 0.25, 0.5, ["rendered"], shares)
    assert read_config(tmp_path / "shipped.h5") == Config.classroom().replace(min_confidence=0.25)
    arrays = {}
    for name, path in {"shipped": tmp_path / "shipped.h5", **{name: find(name) for name in shares}}.items():
        model = MaskRCNN(Config.classroom())
        model.load(path)
        arrays[name] = {layer: own.get_weights() for layer, own in model.layers.items()}
    counted = json.loads((MASKRCNN / "streets" / "class_counts.json").read_text())["rendered"]["instances"].values()
    adjusted = [0, *(0.5 * log(max(counted) / count) for count in counted)]
    for layer, got in arrays["shipped"].items():
        expected = [(3 * a + b) / 4 for a, b in zip(arrays["rendered"][layer], arrays["streets"][layer], strict=True)]
        if layer == "mrcnn_class_logits":
            expected[1] = expected[1] + adjusted
        for one, other in zip(got, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=2**-10, atol=1e-6, err_msg=layer)  # kernels as float16
