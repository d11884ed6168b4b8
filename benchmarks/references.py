"""What the cases compute, in float64 and as plainly as possible.

Each contender's error is its distance to these. Convolutions are sums over the taps of
the window, so they share nothing with anyone's kernels. Training steps are those of
autograd_lite itself in float64, whose gradients its tests check against differences.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks import ours
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
from benchmarks.nets import NETS
from benchmarks.timing import Job


def doubles(*arrays: np.ndarray) -> list[np.ndarray]:
    """The arrays as float64."""
    return [x.astype(np.float64) for x in arrays]


def chain(name: str, case: Chain) -> Job:
    """Gradients of the chain, by hand and in the widest floats there are."""
    x, w, b = (value.astype(np.longdouble) for value in case.inputs())
    xs = [x]
    for _ in range(CHAIN_LINKS):
        xs.append(np.tanh(xs[-1] * w + b))
    x_bar, w_bar, b_bar = np.ones_like(x), np.zeros_like(x), np.zeros_like(x)
    for before, after in zip(xs[-2::-1], xs[:0:-1]):
        u_bar = x_bar * (1 - after**2)
        w_bar, b_bar, x_bar = w_bar + u_bar * before, b_bar + u_bar, u_bar * w
    return Job(lambda: (x_bar, w_bar, b_bar))


def taps(case: Conv) -> Iterator[tuple[int, int, tuple[slice, slice]]]:
    """Each tap (i, j) of the window, and the pixels of the padded image it reads."""
    span = case.stride * (case.out - 1) + 1
    for i in range(case.r):
        for j in range(case.r):
            rows = slice(i, i + span, case.stride)
            yield i, j, (rows, slice(j, j + span, case.stride))


def conv(name: str, case: Conv) -> Job:
    """A convolution or one of its gradients, tap by tap."""
    x, w, g = doubles(*case.inputs())
    pad, groups = case.pad, case.groups
    x = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    # The channels of each group on an axis of their own: products of matrices.
    x = x.reshape(*x.shape[:3], groups, -1)
    w = w.reshape(*w.shape[:3], groups, -1).transpose(0, 1, 3, 2, 4)
    g = g.reshape(*g.shape[:3], groups, -1)
    return Job(lambda: CONV_PARTS[case.part](case, x, w, g))


def conv_forward(case: Conv, x: np.ndarray, w: np.ndarray, g: np.ndarray) -> np.ndarray:
    """y[p] = sum over taps of x[p + tap] @ w[tap]"""
    y = np.zeros_like(g)
    for i, j, (rows, columns) in taps(case):
        y += contract("nhwgc,gck->nhwgk", x[:, rows, columns], w[i, j])
    return y.reshape(*y.shape[:3], -1)


def conv_input_grad(
    case: Conv, x: np.ndarray, w: np.ndarray, g: np.ndarray
) -> np.ndarray:
    """x_bar[p + tap] += g[p] @ w[tap].T"""
    x_bar = np.zeros_like(x)
    for i, j, (rows, columns) in taps(case):
        x_bar[:, rows, columns] += contract("nhwgk,gck->nhwgc", g, w[i, j])
    inner = slice(case.pad, case.pad + case.h)
    return x_bar[:, inner, inner].reshape(case.shapes()[0])


def conv_weight_grad(
    case: Conv, x: np.ndarray, w: np.ndarray, g: np.ndarray
) -> np.ndarray:
    """w_bar[tap] = sum over p of x[p + tap].T @ g[p]"""
    w_bar = np.zeros_like(w)
    for i, j, (rows, columns) in taps(case):
        w_bar[i, j] = contract("nhwgc,nhwgk->gck", x[:, rows, columns], g)
    return w_bar.transpose(0, 1, 3, 2, 4).reshape(case.shapes()[1])


def contract(subscripts: str, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """`einsum`, by matrix products where it can."""
    return np.einsum(subscripts, a, b, optimize=True)


CONV_PARTS = {
    "forward": conv_forward,
    "input grad": conv_input_grad,
    "weight grad": conv_weight_grad,
}


def windows(x: np.ndarray) -> np.ndarray:
    """The 2 x 2 windows of images: (n, h, w, c) -> (n, h // 2, w // 2, c, 4)"""
    n, h, w, c = x.shape
    x = x[:, : h // 2 * 2, : w // 2 * 2].reshape(n, h // 2, 2, w // 2, 2, c)
    return x.transpose(0, 1, 3, 5, 2, 4).reshape(n, h // 2, w // 2, c, 4)


def unwindowed(parts: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The adjoint of `windows`; a last row or column that is in no window is 0."""
    n, h, w, c, _ = parts.shape
    inner = parts.reshape(n, h, w, c, 2, 2).transpose(0, 1, 4, 2, 5, 3)
    x = np.zeros(shape)
    x[:, : 2 * h, : 2 * w] = inner.reshape(n, 2 * h, 2 * w, c)
    return x


def picks(x: np.ndarray) -> np.ndarray:
    """1 at the first largest element of each window, 0 elsewhere."""
    parts = windows(x)
    return parts.argmax(-1)[..., None] == np.arange(4)


def pool(name: str, case: Pool) -> Job:
    """A pool or its gradient."""
    x, g = doubles(*case.inputs())
    shares = picks(x) if case.name == "max" else np.full(4, 0.25)
    if case.part == "forward":
        return Job(lambda: (windows(x) * shares).sum(-1))
    return Job(lambda: unwindowed(g[..., None] * shares, x.shape))


def fused(name: str, case: Fused) -> Job:
    """The layer of one channel, or the gradients of its filters and bias."""
    x, w, b, g = doubles(*case.inputs())
    part = Conv(case.n, 1, case.h, case.k, 3, "forward")
    x, w = x[..., None], w[:, :, None]  # one group
    y = conv_forward(part, x, w, np.zeros((*part.shapes()[2][:3], 1, case.k))) + b
    positive = np.maximum(y, 0)
    if case.part == "forward":
        return Job(lambda: windows(positive).max(-1))
    y_bar = unwindowed(g[..., None] * picks(positive), y.shape) * (y > 0)
    w_bar = conv_weight_grad(part, x, w, y_bar[..., None, :])
    return Job(lambda: (w_bar, y_bar.sum((0, 1, 2))))


def matmul(name: str, case: Matmul) -> Job:
    """A matrix product."""
    a, b = doubles(*case.inputs())
    return Job(lambda: a @ b)


FORWARD: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "relu": lambda x: np.maximum(x, 0),
    "tanh": np.tanh,
    "exp": np.exp,
}
SLOPE: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "relu": lambda x: (x > 0).astype(np.float64),
    "tanh": lambda x: 1 - np.tanh(x) ** 2,
    "exp": np.exp,
}


def elementwise(name: str, case: Elementwise) -> Job:
    """An elementwise function or its gradient."""
    x, g = doubles(*case.inputs())
    if case.part == "forward":
        return Job(lambda: FORWARD[case.name](x))
    return Job(lambda: SLOPE[case.name](x) * g)


def step(name: str, case: Step) -> Job:
    """The loss and its gradients at the first parameters."""
    net = NETS[case.net]
    x, y = case.batches(1)[0]
    params, state = widened(net.init()), widened(net.init_state())
    derivative = ours.loss_and_gradient(net)

    def value() -> Any:
        (loss, _), gradient = derivative(params, state, x.astype(np.float64), y)
        return loss, gradient

    return Job(value)


def widened(params: Any) -> Any:
    """Parameters as float64."""
    if isinstance(params, dict):
        return {name: widened(value) for name, value in params.items()}
    return params.astype(np.float64)


BUILDERS: dict[str, Callable[..., Job]] = {
    "chain": chain,
    "conv": conv,
    "fused": fused,
    "pool": pool,
    "matmul": matmul,
    "elementwise": elementwise,
    "step": step,
}
