"""Reverse mode: the tape, the walk back over it, and `vjp` on flat lists of arrays.

The tape is a list in execution order. Each traced array has a slot; an entry says which
slot an operation filled, and for the slots it read the pullback that turns the output's
cotangent into theirs. The walk back goes over the list once: no sort, no recursion.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from sys import getrefcount
from typing import Any, Final

import numpy as np

from .core import Primitive, Trace, Tracer, check_alive, is_tracer, no_cotangent
from .errors import RuleError
from .guard import SMALL_INPUT, SMALL_VIEW, lend, lock, lockable, unlock, writable_view
from .ops.basic import LARGE_SUM, add, conform
from .ops.index import ScatterSum

Pullback = Callable[[Any], Any]
# (slot or slots of the output, primitive, slots of the inputs, pullbacks): one pullback
# per input, or a single function that returns all cotangents where the rule is joint.
Entry = tuple[Any, Primitive, list[int], Any]


# What a rule may raise; the name of its primitive is added to it.
FAILURES = (
    *(ArithmeticError, AssertionError, AttributeError, LookupError, NameError),
    *(RuntimeError, TypeError, ValueError),
)

_new = object.__new__


class Variable(Tracer):
    """An array whose uses are recorded on a tape, under a slot of its own."""

    __slots__ = ("slot",)

    def __init__(self, trace: Tape, value: Any, slot: int) -> None:
        self.owner = trace
        self.value = value
        self.slot = slot


class Tape(Trace):
    """Records the primitives applied to its variables; one gradient evaluation.

    It belongs to the thread that runs the function. Gradients may be taken in many
    threads at once, but the function itself must not hand its variables to others.
    """

    __slots__ = ("avals", "entries", "failed", "held")

    defers = True  # whether operations may wait for what follows, to be done in one

    def __init__(self) -> None:
        super().__init__()
        self.entries: list[Entry] = []
        self.avals: list[tuple[tuple[int, ...], np.dtype[Any]]] = []
        self.held: dict[int, tuple[Any, Any]] = {}  # locked arrays, our views; by id
        self.failed: tuple[int, Primitive] | None = None  # entry where backward raised

    def variable(self, value: Any) -> Variable:
        """Return a new variable that holds `value`."""
        avals = self.avals
        new = _new(Variable)
        new.owner = self
        new.value = value
        new.slot = len(avals)
        avals.append((value.shape, value.dtype))
        return new

    # Long, as every operation would pay for the calls of its parts.
    def process(
        self, primitive: Primitive, args: tuple[Any, ...], params: dict[str, Any]
    ) -> Any:
        """Apply a primitive to what is inside the variables, and record it."""
        if not self.open:
            self.check_open(primitive)
        values: list[Any] = []
        argnums: list[int] = []
        slots: list[int] = []
        captured: list[Any] | None = None
        apply: Callable[..., Any] = primitive.impl
        for i, arg in enumerate(args):
            if isinstance(arg, Variable) and arg.owner is self:
                argnums.append(i)
                slots.append(arg.slot)
                arg = arg.value
                if isinstance(arg, Tracer):  # of an enclosing transformation
                    apply = primitive
            elif isinstance(arg, Tracer):
                apply = primitive
            elif isinstance(arg, np.ndarray):
                if captured is None:
                    captured = []
                arg = self._capture(arg, captured)
            values.append(arg)
        ans = apply(*values, **params) if params else apply(*values)
        if not primitive.differentiable:
            return ans
        pulls = pullbacks(primitive, argnums, ans, values, params)
        if captured:
            arg = None  # a reference less to count
            self._hold_kept(captured)
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

    def input(self, x: Any) -> Variable:
        """Return a new variable for an array of the caller's, who may write to it.

        A small array is copied, others are read-only until `release`.
        """
        if isinstance(x, np.ndarray):
            small = x.nbytes <= SMALL_INPUT
            x = x.copy(order="K") if small else self._hold(x)
        return self.variable(x)

    def keep(self, array: Any) -> Any:
        """Return a captured array for an operation that comes later.

        A small view is copied, others are read-only until `release`: as they would be
        if the operation ran now, and its pullbacks kept them.
        """
        if array.base is not None and array.nbytes <= SMALL_VIEW:
            return array.copy(order="K")
        self._hold(array)
        return array

    def lend(self, y: Any) -> Any:
        """Return a result for the caller to read only, until `release`."""
        if not isinstance(y, np.ndarray):
            return y
        lent = lend(y)
        self.held[id(lent)] = lent, y
        return lent

    def release(self) -> None:
        """Make the arrays writable again that this tape has held."""
        held, self.held = self.held, {}
        if held:
            unlock([array for array, _ in held.values()])

    def __del__(self) -> None:
        self.release()

    def _hold(self, array: Any) -> Any:
        """Make an array read-only until `release`; return a view as it was."""
        found = self.held.get(id(array))
        if found is None:
            if not lockable(array):
                return array
            found = self.held[id(array)] = array, lock(array)
        return found[1]

    def _capture(self, array: Any, captured: list[Any]) -> Any:
        """Return a captured array as a primitive and its rules are to have it.

        A view that pullbacks may keep is added to `captured`, with the counts of
        references by which `_hold_kept` will know.
        """
        found = self.held.get(id(array))
        if found is not None:
            return found[1]
        if array.base is not None and array.nbytes <= SMALL_VIEW:
            return array.copy(order="K")
        view = writable_view(array)
        captured.append((array, view, getrefcount(view.base)))
        return view

    def _hold_kept(self, captured: list[Any]) -> None:
        """Lock those of the captured arrays that the pullbacks just made refer to."""
        for array, view, owners in captured:
            # `captured`, the list of values, `view` and the call make four
            if getrefcount(view) > 4 or getrefcount(view.base) > owners:
                self._hold(array)

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
        take, receive = cotangents.take, cotangents.receive
        for slot, seed in seeds:
            cotangents.add(slot, seed)
        entries = self.entries
        primitive, pull = None, None
        try:
            for out, primitive, slots, pulls in (
                reversed(entries) if keep else _consumed(entries)
            ):
                g = take(out)
                if g is None:
                    continue
                if type(pulls) is list:
                    for slot, pull in zip(slots, pulls):
                        receive(slot, pull(g), primitive, pull)
                else:
                    pull = pulls
                    x_bars = checked_number(pull(g), primitive, pull, slots)
                    for slot, x_bar in zip(slots, x_bars):
                        if x_bar is not None:
                            receive(slot, x_bar, primitive, pull)
        except FAILURES as error:
            if primitive is not None:
                error.add_note(f"in {rule_name(primitive, pull)}")
                index = [e[2] is slots for e in entries].index(True) if keep else None
                self.failed = len(entries) if index is None else index, primitive
            raise
        return [cotangents.final(slot) for slot in wanted]


# The kind of tape that transformations record on; debugging sets another for a while.
TAPE: Final[ContextVar[type[Tape]]] = ContextVar("TAPE", default=Tape)


def new_tape() -> Tape:
    """Return an empty tape of the kind in use."""
    return TAPE.get()()


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
        if x_bar is None:
            check_intended(primitive, pull)
            return
        shape, dtype = self.avals[slot]
        try:
            fits = x_bar.dtype is dtype and x_bar.shape == shape
        except AttributeError:  # a Python number
            fits = False
        if not fits:
            x_bar = checked(x_bar, shape, dtype, primitive, pull)
        if self.values[slot] is None:
            self.values[slot] = x_bar
        else:
            self.add(slot, x_bar)

    def add(self, slot: int, x_bar: Any) -> None:
        """Add a cotangent; in place where the buffer was made by an earlier sum."""
        current = self.values[slot]
        if current is None:
            self.values[slot] = x_bar
        elif type(current) is ScatterSum:
            self.values[slot] = current.add(x_bar)
        elif type(x_bar) is ScatterSum:
            self.values[slot] = x_bar.add(current)
        elif slot in self.owned and not is_tracer(x_bar) and x_bar.nbytes < LARGE_SUM:
            np.add(current, x_bar, out=current)
        else:
            total = add(current, x_bar)
            self.values[slot] = total
            if type(total) is np.ndarray:
                self.owned.add(slot)
            else:  # a tracer took the buffer's place
                self.owned.discard(slot)

    def take(self, out: int | tuple[int, ...]) -> Any:
        """Remove and return the cotangent of an operation's output, if any arrived."""
        values = self.values
        if type(out) is int:
            g = values[out]
            values[out] = None
            return g.materialize() if type(g) is ScatterSum else g
        outs: Any = out
        if all(values[slot] is None for slot in outs):
            return None
        gs = tuple([self.final(slot) for slot in outs])
        for slot in outs:
            values[slot] = None
        return gs

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


def checked(
    x_bar: Any, shape: tuple[int, ...], dtype: Any, primitive: Primitive, pull: Any
) -> Any:
    """Return a rule's cotangent in the argument's shape and dtype.

    Only an elementwise primitive may leave that to us; for others a wrong shape or
    dtype raises `RuleError`.
    """
    if not hasattr(x_bar, "dtype"):
        x_bar = np.asarray(x_bar)[()]
        if x_bar.dtype.kind not in "fciub":
            raise RuleError(
                f"{rule_name(primitive, pull)} returned {x_bar!r}, not an array. A "
                "rule returns a function from g to the cotangent of its argument."
            )
        x_bar = x_bar.astype(dtype)
    if x_bar.dtype == dtype and x_bar.shape == shape:
        return x_bar
    if primitive.broadcasts and _broadcast_fits(x_bar.shape, shape):
        return conform(x_bar, shape, dtype)
    raise RuleError(_wrong_cotangent(primitive, pull, x_bar, shape, dtype))


def _broadcast_fits(x_bar_shape: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Return whether summing or broadcasting leads from one shape to the other."""
    pairs = zip(reversed(x_bar_shape), reversed(shape))
    return all(m == n or m == 1 or n == 1 for m, n in pairs)


def check_intended(primitive: Primitive, pull: Any) -> None:
    """Raise where a pullback returned None, unless None stood for the rule itself."""
    if pull is not no_cotangent:
        raise RuleError(
            f"{rule_name(primitive, pull)} returned None: is a `return` missing? For "
            "an argument without a derivative give defvjp None in place of the rule."
        )


def checked_number(x_bars: Any, primitive: Primitive, pull: Any, slots: Any) -> Any:
    """Return a joint rule's cotangents; raise unless there is one per argument."""
    if len(x_bars) != len(slots):
        raise RuleError(
            f"{rule_name(primitive, pull)} returned {len(x_bars)} cotangents for "
            f"{len(slots)} arguments that need one."
        )
    return x_bars


def rule_name(primitive: Primitive, pull: Any) -> str:
    """Return how errors call a rule: its primitive, argument and source line."""
    code = getattr(pull, "__code__", None)
    where = f" ({code.co_filename}:{code.co_firstlineno})" if code else ""
    rules = primitive.vjps.items() if code else ()
    argnums = [str(i) for i, maker in rules if code in _constants(maker)]
    which = f" for argument {' or '.join(argnums)}" if argnums else ""
    return f"the gradient rule of {primitive.name}{which}{where}"


def _constants(maker: Any) -> tuple[Any, ...]:
    """Return the constants of a function; the code of inner functions is among them."""
    code = getattr(maker, "__code__", None)
    return code.co_consts if code else ()


def _wrong_cotangent(
    primitive: Primitive, pull: Any, x_bar: Any, shape: Any, dtype: Any
) -> str:
    return (
        f"{rule_name(primitive, pull)} returned a cotangent of shape {x_bar.shape} "
        f"and dtype {x_bar.dtype} for an argument of shape {shape} and dtype {dtype}; "
        + (
            "neither broadcasting nor a sum leads from one to the other."
            if primitive.broadcasts
            else "they must be equal. If the primitive broadcasts or promotes, declare "
            "it with @elementwise, or sum and cast in the rule."
        )
    )


def pullbacks(
    primitive: Primitive,
    argnums: list[int],
    ans: Any,
    values: list[Any],
    params: dict[str, Any],
) -> Any:
    """Return the pullbacks to the arguments: a list, or one joint function."""
    makers = primitive.vjps
    try:
        if primitive.joint_vjp is not None:
            return primitive.joint_vjp(tuple(argnums), ans, tuple(values), params)
        if params:
            return [makers[i](ans, *values, **params) for i in argnums]
        return [makers[i](ans, *values) for i in argnums]
    except FAILURES as error:
        error.add_note(f"in {rule_name(primitive, None)}, before the walk back")
        raise


def pullback_of(
    primitive: Primitive,
    ans: Any,
    args: Sequence[Any],
    params: dict[str, Any],
    argnums: Sequence[int],
) -> Callable[[Any], list[Any]]:
    """Return the function from the cotangent of `ans` to those of `args[argnums]`.

    This is one entry of a tape, with the same checks.
    """
    arrays = [as_array(args[i]) for i in argnums]
    pulls = pullbacks(primitive, list(argnums), ans, list(args), params)

    def pull(g: Any) -> list[Any]:
        tape = Tape()
        slots = [tape.variable(x).slot for x in arrays]
        outs = as_tuple(ans, primitive)
        filled = tuple([tape.variable(as_array(a)).slot for a in outs])
        out = filled if primitive.multiple else filled[0]
        tape.entries.append((out, primitive, slots, pulls))
        seeds = zip(filled, as_tuple(g, primitive), strict=True)
        return tape.backward(seeds, slots)

    return pull


def as_tuple(ans: Any, primitive: Primitive) -> tuple[Any, ...]:
    """Return the outputs of a primitive, or their cotangents, as a tuple."""
    return tuple(ans) if primitive.multiple else (ans,)


def slot_of(tape: Tape, x: Any) -> int | None:
    """Return the slot of a variable of this tape; None for anything else."""
    return x.slot if isinstance(x, Variable) and x.owner is tape else None


def strip(tape: Tape, x: Any) -> Any:
    """Return the value inside a variable of this tape; anything else unchanged.

    Raises `LeakedTracerError` for a tracer of a transformation that has returned.
    """
    if isinstance(x, Variable) and x.owner is tape:
        return x.value
    check_alive(x, "the result")
    return x


def separate(x_bars: list[Any], given: Sequence[Any] = ()) -> list[Any]:
    """Give each gradient a writable buffer of its own, copying only where needed.

    Rules may pass one array to several arguments, or a read-only broadcast view, or the
    cotangent that was `given`. What a caller receives he may write to.
    """
    seen = {id(_buffer(g)) for g in given if type(g) is np.ndarray}
    found = []
    for x_bar in x_bars:
        if type(x_bar) is np.ndarray:
            root = _buffer(x_bar)
            if id(root) in seen or not x_bar.flags.writeable:
                x_bar = x_bar.copy()
            seen.add(id(root))
        found.append(x_bar)
    return found


def _buffer(x: Any) -> Any:
    """Return the array that owns the memory of a view."""
    while isinstance(x.base, np.ndarray):
        x = x.base
    return x
