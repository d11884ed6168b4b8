"""Schedules and optimisers by the names that recipes call them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from autograd_lite import optim, tree

from .recipes import Recipe

Schedule = Callable[[int], float]

# (highest learning rate, number of steps) -> a function of the step.
SCHEDULES: dict[str, Callable[[float, int], Schedule]] = {
    "constant": lambda lr, steps: optim.constant(lr),
    "step": lambda lr, steps: optim.step_decay(lr, max(1, steps // 3)),
    "exponential": lambda lr, steps: optim.exponential(lr, 0.02, steps),
    "cosine": lambda lr, steps: optim.cosine(lr, steps, warmup=steps // 20),
    "one-cycle": lambda lr, steps: optim.one_cycle(lr, steps),
}


class Kind(NamedTuple):
    """An optimiser, and the weight decay of recipes that say none."""

    make: Callable[[Schedule], optim.Optimizer]
    weight_decay: float = 0.0


# The one that combines two gives SGD ten times the learning rate of Adam, whose steps
# are about as large as its learning rate.
OPTIMIZERS = {
    "sgd": Kind(lambda lr: optim.sgd(lr)),
    "momentum": Kind(lambda lr: optim.momentum(lr, 0.9)),
    "nesterov": Kind(lambda lr: optim.nesterov(lr, 0.9)),
    "adam": Kind(lambda lr: optim.adam(lr)),
    "adamw": Kind(lambda lr: optim.adam(lr), weight_decay=0.01),
    "rmsprop": Kind(lambda lr: optim.rmsprop(lr)),
    "adam+momentum": Kind(
        lambda lr: optim.combine(
            optim.adam(lr), optim.momentum(lambda step: 10 * lr(step), 0.9)
        )
    ),
}


def schedule(recipe: Recipe, steps: int) -> Schedule:
    """Return the recipe's learning rate as a function of the step, of so many."""
    return SCHEDULES[recipe.schedule](recipe.lr, steps)


def optimizer(recipe: Recipe, lr: Schedule) -> optim.Optimizer:
    """Return the recipe's optimiser at these learning rates.

    >>> from .recipes import RECIPES
    >>> optimizer(RECIPES["seed-mnist"], lambda step: 0.1).init({"w": 1.0}) is not None
    True
    """
    kind = OPTIMIZERS[recipe.optimizer]
    decay = kind.weight_decay if recipe.weight_decay is None else recipe.weight_decay
    made = kind.make(lr)
    return decayed(made, lr, decay) if decay else made


def decayed(inner: optim.Optimizer, lr: Schedule, decay: float) -> optim.Optimizer:
    """Return an optimiser that also pulls the weights towards zero by `lr * decay`.

    It leaves biases and normalisation alone. I. Loshchilov and F. Hutter, 2019,
    "Decoupled Weight Decay Regularization".
    """

    def init(params: Any) -> Any:
        return {"step": 0, "inner": inner.init(params)}

    def update(
        grads: Any, state: Any, params: Any = None, donate: bool = False
    ) -> tuple[Any, Any]:
        count = state["step"]
        updates, moments = inner.update(grads, state["inner"], params, donate=donate)
        for change, param in zip(weights(updates), weights(params)):
            change -= lr(count) * decay * param  # in a buffer that `inner` made
        return updates, {"step": count + 1, "inner": moments}

    return optim.Optimizer(init, update)


def weights(params: Any) -> list[Any]:
    """Return the leaves that decay and L2 hold small: matrices and kernels, no biases.

    >>> weights({"dense1": {"w": "a matrix", "b": "a bias"}})
    ['a matrix']
    """
    return [
        leaf
        for path, leaf in zip(tree.paths(params), tree.leaves(params))
        if path.rpartition(".")[2] == "w"
    ]
