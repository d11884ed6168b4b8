"""Batching rules that families of primitives share.

Inside a rule the mapped axis comes first, in the arguments that have it and in the
result. What has to be said of a primitive is which of its axes it works on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..core import Primitive, defbatch
from .basic import align, broadcast_to, reshape

Batched = Sequence[bool]


def every(size: int, args: Sequence[Any], batched: Batched) -> list[Any]:
    """Return all arguments with the mapped axis; where there was none, by a view."""
    return [
        x if b else broadcast_to(x, shape=(size, *x.shape))
        for x, b in zip(args, batched)
    ]


def fold(x: Any) -> Any:
    """Return x with its first two axes as one."""
    return reshape(x, shape=(x.shape[0] * x.shape[1], *x.shape[2:]))


def unfold(x: Any, size: int) -> Any:
    """Return x with its first axis split into `size` parts: the inverse of `fold`."""
    return reshape(x, shape=(size, x.shape[0] // size, *x.shape[1:]))


def outputs(ans: Any, change: Any) -> Any:
    """Apply `change` to the result of a primitive, or to each of several."""
    return tuple([change(y) for y in ans]) if isinstance(ans, tuple) else change(ans)


def batch_stacks(*primitives: Primitive) -> None:
    """Define `vmap` for primitives that treat leading axes as a stack.

    Where there are several arguments, they have all leading axes.
    """
    for primitive in primitives:
        defbatch(primitive, _on_stack(primitive))


def _on_stack(primitive: Primitive) -> Any:
    def rule(size: int, args: Any, batched: Batched, /, **params: Any) -> Any:
        return primitive(*every(size, args, batched), **params)

    return rule


def batch_broadcasts(*primitives: Primitive) -> None:
    """Define `vmap` for constants to derivatives that work element by element."""
    for primitive in primitives:
        defbatch(
            primitive,
            lambda size, args, batched, /, _fun=primitive, **params: _fun(
                *align(args, batched), **params
            ),
        )


def batch_along_axes(*primitives: Primitive) -> None:
    """Define `vmap` for primitives with `axis`, an int or ints counted from the front.

    Arguments have equal numbers of axes, but for the mapped one.
    """
    for primitive in primitives:
        defbatch(primitive, _along_axes(primitive))


def _along_axes(primitive: Primitive) -> Any:
    def rule(
        size: int, args: Any, batched: Batched, /, *, axis: Any, **params: Any
    ) -> Any:
        next_axis = axis + 1 if isinstance(axis, int) else next_axes(axis)
        return primitive(*every(size, args, batched), axis=next_axis, **params)

    return rule


def next_axes(axis: Sequence[int]) -> tuple[int, ...]:
    """Return the places of axes behind one axis more."""
    return tuple([i + 1 for i in axis])


def batch_rows(*primitives: Primitive) -> None:
    """Define `vmap` for primitives that treat axis 0 as independent items.

    The mapped axis is folded into it: n items for each of `size` become size * n.
    """
    for primitive in primitives:
        defbatch(primitive, _on_rows(primitive))


def _on_rows(primitive: Primitive) -> Any:
    def rule(size: int, args: Any, batched: Batched, /, **params: Any) -> Any:
        rows = [fold(x) for x in every(size, args, batched)]
        return outputs(primitive(*rows, **params), lambda y: unfold(y, size))

    return rule
