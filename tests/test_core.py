"""Primitives and dispatch: who handles an operation, and what it leaves behind."""

import copy
import gc
import pickle
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy
import pytest

import autograd_lite.numpy as np
from autograd_lite import (
    defjvp,
    defvjp,
    defvjp_argnums,
    elementwise,
    grad,
    jvp,
    primitive,
    stop_gradient,
    value_and_grad,
    vjp,
    vmap,
)
from autograd_lite.core import Primitive, Trace, Tracer, concrete, is_tracer
from autograd_lite.errors import TracerConversionError
from autograd_lite.reverse import Tape
from autograd_lite.testing import check_grads

X = numpy.array([0.5, -1.0, 2.0])


# -- primitives ------------------------------------------------------------------------


def test_a_primitive_is_its_function_on_plain_arrays():
    @primitive
    def double(x, *, times=2):
        """Return twice x."""
        return times * x

    assert isinstance(double, Primitive)
    assert double.name == double.__name__ == "double"
    assert double.__doc__ == "Return twice x." and double.__module__ == __name__
    assert repr(double) == "<primitive double>"
    assert double(X, times=3).tolist() == (3 * X).tolist()
    assert double.__wrapped__(2.0) == 4.0


def test_parameters_reach_the_rules():
    @primitive
    def scale(x, *, by):
        return x * by

    defvjp(scale, lambda ans, x, *, by: lambda g: g * by)
    defjvp(scale, lambda x_dot, ans, x, *, by: x_dot * by)
    check_grads(lambda x: scale(x, by=3.0), (X,))


def test_a_primitive_may_return_a_python_number():
    @primitive
    def norm2(x):
        return float(numpy.dot(x, x))

    defvjp(norm2, lambda ans, x: lambda g: g * 2 * x)
    assert grad(norm2)(X).tolist() == (2 * X).tolist()
    check_grads(norm2, (X,))

    @elementwise
    def half(x):
        return float(x) / 2

    defvjp(half, lambda ans, x: lambda g: g / 2)
    defjvp(half, lambda x_dot, ans, x: x_dot / 2)
    assert grad(lambda x: half(x) * x)(3.0) == 3.0
    assert jvp(half, (3.0,), (1.0,)) == (1.5, 0.5)


def test_a_rule_may_return_a_python_number():
    @elementwise
    def three_times(x):
        return 3 * x

    defvjp(three_times, lambda ans, x: lambda g: float(g) * 3)
    slope = grad(three_times)(numpy.float32(2.0))
    assert slope == 3.0 and slope.dtype == numpy.float32


def test_rules_for_further_arguments_are_added():
    @primitive
    def product(x, y):
        return x * y

    defvjp(product, lambda ans, x, y: lambda g: g * y)
    defvjp(product, lambda ans, x, y: lambda g: g * x, argnums=(1,))
    assert grad(product, (0, 1))(2.0, 3.0) == (3.0, 2.0)
    defvjp(product, lambda ans, x, y: lambda g: g * 100.0, argnums=(1,))
    assert grad(product, (0, 1))(2.0, 3.0) == (3.0, 100.0)


def test_defvjp_counts_its_rules():
    with pytest.raises(ValueError):
        defvjp(primitive(lambda x: x), lambda ans, x: lambda g: g, argnums=(0, 1))


def test_a_rule_of_none_is_zero():
    @primitive
    def first(x, y):
        return x * 1.0

    defvjp(first, lambda ans, x, y: lambda g: g, None)
    assert grad(first, (0, 1))(2.0, 3.0) == (1.0, 0.0)
    assert grad(first, 1)(2.0, 3.0) == 0.0
    y, y_dot = jvp(lambda y: first(2.0, y), (3.0,), (1.0,))
    assert (y, y_dot) == (2.0, 0.0)


def test_joint_rules():
    calls = []

    @primitive
    def product(x, y, z):
        return x * y * z

    def rule(argnums, ans, args, params):
        calls.append(argnums)
        x, y, z = args
        every = (y * z, x * z, x * y)
        return lambda g: tuple([g * every[i] for i in argnums])

    defvjp_argnums(product, rule)
    assert grad(product, (0, 1, 2))(2.0, 3.0, 5.0) == (15.0, 10.0, 6.0)
    assert grad(product, 2)(2.0, 3.0, 5.0) == 6.0
    assert calls == [(0, 1, 2), (2,)]
    check_grads(product, (X, X + 1, X - 1))


@primitive(multiple=True)
def sine_and_cosine(x):
    """Return a pair."""
    return numpy.sin(x), numpy.cos(x)


defvjp(
    sine_and_cosine,
    lambda ans, x: lambda g: g[0] * ans[1] - g[1] * ans[0],
)


def test_several_outputs():
    check_grads(sine_and_cosine, (X,), order=3)
    check_grads(lambda x: sine_and_cosine(x)[0], (X,))
    check_grads(lambda x: sine_and_cosine(x)[1] * x, (X,))
    sine, cosine = vmap(sine_and_cosine)(X)
    numpy.testing.assert_array_equal(sine, numpy.sin(X))
    numpy.testing.assert_array_equal(cosine, numpy.cos(X))
    y, pullback = vjp(sine_and_cosine, X)
    assert type(y) is tuple
    numpy.testing.assert_allclose(pullback((X, X))[0], X * (y[1] - y[0]))


def test_several_outputs_with_forward_rules():
    @primitive(multiple=True)
    def pair(x, y):
        return x * 2, x * 3

    defvjp(pair, lambda ans, x, y: lambda g: 2 * g[0] + 3 * g[1], None)
    defjvp(pair, lambda x_dot, ans, x, y: (2 * x_dot, 3 * x_dot), None)
    check_grads(pair, (X, X))
    _, y_dot = jvp(lambda y: pair(X, y), (X,), (X,))
    assert [d.tolist() for d in y_dot] == [[0.0] * 3, [0.0] * 3]


def test_elementwise_rules_leave_broadcasting_to_the_engine():
    @elementwise
    def product(x, y):
        return x * y

    defvjp(
        product, lambda ans, x, y: lambda g: g * y, lambda ans, x, y: lambda g: g * x
    )
    rng = numpy.random.default_rng(0)
    for x_shape, y_shape in [
        ((), (3,)),
        ((3,), (2, 3)),
        ((2, 1), (1, 3)),
        ((1, 1, 3), (2, 1)),
        ((0,), (1,)),
        ((2, 0), ()),
    ]:
        check_grads(product, (rng.random(x_shape), rng.random(y_shape)))
    x_bar, y_bar = grad(lambda x, y: product(x, y).sum(), (0, 1))(
        numpy.ones((2, 3), numpy.float32), numpy.ones(3)
    )
    assert (x_bar.dtype, x_bar.shape) == (numpy.float32, (2, 3))
    assert (y_bar.dtype, y_bar.shape, y_bar.tolist()) == (float, (3,), [2.0] * 3)


def test_complex_times_real_has_a_real_gradient():
    x_bar = grad(lambda x: np.real(x * (1 + 2j)).sum())(X)
    assert x_bar.dtype == float and x_bar.tolist() == [1.0] * 3


# -- who handles what ------------------------------------------------------------------


def test_levels_never_repeat():
    levels = [Tape().level for _ in range(5)]
    assert levels == sorted(set(levels))


def test_the_innermost_trace_handles_an_operation():
    kinds = []

    def inner(y, x):
        kinds.append((type(x * y).__name__, type(x * 1.0).__name__))
        return x * y

    jvp(lambda x: grad(inner)(2.0, x), (3.0,), (1.0,))
    assert kinds == [("Variable", "Dual")]
    assert grad(lambda x: grad(inner)(x, x))(3.0) == 1.0


def test_a_trace_by_itself_does_nothing():
    with pytest.raises(NotImplementedError):
        Trace().process(primitive(numpy.sin), (1.0,), {})


def test_stop_gradient_is_a_constant_at_every_level():
    assert grad(lambda x: x * stop_gradient(x))(3.0) == 3.0
    assert grad(grad(lambda x: x * x * stop_gradient(x)))(3.0) == 6.0
    assert grad(lambda y: grad(lambda x: stop_gradient(y * x) * x)(2.0))(5.0) == 0.0
    assert jvp(stop_gradient, (3.0,), (1.0,)) == (3.0, 0.0)
    assert stop_gradient(3.0) == 3.0
    params = {"w": 2.0, "list": [3.0, None]}
    assert stop_gradient(params) == params
    slopes = grad(lambda p: p["w"] * stop_gradient(p)["list"][0])(params)
    assert slopes == {"w": 3.0, "list": [0.0, None]}
    frozen = lambda p: stop_gradient(p)["w"] * p["w"]  # noqa: E731
    assert grad(frozen)(params)["w"] == 2.0
    assert vmap(stop_gradient)(X).tolist() == X.tolist()


def test_nothing_is_left_after_an_exception():
    def bad(x):
        np.sin(x * x)
        raise KeyError("mine")

    before = grad(lambda x: x**3)(2.0)
    for transform in (grad, vmap, lambda f: lambda x: jvp(f, (x,), (x,))):
        with pytest.raises(KeyError, match="mine"):
            transform(bad)(X)
    with pytest.raises(KeyError, match="mine"):
        grad(lambda x: grad(bad)(x))(2.0)
    assert grad(lambda x: x**3)(2.0) == before == 12.0

    def caught(x):
        try:
            return grad(bad)(x)
        except KeyError:
            return x * x

    assert grad(caught)(3.0) == 6.0


def test_threads_do_not_meet():
    start = threading.Barrier(8)

    def work(k):
        start.wait()
        total = 0.0
        for i in range(50):
            x = float(i)
            total += grad(lambda x: np.sin(k * x) * grad(lambda y: x * y * y)(x))(x)
        return total

    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(work, [float(k) for k in range(8)]))
    start = threading.Barrier(1)
    assert together == [work(float(k)) for k in range(8)]


def test_a_shared_pullback_in_threads():
    _, pullback = vjp(lambda x: (np.sin(x)[1:] * x[0], x * x), X)
    cotangents = [(numpy.full(2, k), numpy.full(3, k)) for k in range(16)]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(pullback, cotangents))
    for k, (x_bar,) in enumerate(together):
        numpy.testing.assert_array_equal(x_bar, pullback(cotangents[k])[0])


# -- tracers -------------------------------------------------------------------------


def seen(act, x=X):
    """What `act` returns when given a tracer that holds x."""
    found = []

    def fun(x):
        found.append(act(x))
        return (x * 0.0).sum()

    grad(fun)(x)
    return found[0]


def test_tracers_look_like_arrays():
    x = numpy.ones((2, 3, 4), numpy.float32)
    look = lambda t: (t.shape, t.dtype, t.ndim, t.size, len(t))  # noqa: E731
    assert seen(look, x) == look(x)
    assert seen(is_tracer) and not is_tracer(X) and not is_tracer("x")
    assert seen(concrete).tolist() == X.tolist() and concrete(1.0) == 1.0


def test_tracers_show_their_value():
    assert seen(repr) == f"Variable({X!r})"
    assert seen(str) == str(X)
    assert seen(lambda t: f"{t[0]:.3f}") == "0.500"
    assert seen(lambda t: grad(lambda y: seen_into(y, t) * 1.0)(2.0)) == 1.0


def seen_into(y, t):
    """Show a tracer that holds a tracer."""
    assert repr(y * t[0]) == f"Variable({numpy.float64(1.0)!r})"
    return y


def test_control_flow():
    def absolute(x):
        return x if x > 0 else -x

    assert [grad(absolute)(v) for v in (2.0, -2.0)] == [1.0, -1.0]

    def collatz(x):
        steps = 0
        while x > 1.0:
            x, steps = x / 2, steps + 1
        return x * steps

    assert grad(collatz)(10.0) == 4 / 16


def test_iteration_and_unpacking():
    def fun(x):
        a, b, c = x
        return a * b + sum(x) * c + max(x)

    assert grad(fun)(X).tolist() == [1.0, 2.5, 4.5]
    with pytest.raises(TypeError):
        seen(list, numpy.float64(1.0))
    with pytest.raises(TypeError, match="len"):
        seen(len, numpy.float64(1.0))


def test_tracers_cannot_be_hashed():
    with pytest.raises(TypeError, match="unhashable"):
        seen(lambda t: {t: 1})


def test_copies_stay_on_the_tape():
    """`copy.deepcopy(params)` inside of a model must not lose the gradient."""
    assert grad(lambda p: copy.deepcopy(p)["w"] * 3.0)({"w": 2.0}) == {"w": 3.0}
    assert grad(lambda x: copy.copy(x) * x)(2.0) == 4.0
    assert jvp(lambda x: copy.deepcopy(x) * 3.0, (2.0,), (1.0,)) == (6.0, 3.0)


def test_tracers_cannot_be_pickled():
    with pytest.raises(TracerConversionError, match="pickle"):
        seen(pickle.dumps)


def test_traced_values_are_freed():
    gc.collect()
    gc.disable()
    try:
        kept = []

        def fun(x):
            y = np.exp(x)
            kept.append(weakref.ref(y.value))
            return (y * y).sum()

        for _ in range(3):
            value_and_grad(fun)(numpy.ones(10))
            jvp(fun, (numpy.ones(10),), (numpy.ones(10),))
            vmap(lambda x: fun(x))(numpy.ones((2, 10)))
        assert kept and all(ref() is None for ref in kept)
    finally:
        gc.enable()


def test_no_reference_cycles():
    """Without the garbage collector, training in a loop leaves no objects behind."""

    def loss(p, x):
        h = np.tanh(x @ p["w"]) + p["b"]
        return (h[0] * h[1:]).sum()

    params = {"w": numpy.ones((3, 3)), "b": numpy.zeros(3)}
    x = numpy.ones((4, 3))

    def steps():
        value_and_grad(loss)(params, x)
        jvp(loss, (params, x), (params, x))
        vjp(loss, params, x)[1](1.0)
        grad(lambda p: grad(loss)(p, x)["b"].sum())(params)
        vmap(lambda row: np.sin(row) * 2)(x)

    steps()
    gc.collect()
    gc.disable()
    try:
        for _ in range(3):
            steps()
        found = gc.collect()
    finally:
        gc.enable()
    assert found == 0


def test_methods_are_attached_to_all_tracers():
    for name in ("__add__", "__getitem__", "sum", "reshape", "T"):
        assert hasattr(Tracer, name)
