"""What a recorded program depends on besides arrays: values, structures, their names.

Equality is that of programs: 1, 1.0 and True make three, and so do 0.0 and -0.0 two.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from . import tree
from .errors import ArgumentError


class Static:
    """An argument that is part of the program; equal when what it holds is."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Static) and _same(self.value, other.value)

    def __hash__(self) -> int:
        value = self.value
        # NaNs have hashes of their own, but one program.
        return 0 if isinstance(value, float) and value != value else hash(value)


class Structure:
    """The structure of the arguments, with what is static in it compared as theirs."""

    __slots__ = ("treedef",)

    def __init__(self, treedef: tree.TreeDef) -> None:
        self.treedef = treedef

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Structure) and _alike(self.treedef, other.treedef)

    def __hash__(self) -> int:
        return hash(self.treedef)


def _alike(a: tree.TreeDef, b: tree.TreeDef) -> bool:
    """Return whether two structures make the same program."""
    if a is b:
        return True
    return (
        a.kind is b.kind
        and len(a.children) == len(b.children)
        and _same(a.aux, b.aux)
        and ((a.flat and b.flat) or all(map(_alike, a.children, b.children)))
    )


def _same(a: Any, b: Any) -> bool:
    """Return whether two values make the same program.

    >>> _same(1, 1.0), _same((0.0, 1), (-0.0, 1)), _same(float("nan"), float("nan"))
    (False, False, True)
    """
    if type(a) is not type(b):
        return False
    if isinstance(a, (float, complex)):
        return repr(a) == repr(b)
    if type(a) is str:
        return bool(a == b)
    if isinstance(a, tuple):
        return len(a) == len(b) and all(map(_same, a, b))
    return bool(a == b)


def both_ways(
    fun: Callable[..., Any], numbers: frozenset[int], names: frozenset[str]
) -> tuple[frozenset[int], frozenset[str]]:
    """Return numbers and names of static arguments, however they will be passed.

    >>> sorted(both_ways(lambda x, axis: x, frozenset([-1]), frozenset())[0])
    [1]
    """
    try:
        parameters = list(inspect.signature(fun).parameters.values())
    except (TypeError, ValueError):  # some functions in C have none
        return numbers, names
    kinds = {p.kind for p in parameters}
    places = [p.name for p in parameters if p.kind in (_PLACE, _EITHER)]
    flexible = {p.name for p in parameters if p.kind is _EITHER}
    known = {p.name for p in parameters if p.kind in (_EITHER, _NAME)}
    if inspect.Parameter.VAR_KEYWORD not in kinds:
        for name in names - known:
            raise ArgumentError(
                f"static_argnames: the function has no argument {name!r}, but "
                f"{', '.join(sorted(known)) or 'none'}."
            )
    n = len(places)
    if inspect.Parameter.VAR_POSITIONAL not in kinds:
        for i in numbers:
            if not -n <= i < n:
                raise ArgumentError(
                    f"static_argnums: there is no argument {i}; the function takes {n} "
                    "by position."
                )
        numbers = frozenset([i % n for i in numbers])
    also = {places[i] for i in numbers if 0 <= i < n}
    numbers |= {places.index(name) for name in names & flexible}
    return numbers, names | (also & flexible)


def plain(name: str, array: Any) -> Any:
    """Return an array of a subclass as a plain one, unless it would then mean less."""
    if isinstance(array, (np.ma.MaskedArray, np.matrix)):
        raise ArgumentError(
            f"{name} was given a {type(array).__name__}, whose operations are not "
            "those of arrays, which a program has. Pass np.asarray(x), and a mask "
            "beside it."
        )
    return np.asarray(array) if isinstance(array, np.ndarray) else array


def check_leaves(name: str, leaves: list[Any]) -> None:
    """Raise for arguments that no program may depend on."""
    for leaf in leaves:
        held = leaf.value if type(leaf) is Static else leaf
        if isinstance(held, (np.random.Generator, np.random.RandomState)):
            raise ArgumentError(
                f"{name} was given a random generator, but a recorded "
                "program would repeat what was drawn while it was recorded. Draw the "
                "numbers first and pass them as an array."
            )
        dtype = leaf.dtype if isinstance(leaf, (np.ndarray, np.generic)) else None
        if dtype is not None and dtype.kind not in "biufc":
            raise ArgumentError(
                f"{name} was given an array of dtype {dtype}; expected "
                "numbers. Name an argument that is none in static_argnums."
            )


_PLACE = inspect.Parameter.POSITIONAL_ONLY
_EITHER = inspect.Parameter.POSITIONAL_OR_KEYWORD
_NAME = inspect.Parameter.KEYWORD_ONLY
