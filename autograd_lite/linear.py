"""Linear maps: a function's derivative recorded once, and the transpose of a function.

`linearize` runs forward mode with tangents that a `Recorder` watches. Every rule is
linear in the tangents, so what it does to them is a list of linear operations, which
can be applied to other tangents without evaluating the function again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from . import tree
from .api import Fun, float_leaves, jvp, matching_leaves, vjp
from .core import Primitive, Trace, Tracer, concrete
from .errors import DifferentiationTypeError
from .ops.basic import real, sum
from .reverse import Tape, as_array, separate


class Recorded(Tracer):
    """An array that recorded operations depend on, under a slot of its own."""

    __slots__ = ("slot",)

    def __init__(self, trace: Trace, value: Any, slot: int) -> None:
        self.owner = trace
        self.value = value
        self.slot = slot


class Step(NamedTuple):
    """One recorded operation.

    `args` has gaps at the places of recorded arrays: `reads` lists (argument, slot).
    `filled` are the slots of the results, `last` those that nothing reads afterwards.
    """

    primitive: Primitive
    args: list[Any]
    params: dict[str, Any]
    reads: list[tuple[int, int]]
    filled: list[int]
    last: tuple[int, ...] = ()


class Recorder(Trace):
    """Keeps a list of the operations on its variables, to be run on other arrays.

    `largest` is the number of bytes of the largest array that was met.
    """

    __slots__ = ("count", "largest", "steps")

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[Step] = []
        self.count = 0
        self.largest = 0

    def variable(self, value: Any) -> Recorded:
        """Return a new variable that holds `value`."""
        new = Recorded(self, value, self.count)
        self.count += 1
        nbytes = value.size * value.dtype.itemsize
        if nbytes > self.largest:
            self.largest = nbytes
        return new

    def process(
        self, primitive: Primitive, args: tuple[Any, ...], params: dict[str, Any]
    ) -> Any:
        """Apply a primitive to what is inside the variables, and record it."""
        if not self.open:
            self.check_open(primitive)
        values, gaps, reads = list(args), list(args), []
        for i, arg in enumerate(args):
            if isinstance(arg, Recorded) and arg.owner is self:
                values[i], gaps[i] = arg.value, None
                reads.append((i, arg.slot))
        ans = primitive(*values, **params)
        if not primitive.multiple:
            out = self.variable(as_array(ans))
            self.steps.append(Step(primitive, gaps, params, reads, [out.slot]))
            return out
        outs = tuple([self.variable(as_array(a)) for a in ans])
        filled = [out.slot for out in outs]
        self.steps.append(Step(primitive, gaps, params, reads, filled))
        return outs

    def holds(self, x: Any) -> bool:
        """Return whether x is an array that depends on the variables."""
        return isinstance(x, Recorded) and x.owner is self


class LinearMap:
    """What a recorder saw, as a function from its first variables to some others.

    Calls take and return flat lists of arrays. `largest` is that of the recorder;
    `constants` are the results that depend on no input, None for the others.
    """

    def __init__(self, recorder: Recorder, outs: Sequence[Any]) -> None:
        self.largest = recorder.largest
        self._count = recorder.count
        self._outs = [out.slot if recorder.holds(out) else None for out in outs]
        self.constants = [None if recorder.holds(out) else out for out in outs]
        wanted = {slot for slot in self._outs if slot is not None}
        self._steps = _needed(recorder.steps, wanted)
        self._tape: Tape | None = None

    def guard(self) -> None:
        """Copy the small arrays that the steps read, and make the others read-only.

        They are as long as this map exists: a tape holds them, which does no more.
        """
        tape = self._tape = Tape()
        tape.open = False
        ours: dict[int, tuple[Any, Any]] = {}  # by id: an array, what stands for it
        for step in self._steps:
            for i, arg in enumerate(step.args):
                if isinstance(arg, np.ndarray):
                    if id(arg) not in ours:
                        ours[id(arg)] = arg, tape.input(arg).value
                    step.args[i] = ours[id(arg)][1]

    def __call__(self, *inputs: Any) -> list[Any]:
        """Run the recorded operations."""
        values: list[Any] = [*inputs, *[None] * (self._count - len(inputs))]
        for primitive, gaps, params, reads, filled, last in self._steps:
            args = gaps.copy()
            for i, slot in reads:
                args[i] = values[slot]
            ans = primitive(*args, **params)
            if primitive.multiple:
                for slot, out in zip(filled, ans, strict=True):
                    values[slot] = out
            else:
                values[filled[0]] = ans
            for slot in last:
                values[slot] = None
        return [
            constant if slot is None else as_array(values[slot])
            for slot, constant in zip(self._outs, self.constants)
        ]


def _needed(steps: list[Step], wanted: set[int]) -> list[Step]:
    """Return the steps that the slots `wanted` depend on, with `last` filled in."""
    kept = []
    for step in reversed(steps):
        if wanted.isdisjoint(step.filled):
            continue
        reads = {slot for _, slot in step.reads}
        kept.append(step._replace(last=tuple(reads - wanted)))
        wanted |= reads
    return kept[::-1]


def linearize_flat(
    fun: Fun, primals: tuple[Any, ...], has_aux: bool = False
) -> tuple[Any, LinearMap, tree.TreeDef, list[Any]]:
    """Return the output, the derivative on flat lists, its structure, and [aux]."""
    leaves, treedef = tree.flatten(primals)
    recorder = Recorder()
    # Any tangents do. With zeros, a slope of infinity would warn of 0 * inf.
    x_dots = [
        recorder.variable(np.ones(x.shape, x.dtype)[()])
        for x in float_leaves(leaves, primals)
    ]
    try:
        y, y_dot, *aux = jvp(
            fun, primals, tree.unflatten(treedef, x_dots), has_aux=has_aux
        )
    finally:
        recorder.open = False
    outs, outdef = tree.flatten(y_dot)
    return y, LinearMap(recorder, outs), outdef, aux


def linearize(fun: Fun, *primals: Any, has_aux: bool = False) -> tuple[Any, ...]:
    """Return `fun(*primals)` and its derivative there, as a function of tangents.

    The derivative takes one tree per primal and returns a tree like the output. It may
    be called many times and does not evaluate `fun` again, where `jvp` would. As long
    as it exists, the arrays that it needs are read-only, be they primals, results or
    captured; of small ones it has copies. With `has_aux`, `fun` returns (output, aux)
    and `linearize` (output, derivative, aux).

    >>> from autograd_lite import linearize
    >>> y, f_jvp = linearize(lambda x: x * x, 3.0)
    >>> print(y, f_jvp(1.0), f_jvp(10.0))
    9.0 6.0 60.0
    """
    leaves, treedef = tree.flatten(primals)
    values = float_leaves(leaves, primals)
    y, linear, outdef, aux = linearize_flat(fun, primals, has_aux)
    linear.guard()

    def f_jvp(*tangents: Any) -> Any:
        x_dots = matching_leaves(tangents, treedef, values, "tangent", "primal")
        outs = linear(*x_dots)
        return tree.unflatten(outdef, separate(outs, [*x_dots, *linear.constants]))

    return (y, f_jvp, *aux)


def linear_transpose(fun: Fun, *primals: Any) -> Callable[[Any], tuple[Any, ...]]:
    """Return the transpose of a linear function.

    `primals` are trees of arrays, or of anything with `shape` and `dtype`: only these
    matter. The transpose takes a tree like the output and returns a tuple, one tree
    like each primal. Complex numbers are transposed without conjugation, as in `vjp`.

    Raises `TypeError` where `fun` is not linear: its derivative depends on the point,
    or it adds a constant, or it uses a step function or `stop_gradient`.

    >>> from autograd_lite import linear_transpose
    >>> transposed = linear_transpose(lambda x: 3 * x[:2], np.ones(3))
    >>> transposed(np.array([1.0, 10.0]))
    (array([ 3., 30.,  0.]),)
    """
    rng = np.random.default_rng(0)
    point = tree.map(lambda x: _random(rng, as_array(x)), primals)
    _check_linear(fun, point, rng)
    return vjp(fun, *point)[1]


def _random(rng: np.random.Generator, like: Any) -> Any:
    """Return an array of normal numbers of the same shape and dtype."""
    x = rng.standard_normal(like.shape)
    if like.dtype.kind == "c":
        x = x + 1j * rng.standard_normal(like.shape)
    return np.asarray(x, like.dtype)[()]


def _check_linear(fun: Fun, point: tuple[Any, ...], rng: np.random.Generator) -> None:
    """Raise where `fun` is not linear, seen at a random point.

    The pullback of a linear function does not depend on the point, which a recorder
    tells. Then it is affine, and the constant is zero if <g, f(x)> = <pullback(g), x>.
    """
    leaves, treedef = tree.flatten(point)
    recorder = Recorder()
    watched = [recorder.variable(x) for x in float_leaves(leaves, point)]
    y, pullback = vjp(fun, *tree.unflatten(treedef, watched))
    ys = [as_array(out) for out in tree.leaves(y)]
    for out in ys:
        if out.dtype.kind not in "fc":
            raise DifferentiationTypeError(_not_linear(fun, f"it returns {out.dtype}"))
    gs = [_random(rng, out) for out in ys]
    x_bars = tree.leaves(pullback(tree.unflatten(tree.structure(y), gs)))
    if any(recorder.holds(x_bar) for x_bar in x_bars):
        raise DifferentiationTypeError(_not_linear(fun, "its derivative varies"))
    ys = [out.value if recorder.holds(out) else out for out in ys]
    difference = concrete(_pairing(gs, ys) - _pairing(x_bars, leaves))
    scale = concrete(_size(gs, ys) + _size(x_bars, leaves))
    recorder.open = False
    tolerance = np.sqrt(max([np.finfo(g.dtype).eps for g in gs], default=0.0))
    if not np.all(np.abs(difference) <= tolerance * scale):
        what = "it adds a constant, or uses a step function or stop_gradient"
        raise DifferentiationTypeError(_not_linear(fun, what))


def _pairing(gs: Any, ys: Any) -> Any:
    """Return the real part of the sum of all products of elements."""
    total: Any = 0.0
    for g, y in zip(gs, ys, strict=True):
        products = real(g * y)
        total = total + sum(products, axis=tuple(range(products.ndim)))
    return total


def _size(gs: Any, ys: Any) -> Any:
    """Return the sum of the magnitudes of all products of elements."""
    return _pairing(map(abs, gs), map(abs, ys))


def _not_linear(fun: Fun, why: str) -> str:
    name = getattr(fun, "__name__", type(fun).__name__)
    return (
        f"linear_transpose needs a linear function, and {name} is not: {why}. The "
        "transpose of the derivative at a point is the pullback, vjp(fun, *primals)[1]"
    )
