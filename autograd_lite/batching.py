"""Batching: tracers that stand for one element of an array along its leading axis.

A primitive applies its batching rule if it has one. Elementwise primitives need none:
their arguments are aligned, and broadcast. Where there is no rule, or the rule returns
NotImplemented, the primitive is applied in a loop and the results are stacked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

from .core import Primitive, Trace, Tracer, check_alive
from .errors import (
    ArgumentError,
    MissingRuleError,
    PerformanceWarning,
    ShapeError,
    TracerConversionError,
)
from .ops.basic import align, broadcast_to, stack, transpose
from .ops.index import getitem
from .reverse import as_array
from .source import warn

FALLBACKS: Final = ("loop", "warn", "raise")
_FALLBACK: Final[ContextVar[str]] = ContextVar("fallback", default="loop")


@contextmanager
def fallback_is(fallback: str | None) -> Iterator[None]:
    """Set what the maps inside do where there is no rule; None leaves it as it is."""
    if fallback is None:
        yield
        return
    if fallback not in FALLBACKS:
        raise ArgumentError(f"fallback={fallback!r}: expected one of {FALLBACKS}")
    token = _FALLBACK.set(fallback)
    try:
        yield
    finally:
        _FALLBACK.reset(token)


class Batched(Tracer):
    """One element of `value` along axis 0, for all of them at once."""

    __slots__ = ()

    def __init__(self, trace: BatchTrace, value: Any) -> None:
        self.owner = trace
        self.value = value

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one element."""
        return self.value.shape[1:]

    def __bool__(self) -> bool:
        raise TracerConversionError(
            "the truth value inside vmap differs from element to element: write "
            "np.where(condition, a, b) instead of if"
        )

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        if self.dtype.kind in "iub":
            raise TracerConversionError(
                "an array inside vmap differs from element to element, and was about "
                "to be turned into a plain one. To index a plain array with it, write "
                "np.take(table, i, axis=0) instead of table[i]."
            )
        return super().__array__(*args, **kwargs)

    def __repr__(self) -> str:
        return f"Batched(shape={self.shape}, of {self.value!r})"


class BatchTrace(Trace):
    """Applies each primitive to all elements of an axis of length `size`."""

    __slots__ = ("size",)

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def process(
        self, primitive: Primitive, args: tuple[Any, ...], params: dict[str, Any]
    ) -> Any:
        """Apply a primitive by its batching rule, or in a loop."""
        self.check_open(primitive)
        batched = [isinstance(a, Batched) and a.owner is self for a in args]
        values = [a.value if b else a for a, b in zip(args, batched)]
        ans = NotImplemented
        if primitive.batch is not None:
            ans = primitive.batch(self.size, values, batched, **params)
        elif primitive.broadcasts:
            ans = primitive(*align(values, batched), **params)
        if ans is NotImplemented:
            ans = loop(primitive, self.size, values, batched, params)
        if primitive.multiple:
            return tuple([Batched(self, a) for a in ans])
        return Batched(self, ans)


# The kind of trace that functions are mapped in; debugging sets another.
BATCH_TRACE: Final[ContextVar[type[BatchTrace]]] = ContextVar(
    "BATCH_TRACE", default=BatchTrace
)


def loop(
    primitive: Primitive,
    size: int,
    values: Sequence[Any],
    batched: Sequence[bool],
    params: dict[str, Any],
) -> Any:
    """Apply a primitive to each element in turn, and stack the results."""
    _announce(primitive)
    results = [
        primitive(
            *[getitem(v, i) if b else v for v, b in zip(values, batched)], **params
        )
        for i in range(size)
    ]
    if primitive.multiple:
        columns = zip(*results, strict=True)
        return tuple([_stacked(primitive, parts) for parts in columns])
    return _stacked(primitive, results)


def _announce(primitive: Primitive) -> None:
    """Warn of a loop, or refuse it, as `fallback` has it."""
    fallback = _FALLBACK.get()
    remedy = (
        "Give it a rule with defbatch, which maps it over a leading axis at once, or "
        'accept the loop with fallback="loop".'
    )
    if fallback == "raise":
        raise MissingRuleError(
            f"vmap has no batching rule for {primitive.name} with such arguments. "
            f"{remedy}"
        )
    if fallback == "warn":
        warn(
            f"vmap applies {primitive.name} in a loop over all elements, because there "
            f"is no batching rule for it. {remedy}",
            PerformanceWarning,
        )


def _stacked(primitive: Primitive, results: Sequence[Any]) -> Any:
    arrays = [as_array(y) for y in results]
    shapes = {y.shape for y in arrays}
    if len(shapes) > 1:
        raise ShapeError(
            f"inside vmap {primitive.name} returned arrays of several shapes, "
            f"{sorted(shapes)}, for different elements; they cannot be one array. Use "
            "operations whose shapes don't depend on values, such as "
            "np.where(mask, x, 0) instead of x[mask]."
        )
    return stack(*arrays)


def map_flat(
    fun: Callable[..., Sequence[Any]],
    values: Sequence[Any],
    batched: Sequence[bool],
    size: int,
) -> list[tuple[Any, bool]]:
    """Map `fun` over axis 0 of the batched values.

    Returns each result, and whether it differs from element to element; if so, its axis
    0 is the mapped one.
    """
    trace = BATCH_TRACE.get()(size)
    try:
        args = [Batched(trace, v) if b else v for v, b in zip(values, batched)]
        outs = [as_array(out) for out in fun(*args)]
    finally:
        trace.open = False
    mine = [isinstance(out, Batched) and out.owner is trace for out in outs]
    for out, m in zip(outs, mine):
        if not m:
            check_alive(out, "the result")
    return [(out.value if m else out, m) for out, m in zip(outs, mine)]


def vmap_flat(
    fun: Callable[..., Sequence[Any]],
    values: Sequence[Any],
    batched: Sequence[bool],
    size: int,
) -> list[Any]:
    """Map `fun` over axis 0 of the batched values; results have the axis in front."""
    return [repeated(*out, size) for out in map_flat(fun, values, batched, size)]


def repeated(y: Any, is_mapped: bool, size: int) -> Any:
    """Return all elements of an output; one that is the same for all, repeated."""
    return y if is_mapped else broadcast_to(y, shape=(size, *y.shape))


def move_axis(x: Any, source: int, destination: int) -> Any:
    """Return x with one axis moved; negative axes count from the end."""
    if not (-x.ndim <= source < x.ndim and -x.ndim <= destination < x.ndim):
        raise ArgumentError(
            f"axis {source} to {destination}: an array of shape {x.shape} has no such"
        )
    source, destination = source % x.ndim, destination % x.ndim
    if source == destination:
        return x
    axes = [i for i in range(x.ndim) if i != source]
    axes.insert(destination, source)
    return transpose(x, axes=tuple(axes))
