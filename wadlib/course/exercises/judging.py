"""How an exercise is judged: one call in a notebook, one line of feedback that does not give the answer away.

>>> from wadlib.course import check                    # doctest: +SKIP
>>> check("00.1", 1 / 3)                               # doctest: +SKIP
Exercise 00.1: right, 1 point (1 of 6 in this notebook).

Answers that are fixed numbers or words are kept as digests only, so that nobody reads them by accident. Answers that
are functions are tried on inputs and compared with the package or with a brute-force search.
"""

import hashlib
import importlib
import inspect
import numbers
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from wadlib._shared.words import one_of, plural
from wadlib.errors import WadError

Judge = Callable[..., str | None]

_MODULES = {
    "00": "labels_and_sizes",
    "01": "labels_and_sizes",
    "02": "labels_and_sizes",
    "03": "counts",
    "04": "cuts",
    "05": "cuts",
    "06": "networks",
    "07": "detection",
    "08": "fine_tuning",
    "09": "scores",
    "10": "causes",
    "11": "tracks",
}
_SOLVED: dict[str, bool] = {}
_NO_ANSWER = "It is not written yet."


@dataclass(frozen=True)
class Exercise:
    """One exercise of a notebook.

    Attributes
    ----------
    key : str
        Notebook and number, such as ``"04.2"``.
    level : int
        1 (recall), 2 (apply), 3 (think).
    points : int
    judge : callable
        From the answer, the key, and what the notebook hands over by name, to a sentence about what is wrong; None
        where the answer is right.
    predict : bool
        Whether the answer is given before the experiment is run.
    """

    key: str
    level: int
    points: int
    judge: Judge = field(repr=False)
    predict: bool = False


def check(key: str, answer: Any = ..., **given: Any) -> None:
    """Print whether an answer is right; where it is not, what is wrong with it (and not what is right).

    Parameters
    ----------
    key : str
        Notebook and number of the exercise, such as ``"04.2"``.
    answer : object
        The answer; ``...`` (what a scaffold holds) counts as none.
    **given
        What the answer is judged with, such as the label of the frame that the notebook shows.

    Raises
    ------
    WadError
        There is no such exercise.
    """
    notebook = exercises_of(key[:2])
    exercise = notebook[one_of(key, notebook, "check: exercise", WadError)]
    wrong = _judge(exercise, answer, given)
    if wrong is _NO_ANSWER:
        print(f"Exercise {key}: not answered yet ({plural(exercise.points, 'point')}, level {exercise.level}).")
        return
    _SOLVED[key] = wrong is None
    if wrong is None:
        have = sum(each.points for each in notebook.values() if _SOLVED.get(each.key))
        most = sum(each.points for each in notebook.values())
        print(f"Exercise {key}: right, {plural(exercise.points, 'point')} ({have} of {most} in this notebook).")
    else:
        print(f"Exercise {key}: not yet. {wrong}")


def solved(key: str) -> bool:
    """Say whether the last answer to an exercise was right (an autograder asserts it)."""
    return _SOLVED.get(key, False)


def exercises_of(notebook: str) -> dict[str, Exercise]:
    """Return the exercises of a notebook (``"04"``) by key, in order."""
    name = _MODULES[one_of(notebook, _MODULES, "exercises_of: notebook", WadError)]
    module = importlib.import_module(f"wadlib.course.exercises.{name}")
    return {each.key: each for each in module.EXERCISES if each.key.startswith(notebook)}


def _judge(exercise: Exercise, answer: Any, given: Mapping[str, Any]) -> str | None:
    if not callable(answer) and _is_missing(answer):
        return _NO_ANSWER
    if missing := [name for name in _needs(exercise.judge) if name not in given]:
        return f"The check needs {', '.join(missing)}, too. Call it as the cell below the exercise does."
    try:
        return exercise.judge(answer, key=exercise.key, **given)
    except NotImplementedError:  # what the scaffold of a function raises
        return _NO_ANSWER
    except Exception as error:  # a student's function may raise anything
        hint = " Does your function return its result?" if "NoneType" in str(error) else ""
        return f"Your answer could not be tried: {type(error).__name__}: {str(error).rstrip(' .')}.{hint}"


def _needs(judge: Judge) -> list[str]:
    """What a judge takes by name from the notebook, besides the key."""
    named = [each for each in inspect.signature(judge).parameters.values() if each.kind is each.KEYWORD_ONLY]
    return [each.name for each in named if each.default is each.empty and each.name != "key"]


def _is_missing(answer: Any) -> bool:
    if isinstance(answer, Mapping):
        return any(_is_missing(value) for value in answer.values())
    if isinstance(answer, list | tuple):
        return any(_is_missing(value) for value in answer)
    return answer is ... or answer is None


def digest(key: str, value: Any) -> str:
    """Compute the digest of an answer: twelve hexadecimal digits, different for each exercise."""
    return hashlib.sha256(f"wadlib {key} {value}".encode()).hexdigest()[:12]


def _near(value: Any, decimals: int) -> list[str]:
    """How a number may be written with so many decimals: rounded, and a unit of the last place to either side."""
    if not decimals:
        return [str(round(value)) if value == round(value) else str(value)]
    middle = round(Fraction(value) * 10**decimals)
    return [str(k) for k in (middle, middle - 1, middle + 1)]


def _is_number(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and value == value


def number(
    right: str,
    *,
    decimals: int = 3,
    low: float | None = None,
    high: float | None = None,
    mistakes: Mapping[str, str] | None = None,
) -> Judge:
    """Make a judge of one number.

    Parameters
    ----------
    right : str
        `digest` of the answer times ``10**decimals``, rounded; the key of the exercise salts it.
    decimals : int
        How exactly it has to be given; 0: a whole number.
    low, high : float, optional
        Bounds that every sensible answer keeps.
    mistakes : mapping, optional
        Digest of a number that a known mistake leads to -> what to say.
    """

    def judge(answer: Any, *, key: str, **_: Any) -> str | None:
        if not _is_number(answer):
            return f"A number is expected (without quotes), and this is of type {type(answer).__name__}."
        if low is not None and answer < low:
            return f"The answer cannot be lower than {low:g}."
        if high is not None and answer > high:
            return f"The answer cannot be higher than {high:g}."
        if not decimals and answer != round(answer):
            return f"A whole number is expected, and this is {answer:g}."
        near = [digest(key, text) for text in _near(answer, decimals)]
        if right in near:
            return None
        for wrong, remark in (mistakes or {}).items():
            if wrong in near:
                return remark
        return "This number is not correct. Read the exercise again, and go through the definition step by step."

    return judge


def numbers_list(right: str, *, size: int, mistakes: Mapping[str, str] | None = None) -> Judge:
    """Make a judge of several whole numbers in any order; parameters as for `number`."""

    def judge(answer: Any, *, key: str, **_: Any) -> str | None:
        values = list(answer) if isinstance(answer, set | list | tuple | frozenset) else None
        if values is None or not all(_is_number(value) for value in values):
            return "A list of numbers is expected, such as [1, 2]."
        if len(set(values)) != size:
            which = "more" if len(set(values)) < size else "fewer"
            return f"This list has {len(set(values))} different numbers. The correct list has {which}."
        found = digest(key, sorted(int(value) for value in values))
        if found == right:
            return None
        return (mistakes or {}).get(found, "At least one number of this list is not correct.")

    return judge


def choice(
    options: tuple[str, ...],
    right: str,
    *,
    mistakes: Mapping[str, str] | None = None,
    hint: str = "Try a small example on paper, and choose again.",
) -> Judge:
    """Make a judge of one word out of some.

    Parameters
    ----------
    options : tuple of str
        What may be answered.
    right : str
        `digest` of the right one.
    mistakes : mapping, optional
        Digest of a wrong one -> what to say.
    hint : str
        What to say about the other wrong ones.
    """

    def judge(answer: Any, *, key: str, **_: Any) -> str | None:
        if not isinstance(answer, str) or answer.strip().lower() not in options:
            return "Answer with one of these words, in quotes: " + ", ".join(f'"{word}"' for word in options) + "."
        found = digest(key, answer.strip().lower())
        if found == right:
            return None
        return (mistakes or {}).get(found, f"This is not the correct choice. {hint}")

    return judge


def choices(
    right: Mapping[str, str], *, options: tuple[str, ...] = (), hint: str | Mapping[str, str], noun: str = "Entry"
) -> Judge:
    """Make a judge of a dict that holds one word for each of some names.

    Parameters
    ----------
    right : mapping
        Name -> `digest` of the name and its word.
    options : tuple of str
        What may be answered; anything, if empty.
    hint : str, or mapping
        What to say about a wrong word; or name -> what to say.
    noun : str
        What the names are names of.
    """

    def judge(answer: Any, *, key: str, **_: Any) -> str | None:
        if not isinstance(answer, Mapping) or set(answer) != set(right):
            return f"A dict with these keys is expected: {', '.join(right)}."
        for name, word in ((name, str(answer[name]).strip().lower()) for name in right):
            if options and word not in options:
                return f"{noun} {name}: answer with one of: {', '.join(options)}."
            if digest(key, f"{name} {word}") != right[name]:
                return f"{noun} {name}: {hint if isinstance(hint, str) else hint[name]}"
        return None

    return judge
