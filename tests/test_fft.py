"""numpy.fft: every function and form, adjoints by Hypothesis, closed forms, errors."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_cases import assert_same

import autograd_lite.numpy as anp
from autograd_lite import grad, jvp, vjp, vmap
from autograd_lite.errors import ArgumentError, AutogradError, UnsupportedError
from autograd_lite.numpy import fft
from autograd_lite.testing import check_grads

pytestmark = pytest.mark.filterwarnings("error")

ONE_AXIS = ["fft", "ifft", "rfft", "irfft", "hfft", "ihfft"]
TWO_AXES = ["fft2", "ifft2", "rfft2", "irfft2"]
MANY_AXES = ["fftn", "ifftn", "rfftn", "irfftn"]
SHIFTS = ["fftshift", "ifftshift"]
REAL_INPUT = {"rfft", "ihfft", "rfft2", "rfftn"}
NORMS = [None, "backward", "ortho", "forward"]

names = pytest.mark.parametrize("name", ONE_AXIS + TWO_AXES + MANY_AXES + SHIFTS)


def normal(*shape, dtype=float):
    """Normal numbers, complex ones with two independent parts, in any dtype."""
    rng = np.random.default_rng(shape)
    x = rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
    return x.astype(dtype) if np.dtype(dtype).kind == "c" else x.real.astype(dtype)


def sample(name, shape=(3, 4, 5), wide=False):
    """An array that a transform accepts; complex where it may be."""
    return normal(*shape, dtype=float if name in REAL_INPUT or wide else complex)


def call(name, *args, **kwargs):
    """A function of fft that lacks its first argument."""
    return lambda x: getattr(fft, name)(x, *args, **kwargs)


def inner(a, b):
    return float(np.real(np.sum(a * b)))


def check_adjoint(fun, x):
    """Forward and reverse mode are adjoint, and forward mode of a linear map is it."""
    y, y_dot = jvp(fun, (x,), (x,))
    np.testing.assert_allclose(y_dot, y, 1e-12, 1e-12)
    x_dot = np.roll(x, 1)
    g = np.cos(np.arange(y.size)).reshape(y.shape).astype(y.dtype)
    if y.dtype.kind == "c":
        g = g + 1j * np.sin(2 * np.arange(y.size)).reshape(y.shape)
    y_dot = jvp(fun, (x,), (x_dot,))[1]
    (x_bar,) = vjp(fun, x)[1](g)
    scale = np.linalg.norm(g) * np.linalg.norm(y_dot)
    assert abs(inner(g, y_dot) - inner(x_bar, x_dot)) <= 1e-13 * (1 + scale)


# -- every function -------------------------------------------------------------------


def test_all_functions_are_there():
    assert set(fft.__all__) == set(np.fft.__all__)
    tested = {*ONE_AXIS, *TWO_AXES, *MANY_AXES, *SHIFTS}
    assert set(fft.__all__) - tested == {"fftfreq", "rfftfreq"}
    assert anp.fft is fft


@names
def test_without_a_tracer_numpy_answers(name):
    x = sample(name)
    expected = getattr(np.fft, name)(x)
    np.testing.assert_array_equal(getattr(fft, name)(x), expected, strict=True)


@names
@pytest.mark.parametrize("shape", [(3, 4, 5), (2, 5, 6), (2, 2, 2)])
def test_traced_values_and_derivatives(name, shape):
    fun = getattr(fft, name)
    for x in (sample(name, shape), sample(name, shape, wide=True)):
        expected = getattr(np.fft, name)(x)
        y, pullback = vjp(fun, x)
        np.testing.assert_array_equal(y, expected, strict=True)
        plain, plain_pullback = vjp(getattr(np.fft, name), x)
        np.testing.assert_array_equal(plain, y)
        np.testing.assert_array_equal(plain_pullback(y)[0], pullback(y)[0])
        check_grads(fun, (x,), order=2)


@names
@pytest.mark.parametrize("dtype", [np.float32, np.complex64])
def test_single_precision_stays(name, dtype):
    if name in REAL_INPUT and dtype is np.complex64:
        pytest.skip("takes real numbers")
    x = normal(3, 4, 5, dtype=dtype)
    y, pullback = vjp(getattr(fft, name), x)
    assert_same(y, getattr(np.fft, name)(x), 1e-6, 1e-6)
    assert y.real.dtype == np.float32
    (x_bar,) = pullback(y)
    assert x_bar.dtype == dtype
    exact = normal(3, 4, 5, dtype=np.result_type(dtype, float))
    exact_y, exact_pullback = vjp(getattr(fft, name), exact)
    (expected,) = exact_pullback(exact_y)
    np.testing.assert_allclose(x_bar, expected, 1e-3, 1e-5 * np.abs(expected).max())


# -- every form, by Hypothesis --------------------------------------------------------


@settings(max_examples=300)
@given(
    st.sampled_from(ONE_AXIS),
    st.integers(2, 9),
    st.one_of(st.none(), st.integers(1, 12)),
    st.sampled_from([0, 1, -1, -2]),
    st.sampled_from(NORMS),
    st.booleans(),
)
def test_along_one_axis(name, length, n, axis, norm, real):
    x = sample(name, (3, length) if axis % 2 else (length, 3), real)
    expected = getattr(np.fft, name)(x, n, axis, norm)
    fun = call(name, n, axis=axis, norm=norm)
    np.testing.assert_array_equal(vjp(fun, x)[0], expected, strict=True)
    check_adjoint(fun, x)


@settings(max_examples=300)
@given(
    st.sampled_from(MANY_AXES + TWO_AXES),
    st.lists(st.integers(2, 5), min_size=3, max_size=3),
    st.lists(st.integers(-3, 2), min_size=1, max_size=3),
    st.one_of(st.none(), st.lists(st.integers(0, 6), min_size=3, max_size=3)),
    st.sampled_from(NORMS),
    st.booleans(),
)
def test_along_many_axes(name, shape, axes, lengths, norm, real):
    """Axes may be negative and repeated, lengths crop, pad, or (-1) leave an axis."""
    x = sample(name, shape, real)
    s = None if lengths is None else [n or -1 for n in lengths[: len(axes)]]
    expected = getattr(np.fft, name)(x, s, axes, norm)
    fun = call(name, s=s, axes=axes, norm=norm)
    np.testing.assert_array_equal(vjp(fun, x)[0], expected, strict=True)
    check_adjoint(fun, x)


@given(
    st.sampled_from(SHIFTS),
    st.one_of(
        st.none(), st.integers(-3, 2), st.permutations(range(3)).map(lambda p: p[:2])
    ),
)
def test_shifts(name, axes):
    x = normal(3, 4, 5)
    axes = tuple(axes) if isinstance(axes, list) else axes
    expected = getattr(np.fft, name)(x, axes)
    fun = call(name, axes)
    np.testing.assert_array_equal(vjp(fun, x)[0], expected, strict=True)
    check_adjoint(fun, x)


@pytest.mark.parametrize("name", MANY_AXES)
def test_lengths_without_axes_are_of_the_last_ones(name):
    x = sample(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        expected = getattr(np.fft, name)(x, (5, 6))
    y, _ = vjp(lambda x: getattr(fft, name)(x, (5, 6)), x)
    np.testing.assert_array_equal(y, expected)


# -- closed forms ---------------------------------------------------------------------


def test_parseval():
    x = normal(7)
    x_bar = grad(lambda x: anp.sum(anp.abs(fft.fft(x)) ** 2))(x)
    np.testing.assert_allclose(x_bar, 2 * 7 * x, 1e-12)
    half = grad(lambda x: anp.sum(anp.abs(fft.rfft(x, norm="ortho")) ** 2))(x)
    mean = x.mean()  # all but the mean are counted once instead of twice
    np.testing.assert_allclose(half, x + mean, 1e-12)


@pytest.mark.parametrize("n", [6, 7])
def test_inverses_have_the_identity_as_derivative(n):
    x, g = normal(2, n), np.cos(np.arange(2.0 * n)).reshape(2, n)
    for fun in [
        lambda x: anp.real(fft.ifft(fft.fft(x))),
        lambda x: fft.irfft(fft.rfft(x), n),
        lambda x: fft.hfft(fft.ihfft(x), n),
    ]:
        np.testing.assert_allclose(vjp(fun, x)[1](g)[0], g, 1e-12, 1e-14)


def test_convolution_theorem():
    x, kernel, g = normal(9), normal(4), np.cos(np.arange(12.0))

    def convolve(x):
        return fft.irfft(fft.rfft(x, 12) * fft.rfft(kernel, 12), 12)

    np.testing.assert_allclose(convolve(x), np.convolve(x, kernel), 1e-12, 1e-12)
    expected = np.correlate(g, kernel, "valid")
    np.testing.assert_allclose(vjp(convolve, x)[1](g)[0], expected, 1e-12, 1e-12)


def test_parts_that_a_real_signal_cannot_have_are_ignored():
    y = normal(4, dtype=complex)
    (y_bar,) = vjp(lambda y: fft.irfft(y, 6), y)[1](normal(6))
    assert y_bar.imag[0] == y_bar.imag[3] == 0 and y_bar.imag[1:3].all()
    (y_bar,) = vjp(lambda y: fft.irfft(y, 7), y)[1](normal(7))
    assert y_bar.imag[0] == 0 and y_bar.imag[1:].all()


@pytest.mark.parametrize("name", ["fftfreq", "rfftfreq"])
def test_frequencies(name):
    ours, numpys = getattr(fft, name), getattr(np.fft, name)
    np.testing.assert_array_equal(ours(7, 0.3), numpys(7, 0.3))
    np.testing.assert_allclose(vjp(lambda d: ours(7, d), 0.3)[0], numpys(7, 0.3))
    check_grads(lambda d: ours(7, d), (0.3,))


def test_vmap_is_a_stack():
    x = normal(4, 3, 5)
    for name in ["rfft", "fft2", "fftshift", "ihfft"]:
        fun = getattr(fft, name)
        expected = np.stack([fun(row) for row in x])
        np.testing.assert_allclose(vmap(fun)(x), expected, 1e-13, 1e-13)


def test_no_elements():
    x = np.zeros((0, 4))
    for name, s in [("fft", 3), ("rfft", 6), ("irfft", 5), ("fft2", (2, 3))]:
        y, pullback = vjp(call(name, s), x)
        assert_same(y, getattr(np.fft, name)(x, s))
        assert pullback(y)[0].shape == x.shape


# -- refusals -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fun, error, text",
    [
        (lambda x: fft.fft(x, norm="other"), ArgumentError, "ortho"),
        (lambda x: fft.fft(x, 0), ArgumentError, "0 points"),
        (lambda x: fft.irfft(x[:, :1]), ArgumentError, "0 points"),
        (lambda x: fft.fftn(x, (2,), (0, 1)), ArgumentError, "1 lengths for 2 axes"),
        (lambda x: fft.rfft(x * 1j), TypeError, "use np.fft.fft"),
        (lambda x: fft.fft(x, out=np.empty(3)), UnsupportedError, "out="),
    ],
)
def test_refusals_in_the_forward_pass(fun, error, text):
    with pytest.raises(error, match=text) as raised:
        vjp(fun, normal(2, 3))
    assert isinstance(raised.value, AutogradError)
