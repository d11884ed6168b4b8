"""Gradients at the awkward points: each row of the table in the design is a test."""

import warnings

import numpy
import pytest

import autograd_lite.numpy as np
from autograd_lite import grad, vjp
from autograd_lite.errors import DifferentiationTypeError, NonScalarOutputError


def slope(f, *args, argnum=0):
    """The derivative of a function of numbers, without warnings on the way."""
    with numpy.errstate(all="ignore"):
        return grad(f, argnum)(*[numpy.float64(x) for x in args])


def total_grad(f, x):
    """The gradient of the sum of f(x)."""
    with numpy.errstate(all="ignore"):
        return grad(lambda x: np.sum(f(x)))(numpy.asarray(x, float))


@pytest.mark.parametrize("extremum", [np.max, np.min])
def test_ties_of_reductions_are_split_evenly(extremum):
    assert_equal(total_grad(extremum, [2, 2, 2, 2]), [0.25] * 4)
    x_bar = total_grad(lambda x: extremum(x, axis=1), [[1, 1, 1], [5, 5, 5]])
    assert_equal(x_bar, numpy.full((2, 3), 1 / 3))


def test_tie_of_some():
    assert_equal(total_grad(np.max, [1, 3, 3]), [0, 0.5, 0.5])
    assert_equal(total_grad(np.min, [1, 3, 1]), [0.5, 0, 0.5])


@pytest.mark.parametrize("pair", [np.maximum, np.minimum, np.fmax, np.fmin])
def test_tie_of_two_is_one_half_each(pair):
    assert slope(pair, 1, 1) == slope(pair, 1, 1, argnum=1) == 0.5


@pytest.mark.parametrize(
    "f",
    [
        np.abs,
        np.fabs,
        np.sinc,
        lambda x: np.hypot(x, 0.0),
        lambda x: np.hypot(0.0, x),
        lambda x: np.arctan2(x, 0.0),
        lambda x: np.arctan2(0.0, x),
        lambda x: np.abs(x + 0j),
        lambda x: np.angle(x * 1j),
        lambda x: np.linalg.norm(np.stack([x, x])),
        lambda x: np.std(np.stack([x, x, x])),
    ],
)
def test_kinks_have_gradient_zero(f):
    assert slope(f, 0) == 0


def test_std_of_a_constant():
    assert_equal(total_grad(lambda x: np.std(x, axis=0), numpy.ones((3, 2))), 0)
    assert_equal(total_grad(lambda x: np.std(x, where=x > 0), numpy.ones(3)), 0)


def test_sqrt_at_zero_is_infinite():
    assert slope(np.sqrt, 0) == numpy.inf


def test_where_does_not_hide_a_singular_branch_but_safe_where_does():
    x = numpy.array([0.0, 4.0])
    leaking = total_grad(lambda x: np.where(x > 0, np.sqrt(x), 0.0), x)
    assert numpy.isnan(leaking[0]) and leaking[1] == 0.25
    safe = total_grad(lambda x: np.safe_where(x > 0, np.sqrt, lambda x: 0 * x, x), x)
    assert_equal(safe, [0, 0.25])


def test_safe_where_evaluates_each_branch_on_its_own_elements():
    seen = []

    def record(x):
        seen.append(numpy.array(x))
        return x

    np.safe_where(numpy.array([True, False, True]), record, record, numpy.arange(3.0))
    assert_equal(seen[0], [0, 2])
    assert_equal(seen[1], [1])


def test_clip_passes_on_the_closed_interval():
    assert_equal(
        total_grad(lambda x: np.clip(x, 0, 1), [-1, 0, 0.5, 1, 2]), [0, 1, 1, 1, 0]
    )


def test_clip_bounds_get_what_the_array_does_not():
    x = numpy.array([-1.0, 0, 0.5, 1, 2])
    low, high = grad(lambda x, low, high: np.sum(np.clip(x, low, high)), (1, 2))(
        x, 0.0, 1.0
    )
    assert (low, high) == (1, 1)


@pytest.mark.parametrize("power", [np.power, np.float_power, lambda x, y: x**y])
def test_powers_at_zero(power):
    assert slope(lambda x: power(x, 0), 0) == 0
    assert slope(lambda x: power(x, 0.0), 0) == 0
    assert slope(power, 0, 0) == 0
    assert slope(power, 0, 0, argnum=1) == 0
    assert slope(lambda x: power(x, 2), 0) == 0
    assert slope(lambda x: power(x, 1), 0) == 1
    assert slope(power, 0, 2, argnum=1) == 0
    assert numpy.isnan(slope(power, -2, 2, argnum=1))


def test_power_at_zero_to_second_order():
    assert slope(grad(lambda x: x**2), 0) == 2
    assert slope(grad(lambda x: x**3), 0) == 0
    assert slope(grad(grad(lambda x: x**3)), 0) == 6


def test_products_with_zeros_are_exact():
    assert_equal(total_grad(np.prod, [2, 0, 3]), [0, 6, 0])
    assert_equal(total_grad(np.prod, [2, 0, 0]), [0, 0, 0])
    assert_equal(total_grad(np.cumprod, [2, 0, 3]), [1, 8, 0])
    hessian_row = total_grad(lambda x: grad(np.prod)(x)[0], [2.0, 0, 3])
    assert_equal(hessian_row, [0, 3, 0])


STEPS = [np.floor, np.ceil, np.round, np.rint, np.trunc, np.fix, np.sign]


@pytest.mark.parametrize("step", [*STEPS, lambda x: x // 0.3, lambda x: np.round(x, 1)])
def test_steps_have_gradient_zero(step):
    assert_equal(total_grad(step, [0.4, 1.0, -2.7]), [0, 0, 0])


def test_sign_of_complex_numbers_turns():
    z = numpy.array([0j, 3 + 4j])
    y, pullback = vjp(np.sign, z)
    assert_equal(y, numpy.array([0, 0.6 + 0.8j]))
    z_bar = pullback(numpy.array([1.0 + 0j, 1]))[0]
    numpy.testing.assert_allclose(z_bar, [0, 0.128 + 0.096j], 1e-15)


@pytest.mark.parametrize(
    "compare",
    [
        lambda x: x > 1,
        lambda x: x <= x,
        lambda x: x == 1,
        lambda x: x != 2,
        lambda x: np.isnan(x),
        lambda x: np.isclose(x, 2),
    ],
)
def test_comparisons_are_constants(compare):
    x = numpy.array([0.5, 2])

    def f(x):
        mask = compare(x)
        assert type(mask) is numpy.ndarray and mask.dtype == bool
        return mask * x

    assert_equal(total_grad(f, x), compare(x))


def test_sort_permutes_the_cotangent():
    x = numpy.array([[3.0, 1, 2], [5, 6, 4]])
    y, pullback = vjp(lambda x: np.sort(x), x)
    assert_equal(
        pullback(numpy.array([[1.0, 2, 3], [4, 5, 6]]))[0], [[3, 1, 2], [5, 6, 4]]
    )


def test_arg_functions_give_integers():
    def f(x):
        i, order = np.argmax(x), np.argsort(x)
        assert type(order) is numpy.ndarray and order.dtype == numpy.intp
        return x[i] + 2 * x[order[0]]

    assert_equal(grad(f)(numpy.array([3.0, 9, 1])), [0, 1, 2])


def test_indexing_with_repeats_accumulates():
    assert_equal(total_grad(lambda x: x[[0, 0, 2, 0]], [1, 2, 3]), [3, 0, 1])


def test_median_of_an_even_number_is_the_mean_of_the_middle_two():
    assert_equal(total_grad(np.median, [4, 1, 3, 2]), [0, 0, 0.5, 0.5])


@pytest.mark.parametrize("extremum", [np.max, np.min])
def test_extremum_of_nan_goes_to_the_nan(extremum):
    assert_equal(total_grad(extremum, [1, numpy.nan, 3]), [0, 1, 0])
    assert_equal(total_grad(extremum, [numpy.nan, numpy.nan, 3]), [0.5, 0.5, 0])


@pytest.mark.parametrize("pair", [np.maximum, np.minimum])
def test_extremum_of_a_pair_with_nan_goes_to_the_nan(pair):
    assert slope(pair, numpy.nan, 1) == 1
    assert slope(pair, numpy.nan, 1, argnum=1) == 0


@pytest.mark.parametrize("pair", [np.fmax, np.fmin])
def test_functions_that_skip_nan_go_to_the_number(pair):
    assert slope(pair, numpy.nan, 1) == 0
    assert slope(pair, numpy.nan, 1, argnum=1) == 1


@pytest.mark.parametrize("x", [3, numpy.arange(3), True, [1, 2]])
def test_integers_have_no_gradient(x):
    with pytest.raises(DifferentiationTypeError, match="float"):
        grad(lambda x: np.sum(np.asarray(x) * 1.0))(x)


@pytest.mark.parametrize("shape", [(2,), (1, 1), (0,)])
def test_output_must_be_a_scalar(shape):
    with pytest.raises(NonScalarOutputError, match="jacobian.*vjp"):
        grad(lambda x: x * numpy.ones(shape))(1.0)


def test_an_output_that_does_not_depend_on_the_input_has_gradient_zero():
    assert_equal(grad(lambda x: 3.0)(numpy.ones((2, 2))), numpy.zeros((2, 2)))
    assert grad(lambda x: np.floor(x))(1.5) == 0


def test_gradients_have_the_dtype_of_their_input():
    x, y = numpy.ones(3, numpy.float32), numpy.ones((2, 3))
    x_bar, y_bar = grad(lambda x, y: np.sum(np.exp(x) * y / x), (0, 1))(x, y)
    assert x_bar.dtype == numpy.float32 and y_bar.dtype == numpy.float64
    half = grad(lambda x: np.mean(np.tanh(x) ** 2))(numpy.ones(4, numpy.float16))
    assert half.dtype == numpy.float16


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.sum(x, dtype=int),
        lambda x: np.cumsum(x, dtype=int)[-1],
        lambda x: np.prod(x, dtype=int),
        lambda x: x.astype(int).sum(),
        lambda x: np.full_like(numpy.arange(3), x[1]).sum(),
    ],
)
def test_results_as_integers_are_constants(f):
    x = numpy.array([2.0, 3, 4])
    assert type(f(x)) is not float
    assert_equal(grad(lambda x: f(x) * x[0])(x), [f(x), 0, 0])


def test_broadcasting_sums_the_cotangent():
    x = numpy.ones((3, 1))
    assert_equal(grad(lambda x: np.sum(x * numpy.ones((2, 3, 4))))(x), [[8], [8], [8]])
    assert grad(lambda s: np.sum(s + numpy.ones((2, 2))))(1.0) == 4


def test_complex_gradient_is_the_conjugate_of_pytorchs():
    z = 1 + 2j
    assert grad(lambda z: np.real(z))(z) == 1
    assert grad(lambda z: np.imag(z))(z) == -1j
    assert grad(lambda z: np.abs(z) ** 2)(z) == pytest.approx(2 * z.conjugate())


def test_infinite_sums_of_exponentials():
    inf = numpy.inf
    assert slope(np.logaddexp, -inf, -inf) == 0
    assert slope(np.logaddexp, -inf, 1.0) == 0
    assert slope(np.logaddexp, 1.0, -inf) == 1


def test_nothing_warns_at_kinks():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for f in (np.abs, np.sinc, lambda x: np.hypot(x, 0.0)):
            grad(f)(0.0)


def assert_equal(x, y):
    numpy.testing.assert_allclose(x, numpy.broadcast_to(y, numpy.shape(x)), atol=1e-15)
