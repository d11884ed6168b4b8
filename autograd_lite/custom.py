"""custom_vjp and custom_jvp: functions whose derivative the user writes.

Both have JAX's call forms, and work in every transformation: where only the other
mode's rule was given, it is transposed, for a rule is linear in (co)tangents. A call is
one operation of the tape, made on the spot. What it runs, `fun`, `fwd` or the rule
itself, sees the values of the enclosing transformations, so that derivatives of higher
order differentiate what the rules compute.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from . import tree
from .api import Fun
from .arguments import (
    Arguments,
    Flat,
    Names,
    Numbers,
    Operation,
    Shaped,
    arrays_of,
    begun_later,
    captured,
    check_captured,
    constant_if_integer,
    highest,
    is_differentiated,
    matching,
    pair,
    picked,
    positions,
    rule_place,
    something,
    zero_tangent,
)
from .batching import vmap_flat
from .core import concrete, defbatch, defvjp_argnums, is_recorded
from .errors import ArgumentError, MissingRuleError, RuleError
from .forward import Dual, DualTrace
from .ops.basic import add, sum
from .outputs import output_leaves
from .reverse import FAILURES, Tape, as_array, slot_of, strip


class _CustomFunction:
    """A function of trees with a rule of its own; also a method, and a decorator."""

    _kind = "custom function"

    def __init__(
        self, fun: Fun, nondiff_argnums: Numbers = (), nondiff_argnames: Names = ()
    ) -> None:
        functools.update_wrapper(self, fun)
        self.fun = fun
        self.signature = inspect.signature(fun)
        self.nondiff = positions(self.signature, nondiff_argnums, nondiff_argnames)
        self.name = f"{self._kind} {getattr(fun, '__name__', type(fun).__name__)}"

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """Return the method of an instance, which becomes the first argument."""
        return self if instance is None else functools.partial(self, instance)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function; traced arguments are differentiated by the rule."""
        if not self._ready():
            raise MissingRuleError(self._missing())
        given = Arguments(self._bound(args, kwargs), self.nondiff, self.name)
        if given.traced:
            outs, outdef = self._apply(given)
            return tree.unflatten(outdef, [constant_if_integer(y) for y in outs])
        out = self.fun(*given.all([]))
        if any(map(is_differentiated, tree.leaves(out))):
            raise ArgumentError(captured(self.name))
        return out

    def _bound(self, args: Any, kwargs: Any) -> tuple[Any, ...]:
        """Return all arguments by position, defaults filled in."""
        if not kwargs and len(args) == len(self.signature.parameters):
            return args
        bound = self.signature.bind(*args, **kwargs)
        bound.apply_defaults()
        if bound.kwargs:
            raise ArgumentError(
                f"{self.name} has keyword-only parameters, {[*bound.kwargs]}: its "
                "rules are given arguments by position. Make them positional."
            )
        return bound.args

    def _ready(self) -> bool:
        raise NotImplementedError

    def _missing(self) -> str:
        raise NotImplementedError

    def _apply(self, given: Arguments) -> tuple[Flat, tree.TreeDef]:
        raise NotImplementedError


class custom_vjp(_CustomFunction):
    """A function whose reverse-mode derivative is given by two others.

    Args:
        fun: a function of trees; keyword arguments are brought into position.
        nondiff_argnums, nondiff_argnames: arguments that are never differentiated, such
            as functions or options. They must not be traced.

    `defvjp(fwd, bwd)` gives the rule: `fwd(*args)` takes what `fun` takes and returns
    (output, residuals), `bwd(*nondiff, residuals, g)` returns a tuple of cotangents,
    one tree per differentiable argument; None stands for zeros, in place of any
    subtree. Forward mode transposes `bwd`, vmap maps `fwd` and `bwd`, and derivatives
    of higher order differentiate them: there `fwd` has to call the function itself
    for its own derivative to be the custom one.

    Raises `RuleError` where `bwd` returns another structure, shape or dtype than the
    argument has, `ArgumentError` where the result depends on a traced array that was
    captured from outside; those of enclosing transformations are fine.

    >>> import autograd_lite.numpy as np
    >>> from autograd_lite import grad
    >>> @custom_vjp
    ... def clipped(x, limit):
    ...     return x * x
    >>> clipped.defvjp(
    ...     lambda x, limit: (x * x, (x, limit)),
    ...     lambda res, g: (np.minimum(2 * g * res[0], res[1]), None),
    ... )
    >>> print(grad(clipped)(3.0, 4.0))
    4.0
    """

    _kind = "custom_vjp"
    fwd: Fun | None = None
    bwd: Fun | None = None

    def defvjp(self, fwd: Fun, bwd: Fun) -> None:
        """Set the rule: `fwd -> (output, residuals)`, `bwd -> cotangents`."""
        self.fwd, self.bwd = fwd, bwd

    def _ready(self) -> bool:
        return self.bwd is not None

    def _missing(self) -> str:
        return (
            f"{self.name} has no rule yet. Define it:\n    f.defvjp(fwd, bwd)   "
            "# fwd(*args) -> (output, residuals); bwd(residuals, g) -> cotangents"
        )

    def _apply(self, given: Arguments) -> tuple[Flat, tree.TreeDef]:
        assert self.fwd is not None and self.bwd is not None
        fwd, bwd = self.fwd, self.bwd
        forward_name, backward_name = (
            rule_place(self.name, fwd),
            rule_place(self.name, bwd),
        )
        outdefs: list[tree.TreeDef] = []
        residual_rebuilds: list[Fun] = []
        skeleton: list[Any] = []  # the arguments' shapes and dtypes, known in fwd

        def flat_fun(*xs: Any) -> Flat:
            outs, outdef = output_leaves(self.fun, self.fun(*given.all(xs)))
            outdefs[:] = [outdef]
            return [as_array(y) for y in outs]

        def flat_fwd(*xs: Any) -> tuple[Flat, Flat]:
            result = fwd(*given.all(xs))
            out, kept = pair(result, forward_name, "(output, residuals)")
            outs, outdef = output_leaves(fwd, out)
            residuals, rebuild = arrays_of(kept)
            outdefs[:], residual_rebuilds[:] = [outdef], [rebuild]
            skeleton[:] = [Shaped(x) for x in given.filled(xs)]
            return [as_array(y) for y in outs], residuals

        def flat_bwd(residuals: Flat, gs: Flat) -> Flat:
            g = tree.unflatten(outdefs[0], gs)
            try:
                x_bars = bwd(*given.fixed, residual_rebuilds[0](residuals), g)
            except FAILURES as error:
                error.add_note(f"in {backward_name}")
                raise
            x_bars = something(x_bars, backward_name)
            found = matching(x_bars, given.treedef, skeleton, backward_name)
            return [found[i] for i in given.places]

        call = _VjpCall(self.name, flat_fun, flat_fwd, flat_bwd)
        return call(given.take()), outdefs[0]


class _VjpCall(NamedTuple):
    """One call of a custom_vjp function, on flat lists of arrays."""

    name: str
    fun: Callable[..., Flat]
    fwd: Callable[..., tuple[Flat, Flat]]  # xs -> outputs, residuals
    bwd: Callable[[Flat, Flat], Flat]  # residuals, gs -> cotangents or None

    def __call__(self, xs: Flat) -> Any:
        top = highest(xs)
        if top is None:
            return self.fun(*xs)

        kept: list[Any] = []
        level = top.level  # not the trace: its tape holds the operation

        def impl(*xs: Any) -> Flat:
            if begun_later(xs, level):
                return self(xs)
            outs, residuals = self.fwd(*xs)
            check_captured(self.name, [*outs, *residuals], level)
            kept[:] = [residuals]
            return outs

        def rule(argnums: Flat, ans: Any, args: Any, params: Any) -> Fun:
            (residuals,) = kept  # of the call that gave `ans`, just now
            return lambda gs: picked(self.bwd(residuals, gs), argnums)

        operation = Operation(impl, kept, name=self.name, multiple=True)
        defvjp_argnums(operation, rule)
        defbatch(operation, lambda size, args, bs: self.mapped(size, bs)(args))
        return top.process(operation, tuple(xs), {})

    def mapped(self, size: int, batched: Sequence[bool]) -> _VjpCall:
        """Return the call for all elements of a batch at once."""

        def fun(*xs: Any) -> Flat:
            return vmap_flat(self.fun, xs, batched, size)

        def fwd(*xs: Any) -> tuple[Flat, Flat]:
            counts: list[int] = []

            def both(*xs: Any) -> Flat:
                outs, residuals = self.fwd(*xs)
                counts[:] = [len(outs)]
                return [*outs, *residuals]

            ys = vmap_flat(both, xs, batched, size)
            return ys[: counts[0]], ys[counts[0] :]

        def bwd(residuals: Flat, gs: Flat) -> Flat:
            n = len(residuals)
            zero: list[bool] = []

            def one(*values: Any) -> Flat:
                x_bars = self.bwd(values[:n], values[n:])
                zero[:] = [x_bar is None for x_bar in x_bars]
                return [x_bar for x_bar in x_bars if x_bar is not None]

            values = [*residuals, *gs]
            found = iter(vmap_flat(one, values, [True] * len(values), size))
            x_bars = [None if z else next(found) for z in zero]
            return [
                x_bar if b or x_bar is None else sum(x_bar, axis=(0,))
                for x_bar, b in zip(x_bars, batched)
            ]

        return _VjpCall(self.name, fun, fwd, bwd)


class custom_jvp(_CustomFunction):
    """A function whose forward-mode derivative is given by another.

    Arguments, and errors, are those of `custom_vjp`.

    `defjvp(rule)` gives the rule: `rule(*nondiff, primals, tangents)` returns (output,
    tangent of the output), None for zeros; or `defjvps` with one rule per argument.
    Reverse mode transposes the rule, which must be linear in the tangents; it raises
    `RuleError` where tangents of zero lead to others. Arguments that are not perturbed
    have zeros as tangents.

    >>> import autograd_lite.numpy as np
    >>> from autograd_lite import grad
    >>> @custom_jvp
    ... def log1pexp(x):
    ...     return np.log1p(np.exp(x))
    >>> @log1pexp.defjvp
    ... def rule(primals, tangents):
    ...     (x,), (x_dot,) = primals, tangents
    ...     return log1pexp(x), x_dot * (1 - 1 / (1 + np.exp(x)))
    >>> print(grad(grad(log1pexp))(0.0))
    0.25
    """

    _kind = "custom_jvp"
    rule: Fun | None = None

    def defjvp(self, rule: Fun) -> Fun:
        """Set the rule, `rule(primals, tangents) -> (output, tangent)`; return it."""
        self.rule = rule
        return rule

    def defjvps(self, *rules: Fun | None) -> None:
        """Set one rule per argument, `rule(x_dot, ans, *primals) -> tangent`.

        None stands for an argument without a derivative. The tangent of the output is
        the sum of what the rules return.
        """
        if self.nondiff:
            raise ArgumentError(
                f"{self.name}: defjvps has no place for nondiff_argnums; use defjvp"
            )

        @functools.wraps(self.fun)
        def rule(primals: Any, tangents: Any) -> Any:
            ans = self(*primals)
            total = None
            for one, x_dot in zip(rules, tangents, strict=True):
                if one is not None:
                    dot = one(x_dot, ans, *primals)
                    total = dot if total is None else tree.map(add, total, dot)
            return ans, total

        self.rule = rule

    def _ready(self) -> bool:
        return self.rule is not None

    def _missing(self) -> str:
        return (
            f"{self.name} has no rule yet. Define it:\n    @f.defjvp\n"
            "    def rule(primals, tangents):\n        return output, tangent"
        )

    def _apply(self, given: Arguments) -> tuple[Flat, tree.TreeDef]:
        assert self.rule is not None
        rule, name = self.rule, rule_place(self.name, self.rule)
        outdefs: list[tree.TreeDef] = []

        def flat_fun(*xs: Any) -> Flat:
            outs, outdef = output_leaves(self.fun, self.fun(*given.all(xs)))
            outdefs[:] = [outdef]
            return [as_array(y) for y in outs]

        def flat_rule(xs: Flat, x_dots: Flat) -> tuple[Flat, Flat]:
            dots = [zero_tangent(leaf) for leaf in given.leaves]
            for i, x_dot in zip(given.places, x_dots, strict=True):
                dots[i] = x_dot
            tangents = tree.unflatten(given.treedef, dots)
            result = rule(*given.fixed, given.differentiable(xs), tangents)
            out, out_dot = pair(result, name, "(output, tangent)")
            outs, outdef = output_leaves(rule, out)
            outdefs[:] = [outdef]
            outs = [as_array(y) for y in outs]
            shapes = [Shaped(y) for y in outs]
            found = matching(out_dot, outdef, shapes, name)
            return outs, [
                np.zeros(y.shape, y.dtype)[()] if dot is None else dot
                for y, dot in zip(outs, found)
            ]

        call = _JvpCall(self.name, name, flat_fun, flat_rule)
        return call(given.take()), outdefs[0]


class _JvpCall(NamedTuple):
    """One call of a custom_jvp function, on flat lists of arrays."""

    name: str
    place: str  # how errors call the rule
    fun: Callable[..., Flat]
    rule: Callable[[Flat, Flat], tuple[Flat, Flat]]  # xs, x_dots -> outputs, tangents

    def __call__(self, xs: Flat) -> Any:
        top = highest(xs)
        if top is None:
            return self.fun(*xs)
        if isinstance(top, DualTrace):
            return self._pushed(top, xs)

        kept: list[Any] = []
        level = top.level  # not the trace: its tape holds the operation

        def impl(*xs: Any) -> Flat:
            if begun_later(xs, level):
                return self(xs)
            linear = _Linear(self, xs)
            check_captured(self.name, linear.outs, level)
            kept[:] = [linear]
            return linear.outs

        def rule(argnums: Flat, ans: Any, args: Any, params: Any) -> Fun:
            (linear,) = kept  # of the call that gave `ans`, just now
            return lambda gs: picked(linear.transposed(gs), argnums)

        operation = Operation(impl, kept, name=self.name, multiple=True)
        defvjp_argnums(operation, rule)
        defbatch(operation, lambda size, args, bs: self.mapped(size, bs)(args))
        return top.process(operation, tuple(xs), {})

    def _pushed(self, trace: DualTrace, xs: Flat) -> Flat:
        """Apply the rule to the tangents of a trace, all at once."""
        trace.check_open(self.name)
        mine = [isinstance(x, Dual) and x.owner is trace for x in xs]
        values = [x.value if m else x for x, m in zip(xs, mine)]
        dots = [x.tangent if m else zero_tangent(x) for x, m in zip(xs, mine)]
        outs, y_dots = self.rule(values, dots)
        check_captured(self.name, [*outs, *y_dots], trace.level)
        return trace.results(self.name, xs, outs, y_dots)

    def mapped(self, size: int, batched: Sequence[bool]) -> _JvpCall:
        """Return the call for all elements of a batch at once."""

        def fun(*xs: Any) -> Flat:
            return vmap_flat(self.fun, xs, batched, size)

        def rule(xs: Flat, x_dots: Flat) -> tuple[Flat, Flat]:
            n = len(xs)

            def both(*values: Any) -> Flat:
                outs, dots = self.rule(values[:n], values[n:])
                return [*outs, *dots]

            ys = vmap_flat(both, [*xs, *x_dots], [*batched, *batched], size)
            return ys[: len(ys) // 2], ys[len(ys) // 2 :]

        return _JvpCall(self.name, self.place, fun, rule)


class _Linear:
    """A jvp rule at a point, recorded as a linear function of the tangents."""

    def __init__(self, call: _JvpCall, xs: Flat) -> None:
        self.tape = Tape()
        try:
            dots = [self.tape.variable(zero_tangent(x)) for x in xs]
            outs, y_dots = call.rule(xs, dots)
        finally:
            self.tape.open = False
        if any(slot_of(self.tape, y) is not None for y in outs):
            raise RuleError(f"{call.place}: its output depends on the tangents")
        for dot in y_dots:
            if not is_recorded(dot):
                _check_linear(call.place, concrete(dot))
        self.outs = [strip(self.tape, y) for y in outs]
        self.slots = [slot_of(self.tape, dot) for dot in y_dots]
        self.wanted = [dot.slot for dot in dots]

    def transposed(self, gs: Flat) -> Flat:
        """Return the cotangents of the arguments for those of the outputs."""
        seeds = [(s, g) for s, g in zip(self.slots, gs) if s is not None]
        return self.tape.backward(seeds, self.wanted, keep=True)


def _check_linear(rule: str, dot: Any) -> None:
    """Raise where tangents of zero led to `dot`, which is not zero.

    A slope of infinity makes 0 * inf = NaN of them, which says nothing.
    """
    if dot.any() and (np.abs(dot) > 0).any():
        raise RuleError(
            f"{rule} is not linear in the tangents: tangents of zero lead to a tangent "
            f"of up to {np.nanmax(np.abs(dot)):.4g}, where zero is needed. Each term "
            "must be a tangent times what depends on the primals alone."
        )
