"""How kernels are compiled: the decorators, and when a loop is worth two threads.

A kernel that runs in parallel decides so from the sizes of its arrays alone, and cuts
its work into pieces that depend on nothing else. So its result is the same, bit for
bit, for any number of threads.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Final

import llvmlite.binding as llvm
import numpy as np
from numba import njit
from numba.core.caching import FunctionCache
from numba.core.ccallback import CFunc
from numba.core.runtime import nrt
from numba.core.sigutils import normalize_signature

# Sums may be reordered and products contracted to fused multiply-adds, which is what
# LLVM needs for SIMD. Nothing here assumes NaN or Inf away.
_SUMS: Final = {"contract", "reassoc", "nsz", "arcp"}

# Elementwise loops need no reordering, and must not have it: LLVM would turn
# b * x + (1 - b) * y into y + b * (x - y), and that is NaN where y is Inf.
_ELEMENTWISE: Final = {"contract", "nsz"}

# The GIL is kept: Numba's workqueue layer aborts when two Python threads enter it.
_OPTIONS: Final[dict[str, Any]] = {"error_model": "numpy"}


@cache
def _name_runtime() -> None:
    """Tell LLVM where the functions of Numba's runtime are, as Numba does."""
    runtime: Any = nrt
    for name, address in runtime._nrt.c_helpers.items():
        llvm.add_symbol(name if name.startswith("_") else f"NRT_{name}", address)


class _Cache(FunctionCache):
    """Numba's cache on disk, read without what only a compilation needs.

    Before Numba loads a kernel it imports all it knows of types and functions, SciPy's
    linear algebra among it, and compiles a part of its runtime: 45 MB and a good part
    of a second. The machine code on disk has that part in it already. Whatever must be
    compiled after all, Numba prepares for by itself.
    """

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return a kernel from the disk, or None."""
        _name_runtime()
        with self._guard_against_spurious_io_errors():
            return self._load_overload(sig, target_context)


def _compiler(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Return a decorator: `njit` with that cache."""

    def decorate(function: Callable[..., Any]) -> Any:
        dispatcher = njit(**options, **_OPTIONS)(function)
        dispatcher._cache = _Cache(function)
        return dispatcher

    return decorate


def callback(signature: Any, function: Callable[..., Any]) -> int:
    """Compile a C function, as `numba.cfunc` does, with that cache; return its address.

    The literals that the function closes over are part of the key.
    """
    made: Any = CFunc(function, normalize_signature(signature), {}, dict(_OPTIONS))
    made._cache = _Cache(function)
    made.compile()
    address: int = made.address
    return address


serial = _compiler(fastmath=_SUMS)
elementwise = _compiler(fastmath=_ELEMENTWISE)
parallel = _compiler(fastmath=_SUMS, parallel=True)


@serial
def split(task, size):
    """Return `divmod(task, size)` of a prange index.

    These are uint64, which NumPy's promotion turns into floats beside an int64.
    """
    return np.int64(task) // size, np.int64(task) % size


# Elements below which a memory-bound loop is done before a second thread has woken up.
PARALLEL_FROM: Final = 1 << 15

# Elements that one thread handles at a time; fixed, see above.
CHUNK: Final = 1 << 13
