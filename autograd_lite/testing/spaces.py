"""Functions of trees as functions of lists of float arrays, and their directions."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from .. import tree
from ..core import Tracer
from ..errors import ArgumentError
from .frameworks import (
    Foreign,
    framework_among,
    is_foreign_float,
    to_framework,
    to_numpy,
    unmarked,
)

Arrays = list[Any]
FlatFunction = Callable[..., tuple[Any, ...]]
DOUBLE = {"f": np.dtype(np.float64), "c": np.dtype(np.complex128)}
EPS: Final = float(np.finfo(np.float64).eps)


def is_float(x: Any) -> bool:
    """Return whether a leaf has a derivative: an array or number, float or complex."""
    return isinstance(x, (float, complex)) or (
        isinstance(x, (np.ndarray, np.generic, Tracer)) and x.dtype.kind in "fc"
    )


@dataclass(frozen=True)
class Arguments:
    """A tuple of arguments, taken apart: its float leaves, and what holds them.

    Other leaves (labels, flags, strings) are constants.
    """

    xs: Arrays
    names: list[str]
    leaves: list[Any]
    places: list[int]  # of the floats among the leaves
    treedef: tree.TreeDef

    def filled(self, xs: Sequence[Any], constants: Sequence[Any] | None = None) -> Any:
        """Return the arguments with other floats, and maybe other constants."""
        leaves = list(self.leaves if constants is None else constants)
        for i, x in zip(self.places, xs, strict=True):
            leaves[i] = x
        return tree.unflatten(self.treedef, leaves)


def split(args: tuple[Any, ...]) -> Arguments:
    """Take arguments apart; raise `ArgumentError` if none is an array of floats."""
    leaves, treedef = tree.flatten(args)
    places = [i for i, leaf in enumerate(leaves) if is_float(leaf)]
    if not places:
        kinds = sorted({type(leaf).__name__ for leaf in leaves})
        raise ArgumentError(
            f"no derivative to check: the arguments hold {kinds or 'nothing'}, and no "
            "array of floats"
        )
    paths = tree.paths(args)
    xs = [np.array(leaves[i]) for i in places]
    return Arguments(xs, [paths[i] for i in places], leaves, places, treedef)


def flat_function(
    fun: Callable[..., Any], args: tuple[Any, ...]
) -> tuple[FlatFunction, Arrays, list[str]]:
    """Return `fun` as a function of the float leaves of `args`, these, and their paths.

    Of the results, too, only the float leaves are kept.
    """
    fun, framework = unmarked(fun)
    framework = framework or framework_among(tree.leaves(args))
    parts = split(tree.map(to_numpy, args))
    if framework is None:
        if len(args) == len(parts.places) and all(map(is_float, args)):  # no trees
            flat: FlatFunction = lambda *xs: floats(fun(*xs))  # noqa: E731
        else:
            flat = lambda *xs: floats(fun(*parts.filled(xs)))  # noqa: E731
    else:
        constants = [to_framework(framework, leaf) for leaf in parts.leaves]

        def of_framework(*xs: Any) -> tuple[Any, ...]:
            outs = tree.leaves(fun(*parts.filled(xs, constants)))
            return tuple([y for y in outs if is_foreign_float(y)])

        flat = Foreign(of_framework, framework)
    return flat, parts.xs, parts.names


def floats(outs: Any) -> tuple[Any, ...]:
    """Return the float leaves of a result, as arrays."""
    if isinstance(outs, np.ndarray | Tracer):
        return (outs,) if outs.dtype.kind in "fc" else ()
    return tuple(
        [
            y if hasattr(y, "dtype") else np.asarray(y)[()]
            for y in tree.leaves(outs)
            if is_float(y)
        ]
    )


def inner(a: Sequence[Any], b: Sequence[Any]) -> float:
    """Return the sum of Re(a * b), in double precision.

    With this product (no conjugate) pullback and pushforward are adjoint in the
    convention of `grad`, for complex arrays too.
    """
    parts = [float((as_double(x) * as_double(y)).real.sum()) for x, y in zip(a, b)]
    if len(parts) == 1:
        return parts[0]
    return math.fsum(parts) if all(map(math.isfinite, parts)) else sum(parts)


def size_of(a: Sequence[Any], b: Sequence[Any]) -> float:
    """Return the root of the sum of |a * b|**2: the magnitude of a sum with noise."""
    parts = [_norm(as_double(x) * as_double(y)) for x, y in zip(a, b)]
    return parts[0] if len(parts) == 1 else math.hypot(*parts)


def _norm(x: Any) -> float:
    return math.sqrt(float(np.vdot(x, x).real))


def as_double(x: Any) -> Any:
    """Return an array in double precision, or better if it is."""
    if type(x) is np.ndarray and x.dtype.char in "dD":
        return x
    x = np.asarray(x)
    return x.astype(DOUBLE[x.dtype.kind], copy=False)


def widen(xs: Arrays) -> Arrays:
    """Return the arrays in double precision; what is double or better is unchanged."""
    return [x.astype(DOUBLE[x.dtype.kind]) if epsilon([x]) > EPS else x for x in xs]


def epsilon(xs: Sequence[Any]) -> float:
    """Return the largest machine epsilon of the arrays."""
    return max([_epsilon(x.dtype.char) for x in xs], default=0.0)


def epsilon_of(dtypes: Sequence[np.dtype[Any]]) -> float:
    """Return the largest machine epsilon of the dtypes."""
    return max([_epsilon(dtype.char) for dtype in dtypes], default=0.0)


@functools.cache
def _epsilon(char: str) -> float:
    return float(np.finfo(char).eps)


def like(xs: Sequence[Any], templates: Sequence[Any]) -> Arrays:
    """Return the arrays in the dtypes of `templates`."""
    return [np.asarray(x).astype(t.dtype) for x, t in zip(xs, templates, strict=True)]


def random_like(rng: np.random.Generator, xs: Sequence[Any]) -> Arrays:
    """Return random arrays of the shapes and dtypes of `xs`.

    Elements have magnitudes in [0.5, 1.5] and random signs or phases, so that each of
    them counts: a normal distribution would hide some near zero.
    """
    return [np.asarray(_random(rng, x.shape, x.dtype.kind), x.dtype) for x in xs]


def _random(rng: np.random.Generator, shape: tuple[int, ...], kind: str) -> Any:
    if kind == "c":
        return np.exp(2j * np.pi * rng.random(shape)) * rng.uniform(0.5, 1.5, shape)
    signed = 2 * rng.random(shape) - 1
    return signed + np.copysign(0.5, signed)


def levelled(rng: np.random.Generator, us: Arrays, gs: Sequence[Any]) -> Arrays:
    """Turn and shrink the elements of `us` so that all products u * g are alike.

    Not quite equal, as the jumps at several kinks would cancel each other too often.

    In the sum of such products nothing cancels, so that a small relative error shows;
    and nothing drowns, so that a single wrong element shows. Products many orders below
    the largest stay as small as they are: their share would be rounding error.
    """
    products = [as_double(u) * as_double(g) for u, g in zip(us, gs, strict=True)]
    sizes = [np.abs(product) for product in products]
    usable = [(size > 0) & (size < np.inf) for size in sizes]
    kept = [size[at] for size, at in zip(sizes, usable) if at.any()]
    if not kept:
        return us
    low, high = min([k.min() for k in kept]), max([k.max() for k in kept])
    target = max(float(low), float(high) * epsilon(us) ** (1 / 3))
    found = []
    for u, product, size, at in zip(us, products, sizes, usable):
        share = np.where(at, size, target)  # what is not usable stays as it is
        turn = np.where(at, np.conj(product), target) / share
        if turn.dtype.kind == "c":  # not quite real, or imaginary parts are unseen
            turn = turn * np.conj(turn) ** (1 / 3)
        shrink = np.minimum(target / share, 1.0) * rng.uniform(0.8, 1.2, u.shape)
        found.append(np.asarray(u * (turn * shrink), u.dtype))
    return found


def magnitudes(xs: Sequence[Any], careful: bool = False) -> Arrays:
    """Return for each element the change that counts as 1: its own magnitude.

    For a zero that is a tenth of the array's root mean square, or where one must be
    `careful` of the domain the smallest magnitude there is; 1 in an array of zeros.
    """
    found = []
    for x in xs:
        size = np.abs(as_double(x))
        if size.all():
            found.append(size)
            continue
        largest = float(size.max(initial=0.0)) or 1.0
        if careful:
            typical = float(size.min(initial=largest, where=size > 0))
        else:  # divided by the largest, as squares might overflow
            share = (size / largest) ** 2
            typical = 0.1 * largest * math.sqrt(float(share.sum()) / max(x.size, 1))
        found.append(np.where(size == 0, typical or 1.0, size))
    return found


def move(xs: Sequence[Any], us: Sequence[Any], step: float) -> Arrays:
    """Return xs + step * us, in the dtypes of xs."""
    return [np.asarray(x + step * u, x.dtype) for x, u in zip(xs, us)]
