"""Is a derivative at a kink one that the neighbourhood could have?

Where several kinks meet, the slopes from both sides of one direction say too little:
the derivative that a rule has chosen may lie between those of other directions. It is a
fair choice if it is a mixture of derivatives at points nearby, where these are right
(an element of the generalized gradient; F. Clarke, 1975, "Generalized gradients and
applications").
"""

from __future__ import annotations

import dataclasses
from typing import Any, Final

import numpy as np

from .probe import Probe
from .spaces import Arrays, as_double, inner, magnitudes, move, random_like

NEIGHBOURS: Final = (16, 32, 64)  # points that are tried before each look at them
NEAR: Final = 3e-4  # their distance, relative to each element
BLURRED: Final = 5e-3  # how far derivatives may change over that distance


def is_fair_choice(probe: Probe) -> bool:
    """Return whether the derivative is a mixture of verified ones nearby."""
    probe = dataclasses.replace(probe, noise=0.0)  # a kink looks like noise
    claimed = _vector(probe.derivative(probe.us))
    if not np.isfinite(claimed).all():
        return False
    gap = abs(inner(probe.derivative(probe.us), probe.free) - probe.glance()[0].value)
    signs = random_like(probe.level.rng, probe.xs)
    found: list[Any] = []
    slopes: list[float] = []
    for i in range(NEIGHBOURS[-1]):
        vector, slope = _verified(probe, signs)
        if vector is not None:
            found.append(vector)
            slopes.append(slope)
        if i + 1 in NEIGHBOURS:
            if not found:  # it is wrong nearby as well
                return False
            # without a kink the slopes are too much alike to explain the gap
            kinked = max(slopes) - min(slopes) >= gap / 2
            if kinked and _in_hull(np.stack(found, axis=1), claimed):
                return True
        if i % 2 or vector is None:
            signs = random_like(probe.level.rng, probe.xs)
        else:
            signs = _next(probe, signs, vector, claimed)
    return False


def _vector(arrays: Any) -> Any:
    """Return the elements of all arrays, imaginary parts behind the real ones."""
    flat = np.concatenate([as_double(x).ravel() for x in arrays])
    return np.concatenate([flat.real, flat.imag]) if flat.dtype.kind == "c" else flat


def _verified(probe: Probe, signs: Arrays) -> tuple[Any, float]:
    """Return a neighbour's derivative, and its slope; None if it isn't right there."""
    distance = max(NEAR, 8 * probe.glance()[0].step)
    steps = [s * size for s, size in zip(signs, magnitudes(probe.xs))]
    xs = move(probe.xs, steps, distance)
    with np.errstate(all="ignore"):
        there = dataclasses.replace(probe, xs=xs, ys=probe.level.fun(*xs))
        found = there.derivative(there.us)
        analytic = inner(found, there.free)
        estimate, _ = there.glance()
        allowed = there.tolerance(analytic, estimate.value) + 5 * estimate.error
    if not abs(analytic - estimate.value) <= allowed:
        return None, analytic
    return _vector(found), analytic


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
    from scipy.optimize import nnls

    sizes = np.maximum(np.abs(vectors).max(axis=1), np.abs(point))
    scale = float(sizes.max(initial=0.0))
    if scale == 0:
        return True
    apart = np.minimum(np.ptp(vectors, axis=1), BLURRED * scale)
    slack = BLURRED * np.abs(vectors).max(axis=1) + apart + BLURRED**2 * scale
    weight = np.sqrt(len(point)) / BLURRED  # the shares add up to 1, firmly
    rows = np.vstack([vectors / slack[:, None], np.full(vectors.shape[1], weight)])
    shares, _ = nnls(rows, np.append(point / slack, weight))
    gap = vectors @ (shares / shares.sum()) - point if shares.any() else point
    return bool((np.abs(gap) <= slack).all())
