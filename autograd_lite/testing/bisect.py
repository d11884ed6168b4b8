"""The smallest part of the arguments for which a derivative is wrong."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .given import gradient_report
from .grads import check_grads
from .patterns import common_pattern
from .probe import Probe
from .report import WRONG, Finding
from .spaces import Arrays
from .verdict import SAMPLE, agrees, elements


@dataclass(frozen=True)
class Box:
    """A box of elements of one argument that holds all whose derivative is wrong.

    `array[box.index]` are these elements.
    """

    argument: str
    index: tuple[slice, ...]
    shape: tuple[int, ...]  # of the argument
    pattern: str

    @property
    def size(self) -> int:
        """The number of elements inside."""
        return math.prod([s.stop - s.start for s in self.index])

    def __str__(self) -> str:
        ranges = [_range(s, n) for s, n in zip(self.index, self.shape)]
        place = f"[{', '.join(ranges)}]" if ranges else ""
        count = f"{self.size} of {math.prod(self.shape)} elements"
        return f"argument {self.argument!r}{place} ({count}): {self.pattern or 'wrong'}"


def _range(part: slice, n: int) -> str:
    if part.stop - part.start == 1:
        return str(part.start)
    if (part.start, part.stop) == (0, n):
        return ":"
    return f"{part.start}:{part.stop}"


def bisect_grads(
    f: Callable[..., Any],
    grad_f: Callable[..., Any] | None,
    x: Any,
    *,
    rtol: float | None = None,
    atol: float = 0.0,
    seed: int | np.random.Generator = 0,
) -> list[Box]:
    """Return the smallest box of each argument that holds all wrong derivatives.

    The arguments are those of `check_gradient`; with None in place of `grad_f` the
    function is traced. Arguments without a wrong derivative are left out, so that an
    empty list says that nothing wrong was found. A box takes about four evaluations per
    halving of each axis.

    >>> import numpy as np
    >>> def gradient(x):
    ...     x_bar = 2 * x
    ...     x_bar[1, 2:] = 0
    ...     return x_bar
    >>> (box,) = bisect_grads(lambda x: (x**2).sum(), gradient, np.ones((3, 4)))
    >>> print(box)
    argument '0'[1, 2:4] (2 of 12 elements): the ratio is 0: it is missing
    """
    if grad_f is None:
        args = (f, x, 1, ("rev",))
        report = check_grads(*args, rtol=rtol, atol=atol, seed=seed, report=True)
    else:
        report = gradient_report(f, grad_f, x, rtol, atol, seed)
    if report.verdict != WRONG or report.finding.probe is None:
        return []
    return boxes(report.finding)


def boxes(finding: Finding) -> list[Box]:
    """Return the boxes of wrong elements that explain a finding."""
    probe = finding.probe
    if probe is None:
        return []
    found = [_box(probe, leaf) for leaf, x in enumerate(probe.xs) if x.size]
    return [box for box in found if box is not None]


def _box(probe: Probe, leaf: int) -> Box | None:
    shape = probe.xs[leaf].shape
    index = [slice(0, n) for n in shape]
    if _fine(probe, leaf, index):
        return None
    for axis in range(len(shape)):
        index[axis] = _narrowed(probe, leaf, index, axis)
    inside = np.arange(math.prod(shape)).reshape(shape)[tuple(index)].ravel()
    table = elements(probe, leaf, inside[:SAMPLE].tolist())
    pattern = common_pattern(table, [y.shape for y in probe.ys])
    pattern = pattern.replace(" at every element", "")
    return Box(probe.level.names[leaf], tuple(index), shape, pattern)


def _narrowed(probe: Probe, leaf: int, index: list[slice], axis: int) -> slice:
    """Return the range along an axis without what is right at both of its ends."""

    def fine(start: int, stop: int) -> bool:
        part = [*index[:axis], slice(start, stop), *index[axis + 1 :]]
        return _fine(probe, leaf, part)

    start, stop = index[axis].start, index[axis].stop
    low = _last(start, stop - 1, lambda i: fine(start, i))
    high = stop - _last(0, stop - low - 1, lambda i: fine(stop - i, stop))
    return slice(low, high)


def _last(low: int, high: int, holds: Callable[[int], bool]) -> int:
    """Return the largest number in [low, high] for which `holds`, true at `low`."""
    while low < high:
        middle = (low + high + 1) // 2
        if holds(middle):
            low = middle
        else:
            high = middle - 1
    return low


def _fine(probe: Probe, leaf: int, index: list[slice]) -> bool:
    """Return whether the derivative along the elements of a box is right."""
    us: Arrays = [np.zeros_like(u) for u in probe.us]
    us[leaf][tuple(index)] = probe.us[leaf][tuple(index)]
    if not us[leaf][tuple(index)].size:
        return True
    analytic = probe.analytic(us)
    enough = probe.tolerance(analytic, 0.0) / 10
    return agrees(probe, analytic, probe.numerical(us, analytic, enough))
