"""Every call of the table: NumPy's own values, right derivatives, both imports."""

import re

import numpy
import pytest

import autograd_lite.numpy as anp
from autograd_lite import jvp, tree, vjp, vmap
from autograd_lite.errors import TracerConversionError, UnsupportedError
from autograd_lite.testing import check_grads
from autograd_lite.testing.calls.common import Call as AnyCall
from autograd_lite.testing.calls.common import arrays, complex_arrays
from autograd_lite.testing.calls.numpy import CALLS, COMPLEX_CALLS, UPDATES

pytestmark = pytest.mark.filterwarnings(
    "ignore:Arrays of 2-dimensional vectors", "ignore:`row_stack` alias is deprecated"
)


def Call(expression, np, samples):
    """The expression as a function of arrays, in one of the two namespaces."""
    return AnyCall(expression, {"np": np}, samples)


def assert_identical(found, expected):
    """Bit for bit, structure, dtypes and all."""
    found, expected = tree.leaves(found), tree.leaves(expected)
    for x, y in zip(found, expected, strict=True):
        assert type(x) is type(y) and numpy.asarray(x).dtype == numpy.asarray(y).dtype
        numpy.testing.assert_array_equal(x, y)


def assert_close(found, expected, rtol=1e-12):
    found, expected = tree.leaves(found), tree.leaves(expected)
    for x, y in zip(found, expected, strict=True):
        y = numpy.asarray(y)
        assert x.shape == y.shape and x.dtype == y.dtype
        numpy.testing.assert_allclose(x, y, rtol, rtol)


@pytest.mark.parametrize("expression", [*CALLS, *UPDATES])
def test_derivatives(expression):
    call = Call(expression, anp, arrays())
    check_grads(call, call.args, order=2)


@pytest.mark.parametrize("expression", CALLS)
def test_values_and_plain_numpy(expression):
    """Without tracers it is NumPy; NumPy's own functions have the same derivatives."""
    ours, plain = Call(expression, anp, arrays()), Call(expression, numpy, arrays())
    expected = plain(*plain.args)
    assert_identical(ours(*ours.args), expected)
    y, pullback = vjp(ours, *ours.args)
    assert_close(y, expected)
    plain_y, plain_pullback = vjp(plain, *plain.args)
    assert_identical(plain_y, y)
    assert_identical(plain_pullback(y), pullback(y))


def check_dtypes(expression, samples):
    """The result has NumPy's dtype, each cotangent that of its argument."""
    ours, theirs = Call(expression, anp, samples), Call(expression, numpy, samples)
    y, pullback = vjp(ours, *ours.args)
    if expression in CALLS:
        expected = [numpy.asarray(x).dtype for x in tree.leaves(theirs(*theirs.args))]
        assert [x.dtype for x in tree.leaves(y)] == expected
    for x, x_bar in zip(ours.args, pullback(y), strict=True):
        assert x_bar.dtype == x.dtype
    tangents = jvp(ours, ours.args, ours.args)[1]
    assert [x.dtype for x in tree.leaves(tangents)] == [x.dtype for x in tree.leaves(y)]


@pytest.mark.parametrize("expression", [*CALLS, *UPDATES])
def test_each_argument_keeps_its_dtype(expression):
    samples = arrays()
    narrow = {name: numpy.float32(x) for name, x in samples.items()}
    check_dtypes(expression, narrow)
    check_dtypes(expression, samples | {name: narrow[name] for name in "bkqrsuv"})


NOT_IN_HALF_PRECISION = re.compile(r"poly\(k\)|polyfit|roots")


@pytest.mark.parametrize(
    "expression", [call for call in CALLS if not NOT_IN_HALF_PRECISION.search(call)]
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_half_precision(expression):
    check_dtypes(expression, {name: numpy.float16(x) for name, x in arrays().items()})


def emptied():
    """The arrays without elements along an axis: the first, or the last."""
    first = {k: x[:0] if x.ndim == 2 and k != "k" else x for k, x in arrays().items()}
    last = {k: x[..., :0] if x.ndim else x for k, x in arrays().items()}
    return [first, last]


def call_or_none(expression, samples):
    """NumPy's result; None where it refuses arrays without elements, or a dtype."""
    call = Call(expression, numpy, samples)
    if not any(0 in numpy.shape(x) for x in call.args):
        return None
    try:
        return call(*call.args)
    except (ValueError, TypeError, LookupError, ArithmeticError, RuntimeError):
        return None


@pytest.mark.parametrize("expression", CALLS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_no_elements(expression):
    for samples in emptied():
        expected = call_or_none(expression, samples)
        if expected is not None:
            ours = Call(expression, anp, samples)
            y, pullback = vjp(ours, *ours.args)
            assert_close(y, expected)
            for x, x_bar in zip(ours.args, pullback(y), strict=True):
                assert x_bar.shape == numpy.shape(x)


# Their results differ in shape from element to element, or they branch on values.
VALUE_DEPENDENT = re.compile(
    r"nanmedian|nan(quantile|percentile)\((?!.*weights)|trim_zeros|piecewise|polydiv"
    r"|polymul|poly\(|roots|safe_where|vectorize\(lambda x, y"
    r'|(reshape|ravel|flatten).*"[AK]"'
)


@pytest.mark.parametrize("expression", [*CALLS, *UPDATES])
def test_vmap_is_a_loop_or_raises(expression):
    calls = [Call(expression, anp, arrays(seed)) for seed in range(2)]
    stacked = [numpy.stack(xs) for xs in zip(*[call.args for call in calls])]
    if VALUE_DEPENDENT.search(expression):
        with pytest.raises((TracerConversionError, UnsupportedError, ValueError)):
            vmap(calls[0])(*stacked)
        return
    expected = [tree.leaves(call(*call.args)) for call in calls]
    found = tree.leaves(vmap(calls[0])(*stacked))
    for y, parts in zip(found, zip(*expected), strict=True):
        numpy.testing.assert_allclose(y, numpy.stack(parts), 1e-10, 1e-12)


@pytest.mark.parametrize("expression", COMPLEX_CALLS)
def test_complex_derivatives(expression):
    ours = Call(expression, anp, complex_arrays())
    theirs = Call(expression, numpy, complex_arrays())
    assert_close(vjp(ours, *ours.args)[0], theirs(*theirs.args))
    check_grads(ours, ours.args, order=1)
