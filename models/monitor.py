"""Signs of a training that goes wrong: exploding gradients and dead units.

A unit is dead when its ReLU gives zero for every image and at every place: no gradient
flows through it, so it stays that way.
"""

from __future__ import annotations

from typing import Any

from .batches import Split, as_float
from .run import Run

IMAGES = 500  # that a unit has to show itself for
DEAD = 0.5  # a warning from this share of a layer on
EXPLODES = 10.0  # a warning from this many times the largest gradient before on

Metrics = list[dict[str, Any]]


def measure(run: Run, split: Split) -> dict[str, Any]:
    """Return the share of dead units by layer, and the largest gradient of the epoch.

    `gradient_norm` is that of all parameters together, at its largest among those
    measured in the epoch that ends.
    """
    images = as_float(split.images[:IMAGES])
    layers = run.setup.model.activations(run.params, images, run.state)
    dead = {
        name: 1 - float((x != 0).any(tuple(range(x.ndim - 1))).mean())
        for name, x in layers.items()
    }
    norms = _norms(run.metrics, run.epoch, run.epoch + 1)
    return {"gradient_norm": max(norms, default=0.0), "dead_units": dead}


def warnings(metrics: Metrics) -> list[str]:
    """Return what should be said of the epoch whose numbers come last.

    >>> warnings([{"epoch": 1, "gradient_norm": 1.0, "dead_units": {"conv1": 0.75}}])
    ['75 % of the units of conv1 are dead: a smaller --lr may keep them alive']
    """
    entry = metrics[-1]
    said = [
        f"{100 * share:.0f} % of the units of {name} are dead: a smaller --lr may keep "
        "them alive"
        for name, share in entry.get("dead_units", {}).items()
        if share > DEAD
    ]
    # The first epoch has nothing before it but its own first half.
    split = max(entry["epoch"] - 1, 0.5)
    before = _norms(metrics, 0, split)
    now = _norms(metrics, split, entry["epoch"])
    if before and now and max(now) > EXPLODES * max(before):
        said.append(
            f"the gradient's norm rose to {max(now):.3g}, from {max(before):.3g} at "
            "most before: a smaller --lr may help"
        )
    return said


def _norms(metrics: Metrics, after: float, until: float) -> list[float]:
    """Return the norms that were measured in this span of epochs."""
    return [e["gradient_norm"] for e in metrics if after < e.get("at", 0) <= until]
