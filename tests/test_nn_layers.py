"""Normalisation by groups, dense layers, attention: NumPy, PyTorch, differences."""

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from thread_counts import on_each_thread_count

from autograd_lite import grad, jvp, nn, vjp, vmap
from autograd_lite.errors import (
    ArgumentError,
    AutogradError,
    DifferentiationTypeError,
    ShapeError,
)
from autograd_lite.kernels import group_norm as kernels
from autograd_lite.testing import check_grads

DTYPES = [np.float32, np.float64]


def normal(shape, dtype=np.float64, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def scaling(shape, dtype=np.float64):
    return {"scale": normal(shape, dtype, 1), "bias": normal(shape, dtype, 2)}


def normalised(x, groups, params, eps):
    """Return the group normalisation of (n, ..., c) in extended precision."""
    n, *size, c = x.shape
    wide = x.astype(np.longdouble).reshape(n, math.prod(size), groups, c // groups)
    mean, var = [fun(wide, axis=(1, 3), keepdims=True) for fun in (np.mean, np.var)]
    z = ((wide - mean) / np.sqrt(var + eps)).reshape(x.shape)
    return z * params["scale"] + params["bias"]


# -- normalisation -----------------------------------------------------------------


@settings(max_examples=40)
@given(
    st.tuples(st.integers(0, 3), st.integers(1, 40), st.integers(1, 3)),
    st.integers(1, 4),
    st.integers(1, 20),
    st.sampled_from(DTYPES),
)
def test_groups_are_normalised(size, groups, width, dtype):
    x, params = normal((*size, groups * width), dtype), scaling(groups * width, dtype)
    y = nn.group_norm(x + dtype(3), groups, params, eps=0.1)
    assert y.dtype == dtype and y.shape == x.shape
    expected = normalised(x + dtype(3), groups, params, 0.1)
    np.testing.assert_allclose(y, expected, atol=2e-5 if dtype == np.float32 else 1e-12)


@pytest.mark.parametrize("size", [30, 3000])
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_kernels_gradient_is_that_of_traced_operations(size, dtype):
    x, params, g = (
        normal((2, size, 24), dtype),
        scaling(24, dtype),
        normal((24,), dtype),
    )
    fun = lambda x, p: (nn.group_norm(x, 3, p) * g).sum()  # noqa: E731
    ours = grad(fun, argnums=(0, 1))(x, params)
    # Under vmap the gradient is made of traced operations.
    traced = vmap(grad(fun, argnums=(0, 1)), (0, None))(x[None], params)
    tolerance = 2e-4 if dtype == np.float32 else 1e-10
    np.testing.assert_allclose(ours[0], traced[0][0], atol=tolerance)
    for name in params:
        assert ours[1][name].dtype == dtype
        np.testing.assert_allclose(ours[1][name], traced[1][name][0], rtol=tolerance)


NORMS = {
    "layer": lambda x, p: nn.layer_norm(x, p),
    "group": lambda x, p: nn.group_norm(x, 2, p),
    "instance": lambda x, p: nn.instance_norm(x, p),
}


@pytest.mark.parametrize("name", NORMS)
def test_norms_to_second_order(name):
    check_grads(
        lambda x, s, b: NORMS[name](x, {"scale": s, "bias": b}) ** 2,
        (normal((2, 3, 4)), normal(4, seed=1), normal(4, seed=2)),
        order=2,
    )


@pytest.mark.parametrize("name", NORMS)
@pytest.mark.parametrize("mapped", ["x", "params", "both"])
def test_norms_under_vmap(name, mapped):
    xs = normal((3, 2, 3, 4))
    params = [scaling(4), {"scale": normal(4, seed=3), "bias": normal(4, seed=4)}] * 2
    stacked = {k: np.stack([p[k] for p in params[:3]]) for k in ("scale", "bias")}
    axes = {"x": (0, None), "params": (None, 0), "both": (0, 0)}[mapped]
    args = (xs if axes[0] == 0 else xs[0], stacked if axes[1] == 0 else params[0])
    slope = grad(lambda x, p: (NORMS[name](x, p) ** 2).sum(), argnums=(0, 1))
    values, slopes = vmap(NORMS[name], axes)(*args), vmap(slope, axes)(*args)
    for i in range(3):
        one = xs[i if axes[0] == 0 else 0], params[i if axes[1] == 0 else 0]
        np.testing.assert_allclose(values[i], NORMS[name](*one), atol=1e-12)
        x_bar, p_bar = slope(*one)
        np.testing.assert_allclose(slopes[0][i], x_bar, atol=1e-10)
        np.testing.assert_allclose(slopes[1]["scale"][i], p_bar["scale"], atol=1e-10)


@pytest.mark.peer("torch")
@pytest.mark.parametrize("dtype", DTYPES)
def test_norms_are_pytorchs(dtype):
    import torch

    x, params, g = normal((3, 6, 5, 4), dtype), scaling(6, dtype), normal((3, 6, 5, 4))
    g, functional = g.astype(dtype), torch.nn.functional
    weight, bias = torch.tensor(params["scale"]), torch.tensor(params["bias"])
    first = {"layout": "NCHW"}
    image = {"scale": normal((5, 4), dtype, 3), "bias": normal((5, 4), dtype, 4)}
    both = [torch.tensor(v) for v in image.values()]
    for ours, theirs in (
        (
            lambda x: nn.group_norm(x, 3, params, **first),
            lambda t: functional.group_norm(t, 3, weight, bias),
        ),
        (
            lambda x: nn.instance_norm(x, params, **first),
            lambda t: functional.instance_norm(t, weight=weight, bias=bias),
        ),
        (
            lambda x: nn.layer_norm(x, image),
            lambda t: functional.layer_norm(t, (5, 4), *both),
        ),
        (
            lambda x: nn.batch_norm(
                x, params, nn.init_batch_norm_state(6, dtype), True, **first
            )[0],
            lambda t: functional.batch_norm(t, None, None, weight, bias, True),
        ),
    ):
        t = torch.tensor(x, requires_grad=True)
        expected = theirs(t)
        expected.backward(torch.tensor(g))
        y, pullback = vjp(ours, x)
        tolerance = 1e-5 if dtype == np.float32 else 1e-12
        np.testing.assert_allclose(y, expected.detach(), atol=tolerance)
        np.testing.assert_allclose(pullback(g)[0], t.grad, atol=10 * tolerance)


@pytest.mark.parametrize("c", [1, 7, 4096, 5000])
def test_long_and_short_rows_are_normalised_alike(c):
    x, params = normal((9, c), np.float32) + 5, scaling(c, np.float32)
    y, pullback = vjp(lambda x, p: nn.layer_norm(x, p, eps=0.1), x, params)
    expected = normalised(x, 1, params, 0.1)
    np.testing.assert_allclose(y, expected, atol=1e-4)
    wide = {name: v.astype(np.float64) for name, v in params.items()}
    exact = vjp(lambda x, p: nn.layer_norm(x, p, eps=0.1), x.astype(np.float64), wide)
    g = normal(x.shape, seed=3)
    for ours, theirs in zip(pullback(g.astype(np.float32)), exact[1](g)):
        for a, b in zip(
            *[v.values() if isinstance(v, dict) else [v] for v in (ours, theirs)]
        ):
            np.testing.assert_allclose(a, b, atol=1e-3)


def test_a_group_of_equal_numbers_has_a_finite_gradient():
    x = np.full((1, 4, 2), 7.0)
    y, pullback = vjp(lambda x: nn.layer_norm(x), x)
    np.testing.assert_array_equal(y, 0)
    assert np.isfinite(pullback(np.ones_like(y))[0]).all()


def test_the_number_of_threads_does_not_matter():
    x, gamma, g = normal((37, 40, 24), np.float32), normal(24), normal((37, 40, 24))

    def results():
        y, mean, inverse = kernels.normalise(x, gamma, gamma, 3, 1e-5)
        bars = kernels.backward(g.astype(x.dtype), x, gamma, mean, inverse)
        return b"".join(a.tobytes() for a in (y, mean, inverse, *bars))

    assert len(set(on_each_thread_count(results))) == 1


# -- dense -------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(5,), (3, 5), (2, 3, 5), (0, 5), (200, 90, 5)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_dense_with_a_bias_and_an_activation(shape, dtype):
    x, w, b = normal(shape, dtype), normal((5, 40), dtype, 1), normal(40, dtype, 2)
    y, pullback = vjp(lambda *a: nn.dense(*a, activation=nn.relu), x, w, b)
    wide = [a.astype(np.float64) for a in (x, w, b)]
    expected = np.maximum(wide[0] @ wide[1] + wide[2], 0)
    tolerance = 1e-4 if dtype == np.float32 else 1e-9
    np.testing.assert_allclose(y, expected, atol=tolerance)
    g = normal(y.shape, dtype, 3)
    live = (g * (expected > 0)).astype(np.float64)
    x_bar, w_bar, b_bar = pullback(g)
    np.testing.assert_allclose(x_bar, live @ wide[1].T, atol=tolerance)
    rows = wide[0].reshape(-1, 5).T @ live.reshape(-1, 40)
    np.testing.assert_allclose(w_bar, rows, atol=100 * tolerance)
    np.testing.assert_allclose(b_bar, live.reshape(-1, 40).sum(0), atol=tolerance * 100)
    assert {a.dtype for a in (y, x_bar, w_bar, b_bar)} == {np.dtype(dtype)}


# -- attention ---------------------------------------------------------------------


def arrays(dtype=np.float64):
    return [normal((2, 3, n, f), dtype, n) for n, f in ((4, 5), (6, 5), (6, 7))]


MASK = np.random.default_rng(0).random((3, 4, 6)) < 0.6
MASK[..., 0] = True


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("mask", [None, MASK, normal((4, 6))])
def test_attention_to_second_order(mask, causal):
    q, k, v = [x[:1] for x in arrays()]
    check_grads(lambda *a: nn.attention(*a, mask, causal=causal), (q, k, v), order=2)


@pytest.mark.peer("torch")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", ["plain", "causal", "mask", "added", "scale"])
def test_attention_is_pytorchs(kind, dtype):
    import torch

    added = normal((4, 6), dtype)
    ours, theirs = {
        "plain": ({}, {}),
        "causal": ({"causal": True}, {"is_causal": True}),
        "mask": ({"mask": MASK}, {"attn_mask": torch.tensor(MASK)}),
        "added": ({"mask": added}, {"attn_mask": torch.tensor(added)}),
        "scale": ({"scale": 0.3}, {"scale": 0.3}),
    }[kind]
    xs = arrays(dtype)
    ts = [torch.tensor(x, requires_grad=True) for x in xs]
    expected = torch.nn.functional.scaled_dot_product_attention(*ts, **theirs)
    y, pullback = vjp(lambda *a: nn.attention(*a, **ours), *xs)
    g = normal(y.shape, dtype, 9)
    expected.backward(torch.tensor(g))
    tolerance = 1e-5 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(y, expected.detach(), atol=tolerance)
    for x_bar, t in zip(pullback(g), ts):
        assert x_bar.dtype == dtype
        np.testing.assert_allclose(x_bar, t.grad, atol=10 * tolerance)


def test_a_query_that_sees_nothing_gets_zeros_and_finite_gradients():
    q, k, v = arrays()
    mask = np.ones((4, 6), bool)
    mask[2] = False
    y, pullback = vjp(lambda *a: nn.attention(*a, mask), q, k, v)
    assert not y[:, :, 2].any() and y[:, :, 1].any()
    bars = pullback(np.ones_like(y))
    assert all(np.isfinite(bar).all() for bar in bars) and not bars[0][:, :, 2].any()


def test_attention_under_vmap():
    q, k, v = arrays()
    expected = nn.attention(q, k, v, MASK)
    np.testing.assert_allclose(
        vmap(lambda *a: nn.attention(*a, MASK))(q, k, v), expected, atol=1e-12
    )


@pytest.mark.peer("torch")
def test_multi_head_attention_is_pytorchs():
    import torch

    features, heads = 12, 3
    params = nn.init_multi_head_attention(np.random.default_rng(0), features, float)
    for i, layer in enumerate(params.values()):
        layer["b"] = normal(features, seed=i)
    layer = torch.nn.MultiheadAttention(features, heads, batch_first=True).double()
    inner = [params[name] for name in ("query", "key", "value")]
    layer.in_proj_weight.data = torch.tensor(np.concatenate([p["w"].T for p in inner]))
    layer.in_proj_bias.data = torch.tensor(np.concatenate([p["b"] for p in inner]))
    layer.out_proj.weight.data = torch.tensor(params["output"]["w"].T.copy())
    layer.out_proj.bias.data = torch.tensor(params["output"]["b"])
    x, context = normal((2, 4, features)), normal((2, 6, features), seed=1)
    tx, tc = torch.tensor(x), torch.tensor(context)
    expected = layer(tx, tc, tc)[0].detach()
    y = nn.multi_head_attention(x, params, heads, context)
    np.testing.assert_allclose(y, expected, atol=1e-12)
    loss = lambda x, p: nn.multi_head_attention(x, p, heads, causal=True)  # noqa: E731
    check_grads(loss, (x[:1, :3], params))


def test_attention_drops_weights():
    q, k, v = arrays(np.float32)
    keywords = {"dropout_rate": 0.5}
    y = nn.attention(q, k, v, **keywords, rng=np.random.default_rng(0))
    again = nn.attention(q, k, v, **keywords, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(y, again)
    assert y.dtype == np.float32 and not np.allclose(y, nn.attention(q, k, v))
    assert jvp(lambda q: nn.attention(q, k, v), (q,), (q,))[1].dtype == np.float32


X = np.zeros((2, 4, 6))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.group_norm(X, 4), ArgumentError, "divides the 6 channels"),
        (lambda: nn.group_norm(X[0, 0], 1), ShapeError, "(n, ..., c)"),
        (lambda: nn.group_norm(X, 2, scaling(4)), ShapeError, "expected (6,)"),
        (lambda: nn.instance_norm(X[0]), ShapeError, "(n, *size, c)"),
        (lambda: nn.layer_norm(X, scaling((2, 6))), ShapeError, "expected (4, 6)"),
        (lambda: nn.layer_norm(X[..., :0]), ShapeError, "c > 0"),
        (
            lambda: nn.layer_norm(X, scaling(6, np.float32)),
            DifferentiationTypeError,
            "scale float32",
        ),
        (lambda: nn.attention(X, X[..., :5], X), ShapeError, "(..., s, e)"),
        (lambda: nn.attention(X, X[:, :0], X[:, :0]), ShapeError, "nothing to attend"),
        (lambda: nn.attention(X, X, X, np.ones((3, 3)) > 0), ShapeError, "(2, 4, 4)"),
        (
            lambda: nn.attention(X, X, X, np.ones((4, 4), int)),
            DifferentiationTypeError,
            "booleans",
        ),
        (lambda: nn.multi_head_attention(X, {}, 4), ArgumentError, "multiple of heads"),
    ],
)
def test_errors_say_what_to_do(call, error, message):
    with pytest.raises(error, match=re.escape(message)) as caught:
        call()
    assert isinstance(caught.value, AutogradError)
