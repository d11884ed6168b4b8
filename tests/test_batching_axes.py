"""Which axes `vmap` maps: trees of them, keywords, lengths, chunks; and its errors."""

import itertools
from collections import namedtuple

import numpy
import pytest

import autograd_lite.numpy as np
from autograd_lite import (
    checkpoint,
    defbatch,
    grad,
    hessian,
    jacfwd,
    jacrev,
    jvp,
    nn,
    primitive,
    vjp,
    vmap,
)
from autograd_lite.errors import ArgumentError, MissingRuleError, ShapeError, TreeError

RNG = numpy.random.default_rng(0)
N = 4
X = RNG.standard_normal((N, 3, 2))
PARAMS = {"w": RNG.standard_normal((2, 5)), "layers": [X, RNG.standard_normal((2, N))]}


def close(x, y):
    numpy.testing.assert_allclose(x, y, 1e-12, 1e-12)


def model(p, x):
    """Depends on all leaves."""
    a, b = p["layers"]
    return {"y": (a @ p["w"]).sum() + x * b.sum(), "w": p["w"], "x": (x, None)}


# -- in_axes --------------------------------------------------------------------------


def test_trees_of_axes():
    axes = ({"w": None, "layers": [0, -1]}, 0)
    out = vmap(model, axes, {"y": 0, "w": None, "x": 0})(PARAMS, numpy.arange(4.0))
    a, b = PARAMS["layers"]
    close(out["y"], (a @ PARAMS["w"]).sum((1, 2)) + numpy.arange(4) * b.sum(0))
    assert out["w"].shape == (2, 5) and out["x"][0].shape == (4,)


def test_an_upper_part_of_a_tree_is_enough():
    tree = {"a": (X, [X * 2]), "b": 3.0}
    f = lambda t: t["a"][0].sum() + t["a"][1][0].sum() * t["b"]  # noqa: E731
    expected = X.sum((1, 2)) + (2 * X).sum((1, 2)) * 3
    close(vmap(f, ({"a": 0, "b": None},))(tree), expected)
    close(vmap(f, [{"a": (0, [0]), "b": None}])(tree), expected)
    with pytest.raises(TreeError, match=r"in_axes\[0\] at 'a'.*tuple of 2.*tuple of 1"):
        vmap(f, ({"a": (0,), "b": None},))(tree)
    with pytest.raises(TreeError, match=r"in_axes\[0\].*keys \['a', 'b'\].*\['a'\]"):
        vmap(f, ({"a": 0},))(tree)


def test_none_in_a_tree_of_axes_covers_what_is_no_array():
    f = lambda x, options: x * (2 if options["mode"] == "double" else 1)  # noqa: E731
    close(vmap(f, (0, None))(X, {"mode": "double"}), 2 * X)


def test_named_tuples_and_empty_trees():
    pair = namedtuple("pair", "a b")
    f = lambda p: p.a.sum() + p.b  # noqa: E731
    close(vmap(f, (pair(0, None),))(pair(X, 1.0)), X.sum((1, 2)) + 1)
    close(vmap(lambda x, nothing: x)(X, None), X)
    close(vmap(lambda x, nothing: x, (0, 0))(X, {}), X)


def test_keywords_are_mapped_over_axis_0():
    f = lambda x, *, scale, shift=0.0: x * scale["s"] + shift  # noqa: E731
    found = vmap(f)(X, scale={"s": numpy.arange(4.0)}, shift=numpy.ones(4))
    close(found, X * numpy.arange(4)[:, None, None] + 1)
    alone = vmap(lambda **kw: kw["a"] + kw["b"])(a=numpy.ones(2), b=numpy.ones(2))
    close(alone, [2, 2])
    with pytest.raises(ArgumentError, match=r"argument 'shift': shape \(3,\)"):
        vmap(f)(X, scale={"s": numpy.ones(4)}, shift=numpy.ones(3))


@pytest.mark.parametrize("axis, out", [*itertools.product(range(-3, 3), range(-3, 3))])
def test_every_axis(axis, out):
    found = vmap(lambda x: x * numpy.ones(x.shape), axis, out)(X)
    close(found, numpy.moveaxis(X, axis, out))


def test_axis_size():
    f = lambda: np.zeros(2)  # noqa: E731
    assert vmap(f, axis_size=3)().shape == (3, 2)
    assert vmap(f, axis_size=3, out_axes=None)().shape == (2,)
    assert vmap(lambda x: x, None, axis_size=2)(1.0).tolist() == [1, 1]
    close(vmap(lambda x: x, axis_size=4)(X), X)
    with pytest.raises(ArgumentError, match="axis_size=5"):
        vmap(lambda x: x, axis_size=5)(X)
    with pytest.raises(ArgumentError, match="give axis_size"):
        vmap(f)()


def test_lengths_that_differ_are_told_apart():
    with pytest.raises(ArgumentError) as error:
        vmap(lambda p, x: x, ({"w": 1, "layers": 0}, None))(PARAMS, 0.0)
    for part in ["argument 0 at 'w': shape (2, 5), axis 1 of length 5", "layers.1"]:
        assert part in str(error.value)
    with pytest.raises(ArgumentError, match=r"axis 1 of argument 0 at 'b'.*\(4,\)"):
        vmap(lambda t: t, 1)({"a": X, "b": numpy.ones(4)})


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: vmap(np.sin, {"a": 0})({"a": X}), "a tuple of one tree"),
        (lambda: vmap(np.sin, ("0",))(X), r"in_axes\[0\] holds '0'"),
        (lambda: vmap(np.sin, 0, "0")(X), "out_axes holds '0'"),
        (lambda: vmap(np.sin, 0, None)(X), r"None for the result.*\(4, 3, 2\)"),
        (
            lambda: vmap(lambda x: {"a": [x]}, 0, 4)(X),
            r"at 4, but the result at 'a.0' has shape \(4, 3, 2\)",
        ),
        (
            lambda: vmap(lambda x: 1.0, 0, 1)(X),
            r"at 1, but the result has shape \(4,\)",
        ),
        (lambda: vmap(np.sin, chunk_size=0), "chunk_size=0"),
        (lambda: vmap(np.sin, fallback="slow")(X), "'loop', 'warn', 'raise'"),
    ],
)
def test_wrong_use(call, message):
    with pytest.raises(ArgumentError, match=message):
        call()


def test_out_axes_must_fit_the_results():
    with pytest.raises(TreeError, match=r"out_axes: expected tuple of 2"):
        vmap(lambda x: (x, x), out_axes=(0, 0, 0))(X)
    a, b = vmap(lambda x: (x, x), out_axes=(1, 0))(X)
    close(a, X.swapaxes(0, 1))
    close(b, X)


# -- no elements, chunks, buffers -----------------------------------------------------


def test_no_elements():
    out = vmap(lambda x: {"s": x.sum(), "m": x @ x.T, "i": np.argmax(x)})(X[:0])
    assert out["s"].shape == (0,) and out["m"].shape == (0, 3, 3)
    assert out["i"].dtype == numpy.intp
    w = numpy.eye(2)
    loss = lambda w, x: np.sum(np.linalg.inv(x @ w) + x)  # noqa: E731
    assert vmap(grad(loss), (None, 0))(w, X[:0, :2]).shape == (0, 2, 2)
    total = grad(lambda w: np.sum(vmap(loss, (None, 0))(w, X[:0, :2])))
    assert total(w).tolist() == [[0, 0], [0, 0]]
    with pytest.raises(numpy.linalg.LinAlgError) as error:
        vmap(loss, (None, 0))(0 * w, X[:0, :2])
    assert "length 0" in error.value.__notes__[0]
    assert vmap(vmap(np.sin))(X[:0]).shape == (0, 3, 2)
    assert vmap(vmap(np.sin), 1)(X[:0]).shape == (3, 0, 2)


@pytest.mark.parametrize("chunk", [1, 2, 3, 4, 9])
def test_chunks_change_nothing(chunk):
    p, x = PARAMS, numpy.arange(4.0)
    axes = ({"w": None, "layers": [0, -1]}, 0)
    out_axes = {"y": 0, "w": None, "x": 0}
    whole = vmap(model, axes, out_axes)(p, x)
    parts = vmap(model, axes, out_axes, chunk_size=chunk)(p, x)
    close(parts["y"], whole["y"])
    assert parts["w"].shape == whole["w"].shape
    close(vmap(lambda x: x.T, 1, -1, chunk_size=chunk)(X), X.transpose(2, 0, 1))

    def total(x):
        return np.sum(vmap(np.sin, chunk_size=chunk)(x) * X)

    close(grad(total)(X), numpy.cos(X) * X)
    close(vmap(vmap(np.sin, chunk_size=chunk), 1)(X), numpy.sin(X).swapaxes(0, 1))


def test_chunks_bound_how_much_is_mapped_at_once():
    sizes = []

    @primitive
    def watch(x):
        return x * 1

    def rule(size, args, batched):
        sizes.append(size)
        return args[0] * 1

    defbatch(watch, rule)
    close(vmap(watch, chunk_size=3)(numpy.arange(8.0)), numpy.arange(8))
    assert sizes == [3, 3, 2]


def test_results_are_writable_and_nobody_elses():
    x = numpy.ones((3, 2))
    same, constant, twice, again = vmap(
        lambda x: (x, numpy.zeros(2), *(lambda y: (y, y))(x * 2))
    )(x)
    for y in (same, constant, twice):
        y += 1
    assert x.tolist() == numpy.ones((3, 2)).tolist()
    assert again.tolist() == (2 * x).tolist() and constant[0].tolist() == [1, 1]


# -- fallback -------------------------------------------------------------------------


@primitive
def unruly(x):
    """A primitive without a batching rule."""
    return 2 * x


def test_the_choice_of_fallback_reaches_the_maps_inside():
    f = vmap(lambda x: checkpoint(lambda y: vmap(unruly)(y))(x), fallback="raise")
    with pytest.raises(MissingRuleError, match="unruly"):
        f(X)
    close(vmap(vmap(unruly, fallback="loop"), fallback="raise")(X), 2 * X)
    close(vmap(unruly)(X), 2 * X)  # nothing is left of the choice


def test_shapes_that_depend_on_the_element():
    with pytest.raises(ShapeError, match=r"nonzero.*np.where"):
        vmap(np.flatnonzero)(numpy.array([[0, 1, 1], [0, 0, 1]]))
    picked = vmap(lambda x, m: x[m])(X[:2, :, 0], X[:2, :, 0] > -9)
    close(picked, X[:2, :, 0])


# -- in any order with other transformations ------------------------------------------


def f(w, x):
    """A smooth function of a matrix and a vector."""
    return np.sum(np.tanh(w @ x) * x[:2]) + np.sum(w * w) * x[0]


W, V = RNG.standard_normal((2, 3)), RNG.standard_normal((N, 3))

TRANSFORMED = {
    "value": f,
    "grad": grad(f, (0, 1)),
    "jacrev of grad": jacrev(grad(f), 1),
    "jacfwd of grad": jacfwd(grad(f, 1), 0),
    "hessian": hessian(f, 1),
    "jvp": lambda w, x: jvp(lambda x: f(w, x), (x,), (x * x,)),
    "jvp of grad": lambda w, x: jvp(lambda x: grad(f)(w, x), (x,), (x * 2,))[1],
    "vjp of vjp": lambda w, x: vjp(
        lambda x: vjp(lambda x: f(w, x), x)[1](np.sum(x))[0], x
    )[1](x * x)[0],
    "checkpoint": grad(checkpoint(f)),
    "checkpoint of grad": checkpoint(grad(f, 1)),
    "grad of vmap": grad(
        lambda w, x: np.sum(vmap(lambda r: f(w, x * r))(numpy.arange(3.0)))
    ),
    "vmap of grad": lambda w, x: vmap(lambda r: grad(f)(w, x * r))(x),
    "jacobian of vmap": jacfwd(lambda w, x: vmap(lambda r: f(w * r, x))(x), 1),
}


@pytest.mark.parametrize("chunk", [None, 3])
@pytest.mark.parametrize("name", TRANSFORMED)
def test_maps_of_transformed_functions(name, chunk):
    fun = TRANSFORMED[name]
    mapped = vmap(fun, (None, 0), fallback="raise", chunk_size=chunk)(W, V)
    rows = [fun(W, x) for x in V]
    if not isinstance(mapped, tuple):
        mapped, rows = (mapped,), [(row,) for row in rows]
    for found, expected in zip(mapped, zip(*rows), strict=True):
        numpy.testing.assert_allclose(found, numpy.stack(expected), 1e-9, 1e-11)


@pytest.mark.parametrize("name", TRANSFORMED)
def test_derivatives_of_maps_of_transformed_functions(name):
    fun = TRANSFORMED[name]

    def total(w, mapped):
        out = vmap(fun, (None, 0))(w, V) if mapped else [fun(w, x) for x in V]
        outs = out if isinstance(out, (list, tuple)) else [out]
        flat = [y for o in outs for y in (o if isinstance(o, tuple) else [o])]
        return sum([np.sum(np.sin(y)) for y in flat])

    gradient = grad(lambda w: total(w, True))(W)
    numpy.testing.assert_allclose(
        gradient, grad(lambda w: total(w, False))(W), 1e-8, 1e-10
    )


# -- a network ------------------------------------------------------------------------


def loss(params, image, label):
    """The loss of a small network with convolution, pool, norm and dense layers."""
    x = nn.conv(image[None], params["conv"], params["bias"], padding="SAME")
    x = nn.max_pool(nn.relu(x), 2)
    x = nn.layer_norm(nn.avg_pool(x, 2))
    logits = nn.dense(nn.flatten(x), params["dense"], params["out"])
    smooth = nn.cross_entropy(logits, label[None], label_smoothing=0.1)
    return smooth + np.sum(nn.one_hot(label, 3) * logits[0]) * 0.01


def network(dtype):
    """Its parameters, images and labels."""
    make = lambda *shape: RNG.standard_normal(shape).astype(dtype)  # noqa: E731
    params = {
        **{"conv": make(3, 3, 2, 4), "bias": make(4)},
        **{"dense": make(16, 3), "out": make(3)},
    }
    return params, make(5, 8, 8, 2), RNG.integers(0, 3, 5)


@pytest.mark.parametrize("dtype, rtol", [("f", 2e-4), ("d", 1e-10)])
def test_per_sample_gradients_of_a_network(dtype, rtol):
    params, images, labels = network(dtype)
    found = vmap(grad(loss), (None, 0, 0), fallback="raise")(params, images, labels)
    for i, (image, label) in enumerate(zip(images, labels)):
        for name, expected in grad(loss)(params, image, label).items():
            assert found[name].dtype == expected.dtype
            numpy.testing.assert_allclose(found[name][i], expected, rtol, rtol)


def test_networks_in_parallel():
    """Each element has parameters of its own: an ensemble."""
    params, images, labels = network("d")
    several = {name: numpy.stack([w, w * 0.5, -w]) for name, w in params.items()}
    member = vmap(grad(loss), (0, None, None), fallback="raise")
    found = member(several, images[0], labels[0])
    everything = vmap(member, (None, 0, 0), fallback="raise")(several, images, labels)
    for i in range(3):
        one = {name: w[i] for name, w in several.items()}
        expected = grad(loss)(one, images[0], labels[0])
        for name in params:
            numpy.testing.assert_allclose(found[name][i], expected[name], 1e-9, 1e-10)
            numpy.testing.assert_allclose(
                everything[name][0, i], expected[name], 1e-9, 1e-10
            )


def test_labels_out_of_range_are_refused_under_a_map():
    with pytest.raises(ArgumentError, match="classes"):
        vmap(lambda y: nn.one_hot(y, 3))(numpy.array([0, 5]))
    with pytest.raises(ArgumentError, match="no class"):
        vmap(lambda z, y: nn.cross_entropy(z[None], y[None]))(
            numpy.zeros((2, 3)), numpy.array([0, 7])
        )


@pytest.mark.parametrize("axes", [True, (False,), ({"x": True},)])
def test_a_truth_value_is_no_axis(axes):
    arg = {"x": np.ones((2, 3))}
    with pytest.raises(ArgumentError, match=r"in_axes.*(True|False).*expected"):
        vmap(lambda d: d["x"], in_axes=axes)(arg)
    with pytest.raises(ArgumentError, match="out_axes holds True"):
        vmap(lambda d: d["x"], out_axes=True)(arg)
