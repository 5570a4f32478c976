r"""Name the folders and files of the Kaggle layout, in one place.

::

    ROOT/train_color/<frame>.jpg
    ROOT/train_label/<frame>_instanceIds.png
    ROOT/train_video_list/<video>_image_list_train.txt
    ROOT/test/<md5>.jpg
    ROOT/test_video_list_and_name_mapping/list_test/<video>_image_list_test.txt
    ROOT/test_video_list_and_name_mapping/list_test_mapping/md5_mapping_<video>_image_list_test.txt
"""

import re

TRAIN_IMAGES, TRAIN_LABELS, TRAIN_LISTS = "train_color", "train_label", "train_video_list"
TEST_IMAGES, TEST_LISTS = "test", "test_video_list_and_name_mapping"
FOLDERS = (TRAIN_IMAGES, TRAIN_LABELS, TRAIN_LISTS, TEST_IMAGES, TEST_LISTS)

IMAGE_SUFFIXES = (".jpg", ".jpeg")
LABEL_SUFFIX = "_instanceIds.png"
"""What follows the name of the frame in the name of its label file."""

_LISTS, _MAPPINGS, _MAPPING = "list_test", "list_test_mapping", "md5_mapping_"


def frame_of(name: str, suffixes: tuple[str, ...]) -> str | None:
    """Take one of the suffixes, in any case, off the name of a file; None if it has none of them.

    The one rule for names, wherever files are paired with frames: what is left is compared as it is.

    Examples
    --------
    >>> frame_of("a.JPG", IMAGE_SUFFIXES), frame_of("a_instanceIds.PNG", (LABEL_SUFFIX,)), frame_of("a.gif", (".jpg",))
    ('a', 'a', None)
    """
    for suffix in suffixes:
        if name.endswith(suffix) or name.lower().endswith(suffix.lower()):
            return name[: -len(suffix)]
    return None


def train_list_file(video: str) -> str:
    """Name the list of a training video, below ROOT."""
    return f"{TRAIN_LISTS}/{video}_image_list_train.txt"


def test_list_file(video: str) -> str:
    """Name the list of a test video, below ROOT."""
    return f"{TEST_LISTS}/{_LISTS}/{video}_image_list_test.txt"


def mapping_file(video: str) -> str:
    """Name the file with the md5 names of a test video, below ROOT."""
    return f"{TEST_LISTS}/{_MAPPINGS}/{_MAPPING}{video}_image_list_test.txt"


def is_mapping(path: str) -> bool:
    """Tell a mapping file from a list by its name or its folder.

    Examples
    --------
    >>> is_mapping(mapping_file("road01_cam_5_video_1")), is_mapping(test_list_file("road01_cam_5_video_1"))
    (True, False)
    """
    *folders, name = path.split("/")
    return name.startswith(_MAPPING) or folders[-1:] == [_MAPPINGS]


def video_of(path: str) -> str:
    """Name the video that a list or mapping file is about.

    Examples
    --------
    >>> video_of("train_video_list/road01_cam_5_video_2_image_list_train.txt")
    'road01_cam_5_video_2'
    >>> video_of("md5_mapping_road01_cam_5_video_1_image_list_test.txt")
    'road01_cam_5_video_1'
    """
    name = path.rpartition("/")[2].removesuffix(".txt").removeprefix(_MAPPING)
    return re.sub(r"_image_list_(train|test)$", "", name)
