"""checkpoint: the same values and derivatives, less memory, clear limits."""

import functools
import gc
import threading
import tracemalloc
import warnings
import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autograd_lite.numpy as anp
from autograd_lite import (
    checkpoint,
    checkpoint_sequential,
    custom_jvp,
    custom_vjp,
    defvjp,
    grad,
    hessian,
    jacfwd,
    jacobian,
    jvp,
    primitive,
    tree,
    vjp,
    vmap,
)
from autograd_lite.errors import ArgumentError, RuleError
from autograd_lite.reverse import Tape
from autograd_lite.testing import check_grads

X = np.array([[0.3, -0.7], [1.1, 0.2]])
PARAMS = {"w": X, "b": np.array([0.1, -0.2])}


def layer(params, x, *, scale=1.0):
    return {"y": anp.tanh(x @ params["w"] + params["b"]) * scale, "n": np.arange(3)}


def loss(f, params, x):
    hidden = f(params, x)["y"]
    return anp.sum(f(params, hidden, scale=2.0)["y"] ** 2)


def test_value_and_derivatives_are_those_of_the_function():
    plain = grad(lambda p, x: loss(layer, p, x), (0, 1))(PARAMS, X)
    spared = grad(lambda p, x: loss(checkpoint(layer), p, x), (0, 1))(PARAMS, X)
    for a, b in zip(tree.leaves(plain), tree.leaves(spared), strict=True):
        np.testing.assert_array_equal(a, b)


def test_all_orders_and_modes():
    check_grads(lambda p, x: loss(checkpoint(layer), p, x), (PARAMS, X))
    np.testing.assert_allclose(
        hessian(checkpoint(lambda x: anp.sum(anp.sin(x))))(X[0]),
        np.diag(-np.sin(X[0])),
    )


def test_vmap_in_both_orders():
    inner = checkpoint(lambda w, x: anp.tanh(w * x))
    expected = 1 - np.tanh(2 * X) ** 2
    xs = X.reshape(-1)
    found = vmap(grad(inner, 1), (None, 0))(2.0, xs)
    np.testing.assert_allclose(found, 2 * expected.reshape(-1))
    found = grad(lambda w: vmap(inner, (None, 0))(w, xs).sum())(2.0)
    np.testing.assert_allclose(found, (X * expected).sum())
    assert vmap(inner, (None, 0))(2.0, xs).shape == (4,)


def test_a_batch_is_evaluated_at_once():
    calls = []

    def counted(x):
        calls.append(x.shape)
        return x**2

    vmap(checkpoint(counted))(np.ones((50, 3)))
    assert calls == [(3,)]


def test_intermediate_results_are_dropped_and_computed_again():
    alive = []

    @primitive
    def noted(x):
        y = x + 1
        alive.append(weakref.ref(y))
        return y

    defvjp(noted, lambda ans, x: lambda g: g * ans / ans)

    def count(f):
        alive.clear()
        y, pullback = vjp(lambda x: f(f(x)), X)
        del y
        gc.collect()
        kept = sum(ref() is not None for ref in alive)
        runs = len(alive)
        pullback(X)
        return kept, runs, len(alive)

    def square(x):
        return noted(x) ** 2

    assert count(square) == (2, 2, 2)
    assert count(checkpoint(square)) == (0, 2, 4)


def test_integers_come_out_as_constants():
    y, pullback = vjp(checkpoint(lambda x: (x.sum(), anp.argmax(x))), X)
    assert y[1] == 2 and type(y[1]) is np.int64
    out = grad(lambda x: checkpoint(lambda x: (x, anp.argmax(x)))(x[0])[0].sum())(X)
    np.testing.assert_array_equal(out, [[1, 1], [0, 0]])


def test_without_tracers_it_is_the_function():
    spared = checkpoint(layer)
    assert spared.__name__ == "layer" and spared(PARAMS, X)["y"].shape == (2, 2)
    assert jvp(spared, (PARAMS, X), (PARAMS, X))[1]["n"].shape == (3,)


def test_a_failure_inside_says_its_own():
    with pytest.raises(ZeroDivisionError):
        grad(checkpoint(lambda x: x.sum() * (1 / 0)))(X)


# -- policies and budgets -------------------------------------------------------------

WAYS = {
    "nothing": checkpoint,
    "policy": checkpoint(policy={"matmul", "exp"}),
    "predicate": checkpoint(policy=lambda name, nbytes: nbytes < 40),
    "no budget": checkpoint(budget=0),
    "small budget": checkpoint(budget=200),
    "large budget": checkpoint(budget="1 MB"),
}


def program(params, x):
    """Branches, several outputs, an unused result, integers, views and indexing."""
    h = anp.exp(-((x @ params["w"]) ** 2)) + params["b"]
    anp.sin(h)
    low, high = anp.split(h, 2, axis=1)
    order = anp.argsort(h[:, 0])
    q, r = anp.linalg.qr(h + 3 * anp.eye(2))
    skip = (low * high.T + x)[order]
    return {"y": skip.reshape(-1) * anp.sum(r) + q[0, 0], "n": order, "x": x}


def scalar(f):
    return lambda p, x: anp.sum(anp.sin(f(p, x)["y"]))


@pytest.mark.filterwarnings("ignore:checkpoint")
@pytest.mark.parametrize("way", WAYS)
def test_every_way_gives_the_derivatives_of_the_function(way):
    spared = WAYS[way](program)
    expected = grad(scalar(program), (0, 1))(PARAMS, X)
    for _ in range(2):  # measured, then as planned
        found = grad(scalar(spared), (0, 1))(PARAMS, X)
        for a, b in zip(tree.leaves(expected), tree.leaves(found), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-13)
        y, pull = vjp(spared, PARAMS, X)
        twice = [pull({**y, "n": np.zeros(2)}) for _ in range(2)]
        for a, b in zip(*map(tree.leaves, twice), strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.filterwarnings("ignore:checkpoint")
@pytest.mark.parametrize("way", WAYS)
def test_every_way_in_every_mode(way):
    spared = WAYS[way](program)
    for f in (scalar, lambda f: grad(scalar(f), 1)):
        plain, found = f(program), f(spared)
        direction = tree.map(lambda a: a + 0.5, (PARAMS, X))
        np.testing.assert_allclose(
            jvp(found, (PARAMS, X), direction)[1], jvp(plain, (PARAMS, X), direction)[1]
        )
        np.testing.assert_allclose(
            vmap(found, (None, 0))(PARAMS, np.stack([X, X + 1])),
            vmap(plain, (None, 0))(PARAMS, np.stack([X, X + 1])),
        )

    def batched(f):
        mapped = vmap(scalar(f), (None, 0))
        return grad(lambda p: mapped(p, np.stack([X, X + 1])).sum())(PARAMS)["w"]

    np.testing.assert_allclose(batched(spared), batched(program))
    np.testing.assert_allclose(
        hessian(lambda x: scalar(spared)(PARAMS, x))(X),
        hessian(lambda x: scalar(program)(PARAMS, x))(X),
        rtol=1e-9,
    )


OPERATIONS = {
    "sin": lambda x, y: anp.sin(x),
    "product": lambda x, y: x * y,
    "matmul": lambda x, y: x @ y / 2,
    "view": lambda x, y: x.T[::-1],
    "constant": lambda x, y: x + X,
    "maximum": anp.maximum,
    "drop": lambda x, y: y,
    "where": lambda x, y: anp.where(x > 0, x, y) * 0.7,
}


@pytest.mark.filterwarnings("ignore:checkpoint")
@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(sorted(OPERATIONS)), st.integers(0, 5)), max_size=14
    ),
    st.one_of(st.integers(0, 600), st.sets(st.sampled_from(["sin", "matmul", "take"]))),
)
def test_random_programs_within_random_budgets(steps, limit):
    def random(x):
        values = [x]
        for name, back in steps:
            other = values[max(len(values) - 1 - back, 0)]
            values.append(OPERATIONS[name](values[-1], other))
        return anp.sum(values[-1] * values[len(values) // 2])

    kind = "budget" if isinstance(limit, int) else "policy"
    spared = checkpoint(random, **{kind: limit})
    for _ in range(2):
        np.testing.assert_allclose(grad(spared)(X), grad(random)(X), rtol=1e-12)


def test_a_policy_keeps_what_it_names():
    runs = []

    @primitive
    def costly(x):
        runs.append("costly")
        return x * 2

    defvjp(costly, lambda ans, x: lambda g: g * 2)

    @primitive
    def cheap(x):
        runs.append("cheap")
        return x * 3

    defvjp(cheap, lambda ans, x: lambda g: g * 3)

    def fun(x):
        return cheap(costly(cheap(x)))

    assert grad(checkpoint(fun, policy=["costly"]))(1.0) == 18.0
    assert runs == ["cheap", "costly", "cheap", "cheap", "cheap"]
    with pytest.raises(ArgumentError, match="give a set of names"):
        checkpoint(fun, policy="costly")


def test_custom_rules_inside_of_a_budget():
    @custom_vjp
    def tripled(x):
        return anp.sin(x)

    tripled.defvjp(lambda x: (anp.sin(x), x), lambda x, g: (3 * g * anp.cos(x),))

    @custom_jvp
    def doubled(x):
        return anp.sin(x)

    doubled.defjvps(lambda x_dot, ans, x: 2 * x_dot * anp.cos(x))

    def fun(x):
        return anp.sum(tripled(doubled(anp.exp(x))))

    for spared in (checkpoint(fun, budget=0), checkpoint(fun, policy={"exp"})):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            np.testing.assert_allclose(grad(spared)(X), grad(fun)(X))
            np.testing.assert_allclose(grad(spared)(X), grad(fun)(X))


# -- memory ---------------------------------------------------------------------------

RNG = np.random.default_rng(0)
WEIGHTS = [RNG.normal(size=32) for _ in range(64)]
BATCH = RNG.normal(size=(4000, 32))  # a megabyte


def scaled(w, x):
    return anp.tanh(x * w)  # keeps one megabyte, its result


def chain(ws, x):
    for w in ws:
        x = scaled(w, x)
    return x


def sequential(ws, x):
    return checkpoint_sequential([(scaled, w) for w in ws], x)


def peak_of(f):
    """Return the gradient, and how many bytes it took at the most."""
    gradient = grad(lambda ws, x: anp.sum(f(ws, x)))
    gradient(WEIGHTS, BATCH)  # plans are made in the first call
    gc.collect()
    tracemalloc.start()
    found = gradient(WEIGHTS, BATCH)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return found, peak


@pytest.fixture(scope="module")
def plain_peak():
    return peak_of(chain)


def test_a_chain_of_64_layers_within_a_budget_takes_a_fifth_of_the_memory(plain_peak):
    expected, plain = plain_peak
    found, peak = peak_of(checkpoint(chain, budget="10 MB"))
    assert peak <= plain / 5
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("megabytes", [12, 20, 40, 60])
def test_the_peak_follows_the_budget(megabytes):
    _, peak = peak_of(checkpoint(chain, budget=f"{megabytes} MB"))
    assert peak < megabytes * 1e6 + 5e6  # of gradients and what is being computed


def test_a_budget_for_everything_runs_nothing_twice():
    runs = []

    @primitive
    def counted(x):
        runs.append(1)
        return np.sin(x)

    defvjp(counted, lambda ans, x: lambda g: g * anp.cos(x))

    def fun(x):
        for _ in range(10):
            x = counted(x)
        return x.sum()

    for budget, most in ((10**6, 10), (X.nbytes * 8, 20), (0, 30)):
        spared = checkpoint(fun, budget=budget)
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            grad(spared)(X)
        assert bool(found) == (budget == 0)
        runs.clear()
        grad(spared)(X)
        assert 10 <= len(runs) <= most


def test_sequential_keeps_the_square_root(plain_peak):
    expected, plain = plain_peak
    found, peak = peak_of(sequential)
    assert peak < 0.3 * plain
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_array_equal(a, b)


def test_nothing_is_left_to_the_garbage_collector():
    f = checkpoint(chain, budget="20 MB")
    _, peak = peak_of(f)
    gc.disable()
    try:
        tracemalloc.start()
        for _ in range(3):
            grad(lambda ws: anp.sum(f(ws, BATCH)))(WEIGHTS)
        left, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    finally:
        gc.enable()
    assert most < 1.1 * peak and left < 1e6


def test_sequential_segments():
    def double(x):
        return {"y": 2 * x["y"]}

    layers = [double, (lambda w, x: {"y": x["y"] * w}, X)] * 3
    for count in (None, 1, 4, 6):

        def fun(x, count=count):
            return checkpoint_sequential(layers, {"y": x}, segments=count)["y"].sum()

        np.testing.assert_allclose(grad(fun)(X), 8 * X**3)
    assert checkpoint_sequential([], X) is X
    with pytest.raises(ArgumentError, match="segments=7: expected 1 to 6"):
        checkpoint_sequential(layers, X, segments=7)


def test_budgets_that_cannot_be_met_or_read():
    f = checkpoint(chain, budget="1 KB")
    with pytest.warns(UserWarning, match="budget is 1000 bytes, but .* are the least"):
        grad(lambda ws: anp.sum(f(ws, BATCH[:10])))(WEIGHTS)
    for budget in ("many", "5 XB", -1):
        with pytest.raises(ArgumentError, match="200MB"):
            checkpoint(chain, budget=budget)
    with pytest.raises(ArgumentError, match="not both"):
        checkpoint(chain, budget=1, policy={"matmul"})


# -- settings and threads -------------------------------------------------------------


def test_settings_of_the_first_run_hold_for_the_second():
    seen = []

    @primitive
    def ask(x):
        seen.append(np.geterr()["divide"])
        return x

    defvjp(ask, lambda ans, x: lambda g: g)
    with np.errstate(divide="raise"):
        y, pull = vjp(checkpoint(lambda x: ask(x)), X)
    pull(y)
    assert seen == ["raise", "raise"]


def test_one_pullback_in_several_threads():
    y, pull = vjp(checkpoint(lambda x: anp.tanh(x @ x)), X)
    found = []
    threads = [threading.Thread(target=lambda: found.append(pull(y)[0])) for _ in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 3
    for x_bar in found:
        np.testing.assert_array_equal(x_bar, found[0])


def test_jacobians_through_all_ways():
    for way in WAYS.values():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = jacobian(way(lambda x: anp.exp(x) @ x))(X)
        np.testing.assert_allclose(found, jacobian(lambda x: anp.exp(x) @ x)(X))


@primitive
def broken(x):
    return x * 1


defvjp(broken, lambda ans, x: lambda g: np.ones(7))


def test_an_error_of_the_walk_back_names_the_lines_inside_and_outside():
    def f(x):
        y = broken(x)  # inside
        return anp.sum(y)

    def outer(x):
        return checkpoint(f)(x) * 2  # outside

    with pytest.raises(RuleError) as caught:
        grad(outer)(X)
    notes = "\n".join(caught.value.__notes__)
    assert "broken was called at" in notes and "# inside" in notes
    assert "checkpoint of f was called at" in notes and "# outside" in notes


# -- what a function captures ----------------------------------------------------------


def test_captured_weights_are_differentiated():
    def loss(params, x):
        def layer(x):
            return anp.tanh(x @ params["w"] + params["b"])

        steps = [functools.partial(lambda scale, x: layer(x) * scale, 0.5), layer]
        return checkpoint(lambda x: steps[1](steps[0](x)).sum())(x)

    def plain(params, x):
        y = anp.tanh(x @ params["w"] + params["b"]) * 0.5
        return anp.tanh(y @ params["w"] + params["b"]).sum()

    rng = np.random.default_rng(0)
    params = {"w": rng.normal(size=(3, 3)), "b": rng.normal(size=3)}
    x = rng.normal(size=(2, 3))
    for transform in (grad, lambda f: jacfwd(grad(f))):
        found, expected = transform(loss)(params, x), transform(plain)(params, x)
        for a, b in zip(tree.leaves(found), tree.leaves(expected), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12)


def test_a_function_may_capture_itself():
    def loss(w):
        def power(x, n):
            return x * w if n == 0 else power(x, n - 1) * w

        return checkpoint(lambda x: power(x, 0) + w)(2.0)

    assert grad(loss)(3.0) == 3.0


def test_captured_weights_leave_no_cycle():
    gc.collect()
    gc.disable()
    try:
        for _ in range(3):
            grad(lambda w: checkpoint(lambda x: (x * w).sum())(w))(np.ones(3))
        assert not [x for x in gc.get_objects() if issubclass(type(x), Tape)]
    finally:
        gc.enable()


def test_functions_that_capture_each_other_are_refused():
    def loss(w):
        def even(x, n):
            return x if n == 0 else odd(x * w, n - 1)

        def odd(x, n):
            return even(x * w, n - 1)

        return checkpoint(lambda x: even(x, 4))(1.0)

    with pytest.raises(ArgumentError, match="captured from outside"):
        grad(loss)(2.0)


def test_weights_in_an_object_must_be_arguments():
    class Layer:
        pass

    def loss(w):
        layer = Layer()
        layer.w = w
        return checkpoint(lambda x: (x * layer.w).sum())(w)

    with pytest.raises(ValueError, match="pass it as an argument"):
        grad(loss)(np.ones(3))


@pytest.mark.parametrize("n", [3, 100_000])
def test_a_captured_array_that_changed_is_noticed(n):
    c = np.ones(n)

    def loss(x):
        y = checkpoint(lambda x: x**2 * c)(x)
        c[0] = 100.0
        return y.sum()

    with pytest.raises(ValueError, match="other results"):
        grad(loss)(np.ones(n))


def test_random_numbers_are_noticed():
    rng = np.random.default_rng(0)
    noisy = checkpoint(lambda x: x * (rng.random(x.shape) < 0.5))
    with pytest.raises(ValueError, match="must be pure"):
        grad(lambda x: noisy(x).sum())(np.ones(10_000))


def test_nan_and_inf_repeat_themselves():
    f = checkpoint(lambda x: anp.log(x))
    with np.errstate(all="ignore"):
        x_bar = grad(lambda x: f(x).sum())(np.array([-1.0, 0.0, 1.0]))
    np.testing.assert_array_equal(x_bar, [-1.0, np.inf, 1.0])


def test_a_policy_that_names_nothing_is_noticed():
    f = checkpoint(lambda x: anp.sin(x).sum(), policy={"sin", "matmull"})
    with pytest.warns(UserWarning, match=r"\['matmull'\].*these ran: \['sin', 'sum'\]"):
        grad(f)(X)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        grad(f)(X)
