"""Call forms by Hypothesis: axes negative or in tuples, keepdims, methods, indices."""

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import autograd_lite.numpy as anp
from autograd_lite import vjp

BOTH = (anp, numpy)


@st.composite
def arrays(draw, min_dims=0, max_dims=4, min_side=1):
    """An array of distinct floats, of any small shape and memory layout."""
    shape = draw(
        hnp.array_shapes(
            min_dims=min_dims, max_dims=max_dims, min_side=min_side, max_side=4
        )
    )
    seed = draw(st.integers(0, 2**16))
    n = int(numpy.prod(shape))
    x = numpy.random.default_rng(seed).permutation(n).reshape(shape) / 7 + 0.1
    layout = draw(st.sampled_from(["C", "F", "strided"]))
    if layout == "strided" and x.ndim:
        return numpy.repeat(x, 2, axis=-1)[..., ::2]
    return numpy.asarray(x, order="F" if layout == "F" else "C")


@st.composite
def arrays_and_axes(draw, min_side=1):
    """An array and an `axis` argument for it: None, an int or a tuple, any sign."""
    x = draw(arrays(min_dims=1, min_side=min_side))
    one = st.integers(-x.ndim, x.ndim - 1)
    many = st.lists(one, min_size=1, unique_by=lambda i: i % x.ndim).map(tuple)
    return x, draw(st.none() | one | many)


@st.composite
def arrays_and_one_axis(draw, min_side=1):
    """An array and an `axis` that is one int, of any sign."""
    x = draw(arrays(min_dims=1, min_side=min_side))
    return x, draw(st.integers(-x.ndim, x.ndim - 1))


def check(f, *xs, **tolerance):
    """Both namespaces give NumPy's value, and a pullback that is its derivative."""
    expected = f(numpy, *xs)
    assert_same(f(anp, *xs), expected)
    bars = []
    for np in BOTH:
        y, pullback = vjp(lambda *xs, np=np: f(np, *xs), *xs)
        assert_same(y, expected, 1e-12)
        bars.append(pullback(_weights(y)))
    assert_same(bars[0], bars[1])
    _check_slope(f, xs, bars[0], expected)


def _weights(y):
    if isinstance(y, (tuple, list)):
        return type(y)([_weights(part) for part in y])
    return numpy.cos(numpy.arange(y.size, dtype=float)).reshape(y.shape)


def _check_slope(f, xs, x_bars, y):
    """<pullback(w), u> is the symmetric difference of <w, f(x + t u)>."""
    us = [numpy.sin(numpy.arange(x.size) + 1.0).reshape(x.shape) for x in xs]
    analytic = sum([float(numpy.sum(b * u)) for b, u in zip(x_bars, us)])
    eps = 1e-5
    ends = [_inner(f(numpy, *[x + s * u for x, u in zip(xs, us)])) for s in (eps, -eps)]
    numerical = (ends[0] - ends[1]) / (2 * eps)
    assert analytic == pytest.approx(numerical, rel=1e-6, abs=1e-6)


def _inner(y):
    if isinstance(y, (tuple, list)):
        return sum([_inner(part) for part in y])
    return float(numpy.sum(_weights(numpy.asarray(y)) * y))


def assert_same(x, y, rtol=0.0):
    if isinstance(y, (tuple, list)):
        assert len(x) == len(y)
        for a, b in zip(x, y):
            assert_same(a, b, rtol)
        return
    assert numpy.shape(x) == numpy.shape(y)
    numpy.testing.assert_allclose(x, y, rtol, rtol)


METHODS = "sum mean var std max min prod"
MASKED = "sum mean var std prod"
INTEGERS = "any all argmax argmin"
MODES = "constant edge reflect symmetric wrap mean"
REDUCTIONS = "sum mean var std max min prod ptp median nansum nanmax nanmean nanprod"


@pytest.mark.parametrize("name", REDUCTIONS.split())
@given(arrays_and_axes(), st.booleans())
@settings(max_examples=20)
def test_reductions(name, x_axis, keepdims):
    x, axis = x_axis
    check(lambda np, x: getattr(np, name)(x, axis=axis, keepdims=keepdims), x)


@pytest.mark.parametrize("name", METHODS.split())
@given(arrays_and_axes(), st.booleans())
@settings(max_examples=10)
def test_reductions_as_methods(name, x_axis, keepdims):
    x, axis = x_axis
    check(lambda np, x: getattr(x, name)(axis, keepdims=keepdims), x)


@pytest.mark.parametrize("name", MASKED.split())
@given(arrays_and_axes(), st.integers(0, 9))
@settings(max_examples=15)
def test_reductions_of_some(name, x_axis, seed):
    x, axis = x_axis
    where = numpy.random.default_rng(seed).random(x.shape) < 0.7
    kept = numpy.sum(where, axis=axis)
    if numpy.all(kept > 0):
        check(lambda np, x: getattr(np, name)(x, axis=axis, where=where), x)


@pytest.mark.parametrize("name", INTEGERS.split())
@given(arrays_and_one_axis())
@settings(max_examples=10)
def test_reductions_to_constants(name, x_axis):
    x, axis = x_axis
    check(lambda np, x: getattr(np, name)(x > 0.3, axis=axis) * x.sum(), x)


SCANS = "cumsum cumprod sort diff flip nancumsum"


@pytest.mark.parametrize("name", SCANS.split())
@given(arrays_and_one_axis())
@settings(max_examples=15)
def test_functions_of_one_axis(name, x_axis):
    x, axis = x_axis
    check(lambda np, x: getattr(np, name)(x, axis=axis), x)


@pytest.mark.parametrize("name", ["squeeze", "expand_dims", "flip"])
@given(arrays_and_axes())
@settings(max_examples=15)
def test_functions_of_axes(name, x_axis):
    x, axis = x_axis
    if name == "expand_dims":  # whose axes are those of the result
        axis = 0 if axis is None else numpy.remainder(axis, x.ndim).tolist()
    if name == "squeeze" and axis is not None:
        shape = numpy.array(x.shape)
        shape[list(axis) if isinstance(axis, tuple) else axis] = 1
        x = x[tuple([slice(n) for n in shape])]
    check(lambda np, x: getattr(np, name)(x, axis), x)


@given(arrays(), st.data())
def test_transpose(x, data):
    axes = data.draw(st.permutations(range(x.ndim)))
    axes = [i - x.ndim if data.draw(st.booleans()) else i for i in axes]
    check(lambda np, x: np.transpose(x, axes), x)
    check(lambda np, x: x.transpose(*axes), x)


@given(arrays(min_dims=1), st.data())
def test_moveaxis_and_swapaxes(x, data):
    axis = st.integers(-x.ndim, x.ndim - 1)
    i, j = data.draw(axis), data.draw(axis)
    check(lambda np, x: np.moveaxis(x, i, j), x)
    check(lambda np, x: np.swapaxes(x, i, j), x)
    start = data.draw(st.integers(0, x.ndim))
    check(lambda np, x: np.rollaxis(x, i, start), x)


@given(arrays(min_dims=1), st.data())
def test_repeat_tile_roll(x, data):
    axis = data.draw(st.none() | st.integers(-x.ndim, x.ndim - 1))
    n = x.size if axis is None else x.shape[axis]
    counts = st.integers(0, 3)
    repeats = data.draw(counts | st.lists(counts, min_size=n, max_size=n))
    check(lambda np, x: np.repeat(x, repeats, axis), x)
    reps = data.draw(st.lists(st.integers(0, 2), min_size=1, max_size=5))
    check(lambda np, x: np.tile(x, reps), x)
    shift = data.draw(st.integers(-5, 5))
    check(lambda np, x: np.roll(x, shift, axis), x)


@given(arrays(max_dims=3), st.data())
def test_reshape(x, data):
    order = data.draw(st.sampled_from("CF"))
    divisors = [n for n in range(1, x.size + 1) if x.size % n == 0]
    n = data.draw(st.sampled_from(divisors))
    shape = data.draw(
        st.sampled_from([(n, -1), (-1, n), (n, x.size // n), -1, (1, -1)])
    )
    check(lambda np, x: np.reshape(x, shape, order=order), x)
    check(lambda np, x: x.reshape(shape, order=order), x)


@given(arrays(min_dims=1, max_dims=3), st.data())
def test_basic_and_advanced_indexing(x, data):
    index = data.draw(
        hnp.basic_indices(x.shape, allow_newaxis=True)
        | hnp.integer_array_indices(x.shape)
        | hnp.arrays(bool, x.shape)
    )
    check(lambda np, x: x[index], x)


@given(arrays(min_dims=1), st.data())
def test_pad(x, data):
    side = st.integers(0, 3)
    widths = [(data.draw(side), data.draw(side)) for _ in x.shape]
    mode = data.draw(st.sampled_from(MODES.split()))
    if mode == "reflect" and 1 in x.shape:
        mode = "edge"
    check(lambda np, x: np.pad(x, widths, mode), x)


@given(st.data())
def test_broadcasting_of_two(data):
    shapes = data.draw(hnp.mutually_broadcastable_shapes(num_shapes=3, max_side=3))
    rng = numpy.random.default_rng(0)
    x, y, z = [rng.uniform(0.5, 2, shape) for shape in shapes.input_shapes]
    check(lambda np, x, y: np.where(x > y, x * y, x / y) - y, x, y)
    check(lambda np, x, y, z: np.where(z > 1, x, y), x, y, z)


@given(st.data())
def test_matmul(data):
    shapes = data.draw(
        hnp.mutually_broadcastable_shapes(
            signature="(m?,k),(k,n?)->(m?,n?)", max_side=4
        )
    )
    rng = numpy.random.default_rng(0)
    x, y = [rng.standard_normal(shape) for shape in shapes.input_shapes]
    check(lambda np, x, y: np.matmul(x, y), x, y)
    check(lambda np, x, y: x @ y, x, y)


@st.composite
def einsums(draw):
    """Subscripts of any kind (repeats, ellipsis, sums, no arrow) and their operands."""
    sizes = dict(zip("abcd", draw(st.tuples(*[st.integers(1, 3)] * 4))))
    batch = draw(st.lists(st.integers(1, 2), max_size=2))
    terms, shapes = [], []
    for _ in range(draw(st.integers(1, 3))):
        labels = draw(st.lists(st.sampled_from("abcd"), max_size=3))
        dots = draw(st.booleans())
        at = draw(st.integers(0, len(labels))) if dots else 0
        term = "".join(labels[:at]) + "..." * dots + "".join(labels[at:])
        shape = [sizes[c] for c in labels]
        terms.append(term)
        shapes.append(shape[:at] + batch * dots + shape[at:])
    subscripts = ",".join(terms)
    if draw(st.booleans()):
        known = sorted(set(subscripts) & set("abcd"))
        out = draw(st.permutations(known))[: draw(st.integers(0, len(known)))]
        subscripts += "->" + "..." * ("..." in subscripts) + "".join(out)
    rng = numpy.random.default_rng(0)
    return subscripts, [rng.standard_normal(shape) for shape in shapes]


@given(einsums())
@settings(max_examples=150)
def test_einsum(case):
    subscripts, operands = case
    check(lambda np, *xs: np.einsum(subscripts, *xs), *operands)
