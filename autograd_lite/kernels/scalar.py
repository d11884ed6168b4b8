"""Loops over a user's scalar function, compiled together with its derivatives.

The loop is written for a number of arguments and an order of differentiation, and
compiled for each dtype. Nothing is cached on disk: the function may be a closure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

import numpy as np
from numba import njit, prange
from numba.core.errors import NumbaError

from . import memory
from .dual import dual, tangent_of
from .jit import CHUNK

Array: TypeAlias = np.ndarray[Any, Any]

# Elements above which a second thread helps: an element costs some function calls.
PARALLEL_FROM: Final = 1 << 13

_OPTIONS: Final[dict[str, Any]] = {
    "error_model": "numpy",
    "fastmath": {"contract", "nsz"},
}

# Arguments with one element have step 0, all others have as many as the result.
_LOOP: Final = """
def chunk(out, low, high, steps, {xs}):
    {take}
    for i in range(low, high):
        out[i] = element({elements})

def loop(out, steps, {xs}):
    for part in prange((out.size + {chunk_size} - 1) // {chunk_size}):
        low = np.int64(part) * {chunk_size}
        chunk(out, low, min(low + {chunk_size}, out.size), steps, {xs})

def element({xs}):
    {seeds}
    return {result}
"""


def compiled(function: Callable[..., Any], count: int, path: Sequence[int]) -> Any:
    """Return the loop over a function of `count` numbers, differentiated along `path`.

    `path` names the argument of each differentiation. The result takes arrays of one
    dtype, broadcasts them, and returns a new array of that dtype.
    """
    xs = [f"x{i}" for i in range(count)]
    source = _LOOP.format(
        xs=", ".join(xs),
        take="; ".join(f"s{i} = steps[{i}]" for i in range(count)),
        elements=", ".join(f"{x}[i * s{i}]" for i, x in enumerate(xs)),
        seeds="; ".join(_seeds(path)) or "pass",
        result="tangent_of(" * len(path)
        + f"function({', '.join(xs)})"
        + ")" * len(path),
        chunk_size=CHUNK,
    )
    names: dict[str, Any] = {
        **{"np": np, "prange": prange, "dual": dual, "tangent_of": tangent_of},
        "function": njit(**_OPTIONS)(getattr(function, "py_func", function)),
    }
    exec(compile(source, f"<loop of {function.__name__}>", "exec"), names)
    names["element"] = njit(**_OPTIONS)(names["element"])
    names["chunk"] = chunk = njit(**_OPTIONS)(names["chunk"])
    # Compiled when it is first needed, which takes as long as all the rest.
    loop = njit(parallel=True, **_OPTIONS)(names["loop"])
    return lambda *arrays: _run(chunk, loop, arrays)


def _seeds(path: Sequence[int]) -> list[str]:
    """Return the statements that make dual numbers of the arguments in a path."""
    return [
        f"x{i} = dual(x{i}, {int(i == argument)})"
        for argument in path
        for i in sorted(set(path))
    ]


def _run(chunk: Any, loop: Any, arrays: Sequence[Array]) -> Array:
    shape = np.broadcast_shapes(*[x.shape for x in arrays])
    out = memory.empty(shape, arrays[0].dtype)
    flat = [_flat(x, shape) for x in arrays]
    steps = tuple([int(x.size > 1) for x in flat])
    if out.size < PARALLEL_FROM:
        chunk(out.reshape(-1), 0, out.size, steps, *flat)
    else:
        loop(out.reshape(-1), steps, *flat)
    return out[()]


def _flat(x: Array, shape: tuple[int, ...]) -> Array:
    if x.size != 1 and x.shape != shape:
        x = np.broadcast_to(x, shape)
    return np.ascontiguousarray(x).reshape(-1)


def reason(error: NumbaError) -> tuple[str, str]:
    """Return what Numba could not compile, and the line of the source it stands in."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    lines = re.findall(r'File "([^"<][^"]*)", line (\d+):', text)
    place = f" ({lines[-1][0]}:{lines[-1][1]})" if lines else ""
    if call := re.search(r">{3} (.+\))", text):
        return call[1], place
    if name := re.search(r"[Uu]nknown attribute '\w+'|global name '\w+'", text):
        return name[0], place
    return text.strip().splitlines()[-1], place
