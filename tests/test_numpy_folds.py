"""Methods of ufuncs on traced arrays: the bits of NumPy, and what they pick."""

import numpy
import pytest

import autograd_lite.numpy as np
from autograd_lite import grad, vjp
from autograd_lite.testing.calls.common import Call, arrays
from autograd_lite.testing.calls.numpy import FOLDS


@pytest.mark.parametrize("expression", FOLDS)
def test_to_the_bit(expression):
    ours = Call(expression, {"np": np}, arrays())
    theirs = Call(expression, {"np": numpy}, arrays())
    y, expected = vjp(ours, *ours.args)[0], theirs(*theirs.args)
    if expression in JOINED:
        numpy.testing.assert_allclose(y, expected, 1e-14)
    else:
        numpy.testing.assert_array_equal(y, expected)


# Reductions over several axes, which NumPy takes in another order.
JOINED = {
    "np.logaddexp.reduce(t, (0, 2), keepdims=True)",
    "np.logaddexp.reduce(a, None, where=MASK)",
}


def test_running_maximum_picks_the_last_of_equals():
    x = numpy.array([1.0, 3.0, 3.0, 2.0])
    jac = [grad(lambda x, i=i: np.maximum.accumulate(x)[i])(x) for i in range(4)]
    assert numpy.argmax(jac, axis=1).tolist() == [0, 1, 2, 2]


def test_running_maximum_of_nan():
    x = numpy.array([1.0, numpy.nan, 3.0])
    y, pullback = vjp(np.maximum.accumulate, x)
    numpy.testing.assert_array_equal(y, [1, numpy.nan, numpy.nan])
    assert pullback(numpy.ones(3))[0].tolist() == [1, 2, 0]


@pytest.mark.parametrize("name", ["logical_or", "logical_xor", "floor_divide"])
@pytest.mark.parametrize("method", ["reduce", "accumulate"])
def test_results_without_a_gradient(name, method):
    x = numpy.array([[0.5, 3.0, 2.0], [0.0, 0.1, 7.0]])
    expected = getattr(getattr(numpy, name), method)(x, 1)

    def loss(x):
        y = getattr(getattr(np, name), method)(x, 1)
        numpy.testing.assert_array_equal(y, expected)
        return x.sum() * y.sum()

    grad(loss)(x)


def test_outer_divmod():
    x, y = numpy.array([1.3, 2.7, -3.1]), numpy.array([0.4, 0.7])
    quotients, found = vjp(lambda x, y: numpy.divmod.outer(x, y), x, y)[0]
    numpy.testing.assert_array_equal(quotients, numpy.divmod.outer(x, y)[0])
    numpy.testing.assert_array_equal(found, numpy.divmod.outer(x, y)[1])
    y_bar = grad(lambda y: numpy.divmod.outer(x, y)[1].sum())(y)
    assert y_bar.tolist() == (-quotients.sum(0)).tolist()


def test_no_elements_and_no_value_to_start_from():
    with pytest.raises(ValueError, match="initial="):
        grad(lambda x: np.subtract.reduce(x[:0]))(numpy.ones(3))


def test_long_sums_between_indices():
    x = numpy.random.default_rng(0).normal(size=1000)
    indices = [0, 500, 20]
    y, pullback = vjp(lambda x: np.add.reduceat(x, indices), x)
    numpy.testing.assert_array_equal(y, numpy.add.reduceat(x, indices))
    x_bar = pullback(numpy.array([1.0, 10.0, 100.0]))[0]
    assert x_bar[[0, 20, 500, 999]].tolist() == [1, 101, 110, 100]
