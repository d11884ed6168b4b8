"""What it takes to train by the recipes of `models`, data and augmentation included.

    python -m benchmarks recipes

A call is a whole epoch over a part of MNIST, whatever a recipe is for, from new
parameters on: it shuffles, makes batches, transforms images and trains, here by
`models.loop.fit`, there as PyTorch's users would write it. Both begin with the same
parameters. What they show for it is compared as well: a time counts only if the loss
falls alike.
"""

import re
import statistics
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks import tables
from benchmarks.cases import Epoch
from benchmarks.peers import PEERS
from benchmarks.run import Result, show
from benchmarks.timing import Job, ratio
from benchmarks.workers import OURS, Comparison, Effort, Workers
from models import data
from models.batches import Split
from models.loop import fit
from models.recipes import RECIPES, Recipe
from models.run import Run, Setup

STEPS, QUICK_STEPS = 100, 30  # in an epoch
ROUNDS = 5  # at most: a call takes seconds
SHARE = 0.2  # of the steps, at the end, whose mean loss is what came out
ALIKE = 1.5  # times one loss the other may be, and so much less than at the start

# What the peers have code for, or what means nothing within an epoch; a recipe that
# sets anything else is left out.
COMMON = {
    *("model", "batch_size", "optimizer", "lr", "schedule", "l2", "label_smoothing"),
    *("weight_decay", "affine", "flip", "crop", "cutout", "expand", "ema"),
    *("about", "dataset", "epochs", "validation", "patience", "accuracy", "minutes"),
}


def case_of(name: str, steps: int) -> Epoch:
    """An epoch of so many steps by a recipe."""
    recipe = RECIPES[name]
    return Epoch(name, recipe.model, recipe.batch_size, steps)


def start(case: Epoch) -> tuple[Setup, Split]:
    """The setup of a run of one epoch, and its images.

    Images that the recipe adds have the share in them that they have in the whole.
    """
    recipe, mnist = RECIPES[case.recipe], data.load("mnist")
    images = len(mnist.train_images) - recipe.validation
    n = case.steps * case.batch
    added = n * recipe.expand // (images + recipe.expand)
    part = recipe._replace(epochs=1, validation=0, patience=0, expand=added)
    shape = mnist.train_images.shape[1:]
    setup = Setup("mnist", 0, part, shape, mnist.class_names, n - added)
    kept = slice(n - added)
    return setup, Split(mnist.train_images[kept], mnist.train_labels[kept])


class Losses:
    """Listens to a run, and keeps the loss of each step."""

    def __init__(self) -> None:
        self.values: list[float] = []

    def on_step(self, run: Run, loss: float, correct: int, images: int) -> None:
        """A step was done."""
        self.values.append(loss)

    def on_epoch(self, run: Run) -> None:
        """The epoch was done."""


def epoch(name: str, case: Epoch) -> Job:
    """Our code: the loop of `python -m models.train`, without its files."""
    setup, train = start(case)
    nothing = Split(train.images[:0], train.labels[:0])

    def run() -> np.ndarray:
        losses = Losses()
        fit(Run.start(setup), train, nothing, lambda run: None, losses)
        return np.array(losses.values)

    return Job(run)


BUILDERS = {"epoch": epoch}


def measure(pattern: str, peers: list[str], effort: Effort) -> list[Result]:
    """Results of the recipes whose label matches a regular expression, case ignored."""
    steps = STEPS if effort.thorough else QUICK_STEPS
    wanted = re.compile(pattern, re.IGNORECASE)
    tried = [case_of(name, steps) for name in RECIPES]
    cases = [case for case in tried if wanted.search(case.label)]
    contenders = {OURS: "benchmarks.recipes"}
    for name in peers:
        if PEERS[name].library == "torch":
            contenders[name] = "benchmarks.peers.torch_recipes"
    shorter = replace(effort, rounds=min(effort.rounds, ROUNDS), thorough=False)
    results, notes = [], []
    with Workers(contenders) as workers, tables.progress(len(cases)) as step:
        for case in cases:
            step(f"recipes: {case.label}")
            found = workers.compare(case, shorter)
            results += summarise(case, found)
            curves = {name: workers.arrays(name)[0] for name in found.blocks}
            notes.append(f"{case.label}: {told(curves)}")
    show("recipes", results)
    print(*notes, *map(str, workers.failed.values()), sep="\n")
    return results


def summarise(case: Epoch, found: Comparison) -> list[Result]:
    """One result per contender."""
    return [
        Result(
            suite="recipes",
            case=case.label,
            contender=name,
            value=statistics.median(seconds) * case.scale,
            unit=case.unit,
            ratio=None if name == OURS else ratio(found.blocks[OURS], seconds),
            blocks=tuple(s * case.scale for s in seconds),
        )
        for name, seconds in found.blocks.items()
    ]


def lacking(recipe: Recipe) -> list[str]:
    """What a recipe sets that the peers have no code for."""
    plain: Mapping[str, Any] = Recipe._field_defaults
    others = [name for name in Recipe._fields if name not in COMMON]
    return [name for name in others if getattr(recipe, name) != plain.get(name)]


def told(curves: Mapping[str, np.ndarray]) -> str:
    """How the loss fell, and whether all of them learned alike.

    >>> fast, slow = np.linspace(2.0, 0.0, 11), np.linspace(2.0, 1.0, 11)
    >>> told({"ours": fast, "theirs": fast})
    'the loss falls from 2.00 to 0.10 (ours), 2.00 to 0.10 (theirs)'
    >>> told({"ours": fast, "theirs": slow})[-41:]
    '(theirs): NOT ALIKE, the times say little'
    """
    ends = {}
    for name, curve in curves.items():
        last = curve[-max(1, int(SHARE * len(curve))) :].mean()
        ends[name] = float(curve[0]), float(last)
    falls = (f"{a:.2f} to {b:.2f} ({name})" for name, (a, b) in ends.items())
    text = f"the loss falls from {', '.join(falls)}"
    lasts = [last for _, last in ends.values()]
    learned = all(last * ALIKE < first for first, last in ends.values())
    if learned and max(lasts) < ALIKE * min(lasts):
        return text
    return f"{text}: NOT ALIKE, the times say little"
