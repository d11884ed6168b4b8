"""Loops over a user's scalar function, compiled together with its derivatives.

The loop is written for a number of arguments and an order of differentiation, and
compiled for each dtype. Nothing is cached on disk: the function may be a closure.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

import numpy as np
from numba import njit, prange
from numba.core.errors import NumbaError

from . import memory
from .dual import RETURNED, dual, number, tangent_of
from .jit import CHUNK

Array: TypeAlias = np.ndarray[Any, Any]

# Elements above which a second thread helps: an element costs some function calls.
PARALLEL_FROM: Final = 1 << 13

_OPTIONS: Final[dict[str, Any]] = {
    "error_model": "numpy",
    "fastmath": {"contract", "nsz"},
}

# The slices let LLVM see that no index is negative, and vectorise what it can.
_LOOP: Final = """
def chunk(result, low, high, {arrays}):
    out = result[low:high]
    {take}
    for i in range(out.size):
        out[i] = element({elements})

def loop(result, {arrays}):
    for part in prange((result.size + {chunk_size} - 1) // {chunk_size}):
        low = np.int64(part) * {chunk_size}
        chunk(result, low, min(low + {chunk_size}, result.size), {arrays})

def element({xs}):
    {seeds}
    return {result}
"""


def compiled(function: Callable[..., Any], count: int, path: Sequence[int]) -> Any:
    """Return the loop over a function of `count` numbers, differentiated along `path`.

    `path` names the argument of each differentiation. The result takes arrays of one
    dtype, broadcasts them, and returns a new array of that dtype.
    """
    scalar = njit(**_OPTIONS)(getattr(function, "py_func", function))
    loops = functools.cache(lambda single: _loops(scalar, single, path))
    return lambda *arrays: _run(loops, arrays)


def _loops(scalar: Any, single: tuple[bool, ...], path: Sequence[int]) -> Any:
    """Return the serial and the parallel loop, compiled when they are first called.

    `single` tells which arguments have one element for all.
    """
    xs = [f"x{i}" for i in range(len(single))]
    result = f"number(scalar({', '.join(xs)}))"
    source = _LOOP.format(
        xs=", ".join(xs),
        arrays=", ".join(f"a{x}" for x in xs),
        take="; ".join(_taken(x, one) for x, one in zip(xs, single)),
        elements=", ".join(x if one else f"{x}[i]" for x, one in zip(xs, single)),
        seeds="; ".join(_seeds(path)) or "pass",
        result="tangent_of(" * len(path) + result + ")" * len(path),
        chunk_size=CHUNK,
    )
    names: dict[str, Any] = {
        **{"np": np, "prange": prange, "dual": dual, "tangent_of": tangent_of},
        **{"scalar": scalar, "number": number},
    }
    exec(compile(source, "<loop of scalar_primitive>", "exec"), names)
    names["element"] = njit(**_OPTIONS)(names["element"])
    names["chunk"] = njit(**_OPTIONS)(names["chunk"])
    return names["chunk"], njit(parallel=True, **_OPTIONS)(names["loop"])


def _taken(x: str, single: bool) -> str:
    return f"{x} = a{x}[0]" if single else f"{x} = a{x}[low:high]"


def _seeds(path: Sequence[int]) -> list[str]:
    """Return the statements that make dual numbers of the arguments in a path."""
    return [
        f"x{i} = dual(x{i}, {int(i == argument)})"
        for argument in path
        for i in sorted(set(path))
    ]


def _run(loops: Any, arrays: Sequence[Array]) -> Array:
    shape = np.broadcast_shapes(*[x.shape for x in arrays])
    out = memory.empty(shape, arrays[0].dtype)
    flat = [_flat(x, shape) for x in arrays]
    chunk, loop = loops(tuple([x.size == 1 for x in flat]))
    if out.size < PARALLEL_FROM:
        chunk(out.reshape(-1), 0, out.size, *flat)
    else:
        loop(out.reshape(-1), *flat)
    return out[()]


def _flat(x: Array, shape: tuple[int, ...]) -> Array:
    if x.size != 1 and x.shape != shape:
        x = np.broadcast_to(x, shape)
    return np.ascontiguousarray(x).reshape(-1)


def reason(error: NumbaError | AttributeError, function: Any) -> tuple[str, str]:
    """Return what Numba could not compile, and where: the innermost line it names.

    Where it names none, that is the line on which the function begins.
    """
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    lines = re.findall(r'File "([^"<][^"]*)", line (\d+):', text)
    code = function.__code__
    place = " ({}:{})".format(
        *(lines[-1] if lines else (code.co_filename, code.co_firstlineno))
    )
    if found := re.search(rf"{RETURNED}(.+)", text):
        return _returned(found[1]), place
    if call := re.search(r">{3} (.+\))", text):
        return call[1], place
    unknown = r"[Uu]nknown attribute '\w+'|global name '\w+'|name '\w+' is not defined"
    if name := re.search(unknown, text):
        return name[0], place
    return text.strip().splitlines()[-1], place


def _returned(kind: str) -> str:
    """Return what is wrong with a function whose result is of a type of Numba's."""
    if kind == "none":
        return "it returns nothing: is a `return` missing?"
    if kind.startswith("OptionalType("):
        return "not every way through it ends in a `return` with a number"
    return f"it must return one real number, not {kind}"
