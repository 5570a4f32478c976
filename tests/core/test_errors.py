from __future__ import annotations

import pickle

import pytest

from wadlib import errors

KINDS = [getattr(errors, name) for name in errors.__all__]


@pytest.mark.parametrize("kind", KINDS)
def test_says_what_why_and_how_to_mend_it(kind):
    error = kind("read: expected 2 bytes, got 1", cause="a cut download", fix="download it again")
    assert str(error) == ("read: expected 2 bytes, got 1.\nLikely cause: a cut download.\nFix: download it again.")
    assert isinstance(error, errors.WadError)


@pytest.mark.parametrize("kind", KINDS)
def test_survives_the_way_from_a_worker_process(kind):
    error = pickle.loads(pickle.dumps(kind("what", cause="why", fix="how")))
    assert type(error) is kind
    assert (error.what, error.cause, error.fix) == ("what", "why", "how")


def test_cause_and_fix_are_not_optional():
    with pytest.raises(TypeError):
        errors.LabelError("only what")
