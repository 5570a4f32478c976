"""Things to play with: one slider or several, and the figure that belongs to their values."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from wadlib.course import classroom
from wadlib.errors import WadError
from wadlib.viewer import page

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BOOK_SLIDES = (9, 5, 3)
"""At most so many values of each slider are drawn for the book, where there are one, two or three of them."""

Form = str | Callable[[Any], str]


def figure_slider(
    name: str | Sequence[str],
    values: Sequence[Any],
    draw: Callable[..., tuple[Figure, str]],
    *,
    start: int | Sequence[int] = 0,
    form: Form | Sequence[Form] = "{}",
    caption: str | None = None,
) -> None:
    """Display a slider, or two or three, and the figure that belongs to the values.

    In JupyterLab the figure is drawn when a slider gets there. In the book, where no Python runs, up to `BOOK_SLIDES`
    values of each are drawn beforehand and the sliders choose among them.

    Parameters
    ----------
    name : str, or sequence of str
        What the slider changes, such as "threshold". Two or three names make two or three sliders; `values`, `start`
        and `form` then hold an entry for each.
    values : sequence, or sequence of sequences
        What it can be set to, in order.
    draw : callable
        From a value of each slider to ``(figure, alt)``, as `show` takes them.
    start : int
        Position in `values` to begin with.
    form : str or callable
        How a value is written beside the slider: a format such as ``"{:.2f}"``.
    caption : str, optional
        What stands below the figure, behind its number; it must hold for all values.

    Examples
    --------
    >>> figure_slider("threshold", [0.1, 0.5], draw_it)  # doctest: +SKIP
    >>> figure_slider(("factor", "offset"), ([2, 4], [0, 1, 2]), draw_it, start=(1, 0))  # doctest: +SKIP
    """
    names = (name,) if isinstance(name, str) else tuple(name)
    grid = (values,) if isinstance(name, str) else tuple(values)
    starts = tuple(start) if isinstance(start, Sequence) else (start,) * len(names)
    forms = (form,) * len(names) if isinstance(form, str) or callable(form) else tuple(form)
    _check(names, grid, starts, forms)
    words = [f if callable(f) else f.format for f in forms]
    labels = [[word(value) for value in row] for word, row in zip(words, grid, strict=True)]

    @functools.cache
    def slide(*position: int) -> dict[str, str]:
        figure, alt = draw(*(row[k] for row, k in zip(grid, position, strict=True)))
        return {"src": classroom.address(figure, alt), "alt": alt}

    what = caption or f"Move the {'slider' if len(names) == 1 else 'sliders'}: {', '.join(names)}."
    below = classroom.figure_caption(f"sliders: {names} {what}", what)
    if page.is_static():
        _show_static(names, labels, slide, starts, below)
    else:
        _show_live(names, labels, slide, starts, below)


def _check(names: Sequence[str], grid: Sequence[Sequence[Any]], starts: Sequence[int], forms: Sequence[Form]) -> None:
    counts = [len(row) for row in grid]
    if not 1 <= len(names) <= len(BOOK_SLIDES) or not len(names) == len(counts) == len(starts) == len(forms):
        raise WadError(
            f"figure_slider: {len(names)} names, {len(counts)} lists of values, {len(starts)} starts, "
            f"{len(forms)} forms",
            cause="more sliders than three, or an entry that is missing for one of them",
            fix="give one list of values and one start for each name",
        )
    for name, count, start in zip(names, counts, starts, strict=True):
        if not 0 <= start < count:
            raise WadError(
                f"figure_slider: {name}: {count} values, start {start}",
                cause="an empty selection, or a start that counts from the end",
                fix="give at least one value and a start below their number",
            )


Slide = Callable[..., dict[str, str]]


def _some(count: int, start: int, most: int) -> list[int]:
    """At most about so many positions, evenly spread, and the start."""
    return sorted({start, *(round(k * (count - 1) / (most - 1)) for k in range(most))})


def _show_static(
    names: Sequence[str], labels: Sequence[Sequence[str]], slide: Slide, starts: Sequence[int], below: str
) -> None:
    from IPython.display import display

    most = BOOK_SLIDES[len(names) - 1]
    chosen = [_some(len(row), start, most) for row, start in zip(labels, starts, strict=True)]
    sliders = [
        {"name": name, "labels": [row[k] for k in some], "start": some.index(start)}
        for name, row, some, start in zip(names, labels, chosen, starts, strict=True)
    ]
    first = slide(*starts)
    now = ", ".join(row[start] for row, start in zip(labels, starts, strict=True))
    counts = ", ".join(f"{name}: {len(row)} values" for name, row in zip(names, labels, strict=True))
    note = f"Run this notebook to move the {'slider' if len(names) == 1 else 'sliders'} ({counts}); this is {now}."
    html = f'{classroom.image(first["src"], first["alt"])}{below}<p class="wv-note">{escape(note)}</p>'
    moving = page.slides(sliders, [slide(*position) for position in itertools.product(*chosen)]) + below
    display({"text/plain": note, "text/html": html, page.MIME: moving}, raw=True)


def _show_live(
    names: Sequence[str], labels: Sequence[Sequence[str]], slide: Slide, starts: Sequence[int], below: str
) -> None:
    import ipywidgets  # type: ignore[import-untyped]
    from IPython.display import display

    look = {"layout": {"width": "min(100%, 40em)"}, "style": {"description_width": "initial"}}
    sliders = [
        ipywidgets.SelectionSlider(
            options=[(label, k) for k, label in enumerate(row)], value=start, description=name, **look
        )
        for name, row, start in zip(names, labels, starts, strict=True)
    ]

    def shown() -> str:
        now = slide(*(slider.value for slider in sliders))
        return classroom.image(now["src"], now["alt"])

    picture = ipywidgets.HTML(shown())
    for slider in sliders:
        slider.observe(lambda change: picture.set_trait("value", shown()), "value")
    display(ipywidgets.VBox([*sliders, picture, ipywidgets.HTML(below)]))
