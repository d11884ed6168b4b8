"""scalar_primitive: a user's function of numbers, compiled with its derivatives."""

import inspect
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

import autograd_lite.numpy as anp
from autograd_lite import grad, hessian, jvp, primitive, scalar_primitive, vmap
from autograd_lite.errors import ArgumentError, UnsupportedError
from autograd_lite.scipy import special
from autograd_lite.testing import check_grads

RNG = np.random.default_rng(0)
X = RNG.uniform(0.1, 0.9, (3, 4))


@scalar_primitive
def huber(x, width):
    """Quadratic near zero, linear beyond."""
    if abs(x) < width:
        return x * x / 2
    return width * (abs(x) - width / 2)


@scalar_primitive
def series(x, a):
    total, term = 0.0, 1.0
    for i in range(1, 18):
        term *= a * x / i
        total += term
    return max(total, -0.5)


def test_value_and_shape_of_numbers_and_arrays():
    assert huber(3.0, 1.0) == 2.5 and np.shape(huber(3.0, 1.0)) == ()
    np.testing.assert_allclose(series(X, 1.0), np.expm1(X), rtol=1e-9)
    assert series(np.zeros((0, 3)), 2.0).shape == (0, 3)
    assert huber.__name__ == "huber" and "Quadratic" in huber.__doc__
    np.testing.assert_array_equal(huber(np.array([0, 4]), 1), [0.0, 3.5])


def test_derivatives_of_all_orders_and_modes():
    check_grads(series, (X, 0.7))
    check_grads(huber, (X * 3 - 1, 0.5))
    assert grad(grad(grad(series)))(0.5, 2.0) == pytest.approx(8 * math.e, rel=1e-6)
    f = np.vectorize(grad(grad(series), 1))
    np.testing.assert_allclose(f(X, 1.2), (1 + 1.2 * X) * np.exp(1.2 * X), rtol=1e-6)
    np.testing.assert_allclose(
        hessian(lambda x: series(x, 2.0).sum())(X[0]),
        np.diag(4 * np.exp(2 * X[0])),
        rtol=1e-6,
    )
    np.testing.assert_allclose(
        jvp(series, (X, 0.5), (X, 0.3))[1], (0.5 * X + 0.3 * X) * np.exp(0.5 * X)
    )
    np.testing.assert_allclose(vmap(series, (0, None))(X, 2.0), series(X, 2.0))
    np.testing.assert_allclose(
        vmap(grad(series), (0, 0))(X[0], X[1]), X[1] * np.exp(X[0] * X[1])
    )


SHAPES = st.sampled_from([(), (1,), (4,), (3, 1), (3, 4), (2, 1, 4)])


@given(SHAPES, SHAPES, st.booleans(), st.sampled_from([np.float32, np.float64]))
def test_broadcasting_strides_and_dtypes(a, b, transposed, dtype):
    x = RNG.uniform(0.2, 1, a).astype(dtype)
    y = RNG.uniform(0.2, 1, b).astype(dtype)
    if transposed and len(a) > 1 and a == b:
        x, y = x.T, y[..., ::-1].T
    found = series(x, y)
    assert found.dtype == dtype and found.shape == np.broadcast_shapes(x.shape, y.shape)
    np.testing.assert_allclose(found, np.expm1(x * y), rtol=1e-5)
    x_bar, y_bar = grad(lambda x, y: series(x, y).sum(), (0, 1))(x, y)
    assert x_bar.dtype == y_bar.dtype == dtype
    assert x_bar.shape == x.shape and y_bar.shape == y.shape
    expected = grad(lambda x, y: anp.expm1(x * y).sum(), (0, 1))(x, y)
    np.testing.assert_allclose(x_bar, expected[0], rtol=1e-5)
    np.testing.assert_allclose(y_bar, expected[1], rtol=1e-5)


def test_dtypes_are_numpys():
    assert huber(np.float32(2), 1.0).dtype == np.float32
    assert huber(np.float32(2), np.float64(1)).dtype == np.float64
    assert huber(np.float16(2), np.float16(1)).dtype == np.float16
    with pytest.raises(UnsupportedError, match="real numbers, got complex128"):
        huber(1j, 1.0)


def test_large_arrays_give_the_same_in_any_number_of_pieces():
    x = np.linspace(-3, 3, 100_003)
    np.testing.assert_array_equal(
        huber(x, 1.0), np.concatenate([huber(p, 1.0) for p in np.array_split(x, 50)])
    )
    slopes = grad(lambda x: huber(x, 1.0).sum())(x)
    np.testing.assert_array_equal(slopes, np.clip(x, -1, 1))


# Every function with a rule; `k` chooses, so that all are compiled at once.
UNARY = [
    *[(math.sin, anp.sin), (math.cos, anp.cos), (math.tan, anp.tan)],
    *[(math.asin, anp.arcsin), (math.acos, anp.arccos), (math.atan, anp.arctan)],
    *[(math.sinh, anp.sinh), (math.cosh, anp.cosh), (math.tanh, anp.tanh)],
    *[(math.asinh, anp.arcsinh), (math.atanh, anp.arctanh), (math.exp, anp.exp)],
    *[(math.expm1, anp.expm1), (math.log, anp.log), (math.log1p, anp.log1p)],
    *[(math.log2, anp.log2), (math.log10, anp.log10), (math.sqrt, anp.sqrt)],
    *[(math.erf, special.erf), (math.erfc, special.erfc), (math.fabs, anp.abs)],
]


@scalar_primitive
def of_math(x, k):
    if k < 7:
        if k < 3:
            return math.sin(x) if k == 0 else math.cos(x) if k == 1 else math.tan(x)
        if k < 5:
            return math.asin(x) if k == 3 else math.acos(x)
        return math.atan(x) if k == 5 else math.sinh(x)
    if k < 14:
        if k < 10:
            return math.cosh(x) if k == 7 else math.tanh(x) if k == 8 else math.asinh(x)
        if k < 12:
            return math.atanh(x) if k == 10 else math.exp(x)
        return math.expm1(x) if k == 12 else math.log(x)
    if k < 17:
        return math.log1p(x) if k == 14 else math.log2(x) if k == 15 else math.log10(x)
    if k < 19:
        return math.sqrt(x) if k == 17 else math.erf(x)
    return math.erfc(x) if k == 19 else math.fabs(x)


@scalar_primitive
def of_numpy(x, k):
    if k < 7:
        if k < 3:
            return np.sin(x) if k == 0 else np.cos(x) if k == 1 else np.tan(x)
        if k < 5:
            return np.arcsin(x) if k == 3 else np.arccos(x)
        return np.arctan(x) if k == 5 else np.sinh(x)
    if k < 14:
        if k < 10:
            return np.cosh(x) if k == 7 else np.tanh(x) if k == 8 else np.arcsinh(x)
        if k < 12:
            return np.arctanh(x) if k == 10 else np.exp(x)
        return np.expm1(x) if k == 12 else np.log(x)
    if k < 17:
        return np.log1p(x) if k == 14 else np.log2(x) if k == 15 else np.log10(x)
    return np.sqrt(x) if k == 17 else np.square(x) if k == 18 else np.abs(x)


@pytest.mark.parametrize(
    "fun", [of_math, pytest.param(of_numpy, marks=pytest.mark.slow)]
)
def test_every_function_of_one_number(fun):
    pairs = UNARY if fun is of_math else [*UNARY[:18], (None, anp.square), UNARY[-1]]
    for k, (_, reference) in enumerate(pairs):
        for order in range(3):
            f, g = (lambda x, k=k: fun(x, float(k))), reference
            for _ in range(order):
                f = grad(lambda x, f=f: anp.sum(f(x)))
                g = grad(lambda x, g=g: anp.sum(g(x)))
            np.testing.assert_allclose(
                f(X), g(X), rtol=1e-9, atol=1e-12, err_msg=f"{reference} {order}"
            )


def arithmetic(x, y):
    z = +x - y * 2 + x / y - 1 / x + (-y) / 3
    z += x**y + x**3 + 2.0**y + math.pow(x, 0.5)
    z -= math.hypot(x, y) * math.atan2(y, x)
    z *= math.copysign(x, y - 5) + 5
    z /= y
    z += x % 0.25 + 2.0 % y + max(x, y) + min(x, 0.5) - min(2.0, y)
    return z + math.floor(10 * x) * y


def test_every_operation_on_two_numbers():
    fun = scalar_primitive(arithmetic)
    y = RNG.uniform(1.1, 1.9, X.shape)
    np.testing.assert_allclose(fun(X, y), np.vectorize(arithmetic)(X, y), rtol=1e-12)
    check_grads(fun, (X, y), order=1)


def test_awkward_points_follow_the_library():
    tie = scalar_primitive(lambda x, y: max(x, y))
    assert grad(tie, (0, 1))(1.0, 1.0) == (0.5, 0.5)
    assert grad(scalar_primitive(lambda x: abs(x)))(0.0) == 0.0
    power = scalar_primitive(lambda x, y: x**y)
    assert grad(power)(0.0, 0.0) == 0.0 and np.isnan(grad(power, 1)(-1.0, 2.0))
    assert grad(scalar_primitive(lambda x: x**0))(0.0) == 0.0
    assert grad(scalar_primitive(lambda x: 1.0))(2.0) == 0.0
    assert np.isinf(grad(scalar_primitive(lambda x: x**0.5))(0.0))


def test_limits_at_infinity_and_hidden_second_derivatives():
    clip = scalar_primitive(lambda x, low: min(max(x, low), math.inf) * (x > 0))
    assert grad(clip)(2.0, -math.inf) == 1.0 and grad(clip)(-2.0, -5.0) == 0.0
    power = scalar_primitive(lambda x, t: x ** (t * t))
    assert grad(grad(power, 1), 1)(3.0, 0.0) == pytest.approx(2 * math.log(3))


def test_helpers_and_closures():
    @njit
    def cube(x):
        return x * x * x

    c = 2.0
    assert grad(scalar_primitive(lambda x: c * cube(x)))(2.0) == 24.0
    assert grad(scalar_primitive(cube))(2.0) == 12.0


def test_a_loop_of_unknown_length():
    @scalar_primitive
    def root(a):
        x = a
        while abs(x * x - a) > 1e-13:
            x = (x + a / x) / 2
        return x

    np.testing.assert_allclose(root(X), np.sqrt(X))
    np.testing.assert_allclose(
        grad(lambda a: root(a).sum())(X), 0.5 / np.sqrt(X), rtol=1e-9
    )


def test_what_cannot_be_compiled_is_named():
    def outside(x):
        return x

    @scalar_primitive
    def gamma(x):
        y = x + 1.0
        return math.gamma(y)

    @scalar_primitive
    def calls(x):
        return outside(x)

    assert gamma(3.0) == 6.0  # it has a value, but no derivative
    line = inspect.getsourcelines(gamma.__wrapped__)[1]
    with pytest.raises(UnsupportedError, match=r"gamma\(dual\(float64\)\)") as error:
        grad(gamma)(3.0)
    with pytest.raises(UnsupportedError, match=r"outside.*numba\.njit"):
        calls(1.0)
    assert f"{Path(__file__).name}:" in str(error.value) and line


def returns_nothing(x):
    x * x


def returns_sometimes(x):
    if x > 0:
        return x


def returns_two(x):
    return x, x


def returns_complex(x):
    return 1j * x


def names_nobody(x):
    return x * nobody  # noqa: F821


def names_no_function(x):
    return math.cosine(x)


@pytest.mark.parametrize(
    ("fun", "what"),
    [
        (returns_nothing, "it returns nothing: is a `return` missing"),
        (returns_sometimes, "not every way through it ends in a `return`"),
        (returns_two, r"one real number, not UniTuple\(float64 x 2\)"),
        (returns_complex, "one real number, not complex128"),
        (names_nobody, "name 'nobody' is not defined"),
        (names_no_function, "no attribute 'cosine'"),
    ],
)
@pytest.mark.parametrize("run", ["value", "gradient", "threads"])
def test_what_cannot_be_compiled_is_named_with_its_line(fun, what, run):
    primitive = scalar_primitive(fun)
    x = np.ones(1 << 14 if run == "threads" else 2)
    with pytest.raises(UnsupportedError, match=rf"{fun.__name__} .*{what}") as error:
        grad(lambda x: primitive(x).sum())(x) if run == "gradient" else primitive(x)
    line = inspect.getsourcelines(fun)[1]
    assert f"{Path(__file__).name}:{line})" in str(error.value)


def test_keywords_are_refused():
    for fun in (huber, lambda x, width: vmap(lambda x: huber(x, width=width))(x)):
        with pytest.raises(ArgumentError, match=r"width by keyword.*huber\(x, width\)"):
            fun(X, width=1.0)
    with pytest.raises(ArgumentError, match="width by keyword"):
        grad(lambda x: huber(x, width=1.0).sum())(X)


def test_misuse():
    with pytest.raises(ArgumentError, match="needs a function, got 3"):
        scalar_primitive(3)
    with pytest.raises(ArgumentError, match="fixed number of arguments"):
        scalar_primitive(lambda *x: x)
    with pytest.raises(ArgumentError, match="huber takes 2 arguments, got 1"):
        huber(X)


def test_defining_one_does_not_load_numba():
    code = (
        "import sys, autograd_lite;"
        "autograd_lite.scalar_primitive(lambda x: x);"
        "assert 'numba' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_it_is_a_primitive():
    assert type(huber) is type(primitive(lambda x: x))
