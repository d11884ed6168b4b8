"""Is a derivative at a kink one that the neighbourhood could have?

Where several kinks meet, the slopes from both sides of one direction say too little:
the derivative that a rule has chosen may lie between those of other directions. It is a
fair choice if it is a mixture of derivatives at points nearby, where these are right
(an element of the generalized gradient; F. Clarke, 1975, "Generalized gradients and
applications").
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from .probe import Probe
from .spaces import Arrays, as_double, inner, magnitudes, move, random_like

NEIGHBOURS: Final = (16, 32, 64)  # points that are tried before each look at them
NEAR: Final = 3e-4  # their distance, relative to each element
BLURRED: Final = 5e-3  # how far derivatives may change over that distance
SHORT: Final = 2.0**-8  # a step from them, as a share of that distance
AXES: Final = 16  # directions that a derivative in forward mode is known by
TRIALS: Final = 4  # random directions in which a derivative may be refuted


@dataclasses.dataclass(frozen=True)
class Choice:
    """What a rule gives at a kink, and what the derivatives nearby are.

    `fair` is whether the former is a mixture of the latter. All are vectors, of their
    slopes along `axes` in forward mode.
    """

    fair: bool
    claimed: Any
    nearby: list[Any]
    axes: list[Arrays] | None


def is_fair_choice(probe: Probe) -> bool:
    """Return whether the derivative is a mixture of verified ones nearby."""
    return choice_of(probe).fair


def choice_of(probe: Probe) -> Choice:
    """Return the derivative among those of verified points nearby."""
    probe = _by_reverse_mode(probe.unmeasured())
    axes = None if probe.mode == "rev" else _axes(probe)
    claimed = _coordinates(probe, axes)
    found: list[Any] = []
    if not np.isfinite(claimed).all():
        return Choice(False, claimed, found, axes)
    gap = abs(probe.analytic(probe.us) - probe.glance()[0].value)
    signs = random_like(probe.level.rng, probe.xs)
    slopes: list[float] = []
    for i in range(NEIGHBOURS[-1]):
        vector, slope = _verified(probe, signs, axes)
        if vector is not None:
            found.append(vector)
            slopes.append(slope)
        if i + 1 in NEIGHBOURS:
            if not found:  # it is wrong nearby as well
                break
            # without a kink the slopes are too much alike to explain the gap
            kinked = max(slopes) - min(slopes) >= gap / 2
            if kinked and _in_hull(np.stack(found, axis=1), claimed):
                return Choice(True, claimed, found, axes)
        if i % 2 or vector is None:
            signs = random_like(probe.level.rng, probe.xs)
        else:
            signs = _next(probe, signs, vector, claimed)
    return Choice(_in_the_midst(found, claimed), claimed, found, axes)


def _in_the_midst(found: list[Any], claimed: Any) -> bool:
    """Return whether a choice is like many derivatives, element by element.

    Where many kinks meet, the points nearby have more derivatives than can be looked
    at: if most of those seen differ, that the choice is no mixture of them says little.
    """
    if len(found) < NEIGHBOURS[0]:
        return False
    vectors = np.stack(found, axis=1)
    limit = BLURRED * float(np.abs(vectors).max(initial=0.0))
    kinds: list[Any] = []
    for vector in found:
        if all(np.abs(vector - other).max(initial=0.0) > limit for other in kinds):
            kinds.append(vector)
    inside = (claimed >= vectors.min(1) - limit) & (claimed <= vectors.max(1) + limit)
    return 2 * len(kinds) > len(found) and bool(inside.all())


def _by_reverse_mode(probe: Probe) -> Probe:
    """Return the probe in reverse mode, if that gives the same derivative.

    Its elements tell which arguments lie at a kink, where slopes along some directions
    of many leave one guessing.
    """
    if probe.mode == "rev" or probe.level.rules is not None:
        return probe
    twin = dataclasses.replace(probe, mode="rev")
    forward, reverse = probe.analytic(probe.us), twin.analytic(probe.us)
    same = abs(forward - reverse) <= probe.tolerance(forward, reverse)
    return twin if same else probe


def refutations(probe: Probe, choice: Choice) -> Iterator[Probe]:
    """Yield the probe along directions that may show that a choice is unfair.

    First the one from the nearest mixture to the choice, which separates the two; then
    one in which every argument grows, as ties do together; then random ones.
    """
    sizes = magnitudes(probe.xs)
    if choice.nearby:
        yield dataclasses.replace(probe, us=_separating(probe, choice, sizes))
    draws = [[np.ones_like(x) for x in probe.xs]]
    draws += [random_like(probe.level.rng, probe.xs) for _ in range(TRIALS)]
    for draw in draws:
        yield dataclasses.replace(probe, us=_scaled(draw, sizes))


def _separating(probe: Probe, choice: Choice, sizes: Arrays) -> Arrays:
    """Return the direction from the nearest mixture of derivatives to the choice."""
    vectors, claimed = np.stack(choice.nearby, axis=1), choice.claimed
    if choice.axes is None:  # in units in which all arguments are of magnitude 1
        lengths = np.resize(_vector(sizes), claimed.size)
        vectors, claimed = vectors * lengths[:, None], claimed * lengths
    weight = 1e3 * float(np.abs(vectors).max(initial=0.0))
    gap = claimed - vectors @ _shares(vectors, claimed, weight)
    gap = gap / (np.abs(gap).max(initial=0.0) or 1.0)
    if choice.axes is not None:
        return [np.tensordot(gap, us, 1) for us in zip(*choice.axes, strict=True)]
    return _scaled(_arrays(gap, probe.xs), sizes)


def _arrays(vector: Any, xs: Arrays) -> Arrays:
    """Return the direction along which a vector's derivative is its square."""
    n = sum(x.size for x in xs)
    flat = vector[:n] - 1j * vector[n:] if vector.size > n else vector
    parts = np.split(flat, np.cumsum([x.size for x in xs])[:-1])
    parts = [p.reshape(x.shape) for p, x in zip(parts, xs, strict=True)]
    return [p if x.dtype.kind == "c" else p.real for p, x in zip(parts, xs)]


def _scaled(draw: Arrays, sizes: Arrays) -> Arrays:
    """Return directions in units of the arguments' magnitudes."""
    return [np.asarray(d * m, d.dtype) for d, m in zip(draw, sizes, strict=True)]


def _axes(probe: Probe) -> list[Arrays]:
    """Return the directions of single elements, or as many random ones."""
    sizes = magnitudes(probe.xs)
    places = [(i, at) for i, x in enumerate(probe.xs) for at in range(x.size)]
    real = all(x.dtype.kind == "f" for x in probe.xs)
    if not real or len(places) > AXES:
        draws = [random_like(probe.level.rng, probe.xs) for _ in range(AXES)]
        return [_scaled(draw, sizes) for draw in draws]
    axes = []
    for i, at in places:
        us = [np.zeros_like(x) for x in probe.xs]
        us[i].flat[at] = sizes[i].flat[at]
        axes.append(us)
    return axes


def _coordinates(probe: Probe, axes: list[Arrays] | None) -> Any:
    """Return a derivative as a vector."""
    if axes is None:
        return _vector(probe.derivative(probe.us))
    return np.array([probe.analytic(us) for us in axes])


def _vector(arrays: Any) -> Any:
    """Return the elements of all arrays, imaginary parts behind the real ones."""
    flat = np.concatenate([as_double(x).ravel() for x in arrays])
    return np.concatenate([flat.real, flat.imag]) if flat.dtype.kind == "c" else flat


def _verified(
    probe: Probe, signs: Arrays, axes: list[Arrays] | None
) -> tuple[Any, float]:
    """Return a neighbour's derivative, and its slope; None if it isn't right there."""
    distance = max(NEAR, 8 * probe.glance()[0].step)
    steps = [s * size for s, size in zip(signs, magnitudes(probe.xs))]
    xs = move(probe.xs, steps, distance)
    with np.errstate(all="ignore"):
        there = dataclasses.replace(probe, xs=xs, ys=probe.level.fun(*xs))
        found = there.derivative(there.us)
        analytic = inner(found, there.free)
        # Kinks of other elements may be near: a short step does not cross them.
        right = any(_confirms(there, analytic, h) for h in (0.0, distance * SHORT))
    if not right:
        return None, analytic
    return _vector(found) if axes is None else _coordinates(there, axes), analytic


def _confirms(probe: Probe, analytic: float, step: float) -> bool:
    """Return whether one difference, of this step, agrees with a derivative."""
    estimate, _ = probe.glance(h=step)
    allowed = probe.tolerance(analytic, estimate.value) + 5 * estimate.error
    return abs(analytic - estimate.value) <= allowed


def _next(probe: Probe, signs: Arrays, vector: Any, claimed: Any) -> Arrays:
    """Return where to look next: across the kinks that made the difference.

    In reverse mode the elements of the derivative are those of the arguments; in
    forward mode this is a guess.
    """
    if vector.size != sum(x.size for x in probe.xs):
        return random_like(probe.level.rng, probe.xs)
    limit = BLURRED * np.abs(claimed).max(initial=0.0)
    differs = np.abs(vector - claimed) > limit
    if differs.all() or not differs.any():
        return random_like(probe.level.rng, probe.xs)
    parts = np.split(differs, np.cumsum([x.size for x in probe.xs])[:-1])
    return [np.where(p.reshape(s.shape), -s, s) for p, s in zip(parts, signs)]


def _in_hull(vectors: Any, point: Any) -> bool:
    """Return whether a point is a convex combination of columns, nearly.

    Each element may be off by what it changes smoothly over the distance of the points:
    a share of itself, or all of a change that is small beside the whole derivative.
    """
    sizes = np.maximum(np.abs(vectors).max(axis=1), np.abs(point))
    scale = float(sizes.max(initial=0.0))
    if scale == 0:
        return True
    apart = np.minimum(np.ptp(vectors, axis=1), BLURRED * scale)
    slack = BLURRED * np.abs(vectors).max(axis=1) + apart + BLURRED**2 * scale
    weight = math.sqrt(len(point)) / BLURRED
    shares = _shares(vectors / slack[:, None], point / slack, weight)
    return bool((np.abs(vectors @ shares - point) <= slack).all())


def _shares(vectors: Any, point: Any, weight: float) -> Any:
    """Return the shares of columns in their mixture that is nearest to a point.

    They add up to 1, as firmly as `weight` says.
    """
    from scipy.optimize import nnls

    rows = np.vstack([vectors, np.full(vectors.shape[1], weight)])
    shares, _ = nnls(rows, np.append(point, weight))
    return shares / (shares.sum() or 1.0)
