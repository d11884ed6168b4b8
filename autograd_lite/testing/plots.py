"""Pictures of a check: Taylor remainders, and a map of the gradient's errors."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from .probe import Probe
from .spaces import inner, magnitudes

STEPS: Final = 10.0 ** np.arange(-8, 0.1, 0.5)
CURVES: Final = 4  # findings shown together
MOST: Final = 4096  # elements of an image whose derivatives are taken one by one
SMALLEST: Final = 1e-16


def draw(title: str, probes: Sequence[tuple[str, Probe, float]], figure: Any) -> Any:
    """Fill a Matplotlib figure with the pictures of a report and return it.

    Each entry of `probes` is a label, what was compared, and its analytic derivative.
    """
    probe = probes[0][1]  # of the finding that matters
    leaf = _image(probe)
    wide = leaf is not None
    figure.set_size_inches(10 if wide else 5.4, 4.2)
    axes = figure.subplots(1, 2 if wide else 1, squeeze=False)[0]
    _remainders(axes[0], title, probes[:CURVES])
    if leaf is not None:
        _map(axes[1], probe, leaf)
    return figure


# -- Taylor remainders ----------------------------------------------------------------


def remainders(probe: Probe, analytic: float) -> tuple[Any, float]:
    """Return |f(x + t u) - f(x) - t f'(x) u| for each of `STEPS`, and its noise.

    Both are relative to the derivative, the analytic or the numerical one, whichever is
    larger.
    """
    probe = probe.unmeasured()
    start = inner(probe.ys, probe.ws)
    values = np.array([probe.value(probe.us, step) for step in STEPS])
    scale = probe.scale(analytic, probe.glance()[0].value) or probe.size or 1.0
    rest = np.abs(values - start - STEPS * analytic)
    return rest / scale, probe.rounding / scale


def _remainders(
    axes: Any, title: str, probes: Sequence[tuple[str, Probe, float]]
) -> None:
    noise = SMALLEST
    for label, probe, analytic in probes:
        rest, floor = remainders(probe, analytic)
        axes.loglog(STEPS, np.maximum(rest, SMALLEST), "o-", ms=3.5, lw=1, label=label)
        noise = max(noise, floor)
    for power, style, name in ((1, "--", "slope 1: wrong"), (2, ":", "slope 2: right")):
        axes.loglog(STEPS, STEPS**power, style, c="0.5", lw=1.2, zorder=0, label=name)
    axes.axhspan(SMALLEST / 2, noise, color="0.92", zorder=0)
    at = {"x": STEPS[-1], "y": 0.8 * noise, "ha": "right", "va": "top"}
    axes.text(s="rounding", color="0.4", fontsize=8, **at)
    axes.set_ylim(bottom=SMALLEST / 2)
    axes.set_xlabel("step t, relative to the arguments")
    axes.set_ylabel("Taylor remainder / derivative")
    axes.set_title(title, fontsize=10)
    axes.legend(fontsize=8, loc="upper left")


# -- the map of errors ----------------------------------------------------------------


def _image(probe: Probe) -> int | None:
    """Return the first argument that can be shown as an image, if one can."""
    for i, x in enumerate(probe.xs):
        if 2 <= x.ndim <= 4 and min(_plane(x.shape)) > 1 and x.size <= MOST:
            return i
    return None


def _plane(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return the two axes of an image, without those of the batch and the channels."""
    first = {2: 0, 3: 0, 4: 1}[len(shape)]
    return shape[first], shape[first + 1]


def gradients(probe: Probe, leaf: int) -> tuple[Any, Any]:
    """Return the analytic and the numerical gradient of an argument, per element."""
    sizes = magnitudes(probe.xs)[leaf]
    shape = probe.xs[leaf].shape
    analytic, numerical = np.empty(shape), np.empty(shape)
    for at in range(sizes.size):
        us = [np.zeros_like(x) for x in probe.xs]
        us[leaf].flat[at] = size = sizes.flat[at]
        single = dataclasses.replace(probe, us=us)
        numerical.flat[at] = single.glance()[0].value / size
        if probe.mode == "fwd":
            analytic.flat[at] = single.analytic(us) / size
    if probe.mode == "rev":
        analytic[...] = np.real(probe.derivative(probe.us)[leaf])
    return analytic, numerical


def _map(axes: Any, probe: Probe, leaf: int) -> None:
    analytic, numerical = gradients(probe, leaf)
    largest = float(np.abs(numerical).max(initial=0.0)) or 1.0
    error = np.abs(analytic - numerical) / largest
    name, where = probe.level.names[leaf], ""
    if error.ndim == 4:
        worst = int(error.max(axis=(1, 2, 3)).argmax())
        error, where = error[worst], f"[{worst}]"
    if error.ndim == 3:
        error = error.max(axis=2)
    powers = np.log10(np.maximum(error, SMALLEST))
    low = min(float(powers.min()), -12.0)
    shown = axes.imshow(powers, cmap="magma", vmin=low, vmax=max(powers.max(), 0.0))
    bar = axes.figure.colorbar(shown, ax=axes, shrink=0.85)
    bar.set_label("log10 of |analytic - numerical| / largest derivative", fontsize=8)
    axes.set_title(f"error of the gradient of argument {name!r}{where}", fontsize=10)
    axes.set_xticks(_ticks(error.shape[1]))
    axes.set_yticks(_ticks(error.shape[0]))


def _ticks(n: int) -> list[int]:
    return list(range(0, n, max(1, math.ceil(n / 10))))
