"""All that a run is: its setup, which never changes, and its state between two steps.

A run is saved between two steps, never within one. All that is random in a step is a
function of (seed, epoch, step), so a run that goes on from its checkpoint ends with the
very numbers of one that was never interrupted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from autograd_lite import optim

from . import batches, checkpoint, cnn, recipes
from .augment import Affine
from .errors import CheckpointError
from .recipes import Recipe


class Setup(NamedTuple):
    """What is decided before a run starts: its data, its seed, its recipe."""

    dataset: str
    seed: int
    recipe: Recipe
    image_shape: tuple[int, int, int]
    class_names: tuple[str, ...]
    train_size: int  # after images were held out to validate on

    @property
    def model(self) -> cnn.Model:
        """The functions of the recipe's model."""
        return cnn.MODELS[self.recipe.model]

    @property
    def steps_per_epoch(self) -> int:
        """The number of batches in an epoch."""
        return batches.steps_per_epoch(self.recipe, self.train_size)

    def optimizer(self) -> optim.Optimizer:
        """Return the recipe's optimiser, its schedule fitted to the run's length."""
        steps = self.steps_per_epoch * self.recipe.epochs
        return recipes.optimizer(self.recipe, steps)

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Setup:
        """Return the setup that `_asdict` and JSON made these fields of."""
        recipe = Recipe(**fields["recipe"])
        affine = Affine(*recipe.affine) if recipe.affine else None
        return cls(
            **fields
            | {
                "recipe": recipe._replace(affine=affine),
                "image_shape": tuple(fields["image_shape"]),
                "class_names": tuple(fields["class_names"]),
            }
        )

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON can hold them."""
        return self._asdict() | {"recipe": self.recipe._asdict()}


class Tally(NamedTuple):
    """Sums over some training batches."""

    loss: float = 0.0
    correct: int = 0
    images: int = 0
    steps: int = 0

    def add(self, loss: float, correct: int, images: int) -> Tally:
        """Return the sums with one more batch."""
        return Tally(
            self.loss + loss,
            self.correct + correct,
            self.images + images,
            self.steps + 1,
        )

    def means(self) -> dict[str, float]:
        """Return the mean loss per batch and the fraction of images classed right."""
        return {"loss": self.loss / self.steps, "accuracy": self.correct / self.images}


@dataclass
class Run:
    """All that a run is at one moment, between two steps."""

    setup: Setup
    params: cnn.Params
    state: cnn.State
    moments: Any  # the optimiser's state
    epoch: int = 0  # of the next step
    step: int = 0  # of the next step, within its epoch
    whole: Tally = Tally()  # since the epoch began
    window: Tally = Tally()  # since the last point of the curves
    seconds: float = 0.0  # spent training
    metrics: list[dict[str, Any]] = field(default_factory=list)

    @property
    def done(self) -> bool:
        """Whether all epochs are behind."""
        return self.epoch == self.setup.recipe.epochs

    @classmethod
    def start(cls, setup: Setup) -> Run:
        """Return a run at its beginning."""
        rng = batches.init_rng(setup.seed)
        classes = len(setup.class_names)
        params = setup.model.init(rng, setup.image_shape, classes)
        state = setup.model.init_state(params)
        return cls(setup, params, state, setup.optimizer().init(params))

    def save(self, path: Path) -> None:
        """Write everything to a file; raises `CheckpointError`."""
        trees = {"params": self.params, "state": self.state, "optimizer": self.moments}
        state = {
            "setup": self.setup.to_json(),
            **{name: getattr(self, name) for name in _PLAIN},
        }
        checkpoint.save(path, trees, state)

    @classmethod
    def load(cls, path: Path) -> Run:
        """Return the run that `save` wrote; raises `CheckpointError`."""
        state = checkpoint.load_state(path)
        try:
            run = cls.start(Setup.from_json(state["setup"]))
        except (KeyError, TypeError) as error:  # a field or a model we don't know
            raise CheckpointError(
                f"{path} was written by another version of the project: {error}"
            ) from error
        like = {"params": run.params, "state": run.state, "optimizer": run.moments}
        trees, _ = checkpoint.load(path, like)
        run.params, run.state = trees["params"], trees["state"]
        run.moments = trees["optimizer"]
        for name in _PLAIN:
            value = state[name]
            setattr(run, name, Tally(*value) if name in ("whole", "window") else value)
        return run


_PLAIN = ("epoch", "step", "whole", "window", "seconds", "metrics")
