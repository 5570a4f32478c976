"""The tables of results/maskrcnn/README.md say what the files beside them hold."""

import json
from itertools import takewhile
from pathlib import Path

import pytest

MASKRCNN = Path(__file__).resolve().parents[1] / "results" / "maskrcnn"
SETS = {"rendered videos": "rendered", "Cityscapes": "cityscapes", "WAD, 8 frames": "wad"}
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
        name = SETS[place] + {"": "", "mirrored": "-mirror"}[extra]
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
