"""Pools, their inverses and windows in general: against NumPy, PyTorch, differences."""

import math
import re

import numpy as np
import pytest
import specifications_windows as spec
from hypothesis import given, settings
from hypothesis import strategies as st

import autograd_lite.numpy as anp
from autograd_lite import grad, jvp, nn, vjp, vmap
from autograd_lite.errors import (
    ArgumentError,
    AutogradError,
    DifferentiationTypeError,
    ShapeError,
)
from autograd_lite.testing import check_grads

DTYPES = [np.float32, np.float64]


def normal(shape, dtype=np.float64, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def distinct(shape, seed=0):
    """Numbers that keep a distance, so that no maximum is near a tie."""
    n = math.prod(shape)
    return (np.random.default_rng(seed).permutation(n) / 7.0 - n / 14).reshape(shape)


def channels_first(x):
    return np.ascontiguousarray(np.moveaxis(x, -1, 1))


def channels_last(t):
    return np.moveaxis(t.detach().numpy(), 1, -1)


@st.composite
def pools(draw, largest=7):
    """Shape, window, stride, padding, dilation: every window has an element."""
    rank = draw(st.integers(1, 3))
    window = draw(st.tuples(*[st.integers(1, 3)] * rank))
    stride = draw(st.tuples(*[st.integers(1, 4)] * rank))
    dilation = draw(st.tuples(*[st.integers(1, 2)] * rank))
    padding = tuple(
        [
            draw(st.tuples(st.integers(-1, w - 1), st.integers(-1, w - 1)))
            for w in window
        ]
    )
    size = []
    for w, d, (before, after) in zip(window, dilation, padding):
        # Large enough that a dilated window can't straddle the elements.
        least = max(d * (w - 1) + 1 - before - after, d) + (before < 0) + (after < 0)
        size.append(draw(st.integers(least, max(least, largest))))
    return (draw(st.integers(1, 2)), *size, draw(st.integers(1, 3))), (
        *(window, stride, padding, dilation),
    )


def cropped(x, padding):
    """Return what negative padding leaves of x, and the rest of the padding."""
    for axis, (before, after) in enumerate(padding, 1):
        n = x.shape[axis]
        x = x.take(range(max(0, -before), n + min(0, after)), axis)
    return x, [(max(0, before), max(0, after)) for before, after in padding]


def windows_of(x, window, stride, padding, dilation, ceil_mode):
    """List for each axis the positions of each window, as PyTorch counts them."""
    found = []
    for n, w, s, (before, after), d in zip(
        x.shape[1:-1], window, stride, padding, dilation
    ):
        reach, padded = d * (w - 1) + 1, n + before + after
        count = (padded - reach) // s + 1
        if ceil_mode and (padded - reach) % s and count * s < n + before:
            count += 1
        starts = [i * s - before for i in range(count)]
        found.append([[start + d * t for t in range(w)] for start in starts])
    return found


@settings(max_examples=60)
@given(pools(), st.sampled_from(DTYPES), st.booleans(), st.booleans())
def test_pools_are_their_specification(case, dtype, ceil_mode, counted):
    shape, (window, stride, padding, dilation) = case
    x = distinct(shape).astype(dtype)
    inside, sides = cropped(x, padding)
    size = inside.shape[1:-1]
    windows = windows_of(inside, window, stride, sides, dilation, ceil_mode)
    bins = [
        [[k for k in one if 0 <= k < n] for one in a] for n, a in zip(size, windows)
    ]
    y, index = spec.window_max(inside, bins)
    geometry = (window, stride, padding, dilation)
    np.testing.assert_array_equal(nn.max_pool(x, *geometry, ceil_mode), y)
    again, places = nn.max_pool(x, *geometry, ceil_mode, return_indices=True)
    np.testing.assert_array_equal(again, y)
    flat = x.reshape(shape[0], -1, shape[-1])
    picked = np.take_along_axis(flat, places.reshape(shape[0], -1, shape[-1]), 1)
    np.testing.assert_array_equal(picked.reshape(y.shape), y)
    if inside.shape == x.shape:
        np.testing.assert_array_equal(places, index)
    mean = inside
    for axis, (n, one, (a, b)) in enumerate(zip(size, windows, sides), 1):
        rows = np.zeros((len(one), n))
        for row, positions in zip(rows, one):
            row[[k for k in positions if 0 <= k < n]] = 1
            low, high = (-a, n + b) if counted else (0, n)
            row /= sum(low <= k < high for k in positions)
        mean = spec.along(rows, mean, axis)
    keywords = {"count_include_pad": counted, "dilation": dilation}
    found = nn.avg_pool(x, window, stride, padding, ceil_mode, **keywords)
    np.testing.assert_allclose(found, mean, atol=1e-5 if dtype == np.float32 else 1e-12)
    assert found.dtype == again.dtype == dtype


@settings(max_examples=12)
@given(pools(largest=4), st.booleans())
def test_pools_to_second_order(case, ceil_mode):
    shape, (*geometry, dilation) = case
    x = distinct(shape)
    rest = {"ceil_mode": ceil_mode, "dilation": dilation}
    check_grads(lambda x: nn.max_pool(x, *geometry, **rest) ** 2, (x,), order=2)
    check_grads(lambda x: nn.avg_pool(x, *geometry, **rest) ** 2, (x,), order=2)


@pytest.mark.parametrize("p", [1, 2, 3, 1.5])
def test_lp_pool_is_a_norm(p):
    x = distinct((2, 5, 4, 2)) + 0.03
    y = nn.lp_pool(x, p, (2, 3), (2, 1), padding=((1, 0), 1), ceil_mode=True)
    wide = np.pad(np.abs(x) ** p, ((0, 0), (1, 0), (1, 1), (0, 0)))
    views = np.lib.stride_tricks.sliding_window_view(wide, (2, 3), (1, 2))[:, ::2]
    np.testing.assert_allclose(y, views.sum((-1, -2)) ** (1 / p))
    check_grads(lambda x: nn.lp_pool(x, p, 2, 1), (x,), order=2)
    assert not grad(lambda x: nn.lp_pool(x, p, 2).sum())(np.zeros((1, 4, 4, 1))).any()


@settings(max_examples=30)
@given(st.integers(1, 3), st.data())
def test_adaptive_pools(rank, data):
    size = data.draw(st.tuples(*[st.integers(1, 6)] * rank))
    wanted = data.draw(st.tuples(*[st.integers(1, 8)] * rank))
    x = distinct((2, *size, 2))
    y, index = spec.window_max(x, [spec.adaptive_bins(*a) for a in zip(size, wanted)])
    found, places = nn.adaptive_max_pool(x, wanted, return_indices=True)
    np.testing.assert_array_equal(found, y)
    np.testing.assert_array_equal(places, index)
    mean = x
    for axis, lengths in enumerate(zip(size, wanted), 1):
        mean = spec.along(spec.adaptive_matrix(*lengths), mean, axis)
    np.testing.assert_allclose(nn.adaptive_avg_pool(x, wanted), mean, atol=1e-12)


def test_adaptive_and_global_pools_to_second_order():
    x = distinct((2, 5, 4, 2))
    for fun in (
        lambda x: nn.adaptive_avg_pool(x, (3, None)),
        lambda x: nn.adaptive_max_pool(x, (2, 3)),
        nn.global_avg_pool,
        nn.global_max_pool,
        lambda x: nn.global_max_pool(x, layout="NCHW", keepdims=True),
    ):
        check_grads(lambda x, fun=fun: fun(x) ** 2, (x,), order=2)
    np.testing.assert_allclose(nn.global_avg_pool(x), x.mean((1, 2)))
    np.testing.assert_array_equal(nn.global_max_pool(x), x.max((1, 2)))
    kept = nn.global_avg_pool(channels_first(x), layout="NCHW", keepdims=True)
    np.testing.assert_allclose(kept[:, :, 0, 0], x.mean((1, 2)))


def test_max_unpool_is_the_transpose_of_the_gather():
    x = distinct((2, 6, 5, 3))
    y, index = nn.max_pool(x, (3, 2), (2, 1), return_indices=True)
    g = normal(y.shape)
    back = nn.max_unpool(g, index, (6, 5))
    _, pullback = vjp(lambda x: nn.max_pool(x, (3, 2), (2, 1)), x)
    np.testing.assert_allclose(back, pullback(g)[0])
    check_grads(lambda y: nn.max_unpool(y, index, (6, 5)) ** 2, (y,), order=2)
    both = vjp(lambda x: nn.max_pool(x, 2, return_indices=True)[0], x)
    np.testing.assert_array_equal(both[0], nn.max_pool(x, 2))


@pytest.mark.peer("torch")
@settings(max_examples=60)
@given(pools(), st.booleans(), st.booleans())
def test_pools_are_pytorchs(case, ceil_mode, counted):
    import torch

    shape, (window, stride, _, dilation) = case
    rank, x = len(window), distinct(shape)
    functional = torch.nn.functional
    padding = tuple([w // 2 for w in window])
    reach = [d * (w - 1) + 1 for w, d in zip(window, dilation)]
    if all(r <= n + 2 * p for r, n, p in zip(reach, shape[1:], padding)):
        geometry = (window, stride, padding, dilation, ceil_mode)
        pool = getattr(functional, f"max_pool{rank}d")
        try:
            ours, places = nn.max_pool(x, *geometry, return_indices=True)
        except ShapeError as error:  # PyTorch's maximum of nothing is -inf
            assert "made of nothing" in str(error)
        else:
            theirs, index = pool(torch.tensor(channels_first(x)), *geometry, True)
            np.testing.assert_array_equal(ours, channels_last(theirs))
            np.testing.assert_array_equal(places, channels_last(index))
    # PyTorch walks back over volumes only where the window fits without the padding.
    room = [0 if rank == 3 else 2 * p for p in padding]
    if all(w <= n + r for w, n, r in zip(window, shape[1:], room)):
        t = torch.tensor(channels_first(x), requires_grad=True)
        geometry = (window, stride, padding, ceil_mode, counted)
        theirs = getattr(functional, f"avg_pool{rank}d")(t, *geometry)
        y, pullback = vjp(lambda x: nn.avg_pool(x, *geometry), x)
        g = normal(y.shape)
        theirs.backward(torch.tensor(channels_first(g)))
        np.testing.assert_allclose(y, channels_last(theirs), atol=1e-12)
        np.testing.assert_allclose(pullback(g)[0], channels_last(t.grad), atol=1e-12)


# -- windows in general ------------------------------------------------------------


@settings(max_examples=20)
@given(pools(largest=4))
def test_unfold_and_fold_are_adjoint_and_make_a_convolution(case):
    shape, (window, stride, padding, dilation) = case
    x = normal(shape)
    cols = nn.unfold(x, window, stride, padding, dilation)
    g = normal(cols.shape, seed=1)
    back = nn.fold(g, shape[1:-1], window, stride, padding, dilation)
    assert abs(np.vdot(cols, g) - np.vdot(x, back)) <= 1e-12 * (1 + g.size)
    w = normal((*window, shape[-1], 2), seed=2)
    keywords = {"stride": stride, "padding": padding, "dilation": dilation}
    y = nn.conv(x, w, **keywords, method="im2col")
    np.testing.assert_allclose(cols @ w.reshape(-1, 2), y, atol=1e-12)
    check_grads(lambda x: nn.unfold(x, window, **keywords) ** 2, (x[:1],), order=2)


@pytest.mark.peer("torch")
@pytest.mark.parametrize("stride", [1, 2])
def test_unfold_and_fold_of_channels_first_are_pytorchs(stride):
    import torch

    x, functional = normal((2, 3, 6, 5)), torch.nn.functional
    geometry = {"stride": stride, "padding": 1, "dilation": (1, 2)}
    ours = nn.unfold(x, (3, 2), **geometry, layout="NCHW")
    theirs = functional.unfold(torch.tensor(x), (3, 2), **geometry)
    np.testing.assert_array_equal(ours, theirs)
    back = nn.fold(ours, (6, 5), (3, 2), **geometry, layout="NCHW")
    expected = functional.fold(theirs, (6, 5), (3, 2), **geometry)
    np.testing.assert_allclose(back, expected)
    one = nn.fold(ours[0], (6, 5), (3, 2), **geometry, layout="NCHW")
    np.testing.assert_array_equal(one, back[0])


def test_sliding_window_is_numpys_with_a_stride_padding_and_dilation():
    x = normal((4, 7, 3))
    view = np.lib.stride_tricks.sliding_window_view
    np.testing.assert_array_equal(
        nn.sliding_window(x, (2, 3), axis=(0, 1)), view(x, (2, 3), (0, 1))
    )
    keywords = {"stride": 2, "padding": ((1, -1),), "dilation": 2, "axis": -2}
    wide = np.pad(x, ((0, 0), (1, 0), (0, 0)))[:, :-1]
    expected = view(wide, 5, 1)[:, ::2, :, ::2]
    np.testing.assert_array_equal(nn.sliding_window(x, 3, **keywords), expected)
    check_grads(lambda x: nn.sliding_window(x, 3, **keywords) ** 2, (x,), order=2)


@pytest.mark.parametrize("reducer", ["sum", "max", "min", "prod", anp.mean])
@pytest.mark.parametrize("padding", ["VALID", "SAME", ((1, 0), (-1, 2))])
def test_reduce_window(reducer, padding):
    x = distinct((4, 6, 2)) + 0.02
    keywords = {"padding": padding, "stride": (1, 2), "dilation": (2, 1)}
    y = nn.reduce_window(x, reducer, (2, 3), **keywords, axis=(0, 1))
    fill = {"max": -np.inf, "min": np.inf, "prod": 1}.get(reducer, 0)
    sides = {"VALID": ((0, 0),) * 2, "SAME": ((1, 1), (0, 1))}.get(padding, padding)
    wide = np.pad(
        x[:, 1:] if sides[1][0] < 0 else x,
        (sides[0], (max(0, sides[1][0]), sides[1][1]), (0, 0)),
        constant_values=fill,
    )
    views = np.lib.stride_tricks.sliding_window_view(wide, (3, 3), (0, 1))
    views = views[:, ::2, ..., ::2, :]
    fun = getattr(np, reducer) if isinstance(reducer, str) else np.mean
    np.testing.assert_allclose(y, fun(views, axis=(-1, -2)), atol=1e-12)
    check_grads(
        lambda x: nn.reduce_window(x, reducer, (2, 3), **keywords, axis=(0, 1)),
        (x,),
        order=2,
    )


# -- interpolation -----------------------------------------------------------------


@settings(max_examples=30)
@given(st.integers(1, 3), st.booleans(), st.data())
def test_linear_interpolation(rank, align_corners, data):
    size = data.draw(st.tuples(*[st.integers(1, 5)] * rank))
    wanted = data.draw(st.tuples(*[st.integers(1, 7)] * rank))
    x = expected = normal((2, *size, 2))
    for axis, lengths in enumerate(zip(size, wanted), 1):
        matrix = spec.linear_matrix(*lengths, align_corners)
        expected = spec.along(matrix, expected, axis)
    y = nn.upsample(x, wanted, mode="linear", align_corners=align_corners)
    np.testing.assert_allclose(y, expected, atol=1e-12)
    nearest = x
    for axis, (n, m) in enumerate(zip(size, wanted), 1):
        nearest = nearest.take(np.arange(m) * n // m, axis)
    np.testing.assert_array_equal(nn.upsample(x, wanted), nearest)


@pytest.mark.peer("torch")
@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [(9, 10), (3, 2), (1, 5), (4, 5)])
def test_interpolation_is_pytorchs(mode, align_corners, size):
    import torch

    x = normal((2, 4, 5, 3))
    t = torch.tensor(channels_first(x), requires_grad=True)
    keywords = {"mode": mode, "align_corners": align_corners}
    theirs = torch.nn.functional.interpolate(t, size, **keywords)
    y, pullback = vjp(lambda x: nn.upsample(x, size, **keywords), x)
    g = normal(y.shape, seed=1)
    theirs.backward(torch.tensor(channels_first(g)))
    np.testing.assert_allclose(y, channels_last(theirs), atol=1e-12)
    np.testing.assert_allclose(pullback(g)[0], channels_last(t.grad), atol=1e-12)


@pytest.mark.peer("torch")
def test_scaled_and_shuffled_are_pytorchs():
    import torch

    functional, x = torch.nn.functional, normal((2, 12, 4, 6))
    t = torch.tensor(x)
    for ours, theirs in (
        (
            nn.upsample(x, scale_factor=(2, 1.5), layout="NCHW"),
            functional.interpolate(t, scale_factor=(2, 1.5)),
        ),
        (nn.pixel_shuffle(x, 2, layout="NCHW"), functional.pixel_shuffle(t, 2)),
        (nn.pixel_unshuffle(x, 2, layout="NCHW"), functional.pixel_unshuffle(t, 2)),
    ):
        np.testing.assert_array_equal(ours, theirs)
    again = nn.pixel_unshuffle(nn.pixel_shuffle(x, 2, layout="NCHW"), 2, layout="NCHW")
    np.testing.assert_array_equal(again, x)


def test_interpolation_to_second_order():
    x = normal((1, 3, 2, 2))
    for mode in ("nearest", "bilinear", "bicubic"):
        check_grads(
            lambda x, mode=mode: nn.upsample(x, (5, 1), mode=mode) ** 2, (x,), order=2
        )
    check_grads(
        lambda x: nn.pixel_unshuffle(nn.pixel_shuffle(x, 2), 2) ** 2,
        (normal((1, 2, 2, 4)),),
        order=2,
    )


# -- what all have in common -------------------------------------------------------

ALL = {
    "max_pool": lambda x: nn.max_pool(x, (2, 2), dilation=(1, 2)),
    "max_pool_cropped": lambda x: nn.max_pool(x, 2, padding=((-1, 0), (1, 0))),
    "max_pool_indices": lambda x: nn.max_unpool(
        *nn.max_pool(x, 2, 2, ((-1, 0), 0), return_indices=True), (4, 6)
    ),
    "avg_pool": lambda x: nn.avg_pool(x, 3, 2, ceil_mode=True),
    "lp_pool": lambda x: nn.lp_pool(x, 2, 2),
    "adaptive_avg_pool": lambda x: nn.adaptive_avg_pool(x, (3, 4)),
    "adaptive_max_pool": lambda x: nn.adaptive_max_pool(x, (3, 4)),
    "unfold": lambda x: nn.unfold(x, (2, 3)),
    "fold": lambda x: nn.fold(nn.unfold(x, (2, 3)), (4, 6), (2, 3)),
    "sliding_window": lambda x: nn.sliding_window(x, 2, axis=(1, 2)),
    "reduce_window": lambda x: nn.reduce_window(x, "max", 2, axis=(1, 2)),
    "upsample": lambda x: nn.upsample(x, (5, 7), mode="bilinear"),
    "pixel_unshuffle": lambda x: nn.pixel_unshuffle(x, 2),
    "global_max_pool": nn.global_max_pool,
}


@pytest.mark.parametrize("name", ALL)
def test_under_vmap_without_a_batch_and_with_an_empty_one(name):
    fun, xs = ALL[name], distinct((3, 2, 4, 6, 2))
    slope = grad(lambda x: (fun(x) ** 2).sum())
    for one in (fun, slope):
        expected = np.stack([one(x) for x in xs])
        np.testing.assert_allclose(vmap(one)(xs), expected, atol=1e-12)
    y, pullback = vjp(fun, xs[0, :0])
    assert y.shape == (0, *fun(xs[0]).shape[1:])
    assert pullback(y)[0].shape == (0, 4, 6, 2)
    single = xs[0].astype(np.float32)
    assert fun(single).dtype == jvp(fun, (single,), (single,))[1].dtype == np.float32


def test_an_image_without_a_batch():
    x = distinct((4, 6, 2))
    for fun in (
        lambda x: nn.max_pool(x, (2, 2)),
        lambda x: nn.avg_pool(x, (3, 2), (1, 1)),
        lambda x: nn.adaptive_max_pool(x, (2, 2)),
        lambda x: nn.upsample(x, (5, 7)),
        lambda x: nn.unfold(x, (2, 2)),
    ):
        np.testing.assert_array_equal(fun(x), fun(x[None])[0])


X = np.zeros((1, 4, 4, 2))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.max_pool(X[0], 2), ShapeError, "window=(2, 2) for an image"),
        (lambda: nn.max_pool(X[0, 0, 0], 2), ShapeError, "volumes (n, d, h, w, c)"),
        (lambda: nn.max_pool(X, 3, dilation=3), ShapeError, "3 * (3 - 1) + 1 = 7"),
        (
            lambda: nn.max_pool(X[:, :1], (2, 1), 1, (1, 0), (2, 1)),
            ShapeError,
            "made of nothing",
        ),
        (lambda: nn.lp_pool(X, 0, 2), ArgumentError, "a positive number"),
        (lambda: nn.adaptive_avg_pool(X, 0), ArgumentError, "output_size=0"),
        (lambda: nn.adaptive_max_pool(X[:, :0], 2), ShapeError, "no elements"),
        (lambda: nn.max_unpool(X, X, (8, 8)), DifferentiationTypeError, "indices"),
        (
            lambda: nn.max_unpool(X, np.full(X.shape, 64), (8, 8)),
            ArgumentError,
            "places 0 to 63",
        ),
        (lambda: nn.max_unpool(X, X.astype(int), 8), ArgumentError, "size=8"),
        (lambda: nn.global_avg_pool(X[:, :0]), ShapeError, "no size 0"),
        (lambda: nn.fold(X, (5, 5), (2, 2)), ShapeError, "of 4 times the channels"),
        (lambda: nn.unfold(X, (5, 5)), ShapeError, "padding=1 fits"),
        (lambda: nn.sliding_window(X, 2, axis=(1, 1)), ArgumentError, "axis=(1, 1)"),
        (lambda: nn.reduce_window(X, "mode", 1), ArgumentError, '"prod"'),
        (lambda: nn.upsample(X), ArgumentError, "expected one of them"),
        (lambda: nn.upsample(X, 3, mode="area"), ArgumentError, "'bicubic'"),
        (lambda: nn.upsample(X, scale_factor=0.1), ArgumentError, "one pixel"),
        (lambda: nn.pixel_shuffle(X, 2), ShapeError, "multiple of 4"),
        (lambda: nn.pixel_unshuffle(X, 3), ShapeError, "must divide"),
    ],
)
def test_errors_say_what_to_do(call, error, message):
    with pytest.raises(error, match=re.escape(message)) as caught:
        call()
    assert isinstance(caught.value, AutogradError)
