"""A small street for the viewer's tests: every number in it can be worked out by hand.

Frame f (320x240): car 33001 of 40x20 pixels at (100, 40 + 2f); person 36000 of 10x30 at (150, 200); bus 39000 of
60x40 at (60, 240), which nobody predicts; an IGNORE patch of 20x20 at (10, 10). Predicted: car 33007, the true one 4
pixels to the right (IoU 36/44, score 0.9); person 36000 exactly (score 0.6); car 33008 of 30x15 at (200, 20), which
is not there (score 0.3).
"""

import numpy as np

HEIGHT, WIDTH = 240, 320
SCORES = {33007: 0.9, 36000: 0.6, 33008: 0.3}


def picture(f):
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    image = np.stack([90 + x // 4, 110 + y // 4, np.full_like(x, 120)], axis=2).astype(np.uint8)
    image[100:120, 40 + 2 * f : 80 + 2 * f] = (180, 40, 40)
    image[150:180, 200:210] = (240, 220, 180)
    image[60:100, 240:300] = (230, 200, 40)
    return image


def truth(f):
    label = np.full((HEIGHT, WIDTH), 255, np.uint16)
    label[100:120, 40 + 2 * f : 80 + 2 * f] = 33001
    label[150:180, 200:210] = 36000
    label[60:100, 240:300] = 39000
    label[10:30, 10:30] = 65535
    return label


def prediction(f):
    label = np.full((HEIGHT, WIDTH), 255, np.uint16)
    label[100:120, 44 + 2 * f : 84 + 2 * f] = 33007
    label[150:180, 200:210] = 36000
    label[200:215, 20:50] = 33008
    return label


class Broken(list):
    """A video whose frame number 5 cannot be read."""

    def __getitem__(self, f):
        if f == 5:
            raise OSError("disk <b>error</b>")
        return super().__getitem__(f)


def video(count=40, broken=True):
    return (Broken if broken else list)(picture(f) for f in range(count))


def arguments(count=40, broken=True):
    """Keyword arguments of MaskViewer."""
    return {
        "frames": video(count, broken),
        "truth": [truth(f) for f in range(count)],
        "prediction": [prediction(f) for f in range(count)],
        "scores": [SCORES] * count,
        "title": "a street",
    }
