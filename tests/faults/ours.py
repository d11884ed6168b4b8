"""The functions of the banks as primitives of autograd_lite."""

from __future__ import annotations

from typing import Any

import autograd_lite.numpy
from autograd_lite import defvjp_argnums, primitive, stop_gradient

from .functions import Function, Pull
from .spaces import PLAIN, Space

TRACED = Space(autograd_lite.numpy, stop_gradient)


def build(function: Function, pull: Pull) -> Any:
    """Return a function as a primitive that has a rule."""

    def fun(*xs: Any) -> Any:
        return function.value(PLAIN, *xs)

    fun.__name__ = function.name
    made = primitive(fun)

    def rule(argnums: Any, ans: Any, args: Any, params: Any) -> Any:
        def back(g: Any) -> tuple[Any, ...]:
            cotangents = pull(TRACED, g, ans, *args)
            return tuple([cotangents[i] for i in argnums])

        return back

    defvjp_argnums(made, rule)
    return made
