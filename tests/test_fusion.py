"""Convolution, ReLU and max-pool are one operation, which nothing else can notice."""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from specifications import conv_forward
from thread_counts import on_each_thread_count

import autograd_lite.numpy as anp
from autograd_lite import (
    checkpoint,
    debug_nans,
    grad,
    hvp,
    jvp,
    nn,
    optim,
    policy,
    tape,
    tree,
    value_and_grad,
    vjp,
    vmap,
)
from autograd_lite.errors import LeakedTracerError, ShapeError
from autograd_lite.fusing import Pending
from autograd_lite.guard import SMALL_VIEW
from autograd_lite.kernels.micro import machine
from autograd_lite.ops import fused as fused_ops
from autograd_lite.ops.conv import conv
from autograd_lite.testing import check_grads, check_tape

needs_tiles = pytest.mark.skipif(machine() is None, reason="no fused kernels here")
RTOL = {"float32": 2e-5, "float64": 1e-12}


def arrays(rng, *shapes, dtype="float64"):
    """Normal numbers in these shapes."""
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes]


def example(seed=0, c=1, k=3, dtype="float64"):
    """Images, kernels and a bias."""
    rng = np.random.default_rng(seed)
    return arrays(rng, (2, 7, 8, c), (3, 3, c, k), (k,), dtype=dtype)


def layer(x, w, b=None, window=2, stride=None, padding="VALID"):
    """What is fused."""
    return nn.max_pool(nn.relu(nn.conv(x, w, b, padding=padding)), window, stride)


def operations(fun, *args):
    """The names of what a function records."""
    return [row.primitive for row in tape(fun)(*args).rows]


def unfused(fun, *args):
    """A function's result without fusion."""
    with nn.fusion(False):
        return fun(*args)


def assert_same(found, true, dtype="float64"):
    """Trees of arrays that differ by rounding."""
    pairs = zip(tree.leaves(found), tree.leaves(true), strict=True)
    for a, b in pairs:
        assert a.dtype == b.dtype and a.shape == b.shape
        scale = max(1.0, np.abs(b).max(initial=0))
        np.testing.assert_allclose(a, b, rtol=0, atol=RTOL[dtype] * scale)


# -- what is fused, and what is not ----------------------------------------------------


@needs_tiles
@pytest.mark.parametrize("c", [1, 2, 3])
def test_the_pattern_is_one_operation(c):
    x, w, b = example(c=c)
    args = w, b
    assert operations(lambda p: layer(x, *p), args) == ["conv_relu_pool"]
    assert operations(lambda w: layer(x, w), w) == ["conv_relu_pool"]
    assert operations(lambda x: layer(x, w, b), x) == ["conv_relu_pool"]


PLAIN = ["conv_bias", "relu", "max_pool_gather"]


def without_fusion(p, x):
    """The same function in a block that switches fusion off."""
    with nn.fusion(False):
        return layer(x, *p)


def with_half(p, x):
    """A ReLU with another derivative at 0."""
    with policy(relu0=0.5):
        return layer(x, *p)


@pytest.mark.parametrize(
    "fun",
    [
        without_fusion,
        with_half,
        lambda p, x: nn.max_pool(nn.relu(nn.conv(x, *p, stride=2)), 2),
        lambda p, x: nn.max_pool(nn.relu(nn.conv(x, *p, dilation=2)), 2),
        lambda p, x: nn.max_pool(nn.relu(nn.conv(x, *p)), 2, padding=1),
    ],
)
def test_other_things_are_not(fun):
    x, w, b = example()
    assert operations(lambda p: fun(p, x), (w, b)) == PLAIN


def test_many_channels_are_not():
    x, w, b = example(c=8)
    assert operations(lambda p: layer(x, *p), (w, b)) == PLAIN


def test_parts_of_the_pattern_are_what_they_were():
    x, w, b = example()
    only = operations(lambda p: nn.conv(x, *p), (w, b))
    assert only == PLAIN[:1]
    assert operations(lambda p: nn.relu(nn.conv(x, *p)), (w, b)) == PLAIN[:2]
    pooled = operations(lambda p: nn.max_pool(nn.conv(x, *p), 2), (w, b))
    assert pooled == ["conv_bias", "max_pool_gather"]
    twice = operations(lambda p: nn.relu(nn.relu(nn.conv(x, *p))), (w, b))
    assert twice == ["conv_bias", "relu", "relu"]


def test_a_bias_alone_records_at_once():
    x, w, b = example()
    assert operations(lambda b: layer(x, w, b), b) == PLAIN


# -- the same results ------------------------------------------------------------------


# Windows, channels, and windows of the pool: each compiles a kernel of its own.
WINDOWS = [
    ((3, 3), 1, (2, 2)),
    ((1, 2), 3, (2, 2)),
    ((5, 4), 1, (1, 3)),
    ((2, 3), 2, (3, 2)),
]


@st.composite
def geometries(draw):
    """Shapes of images and kernels, and the keywords of a layer."""
    (r, s), c, window = draw(st.sampled_from(WINDOWS))
    steps = st.integers(1, 4)
    stride = draw(st.none() | st.tuples(steps, steps))
    side = st.integers(-1, 3)
    padding = draw(st.tuples(st.tuples(side, side), st.tuples(side, side)))
    h, w = (
        max(taps + extent - 1 - sum(pair), 3) + draw(st.integers(0, 7))
        for taps, extent, pair in zip((r, s), window, padding, strict=True)
    )
    n, k = draw(st.integers(1, 19)), draw(st.sampled_from([1, 8, 16, 21]))
    keywords = {"window": window, "stride": stride, "padding": padding}
    return ((n, h, w, c), (r, s, c, k), (k,)), keywords


@given(geometries(), st.sampled_from(["float32", "float64"]), st.integers(0, 99))
def test_any_layer_is_what_it_is_unfused(geometry, dtype, seed):
    shapes, keywords = geometry
    rng = np.random.default_rng(seed)
    x, w, b = arrays(rng, *shapes, dtype=dtype)

    def run():
        y, pull = vjp(lambda x, w, b: layer(x, w, b, **keywords), x, w, b)
        g = np.cos(np.arange(y.size)).reshape(y.shape).astype(dtype)
        return y, pull(g)

    assert_same(run(), unfused(run), dtype)


@given(geometries(), st.integers(0, 99))
def test_a_layer_without_a_bias(geometry, seed):
    (*shapes, _), keywords = geometry
    x, w = arrays(np.random.default_rng(seed), *shapes)

    def run():
        return grad(lambda w: anp.sum(layer(x, w, **keywords) ** 2))(w)

    assert_same(run(), unfused(run))


def test_the_value_is_that_of_its_definition():
    x, w, b = example(k=17, dtype="float32")
    y, _ = vjp(lambda w: layer(x, w, b), w)
    full = np.maximum(conv_forward(x, w, b, (1, 1), ((0, 0), (0, 0))), 0)
    true = full[:, :4, :6].reshape(2, 2, 2, 3, 2, 17).max((2, 4))
    np.testing.assert_allclose(y, true[:, :2], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_nan_and_infinity_pass(dtype):
    x, w, b = example(k=5, dtype=dtype)
    x[0, 2, 3], x[1, 1, 1], x[1, 5, 5] = np.nan, np.inf, -np.inf

    def run():
        y, pull = vjp(lambda w, b: layer(x, w, b), w, b)
        return y, pull(np.ones_like(y))

    (y, bars), (true, true_bars) = run(), unfused(run)
    assert np.isnan(y).any() and np.isinf(y).any()
    np.testing.assert_allclose(y, true, rtol=1e-5, atol=1e-5)
    for found, expected in zip(bars, true_bars, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_a_nan_takes_the_gradient_of_its_window():
    x, w, b = np.ones((1, 2, 2, 1)), np.ones((1, 1, 1, 1)), np.zeros(1)
    x[0, 0, 1], x[0, 1, 0] = np.nan, 9.0

    def run():
        return grad(lambda x: anp.sum(layer(x, w, b)))(x)

    np.testing.assert_array_equal(run(), unfused(run))
    assert run()[0, :, :, 0].tolist() == [[0, 1], [0, 0]]


def test_the_first_of_equal_elements_takes_the_gradient():
    x, w = np.ones((1, 4, 4, 1)), np.ones((1, 1, 1, 1))
    x_bar = grad(lambda x: anp.sum(layer(x, w)))(x)
    true = np.zeros((4, 4))
    true[::2, ::2] = 1
    np.testing.assert_array_equal(x_bar[0, :, :, 0], true)


def test_at_zero_relu_has_no_slope():
    x, w = np.zeros((1, 4, 4, 1)), np.ones((1, 1, 1, 2))
    w_bar = grad(lambda w: anp.sum(layer(x, w)))(w)
    assert not w_bar.any()
    b_bar = grad(lambda p: anp.sum(layer(x, *p)))((w, np.zeros(2)))[1]
    assert not b_bar.any()


@pytest.mark.parametrize("n", [1, 3, 64])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_threads_change_no_bit(n, dtype):
    rng = np.random.default_rng(0)
    x, w, b = arrays(rng, (n, 28, 28, 1), (3, 3, 1, 16), (16,), dtype=dtype)

    def run():
        y, pull = vjp(lambda w, b: layer(x, w, b), w, b)
        return [y, *pull(y * y)]

    for results in zip(*on_each_thread_count(run), strict=True):
        for a in results[1:]:
            np.testing.assert_array_equal(a, results[0])


# -- uses that are not the pattern -----------------------------------------------------


def second_consumer(w, x):
    """Read what was convolved again, after the layer."""
    y = nn.conv(x, w)
    pooled = nn.max_pool(nn.relu(y), 2)
    return anp.sum(pooled**2) + anp.sum(y**2)


def consumed_before(w, x):
    """Read what was convolved before the layer."""
    y = nn.conv(x, w)
    total = anp.sum(y**2)
    return total + anp.sum(nn.max_pool(nn.relu(y), 2))


def residual(w, x):
    """Add what was rectified to itself."""
    y = nn.relu(nn.conv(x, w))
    return anp.sum((y + y * y) * y)


def two_pools(w, x):
    """Pool one array in two ways."""
    y = nn.relu(nn.conv(x, w))
    return anp.sum(nn.max_pool(y, 2) ** 2) + anp.sum(nn.max_pool(y, 3) ** 3)


def two_rectified(w, x):
    """Rectify one array twice."""
    y = nn.conv(x, w)
    return anp.sum(nn.max_pool(nn.relu(y), 2) * nn.max_pool(nn.relu(y), 2))


def looked_at(w, x):
    """Print, compare and slice on the way."""
    y = nn.relu(nn.conv(x, w))
    assert "[" in f"{y}" and "array" in repr(y)
    assert y.shape == (2, 5, 6, 3) and y.ndim == 4 and len(y) == 2 and y.size == 180
    scale = 2.0 if (y[0, 0, 0, 0] > 0) else 3.0
    return anp.sum(nn.max_pool(y, 2)) * scale + anp.sum(y[0]) + anp.sum(y.T)


def two_layers(w, x):
    """Convolve what was convolved."""
    y = nn.relu(nn.conv(x, w))
    return anp.sum(nn.max_pool(nn.relu(nn.conv(y[..., :1], w)), 2))


def out_of_order(w, x):
    """Pool before ReLU, and by operators."""
    y = nn.conv(x, w)
    return anp.sum(nn.relu(nn.max_pool(y, 2))) + anp.sum(anp.maximum(y, 0) ** 2)


def other_layouts(w, x):
    """Channels first, and one image."""
    y = nn.conv(anp.transpose(x, (0, 3, 1, 2)), w, layout="NCHW")
    first = nn.max_pool(nn.relu(y), 2, layout="NCHW")
    one = nn.max_pool(nn.relu(nn.conv(x[0], w)), (2, 2))
    return anp.sum(first**2) + anp.sum(one)


USES = [
    *(second_consumer, consumed_before, residual, two_pools, two_rectified),
    *(looked_at, two_layers, out_of_order, other_layouts),
]


@pytest.mark.parametrize("fun", USES, ids=lambda fun: fun.__name__)
@pytest.mark.parametrize("argnum", [0, 1])
def test_any_use_is_right(fun, argnum):
    x, w, _ = example()

    def run():
        return value_and_grad(fun, argnum)(w, x)

    assert_same(run(), unfused(run))


@pytest.mark.parametrize("fun", USES, ids=lambda fun: fun.__name__)
def test_any_use_is_right_to_second_order(fun):
    x, w, _ = example()
    v = np.cos(w)

    def run():
        return hvp(lambda w: fun(w, x))(w, v), jvp(lambda w: fun(w, x), (w,), (v,))

    assert_same(run(), unfused(run))


def test_nothing_runs_twice(monkeypatch):
    """Reading a result often computes it once."""
    x, w, _ = example()
    calls, impl = [], conv.impl
    monkeypatch.setattr(
        conv, "impl", lambda *a, **k: [calls.append(1), impl(*a, **k)][1]
    )
    grad(lambda w: consumed_before(w, x) + residual(w, x))(w)
    assert len(calls) == 2


def test_outputs_and_aux():
    x, w, b = example()
    h = {}

    def fun(p):
        h["y"] = y = nn.conv(x, *p)
        z = nn.relu(nn.conv(2 * x, *p))
        return {"y": y, "z": z, "p": nn.max_pool(z, 2)}

    def run():
        y, pull = vjp(fun, (w, b))
        first, second = pull(y), pull(tree.map(np.sin, y))
        (loss, aux), bars = value_and_grad(
            lambda p: (anp.sum(fun(p)["p"]), fun(p)), has_aux=True
        )((w, b))
        return y, first, second, loss, aux, bars

    assert_same(run(), unfused(run))


@pytest.mark.parametrize(
    "use",
    [
        lambda y: y + 1,
        nn.relu,
        lambda y: nn.max_pool(y, 2),
        lambda y: nn.conv(y, np.ones((1, 1, 3, 1))),
        lambda y: layer(np.ones((1, 5, 5, 1)), y[0, :3, :3, :1, None]),
        lambda y: grad(lambda v: anp.sum(v * y))(1.0),
    ],
)
@pytest.mark.parametrize("stage", [lambda y: y, nn.relu])
def test_what_leaks_says_so(use, stage):
    x, w, b = example()
    leaked = []

    def fun(w):
        leaked.append(stage(nn.conv(x, w, b)))
        return anp.sum(w)

    grad(fun)(w)
    with pytest.raises(LeakedTracerError):
        use(leaked[0])
    assert leaked[0].shape == (2, 5, 6, 3) and str(leaked[0])


def test_geometry_is_checked_at_the_convolution():
    x, w, b = example()
    reached = []

    def fun(w):
        y = nn.conv(x[:, :2], w, b)
        reached.append(y)
        return y

    with pytest.raises(ShapeError, match="padding"):
        grad(fun)(w)
    assert not reached


def test_what_was_convolved_may_not_change_before_it_runs():
    x, w, b = example()
    both = np.concatenate([x, x])

    def fun(w, x, write):
        y = nn.conv(x, w, b)
        if write:
            x[:] = 0
        return anp.sum(nn.max_pool(nn.relu(y), 2))

    plain = grad(fun)(w, x, False)
    assert both[:2].nbytes <= SMALL_VIEW
    assert_same(grad(fun)(w, both[:2], True), plain)  # a small view is copied
    with pytest.raises(ValueError, match="read-only"):
        grad(fun)(w, x, True)
    x[:] = 0  # it is writable again


def test_a_pending_relu_keeps_its_derivative():
    x, w = np.zeros((1, 4, 4, 1)), np.ones((1, 1, 1, 1))

    def fun(w, x, inside):
        y = nn.relu(nn.conv(x, w))
        with policy(relu0=inside):
            return anp.sum(y + 0.0)

    for inside in (0, 1):
        assert not grad(fun, 1)(w, x, inside).any()


def test_other_transformations_see_plain_operations():
    x, w, b = example()
    v = np.sin(w)

    def fun(w):
        return anp.sum(layer(x, w, b) ** 2)

    def run():
        return (
            jvp(fun, (w,), (v,)),
            jvp(grad(fun), (w,), (v,)),
            grad(lambda w: anp.sum(grad(fun)(w) * v))(w),
            vmap(grad(fun))(np.stack([w, v])),
            grad(lambda w: anp.sum(vmap(lambda s: fun(s * w))(np.arange(3.0))))(w),
            grad(checkpoint(fun))(w),
            grad(lambda w: anp.sum(grad(lambda b: anp.sum(layer(x, w, b)))(b)))(w),
        )

    assert_same(run(), unfused(run))


def test_checkers_and_nan_blame_look_at_each_operation():
    x, w, b = example()
    check_grads(lambda w, b: layer(x, w, b), (w, b))
    report = check_tape(lambda w, b: layer(x, w, b), w, b, report=True)
    assert "conv_bias" in repr(report.findings)
    x[0, 0, 0] = np.nan
    with debug_nans(), pytest.warns(RuntimeWarning, match="conv_bias"):
        grad(lambda w: anp.sum(layer(x, w, b)))(w)


def test_fusion_nests_and_is_a_threads_own():
    x, w, b = example()

    def found():
        return operations(lambda w: layer(x, w, b), w) == PLAIN

    fused = found()
    seen = []
    with nn.fusion(False):
        assert found()
        with nn.fusion(True):
            assert found() is fused
        assert found()
        thread = threading.Thread(target=lambda: seen.append(found()))
        thread.start()
        thread.join()
    assert seen == [fused] and found() is fused


def test_pending_is_what_it_is_called():
    x, w, b = example()
    kinds = []

    def fun(w):
        y = nn.conv(x, w, b)
        kinds.append(type(y) is Pending)
        return anp.sum(nn.max_pool(nn.relu(y), 2))

    grad(fun)(w)
    assert kinds == [machine() is not None]


def test_a_model_trains_the_same():
    from models.cnn import emnist16

    rng = np.random.default_rng(0)
    x = rng.random((16, 28, 28, 1), np.float32)
    labels = rng.integers(0, 10, 16)

    def loss(p):
        return nn.cross_entropy(emnist16.apply(p, x), labels)

    def train():
        params = emnist16.init(np.random.default_rng(1))
        opt = optim.sgd(0.05)
        state, losses = opt.init(params), []
        for _ in range(10):
            value, bars = value_and_grad(loss)(params)
            updates, state = opt.update(bars, state, params)
            params = optim.apply_updates(params, updates)
            losses.append(float(value))
        return losses

    found, true = train(), unfused(train)
    assert found[-1] < found[0]
    np.testing.assert_allclose(found, true, rtol=1e-4)


# -- batch normalisation and ReLU ------------------------------------------------------


def normed(x, scale, bias, train=True):
    """A normalised layer with its ReLU, and the new statistics."""
    c = x.shape[-1]
    state = nn.init_batch_norm_state(c, x.dtype)
    y, state = nn.batch_norm(x, {"scale": scale, "bias": bias}, state, train)
    return nn.relu(y), state


def norm_example(dtype=np.float64, shape=(3, 4, 5, 6), seed=0):
    rng = np.random.default_rng(seed)
    x, scale, bias = (rng.normal(size=s) for s in (shape, shape[-1], shape[-1]))
    return x.astype(dtype), scale.astype(dtype), bias.astype(dtype)


def test_batch_norm_and_relu_are_one_operation():
    args = norm_example()
    assert operations(lambda x: normed(x, *args[1:])[0], args[0]) == ["batch_normalise"]
    assert operations(lambda s: normed(args[0], s, args[2])[0], args[1]) == [
        "batch_normalise"
    ]
    with nn.fusion(False):
        found = operations(lambda x: normed(x, *args[1:])[0], args[0])
    assert found == ["batch_normalise", "relu"]
    with policy(relu0=0.5):
        found = operations(lambda x: normed(x, *args[1:])[0], args[0])
    assert found == ["batch_normalise", "relu"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(2, 3), (3, 4, 5, 6), (64, 9, 9, 16), (5, 7, 130)])
def test_batch_norm_and_relu_agree_with_both_apart(dtype, shape):
    args = norm_example(np.dtype(dtype).type, shape)
    weights = np.random.default_rng(1).normal(size=shape).astype(dtype)

    def loss(*args):
        y, state = normed(*args)
        return (y * weights).sum(), state

    both = value_and_grad(loss, (0, 1, 2), has_aux=True)
    assert_same(both(*args), unfused(both, *args), dtype)


def test_batch_norm_before_relu_may_be_used_as_well():
    args = norm_example()
    state = nn.init_batch_norm_state(6, np.float64)

    def loss(x):
        y, _ = nn.batch_norm(x, {"scale": args[1], "bias": args[2]}, state, True)
        return (nn.relu(y) * y.shape[0] + y**2).sum()

    assert_same(grad(loss)(args[0]), unfused(grad(loss), args[0]))
    check_grads(loss, (args[0],), order=2)


def test_derivatives_of_batch_norm_and_relu():
    args = norm_example(shape=(2, 3, 4))
    check_grads(lambda *args: (normed(*args)[0] ** 2).sum(), args, order=2)
    each = vmap(grad(lambda x: (normed(x, *args[1:])[0] ** 2).sum()))
    batch = np.stack([args[0], 2 - args[0] ** 2])
    assert_same(each(batch), np.stack([unfused(each, b[None])[0] for b in batch]))


def test_a_nan_passes_batch_norm_and_relu_as_it_passes_both():
    x, scale, bias = norm_example()
    x[0, 0, 0, 0] = np.nan
    both = value_and_grad(lambda x: (normed(x, scale, bias)[0] ** 2).sum())
    for found, true in zip(both(x), unfused(both, x)):
        np.testing.assert_array_equal(found, true)


# -- without a gradient ----------------------------------------------------------------


@needs_tiles
def test_fused_functions_are_fused_without_a_gradient(monkeypatch):
    x, w, b = example()
    calls = []
    whole = fused_ops.pooled_layer
    monkeypatch.setattr(
        fused_ops,
        "pooled_layer",
        lambda *args, **kw: calls.append(1) or whole(*args, **kw),
    )
    plain = layer(x, w, b)
    assert not calls
    assert_same(nn.fused(layer)(x, w, b=b, padding="VALID"), plain)
    assert calls
    with nn.fusion(False):
        nn.fused(layer)(x, w, b)
    assert len(calls) == 1


def test_what_fused_functions_return_is_plain():
    x, scale, bias = norm_example()

    def fun(x, options, labels):
        y, state = normed(x, scale, bias)
        assert options["name"] == "a" and labels.dtype == int
        return {"y": y, "waits": nn.conv(x[..., :1], np.ones((3, 3, 1, 2)))}, state, 3

    labels = np.arange(3)
    found = nn.fused(fun)(x, {"name": "a"}, labels)
    assert_same(found[:2], fun(x, {"name": "a"}, labels)[:2])
    assert found[2] == 3
    assert all(type(leaf) is np.ndarray for leaf in tree.leaves(found[:2]))
    assert x.flags.writeable and scale.flags.writeable


def test_fused_functions_have_derivatives():
    x, w, b = example()

    def plain(w):
        return (layer(x, w, b) ** 2).sum()

    loss = nn.fused(plain)
    assert_same(grad(loss)(w), grad(plain)(w))
    assert_same(vmap(loss)(np.stack([w, -w])), vmap(plain)(np.stack([w, -w])))
    captured = grad(lambda w: nn.fused(lambda x: (layer(x, w, b) ** 2).sum())(x))
    assert_same(captured(w), grad(plain)(w))


def test_arrays_leaked_from_fused_functions_are_refused():
    kept = []
    nn.fused(lambda x: kept.append(x))(np.ones(3))
    with pytest.raises(LeakedTracerError, match="_NoTape has ended"):
        kept[0] + 1


@needs_tiles
@pytest.mark.parametrize(
    "padding", [((2, 0), (0, 1)), ((0, 1), (2, 0)), ((1, 2), (2, 1))]
)
def test_sides_that_are_padded_unevenly(padding):
    x, w, b = example(c=2)
    window = (2, 2)

    def loss(x, w, b):
        y = layer(x, w, b, window, padding=padding)
        return (y * np.cos(np.arange(y.size).reshape(y.shape))).sum()

    every = grad(loss, (0, 1, 2))
    assert_same(every(x, w, b), unfused(every, x, w, b))
    check_grads(loss, (x, w, b), order=2)
