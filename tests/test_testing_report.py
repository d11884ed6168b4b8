"""Reports of gradient checks: verdicts, patterns, JSON, plots, costs."""

import json
import math
import subprocess
import sys

import numpy
import pytest

import autograd_lite.numpy as np
from autograd_lite import defvjp, elementwise, policy, primitive
from autograd_lite.errors import ArgumentError, GradientCheckError, RuleError
from autograd_lite.testing import Finding, Report, check_grads
from autograd_lite.testing.patterns import common_pattern
from autograd_lite.testing.plots import STEPS, gradients, remainders
from autograd_lite.testing.report import Element

X = numpy.array([[0.5, -1.2, 2.0], [1.5, 0.7, -0.3]])


def cube_with(factor):
    """A primitive x**3 whose gradient is off by a factor, maybe an array."""

    @elementwise
    def cube(x):
        return x**3

    defvjp(cube, lambda ans, x: lambda g: g * 3 * x * x * factor(x))
    return cube


def report_of(fun, *args, **kwargs):
    return check_grads(fun, args, report=True, **kwargs)


# -- the verdicts ---------------------------------------------------------------------


def test_ok():
    report = report_of(np.tanh, X)
    assert report.ok and report.verdict == "ok"
    assert [f.order for f in report.findings] == [1, 2, 2, 1, 2, 2]
    assert str(report).startswith("tanh: ok (reverse mode and forward mode, orders 1 ")
    assert repr(report) == "<Report of tanh: ok>"
    assert report.seconds > 0 and report.seed == 0


def test_wrong():
    report = report_of(cube_with(lambda x: 2), X)
    finding = report.finding
    assert report.verdict == finding.verdict == "wrong"
    assert finding.ratio == pytest.approx(2)
    assert abs(finding.analytic - 2 * finding.numerical) < 10 * finding.error
    assert finding.pattern == "the ratio is 2 at every element: it is counted twice"
    assert [element.shape for element in finding.worst] == [(2, 3)] * 3
    x = X[finding.worst[0].index]
    assert finding.worst[0].x == x
    with pytest.raises(GradientCheckError, match="counted twice"):
        report.settle()


@pytest.mark.parametrize(
    "fun",
    [
        np.abs,
        lambda x: np.maximum(x, 0),
        lambda x: np.maximum(x, 0.5 * x),
        lambda x: np.max(x, axis=0),
        lambda x: np.sort(x, axis=0)[0] ** 2,
        lambda x: np.median(x * [[1, 0, 1], [1, 1, 1]]),
        lambda x: np.where(x > 0, x, 0.0) * X,
        lambda x: (np.where(x > 0, x, 0.0) * X).sum(),
    ],
)
@pytest.mark.parametrize("seed", range(4))
def test_a_kink_is_a_kink_wherever_the_derivative_lies_between(fun, seed):
    x = numpy.array([[0.0, 1.0, 0.0], [0.0, -2.0, 0.0]])
    report = report_of(fun, x, seed=seed)
    assert report.verdict == "not differentiable here"


def test_the_element_at_the_kink_is_named():
    x = numpy.array([[0.5, 1.0, 0.7], [-1.0, -2.0, 0.0]])
    report = report_of(np.abs, x)
    assert {f.order for f in report.findings} == {1}
    assert "it is at   element (1, 2) of argument '0'" in str(report)


def largest_with(share):
    """A primitive max(x) whose gradient at a tie is given by a rule."""

    @primitive
    def largest(x):
        return numpy.max(x)

    defvjp(largest, lambda ans, x: lambda g: g * share(x, ans))
    return largest


def test_a_choice_at_a_tie_must_be_fair():
    x = numpy.array([1.0, 2.0, 2.0, 0.0])
    for fair in (
        lambda x, ans: (x == ans) / (x == ans).sum(),
        lambda x, ans: np.arange(4) == np.argmax(x),
    ):
        assert report_of(largest_with(fair), x).verdict == "not differentiable here"
    for unfair in (
        lambda x, ans: x == ans,  # all of it to each
        lambda x, ans: (x == ans) / 3,
        lambda x, ans: (x == ans) * (1.5 * np.arange(4) - 4),
    ):
        assert report_of(largest_with(unfair), x, order=1).verdict == "wrong"


@pytest.mark.parametrize("mode", ["rev", "fwd"])
def test_a_choice_at_a_tie_is_judged_alike_whatever_the_seed(mode):
    """Zero lies between the slopes from both sides of some directions, not of all."""
    x = numpy.array([1.0, 2.0, 2.0, 2.0, 0.0])
    settings = {"order": 1, "modes": [mode]}
    for seed in range(6):
        none = largest_with(lambda x, ans: 0 * x)
        found = report_of(none, x, seed=seed, **settings)
        assert found.verdict == "wrong", seed
        halves = largest_with(lambda x, ans: (x == ans) / (x == ans).sum())
        found = report_of(halves, x, seed=seed, **settings)
        assert found.verdict == "not differentiable here", seed
        assert "slope" in str(found)


def test_a_report_says_why_a_choice_is_unfair():
    x = numpy.array([2.0, 2.0, 0.5])
    texts = [
        str(report_of(largest_with(lambda x, ans: 0 * x), x, seed=seed))
        for seed in range(6)
    ]
    assert any(
        "neither one of the derivatives nearby nor a mixture" in t for t in texts
    )


def test_what_is_steep_or_curved_is_no_kink():
    for scale in (1e2, 1e4):
        assert report_of(lambda x, s=scale: np.sin(s * x), X).ok
        assert report_of(lambda x, s=scale: np.logaddexp(s * x, 0) / s, X / 100).ok


def test_inconclusive():
    def buried(x):
        return x + 1e10 * np.floor(x)  # the slope is lost in the size of the values

    report = report_of(buried, X)
    assert report.verdict == "inconclusive"
    assert "noise of about" in str(report) and "scale the function" in str(report)


def test_the_complex_step_settles_what_noise_hides():
    def buried(x):
        return x * x + 1e10

    report = report_of(buried, X, order=1)
    assert report.ok
    wrong = report_of(lambda x: cube_with(lambda x: 1.01)(x) + 1e10, X, order=1)
    assert wrong.verdict != "ok"


def test_rules_that_cannot_be_applied():
    @primitive
    def double(x):
        return 2 * x

    defvjp(double, lambda ans, x: lambda g: g.sum())
    report = report_of(double, X)
    assert report.verdict == "wrong" and "returned a cotangent of shape" in str(report)
    with pytest.raises(RuleError):
        check_grads(double, (X,))


def test_the_worst_verdict_counts():
    kinds = ["ok", "inconclusive", "not differentiable here", "wrong"]
    for n in range(1, 5):
        findings = [Finding(kind, "somewhere") for kind in kinds[:n]]
        assert Report("f", findings).verdict == kinds[n - 1]


# -- patterns -------------------------------------------------------------------------


def transposing(how):
    """A function of a matrix whose gradient is rearranged."""

    @primitive
    def product(x, y):
        return x * y

    defvjp(product, lambda ans, x, y: lambda g: how(g * y), None)
    y = numpy.arange(1.0, 10).reshape(3, 3)
    return lambda x: product(x, y)


@pytest.mark.parametrize(
    ("fun", "pattern"),
    [
        (cube_with(lambda x: -1), "the ratio is -1 at every element: a wrong sign"),
        (cube_with(lambda x: 0), "the ratio is 0 at every element: it is missing"),
        (cube_with(lambda x: 1 / x.size), "1/9 at every element: 9 is the number of"),
        (cube_with(lambda x: x.shape[0]), "3 is the length of the argument's axis 0"),
        (cube_with(lambda x: 1.001), "the ratio is 1.001 at every element"),
        (
            cube_with(lambda x: numpy.eye(3)),
            "6 of 9 elements are wrong; the ratio is 0",
        ),
        (cube_with(lambda x: np.where(x < 0, 2, 1)), "those where x is negative"),
        (
            cube_with(lambda x: numpy.array([1.0, 1, 3])),
            "3 of 9 elements are wrong, all at the last index of axis 1",
        ),
        (transposing(lambda g: g.T), "transposed: axes 0 and 1"),
        (
            transposing(lambda g: -g.T),
            "transposed (axes 0 and 1), and of the wrong sign",
        ),
        (transposing(lambda g: g[::-1]), "reversed along axis 0"),
        (transposing(lambda g: np.roll(g, 1, 1)), "shifted by 1 along axis 1"),
        (transposing(np.abs), "a sign was lost"),
    ],
)
def test_patterns(fun, pattern):
    x = numpy.random.default_rng(3).uniform(0.5, 2, (3, 3))
    x[0, 1] = x[2, 0] = -1.3
    report = report_of(fun, x, modes=["rev"])
    if "sign was lost" in pattern and "linear" in str(report):
        return  # that a rule is not linear in g is seen before
    assert pattern in report.finding.pattern


def test_a_single_wrong_element():
    def factor(x):
        ones = numpy.ones(x.shape)
        ones[-1, -1] = 1.5
        return ones

    report = report_of(cube_with(factor), X, modes=["rev"])
    text = "1 of 6 elements are wrong, the last one; the ratio is 1.5 there"
    assert report.finding.pattern == text


def test_an_offset():
    table = [
        Element("x", (i,), (4,), "float64", complex(i), i + 0.5, float(i), 1e-12)
        for i in range(4)
    ]
    assert common_pattern(table) == "off by 0.5 at every element"
    assert common_pattern([]) == ""


# -- dictionaries and JSON ------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128"])
def test_json(dtype):
    report = report_of(cube_with(lambda x: 2), X.astype(dtype))
    assert json.loads(report.to_json())["findings"][0]["worst"][0]["shape"] == [2, 3]
    found = report.to_dict()
    assert found["verdict"] == "wrong"
    assert found["findings"][0]["worst"][0]["argument"] == "0"


def test_json_has_no_nan():
    report = Report("f", [Finding("wrong", "somewhere", text="why")])
    assert json.loads(report.to_json())["findings"][0]["analytic"] is None
    assert math.isnan(report.to_dict()["findings"][0]["analytic"])


# -- plots ----------------------------------------------------------------------------


def slope_of(report):
    probe, analytic = report.finding.probe, report.finding.analytic
    rest, _ = remainders(probe, analytic)
    usable = (STEPS > 1e-5) & (STEPS < 1e-2)
    return numpy.polyfit(numpy.log(STEPS[usable]), numpy.log(rest[usable]), 1)[0]


def test_the_remainder_falls_with_the_square_of_the_step_if_right():
    assert slope_of(report_of(np.exp, X)) == pytest.approx(2, abs=0.1)
    assert slope_of(report_of(cube_with(lambda x: 2), X)) == pytest.approx(1, abs=0.1)


def test_the_map_shows_where():
    mask = numpy.ones((5, 6))
    mask[1:3, 2:5] = 1.1
    x = numpy.random.default_rng(0).uniform(1, 2, (5, 6))
    for mode in ("rev", "fwd"):
        report = report_of(cube_with(lambda x: mask), x, modes=[mode])
        analytic, numerical = gradients(report.finding.probe, 0)
        wrong = abs(analytic - numerical) > 1e-6 * abs(numerical)
        numpy.testing.assert_array_equal(wrong, mask != 1)


@pytest.mark.parametrize("shape", [(), (5,), (4, 6), (6, 5, 3), (2, 5, 4, 3)])
def test_plot(shape, tmp_path):
    pytest.importorskip("matplotlib")
    x = numpy.random.default_rng(0).uniform(1, 2, shape)
    figure = report_of(cube_with(lambda x: 1.01), x).plot(tmp_path / "out.png")
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")
    images = [axes for axes in figure.axes if axes.images]
    assert bool(images) == (len(shape) > 1)


def test_nothing_to_plot():
    pytest.importorskip("matplotlib")
    with pytest.raises(ArgumentError, match="nothing was compared"):
        Report("f", [Finding("wrong", "somewhere")]).plot()


# -- costs ----------------------------------------------------------------------------


def test_a_right_function_is_evaluated_a_few_times_only():
    calls = []

    def counted(x):
        calls.append(None)
        return np.tanh(x)

    check_grads(counted, (X,), order=1, modes=["rev"])
    assert len(calls) <= 7  # twice for its value, 2 to differentiate, 2 numerically


def test_the_tolerance_does_not_grow_with_the_array():
    """An error that is spread over all elements is found in arrays of any size."""
    for n in (10, 1000, 100_000):
        x = numpy.random.default_rng(n).uniform(0.5, 2, n)
        wrong = cube_with(lambda x: 1 + 1e-5)
        assert report_of(wrong, x, order=1, modes=["rev"]).verdict == "wrong"


def test_imports():
    code = (
        "import sys, autograd_lite.testing;"
        "heavy = ('hypothesis', 'matplotlib', 'torch', 'jax', 'scipy', 'numba');"
        "print([m for m in heavy if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_the_policy_in_force_is_reported():
    with policy(ties="first", relu0=1):
        found = report_of(np.tanh, X)
        assert found.policy == {"ties": "first", "relu0": 1}
    assert "under policy(ties='first', relu0=1): ok" in str(found)
    assert found.to_dict()["policy"] == found.policy
    assert "policy" not in str(report_of(np.tanh, X))
