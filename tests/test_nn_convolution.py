"""Convolution in every form: against NumPy and PyTorch, as three adjoint maps.

Register tiles are compiled one by one for the sizes they meet, so geometries drawn at
random go to the plain kernels. What leads to these is tested: rank, padding, dilation,
groups. `FORMS` are taken by the kernels that users get.
"""

import contextlib
import re
from unittest import mock

import numpy as np
import pytest
import specifications_conv as spec
from hypothesis import given, settings
from hypothesis import strategies as st

from autograd_lite import grad, jvp, nn, vjp, vmap
from autograd_lite.errors import ArgumentError, AutogradError, ShapeError
from autograd_lite.kernels import conv as kernels
from autograd_lite.kernels import conv_nd
from autograd_lite.testing import check_grads

DTYPES = [np.float32, np.float64]
TABLES = ("FORWARD", "INPUT_GRAD", "WEIGHT_GRAD")


@contextlib.contextmanager
def plain_kernels():
    """Let the last row of each table of kernels do everything."""
    last = {name: getattr(kernels, name)[-1:] for name in TABLES}
    with mock.patch.multiple(kernels, **last):
        kernels._choose.cache_clear()
        yield
    kernels._choose.cache_clear()


def normal(shape, dtype=np.float64, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def channels_first(x):
    return np.ascontiguousarray(np.moveaxis(x, -1, 1))


def kernel_first(w):
    """`(*window, c, k)` as PyTorch's `(k, c, *window)`."""
    return np.ascontiguousarray(np.moveaxis(w, (-1, -2), (0, 1)))


@st.composite
def geometries(draw, largest=5):
    """Shapes of x and w, and all keywords at once, in one to three dimensions."""
    rank = draw(st.integers(1, 3))
    each = st.integers(1, 3)
    window, stride = draw(st.tuples(*[each] * rank)), draw(st.tuples(*[each] * rank))
    dilation = draw(st.tuples(*[st.integers(1, 2)] * rank))
    spread = draw(st.tuples(*[st.integers(1, 2)] * rank))
    sides = st.tuples(st.integers(-1, 3), st.integers(-1, 3))
    padding = draw(st.tuples(*[sides] * rank))
    size = []
    for r, d, e, (before, after) in zip(window, dilation, spread, padding):
        needed = d * (r - 1) + 1 - before - after
        least = max(1, -(-(needed - 1) // e) + 1)
        while (least - 1) * e + 1 + min(0, before) + min(0, after) < 1:
            least += 1
        size.append(draw(st.integers(least, max(least, largest))))
    groups = draw(st.integers(1, 3))
    c, k, n = draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(0, 2))
    keywords = {"stride": stride, "padding": padding, "dilation": dilation}
    keywords |= {"groups": groups, "input_dilation": spread}
    return (n, *size, c * groups), (*window, c, k * groups), keywords


def assert_close(actual, expected, dtype, terms=100):
    """Compare with an error that is some times the rounding of a sum."""
    assert actual.dtype == dtype and actual.shape == expected.shape
    scale = np.abs(expected).max(initial=1)
    np.testing.assert_allclose(
        actual, expected, rtol=0, atol=terms * np.finfo(dtype).eps * scale
    )


def check_three_maps(x_shape, w_shape, keywords, dtype):
    """Values, VJPs and JVPs are those of the specification, and adjoint maps."""
    x, w, b = normal(x_shape), normal(w_shape, seed=1), normal(w_shape[-1:], seed=2)
    y = spec.conv(x, w, b, **keywords)
    g = normal(y.shape, seed=3)
    x_bar = spec.conv_input_grad(g, w, x_shape, **keywords)
    w_bar = spec.conv_weight_grad(x, g, w_shape, **keywords)
    arrays = [a.astype(dtype) for a in (x, w, b)]

    def fun(x, w, b):
        return nn.conv(x, w, b, **keywords)

    found, pullback = vjp(fun, *arrays)
    assert_close(found, y, dtype)
    axes = tuple(range(g.ndim - 1))
    for ours, wanted in zip(pullback(g.astype(dtype)), (x_bar, w_bar, g.sum(axes))):
        assert_close(ours, wanted, dtype)
    v, u = normal(x_shape, seed=4), normal(w_shape, seed=5)
    y_dot = spec.conv(v, w, **keywords) + spec.conv(x, u, **keywords)
    dots = (v.astype(dtype), u.astype(dtype), np.zeros_like(arrays[2]))
    assert_close(jvp(fun, arrays, dots)[1], y_dot, dtype)


@settings(max_examples=100)
@given(geometries(), st.sampled_from(DTYPES))
def test_every_geometry_is_its_specification(case, dtype):
    with plain_kernels():
        check_three_maps(*case, dtype)


@settings(max_examples=60)
@given(geometries())
def test_the_three_contractions_are_adjoint(case):
    x_shape, w_shape, keywords = case
    x, w = normal(x_shape), normal(w_shape, seed=1)
    with plain_kernels():
        y = conv_nd.conv_forward(x, w, None, **keywords)
        g = normal(y.shape, seed=2)
        by_input = np.vdot(x, conv_nd.conv_input_grad(g, w, x_shape, **keywords))
        by_weight = np.vdot(w, conv_nd.conv_weight_grad(x, g, w_shape, **keywords))
    scale = np.sqrt(x.size * w.size * g.size) + 1
    assert abs(np.vdot(y, g) - by_input) <= 1e-13 * scale
    assert abs(np.vdot(y, g) - by_weight) <= 1e-13 * scale


@settings(max_examples=15)
@given(geometries(largest=3))
def test_every_geometry_to_second_order(case):
    x_shape, w_shape, keywords = case
    args = normal((1, *x_shape[1:])), normal(w_shape, seed=1)
    with plain_kernels():
        check_grads(lambda x, w: nn.conv(x, w, **keywords) ** 2, args, order=2)


def form(x, w, **keywords):
    """A geometry with all keywords, those not given at their simplest."""
    rank = len(w) - 2
    full = {"stride": (1,) * rank, "padding": ((0, 0),) * rank, "groups": 1}
    full |= {"dilation": (1,) * rank, "input_dilation": (1,) * rank, **keywords}
    return pytest.param(x, w, full, id=f"{x}-{w}-{keywords}")


ONE, TWO, THREE = ((1, 1),), ((1, 1), (1, 1)), ((1, 1), (1, 1), (1, 1))

FORMS = [
    form((2, 20, 8), (5, 8, 16), padding=((2, 2),)),
    form((2, 21, 8), (3, 8, 16), padding=((0, 4),), dilation=(4,), stride=(3,)),
    form((2, 9, 9, 16), (3, 3, 16, 16), padding=TWO, dilation=(2, 3)),
    form((2, 9, 8, 8), (3, 2, 8, 8), stride=(2, 3), dilation=(2, 3)),
    form((2, 9, 9, 19), (3, 3, 1, 19), padding=TWO, groups=19),
    form((2, 9, 9, 4), (3, 3, 1, 8), padding=TWO, groups=4, stride=(2, 2)),
    form((2, 9, 9, 6), (3, 3, 2, 9), padding=TWO, groups=3, dilation=(2, 1)),
    form((2, 9, 9, 32), (3, 3, 16, 16), padding=TWO, groups=2),
    form((2, 9, 9, 1), (7, 1, 1, 1), padding=((3, 3), (0, 0))),
    form((2, 4, 6, 5, 8), (3, 3, 3, 8, 8), padding=THREE, stride=(1, 2, 1)),
    form((2, 4, 6, 5, 8), (3, 2, 2, 1, 8), padding=THREE, groups=8),
    form((2, 5, 5, 8), (3, 3, 8, 8), padding=((1, 2), (2, 1)), input_dilation=(2, 2)),
    form((1, 9, 9, 8), (3, 3, 8, 8), padding=((-1, 2), (1, -2))),
    form((1, 4, 4, 2), (1, 1, 2, 3), padding=((-1, 1), (0, 0))),
]


@pytest.mark.parametrize(("x", "w", "keywords"), FORMS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_fast_kernels_in_odd_forms(x, w, keywords, dtype):
    check_three_maps(x, w, keywords, dtype)


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize(("x", "w", "keywords"), FORMS[2:8])
def test_nan_and_infinity_stay_where_they_belong(x, w, keywords):
    x, w = normal(x), normal(w, seed=1)
    x[1, 4, 5, 2], x[0, 2, 2, -1] = np.nan, np.inf
    y = spec.conv(x, w, **keywords)
    g = normal(y.shape, seed=2)
    g[0, 1, 1, 3] = np.inf
    found, pullback = vjp(lambda x, w: nn.conv(x, w, **keywords), x, w)
    bars = pullback(g)
    expected = (
        spec.conv_input_grad(g, w, x.shape, **keywords),
        spec.conv_weight_grad(x, g, w.shape, **keywords),
    )
    for ours, wanted in zip((found, *bars), (y, *expected)):
        np.testing.assert_array_equal(np.isnan(ours), np.isnan(wanted))
        np.testing.assert_array_equal(np.isinf(ours), np.isinf(wanted))


@pytest.mark.peer("torch")
@settings(max_examples=50)
@given(geometries(), st.sampled_from(DTYPES))
def test_every_geometry_is_pytorchs(case, dtype):
    import torch

    x_shape, w_shape, keywords = case
    x, w = normal(x_shape, dtype), normal(w_shape, dtype, seed=1)
    if 0 in x_shape:
        return
    one = (1,) * (len(w_shape) - 2)
    wide = spec.prepared(x, keywords["padding"], keywords["input_dilation"])
    tx = torch.tensor(channels_first(wide), requires_grad=True)
    tw = torch.tensor(kernel_first(w), requires_grad=True)
    convolve = getattr(torch.nn.functional, f"conv{len(one)}d")
    ty = convolve(
        *(tx, tw, None, keywords["stride"], 0),
        *(keywords["dilation"], keywords["groups"]),
    )
    with plain_kernels():
        y, pullback = vjp(lambda x, w: nn.conv(x, w, **keywords), x, w)
        g = normal(y.shape, dtype, seed=2)
        x_bar, w_bar = pullback(g)
    ty.backward(torch.tensor(channels_first(g)))
    assert_close(y, np.moveaxis(ty.detach().numpy(), 1, -1), dtype)
    window = keywords["padding"], keywords["input_dilation"]
    theirs = spec.unprepared(np.moveaxis(tx.grad.numpy(), 1, -1), x_shape, *window)
    assert_close(x_bar, theirs, dtype)
    assert_close(w_bar, np.moveaxis(tw.grad.numpy(), (0, 1), (-1, -2)), dtype)


# -- the transpose -----------------------------------------------------------------


@settings(max_examples=60)
@given(geometries(), st.integers(0, 2))
def test_conv_transpose_is_the_adjoint_of_conv(case, more):
    x_shape, w_shape, keywords = case
    del keywords["input_dilation"]
    x_shape = (*x_shape[:-1], w_shape[-1])
    y, w = normal(x_shape), normal(w_shape, seed=1)
    with plain_kernels():
        try:
            x = nn.conv_transpose(y, w, **keywords, output_padding=more)
            u = normal(x.shape, seed=2)
            sides = [(a, b - more) for a, b in keywords.pop("padding")]
            product = np.vdot(nn.conv(u, w, padding=sides, **keywords), y)
        except ShapeError:
            return  # padding takes all
    assert abs(product - np.vdot(u, x)) <= 1e-12 * (1 + u.size + y.size)


@pytest.mark.peer("torch")
@settings(max_examples=40)
@given(geometries(), st.integers(0, 1), st.integers(0, 1))
def test_conv_transpose_is_pytorchs(case, padding, more):
    import torch

    (n, *size, _), w_shape, keywords = case
    rank, groups = len(size), keywords["groups"]
    n = max(1, n)  # of an empty batch PyTorch checks no sizes
    x, w = normal((n, *size, w_shape[-1])), normal(w_shape, seed=1)
    window = {name: keywords[name] for name in ("stride", "dilation", "groups")}
    window["output_padding"] = tuple(
        [more * (s > 1 or d > 1) for s, d in zip(window["stride"], window["dilation"])]
    )
    b = normal((w_shape[-2] * groups,), seed=2)
    theirs = getattr(torch.nn.functional, f"conv_transpose{rank}d")
    tensors = [torch.tensor(a) for a in (channels_first(x), kernel_first(w), b)]
    try:
        expected = theirs(*tensors, padding=padding, **window).numpy()
    except RuntimeError:
        return  # nothing remains of the image
    with plain_kernels():
        ours = nn.conv_transpose(x, w, b, padding=padding, **window)
        first = nn.conv_transpose(
            *(channels_first(x), kernel_first(w), b),
            **{"padding": padding, **window},
            layout="NCHW",
            kernel_layout="OIHW",
        )
    np.testing.assert_allclose(ours, np.moveaxis(expected, 1, -1), atol=1e-12)
    np.testing.assert_allclose(first, expected, atol=1e-12)


def test_conv_transpose_to_second_order():
    x, w, b = normal((2, 3, 2, 4)), normal((3, 2, 3, 4), seed=1), normal(3, seed=2)

    def fun(x, w, b):
        return nn.conv_transpose(x, w, b, stride=2, padding=1, output_padding=1) ** 2

    check_grads(fun, (x, w, b), order=2)


@pytest.mark.parametrize("padding", ["SAME", "SAME_LOWER", "VALID", "FULL"])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("window", [1, 2, 3, 4])
def test_named_paddings(padding, stride, window):
    with plain_kernels():
        check_named_padding(padding, stride, window)


def check_named_padding(padding, stride, window):
    """Sizes are as promised, for convolutions and their transposes."""
    w = normal((window, 2, 3))
    for n in range(4, 9):
        x = normal((1, n, 2))
        size = nn.conv(x, w, stride=stride, padding=padding).shape[1]
        if padding.startswith("SAME"):
            assert size == -(-n // stride)
            y = normal((1, n, 3))
            back = nn.conv_transpose(y, w, stride=stride, padding=padding)
            assert back.shape == (1, n * stride, 2)
        else:
            border = 2 * (window - 1) if padding == "FULL" else 0
            assert size == (n + border - window) // stride + 1
    if padding == "FULL" and stride == 1:
        wide = nn.conv(x, w, padding=window - 1)
        np.testing.assert_allclose(nn.conv(x, w, padding="FULL"), wide)


def test_same_lower_puts_the_odd_one_first():
    x, w = normal((1, 4, 1)), normal((2, 1, 1))
    lower = nn.conv(x, w, padding="SAME_LOWER")
    np.testing.assert_allclose(lower, nn.conv(x, w, padding=((1, 0),)))
    upper = nn.conv(x, w, padding="SAME")
    np.testing.assert_allclose(upper, nn.conv(x, w, padding=((0, 1),)))


# -- layouts, missing batch, vmap, what is empty -------------------------------------


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_layouts_and_a_missing_batch(rank):
    x, w = normal((2, *(5, 4, 3)[:rank], 4)), normal((*(3, 2, 2)[:rank], 2, 6), seed=1)
    keywords = {"groups": 2, "padding": 1}
    y = nn.conv(x, w, **keywords)
    first = {"layout": "NCHW", "kernel_layout": "OIHW", **keywords}
    found = nn.conv(channels_first(x), kernel_first(w), **first)
    np.testing.assert_allclose(found, channels_first(y), atol=1e-12)
    np.testing.assert_allclose(nn.conv(x[0], w, **keywords), y[0], atol=1e-12)
    one = nn.conv(channels_first(x)[0], kernel_first(w), **first)
    np.testing.assert_allclose(one, channels_first(y)[0], atol=1e-12)
    named = {1: ("NCL", "OIL"), 2: ("NCHW", "OIHW"), 3: ("NCDHW", "OIDHW")}[rank]
    names = dict(zip(("layout", "kernel_layout"), named))
    again = nn.conv(channels_first(x), kernel_first(w), **{**first, **names})
    np.testing.assert_array_equal(again, found)
    check_grads(lambda x: nn.conv(x, w, **keywords), (x[0],))


def test_separable_conv_is_two_convolutions():
    x, depthwise = normal((2, 6, 5, 4)), normal((3, 3, 1, 8), seed=1)
    pointwise, b = normal((8, 3), seed=2), normal(3, seed=3)
    keywords = {"stride": 2, "padding": "SAME"}
    y = nn.separable_conv(x, depthwise, pointwise, b, **keywords)
    between = spec.conv(
        *(x, depthwise),
        stride=(2, 2),
        padding=((0, 1), (1, 1)),
        dilation=(1, 1),
        groups=4,
    )
    np.testing.assert_allclose(y, between @ pointwise + b, atol=1e-12)
    again = nn.separable_conv(x, depthwise, pointwise[None, None], b, **keywords)
    np.testing.assert_array_equal(again, y)


@pytest.mark.parametrize(("x", "w", "keywords"), [FORMS[i] for i in (0, 6, 9, 11)])
def test_vmap_over_images_kernels_and_both(x, w, keywords):
    xs, ws = normal((3, *x)), normal((3, *w), seed=1)

    def total(x, w):
        return (nn.conv(x, w, **keywords) ** 2).sum()

    slope = grad(total, argnums=(0, 1))
    for axes in ((0, None), (None, 0), (0, 0)):
        args = [a if axis == 0 else a[0] for a, axis in zip((xs, ws), axes)]
        found = vmap(slope, axes)(*args)
        for i in range(3):
            parts = [a[i] if axis == 0 else a for a, axis in zip(args, axes)]
            for ours, wanted in zip(found, slope(*parts)):
                np.testing.assert_allclose(ours[i], wanted, atol=1e-9)


@pytest.mark.parametrize(("x", "w", "keywords"), FORMS)
def test_an_empty_batch(x, w, keywords):
    w = normal(w)
    y, pullback = vjp(lambda x, w: nn.conv(x, w, **keywords), normal((0, *x[1:])), w)
    x_bar, w_bar = pullback(y)
    assert y.shape[0] == 0 and x_bar.shape == (0, *x[1:])
    np.testing.assert_array_equal(w_bar, np.zeros(w.shape))


X, W = np.zeros((1, 4, 4, 2)), np.zeros((3, 3, 2, 3))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.conv(X[0, 0, 0], W), ShapeError, "(n, h, w, c), or (h, w, c)"),
        (lambda: nn.conv(X[0], W[0, 0, 0]), ShapeError, "(r, s, c / groups, k)"),
        (lambda: nn.conv(X[0], np.zeros((5, 2, 3))), ShapeError, "along length"),
        (lambda: nn.conv(X, W, padding=((-4, 9), 0)), ShapeError, "at most 3"),
        (lambda: nn.conv(X, W, stride=(1, 2, 3)), ArgumentError, "height, width"),
        (lambda: nn.conv(X, W, layout="NCL"), ArgumentError, "for signals"),
        (lambda: nn.conv(X, W, kernel_layout="IOHW"), ArgumentError, "'OIHW'"),
        (lambda: nn.conv(X, W, kernel_layout="OIL"), ArgumentError, "(3, 3, 2, 3)"),
        (
            lambda: nn.conv(X, W, input_dilation=2, method="im2col"),
            ArgumentError,
            'need method="direct"',
        ),
        (lambda: nn.conv_transpose(X, W), ShapeError, "x has the k channels"),
        (
            lambda: nn.conv_transpose(X[..., [0, 0, 0]], W, padding=5),
            ShapeError,
            "(size - 1) * stride + span - padding = (-4, -4)",
        ),
    ],
)
def test_errors_say_what_to_do(call, error, message):
    with pytest.raises(error, match=re.escape(message)) as caught:
        call()
    assert isinstance(caught.value, AutogradError)
