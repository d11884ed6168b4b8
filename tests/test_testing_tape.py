"""`check_tape`: the first wrong rule of a function, by name and line."""

import numpy
import pytest

import autograd_lite.numpy as np
from autograd_lite import defjvp, defvjp, elementwise, nn, primitive, stop_gradient
from autograd_lite.errors import ArgumentError, GradientCheckError, GradientCheckWarning
from autograd_lite.testing import check_grads, check_tape
from autograd_lite.testing.tapes import recorded

RNG = numpy.random.default_rng(0)
X = RNG.standard_normal((4, 4))


@elementwise
def cube(x):
    return x**3


defvjp(cube, lambda ans, x: lambda g: g * 3 * x * x * 1.01)  # the wrong rule


@primitive
def product(x, y):
    return numpy.matmul(x, y)


defvjp(
    product,
    lambda ans, x, y: lambda g: product(g, y.T),
    lambda ans, x, y: lambda g: product(g.T, x),  # transposed
)


def line_of(text):
    """The line of this file on which a text stands first."""
    with open(__file__, encoding="utf8") as source:
        return next(i for i, line in enumerate(source, 1) if text in line)


def test_the_wrong_rule_is_named():
    def model(params, x):
        h = np.tanh(x @ params["w"])
        return cube(h).sum()  # the call

    report = check_tape(model, {"w": X}, X, report=True)
    finding = report.finding
    assert report.verdict == "wrong" and report.title == "model"
    assert finding.where == "operation 3, cube, reverse mode, order 1"
    assert f"{__file__}:{line_of('# the wrong rule')}, for argument 0" in finding.rule
    assert finding.line.startswith(f"{__file__}:{line_of('# the call')}: return cube")
    assert finding.pattern == "the ratio is 1.01 at every element"
    with pytest.raises(GradientCheckError, match="operation 3, cube"):
        check_tape(model, {"w": X}, X)


def test_the_wrong_argument_is_named():
    report = check_tape(lambda x, y: product(x, y), X, X + 1, report=True)
    assert f":{line_of('# transposed')}, for argument 1" in report.finding.rule
    assert "transposed" in report.finding.pattern


def test_it_finds_what_is_wrong_at_the_inputs_in_use_only():
    @elementwise
    def square(x):
        return x * x

    defvjp(square, lambda ans, x: lambda g: g * np.where(x > 5, 2.1 * x, 2 * x))
    check_grads(square, (X,))
    check_tape(square, X)
    with pytest.raises(GradientCheckError, match="operation 2, square"):
        check_tape(lambda x: square(x + 10.0), X)


def test_forward_rules():
    @elementwise
    def double(x):
        return 2 * x

    defvjp(double, lambda ans, x: lambda g: 2 * g)
    defjvp(double, lambda x_dot, ans, x: 3 * x_dot)  # the forward rule
    check_tape(double, X, modes=["rev"])
    report = check_tape(double, X, report=True)
    assert report.finding.where == "operation 1, double, forward mode, order 1"
    assert f":{line_of('# the forward rule')}," in report.finding.rule


def test_right_functions():
    def network(w, x):
        y = nn.max_pool(nn.relu(nn.conv(x, w, padding="SAME")), 2)
        y = y.reshape(len(x), -1)
        return np.log(np.exp(y).sum(axis=1)).sum() + x[0, :2, [1, 0]].sum()

    w = RNG.standard_normal((3, 3, 1, 2)).astype(numpy.float32)
    x = RNG.standard_normal((2, 4, 4, 1)).astype(numpy.float32)
    report = check_tape(network, w, x, report=True)
    assert report.ok, str(report)
    assert {f.where.split(", ")[1] for f in report.findings} >= {"conv", "exp", "log"}


def test_a_kink_on_the_way():
    with pytest.warns(GradientCheckWarning, match="operation 1, absolute"):
        check_tape(lambda x: np.abs(x) * 2, numpy.array([0.0, 1.0]))


def test_a_value_that_is_not_finite():
    with numpy.errstate(all="ignore"):
        report = check_tape(lambda x: np.log(x), numpy.array([0.0]), report=True)
    assert report.verdict == "inconclusive"


def test_what_no_rule_is_to_blame_for():
    """`check_grads` sees it; the tape is in order."""
    frozen = lambda x: x * stop_gradient(x)  # noqa: E731
    check_tape(frozen, X)
    with pytest.raises(GradientCheckError):
        check_grads(frozen, (X,))


def test_the_record():
    calls = recorded(lambda x, n: (x * 2.0).sum() + np.floor(x).sum() * n, (X, 3))
    names = [call.primitive.name for call in calls]
    assert names == ["multiply", "sum", "add"]  # floor has no derivative, its sum none
    assert calls[0].args[1] == 2.0 and calls[0].argnums == [0]


def test_wrong_use():
    with pytest.raises(ArgumentError, match="modes="):
        check_tape(np.sin, X, modes=["both"])
