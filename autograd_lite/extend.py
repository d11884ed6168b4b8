"""HIPS autograd's way of adding primitives, over ours.

`primitive`, `defvjp` and `defvjp_argnums` take what HIPS's take; `defjvp` accepts
"same" for a linear argument. Rules that broadcast must sum their cotangents down, or
the primitive be made with `autograd_lite.elementwise`, which does that.

>>> import numpy as np
>>> from autograd_lite import grad
>>> @primitive
... def logsumexp(x):
...     top = np.max(x)
...     return top + np.log(np.sum(np.exp(x - top)))
>>> defvjp(logsumexp, lambda ans, x: lambda g: g * np.exp(x - ans))
>>> grad(logsumexp)(np.array([0.0, 0.0]))
array([0.5, 0.5])
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, Literal

from . import core
from .core import Primitive, nondifferentiable
from .core import primitive as primitive
from .errors import ArgumentError

Rule = Callable[..., Any]


def defvjp(
    fun: Primitive, *vjps: Rule | None, argnums: Sequence[int] | None = None
) -> None:
    """Define reverse-mode rules, `vjp(ans, *args, **kwargs) -> (g -> cotangent)`."""
    core.defvjp(fun, *vjps, argnums=_numbers(argnums))


def defvjp_argnum(fun: Primitive, vjpmaker: Rule) -> None:
    """Define one rule for all arguments, `vjpmaker(argnum, ans, args, kwargs)`.

    >>> import numpy as np
    >>> from autograd_lite import grad
    >>> @primitive
    ... def total(*args):
    ...     return sum(args)
    >>> defvjp_argnum(total, lambda argnum, ans, args, kwargs: lambda g: g)
    >>> grad(total, argnums=(0, 2))(1.0, 2.0, 3.0)
    (np.float64(1.0), np.float64(1.0))
    """

    def joint(argnums: Sequence[int], ans: Any, args: Any, kwargs: Any) -> Rule:
        pulls = [vjpmaker(i, ans, args, kwargs) for i in argnums]
        return lambda g: tuple([pull(g) for pull in pulls])

    core.defvjp_argnums(fun, joint)


def defvjp_argnums(fun: Primitive, vjpmaker: Rule) -> None:
    """Define one joint rule, `vjpmaker(argnums, ans, args, kwargs)`.

    It returns the function from g to the cotangents, in any iterable.
    """

    def joint(argnums: Sequence[int], ans: Any, args: Any, kwargs: Any) -> Rule:
        pull = vjpmaker(argnums, ans, args, kwargs)
        return lambda g: tuple(pull(g))

    core.defvjp_argnums(fun, joint)


def defjvp(
    fun: Primitive,
    *jvps: Rule | Literal["same"] | None,
    argnums: Sequence[int] | None = None,
) -> None:
    """Define forward-mode rules, `jvp(x_dot, ans, *args, **kwargs) -> tangent`.

    "same" stands for the function itself, which is linear in that argument. Without
    any rule, forward mode is derived from the reverse one.
    """
    numbers = range(len(jvps)) if argnums is None else argnums
    rules = [_jvp(fun, rule, i) for rule, i in zip(jvps, numbers, strict=True)]
    core.defjvp(fun, *rules, argnums=tuple(numbers))


def defjvp_argnum(fun: Primitive, jvpmaker: Rule) -> None:
    """Define one rule for all, `jvpmaker(argnum, x_dot, ans, args, kwargs)`."""
    fun.jvps = _EachArgument(
        lambda i, x_dot, ans, *args, **kwargs: jvpmaker(i, x_dot, ans, args, kwargs)
    )


def defjvp_argnums(fun: Primitive, jvpmaker: Rule) -> None:
    """Define one joint rule, `jvpmaker(argnums, x_dots, ans, args, kwargs)`.

    It returns the tangent that those of all the arguments `argnums` cause together.
    """
    core.defjvp_argnums(fun, jvpmaker)


def def_linear(fun: Primitive) -> None:
    """Define the forward-mode rules of a function linear in each of its arguments."""
    fun.jvps = _EachArgument(lambda i, *rest, **kwargs: _same(fun, i)(*rest, **kwargs))


def notrace_primitive(fun: Callable[..., Any]) -> Primitive:
    """Turn a function into a primitive that is given plain arrays, never tracers.

    What it returns is a constant to derivatives.

    >>> import numpy as np
    >>> from autograd_lite import grad
    >>> largest = notrace_primitive(lambda x: float(np.max(x)))
    >>> print(grad(lambda x: x / largest(x))(4.0))
    0.25
    """
    return nondifferentiable(fun)


class _EachArgument(dict[int, Rule | None]):
    """Forward rules for every argument number there may be, from one function."""

    def __init__(self, rule: Rule) -> None:
        super().__init__()
        self.rule = rule

    def __contains__(self, argnum: object) -> bool:
        return True

    def __missing__(self, argnum: int) -> Rule:
        return functools.partial(self.rule, argnum)


def _jvp(fun: Primitive, rule: Any, argnum: int) -> Rule | None:
    if rule is None or callable(rule):
        return rule
    if rule == "same":
        return _same(fun, argnum)
    raise ArgumentError(
        f"defjvp({fun.name}, ...): the rule for argument {argnum} is {rule!r}; "
        'expected a function of (x_dot, ans, *args), "same" or None'
    )


def _same(fun: Primitive, argnum: int) -> Rule:
    """Return the forward rule of a function that is linear in an argument."""

    def rule(x_dot: Any, ans: Any, *args: Any, **kwargs: Any) -> Any:
        return fun(*args[:argnum], x_dot, *args[argnum + 1 :], **kwargs)

    return rule


def _numbers(argnums: Sequence[int] | None) -> tuple[int, ...] | None:
    return None if argnums is None else tuple(argnums)
