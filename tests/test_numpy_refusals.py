"""What cannot be differentiated raises in the forward pass and says what to write."""

import math
import operator

import numpy
import pytest

import autograd_lite.numpy as anp
from autograd_lite import grad, stop_gradient
from autograd_lite.errors import (
    AutogradError,
    DifferentiationTypeError,
    ShapeError,
    TracerConversionError,
    TracerMutationError,
    UnsupportedError,
)

X = numpy.arange(6.0).reshape(2, 3) / 7 + 0.1


def refused(f, error, match, x=X):
    """Both namespaces raise the error, in the forward pass."""
    reached = []

    def loss(x, np):
        y = f(np, x)
        reached.append(y)
        return np.sum(y)

    for np in (anp, numpy):
        with pytest.raises(error, match=match):
            grad(loss)(x, np)
    assert not reached


@pytest.mark.parametrize(
    "f",
    [
        lambda np, x: np.sin(x, where=X > 0.3),
        lambda np, x: np.add(x, x, where=X > 0.3),
        lambda np, x: np.add(x, 1, casting="unsafe"),
        lambda np, x: np.sin(x, dtype=int),
        lambda np, x: np.cov(x, aweights=x[0] * 1j),
        lambda np, x: np.unwrap(x[0], period=x[0, 0]),
        lambda np, x: np.sum(x, dtype=object),
        lambda np, x: np.mean(x.astype(object)),
        lambda np, x: np.ldexp.reduce(x),
    ],
)
def test_unsupported_keywords(f):
    refused(f, UnsupportedError, "supported|version here|no derivative")


OUT = numpy.zeros((2, 3))


@pytest.mark.parametrize(
    "f",
    [
        lambda np, x: np.sin(x, out=OUT),
        lambda np, x: np.add(x, x, OUT),
        lambda np, x: np.add.reduce(x, out=OUT[0]),
        lambda np, x: np.sum(x, 0, None, OUT[0]),
        lambda np, x: np.matmul(x, numpy.eye(3), out=OUT),
        lambda np, x: np.concatenate([x, x], out=numpy.zeros((4, 3))),
        lambda np, x: np.clip(x, 0, 1, OUT),
        lambda np, x: x.sum(out=OUT),
    ],
)
def test_output_arrays(f):
    refused(f, (UnsupportedError, TracerMutationError), "out")


@pytest.mark.parametrize(
    "f",
    [
        lambda np, x: float(x[0, 0]),
        lambda np, x: int(x[0, 0]),
        lambda np, x: complex(x[0, 0]),
        lambda np, x: x[0, 0].item(),
        lambda np, x: x.item(0),
        lambda np, x: x.tolist(),
        lambda np, x: x.tobytes(),
        lambda np, x: math.trunc(x[0, 0]),
        lambda np, x: next(np.ndenumerate(x)),
        lambda np, x: np.broadcast(x, x),
        lambda np, x: math.exp(x[0, 0]),
        lambda np, x: numpy.asarray(x),
        lambda np, x: numpy.array([x[0, 0], x[1, 1]]),
        lambda np, x: numpy.sin([x[0, 0], x[1, 1]]),
        lambda np, x: [1, 2, 3][x[0, 0]],
        lambda np, x: x.view(numpy.int64),
    ],
)
def test_conversions_that_would_lose_the_trace(f):
    refused(f, TracerConversionError, "derivative|traced")


def test_nditer_of_ours_raises_where_numpys_would_say_something_else():
    with pytest.raises(TracerConversionError, match="nditer"):
        grad(lambda x: anp.nditer([x, X]))(X)
    assert [float(x) for x in anp.nditer(X)] == X.ravel().tolist()
    assert isinstance(anp.nditer(X), numpy.nditer)


def _write(array, index, value):
    array[index] = value
    return array


@pytest.mark.parametrize(
    "f",
    [
        lambda np, x: _write(x, 0, 1.0),
        lambda np, x: x.sort(),
        lambda np, x: x.fill(0.0),
        lambda np, x: np.put(x, [0], 1.0),
        lambda np, x: np.copyto(numpy.zeros(3), x[0]),
        lambda np, x: np.fill_diagonal(x, 1.0),
        lambda np, x: np.putmask(x, X > 0.3, 0.0),
        lambda np, x: np.place(x, X > 0.3, 0.0),
        lambda np, x: np.put_along_axis(x, numpy.zeros((2, 1), int), 1.0, 1),
        lambda np, x: np.add.at(x, 0, 1.0),
        lambda np, x: np.add.at(numpy.zeros((2, 3)), 0, x[0]),
        lambda np, x: x.resize(6),
        lambda np, x: x.byteswap(True),
        lambda np, x: operator.delitem(x, 0),
    ],
)
def test_writing_in_place(f):
    refused(f, TracerMutationError, "new array|differentiated")


def test_writing_a_tracer_into_an_array():
    refused(
        lambda np, x: _write(numpy.zeros((2, 3)), slice(1), x[0]),
        TracerConversionError,
        "np.stack",
    )


def test_writing_a_traced_number_into_an_array():
    """NumPy turns the error into its own here; the cause says what to write."""
    with pytest.raises(ValueError) as caught:
        grad(lambda x: anp.sum(_write(numpy.zeros(3), 0, x[0, 0])))(X)
    assert isinstance(caught.value.__cause__, TracerConversionError)


@pytest.mark.parametrize("method", ["set", "add", "multiply", "max"])
def test_a_traced_value_does_not_fit_into_integers(method):
    def loss(x):
        return getattr(anp.at(numpy.arange(3))[1], method)(x[0, 0]).sum()

    with pytest.raises(DifferentiationTypeError, match="astype"):
        grad(loss)(X)


def test_in_place_operators_of_tracers_rebind():
    def f(x):
        y = x
        y += 1
        y *= x
        return y.sum()

    numpy.testing.assert_allclose(grad(f)(X), 2 * X + 1)


def test_in_place_operator_of_an_array_with_a_tracer():
    def f(x):
        y = numpy.zeros((2, 3))
        y += x
        return y.sum()

    with pytest.raises(TracerMutationError, match="array = array"):
        grad(f)(X)


@pytest.mark.parametrize(
    "f",
    [
        lambda np, x: np.reshape(x, (4, 2)),
        lambda np, x: np.matmul(x, x),
        lambda np, x: x @ x,
        lambda np, x: np.squeeze(x, 0),
        lambda np, x: np.stack([x, x[0]]),
        lambda np, x: np.einsum("ij,ij->ijk", x, x),
        lambda np, x: np.einsum("ij,kj", x, x[:, :2]),
        lambda np, x: np.split(x, 4)[0],
        lambda np, x: np.broadcast_to(x, (4, 2, 2)),
        lambda np, x: np.tensordot(x, x, 1),
        lambda np, x: np.select([X > 0], [x, x]),
        lambda np, x: np.average(x, 1, [1.0, 2.0]),
    ],
)
def test_shapes_that_do_not_fit(f):
    refused(f, ValueError, r"\d|einsum")


@pytest.mark.parametrize(
    "f",
    [
        lambda np, x: np.sum(x, axis=2),
        lambda np, x: np.max(x, axis=(0, -2)),
        lambda np, x: np.transpose(x, (0, 0)),
        lambda np, x: np.concatenate([x, x], axis=5),
        lambda np, x: np.moveaxis(x, 0, 3),
    ],
)
def test_axes_that_do_not_exist(f):
    refused(f, (ValueError, IndexError), "axis|axes|repeated")


def test_functions_without_an_equivalent_name_themselves():
    with pytest.raises(UnsupportedError, match=r"refusals\.ma_like has no diff"):
        function = numpy._core.overrides.array_function_dispatch(lambda x: (x,))(
            _named("ma_like")
        )
        grad(lambda x: function(x))(1.0)


def _named(name):
    def function(x):
        return x

    function.__name__ = function.__qualname__ = name
    return function


def test_stop_gradient_is_the_way_out():
    assert grad(lambda x: x * float(stop_gradient(x)))(3.0) == 3.0


def test_errors_are_built_in_errors_too():
    assert issubclass(ShapeError, ValueError) and issubclass(ShapeError, AutogradError)
    assert issubclass(UnsupportedError, NotImplementedError)
    assert issubclass(TracerMutationError, TypeError)


@pytest.mark.parametrize("method", ["set", "add", "multiply"])
def test_complex_values_do_not_fit_into_floats(method):
    with pytest.raises(DifferentiationTypeError, match="imaginary"):
        getattr(anp.at(numpy.zeros(2))[0], method)(1 + 1j)
