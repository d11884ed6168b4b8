"""PyTorch's code for every case, in eager mode.

"torch" uses PyTorch's own layout, NCHW; "torch nhwc" its channels_last format; "torch
nhwc malloc" also has glibc keep large blocks instead of mapping them anew each step.
"""

import ctypes
import itertools
import sys
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F

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
    last = name.startswith("torch nhwc")
    kind = torch.channels_last if last else torch.contiguous_format
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


class Classifier(torch.nn.Module):
    """The classifier `net` with given parameters."""

    def __init__(self, name: str, net: Net, params: Params) -> None:
        super().__init__()
        self.net = net
        self.weights = torch.nn.ParameterDict()
        for layer, p in params.items():
            if layer.startswith("conv"):
                w = filters(name, p["w"])
            else:
                w = torch.from_numpy(self._flatten_order(layer, p["w"]).T.copy())
            self.weights[f"{layer}_w"] = w
            self.weights[f"{layer}_b"] = torch.from_numpy(p["b"].copy())

    def _flatten_order(
        self, layer: str, w: np.ndarray, back: bool = False
    ) -> np.ndarray:
        """Reorder the first dense layer's rows: (h, w, c) to PyTorch's (c, h, w)."""
        if layer != "dense1":
            return w
        height, width, channels = self.net.pooled_shape()
        rows = np.arange(len(w)).reshape(height, width, channels)
        order = rows.transpose(2, 0, 1).ravel()
        return w[np.argsort(order)] if back else w[order]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits of x: (n, 1, 28, 28) -> (n, classes)."""
        layer, weights = itertools.count(1), self.weights
        pad = 0 if self.net.padding == "VALID" else 1
        for block in self.net.blocks:
            for _ in block:
                i = next(layer)
                w, b = weights[f"conv{i}_w"], weights[f"conv{i}_b"]
                x = F.relu(F.conv2d(x, w, b, padding=pad))
            x = F.max_pool2d(x, 2)
        x = x.flatten(1)
        for i in range(1, len(self.net.dense) + 1):
            x = F.linear(x, weights[f"dense{i}_w"], weights[f"dense{i}_b"])
            if i < len(self.net.dense):
                x = F.relu(x)
        return x

    def numpy(self) -> Params:
        """The parameters in autograd_lite's layout."""
        found: Params = {}
        for key, tensor in self.weights.items():
            layer, leaf = key.split("_")
            value = tensor.detach().numpy()
            if value.ndim == 4:
                value = value.transpose(2, 3, 1, 0)
            elif value.ndim == 2:
                value = self._flatten_order(layer, value.T, back=True)
            found.setdefault(layer, {})[leaf] = value
        return found


def optimizer(net: Net, model: Classifier) -> torch.optim.Optimizer:
    """The optimiser that the net is trained with, in its fused form."""
    if net.optimizer == "adam":
        return torch.optim.Adam(model.parameters(), net.learning_rate, fused=True)
    return torch.optim.SGD(
        model.parameters(),
        net.learning_rate,
        weight_decay=net.weight_decay,
        fused=True,
    )


def step(name: str, case: Step) -> Job:
    """A training step."""
    if name == "torch nhwc malloc":
        keep_large_blocks()
    net = NETS[case.net]
    model = Classifier(name, net, net.init())
    opt = optimizer(net, model)
    batches = itertools.cycle(
        [(images(name, x), torch.from_numpy(y)) for x, y in case.batches()]
    )

    def run() -> float:
        x, y = next(batches)
        opt.zero_grad(set_to_none=True)
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        opt.step()
        return loss.item()

    return Job(run, value=lambda: (run(), model.numpy()))


def conv(name: str, case: Conv) -> Job | None:
    """A convolution's forward pass, or the gradient of one of its arguments."""
    if name == "torch nhwc malloc":
        return None
    arrays = case.inputs()
    x, w, g = images(name, arrays[0]), filters(name, arrays[1]), images(name, arrays[2])
    options = {"stride": case.stride, "padding": case.pad}
    if case.part == "forward":
        run = no_grad(lambda: F.conv2d(x, w, **options))
        return Job(run, value=lambda: run().permute(0, 2, 3, 1).numpy())
    argument = (x if case.part == "input grad" else w).requires_grad_()
    run = backward(F.conv2d(x, w, **options), argument, g)
    back = (0, 2, 3, 1) if case.part == "input grad" else (2, 3, 1, 0)
    return Job(run, value=lambda: run().permute(back).numpy())


def pool(name: str, case: Pool) -> Job | None:
    """A pool's forward pass, or its gradient."""
    if name == "torch nhwc malloc":
        return None
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


BUILDERS = {
    "chain": chain,
    "step": step,
    "conv": conv,
    "pool": pool,
    "matmul": matmul,
    "elementwise": elementwise,
    "transform": transform,
}
