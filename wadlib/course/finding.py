"""The numbers of the page "A line that erased frames": measured by one command, read when the book is built.

``python -m wadlib.course.finding`` scores the kept predictions of the companion's Mask R-CNN, as the report's authors'
code would have saved them and read rightly, and writes `RESULTS`.
"""

import json
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from wadlib._shared.files import make_folder, write_text
from wadlib.course.classroom import data_root, is_rendered, profile, project_root
from wadlib.course.facts import cite
from wadlib.course.kept_predictions import stored_predictions
from wadlib.dataset import open_wad, prepare
from wadlib.errors import WadError
from wadlib.labels import CLASSES, IDS, decode, instance_codes
from wadlib.metrics.published import erased, published_waterfall_of, read_pairs

RESULTS = Path("results") / "published" / "waterfall.json"
"""What `measure` found, in the companion's folder."""

THRESHOLDS = (0.9, 0.7, 0.5, 0.35)
METHOD = "mask-rcnn"


def measure() -> dict[str, Any]:
    """Score the kept predictions at several thresholds, and count what lives in the frames that are erased.

    Raises
    ------
    WadError
        The predictions belong to the quick profile's rendered videos, and these are not open.
    """
    if not is_rendered() or profile() != "quick":
        raise WadError(
            f"measure: profile {profile()}, {'rendered videos' if is_rendered() else 'WAD_ROOT is set'}",
            cause="the kept predictions are those of the quick profile's rendered videos",
            fix="unset WAD_ROOT and WADLIB_PROFILE; for your own: wadlib evaluate ROOT PRED --as-published",
        )
    with tempfile.TemporaryDirectory(prefix="wadlib-") as folder:
        prepare(open_wad(data_root()), Path(folder), progress=False)
        frames = open_wad(folder).split("report", seed=0).validation
        kept = stored_predictions(frames)
        if METHOD not in kept:
            raise WadError(
                f"measure: results/predictions has no {METHOD} predictions of these {len(frames)} frames",
                cause="the renderer's code changed, and the predictions are of the frames before",
                fix="predict them again: results/maskrcnn/README.md has the command",
            )
        prediction = kept[METHOD].folder
        falls = {
            t: published_waterfall_of(frames, prediction, min_score=t, lower_score=None, progress=False)
            for t in THRESHOLDS
        }
        pairs = list(read_pairs(frames, prediction))
    published = cite("min_confidence").value
    lost = np.array([erased(found[found.scores >= published]) for _, found in pairs])
    codes = [instance_codes(truth) for truth, _ in pairs]
    objects = np.array([each.size for each in codes])
    holds = np.array([[c in decode(each)[0] for c in IDS] for each in codes])
    return {
        "by": "python -m wadlib.course.finding",
        "predictions": f"results/predictions/{METHOD}: the weights 'rendered' on the quick profile's rendered videos, "
        "split 'report', seed 0, validation",
        "scikit-image": metadata.version("scikit-image"),
        "published_min_score": published,
        "thresholds": {f"{t:g}": fall.to_dict() for t, fall in falls.items()},
        "at_published_min_score": {
            "objects_per_erased_frame": objects[lost].mean(),
            "objects_per_kept_frame": objects[~lost].mean(),
            "share_of_its_frames_erased": {
                CLASSES[c].name: lost[holds[:, k]].mean() if holds[:, k].any() else None for k, c in enumerate(IDS)
            },
        },
    }


def substitutions(root: Path | None = None) -> dict[str, str]:
    """Return what ``{{ name }}`` stands for on the page: every number of it comes from `RESULTS`."""
    found = json.loads(((root or project_root()) / RESULTS).read_text(encoding="utf-8"))
    score = f"{found['published_min_score']:g}"
    at = found["thresholds"][score]
    published, rightly = (at["report_iou"][name] for name in ("as published", "highest score on top"))
    crowd = found["at_published_min_score"]
    lowest = min(found["thresholds"], key=float)
    return {
        "score": score,
        "frames": str(at["frames"]),
        "erased": str(at["erased"]),
        "published_mean": f"{published['mean']:.3f}",
        "rightly_mean": f"{rightly['mean']:.3f}",
        "lost_share": f"{1 - published['mean'] / rightly['mean']:.0%}",
        "lowest_score": lowest,
        "lowest_erased": str(found["thresholds"][lowest]["erased"]),
        "crowded": f"{crowd['objects_per_erased_frame']:.0f}",
        "quiet": f"{crowd['objects_per_kept_frame']:.0f}",
        "scikit_image": found["scikit-image"],
        "classes_table": _classes_table(at["report_iou"], crowd["share_of_its_frames_erased"]),
        "thresholds_table": _thresholds_table(found["thresholds"]),
    }


def _classes_table(steps: dict[str, dict[str, float | None]], gone: dict[str, float | None]) -> str:
    table_1 = cite("table_1").value
    theirs = {("person" if name == "pedestrian" else name): value for name, value in table_1.items()}
    rows = [["class", "the report's Table 1", *(f"ours: {name}" for name in steps), "its frames that are erased"]]
    for name in [*(CLASSES[c].name for c in IDS), "mean"]:
        report = theirs.get(name, sum(theirs.values()) / len(theirs))
        rows.append([name, _number(report), *(_number(iou[name]) for iou in steps.values()), _share(gone.get(name))])
    return _table(rows)


def _thresholds_table(thresholds: dict[str, Any]) -> str:
    steps = list(next(iter(thresholds.values()))["report_iou"])
    rows = [["instances from score", "frames erased", *steps]]
    for score, each in thresholds.items():
        means = [_number(each["report_iou"][name]["mean"]) for name in steps]
        rows.append([score, f"{each['erased']} of {each['frames']}", *means])
    return _table(rows)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.0%}"


def _table(rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])


def main() -> None:
    """Measure, write `RESULTS` and print where it is."""
    path = project_root() / RESULTS
    make_folder(path.parent)
    write_text(path, json.dumps(measure(), indent=1, allow_nan=False) + "\n")
    print(RESULTS.as_posix())


if __name__ == "__main__":
    main()
