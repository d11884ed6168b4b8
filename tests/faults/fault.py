"""A wrong rule, and ways to make one of a right rule."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy

from .functions import Array, Function, Pull

Row = tuple[Function, str, Pull]  # a function, what is wrong, the wrong rule


@dataclass(frozen=True)
class Fault:
    """A wrong rule of a function.

    `peers` tells that it can be shown to other libraries' checkers: it needs no memory
    layout, no array that is written to, and no state. `checker` is what must find it at
    its defaults.
    """

    family: str
    function: Function
    name: str
    wrong: Pull
    checker: str = "check_grads"

    @property
    def id(self) -> str:
        """The name in test output."""
        return f"{self.family}: {self.function.name}, {self.name}"

    def pull(self) -> Pull:
        """Return the wrong rule, in its first state if it has one."""
        return copy.deepcopy(self.wrong)


Change = Callable[..., Array]  # (np, cotangent, g, ans, *xs) -> wrong cotangent


def changed(function: Function, change: Change, argnum: int = 0) -> Pull:
    """Return the right rule with one cotangent changed."""

    def pull(np: Any, g: Array, ans: Array, *xs: Array) -> tuple[Array, ...]:
        right = list(function.pull(np, g, ans, *xs))
        right[argnum] = change(np, right[argnum], g, ans, *xs)
        return tuple(right)

    return pull


def times(factor: float) -> Change:
    """A change by a factor."""
    return lambda np, x_bar, *_: x_bar * factor


def family(name: str, *rows: Row) -> list[Fault]:
    """Return the faults of one family."""
    return [Fault(name, *row) for row in rows]


def single(function: Function) -> Function:
    """Return a function at arguments in float32."""
    return replace(
        function, args=tuple([x.astype(numpy.float32) for x in function.args])
    )
