"""The tape: order, memory, accumulation, and what a caller receives."""

import sys
import tracemalloc
import weakref

import numpy
import pytest

import autograd_lite.numpy as np
from autograd_lite import defvjp, elementwise, grad, primitive, value_and_grad, vjp
from autograd_lite.core import Primitive
from autograd_lite.errors import AutogradError
from autograd_lite.ops.index import ScatterSum
from autograd_lite.reverse import Cotangents, Tape, separate
from autograd_lite.testing import check_grads

X = numpy.array([0.5, -1.0, 2.0])


# -- long chains ---------------------------------------------------------------------


def chain(x, n):
    """Alternate n times between two operations."""
    for _ in range(n // 2):
        x = x * 1.0000001
        x = x + 1e-9
    return x


def test_a_chain_of_a_hundred_thousand_operations():
    limit = sys.getrecursionlimit()
    slope = grad(chain)(1.0, 100_000)
    assert slope == pytest.approx(1.0000001**50_000, rel=1e-12)
    assert sys.getrecursionlimit() == limit


@pytest.mark.slow
def test_a_chain_of_a_million_operations():
    slope = grad(chain)(1.0, 1_000_000)
    assert slope == pytest.approx(1.0000001**500_000, rel=1e-10)


def test_a_deep_closure_of_pullbacks_dies_without_recursion():
    _, pullback = vjp(lambda x: chain(x, 50_000), 1.0)
    assert pullback(1.0)[0] > 1
    del pullback


def test_a_wide_graph():
    assert grad(lambda x: sum([x * float(i) for i in range(1000)]))(2.0) == 499_500.0


def test_sharing_is_not_expanded():
    """x doubled 60 times: 2**60 paths, 60 entries."""

    def fun(x):
        for _ in range(60):
            x = x + x
        return x

    assert grad(fun)(1.0) == 2.0**60


# -- memory --------------------------------------------------------------------------


def test_residuals_are_freed_during_the_walk_back():
    alive = []

    @primitive
    def keeps(x):
        return numpy.sin(x)

    def rule(ans, x):
        residual = numpy.cos(x)
        refs.append(weakref.ref(residual))

        def pull(g):
            alive.append(sum(ref() is not None for ref in refs))
            return g * residual

        return pull

    defvjp(keeps, rule)
    refs = []

    def fun(x):
        for _ in range(10):
            x = keeps(x)
        return x.sum()

    grad(fun)(numpy.ones(5))
    assert alive == list(range(10, 0, -1))
    assert all(ref() is None for ref in refs)


def test_the_pullback_of_vjp_keeps_its_residuals_and_then_lets_go():
    refs = []

    @primitive
    def keeps(x):
        return x * 2

    def rule(ans, x):
        residual = numpy.full(3, 2.0)
        refs.append(weakref.ref(residual))
        return lambda g: g * residual

    defvjp(keeps, rule)
    _, pullback = vjp(keeps, X)
    for k in range(3):
        assert pullback(numpy.full(3, k))[0].tolist() == [2.0 * k] * 3
        assert refs[0]() is not None
    del pullback
    assert refs[0]() is None


def test_peak_memory_is_about_one_pass():
    """20 layers of 1 MB keep 20 residuals, and the walk back adds only a few."""
    x = numpy.ones(131_072)

    def fun(x):
        for _ in range(20):
            x = np.exp(x * 1e-3)
        return x.sum()

    grad(fun)(x)
    tracemalloc.start()
    try:
        grad(fun)(x)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 27 * x.nbytes


def test_memory_is_flat_over_many_steps():
    x = numpy.ones(10_000)
    step = value_and_grad(lambda x: (np.tanh(x) * x[::-1]).sum())
    tracemalloc.start()
    try:
        for _ in range(1000):  # until Python's free lists are full
            step(x)
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(1000):
            step(x)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 8 * 1000  # no object is as small as 8 bytes


def test_add_keeps_no_arrays():
    x = numpy.ones(100_000)

    def fun(x):
        for _ in range(20):
            x = x + 1.0
        return x.sum()

    tracemalloc.start()
    try:
        grad(fun)(x)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5 * x.nbytes


# -- accumulation --------------------------------------------------------------------


def reads_peak(n, m):
    """Peak memory of the backward pass of n reads from an array of m elements."""
    x = numpy.ones(m)
    rows = numpy.arange(10)

    def fun(x):
        return sum([x[i] * 2.0 + x[i : i + 2].sum() + x[rows][0] for i in range(n)])

    tracemalloc.start()
    try:
        x_bar = grad(fun)(x)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    expected = numpy.zeros(m)
    for i in range(n):
        expected[i] += 3
        expected[i + 1] += 1
    expected[0] += n
    numpy.testing.assert_array_equal(x_bar, expected)
    return peak


def test_reads_cost_no_array_each():
    m = 1_000_000
    small, large = reads_peak(10, m), reads_peak(200, m)
    assert large - small < m * 8 / 2


def test_the_number_of_full_size_buffers(monkeypatch):
    calls = []
    original = ScatterSum.materialize
    monkeypatch.setattr(
        ScatterSum, "materialize", lambda self: (calls.append(1), original(self))[1]
    )
    grad(lambda x: sum([x[i] * x[-i - 1] for i in range(50)]))(numpy.ones(100))
    assert len(calls) == 1


def test_reads_mixed_with_dense_uses():
    def fun(x):
        y = x * x
        return (y[0] * y + y[1:].sum() * x[0] + y[[0, 0, 1]].sum() * y).sum() + y[-1]

    check_grads(fun, (X,))


def test_sums_in_place_only_where_the_buffer_is_ours():
    """The cotangent that add passes on to both arguments is never written to."""

    def fun(x, y):
        s = x + y  # one cotangent array for both
        return (s * X + x * x + x * 3.0 + x).sum()

    x_bar, y_bar = grad(fun, (0, 1))(X, X)
    numpy.testing.assert_allclose(x_bar, X + 2 * X + 4)
    numpy.testing.assert_allclose(y_bar, X)


def test_sums_of_constants_and_tracers():
    """Constant cotangents make a buffer; a traced one must not be added into it."""

    def inner(x, a):
        return (x * X + x * a + x * 2.0 + x * a + x * X + x * 3.0).sum()

    def outer(a):
        return (grad(inner)(X, a) ** 2).sum()

    check_grads(outer, (2.0,))
    numpy.testing.assert_allclose(grad(inner)(X, 2.0), 2 * X + 9)


def test_cotangents_add_up():
    cotangents = Cotangents([((3,), numpy.dtype(float))])
    ones = numpy.ones(3)
    for _ in range(4):
        cotangents.add(0, ones)
    assert cotangents.final(0).tolist() == [4.0] * 3 and ones.tolist() == [1.0] * 3


# -- what arrives ---------------------------------------------------------------------


def test_gradients_are_writable_and_distinct():
    def fun(p):
        return (p["a"] + p["b"] + p["c"].T).sum() + p["d"].sum()

    params = {k: numpy.ones((2, 2)) for k in "abcd"}
    slopes = grad(fun)(params)
    for k, slope in slopes.items():
        slope += ord(k)
    for k, slope in slopes.items():
        assert slope.tolist() == [[1.0 + ord(k)] * 2] * 2
    assert all((x == 1).all() for x in params.values())


def test_a_pullback_does_not_return_the_cotangent_it_was_given():
    _, pullback = vjp(lambda x: x, X)
    g = numpy.ones(3)
    (x_bar,) = pullback(g)
    x_bar += 1
    assert g.tolist() == [1.0] * 3
    _, pullback = vjp(lambda x: x.reshape(3, 1).T, X)
    g = numpy.ones((1, 3))
    pullback(g)[0][:] = 7
    assert g.tolist() == [[1.0] * 3]


def test_separate():
    base = numpy.zeros((3, 2))
    frozen = numpy.broadcast_to(1.0, (3,))
    found = separate([base, base[0], base.T, frozen, 2.0])
    assert found[0] is base
    assert all(x.flags.writeable for x in found[:-1])
    for i, x in enumerate(found[:-1]):
        for y in found[i + 1 : -1]:
            assert not numpy.shares_memory(x, y)


def test_zeros_for_what_is_not_used():
    params = {"a": X, "b": numpy.ones((2, 2), numpy.float32), "c": 3.0}
    slopes = grad(lambda p: p["a"].sum())(params)
    assert slopes["b"].tolist() == [[0.0] * 2] * 2
    assert slopes["b"].dtype == numpy.float32 and slopes["b"].flags.writeable
    assert slopes["c"] == 0.0
    assert grad(lambda x: 3.0)(X).tolist() == [0.0] * 3
    assert vjp(lambda x, y: x, X, X)[1](X)[1].tolist() == [0.0] * 3


def test_outputs_that_are_not_used_cost_nothing():
    calls = []

    @elementwise
    def watched(x):
        return x * 1.0

    defvjp(watched, lambda ans, x: lambda g: calls.append(1) or g)

    def fun(x):
        watched(x)
        return x * 2.0

    assert grad(fun)(3.0) == 2.0 and calls == []


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "longdouble"])
def test_the_dtype_is_kept(dtype):
    x = X.astype(dtype)
    fun = lambda x: (np.tanh(x) * 2.5 * numpy.pi + x[0] * X).sum()  # noqa: E731
    value, x_bar = value_and_grad(fun)(x)
    assert x_bar.dtype == x.dtype and x_bar.shape == x.shape
    scalar = x.dtype.type(0.5)
    assert grad(lambda x: np.sin(x) * 3)(scalar).dtype == x.dtype


def test_foreign_byte_order():
    """As big-endian files are read; gradients have the machine's own."""
    x = X.astype(">f8")
    slope = grad(lambda x: (x * x).sum() + x[0])(x)
    assert slope.tolist() == (2 * X + [1, 0, 0]).tolist() and slope.dtype.isnative
    y, pullback = vjp(lambda x: x + x, x)
    assert pullback(x)[0].tolist() == (2 * X).tolist()


@pytest.mark.parametrize("shape", [(), (1,), (0,), (2, 0, 3), (1, 1)])
def test_the_shape_is_kept(shape):
    x = numpy.ones(shape)
    x_bar = grad(lambda x: (np.exp(x) * 2).sum())(x)
    assert x_bar.shape == shape
    x_bar = grad(lambda x: (np.exp(x.reshape(-1)) * numpy.ones((2, 1))).sum())(x)
    assert x_bar.shape == shape


def test_inputs_of_any_layout():
    x = numpy.arange(24.0).reshape(2, 3, 4) / 24
    for view in (x.T, x[:, ::-1], x[::2], numpy.asfortranarray(x)):
        check_grads(lambda x: np.sin(x) * x[..., :1], (view,), order=1)


def test_tapes_are_closed():
    tape = Tape()
    x = tape.variable(X)
    y = x * 2.0
    assert tape.open and [e[1].name for e in tape.entries] == ["multiply"]
    x_bars = tape.backward([(y.slot, X)], [x.slot])
    assert x_bars[0].tolist() == (2 * X).tolist() and tape.entries == []


# -- overhead ------------------------------------------------------------------------


@pytest.mark.parametrize("n", [200, 20_000])
def test_an_operation_calls_few_functions(n):
    """Counted, not timed: as few per operation on a short tape as on a long one."""

    def fun(x):
        for _ in range(n):
            x = x * 1.5
        return x

    grad(fun)(1.0)
    calls = 0

    def count(frame, event, arg):
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        grad(fun)(1.0)
    finally:
        sys.setprofile(None)
    assert calls / n < 12


def test_primitives_are_recorded_once():
    tape = Tape()
    x = tape.variable(X)
    for fun in (np.sin, np.exp, np.tanh):
        fun(x)
    assert len(tape.entries) == 3
    assert all(isinstance(entry[1], Primitive) for entry in tape.entries)


# -- blame ----------------------------------------------------------------------------


@primitive
def broken(x):
    return x * 1.0


defvjp(broken, lambda ans, x: lambda g: np.ones(7))


@pytest.mark.parametrize(
    "differentiate",
    [
        lambda f, x: grad(f)(x),
        lambda f, x: vjp(f, x)[1](1.0),
        lambda f, x: grad(lambda t: grad(f)(t).sum())(x),
    ],
    ids=["grad", "vjp", "nested"],
)
def test_an_error_of_the_walk_back_names_the_line_of_the_forward_call(differentiate):
    def f(x):
        y = x + 1
        y = broken(y)  # the line
        return (y**2).sum()

    with pytest.raises(AutogradError) as caught:
        differentiate(f, np.ones(3))
    notes = "".join(caught.value.__notes__)
    assert "broken was called at" in notes
    assert "test_reverse.py" in notes and "y = broken(y)  # the line" in notes


def test_no_line_is_named_when_the_function_does_something_else_again():
    runs = []

    def f(x):
        runs.append(1)
        return broken(x).sum() if len(runs) == 1 else x.sum()

    with pytest.raises(AutogradError) as caught:
        grad(f)(np.ones(3))
    assert len(runs) == 2
    assert not any("called at" in note for note in caught.value.__notes__)
