"""Recycled buffers: when they come back, and that nobody else sees them before."""

import gc
import threading

import numpy as np
import pytest

from autograd_lite.kernels import memory

SHAPE = (64, 1024)


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


def test_a_dead_buffer_is_used_again():
    first = memory.empty(SHAPE, np.float32)
    address = first.ctypes.data
    del first
    assert memory.empty(SHAPE, np.float32).ctypes.data == address


def test_a_buffer_in_use_is_not_handed_out():
    first = memory.empty(SHAPE, np.float32)
    first[...] = 1.0
    view = first.reshape(-1)[5:7][::-1]
    address = first.ctypes.data
    del first
    second = memory.empty(SHAPE, np.float32)
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


def test_threads_never_share_a_buffer():
    wrong = []

    def work(mark):
        for _ in range(300):
            array = memory.empty(SHAPE, np.float32)
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
