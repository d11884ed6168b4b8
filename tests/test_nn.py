"""Layers: values, PyTorch's numbers, derivatives to second order, state, errors."""

import math
import re

import numpy as np
import pytest
import specifications_nn as spec
from hypothesis import given, settings
from hypothesis import strategies as st
from test_kernels_pool import geometries

from autograd_lite import grad, jvp, nn, value_and_grad, vjp, vmap
from autograd_lite.errors import ArgumentError, AutogradError, ShapeError
from autograd_lite.testing import check_grads

DTYPES = [np.float32, np.float64]


def normal(shape, dtype=np.float64, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def distinct(shape, seed=0):
    """Numbers that keep a distance, so that no maximum is near a tie."""
    n = math.prod(shape)
    return (np.random.default_rng(seed).permutation(n) / 7.0 - n / 14).reshape(shape)


# -- activations -------------------------------------------------------------------

SMOOTH = {
    "sigmoid": nn.sigmoid,
    "softplus": nn.softplus,
    "silu": nn.silu,
    "gelu": nn.gelu,
    "gelu_tanh": lambda x: nn.gelu(x, approximate=True),
    "softmax": nn.softmax,
    "log_softmax": lambda x: nn.log_softmax(x, axis=0),
    "layer_norm": nn.layer_norm,
}


@pytest.mark.parametrize("name", SMOOTH)
def test_smooth_activations_to_second_order(name):
    check_grads(SMOOTH[name], (normal((3, 5)),), order=2)


@pytest.mark.parametrize("fun", [nn.relu, nn.leaky_relu])
def test_piecewise_activations_to_second_order(fun):
    check_grads(fun, (distinct((4, 5)) + 0.05,), order=2)


@pytest.mark.parametrize("name", [*SMOOTH, "relu", "leaky_relu"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [30, 6000, 60_000])
def test_dtype_is_kept(name, dtype, size):
    fun = SMOOTH.get(name) or getattr(nn, name)
    x = normal((3, size // 3), dtype)
    y, pullback = vjp(fun, x)
    assert y.dtype == dtype and pullback(y)[0].dtype == dtype
    assert jvp(fun, (x,), (x,))[1].dtype == dtype


def test_at_the_kink():
    x = np.zeros(3)
    np.testing.assert_array_equal(grad(lambda x: nn.relu(x).sum())(x), 0)
    slopes = grad(lambda x: nn.leaky_relu(x, 0.3).sum())(x)
    np.testing.assert_array_equal(slopes, 0.3)


@pytest.mark.parametrize("size", [4, 100_000])
def test_relu_passes_nan(size):
    x = np.full(size, np.nan, np.float32)
    assert np.isnan(nn.relu(x)).all()
    assert (grad(lambda x: nn.relu(x).sum())(x) == 1).all()


def test_extreme_arguments():
    x = np.array([-np.inf, -1e4, -800.0, 0.0, 800.0, 1e4, np.inf])
    with np.errstate(all="raise", under="ignore"):
        np.testing.assert_array_equal(nn.sigmoid(x), [0, 0, 0, 0.5, 1, 1, 1])
        np.testing.assert_allclose(nn.softplus(x[1:-1]), [0, 0, np.log(2), 800, 1e4])
        assert np.isfinite(nn.log_softmax(x[1:-1])).all()
    assert nn.sigmoid(-700.0) > 0  # 1 - 1/(1 + exp(x)) would be 0


@pytest.mark.peer("torch")
@pytest.mark.parametrize(
    ("ours", "theirs", "settings"),
    [
        (nn.relu, "relu", {}),
        (nn.leaky_relu, "leaky_relu", {}),
        (nn.sigmoid, "sigmoid", {}),
        (nn.softplus, "softplus", {}),
        (nn.silu, "silu", {}),
        (nn.gelu, "gelu", {}),
        (SMOOTH["gelu_tanh"], "gelu", {"approximate": "tanh"}),
        (nn.softmax, "softmax", {"dim": -1}),
        (SMOOTH["log_softmax"], "log_softmax", {"dim": 0}),
        (nn.layer_norm, "layer_norm", {"normalized_shape": (7,)}),
    ],
)
@pytest.mark.parametrize("dtype", DTYPES)
def test_activations_are_torchs(ours, theirs, settings, dtype):
    import torch

    x, g = 2 * normal((5, 7), dtype), normal((5, 7), dtype, seed=1)
    x[0, 0] = 0
    t = torch.tensor(x, requires_grad=True)
    expected = getattr(torch.nn.functional, theirs)(t, **settings)
    expected.backward(torch.tensor(g))
    y, pullback = vjp(ours, x)
    tolerance = 1e-5 if dtype is np.float32 else 1e-12
    np.testing.assert_allclose(y, expected.detach(), rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(pullback(g)[0], t.grad, rtol=tolerance, atol=tolerance)


# -- pools -------------------------------------------------------------------------


@settings(max_examples=25)
@given(geometries())
def test_pools_to_second_order(case):
    shape, *geometry = case
    if shape[0] == 0:
        return
    x = distinct(shape[:3] + (min(shape[3], 3),))
    check_grads(lambda x: nn.max_pool(x, *geometry) ** 2, (x,), order=2)
    check_grads(lambda x: nn.avg_pool(x, *geometry) ** 2, (x,), order=2)


@pytest.mark.parametrize("dtype", DTYPES)
def test_max_pool_of_ties_and_nan(dtype):
    x = np.zeros((1, 4, 4, 1), dtype)
    x[0, 3, 3] = np.nan
    y, pullback = vjp(lambda x: nn.max_pool(x, 2), x)
    x_bar = pullback(np.ones_like(y))[0][0, :, :, 0]
    expected = np.zeros((4, 4))
    expected[0, 0] = expected[0, 2] = expected[2, 0] = expected[3, 3] = 1
    np.testing.assert_array_equal(x_bar, expected)
    assert np.isnan(y[0, 1, 1, 0]) and x_bar.dtype == dtype


def test_padding_never_wins_a_max_pool():
    x = -np.ones((1, 3, 3, 1))
    assert (nn.max_pool(x, 3, 1, "SAME") == -1).all()


def test_pools_of_an_empty_batch():
    x = np.zeros((0, 6, 6, 2), np.float32)
    for pool in (nn.max_pool, nn.avg_pool):
        y, pullback = vjp(lambda x, pool=pool: pool(x, 2), x)
        assert y.shape == (0, 3, 3, 2) and pullback(y)[0].shape == x.shape


def test_pools_under_vmap():
    x = distinct((3, 2, 4, 4, 2))
    for pool in (nn.max_pool, nn.avg_pool):
        mapped = vmap(lambda x, pool=pool: pool(x, 2))(x)
        np.testing.assert_allclose(mapped, np.stack([pool(one, 2) for one in x]))


@pytest.mark.peer("torch")
@settings(max_examples=40)
@given(geometries(), st.booleans(), st.sampled_from(DTYPES))
def test_pools_are_torchs(case, count_include_pad, dtype):
    import torch

    shape, window, stride, ((top, _), (left, _)) = case
    padding = (min(top, window[0] // 2), min(left, window[1] // 2))
    if shape[0] == 0 or any(
        n + 2 * p < w for n, w, p in zip(shape[1:3], window, padding)
    ):
        return
    x = normal(shape, dtype)
    t = torch.tensor(x.transpose(0, 3, 1, 2).copy(), requires_grad=True)
    functional = torch.nn.functional
    for ours, theirs in (
        (
            lambda x: nn.max_pool(x, window, stride, padding),
            functional.max_pool2d(t, window, stride, padding),
        ),
        (
            lambda x: nn.avg_pool(
                x, window, stride, padding, count_include_pad=count_include_pad
            ),
            functional.avg_pool2d(
                t, window, stride, padding, count_include_pad=count_include_pad
            ),
        ),
    ):
        t.grad = None
        y, pullback = vjp(ours, x)
        expected = theirs.detach().numpy().transpose(0, 2, 3, 1)
        np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)
        g = normal(y.shape, dtype, seed=1)
        theirs.backward(torch.tensor(g.transpose(0, 3, 1, 2).copy()))
        x_bar = t.grad.numpy().transpose(0, 2, 3, 1)
        np.testing.assert_allclose(pullback(g)[0], x_bar, rtol=1e-5, atol=1e-5)


# -- convolution -------------------------------------------------------------------


@st.composite
def convolutions(draw):
    """Shapes of x and w, and keyword arguments, that fit."""
    window = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    dilation = draw(st.integers(1, 2))
    groups = draw(st.integers(1, 2))
    reach = [dilation * (w - 1) + 1 for w in window]
    size = tuple(draw(st.integers(r, r + 4)) for r in reach)
    x = (draw(st.integers(1, 2)), *size, 2 * groups)
    w = (*window, 2, groups * draw(st.integers(1, 2)))
    sides = st.integers(0, 2)
    padding = draw(
        st.one_of(
            st.sampled_from(["VALID", "SAME", "same"]),
            sides,
            st.tuples(sides, sides),
            st.tuples(st.tuples(sides, sides), st.tuples(sides, sides)),
        )
    )
    stride = draw(st.one_of(sides.map(lambda s: s + 1), st.just([2, 1])))
    keywords = {"stride": stride, "padding": padding, "dilation": dilation}
    return x, w, {**keywords, "groups": groups}


def padded_by(padding, size, reach, stride):
    """Resolve padding in the simplest way, to compare with."""
    if isinstance(padding, str):
        if padding.upper() == "VALID":
            return ((0, 0), (0, 0))
        total = [
            max((math.ceil(n / s) - 1) * s + r - n, 0)
            for n, r, s in zip(size, reach, stride)
        ]
        return tuple((t // 2, t - t // 2) for t in total)
    vertical, horizontal = (padding, padding) if isinstance(padding, int) else padding
    return tuple(
        (p, p) if isinstance(p, int) else tuple(p) for p in (vertical, horizontal)
    )


@given(convolutions())
def test_conv_is_a_sum_over_windows(case):
    x_shape, w_shape, keywords = case
    x, w, b = normal(x_shape), normal(w_shape, seed=1), normal(w_shape[3:], seed=2)
    d, groups = keywords["dilation"], keywords["groups"]
    stride = keywords["stride"]
    stride = (stride, stride) if isinstance(stride, int) else stride
    reach = [d * (k - 1) + 1 for k in w_shape[:2]]
    pads = padded_by(keywords["padding"], x_shape[1:3], reach, stride)
    wide = np.pad(x, ((0, 0), *pads, (0, 0)))
    views = np.lib.stride_tricks.sliding_window_view(wide, reach, axis=(1, 2))
    views = views[:, :: stride[0], :: stride[1], :, ::d, ::d]
    parts = [
        np.einsum("nijcrs,rsck->nijk", v, k)
        for v, k in zip(np.split(views, groups, 3), np.split(w, groups, 3))
    ]
    expected = np.concatenate(parts, axis=3) + b
    np.testing.assert_allclose(nn.conv(x, w, b, **keywords), expected, atol=1e-12)
    if groups == 1:
        columns = nn.conv(x, w, b, **keywords, method="im2col")
        np.testing.assert_allclose(columns, expected, atol=1e-12)


@settings(max_examples=15)
@given(convolutions(), st.sampled_from(["direct", "im2col"]))
def test_conv_to_second_order(case, method):
    x_shape, w_shape, keywords = case
    if method == "im2col" and keywords["groups"] > 1:
        return
    args = (normal(x_shape), normal(w_shape, seed=1), normal(w_shape[3:], seed=2))
    check_grads(lambda *a: nn.conv(*a, **keywords, method=method) ** 2, args, order=2)


@pytest.mark.parametrize("method", ["direct", "im2col"])
def test_layouts_agree(method):
    x, w, b = normal((2, 6, 5, 3)), normal((3, 3, 3, 4), seed=1), normal(4, seed=2)
    first = x.transpose(0, 3, 1, 2)
    for fun in (
        lambda x, **k: nn.conv(x, w, b, padding="SAME", method=method, **k),
        lambda x, **k: nn.max_pool(x, 2, **k),
        lambda x, **k: nn.avg_pool(x, 3, 1, 1, **k),
    ):
        expected = fun(x).transpose(0, 3, 1, 2)
        np.testing.assert_allclose(fun(first, layout="NCHW"), expected, atol=1e-12)
    loss = lambda x, layout: (nn.conv(x, w, layout=layout) ** 2).sum()  # noqa: E731
    x_bar = grad(loss)(x, "NHWC").transpose(0, 3, 1, 2)
    np.testing.assert_allclose(grad(loss)(first, "NCHW"), x_bar, atol=1e-10)


def test_geometry_is_read_from_lists_too():
    x, w = normal((1, 5, 5, 1)), normal((3, 3, 1, 1))
    same = nn.conv(x, w, stride=(1, 2), padding=((1, 0), (0, 2)))
    np.testing.assert_array_equal(
        nn.conv(x, w, stride=np.array([1, 2]), padding=[[1, 0], [0, 2]]), same
    )


# -- losses ------------------------------------------------------------------------


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_cross_entropy_to_second_order(smoothing, reduction):
    labels = np.array([2, 0, 1])
    keywords = {"label_smoothing": smoothing, "reduction": reduction}
    logits = normal((3, 4))
    check_grads(lambda z: nn.cross_entropy(z, labels, **keywords), (logits,), order=2)
    dense = nn.one_hot(labels, 4, np.float64)
    check_grads(lambda z, t: nn.cross_entropy(z, t, **keywords), (logits, dense))


@given(st.integers(1, 20), st.integers(1, 8), st.floats(0, 1))
def test_integer_and_one_hot_labels_agree(n, k, smoothing):
    logits, labels = normal((n, k)), np.random.default_rng(0).integers(0, k, n)
    by_number = value_and_grad(nn.cross_entropy)(
        logits, labels, label_smoothing=smoothing
    )
    by_vector = value_and_grad(nn.cross_entropy)(
        logits, nn.one_hot(labels, k), label_smoothing=smoothing
    )
    for a, b in zip(by_number, by_vector):
        np.testing.assert_allclose(a, b, atol=1e-12)


def test_cross_entropy_of_any_leading_shape():
    logits, labels = normal((2, 3, 5)), np.arange(6).reshape(2, 3) % 5
    loss = nn.cross_entropy(logits, labels, reduction="none")
    expected = spec.cross_entropy(logits.reshape(6, 5), labels.ravel(), 0.0)[0]
    np.testing.assert_allclose(loss, expected.reshape(2, 3))
    single = nn.cross_entropy(logits[0, 0], labels[0, 0])
    np.testing.assert_allclose(single, expected[0])


@pytest.mark.peer("torch")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy_is_torchs(dtype, smoothing):
    import torch

    logits, labels = 3 * normal((64, 47), dtype), np.arange(64) % 47
    t = torch.tensor(logits, requires_grad=True)
    expected = torch.nn.functional.cross_entropy(
        t, torch.tensor(labels), label_smoothing=smoothing
    )
    expected.backward()
    loss, z_bar = value_and_grad(nn.cross_entropy)(
        logits, labels, label_smoothing=smoothing
    )
    assert loss.dtype == z_bar.dtype == dtype
    np.testing.assert_allclose(loss, expected.item(), rtol=1e-5)
    np.testing.assert_allclose(z_bar, t.grad, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("dtype", DTYPES)
def test_l2_penalty(dtype):
    params = {"w": normal((100, 70), dtype), "b": [normal(3, dtype)]}
    value, slope = value_and_grad(nn.l2_penalty)(params)
    expected = (params["w"] ** 2).sum() + (params["b"][0] ** 2).sum()
    np.testing.assert_allclose(value, expected, rtol=1e-5)
    np.testing.assert_array_equal(slope["w"], 2 * params["w"])
    assert value.dtype == slope["w"].dtype == dtype
    assert nn.l2_penalty({}) == 0


# -- normalisation, dropout, dense -------------------------------------------------


def test_batch_norm_to_second_order():
    x, params = normal((4, 2, 3)), {"scale": normal(3, seed=1), "bias": normal(3)}
    state = nn.init_batch_norm_state(3, np.float64)

    def train(x, scale, bias):
        params = {"scale": scale, "bias": bias}
        return nn.batch_norm(x, params, state, True)[0] ** 2

    def apply(x, scale, bias):
        return nn.batch_norm(x, {"scale": scale, "bias": bias}, state, False)[0] ** 2

    for fun in (train, apply):
        check_grads(fun, (x, params["scale"], params["bias"]), order=2)


@pytest.mark.peer("torch")
@pytest.mark.parametrize("dtype", DTYPES)
def test_batch_norm_is_torchs(dtype):
    import torch

    layer = torch.nn.BatchNorm2d(5, dtype=torch.tensor(dtype(0)).dtype)
    params = {"scale": normal(5, dtype, 1), "bias": normal(5, dtype, 2)}
    layer.weight.data = torch.tensor(params["scale"])
    layer.bias.data = torch.tensor(params["bias"])
    state = nn.init_batch_norm_state(5, dtype)
    tolerance = {"rtol": 1e-4, "atol": 1e-5 if dtype is np.float32 else 1e-12}
    for i in range(3):
        x, g = (
            2 * normal((6, 4, 3, 5), dtype, i) + 1,
            normal((6, 4, 3, 5), dtype, i + 9),
        )
        t = torch.tensor(x.transpose(0, 3, 1, 2).copy(), requires_grad=True)
        expected = layer(t)
        layer.zero_grad()
        expected.backward(torch.tensor(g.transpose(0, 3, 1, 2).copy()))
        y, pullback, state = vjp(
            lambda x, p, s=state: nn.batch_norm(x, p, s, True), x, params, has_aux=True
        )
        x_bar, p_bar = pullback(g)
        for ours, theirs in (
            (y, expected.detach().permute(0, 2, 3, 1)),
            (x_bar, t.grad.permute(0, 2, 3, 1)),
            (p_bar["scale"], layer.weight.grad),
            (p_bar["bias"], layer.bias.grad),
            (state["mean"], layer.running_mean),
            (state["var"], layer.running_var),
        ):
            assert ours.dtype == dtype
            np.testing.assert_allclose(ours, theirs, **tolerance)
    layer.eval()
    y, same = nn.batch_norm(x, params, state, False)
    np.testing.assert_allclose(y, layer(t).detach().permute(0, 2, 3, 1), **tolerance)
    assert same is state


def test_state_comes_out_of_a_gradient_as_plain_arrays():
    x, params = normal((8, 3), np.float32), nn.init_batch_norm(3)

    def loss(params, state):
        y, state = nn.batch_norm(x, params, state, True)
        return (y**2).sum(), state

    (_, state), _ = value_and_grad(loss, has_aux=True)(
        params, nn.init_batch_norm_state(3)
    )
    assert all(type(v) is np.ndarray and v.dtype == np.float32 for v in state.values())


def test_no_gradient_flows_through_running_statistics():
    params, state = nn.init_batch_norm(3, float), nn.init_batch_norm_state(3, float)

    def total(x):
        new = nn.batch_norm(x, params, state, True)[1]
        return new["mean"].sum() + new["var"].sum() + 0.0 * x.sum()

    assert not grad(total)(normal((8, 3))).any()


def test_dropout():
    x = np.ones((200, 50), np.float32)
    rng = np.random.default_rng(0)
    y, pullback = vjp(lambda x: nn.dropout(x, 0.3, rng), x)
    assert y.dtype == np.float32
    assert set(np.unique(y)) == {np.float32(0), np.float32(1 / 0.7)}
    assert abs(y.mean() - 1) < 0.02
    np.testing.assert_array_equal(pullback(x)[0], y)
    again = nn.dropout(x.astype(np.float64), 0.3, np.random.default_rng(0))
    np.testing.assert_array_equal(again > 0, y > 0)  # one mask for all dtypes
    assert nn.dropout(x, 0.3, None, train=False) is x
    assert nn.dropout(x, 0.0, None) is x


def test_dense_and_flatten():
    x, w, b = normal((4, 2, 3)), normal((6, 5), seed=1), normal(5, seed=2)
    y = nn.dense(nn.flatten(x), w, b)
    np.testing.assert_allclose(y, x.reshape(4, 6) @ w + b)
    np.testing.assert_allclose(nn.dense(x.reshape(2, 2, 6), w), x.reshape(2, 2, 6) @ w)
    check_grads(lambda x, w, b: nn.dense(nn.flatten(x), w, b) ** 2, (x, w, b))
    assert nn.flatten(np.zeros((0, 2, 3))).shape == (0, 6)


@pytest.mark.parametrize(
    ("make", "variance"),
    [
        (nn.he_normal, 2 / 90),
        (nn.he_uniform, 2 / 90),
        (nn.glorot_normal, 2 / (90 + 900)),
        (nn.glorot_uniform, 2 / (90 + 900)),
        (nn.lecun_normal, 1 / 90),
        (nn.lecun_uniform, 1 / 90),
    ],
)
@pytest.mark.parametrize("dtype", DTYPES)
def test_initialisers(make, variance, dtype):
    w = make(np.random.default_rng(0), (3, 3, 10, 100), dtype)
    assert w.dtype == dtype and w.shape == (3, 3, 10, 100)
    assert abs(w.mean()) < 0.05 * math.sqrt(variance)
    assert abs(w.var() / variance - 1) < 0.05
    again = make(np.random.default_rng(0), (3, 3, 10, 100), dtype)
    np.testing.assert_array_equal(w, again)


# -- errors ------------------------------------------------------------------------

X, W = np.zeros((1, 4, 4, 2), np.float32), np.zeros((5, 5, 2, 3), np.float32)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.conv(X, W), ShapeError, "(4 - 5) // 1 + 1 = 0"),
        (lambda: nn.conv(X, W), ShapeError, "padding=1 fits"),
        (
            lambda: nn.conv(X, W[:3, :3], dilation=4),
            ShapeError,
            "4 * (3 - 1) + 1 = 9: output (4 - 9) // 1 + 1 = -4. padding=3 fits",
        ),
        (lambda: nn.conv(X[0, 0], W), ShapeError, "images (n, h, w, c), or (h, w, c)"),
        (lambda: nn.conv(X[..., :1], W), ShapeError, "x has 1 channels"),
        (lambda: nn.conv(X, W, groups=2), ShapeError, "groups=2"),
        (lambda: nn.conv(X, W, np.zeros(2, np.float32), padding=1), ShapeError, "(3,)"),
        (lambda: nn.conv(X, W.astype(float), padding=1), TypeError, "w float64"),
        (lambda: nn.conv(X.astype(int), W, padding=1), TypeError, "x int64"),
        (lambda: nn.conv(X, W, padding="HALF"), ArgumentError, '"SAME"'),
        (lambda: nn.conv(X, W, padding=-2), ShapeError, "(0 - 5) // 1 + 1 = -4"),
        (
            lambda: nn.conv(X, W[:1, :1], padding=((-4, 4), (0, 0))),
            ShapeError,
            "leaves out all 4",
        ),
        (lambda: nn.conv(X, W, padding=(1, 2, 3)), ArgumentError, "padding=(1, 2, 3)"),
        (lambda: nn.conv(X, W, stride=0), ArgumentError, "stride=0"),
        (lambda: nn.conv(X, W, stride=1.5), ArgumentError, "stride=1.5"),
        (lambda: nn.conv(X, W, layout="HWCN"), ArgumentError, "'NHWC', 'NCHW'"),
        (lambda: nn.conv(X, W, method="fft"), ArgumentError, "'direct', 'im2col'"),
        (lambda: nn.max_pool(X, 5), ShapeError, "(4 - 5) // 5 + 1 = 0"),
        (lambda: nn.max_pool(X, 2, padding=2), ShapeError, "at most 1"),
        (lambda: nn.max_pool(X.astype(int), 2), TypeError, "x int64"),
        (lambda: nn.max_pool(X.astype(np.float16), 2), TypeError, "float16"),
        (
            lambda: nn.avg_pool(X, 2, padding=2, count_include_pad=False),
            ShapeError,
            "made of nothing",
        ),
        (lambda: nn.dense(X, W), ShapeError, "nn.flatten"),
        (lambda: nn.dense(X[0, 0], np.zeros((2, 3)), X[0, 0]), ShapeError, "b has"),
        (lambda: nn.cross_entropy([[0.0, 1]], [2]), ArgumentError, "label 2 of row 0"),
        (lambda: nn.cross_entropy([[0.0, 1]], [-1]), ArgumentError, "classes 0 to 1"),
        (lambda: nn.cross_entropy([[0.0, 1]], [0.0]), TypeError, "expected integers"),
        (lambda: nn.cross_entropy([[0, 1]], [0]), TypeError, "logits has dtype int64"),
        (lambda: nn.cross_entropy([[0.0, 1]], [0, 1]), ShapeError, "(1,)"),
        (lambda: nn.cross_entropy(np.ones((0, 2)), []), ShapeError, "empty batch"),
        (
            lambda: nn.cross_entropy([[0.0, 1]], [0], label_smoothing=2),
            ArgumentError,
            "0 to 1",
        ),
        (
            lambda: nn.cross_entropy([[0.0, 1]], [0], reduction="max"),
            ArgumentError,
            "'mean', 'sum', 'none'",
        ),
        (lambda: nn.one_hot([3], 3), ArgumentError, "0 to 2"),
        (lambda: nn.dropout(X, 1.0, None), ArgumentError, "rate=1.0"),
        (lambda: nn.dropout(X, 0.5, 0), TypeError, "default_rng(seed)"),
        (lambda: nn.he_normal(0, (2, 3)), TypeError, "default_rng(seed)"),
        (lambda: nn.he_normal(np.random.default_rng(0), (3,)), ShapeError, "np.zeros"),
        (
            lambda: nn.batch_norm(
                X, nn.init_batch_norm(3), nn.init_batch_norm_state(3), True
            ),
            ShapeError,
            "(2,)",
        ),
        (
            lambda: nn.batch_norm(
                X[:, :1, :1], nn.init_batch_norm(2), nn.init_batch_norm_state(2), True
            ),
            ShapeError,
            "at least two",
        ),
        (
            lambda: nn.batch_norm(X, {"scale": 1}, nn.init_batch_norm_state(2), True),
            ArgumentError,
            "params is ['scale'], expected a dict with scale and bias",
        ),
        (
            lambda: nn.batch_norm(X, nn.init_batch_norm(2), None, True),
            ArgumentError,
            "state is NoneType, expected a dict with mean and var",
        ),
        (lambda: nn.relu(1j), TypeError, "expected real floats"),
        (lambda: nn.softmax(X, axis=4), ArgumentError, "axis=4"),
        (lambda: nn.softmax(X, axis=None), ArgumentError, "axis=None"),
        (lambda: nn.sigmoid(1.5j), TypeError, "expected real floats"),
        (lambda: nn.l2_penalty([np.ones(2) * 1j]), TypeError, "expected real floats"),
        (
            lambda: nn.layer_norm(np.ones((4, 5)), nn.init_batch_norm(4)),
            ShapeError,
            "scale has shape (4,), expected (5,)",
        ),
    ],
)
def test_errors_say_what_to_do(call, error, message):
    with pytest.raises(error, match=re.escape(message)) as caught:
        call()
    assert isinstance(caught.value, AutogradError)


@given(st.integers(1, 6), st.integers(1, 9), st.integers(1, 3))
def test_the_padding_that_an_error_proposes_fits(size, window, dilation):
    x, w = np.zeros((1, size, size, 1)), np.zeros((window, window, 1, 1))
    try:
        nn.conv(x, w, dilation=dilation)
    except ShapeError as error:
        proposed = int(re.search(r"padding=(\d+) fits", str(error)).group(1))
        assert nn.conv(x, w, dilation=dilation, padding=proposed).size
        with pytest.raises(ShapeError):
            nn.conv(x, w, dilation=dilation, padding=proposed - 1)
        assert nn.conv(x, w, dilation=dilation, padding="SAME").size


@pytest.mark.parametrize(
    "fun",
    [nn.relu, nn.leaky_relu, nn.sigmoid, nn.softplus, nn.silu, nn.gelu, nn.softmax],
)
def test_half_precision_stays(fun):
    assert fun(np.ones(3, np.float16)).dtype == np.float16
