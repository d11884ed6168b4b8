"""All that a run is: its setup, which never changes, and its state between two steps.

A run is saved between two steps, never within one. All that is random in a step is a
function of (seed, epoch, step), so a run that goes on from its checkpoint ends with the
very numbers of one that was never interrupted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from autograd_lite import optim

from . import average, batches, checkpoint, cnn, optimizers
from .augment import Affine, Elastic
from .errors import CheckpointError, OptionError
from .optimizers import Schedule
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
        """The functions of the recipe's model; raises `OptionError`."""
        model, dropout = cnn.MODELS[self.recipe.model], self.recipe.dropout
        if dropout is None:
            return model
        if model.dropout is None:
            raise OptionError(f"{self.recipe.model} drops nothing: leave --dropout out")
        return model.with_dropout(dropout)

    @property
    def steps_per_epoch(self) -> int:
        """The number of batches in an epoch."""
        return batches.steps_per_epoch(self.recipe, self.train_size)

    @property
    def lr(self) -> Schedule:
        """The learning rate by step, the schedule fitted to the run's length."""
        steps = self.steps_per_epoch * self.recipe.epochs
        return optimizers.schedule(self.recipe, steps)

    def optimizer(self) -> optim.Optimizer:
        """Return the recipe's optimiser at the scheduled learning rates."""
        return optimizers.optimizer(self.recipe, self.lr)

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Setup:
        """Return the setup that `_asdict` and JSON made these fields of."""
        recipe = Recipe(**fields["recipe"])
        affine = Affine(*recipe.affine) if recipe.affine else None
        elastic = Elastic(*recipe.elastic) if recipe.elastic else None
        return cls(
            **fields
            | {
                "recipe": recipe._replace(affine=affine, elastic=elastic),
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


class Best(NamedTuple):
    """The epoch whose model did best on the images held out, and how well it did."""

    epoch: int
    accuracy: float
    loss: float

    def better(self, other: Best) -> bool:
        """Return whether it classes more images right, or as many at less loss.

        >>> Best(2, 0.9, 0.3).better(Best(1, 0.9, 0.4))
        True
        """
        return (self.accuracy, -self.loss) > (other.accuracy, -other.loss)


@dataclass
class Run:
    """All that a run is at one moment, between two steps."""

    setup: Setup
    params: cnn.Params
    state: cnn.State
    moments: Any  # the optimiser's state
    average: Any  # {"params", "state"}, moving averages, if the recipe has them
    epoch: int = 0  # of the next step
    step: int = 0  # of the next step, within its epoch
    whole: Tally = Tally()  # since the epoch began
    window: Tally = Tally()  # since the last point of the curves
    seconds: float = 0.0  # spent training
    best: Best | None = None  # where images were held out, after an epoch
    metrics: list[dict[str, Any]] = field(default_factory=list)
    gradient_norm: float = 0.0  # when it was last measured

    @property
    def steps(self) -> int:
        """The number of steps done."""
        return self.epoch * self.setup.steps_per_epoch + self.step

    @property
    def stalled(self) -> bool:
        """Whether the recipe's patience is at an end."""
        patience = self.setup.recipe.patience
        waited = self.epoch - self.best.epoch if self.best else 0
        return bool(patience) and waited >= patience

    @property
    def done(self) -> bool:
        """Whether all epochs are behind, or as many as made sense."""
        return self.epoch == self.setup.recipe.epochs or self.stalled

    def evaluated(self) -> Run:
        """Return the run with the model that is evaluated, which may be the average."""
        return replace(self, average=None, **(self.average or {}))

    @classmethod
    def start(cls, setup: Setup) -> Run:
        """Return a run at its beginning."""
        rng = batches.init_rng(setup.seed)
        classes = len(setup.class_names)
        params = setup.model.init(rng, setup.image_shape, classes)
        state = setup.model.init_state(params)
        model = {"params": params, "state": state}
        averages = average.start(model) if setup.recipe.ema else None
        return cls(setup, params, state, setup.optimizer().init(params), averages)

    def save(self, path: Path) -> None:
        """Write everything to a file; raises `CheckpointError`."""
        self._save(path, _TREES)

    def save_model(self, path: Path) -> None:
        """Write what it takes to predict to a file; raises `CheckpointError`."""
        self.evaluated()._save(path, _MODEL)

    def _save(self, path: Path, names: Mapping[str, str]) -> None:
        trees = {name: getattr(self, attribute) for name, attribute in names.items()}
        state = {name: getattr(self, name) for name in _PLAIN}
        checkpoint.save(path, trees, {"setup": self.setup.to_json(), **state})

    @classmethod
    def load(cls, path: Path) -> Run:
        """Return the run that `save` wrote; raises `CheckpointError`."""
        return cls._load(path, _TREES)

    @classmethod
    def load_model(cls, path: Path) -> Run:
        """Return the run that `save_model` wrote, which can predict and not go on.

        Raises `CheckpointError`.
        """
        return replace(cls._load(path, _MODEL), average=None)

    @classmethod
    def _load(cls, path: Path, names: Mapping[str, str]) -> Run:
        state = checkpoint.load_state(path)
        try:
            run = cls.start(Setup.from_json(state["setup"]))
            for name in _PLAIN:
                kind = _KINDS.get(name)
                value = state[name]
                setattr(run, name, kind(*value) if kind and value else value)
        except (KeyError, TypeError) as error:  # a field or a model we don't know
            raise CheckpointError(
                f"{path} was written by another version of the project: {error}"
            ) from error
        like = {name: getattr(run, attribute) for name, attribute in names.items()}
        trees, _ = checkpoint.load(path, like)
        for name, attribute in names.items():
            setattr(run, attribute, trees[name])
        return run


_PLAIN = ("epoch", "step", "whole", "window", "seconds", "best", "metrics")
_KINDS = {"whole": Tally, "window": Tally, "best": Best}
# The trees in a file, and the attributes that they are.
_MODEL = {"params": "params", "state": "state"}
_TREES = _MODEL | {"optimizer": "moments", "average": "average"}
