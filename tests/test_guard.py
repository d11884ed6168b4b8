"""Arrays that a tape holds cannot change under it; they are as before afterwards."""

import gc
import threading

import numpy as np
import pytest

import autograd_lite.numpy as anp
from autograd_lite import (
    checkpoint,
    defvjp,
    grad,
    hessian,
    primitive,
    value_and_grad,
    vjp,
)
from autograd_lite.guard import _LOCKS
from autograd_lite.kernels import memory

BIG = 5000  # elements: more than are copied


@pytest.fixture
def buffer():
    """An array that owns its memory."""
    return np.arange(1.0, 4.0)


def test_a_captured_array_that_is_written_to_is_an_error(buffer):
    def f(x):
        y = (x * buffer).sum()
        buffer[0] = 7.0
        return y

    with pytest.raises(ValueError, match="read-only") as caught:
        grad(f)(np.ones(3))
    assert "buffer.copy()" in "".join(caught.value.__notes__)
    buffer[0] = 8.0  # restored, although the function failed


def test_an_array_that_is_not_kept_stays_writable(buffer):
    def f(x):
        y = (x + buffer).sum()
        buffer[0] = 7.0
        return y

    np.testing.assert_array_equal(grad(f)(np.ones(3)), np.ones(3))


def test_rows_filled_one_after_another_give_the_right_gradient():
    rows = np.zeros((4, 3))

    def f(x):
        total = 0.0
        for i in range(3):
            total = total + (x * rows[i]).sum()
            rows[i] = 100.0
            rows[i + 1] = i + 1
        return total

    np.testing.assert_array_equal(grad(f)(np.ones(3)), np.full(3, 0.0 + 1 + 2))


def test_a_large_view_locks_its_owner():
    rows = np.ones((2, BIG))

    def f(x):
        y = (x * rows[0]).sum()
        rows[0, 0] = 2.0
        return y

    with pytest.raises(ValueError, match="read-only"):
        grad(f)(np.ones(BIG))
    rows[0, 0] = 3.0


@pytest.mark.parametrize("n", [3, BIG])
def test_the_differentiated_array_may_not_change(n):
    x0 = np.ones(n)

    def f(x):
        y = (x**2).sum()
        x0[0] = 50.0
        return y

    if n == BIG:
        with pytest.raises(ValueError, match="read-only"):
            grad(f)(x0)
    else:
        np.testing.assert_array_equal(grad(f)(x0), np.full(n, 2.0))
    x0[0] = 2.0


@pytest.mark.parametrize("n", [3, BIG])
def test_a_pullback_holds_what_it_needs_as_long_as_it_lives(n):
    x, c = np.linspace(1, 2, n), np.ones(n)
    y, pullback = vjp(lambda x: anp.exp(x) * c, x)
    for array in (y, c, *([x] if n == BIG else [])):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 3.0
    np.testing.assert_allclose(pullback(np.ones(n))[0], np.exp(x))
    del pullback
    for array in (x, y, c):
        array[0] = 3.0


def test_two_pullbacks_share_a_view_and_its_owner():
    owner = np.ones(2 * BIG)
    view = owner[:BIG]
    _, first = vjp(lambda x: (x * owner[:BIG]).sum() + (x**2).sum(), np.ones(BIG))
    _, second = vjp(lambda x: (x * view).sum(), np.ones(BIG))
    del first
    assert not view.flags.writeable and not owner.flags.writeable
    del second
    assert view.flags.writeable and owner.flags.writeable


def test_the_owner_may_be_let_go_last():
    owner = np.ones(2 * BIG)
    view = owner[:BIG]
    _, of_owner = vjp(lambda x: (x * owner).sum(), np.ones(2 * BIG))
    _, of_view = vjp(lambda x: (x * view).sum(), np.ones(BIG))
    del of_view
    assert not view.flags.writeable
    del of_owner
    assert view.flags.writeable and owner.flags.writeable


def test_kernels_see_a_locked_array_as_they_would_have_seen_it_before():
    c, seen = np.ones(BIG), []

    @primitive
    def watched(x, y):
        seen.append(y.flags.writeable)
        return x * y

    defvjp(watched, lambda ans, x, y: lambda g: g * y, None)
    _, pullback = vjp(lambda x: watched(x, c), np.ones(BIG))
    grad(lambda x: grad(lambda x: watched(watched(x, c), c).sum())(x).sum())(c)
    assert all(seen) and not c.flags.writeable
    del pullback
    assert c.flags.writeable


def test_what_was_read_only_stays_so():
    x = np.broadcast_to(np.ones(1), (BIG,))
    c = np.ones(BIG)
    c.flags.writeable = False
    grad(lambda x: (x * c).sum())(x)
    assert not x.flags.writeable and not c.flags.writeable


def test_nested_transformations_and_checkpoints_restore(buffer):
    f = checkpoint(lambda x, c: (x**3 * c).sum())
    assert hessian(lambda x: f(x, buffer))(np.ones(3)).shape == (3, 3)
    assert grad(lambda x: (x * buffer).sum())(buffer).shape == (3,)
    buffer[0] = 5.0


def test_the_arguments_of_a_checkpoint_may_not_change(buffer):
    f = checkpoint(lambda x, c: (x * c).sum())

    def careless(x):
        y = f(x, buffer)
        buffer[0] = 9.0
        return y

    with pytest.raises(ValueError, match="read-only"):
        grad(careless)(np.ones(3))
    assert buffer.flags.writeable


def test_a_gradient_may_be_written_to(buffer):
    x_bar = grad(lambda x: (x * buffer).sum())(np.ones(3))
    x_bar += 1.0
    np.testing.assert_array_equal(buffer, [1.0, 2.0, 3.0])


def test_threads_share_captured_arrays():
    weights = np.linspace(1, 2, BIG)
    failures = []

    def work():
        for _ in range(50):
            value, x_bar = value_and_grad(lambda x: (x * weights).sum())(np.ones(BIG))
            if not np.array_equal(x_bar, weights):
                failures.append(value)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert weights.flags.writeable


def test_nothing_is_left_locked_by_a_program_of_many_gradients(buffer):
    gc.collect()
    before = len(_LOCKS)
    for _ in range(20):
        _, pullback = vjp(lambda x: anp.tanh(x * buffer), np.ones(3))
        pullback(np.ones(3))
    del pullback
    assert len(_LOCKS) == before


def test_memory_of_another_kind_stays_as_it_is():
    class Foreign:
        """Lends the memory of an array, but not as an array."""

        def __init__(self, array):
            self.array = array
            self.__array_interface__ = array.__array_interface__

    foreign = np.asarray(Foreign(np.ones(BIG)))
    x = np.ones(BIG)
    for _ in range(2):
        np.testing.assert_array_equal(grad(lambda x: (x * foreign).sum())(x), x)
        np.testing.assert_array_equal(grad(lambda x: (x * x).sum())(foreign), 2 * x)
    assert foreign.flags.writeable


def test_kernels_results_and_foreign_memory_can_be_captured():
    ours = memory.empty((300, 100), np.float32)
    ours.fill(1)
    foreign = np.asarray(ForeignMemory(np.ones((300, 100), np.float32)))
    for array in (ours, ours[:200], foreign, foreign[:200]):
        x_bar = grad(lambda x, c=array: (x * c).sum())(array * 2)
        np.testing.assert_array_equal(x_bar, array)
        grad(lambda x: (x**2).sum())(array)
        array[0, 0] = 1.0


class ForeignMemory:
    """An array's memory, without what NumPy needs to make a view of it writable."""

    def __init__(self, array):
        self.array = array
        self.__array_interface__ = array.__array_interface__


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_tapes_in_tapes_lock_each_others_views(depth):
    c, w = np.ones((400, 64)), np.ones((64, 64))

    def f(x, v):
        return (anp.tanh(x @ v) * c).sum()

    @primitive
    def inner(x, v):
        return f(x, v)

    def rule(ans, x, v):
        return lambda g: g * vjp(f, x, v)[1](1.0)[1]

    defvjp(inner, None, rule)
    if depth == 3:
        x_bar = grad(lambda v: (grad(lambda v: inner(c, v))(v) * w).sum())(w)
    elif depth == 2:
        x_bar = grad(lambda v: inner(c, v) + inner(c, v @ w))(w)
    else:
        x_bar = grad(lambda v: inner(c, v))(w)
    assert x_bar.shape == w.shape and c.flags.writeable and w.flags.writeable
