"""What the wrong elements of a derivative have in common, in words."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np

from .report import Element

SAME: Final = 1e-5  # relative difference of elements that are taken for equal
FACTORS: Final = {
    0.0: "it is missing",
    -1.0: "a wrong sign",
    2.0: "it is counted twice",
    0.5: "half of it is missing",
    -2.0: "a wrong sign, and twice",
    -0.5: "a wrong sign, and half",
}

Table = Sequence[Element]


def common_pattern(table: Table, out_shapes: Sequence[tuple[int, ...]] = ()) -> str:
    """Return what explains the difference of the derivatives; "" if nothing does.

    The table has elements of one argument. A factor that all share is named, and the
    axis or array that has just as many elements; so is a transposition, a reversal or
    shift along an axis, an offset; else where the wrong elements lie.
    """
    usable = [e for e in table if math.isfinite(e.analytic + e.numerical)]
    wrong = [e for e in usable if not _equal(e.analytic, e.numerical, e.error)]
    if not wrong:
        return ""
    factor = _factor(usable)
    if factor is not None:
        return _named_factor(factor, usable[0], out_shapes, "at every element")
    if len(usable) == math.prod(usable[0].shape):
        moved = next(_rearrangements(usable), "")
        if moved:
            return moved
    if len(wrong) == len(usable):
        return _offset(wrong)
    place = f"{len(wrong)} of {len(usable)} elements are wrong{_place(wrong, usable)}"
    factor = _factor(wrong)
    if factor is None:
        return place
    return f"{place}; {_named_factor(factor, wrong[0], out_shapes, 'there')}"


def _equal(a: Any, b: Any, error: Any) -> Any:
    return abs(a - b) <= 5 * error + SAME * np.maximum(abs(a), abs(b))


def _factor(table: Table) -> float | None:
    """Return the ratio that all elements share, if they do."""
    sure = [e for e in table if abs(e.numerical) > 1e3 * e.error]
    if not sure or not all(_is_zero(e) for e in table if e not in sure):
        return None
    found = float(np.median([e.analytic / e.numerical for e in sure]))
    shared = all(
        _equal(e.analytic, found * e.numerical, abs(found) * e.error) for e in sure
    )
    return found if shared else None


def _is_zero(element: Element) -> bool:
    return abs(element.analytic) <= 5 * element.error


def _named_factor(
    factor: float, element: Element, out_shapes: Sequence[tuple[int, ...]], where: str
) -> str:
    name = next((n for f, n in FACTORS.items() if abs(factor - f) < 1e-4), None)
    name = name or _count(factor, element, out_shapes)
    return f"the ratio is {_number(factor)} {where}{f': {name}' if name else ''}"


def _number(factor: float) -> str:
    if 0 < abs(factor) < 0.9 and abs(1 / factor - round(1 / factor)) < 1e-3:
        return f"{'-' if factor < 0 else ''}1/{abs(round(1 / factor))}"
    return f"{factor:.5g}"


def _count(
    factor: float, element: Element, out_shapes: Sequence[tuple[int, ...]]
) -> str:
    """Return which count of elements a factor is, or the inverse of one."""
    for name, n in _counts(element, out_shapes):
        if n > 1 and abs(factor * n - 1) < 1e-4:
            return f"{n} is {name}; a mean where a sum was meant?"
        if n > 1 and abs(factor / n - 1) < 1e-4:
            return f"{n} is {name}; a sum where a mean was meant, or summed twice?"
    return ""


def _counts(
    element: Element, out_shapes: Sequence[tuple[int, ...]]
) -> Iterator[tuple[str, int]]:
    yield "the number of elements of the argument", math.prod(element.shape)
    for shape in out_shapes:
        yield "the number of elements of the result", math.prod(shape)
    for axis, n in enumerate(element.shape):
        yield f"the length of the argument's axis {axis}", n
    for shape in out_shapes:
        for axis, n in enumerate(shape):
            yield f"the length of the result's axis {axis}", n


def _rearrangements(table: Table) -> Iterator[str]:
    """Yield how the true elements would have to be moved to give the wrong ones."""
    shape = table[0].shape
    a, n, error = (
        np.reshape([getattr(e, name) for e in table], shape)
        for name in ("analytic", "numerical", "error")
    )
    error = error.max()
    for i, j in itertools.combinations(range(len(shape)), 2):
        swapped = np.swapaxes(n, i, j).reshape(shape)
        if _equal(a, swapped, error).all():
            yield f"transposed: axes {i} and {j} of the derivative are interchanged"
        if _equal(a, -swapped, error).all():
            yield f"transposed (axes {i} and {j}), and of the wrong sign"
    for axis in range(len(shape)):
        if _equal(a, np.flip(n, axis), error).all():
            yield f"reversed along axis {axis}"
        for shift in (1, -1):
            if _equal(a, np.roll(n, shift, axis), error).all():
                yield f"shifted by {shift} along axis {axis}"
    if _equal(a, abs(n), error).all():
        yield "the magnitude of the true derivative: a sign was lost"


def _offset(table: Table) -> str:
    gaps = np.array([e.analytic - e.numerical for e in table])
    middle = float(np.median(gaps))
    error = max(e.error for e in table)
    if len(table) > 1 and np.all(abs(gaps - middle) <= 5 * error + 1e-4 * abs(middle)):
        return f"off by {middle:.5g} at every element"
    return ""


def _place(wrong: Table, usable: Table) -> str:
    """Say where the wrong elements lie, if that is a place with a name."""
    right = [e for e in usable if e not in wrong]
    for name, holds in (
        ("those where x is negative", lambda e: e.x.real < 0),
        ("those where x is positive", lambda e: e.x.real > 0),
        ("those where x is zero", lambda e: e.x == 0),
    ):
        if all(holds(e) for e in wrong) and not any(holds(e) for e in right):
            return f", {name}"
    shape = wrong[0].shape
    last = tuple([n - 1 for n in shape])
    if len(wrong) == 1 and wrong[0].index in (last, (0,) * len(shape)):
        return f", the {'last' if wrong[0].index == last else 'first'} one"
    for axis, n in enumerate(shape):
        for at, name in ((n - 1, "last"), (0, "first")):
            if n > 1 and all(e.index[axis] == at for e in wrong):
                return f", all at the {name} index of axis {axis}"
    borders = all(_at_border(e.index, shape) for e in wrong)
    if borders and not any(_at_border(e.index, shape) for e in right):
        return ", those at the border"
    return ""


def _at_border(index: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    return any(i in (0, n - 1) for i, n in zip(index, shape))
