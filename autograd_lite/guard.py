"""Arrays are read-only while a tape holds them.

A pullback that keeps an array of the caller's reads it when the walk back arrives; had
the caller written to it by then, the gradient would be wrong in silence. So the array
object that was captured, and the array that owns its memory, refuse writing until the
tape is done. The tape itself works with a view made before, as compiled kernels know a
read-only array for another type. Views that others took earlier are not covered, nor
arrays in the memory of another library.
"""

from __future__ import annotations

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
    writable: bool | None  # whether it was; None: as the view is in the end


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


def lend(array: Array) -> Array:
    """Return a read-only view for a caller, to be unlocked like a locked array."""
    lent = array.view()
    lent.setflags(write=False)
    with _CHANGING:
        _LOCKS[id(lent)] = _entry(array, None)
    return lent


def unlock(arrays: Iterable[Array]) -> None:
    """Undo one `lock` or `lend` of each: after the last, an array is as it was."""
    with _CHANGING:
        for array in arrays:
            _unlock(array)


def _entry(view: Array, owner: Any) -> _Lock:
    entry = _Lock()
    entry.view, entry.owner, entry.holders, entry.waiting = view, owner, 1, None
    entry.writable = None
    return entry


def _lock(array: Array) -> Array:
    entry = _LOCKS.get(id(array))
    if entry is not None:
        entry.holders += 1
        if entry.owner is not None:
            _lock(entry.owner)
        return entry.view
    view = array.view()
    owner: Any = array.base
    if owner is None or isinstance(owner, np.ndarray):
        array.setflags(write=False)
    else:  # memory of another kind, which NumPy would not make writable again
        owner = None
    entry = _LOCKS[id(array)] = _entry(view, owner)
    entry.writable = view.flags.writeable  # another tape may lock the view in its turn
    if owner is not None:
        _lock(owner)
    return view


def _unlock(array: Array) -> None:
    entry = _LOCKS[id(array)]
    if entry.owner is not None:
        _unlock(entry.owner)
    entry.holders -= 1
    if entry.holders:
        return
    del _LOCKS[id(array)]
    before = entry.view.flags.writeable if entry.writable is None else entry.writable
    if before and not array.flags.writeable:
        _make_writable(array)
    for waiting in entry.waiting or ():
        _make_writable(waiting)


def _make_writable(array: Array) -> None:
    """Make an array writable: at once, or as soon as its owner is unlocked."""
    if id(array) in _LOCKS:
        return  # locked again meanwhile, and freed with that lock
    owner = _LOCKS.get(id(array.base))
    if owner is None:
        array.setflags(write=True)
    else:
        owner.waiting = [*(owner.waiting or ()), array]


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
