"""Arrays are read-only while a tape holds them.

A pullback that keeps an array of the caller's reads it when the walk back arrives; had
the caller written to it by then, the gradient would be wrong in silence. So the array
object that was captured, and the array that owns its memory, refuse writing until the
tape is done. The tape itself works with a view made before, as compiled kernels know a
read-only array for another type. Views that others took earlier are not covered, nor
arrays in the memory of another library.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable
from typing import Any, Final, TypeAlias

import numpy as np

Array: TypeAlias = np.ndarray[Any, Any]

# A view of at most so many bytes is copied by the tape rather than locked: other parts
# of its owner may be written to, as when a loop fills one row after another.
SMALL_VIEW: Final = 1 << 14

# What is differentiated is copied up to this size: cheaper than a lock.
SMALL_INPUT: Final = 1 << 14


class _Lock:
    """A locked array: a writable view of it, its owner, and how many tapes hold it."""

    __slots__ = ("holders", "owner", "view", "waiting", "writable")

    holders: int
    owner: Any  # locked along with it, if it is an array
    view: Array
    waiting: list[Array] | None  # views of it to make writable once it is
    writable: bool  # whether it was, before the lock


# By id of the array. Shared by all tapes, as several may hold one array, and the last
# to let go makes it writable again. A tape keeps alive what it has locked.
_LOCKS: Final[dict[int, _Lock]] = {}
_CHANGING: Final = threading.Lock()


def lockable(array: Any) -> bool:
    """Return whether an array can be made writable again, as one with a foreign base
    (a tensor of PyTorch, say) can't.
    """
    return isinstance(array, np.ndarray) and (
        array.base is None or isinstance(array.base, np.ndarray)
    )


def lock(array: Array) -> Array:
    """Make an array and its owner read-only; return a view as it was before.

    The caller keeps a reference to the array until he unlocks it.
    """
    with _CHANGING:
        return _lock(array)


def writable_view(array: Array) -> Array:
    """Return a view of an array as it was before it was locked, if it is locked."""
    entry = _LOCKS.get(id(array))
    return array.view() if entry is None else entry.view


def lend(array: Array) -> Array:
    """Return a read-only view for a caller, to be unlocked like a locked array."""
    lent = array.view()
    with _CHANGING:
        _LOCKS[id(lent)] = _entry(lent, array, None)
    return lent


def unlock(arrays: Iterable[Array]) -> None:
    """Undo one `lock` or `lend` of each: after the last, an array is as it was."""
    with _CHANGING:
        for array in arrays:
            _unlock(array)


def _entry(array: Array, view: Array, owner: Any) -> _Lock:
    entry = _Lock()
    entry.view, entry.owner, entry.holders, entry.waiting = view, owner, 1, None
    entry.writable = array.flags.writeable
    array.setflags(write=False)
    return entry


def _lock(array: Array) -> Array:
    entry = _LOCKS.get(id(array))
    if entry is None:
        owner = array.base
        if type(owner) is not np.ndarray or not lockable(owner):
            owner = None
        view = array.view()
        entry = _LOCKS[id(array)] = _entry(array, view, owner)
    else:
        entry.holders += 1
    if entry.owner is not None:
        _lock(entry.owner)
    return entry.view


def _unlock(array: Array) -> None:
    entry = _LOCKS[id(array)]
    if entry.owner is not None:
        _unlock(entry.owner)
    entry.holders -= 1
    if entry.holders:
        return
    del _LOCKS[id(array)]
    if entry.writable:
        _make_writable(array)
    for waiting in entry.waiting or ():
        _make_writable(waiting)


def _make_writable(array: Array) -> None:
    """Make an array writable: at once, or as soon as its owner is unlocked."""
    if id(array) in _LOCKS:
        _LOCKS[id(array)].writable = True  # locked again meanwhile
    elif (owner := _LOCKS.get(id(array.base))) is not None:
        owner.waiting = [*(owner.waiting or ()), array]
    else:
        with contextlib.suppress(ValueError):  # someone else locked the owner for good
            array.setflags(write=True)


_READ_ONLY: Final = (
    "Arrays that an operation on traced arrays has used are read-only until the "
    "gradient is computed, which needs their values. Write to a copy: "
    "buffer = buffer.copy()."
)


def explain(error: ValueError) -> None:
    """Add the reason to NumPy's error about writing to a read-only array."""
    notes = getattr(error, "__notes__", ())
    if "read-only" in str(error) and _READ_ONLY not in notes:
        error.add_note(_READ_ONLY)
