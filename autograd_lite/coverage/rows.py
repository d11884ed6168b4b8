"""A row of the table for every public name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import ArgumentError, AutogradError
from .measure import Measured, keywords, measured, optional, traced
from .names import NAMESPACES, calls_by_name, public_names

DIFFERENTIABLE = "differentiable"
WITHOUT_GRADIENT = "without gradient"
IMPOSSIBLE = "impossible"
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Row:
    """What holds for a public name.

    `status` is one of the four above; "unknown" means that there is no sample call, or
    one that does not do what it is listed for. Of the derivatives (None where they were
    not checked, or do not exist) each holds for all sample calls. `keywords` are the
    optional parameters that the calls give, `unchecked` those that they don't.
    """

    namespace: str
    name: str
    status: str
    calls: int = 0
    gradient: bool | None = None
    forward: bool | None = None
    second: bool | None = None
    float32: bool | None = None
    complex: bool | None = None
    keywords: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()


def coverage(
    namespaces: Iterable[str] | None = None, *, derivatives: bool = True
) -> list[Row]:
    """Return a row for every public name, by running the sample calls.

    Args:
        namespaces: some of "numpy", "numpy.linalg", "scipy.special" and so on; all when
            None.
        derivatives: check derivatives against finite differences, which takes a minute
            for all; without, only the status is found out.

    >>> [row.name for row in coverage(["numpy.fft"], derivatives=False)][:2]
    ['fft', 'fft2']
    """
    chosen = list(NAMESPACES if namespaces is None else namespaces)
    unknown = set(chosen) - set(NAMESPACES)
    if unknown:
        raise ArgumentError(
            f"no namespace {', '.join(sorted(unknown))}: expected some of "
            f"{', '.join(NAMESPACES)}"
        )
    return [
        row_of(namespace, name, value, derivatives)
        for namespace in chosen
        for name, value in public_names(namespace).items()
    ]


def row_of(namespace: str, name: str, value: Any, derivatives: bool) -> Row:
    """Return the row of one name, which stands for `value`."""
    known = NAMESPACES[namespace]
    full = f"{known.prefix}.{name}"
    calls = calls_by_name(namespace, "calls").get(name, [])
    once = calls_by_name(namespace, "once").get(name, [])
    if calls or once:
        if not any(_traced(c) for c in [*calls, *once]):
            return Row(namespace, name, UNKNOWN)
        given = set().union(*[keywords(c, full) for c in [*calls, *once]])
        left = optional(full) - given
        cells: dict[str, Any] = {}
        if derivatives:
            found = [measured(c, 2, known.real) for c in calls]
            cells = _cells([*found, *[measured(c, 1, known.real) for c in once]])
        return Row(
            *(namespace, name, DIFFERENTIABLE, len(calls) + len(once)),
            **cells,
            keywords=tuple(sorted(given)),
            unchecked=tuple(sorted(left)),
        )
    return Row(namespace, name, _status(namespace, name, value))


def _status(namespace: str, name: str, value: Any) -> str:
    """Return the status of a name that is not differentiable."""
    constant = calls_by_name(namespace, "without_gradient").get(name, [])
    refused = calls_by_name(namespace, "impossible").get(name, [])
    if constant:
        return UNKNOWN if any(_traced(c) for c in constant) else WITHOUT_GRADIENT
    if refused:
        return IMPOSSIBLE if all(_refused(c) for c in refused) else UNKNOWN
    is_function = callable(value) and not isinstance(value, type)
    if not is_function or name in NAMESPACES[namespace].no_arrays:
        return WITHOUT_GRADIENT
    return UNKNOWN


def _traced(expression: str) -> bool:
    try:
        return traced(expression)
    except AutogradError:
        return False


def _refused(expression: str) -> bool:
    """Return whether a call refuses traced arrays with an error of ours."""
    try:
        traced(expression)
    except AutogradError:
        return True
    return False


def _cells(found: Sequence[Measured]) -> dict[str, bool | None]:
    """Return what holds for all calls; for complex numbers, all that take them."""
    both = [m.complex for m in found if m.complex is not None]
    return {
        "gradient": all(m.gradient for m in found),
        "forward": all(m.forward for m in found),
        "second": all(m.second for m in found),
        "float32": all(m.float32 for m in found),
        "complex": all(both) if both else None,
    }
