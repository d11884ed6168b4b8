"""Recycled buffers: when they come back, and that nobody else sees them before."""

import gc
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograd_lite.kernels import memory
from autograd_lite.kernels.arena import SEGMENT, Arena

SHAPE = (64, 1024)
LARGE = (1024, 1024)


@pytest.fixture(autouse=True)
def empty_pool():
    memory.clear()
    yield
    memory.clear()


def test_is_like_numpy_empty():
    for shape in ((), (0, 5), (3,), SHAPE):
        for dtype in (np.float32, np.float64, np.uint8):
            array = memory.empty(shape, dtype)
            assert (array.shape, array.dtype) == (shape, dtype)
            assert array.flags.c_contiguous and array.flags.writeable
    assert memory.empty(SHAPE, np.float32).ctypes.data % 64 == 0
    np.testing.assert_array_equal(memory.zeros(SHAPE, np.float32), 0)


@pytest.mark.parametrize("shape", [SHAPE, LARGE])
def test_a_dead_buffer_is_used_again(shape):
    first = memory.empty(shape, np.float32)
    address = first.ctypes.data
    assert address % 64 == 0
    del first
    assert memory.empty(shape, np.float32).ctypes.data == address


@pytest.mark.parametrize("shape", [SHAPE, LARGE])
def test_a_buffer_in_use_is_not_handed_out(shape):
    first = memory.empty(shape, np.float32)
    first[...] = 1.0
    view = first.reshape(-1)[5:7][::-1]
    address = first.ctypes.data
    del first
    second = memory.empty(shape, np.float32)
    second[...] = 2.0
    assert second.ctypes.data != address
    np.testing.assert_array_equal(view, 1.0)


def test_the_pool_is_bounded(monkeypatch):
    monkeypatch.setattr(memory, "LARGEST_POOL", 1 << 20)
    kept = [memory.empty((n << 10,), np.float32) for n in range(64, 128)]
    del kept
    assert (
        sum(b.size for blocks in memory._POOL.blocks.values() for b in blocks)
        <= 1 << 20
    )


@pytest.mark.parametrize("shape", [SHAPE, LARGE])
def test_threads_never_share_a_buffer(shape):
    wrong = []

    def work(mark):
        for _ in range(300 * SHAPE[0] // shape[0]):
            array = memory.empty(shape, np.float32)
            array.fill(mark)
            if not (array == mark).all():
                wrong.append(mark)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_no_garbage_is_left_to_the_collector():
    gc.disable()
    try:
        for _ in range(50):
            memory.empty(SHAPE, np.float32)
        assert sum(len(blocks) for blocks in memory._POOL.blocks.values()) == 1
    finally:
        gc.enable()


def test_two_small_buffers_fit_where_a_large_one_was():
    large = memory.empty((8, *LARGE), np.float32)
    address = large.ctypes.data
    del large
    halves = [memory.empty((4, *LARGE), np.float32) for _ in range(2)]
    assert [half.ctypes.data - address for half in halves] == [0, halves[0].nbytes]
    del halves
    assert memory.empty((8, *LARGE), np.float32).ctypes.data == address


@given(st.lists(st.integers(1, SEGMENT // 3), max_size=30), st.randoms())
def test_blocks_of_an_arena_never_overlap_and_all_come_back(sizes, random):
    arena, lent = Arena(largest=0), []
    for size in sizes:
        block = arena.take(size)
        assert block.size >= size and block.ctypes.data % 64 == 0
        lent.append(block)
        if random.random() < 0.4:
            arena.give_back(lent.pop(random.randrange(len(lent))))
        spans = sorted((b.ctypes.data, b.ctypes.data + b.size) for b in lent)
        assert all(stop <= start for (_, stop), (start, _) in zip(spans, spans[1:]))
    segments = list(arena.segments)
    for block in lent:
        arena.give_back(block)
    arena.clear()
    assert all(segment.unused for segment in segments) and not arena.segments


def test_an_arena_keeps_what_it_may_and_no_more():
    generous, mean = Arena(largest=2 * SEGMENT), Arena(largest=0)
    for arena in (generous, mean):
        arena.give_back(arena.take(1 << 20))
        kept = arena.take(1 << 20).segment
        assert arena.segments == [kept]
    first = generous.segments[0]
    blocks = [generous.take(SEGMENT) for _ in range(4)]
    assert len(generous.segments) == 5
    for block in blocks:
        generous.give_back(block)
    generous.take(1)
    assert generous.segments == [first]
