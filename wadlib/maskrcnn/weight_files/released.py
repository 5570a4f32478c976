"""Weights that can be had by name: COCO's from the internet, ours from the package."""

import os
from pathlib import Path

from wadlib.errors import WeightsError

COCO_URL = "https://github.com/matterport/Mask_RCNN/releases/download/v2.0/mask_rcnn_coco.h5"
"""The weights that the report began from; a ResNet-101's, see `wadlib.maskrcnn.weights.load`."""

COCO_MD5 = "e98aaff6f99e307b5e2a8a3ff741a518"

SHIPPED = ("rendered", "streets", "wild")
"""Files that come with wadlib; beside streets.h5 lies the licence under which it may be used."""

NAMES = ("coco", *SHIPPED)
"""What `fetch` knows."""


def fetch(name: str) -> Path:
    """Fetch the file of released weights.

    Parameters
    ----------
    name : "coco", "rendered", "streets" or "wild"
        "coco": trained on COCO by the authors of the original package, ResNet-101, 81 classes (`Config.coco`). The
        file (258 MB) is downloaded once, checked, and kept in ``WADLIB_CACHE`` (by default the user's cache folder).
        "rendered": trained on rendered videos (`Config.classroom`); comes with wadlib.
        "streets": the same network, trained on rendered and on Cityscapes' pictures; comes with wadlib, for research
        and teaching only (`licence_of`).
        "wild": from rendered pictures alone, too, wild and plain streets in strongly varied light: better on real
        streets than "rendered", and not as good on plain rendered ones; comes with wadlib.

    Raises
    ------
    WeightsError
        Another name, no connection, a damaged download, or no such file in this installation.
    """
    if name == "coco":
        return _coco(_cache() / "weights" / COCO_URL.rpartition("/")[2])
    if name in SHIPPED:
        path = Path(__file__).parents[1] / f"{name}.h5"
        if path.is_file():
            return path
        raise WeightsError(
            f"fetch: the weights {name!r} are not in this installation of wadlib",
            cause="a version of wadlib that does not ship them yet, or an incomplete installation",
            fix="train your own: `wadlib train maskrcnn ROOT --config classroom --out RUN`, and give the file from RUN",
        )
    raise WeightsError(
        f"fetch: expected one of {', '.join(NAMES)}, got {name!r}",
        cause="a typing slip",
        fix="use one of them, or the path of a file",
    )


def find(name_or_path: str | Path) -> Path:
    """Find a file of weights by its path, or by a name that `fetch` knows.

    Raises
    ------
    WeightsError
        Neither; or `fetch` could not have it.
    """
    path = Path(name_or_path)
    if path.is_file():
        return path
    if str(name_or_path) in NAMES:
        return fetch(str(name_or_path))
    found = "a folder" if path.is_dir() else "nothing"
    raise WeightsError(
        f"find: expected a file of weights or one of {', '.join(NAMES)}, got {found} at {str(name_or_path)!r}",
        cause="a slip in the path, or the folder of a training run in place of a file in it",
        fix="give the path of the .h5 file",
    )


def licence_of(path: Path) -> Path | None:
    """Find the licence that holds for a file of weights alone: the file with the ending ``.LICENCE.md`` beside it."""
    licence = path.with_suffix(".LICENCE.md")
    return licence if licence.is_file() else None


def _cache() -> Path:
    from platformdirs import user_cache_dir

    return Path(os.environ.get("WADLIB_CACHE") or user_cache_dir("wadlib"))


def _coco(path: Path) -> Path:
    import pooch
    from requests.exceptions import RequestException

    # A class room may have no network: each way to fail says what to do by hand.
    by_hand = f"download {COCO_URL} on a machine that can, and put it at {path.as_posix()}"
    download = pooch.HTTPDownloader(progressbar=not os.environ.get("TQDM_DISABLE"))
    try:
        pooch.retrieve(COCO_URL, f"md5:{COCO_MD5}", fname=path.name, path=path.parent, downloader=download)
    except RequestException as error:
        raise WeightsError(
            f"fetch: could not download {path.name}: {type(error).__name__}",
            cause="no connection to the internet, or a proxy in between",
            fix=by_hand,
        ) from error
    except ValueError as error:  # pooch's word for another check sum
        raise WeightsError(
            f"fetch: {path.name} does not have the md5 {COCO_MD5}",
            cause="a download that was cut off, or a page of a proxy in place of the file",
            fix=f"try again later; or {by_hand}",
        ) from error
    except OSError as error:
        raise WeightsError(
            f"fetch: could not write {path.as_posix()}: {error.strerror or error}",
            cause="the disk is full, or this user may not write there",
            fix="set WADLIB_CACHE to a folder of yours",
        ) from error
    return path
