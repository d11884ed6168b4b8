"""Blame: stop at the first NaN or Inf, where it arises and with a remedy.

Inside `debug_nans` the transformations record on traces that look at every result. A
number that isn't finite is blamed on the operation that produced it, which is the one
that was given none; what enters with the inputs is not. The plain traces are untouched,
so that debugging costs nothing where it is off.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from ..batching import BATCH_TRACE, BatchTrace
from ..core import Primitive, concrete, no_cotangent
from ..errors import NonFiniteError
from ..forward import DUAL_TRACE, Dual, DualTrace
from ..reverse import TAPE, Tape
from ..source import Line, user_line, warn
from .context import setting
from .recording import WrappedPullback
from .remedies import remedy


@contextlib.contextmanager
def debug_nans(*, inf: bool = True) -> Iterator[None]:
    """Raise `NonFiniteError` at the first NaN or Inf that an operation produces.

    Watched are operations on traced arrays, within grad, vjp, jvp, vmap and what is
    made of them, and every gradient rule; not a plain call, where `vjp(f, x)` serves.
    The error names the operation, the line of the program that called it (for a
    gradient rule too), the ranges of its inputs, and a remedy where one is known.

    NaN and Inf in the inputs don't count; a gradient that they spoil gives a warning
    that says where they came in. With `inf=False` only NaN counts. Also a decorator;
    other threads don't notice. It makes small operations several times as slow, and
    keeps the inputs of all of them.

    >>> import autograd_lite.numpy as np
    >>> from autograd_lite import grad
    >>> with debug_nans():
    ...     grad(lambda x: np.where(x > 0, np.sqrt(x), 0.0))(0.0)
    Traceback (most recent call last):
    ...
    autograd_lite.errors.NonFiniteError: the gradient rule of sqrt produced NaN...
    """
    tapes, duals, batches = _ANY if inf else _NAN
    with (
        setting(TAPE, tapes),
        setting(DUAL_TRACE, duals),
        setting(BATCH_TRACE, batches),
    ):
        yield


class Call(NamedTuple):
    """An operation that ran: what errors tell of it."""

    name: str
    args: list[Any]  # plain arrays
    line: Line | None


def call_of(name: str, args: Sequence[Any]) -> Call:
    """Return what is to be known of an operation that is running."""
    return Call(name, [concrete(x) for x in args], user_line())


# -- the traces -----------------------------------------------------------------------


class WatchedTape(Tape):
    """A tape that looks at every result, of an operation or of its gradient rule."""

    __slots__ = ("entered",)

    defers = False  # results are looked at where they are made

    inf = True

    def __init__(self) -> None:
        super().__init__()
        self.entered: Call | None = None  # the first that met a NaN or Inf of others

    def process(
        self, primitive: Primitive, args: tuple[Any, ...], params: dict[str, Any]
    ) -> Any:
        """Record an operation whose result is finite."""
        recorded = len(self.entries)
        with np.errstate(all="ignore"):
            ans = super().process(primitive, args, params)
        call = call_of(primitive.name, args)
        check_result(call, ans, self.inf)
        if self.entered is None and not all(map(_finite, call.args)):
            self.entered = call
        if len(self.entries) > recorded:
            out, primitive, slots, pulls = self.entries[-1]
            self.entries[-1] = out, primitive, slots, _watched(pulls, call, self.inf)
        return ans

    def backward(self, *args: Any, **kwargs: Any) -> list[Any]:
        """Return the cotangents; warn of those that were given no chance."""
        with np.errstate(all="ignore"):
            x_bars = super().backward(*args, **kwargs)
        if self.entered and not all(_accepted(concrete(x), self.inf) for x in x_bars):
            warn(_spoilt(self.entered), RuntimeWarning)
        return x_bars


class WatchedDualTrace(DualTrace):
    """A forward-mode trace that looks at every value and tangent."""

    __slots__ = ()

    inf = True

    def process(
        self, primitive: Primitive, args: tuple[Any, ...], params: dict[str, Any]
    ) -> Any:
        """Push tangents through an operation whose result is finite."""
        call = call_of(primitive.name, args)
        tangents = [concrete(x.tangent) for x in args if _dual(x)]
        try:
            with np.errstate(all="ignore"):
                ans = super().process(primitive, args, params)
        except NonFiniteError as error:  # of an enclosing trace: the value, or the rule
            if str(error).startswith(f"{primitive.name} produced"):
                raise
            raise _tangent_error(call, tangents, error.what, tangents) from error
        self._check(call, tangents, _outputs(ans))
        return ans

    def results(
        self, name: str, args: Sequence[Any], outs: Sequence[Any], dots: Sequence[Any]
    ) -> list[Dual]:
        """Return the results of a user's rule, if they are finite."""
        duals = super().results(name, args, outs, dots)
        tangents = [concrete(x.tangent) for x in args if _dual(x)]
        self._check(call_of(name, args), tangents, duals)
        return duals

    def _check(self, call: Call, tangents: list[Any], ys: Sequence[Any]) -> None:
        check_result(call, tuple(ys), self.inf)
        for y in ys:
            if _dual(y):
                check_tangent(call, tangents, concrete(y.tangent), self.inf)


class WatchedBatchTrace(BatchTrace):
    """A batching trace that looks at every result."""

    __slots__ = ()

    inf = True

    def process(
        self, primitive: Primitive, args: tuple[Any, ...], params: dict[str, Any]
    ) -> Any:
        """Map an operation whose result is finite."""
        with np.errstate(all="ignore"):
            ans = super().process(primitive, args, params)
        call = call_of(primitive.name, args)
        check_result(call, ans, self.inf)
        return ans


class NanTape(WatchedTape):
    """A tape that minds NaN alone."""

    __slots__ = ()

    inf = False


class NanDualTrace(WatchedDualTrace):
    """A forward-mode trace that minds NaN alone."""

    __slots__ = ()

    inf = False


class NanBatchTrace(WatchedBatchTrace):
    """A batching trace that minds NaN alone."""

    __slots__ = ()

    inf = False


_ANY = WatchedTape, WatchedDualTrace, WatchedBatchTrace
_NAN = NanTape, NanDualTrace, NanBatchTrace


def _dual(x: Any) -> bool:
    return isinstance(x, Dual)


def _outputs(ans: Any) -> tuple[Any, ...]:
    return ans if isinstance(ans, tuple) else (ans,)


class WatchedPullback(WrappedPullback):
    """A pullback that looks at what it returns."""

    __slots__ = ("call", "inf")

    def __init__(self, pull: Callable[[Any], Any], call: Call, inf: bool) -> None:
        super().__init__(pull)
        self.call = call
        self.inf = inf

    def __call__(self, g: Any) -> Any:
        """Return the cotangents of one argument, or of several by a joint rule."""
        try:
            x_bars = self.pull(g)
        except NonFiniteError as error:
            if str(error).startswith(_RULE):  # of a tape within, as checkpoint has one
                line = f"in the gradient rule of {self.call.name}"
                error.add_note(f"{line}, called at {self.call.line}")
                raise
            gs = [concrete(part) for part in _outputs(g)]
            inside = f"inside of it: {str(error).splitlines()[0]}"
            raise _rule_error(self.call, gs, error.what, inside, gs) from error
        check_rule(self.call, g, x_bars, self.inf)
        return x_bars


_RULE: Final = "the gradient rule of "


def _watched(pulls: Any, call: Call, inf: bool) -> Any:
    if not isinstance(pulls, list):
        return WatchedPullback(pulls, call, inf)
    return [
        pull if pull is no_cotangent else WatchedPullback(pull, call, inf)
        for pull in pulls
    ]


# -- what was produced ----------------------------------------------------------------


def check_result(call: Call, ans: Any, inf: bool) -> None:
    """Raise if an operation made a number that isn't finite from others that are."""
    for y in map(concrete, _outputs(ans)):
        what = produced(y, call.args, inf)
        if what:
            lines = [*_arguments(call), f"result: {describe(y)}"]
            head = f"{call.name} produced {what}"
            advice = remedy(call.name, "forward", call.args, [])
            raise NonFiniteError(_message(head, call, lines, advice), what)


def check_tangent(call: Call, tangents: list[Any], y_dot: Any, inf: bool) -> None:
    """Raise if the forward rule of an operation made the number."""
    what = produced(y_dot, [*tangents, *call.args], inf)
    if what:
        raise _tangent_error(call, tangents, what, _met(tangents, y_dot))


def _tangent_error(
    call: Call, tangents: list[Any], what: str, met: list[Any]
) -> NonFiniteError:
    lines = [f"tangent: {describe(x_dot)}" for x_dot in tangents]
    head = f"the forward rule of {call.name} produced {what}"
    advice = remedy(call.name, "backward", call.args, met)
    message = _message(head, call, [*lines, *_arguments(call)], advice)
    return NonFiniteError(message, what)


def check_rule(call: Call, g: Any, x_bars: Any, inf: bool) -> None:
    """Raise if the gradient rule of an operation made the number."""
    gs = [concrete(part) for part in _outputs(g)]
    for x_bar in map(concrete, _outputs(x_bars)):
        what = produced(x_bar, [*gs, *call.args], inf)
        if what:
            last = f"cotangent: {describe(x_bar)}"
            raise _rule_error(call, gs, what, last, _met(gs, x_bar))


def _met(gs: list[Any], y: Any) -> list[Any]:
    """Return what stood in the arrays `gs` where y isn't finite."""
    return [g[~np.isfinite(y)] for g in gs if np.shape(g) == np.shape(y)]


def _rule_error(
    call: Call, gs: list[Any], what: str, last: str, met: list[Any]
) -> NonFiniteError:
    lines = [f"g: {describe(g)}" for g in gs]
    head = f"{_RULE}{call.name} produced {what}"
    advice = remedy(call.name, "backward", call.args, met)
    message = _message(head, call, [*lines, *_arguments(call), last], advice)
    return NonFiniteError(message, what)


def produced(y: Any, inputs: Sequence[Any], inf: bool) -> str:
    """Return "NaN" or "Inf", and where, if y has one that no input explains.

    A NaN is explained by a NaN, an Inf by an Inf or NaN among the inputs; element by
    element where the inputs broadcast to y.
    """
    if _accepted(y, inf):
        return ""
    nan = np.isnan(y) & ~_anywhere(np.isnan, inputs, y)
    if nan.any():
        return f"NaN{_place(nan)}"
    bad = np.isinf(y) & ~_anywhere(_not_finite, inputs, y) if inf else nan
    return f"Inf{_place(bad)}" if bad.any() else ""


def _anywhere(test: Callable[[Any], Any], inputs: Sequence[Any], y: Any) -> Any:
    """Return where an input passes the test: per element of y, or one for all."""
    masks = [test(x) for x in inputs if _is_float(x)]
    try:
        if np.broadcast_shapes(y.shape, *[mask.shape for mask in masks]) == y.shape:
            return np.logical_or.reduce([np.broadcast_to(m, y.shape) for m in masks])
    except ValueError:
        return any(mask.any() for mask in masks)
    return any(mask.any() for mask in masks)


def _not_finite(x: Any) -> Any:
    return ~np.isfinite(x)


def _is_float(x: Any) -> bool:
    return isinstance(x, float | complex) or (
        isinstance(x, np.ndarray | np.generic) and x.dtype.kind in "fc"
    )


def _finite(x: Any) -> bool:
    return not _is_float(x) or bool(np.isfinite(x).all())


def _accepted(x: Any, inf: bool) -> bool:
    return _finite(x) or not (inf or np.isnan(x).any())


# -- what errors say ------------------------------------------------------------------


def describe(x: Any) -> str:
    """Return shape, dtype and range of an array, and how many are NaN or Inf.

    >>> describe(np.array([1.0, np.nan, np.inf, 3.0]))
    'shape (4,), float64, from 1 to 3, 1 NaN, 1 Inf'
    """
    x = np.asarray(concrete(x))
    parts = [f"shape {x.shape}", str(x.dtype)]
    if x.dtype.kind not in "fiu" or not x.size:
        return ", ".join(parts)
    finite = x[np.isfinite(x)]
    if finite.size:
        low, high = f"{finite.min():.4g}", f"{finite.max():.4g}"
        parts.append(f"from {low} to {high}" if low != high else f"equal to {low}")
    counts = {"NaN": np.isnan(x).sum(), "Inf": np.isinf(x).sum()}
    return ", ".join([*parts, *[f"{n} {what}" for what, n in counts.items() if n]])


def _place(bad: Any) -> str:
    if not bad.ndim:
        return ""
    first = ", ".join(str(i) for i in np.argwhere(bad)[0])
    return f" in {bad.sum()} of {bad.size} elements, first at [{first}]"


def _arguments(call: Call) -> list[str]:
    return [f"argument {i}: {describe(x)}" for i, x in enumerate(call.args)]


def _message(head: str, call: Call, lines: list[str], advice: str) -> str:
    lines = [f"called at {call.line or 'an unknown line'}", *lines]
    if advice:
        lines.append(f"remedy: {advice}")
    return "\n  ".join([head, *lines])


def _spoilt(call: Call) -> str:
    lines = "\n  ".join(_arguments(call))
    return (
        "the gradient has a NaN or Inf that no operation produced: it was among the "
        f"inputs of {call.name}, called at {call.line}\n  {lines}"
    )
