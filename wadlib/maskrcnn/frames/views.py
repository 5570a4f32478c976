"""What part of a picture a network sees, where it lies in its input, and how boxes come back.

A WAD frame of 3384x2710 pixels is too large for a network. `Config.view` says what is shown of it, by the table
`wadlib.preprocess.VIEWS`:

- ``"report"``: rows 75 to 2634 and columns 28 to 3355 at a quarter of the resolution (section 4.2): 832x640;
- ``"strip"``: rows 1536 to 2303 of the same columns at half the resolution: 1664x384. Nearly all objects lie in rows
  1560 to 2279, and there each has four times as many pixels as in the report's view;
- ``"whole"``: everything, scaled down to fit.

Any other picture is shown whole. Whatever was shown, boxes and masks come back in the pixels of the picture itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from wadlib.dataset.camera import WAD_CAMERA, Camera, fit
from wadlib.errors import ImageError
from wadlib.frames import FULL_SHAPE
from wadlib.maskrcnn.config import Config
from wadlib.maskrcnn.network import boxes
from wadlib.preprocess import NETWORK_SHAPE, NETWORK_VIEWS, VIEWS, view_of

Region = tuple[int, int, int, int]


def config_for_view(view: str, config: Config) -> Config:
    """Describe the same network for another view of the frame, with anchors as large on the road as before.

    Parameters
    ----------
    view : "report" or "strip"

    Raises
    ------
    ImageError
        A view whose scale depends on the picture: "whole", before or after.

    Examples
    --------
    >>> strip = config_for_view("strip", Config.report())
    >>> strip.image_shape, strip.anchor_scales
    ((384, 1664), (16.0, 32.0, 64.0, 128.0, 256.0))
    """
    for each in (view, config.view):
        if each not in NETWORK_VIEWS:
            raise ImageError(
                f"config_for_view: expected one of the views {', '.join(NETWORK_VIEWS)}, got {each!r}",
                cause="a view without a scale of its own, so that nobody knows how large an anchor is",
                fix="begin with Config.report() or Config.classroom()",
            )
    before, after = VIEWS[config.view], VIEWS[view]
    scales = tuple(scale * before.factor / after.factor for scale in config.anchor_scales)
    return config.replace(view=view, image_shape=after.shape, anchor_scales=scales)


@dataclass(frozen=True)
class Placement:
    """Which part of a picture fills which window of the network's input.

    Attributes
    ----------
    picture_shape : (height, width)
        Of the picture, in whose pixels boxes come back.
    region : y1, x1, y2, x2
        The part of the picture that is shown, in its pixels, half-open.
    window : y1, x1, y2, x2
        Where that part lies in the input, in pixels; the rest of the input is padding.
    image_shape : (height, width)
        Of the network's input.
    """

    picture_shape: tuple[int, int]
    region: Region
    window: Region
    image_shape: tuple[int, int]

    @classmethod
    def of(cls, picture_shape: tuple[int, int], config: Config, camera: Camera | None = None) -> Placement:
        """Place a picture of `picture_shape` in the input of the network that `config` describes.

        The shown part is scaled down to fit, never up, and lies in the middle of the padding, as with the original.
        (A 832x640 frame shown to a network for the strip is the exception: there the strip is scaled up.) Where the
        `camera` of another dataset is known, an object is shown as large, and where, as in WAD.

        Examples
        --------
        >>> Placement.of((2710, 3384), Config.report()).scale
        (0.25, 0.25)
        >>> Placement.of((600, 800), Config.report()).window
        (20, 16, 620, 816)
        """
        height, width = (int(side) for side in picture_shape[:2])
        if height < 1 or width < 1:
            raise ImageError(
                f"Placement: expected a picture of at least 1x1 pixel, got {width}x{height}",
                cause="an empty crop",
                fix="leave this picture out",
            )
        if camera is not None and camera != WAD_CAMERA and config.view in VIEWS:
            view = VIEWS[config.view]
            if view.shape == config.image_shape:
                return cls((height, width), *fit((height, width), camera, view))
        region, may_grow = _region((height, width), config.view)
        rows, columns = region[2] - region[0], region[3] - region[1]
        scale = min(config.image_shape[0] / rows, config.image_shape[1] / columns)
        if not may_grow:
            scale = min(scale, 1.0)
        seen = max(1, round(rows * scale)), max(1, round(columns * scale))
        top, left = (config.image_shape[0] - seen[0]) // 2, (config.image_shape[1] - seen[1]) // 2
        return cls((height, width), region, (top, left, top + seen[0], left + seen[1]), config.image_shape)

    @property
    def scale(self) -> tuple[float, float]:
        """Pixels of the input per pixel of the picture, along y and x."""
        (y1, x1, y2, x2), (top, left, bottom, right) = self.region, self.window
        return (bottom - top) / (y2 - y1), (right - left) / (x2 - x1)

    @property
    def normalized_window(self) -> npt.NDArray[np.float32]:
        """The window as the network wants it, (4,) float32: detections are cut to it."""
        return np.asarray(boxes.normalize(np.array(self.window), self.image_shape), np.float32)

    def to_picture(self, normalized: npt.NDArray[np.float32]) -> npt.NDArray[np.int32]:
        """Bring boxes of the network (N, 4), normalised, to whole pixels of the picture, inside the shown part.

        They are scaled as points are. The original package stretches by ``(H - 1) / (h - 1)`` instead: equal where
        nothing is scaled, but 3 pixels too small in height and width where a pixel of the input is 4 of the picture.
        """
        in_input = np.asarray(boxes.denormalize(normalized, self.image_shape), np.float64).reshape(-1, 4)
        y1, x1, y2, x2 = self.region
        corner, origin, scale = np.array(self.window[:2] * 2), np.array([y1, x1, y1, x1]), np.array(self.scale * 2)
        pixels = np.around((in_input - corner) / scale + origin)
        return np.clip(pixels, [y1, x1, y1, x1], [y2, x2, y2, x2]).astype(np.int32)

    def window_of(self, column: int, columns: int) -> Placement:
        """Take the part of the input from `column` on, `columns` wide, as the input of a network of that width.

        Examples
        --------
        >>> half = Placement.of((384, 1664), Config.classroom()).window_of(832, 832)
        >>> half.region, half.window
        ((0, 832, 384, 1664), (0, 0, 384, 832))
        """
        top, left, bottom, right = self.window
        y1, x1, y2, _ = self.region
        seen = max(left, column), min(right, column + columns)
        if seen[0] >= seen[1]:  # nothing but padding
            seen = (left, left + 1) if column < left else (right - 1, right)
            column = seen[0]
        start, end = (x1 + round((edge - left) / self.scale[1]) for edge in seen)
        window = (top, seen[0] - column, bottom, seen[1] - column)
        return replace(self, region=(y1, start, y2, end), window=window, image_shape=(self.image_shape[0], columns))

    def scaled(self, scale: float) -> Placement:
        """Show the same part larger or smaller, in the middle of an input whose sides are multiples of 64.

        Examples
        --------
        >>> larger = Placement.of((384, 1664), Config.classroom()).scaled(1.25)
        >>> larger.window, larger.image_shape
        ((16, 16, 496, 2096), (512, 2112))
        """
        seen = [round(side * scale) for side in self.image_shape]
        shape = -(-seen[0] // 64) * 64, -(-seen[1] // 64) * 64
        top, left = (shape[0] - seen[0]) // 2, (shape[1] - seen[1]) // 2
        y1, x1, y2, x2 = (round(edge * scale) for edge in self.window)
        window = top + y1, left + x1, top + max(y2, y1 + 1), left + max(x2, x1 + 1)
        return replace(self, window=window, image_shape=shape)

    def carry(self, normalized: npt.NDArray[np.float32], other: Placement) -> npt.NDArray[np.float32]:
        """Bring boxes of this input (N, 4), normalised, to the input of another placement of the same part."""
        corner, there = np.array(self.window[:2] * 2), np.array(other.window[:2] * 2)
        pixels = np.asarray(boxes.denormalize(normalized, self.image_shape), np.float64).reshape(-1, 4)
        moved = (pixels - corner) / np.array(self.scale * 2) * np.array(other.scale * 2) + there
        return np.asarray(boxes.normalize(moved, other.image_shape), np.float32)

    def in_full_frame(self) -> Placement:
        """Place the same part of a frame, with boxes in the pixels of the full 3384x2710 frame.

        Raises
        ------
        ImageError
            A picture that is no known part of a frame.
        """
        view = view_of(self.picture_shape, "in_full_frame: expected")
        y1, x1, y2, x2 = view.boxes_to_full_frame([self.region])[0].astype(int).tolist()
        return replace(self, picture_shape=FULL_SHAPE, region=(y1, x1, y2, x2))

    def to_input(self, pixels: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Bring boxes (N, 4) of the picture to pixels of the input, cut to the window; not rounded.

        A box outside the shown part becomes an empty one on its border.
        """
        y1, x1, _, _ = self.region
        scale, corner = np.array(self.scale * 2), np.array(self.window[:2] * 2)
        placed = (np.asarray(pixels, np.float64).reshape(-1, 4) - [y1, x1, y1, x1]) * scale + corner
        return np.asarray(boxes.clip(placed, np.array(self.window)), np.float32)


def _region(shape: tuple[int, int], view: str) -> tuple[Region, bool]:
    """The part of a picture that is shown, and whether it may be scaled up."""
    if shape == FULL_SHAPE and view in VIEWS:
        return VIEWS[view].region, False
    if shape == NETWORK_SHAPE and view == "strip":
        # To the nearest pixel: the strip begins a quarter of one below row 365.
        report, strip = VIEWS["report"], VIEWS["strip"]
        top, bottom = (round((row - report.rows[0]) / report.factor) for row in strip.rows)
        left, right = (round((column - report.columns[0]) / report.factor) for column in strip.columns)
        return (top, left, bottom, right), True
    return (0, 0, *shape), False
