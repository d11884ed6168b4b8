"""Recipes: every number that decides how a model is trained, each set in one place.

A recipe is a value; the command line replaces some of its fields. What a run needs
besides is the data and a seed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from autograd_lite import optim

from .augment import Affine
from .errors import OptionError


class Recipe(NamedTuple):
    """How a model is trained."""

    about: str
    model: str  # one of models.cnn.MODELS
    epochs: int
    batch_size: int
    optimizer: str  # one of OPTIMIZERS
    lr: float  # the highest that the schedule reaches
    schedule: str = "one-cycle"  # one of SCHEDULES
    l2: float = 0.0  # weight in the loss of the sum of the squared weights
    label_smoothing: float = 0.0
    affine: Affine | None = None  # transforms images at random
    expand: int = 0  # that many transformed images are added; 0: all are transformed
    validation: int = 2000  # images held out of the training set and evaluated by epoch


# Small enough to help from the first epoch on, and the more the longer one trains.
SLIGHT = Affine(rotation=8, shift=1, scale=0.06, shear=0.06)

RECIPES = {
    "slim": Recipe(
        about="half of `deep`, the soonest to reach 99 % of MNIST",
        model="slim",
        epochs=2,
        batch_size=128,
        optimizer="nesterov",
        lr=0.1,
        affine=SLIGHT,
    ),
    "deep": Recipe(
        about="two blocks of two convolutions, the most accurate model",
        model="deep",
        epochs=6,
        batch_size=128,
        optimizer="nesterov",
        lr=0.1,
        affine=SLIGHT,
    ),
    "resnet": Recipe(
        about="three residual blocks, small and deep",
        model="resnet",
        epochs=6,
        batch_size=128,
        optimizer="nesterov",
        lr=0.1,
        affine=SLIGHT,
    ),
    "lenet8": Recipe(
        about="Adam and SGD with momentum at once, as the first seed trains it",
        model="lenet8",
        epochs=5,
        batch_size=64,
        optimizer="adam+momentum",
        lr=0.002,
        label_smoothing=0.1,
    ),
    "emnist16": Recipe(
        about="L2, decay and 25,000 transformed images, as the second seed trains it",
        model="emnist16",
        epochs=10,
        batch_size=64,
        optimizer="momentum",
        lr=0.05,
        schedule="exponential",
        l2=5e-5,
        affine=Affine(rotation=10, shift=2, scale=0.1, shear=0.1),
        expand=25_000,
    ),
}
DEFAULT = "slim"

Schedule = Callable[[int], float]

# (highest learning rate, number of steps) -> a function of the step.
SCHEDULES: dict[str, Callable[[float, int], Schedule]] = {
    "constant": lambda lr, steps: optim.constant(lr),
    "step": lambda lr, steps: optim.step_decay(lr, max(1, steps // 3)),
    "exponential": lambda lr, steps: optim.exponential(lr, 0.02, steps),
    "cosine": lambda lr, steps: optim.cosine(lr, steps, warmup=steps // 20),
    "one-cycle": lambda lr, steps: optim.one_cycle(lr, steps),
}

# A schedule of learning rates -> an optimiser. The one that combines two gives SGD ten
# times the learning rate of Adam, whose steps are about as large as its learning rate.
OPTIMIZERS: dict[str, Callable[[Schedule], optim.Optimizer]] = {
    "sgd": lambda lr: optim.sgd(lr),
    "momentum": lambda lr: optim.momentum(lr, 0.9),
    "nesterov": lambda lr: optim.nesterov(lr, 0.9),
    "adam": lambda lr: optim.adam(lr),
    "adamw": lambda lr: optim.adamw(lr),
    "rmsprop": lambda lr: optim.rmsprop(lr),
    "adam+momentum": lambda lr: optim.combine(
        optim.adam(lr), optim.momentum(lambda step: 10 * lr(step), 0.9)
    ),
}


def optimizer(recipe: Recipe, steps: int) -> optim.Optimizer:
    """Return the recipe's optimiser, scheduled over this many steps.

    >>> optimizer(RECIPES["lenet8"], 100).init({"w": 1.0}) is not None
    True
    """
    return OPTIMIZERS[recipe.optimizer](SCHEDULES[recipe.schedule](recipe.lr, steps))


def check(recipe: Recipe) -> Recipe:
    """Return the recipe; raise `OptionError` where a field has an impossible value."""
    least = {"epochs": 1, "batch_size": 1, "l2": 0, "expand": 0, "validation": 0}
    for name, low in least.items():
        if not getattr(recipe, name) >= low:
            raise OptionError(
                f"{name} must be at least {low}, got {getattr(recipe, name)}"
            )
    if not 0 < recipe.lr < float("inf"):
        raise OptionError(f"lr must be a positive number, got {recipe.lr}")
    if not 0 <= recipe.label_smoothing < 1:
        raise OptionError(
            f"label_smoothing must be in [0, 1), got {recipe.label_smoothing}"
        )
    return recipe
