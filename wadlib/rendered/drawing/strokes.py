"""Writing without a font: characters made of a few straight strokes, and lines of small print.

Nobody can read them, and nobody has to: for a network, a banner is large dark strokes on a bright ground.
"""

import numpy as np
import numpy.typing as npt

Box = tuple[float, float, float, float]
"""Left, low, right, high."""
STEPS = np.array([0.1, 0.3, 0.5, 0.7, 0.9])


def stroke(start: npt.ArrayLike, end: npt.ArrayLike, thickness: float) -> npt.NDArray[np.float64]:
    """Make the (4, 2) corners of a straight stroke with square ends.

    Examples
    --------
    >>> stroke((0, 0), (2, 0), 1).tolist()
    [[0.0, -0.5], [2.0, -0.5], [2.0, 0.5], [0.0, 0.5]]
    """
    a, b = np.asarray(start, float), np.asarray(end, float)
    along = (b - a) / np.linalg.norm(b - a)
    aside = 0.5 * thickness * np.array([-along[1], along[0]])
    return np.stack([a - aside, b - aside, b + aside, a + aside])


def glyph(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Draw one character in the unit square: (K, 4, 2) corners of 4 to 11 strokes, as in Chinese characters."""
    thick = float(rng.uniform(0.08, 0.13))
    strokes = []
    for number, height in enumerate(rng.choice(STEPS, int(rng.integers(2, 5)), replace=False)):
        # One reaches from side to side: characters fill their squares.
        low, high = sorted(rng.choice(STEPS, 2, replace=False)) if number else STEPS[[0, -1]]
        strokes.append(stroke((low - 0.06, height), (high + 0.06, height), thick))
    for number, aside in enumerate(rng.choice(STEPS, int(rng.integers(2, 5)), replace=False)):
        low, high = sorted(rng.choice(STEPS, 2, replace=False)) if number else STEPS[[0, -1]]
        strokes.append(stroke((aside, low - 0.06), (aside, high + 0.06), thick))
    if rng.uniform() < 0.5:  # two legs that part, as in the character for a person
        top, middle = float(rng.uniform(0.5, 0.8)), float(rng.uniform(0.4, 0.6))
        strokes.append(stroke((middle, top), (0.1, 0.08), thick))
        strokes.append(stroke((middle, top), (0.9, 0.08), thick))
    if rng.uniform() < 0.4:  # a dot
        x, y = rng.uniform(0.2, 0.8, 2)
        strokes.append(stroke((x, y), (x + 0.1, y - 0.12), thick))
    return np.clip(np.stack(strokes), 0.0, 1.0)


def writing(rng: np.random.Generator, count: int, box: Box) -> npt.NDArray[np.float64]:
    """Write `count` characters into a box, from left to right, or downwards if the box is tall.

    Returns
    -------
    (N, 4, 2) corners in the box's unit; the characters are square and as large as fits.
    """
    left, low, right, high = box
    tall = high - low > right - left
    length, breadth = (high - low, right - left) if tall else (right - left, high - low)
    pitch = length / count
    size = 0.88 * min(pitch, breadth)
    quads = []
    for place in range(count):
        along, across = (place + 0.5) * pitch - 0.5 * size, 0.5 * (breadth - size)
        corner = (left + across, high - along - size) if tall else (left + along, low + across)
        quads.append(glyph(rng) * size + corner)
    return np.concatenate(quads)


def small_print(rng: np.random.Generator, lines: int, box: Box) -> npt.NDArray[np.float64]:
    """Fill a box with lines of small print: (N, 4, 2) corners of one bar for each word."""
    left, low, right, high = box
    pitch = (high - low) / lines
    quads = []
    for line in range(lines):
        y, x = high - (line + 0.5) * pitch, left
        end = left + (right - left) * float(rng.uniform(0.6, 1.0))
        while x < end:
            word = min(float(rng.uniform(0.08, 0.3)) * (right - left), end - x)
            quads.append(stroke((x, y), (x + word, y), 0.5 * pitch))
            x += word + 0.05 * (right - left)
    return np.stack(quads)
