"""Histograms and quantiles: bit for bit NumPy's, with what derivative they have."""

from functools import partial

import numpy
import pytest

import autograd_lite.numpy as anp
from autograd_lite import grad, jacobian, stop_gradient, value_and_grad, vjp, vmap
from autograd_lite.errors import ArgumentError
from autograd_lite.testing.calls.common import Call, arrays
from autograd_lite.testing.calls.constants import WITHOUT_GRADIENT

CONTINUOUS = ["linear", "hazen", "weibull", "median_unbiased", "normal_unbiased"]
JUMPING = ["midpoint", "lower", "nearest", "higher", "inverted_cdf"]
METHODS = [*CONTINUOUS, *JUMPING, "interpolated_inverted_cdf", "averaged_inverted_cdf"]
A = numpy.random.default_rng(0).normal(size=50)


def parts(y):
    """The float arrays of a result, however nested."""
    if isinstance(y, (list, tuple)):
        return [part for item in y for part in parts(item)]
    is_float = isinstance(y, (numpy.ndarray, numpy.generic, float))
    return [y] if is_float and numpy.asarray(y).dtype.kind in "fc" else []


@pytest.mark.parametrize(
    "expression", [call for call in WITHOUT_GRADIENT if "empty_like" not in call]
)
def test_what_is_called_constant_is_constant(expression):
    """A float result without a gradient that moves would be silently wrong."""
    call = Call(expression, {"np": anp}, arrays())
    moved = [x + 1e-6 if numpy.asarray(x).dtype.kind == "f" else x for x in call.args]
    for before, after in zip(parts(call(*call.args)), parts(call(*moved)), strict=True):
        numpy.testing.assert_allclose(before, after, 0, 1e-9)


@pytest.mark.parametrize("bins", [1, 7, "auto", "fd", numpy.linspace(-1, 2, 9)])
@pytest.mark.parametrize("density", [False, True])
def test_traced_histograms_are_numpys_to_the_bit(bins, density):
    def ours_and_weighted(np, a, w):
        plain = np.histogram(a, bins, density=density)
        return [*plain, *np.histogram(a, 7, (-1, 1), density, w)]

    y, _ = vjp(lambda a, w: ours_and_weighted(anp, a, w), A, A**2)
    for found, expected in zip(y, ours_and_weighted(numpy, A, A**2), strict=True):
        numpy.testing.assert_array_equal(found, expected)


def test_edges_follow_the_ends_of_the_data():
    x_bar = grad(lambda x: anp.histogram(x, "auto")[1][1])(A)
    (places,) = numpy.nonzero(x_bar)
    assert set(places) == {A.argmin(), A.argmax()}
    assert x_bar.sum() == pytest.approx(1)


def test_equal_data_have_edges_around_them():
    x_bar = grad(lambda x: anp.histogram_bin_edges(x, 3)[0])(numpy.ones(2))
    assert x_bar.tolist() == [0.5, 0.5]


def test_given_edges_are_what_is_differentiated():
    edges = numpy.linspace(-2, 2, 6)
    jac = jacobian(lambda e: anp.histogram(A, e)[1])(edges)
    assert (jac == numpy.eye(6)).all()


def test_counts_are_plain_integers():
    def loss(x):
        counts, edges = anp.histogram(x, 4)
        assert isinstance(counts, numpy.ndarray) and counts.dtype == int
        return edges.sum()

    grad(loss)(A)


def test_elements_out_of_range_have_no_weight():
    w_bar = grad(lambda w: anp.histogram(A, 5, (-1, 1), weights=w)[0].sum())(A * 0)
    assert (w_bar == (abs(A) <= 1)).all()


def test_histograms_in_vmap():
    def f(x):
        return anp.histogram(x, 4, density=True)[0]

    rows = numpy.stack([A, A**2, -A])
    expected = [numpy.histogram(row, 4, density=True)[0] for row in rows]
    numpy.testing.assert_allclose(vmap(f)(rows), expected)


def test_points_and_bins_that_do_not_fit():
    with pytest.raises(ValueError, match="3 bins and 2 ranges"):
        grad(lambda x: anp.histogramdd(x, (1, 2, 3))[1][0].sum())(A.reshape(25, 2))


@pytest.mark.parametrize("q", [0.0, 0.213, 0.507, 1.0])
@pytest.mark.parametrize(
    "method",
    METHODS,
)
def test_a_traced_q(q, method):
    y, q_bar = value_and_grad(lambda q: anp.quantile(A, q, method=method))(q)
    assert y == numpy.quantile(A, q, method=method)
    ends = numpy.clip([q - 1e-7, q + 1e-7], 0, 1)
    low, high = numpy.quantile(A, ends, method=method)
    slope = (high - low) / (ends[1] - ends[0])
    if method == "linear" or 0 < q < 1:  # others are flat at the ends
        assert q_bar == pytest.approx(slope if slope < 1e3 else 0, rel=1e-5, abs=1e-6)


def test_weights_of_quantiles_have_no_gradient_but_the_elements_have():
    def f(x, w):
        return anp.quantile(x, 0.3, weights=w, method="inverted_cdf")

    x_bar, w_bar = grad(f, (0, 1))(A, A**2)
    chosen = numpy.quantile(A, 0.3, weights=A**2, method="inverted_cdf")
    assert (x_bar == (chosen == A)).all() and not w_bar.any()


def test_weights_need_the_method_that_knows_them():
    with pytest.raises(ArgumentError, match="inverted_cdf"):
        grad(lambda x: anp.quantile(x, 0.3, weights=A**2))(A)


def test_weighted_quantiles_of_nan():
    x = numpy.where(A > 1, numpy.nan, A)
    options = {"weights": A**2, "method": "inverted_cdf"}
    for name in ("quantile", "nanquantile"):
        y, _ = vjp(partial(getattr(anp, name), q=0.3, **options), x)
        numpy.testing.assert_array_equal(y, getattr(numpy, name)(x, 0.3, **options))


def test_nextafter_moves_with_its_first_argument():
    x_bar, y_bar = grad(lambda x, y: anp.nextafter(x, y), (0, 1))(1.5, 3.0)
    assert (x_bar, y_bar) == (1.0, 0.0)
    y = stop_gradient(numpy.float64(2.0))
    assert anp.nextafter(y, 3.0) == numpy.nextafter(2.0, 3.0)
