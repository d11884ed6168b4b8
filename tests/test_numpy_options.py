"""Options that traced arrays take, where the table of calls cannot say enough."""

import numpy
import pytest

import autograd_lite.numpy as np
from autograd_lite import grad, vjp, vmap
from autograd_lite.errors import (
    AutogradError,
    DifferentiationTypeError,
    ShapeError,
    TracerConversionError,
    UnsupportedError,
)

A = numpy.arange(24.0).reshape(2, 3, 4) / 7 + 0.1


# -- safe_where ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("g", "slope"),
    [(lambda x: 0, 0), (lambda x: 2.5, 0), (lambda x: numpy.float64(3), 0)],
)
def test_a_branch_may_be_a_number(g, slope):
    x = numpy.array([0.0, 4.0, -1.0])
    x_bar = grad(lambda x: np.safe_where(x > 0, np.sqrt, g, x).sum())(x)
    assert x_bar.tolist() == [slope, 0.25, slope]


def test_numbers_do_not_widen():
    x = numpy.array([0.0, 4.0], numpy.float32)
    assert np.safe_where(x > 0, np.sqrt, lambda x: 0.0, x).dtype == numpy.float32


def test_what_a_branch_reduces_are_its_own_elements():
    x = numpy.array([1.0, 4.0, -1.0])
    y = np.safe_where(x > 0, np.sum, lambda x: x, x)
    assert y.tolist() == [5.0, 5.0, -1.0]


def test_a_branch_of_another_shape_is_named():
    def halves(x):
        return x[::2]

    with pytest.raises(ShapeError, match=r"halves, made shape \(1,\) of the 2 elem"):
        grad(lambda x: np.safe_where(x > 0, halves, np.exp, x).sum())(A[0, 0] - 0.3)


# -- lists of tracers -----------------------------------------------------------------


def test_a_list_of_tracers_is_an_array_to_ours_and_explained_by_numpys():
    x_bar = grad(lambda x: np.exp([x[0], 2 * x[1]]).sum())(numpy.array([0.0, 1.0]))
    numpy.testing.assert_allclose(x_bar, [1, 2 * numpy.exp(2)])
    with pytest.raises(TracerConversionError, match=r"np.stack\(\[x, y\]\)"):
        grad(lambda x: numpy.exp([x[0], x[1]]).sum())(numpy.ones(2))


# -- memory order ---------------------------------------------------------------------


@pytest.mark.parametrize("order", ["A", "K", "C", "F"])
@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (2, 0, 1)])
def test_ravel_in_memory_order(order, axes):
    def f(x):
        return x.transpose(axes).ravel(order)

    y, pullback = vjp(f, A)
    numpy.testing.assert_array_equal(y, f(A))
    numpy.testing.assert_array_equal(pullback(f(A**2))[0], A**2)


def test_memory_order_is_refused_where_it_is_not_defined():
    with pytest.raises(UnsupportedError, match="vmap"):
        vmap(lambda x: x.ravel("K"))(A)
    with pytest.raises(AutogradError, match="'Z'"):
        grad(lambda x: x.ravel("Z").sum())(A)


# -- vectorize ------------------------------------------------------------------------


def test_vectorize_without_tracers_is_numpys():
    f = np.vectorize(lambda x, y: x + y, otypes=[float], signature="(n),()->(n)")
    assert isinstance(f, numpy.vectorize)
    numpy.testing.assert_array_equal(f(A[0], 1.0), A[0] + 1)
    with pytest.raises(UnsupportedError, match="signature"):
        grad(lambda x: f(x, 1.0).sum())(A[0])


def test_vectorize_as_a_decorator():
    @np.vectorize(otypes=[numpy.float32], excluded=["n"])
    def power(x, n):
        """A docstring."""
        return x**n

    y, pullback = vjp(lambda x: power(x, n=2), A)
    assert y.dtype == numpy.float32 and power.__doc__ == "A docstring."
    numpy.testing.assert_allclose(pullback(numpy.ones_like(y))[0], 2 * A)


def test_vectorize_does_not_cut_off_what_comes_after_an_integer():
    f = np.vectorize(lambda x: 0 if x < 1 else x**2)
    with pytest.raises(DifferentiationTypeError, match="otypes"):
        grad(lambda x: f(x).sum())(A)
    with pytest.raises(ValueError, match="without elements"):
        grad(lambda x: f(x).sum())(A[:0])


# -- products -------------------------------------------------------------------------


def test_out_of_einsum_is_refused():
    with pytest.raises(UnsupportedError, match="out="):
        out = numpy.zeros(3)
        grad(lambda x: np.einsum("ijk->j", x, out=out).sum())(A)
    with pytest.raises(UnsupportedError, match="out="):
        grad(lambda x: numpy.einsum("ijk->j", x, out=numpy.zeros(3)).sum())(A)


# -- padding --------------------------------------------------------------------------


def test_corners_belong_to_the_last_axis():
    def f(np, x, c):
        return np.pad(x, ((1, 2), (2, 1)), constant_values=c)

    x, c = A[0], numpy.array([[1.5, 2.5], [3.5, 4.5]])
    y, pullback = vjp(lambda x, c: f(np, x, c), x, c)
    numpy.testing.assert_array_equal(y, f(numpy, x, c))
    counts = [[numpy.sum(y == value) for value in row] for row in c]
    assert pullback(numpy.ones_like(y))[1].tolist() == counts
