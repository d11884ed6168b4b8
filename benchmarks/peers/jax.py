"""JAX's code for every case: compiled by jit, or as "jax eager" without.

Max-pool is a reshape and a maximum, which XLA's processor code runs faster than the
`reduce_window` that is made for it.
"""

import itertools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.cases import (
    CHAIN_LINKS,
    Chain,
    Conv,
    Elementwise,
    Fused,
    Matmul,
    Pool,
    Step,
)
from benchmarks.nets import NETS, Convolve, Dense, Net, Params, forward
from benchmarks.timing import Job
from benchmarks.transforms import Transform


def chain(name: str, case: Chain) -> Job:
    """Gradients of a chain of small operations."""
    jax.config.update("jax_enable_x64", True)  # the same doubles as everyone's

    def total(x, w, b):
        for _ in range(CHAIN_LINKS):
            x = jnp.tanh(x * w + b)
        return x.sum()

    gradient = jax.grad(total, argnums=(0, 1, 2))
    return job(name, gradient, *case.inputs())


def job(name: str, fun: Callable[..., Any], *arrays: Any) -> Job:
    """What calls a function of arrays, compiled or not, and waits for the result."""
    compiled = fun if name == "jax eager" else jax.jit(fun)
    inputs = jax.tree.map(jnp.asarray, arrays)
    return Job(lambda: jax.block_until_ready(compiled(*inputs)))


def convolve(x: Any, w: Any, stride: int, pad: int, groups: int = 1) -> Any:
    """x: (n, h, w, c), w: (r, s, c / groups, k) -> (n, h', w', k)"""
    return jax.lax.conv_general_dilated(
        *(x, w, (stride, stride), [(pad, pad)] * 2),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=groups,
    )


def windows(x: Any) -> Any:
    """Images with the 2 x 2 windows on axes 2 and 4."""
    n, h, w, c = x.shape
    return x[:, : h // 2 * 2, : w // 2 * 2].reshape(n, h // 2, 2, w // 2, 2, c)


class Functional:
    """The layers of a net as functions of `params` and of the running statistics."""

    def __init__(self, params: Any, state: Any) -> None:
        self.params = params
        self.state = state
        self.learned: dict[str, Any] = {}

    def conv(self, name: str, layer: Convolve, x: Any) -> Any:
        """Convolve, and add the bias."""
        p = self.params[name]
        groups = x.shape[-1] if layer.depthwise else 1
        y = convolve(x, p["w"], layer.stride, layer.pad, groups)
        return y + p["b"] if layer.bias else y

    def dense(self, name: str, layer: Dense, x: Any) -> Any:
        """Multiply rows with a matrix, and add the bias."""
        return x @ self.params[name]["w"] + self.params[name]["b"]

    def norm(self, name: str, x: Any) -> Any:
        """Normalise over the batch, and keep the new statistics."""
        p, old = self.params[name], self.state[name]
        mean, var = x.mean((0, 1, 2)), x.var((0, 1, 2))
        rows = x.size / x.shape[-1]
        self.learned[name] = {
            "mean": 0.9 * old["mean"] + 0.1 * mean,
            "var": 0.9 * old["var"] + 0.1 * var * rows / (rows - 1),
        }
        return (x - mean) * (p["scale"] * jax.lax.rsqrt(var + 1e-5)) + p["bias"]

    def relu(self, x: Any) -> Any:
        """The positive part."""
        return jax.nn.relu(x)

    def max_pool(self, x: Any) -> Any:
        """The maximum of each 2 x 2 window."""
        return windows(x).max((2, 4))

    def mean_pool(self, x: Any) -> Any:
        """The mean of each channel."""
        return x.mean((1, 2))

    def flatten(self, x: Any) -> Any:
        """All axes but the first in one."""
        return x.reshape(len(x), -1)

    def add(self, x: Any, y: Any) -> Any:
        """The sum of two images."""
        return x + y


def loss_and_gradient(net: Net) -> Callable[..., Any]:
    """(params, state, x, y) -> ((loss, new state), gradients)"""

    def loss(params, state, x, y):
        library = Functional(params, state)
        scores = jax.nn.log_softmax(forward(net, library, x))
        taken = jnp.take_along_axis(scores, y[:, None], axis=1)
        return -taken.mean(), library.learned

    return jax.value_and_grad(loss, has_aux=True)


def updated(net: Net, params: Any, moments: Any, count: Any, g: Any) -> tuple[Any, Any]:
    """The parameters and moments after one step of the net's optimiser."""
    each = jax.tree.map
    if net.optimizer == "adam":
        m = each(lambda m, g: 0.9 * m + 0.1 * g, moments[0], g)
        v = each(lambda v, g: 0.999 * v + 0.001 * g * g, moments[1], g)
        a, b = 1 - 0.9**count, 1 - 0.999**count
        ratio = each(lambda m, v: (m / a) / (jnp.sqrt(v / b) + 1e-8), m, v)
        return each(lambda p, r: p - net.learning_rate * r, params, ratio), (m, v)
    g = each(lambda g, p: g + net.weight_decay * p, g, params)
    if net.optimizer == "momentum":
        g = each(lambda m, g: 0.9 * m + g, moments[0], g)
    return each(lambda p, g: p - net.learning_rate * g, params, g), (g, moments[1])


def step(name: str, case: Step) -> Job:
    """A training step; what the last one returned is given up."""
    net = NETS[case.net]
    derivative = loss_and_gradient(net)
    given = jax.tree.map(jnp.asarray, case.batches())
    batches = itertools.cycle(given)

    def one(carried, x, y):
        params, state, moments, count = carried
        (loss, state), g = derivative(params, state, x, y)
        params, moments = updated(net, params, moments, count, g)
        return (params, state, moments, count + 1), loss

    compiled = one if name == "jax eager" else jax.jit(one, donate_argnums=0)
    carried = start(net)

    def run() -> float:
        nonlocal carried
        carried, loss = compiled(carried, *next(batches))
        return float(jax.block_until_ready((carried, loss))[1])

    def value() -> Any:
        params, state, *_ = start(net)
        (loss, _), g = jax.jit(derivative)(params, state, *given[0])
        return loss, as_numpy(g)

    return Job(run, value, parameters=lambda: as_numpy(carried[0]))


def start(net: Net) -> tuple[Any, Any, Any, Any]:
    """Parameters, running statistics, moments, and the number of the first step."""
    params = jax.tree.map(jnp.asarray, net.init())
    moments = [jax.tree.map(jnp.zeros_like, params) for _ in range(2)]
    return params, jax.tree.map(jnp.asarray, net.init_state()), tuple(moments), 1.0


def as_numpy(tree: Any) -> Params:
    """Arrays of NumPy."""
    return jax.tree.map(np.asarray, tree)


def conv(name: str, case: Conv) -> Job:
    """A convolution's forward pass, or the gradient of one of its arguments."""
    x, w, g = case.inputs()

    def forward_pass(x, w):
        return convolve(x, w, case.stride, case.pad, case.groups)

    if case.part == "forward":
        return job(name, forward_pass, x, w)
    argnum = 0 if case.part == "input grad" else 1

    def gradient(x, w, g):
        return jax.vjp(forward_pass, x, w)[1](g)[argnum]

    return job(name, gradient, x, w, g)


def fused(name: str, case: Fused) -> Job | None:
    """The layer of one channel, or the gradients of its filters and bias.

    The gradient alone is nothing one can ask a compiled function for.
    """
    x, w, b, g = case.inputs()

    def layer(w, b, x):
        y = jax.nn.relu(convolve(x, w, 1, 0) + b)
        return windows(y).max((2, 4))

    if case.part == "forward":
        return job(name, layer, w, b, x)
    if case.part == "grad":
        return None
    return job(name, lambda w, b, x, g: jax.vjp(layer, w, b, x)[1](g)[:2], w, b, x, g)


def pool(name: str, case: Pool) -> Job:
    """A pool's forward pass, or its gradient."""
    x, g = case.inputs()

    def forward_pass(x):
        parts = windows(x)
        return parts.max((2, 4)) if case.name == "max" else parts.mean((2, 4))

    return forward_or_gradient(name, case.part, forward_pass, x, g)


def matmul(name: str, case: Matmul) -> Job:
    """A matrix product."""
    return job(name, jnp.matmul, *case.inputs())


def elementwise(name: str, case: Elementwise) -> Job:
    """An elementwise function, or its gradient."""
    function = jax.nn.relu if case.name == "relu" else getattr(jnp, case.name)
    return forward_or_gradient(name, case.part, function, *case.inputs())


def forward_or_gradient(
    name: str, part: str, fun: Callable[[Any], Any], x: np.ndarray, g: np.ndarray
) -> Job:
    """A function of one array, or its gradient; XLA leaves out what that needs not."""
    if part == "forward":
        return job(name, fun, x)
    return job(name, lambda x, g: jax.vjp(fun, x)[1](g)[0], x, g)


TRANSFORMS: dict[str, Callable[..., Callable]] = {
    "jacrev": jax.jacrev,
    "jacfwd": jax.jacfwd,
    "hessian": jax.hessian,
    "hvp": lambda fun: lambda x, v: jax.jvp(jax.grad(fun), (x,), (v,))[1],
    "per-sample gradients": lambda fun: jax.vmap(jax.grad(fun), (None, 0, 0)),
}


def transform(name: str, case: Transform) -> Job:
    """A transformation of a function."""
    jax.config.update("jax_enable_x64", True)
    fun, arguments = case.make(jnp, jnp.asarray)
    return job(name, TRANSFORMS[case.transform](fun), *arguments)


BUILDERS: dict[str, Callable[..., Job | None]] = {
    "chain": chain,
    "step": step,
    "conv": conv,
    "fused": fused,
    "pool": pool,
    "matmul": matmul,
    "elementwise": elementwise,
    "transform": transform,
}
