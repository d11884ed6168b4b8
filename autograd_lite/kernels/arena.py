"""Large buffers, cut from segments of memory and joined again when they come back.

A step goes through layers of many sizes, and a buffer kept for each size would keep the
sum of what each layer needs at its worst moment. Here a large hole serves small
requests, and neighbours that are free become one hole again. Buffers begin at the
bottom of a segment, the smaller ones, which often live longer, at its top: so they
don't stand in the way of the others. What lies between is never touched, and memory
that nobody touched costs nothing.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import deque
from typing import Any, Final

import numpy as np

SEGMENT: Final = 1 << 26  # bytes asked of the system at a time, at least
_SMALLER: Final = 1 << 22  # bytes below which a block is cut from the top
_LINE: Final = 64


class Block(np.ndarray[Any, Any]):
    """A part of a segment that is lent out; it begins at a multiple of 64 bytes."""

    segment: Segment
    start: int


class Segment:
    """Memory of the system, and the holes in it: offsets `(start, stop)`, in order."""

    def __init__(self, size: int) -> None:
        self.memory = np.empty(size + _LINE, np.uint8)
        start = -self.memory.ctypes.data % _LINE
        self.whole = [(start, start + size)]
        self.holes = list(self.whole)

    def take(self, size: int) -> Block | None:
        """Cut a block from the first or the last hole large enough, if there is one."""
        order = range(len(self.holes))
        for i in order if size >= _SMALLER else reversed(order):
            start, stop = self.holes[i]
            if stop - start >= size:
                return self._cut(i, start if size >= _SMALLER else stop - size, size)
        return None

    def _cut(self, i: int, start: int, size: int) -> Block:
        """Cut a block from hole i, of which one end remains at the most."""
        hole, stop = self.holes[i], start + size
        rests = [(hole[0], start), (stop, hole[1])]
        self.holes[i : i + 1] = [rest for rest in rests if rest[0] < rest[1]]
        block = self.memory[start:stop].view(Block)
        block.segment, block.start = self, start
        return block

    def give_back(self, start: int, stop: int) -> None:
        """Make a block a hole, one with the holes beside it."""
        i = bisect_left(self.holes, (start, stop))
        j = i
        if i > 0 and self.holes[i - 1][1] == start:
            i, start = i - 1, self.holes[i - 1][0]
        if j < len(self.holes) and self.holes[j][0] == stop:
            stop, j = self.holes[j][1], j + 1
        self.holes[i:j] = [(start, stop)]

    @property
    def unused(self) -> bool:
        """Whether no block is lent out."""
        return self.holes == self.whole


class Arena:
    """Segments that blocks are taken from.

    A garbage collection may give a block back inside `take`. So `give_back` takes no
    lock: it puts the block where the next `take` finds it.
    """

    def __init__(self, largest: int) -> None:
        self.largest = largest  # bytes of segments kept though nothing is lent out
        self.segments: list[Segment] = []
        self.returned: deque[Block] = deque()
        self.lock = threading.Lock()

    def take(self, nbytes: int) -> Block:
        """Return a block of so many bytes, or a few more."""
        size = (nbytes + _LINE - 1) // _LINE * _LINE
        with self.lock:
            self._collect()
            for segment in self.segments:
                block = segment.take(size)
                if block is not None:
                    return block
            segment = Segment(max(SEGMENT, size))
            self.segments.append(segment)
            block = segment.take(size)
            assert block is not None
            return block

    def give_back(self, block: Block) -> None:
        """Keep a block for later."""
        self.returned.append(block)

    def clear(self) -> None:
        """Return to the system the segments that nothing is lent from."""
        with self.lock:
            self._collect()
            self.segments = [s for s in self.segments if not s.unused]

    def _collect(self) -> None:
        """Make holes of all blocks that came back; drop segments beyond the limit."""
        while self.returned:
            block = self.returned.popleft()
            block.segment.give_back(block.start, block.start + block.size)
        free = [s for s in self.segments if s.unused]
        if sum(s.memory.size for s in free) > self.largest:
            self.segments = [s for s in self.segments if not s.unused]
