"""Programs: what a pure function does to arrays, recorded once and then replayed.

`jit(fun)` runs the function once for each kind of arguments (structure, shapes, dtypes)
on tracers that know the shape and the dtype of an array but not its values, and records
the primitives that it applies, those of derivatives included. Further calls apply these
to new arrays: no Python of the function runs, no tape is kept, no rule is looked up.
For small models that is a good part of the time.

What depends on values, such as `if x > 0`, can't be recorded and raises. Nothing needs
to be known of this elsewhere, but that an operation that does without its traced rules
where no derivative is asked for asks `is_transformed`, and not `is_tracer`.
"""

from __future__ import annotations

import functools
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from . import tree
from .core import Primitive, Trace, Tracer
from .errors import ArgumentError, UnsupportedError
from .fusing import fuses
from .policies import in_force
from .reverse import FAILURES, TAPE, Tape, as_array, separate
from .static import Static, Structure, both_ways, check_leaves, plain

Fun = Callable[..., Any]
Aval = tuple[tuple[int, ...], np.dtype[Any]]

_ARRAYS: Final = (np.ndarray, np.generic)
_OURS: Final = (f"{__package__}.ops.", f"{__package__}.numpy.")
MANY_PROGRAMS: Final = 32  # of one function: likely it is given numbers that change


class Staged(Tracer):
    """An array of a program that is being recorded."""

    __slots__ = ("array", "slot")

    recorded = True

    def __init__(self, owner: Staging, array: Any, slot: int) -> None:
        self.owner = owner
        self.array = array
        self.slot = slot

    @property
    def shape(self) -> tuple[int, ...]:
        """The array's shape."""
        shape: tuple[int, ...] = self.array.shape
        return shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The array's dtype."""
        dtype: np.dtype[Any] = self.array.dtype
        return dtype

    @property
    def value(self) -> Any:
        """What is not known: the array will be another one at each call."""
        raise UnsupportedError(
            f"the values of an array ({_name((self.shape, self.dtype))}) were asked "
            "for while jit records a program, which must be the same for all values. "
            "Choose with np.where instead of `if`, check values before the call, or "
            "name an argument that is no array of data in static_argnums."
        )

    def _refuse(self, *args: Any, **kwargs: Any) -> Any:
        """Raise as `value` does, where Python asks for a number or a plain array."""
        return self.value

    __float__ = __int__ = __complex__ = __index__ = __array__ = _refuse
    tolist = item = _refuse

    def __repr__(self) -> str:
        return f"Staged({_name((self.shape, self.dtype))})"

    __str__ = __repr__


class Instruction(NamedTuple):
    """A primitive applied: the numbers of what it takes and of what it makes."""

    primitive: Primitive
    ins: tuple[int, ...]
    params: dict[str, Any]
    outs: tuple[int, ...]
    avals: tuple[Aval, ...]  # of what it makes


class Staging(Trace):
    """Records the primitives that are applied to its arrays."""

    __slots__ = ("arrays", "captured", "constants", "instructions", "masks")

    def __init__(self) -> None:
        super().__init__()
        self.instructions: list[Instruction] = []
        self.constants: dict[int, Any] = {}  # by number
        self.captured: dict[int, tuple[Any, int]] = {}  # objects and numbers, by id
        self.arrays = 0  # numbers given so far
        self.masks: set[int] = set()  # the numbers of what is boolean

    def number(self) -> int:
        """Return the next array's number."""
        self.arrays += 1
        return self.arrays - 1

    def staged(self, array: Any) -> Staged:
        """Return what stands for an array, under a number of its own."""
        number = self.number()
        if array.dtype.kind == "b":
            self.masks.add(number)
        return Staged(self, array, number)

    def process(
        self, primitive: Primitive, args: tuple[Any, ...], params: dict[str, Any]
    ) -> Any:
        """Apply a primitive and record it."""
        if not self.open:
            self.check_open(primitive)
        ins = tuple([self.number_of(arg, primitive.name) for arg in args])
        values = [arg.array if isinstance(arg, Staged) else arg for arg in args]
        ans = primitive.impl(*values, **params)
        outs = [as_array(a) for a in (ans if primitive.multiple else (ans,))]
        made = [self.staged(out) for out in outs]
        slots = tuple([m.slot for m in made])
        avals = tuple([(out.shape, out.dtype) for out in outs])
        self.instructions.append(Instruction(primitive, ins, params, slots, avals))
        return tuple(made) if primitive.multiple else made[0]

    def number_of(self, arg: Any, user: str) -> int:
        """Return the number of an array, or of a constant that `user` was given."""
        if isinstance(arg, Staged) and arg.owner is self:
            return arg.slot
        if isinstance(arg, Tracer):
            arg.owner.check_open(user)
            raise UnsupportedError(
                f"{user} inside of jit was given a traced array that is no argument of "
                "the jitted function: pass it as one."
            )
        found = self.captured.get(id(arg))
        if found is not None:
            return found[1]
        number = self.number()
        self.captured[id(arg)] = arg, number
        # Whoever owns it may write to it later.
        self.constants[number] = arg.copy("K") if isinstance(arg, np.ndarray) else arg
        if getattr(arg, "dtype", None) == np.bool_:
            self.masks.add(number)
        return number


class Program:
    """What a function does to arrays of certain shapes; `str(program)` lists it.

    `inputs`: of what shapes and dtypes the arrays are that it takes.
    """

    def __init__(
        self, trace: Staging, inputs: Sequence[Aval], outs: Sequence[Any], outdef: Any
    ) -> None:
        self.inputs = tuple(inputs)
        arrays = [isinstance(out, (Tracer, np.ndarray)) for out in outs]
        self._outs = [
            trace.number_of(out, "the result") if is_array else None
            for out, is_array in zip(outs, arrays)
        ]
        self._others = [None if is_array else x for x, is_array in zip(outs, arrays)]
        self._outdef = outdef
        results = {slot for slot in self._outs if slot is not None}
        self.instructions = _needed(trace.instructions, results, trace.masks)
        used = {i for instruction in self.instructions for i in instruction.ins}
        used |= results
        self._constants = {i: c for i, c in trace.constants.items() if i in used}
        self._blank = [self._constants.get(i) for i in range(trace.arrays)]
        self._steps = _with_last_uses(self.instructions, results)

    def __call__(self, arrays: Sequence[Any]) -> Any:
        """Return what the function returns for these arrays."""
        found = self._blank.copy()
        found[: len(arrays)] = arrays
        try:
            for step in self._steps:
                primitive, ins, params, outs, avals, unused = step
                ans = primitive.impl(*[found[i] for i in ins], **params)
                if type(outs) is int:
                    # The usual case, asked here to spare the call.
                    usual = type(ans) is np.ndarray and ans.dtype is avals[1]
                    if not (usual and ans.shape == avals[0]):
                        ans = _as_recorded(ans, avals)
                    found[outs] = ans
                else:
                    for i, a, aval in zip(outs, ans, avals):
                        found[i] = _as_recorded(a, aval)
                for i in unused:
                    found[i] = None
        except FAILURES as error:
            error.add_note(f"in {step[0].name}, replayed by jit")
            raise
        given = [*arrays, *self._constants.values()]
        outs = [
            as_array(found[slot]) if slot is not None else other
            for slot, other in zip(self._outs, self._others)
        ]
        return tree.unflatten(self._outdef, separate(outs, given))

    def __str__(self) -> str:
        names = {i: f"%{i}" for i in range(len(self._blank))}
        names |= {i: _constant(value) for i, value in self._constants.items()}
        lines = [f"takes %{i}: {_name(aval)}" for i, aval in enumerate(self.inputs)]
        lines += [_line(instruction, names) for instruction in self.instructions]
        outs = zip(self._outs, self._others)
        found = [_constant(other) if i is None else names[i] for i, other in outs]
        return "\n".join([*lines, f"returns {', '.join(found)}"])


def _needed(
    instructions: list[Instruction], results: set[int], masks: set[int]
) -> list[Instruction]:
    """Return the instructions without those whose results nobody uses.

    `masks`: the numbers of what is boolean. A shape that may depend on values is always
    looked at: the function may have used it, as in x[x > 0].size.
    """
    wanted, kept = set(results), []
    for instruction in reversed(instructions):
        used = not wanted.isdisjoint(instruction.outs)
        if used or not _keeps_shape(instruction, masks):
            kept.append(instruction)
            wanted.update(instruction.ins)
    return kept[::-1]


def _keeps_shape(instruction: Instruction, masks: set[int]) -> bool:
    """Return whether the shapes of results are known to follow from those of inputs."""
    primitive = instruction.primitive
    ours = primitive.__module__.startswith(_OURS)  # no user's function inside
    known = ours and primitive.differentiable and masks.isdisjoint(instruction.ins)
    return primitive.broadcasts or known


def _with_last_uses(
    instructions: list[Instruction], results: set[int]
) -> list[tuple[Any, ...]]:
    """Return what a program's loop reads, each with the arrays to drop after it."""
    made = {i for instruction in instructions for i in instruction.outs}
    steps = []
    later = set(results)
    for primitive, ins, params, outs, avals in reversed(instructions):
        unused = [i for i in {*ins, *outs} & made if i not in later]
        later.update(ins)
        places = (outs, avals) if primitive.multiple else (outs[0], avals[0])
        steps.append((primitive, ins, params, *places, unused))
    return steps[::-1]


def _as_recorded(y: Any, aval: Aval) -> Any:
    """Return a result, which must have the shape and dtype that were recorded."""
    shape, dtype = aval
    if not isinstance(y, _ARRAYS):  # a user's primitive may return a Python number
        y = as_array(y)
    if y.shape == shape and y.dtype == dtype:
        return y
    if y.shape == shape:
        raise UnsupportedError(
            f"a result of dtype {dtype} when the program was recorded has now dtype "
            f"{y.dtype}: it depends on values, as that of eigvals does, real or "
            "complex. Make the argument complex, or do without jit."
        )
    raise UnsupportedError(
        f"a result of shape {shape} when the program was recorded has now shape "
        f"{y.shape}: it depends on values, as that of x[x > 0] does. Use "
        "np.where(mask, x, 0), which keeps the shape, or do without jit."
    )


def _name(aval: Aval) -> str:
    """Return how a kind of arrays is called.

    >>> _name(((2, 3), np.dtype("f4")))
    'float32[2,3]'
    """
    shape, dtype = aval
    return f"{dtype}[{','.join(map(str, shape))}]"


def _constant(value: Any) -> str:
    if isinstance(value, np.ndarray) and value.size > 1:
        return f"<{_name((value.shape, value.dtype))}>"
    return repr(value)


def _line(instruction: Instruction, names: dict[int, str]) -> str:
    outs = ", ".join([names[i] for i in instruction.outs])
    params = [f"{key}={value!r}" for key, value in instruction.params.items()]
    args = ", ".join([*[names[i] for i in instruction.ins], *params])
    kinds = ", ".join(map(_name, instruction.avals))
    return f"{outs} = {instruction.primitive.name}({args}): {kinds}"


class _Jitted:
    """A function with the programs that were recorded of it, by kind of arguments."""

    def __init__(
        self, fun: Fun, static_argnums: frozenset[int], static_argnames: frozenset[str]
    ) -> None:
        functools.update_wrapper(self, fun)
        self._fun, self._name = fun, getattr(fun, "__name__", repr(fun))
        self._static_argnums, self._static_argnames = both_ways(
            fun, static_argnums, static_argnames
        )
        self._programs: dict[Any, Program] = {}
        self._warned = False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return `fun(*args, **kwargs)`."""
        leaves, arrays, key = self._kind(args, kwargs)
        if key is None:  # inside of another transformation, which records by itself
            return self._fun(*args, **kwargs)
        try:
            program = self._programs.get(key)
        except TypeError:
            raise _unhashable(self._name, leaves) from None
        if program is None:
            program = self._record(leaves, key)
        return program(arrays)

    def program(self, *args: Any, **kwargs: Any) -> Program:
        """Return the program for arguments of this kind, recorded now."""
        leaves, _, key = self._kind(args, kwargs)
        if key is None:
            raise UnsupportedError(
                "program() takes arrays, outside of other transformations."
            )
        return self._record(leaves, key)

    def __reduce__(self) -> Any:
        """Return what it is made from: a copy, or another process, records anew."""
        name = getattr(self, "__qualname__", "")
        if getattr(sys.modules.get(self.__module__), name, None) is self:
            return name  # it has taken the place of `fun`, as a decorator
        return _Jitted, (self._fun, self._static_argnums, self._static_argnames)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def _kind(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[list[Any], list[Any], Any]:
        """Return all leaves, the arrays among them, and what a program depends on."""
        if TAPE.get() is not Tape:  # somebody is looking for NaNs, or measures
            return [], [], None
        if self._static_argnums or self._static_argnames:
            args, kwargs = self._held(args, kwargs)
        leaves, treedef = tree.flatten((args, kwargs))
        arrays: list[Any] = []
        kinds: list[Any] = []
        for leaf in leaves:
            if isinstance(leaf, _ARRAYS):
                if type(leaf) is not np.ndarray:
                    leaf = plain(self._name, leaf)
                kinds.append((leaf.shape, leaf.dtype))
                arrays.append(leaf)
            elif isinstance(leaf, Tracer):
                return leaves, arrays, None
            else:
                kinds.append(leaf if type(leaf) is Static else Static(leaf))
        return leaves, arrays, (*kinds, Structure(treedef), in_force(), fuses())

    def _held(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        numbers, names = self._static_argnums, self._static_argnames
        n = len(args)
        held = [
            Static(x) if i in numbers or i - n in numbers else x
            for i, x in enumerate(args)
        ]
        named = {k: Static(x) if k in names else x for k, x in kwargs.items()}
        return tuple(held), named

    def _record(self, leaves: list[Any], key: Any) -> Program:
        *_, structure, _, _ = key
        trace = Staging()
        check_leaves(self._name, leaves)
        inputs = [x for x in leaves if isinstance(x, _ARRAYS)]
        entered = [_entered(trace, x) for x in leaves]
        try:
            args, kwargs = tree.unflatten(structure.treedef, entered)
            outs, outdef = tree.flatten(self._fun(*args, **kwargs))
        finally:
            trace.open = False
        avals = [(x.shape, x.dtype) for x in inputs]
        program = self._programs[key] = Program(trace, avals, outs, outdef)
        self._warn_of_many()
        return program

    def _warn_of_many(self) -> None:
        if len(self._programs) > MANY_PROGRAMS and not self._warned:
            self._warned = True
            warnings.warn(
                f"jit has recorded {len(self._programs)} programs of {self._name}, "
                "one for each shape and each Python number that it was given. Pass "
                "numbers that change as arrays: np.float32(rate).",
                stacklevel=5,
            )


def _entered(trace: Staging, leaf: Any) -> Any:
    """Return what a function is given for a leaf of its arguments."""
    if isinstance(leaf, _ARRAYS):
        return trace.staged(np.asarray(leaf)[()])
    return leaf.value if type(leaf) is Static else leaf


def _unhashable(name: str, leaves: list[Any]) -> ArgumentError:
    """Return the error about the first argument that can't be looked up."""
    for leaf in leaves:
        value = leaf.value if type(leaf) is Static else leaf
        try:
            hash(value)
        except TypeError:
            if not isinstance(value, np.ndarray) or type(leaf) is Static:
                break
    return ArgumentError(
        f"{name} was given {value!r}: an argument of a jitted function is an array, a "
        "tree of arrays, or hashable, as those in static_argnums must be."
    )


def jit(
    fun: Fun | None = None,
    *,
    static_argnums: int | Sequence[int] = (),
    static_argnames: str | Sequence[str] = (),
) -> Fun:
    """Return `fun`, recorded at the first call and replayed at the others.

    Which is the same, as long as `fun` is pure: its results depend on its arguments
    alone and it changes nothing. Shapes and dtypes of arrays, the structure of trees,
    and all arguments that are no arrays (numbers, strings, functions) are part of a
    program, and another kind of arguments makes another one. `static_argnums` and
    `static_argnames` say which arguments are to be taken so, whatever they are; they
    must be hashable. What `fun` captures is copied when it is recorded.

    It pays where Python takes longer than the arithmetic, and for whole steps: jit
    derivatives, `jit(value_and_grad(loss))`, not what is differentiated, which traces
    through. Raises `UnsupportedError` where a value is asked for, as by `if x > 0`.

    >>> import numpy as np
    >>> from autograd_lite import grad, jit
    >>> slope = jit(grad(lambda w, x: np.sum(np.tanh(w * x))))
    >>> print(slope(0.5, np.zeros(3)), slope(0.5, np.ones(3)).round(3))
    0.0 2.359
    >>> print(slope.program(0.5, np.ones(3)))  # doctest: +ELLIPSIS
    takes %0: float64[3]
    ...
    """
    if fun is None:
        return functools.partial(
            jit, static_argnums=static_argnums, static_argnames=static_argnames
        )
    if not callable(fun):
        raise ArgumentError(f"jit needs a function, got {fun!r}.")
    numbers = (static_argnums,) if isinstance(static_argnums, int) else static_argnums
    names = (static_argnames,) if isinstance(static_argnames, str) else static_argnames
    return _Jitted(fun, frozenset(numbers), frozenset(names))
