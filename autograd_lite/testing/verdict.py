"""Is a derivative right, wrong, or undecidable; and if wrong, where and by how much."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from .kinks import choice_of, is_fair_choice, refutations
from .numerical import Estimate
from .patterns import common_pattern
from .probe import Probe, finite
from .report import INCONCLUSIVE, KINK, OK, WRONG, Element, Finding
from .spaces import Arrays, inner, magnitudes, random_like

BARS: Final = 5.0  # how many error bars a numerical derivative may be off
STEADY: Final = 5.0  # how many times the effect of rounding is excused
NEARER: Final = 0.1  # how much nearer one numerical derivative is than another
SHARP: Final = 0.03  # the error bars of two slopes, as a share of their distance
NOISY: Final = 1e-12  # noise, as a share of the values, that isn't float64's
ROUGH: Final = 1e-4  # noise, as a share of the values, in which no slope is wrong
BENT: Final = 1e-3  # one-sided slopes this close are taken for one
PLAIN: Final = 1e-5  # a relative error bar that is good enough to be printed
PLAINLY: Final = "the derivative is wrong"
UNFAIR: Final = (
    "the derivative is wrong: there is a kink here, but it is neither one of the "
    "derivatives nearby nor a mixture of them"
)
SAMPLE: Final = 64  # elements that are looked at one by one
SHOWN: Final = 3


def judge(probe: Probe, analytic: float) -> Finding:
    """Compare a derivative with the numerical one along the probe's direction."""
    estimate = probe.numerical(probe.us, analytic, probe.tolerance(analytic, 0.0) / 10)
    first = estimate
    # a longer look before it is condemned
    if not agrees(probe, analytic, estimate) or probe.on_a_stair(estimate):
        probe = probe.measured()
        estimate = probe.numerical(probe.us, analytic)
    if agrees(probe, analytic, estimate):
        torn = _torn(probe, analytic, estimate)
        if torn or not _dull(probe, analytic, estimate):
            return torn or finding_of(probe, OK, analytic, estimate)
    probe, estimate = _refined(probe, analytic, estimate)
    if agrees(probe, analytic, estimate):
        return (
            _torn(probe, analytic, estimate)
            or _doubt(probe, analytic, estimate)
            or finding_of(probe, OK, analytic, estimate)
        )
    return (
        _excused(probe, analytic, estimate)
        or _unresolved(probe, analytic, estimate, first)
        or _shaken(probe, analytic, estimate)
        or _condemn(probe, analytic, estimate)
    )


def _dull(probe: Probe, analytic: float, estimate: Estimate) -> bool:
    """Return whether an error bar is so wide that agreement means nothing."""
    scale = probe.scale(analytic, estimate.value)
    sharp = BARS * estimate.error <= probe.blunt * scale
    return not sharp and not probe.negligible(analytic)


def _refined(
    probe: Probe, analytic: float, estimate: Estimate
) -> tuple[Probe, Estimate]:
    """Return a better estimate, where the values are so noisy that there is one."""
    noisy = probe if probe.noise or probe.grain else probe.measured()
    if noisy.eps < NOISY:
        return probe, estimate
    return noisy, min(noisy.fitted(), estimate, key=lambda e: e.error)


def finding_of(
    probe: Probe, verdict: str, analytic: float, estimate: Estimate, **more: Any
) -> Finding:
    """Return a finding with the names and numbers of a probe."""
    level, mode = probe.level, probe.mode
    place = (level.where(mode), mode, len(level.trail) + 1)
    return Finding(verdict, *place, analytic, *estimate, probe=probe, **more)


def agrees(probe: Probe, analytic: float, estimate: Estimate) -> bool:
    """Return whether both derivatives are equal, given the error bar and tolerance."""
    if probe.negligible(analytic) and probe.negligible(estimate.value):
        return True
    allowed = probe.tolerance(analytic, estimate.value) + BARS * estimate.error
    return abs(analytic - estimate.value) <= allowed


def _torn(probe: Probe, analytic: float, estimate: Estimate) -> Finding | None:
    """Return that there is a kink, though the derivative lies between its slopes."""
    look, bend = probe.glance()
    noise = BARS * probe.rounding / look.step
    if bend <= BENT * probe.scale(analytic, estimate.value) + noise:
        return None
    known, probe = probe, probe.measured()
    scale = probe.scale(analytic, estimate.value)
    look, bend = probe.glance()
    if not bend > BENT * scale + BARS * probe.rounding / look.step:
        return None
    right, left = probe.slopes()
    # A kink nearby looks like noise: with shorter steps the point may be none.
    if _bent(right, left, scale) and _bent(*known.slopes(), scale):
        return _kink(probe, analytic, estimate, right, left)
    return None


def _doubt(probe: Probe, analytic: float, estimate: Estimate) -> Finding | None:
    """Return that nothing can be said, if the agreement means nothing."""
    if not _dull(probe, analytic, estimate):
        return None
    if probe.confirmed(analytic, estimate):
        return None
    text = (
        f"inconclusive, the numerical derivative is too uncertain: {estimate} against "
        f"{analytic:.6g}. The values have noise of about {probe.rounding:.1g}, or a "
        f"jump or a kink is near; {_advice(probe)}."
    )
    return finding_of(probe, INCONCLUSIVE, analytic, estimate, text=text)


def _advice(probe: Probe) -> str:
    if probe.eps > 1e-12:
        return "compute in float64, or check at another point"
    return (
        "scale the function so that its slope isn't lost in its values, make what it "
        "computes inside more exact, or check at another point"
    )


def _excused(probe: Probe, analytic: float, estimate: Estimate) -> Finding | None:
    """Return that a kink or the edge of the domain explains the difference, if so."""
    right, left = probe.slopes()
    sides = [side for side in (right, left) if math.isfinite(side.value)]
    vague = not estimate.error <= probe.blunt * abs(estimate.value)
    outside = (
        f"inconclusive, not finite around this point: {analytic} against {estimate}; "
        "check at a point inside of the domain"
    )
    if not sides or (vague and not math.isfinite(analytic)):
        return finding_of(probe, INCONCLUSIVE, analytic, estimate, text=outside)
    low, high, slack = _span(probe, sides)
    sharp = sum(s.error for s in sides) <= SHARP * (high - low)
    torn = len(sides) == 1 or (sharp and high - low > slack)
    if torn and low - slack <= analytic <= high + slack:
        unfair = _unfair(probe) if len(sides) == 2 else None
        return unfair or _kink(probe, analytic, estimate, right, left)
    if len(sides) == 1:  # the slope of the other may change without end
        return finding_of(probe, INCONCLUSIVE, analytic, estimate, text=outside)
    if is_fair_choice(probe):
        text = (
            f"not differentiable here: the slope in one direction is {estimate}, the "
            f"derivative is said to be {analytic:.6g}, and points nearby have others "
            "that this is a mixture of"
        )
        return finding_of(probe, KINK, analytic, estimate, text=text)
    return None


def _span(probe: Probe, sides: list[Estimate]) -> tuple[float, float, float]:
    """Return the least and the largest of slopes, and how far these may be off."""
    low, high = min(s.value for s in sides), max(s.value for s in sides)
    slack = BARS * sum(s.error for s in sides) + probe.tolerance(low, high)
    return low, high, slack


def _unfair(probe: Probe) -> Finding | None:
    """Return that a derivative between the slopes from both sides is wrong after all.

    It is if it is no mixture of derivatives nearby, and outside of the slopes in some
    other direction.
    """
    choice = choice_of(probe)
    if choice.fair:
        return None
    for turned in refutations(probe, choice):
        analytic, sides = turned.analytic(turned.us), list(turned.slopes())
        low, high, slack = _span(turned, sides)
        if not low - slack <= analytic <= high + slack and _resolved(sides):
            estimate = turned.numerical(turned.us, analytic)
            return _condemn(turned, analytic, estimate, UNFAIR)
    return None


def _resolved(sides: list[Estimate]) -> bool:
    """Return whether slopes are known well."""
    largest = max(abs(s.value) for s in sides)
    return sum(s.error for s in sides) <= SHARP * largest


def _unresolved(
    probe: Probe, analytic: float, estimate: Estimate, first: Estimate
) -> Finding | None:
    """Return that finite differences contradict each other, or see noise alone.

    `first` is from shorter steps, as no noise was known yet.
    """
    rough = probe.eps > max(ROUGH, 100 * probe.precision)
    if not rough and not abs(analytic - first.value) < NEARER * abs(
        first.value - estimate.value
    ):
        return None
    text = (
        f"inconclusive, the values are rough: {analytic:.6g} against {estimate} or "
        f"{first}. They have noise of about {probe.noise:.1g}, or detail that no step "
        f"resolves; {_advice(probe)}"
    )
    return finding_of(probe, INCONCLUSIVE, analytic, estimate, text=text)


def _shaken(probe: Probe, analytic: float, estimate: Estimate) -> Finding | None:
    """Return that the derivative has an error bar itself, if that explains the gap.

    Not at a kink, where any derivative moves.
    """
    probe = probe.unmeasured()
    unsteady = STEADY * probe.unsteadiness_nearby()
    allowed = probe.tolerance(analytic, estimate.value) + BARS * estimate.error
    gap = abs(analytic - estimate.value)
    if not gap <= allowed + unsteady or any(_crooked(probe) for _ in range(2)):
        return None
    text = (
        f"inconclusive, the function is ill-conditioned here: {analytic:.6g} against "
        f"{estimate}, and rounding the arguments anew changes the former by up to "
        f"{unsteady:.1g}; check at another point"
    )
    return finding_of(probe, INCONCLUSIVE, analytic, estimate, text=text)


def _crooked(probe: Probe) -> bool:
    """Return whether slopes from both sides differ in some random direction."""
    draws = random_like(probe.level.rng, probe.xs)
    us = [np.asarray(u * m, u.dtype) for u, m in zip(draws, magnitudes(probe.xs))]
    turned = dataclasses.replace(probe, us=us)
    for looked in (turned, turned.measured()):  # noise bends slopes as well
        right, left = looked.slopes()
        if not _bent(right, left, max(finite(right.value), finite(left.value))):
            return False
    return True


def _bent(right: Estimate, left: Estimate, scale: float) -> bool:
    """Return whether the slopes from both sides differ, beyond doubt."""
    error = right.error + left.error
    return abs(right.value - left.value) > BENT * scale + error / SHARP


def _kink(
    probe: Probe, analytic: float, estimate: Estimate, right: Estimate, left: Estimate
) -> Finding:
    text = (
        f"not differentiable here: the slope is {left} from one side, {right} from the "
        f"other, and the derivative is said to be {analytic:.6g}"
    )
    leaf, at = worst_element(
        lambda us: finite(dataclasses.replace(probe, us=us).glance()[1]), probe.us
    )
    worst = tuple(elements(probe, leaf, [at]))
    return finding_of(probe, KINK, analytic, estimate, text=text, worst=worst)


def _condemn(
    probe: Probe, analytic: float, estimate: Estimate, text: str = PLAINLY
) -> Finding:
    """Return which derivative is wrong, by how much, at which elements, and how."""
    if not probe.xs or not any(x.size for x in probe.xs):
        return finding_of(probe, WRONG, analytic, estimate, text=text)
    leaf, at = worst_element(_gap(probe), probe.us)
    places = _places(probe.xs[leaf].size, at)
    table = elements(probe, leaf, places)
    worst = sorted(table, key=lambda e: -finite(e.analytic - e.numerical))
    shown = [e for e in worst[:SHOWN] if _off(e)]
    return finding_of(
        probe,
        WRONG,
        analytic,
        estimate,
        text=text,
        worst=tuple(shown or worst[:1]),
        pattern=common_pattern(table, [y.shape for y in probe.ys]),
    )


def _off(element: Element) -> bool:
    gap = abs(element.analytic - element.numerical)
    size = max(abs(element.analytic), abs(element.numerical))
    return not gap <= BARS * element.error + 1e-6 * size


def _places(size: int, worst: int) -> list[int]:
    """Return the flat positions to look at: all, or the worst one and some others."""
    if size <= SAMPLE:
        return list(range(size))
    spread = np.linspace(0, size - 1, SAMPLE // 2).astype(int).tolist()
    near = [i for i in range(worst - 4, worst + 5) if 0 <= i < size]
    return sorted({*spread, *near})


def elements(probe: Probe, leaf: int, places: list[int]) -> list[Element]:
    """Return both derivatives along single elements of an argument."""
    x = probe.xs[leaf]
    gradient = probe.derivative(probe.us) if probe.mode == "rev" else None
    found = []
    for at in places:
        single = [np.zeros_like(u) for u in probe.us]
        single[leaf].flat[at] = probe.us[leaf].flat[at]
        step = complex(probe.us[leaf].flat[at])
        weight = (step.real if x.dtype.kind == "f" else abs(step)) or 1.0
        if gradient is None:
            analytic = probe.analytic(single)
        else:
            analytic = float((step * complex(gradient[leaf].flat[at])).real)
        estimate = probe.numerical(single, analytic)
        index = tuple([int(i) for i in np.unravel_index(at, x.shape)])
        about = (probe.level.names[leaf], index, x.shape, str(x.dtype))
        values = (analytic / weight, estimate.value / weight)
        error = estimate.error / abs(weight)
        found.append(Element(*about, complex(x.flat[at]), *values, error))
    return found


def _gap(probe: Probe) -> Callable[[Arrays], float]:
    """Return how far both derivatives are apart, as a function of the direction.

    One difference has to do, as it is asked for many of them.
    """
    gradient = probe.derivative(probe.us) if probe.mode == "rev" else None

    def gap(us: Arrays) -> float:
        analytic = probe.analytic(us) if gradient is None else inner(gradient, us)
        estimate, _ = dataclasses.replace(probe, us=us).glance()
        found = abs(analytic - estimate.value)
        return found if math.isfinite(found) else math.inf

    return gap


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
