"""What errors say of a traced array: what arrived, what was expected, what to write."""

from __future__ import annotations

import ast
import linecache
import sys
from types import FrameType
from typing import Any, Final

import numpy as np

# -- names ----------------------------------------------------------------------------


def full_name(function: Any) -> str:
    """Return the name of a function as one writes it.

    >>> full_name(np.exp), full_name(np.linalg.inv)
    ('np.exp', 'np.linalg.inv')
    """
    name = function.__name__
    module = getattr(function, "__module__", None) or _module_of(function)
    public = [part for part in module.split(".") if not part.startswith("_")]
    if public[:1] == ["numpy"]:
        public[0] = "np"
    return ".".join([*public, name])


def _module_of(ufunc: Any) -> str:
    """Return a loaded module that has this function: ufuncs don't know their own."""
    for module in ("numpy", "scipy.special", "numpy.linalg"):
        if getattr(sys.modules.get(module), ufunc.__name__, None) is ufunc:
            return module
    return "numpy"


def _ours(package: str) -> str | None:
    """Return our module for a package of SciPy, when it is not loaded yet."""
    ours = f"autograd_lite.{package}"
    return ours if package in _SCIPY and ours not in sys.modules else None


_SCIPY: Final = {
    f"scipy.{name}"
    for name in ["integrate", "linalg", "optimize", "signal", "special", "stats"]
}

# -- functions ------------------------------------------------------------------------


def no_equivalent(function: Any) -> str:
    """Return what to say of a function that tracers have no version of."""
    name = full_name(function)
    ours = _ours(name.rpartition(".")[0])
    if ours is not None:
        return (
            f"{name} was given a traced array. Add `import {ours}`, which has "
            "differentiable versions of its functions; SciPy's own names then reach "
            "them too, as far as they are ufuncs."
        )
    return (
        f"{name} has no differentiable version here. Use an equivalent from "
        "autograd_lite.numpy, or define a primitive with its rule (defvjp); to treat "
        "the argument as a constant, pass stop_gradient(x)."
    )


def no_method(ufunc: np.ufunc, method: str) -> str:
    """Return what to say of a ufunc's method that tracers have no version of."""
    name = full_name(ufunc)
    return (
        f"{name}.{method} has no differentiable version here. Apply {name} to slices "
        "of the array, or treat it as a constant: stop_gradient(x)."
    )


_AT: Final = {
    "add": "x = x.at[index].add(v)",
    "subtract": "x = x.at[index].add(-v)",
    "multiply": "x = x.at[index].multiply(v)",
    "divide": "x = x.at[index].multiply(1 / v)",
    "maximum": "x = x.at[index].max(v)",
    "minimum": "x = x.at[index].min(v)",
}


def in_place_ufunc(ufunc: np.ufunc) -> str:
    """Return what to write instead of np.add.at(x, index, v)."""
    name = full_name(ufunc)
    instead = _AT.get(ufunc.__name__, f"x = x.at[index].set({name}(x[index], v))")
    return (
        f"{name}.at writes into an array, which functions to be differentiated cannot "
        f"do. Make a new array instead, from np.at(x) where x is a plain array:\n"
        f"    {instead}"
    )


# -- conversions ----------------------------------------------------------------------


def conversion(frame: FrameType | None) -> str:
    """Return what to say when a tracer would become a plain array; who asked for it."""
    text = (
        "a tracer was about to be turned into a plain array, which would lose its "
        "derivative. Instead of np.asarray(x), np.array([x, y]) or out[i] = x, "
        "write x itself, np.stack([x, y]) or np.where; to drop the derivative on "
        "purpose, use stop_gradient(x)."
    )
    package = _scipy_caller(frame)
    if package in _SCIPY:
        text += f" Of functions of {package} use those in autograd_lite.{package}."
    return text


def _scipy_caller(frame: FrameType | None) -> str | None:
    """Return the package of SciPy that the user called, if it is one."""
    found = None
    for _ in range(12):
        if frame is None:
            break
        parts = frame.f_globals.get("__name__", "").split(".")
        if parts[0] == "scipy" and len(parts) > 1 and parts[1][0] != "_":
            found = ".".join(parts[:2])
        frame = frame.f_back
    return found


def no_number(call: str, shape: tuple[int, ...], dtype: Any) -> str:
    """Return what to say when a tracer would become a Python number."""
    if call == "float(x)":
        call = "float(x), or out[i] = x into a plain array,"
    return (
        f"{call} of a tracer (shape {shape}, dtype {dtype}) would lose its derivative. "
        "Keep it an array and use NumPy functions: np.sin(x) instead of math.sin(x), "
        "np.stack or out.at[i].set(x) instead of an assignment. To drop the derivative "
        "on purpose: stop_gradient(x)."
    )


def no_attribute(kind: str, name: str) -> str:
    """Return what to say of an attribute that a tracer doesn't have."""
    if not hasattr(np.ndarray, name):
        return f"{kind!r} object has no attribute {name!r}, nor has np.ndarray"
    return (
        f"x.{name} of a traced array: it has no memory of its own to speak of, only "
        "shape, dtype and the operations of arrays. For the array inside, as a "
        "constant: stop_gradient(x)."
    )


# -- assignments ----------------------------------------------------------------------

_UPDATES: Final = {ast.Add: "add({})", ast.Sub: "add(-({}))", ast.Mult: "multiply({})"}


def functional_update(frame: FrameType) -> str:
    """Return the assignment that a frame is executing, rewritten with `.at`.

    A line that is no single assignment to one subscript gives a general example.
    """
    line = linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()
    try:
        (statement,) = ast.parse(line).body
    except (SyntaxError, ValueError):
        return "x = x.at[index].set(v)"
    update: str | None = None
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target, value, update = statement.targets[0], statement.value, "set({})"
    elif isinstance(statement, ast.AugAssign):
        target, value = statement.target, statement.value
        update = _UPDATES.get(type(statement.op))
    if update is None or not isinstance(target, ast.Subscript):
        return "x = x.at[index].set(v)"
    x, at = target.value, ast.Attribute(target.value, "at", ast.Load())
    new = ast.unparse(ast.Subscript(at, target.slice, ast.Load()))
    return f"{ast.unparse(x)} = {new}.{update.format(ast.unparse(value))}"
