"""Checks of derivatives that were written by hand, or that another library computes.

Nothing is traced: the function and its derivative are called with plain arrays, or
with PyTorch's or JAX's where the arguments are such.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import tree
from ..errors import ArgumentError, GradientCheckError
from .frameworks import Border
from .grads import examined, first_level, settled, title_of
from .probe import Level, Rule
from .report import Report
from .spaces import Arguments, as_double, floats, is_float, split

Seed = int | np.random.Generator


def check_gradient(
    f: Callable[..., Any],
    grad_f: Callable[..., Any],
    x: Any,
    *,
    rtol: float | None = None,
    atol: float = 0.0,
    seed: Seed = 0,
    report: bool = False,
) -> Report | None:
    """Check the gradient of a scalar function that was derived by hand.

    Args:
        f: returns a scalar; plain NumPy, PyTorch or JAX. It isn't traced.
        grad_f: takes the same arguments and returns the gradient, a tree like `x`.
        x: the argument, an array or a tree; a tuple holds several arguments. Leaves
            that are no floats are constants; what `grad_f` has for these is not read.

    Other arguments, and what it raises, warns of and returns, are those of
    `check_grads`. A complex gradient is df/dx - i df/dy as here and in JAX; that of
    PyTorch tensors is its conjugate, as there.

    >>> import numpy as np
    >>> check_gradient(lambda x: (x**2).sum(), lambda x: 2 * x, np.ones(3))
    """
    return settled(gradient_report(f, grad_f, x, rtol, atol, seed), report)


def gradient_report(
    f: Callable[..., Any],
    grad_f: Callable[..., Any],
    x: Any,
    rtol: float | None,
    atol: float,
    seed: Seed,
) -> Report:
    """Return what a check of a gradient finds."""
    args = x if isinstance(x, tuple) else (x,)
    check = _Check(f, args)
    value = floats(check.f(*check.args))
    if len(value) != 1 or np.size(value[0]) != 1:
        raise ArgumentError(
            f"{title_of(f)} returns arrays of shapes {[np.shape(y) for y in value]}, "
            "no scalar; pass its pullback to check_vjp instead"
        )
    gradient = check.border.wrap(grad_f)

    def rule(*both: Any) -> tuple[Any, ...]:
        *xs, g = both
        grads = gradient(*check.parts.filled(xs))
        return tuple(
            [
                np.asarray(g.reshape(()) * x_bar)
                for x_bar in check.matched(
                    check.border.conjugate(grads), title_of(grad_f)
                )
            ]
        )

    level = check.level({"rev": rule}, seed, rtol, atol)
    return examined(level, 1, ("rev",), seed)


def check_vjp(
    f: Callable[..., Any],
    vjp_f: Callable[..., Any],
    args: Any,
    *,
    rtol: float | None = None,
    atol: float = 0.0,
    seed: Seed = 0,
    report: bool = False,
) -> Report | None:
    """Check a hand-derived backward pass.

    Args:
        f: takes and returns trees of arrays; plain NumPy, PyTorch or JAX, not traced.
        vjp_f: takes the same arguments and returns `(f(*args), pullback)`, or the
            pullback alone; this takes the cotangent of the result and returns the tuple
            of cotangents of the arguments (or the only one). So do `jax.vjp`,
            `torch.func.vjp` and `autograd_lite.vjp` with a `functools.partial`.
        args: the tuple of arguments.

    Other arguments, and what it raises, warns of and returns, are those of
    `check_grads`.

    >>> import numpy as np
    >>> def sine(x):
    ...     return np.sin(x), lambda g: g * np.cos(x)
    >>> check_vjp(np.sin, sine, (np.ones(3),))
    """
    check = _Check(f, args if isinstance(args, tuple) else (args,))
    border, parts = check.border, check.parts
    outs = split((border.outward(check.f(*check.args)),))

    def rule(*both: Any) -> tuple[Any, ...]:
        xs, ws = both[: len(parts.xs)], both[len(parts.xs) :]
        _, pullback = _apart(vjp_f(*border.inward(parts.filled(xs))))
        zeros = [np.zeros_like(y, float) for y in outs.leaves]
        (g,) = outs.filled(border.conjugate(list(ws)), zeros)
        found = border.outward(pullback(border.inward(g)))
        return check.matched(border.conjugate(found), title_of(vjp_f))

    value, _ = _apart(vjp_f(*border.inward(check.args)))
    level = check.level({"rev": rule}, seed, rtol, atol)
    if value is not None:
        _check_value(level, floats(border.outward(value)), title_of(vjp_f))
    return settled(examined(level, 1, ("rev",), seed), report)


def check_jvp(
    f: Callable[..., Any],
    jvp_f: Callable[..., Any],
    args: Any,
    *,
    rtol: float | None = None,
    atol: float = 0.0,
    seed: Seed = 0,
    report: bool = False,
) -> Report | None:
    """Check a hand-derived forward derivative.

    `jvp_f(args, tangents)` takes two tuples and returns `(f(*args), tangent of it)`, as
    `jax.jvp`, `torch.func.jvp` and `autograd_lite.jvp` do with a `functools.partial`.
    All else is as in `check_vjp`.

    >>> import numpy as np
    >>> def sine(args, dots):
    ...     return np.sin(args[0]), dots[0] * np.cos(args[0])
    >>> check_jvp(np.sin, sine, (np.ones(3),))
    """
    check = _Check(f, args if isinstance(args, tuple) else (args,))
    border, parts = check.border, check.parts
    still = [np.zeros_like(leaf) for leaf in parts.leaves]

    def pushed(xs: Sequence[Any], dots: Sequence[Any]) -> Any:
        pair = (parts.filled(xs), parts.filled(dots, still))
        return border.outward(jvp_f(*border.inward(pair)))

    def rule(*both: Any) -> tuple[Any, ...]:
        n = len(parts.xs)
        return floats(pushed(both[:n], both[n:])[1])

    level = check.level({"fwd": rule}, seed, rtol, atol)
    value = floats(pushed(parts.xs, [np.zeros_like(x) for x in parts.xs])[0])
    _check_value(level, value, title_of(jvp_f))
    return settled(examined(level, 1, ("fwd",), seed), report)


class _Check:
    """A function and its arguments, as NumPy arrays, on this side of the border."""

    def __init__(self, f: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self.border = Border(args)
        self.args = self.border.outward(args)
        self.parts: Arguments = split(self.args)
        self.f = self.border.wrap(f)

    def level(
        self, rules: dict[str, Rule], seed: Seed, rtol: float | None, atol: float
    ) -> Level:
        """Return the function with its rules and the settings of the check."""
        parts = self.parts
        level = first_level(
            lambda *xs: floats(self.f(*parts.filled(xs))),
            parts.xs,
            parts.names,
            title_of(self.f),
            seed,
            rtol,
            atol,
        )
        return dataclasses.replace(level, rules=rules)

    def matched(self, found: Any, name: str) -> tuple[Any, ...]:
        """Return the cotangents of the float arguments; raise if they don't fit."""
        if len(self.args) == 1 and not (isinstance(found, tuple) and len(found) == 1):
            found = (found,)
        leaves = tree.leaves(found)
        if len(leaves) != len(self.parts.leaves):
            leaves = [leaf for leaf in leaves if is_float(leaf)]
            places = list(range(len(leaves)))
        else:
            places = self.parts.places
        if len(places) != len(self.parts.xs):
            raise GradientCheckError(
                f"{name} returns {len(leaves)} arrays for {len(self.parts.xs)} "
                f"arguments: {', '.join(self.parts.names)}"
            )
        return tuple(
            [
                _fitting(leaves[i], x, argument, name)
                for i, x, argument in zip(places, self.parts.xs, self.parts.names)
            ]
        )


def _fitting(x_bar: Any, x: Any, argument: str, name: str) -> Any:
    x_bar = np.asarray(x_bar)
    if x_bar.shape == x.shape:
        return x_bar
    hint = ""
    if x_bar.shape == x.shape[::-1]:
        hint = "; transposed?"
    elif (
        x_bar.size > x.size and np.broadcast_shapes(x_bar.shape, x.shape) == x_bar.shape
    ):
        hint = "; is the sum over the axes that broadcasting added missing?"
    raise GradientCheckError(
        f"{name} returns an array of shape {x_bar.shape} for argument {argument!r} of "
        f"shape {x.shape}{hint}"
    )


def _apart(found: Any) -> tuple[Any, Callable[[Any], Any]]:
    """Return the value, None if there is none, and the pullback."""
    if callable(found):
        return None, found
    value, pullback, *_ = found
    return value, pullback


def _check_value(level: Level, found: Sequence[Any], name: str) -> None:
    """Raise unless a rule returns the function's value as well."""
    for y, other in zip(level.ys, found, strict=True):
        y, other = as_double(y), as_double(other)
        rtol = level.tolerance(float(np.finfo(y.dtype).eps))
        if y.shape != other.shape or np.any(abs(y - other) > rtol * abs(y) + 1e-300):
            raise GradientCheckError(
                f"{name} returns another value than {level.title}; its derivative "
                "can't be compared"
            )
