"""The learning-rate range test: `python -m models.train --find-lr`.

One short training while the learning rate grows exponentially. L. Smith, 2017,
"Cyclical Learning Rates for Training Neural Networks". Its loss against the rate
shows where learning begins, where it is fastest, and where it breaks down.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from . import batches, optimizers
from .batches import Split
from .errors import DivergedError, OptionError
from .loop import make_step
from .run import Run

LOWEST, HIGHEST = 1e-6, 10.0  # learning rates
STEPS = 400  # at most, and at most an epoch
LEAST = 20  # steps, of which one could say anything
MEMORY = 0.95  # share of the past in the smoothed loss
BROKEN = 4.0  # times the lowest smoothed loss ends the test


class Curve(NamedTuple):
    """Learning rates (n,), the losses at them, and the same losses smoothed."""

    rates: NDArray[np.float64]
    losses: NDArray[np.float64]
    smooth: NDArray[np.float64]

    @property
    def lowest(self) -> float:
        """The learning rate at which the smoothed loss is lowest."""
        return float(self.rates[self.smooth.argmin()])

    @property
    def suggestion(self) -> float:
        """A third of the rate at which the loss is lowest, to two digits.

        The smoothed loss lags behind, and what is stable for a few steps need not be so
        for long.
        """
        return float(f"{self.lowest / 3:.1e}")


def run_test(
    run: Run, train: Split, on_step: Callable[[int, int], None] = lambda i, n: None
) -> Curve:
    """Train a new run with growing learning rates, and return what its loss did.

    `on_step(done, of)` is told after each step. Raises `OptionError` when an epoch has
    too few steps to say anything.
    """
    setup = run.setup
    steps = min(setup.steps_per_epoch, STEPS)
    if steps < LEAST:
        raise OptionError(
            f"--find-lr needs an epoch of {LEAST} batches, and this one has {steps}: "
            "try a smaller --batch-size"
        )
    rates = np.geomspace(LOWEST, HIGHEST, steps)
    updater = optimizers.optimizer(setup.recipe, lambda step: float(rates[step]))
    run.moments = updater.init(run.params)
    step = make_step(run, updater)
    losses: list[float] = []
    stream = batches.epoch_batches(train, setup.recipe, setup.seed, 0)
    with np.errstate(all="ignore"):
        for i, batch in enumerate(stream):
            try:
                losses.append(step(run, batch)[0])
            except DivergedError:
                break
            on_step(i + 1, steps)
            smooth = smoothed(np.array(losses))
            if i + 1 == steps or smooth[-1] > BROKEN * smooth.min():
                break
    stream.close()
    return Curve(rates[: len(losses)], np.array(losses), smoothed(np.array(losses)))


def smoothed(losses: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the moving average of losses, without its bias towards zero.

    >>> smoothed(np.array([3.0, 3.0, 3.0])).round(6)
    array([3., 3., 3.])
    """
    total, found = 0.0, []
    for i, loss in enumerate(losses):
        total = MEMORY * total + (1 - MEMORY) * loss
        found.append(total / (1 - MEMORY ** (i + 1)))
    return np.array(found)


def draw(curve: Curve, title: str) -> Figure:
    """Draw the loss against the learning rate, and mark what is suggested."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot(curve.rates, curve.losses, color="#666666", alpha=0.35, linewidth=1)
    axes.plot(curve.rates, curve.smooth, color="#3465a4", label="loss, smoothed")
    axes.axvline(
        curve.suggestion,
        color="#ce5c00",
        linestyle="--",
        label=f"suggested: {curve.suggestion:g}",
    )
    top = max(curve.smooth[0], curve.smooth.max()) * 1.1
    axes.set(
        title=title,
        xlabel="learning rate",
        ylabel="loss",
        xscale="log",
        ylim=(0, top if math.isfinite(top) else None),
    )
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    return figure
