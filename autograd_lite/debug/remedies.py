"""What helps against a NaN or Inf, by the operation that produced it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

Test = Callable[[Sequence[Any]], bool]


class Remedy(NamedTuple):
    """Advice for some operations, in one direction, where the arguments pass a test."""

    names: str
    direction: str  # "forward", "backward" (also of tangents) or "" for both
    applies: Test
    text: str


def _any(test: Callable[[Any], Any], number: int = 0) -> Test:
    """Return the test of whether one argument has an element that passes."""
    return lambda args: len(args) > number and bool(np.any(test(args[number])))


def _always(args: Sequence[Any]) -> bool:
    return True


def _any_inf(args: Sequence[Any]) -> bool:
    return any(bool(np.isinf(x).any()) for x in args if np.asarray(x).dtype.kind in "f")


_zero = _any(lambda x: x == 0)
_negative = _any(lambda x: np.real(x) < 0)
_at_one = _any(lambda x: np.abs(x) == 1)
_beyond_one = _any(lambda x: np.abs(x) > 1)

INFINITE: Final = (
    "g was infinite already, and 0 times infinity is NaN: debug_nans(inf=True) stops "
    "where that arose"
)
UNTAKEN: Final = (
    "g is 0 there, as in a branch that np.where did not take, and 0 times infinity is "
    "NaN: np.safe_where(condition, f, g, x) keeps each branch to its own elements"
)

# The first that applies is given.
REMEDIES: Final = [
    Remedy(
        "sqrt",
        "forward",
        _negative,
        "a square root of a negative number: np.abs or np.maximum(x, 0) first, or "
        "np.var in place of mean(x**2) - mean(x)**2, which rounding makes negative",
    ),
    Remedy(
        "sqrt",
        "backward",
        _zero,
        "the slope of sqrt at 0 is infinite. np.linalg.norm and np.hypot have gradient "
        "0 there, np.std too; or np.sqrt(x + eps)",
    ),
    Remedy(
        "cbrt",
        "backward",
        _zero,
        "the slope of cbrt at 0 is infinite: keep away from 0, with + eps or np.where",
    ),
    Remedy(
        "log log2 log10",
        "",
        _negative,
        "a logarithm of a negative number: np.abs, np.clip(x, eps, None) or nn.softplus"
        " before it",
    ),
    Remedy(
        "log log2 log10",
        "",
        _zero,
        "the logarithm of 0: np.log(x + eps) or np.clip(x, eps, None); of "
        "probabilities nn.log_softmax or nn.cross_entropy from the logits; of "
        "a sum of exponentials np.logaddexp or scipy.special.logsumexp; np.log1p(x) "
        "for log(1 + x); np.safe_where where only some elements are meant",
    ),
    Remedy(
        "log1p",
        "",
        _any(lambda x: np.real(x) <= -1),
        "log1p needs x > -1: np.clip(x, -1 + eps, None)",
    ),
    Remedy(
        "exp expm1 exp2 sinh cosh",
        "",
        _any(lambda x: np.real(x) > 80),
        "the exponential overflows: nn.softmax, scipy.special.logsumexp and "
        "nn.cross_entropy subtract the maximum first; nn.sigmoid, nn.softplus "
        "and np.logaddexp don't overflow; or np.clip(x, None, 80)",
    ),
    Remedy(
        "divide true_divide reciprocal remainder fmod floor_divide",
        "",
        _any(lambda y: np.asarray(y) == 0, 1),
        "a division by 0: x / (y + eps), np.safe_where(y != 0, ...); to normalise, "
        "x / np.maximum(norm, eps)",
    ),
    Remedy("reciprocal", "", _zero, "a division by 0: 1 / (x + eps) or np.safe_where"),
    Remedy(
        "power float_power",
        "",
        _negative,
        "a negative base has no real power with a fraction as exponent, nor a "
        "derivative by the exponent: np.abs(x)**y, or an exponent that is an int and "
        "is not differentiated",
    ),
    Remedy(
        "power float_power",
        "",
        _zero,
        "at a base of 0, x**y is infinite for y < 0 and so is its slope for y < 1: "
        "(x + eps)**y, or for y = 0.5 of a sum of squares np.linalg.norm or np.hypot",
    ),
    Remedy(
        "arcsin arccos arctanh",
        "forward",
        _beyond_one,
        "the argument left [-1, 1], by rounding perhaps: np.clip(x, -1, 1); of an "
        "angle between vectors np.arctan2(norm of cross, dot)",
    ),
    Remedy(
        "arcsin arccos arctanh",
        "",
        _at_one,
        "the slope at -1 and 1 is infinite: np.clip(x, -1 + eps, 1 - eps), or for the "
        "angle between vectors np.arctan2(norm of cross, dot)",
    ),
    Remedy(
        "arccosh",
        "",
        _any(lambda x: np.real(x) <= 1),
        "arccosh needs x > 1: np.maximum(x, 1 + eps)",
    ),
    Remedy("norm power_norm hypot", "backward", _always, "policy(norm0=0)"),
    Remedy("std", "backward", _always, "policy(std0=0), or np.sqrt(np.var(x) + eps)"),
    Remedy("arctan2 angle", "backward", _always, "policy(angle0=0)"),
    Remedy("absolute fabs", "backward", _always, "policy(abs0=0)"),
    Remedy(
        "logsumexp softmax log_softmax max",
        "",
        _any_inf,
        "a row of nothing but -inf, as of a mask that hides all: mask with a large "
        "negative number, or leave such rows out",
    ),
    Remedy(
        "tan gamma psi digamma gammaln",
        "",
        _always,
        "a pole: keep the argument away from it, with np.clip or np.safe_where",
    ),
    Remedy(
        "add subtract multiply divide",
        "",
        _any_inf,
        "Inf - Inf, 0 * Inf and Inf / Inf are NaN: the Inf came in with the inputs",
    ),
    Remedy(
        "multiply add subtract sum square matmul dot tensordot einsum conv conv_bias",
        "",
        _always,
        "an overflow: smaller steps, optim.clip_by_global_norm, or float64",
    ),
    Remedy(
        "checkpoint",
        "",
        _always,
        "run it without checkpoint to learn which operation inside of it is meant",
    ),
]


def remedy(
    name: str, direction: str, args: Sequence[Any], incoming: Sequence[Any]
) -> str:
    """Return the advice for an operation, or "".

    `incoming` are the cotangents (or tangents) that a derivative rule was given where
    its result is not finite.

    >>> remedy("norm", "backward", [np.zeros(2)], [np.ones(())])
    'policy(norm0=0)'
    """
    found = [
        r.text
        for r in REMEDIES
        if name.split()[0] in r.names.split()
        and r.direction in ("", direction)
        and r.applies(args)
    ][:1]
    if direction == "backward" and any(_any(lambda g: g == 0)([g]) for g in incoming):
        found.append(UNTAKEN)
    if direction == "backward" and _any_inf(incoming):
        return INFINITE
    return "; ".join(reversed(found))
