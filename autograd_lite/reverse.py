"""Reverse mode: the tape, the walk back over it, and `vjp` on flat lists of arrays.

The tape is a list in execution order. Each traced array has a slot; an entry says which
slot an operation filled, and for the slots it read the pullback that turns the output's
cotangent into theirs. The walk back goes over the list once: no sort, no recursion.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from .core import Primitive, Trace, Tracer, is_tracer
from .errors import RuleError
from .ops.basic import conform
from .ops.index import ScatterSum

Pullback = Callable[[Any], Any]
# (slot or slots of the output, primitive, slots of the inputs, pullbacks): one pullback
# per input, or a single function that returns all cotangents where the rule is joint.
Entry = tuple[Any, Primitive, list[int], Any]


class Variable(Tracer):
    """An array whose uses are recorded on a tape, under a slot of its own."""

    __slots__ = ("slot",)

    def __init__(self, trace: Tape, value: Any, slot: int) -> None:
        self.trace = trace
        self.value = value
        self.slot = slot


class Tape(Trace):
    """Records the primitives applied to its variables; one gradient evaluation."""

    __slots__ = ("avals", "entries")

    def __init__(self) -> None:
        super().__init__()
        self.entries: list[Entry] = []
        self.avals: list[tuple[tuple[int, ...], np.dtype[Any]]] = []

    def variable(self, value: Any) -> Variable:
        """Return a new variable that holds `value`."""
        avals = self.avals
        avals.append((value.shape, value.dtype))
        return Variable(self, value, len(avals) - 1)

    def process(
        self, primitive: Primitive, args: tuple[Any, ...], params: dict[str, Any]
    ) -> Any:
        """Apply a primitive to what is inside the variables, and record it."""
        if not self.open:
            self.check_open(primitive)
        values: list[Any] = []
        traced: list[tuple[int, int]] = []  # (argument number, slot)
        for i, arg in enumerate(args):
            if isinstance(arg, Variable) and arg.trace is self:
                values.append(arg.value)
                traced.append((i, arg.slot))
            else:
                values.append(arg)
        ans = primitive(*values, **params)
        if not primitive.differentiable:
            return ans
        return self.record(primitive, ans, values, traced, params)

    def record(
        self,
        primitive: Primitive,
        ans: Any,
        values: list[Any],
        traced: list[tuple[int, int]],
        params: dict[str, Any],
    ) -> Any:
        """Enter an operation whose result is `ans`; return it as new variables.

        `traced` are the pairs (argument number, slot) of the arguments on this tape.
        """
        pulls: Any
        if primitive.joint_vjp is not None:
            argnums = tuple([i for i, _ in traced])
            slots = [slot for _, slot in traced]
            pulls = primitive.joint_vjp(argnums, ans, tuple(values), params)
        else:
            slots, pulls = [], []
            for i, slot in traced:
                maker = primitive.vjp_maker(i)
                if maker is not None:
                    slots.append(slot)
                    pulls.append(maker(ans, *values, **params))
            if not pulls:
                return ans
        if primitive.multiple:
            outs = tuple([self.variable(as_array(a)) for a in ans])
            filled = tuple([out.slot for out in outs])
            self.entries.append((filled, primitive, slots, pulls))
            return outs
        try:
            out = self.variable(ans)
        except AttributeError:  # a user's primitive may return a Python number
            out = self.variable(as_array(ans))
        self.entries.append((out.slot, primitive, slots, pulls))
        return out

    def backward(
        self,
        seeds: Iterable[tuple[int, Any]],
        wanted: Sequence[int],
        keep: bool = False,
    ) -> list[Any]:
        """Return the cotangents of the slots `wanted`, given (slot, cotangent) seeds.

        Unless `keep`, entries are dropped as they are walked over, and with them the
        arrays that their pullbacks hold. Cotangents are dropped in any case.
        """
        cotangents = Cotangents(self.avals)
        for slot, seed in seeds:
            cotangents.add(slot, seed)
        entries = self.entries
        for out, primitive, slots, pulls in (
            reversed(entries) if keep else _consumed(entries)
        ):
            g = cotangents.pop(out)
            if g is None:
                continue
            if type(pulls) is list:
                for slot, pull in zip(slots, pulls):
                    cotangents.receive(slot, pull(g), primitive, pull)
            else:
                x_bars = pulls(g)
                if len(x_bars) != len(slots):
                    raise RuleError(_wrong_number(primitive, pulls, x_bars, slots))
                for slot, x_bar in zip(slots, x_bars):
                    cotangents.receive(slot, x_bar, primitive, pulls)
        return [cotangents.final(slot) for slot in wanted]


def _consumed(entries: list[Entry]) -> Iterable[Entry]:
    while entries:
        yield entries.pop()


class Cotangents:
    """The cotangents that have arrived, per slot; sums them as they come."""

    __slots__ = ("avals", "owned", "values")

    def __init__(self, avals: list[tuple[tuple[int, ...], np.dtype[Any]]]) -> None:
        self.avals = avals
        self.values: list[Any] = [None] * len(avals)
        self.owned: set[int] = set()  # slots whose buffer was made here: may be reused

    def receive(self, slot: int, x_bar: Any, primitive: Primitive, pull: Any) -> None:
        """Add what a rule returned, after a check of its shape and dtype."""
        shape, dtype = self.avals[slot]
        try:
            fits = x_bar.shape == shape and x_bar.dtype == dtype
        except AttributeError:
            x_bar = as_cotangent(x_bar, primitive, pull)
            fits = x_bar.shape == shape and x_bar.dtype == dtype
        if not fits:
            if not primitive.broadcasts:
                raise RuleError(_wrong_cotangent(primitive, pull, x_bar, shape, dtype))
            x_bar = conform(x_bar, shape, dtype)
        if self.values[slot] is None:
            self.values[slot] = x_bar
        else:
            self.add(slot, x_bar)

    def add(self, slot: int, x_bar: Any) -> None:
        """Add a cotangent; in place where the buffer was made by an earlier sum."""
        current = self.values[slot]
        if current is None:
            self.values[slot] = x_bar
        elif isinstance(current, ScatterSum):
            self.values[slot] = current.add(x_bar)
        elif isinstance(x_bar, ScatterSum):
            self.values[slot] = x_bar.add(current)
        elif slot in self.owned and not is_tracer(x_bar):
            np.add(current, x_bar, out=current)
        else:
            total = current + x_bar
            self.values[slot] = total
            if type(total) is np.ndarray:
                self.owned.add(slot)

    def pop(self, out: int | tuple[int, ...]) -> Any:
        """Take the cotangent of an operation's output; None when there is none."""
        if isinstance(out, int):
            g = self.values[out]
            self.values[out] = None
            return g.materialize() if isinstance(g, ScatterSum) else g
        if all(self.values[slot] is None for slot in out):
            return None
        gs = [self.final(slot) for slot in out]
        for slot in out:
            self.values[slot] = None
        return tuple(gs)

    def final(self, slot: int) -> Any:
        """Return the cotangent of a slot, zeros when nothing arrived."""
        value = self.values[slot]
        if value is None:
            shape, dtype = self.avals[slot]
            return np.zeros(shape, dtype)[()]
        return value.materialize() if isinstance(value, ScatterSum) else value


def as_array(value: Any) -> Any:
    """Return a NumPy array (or scalar) for a number; tracers and arrays unchanged."""
    return value if hasattr(value, "dtype") else np.asarray(value)[()]


def as_cotangent(x_bar: Any, primitive: Primitive, pull: Any) -> Any:
    """Return a rule's result as an array; raise `RuleError` when it is none."""
    array = None if x_bar is None else np.asarray(x_bar)
    if array is None or array.dtype.kind not in "fciub":
        raise RuleError(
            f"{_rule_name(primitive, pull)} returned {x_bar!r}, not an array. A rule "
            "returns a function from g to the cotangent of its argument."
        )
    return array[()]


def _rule_name(primitive: Primitive, pull: Any) -> str:
    code = getattr(pull, "__code__", None)
    where = f" ({code.co_filename}:{code.co_firstlineno})" if code else ""
    return f"the gradient rule of {primitive.name}{where}"


def _wrong_cotangent(
    primitive: Primitive, pull: Any, x_bar: Any, shape: Any, dtype: Any
) -> str:
    return (
        f"{_rule_name(primitive, pull)} returned a cotangent of shape {x_bar.shape} "
        f"and dtype {x_bar.dtype} for an argument of shape {shape} and dtype {dtype}; "
        "they must be equal. If the primitive broadcasts or promotes, declare it with "
        "@elementwise, or sum and cast in the rule."
    )


def _wrong_number(primitive: Primitive, pull: Any, x_bars: Any, slots: Any) -> str:
    return (
        f"{_rule_name(primitive, pull)} returned {len(x_bars)} cotangents for "
        f"{len(slots)} arguments that need one."
    )


def pullback_of(
    primitive: Primitive,
    ans: Any,
    args: Sequence[Any],
    params: dict[str, Any],
    argnums: Sequence[int],
) -> Callable[[Any], list[Any]]:
    """Return the function from the cotangent of `ans` to those of `args[argnums]`.

    This is a tape of one entry, with the same checks.
    """
    tape = Tape()
    traced = [(i, tape.variable(as_array(args[i])).slot) for i in argnums]
    out = tape.record(primitive, ans, list(args), traced, params)
    outs = out if primitive.multiple else (out,)
    tape.open = False

    def pull(g: Any) -> list[Any]:
        gs = g if primitive.multiple else (g,)
        seeds = [(o.slot, x) for o, x in zip(outs, gs) if isinstance(o, Variable)]
        return tape.backward(seeds, [slot for _, slot in traced], keep=True)

    return pull


def vjp_flat(
    fun: Callable[..., Sequence[Any]], values: Sequence[Any]
) -> tuple[list[Any], Tape, list[Any]]:
    """Run `fun` on variables that hold `values`.

    Returns its outputs without their tracers, the closed tape, and for each output its
    slot or None where it does not depend on the values. The variables' slots are
    0, 1, 2, ... in order.
    """
    tape = Tape()
    try:
        outs = fun(*[tape.variable(value) for value in values])
        slots = [slot_of(tape, out) for out in outs]
        return [strip(tape, out) for out in outs], tape, slots
    finally:
        tape.open = False


def slot_of(tape: Tape, x: Any) -> int | None:
    """Return the slot of a variable of this tape; None for anything else."""
    return x.slot if isinstance(x, Variable) and x.trace is tape else None


def strip(tape: Tape, x: Any) -> Any:
    """Return the value inside a variable of this tape; anything else unchanged."""
    return x.value if isinstance(x, Variable) and x.trace is tape else x


def separate(x_bars: list[Any]) -> list[Any]:
    """Give each gradient a writable buffer of its own, copying only where needed.

    Rules may pass one array to several arguments, or a read-only broadcast view. What a
    caller receives he may write to.
    """
    seen: set[int] = set()
    found = []
    for x_bar in x_bars:
        if type(x_bar) is np.ndarray:
            root = x_bar
            while root.base is not None and isinstance(root.base, np.ndarray):
                root = root.base
            if id(root) in seen or not x_bar.flags.writeable:
                x_bar = x_bar.copy()
            seen.add(id(root))
        found.append(x_bar)
    return found
