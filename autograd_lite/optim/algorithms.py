"""The optimisers: what an update of one leaf does to its vectors."""

from __future__ import annotations

from .leafwise import LeafRule, Optimizer, Vector, kernels, leafwise
from .settings import Rate, check_decays, check_rate, check_size, rate_at


def sgd(lr: Rate, *, weight_decay: float = 0.0) -> Optimizer:
    """Return stochastic gradient descent: the update is `-lr * g`.

    `weight_decay` times the parameter is added to g first, as in PyTorch.

    >>> opt = sgd(0.1)
    >>> updates, state = opt.update([2.0], opt.init([1.0]))
    >>> updates, state
    ([np.float64(-0.2)], {'step': 1})
    """
    check_rate(lr)
    check_size(weight_decay=weight_decay)

    def at(count: int) -> LeafRule:
        rate = rate_at(lr, count)

        def rule(target: Vector, u: Vector, *param: Vector) -> None:
            if param:
                kernels().descend(target, u, *param, rate, float(weight_decay))
            else:
                kernels().scale(u, -rate)
                kernels().add_scaled(target, u[: target.size], 1.0)

        return rule

    return leafwise(at, (), needs_params=weight_decay > 0)


def momentum(
    lr: Rate, decay: float = 0.9, *, nesterov: bool = False, weight_decay: float = 0.0
) -> Optimizer:
    """Return gradient descent along a decaying sum of gradients.

    The sum is `m = decay * m + g` and the update `-lr * m`, or with `nesterov`
    `-lr * (g + decay * m)`; B. Polyak, 1964, and I. Sutskever and others, 2013, in
    PyTorch's form. `weight_decay` times the parameter is added to g first.
    """
    check_rate(lr)
    check_size(weight_decay=weight_decay)
    check_decays(decay=decay)

    def at(count: int) -> LeafRule:
        rate = rate_at(lr, count)

        def rule(target: Vector, u: Vector, m: Vector, *param: Vector) -> None:
            if param:
                kernels().add_scaled(u, *param, float(weight_decay))
            kernels().momentum(target, u, m, rate, float(decay), nesterov)

        return rule

    return leafwise(at, ("m",), needs_params=weight_decay > 0)


def nesterov(lr: Rate, decay: float = 0.9, *, weight_decay: float = 0.0) -> Optimizer:
    """Return `momentum` that looks one step ahead."""
    return momentum(lr, decay, nesterov=True, weight_decay=weight_decay)


def adam(
    lr: Rate = 1e-3, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8
) -> Optimizer:
    """Return Adam: the mean gradient over the root of its mean square.

    D. Kingma and J. Ba, 2015, "Adam: A Method for Stochastic Optimization".

    >>> opt = adam(0.1)
    >>> updates, state = opt.update([2.0], opt.init([1.0]))
    >>> updates
    [np.float64(-0.0999...)]
    """
    check_rate(lr)
    check_size(eps=eps)
    check_decays(b1=b1, b2=b2)

    def at(count: int) -> LeafRule:
        rate = rate_at(lr, count)
        settings = float(b1), float(b2), float(eps), count + 1
        return lambda *vectors: kernels().adam(*vectors, rate, *settings)

    return leafwise(at, ("m", "v"))


def adamw(
    lr: Rate = 1e-3,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 1e-2,
) -> Optimizer:
    """Return Adam with decoupled weight decay: `-lr * weight_decay * p` is added.

    I. Loshchilov and F. Hutter, 2019, "Decoupled Weight Decay Regularization".
    """
    check_rate(lr)
    check_size(eps=eps, weight_decay=weight_decay)
    check_decays(b1=b1, b2=b2)

    def at(count: int) -> LeafRule:
        settings = rate_at(lr, count), float(b1), float(b2), float(eps)
        return lambda *vectors: kernels().adamw(
            *vectors, *settings, float(weight_decay), count + 1
        )

    return leafwise(at, ("m", "v"), needs_params=True)


def rmsprop(lr: Rate = 1e-2, decay: float = 0.99, eps: float = 1e-8) -> Optimizer:
    """Return RMSprop: the gradient over the root of its mean square.

    T. Hinton, 2012, "Neural Networks for Machine Learning", lecture 6.
    """
    check_rate(lr)
    check_size(eps=eps)
    check_decays(decay=decay)

    def at(count: int) -> LeafRule:
        settings = rate_at(lr, count), float(decay), float(eps)
        return lambda *vectors: kernels().rmsprop(*vectors, *settings)

    return leafwise(at, ("v",))
