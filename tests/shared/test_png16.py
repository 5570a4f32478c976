"""The decoder against OpenCV's decoder, and every kind of file that is no label."""

from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wadlib._shared import png16
from wadlib._shared.png16 import PngError

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width, height, raw, *, depth=16, colour=0, interlace=0, extra=b"", parts=1):
    """A PNG of filtered rows `raw`, in `parts` IDAT chunks."""
    stream = zlib.compress(raw)
    step = -(-len(stream) // parts)
    data = b"".join(chunk(b"IDAT", stream[i : i + step]) for i in range(0, len(stream), step))
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    return SIGNATURE + chunk(b"IHDR", header) + extra + data + chunk(b"IEND", b"")


def filtered(label, kinds):
    """Rows of `label` with the filters `kinds` applied: RFC 2083, section 6, byte by byte."""
    height, width = label.shape
    rows = label.astype(">u2").view(np.uint8).astype(int)
    lines = []
    for y in range(height):
        up = rows[y - 1] if y else np.zeros(2 * width, int)
        left = np.concatenate([[0, 0], rows[y][:-2]])
        corner = np.concatenate([[0, 0], up[:-2]])
        guess = left + up - corner
        pa, pb, pc = abs(guess - left), abs(guess - up), abs(guess - corner)
        paeth = np.where((pa <= pb) & (pa <= pc), left, np.where(pb <= pc, up, corner))
        prediction = [0 * up, left, up, (left + up) // 2, paeth][kinds[y]]
        lines.append(bytes([kinds[y]]) + ((rows[y] - prediction) % 256).astype(np.uint8).tobytes())
    return b"".join(lines)


def random_label(rng, height, width):
    """Noise, a few runs, and rows equal to the one above, as in labels."""
    label = rng.integers(0, 65536, (height, width)).astype(np.uint16)
    if rng.random() < 0.5:
        label[:] = np.repeat(label[:, ::4], 4, axis=1)[:, :width]
    for y in range(1, height):
        if rng.random() < 0.5:
            label[y] = label[y - 1]
    return label


@pytest.mark.parametrize("kind", [0, 1, 2, 3, 4])
def test_each_row_filter(kind):
    label = random_label(np.random.default_rng(kind), 9, 13)
    data = png(13, 9, filtered(label, [kind] * 9))
    assert (cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) == label).all()
    decoded = png16.decode(data)
    assert decoded.dtype == np.uint16
    assert decoded.tolist() == label.tolist()


windows = st.tuples(st.integers(0, 25), st.integers(0, 25), st.integers(1, 6)).map(lambda t: slice(*t))


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    rows=windows,
    columns=windows,
)
def test_any_mixture_of_filters_and_any_window(seed, size, rows, columns):
    rng = np.random.default_rng(seed)
    label = random_label(rng, *size)
    data = png(size[1], size[0], filtered(label, rng.integers(0, 5, size[0]).tolist()), parts=1 + seed % 3)
    assert (png16.decode(data) == label).all()
    cut = png16.decode(data, (rows, columns))
    assert cut.shape == label[rows, columns].shape
    assert (cut == label[rows, columns]).all()


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), size=st.tuples(st.integers(1, 20), st.integers(1, 20)))
def test_other_programs_read_what_we_write(seed, size):
    label = random_label(np.random.default_rng(seed), *size)
    data = png16.encode(label)
    assert (cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) == label).all()
    assert (png16.decode(data) == label).all()
    assert png16.read_header(data) == (*size, 16, "grey", False)


def test_a_strided_array_is_written_right():
    label = np.arange(48, dtype=np.uint16).reshape(6, 8)
    for view in (label[::2, ::2], label.T, label[:, ::-1]):
        assert png16.decode(png16.encode(view)).tolist() == view.tolist()


def test_negative_bounds_are_python_s_and_negative_steps_are_refused():
    label = np.arange(48, dtype=np.uint16).reshape(6, 8)
    data = png16.encode(label)
    assert png16.decode(data, (slice(1, -1, 2), slice(-5, None))).tolist() == label[1:-1:2, -5:].tolist()
    with pytest.raises(ValueError, match="steps of a window must be positive"):
        png16.decode(data, (slice(None, None, -1), slice(None)))


def test_chunks_that_do_not_matter():
    label = np.arange(6, dtype=np.uint16).reshape(2, 3)
    extra = chunk(b"tEXt", b"Comment\0x") + chunk(b"gAMA", struct.pack(">I", 45455)) + chunk(b"tRNS", b"\0\1")
    data = png(3, 2, filtered(label, [0, 0]), extra=extra)
    assert png16.decode(data).tolist() == label.tolist()


LABEL = np.full((20, 30), 255, np.uint16)
LABEL[5:9, 5:9] = 33001


def encoded(array):
    return cv2.imencode(".png", array)[1].tobytes()


BAD = {
    "empty": (b"", "an empty file"),
    "three bytes": (SIGNATURE[:3], "a truncated file of 3 bytes"),
    "a JPEG": (cv2.imencode(".jpg", np.zeros((8, 8), np.uint8))[1].tobytes(), "a JPEG"),
    "text": (b"not a picture at all", "not a PNG"),
    "8-bit": (encoded(LABEL.astype(np.uint8)), "8-bit grey"),
    "8-bit RGB": (encoded(np.zeros((20, 30, 3), np.uint8)), "8-bit RGB"),
    "16-bit RGB": (encoded(np.zeros((20, 30, 3), np.uint16)), "16-bit RGB"),
    "palette": (
        png(8, 1, b"\0" + bytes(8), depth=8, colour=3, extra=chunk(b"PLTE", bytes(3))), "8-bit palette",
    ),
    "grey with alpha": (png(2, 1, b"\0" + bytes(8), colour=4), "16-bit grey with alpha"),
    "interlaced": (png(1, 1, b"\0\0\0", interlace=1), "interlaced"),
    "no pixels": (png(0, 1, b"\0"), "a PNG of 0x1 pixels"),
    "unknown colour type": (png(1, 1, b"\0\0\0", colour=5), "colour type 5"),
    "unknown filter": (png(1, 2, b"\0\0\1\5\0\0"), "unknown row filter"),
    "too few pixels": (png(3, 3, bytes(7)), "bytes of pixels where 21 belong|damaged image data"),
    "too many pixels": (png(1, 1, bytes(7)), "damaged image data"),
    "billions of pixels": (png(2**31 - 1, 2**31 - 1, bytes(7)), "damaged image data"),
    "no image data": (SIGNATURE + chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 16, 0, 0, 0, 0)) + chunk(b"IEND", b""),
        "without image data"),
    "no zlib stream": (
        SIGNATURE + chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 16, 0, 0, 0, 0)) + chunk(b"IDAT", b"junk")
        + chunk(b"IEND", b""), "damaged image data",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_label(name):
    data, found = BAD[name]
    with pytest.raises(PngError, match=found):
        png16.decode(data)


def test_truncated_anywhere():
    data = png16.encode(LABEL)
    for length in range(1, len(data)):
        with pytest.raises(PngError, match="truncated"):
            png16.decode(data[:length])


def test_any_damaged_byte_is_noticed():
    data = png16.encode(LABEL)
    for at in range(8, len(data)):
        damaged = bytearray(data)
        damaged[at] ^= 0x10
        with pytest.raises(PngError):
            png16.decode(bytes(damaged))
