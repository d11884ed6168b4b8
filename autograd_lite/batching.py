"""Batching: tracers that stand for one element of an array along its leading axis.

A primitive applies its batching rule if it has one. Elementwise primitives need none:
their arguments are aligned, and broadcast. Where there is no rule, or the rule returns
NotImplemented, the primitive is applied in a loop and the results are stacked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .core import Primitive, Trace, Tracer, check_alive
from .errors import ArgumentError, TracerConversionError
from .ops.basic import align, broadcast_to, stack, transpose
from .ops.index import getitem
from .reverse import as_array


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


def loop(
    primitive: Primitive,
    size: int,
    values: Sequence[Any],
    batched: Sequence[bool],
    params: dict[str, Any],
) -> Any:
    """Apply a primitive to each element in turn, and stack the results."""
    results = [
        primitive(
            *[getitem(v, i) if b else v for v, b in zip(values, batched)], **params
        )
        for i in range(size)
    ]
    if primitive.multiple:
        return tuple([stack(*parts) for parts in zip(*results, strict=True)])
    return stack(*results)


def vmap_flat(
    fun: Callable[..., Sequence[Any]],
    values: Sequence[Any],
    batched: Sequence[bool],
    size: int,
) -> list[Any]:
    """Map `fun` over axis 0 of the batched values; results have the axis in front."""
    trace = BatchTrace(size)
    try:
        args = [Batched(trace, v) if b else v for v, b in zip(values, batched)]
        outs = [as_array(out) for out in fun(*args)]
    finally:
        trace.open = False
    return [_collect(trace, out) for out in outs]


def _collect(trace: BatchTrace, out: Any) -> Any:
    """Return all elements of an output; one that does not depend on them, repeated."""
    if isinstance(out, Batched) and out.owner is trace:
        return out.value
    check_alive(out, "the result")
    return broadcast_to(out, shape=(trace.size, *out.shape))


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
