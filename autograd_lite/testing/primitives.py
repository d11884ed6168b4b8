"""`check_primitive`: all that a primitive with its rules has to hold, in one call."""

from __future__ import annotations

import contextlib
import inspect
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import hypothesis
import numpy as np
from hypothesis import strategies as st

from ..api import jvp, vjp
from ..core import Primitive, defvjp
from ..core import primitive as as_primitive
from ..errors import ArgumentError, GradientCheckError
from ..mapping import vmap
from ..reverse import FAILURES
from .grads import check_grads
from .report import OK, WRONG, Finding, Report
from .spaces import epsilon, inner, is_float, random_like, size_of
from .strategies import Strategy, arguments

SHRINKING: Final = 15  # examples that Hypothesis may try to make a failing one smaller
CLOSE: Final = 1e3  # machine epsilons that two ways to compute a number may differ


def check_primitive(
    primitive: Primitive,
    *args: Any,
    params: dict[str, Any] | None = None,
    twin: Callable[..., Any] | None = None,
    order: int = 2,
    dtypes: Sequence[str] = ("float64", "float32"),
    examples: int = 10,
    seed: int = 0,
    report: bool = False,
) -> Report | None:
    """Check a primitive: values, all derivatives, and what transformations make of it.

    Args:
        args: an array or a Hypothesis strategy for each positional argument. Without
            any, arrays of many shapes from the domain that the primitive registered
            (`register_domain`), whose shapes broadcast if it does.
        params: its keyword parameters.
        twin: a function of NumPy arrays that computes the same.
        order: the highest derivative to check.
        dtypes: those in which cotangents must have the dtype of their argument.
        examples: how many arguments Hypothesis draws.
        seed, report: as in `check_grads`.

    What is checked: the value (against `twin`), that nothing is written to and that two
    calls agree, derivatives against finite differences up to `order`, the adjoint
    identity <J v, w> = <v, J^T w>, dtypes and shapes of cotangents, memory layouts
    (strided, Fortran, read-only, zero strides), arrays without elements where it
    broadcasts, and `vmap` against a loop.

    Raises `GradientCheckError` with the smallest failing arguments that Hypothesis
    finds.

    >>> from autograd_lite import defvjp, elementwise
    >>> @elementwise
    ... def cube(x):
    ...     return x**3
    >>> defvjp(cube, lambda ans, x: lambda g: g * 3 * x**2)
    >>> check_primitive(cube, twin=lambda x: x * x * x, examples=3)
    """
    start = time.perf_counter()
    check = _Check(primitive, params or {}, twin, order, tuple(dtypes), seed)
    drawn = args or arguments(primitive, _arity(primitive))
    if args and not any(isinstance(arg, st.SearchStrategy) for arg in args):
        findings = list(check.findings(args))
    else:
        strategy = drawn if isinstance(drawn, st.SearchStrategy) else _tuples(drawn)
        findings = _searched(check, strategy, examples)
    seconds = time.perf_counter() - start
    found = Report(primitive.name, findings, seed=seed, seconds=seconds)
    if report:
        return found
    found.settle()
    return None


def _arity(primitive: Primitive) -> int:
    """Return how many positional arguments a primitive has."""
    fun = getattr(primitive, "ufunc", primitive.impl)
    if isinstance(fun, np.ufunc):
        return fun.nin
    parameters = inspect.signature(fun).parameters.values()
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    found = [p for p in parameters if p.kind in kinds and p.default is p.empty]
    if not found:
        raise ArgumentError(
            f"{primitive.name} has no positional parameters without a default; pass "
            "sample arguments: check_primitive(p, x, ...)"
        )
    return len(found)


def _tuples(args: Sequence[Any]) -> Strategy:
    parts = [a if isinstance(a, st.SearchStrategy) else st.just(a) for a in args]
    return st.tuples(*parts)


def _searched(check: _Check, strategy: Strategy, examples: int) -> list[Finding]:
    """Return the findings of the smallest failing example, or else of the last one."""
    found: list[Finding] = []
    failed: list[Finding] = []
    smallest: list[str] = []

    tried = itertools.count()

    @hypothesis.seed(check.seed)
    @hypothesis.settings(
        max_examples=examples,
        deadline=None,
        database=None,
        print_blob=False,
        suppress_health_check=list(hypothesis.HealthCheck),
        report_multiple_bugs=False,
    )
    @hypothesis.given(strategy)
    def look(args: tuple[Any, ...]) -> None:
        if failed and next(tried) >= SHRINKING and repr(args) != smallest[0]:
            return  # enough: what fails has become small
        found[:] = check.findings(args)
        if any(finding.verdict == WRONG for finding in found):
            failed[:] = found
            smallest[:] = [repr(args)]
            raise GradientCheckError("found")

    # Hypothesis runs the smallest failing example last, and says so if it is not
    # wrong every time.
    with contextlib.suppress(GradientCheckError, hypothesis.errors.Flaky):
        look()
    return failed or found


@dataclass(frozen=True)
class _Check:
    """A primitive and what to check about it."""

    primitive: Primitive
    params: dict[str, Any]
    twin: Callable[..., Any] | None
    order: int
    dtypes: tuple[str, ...]
    seed: int

    def findings(self, args: Sequence[Any]) -> Iterator[Finding]:
        """Yield what is found at these arguments, up to the first fault."""
        self_args = [x.copy() if isinstance(x, np.ndarray) else x for x in args]
        case = _Case(self, tuple(self_args))
        for where, look in (
            ("value", case.value),
            ("purity", case.purity),
            ("derivatives", case.derivatives),
            ("adjoint identity", case.adjoint),
            ("dtypes and shapes", case.kinds),
            ("memory layout", case.layouts),
            ("broadcast arguments", case.broadcast),
            ("no elements", case.empty),
            ("vmap", case.mapped),
        ):
            try:
                complaint = look()
            except FAILURES as error:
                complaint = f"{type(error).__name__}: {error}"
            if isinstance(complaint, list):
                found = complaint
            elif complaint:
                text = f"{complaint}; arguments: {_shown(args)}"
                found = [Finding(WRONG, where, text=text)]
            else:
                found = [Finding(OK, where)]
            yield from found
            if any(finding.verdict == WRONG for finding in found):
                return


def _shown(args: Sequence[Any]) -> str:
    """Return small arguments in full, of others the shape."""
    shown = [
        repr(x) if np.size(x) <= 8 else f"array of shape {np.shape(x)}, {x.dtype}"
        for x in args
    ]
    return ", ".join(shown)


class _Case:
    """A primitive at sample arguments; each method returns a complaint, or None."""

    def __init__(self, check: _Check, args: tuple[Any, ...]) -> None:
        self.check = check
        self.args = args
        self.places = [i for i, x in enumerate(args) if is_float(x)]
        self.xs = [np.asarray(args[i]) for i in self.places]
        self.rng = np.random.default_rng(check.seed)

    def call(self, *xs: Any) -> Any:
        """Apply the primitive to other floats."""
        filled = list(self.args)
        for i, x in zip(self.places, xs, strict=True):
            filled[i] = x
        return self.check.primitive(*filled, **self.check.params)

    def value(self) -> str | None:
        """Compare with the twin."""
        if self.check.twin is None:
            return None
        expected = self.check.twin(*self.args, **self.check.params)
        return _difference(self.call(*self.xs), expected, "the twin's value")

    def purity(self) -> str | None:
        """Call twice; nothing is written to, and both results are the same bits."""
        before = [x.tobytes() for x in self.xs]
        first = [np.array(y) for y in _each(self.call(*self.xs))]
        second = [np.array(y) for y in _each(self.call(*self.xs))]
        if [x.tobytes() for x in self.xs] != before:
            return "an argument was written to"
        if [y.tobytes() for y in first] != [y.tobytes() for y in second]:
            return "two calls give different results"
        return None

    def derivatives(self) -> list[Finding]:
        """Compare with finite differences."""
        if not self.xs or not self.check.primitive.differentiable:
            return []
        fun = self.named(self.call)
        report = check_grads(
            fun, tuple(self.xs), self.check.order, seed=self.check.seed, report=True
        )
        return report.findings

    def named(self, fun: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function under the primitive's name, for messages."""

        def named(*xs: Any) -> Any:
            return fun(*xs)

        named.__name__ = self.check.primitive.name
        return named

    def adjoint(self) -> str | None:
        """Forward and reverse mode are transposes: <J v, w> = <v, J^T w>."""
        if not self.xs:
            return None
        y, pullback = vjp(self.call, *self.xs)
        ys = list(_each(y))
        if not all(is_float(y) for y in ys):
            return None
        vs, ws = random_like(self.rng, self.xs), random_like(self.rng, ys)
        _, dots = jvp(self.call, tuple(self.xs), tuple(vs))
        bars = pullback(tuple(ws) if isinstance(y, tuple) else ws[0])
        a, b = inner(_each(dots), ws), inner(vs, bars)
        spread = size_of(_each(dots), ws) + size_of(vs, bars)
        if abs(a - b) <= CLOSE * epsilon([*self.xs, *ys]) * spread + 1e-300:
            return None
        return f"forward mode gives {a:.10g} where reverse mode gives {b:.10g}"

    def kinds(self) -> str | None:
        """Cotangents have dtype and shape of the argument, tangents of the value."""
        for dtype in self.check.dtypes:
            xs = [x.astype(dtype) for x in self.xs if x.dtype.kind == "f"]
            if not xs or len(xs) != len(self.xs):
                continue
            y, pullback = vjp(self.call, *xs)
            if not all(is_float(part) for part in _each(y)):
                continue
            for x, bar in zip(xs, pullback(y), strict=True):
                if bar.dtype != x.dtype or bar.shape != x.shape:
                    return (
                        f"a cotangent of dtype {bar.dtype} and shape {bar.shape} for "
                        f"an argument of dtype {x.dtype} and shape {x.shape}"
                    )
            value, dots = jvp(self.call, tuple(xs), tuple(xs))
            for part, dot in zip(_each(value), _each(dots), strict=True):
                if part.dtype != dot.dtype or part.shape != dot.shape:
                    return f"a {dot.dtype} tangent of a {part.dtype} value"
        return None

    def layouts(self) -> str | None:
        """Strided, Fortran-ordered and read-only arrays give the same."""
        expected = self.pulled(self.xs)
        for name, change in (
            ("strided", strided),
            ("Fortran-ordered", np.asfortranarray),
            ("read-only", _read_only),
        ):
            found = self.pulled(self.xs, _relaying(change))
            for one, other in zip(found, expected, strict=True):
                complaint = _difference(one, other, "contiguous ones'")
                if complaint:
                    return f"{name} arguments: {complaint}"
        return None

    def pulled(self, xs: Sequence[Any], relay: Any = lambda x: x) -> list[Any]:
        """Return the values and the cotangents of the arguments.

        The primitive gets what `relay` makes of them, in the trace: as `vjp` copies
        small arguments, their memory layouts would not arrive.
        """
        y, pullback = vjp(lambda *xs: self.call(*map(relay, xs)), *xs)
        if not all(is_float(part) for part in _each(y)):
            return list(_each(y))
        return [*_each(y), *pullback(y)]

    def broadcast(self) -> str | None:
        """Arrays with zero strides are as good as copies of them."""
        if not self.check.primitive.broadcasts or not self.xs:
            return None
        rows = [np.broadcast_to(x, (2, *x.shape)) for x in self.aligned()]
        expected = self.pulled([x.copy() for x in rows])
        for one, other in zip(self.pulled(rows), expected, strict=True):
            complaint = _difference(one, other, "copies'")
            if complaint:
                return f"broadcast arguments: {complaint}"
        return None

    def aligned(self) -> list[Any]:
        """Return the arguments with the same number of axes."""
        ndim = max(np.ndim(x) for x in self.args)
        return [x.reshape((1,) * (ndim - x.ndim) + x.shape) for x in self.xs]

    def empty(self) -> str | None:
        """Arrays without elements have derivatives without elements."""
        if not self.check.primitive.broadcasts or not self.xs:
            return None
        xs = [np.zeros((0, *x.shape), x.dtype) for x in self.aligned()]
        y, pullback = vjp(self.call, *xs)
        if all(is_float(part) for part in _each(y)):
            shapes = [bar.shape for bar in pullback(y)]
            if shapes != [x.shape for x in xs]:
                return f"cotangents of shapes {shapes}"
        return None

    def mapped(self) -> str | None:
        """`vmap` is a loop, of values and of cotangents."""
        if not self.xs or not any(x.size for x in self.xs):
            return None
        both = [[x, x * (1 + 1e-3)] for x in self.xs]
        stacked = [np.stack(pair) for pair in both]
        for name, fun in (("", self.call), ("derivative under ", self.pulled_from)):
            rows = [_each(fun(*xs)) for xs in zip(*both)]
            found = _each(vmap(fun)(*stacked))
            for part, *parts in zip(found, *rows, strict=True):
                complaint = _difference(part, np.stack(parts), "the loop's")
                if complaint:
                    return f"{name}vmap: {complaint}"
        return None

    def pulled_from(self, *xs: Any) -> tuple[Any, ...]:
        """Return the cotangents of the arguments for the value as cotangent."""
        y, pullback = vjp(self.call, *xs)
        return tuple(pullback(y))


def strided(x: Any) -> Any:
    """Return the same array with negative strides and gaps."""
    wide = np.zeros([2 * n for n in x.shape], x.dtype)
    view = wide[(slice(None, None, -2),) * x.ndim]
    view[...] = x
    return view


def _relaying(change: Callable[[Any], Any]) -> Primitive:
    """Return the identity as a primitive that changes how its result lies in memory."""

    def relay(x: Any) -> Any:
        return change(x) if x.ndim else x

    relaying = as_primitive(relay)
    defvjp(relaying, lambda ans, x: lambda g: g)
    return relaying


def _read_only(x: Any) -> Any:
    x = x.copy()
    x.setflags(write=False)
    return x


def _each(y: Any) -> tuple[Any, ...]:
    return tuple(y) if isinstance(y, tuple | list) else (y,)


def _difference(found: Any, expected: Any, whose: str) -> str | None:
    """Return how results differ in dtype, shape or value; None if they don't."""
    for one, other in zip(_each(found), _each(expected), strict=True):
        one, other = np.asarray(one), np.asarray(other)
        if one.dtype != other.dtype or one.shape != other.shape:
            return (
                f"{one.dtype} of shape {one.shape}, {whose} is {other.dtype} of shape "
                f"{other.shape}"
            )
        eps = epsilon([one]) if one.dtype.kind in "fc" else 0.0
        floor = eps * CLOSE * float(np.abs(other).max(initial=0.0)) if eps else 0.0
        if not np.allclose(one, other, CLOSE * eps, floor, equal_nan=True):
            gap = float(np.abs(one - other).max())
            return f"differs from {whose} by up to {gap:.3g}"
    return None
