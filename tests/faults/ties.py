"""Choices at ties: TIES are wrong ones, FAIR some of those that a rule may make.

Where elements compete, or one lies at a kink, a derivative has to be chosen. Any
mixture of the derivatives nearby will do: all to the first, all to the last, an equal
share. To give nothing to any of them is none, though no single slope shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy

from . import functions as f
from .fault import Change, Row, changed
from .functions import Array, Function, Pull


def when(np: Any, x: Array, holds: Any) -> Array:
    """Return ones in the dtype of x where a condition holds, zeros elsewhere."""
    return np.const(numpy.ones(tuple(x.shape)), x) * holds


# -- two that compete ------------------------------------------------------------------

PAIR = numpy.array([1.0, 2.0, 0.5, 3.0]), numpy.array([1.0, 1.5, 0.5, 4.0])


def of_two(one: float, other: float, sign: int = 1) -> Pull:
    """Return the rule of the larger of two, or of the smaller one if `sign` is -1.

    Where they are equal it gives these parts of g to the first and to the second.
    """

    def pull(np: Any, g: Array, ans: Array, x: Array, y: Array) -> tuple[Array, ...]:
        more, tied = when(np, x, sign * x > sign * y), when(np, x, x == y)
        return g * (more + one * tied), g * (1 - more + (other - 1) * tied)

    return pull


def apart(one: float, other: float) -> Pull:
    """Return the rule of |x - y| that has these slopes in x and y where they meet."""

    def pull(np: Any, g: Array, ans: Array, x: Array, y: Array) -> tuple[Array, ...]:
        sign, tied = when(np, x, x > y) - when(np, x, x < y), when(np, x, x == y)
        return g * (sign + one * tied), g * (other * tied - sign)

    return pull


LARGER = Function(
    "larger of two", lambda np, x, y: np.maximum(x, y), of_two(0.5, 0.5), PAIR
)
SMALLER = Function(
    "smaller of two", lambda np, x, y: np.minimum(x, y), of_two(0.5, 0.5, -1), PAIR
)
APART = Function("|x - y|", lambda np, x, y: np.abs(x - y), apart(0, 0), PAIR)

FAIR_PARTS = {
    "all to the first": (1.0, 0.0),
    "all to the last": (0.0, 1.0),
    "shared unequally": (0.75, 0.25),
}
UNFAIR_PARTS = {
    "zero at a tie": (0.0, 0.0),
    "each tie gets all": (1.0, 1.0),
    "half of it lost": (0.5, 0.0),
    "more than all to the first": (1.5, -0.5),
}


def of_pairs(parts: dict[str, tuple[float, float]]) -> Iterator[Row]:
    """Yield rules of the larger and of the smaller of two."""
    for name, (one, other) in parts.items():
        yield LARGER, name, of_two(one, other)
        yield SMALLER, name, of_two(one, other, -1)


def slopes_apart(*pairs: tuple[float, float]) -> Iterator[Row]:
    """Yield rules of |x - y|."""
    for one, other in pairs:
        yield APART, f"{one:g} and {other:g} where they meet", apart(one, other)


# -- one at a kink ---------------------------------------------------------------------

RAMP = Function(
    "ramp",
    lambda np, x: np.maximum(x, 0 * x),
    lambda np, g, ans, x: (g * when(np, x, x > 0),),
    (numpy.array([0.5, 0.0, -1.5, 2.0]),),
)
BEND = Function(
    "|x|",
    lambda np, x: np.abs(x),
    lambda np, g, ans, x: (g * (when(np, x, x > 0) - when(np, x, x < 0)),),
    (numpy.array([0.5, 0.0, -1.5, 0.0]),),
)
CLAMPED = Function(
    "clamped",
    lambda np, x: np.minimum(np.maximum(x, 0 * x - 1), 0 * x + 1),
    lambda np, g, ans, x: (g * when(np, x, x * x < 1),),
    (numpy.array([1.0, -1.0, 0.4, 2.0]),),
)


def at_zero(slope: float) -> Change:
    """Return the change of a cotangent by `slope` g where the argument is 0."""
    return lambda np, x_bar, g, ans, x: x_bar + slope * g * when(np, x, x == 0)


def at_ends(slope: float) -> Change:
    """Return the change of a cotangent by `slope` g where the argument is 1 or -1."""
    return lambda np, x_bar, g, ans, x: x_bar + slope * g * when(np, x, x * x == 1)


def where_equal(slope: float) -> Change:
    """Return the change of a cotangent by `slope` g where two arguments are equal."""
    return lambda np, x_bar, g, ans, x, y: x_bar + slope * g * when(np, x, x == y)


def of_kinks(ramp: list[float], bend: list[float]) -> Iterator[Row]:
    """Yield rules with these slopes at the kinks of functions that have none there."""
    for slope in ramp:
        yield RAMP, f"{slope:g} at zero", changed(RAMP, at_zero(slope))
        yield CLAMPED, f"{slope:g} at both ends", changed(CLAMPED, at_ends(slope))
    for slope in bend:
        yield BEND, f"{slope:g} at zero", changed(BEND, at_zero(slope))


# -- the extreme of many ---------------------------------------------------------------

ROWS = numpy.array([[1.0, 2.0, 2.0, 0.5], [3.0, 1.0, 0.0, -1.0], [2.0, 2.0, 2.0, 1.0]])
SIGNS = ROWS * [[1.0, -1.0, 1.0, 1.0]]

Shares = Callable[[Any, Array], Array]  # (np, ones at the ties) -> the part of each


def counts(np: Any, hit: Array) -> Array:
    """Return how many ties there are in each row."""
    return np.sum(hit, axis=-1, keepdims=True)


def first(np: Any, hit: Array) -> Array:
    """Return ones at the first tie of each row."""
    earlier = numpy.triu(numpy.ones((hit.shape[-1],) * 2), 1)
    return hit * (hit @ np.const(earlier, hit) == 0)


def last(np: Any, hit: Array) -> Array:
    """Return ones at the last tie of each row."""
    later = numpy.tril(numpy.ones((hit.shape[-1],) * 2), -1)
    return hit * (hit @ np.const(later, hit) == 0)


def equally(np: Any, hit: Array) -> Array:
    """Return equal shares."""
    return hit / counts(np, hit)


FAIR_SHARES: dict[str, Shares] = {"all to the first": first, "all to the last": last}
UNFAIR_SHARES: dict[str, Shares] = {
    "zero at a tie": lambda np, hit: hit * (counts(np, hit) == 1),
    "each tie gets all": lambda np, hit: hit,
    "all to the first, less to the last": lambda np, hit: (
        1.5 * first(np, hit) - 0.5 * last(np, hit)
    ),
}


def sign(np: Any, x: Array) -> Array:
    """Return the slope of |x|."""
    return when(np, x, x > 0) - when(np, x, x < 0)


def of_extreme(shares: Shares, signed: bool = False) -> Pull:
    """Return the rule of the extreme of x, or of |x| if `signed`."""

    def pull(np: Any, g: Array, ans: Array, x: Array) -> tuple[Array, ...]:
        y = np.abs(x) if signed else x
        part = g * shares(np, when(np, x, y == ans))
        return (part * sign(np, x) if signed else part,)

    return pull


LARGEST = Function(
    "largest of each row",
    lambda np, x: np.amax(x, axis=-1, keepdims=True),
    of_extreme(equally),
    (ROWS,),
)
SMALLEST = Function(
    "smallest of each row",
    lambda np, x: np.amin(x, axis=-1, keepdims=True),
    of_extreme(equally),
    (-ROWS,),
)
FURTHEST = Function(
    "furthest from zero",
    lambda np, x: np.amax(np.abs(x), axis=-1, keepdims=True),
    of_extreme(equally, signed=True),
    (SIGNS,),
)


def of_extremes(shares: dict[str, Shares]) -> Iterator[Row]:
    """Yield rules of the extremes of rows."""
    for name, share in shares.items():
        yield LARGEST, name, of_extreme(share)
        yield SMALLEST, name, of_extreme(share)
        yield FURTHEST, name, of_extreme(share, signed=True)


# -- sorting ---------------------------------------------------------------------------


def ranks(np: Any, x: Array, among: Any) -> Array:
    """Return (n, n): one at i, j where x[i] is sorted to place j.

    Of equal elements i stands after those j with `among[i, j]`.
    """
    n = x.shape[0]
    row, column = np.reshape(x, (1, n)), np.reshape(x, (n, 1))
    ones = np.const(numpy.ones((n, n)), x)
    before = ones * (row < column) + ones * (row == column) * np.const(among, x)
    places = np.const(numpy.arange(n)[None], x)
    return ones * (np.sum(before, axis=1, keepdims=True) == places)


FIRST = numpy.tril(numpy.ones((5, 5)), -1)  # the first of equals stands first
NONE = numpy.zeros((5, 5))  # all equals stand at the first of their places


def of_sort(slopes: Callable[[Any, Array], Array]) -> Pull:
    """Return the rule of `sort`, given its slopes at (element, place)."""

    def pull(np: Any, g: Array, ans: Array, x: Array) -> tuple[Array, ...]:
        return (np.sum(slopes(np, x) * np.reshape(g, (1, 5)), axis=1),)

    return pull


def in_both_orders(np: Any, x: Array) -> Array:
    """Return (n, n): the places of the elements, times 2 but for ties."""
    return ranks(np, x, FIRST) + ranks(np, x, FIRST.T)


SORTED = Function(
    "sorted",
    lambda np, x: np.sum(ranks(np, x, FIRST) * np.reshape(x, (5, 1)), axis=0),
    of_sort(lambda np, x: ranks(np, x, FIRST)),
    (numpy.array([2.0, 1.0, 2.0, 0.5, 1.0]),),
)
FAIR_ORDERS = {
    "the last of equals first": lambda np, x: ranks(np, x, FIRST.T),
    "equals share their places": lambda np, x: in_both_orders(np, x) / 2,
}
UNFAIR_ORDERS = {
    "zero at a tie": lambda np, x: 1.0 * (in_both_orders(np, x) > 1),
    "each tie gets all": lambda np, x: 1.0 * (in_both_orders(np, x) > 0),
    "equals share the first place": lambda np, x: ranks(np, x, NONE),
}

# -- smooth at the tie, or of several extremes -----------------------------------------


def share(weight: float) -> Shares:
    """Return the shares that give some of g to each tie and 0.1 to the others."""
    return lambda np, hit: hit * weight + 0.1 * (1 - hit)


def negated(function: Function) -> Pull:
    """Return the right rule, negated."""
    return changed(function, lambda np, x_bar, *_: -x_bar)


SEVERAL: list[Row] = [
    (f.TOP, "each tie gets all", of_extreme(lambda np, hit: hit)),
    (f.TOP, "no tie gets any", of_extreme(lambda np, hit: 0 * hit)),
    (f.TOP, "the losers get it", of_extreme(lambda np, hit: 1 - hit)),
    (f.TOP, "negated", negated(f.TOP)),
    (f.TOP, "the losers get some", of_extreme(share(0.5))),
    (f.SPREAD, "no tie gets any", lambda np, g, ans, x: (0 * g * x,)),
    (f.SPREAD, "negated", negated(f.SPREAD)),
    (f.SHRUNK, "1 at both ends", changed(f.SHRUNK, at_ends(1.0))),
    (f.SHRUNK, "-1 at both ends", changed(f.SHRUNK, at_ends(-1.0))),
    (f.HINGE, "1 at the tie", changed(f.HINGE, where_equal(1.0))),
    (
        f.HINGE,
        "0.01 at the tie, second argument",
        changed(f.HINGE, where_equal(0.01), 1),
    ),
    (f.SIGNED_SQUARE, "1 at zero", changed(f.SIGNED_SQUARE, at_zero(1.0))),
    (f.SIGNED_SQUARE, "0.01 at zero", changed(f.SIGNED_SQUARE, at_zero(0.01))),
]

TIED = [
    LARGER,
    SMALLER,
    APART,
    RAMP,
    BEND,
    CLAMPED,
    LARGEST,
    SMALLEST,
    FURTHEST,
    SORTED,
]
TIES: list[Row] = [
    *SEVERAL,
    *of_pairs(UNFAIR_PARTS),
    *slopes_apart((1.0, 1.0), (1.0, 0.0), (2.0, -2.0)),
    *of_kinks([1.02, 2.0, -1.0], [2.0, -1.5]),
    *of_extremes(UNFAIR_SHARES),
    *[(SORTED, name, of_sort(slopes)) for name, slopes in UNFAIR_ORDERS.items()],
]
FAIR: list[Row] = [
    *[(function, "as it is", function.pull) for function in TIED],
    *of_pairs(FAIR_PARTS),
    *slopes_apart((1.0, -1.0), (-1.0, 1.0), (0.3, -0.3)),
    *of_kinks([1.0, 0.5, 0.1], [1.0, -1.0, 0.3]),
    *of_extremes(FAIR_SHARES),
    *[(SORTED, name, of_sort(slopes)) for name, slopes in FAIR_ORDERS.items()],
]
