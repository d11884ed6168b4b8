"""The training loop: one step of a run, and all of them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any, Protocol

import numpy as np

from autograd_lite import jit, nn, optim, tree, value_and_grad

from . import average, batches, cnn, monitor
from .batches import Batch, Split
from .errors import DivergedError
from .optimizers import weights
from .run import Best, Run, Tally
from .scores import evaluate

SAVE_SECONDS = 30.0  # between checkpoints, besides one after each epoch
POINTS = 50  # per epoch, on the curves
NEVER_DRAWN = object()  # stands for the generator of models that need none

Step = Callable[[Run, Batch], tuple[float, int]]
Save = Callable[[Run], None]


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
    save: Save,
    listener: Listener,
    stop: Callable[[], bool] = lambda: False,
    save_best: Save = lambda run: None,
) -> None:
    """Train until the last epoch is done, calling `save` every now and then.

    `save_best` is called after each epoch that did better on the held-out images than
    all before, and before `save`: whatever stops the process, the best model's file is
    as new as the checkpoint, and an epoch that is done again writes it again.
    When `stop()` says so, the run is saved after the current step.

    Raises `Interrupted` then, `DivergedError` when the loss or the parameters are no
    longer finite (the last checkpoint stays), and whatever `save` raises.
    """
    step = make_step(run)
    while not run.done:
        with np.errstate(all="ignore"):  # a loss that is not finite is noticed
            _train_epoch(run, step, train, save, listener, stop)
            improved = _end_epoch(run, train, held)
        if improved:
            save_best(run)
        save(run)
        listener.on_epoch(run)


def make_loss(run: Run) -> Callable[..., Any]:
    """Return the loss of a batch, as a function of parameters, state, batch and rng.

    It returns the loss, and beside it the new state and the logits.
    """
    model, recipe = run.setup.model, run.setup.recipe
    classes = len(run.setup.class_names)

    def loss(params: cnn.Params, state: cnn.State, batch: Batch, rng: Any) -> Any:
        logits, state = model.train(params, batch.images, state, rng)
        value = nn.cross_entropy(
            logits, batch.targets(classes), label_smoothing=recipe.label_smoothing
        )
        if recipe.l2:
            value = value + recipe.l2 * nn.l2_penalty(weights(params))
        return value, (state, logits)

    return loss


def make_step(run: Run, optimizer: optim.Optimizer | None = None) -> Step:
    """Return the function that does one training step of a run, and moves it on.

    It returns the batch's loss and how many of its images were classed right; it raises
    `DivergedError`, and leaves the run as it is, when the loss is not finite.
    """
    recipe = run.setup.recipe
    updater = optimizer or run.setup.optimizer()
    loss_and_grads = value_and_grad(make_loss(run), has_aux=True)
    draws = run.setup.model.dropout is not None
    if not draws:  # each step is the same program
        loss_and_grads = jit(loss_and_grads, static_argnums=3)

    def step(run: Run, batch: Batch) -> tuple[float, int]:
        rng: Any = NEVER_DRAWN
        if draws:
            rng = batches.step_rng(run.setup.seed, run.epoch, run.step)
        (value, (state, logits)), grads = loss_and_grads(
            run.params, run.state, batch, rng
        )
        if not math.isfinite(value):
            raise _diverged(run, f"the loss became {float(value)}", run.step + 1)
        if _is_point(run.step + 1, run.setup.steps_per_epoch):
            run.gradient_norm = optim.global_norm(grads)
        run.params, run.moments = optim.step(
            updater, grads, run.moments, run.params, donate=True
        )
        run.state = state
        if run.average:
            learned = {"params": run.params, "state": state}
            average.update(
                run.average, learned, average.decay_at(run.steps, recipe.ema)
            )
        run.step += 1
        return float(value), int((logits.argmax(1) == batch.labels).sum())

    return step


def _diverged(run: Run, what: str, step: int) -> DivergedError:
    lr = run.setup.lr(run.epoch * run.setup.steps_per_epoch + step - 1)
    return DivergedError(
        f"{what} in epoch {run.epoch + 1}, step {step}, at a learning rate of "
        f"{lr:.3g}: try a smaller --lr than {run.setup.recipe.lr:g}"
    )


def _train_epoch(
    run: Run,
    step: Step,
    train: Split,
    save: Save,
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
            _record(run, loss, correct, len(batch.labels))
            listener.on_step(run, loss, correct, len(batch.labels))
            stopped = stop()
            if stopped or time.monotonic() - saved > SAVE_SECONDS:
                check_finite(run)
                save(run)
                saved = time.monotonic()
            if stopped:
                raise Interrupted


def check_finite(run: Run) -> None:
    """Raise `DivergedError` if what was learned has a NaN or Inf.

    The loss shows it one step later; it must not get into a checkpoint.
    """
    if not finite((run.params, run.state)):
        raise _diverged(run, "parameters became NaN or Inf", run.step)


def finite(values: Any) -> bool:
    """Return whether there is no NaN or Inf in a tree of arrays."""
    return all(bool(np.isfinite(leaf).all()) for leaf in tree.leaves(values))


def _is_point(step: int, per_epoch: int) -> bool:
    """Return whether the curves have a point after so many steps of an epoch."""
    return step * POINTS // per_epoch > (step - 1) * POINTS // per_epoch


def _record(run: Run, loss: float, correct: int, images: int) -> None:
    """Add a step to the sums, and a point to the metrics where one is due."""
    run.whole = run.whole.add(loss, correct, images)
    run.window = run.window.add(loss, correct, images)
    per_epoch = run.setup.steps_per_epoch
    if _is_point(run.step, per_epoch):
        point = {"at": run.epoch + run.step / per_epoch, **run.window.means()}
        point["lr"] = run.setup.lr(run.steps - 1)
        run.metrics.append(point | {"gradient_norm": run.gradient_norm})
        run.window = Tally()


def _end_epoch(run: Run, train: Split, held: Split) -> bool:
    """Evaluate the images held out; return whether it was the best epoch so far."""
    check_finite(run)
    entry = {"epoch": run.epoch + 1, **run.whole.means(), "seconds": run.seconds}
    entry |= monitor.measure(run, held if len(held.labels) else train)
    improved = False
    if len(held.labels):
        shown = run.evaluated()
        found = evaluate(run.setup.model, shown.params, shown.state, held)
        entry |= {"validation_loss": found.loss, "validation_accuracy": found.accuracy}
        new = Best(run.epoch + 1, found.accuracy, found.loss)
        if improved := run.best is None or new.better(run.best):
            run.best = new
    run.metrics.append(entry)
    run.epoch, run.step, run.whole = run.epoch + 1, 0, Tally()
    return improved
