"""16-bit grey PNG, the only kind that WAD's label files are; strict, and fast.

Decoding follows the PNG specification (RFC 2083): chunks with their check sums, one zlib stream,
then a filter per row. A label is nearly empty, so two things decide the speed: libdeflate inflates
several times faster than zlib, and undoing the filters is a few lines of compiled code.
"""

import struct
import zlib
from typing import Any, NamedTuple

import deflate
import numpy as np
import numpy.typing as npt

from wadlib._shared.compiled import jit

MAX_PIXELS = 100_000_000
"""Of any picture or label that is decoded, ten times a WAD frame: a small file can ask for all memory."""

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOUR_TYPES = {0: "grey", 2: "RGB", 3: "palette", 4: "grey with alpha", 6: "RGBA"}


class PngError(ValueError):
    """Not a sound 16-bit grey PNG; ``.found`` says in a few words what it is instead."""

    def __init__(self, found: str) -> None:
        super().__init__(found)
        self.found = found


class Header(NamedTuple):
    """What the IHDR chunk says: size in pixels, bits per channel, kind of colour."""

    height: int
    width: int
    bit_depth: int
    colour: str
    interlaced: bool


def read_header(data: bytes) -> Header:
    """Read size and kind of a PNG from its first 33 bytes.

    Raises
    ------
    PngError
        Empty, not a PNG, or cut off inside the header.
    """
    if not data:
        raise PngError("an empty file")
    if data != _SIGNATURE[: len(data)] and not data.startswith(_SIGNATURE):
        raise PngError("a JPEG" if data.startswith(b"\xff\xd8") else "something that is not a PNG")
    if len(data) < 33:
        raise PngError(f"a truncated file of {len(data)} bytes")
    length, kind = struct.unpack(">I4s", data[8:16])
    if kind != b"IHDR" or length != 13 or zlib.crc32(data[12:29]) != struct.unpack(">I", data[29:33])[0]:
        raise PngError("a damaged PNG header")
    width, height, depth, colour, _, _, interlace = struct.unpack(">IIBBBBB", data[16:29])
    if not width or not height:
        raise PngError(f"a PNG of {width}x{height} pixels")
    return Header(height, width, depth, _COLOUR_TYPES.get(colour, f"colour type {colour}"), bool(interlace))


def decode(data: bytes, window: tuple[slice, slice] | None = None) -> npt.NDArray[np.uint16]:
    """Decode a 16-bit grey PNG.

    Parameters
    ----------
    data : bytes
        The whole file.
    window : (rows, columns), optional
        Two slices with non-negative bounds and positive steps; the result is ``full[rows, columns]``
        without making the full array (the report's crop and stride in one go).

    Returns
    -------
    (H, W) uint16

    Raises
    ------
    PngError
        Any other kind of PNG (8-bit, RGB, palette, interlaced), a damaged or truncated one, or one with more than
        `MAX_PIXELS`.
    """
    header = read_header(data)
    if (header.bit_depth, header.colour) != (16, "grey"):
        raise PngError(f"{header.bit_depth}-bit {header.colour}")
    if header.interlaced:
        raise PngError("an interlaced PNG")
    rows, columns = window or (slice(None), slice(None))
    y, x = range(header.height)[rows], range(header.width)[columns]
    if y.step < 0 or x.step < 0:
        raise ValueError(f"decode: the steps of a window must be positive, got {window}")
    stream = _image_data(data)
    line = 1 + 2 * header.width  # a filter byte, then two bytes a pixel
    size = header.height * line
    if size > 1040 * len(stream):  # deflate shrinks to 1/1032 at most: do not ask for the memory
        raise PngError("a PNG with damaged image data")
    if header.height * header.width > MAX_PIXELS:
        raise PngError(f"a PNG of {header.width}x{header.height} pixels, more than {MAX_PIXELS:,}")
    try:
        raw = deflate.zlib_decompress(stream, size)
    except deflate.DeflateError as error:
        raise PngError("a PNG with damaged image data") from error
    if len(raw) != size:
        raise PngError(f"a PNG with {len(raw)} bytes of pixels where {size} belong")
    pixels = np.frombuffer(raw, np.uint8).reshape(header.height, line)
    if pixels[:, 0].max() > 4:
        raise PngError("a PNG with an unknown row filter")
    out = np.empty((len(y), len(x)), np.uint16)
    _unfilter(pixels, out, y.start, y.step, x.start, x.step)
    return out


def encode(label: npt.NDArray[np.uint16]) -> bytes:
    """Encode (H, W) uint16 as a 16-bit grey PNG.

    Every row is stored as its difference to the row above (filter "Up"): in a label nearly all of
    it is zero then, and a full-size label takes 25 kB.
    """
    height, width = label.shape
    pixels = np.ascontiguousarray(label, ">u2").view(np.uint8)  # PNG is big-endian
    lines = np.empty((height, 1 + 2 * width), np.uint8)
    lines[:, 0] = 2
    lines[0, 1:] = pixels[0]
    np.subtract(pixels[1:], pixels[:-1], out=lines[1:, 1:])
    # zlib and not libdeflate: files stay byte for byte what they were.
    return _file(height, width, zlib.compress(lines.data, 6))


def _file(height: int, width: int, stream: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 16, 0, 0, 0, 0)
    return b"".join([_SIGNATURE, _chunk(b"IHDR", header), _chunk(b"IDAT", stream), _chunk(b"IEND", b"")])


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _image_data(data: bytes) -> bytes:
    """The zlib stream: all IDAT chunks, each check sum verified (libdeflate would not)."""
    parts, at = [], len(_SIGNATURE)
    while at + 12 <= len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        body = memoryview(data)[at + 8 : at + 8 + length]
        end = at + 12 + length
        if end > len(data):
            break
        if zlib.crc32(body, zlib.crc32(kind)) != struct.unpack(">I", data[end - 4 : end])[0]:
            raise PngError(f"a PNG whose {kind.decode('latin-1')} chunk has a wrong check sum")
        if kind == b"IDAT":
            parts.append(body)
        if kind == b"IEND":
            if not parts:
                raise PngError("a PNG without image data")
            return b"".join(parts)
        at = end
    raise PngError(f"a truncated file of {len(data)} bytes")


@jit
def _unfilter(raw: Any, out: Any, y0: int, dy: int, x0: int, dx: int) -> None:
    """Undo the row filters of `raw` in place (RFC 2083, section 6); copy the window to `out`.

    `raw` is (H, 1 + 2W) uint8; the first byte of a row names its filter, 0 to 4.
    """
    height, line = raw.shape
    bytes_per_pixel = 2
    taken = 0
    above = np.zeros(line, np.uint8)
    changed = True  # since the last row that was copied to `out`
    for y in range(height):
        if taken == out.shape[0]:
            break  # nothing below the window can change it
        kind = raw[y, 0]
        row = raw[y]
        # A row of zeros under the filter Up is the row above.
        same = False
        if kind == 2:
            bits = np.uint8(0)
            for i in range(1, line):
                bits = np.uint8(bits | row[i])  # numba would go on with 64 bits, and take five times as long
            same = bits == 0
        if same:  # nearly every row of a label: equal to the one above, which stays in use
            row = above
        elif kind == 1:  # Sub: difference to the pixel on the left
            for i in range(1 + bytes_per_pixel, line):
                row[i] = row[i] + row[i - bytes_per_pixel]
        elif kind == 2:  # Up: difference to the pixel above
            for i in range(1, line):
                row[i] = row[i] + above[i]
        elif kind == 3:  # Average of both
            for i in range(1, line):
                left = row[i - bytes_per_pixel] if i > bytes_per_pixel else np.uint8(0)
                row[i] = row[i] + ((int(left) + int(above[i])) >> 1)
        elif kind == 4:  # Paeth: whichever of left, above and corner is nearest to left + above - corner
            for i in range(1, line):
                left = int(row[i - bytes_per_pixel]) if i > bytes_per_pixel else 0
                up = int(above[i])
                corner = int(above[i - bytes_per_pixel]) if i > bytes_per_pixel else 0
                guess = left + up - corner
                if abs(guess - left) <= abs(guess - up) and abs(guess - left) <= abs(guess - corner):
                    row[i] = row[i] + left
                elif abs(guess - up) <= abs(guess - corner):
                    row[i] = row[i] + up
                else:
                    row[i] = row[i] + corner
        above = row
        changed = changed or not same
        # Only rows and columns of the window leave here, two bytes to a code.
        if y >= y0 and (y - y0) % dy == 0:
            if changed:
                for j in range(out.shape[1]):
                    i = 1 + 2 * (x0 + j * dx)
                    out[taken, j] = (np.uint16(row[i]) << 8) | np.uint16(row[i + 1])
            else:
                out[taken] = out[taken - 1]
            taken += 1
            changed = False
