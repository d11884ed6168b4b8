"""`check_tape`: which rule is wrong, of all those that a function made use of."""

from __future__ import annotations

import dataclasses
import linecache
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..core import Primitive
from ..errors import ArgumentError, RuleError
from ..reverse import Tape, Variable
from ..source import Line, user_line
from .engine import examine
from .grads import MODES, check_settings, examine_values, first_level, title_of
from .report import INCONCLUSIVE, OK, WRONG, Finding, Report
from .spaces import flat_function, floats


class Call(NamedTuple):
    """One operation as a tape recorded it."""

    primitive: Primitive
    args: tuple[Any, ...]
    argnums: list[int]  # of the arguments that have derivatives
    params: dict[str, Any]
    line: Line | None


class Recorder(Tape):
    """A tape that keeps the arguments of its operations and the user's lines."""

    __slots__ = ("calls",)

    defers = False  # rules are checked one by one

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Call] = []

    def process(
        self, primitive: Primitive, args: tuple[Any, ...], params: dict[str, Any]
    ) -> Any:
        """Apply a primitive as any tape does, and record the call."""
        mine = [isinstance(x, Variable) and x.owner is self for x in args]
        if primitive.differentiable:
            values = tuple([x.value if own else x for x, own in zip(args, mine)])
            argnums = [i for i, own in enumerate(mine) if own]
            self.calls.append(Call(primitive, values, argnums, params, user_line()))
        return super().process(primitive, args, params)


def check_tape(
    fun: Callable[..., Any],
    *args: Any,
    order: int = 1,
    modes: Sequence[str] = MODES,
    rtol: float | None = None,
    atol: float = 0.0,
    seed: int = 0,
    report: bool = False,
) -> Report | None:
    """Check the rule of each operation that a function performs, where it performs it.

    The function runs once on a tape; then each primitive on it is checked by itself, at
    the inputs that it had. The first wrong one is named: the primitive, its argument,
    the line of its rule, and the line of the user's program that called it.

    Arguments besides those of `fun` are those of `check_grads`, and so is what it
    raises, warns of and returns. A wrong rule that is found nowhere here means that the
    function itself loses a derivative, say in a `stop_gradient`.

    >>> import autograd_lite.numpy as np
    >>> from autograd_lite import defvjp, elementwise
    >>> @elementwise
    ... def cube(x):
    ...     return x**3
    >>> defvjp(cube, lambda ans, x: lambda g: g * 3 * x)
    >>> report = check_tape(lambda x: np.sin(cube(x)).sum(), 2.0, report=True)
    >>> print(str(report).splitlines()[0])
    <lambda>: operation 1, cube, reverse mode, order 1: the derivative is wrong
    """
    check_settings(order, modes)
    start = time.perf_counter()
    findings: list[Finding] = []
    for number, call in enumerate(recorded(fun, args), 1):
        for finding in _check_call(call, order, modes, rtol, atol, seed):
            where = f"operation {number}, {call.primitive.name}, {finding.where}"
            rule = "" if finding.verdict == OK else _rule_of(call, finding)
            line = str(call.line or "")
            findings.append(
                dataclasses.replace(finding, where=where, rule=rule, line=line)
            )
    seconds = time.perf_counter() - start
    found = Report(title_of(fun), findings, seed=seed, seconds=seconds)
    if report:
        return found
    found.settle()
    return None


def recorded(fun: Callable[..., Any], args: tuple[Any, ...]) -> list[Call]:
    """Run a function and return the differentiable operations that it performed."""
    flat, xs, _ = flat_function(fun, args)
    tape = Recorder()
    try:
        flat(*[tape.input(x) for x in xs])
    finally:
        tape.open = False
        tape.release()
    return tape.calls


def _check_call(
    call: Call,
    order: int,
    modes: Sequence[str],
    rtol: float | None,
    atol: float,
    seed: int,
) -> list[Finding]:
    """Return what a check of one operation finds."""
    args = _without_known(call)

    def fun(*xs: Any) -> tuple[Any, ...]:
        filled = list(args)
        for i, x in zip(call.argnums, xs, strict=True):
            filled[i] = x
        return floats(call.primitive(*filled, **call.params))

    xs = [np.asarray(call.args[i]) for i in call.argnums]
    names = [f"{i}" for i in call.argnums]
    name = call.primitive.name
    try:
        level = first_level(fun, xs, names, name, seed, rtol, atol)
        return examine_values(level) or examine(level, order, modes)
    except RuleError as error:
        return [Finding(WRONG, "the rules", text=str(error))]
    except ArgumentError as error:
        return [Finding(INCONCLUSIVE, "values", text=f"inconclusive: {error}")]


def _without_known(call: Call) -> tuple[Any, ...]:
    """Return the arguments without those that are the result, known beforehand.

    Max pooling hands the maxima to the operation that says whose they are; this returns
    them as they are, at other points too.
    """
    constants = [i for i in range(len(call.args)) if i not in call.argnums]
    arrays = [i for i in constants if isinstance(call.args[i], np.ndarray)]
    if not arrays:
        return call.args
    outs = floats(call.primitive(*call.args, **call.params))
    known = [
        i
        for i in arrays
        if any(isinstance(y, np.ndarray) and _same(y, call.args[i]) for y in outs)
    ]
    return tuple([None if i in known else x for i, x in enumerate(call.args)])


def _same(a: Any, b: Any) -> bool:
    return a.shape == b.shape and bool(np.shares_memory(a, b))


def _rule_of(call: Call, finding: Finding) -> str:
    """Return the source line of the rule that a finding is about."""
    primitive = call.primitive
    argnum = call.argnums[0]
    if finding.worst and finding.worst[0].argument.isdigit():
        argnum = int(finding.worst[0].argument)
    maker: Any = (primitive.jvps or {}).get(argnum) if finding.mode == "fwd" else None
    if maker is None:
        maker = primitive.joint_jvp if finding.mode == "fwd" else None
        maker = maker or primitive.joint_vjp or primitive.vjps.get(argnum)
    code = getattr(maker, "__code__", None)
    if code is None:
        return ""
    text = linecache.getline(code.co_filename, code.co_firstlineno).strip()
    where = f"{code.co_filename}:{code.co_firstlineno}"
    return f"{where}, for argument {argnum}" + (f": {text}" if text else "")
