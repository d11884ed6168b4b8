"""HIPS autograd's optimisers, in their call forms, over `autograd_lite.optim`.

`grad(x, i)` is the gradient at step i and `callback(x, i, g)` is called before each
step; x is any tree of arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import optim, tree

Gradient = Callable[[Any, int], Any]
Callback = Callable[[Any, int, Any], Any] | None


def sgd(
    grad: Gradient,
    x0: Any,
    callback: Callback = None,
    num_iters: int = 200,
    step_size: float = 0.1,
    mass: float = 0.9,
) -> Any:
    """Return where gradient descent arrives, along a decaying mean of gradients.

    >>> float(sgd(lambda x, i: 2 * x, 1.0, num_iters=500)) < 1e-6
    True
    """
    opt = optim.momentum(step_size * (1 - mass), mass)
    return _descend(opt, opt.init(x0), grad, x0, callback, num_iters)


def rmsprop(
    grad: Gradient,
    x0: Any,
    callback: Callback = None,
    num_iters: int = 100,
    step_size: float = 0.1,
    gamma: float = 0.9,
    eps: float = 1e-8,
) -> Any:
    """Return where RMSprop arrives; its mean squares start at one.

    >>> float(abs(rmsprop(lambda x, i: 2 * x, 1.0, step_size=0.02))) < 0.1
    True
    """
    opt = optim.rmsprop(step_size, gamma, eps)
    state = opt.init(x0)
    state["v"] = tree.map(np.ones_like, state["v"])
    return _descend(opt, state, grad, x0, callback, num_iters)


def adam(
    grad: Gradient,
    x0: Any,
    callback: Callback = None,
    num_iters: int = 100,
    step_size: float = 0.001,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
) -> Any:
    """Return where Adam arrives.

    >>> x = adam(lambda x, i: 2 * x, 1.0, num_iters=200, step_size=0.1)
    >>> bool(abs(x) < 1e-2)
    True
    """
    opt = optim.adam(step_size, b1, b2, eps)
    return _descend(opt, opt.init(x0), grad, x0, callback, num_iters)


def _descend(
    opt: optim.Optimizer,
    state: Any,
    grad: Gradient,
    x: Any,
    callback: Callback,
    num_iters: int,
) -> Any:
    for i in range(num_iters):
        g = grad(x, i)
        if callback is not None:
            callback(x, i, g)
        updates, state = opt.update(g, state, x)
        x = optim.apply_updates(x, updates)
    return x
