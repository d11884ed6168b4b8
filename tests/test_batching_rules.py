"""Batching rules: equal to the loop, and no loop runs where there is a rule."""

import itertools

import numpy
import pytest

import autograd_lite.numpy as np
from autograd_lite import batching, grad, nn, vmap
from autograd_lite.errors import TracerConversionError
from autograd_lite.ops.index import getitem

RNG = numpy.random.default_rng(0)
SIZE = 3


@pytest.fixture
def no_loop(monkeypatch):
    """Make the fallback raise."""

    def refuse(primitive, *rest):
        raise AssertionError(f"{primitive.name} was applied in a loop")

    monkeypatch.setattr(batching, "loop", refuse)


def assert_maps(fun, args, in_axes):
    """Compare vmap with a Python loop over the mapped arguments."""
    mapped = vmap(fun, in_axes)(*args)
    rows = [
        fun(*[x[i] if axis == 0 else x for x, axis in zip(args, in_axes)])
        for i in range(SIZE)
    ]
    numpy.testing.assert_allclose(mapped, numpy.stack(rows), rtol=1e-12, atol=1e-12)


def mapped_axes(n):
    """All ways to map some of n arguments."""
    return [axes for axes in itertools.product((0, None), repeat=n) if 0 in axes]


def make(shape, axis):
    return RNG.standard_normal((SIZE, *shape) if axis == 0 else shape)


@pytest.mark.parametrize("in_axes", mapped_axes(2))
@pytest.mark.parametrize(
    "shapes",
    [((4,), (4,)), ((2, 4), (4,)), ((4,), (4, 2)), ((2, 4), (4, 5))]
    + [((5, 2, 4), (4, 3)), ((4,), (5, 4, 2)), ((5, 1, 2, 4), (6, 4, 3))],
)
def test_matmul(shapes, in_axes, no_loop):
    args = [make(shape, axis) for shape, axis in zip(shapes, in_axes)]
    assert_maps(lambda x, y: x @ y, args, in_axes)
    both = grad(lambda x, y: np.sum(np.sin(x @ y)), argnums=(0, 1))
    assert_maps(lambda x, y: both(x, y)[0], args, in_axes)
    assert_maps(lambda x, y: both(x, y)[1], args, in_axes)


@pytest.mark.parametrize("in_axes", mapped_axes(3))
@pytest.mark.parametrize(
    "shapes", [((), (2,), (3, 2)), ((4, 1), (), (5,)), ((1, 2), (3, 1, 1), ())]
)
def test_elementwise(shapes, in_axes, no_loop):
    args = [make(shape, axis) for shape, axis in zip(shapes, in_axes)]
    assert_maps(lambda x, y, z: np.where(x > 0, y * z, x - z), args, in_axes)


@pytest.mark.parametrize(
    "index",
    [
        0,
        slice(1, None),
        (..., 1),
        (None, slice(None), None, 2),
        [2, 0, 2],
        (slice(None), [1, 1]),
        ([0, 1], [1, 2]),
        (0, [1, 2]),
        numpy.array([True, False, True]),
        (slice(None, None, -1), numpy.array([[0, 1], [2, 3]])),
    ],
)
def test_index(index, no_loop):
    args = [make((3, 4, 2), 0)]
    assert_maps(lambda x: x[index], args, (0,))


@pytest.mark.parametrize(
    "index", [([0, 1], slice(None), [1, 0]), (0, slice(None), [1])]
)
def test_index_whose_arrays_stand_apart(index):
    assert_maps(lambda x: x[index], [make((3, 4, 2), 0)], (0,))


def test_shapes_and_sums(no_loop):
    def fun(x):
        y = np.sum(x, axis=(0, -1), keepdims=True) + np.sum(x, axis=1)[:, None]
        return np.transpose(y.reshape(-1, 2), (1, 0)) + np.broadcast_to(
            y[0, 0, 0], (1,)
        )

    assert_maps(fun, [make((4, 3, 2), 0)], (0,))


def test_convolution_folds_the_batch(no_loop):
    w, b = make((3, 2, 2, 4), None), make((4,), None)
    images = [make((2, 5, 6, 2), 0)]
    assert_maps(lambda x: nn.conv(x, w, b, padding="SAME", stride=2), images, (0,))
    total = lambda x: np.sum(nn.conv(x, w, padding=1) ** 2)  # noqa: E731
    assert_maps(grad(total), images, (0,))


def test_convolution_with_mapped_kernels():
    args = [make((2, 5, 6, 2), None), make((3, 2, 2, 4), 0)]
    assert_maps(lambda x, w: nn.conv(x, w), args, (None, 0))


def test_per_sample_gradients_of_a_small_network(no_loop):
    params = {"w": make((4, 8), None), "v": make((8,), None)}

    def loss(params, x, y):
        return (np.tanh(x @ params["w"]) @ params["v"] - y) ** 2

    x, y = make((4,), 0), make((), 0)
    found = vmap(grad(loss), (None, 0, 0))(params, x, y)
    for i in range(SIZE):
        expected = grad(loss)(params, x[i], y[i])
        for name in params:
            numpy.testing.assert_allclose(found[name][i], expected[name])


CONSTANTS = {
    "round": lambda x: np.round(x, 1),
    "around": lambda x: numpy.around(x),
    "isclose": lambda x: np.isclose(x, x[0]),
    "isreal": np.isreal,
    "frexp": lambda x: np.frexp(x)[1],
    "any": lambda x: np.any(x > 0),
    "all along": lambda x: np.all(x > -1, axis=(0, -1), keepdims=True),
    "count": lambda x: np.count_nonzero(x > 0, axis=0),
    "argmax": np.argmax,
    "argmax along": lambda x: np.argmax(x, 1),
    "argmin kept": lambda x: np.argmin(x, keepdims=True),
    "nanargmax": lambda x: np.nanargmax(x, axis=-2),
    "argsort": lambda x: np.argsort(x, 0, kind="stable"),
    "argsort all": lambda x: np.argsort(x, axis=None),
    "argpartition": lambda x: np.sort(np.argpartition(x, 1, axis=0)[:1]),
    "isin": lambda x: np.isin(np.round(x), [0.0, 1.0]),
    "digitize": lambda x: np.digitize(x, numpy.array([-1.0, 0.0, 1.0])),
    "searchsorted": lambda x: np.searchsorted(numpy.array([-1.0, 0.0, 1.0]), x),
    "astype": lambda x: (x * 3).astype(int),
}


@pytest.mark.parametrize("name", CONSTANTS)
def test_constants_need_no_loop(name, no_loop):
    assert_maps(CONSTANTS[name], [make((4, 3), 0)], (0,))


def test_an_axis_that_an_element_does_not_have():
    with pytest.raises(numpy.exceptions.AxisError):
        vmap(lambda x: np.argmax(x, 1))(numpy.ones((3, 4)))


@pytest.mark.parametrize("mapped", [(0, 0), (0, None), (None, 0)])
@pytest.mark.parametrize(
    "index",
    [
        lambda i: i[0, 0],
        lambda i: i,
        lambda i: (slice(None), i),
        lambda i: (0, slice(None), i),
        lambda i: (i, slice(None), i[:1]),
        lambda i: (..., i),
        lambda i: (None, i[0], 1, i),
        lambda i: (1, i, None, slice(None, None, -1)),
    ],
)
def test_mapped_indices(index, mapped, no_loop):
    x = make((4, 5, 6), mapped[0])
    shape = (SIZE, 2, 3) if mapped[1] == 0 else (2, 3)
    at = RNG.integers(-4, 4, shape)
    assert_maps(lambda x, i: getitem(x, index(i)), (x, at), mapped)
    total = lambda x, i: np.sum(np.sin(getitem(x, index(i))) + x[0, 0, 0])  # noqa: E731
    assert_maps(grad(total), (x, at), mapped)
    twice = grad(lambda x, i: np.sum(np.cos(grad(total)(x, i))))
    assert_maps(twice, (x, at), mapped)


def test_a_plain_array_is_indexed_by_take(no_loop):
    table, places = make((4, 2), None), RNG.integers(0, 4, SIZE)
    assert_maps(lambda i: np.take(table, i, axis=0), (places,), (0,))
    with pytest.raises(TracerConversionError, match=r"np.take\(table, i, axis=0\)"):
        vmap(lambda i: table[i])(places)


UPDATES = {
    "set": lambda x, i, v: np.at(x)[i].set(v[:, None]),
    "add": lambda x, i, v: np.at(x)[:, i].add(v),
    "set rows": lambda x, i, v: np.at(x)[i, 1:].set(v[0]),
    "set far apart": lambda x, i, v: np.at(x)[i, :, i[:1]].set(v[:, :1]),
    "multiply": lambda x, i, v: np.at(x)[i].multiply(v[:, None]),
    "max": lambda x, i, v: np.at(x)[0, i].max(v),
    "mask": lambda x, i, v: np.at(x)[x > i[0]].multiply(v[0, 0]),
    "mask set": lambda x, i, v: np.at(x)[x > v[0, 0]].set(i[0] * v[0, 1]),
    "mask add": lambda x, i, v: np.at(x)[x > v[0]].add(0.5),
    "min": lambda x, i, v: np.at(x)[i].min(v[::-1, None]),
}


@pytest.mark.parametrize("axes", mapped_axes(3))
@pytest.mark.parametrize("name", UPDATES)
def test_updates_at_mapped_places(name, axes, no_loop):
    x, v = make((4, 4, 3), axes[0]), make((3, 3), axes[2])
    i = RNG.integers(0, 3, (SIZE, 3) if axes[1] == 0 else 3)  # with repeats
    update = UPDATES[name]
    assert_maps(update, (x, i, v), axes)
    for argnum in (0, 2):
        change = grad(lambda *xs: np.sum(np.sin(update(*xs))), argnum)
        assert_maps(change, (x, i, v), axes)
