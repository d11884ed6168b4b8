"""Blame: which operation made the first NaN or Inf of a run that diverged."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import numpy as np

from autograd_lite import debug_nans, optim, value_and_grad
from autograd_lite.errors import NonFiniteError

from . import batches
from .batches import Split
from .errors import DivergedError
from .loop import finite, make_loss, make_step
from .run import Run


def explain(run: Run, last: Callable[[], Run], train: Split) -> str:
    """Return what made the first number that is not finite, at which step.

    A loss that is not finite leaves the run as it was before the step, which is done
    again under `debug_nans`. Where the parameters are spoilt already, the steps since
    the last checkpoint, which `last()` returns, are done again up to the guilty one.
    """
    if not finite((run.params, run.state)):
        run = last()
    stream = batches.epoch_batches(
        train, run.setup.recipe, run.setup.seed, run.epoch, run.step
    )
    step = make_step(run)
    with closing(stream), np.errstate(all="ignore"):
        for batch in stream:
            blame = _watched(run, batch)
            if blame:
                return f"step {run.step + 1} of epoch {run.epoch + 1}: {blame}"
            try:
                step(run, batch)
            except DivergedError:
                break
            if not finite((run.params, run.state)):
                at = f"step {run.step} of epoch {run.epoch + 1}"
                return f"{at}: the optimiser's update, of finite gradients"
    return "no operation made a NaN or Inf of finite numbers when it was done again"


def _watched(run: Run, batch: batches.Batch) -> str:
    """Return what is wrong with a step, if its loss or gradients are not finite."""
    loss_and_grads = value_and_grad(make_loss(run), has_aux=True)

    def differentiate() -> tuple[float, float]:
        rng = batches.step_rng(run.setup.seed, run.epoch, run.step)
        (value, _), grads = loss_and_grads(run.params, run.state, batch, rng)
        return float(value), optim.global_norm(grads)

    if np.isfinite(differentiate()).all():
        return ""
    try:
        with debug_nans():
            differentiate()
    except NonFiniteError as error:
        return str(error)
    return ""
