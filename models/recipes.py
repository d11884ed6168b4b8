"""Recipes: every number that decides how a model is trained, each set in one place.

A recipe is a value; the command line replaces some of its fields. What a run needs
besides is a seed. `python -m models.train --list` shows them.
"""

from __future__ import annotations

from typing import NamedTuple

from .augment import Affine, Augmentation, Elastic
from .errors import OptionError


class Recipe(NamedTuple):
    """How a model is trained, and what came out when it was."""

    about: str
    model: str  # one of models.cnn.MODELS
    epochs: int
    batch_size: int
    optimizer: str  # one of models.optimizers.OPTIMIZERS
    lr: float  # the highest that the schedule reaches
    dataset: str = "mnist"  # as models.data knows it
    schedule: str = "one-cycle"  # one of models.optimizers.SCHEDULES
    l2: float = 0.0  # weight in the loss of the sum of the squared weights
    weight_decay: float | None = None  # weights shrink by lr times this each step;
    #                                    None: by 0.01 with adamw, not with the others
    label_smoothing: float = 0.0
    dropout: float | None = None  # of the model; None: as the model has it
    affine: Affine | None = None  # transforms images at random
    elastic: Elastic | None = None  # deforms images at random
    cutout: int = 0  # side of a square that is set to 0, in pixels
    mixup: float = 0.0  # other images are mixed in, with shares of Beta(mixup, mixup)
    flip: bool = False  # every other image is mirrored, left and right
    crop: int = 0  # images are shifted by up to so many whole pixels
    expand: int = 0  # that many transformed images are added; 0: all are transformed
    ema: float = 0.0  # share of the past in a moving average of the weights; 0: none
    validation: int = 2000  # images held out of the training set and evaluated by epoch
    patience: int = 0  # stop after so many epochs without a better one; 0: never
    accuracy: float | None = None  # measured on the test set; None: not measured yet
    minutes: float | None = None  # that it took, on two cores

    @property
    def augmentation(self) -> Augmentation:
        """All that may happen to an image at random."""
        fields = (getattr(self, name) for name in Augmentation._fields)
        return Augmentation(*fields)


# Small enough to help from the first epoch on, and the more the longer one trains.
SLIGHT = Affine(rotation=8, shift=1, scale=0.06, shear=0.06)

RECIPES = {
    "quick": Recipe(
        about="the soonest to reach 99 % of MNIST",
        dataset="mnist",
        model="slim",
        epochs=2,
        batch_size=128,
        optimizer="nesterov",
        lr=0.1,
        affine=SLIGHT,
        accuracy=0.9942,
        minutes=0.6,
    ),
    "deep": Recipe(
        about="two blocks of two convolutions",
        dataset="mnist",
        model="deep",
        epochs=6,
        batch_size=128,
        optimizer="nesterov",
        lr=0.1,
        affine=SLIGHT,
        accuracy=0.9959,
    ),
    "resnet": Recipe(
        about="three residual blocks, small and deep",
        dataset="mnist",
        model="resnet",
        epochs=6,
        batch_size=128,
        optimizer="nesterov",
        lr=0.1,
        affine=SLIGHT,
    ),
    "seed-mnist": Recipe(
        about="the first seed's: Adam and momentum at once",
        dataset="mnist",
        model="lenet8",
        epochs=5,
        batch_size=64,
        optimizer="adam+momentum",
        lr=0.002,
        label_smoothing=0.1,
        accuracy=0.9904,
    ),
    "seed-emnist": Recipe(
        about="the second seed's: L2, decay, images added",
        dataset="emnist-bymerge116k",
        model="emnist16",
        epochs=10,
        batch_size=64,
        optimizer="momentum",
        lr=0.05,
        schedule="exponential",
        l2=5e-5,
        affine=Affine(rotation=10, shift=2, scale=0.1, shear=0.1),
        expand=25_000,
        accuracy=0.8815,
    ),
    "mnist-best": Recipe(
        about="the most accurate on MNIST",
        dataset="mnist",
        model="deep",
        epochs=16,
        batch_size=128,
        optimizer="nesterov",
        lr=0.1,
        schedule="one-cycle",
        weight_decay=2e-3,
        label_smoothing=0.05,
        affine=Affine(rotation=10, shift=2, scale=0.1, shear=0.1),
        ema=0.999,
        accuracy=0.9969,
    ),
    "emnist-best": Recipe(
        about="the most accurate on digits and letters",
        dataset="emnist-bymerge116k",
        model="deeper",
        epochs=14,
        batch_size=128,
        optimizer="nesterov",
        lr=0.1,
        schedule="one-cycle",
        weight_decay=5e-3,
        label_smoothing=0.1,
        affine=Affine(rotation=10, shift=2, scale=0.1, shear=0.1),
        ema=0.999,
        validation=5000,
        accuracy=0.9041,
    ),
    "fashion-best": Recipe(
        about="the most accurate on clothes",
        dataset="fashion-mnist",
        model="deeper",
        epochs=20,
        batch_size=128,
        optimizer="nesterov",
        lr=0.1,
        schedule="one-cycle",
        weight_decay=5e-3,
        label_smoothing=0.1,
        flip=True,
        crop=1,
        ema=0.999,
        validation=5000,
        accuracy=0.9369,
    ),
}
DEFAULT = "quick"

# What trains a model that is named without a recipe, on MNIST.
BY_MODEL = {
    "slim": "quick",
    "deep": "deep",
    "deeper": "emnist-best",
    "resnet": "resnet",
    "lenet8": "seed-mnist",
    "emnist16": "seed-emnist",
}

_LEAST = {
    **{"epochs": 1, "batch_size": 1, "l2": 0, "weight_decay": 0, "expand": 0},
    **{"validation": 0, "patience": 0, "cutout": 0, "mixup": 0, "crop": 0},
}


def check(recipe: Recipe) -> Recipe:
    """Return the recipe; raise `OptionError` where a field has an impossible value."""
    for name, low in _LEAST.items():
        value = getattr(recipe, name)
        if value == float("inf"):
            raise OptionError(f"{name} must be a finite number, got {value}")
        if value is not None and not low <= value:
            raise OptionError(f"{name} must be at least {low}, got {value}")
    if not 0 < recipe.lr < float("inf"):
        raise OptionError(f"lr must be a positive number, got {recipe.lr}")
    for name in ("label_smoothing", "dropout", "ema"):
        value = getattr(recipe, name)
        if value is not None and not 0 <= value < 1:
            raise OptionError(f"{name} must be in [0, 1), got {value}")
    if recipe.patience and not recipe.validation:
        raise OptionError(
            f"patience={recipe.patience} compares epochs on images held out: say how "
            "many with --validation"
        )
    _check_deformation(recipe)
    return recipe


def _check_deformation(recipe: Recipe) -> None:
    alpha, sigma = recipe.elastic or Elastic()
    if not (0 <= alpha < float("inf") and 1 <= sigma < float("inf")):
        raise OptionError(
            "elastic must be alpha >= 0 and sigma >= 1, both in pixels, got "
            f"{alpha:g},{sigma:g}"
        )
