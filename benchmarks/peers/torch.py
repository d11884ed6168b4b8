"""PyTorch's code for every case, in eager mode.

"torch" is its best form: the channels_last format, and glibc told to keep large blocks
instead of mapping them anew each step. "torch nhwc" leaves glibc alone, "torch nchw"
has PyTorch's own layout as well.
"""

import ctypes
import itertools
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

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

# From glibc's malloc.h.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3


def keep_large_blocks() -> None:
    """Tell glibc's malloc to reuse blocks of up to 1 GB; elsewhere do nothing."""
    if sys.platform.startswith("linux"):
        libc = ctypes.CDLL(None)
        for option in (M_MMAP_THRESHOLD, M_TRIM_THRESHOLD):
            libc.mallopt(option, 1 << 30)


def images(name: str, x: np.ndarray) -> torch.Tensor:
    """x: (n, h, w, c) as a tensor (n, c, h, w), in the memory format of `name`."""
    return as_format(name, torch.from_numpy(x.transpose(0, 3, 1, 2)))


def filters(name: str, w: np.ndarray) -> torch.Tensor:
    """w: (r, s, c, k) as a tensor (k, c, r, s), in the memory format of `name`."""
    return as_format(name, torch.from_numpy(w.transpose(3, 2, 0, 1)))


def as_format(name: str, x: torch.Tensor) -> torch.Tensor:
    """A copy of x that nothing else holds."""
    plain = name == "torch nchw"
    kind = torch.contiguous_format if plain else torch.channels_last
    return x.clone(memory_format=kind)


def chain(name: str, case: Chain) -> Job | None:
    """Gradients of a chain of small operations; memory formats don't matter here."""
    if name != "torch":
        return None
    inputs = [torch.from_numpy(x).requires_grad_() for x in case.inputs()]

    def run():
        x, w, b = inputs
        for _ in range(CHAIN_LINKS):
            x = torch.tanh(x * w + b)
        return torch.autograd.grad(x.sum(), inputs)

    return Job(run, value=lambda: tuple(g.numpy() for g in run()))


class Module:
    """The layers of a net, and its parameters and running statistics as tensors."""

    def __init__(self, name: str, net: Net) -> None:
        self.form = name
        self.params = {
            layer: {leaf: self._tensor(value) for leaf, value in p.items()}
            for layer, p in net.init().items()
        }
        self.state = {
            layer: {leaf: torch.from_numpy(value) for leaf, value in p.items()}
            for layer, p in net.init_state().items()
        }

    def _tensor(self, value: np.ndarray) -> torch.Tensor:
        if value.ndim == 4:
            return filters(self.form, value).requires_grad_()
        return torch.from_numpy(value.T.copy()).requires_grad_()

    def parameters(self) -> list[torch.Tensor]:
        """What the optimiser updates."""
        return [leaf for p in self.params.values() for leaf in p.values()]

    def conv(self, name: str, layer: Convolve, x: torch.Tensor) -> torch.Tensor:
        """Convolve, and add the bias."""
        p = self.params[name]
        groups = x.shape[1] if layer.depthwise else 1
        return F.conv2d(x, p["w"], p.get("b"), layer.stride, layer.pad, groups=groups)

    def dense(self, name: str, layer: Dense, x: torch.Tensor) -> torch.Tensor:
        """Multiply rows with a matrix, and add the bias."""
        return F.linear(x, self.params[name]["w"], self.params[name]["b"])

    def norm(self, name: str, x: torch.Tensor) -> torch.Tensor:
        """Normalise over the batch; the statistics are updated in place."""
        p, state = self.params[name], self.state[name]
        return F.batch_norm(
            x, state["mean"], state["var"], p["scale"], p["bias"], training=True
        )

    def relu(self, x: torch.Tensor) -> torch.Tensor:
        """The positive part."""
        return F.relu(x)

    def max_pool(self, x: torch.Tensor) -> torch.Tensor:
        """The maximum of each 2 x 2 window."""
        return F.max_pool2d(x, 2)

    def mean_pool(self, x: torch.Tensor) -> torch.Tensor:
        """The mean of each channel."""
        return x.mean((2, 3))

    def flatten(self, x: torch.Tensor) -> torch.Tensor:
        """In the order (h, w, c), which channels_last has in memory: no copy."""
        return x.permute(0, 2, 3, 1).flatten(1)

    def add(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """The sum of two images."""
        return x + y


def to_numpy(tree: dict[str, dict[str, torch.Tensor]]) -> Params:
    """Tensors, parameters or their gradients, as arrays in autograd_lite's layout."""

    def array(tensor: torch.Tensor) -> np.ndarray:
        value = tensor.detach().numpy()
        return value.transpose(2, 3, 1, 0) if value.ndim == 4 else value.T

    return {
        layer: {leaf: array(tensor) for leaf, tensor in p.items()}
        for layer, p in tree.items()
    }


def optimizer(net: Net, module: Module) -> torch.optim.Optimizer:
    """The optimiser that the net is trained with, in its fused form."""
    if net.optimizer == "adam":
        return torch.optim.Adam(module.parameters(), net.learning_rate, fused=True)
    return torch.optim.SGD(
        module.parameters(),
        net.learning_rate,
        momentum=0.9 if net.optimizer == "momentum" else 0.0,
        weight_decay=net.weight_decay,
        fused=True,
    )


def step(name: str, case: Step) -> Job:
    """A training step."""
    net = NETS[case.net]
    module = Module(name, net)
    opt = optimizer(net, module)
    given = [(images(name, x), torch.from_numpy(y)) for x, y in case.batches()]
    batches = itertools.cycle(given)

    def run() -> float:
        x, y = next(batches)
        opt.zero_grad(set_to_none=True)
        loss = F.cross_entropy(forward(net, module, x), y)
        loss.backward()
        opt.step()
        return loss.item()

    def value() -> Any:
        fresh, (x, y) = Module(name, net), given[0]
        loss = F.cross_entropy(forward(net, fresh, x), y)
        gradients = iter(torch.autograd.grad(loss, fresh.parameters()))
        tree = {
            layer: {leaf: next(gradients) for leaf in p}
            for layer, p in fresh.params.items()
        }
        return loss.item(), to_numpy(tree)

    return Job(run, value, parameters=lambda: to_numpy(module.params))


def conv(name: str, case: Conv) -> Job:
    """A convolution's forward pass, or the gradient of one of its arguments."""
    arrays = case.inputs()
    x, w, g = images(name, arrays[0]), filters(name, arrays[1]), images(name, arrays[2])
    options = {"stride": case.stride, "padding": case.pad, "groups": case.groups}
    if case.part == "forward":
        run = no_grad(lambda: F.conv2d(x, w, **options))
        return Job(run, value=lambda: run().permute(0, 2, 3, 1).numpy())
    argument = (x if case.part == "input grad" else w).requires_grad_()
    run = backward(F.conv2d(x, w, **options), argument, g)
    back = (0, 2, 3, 1) if case.part == "input grad" else (2, 3, 1, 0)
    return Job(run, value=lambda: run().permute(back).numpy())


def fused(name: str, case: Fused) -> Job:
    """The layer of one channel, or the gradients of its filters and bias."""
    arrays = case.inputs()
    x, w, g = images(name, arrays[0]), filters(name, arrays[1]), images(name, arrays[3])
    w, b = w.requires_grad_(), torch.from_numpy(arrays[2]).requires_grad_()

    def layer() -> torch.Tensor:
        return F.max_pool2d(F.relu(F.conv2d(x, w, b)), 2)

    if case.part == "forward":
        run = no_grad(layer)
        return Job(run, value=lambda: run().permute(0, 2, 3, 1).numpy())
    y = layer()

    def gradient() -> tuple[torch.Tensor, ...]:
        out = layer() if case.part == "both" else y
        return torch.autograd.grad(out, (w, b), g, retain_graph=case.part == "grad")

    def value() -> Any:
        w_bar, b_bar = gradient()
        return w_bar.permute(2, 3, 1, 0).numpy(), b_bar.numpy()

    return Job(gradient, value)


def pool(name: str, case: Pool) -> Job:
    """A pool's forward pass, or its gradient."""
    x, g = (images(name, value) for value in case.inputs())
    pooling = F.max_pool2d if case.name == "max" else F.avg_pool2d
    if case.part == "forward":
        run = no_grad(lambda: pooling(x, 2))
    else:
        run = backward(pooling(x.requires_grad_(), 2), x, g)
    return Job(run, value=lambda: run().permute(0, 2, 3, 1).numpy())


def matmul(name: str, case: Matmul) -> Job | None:
    """A matrix product."""
    if name != "torch":
        return None
    a, b = (torch.from_numpy(value) for value in case.inputs())
    run = no_grad(lambda: a @ b)
    return Job(run, value=lambda: run().numpy())


def elementwise(name: str, case: Elementwise) -> Job | None:
    """An elementwise function, or its gradient."""
    if name != "torch":
        return None
    x, g = (torch.from_numpy(value) for value in case.inputs())
    function = getattr(torch, case.name)
    if case.part == "forward":
        run = no_grad(lambda: function(x))
    else:
        run = backward(function(x.requires_grad_()), x, g)
    return Job(run, value=lambda: run().numpy())


def no_grad(function: Callable[[], torch.Tensor]) -> Callable[[], torch.Tensor]:
    """The function, run without recording: what PyTorch calls inference mode."""

    def run():
        with torch.inference_mode():
            return function()

    return run


def backward(
    y: torch.Tensor, x: torch.Tensor, g: torch.Tensor
) -> Callable[[], torch.Tensor]:
    """The function that computes x's gradient from y's cotangent g, over and over."""
    return lambda: torch.autograd.grad(y, x, g, retain_graph=True)[0]


TRANSFORMS: dict[str, Callable[..., Callable]] = {
    "jacrev": torch.func.jacrev,
    "jacfwd": torch.func.jacfwd,
    "hessian": torch.func.hessian,
    "hvp": lambda fun: lambda x, v: torch.func.jvp(torch.func.grad(fun), (x,), (v,))[1],
    "per-sample gradients": lambda fun: torch.func.vmap(
        torch.func.grad(fun), (None, 0, 0)
    ),
}


def transform(name: str, case: Transform) -> Job | None:
    """A transformation of a function, by torch.func."""
    if name != "torch":
        return None
    fun, arguments = case.make(torch, torch.from_numpy)
    derivative = TRANSFORMS[case.transform](fun)
    return Job(lambda: derivative(*arguments))


def tuned(builder: Callable[..., Job | None]) -> Callable[..., Job | None]:
    """The builder, with glibc tuned first where the contender is "torch"."""

    def build(name: str, case: Any) -> Job | None:
        if name == "torch":
            keep_large_blocks()
        return builder(name, case)

    return build


FORMS: dict[str, Callable[..., Job | None]] = {
    "chain": chain,
    "step": step,
    "conv": conv,
    "fused": fused,
    "pool": pool,
    "matmul": matmul,
    "elementwise": elementwise,
    "transform": transform,
}
BUILDERS = {kind: tuned(builder) for kind, builder in FORMS.items()}
