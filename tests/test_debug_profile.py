"""The profile: times per row, sums, and functions that take derivatives themselves."""

import gc
import io
import json
import sys

import numpy as onp
import pytest

import autograd_lite.numpy as np
from autograd_lite import defvjp, grad, hessian, nn, primitive, profile, value_and_grad
from autograd_lite.debug import timing
from autograd_lite.errors import ArgumentError

PAUSE = 1.0


class Clock:
    """Stands for time, which passes in `slow` functions and a little on each look."""

    now = 0.0

    def __call__(self):
        self.now += 0.001
        return self.now


CLOCK = Clock()


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    monkeypatch.setattr(timing, "perf_counter", CLOCK)


@primitive
def slow(x):
    CLOCK.now += PAUSE
    return x * 1.0


@primitive
def slow_back(g):
    CLOCK.now += 2 * PAUSE
    return g * 1.0


defvjp(slow, lambda ans, x: lambda g: slow_back(g))
defvjp(slow_back, lambda ans, g: lambda x_bar: x_bar)


def loss(x):
    return np.sum(np.tanh(slow(x)))


def test_times_stand_where_they_were_spent():
    report = profile(loss, repeats=3)(onp.ones(3))
    assert [row.primitive for row in report] == ["slow", "tanh", "sum"]
    first, *others = report.rows
    assert first.forward == pytest.approx(PAUSE, abs=0.01)
    assert first.backward == pytest.approx(2 * PAUSE, abs=0.01)
    assert all(0 < row.forward < 0.01 and 0 < row.backward < 0.01 for row in others)
    assert 3 * PAUSE < report.seconds < 3.1 * PAUSE
    assert report.forward + report.backward <= report.seconds
    assert report.repeats == 3


def test_sums_are_those_of_the_rows():
    report = profile(loss, repeats=2)(onp.ones(3))
    by_primitive = report.by_primitive()
    assert list(by_primitive)[0] == "slow"
    assert by_primitive["slow"].seconds == report[0].seconds
    (line,) = report.by_line().values()
    assert line.calls == 3
    assert line.forward == pytest.approx(report.forward)
    assert report.bytes == 24


def test_printing_and_files(tmp_path):
    report = profile(loss, repeats=2)(onp.ones(3))
    text = repr(report)
    assert text.startswith("profile of loss: ") and "(median of 2)" in text
    assert "forward ms  backward ms  share" in text
    assert "by primitive" in text and "by line" in text
    assert "return np.sum(np.tanh(slow(x)))" in text
    assert text.count("<table") == 0 and report._repr_html_().count("<table") == 3
    report.save(tmp_path / "profile.html")
    report.save(tmp_path / "profile.json")
    found = json.loads((tmp_path / "profile.json").read_text())
    assert found["repeats"] == 2 and found["rows"][0]["forward"] >= PAUSE
    assert "forward 1001.000, backward 2001.000 ms" in report.to_svg()


def test_operations_without_a_derivative_have_rows():
    x = onp.arange(16.0, dtype=onp.float32).reshape(1, 4, 4, 1)
    report = profile(lambda x: nn.max_pool(x, 2).sum(), repeats=1)(x)
    names = [row.primitive for row in report]
    assert names == ["max_pool_winners", "max_pool_gather", "sum"]
    assert (report[0].backward, report[0].bytes) == (0.0, 0)
    assert report[0].outputs == ((1, 2, 2, 1), (1, 2, 2, 1))
    assert len(report.graph().nodes) == 3


def test_options_are_those_of_grad_and_outputs_may_be_trees():
    def f(p, x):
        return {"y": np.tanh(p["w"] * x), "z": p["w"] + 1}, "aux"

    report = profile(f, wrt="p.w", has_aux=True, repeats=1)({"w": 1.0}, onp.ones(2))
    assert [row.primitive for row in report] == ["multiply", "tanh", "add"]
    assert len(report.outputs) == 2
    assert [x.name for x in report.inputs] == ["x"]


@pytest.mark.parametrize("derivative", [grad, value_and_grad])
def test_derivatives_are_watched_as_they_run(derivative):
    report = profile(derivative(loss), repeats=2)(onp.ones(3))
    assert [row.primitive for row in report] == ["slow", "tanh", "sum"]
    assert report[0].backward >= 2 * PAUSE
    assert report.title.startswith("profile of ")


def test_a_training_step_is_watched_on_request():
    def step(x):
        CLOCK.now += PAUSE
        _, x_bar = value_and_grad(loss)(x)
        return x - 0.1 * x_bar

    report = profile(step, watch=True, repeats=2)(onp.ones(3))
    assert [row.primitive for row in report] == ["slow", "tanh", "sum"]
    outside = report.seconds - report.forward - report.backward
    assert outside >= PAUSE
    differentiated = profile(step, watch=False, repeats=1)(onp.ones(3))
    assert "slow_back" in [row.primitive for row in differentiated]


def test_time_in_an_inner_tape_counts_once():
    report = profile(grad(grad(lambda x: slow(x) ** 2)), repeats=2)(1.0)
    assert report.forward + report.backward <= report.seconds
    names = [row.primitive for row in report]
    assert names.count("slow") == 2 and "slow_back" in names
    outer, inner = [row for row in report if row.primitive == "slow"]
    (back,) = [row for row in report if row.primitive == "slow_back"]
    assert outer.forward >= PAUSE and back.forward >= 2 * PAUSE
    assert inner.seconds < 0.1
    assert len(profile(hessian(np.tanh), watch=True, repeats=1)(1.0)) > 0


def test_runs_that_differ_are_left_out():
    counter = iter([0, 1, 0, 0] * 100)

    def f(x):
        return np.tanh(slow(x)) if next(counter) else np.sin(slow(x)) * 2

    report = profile(f, repeats=8)(1.0)
    assert {row.primitive for row in report} == {"slow", "sin", "multiply"}
    assert report.repeats < 8

    growing = iter(range(10**6))

    def never_alike(x):
        for _ in range(next(growing)):
            x = x + 1
        return slow(x)

    with pytest.raises(ArgumentError, match="other operations each time"):
        profile(never_alike, repeats=2)(1.0)
    with pytest.raises(ArgumentError, match="repeats=0"):
        profile(loss, repeats=0)


def test_progress_is_shown_on_a_terminal_if_it_takes_long(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    for patience, expected in [(1e-9, "run 2 of 2"), (100.0, "")]:
        screen = Terminal()
        monkeypatch.setattr(sys, "stderr", screen)
        monkeypatch.setattr(timing, "PATIENCE", patience)
        profile(loss, repeats=2)(1.0)
        assert expected in screen.getvalue()
        assert bool(screen.getvalue()) == bool(expected)


def test_real_time_passes_too(monkeypatch):
    monkeypatch.undo()
    report = profile(loss, repeats=2)(onp.ones(3))
    assert all(0 < row.forward < 1 and 0 < row.backward < 1 for row in report)
    assert 0 < report.forward + report.backward <= report.seconds


def test_after_an_exception_nothing_is_left_behind():
    def fails(x):
        value_and_grad(loss)(x)
        raise KeyError

    x = onp.ones(10_000)
    with pytest.raises(KeyError):
        profile(fails, watch=True)(x)
    with pytest.raises(KeyError):
        profile(lambda x: {}[x.shape])(x)
    x[0] = 2.0
    report = profile(grad(loss), repeats=1)(x)
    assert len(report) == 3


def test_errors_name_the_rule_through_the_timer():
    @primitive
    def twice(x):
        return 2 * x

    defvjp(twice, lambda ans, x: lambda g: None)
    with pytest.raises(ValueError, match="rule of twice for argument 0"):
        profile(twice)(1.0)


@pytest.mark.parametrize("fun", [loss, grad(loss)], ids=["plain", "watched"])
def test_no_cycles_are_left(fun):
    def step():
        profile(fun, repeats=2)(onp.ones(3))

    step()
    gc.collect()
    gc.disable()
    try:
        step()
        found = gc.collect()
    finally:
        gc.enable()
    assert found == 0
