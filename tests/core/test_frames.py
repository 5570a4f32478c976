from __future__ import annotations

import os
import struct
import zlib

import cv2
import numpy as np
import pytest

from wadlib import frames
from wadlib.errors import ImageError, LabelError, StorageError
from wadlib.frames import FULL_SHAPE, read_image, read_label, write_image, write_label

LABEL = np.full((20, 30), 255, np.uint16)
LABEL[5:9, 5:9] = 33001
LABEL[0, 0] = 65535


def picture():
    y, x = np.mgrid[:48, :64]
    return np.stack([4 * x, 4 * y, 128 + 0 * x], axis=2).clip(0, 255).astype(np.uint8)


def test_label_there_and_back(tmp_path):
    path = tmp_path / "a_instanceIds.png"
    write_label(path, LABEL)
    assert (read_label(path) == LABEL).all()
    assert (read_label(str(path), shape=(20, 30)) == LABEL).all()
    assert (read_label(path, window=(slice(4, 12, 2), slice(0, 10))) == LABEL[4:12:2, :10]).all()
    assert (cv2.imread(str(path), cv2.IMREAD_UNCHANGED) == LABEL).all()


BAD_LABELS = {
    "8-bit": (LABEL.astype(np.uint8), r"got 8-bit grey \(\w+/a_instanceIds.png\)[\s\S]*image editor[\s\S]*Fix"),
    "8-bit RGB": (np.zeros((20, 30, 3), np.uint8), r"got 8-bit RGB .*[\s\S]*a coloured picture of the labels"),
    "16-bit RGB": (np.zeros((20, 30, 3), np.uint16), r"got 16-bit RGB .*[\s\S]*a coloured picture of the labels"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_LABELS)
def test_labels_of_another_kind(tmp_path, name):
    array, message = BAD_LABELS[name]
    path = tmp_path / "a_instanceIds.png"
    cv2.imwrite(str(path), array)
    with pytest.raises(LabelError, match=f"expected a 16-bit grey PNG, {message}"):
        read_label(path)


def test_palette_label(tmp_path):
    from PIL import Image

    path = tmp_path / "a_instanceIds.png"
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).convert("P").save(path)
    with pytest.raises(LabelError, match=r"got 8-bit palette[\s\S]*saved with a colour palette"):
        read_label(path)


def test_wrong_size_label(tmp_path):
    write_label(tmp_path / "a.png", LABEL)
    with pytest.raises(LabelError, match=r"expected 3384x2710 pixels, got 30x20 .*a.png"):
        read_label(tmp_path / "a.png", shape=FULL_SHAPE)


def test_label_missing_empty_or_truncated(tmp_path):
    path = tmp_path / "a.png"
    with pytest.raises(LabelError, match=r"cannot read .*a.png: No such file[\s\S]*the file is missing"):
        read_label(path)
    path.write_bytes(b"")
    with pytest.raises(LabelError, match="got an empty file"):
        read_label(path)
    write_label(path, LABEL)
    whole = path.read_bytes()
    for tenth in range(1, 10):
        path.write_bytes(whole[: len(whole) * tenth // 10])
        with pytest.raises(LabelError, match=r"got a truncated file of \d+ bytes[\s\S]*cut off"):
            read_label(path)


@pytest.mark.parametrize("bad", [LABEL.astype(np.int32), LABEL[None], np.empty((0, 3), np.uint16)])
def test_write_label_refuses(tmp_path, bad):
    with pytest.raises(LabelError, match=r"write_label: expected a \(H, W\) uint16 array"):
        write_label(tmp_path / "a.png", bad)
    assert [path.name for path in tmp_path.iterdir()] == []


def test_picture_there_and_back(tmp_path):
    write_image(tmp_path / "a.jpg", picture(), quality=95)
    image = read_image(tmp_path / "a.jpg")
    assert image.shape == (48, 64, 3)
    assert image.dtype == np.uint8
    assert np.abs(image.astype(int) - picture()).mean() < 2  # RGB, and not BGR


def test_png_picture(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), picture()[:, :, ::-1])
    assert (read_image(tmp_path / "a.png") == picture()).all()


def test_picture_missing_empty_or_truncated(tmp_path):
    path = tmp_path / "a.jpg"
    with pytest.raises(ImageError, match=r"read_image: cannot read .*a.jpg[\s\S]*the file is missing"):
        read_image(path)
    for data, what in ((b"", "an empty file"), (b"text", "4 bytes that do not decode")):
        path.write_bytes(data)
        with pytest.raises(ImageError, match=f"expected a JPEG picture, got {what}"):
            read_image(path)
    write_image(path, picture())
    whole = path.read_bytes()
    for tenth in range(1, 10):
        path.write_bytes(whole[: len(whole) * tenth // 10])
        with pytest.raises(ImageError, match="bytes that do not decode"):
            read_image(path)


@pytest.mark.parametrize("bad", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3))])
def test_write_image_refuses(tmp_path, bad):
    with pytest.raises(ImageError, match=r"write_image: expected a \(H, W, 3\) uint8 array"):
        write_image(tmp_path / "a.jpg", bad)
    assert [path.name for path in tmp_path.iterdir()] == []


def test_writing_where_there_is_no_folder(tmp_path):
    with pytest.raises(StorageError, match="the folder does not exist"):
        write_label(tmp_path / "no" / "a.png", LABEL)


def test_no_permission_to_read(tmp_path, monkeypatch):
    def refuse(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(frames, "read_bytes", refuse)
    with pytest.raises(LabelError, match=r"Permission denied[\s\S]*its access rights"):
        read_label(tmp_path / "a.png")


def test_real_frame(wad_sample):
    image = sorted((wad_sample / "train_color").glob("*.jpg"))[0]
    label = wad_sample / "train_label" / f"{image.stem}_instanceIds.png"
    assert read_image(image).shape == (*FULL_SHAPE, 3)
    ours = read_label(label, shape=FULL_SHAPE)
    assert (ours == cv2.imread(str(label), cv2.IMREAD_UNCHANGED)).all()
    assert {255} < set(np.unique(ours).tolist())


def header_of_png(width, height):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compress(bytes(1000))
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def header_of_jpeg(width, height):
    data = bytearray(cv2.imencode(".jpg", np.zeros((8, 8, 3), np.uint8))[1].tobytes())
    at = data.find(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


@pytest.mark.parametrize(
    ("read", "data", "error"),
    [
        (read_label, header_of_png(40_000, 40_000), LabelError),
        (read_label, header_of_png(2**31 - 1, 1), LabelError),
        (read_image, header_of_jpeg(65_500, 65_500), ImageError),
        (read_image, header_of_jpeg(10_001, 10_000), ImageError),
    ],
    ids=["label", "wide label", "picture", "picture just too large"],
)
def test_pictures_that_are_too_large_are_refused_by_their_header(tmp_path, read, data, error):
    """629 bytes that ask for 12.9 GB."""
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(error, match=r"pixels, more than 100,000,000|damaged image data"):
        read(tmp_path / "a")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
@pytest.mark.parametrize(("read", "error"), [(read_label, LabelError), (read_image, ImageError)])
def test_a_pipe_is_not_waited_for(tmp_path, read, error):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(error, match="not a regular file"):
        read(tmp_path / "pipe")


def test_a_large_file_that_is_no_picture(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"GIF89a" + bytes(2_000_000))
    with pytest.raises(ImageError, match="expected a JPEG picture"):
        read_image(tmp_path / "a.jpg")
