"""Forward mode: tracers that carry a tangent beside their value.

A primitive without a JVP rule gets it from its VJP: the pullback is linear, so
differentiating `g -> pullback(g)` once more, in reverse, gives the JVP (J. Townsend,
2017, "A new trick for calculating Jacobian vector products").
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any, Final

import numpy as np

from .core import Primitive, Trace, Tracer, check_alive
from .errors import RuleError
from .ops.basic import add, cast, conform
from .reverse import Tape, as_array, pullback_of, slot_of


class Dual(Tracer):
    """A value and its tangent."""

    __slots__ = ("tangent",)

    def __init__(self, trace: DualTrace, value: Any, tangent: Any) -> None:
        self.owner = trace
        self.value = value
        self.tangent = tangent


class DualTrace(Trace):
    """Pushes tangents through each primitive as it runs."""

    __slots__ = ()

    def process(
        self, primitive: Primitive, args: tuple[Any, ...], params: dict[str, Any]
    ) -> Any:
        """Apply a primitive to the values, and its linearisation to the tangents."""
        if not self.open:
            self.check_open(primitive)
        values: list[Any] = []
        argnums: list[int] = []
        tangents: list[Any] = []
        apply: Callable[..., Any] = primitive.impl
        for i, arg in enumerate(args):
            if isinstance(arg, Dual) and arg.owner is self:
                argnums.append(i)
                tangents.append(arg.tangent)
                arg = arg.value
            if isinstance(arg, Tracer):  # of an enclosing transformation
                apply = primitive
            values.append(arg)
        ans = apply(*values, **params)
        if not primitive.differentiable:
            return ans
        dots = push(primitive, ans, values, params, argnums, tangents)
        if not primitive.multiple:
            return Dual(self, as_array(ans), dots)
        return tuple([Dual(self, as_array(a), d) for a, d in zip(ans, dots)])

    def results(
        self, name: str, args: Sequence[Any], outs: Sequence[Any], dots: Sequence[Any]
    ) -> list[Dual]:
        """Return what a user's rule, `name`, made of `args`: values and tangents."""
        return [Dual(self, out, dot) for out, dot in zip(outs, dots)]


# The kind of trace that tangents are pushed through; debugging sets another.
DUAL_TRACE: Final[ContextVar[type[DualTrace]]] = ContextVar(
    "DUAL_TRACE", default=DualTrace
)


def push(
    primitive: Primitive,
    ans: Any,
    args: Sequence[Any],
    params: dict[str, Any],
    argnums: Sequence[int],
    tangents: Sequence[Any],
) -> Any:
    """Return the tangent of `ans`, given those of `args[argnums]`."""
    rules = primitive.jvps
    if primitive.joint_jvp is not None:
        dots = primitive.joint_jvp(tuple(argnums), tangents, ans, args, params)
    elif rules is None or any(i not in rules for i in argnums):
        return transposed_pullback(primitive, ans, args, params, argnums, tangents)
    else:
        dots = None
        for i, x_dot in zip(argnums, tangents, strict=True):
            if (rule := rules[i]) is not None:
                more = rule(x_dot, ans, *args, **params)
                dots = more if dots is None else _sum(primitive, dots, more)
    if not primitive.multiple:
        return _tangent(primitive, dots, as_array(ans))
    each = [None] * len(ans) if dots is None else dots
    pairs = zip(each, ans, strict=True)
    return tuple([_tangent(primitive, dot, as_array(y)) for dot, y in pairs])


def _sum(primitive: Primitive, dots: Any, more: Any) -> Any:
    """Add what another argument causes to the tangents of a primitive's outputs."""
    if not primitive.multiple:
        return add(dots, more)
    return tuple([add(dot, other) for dot, other in zip(dots, more, strict=True)])


def _tangent(primitive: Primitive, dot: Any, out: Any) -> Any:
    """Return what a primitive's rules gave as an array like its output."""
    if dot is None:
        return np.zeros(out.shape, out.dtype)[()]
    dot = as_array(dot)
    if dot.dtype == out.dtype and dot.shape == out.shape:
        return dot
    if not primitive.broadcasts:
        raise RuleError(
            f"the forward rules of {primitive.name} returned a tangent of shape "
            f"{dot.shape} and dtype {dot.dtype} for an output of shape {out.shape} and "
            f"dtype {out.dtype}; they must be equal"
        )
    return conform(dot, out.shape, out.dtype)


def transposed_pullback(
    primitive: Primitive,
    ans: Any,
    args: Sequence[Any],
    params: dict[str, Any],
    argnums: Sequence[int],
    tangents: Sequence[Any],
) -> Any:
    """Return the tangent of `ans` by reverse mode through the primitive's pullback."""
    pull = pullback_of(primitive, ans, args, params, argnums)
    outs = [as_array(a) for a in (ans if primitive.multiple else (ans,))]
    tape = Tape()
    gs = [tape.variable(np.zeros(a.shape, a.dtype)[()]) for a in outs]
    try:
        x_bars = pull(tuple(gs) if primitive.multiple else gs[0])
    finally:
        tape.open = False
    seeds = [
        (slot, cast(x_dot, x_bar.dtype))
        for x_bar, x_dot in zip(x_bars, tangents, strict=True)
        if (slot := slot_of(tape, x_bar)) is not None
    ]
    dots = tape.backward(seeds, range(len(gs)))
    return tuple(dots) if primitive.multiple else dots[0]


def primal_of(x: Any) -> Any:
    """Return the value inside a dual number whose transformation has returned."""
    return x.value if isinstance(x, Dual) and not x.owner.open else x


def jvp_flat(
    fun: Callable[..., Sequence[Any]], values: Sequence[Any], tangents: Sequence[Any]
) -> tuple[list[Any], list[Any]]:
    """Return the outputs of `fun` at `values`, and their tangents."""
    trace = DUAL_TRACE.get()()
    try:
        duals = [Dual(trace, v, t) for v, t in zip(values, tangents, strict=True)]
        outs = [as_array(out) for out in fun(*duals)]
    finally:
        trace.open = False
    mine = [isinstance(out, Dual) and out.owner is trace for out in outs]
    for out, m in zip(outs, mine):
        if not m:
            check_alive(out, "the result")
    ys = [out.value if m else out for out, m in zip(outs, mine)]
    y_dots = [
        out.tangent if m else np.zeros(out.shape, out.dtype)[()]
        for out, m in zip(outs, mine)
    ]
    return ys, y_dots
