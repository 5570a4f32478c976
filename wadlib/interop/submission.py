"""The submission file of the Kaggle challenge (CVPR 2018 WAD Video Segmentation).

::

    ImageId,LabelId,Confidence,PixelCount,EncodedPixels
    0a1b…,33,0.98,26,81201 12|84585 14|

ImageId is the picture's file name without ``.jpg``, LabelId a WAD class id, and EncodedPixels the mask as
``start length|``, row by row and counted from 0, in pixels of the full frame. Readers go by the names in the
first line: the sample that Kaggle handed out had PixelCount before Confidence.
"""

from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from functools import partial
from pathlib import Path

import numpy as np

from wadlib._shared.fields import is_number, text_lines
from wadlib._shared.files import atomic_path
from wadlib._shared.parallel import map_labels
from wadlib._shared.words import one_of
from wadlib.errors import InstancesError
from wadlib.frames import FULL_SHAPE
from wadlib.instances import Instances, PredictionFolder, Runs
from wadlib.instances.reader import FramePrediction
from wadlib.interop.complete import check_frames
from wadlib.labels import BACKGROUND, IDS, INSTANCES_PER_CLASS

COLUMNS = ("ImageId", "LabelId", "Confidence", "PixelCount", "EncodedPixels")
"""The columns, in the order in which the challenge's page names them."""


def write_submission(
    prediction: str | Path,
    path: str | Path,
    *,
    image_ids: Mapping[str, str] | None = None,
    overlaps: str = "cut",
    missing: str = "error",
    full_frame: bool = True,
    workers: int | None = None,
    executor: Executor | None = None,
    progress: bool = True,
) -> int:
    """Write a folder of predictions as a submission.

    Parameters
    ----------
    prediction : folder
        ``PRED`` with ``label/`` and, for the scores, ``instances.json``. Predictions of any view of
        `wadlib.preprocess.VIEWS` are put back into the full frame.
    path : file to write
    image_ids : mapping, optional
        Frame name -> ImageId. Test frames need it, ``{f.name: f.image_path.stem for f in video.frames}``: Kaggle
        handed out their pictures under md5 names. By default the frame's name is its ImageId. All of these frames are
        to be submitted.
    overlaps : "cut" or "keep"
        "cut" gives a pixel to the instance with the highest score only, as most participants did (the challenge's own
        text on overlaps is no longer to be had); "keep" writes the masks as they are.
    missing : "error" or "empty"
        What to do about frames of `image_ids` without a prediction: raise, or submit nothing for them.
    full_frame : bool
        False writes the pixels of the predictions as they are, whatever they show.
    workers, executor, progress
        See `wadlib._shared.parallel.map_frames`; threads by default.

    Returns
    -------
    int
        How many instances were written. A frame in which nothing was found has no row.
    """
    one_of(overlaps, ("cut", "keep"), "write_submission: overlaps", InstancesError)
    folder = PredictionFolder.open(prediction)
    names = [_image_id(image_ids, name) and name for name in folder.names]
    check_frames("write_submission", names if image_ids is None else list(image_ids), names, missing)
    written = 0
    read = partial(_lines, cut=overlaps == "cut", full_frame=full_frame)
    pairs = [(_image_id(image_ids, name), folder.frame(name)) for name in folder.names]
    with atomic_path(path) as part, part.open("w", encoding="utf-8", newline="\n") as file:
        file.write(",".join(COLUMNS) + "\n")
        for _, lines in map_labels(read, pairs, "exporting", workers, executor, progress):
            file.writelines(lines)
            written += len(lines)
    return written


def read_submission(path: str | Path, shape: tuple[int, int] = FULL_SHAPE) -> Iterator[tuple[str, Instances]]:
    """Read a submission: ImageId and detections, image by image in the order of the file.

    Rows of one image must follow one another, as they do in every file that was written image by image.

    Raises
    ------
    InstancesError
        Another header; a row with an unknown class, a confidence that is no number, pixels outside of the
        frame, in the wrong order or not as many as PixelCount says; an image whose rows are not together.
    """
    path = Path(path)
    seen: set[str] = set()
    image, rows = "", list[tuple[int, float, Runs]]()
    header: list[str] = []
    try:
        for number, line in enumerate(text_lines(path), start=1):
            fields = [field.strip() for field in line.strip().split(",")]
            if number == 1:
                header = fields
                if sorted(header) != sorted(COLUMNS):
                    raise _bad(path, 1, f"expected the columns {', '.join(COLUMNS)}, got {', '.join(header)[:80]}")
                continue
            if fields == [""] or (fields[0] and not any(fields[1:])):
                continue  # an empty line, or an image in which nothing was found
            if len(fields) != len(header):
                raise _bad(path, number, f"expected {len(header)} fields, got {len(fields)}")
            row = dict(zip(header, fields, strict=True))
            if row["ImageId"] != image:
                if rows:
                    yield image, _detections(rows, shape)
                image, rows = row["ImageId"], []
                if image in seen:
                    raise _bad(path, number, f"the rows of image {image} are not together")
                seen.add(image)
            rows.append(_parse(path, number, row, shape))
    except (OSError, ValueError) as error:
        raise _bad(path, 1, f"cannot read it: {getattr(error, 'strerror', None) or error}") from error
    if not header:
        raise _bad(path, 1, "an empty file")
    if rows:
        yield image, _detections(rows, shape)


def without_overlaps(found: Instances) -> Instances:
    """Give each pixel to its instance with the highest score; instances of which nothing is left are taken out.

    Examples
    --------
    >>> masks = np.array([[[1, 1, 0]], [[0, 1, 1]]], bool)
    >>> without_overlaps(Instances.from_masks(masks, [33, 36], [0.6, 0.9])).masks.astype(int).tolist()
    [[[1, 0, 0]], [[0, 1, 1]]]
    """
    owner = np.full(found.shape, BACKGROUND, np.uint16)
    # Numbered like codes of a label, so that one scan takes them apart.
    numbers = np.arange(INSTANCES_PER_CLASS, INSTANCES_PER_CLASS + len(found), dtype=np.uint16)
    last_on_top = found.best_first[::-1]
    found.runs.take(last_on_top).paint(owner, numbers[last_on_top])
    left, runs = Runs.from_label(owner)
    left = left.astype(int) - INSTANCES_PER_CLASS
    return Instances(found.class_ids[left], found.scores[left], runs)


def _lines(pair: tuple[str, FramePrediction], cut: bool, full_frame: bool) -> list[str]:
    image_id, prediction = pair
    found = prediction.read()
    if cut:
        found = without_overlaps(found)
    return _rows(image_id, found.to_full_frame() if full_frame else found)


def _image_id(image_ids: Mapping[str, str] | None, name: str) -> str:
    image_id = name if image_ids is None else image_ids.get(name)
    if image_id is None:
        raise InstancesError(
            f"write_submission: there is no ImageId for frame {name}",
            cause="predictions of another dataset",
            fix="name the dataset whose frames were predicted",
        )
    if not image_id or image_id != image_id.strip() or any(sign in image_id for sign in ',"\r\n\0'):
        raise InstancesError(
            f"write_submission: expected an ImageId without commas, quotes and line ends, got {image_id!r}",
            cause="a picture with an unusual name",
            fix="rename the picture: commas divide the columns of the file",
        )
    return image_id


def _rows(name: str, found: Instances) -> list[str]:
    along_rows = found.runs.transposed()  # its runs go along this frame's rows
    lines = []
    for n, (class_id, score, area) in enumerate(
        zip(found.class_ids.tolist(), found.scores, along_rows.areas.tolist(), strict=True)
    ):
        runs = slice(along_rows.offsets[n], along_rows.offsets[n + 1])
        starts, lengths = along_rows.starts[runs], along_rows.ends[runs] - along_rows.starts[runs]
        pixels = "".join(f"{s} {k}|" for s, k in zip(starts.tolist(), lengths.tolist(), strict=True))
        if area:
            lines.append(f"{name},{class_id},{score},{area},{pixels}\n")
    return lines


def _parse(path: Path, number: int, row: dict[str, str], shape: tuple[int, int]) -> tuple[int, float, Runs]:
    try:
        class_id, count, score = int(row["LabelId"]), int(row["PixelCount"]), float(row["Confidence"])
        pairs = [pair.split() for pair in row["EncodedPixels"].split("|") if pair.strip()]
        runs = np.array([(int(start), int(length)) for start, length in pairs], np.int64).reshape(-1, 2)
    except (ValueError, OverflowError) as error:
        raise _bad(path, number, f"not a number: {str(error)[:80]}") from error
    if class_id not in IDS:
        raise _bad(path, number, f"unknown class {class_id}")
    if not is_number(score, -1e30, 1e30):
        raise _bad(path, number, f"the confidence is {row['Confidence']}")
    total = shape[0] * shape[1]
    runs_fit = bool(((runs >= 0) & (runs <= total)).all())  # before sums that could overflow
    starts, ends = runs[:, 0], runs.sum(axis=1)
    if (
        not runs_fit
        or (runs[:, 1] < 1).any()
        or (starts[1:] < ends[:-1]).any()
        or (runs.size and (starts[0] < 0 or ends[-1] > total))
    ):
        raise _bad(path, number, f"the pixels are out of order or outside of {shape[1]}x{shape[0]}")
    if runs[:, 1].sum() != count:
        raise _bad(path, number, f"PixelCount is {count}, the encoded pixels are {runs[:, 1].sum()}")
    if starts.size:  # runs that touch are one
        apart = starts[1:] != ends[:-1]
        starts, ends = starts[np.append(True, apart)], ends[np.append(apart, True)]
    mask = Runs((shape[1], shape[0]), starts, ends, np.array([0, starts.size], np.int64))
    return class_id, score, mask.transposed()


def _detections(rows: list[tuple[int, float, Runs]], shape: tuple[int, int]) -> Instances:
    class_ids, scores, masks = zip(*rows, strict=True)
    return Instances(np.array(class_ids), np.array(scores), Runs.concatenate(masks, shape))


def _bad(path: Path, number: int, what: str) -> InstancesError:
    return InstancesError(
        f"read_submission: {path.name}, line {number}: {what}",
        cause="another format, or a file that was edited or cut off",
        fix="one line per instance: " + ",".join(COLUMNS) + ", pixels as `start length|`, row by row from 0",
    )
