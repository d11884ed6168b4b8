"""Convolution and correlation: all modes, any number of axes, HIPS autograd's axes."""

import numpy as np
import pytest
import scipy.signal
from hypothesis import given
from hypothesis import strategies as st

from autograd_lite import grad, vjp
from autograd_lite.errors import ArgumentError, ShapeError, UnsupportedError
from autograd_lite.scipy import signal
from autograd_lite.testing import check_grads

MODES = ["full", "same", "valid"]
SHAPES = [((7,), (3,)), ((3,), (7,)), ((5, 4), (2, 3)), ((4, 1, 5), (2, 1, 3))]
FUNCTIONS = ["convolve", "correlate", "fftconvolve", "oaconvolve"]


def pair(*shapes, dtype=float):
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(s) for s in shapes]
    if dtype is complex:
        return [x + 1j * rng.standard_normal(x.shape) for x in arrays]
    return [x.astype(dtype) for x in arrays]


def traced(fun, *args):
    """The value that `fun` has under a trace."""
    return vjp(fun, *args)[0]


@pytest.mark.parametrize("shapes", SHAPES)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_and_derivatives(name, mode, shapes):
    ours, theirs = getattr(signal, name), getattr(scipy.signal, name)
    x, y = pair(*shapes)
    expected = theirs(x, y, mode)
    np.testing.assert_array_equal(ours(x, y, mode), expected)
    np.testing.assert_allclose(
        traced(lambda x, y: ours(x, y, mode), x, y), expected, 1e-12, 1e-12
    )
    check_grads(lambda x, y: ours(x, y, mode), (x, y))


@pytest.mark.parametrize("method", ["direct", "fft"])
def test_methods(method):
    x, y = pair((40,), (9,))
    fun = lambda x, y: signal.convolve(x, y, "same", method)  # noqa: E731
    expected = scipy.signal.convolve(x, y, "same", method)
    np.testing.assert_allclose(traced(fun, x, y), expected, 1e-12, 1e-12)
    check_grads(fun, (x, y))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_complex(name):
    x, y = pair((6,), (3,), dtype=complex)
    fun = getattr(signal, name)
    expected = getattr(scipy.signal, name)(x, y)
    np.testing.assert_allclose(traced(fun, x, y), expected, 1e-12)
    check_grads(fun, (x, y))
    check_grads(fun, (x.real, y))  # the gradient of the real one is real
    assert vjp(fun, x.real, y)[1](expected)[0].dtype == np.float64


@pytest.mark.parametrize("mode", MODES)
def test_float32(mode):
    x, y = pair((6, 5), (2, 3), dtype=np.float32)
    z, pullback = vjp(lambda x, y: signal.convolve(x, y, mode), x, y)
    assert {a.dtype for a in (z, *pullback(z))} == {np.dtype(np.float32)}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("axes", [0, -1, (0, 2), [1]])
def test_axes_of_fftconvolve(axes, mode):
    x, y = pair((4, 5, 6), (4, 5, 6))
    x = x[:1] if axes == [1] else x
    fun = lambda x, y: signal.fftconvolve(x, y, mode, axes)  # noqa: E731
    expected = scipy.signal.fftconvolve(x, y, mode, axes)
    np.testing.assert_allclose(traced(fun, x, y), expected, 1e-12, 1e-12)
    check_grads(fun, (x, y))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ["convolve2d", "correlate2d"])
def test_two_axes(name, mode):
    x, y = pair((5, 4), (2, 3))
    fun = lambda x, y: getattr(signal, name)(x, y, mode)  # noqa: E731
    expected = getattr(scipy.signal, name)(x, y, mode)
    np.testing.assert_allclose(traced(fun, x, y), expected, 1e-12, 1e-12)
    check_grads(fun, (x, y))
    with pytest.raises(UnsupportedError, match="boundary"):
        grad(lambda x: getattr(signal, name)(x, y, boundary="wrap").sum())(x)


# -- the axes of HIPS autograd's ------------------------------------------------------


def spelled_out(x, y, mode):
    """The layers of a CNN: x (n, c, h, w), y (c, k, r, s) -> (n, k, h', w')."""
    return np.stack(
        [
            [
                sum([scipy.signal.convolve(a, b, mode) for a, b in zip(image, kernels)])
                for kernels in y.swapaxes(0, 1)
            ]
            for image in x
        ]
    )


@pytest.mark.parametrize("method", ["auto", "fft"])
@pytest.mark.parametrize("mode", MODES)
def test_kept_and_summed_axes(mode, method):
    x, y = pair((2, 3, 6, 5), (3, 4, 2, 3))
    places = {"axes": ([2, 3], [2, 3]), "dot_axes": ([1], [0])}
    fun = lambda x, y: signal.convolve(x, y, mode, method, **places)  # noqa: E731
    expected = spelled_out(x, y, mode)
    np.testing.assert_allclose(fun(x, y), expected, 1e-12, 1e-12)
    check_grads(fun, (x, y))


def test_kept_axes_come_before_convolved_ones():
    x, y = pair((5, 2), (4, 3, 1))
    z = signal.convolve(x, y, axes=([0], [1]))
    assert z.shape == (2, 4, 1, 7)
    np.testing.assert_allclose(z[1, 2, 0], np.convolve(x[:, 1], y[2, :, 0]), 1e-12)


# -- forms and errors -----------------------------------------------------------------


@given(
    st.lists(st.tuples(st.integers(1, 6), st.integers(1, 6)), min_size=1, max_size=3),
    st.sampled_from(MODES),
    st.sampled_from(["convolve", "correlate"]),
)
def test_any_shapes(lengths, mode, name):
    n, m = zip(*lengths)
    inside = all(a >= b for a, b in lengths) or all(a <= b for a, b in lengths)
    x, y = pair(n, m)
    fun = lambda x, y: getattr(signal, name)(x, y, mode)  # noqa: E731
    if mode == "valid" and not inside:
        with pytest.raises(ShapeError, match="at least as long"):
            traced(fun, x, y)
        return
    z, pullback = vjp(fun, x, y)
    expected = getattr(scipy.signal, name)(x, y, mode)
    np.testing.assert_allclose(z, expected, 1e-12, 1e-12)
    x_bar, y_bar = pullback(z)  # bilinear, so that both products are the square of z
    np.testing.assert_allclose((x_bar * x).sum(), (z * z).sum(), 1e-10)
    np.testing.assert_allclose((y_bar * y).sum(), (z * z).sum(), 1e-10)


def test_wrong_modes_and_axes_are_named():
    x, y = pair((5,), (3,))
    with pytest.raises(ArgumentError, match="by keyword"):
        signal.convolve(x, y, [[0], [0]])
    with pytest.raises(ArgumentError, match="'periodic'"):
        grad(lambda x: signal.fftconvolve(x, y, "periodic").sum())(x)
    with pytest.raises(ShapeError, match=r"\(5,\) and \(3, 1\)"):
        grad(lambda x: signal.convolve(x, y[:, None]).sum())(x)
