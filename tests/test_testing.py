"""The gradient checker: it catches what is wrong, and leaves in peace what is right."""

import itertools
import math
import warnings
from collections import namedtuple

import numpy
import pytest

import autograd_lite.numpy as np
from autograd_lite import defjvp, defvjp, elementwise, primitive, stop_gradient
from autograd_lite.errors import (
    ArgumentError,
    GradientCheckError,
    GradientCheckWarning,
)
from autograd_lite.testing import check_grads
from autograd_lite.testing.numerical import central, one_sided
from autograd_lite.testing.report import ratio
from autograd_lite.testing.verdict import worst_element

pytestmark = pytest.mark.filterwarnings("error")

X = numpy.array([[0.5, -1.2, 2.0], [1.5, 0.7, -0.3]])


def condemned(fun, *args, match=None, **kwargs):
    """Check that `check_grads` rejects a function; return what it says."""
    with pytest.raises(GradientCheckError, match=match) as caught:
        check_grads(fun, args, **kwargs)
    return str(caught.value)


def cube_with(*makers, kind=elementwise, jvps=()):
    """A primitive that computes x**3, with the rules given."""

    @kind
    def cube(x):
        return x**3

    defvjp(cube, *makers)
    if jvps:
        defjvp(cube, *jvps)
    return cube


# -- correct functions pass ------------------------------------------------------------

CORRECT = {
    "polynomial": lambda x: x**3 - 2 * x,
    "transcendental": lambda x: np.exp(np.sin(x)) * np.tanh(x),
    "scalar output": lambda x: (x * x).sum(),
    "no dependence": lambda x: np.array(3.0),
    "cancels": lambda x: x - x,
    "linear": lambda x: 4.0 * x,
    "constant sum": lambda x: np.exp(x) / np.exp(x).sum(),
    "zero slope": lambda x: np.cos(0.0 * x),
    "indexing": lambda x: x[..., ::2] * x.reshape(-1)[1],
    "several outputs": lambda x: {"a": x.sum(), "b": [x * x, None]},
    "integer output": lambda x: (x * x, x > 0),
}


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "complex128"])
@pytest.mark.parametrize("name", CORRECT)
def test_correct_functions_pass(name, dtype):
    x = X.astype(dtype)
    if x.dtype.kind == "c":
        if name in ("no dependence", "integer output"):
            pytest.skip("has no order, or no complex result")
        x = x + 0.3j
    check_grads(CORRECT[name], (x,))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("scale", [1e-12, 1e-3, 1e3, 1e12])
def test_any_magnitude(scale, dtype):
    x = (scale * numpy.abs(X)).astype(dtype)
    check_grads(lambda x: np.sqrt(x) * x, (x,))
    check_grads(lambda x: np.log(x), (x,))
    check_grads(lambda x: (x * x).sum(), (x,))


def test_magnitudes_may_be_mixed():
    x = numpy.array([1e-12, 1e-3, 1.0, 1e12])
    check_grads(np.log, (x,))
    check_grads(np.sqrt, (x,))


@pytest.mark.parametrize("shape", [(), (1,), (0,), (3, 0, 2), (1, 1, 1)])
def test_any_shape(shape):
    check_grads(lambda x: x * np.sin(x), (numpy.full(shape, 0.7),))


def test_python_numbers_and_zero():
    check_grads(lambda x, y: x * y + np.sin(x), (2.0, 3.0))
    check_grads(lambda x: x * np.exp(x), (0.0,))
    check_grads(lambda x: np.sin(x), (numpy.zeros(4),))


def test_third_order():
    check_grads(lambda x: x**4, (X,), order=3)


def test_large_arrays_in_float32():
    x = numpy.random.default_rng(0).standard_normal(100_000).astype(numpy.float32)
    check_grads(lambda x: np.tanh(x).sum(), (x,), order=1)
    check_grads(lambda x: (x * x).sum() / x.size, (x,), order=1)


def test_ill_conditioned_functions_in_float32():
    """The derivative suffers from rounding as much as its condition has it."""
    x = numpy.array([1.0, 1.0001, 3.0], numpy.float32)
    check_grads(lambda x: 1 / (x - x[::-1] + 1e-3), (x,))
    check_grads(lambda x: np.exp(x * 20) * np.sin(x * 300), (x,))


def test_overflow_in_float16():
    with numpy.errstate(over="ignore"):
        check_grads(lambda x: x * 3e4, (numpy.full(3, 2.0, numpy.float16),), order=1)


def test_large_offset():
    check_grads(lambda x: x + 1e6, (X,))
    check_grads(lambda x: x.sum() + 1e9, (X,))


def test_one_argument_without_a_tuple():
    check_grads(np.sin, X)


def test_trees_and_constants():
    Layer = namedtuple("Layer", "w b")
    params = {"one": Layer(X, numpy.ones(3)), "two": [2.0, None], "steps": 3}

    def apply(params, labels, name):
        assert name == "relu" and labels.dtype == int and params["steps"] == 3
        return {"y": params["one"].w * params["one"].b * params["two"][0]}

    check_grads(apply, (params, numpy.array([1, 2]), "relu"))


def test_a_function_that_insists_on_float32():
    @elementwise
    def square(x):
        if x.dtype != numpy.float32:
            raise TypeError("float32 only")
        return numpy.multiply(x, x)

    defvjp(square, lambda ans, x: lambda g: g * (x + x))
    x = X.astype(numpy.float32)
    check_grads(square, (x,), order=1)
    defvjp(square, lambda ans, x: lambda g: g * (x + x) * numpy.float32(1.01))
    condemned(square, x, order=1)


def test_a_function_that_casts_to_float32_passes():
    single = numpy.float32
    check_grads(lambda x: np.sin(x.astype(single)), (X,))
    check_grads(lambda x: np.sin(x.astype(single)).astype(float), (X,))
    bad = cube_with(FAULTS["0.1 % too large"])
    condemned(lambda x: bad(x.astype(single)).astype(float), X)


def test_nothing_is_printed_or_warned(capsys):
    check_grads(np.log, (numpy.array([1e-9, 1.0]),))
    assert capsys.readouterr() == ("", "")


def test_it_repeats_itself():
    bad = cube_with(lambda ans, x: lambda g: g * x)
    assert condemned(bad, X) == condemned(bad, X)
    assert condemned(bad, X, seed=1) != condemned(bad, X)


# -- planted faults --------------------------------------------------------------------

SLOPE = lambda x: 3 * x * x  # noqa: E731


def last(x, factor):
    """Ones like x, but for `factor` at the last element."""
    ones = numpy.ones(x.shape)
    ones.flat[-1] = factor
    return ones


FAULTS = {
    "0.1 % too large": lambda ans, x: lambda g: g * SLOPE(x) * 1.001,
    "0.1 % too small": lambda ans, x: lambda g: g * SLOPE(x) * 0.999,
    "10 ppm": lambda ans, x: lambda g: g * SLOPE(x) * 1.00001,
    "1 %": lambda ans, x: lambda g: g * SLOPE(x) * 1.01,
    "twice": lambda ans, x: lambda g: g * SLOPE(x) * 2,
    "sign": lambda ans, x: lambda g: -g * SLOPE(x),
    "zero": lambda ans, x: lambda g: 0 * g * x,
    "forgot the power": lambda ans, x: lambda g: g * 3 * x,
    "ans for x": lambda ans, x: lambda g: g * 3 * ans,
    "last element 0.1 %": lambda ans, x: lambda g: g * SLOPE(x) * last(x, 1.001),
    "last element missing": lambda ans, x: lambda g: g * SLOPE(x) * last(x, 0.0),
    "abs": lambda ans, x: lambda g: g * 3 * x * np.abs(x),
    "offset": lambda ans, x: lambda g: g * (SLOPE(x) + 1e-3),
    "g squared": lambda ans, x: lambda g: g * g * SLOPE(x),
    "abs g": lambda ans, x: lambda g: np.abs(g) * SLOPE(x),
    "affine in g": lambda ans, x: lambda g: (g + 1e-4) * SLOPE(x),
    "large g clipped": lambda ans, x: lambda g: np.tanh(g / 300) * 300 * SLOPE(x),
    "not for g": lambda ans, x: lambda g: SLOPE(x),
    "wrong element": lambda ans, x: lambda g: (g * SLOPE(x))[::-1],
    "mean for sum": lambda ans, x: lambda g: g * SLOPE(x) / x.size,
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", FAULTS)
def test_faults_are_caught(name, dtype):
    if dtype == "float32":
        assert "cube" in condemned(cube_with(FAULTS[name]), X.astype(dtype))
    text = condemned(cube_with(FAULTS[name]), X, modes=["rev"])
    assert text.startswith("cube: reverse mode, order 1")


@pytest.mark.parametrize("name", FAULTS)
def test_faults_are_caught_in_forward_mode(name):
    """Without a rule of its own, forward mode comes from the faulty pullback."""
    if name in ("affine in g", "large g clipped"):
        pytest.skip("the transpose of a pullback is its linearisation at g = 0")
    text = condemned(cube_with(FAULTS[name]), X, modes=["fwd"])
    assert "cube: forward mode" in text


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize(
    "name", ["0.1 % too small", "last element 0.1 %", "affine in g"]
)
def test_luck_plays_no_part(name, seed):
    x = numpy.random.default_rng(seed).uniform(0.5, 2.0, 50)
    condemned(cube_with(FAULTS[name]), x, seed=seed, order=1)


def test_one_wrong_element_among_many():
    x = numpy.random.default_rng(0).standard_normal((100, 100))
    bad = cube_with(FAULTS["last element missing"])
    assert "at element (99, 99) of argument '0'" in condemned(bad, x, order=1)


def test_a_wrong_forward_rule():
    right = lambda ans, x: lambda g: g * SLOPE(x)  # noqa: E731
    bad = cube_with(right, jvps=[lambda x_dot, ans, x: x_dot * SLOPE(x) * 1.001])
    check_grads(bad, (X,), modes=["rev"])
    assert "cube: forward mode, order 1" in condemned(bad, X)


def test_wrong_in_second_order_only():
    """The first derivative is right, but a factor of it is seen as a constant."""
    frozen = cube_with(lambda ans, x: lambda g: g * SLOPE(stop_gradient(x)))
    check_grads(frozen, (X,), order=1)
    text = condemned(frozen, X, modes=["rev"])
    assert "reverse mode, order 2 (rev of rev)" in text
    assert "argument '0'" in text
    deaf = cube_with(lambda ans, x: lambda g: stop_gradient(g) * SLOPE(x))
    check_grads(deaf, (X,), order=1, modes=["rev"])
    assert "argument 'cotangent 0'" in condemned(deaf, X, modes=["rev"])


def test_wrong_in_third_order_only():
    @elementwise
    def slope(x):
        return 3 * x * x

    defvjp(slope, lambda ans, x: lambda g: g * 6 * stop_gradient(x))
    bad = cube_with(lambda ans, x: lambda g: g * slope(x))
    check_grads(bad, (X,), order=2)
    assert "order 3" in condemned(bad, X, order=3)


def scaled(unbroadcast_y):
    """A primitive x * y that doesn't leave the unbroadcasting to the engine."""

    @primitive
    def scale(x, y):
        return x * y

    defvjp(
        scale,
        lambda ans, x, y: lambda g: g * y,
        lambda ans, x, y: lambda g: unbroadcast_y(g * x),
    )
    return scale


def test_faults_of_unbroadcasting():
    row = numpy.array([[1.0, 2.0, 3.0]])
    check_grads(scaled(lambda g: g.sum(axis=0).reshape(1, 3)), (X, row))
    for wrong in (
        lambda g: g[:1],  # the sum is missing
        lambda g: 2 * g.sum(axis=0).reshape(1, 3),  # and doubled
        lambda g: g.sum(axis=0).reshape(1, 3) / 2,  # a mean
        lambda g: g.sum(axis=0)[::-1].reshape(1, 3),  # reversed
    ):
        assert "argument '1'" in condemned(scaled(wrong), X, row)


def test_a_transposed_operand():
    @primitive
    def product(x, y):
        return numpy.matmul(x, y)

    right = lambda ans, x, y: lambda g: product(g, y.T)  # noqa: E731
    other = lambda ans, x, y: lambda g: product(x.T, g)  # noqa: E731
    square = X @ X.T
    defvjp(product, right, other)
    check_grads(product, (square, square + 1))
    for faults in [
        (lambda ans, x, y: lambda g: product(g, y), other),
        (lambda ans, x, y: lambda g: product(y.T, g), other),
        (right, lambda ans, x, y: lambda g: product(x, g)),
        (right, lambda ans, x, y: lambda g: product(g, x.T)),
        (right, lambda ans, x, y: lambda g: product(x.T, g).T),
        (other, right),
    ]:
        defvjp(product, *faults)
        condemned(product, square + [[0, 1], [2, 0]], square + [[1, 0], [3, 0]])


def test_wrong_in_one_dtype_only():
    def rule(ans, x):
        return lambda g: g * SLOPE(x) * (1.001 if x.dtype == numpy.float32 else 1)

    check_grads(cube_with(rule), (X,))
    text = condemned(cube_with(rule), X.astype(numpy.float32))
    assert "float32" in text and "double precision" in text


def test_a_wrong_complex_rule():
    z = X + 0.5j
    for wrong in (
        lambda ans, z: lambda g: np.conj(g * SLOPE(z)),
        lambda ans, z: lambda g: g * np.conj(SLOPE(z)),
        lambda ans, z: lambda g: g * SLOPE(z) * 1j,
        lambda ans, z: lambda g: np.real(g * SLOPE(z)),
    ):
        condemned(cube_with(wrong), z)


def test_a_rule_with_a_state():
    calls = itertools.count()

    def rule(ans, x):
        return lambda g: g * SLOPE(x) * (1 if next(calls) == 0 else 1.1)

    assert "a state in a rule?" in condemned(cube_with(rule), X)


def test_a_random_function():
    rng = numpy.random.default_rng(0)
    condemned(lambda x: x * rng.random(), X, match="something else each time")


def test_a_function_that_writes_into_its_argument():
    @elementwise
    def negate(x):
        ans = -x
        x *= 1.5
        return ans

    defvjp(negate, lambda ans, x: lambda g: -g)
    with pytest.raises(GradientCheckError):
        check_grads(negate, (X.copy(),))


def test_a_rule_that_writes_into_its_cotangent():
    @nondifferentiable_double
    def double(x):
        x *= 2
        return x

    bad = cube_with(lambda ans, x: lambda g: double(g) * SLOPE(x) / 2)
    assert "was written to" in condemned(bad, X, modes=["rev"])


def nondifferentiable_double(fun):
    """A primitive of a linear function that is its own pullback."""
    double = elementwise(fun)
    defvjp(double, lambda ans, x: lambda g: g * 2)
    return double


def test_the_message():
    cube = cube_with(FAULTS["sign"])

    def loss(params):
        return cube(params["w"])

    text = condemned(loss, {"w": X}, modes=["rev"])
    for part in (
        "loss: reverse mode, order 1: the derivative is wrong",
        "analytic ",
        "numerical ",
        "(step ",
        "ratio      -1 (a wrong sign?)",
        "of argument '0.w' (shape (2, 3), float64)",
    ):
        assert part in text
    assert issubclass(GradientCheckError, AssertionError)


# -- kinks and noise: said, not condemned --------------------------------------------


def test_a_kink_is_called_a_kink():
    x = numpy.array([0.0, 1.0, -1.0])
    relu = lambda x: np.where(x > 0, x, 0.0)  # noqa: E731
    with pytest.warns(GradientCheckWarning, match="not differentiable here"):
        check_grads(relu, (x,), order=1)
    check_grads(relu, (x[1:],))


def test_a_kink_excuses_nothing_but_itself():
    wrong = elementwise(lambda x: numpy.maximum(x, 0))
    defvjp(wrong, lambda ans, x: lambda g: g * 7.0)
    condemned(wrong, numpy.array([0.0]))


def test_near_a_kink_is_no_kink():
    x = numpy.array([1e-6, -1e-6, 1e-9, 1.0])
    check_grads(lambda x: np.maximum(x, 0.0) * 2, (x,))
    many = numpy.random.default_rng(0).standard_normal(10_000)
    check_grads(lambda x: np.maximum(x, 0.0).sum(), (many,))


def test_the_edge_of_the_domain():
    x = numpy.array([0.0, 1.0])
    with numpy.errstate(all="ignore"), pytest.warns(GradientCheckWarning):
        check_grads(np.sqrt, (x,), order=1)


def rough(amplitude, factor=1.0):
    """A sine with noise, and a multiple of its derivative."""

    @elementwise
    def sine(x):
        return numpy.sin(x) + amplitude * numpy.sin(1e9 * x)

    defvjp(sine, lambda ans, x: lambda g: factor * g * np.cos(x))
    return sine


def test_noise_is_called_inconclusive():
    with pytest.warns(GradientCheckWarning, match="inconclusive"):
        check_grads(rough(1e-2), (X,), order=1, modes=["rev"])


@pytest.mark.parametrize("seed", range(3))
def test_noise_widens_the_error_bar(seed):
    """What it leaves of the signal is compared, and nothing is right without one."""

    def verdict(amplitude, factor):
        fun = rough(amplitude, factor)
        return check_grads(fun, (X,), order=1, seed=seed, report=True).verdict

    assert verdict(1e-6, 1.0) == verdict(1e-5, 1.0) == "ok"
    assert verdict(1e-6, 1.05) == verdict(1e-5, 1.3) == "wrong"
    for factor in (1.3, 2.0, -1.0):
        for amplitude in (1e-3, 1e-2, 0.1, 1.0):
            assert verdict(amplitude, factor) in ("wrong", "inconclusive")


# -- wrong use ------------------------------------------------------------------------


def test_wrong_use():
    with pytest.raises(ArgumentError, match="modes="):
        check_grads(np.sin, (X,), modes=["reverse"])
    with pytest.raises(ArgumentError, match="order=0"):
        check_grads(np.sin, (X,), order=0)
    with pytest.raises(ArgumentError, match="as one tuple"):
        check_grads(np.multiply, X, X)
    with pytest.raises(ArgumentError, match="no array of floats"):
        check_grads(np.sin, (numpy.arange(3),))
    with pytest.raises(ArgumentError, match="returns no array"):
        check_grads(lambda x: x > 0, (X,))
    with pytest.raises(ArgumentError, match="not finite"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check_grads(np.log, (X,))


# -- the parts ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fun", "slope"),
    [
        (math.exp, 1.0),
        (math.sin, 1.0),
        (lambda t: (1 + t) ** 5, 5.0),
        (lambda t: math.cos(50 * t + 1), -50 * math.sin(1)),
        (lambda t: math.nan if abs(t) > 1e-4 else 3 * t, 3.0),
        (lambda t: 7.0, 0.0),
    ],
)
def test_the_error_bar_holds(fun, slope):
    noise = 4e-16 * abs(fun(0.0))
    estimate = central(fun, noise, 2.2e-16, 0.0)
    assert abs(estimate.value - slope) <= 5 * estimate.error + 1e-15
    assert estimate.error < 1e-7 * max(abs(slope), 1)
    for sign in (1.0, -1.0):
        side = one_sided(fun, noise, 2.2e-16, sign)
        assert abs(side.value - slope) <= 5 * side.error + 1e-12
        assert side.error < 1e-4 * max(abs(slope), 1)


def test_one_sided_derivatives_of_a_kink():
    fun = lambda t: max(t, 0.0) * 2  # noqa: E731
    assert abs(one_sided(fun, 1e-16, 2e-16, 1.0).value - 2) < 1e-9
    assert one_sided(fun, 1e-16, 2e-16, -1.0).value == 0


def test_bisection_finds_the_element():
    us = [numpy.ones(3), numpy.ones((4, 5)), numpy.ones(0)]
    assert worst_element(lambda us: abs(us[1][2, 3]), us) == (1, 13)


def test_ratios():
    assert ratio(2.0, 1.0) == "2 (twice?)"
    assert ratio(1.0, 2.0) == "0.5 (half?)"
    assert ratio(1.0, 0.0) == "1 / 0"
