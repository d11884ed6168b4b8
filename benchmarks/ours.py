"""autograd_lite's code for every case, written against its public API."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as onp

import autograd_lite.numpy as np
from autograd_lite import (
    grad,
    hessian,
    hvp,
    jacfwd,
    jacrev,
    jit,
    nn,
    optim,
    value_and_grad,
    vjp,
    vmap,
)
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

    def total(x, w, b):
        for _ in range(CHAIN_LINKS):
            x = np.tanh(x * w + b)
        return x.sum()

    gradient = grad(total, argnums=(0, 1, 2))
    inputs = case.inputs()
    return Job(lambda: gradient(*inputs))


class Functional:
    """The layers of a net as functions of `params` and of the running statistics.

    `learned` has the new statistics when the net has run.
    """

    def __init__(self, params: Params, state: Params) -> None:
        self.params = params
        self.state = state
        self.learned: Params = {}

    def conv(self, name: str, layer: Convolve, x: Any) -> Any:
        """Convolve, and add the bias."""
        p = self.params[name]
        groups = x.shape[-1] if layer.depthwise else 1
        w, b = p["w"], p.get("b")
        return nn.conv(x, w, b, stride=layer.stride, padding=layer.pad, groups=groups)

    def dense(self, name: str, layer: Dense, x: Any) -> Any:
        """Multiply rows with a matrix, and add the bias."""
        p = self.params[name]
        return nn.dense(x, p["w"], p["b"])

    def norm(self, name: str, x: Any) -> Any:
        """Normalise over the batch."""
        y, self.learned[name] = nn.batch_norm(
            x, self.params[name], self.state[name], train=True
        )
        return y

    def relu(self, x: Any) -> Any:
        """The positive part."""
        return nn.relu(x)

    def max_pool(self, x: Any) -> Any:
        """The maximum of each 2 x 2 window."""
        return nn.max_pool(x, 2)

    def mean_pool(self, x: Any) -> Any:
        """The mean of each channel."""
        return nn.global_avg_pool(x)

    def flatten(self, x: Any) -> Any:
        """All axes but the first in one."""
        return nn.flatten(x)

    def add(self, x: Any, y: Any) -> Any:
        """The sum of two images."""
        return x + y


def loss_and_gradient(net: Net) -> Callable[..., Any]:
    """(params, state, x, y) -> ((loss, new state), gradients)"""

    def loss(params, state, x, y):
        library = Functional(params, state)
        logits = forward(net, library, x)
        return nn.cross_entropy(logits, y), library.learned

    return value_and_grad(loss, has_aux=True)


def optimizer(net: Net) -> optim.Optimizer:
    """The optimiser that the net is trained with."""
    if net.optimizer == "adam":
        return optim.adam(net.learning_rate)
    descent = optim.momentum if net.optimizer == "momentum" else optim.sgd
    return descent(net.learning_rate, weight_decay=net.weight_decay)


def step(name: str, case: Step) -> Job:
    """A training step; the buffers of gradients and parameters are given up."""
    net = NETS[case.net]
    derivative = jit(loss_and_gradient(net))
    opt = optimizer(net)
    params, running = net.init(), net.init_state()
    state = opt.init(params)
    given = case.batches()
    batches = itertools.cycle(given)

    def run() -> float:
        nonlocal params, running, state
        x, y = next(batches)
        (value, running), gradient = derivative(params, running, x, y)
        params, state = optim.step(opt, gradient, state, params, donate=True)
        return float(value)

    def value() -> Any:
        (found, _), gradient = derivative(net.init(), net.init_state(), *given[0])
        return found, gradient

    return Job(run, value, parameters=lambda: params)


def conv(name: str, case: Conv) -> Job:
    """A convolution's forward pass, or the pullback to one of its arguments."""
    x, w, g = case.inputs()

    def forward(x, w):
        return nn.conv(x, w, stride=case.stride, padding=case.pad, groups=case.groups)

    if case.part == "forward":
        return Job(lambda: forward(x, w))
    if case.part == "input grad":
        return pullback(lambda x: forward(x, w), x, g)
    return pullback(lambda w: forward(x, w), w, g)


def fused(name: str, case: Fused) -> Job:
    """A layer that reads one channel; nothing but its parts says that it is fused."""
    x, w, b, g = case.inputs()

    def layer(w, b):
        return nn.max_pool(nn.relu(nn.conv(x, w, b)), 2)

    if case.part == "forward":
        predict = nn.fused(layer)
        return Job(lambda: predict(w, b))
    if case.part == "both":
        return Job(lambda: vjp(layer, w, b)[1](g))
    _, pull = vjp(layer, w, b)
    return Job(lambda: pull(g))


def pool(name: str, case: Pool) -> Job:
    """A pool's forward pass, or its pullback."""
    x, g = case.inputs()
    pooling = nn.max_pool if case.name == "max" else nn.avg_pool
    if case.part == "forward":
        return Job(lambda: pooling(x, 2))
    return pullback(lambda x: pooling(x, 2), x, g)


def matmul(name: str, case: Matmul) -> Job:
    """A matrix product."""
    a, b = case.inputs()
    return Job(lambda: np.matmul(a, b))


def elementwise(name: str, case: Elementwise) -> Job:
    """An elementwise function, or its pullback."""
    x, g = case.inputs()
    function = nn.relu if case.name == "relu" else getattr(np, case.name)
    if case.part == "forward":
        return Job(lambda: function(x))
    return pullback(function, x, g)


def pullback(function: Callable, x: onp.ndarray, g: onp.ndarray) -> Job:
    """The pullback of a function at x, applied to g; the forward pass is not timed."""
    _, pull = vjp(function, x)
    return Job(lambda: pull(g)[0])


TRANSFORMS: dict[str, Callable[..., Callable]] = {
    "jacrev": jacrev,
    "jacfwd": jacfwd,
    "hessian": hessian,
    "hvp": hvp,
    "per-sample gradients": lambda fun: vmap(grad(fun), (None, 0, 0)),
}


def transform(name: str, case: Transform) -> Job:
    """A transformation of a function."""
    fun, arguments = case.make(np, onp.asarray)
    derivative = TRANSFORMS[case.transform](fun)
    return Job(lambda: derivative(*arguments))


BUILDERS: dict[str, Callable[..., Job]] = {
    "chain": chain,
    "step": step,
    "conv": conv,
    "fused": fused,
    "pool": pool,
    "matmul": matmul,
    "elementwise": elementwise,
    "transform": transform,
}
