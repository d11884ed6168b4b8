"""The comparison of gradient checkers: what it counts."""

from types import SimpleNamespace

import pytest

from benchmarks import checkers
from benchmarks.checker_forms import FORMS, LIBRARIES, outcome
from benchmarks.checkers import Score


def test_scores_count_what_was_said():
    score = Score(
        "a checker",
        faults={"sign: a": "rejected", "sign: b": "accepted", "alias: c": "unable"},
        twins={"sign: a": "accepted", "sign: b": "accepted", "alias: c": "unable"},
        calm={"kink: d": "rejected", "dtype: e": "accepted", "dtype: f": "unable"},
    )
    assert score.detected() == (1, 2)
    assert score.told_apart() == 1
    assert score.alarms(kinked=True) == (1, 1)
    assert score.alarms(kinked=False) == (0, 1)
    assert checkers.missed(score) == ["1 of 2 sign"]


def test_a_checker_that_rejects_everything_tells_nothing_apart():
    both = {"sign: a": "rejected"}
    score = Score("a checker", faults=both, twins=both)
    assert score.detected() == (1, 1) and score.told_apart() == 0


def test_outcomes():
    def failing():
        raise AssertionError

    def missing():
        raise NotImplementedError

    assert outcome(lambda: None, ()) == "accepted"
    assert outcome(failing, ()) == "rejected"
    assert outcome(missing, (NotImplementedError,)) == outcome(None, ()) == "unable"


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.peer(LIBRARIES.get(n, "numpy"))) for n in FORMS],
)
def test_every_form_finds_a_sign_and_accepts_a_right_rule(name):
    """In float64, away from kinks, all checkers do their work."""
    score = checkers.judged(name, "sign: (product|tanh)|tanh in float64, 0", 1)
    assert score.detected() == (2, 2) and score.told_apart() == 2
    assert set(score.calm.values()) <= {"accepted"}


def test_the_suite_prints_its_table(capsys):
    results = checkers.measure(
        "sign: cube|kink: relu with 1", [], SimpleNamespace(rounds=1)
    )
    assert "1 of 1" in capsys.readouterr().out
    found = {r.case: r.value for r in results if r.contender == "autograd_lite"}
    assert found["wrong rules detected"] == found["wrong rules shown"] == 1
    assert found["false alarms at kinks"] == 0
