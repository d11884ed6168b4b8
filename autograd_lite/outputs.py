"""What functions return that are to be differentiated: numbers, in trees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from . import tree
from .core import Tracer, concrete
from .errors import DifferentiationTypeError, NonScalarOutputError

Fun = Callable[..., Any]

NUMBERS: Final = "fciub"  # the kinds of dtypes of outputs; integers are constants


def output_leaves(
    fun: Fun, out: Any, kinds: str = NUMBERS
) -> tuple[list[Any], tree.TreeDef]:
    """Return the leaves of what `fun` returned; raise unless they are numbers.

    `kinds` are those of the dtypes that are accepted.
    """
    outs, outdef = tree.flatten(out)
    for i, x in enumerate(outs):
        if _kind(x) not in kinds:
            raise DifferentiationTypeError(_no_value(fun, x, tree.paths(out)[i]))
    return outs, outdef


def _kind(x: Any) -> str:
    """Return the kind of the dtype that x has as an array, "?" where it is none."""
    if hasattr(x, "dtype"):
        return x.dtype.kind
    if isinstance(x, (bool, int, float, complex, str)):
        return "U" if isinstance(x, str) else "f"
    return "?"


def _no_value(fun: Fun, x: Any, path: str) -> str:
    dtype = getattr(x, "dtype", None)
    what = type(concrete(x)).__name__ + (f" of dtype {dtype}" if dtype else "")
    place = f" at {path!r}" if path else ""
    text = _kind(x) in "US"
    return (
        f"{name_of(fun)} returned {what}{place}: expected arrays and numbers, in dict, "
        "list, tuple, named tuple, dataclass or a class given to tree.register"
        + ("; return text beside them, with has_aux=True" if text else "")
    )


def split_aux(out: Any) -> tuple[Any, Any]:
    """Return the two parts of what a function with `has_aux` returned; else raise."""
    if type(out) is not tuple or len(out) != 2:
        raise DifferentiationTypeError(
            "with has_aux=True the function must return (output, aux), got "
            f"{type(out).__name__}"
        )
    return out


def check_scalar(out: Any, fun: Fun) -> None:
    """Raise unless the output is a real number, as `grad` needs."""
    name = name_of(fun)
    if isinstance(out, (Tracer, np.ndarray, np.generic)):
        if out.shape:
            raise NonScalarOutputError(
                f"grad needs a scalar output, but {name} returned shape {out.shape}. "
                "Reduce it (x.sum(), x[0]), or use jacobian for all derivatives or "
                "vjp for a weighted sum of them."
            )
        if out.dtype.kind == "c":
            raise DifferentiationTypeError(
                f"grad needs a real output, but {name} returned {out.dtype}: take "
                "np.real(y) or np.abs(y), or use vjp"
            )
        if out.dtype.kind not in "f":
            raise DifferentiationTypeError(
                f"grad needs a float output, but {name} returned {out.dtype}"
            )
    elif not isinstance(out, float):
        hint = (
            "is a `return` missing?"
            if out is None
            else "for a pair (loss, other results) say has_aux=True"
        )
        raise NonScalarOutputError(
            "grad needs a scalar output, a float or an array of shape (), but "
            f"{name} returned {type(out).__name__}; {hint}"
        )


def name_of(fun: Fun) -> str:
    """Return what errors call a function."""
    return getattr(fun, "__name__", type(fun).__name__)
