"""The training loop: one step of a run, and all of them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any, Protocol

import numpy as np

from autograd_lite import nn, optim, tree, value_and_grad

from . import batches, cnn
from .batches import Batch, Split
from .errors import DivergedError
from .evaluate import evaluate
from .run import Run, Tally

SAVE_SECONDS = 30.0  # between checkpoints, besides one after each epoch
POINTS = 50  # per epoch, on the curves

Step = Callable[[Run, Batch], tuple[float, int]]


class Listener(Protocol):
    """Who is told how a run gets on."""

    def on_step(self, run: Run, loss: float, correct: int, images: int) -> None:
        """One step was done, on so many images."""

    def on_epoch(self, run: Run) -> None:
        """An epoch was done; its numbers are the last of `run.metrics`."""


class Interrupted(Exception):
    """The run was asked to stop, and its checkpoint is written."""


def fit(
    run: Run,
    train: Split,
    held: Split,
    save: Callable[[Run], None],
    listener: Listener,
    stop: Callable[[], bool] = lambda: False,
) -> None:
    """Train until the last epoch is done, calling `save` every now and then.

    When `stop()` says so, the run is saved after the current step.

    Raises `Interrupted` then, `DivergedError` when the loss is no longer finite (the
    last checkpoint stays), and whatever `save` raises.
    """
    step = make_step(run)
    while not run.done:
        with np.errstate(all="ignore"):  # a loss that is not finite is noticed
            _train_epoch(run, step, train, save, listener, stop)
        _end_epoch(run, held)
        save(run)
        listener.on_epoch(run)


def make_step(run: Run) -> Step:
    """Return the function that does one training step of a run, and moves it on.

    It returns the batch's loss and how many of its images were classed right.
    """
    model, recipe = run.setup.model, run.setup.recipe
    optimizer = run.setup.optimizer()

    def loss(params: cnn.Params, state: cnn.State, batch: Batch, rng: Any) -> Any:
        logits, state = model.train(params, batch.images, state, rng)
        value = nn.cross_entropy(
            logits, batch.labels, label_smoothing=recipe.label_smoothing
        )
        if recipe.l2:
            value = value + recipe.l2 * nn.l2_penalty(weights(params))
        return value, (state, logits)

    loss_and_grads = value_and_grad(loss, has_aux=True)

    def step(run: Run, batch: Batch) -> tuple[float, int]:
        rng = batches.step_rng(run.setup.seed, run.epoch, run.step)
        (value, (state, logits)), grads = loss_and_grads(
            run.params, run.state, batch, rng
        )
        updates, run.moments = optimizer.update(
            grads, run.moments, run.params, donate=True
        )
        run.params = optim.apply_updates(run.params, updates, donate=True)
        run.state = state
        run.step += 1
        return float(value), int((logits.argmax(1) == batch.labels).sum())

    return step


def weights(params: cnn.Params) -> list[Any]:
    """Return the leaves that L2 holds small: matrices and kernels, no biases.

    >>> weights({"dense1": {"w": "a matrix", "b": "a bias"}})
    ['a matrix']
    """
    return [
        leaf
        for path, leaf in zip(tree.paths(params), tree.leaves(params))
        if path.rpartition(".")[2] == "w"
    ]


def _train_epoch(
    run: Run,
    step: Step,
    train: Split,
    save: Callable[[Run], None],
    listener: Listener,
    stop: Callable[[], bool],
) -> None:
    setup, saved = run.setup, time.monotonic()
    stream = batches.epoch_batches(train, setup.recipe, setup.seed, run.epoch, run.step)
    with closing(stream):
        began = time.perf_counter()
        for batch in stream:
            loss, correct = step(run, batch)
            run.seconds += -began + (began := time.perf_counter())
            _check_finite(run, loss)
            _record(run, loss, correct, len(batch.labels))
            listener.on_step(run, loss, correct, len(batch.labels))
            if stop():
                save(run)
                raise Interrupted
            if time.monotonic() - saved > SAVE_SECONDS:
                save(run)
                saved = time.monotonic()


def _check_finite(run: Run, loss: float) -> None:
    if not math.isfinite(loss):
        raise DivergedError(
            f"the loss became {loss} in epoch {run.epoch + 1}, step {run.step}: try a "
            f"smaller --lr than {run.setup.recipe.lr:g}"
        )


def _record(run: Run, loss: float, correct: int, images: int) -> None:
    """Add a step to the sums, and a point to the metrics where one is due."""
    run.whole = run.whole.add(loss, correct, images)
    run.window = run.window.add(loss, correct, images)
    per_epoch = run.setup.steps_per_epoch
    if run.step * POINTS // per_epoch > (run.step - 1) * POINTS // per_epoch:
        at = run.epoch + run.step / per_epoch
        run.metrics.append({"at": at, **run.window.means()})
        run.window = Tally()


def _end_epoch(run: Run, held: Split) -> None:
    """Evaluate the images that were held out, and begin the next epoch."""
    entry = {"epoch": run.epoch + 1, **run.whole.means(), "seconds": run.seconds}
    if len(held.labels):
        found = evaluate(run.setup.model, run.params, run.state, held)
        entry |= {"validation_loss": found.loss, "validation_accuracy": found.accuracy}
    run.metrics.append(entry)
    run.epoch, run.step, run.whole = run.epoch + 1, 0, Tally()
