"""What holds for one sample call, found out by running it."""

from __future__ import annotations

import ast
import contextlib
import inspect
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy
import scipy

from .. import numpy as our_numpy
from .. import scipy as our_scipy
from .. import tree
from ..api import jvp, vjp
from ..core import is_tracer
from ..errors import AmbiguousGradientError, AutogradError, GradientCheckWarning
from ..testing import check_grads
from ..testing.calls.common import Call, arrays, complex_arrays, functions_called

OURS = {"np": our_numpy, "scipy": our_scipy}
PLAIN = {"np": numpy, "scipy": scipy}
# What a call may raise where something does not hold.
FAILURES = (
    *(AutogradError, ArithmeticError, AttributeError, LookupError),
    *(NotImplementedError, TypeError, ValueError),
)


@dataclass(frozen=True)
class Measured:
    """What holds for a call; `complex` is None where NumPy takes no complex numbers."""

    gradient: bool
    forward: bool
    second: bool
    float32: bool
    complex: bool | None


@cache
def measured(expression: str, order: int = 2, real: bool = False) -> Measured:
    """Check the derivatives of a call against finite differences.

    `order` is the highest there is; `real` calls are not tried on complex numbers.
    """
    call = Call(expression, OURS, arrays())
    rev = fwd = second = passes(check_grads, call, call.args, order)
    if not second or order < 2:
        rev = passes(check_grads, call, call.args, 1, ("rev",))
        fwd = passes(check_grads, call, call.args, 1, ("fwd",))
    second = second and order > 1
    float32 = passes(check_float32, expression)
    return Measured(rev, fwd, second, float32, None if real else _complex(expression))


def passes(check: Callable[..., None], *args: Any) -> bool:
    """Return whether a check raises nothing, nor warns that it could not tell."""
    with quiet():
        try:
            check(*args)
        except FAILURES:
            return False
        except GradientCheckWarning:
            return False
    return True


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence warnings, except those of a gradient check, which become errors."""
    with warnings.catch_warnings(), numpy.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", GradientCheckWarning)
        yield


def check_float32(expression: str) -> None:
    """Raise `TypeError` unless float32 stays, in results, gradients and tangents.

    A result may be wider where NumPy's is.
    """
    narrow = {name: numpy.float32(x) for name, x in arrays().items()}
    call = Call(expression, OURS, narrow)
    y, pullback = vjp(call, *call.args)
    dtypes = _dtypes(y)
    tangents = jvp(call, call.args, call.args)[1]
    if _dtypes(tangents) != dtypes:
        raise TypeError(f"{expression}: tangents of {_dtypes(tangents)}")
    for x, x_bar in zip(call.args, pullback(y), strict=True):
        if x_bar.dtype != x.dtype:
            raise TypeError(f"{expression}: gradient of {x_bar.dtype}")
    if any(dtype.name in ("float64", "complex128") for dtype in dtypes):
        plain = Call(expression, PLAIN, narrow)  # it may be NumPy that widens
        if _dtypes(plain(*plain.args)) != dtypes:
            raise TypeError(f"{expression}: {dtypes}")


def _dtypes(y: Any) -> list[Any]:
    return [numpy.asarray(leaf).dtype for leaf in tree.leaves(y)]


def _complex(expression: str) -> bool | None:
    """Return whether derivatives are right for complex arguments.

    None where the call takes none, and where there is nothing to check: a result that
    depends on the phases of complex vectors, or on an order of complex numbers.
    """
    samples = complex_arrays()
    call, plain = Call(expression, OURS, samples), Call(expression, PLAIN, samples)
    if len(call.names) < len(Call(expression, OURS, arrays()).names):
        return None  # the call needs a number
    with quiet():
        try:
            plain(*plain.args)
        except AttributeError:
            pass  # a name that NumPy does not have
        except FAILURES:
            return None
    with quiet():
        try:
            check_grads(call, call.args, 1)
        except (AmbiguousGradientError, GradientCheckWarning):
            return None
        except FAILURES:
            return False
    return True


def traced(expression: str) -> bool:
    """Return whether the result of a call depends on its arrays through a tape.

    Raises what the call raises when it is given traced arrays.
    """
    call = Call(expression, OURS, arrays())
    found = []

    def look(*xs: Any) -> float:
        found.append(any(is_tracer(leaf) for leaf in tree.leaves(call(*xs))))
        return 0.0

    with quiet():
        vjp(look, *call.args)
    return found[0]


def keywords(expression: str, name: str) -> set[str]:
    """Return the optional parameters that a call gives to a function.

    >>> sorted(keywords("np.sum(t, 1, keepdims=True)", "np.sum"))
    ['axis', 'keepdims']
    """
    node = functions_called(expression).get(name)
    if not isinstance(node, ast.Call):
        return set()
    given = {keyword.arg for keyword in node.keywords if keyword.arg}
    names = list(parameters(name))
    if names and not any(isinstance(x, ast.Starred) for x in node.args):
        given |= set(names[: len(node.args)])
    return given & optional(name) if names else given


def optional(name: str) -> set[str]:
    """Return the parameters of a function of NumPy or SciPy that have a default."""
    empty = inspect.Parameter.empty
    known = parameters(name).items()
    return {n for n, p in known if p.default is not empty}


@cache
def parameters(name: str) -> dict[str, inspect.Parameter]:
    """Return the parameters of a function of NumPy or SciPy; none where unknown."""
    function: Any = PLAIN
    try:
        head, *rest = name.split(".")
        function = PLAIN[head]
        for part in rest:
            function = getattr(function, part)
        return dict(inspect.signature(function).parameters)
    except (AttributeError, TypeError, ValueError):
        return {}
