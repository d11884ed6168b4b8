"""What a pullback keeps alive: the arrays in its closure, and their bytes.

A rule's pullback holds what it needs for the walk back and nothing else, so these bytes
are the memory that an operation costs until then. Views count as the array that owns
their memory, and memory that several pullbacks share counts once.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from types import FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from .core import Primitive, Tracer
from .ops.index import ScatterSum
from .reverse import Tape


def kept_arrays(pull: Any) -> list[Any]:
    """Return the arrays whose memory a pullback keeps alive, each owner once.

    `pull` is a function, or a list of them as a tape entry has. Looked into are closure
    cells, default values, partials, bound objects, containers and tracers.

    >>> def square(x):
    ...     return lambda g: g * (2 * x[0])
    >>> kept_arrays(square(np.ones((1, 2))))
    [array([[1., 1.]])]
    """
    found: dict[int, Any] = {}
    seen: set[int] = set()
    waiting = [pull]
    while waiting:  # no recursion: a tape may hold a chain of tapes
        x = waiting.pop()
        if isinstance(x, np.ndarray):
            owner = owner_of(x)
            found[id(owner)] = owner
        elif id(x) not in seen:
            seen.add(id(x))
            waiting += _referents(x)
    return list(found.values())


def kept_bytes(pulls: Iterable[Any], besides: Iterable[Any] = ()) -> int:
    """Return how many bytes pullbacks keep alive together.

    Arrays whose memory is also that of one in `besides` (what is alive in any case: the
    arguments, say) don't count.

    >>> def scale(x):
    ...     return lambda g: g * x
    >>> x = np.ones(1000)
    >>> kept_bytes([scale(x), scale(x[1:])]), kept_bytes([scale(x)], besides=[x])
    (8000, 0)
    """
    arrays = (x for x in besides if isinstance(x, np.ndarray))
    alive = {id(owner_of(x)) for x in arrays}
    kept = kept_arrays(list(pulls))
    return sum(owned_bytes(x) for x in kept if id(x) not in alive)


def owner_of(x: Any) -> Any:
    """Return the array that owns the memory of a view."""
    while isinstance(x.base, np.ndarray):
        x = x.base
    return x


def owned_bytes(owner: Any) -> int:
    """Return the bytes of an array, axes that were broadcast counted once."""
    size = owner.itemsize
    for n, stride in zip(owner.shape, owner.strides):
        size *= n if stride else min(n, 1)
    return size


def _referents(x: Any) -> Iterator[Any]:
    """Yield what an object holds that may be, or may hold, an array."""
    if isinstance(x, Tracer):
        yield x.value
    elif isinstance(x, FunctionType):
        yield from _cell_contents(x)
        yield from x.__defaults__ or ()
        yield from (x.__kwdefaults__ or {}).values()
    elif isinstance(x, (list, tuple, set, frozenset)):
        yield from x
    elif isinstance(x, dict):
        yield from x.values()
    elif isinstance(x, functools.partial):
        yield from (x.func, x.args, x.keywords)
    elif isinstance(x, MethodType):
        yield from (x.__self__, x.__func__)
    elif isinstance(x, Tape):
        yield x.entries
    elif isinstance(x, ScatterSum):
        yield from (x.dense, x.pieces)
    elif not isinstance(x, (type, ModuleType, Primitive)):
        yield from getattr(x, "__dict__", {}).values()


def _cell_contents(function: FunctionType) -> Iterator[Any]:
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # a variable that was deleted, or is not assigned yet
            continue
