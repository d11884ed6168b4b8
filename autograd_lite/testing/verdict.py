"""Is a derivative right, wrong, or undecidable; and if wrong, where and by how much."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Final

import numpy as np

from ..errors import GradientCheckError, GradientCheckWarning
from .numerical import Estimate
from .probe import Probe, finite
from .spaces import Arrays

BARS: Final = 5.0  # how many error bars a numerical derivative may be off
BLUNT: Final = 1e-2  # an error bar above this share of the derivative checks nothing
FAMILIAR: Final = {-1.0: "a wrong sign", 2.0: "twice", 0.5: "half", 0.0: "missing"}


def judge(probe: Probe, analytic: float) -> None:
    """Raise `GradientCheckError` if the derivative is wrong, warn if none can tell."""
    estimate = probe.numerical(probe.us, analytic, probe.tolerance(analytic, 0.0) / 10)
    if not _agree(probe, analytic, estimate):  # a longer look before it is condemned
        probe = probe.measured()
        estimate = probe.numerical(probe.us, analytic)
    if _agree(probe, analytic, estimate):
        _doubt(probe, analytic, estimate)
    else:
        _condemn(probe, analytic, estimate)


def _agree(probe: Probe, analytic: float, estimate: Estimate) -> bool:
    allowed = probe.tolerance(analytic, estimate.value) + BARS * estimate.error
    return abs(analytic - estimate.value) <= allowed


def _doubt(probe: Probe, analytic: float, estimate: Estimate) -> None:
    """Warn if the agreement means nothing."""
    scale = max(abs(analytic), finite(estimate.value), probe.eps**0.25 * probe.size)
    if BARS * estimate.error > BLUNT * scale:
        _warn(
            probe,
            f"inconclusive, the numerical derivative is too uncertain: {estimate} "
            f"against {analytic:.6g}. The function is noisy, or has a jump or a kink "
            "here; try another point, or float64.",
        )


def _condemn(probe: Probe, analytic: float, estimate: Estimate) -> None:
    """Raise, unless a kink or the edge of the domain excuses the difference."""
    right, left = probe.slopes()
    sides = [side for side in (right, left) if math.isfinite(side.value)]
    vague = not estimate.error <= BLUNT * abs(estimate.value)
    if not sides or (vague and not math.isfinite(analytic)):
        _warn(probe, f"not finite around this point: {analytic} against {estimate}")
        return
    low, high = min(s.value for s in sides), max(s.value for s in sides)
    slack = BARS * sum(s.error for s in sides) + probe.tolerance(low, high)
    torn = len(sides) == 1 or high - low > slack
    if torn and low - slack <= analytic <= high + slack:
        _warn(
            probe,
            f"not differentiable here: the slope is {left} from one side, {right} from "
            f"the other, and the derivative is said to be {analytic:.6g}",
        )
        return
    raise GradientCheckError(_accusation(probe, analytic, estimate))


def _warn(probe: Probe, text: str) -> None:
    where = probe.level.where(probe.mode)
    warnings.warn(f"{where}: {text}", GradientCheckWarning, stacklevel=2)


def _accusation(probe: Probe, analytic: float, estimate: Estimate) -> str:
    """Say which derivative is wrong, by how much, and at which element mostly."""
    lines = [
        f"{probe.level.where(probe.mode)}: the derivative is wrong",
        f"  analytic   {analytic:.10g}",
        f"  numerical  {estimate}",
        f"  ratio      {ratio(analytic, estimate.value)}",
    ]
    if probe.xs:
        lines += _worst(probe)
    return "\n".join(lines)


def _worst(probe: Probe) -> list[str]:
    """Report the element of the arguments at which the derivatives differ most."""
    leaf, at = worst_element(lambda us: _gap(probe, us), probe.us)
    x = probe.xs[leaf]
    single = [np.zeros_like(u) for u in probe.us]
    single[leaf].flat[at] = probe.us[leaf].flat[at]
    weight = abs(complex(probe.us[leaf].flat[at])) or 1.0
    analytic = probe.analytic(single) / weight
    estimate = probe.numerical(single, 0.0)
    index = tuple(int(i) for i in np.unravel_index(at, x.shape))
    return [
        f"  most of it at element {index} of argument {probe.level.names[leaf]!r} "
        f"(shape {x.shape}, {x.dtype}), where x is {x.flat[at]}:",
        f"  there      {analytic:.6g} against {estimate.value / weight:.6g}",
    ]


def _gap(probe: Probe, us: Arrays) -> float:
    analytic = probe.analytic(us)
    gap = abs(analytic - probe.numerical(us, analytic).value)
    return gap if math.isfinite(gap) else math.inf


def worst_element(gap: Callable[[Arrays], float], us: Arrays) -> tuple[int, int]:
    """Find the element of `us` that `gap` depends on most: (array, flat position).

    Bisection: of each half, the one whose gap is larger holds it.
    """
    filled = [i for i, u in enumerate(us) if u.size]
    leaf = max(filled, key=lambda i: gap(_only(us, i, 0, us[i].size)))
    low, high = 0, us[leaf].size
    while high - low > 1:
        middle = (low + high) // 2
        first = gap(_only(us, leaf, low, middle))
        if first >= gap(_only(us, leaf, middle, high)):
            high = middle
        else:
            low = middle
    return leaf, low


def _only(us: Arrays, leaf: int, low: int, high: int) -> Arrays:
    """Return the direction with all but a range of one array set to zero."""
    found = [np.zeros_like(u) for u in us]
    found[leaf].flat[low:high] = us[leaf].flat[low:high]
    return found


def ratio(analytic: float, numerical: float) -> str:
    """Return analytic / numerical, and what a familiar number suggests.

    >>> ratio(-2.0, 2.0)
    '-1 (a wrong sign?)'
    """
    if numerical == 0 or not math.isfinite(analytic / numerical):
        return f"{analytic:.6g} / {numerical:.6g}"
    value = analytic / numerical
    for known, name in FAMILIAR.items():
        if abs(value - known) < 1e-4:
            return f"{value:.6g} ({name}?)"
    return f"{value:.6g}"
