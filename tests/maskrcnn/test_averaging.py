"""Averaged weights: means that can be done in the head, and files that are whole."""

import numpy as np
import pytest

from wadlib.errors import WeightsError
from wadlib.maskrcnn.weight_files.averaging import MEAN, average, save_epoch
from wadlib.maskrcnn.weight_files.h5 import layers_in, open_h5, read_arrays, write_h5


def write(path, *values, compact=False):
    """A file with a convolution of two numbers, and a nested model with one."""
    kernel, inner = np.array([[values[0], 1.0]]), np.array([values[-1]])
    groups = {"conv": [("conv/kernel:0", kernel)], "rpn": [("a/bias:0", inner), ("b/bias:0", inner + 1)]}
    write_h5(path, groups, {"wadlib_config": f"of {path.name}"}, compact=compact)
    return path


def read(path):
    with open_h5(path) as file:
        values = {name: np.concatenate(read_arrays(layer, path), axis=None).tolist()
                  for name, layer in layers_in(file, path).items()}  # fmt: skip
        return values, file.attrs["wadlib_config"]


@pytest.mark.parametrize("compact", [False, True])
def test_the_mean_by_hand(tmp_path, compact):
    files = [write(tmp_path / f"{value}.h5", value, -value, compact=compact) for value in (1, 2, 6)]
    average(files, tmp_path / "out.h5")
    values, config = read(tmp_path / "out.h5")
    assert values == {"conv": [3, 1], "rpn/a": [-3], "rpn/b": [-2]}
    assert config == "of 1.h5"
    average(files[1:2], tmp_path / "out.h5")
    assert read(tmp_path / "out.h5")[0] == read(files[1])[0]


def test_shares_by_hand(tmp_path):
    files = [write(tmp_path / f"{value}.h5", value, -value) for value in (1, 2, 6)]
    average(files, tmp_path / "out.h5", [1, 2, 1])
    assert read(tmp_path / "out.h5")[0] == {"conv": [11 / 4, 1], "rpn/a": [-11 / 4], "rpn/b": [-7 / 4]}
    kept = (tmp_path / "out.h5").read_bytes()
    for wrong in ([1, 2], [1, 2, 0], [1, 2, float("nan")]):
        with pytest.raises(WeightsError, match=r"share above 0 for each of 3 files, got \[1, 2"):
            average(files, tmp_path / "out.h5", wrong)
    assert (tmp_path / "out.h5").read_bytes() == kept


def test_a_mean_just_below_a_quarter_is_rounded_to_a_quarter_in_a_compact_file(tmp_path):
    tiny, below = 2**-16, 1 / 4 - 2**-13  # after a tiny number HDF5 itself halves what it rounds up to a power of two
    for name, value in (("a", 1 / 4), ("b", below)):
        write_h5(tmp_path / name, {"conv": [("conv/kernel:0", np.array([[tiny, value]]))]}, {}, compact=True)
    average([tmp_path / "a", tmp_path / "b"], tmp_path / "out", [3, 1])
    with open_h5(tmp_path / "out") as file:
        (layer,) = layers_in(file, tmp_path / "out").values()
        assert np.ravel(read_arrays(layer, tmp_path / "out")).tolist() == [tiny, 1 / 4]


def test_files_that_do_not_fit(tmp_path):
    one, kept = write(tmp_path / "one.h5", 1), write(tmp_path / "out.h5", 7)
    other = tmp_path / "other.h5"
    write_h5(other, {"conv": [("conv/kernel:0", np.zeros((1, 3)))]}, {}, compact=False)
    before = kept.read_bytes()
    with pytest.raises(WeightsError, match=r"layer conv as in one.h5, \[\(1, 2\)\], got \[\(1, 3\)\] in other.h5"):
        average([one, other], kept)
    write_h5(other, {"conv": [("conv/kernel:0", np.zeros((1, 2)))]}, {}, compact=False)
    with pytest.raises(WeightsError, match=r"layer rpn/a as in one.h5, \[\(1,\)\], got None in other.h5"):
        average([one, other], kept)
    with pytest.raises(WeightsError, match="at least one file"):
        average([], kept)
    assert kept.read_bytes() == before


def test_the_last_epochs(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    for epoch, mean in ((1, 1), (2, 1.5), (3, 2.5)):
        save_epoch(run, epoch, write(tmp_path / "last.h5", epoch), 2)
        assert read(run / MEAN)[0]["rpn/a"] == [mean]
    save_epoch(run, 3, write(tmp_path / "last.h5", 4), 2)  # killed before the checkpoint was written: done again
    assert read(run / MEAN)[0]["rpn/a"] == [3]
    assert sorted(path.name for path in run.iterdir()) == ["epoch-0002.h5", "epoch-0003.h5", MEAN]
