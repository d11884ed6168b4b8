"""autograd_lite's code for every case, written against its public API."""

import itertools
from collections.abc import Callable

import numpy as onp

import autograd_lite.numpy as np
from autograd_lite import (
    grad,
    hessian,
    hvp,
    jacfwd,
    jacrev,
    nn,
    optim,
    value_and_grad,
    vjp,
    vmap,
)
from benchmarks.cases import (
    CHAIN_LINKS,
    NETS,
    Chain,
    Conv,
    Elementwise,
    Matmul,
    Net,
    Params,
    Pool,
    Step,
)
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


def apply(net: Net, params: Params, x: onp.ndarray) -> onp.ndarray:
    """Logits of the classifier `net`: x: (n, 28, 28, 1) -> (n, classes)."""
    layer = itertools.count(1)
    for block in net.blocks:
        for _ in block:
            p = params[f"conv{next(layer)}"]
            x = nn.relu(nn.conv(x, p["w"], p["b"], padding=net.padding))
        x = nn.max_pool(x, 2)
    x = nn.flatten(x)
    for i in range(1, len(net.dense) + 1):
        p = params[f"dense{i}"]
        x = nn.dense(x, p["w"], p["b"])
        if i < len(net.dense):
            x = nn.relu(x)
    return x


def optimizer(net: Net) -> optim.Optimizer:
    """The optimiser that the net is trained with."""
    if net.optimizer == "adam":
        return optim.adam(net.learning_rate)
    return optim.sgd(net.learning_rate, weight_decay=net.weight_decay)


def step(name: str, case: Step) -> Job:
    """A training step; the buffers of gradients and parameters are given up."""
    net = NETS[case.net]

    def loss(params, x, y):
        return nn.cross_entropy(apply(net, params, x), y)

    loss_and_gradient = value_and_grad(loss)
    opt = optimizer(net)
    params = net.init()
    state = opt.init(params)
    batches = itertools.cycle(case.batches())

    def run() -> float:
        nonlocal params, state
        x, y = next(batches)
        value, gradient = loss_and_gradient(params, x, y)
        updates, state = opt.update(gradient, state, params, donate=True)
        params = optim.apply_updates(params, updates, donate=True)
        return float(value)

    return Job(run, value=lambda: (run(), params))


def conv(name: str, case: Conv) -> Job:
    """A convolution's forward pass, or the pullback to one of its arguments."""
    x, w, g = case.inputs()

    def forward(x, w):
        return nn.conv(x, w, stride=case.stride, padding=case.pad)

    if case.part == "forward":
        return Job(lambda: forward(x, w))
    if case.part == "input grad":
        return pullback(lambda x: forward(x, w), x, g)
    return pullback(lambda w: forward(x, w), w, g)


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
    "pool": pool,
    "matmul": matmul,
    "elementwise": elementwise,
    "transform": transform,
}
