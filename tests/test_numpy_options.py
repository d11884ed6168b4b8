"""Options that traced arrays take, where the table of calls cannot say enough."""

import numpy
import pytest

import autograd_lite.numpy as np
import autograd_lite.scipy.linalg as scipy_linalg
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


def test_safe_where_inside_vmap_says_what_to_write():
    x = numpy.array([0.0, 4.0])
    with pytest.raises(UnsupportedError, match=r"np\.where\(c, f\(np\.where\(c"):
        vmap(lambda x: np.safe_where(x > 0, np.sqrt, np.abs, x))(x)

    def instead(x):
        return np.where(x > 0, np.sqrt(np.where(x > 0, x, 1.0)), np.abs(x))

    assert vmap(grad(instead))(x).tolist() == [0, 0.25]


# -- memory order ---------------------------------------------------------------------


@pytest.mark.parametrize("order", ["A", "K", "C", "F"])
@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (2, 0, 1)])
def test_ravel_in_memory_order(order, axes):
    def f(x):
        return x.transpose(axes).ravel(order)

    y, pullback = vjp(f, A)
    numpy.testing.assert_array_equal(y, f(A))
    numpy.testing.assert_array_equal(pullback(f(A**2))[0], A**2)


@pytest.mark.parametrize("later", ["K", "A"])
@pytest.mark.parametrize(
    "copied",
    [
        lambda x: x.copy(),
        lambda x: x.copy("F"),
        lambda x: np.copy(x),
        lambda x: np.copy(x, "C"),
        lambda x: np.array(x, order="C"),
        lambda x: np.asarray(x, order="F"),
        lambda x: np.asfortranarray(x),
        lambda x: np.ascontiguousarray(x),
    ],
)
def test_copies_lie_in_the_order_asked_for(copied, later):
    for x in (A, numpy.asfortranarray(A), A[::-1, ::2]):
        y, pullback = vjp(lambda x: copied(x).ravel(later), x)
        numpy.testing.assert_array_equal(y, copied(x).ravel(later))
        places = numpy.empty_like(x)
        places[...] = A[: x.shape[0], : x.shape[1]]
        g = copied(places).ravel(later)
        numpy.testing.assert_array_equal(pullback(g)[0], places)


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


# -- constants ------------------------------------------------------------------------


def test_constants_take_traced_arrays_by_keyword():
    def loss(x):
        assert np.argmax(axis=1, a=x[0]).tolist() == [3, 3, 3]
        assert np.isclose(b=x, rtol=0.1, a=A).all()
        assert np.searchsorted(v=x[0, 0], a=[0.2, 0.4], side="right").max() == 2
        return x.sum()

    grad(loss)(A)
    with pytest.raises(UnsupportedError, match="where="):
        grad(lambda x: np.all(x > 0, where=x))(A)


# -- what a sweep over all keywords found ---------------------------------------------

MASKED = [np.sum, np.mean, np.prod, np.var, np.std, np.nansum, np.nanmean, np.nanprod]


@pytest.mark.parametrize("f", MASKED, ids=lambda f: f.__name__)
def test_masks_are_booleans_that_fit(f):
    with pytest.raises(DifferentiationTypeError, match="mask != 0"):
        grad(lambda x: f(x, where=numpy.ones(4)))(A)
    with pytest.raises(ShapeError, match="where= of shape"):
        grad(lambda x: f(x[0, 0], where=numpy.ones((3, 4), bool)))(A)


@pytest.mark.parametrize("f", [numpy.sin, numpy.gcd, numpy.invert, numpy.add])
def test_a_traced_mask_of_a_ufunc_is_no_endless_recursion(f):
    xs = [numpy.arange(4)] * f.nin
    with pytest.raises(UnsupportedError, match=r"np.where\(mask"):
        grad(lambda x: x.sum() * f(*xs, where=x).sum())(numpy.ones(4))


@pytest.mark.parametrize("dtype", [int, complex, numpy.float32])
@pytest.mark.parametrize("f", ["mean", "var", "std"])
@pytest.mark.parametrize("where", [True, A > 1])
def test_dtype_of_moments(f, dtype, where):
    def call(np, x):
        return getattr(np, f)(x, axis=1, dtype=dtype, where=where)

    if (f, dtype) == ("std", int):  # NumPy itself refuses this
        return
    y, _ = vjp(lambda x: call(np, x) + 0 * x[:, 0], A)
    expected = call(numpy, A)
    numpy.testing.assert_allclose(y, expected, 1e-6, 1e-6)
    assert call(np, A).dtype == expected.dtype
    if dtype is not int:
        assert vjp(lambda x: call(np, x), A)[0].dtype == expected.dtype


@pytest.mark.parametrize("f", ["modf", "frexp"])
def test_options_of_ufuncs_with_two_results(f):
    y, _ = vjp(lambda x: getattr(numpy, f)(x, dtype="f", casting="same_kind")[0], A)
    if f == "modf":
        assert y.dtype == numpy.float32
    numpy.testing.assert_allclose(y, getattr(numpy, f)(A)[0], 1e-5)
    with pytest.raises(UnsupportedError, match=f"np.{f}: where="):
        grad(lambda x: getattr(np, f)(x, where=A > 1)[0].sum())(A)


def test_options_of_divmod_and_ldexp():
    y, _ = vjp(lambda x: np.divmod(x, 0.7, dtype=numpy.float32, where=True)[1], A)
    assert y.dtype == numpy.float32
    with pytest.raises(UnsupportedError, match="np.divmod: order="):
        grad(lambda x: np.divmod(x, 0.7, order="F")[1].sum())(A)
    x_bar = grad(lambda x: np.ldexp(x, numpy.arange(4), dtype=float).sum())(A)
    assert x_bar[0, 0].tolist() == [1, 2, 4, 8]


def test_spaced_numbers_are_numpys_to_the_bit():
    start, stop = numpy.array([0.1, 0.7]), numpy.array([2.3, 5.1])
    for call in (
        lambda np, a, b: np.linspace(a, b, 7),
        lambda np, a, b: np.linspace(a, b, 7, endpoint=False, retstep=True)[1],
        lambda np, a, b: np.logspace(a, b, 7, base=3.0, axis=1),
        lambda np, a, b: np.logspace(a, b, 3, base=[[2.0], [3.0]], axis=-1),
        lambda np, a, b: np.geomspace(a, b, 7),
    ):
        y, _ = vjp(lambda a, b, call=call: call(np, a, b), start, stop)
        numpy.testing.assert_array_equal(y, call(numpy, start, stop))


def test_spaced_integers_are_rounded_down():
    def loss(x):
        found = np.linspace(x[0], x[1], 6, dtype=int)
        assert found.tolist() == numpy.linspace(-2.5, 7.1, 6, dtype=int).tolist()
        return x.sum() * found.sum()

    grad(loss)(numpy.array([-2.5, 7.1]))


@pytest.mark.parametrize("f", [np.max, np.min, np.nanmax, np.maximum.reduce])
def test_extrema_of_nothing_are_the_initial_value(f):
    empty = numpy.zeros((0, 3), numpy.float32)

    def loss(x, y):
        found = f(x, axis=0, initial=y)
        assert found.shape == (3,)
        assert f(x, axis=0, initial=2.5, keepdims=True).tolist() == [[2.5] * 3]
        return found.sum()

    x_bar, y_bar = grad(loss, argnums=(0, 1))(empty, 2.0)
    assert (x_bar.shape, x_bar.dtype, y_bar) == ((0, 3), numpy.float32, 3)
    with pytest.raises(ValueError, match="no identity"):
        grad(lambda x: f(x, axis=0).sum())(empty)


def test_an_initial_value_stands_where_all_is_nan():
    x = numpy.array([[numpy.nan, 1.0], [numpy.nan, 3.0]])
    for f, sign in ((np.nanmax, 1), (np.nanmin, -1)):
        y, pullback = vjp(
            lambda x, y, f=f: f(x, axis=0, initial=y), sign * x, sign * 0.5
        )
        assert y.tolist() == [sign * 0.5, sign * 3.0]
        x_bar, y_bar = pullback(numpy.array([2.0, 7.0]))
        assert (x_bar.tolist(), y_bar) == ([[0, 0], [0, 7]], 2)


@pytest.mark.parametrize("f", [np.max, np.min, np.maximum.reduce, np.sum, np.prod])
def test_an_initial_value_does_not_widen(f):
    x = numpy.ones(3, numpy.float32)
    y, _ = vjp(lambda x: f(x, initial=numpy.float64(2)), x)
    assert y.dtype == f(x, initial=numpy.float64(2)).dtype == numpy.float32


def test_an_empty_list_takes_nothing():
    x = numpy.ones((2, 3))
    assert grad(lambda x: np.take(x, [], 1).sum() + x.take([]).sum())(x).sum() == 0


def test_refusals_name_the_function_as_users_call_it():
    with pytest.raises(UnsupportedError, match=r"scipy\.linalg\.qr: pivoting=True"):
        grad(lambda x: scipy_linalg.qr(x, pivoting=True)[1].sum())(numpy.eye(2))
    with pytest.raises(UnsupportedError, match=r"^np\.median: overwrite_input=True"):
        grad(lambda x: np.median(x, overwrite_input=True))(numpy.ones(2))


def test_small_things():
    x = numpy.array([0.5, numpy.nan, 2.5])
    assert vjp(lambda x: np.diff(x, n=0, prepend=1.0), x)[0].shape == (3,)
    assert vjp(lambda x: np.average(x, returned=True)[1], x)[0].dtype == float

    def loss(x):
        assert np.nancumsum(x, dtype=int).tolist() == [0, 0, 2]
        return np.nansum(x)

    grad(loss)(x)
    for f in ("sum", "prod", "max", "min", "ptp", "nansum", "nanmax"):
        assert grad(lambda x, f=f: getattr(np, f)(x, axis=0))(3.0) == (f != "ptp")
    assert grad(lambda x: np.diff(x, n=0) + np.trim_zeros(x))(3.0) == 2.0
    weights = numpy.ones((2, 3, 4))
    vjp(lambda x: np.histogram_bin_edges(x, 3, weights=weights), A)
    turns = numpy.array(5)
    vjp(lambda x: np.rot90(x, k=turns), A)
    assert turns == 5
    with pytest.raises(TracerConversionError, match="plain integers"):
        grad(lambda x: np.sum(A, axis=x).sum() + np.sum(x * A, axis=x))(1.0)
