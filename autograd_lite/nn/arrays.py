"""What layers check about the arrays they are given."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ArgumentError, DifferentiationTypeError, ShapeError


def as_array(x: Any) -> Any:
    """Return arrays and tracers unchanged, and numbers and lists as arrays."""
    return x if hasattr(x, "dtype") else np.asarray(x)


def as_real(x: Any, what: str) -> Any:
    """Return x as an array; raise `TypeError` where it is complex."""
    x = as_array(x)
    if x.dtype.kind == "c":  # most layers compare, or would need a conjugate
        raise DifferentiationTypeError(
            f"{what} has dtype {x.dtype} and shape {x.shape}, expected real floats. "
            "Take np.real(x) or np.abs(x)."
        )
    return x


def as_float(x: Any, what: str) -> Any:
    """Return x as an array; raise `TypeError` unless it holds real floats."""
    x = as_real(x, what)
    if x.dtype.kind != "f":
        raise DifferentiationTypeError(
            f"{what} has dtype {x.dtype} and shape {x.shape}, expected floats. "
            "Convert it: x.astype(np.float32)."
        )
    return x


def check_kernel_dtypes(**arrays: Any) -> None:
    """Raise `TypeError` unless arrays are all float32 or all float64."""
    dtypes = [x.dtype for x in arrays.values()]
    if dtypes.count(dtypes[0]) < len(dtypes) or dtypes[0].char not in "fd":
        found = ", ".join(f"{name} {x.dtype}" for name, x in arrays.items())
        raise DifferentiationTypeError(
            f"expected one dtype, float32 or float64, got {found}. "
            "Convert with x.astype(np.float32)."
        )


def fields(tree: Any, what: str, *names: str) -> list[Any]:
    """Return the arrays of these names; raise `ArgumentError` where one is missing."""
    if not isinstance(tree, dict) or not all(name in tree for name in names):
        found = sorted(tree) if isinstance(tree, dict) else type(tree).__name__
        raise ArgumentError(
            f"{what} is {found}, expected a dict with {' and '.join(names)}."
        )
    return [as_array(tree[name]) for name in names]


def check_ndim(x: Any, ndim: int, what: str, form: str) -> None:
    """Raise `ShapeError` unless x has `ndim` axes."""
    if x.ndim != ndim:
        raise ShapeError(f"{what} has shape {x.shape}, expected {form}.")


def check_choice(value: Any, name: str, choices: tuple[str, ...]) -> None:
    """Raise `ArgumentError` unless `value` is one of `choices`."""
    if value not in choices:
        listed = ", ".join(map(repr, choices))
        raise ArgumentError(f"{name}={value!r}: expected one of {listed}.")


def check_generator(rng: Any) -> None:
    """Raise `TypeError` unless `rng` is a `numpy.random.Generator`."""
    if not isinstance(rng, np.random.Generator):
        raise DifferentiationTypeError(
            f"rng is {rng!r}, expected a numpy.random.Generator: make one with "
            "np.random.default_rng(seed)."
        )
