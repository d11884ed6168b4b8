"""The arguments of functions with rules of their own, and what their rules return.

Calls are brought to flat lists of traced arrays here, and the trees that rules return
are compared with what they stand for: structure, shapes, dtypes.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from . import tree
from .batching import Batched
from .core import Primitive, Trace, Tracer, is_tracer
from .errors import ArgumentError, RuleError, TreeError
from .ops.basic import stop_gradient
from .reverse import as_array

Flat = Sequence[Any]
Numbers = int | Sequence[int]
Names = str | Sequence[str]


def positions(
    signature: inspect.Signature, argnums: Numbers, argnames: Names
) -> tuple[int, ...]:
    """Return which parameters are not differentiated, as sorted positions."""
    parameters = [*signature.parameters]
    numbers = [argnums] if isinstance(argnums, int) else [*argnums]
    names = [argnames] if isinstance(argnames, str) else [*argnames]
    if unknown := [name for name in names if name not in parameters]:
        raise ArgumentError(f"nondiff_argnames {unknown}: parameters are {parameters}")
    n = len(parameters)
    if outside := [i for i in numbers if not -n <= i < n]:
        raise ArgumentError(f"nondiff_argnums {outside}: there are {n} parameters")
    return tuple(sorted({i % n for i in numbers} | {*map(parameters.index, names)}))


class Arguments:
    """The arguments of one call: traced leaves, and everything else as it came."""

    def __init__(
        self, args: tuple[Any, ...], nondiff: tuple[int, ...], of: str
    ) -> None:
        self.nondiff = nondiff
        self.fixed = [args[i] for i in nondiff]
        if any(map(is_tracer, tree.leaves(self.fixed))):
            raise ArgumentError(_traced_nondiff(of))
        rest = tuple([x for i, x in enumerate(args) if i not in nondiff])
        leaves, self.treedef = tree.flatten(rest)
        self.places = [i for i, leaf in enumerate(leaves) if is_tracer(leaf)]
        self.traced = [leaves[i] for i in self.places]
        self.leaves = [None if is_tracer(leaf) else leaf for leaf in leaves]

    def take(self) -> list[Any]:
        """Hand over the traced leaves: rules keep the rest, and their tape keeps them.

        The tracers would lead from there to the tape, in a cycle.
        """
        traced, self.traced = self.traced, []
        return traced

    def filled(self, xs: Flat) -> list[Any]:
        """Return all differentiable leaves, with `xs` in place of the traced ones."""
        leaves = list(self.leaves)
        for i, x in zip(self.places, xs, strict=True):
            leaves[i] = x
        return leaves

    def differentiable(self, xs: Flat) -> tuple[Any, ...]:
        """Return the differentiable arguments."""
        return tree.unflatten(self.treedef, self.filled(xs))

    def all(self, xs: Flat) -> list[Any]:
        """Return all arguments, as the function takes them."""
        args = list(self.differentiable(xs))
        for i, x in zip(self.nondiff, self.fixed):
            args.insert(i, x)
        return args


class Shaped:
    """The shape and dtype of a leaf, None for what has no derivative."""

    def __init__(self, leaf: Any) -> None:
        self.shape = getattr(leaf, "shape", ())
        self.dtype = getattr(leaf, "dtype", None)
        if isinstance(leaf, (float, complex)):
            self.dtype = np.dtype(type(leaf))
        self.smooth = self.dtype is not None and self.dtype.kind in "fc"


class Operation(Primitive):
    """A primitive of one call; enclosing transformations see what it computes.

    `kept` holds what the last run leaves for the gradient rule that is made after it.
    Both are given the list, as a rule that knew its operation would be a cycle.
    """

    def __init__(
        self, impl: Callable[..., Any], kept: list[Any], **options: Any
    ) -> None:
        super().__init__(impl, **options)
        self.kept = kept

    def __call__(self, *args: Any, **params: Any) -> Any:
        """Run the implementation on values that may be traced."""
        return self.impl(*args, **params)

    def forget(self) -> None:
        """Drop what was kept for a rule that is not going to be made."""
        self.kept.clear()


def highest(xs: Flat) -> Trace | None:
    """Return the trace of the highest level among values, None without tracers."""
    owners = [x.owner for x in xs if isinstance(x, Tracer)]
    return max(owners, key=lambda trace: trace.level, default=None)


def begun_later(xs: Flat, level: int) -> bool:
    """Return whether values are traced by a transformation begun after that of `level`.

    An operation is given such values where a linear map that has recorded it is itself
    mapped or differentiated.
    """
    top = highest(xs)
    return top is not None and top.level > level


def picked(values: Flat, argnums: Flat) -> tuple[Any, ...]:
    """Return the values at some positions."""
    return tuple([values[i] for i in argnums])


def constant_if_integer(y: Any) -> Any:
    """Return an array without its trace where it has no derivative."""
    return y if y.dtype.kind in "fc" else stop_gradient(y)


def zero_tangent(x: Any) -> Any:
    """Return the tangent of what is not perturbed; None for what is no number."""
    if isinstance(x, (int, float, complex)):
        x = np.asarray(x)
    if not hasattr(x, "dtype"):
        return None
    dtype = x.dtype if x.dtype.kind in "fc" else np.dtype(float)
    return np.zeros(x.shape, dtype)[()]


def arrays_of(residuals: Any) -> tuple[Flat, Callable[[Flat], Any]]:
    """Return the arrays among the leaves of a tree, and what puts others in."""
    leaves, treedef = tree.flatten(residuals)
    kinds = (Tracer, np.ndarray, np.generic)
    places = [i for i, leaf in enumerate(leaves) if isinstance(leaf, kinds)]
    others = [None if i in places else leaf for i, leaf in enumerate(leaves)]

    def rebuild(arrays: Flat) -> Any:
        filled = list(others)
        for i, x in zip(places, arrays, strict=True):
            filled[i] = x
        return tree.unflatten(treedef, filled)

    return [leaves[i] for i in places], rebuild


# -- captured tracers -----------------------------------------------------------------


def is_differentiated(x: Any) -> bool:
    """Return whether a derivative of x is being taken, at any level."""
    while isinstance(x, Tracer):
        if not isinstance(x, Batched):
            return True
        x = x.value
    return False


def check_captured(name: str, values: Flat, level: int) -> None:
    """Raise where a result depends on a tracer that was no argument.

    Those of transformations that enclose the arguments' one, of `level`, may be
    captured.
    """
    if any(isinstance(x, Tracer) and x.owner.level >= level for x in values):
        raise ArgumentError(captured(name))


def captured(name: str) -> str:
    """Return the error for a result that depends on a captured tracer."""
    return (
        f"{name}: the result depends on a traced array that is no argument of the "
        "function but was captured from outside. Its rule knows nothing of that array: "
        "pass it as an argument."
    )


def _traced_nondiff(name: str) -> str:
    return (
        f"{name}: an argument of nondiff_argnums was given a traced array. Make it "
        "differentiable, with None for its cotangent where it has none, or pass "
        "stop_gradient(x)."
    )


# -- what rules return ----------------------------------------------------------------


def rule_place(name: str, rule: Callable[..., Any]) -> str:
    """Return how errors call a rule: its name, its function's, and the source line."""
    code = getattr(rule, "__code__", None)
    where = f" ({code.co_filename}:{code.co_firstlineno})" if code else ""
    return f"the rule {getattr(rule, '__name__', rule)} of {name}{where}"


def pair(result: Any, rule: str, of: str) -> tuple[Any, Any]:
    """Return what a rule returned; raise unless that is a pair."""
    if type(result) is tuple and len(result) == 2:
        return result
    kind = type(result).__name__
    raise RuleError(f"{rule} must return a pair {of}, got {kind}")


def something(x_bars: Any, rule: str) -> Any:
    """Return the cotangents that a rule returned; raise where it returned None."""
    if x_bars is None:
        raise RuleError(
            f"{rule} returned None: is a `return` missing? For zeros return a tuple, "
            "with None for each argument that gets them."
        )
    return x_bars


def matching(
    given: Any, treedef: tree.TreeDef, like: Sequence[Shaped], rule: str
) -> list[Any]:
    """Return the leaves of what a rule returned, None where they are zero.

    None may stand in place of any subtree. A Python number takes the dtype it is to
    have. Raises `RuleError` for another structure, shape or dtype.
    """
    if type(given) is list and treedef.kind is tuple:
        given = tuple(given)
    leaves, found = tree.flatten(given)
    filled: list[Any] = []
    structure = _none_filled(treedef, found, iter(leaves), filled)
    if structure != treedef:
        skeleton = tree.unflatten(treedef, like)
        try:
            tree.map(lambda a, b: None, skeleton, tree.unflatten(structure, filled))
        except TreeError as error:
            raise RuleError(f"{rule} returned a wrong structure: {error}") from None
    found_leaves = [_like(x, shaped) for x, shaped in zip(filled, like, strict=True)]
    for i, (x, shaped) in enumerate(zip(found_leaves, like)):
        if x is not None and (x.shape != shaped.shape or x.dtype != shaped.dtype):
            path = tree.paths(tree.unflatten(treedef, like))[i]
            place = f" at {path!r}" if path else ""
            raise RuleError(
                f"{rule} returned an array of shape {x.shape} and dtype {x.dtype}"
                f"{place}, where shape {shaped.shape} and dtype {shaped.dtype} is "
                "needed; sum it over broadcast axes, or convert it with .astype"
            )
    return found_leaves


def _none_filled(
    expected: tree.TreeDef, found: tree.TreeDef, leaves: Iterator[Any], out: list[Any]
) -> tree.TreeDef:
    """Return the structure with each None replaced by the subtree it stands for."""
    if found.kind is type(None):
        out += [None] * expected.size
        return expected
    if found.kind is None:
        out.append(next(leaves))
        return found
    others = expected.children if len(expected.children) == len(found.children) else ()
    pairs = zip(others or found.children, found.children)
    parts = tuple([_none_filled(e, f, leaves, out) for e, f in pairs])
    size = sum([part.size for part in parts])
    return dataclasses.replace(found, children=parts, size=size)


def _like(x: Any, shaped: Shaped) -> Any:
    """Return a leaf of what a rule returned as an array, None where it is zero."""
    if x is None or not shaped.smooth:
        return None
    if isinstance(x, (int, float, complex)) and not isinstance(x, np.generic):
        return np.asarray(x, np.result_type(shaped.dtype, x))[()]
    return as_array(x)
