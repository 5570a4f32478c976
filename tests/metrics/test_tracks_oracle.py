"""Track metrics against TrackEval and motrics, on random sequences with empty frames."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest

from wadlib.metrics.clear import Clear, clear
from wadlib.metrics.hota import Hota, hota
from wadlib.metrics.identity import Identity, identity
from wadlib.metrics.tracks import TrackFrame

SEQUENCES = 1000
ATOL = 1e-12


def random_sequence(rng):
    """A few objects that come and go, broken and confused tracks, false positives, frames without one side or both."""
    true_tracks, found_tracks = rng.integers(1, 8), rng.integers(1, 10)
    quality = rng.uniform(0, 1)
    frames = []
    for _ in range(rng.integers(1, 15)):
        truth = rng.permutation(true_tracks)[: rng.integers(0, true_tracks + 1)] * (rng.random() > 0.1)
        truth = np.unique(truth) if truth.size else truth
        found = rng.permutation(found_tracks)[: rng.integers(0, found_tracks + 1)]
        if rng.random() < 0.1:
            found = found[:0]
        iou = rng.uniform(0, 0.6, (truth.size, found.size)) * (rng.random((truth.size, found.size)) < 0.4)
        good = truth[:, None] == found[None, :] % true_tracks
        iou = np.where(good & (rng.random(iou.shape) < quality), rng.uniform(0.3, 1, iou.shape), iou)
        if rng.random() < 0.2:  # thresholds and ties
            iou = np.round(iou * 20) / 20
        frames.append((truth.astype(np.int64), found.astype(np.int64), iou))
    return frames


def as_trackeval(frames):
    """The dictionary that TrackEval's metrics read; its tracks are numbered without gaps."""
    truth, g = np.unique(np.concatenate([f[0] for f in frames]), return_inverse=True)
    found, p = np.unique(np.concatenate([f[1] for f in frames]), return_inverse=True)
    g = np.split(g, np.cumsum([f[0].size for f in frames])[:-1])
    p = np.split(p, np.cumsum([f[1].size for f in frames])[:-1])
    return {
        "num_timesteps": len(frames),
        "num_gt_ids": truth.size,
        "num_tracker_ids": found.size,
        "num_gt_dets": sum(each.size for each in g),
        "num_tracker_dets": sum(each.size for each in p),
        "gt_ids": g,
        "tracker_ids": p,
        "similarity_scores": [f[2] for f in frames],
    }


@pytest.fixture(scope="module")
def sequences():
    rng = np.random.default_rng(20190321)
    return [random_sequence(rng) for _ in range(SEQUENCES)]


@pytest.fixture(scope="module")
def trackeval_metrics():
    trackeval = pytest.importorskip("trackeval", reason="the oracle: pip install --no-deps trackeval tabulate")
    with contextlib.redirect_stdout(io.StringIO()):
        return {
            name: getattr(trackeval.metrics, name)({"PRINT_CONFIG": False} if name != "HOTA" else None)
            for name in ("HOTA", "CLEAR", "Identity")
        }


HOTA_NAMES = {"hota": "HOTA", "deta": "DetA", "assa": "AssA", "assre": "AssRe", "asspr": "AssPr", "loca": "LocA"}
CLEAR_NAMES = {
    "tp": "CLR_TP",
    "fn": "CLR_FN",
    "fp": "CLR_FP",
    "idsw": "IDSW",
    "mt": "MT",
    "pt": "PT",
    "ml": "ML",
    "frag": "Frag",
    "mota": "MOTA",
    "motp": "MOTP",
    "smotsa": "sMOTA",
}
IDENTITY_NAMES = {"idtp": "IDTP", "idfn": "IDFN", "idfp": "IDFP", "idf1": "IDF1", "idr": "IDR", "idp": "IDP"}


def compare(ours, theirs, names, what):
    for name, their_name in names.items():
        wanted = float(np.mean(theirs[their_name]))
        assert getattr(ours, name) == pytest.approx(wanted, rel=0, abs=ATOL), (what, name)


def test_the_sequences_hold_what_is_hard(sequences):
    frames = [frame for sequence in sequences for frame in sequence]
    assert sum(not f[0].size and not f[1].size for f in frames) > 20
    assert sum(bool(f[0].size) and not f[1].size for f in frames) > 100
    assert sum(bool(f[1].size) and not f[0].size for f in frames) > 100
    assert sum(not any(f[0].size for f in s) for s in sequences) > 3
    assert sum(not any(f[1].size for f in s) for s in sequences) > 3
    assert sum((f[2] == 0.5).sum() for f in frames) > 20


def test_equal_to_trackeval(sequences, trackeval_metrics):
    empty_on_a_side = 0
    for number, frames in enumerate(sequences):
        data = as_trackeval(frames)
        ours = [TrackFrame(*frame) for frame in frames]
        if data["num_gt_dets"] == 0:
            assert np.isnan(hota(ours).hota)  # TrackEval says 0: we say that there is nothing to find
            assert np.isnan(clear(ours).mota)
            assert np.isnan(identity(ours).idf1)
        theirs = {name: metric.eval_sequence(data) for name, metric in trackeval_metrics.items()}
        # For a sequence without any mask on one side TrackEval returns counts only; combine computes the rest.
        theirs = {name: trackeval_metrics[name].combine_sequences({"a": result}) for name, result in theirs.items()}
        if data["num_gt_dets"] == 0:
            compare(clear(ours), theirs["CLEAR"], {"fp": "CLR_FP", "idsw": "IDSW"}, number)
            compare(identity(ours), theirs["Identity"], {"idfp": "IDFP"}, number)
            np.testing.assert_array_equal(hota(ours).fp, theirs["HOTA"]["HOTA_FP"])
            continue
        empty_on_a_side += data["num_tracker_dets"] == 0
        compare(hota(ours), theirs["HOTA"], HOTA_NAMES, number)
        compare(clear(ours), theirs["CLEAR"], CLEAR_NAMES, number)
        compare(identity(ours), theirs["Identity"], IDENTITY_NAMES, number)
        for name, their_name in (("tp", "HOTA_TP"), ("fn", "HOTA_FN"), ("fp", "HOTA_FP")):
            np.testing.assert_array_equal(getattr(hota(ours), name), theirs["HOTA"][their_name])
    assert empty_on_a_side > 0


def test_combined_sequences_equal_trackevals(sequences, trackeval_metrics):
    for first in range(0, 200, 5):
        some = sequences[first : first + 5]
        theirs = {
            name: metric.combine_sequences({str(n): metric.eval_sequence(as_trackeval(f)) for n, f in enumerate(some)})
            for name, metric in trackeval_metrics.items()
        }
        ours = [[TrackFrame(*frame) for frame in frames] for frames in some]
        compare(Hota.combine(map(hota, ours)), theirs["HOTA"], HOTA_NAMES, first)
        compare(Clear.combine(map(clear, ours)), theirs["CLEAR"], CLEAR_NAMES, first)
        compare(Identity.combine(map(identity, ours)), theirs["Identity"], IDENTITY_NAMES, first)


def test_hota_and_idf1_equal_motrics(sequences):
    motrics = pytest.importorskip("motrics", reason="the second oracle: pip install --no-deps motrics")
    compared = 0
    for number, frames in enumerate(sequences):
        data = as_trackeval(frames)
        if data["num_gt_dets"] == 0 or data["num_tracker_dets"] == 0:
            continue
        ours = [TrackFrame(*frame) for frame in frames]
        truth, found = ([each.tolist() for each in data[name]] for name in ("gt_ids", "tracker_ids"))
        their_hota = motrics.compute_hota_from_similarity(truth, found, data["similarity_scores"])
        their_identity = motrics.compute_identity_from_similarity(truth, found, data["similarity_scores"])
        compare(
            hota(ours),
            {n: getattr(their_hota, n.lower()) for n in ("HOTA", "DetA", "AssA", "LocA")},
            {n: HOTA_NAMES[n] for n in ("hota", "deta", "assa", "loca")},
            number,
        )
        compare(identity(ours), {"IDF1": their_identity.idf1}, {"idf1": "IDF1"}, number)
        compared += 1
    assert compared > 800
