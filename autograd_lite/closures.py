"""Traced arrays that a function captures from outside, made arguments of it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from types import CellType, FunctionType
from typing import Any, Final

from . import tree
from .core import is_tracer

Fun = Callable[..., Any]
Test = Callable[[Any], bool]

_MOST: Final = 1000  # items of a captured container that are looked at


def lifted(fun: Fun) -> tuple[list[Any], Callable[[Sequence[Any]], Fun]]:
    """Return the traced arrays in a function's closure, and how to put others there.

    The closure is searched for trees of arrays, functions, and `functools.partial`s of
    them, which may capture in turn. What an object keeps in its attributes is not seen.

    >>> lifted(lambda x: x)[0]
    []
    """
    found = _opened(fun, frozenset(), is_tracer)
    if not found.leaves:
        return [], lambda xs: fun
    # What is returned must not hold the tracers, which would hold it in their turn.
    empty = found.closed(iter([_Hole() for _ in found.leaves]))
    emptied = _opened(empty, frozenset(), lambda value: isinstance(value, _Hole))
    return [*found.leaves], lambda xs: emptied.closed(iter(xs))


class _Hole:
    """Stands where a traced array was."""


class _Opened:
    """A captured value: the tracers in it, in order, and the value with others."""

    def __init__(
        self, leaves: Sequence[Any], closed: Callable[[Iterator[Any]], Any]
    ) -> None:
        self.leaves = leaves
        self.closed = closed


def _opened(value: Any, above: frozenset[int], is_leaf: Test) -> _Opened:
    if is_leaf(value):
        return _Opened([value], next)
    if id(value) in above:  # a function that captures itself
        return _constant(value)
    above = above | {id(value)}
    if isinstance(value, FunctionType):
        return _function(value, above, is_leaf)
    if isinstance(value, functools.partial):
        parts = value.func, value.args, value.keywords
        return _joined(value, parts, above, is_leaf, _partial)
    if isinstance(value, (dict, list, tuple)) and 0 < len(value) <= _MOST:
        leaves, treedef = tree.flatten(value)
        return _joined(
            value, leaves, above, is_leaf, lambda new: tree.unflatten(treedef, new)
        )
    return _constant(value)


def _constant(value: Any) -> _Opened:
    return _Opened([], lambda xs: value)


def _joined(
    value: Any,
    parts: Sequence[Any],
    above: frozenset[int],
    is_leaf: Test,
    join: Callable[[list[Any]], Any],
) -> _Opened:
    """Return what is made of several values; the value itself where none is traced."""
    opened = [_opened(part, above, is_leaf) for part in parts]
    leaves = [leaf for part in opened for leaf in part.leaves]
    if not leaves:
        return _constant(value)
    return _Opened(leaves, lambda xs: join([part.closed(xs) for part in opened]))


def _partial(parts: list[Any]) -> Fun:
    fun, args, keywords = parts
    return functools.partial(fun, *args, **keywords)


def _function(fun: FunctionType, above: frozenset[int], is_leaf: Test) -> _Opened:
    cells = fun.__closure__ or ()
    contents = [_content(cell) for cell in cells]
    kept = [
        content is not fun and not _opened(content, above, is_leaf).leaves
        for content in contents
    ]

    def join(new: list[Any]) -> Fun:
        made = [
            cell if keep else CellType(content)
            for cell, keep, content in zip(cells, kept, new[2:], strict=True)
        ]
        copy = FunctionType(
            fun.__code__, fun.__globals__, fun.__name__, new[0], tuple(made)
        )
        copy.__kwdefaults__ = new[1]
        for cell, content in zip(made, contents):
            if content is fun:  # it calls itself
                cell.cell_contents = copy
        return copy

    parts = [fun.__defaults__, fun.__kwdefaults__, *contents]
    return _joined(fun, parts, above, is_leaf, join)


def _content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not assigned yet
        return None
