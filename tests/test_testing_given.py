"""Checks of derivatives that are not ours: by hand, of PyTorch, of JAX; comparisons."""

import sys
from functools import partial

import numpy as np
import pytest

import autograd_lite.numpy as anp
from autograd_lite import jvp, vjp
from autograd_lite.errors import ArgumentError, GradientCheckError
from autograd_lite.testing import (
    assert_grads_close,
    bisect_grads,
    check_gradient,
    check_grads,
    check_jvp,
    check_vjp,
    of_jax,
    of_torch,
)

RNG = np.random.default_rng(0)
X, W, B = (RNG.standard_normal(shape) for shape in [(3, 4), (4, 2), (2,)])


def dense(x, w, b):
    return np.maximum(x @ w + b, 0)


def dense_vjp(x, w, b, *, fault=None):
    """The hand-written backward pass of a dense layer, with a fault or without."""
    y = x @ w + b

    def backward(g):
        g = g * (y > 0) if fault != "mask" else g
        x_bar, w_bar, b_bar = g @ w.T, x.T @ g, g.sum(axis=0)
        if fault == "mean":
            b_bar = b_bar / len(x)
        if fault == "no sum":
            b_bar = g
        if fault == "twice":
            w_bar = w_bar + x.T @ g
        return x_bar, w_bar, b_bar

    return np.maximum(y, 0), backward


def quartic(x):
    return (x**4).sum()


# -- by hand --------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_a_gradient(dtype):
    x = X.astype(dtype)
    check_gradient(quartic, lambda x: 4 * x**3, x)
    with pytest.raises(GradientCheckError, match="3/4|0.75"):
        check_gradient(quartic, lambda x: 3 * x**3, x)


def test_a_complex_gradient():
    z = X + 0.5j * X[::-1]

    def power(z):
        return (z.real**2 + z.imag**2).sum()

    check_gradient(power, lambda z: 2 * np.conj(z), z)
    with pytest.raises(GradientCheckError):
        check_gradient(power, lambda z: 2 * z, z)


def test_trees_and_several_arguments():
    params = {"w": W, "b": [B, None], "steps": 3}

    def loss(params, x):
        return (x @ params["w"] + params["b"][0]).sum() * params["steps"]

    def gradient(params, x):
        ones = np.full((3, 2), float(params["steps"]))
        w_bar, b_bar = x.T @ ones, ones.sum(axis=0)
        grads = {"w": w_bar, "b": [b_bar, None], "steps": None}
        return grads, ones @ params["w"].T

    check_gradient(loss, gradient, (params, X))
    report = check_gradient(
        loss, lambda p, x: ({"w": 0 * W, "b": [0 * B]}, 0 * x), (params, X), report=True
    )
    assert report.verdict == "wrong"
    assert report.finding.worst[0].argument in ("0.w", "1", "0.b.0")


def test_a_layer():
    check_vjp(dense, dense_vjp, (X, W, B))
    check_vjp(dense, lambda *args: dense_vjp(*args)[1], (X, W, B))


@pytest.mark.parametrize(
    ("fault", "argument", "text"),
    [
        (
            "mean",
            "2",
            "the ratio is 1/3 at every element: 3 is the length of the result",
        ),
        ("twice", "1", "the ratio is 2 at every element: it is counted twice"),
        ("mask", "0", ""),
    ],
)
def test_faults_of_a_layer(fault, argument, text):
    rule = partial(dense_vjp, fault=fault)
    rule.__name__ = "rule"
    report = check_vjp(dense, rule, (X, W, B), report=True)
    assert report.verdict == "wrong" and text in report.finding.pattern
    if fault != "mask":
        assert report.finding.worst[0].argument == argument


def test_wrong_shapes_and_numbers():
    with pytest.raises(GradientCheckError, match="broadcasting added missing"):
        check_vjp(dense, partial(dense_vjp, fault="no sum"), (X, W, B))
    with pytest.raises(GradientCheckError, match=r"\(4, 3\).*\(3, 4\); transposed"):
        check_gradient(quartic, lambda x: 4 * x.T**3, X)
    with pytest.raises(GradientCheckError, match="returns 1 arrays for 2"):
        check_vjp(np.multiply, lambda x, y: lambda g: (g * y,), (X, X))


def test_another_value():
    def rule(x):
        return np.sin(x) + 1e-3, lambda g: g * np.cos(x)

    with pytest.raises(GradientCheckError, match="another value"):
        check_vjp(np.sin, rule, (X,))


def test_a_backward_pass_that_is_not_linear_or_writes():
    def squared(x):
        return np.sin(x), lambda g: g * g * np.cos(x)

    def writing(x):
        def pullback(g):
            g *= np.cos(x)
            return g

        return np.sin(x), pullback

    with pytest.raises(GradientCheckError, match="not linear"):
        check_vjp(np.sin, squared, X)
    with pytest.raises(GradientCheckError, match="was written to"):
        check_vjp(np.sin, writing, X)


def test_a_function_that_writes():
    def relu_in_place(x):
        x[x < 0] = 0
        return x.sum()

    with pytest.raises(GradientCheckError, match="argument 0 was written to"):
        check_gradient(relu_in_place, lambda x: (x > 0) * 1.0, X.copy())


def test_a_pushforward():
    def right(args, dots):
        (x, y), (x_dot, y_dot) = args, dots
        return x * y, x_dot * y + x * y_dot

    def wrong(args, dots):
        return args[0] * args[1], dots[0] * args[1] - args[0] * dots[1]

    check_jvp(np.multiply, right, (X, X + 1))
    with pytest.raises(GradientCheckError, match="forward mode"):
        check_jvp(np.multiply, wrong, (X, X + 1))


def test_our_own_transformations_fit():
    fun = lambda x, w: anp.tanh(x @ w)  # noqa: E731
    check_vjp(fun, partial(vjp, fun), (X, W))
    check_jvp(fun, partial(jvp, fun), (X, W))


def test_what_is_no_scalar():
    with pytest.raises(ArgumentError, match="check_vjp instead"):
        check_gradient(np.sin, np.cos, X)


def test_constants_stay_what_they_are():
    labels = np.array([0, 2, 1])

    def loss(x, labels):
        assert labels.dtype == int
        return x[np.arange(3), labels].sum()

    def gradient(x, labels):
        x_bar = np.zeros_like(x)
        x_bar[np.arange(3), labels] = 1
        return x_bar, None

    check_gradient(loss, gradient, (X, labels))


# -- the smallest failing slice -------------------------------------------------------


def test_bisection_to_a_box():
    x = RNG.uniform(1, 2, (8, 9, 3))

    def gradient(x):
        x_bar = 4 * x**3
        x_bar[2:5, 7, 1:] *= 1.5
        return x_bar

    (box,) = bisect_grads(quartic, gradient, x)
    assert box.index == (slice(2, 5), slice(7, 8), slice(1, 3)) and box.size == 6
    assert str(box).startswith("argument '0'[2:5, 7, 1:3] (6 of 216 elements): ")
    assert "the ratio is 1.5" in box.pattern
    assert bisect_grads(quartic, lambda x: 4 * x**3, x) == []


def test_bisection_over_arguments():
    def gradient(x, y):
        y_bar = 2 * y
        y_bar[-1] = 0
        return 2 * x, y_bar

    (box,) = bisect_grads(
        lambda x, y: (x**2).sum() + (y**2).sum(), gradient, (X, np.arange(1.0, 6))
    )
    assert (box.argument, box.index) == ("1", (slice(4, 5),))


def test_bisection_of_a_traced_function():
    assert bisect_grads(lambda x: anp.sum(x * x), None, X) == []


# -- two functions --------------------------------------------------------------------


def test_the_same_gradients():
    assert_grads_close(lambda x: x * x, lambda x: x**2, (X,))
    assert_grads_close(lambda x: x * x, lambda x: x**2, X.astype(np.float32))


def test_other_values_and_gradients():
    from autograd_lite import stop_gradient

    with pytest.raises(GradientCheckError, match="value 0: they differ"):
        assert_grads_close(lambda x: x * x, lambda x: x**2 + 1e-4, (X,))
    frozen = lambda x: x * stop_gradient(x)  # noqa: E731
    report = assert_grads_close(frozen, lambda x: x**2, (X,), report=True)
    assert report.finding.where == "gradient of argument '0'"
    assert report.finding.pattern.startswith("the ratio is 1/2 at every element")
    with pytest.raises(GradientCheckError, match=r"shapes \(\) and \(3, 4\)"):
        assert_grads_close(lambda x: x.sum(), lambda x: x, X)
    with pytest.raises(ArgumentError, match="returns 2 arrays"):
        assert_grads_close(lambda x: (x, x), lambda x: x, X)


# -- PyTorch and JAX ------------------------------------------------------------------


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


@pytest.mark.peer("torch")
@pytest.mark.parametrize("kind", ["float64", "float32", "complex128"])
def test_functions_of_torch(torch, kind):
    x, w = (torch.tensor(a.astype(kind)) for a in (X, W))
    order = 1 if kind.startswith("c") else 2
    check_grads(lambda x, w: torch.tanh(x @ w), (x, w), order=order)
    check_vjp(torch.tanh, partial(torch.func.vjp, torch.tanh), x)
    check_jvp(torch.tanh, partial(torch.func.jvp, torch.tanh), (x,))


@pytest.mark.peer("torch")
def test_gradients_of_torch(torch):
    x = torch.tensor(X)
    check_gradient(quartic, lambda x: 4 * x**3, x)
    check_gradient(quartic, torch.func.grad(quartic), x)
    with pytest.raises(GradientCheckError, match="ratio is 2 at every element"):
        check_gradient(quartic, lambda x: 8 * x**3, x)
    z = torch.tensor(X + 1j)
    check_gradient(lambda z: (z.abs() ** 2).sum(), lambda z: 2 * z, z)


@pytest.mark.peer("torch")
def test_a_wrong_function_of_torch(torch):
    class Wrong(torch.autograd.Function):
        @staticmethod
        def forward(x):
            return x**2

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(*inputs)

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * x

    with pytest.raises(GradientCheckError, match="half of it is missing"):
        check_grads(Wrong.apply, torch.tensor(X), modes=["rev"])


@pytest.mark.peer("torch")
def test_ours_against_torch(torch):
    theirs = of_torch(lambda x, w: torch.log_softmax(x @ w, dim=1))

    def ours(x, w):
        z = x @ w
        return z - anp.log(anp.exp(z).sum(axis=1, keepdims=True))

    assert_grads_close(ours, theirs, (X, W))
    assert_grads_close(ours, theirs, (np.float32(X), np.float32(W)))
    with pytest.raises(GradientCheckError):
        assert_grads_close(lambda x, w: ours(x, w) * 1.001, theirs, (X, W))


@pytest.mark.peer("torch")
def test_a_module_of_torch(torch):
    layer = torch.nn.Linear(4, 2)
    check_grads(layer, torch.tensor(np.float32(X)))


@pytest.mark.peer("jax")
def test_functions_of_jax():
    jax = pytest.importorskip("jax")
    x, w = jax.numpy.asarray(X), jax.numpy.asarray(W)  # float32 unless configured
    fun = lambda x, w: jax.numpy.tanh(x @ w)  # noqa: E731
    check_grads(fun, (x, w))
    check_vjp(fun, partial(jax.vjp, fun), (x, w))
    check_jvp(fun, partial(jax.jvp, fun), (x, w))
    check_gradient(quartic, jax.grad(quartic), x)
    assert_grads_close(lambda x, w: anp.tanh(x @ w), of_jax(fun), (X, W), rtol=1e-4)


def test_a_framework_that_is_not_loaded(monkeypatch):
    monkeypatch.delitem(sys.modules, "jax", raising=False)
    with pytest.raises(ArgumentError, match="import jax"):
        of_jax(np.sin)


def test_a_mixture_is_refused(torch):
    class Array:
        dtype = np.dtype(float)

    Array.__module__ = "jaxlib.fake"
    with pytest.raises(ArgumentError, match="pass those of one"):
        check_grads(lambda x, y: x, (torch.ones(3), Array()))
