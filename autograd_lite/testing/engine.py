"""The comparisons of a check: each mode, then the derivatives of the derivatives.

For random directions u of the arguments and weights w of the results, reverse mode
gives <pullback(w), u> and forward mode <w, pushforward(u)>; both must be the derivative
at t = 0 of <w, f(x + t u)>, found numerically with an error bar. Higher orders check
the pullback and the pushforward as functions in their turn.

Functions of float32 or float16 arrays are checked in float64, where finite differences
are sharp, and then their own derivatives must agree with those in float64. A function
that insists on its dtype is checked in that, within wider error bars.

A first look takes two values of the function. Only where these don't confirm the
derivative at once does a ladder of steps follow, as it does before anything is said
against a derivative.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from .probe import Ends, Level, Probe, finite
from .report import INCONCLUSIVE, KINK, OK, VERDICTS, WRONG, Finding, ratio
from .spaces import (
    Arrays,
    as_double,
    epsilon,
    inner,
    levelled,
    like,
    magnitudes,
    move,
    random_like,
    size_of,
)
from .verdict import BARS, STEADY, finding_of, judge

TINY: Final = 1e-6  # a step that should not leave the domain
BLURRED: Final = 1e-2  # the share of the values that rounding may change
BEND: Final = 1e-3  # one-sided slopes that differ by this share deserve a longer look
DRAWS: Final = 4  # directions of which the steepest is looked at
STRETCH: Final = -1024.0  # a power of 2, so that multiplying with it rounds nothing


@np.errstate(all="ignore")
def examine(level: Level, order: int, modes: Sequence[str]) -> list[Finding]:
    """Check first derivatives of this function, then their derivatives."""
    return _examine(level, order, modes)


def _examine(level: Level, order: int, modes: Sequence[str]) -> list[Finding]:
    findings = []
    shared = Shared()
    for mode in modes:
        finding, given, result = _check_mode(level, mode, shared)
        findings.append(finding)
        if order > 1 and finding.verdict not in (WRONG, KINK):
            kind = "cotangent" if mode == "rev" else "tangent"
            above = dataclasses.replace(
                level,
                fun=level.derived(mode),
                xs=[*level.xs, *given],
                ys=tuple(result),
                names=[*level.names, *[f"{kind} {i}" for i in range(len(given))]],
                trail=(*level.trail, mode),
                base=_base(level, mode),
            )
            findings += _examine(above, order - 1, modes)
    return findings


class Shared:
    """What the first looks at all modes of a function have in common.

    These are a direction of its arguments, the results at both ends of a step along it,
    and the arguments and results in double precision.
    """

    def __init__(self) -> None:
        self.us: Arrays | None = None
        self.ends: Ends | None = None
        self.first: Probe | None = None
        self.tried = False

    def widened(self, probe: Probe) -> Probe | None:
        """Return a probe in double precision, if there is one and it isn't."""
        if not self.tried:
            self.first, self.tried = probe.widened(), True
            return self.first
        if self.first is None:
            return None
        us, ws = like(probe.us, self.first.xs), like(probe.ws, self.first.ys)
        return dataclasses.replace(self.first, mode=probe.mode, us=us, ws=ws)

    def ends_of(self, probe: Probe, us: Arrays) -> Ends:
        """Return the results at both ends of the step of a first look along `us`."""
        if self.ends is None or self.us is not us:
            self.us, self.ends = us, probe.ends()
        return self.ends


def _base(level: Level, mode: str) -> float:
    """Return the size of the user's results in units of this mode's derivative."""
    size = level.base or size_of(level.ys, [np.ones(())] * len(level.ys))
    if mode == "fwd":  # along directions of the size of the arguments
        return size
    largest = max([float(np.abs(x).max(initial=0.0)) for x in level.xs])
    return size / max(largest, 1.0)


def _check_mode(
    level: Level, mode: str, shared: Shared
) -> tuple[Finding, Arrays, Sequence[Any]]:
    """Check one mode; return its directions and the derivative along these too."""
    ws, us = random_like(level.rng, level.ys), shared.us
    if us is None:
        us = _directions(level, careful=False)
    given, free = (ws, us) if mode == "rev" else (us, ws)
    # Of second order one evaluation has to do: what isn't linear is not right there.
    look = _from_afar if level.trail else _evaluate
    result, complaint = look(level, mode, given)
    if complaint is None:
        probe = _probe(level, mode, given, levelled(level.rng, free, result))
        finding = _glance(probe, inner(result, probe.free), shared)
        if finding is not None:
            return finding, given, result
        if level.trail:
            result, complaint = _evaluate(level, mode, given)
    if complaint is not None:
        return _fault(level, mode, complaint), given, result
    return _check_slowly(level, mode, ws)


def _check_slowly(
    level: Level, mode: str, ws: Arrays
) -> tuple[Finding, Arrays, Sequence[Any]]:
    """Check one mode with all care."""
    us = _directions_inside(level, _directions(level, careful=False))
    given, free = (ws, us) if mode == "rev" else (us, ws)
    result: Sequence[Any] = level.derived(mode)(*level.xs, *given)
    finding = _look(level, mode, given, free, result)
    if finding.verdict == INCONCLUSIVE:
        given, free, result = _steepest(level, mode)
        finding = _look(level, mode, given, free, result)
    return finding, given, result


def _steepest(level: Level, mode: str) -> tuple[Arrays, Arrays, Sequence[Any]]:
    """Return, of some directions, those with the largest derivative, and its arrays.

    In others the parts of a derivative cancel, and noise drowns what is left.
    """
    found, largest = None, -1.0
    for _ in range(DRAWS):
        ws = random_like(level.rng, level.ys)
        us = _directions_inside(level, _directions(level, careful=False))
        given, free = (ws, us) if mode == "rev" else (us, ws)
        result = level.derived(mode)(*level.xs, *given)
        size = finite(inner(result, levelled(level.rng, free, result)))
        if found is None or size > largest:
            found, largest = (given, free, result), size
    assert found is not None
    return found


def _probe(level: Level, mode: str, given: Arrays, free: Arrays) -> Probe:
    pair = (free, given) if mode == "rev" else (given, free)
    return Probe(level, mode, level.xs, level.ys, *pair)


def _fault(level: Level, mode: str, complaint: str) -> Finding:
    order = len(level.trail) + 1
    return Finding(WRONG, level.where(mode), mode, order, text=complaint)


def _directions(level: Level, careful: bool) -> Arrays:
    """Return random directions of the arguments, on the scale of their elements."""
    draws = random_like(level.rng, level.xs)
    sizes = magnitudes(level.xs, careful)
    return [np.asarray(u * size, u.dtype) for u, size in zip(draws, sizes)]


def _directions_inside(level: Level, us: Arrays) -> Arrays:
    """Return directions that stay in the domain, if some do."""
    ends = [level.fun(*move(level.xs, us, step)) for step in (TINY, -TINY)]
    if all(np.isfinite(y).all() for end in ends for y in end):
        return us
    return _directions(level, careful=True)


def _evaluate(
    level: Level, mode: str, given: Arrays
) -> tuple[Sequence[Any], str | None]:
    """Return the derivative along `given`, and what is wrong with it as a function."""
    arrays, derived = [*level.xs, *given], level.derived(mode)
    before = [x.tobytes() for x in arrays]
    result = derived(*arrays)
    names = [*level.names, *["(the direction)"] * len(given)]
    for name, x, old in zip(names, arrays, before):
        if x.tobytes() != old:
            return result, (
                f"argument {name} was written to. Functions and rules must leave "
                "their arguments unchanged."
            )
    if _agrees(level, mode, given, result, STRETCH):
        return result, None
    if not _agrees(level, mode, given, result, 1.0):
        return result, (
            "two evaluations differ; is there a random number or a state in a rule?"
        )
    return result, (
        "-1024 times the direction gives something else than -1024 times the "
        "derivative: a rule is not linear in g"
    )


def _from_afar(level: Level, mode: str, given: Arrays) -> tuple[Sequence[Any], None]:
    """Return the derivative along `given`, found along a multiple of it."""
    scaled = [np.asarray(STRETCH * g, g.dtype) for g in given]
    found = level.derived(mode)(*level.xs, *scaled)
    return [np.asarray(y / STRETCH, y.dtype) for y in found], None


def _agrees(
    level: Level, mode: str, given: Arrays, once: Sequence[Any], factor: float
) -> bool:
    """Return whether the derivative along a multiple of `given` is that multiple."""
    rtol = level.tolerance(epsilon([*given, *once]))
    scaled = [np.asarray(factor * g, g.dtype) for g in given]
    again = level.derived(mode)(*level.xs, *scaled)  # what overflows is left out
    return not any(_far(a, b, factor, rtol) for a, b in zip(once, again, strict=True))


def _far(a: Any, b: Any, factor: float, rtol: float) -> bool:
    """Return whether a and b / factor differ where both are finite."""
    a, b = as_double(a), as_double(b) / factor
    if (a == b).all():
        return False
    usable = np.isfinite(a) & np.isfinite(b)
    a, b = a[usable], b[usable]
    return bool(np.linalg.norm(a - b) > rtol * np.linalg.norm(a))


def _glance(probe: Probe, given: float, shared: Shared) -> Finding | None:
    """Return that the derivative is right if two values of the function say so."""
    wide = shared.widened(probe)
    sharp = given if wide is None else wide.analytic(wide.us)
    looked = wide or probe
    estimate, bend = looked.glance(shared.ends_of(looked, probe.us))
    scale = looked.scale(sharp, estimate.value)
    if (
        abs(sharp - estimate.value) <= looked.tolerance(sharp, estimate.value)
        and bend <= BEND * scale + BARS * looked.rounding / estimate.step
        and (BARS * estimate.error <= looked.blunt * scale or looked.negligible(sharp))
        and (wide is None or abs(given - sharp) <= probe.tolerance(given, sharp))
        and not looked.on_a_stair(estimate)
    ):
        return finding_of(looked, OK, sharp, estimate)
    return None


def _look(
    level: Level, mode: str, given: Arrays, free: Arrays, result: Sequence[Any]
) -> Finding:
    """Compare along two directions with all care, and return the worse finding."""
    found = []
    for frees in (free, levelled(level.rng, free, result)):
        probe = _probe(level, mode, given, frees)
        found.append(_compare(probe, inner(result, frees), size_of(result, frees)))
        if found[-1].verdict == WRONG:
            break
    return min(found, key=lambda finding: VERDICTS.index(finding.verdict))


def _compare(probe: Probe, given: float, spread: float) -> Finding:
    """Compare a derivative with finite differences, in double precision if possible.

    `spread` is the magnitude of the terms that were summed up to `given`.
    """
    wide = probe.widened()
    if wide is None:
        return judge(probe, given)
    sharp = wide.analytic(wide.us)
    finding = judge(wide, sharp)
    if finding.verdict == OK and wide.blurred > BLURRED:
        dtype = probe.xs[0].dtype
        text = (
            f"inconclusive: in {dtype} the values are others than in double precision, "
            f"where the derivative is right; compute in float64, or scale the function"
        )
        return dataclasses.replace(finding, verdict=INCONCLUSIVE, text=text)
    if finding.verdict in (WRONG, KINK):
        return finding
    tolerance = probe.tolerance(spread, sharp) + STEADY * wide.blurred * spread
    if _same(probe, wide, given, sharp, tolerance):
        return finding
    dtypes = ", ".join(sorted({str(x.dtype) for x in probe.xs}))
    if probe.overflows():
        text = (
            f"inconclusive, numbers overflow or underflow in {dtypes}: the derivative "
            f"is {given:.6g} there, {sharp:.6g} in double precision; scale the function"
        )
        return dataclasses.replace(finding, verdict=INCONCLUSIVE, text=text)
    return _fault(
        probe.level,
        probe.mode,
        f"the derivative in {dtypes} is {given:.6g}, that of the same function in "
        f"double precision {sharp:.6g} (ratio {ratio(given, sharp)})",
    )


def _same(
    probe: Probe, wide: Probe, given: float, sharp: float, tolerance: float
) -> bool:
    """Return whether the derivative in low precision is that in double precision."""
    if abs(given - sharp) <= tolerance:
        return True
    if probe.negligible(given) and probe.negligible(sharp):
        return True
    if not math.isfinite(given):  # excused where the true values overflow
        limit = min([float(np.finfo(x.dtype).max) for x in probe.xs])
        arrays = wide.derivative(wide.us)
        return max([float(np.abs(y).max(initial=0.0)) for y in arrays]) > limit
    slack = STEADY * probe.unsteadiness()
    return finite(given - sharp) <= tolerance + slack
