"""`jit`: recorded once, replayed on other arrays, equal to what was recorded."""

import copy
import dataclasses
import pickle

import numpy as np
import pytest
from test_batching_cases import function, rows, sample

import autograd_lite.numpy as anp
from autograd_lite import (
    checkpoint,
    custom_jvp,
    grad,
    jit,
    jvp,
    nn,
    policy,
    primitive,
    tree,
    value_and_grad,
    vjp,
    vmap,
)
from autograd_lite.errors import ArgumentError, LeakedTracerError, UnsupportedError
from autograd_lite.staging import MANY_PROGRAMS

# Primitives with a rule that asks for values, to refuse an arbitrary choice or a badly
# conditioned one; and one of arrays that are no numbers.
DEPENDENT = {"det", "svd", "eigh", "eig", "isnat"}


def derivatives(case):
    """A function that returns a row's results, a pullback of them, and a tangent."""
    fun = function(case)

    def of(*args):
        real = [i for i, x in enumerate(args) if x.dtype.kind in "fc"]

        def inner(*xs):
            given = dict(zip(real, xs))
            return fun(*[given.get(i, x) for i, x in enumerate(args)])

        xs = [args[i] for i in real]
        y, pullback = vjp(inner, *xs)
        cotangent = tree.map(lambda v: np.full(v.shape, 0.5, v.dtype), y)
        bars = pullback(cotangent)
        return y, bars, jvp(inner, xs, [np.ones(x.shape, x.dtype) for x in xs])[1]

    return of


def assert_equal(found, expected):
    for a, b in zip(tree.leaves(found), tree.leaves(expected), strict=True):
        assert np.shape(a) == np.shape(b) and np.asarray(a).dtype == np.asarray(b).dtype
        np.testing.assert_allclose(a, b, 1e-12, 1e-12)


@rows(lambda case: case.primitive.name not in DEPENDENT)
def test_rows_replayed_on_other_arrays(case):
    fun = function(case) if case.order == 0 else derivatives(case)
    recorded = jit(fun)
    for seed in range(2):
        args = sample(case, seed)
        assert_equal(recorded(*args), fun(*args))


@rows(lambda case: case.primitive.name in DEPENDENT)
def test_rows_that_ask_for_values_are_refused(case):
    fun = function(case) if case.order == 0 else derivatives(case)
    with pytest.raises((UnsupportedError, ArgumentError), match="values|numbers"):
        jit(fun)(*sample(case))


# -- derivatives of it, and it inside of others --------------------------------------


def curve(w, x):
    return anp.sum(anp.tanh(w * x) ** 2)


W, X = np.array([0.3, -0.7]), np.array([1.5, 2.0])


@pytest.mark.parametrize("outer", [grad, value_and_grad, lambda f: vmap(f, (0, 0))])
def test_transformations_go_through_and_may_be_recorded(outer):
    fun = (
        (lambda w, x: w * anp.sin(x)) if outer not in (grad, value_and_grad) else curve
    )
    expected = outer(fun)(W, X)
    assert_equal(outer(jit(fun))(W, X), expected)
    recorded = jit(outer(fun))
    recorded(W + 1, X)
    assert_equal(recorded(W, X), expected)
    assert_equal(jit(outer(jit(fun)))(W, X), expected)


def test_custom_rules_and_checkpoints_are_recorded():
    @custom_jvp
    def sine(x):
        return anp.sin(x)

    sine.defjvp(lambda xs, dots: (sine(xs[0]), anp.cos(xs[0]) * dots[0]))
    for inner in (sine, checkpoint(lambda x: anp.sin(x) ** 2)):
        slope = grad(lambda x, inner=inner: anp.sum(inner(x)))
        recorded = jit(slope)
        recorded(W)
        assert_equal(recorded(X), slope(X))


def test_second_derivatives_are_recorded():
    second = grad(lambda w: grad(curve)(w, X) @ np.ones(2))
    recorded = jit(second)
    recorded(W + 1)
    assert_equal(recorded(W), second(W))


def test_a_training_step_is_the_same_bit_for_bit():
    rng = np.random.default_rng(0)

    def normal(*shape):
        return rng.standard_normal(shape).astype(np.float32)

    params = {
        "conv": {"w": normal(3, 3, 1, 8), "b": normal(8)},
        "norm": nn.init_batch_norm(8),
        "dense": {"w": normal(8 * 25, 10), "b": normal(10)},
    }

    def loss(params, state, x, y):
        conv, dense = params["conv"], params["dense"]
        x = nn.max_pool(nn.relu(nn.conv(x, conv["w"], conv["b"])), 2)
        x, state = nn.batch_norm(x, params["norm"], state, train=True)
        x = nn.dense(nn.flatten(nn.relu(x)), dense["w"], dense["b"])
        return nn.cross_entropy(x, y, label_smoothing=0.1), state

    step = value_and_grad(loss, has_aux=True)
    recorded, state = jit(step), nn.init_batch_norm_state(8)
    for _ in range(2):
        x, y = normal(5, 12, 12, 1), rng.integers(0, 10, 5)
        expected = step(params, state, x, y)
        found = recorded(params, state, x, y)
        for a, b in zip(tree.leaves(found), tree.leaves(expected), strict=True):
            np.testing.assert_array_equal(a, b)
    listed = str(recorded.program(params, state, x, y))
    assert "conv_relu_pool_weight_grad(" in listed and "batch_norm_grad(" in listed


# -- what a program depends on ---------------------------------------------------------


def counted():
    calls = []

    def fun(*args, **kwargs):
        calls.append(args)
        return tree.map(lambda x: x * 2, args[0])

    return jit(fun), calls


def test_one_program_for_each_kind_of_arguments():
    fun, calls = counted()
    for x in [np.ones(3), np.zeros(3), np.ones((3, 1)), np.ones(3, np.float32), [W, X]]:
        assert_equal(fun(x), tree.map(lambda v: v * 2, x))
    assert len(calls) == 4
    fun(np.ones(3), 1, name="a")
    fun(np.ones(3), 1, name="a")
    fun(np.ones(3), 1.0, name="a")
    fun(np.ones(3), True, name="a")
    fun(np.ones(3), 1, name="b")
    assert len(calls) == 8


def test_python_numbers_keep_their_weak_dtype():
    x = np.ones(3, np.float32)
    assert jit(lambda x, rate: x * rate)(x, 0.5).dtype == np.float32
    assert jit(lambda x, rate: x * rate)(x, np.float64(0.5)).dtype == np.float64


def test_policies_and_fusion_are_part_of_a_program():
    slope = jit(grad(lambda x: anp.sum(anp.maximum(x, 0.0))))
    assert slope(np.zeros(1))[0] == 0.5
    with policy(ties="first"):
        assert slope(np.zeros(1))[0] == 1
    assert slope(np.zeros(1))[0] == 0.5
    x, w = np.ones((1, 6, 6, 1), np.float32), np.ones((3, 3, 1, 8), np.float32)
    layer = jit(grad(lambda w: nn.max_pool(nn.relu(nn.conv(x, w)), 2).sum()))
    layer(w)
    with nn.fusion(False):
        assert "conv_relu_pool" not in str(layer.program(w))
    assert "conv_relu_pool" in str(layer.program(w))


def test_static_arguments():
    fun = jit(
        lambda x, axis, how: anp.sum(x, axis=axis) * how.scale, static_argnums=(1, 2)
    )

    class How:
        scale = 3

    how = How()
    np.testing.assert_array_equal(fun(np.ones((2, 3)), (0, 1), how), 18)
    np.testing.assert_array_equal(fun(np.ones((2, 3)), 0, how), [6, 6, 6])

    @jit
    def named(x, mode):
        return x if mode == "same" else -x

    @jit(static_argnames="sizes")
    def by_name(x, *, sizes):
        return anp.reshape(x, sizes)

    assert named(W, "other")[0] == -0.3 and by_name(W, sizes=(2, 1)).shape == (2, 1)


@dataclasses.dataclass
class Scaled:
    w: np.ndarray
    scale: float = dataclasses.field(metadata={"static": True})


def test_numbers_that_are_equal_but_not_the_same():
    fun = jit(anp.copysign)
    assert_equal(fun(X, 0.0), np.abs(X))
    assert_equal(fun(X, -0.0), -np.abs(X))
    ints = np.ones(2, int)
    for make in (lambda s: (ints, (s,)), lambda s: (Scaled(ints, s),)):
        fun = jit(
            lambda x, s=None: x.w * x.scale if s is None else x * s[0],
            static_argnames="s",
        )
        assert fun(*make(1)).dtype == int and fun(*make(1.0)).dtype == float
    fun, calls = counted()
    fun(X, float("nan"))
    fun(X, float("nan"))
    assert len(calls) == 1


def test_static_arguments_however_they_are_passed():
    def head(x, n=1):
        return x[:n]

    n = np.int64(1)
    for how in [
        {"static_argnums": 1},
        {"static_argnums": -1},
        {"static_argnames": "n"},
    ]:
        assert jit(head, **how)(X, n).shape == jit(head, **how)(X, n=n).shape == (1,)
    with pytest.raises(ArgumentError, match="no argument 'm'"):
        jit(head, static_argnames="m")
    with pytest.raises(ArgumentError, match="no argument 2"):
        jit(head, static_argnums=2)


@jit
def doubled(x):
    return x * 2


def test_copies_and_pickles_record_anew():
    doubled(X)
    other = jit(np.tanh)
    other(X)
    for fun in (doubled, other):
        for again in (pickle.loads(pickle.dumps(fun)), copy.deepcopy(fun)):
            assert_equal(again(X), fun(X))


def test_many_programs_of_one_function_are_warned_of():
    fun = jit(lambda x, rate: x * rate)
    with pytest.warns(UserWarning, match="float32.rate"):
        for i in range(MANY_PROGRAMS + 1):
            fun(X, float(i))


def test_a_method_and_results_without_arrays():
    class Model:
        @jit
        def apply(self, x):
            return {"y": x + self.bias, "name": "model", "n": 3, "none": None}

        bias = 1.0

    found = Model().apply(X)
    assert found["name"] == "model" and found["n"] == 3 and found["none"] is None
    np.testing.assert_array_equal(found["y"], X + 1)


# -- purity ----------------------------------------------------------------------------


def test_results_may_be_written_to():
    constant = np.arange(2.0)
    fun = jit(lambda x: (x, anp.reshape(x, (2, 1)), x + constant, constant))
    x = X.copy()
    for y in fun(x):
        y[:] = 7
    np.testing.assert_array_equal(x, X)
    np.testing.assert_array_equal(constant, [0, 1])
    assert_equal(fun(X), (X, X[:, None], X + constant, constant))


def test_what_is_captured_is_copied():
    captured = np.ones(2)
    fun = jit(lambda x: x + captured)
    fun(X)
    captured[:] = 5
    np.testing.assert_array_equal(fun(X), X + 1)


def test_primitives_that_return_python_numbers():
    total = primitive(lambda x: float(x.sum()))
    both = primitive(lambda x: (float(x[0]), float(x[1])), multiple=True)
    fun = jit(lambda x: (total(x) * 2, both(x)[1]))
    fun(X)
    assert_equal(fun(W), (2 * W.sum(), W[1]))


def test_one_copy_of_what_is_captured_several_times():
    captured = np.ones(2)
    program = jit(lambda x: x * captured + captured).program(X)
    assert len(program._constants) == 1


# -- what can't be recorded ------------------------------------------------------------


@pytest.mark.parametrize(
    "fun",
    [
        lambda x: x if x[0] > 0 else -x,
        lambda x: x * float(x[0]),
        lambda x: anp.ones(int(x[0])),
        lambda x: x + np.asarray(x),
        lambda x: f"{x:.3f}" and x,
    ],
    ids=["if", "float", "int", "asarray", "format"],
)
def test_values_are_refused(fun):
    with pytest.raises((UnsupportedError, TypeError)):
        jit(fun)(X)


def test_a_shape_that_depends_on_values_is_an_error_at_the_replay():
    fun = jit(lambda x: anp.sum(x[x > 1.6]) / x[x > 1.6].size)
    assert fun(X) == 2.0
    with pytest.raises(UnsupportedError, match=r"shape \(1,\).*shape \(2,\)"):
        fun(X + 1)


@pytest.mark.parametrize(
    "count",
    [
        lambda x: x[x > 1.6].size,
        lambda x: len(anp.nonzero(x > 1.6)[0]),
        lambda x: anp.unique(anp.floor(x)).size,
        lambda x: primitive(lambda x: x[x > 1.6])(x).size,
    ],
    ids=["mask", "nonzero", "unique", "primitive"],
)
def test_a_shape_that_depends_on_values_is_looked_at_if_nothing_else_is(count):
    fun = jit(lambda x: x * count(x))
    assert_equal(fun(X), X * count(X))
    other = np.array([3.0, 3.5])
    with pytest.raises(UnsupportedError, match="now shape"):
        fun(other)


def test_what_nobody_uses_is_left_out():
    program = jit(grad(lambda x: anp.sum(anp.tanh(x) ** 2))).program(X)
    assert "sum(" not in str(program)


def test_a_dtype_that_depends_on_values_is_an_error_at_the_replay():
    fun = jit(lambda a: anp.real(anp.linalg.eigvals(a)))
    fun(np.diag(X))
    with pytest.raises(UnsupportedError, match="dtype complex128"):
        fun(np.array([[0.0, 1.0], [-1.0, 0.0]]))


def test_places_that_shapes_depend_on_are_refused():
    for fun in (lambda x, i: anp.delete(x, i), lambda x, i: anp.insert(x, i, 0.0)):
        with pytest.raises(UnsupportedError, match="values"):
            jit(fun)(X, np.array([1]))


def test_arrays_are_made_contiguous():
    x = np.arange(6.0).reshape(2, 3).T
    assert_equal(jit(anp.ascontiguousarray)(x), x)


def test_subclasses_of_arrays(tmp_path):
    mapped = np.memmap(tmp_path / "x", np.float64, "w+", shape=(2,))
    assert type(jit(lambda x: x + 1)(mapped)) is np.ndarray
    for x in [np.ma.masked_less(X, 1.8), np.matrix(np.eye(2))]:
        with pytest.raises(ArgumentError, match="np.asarray"):
            jit(lambda x: x + 1)(x)


def test_random_numbers_are_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(ArgumentError, match="random generator"):
        jit(lambda x, rng: x + rng.random(2))(X, rng)
    with pytest.raises(ArgumentError, match="random generator"):
        jit(lambda x, rng: x + rng.random(2), static_argnums=1)(X, rng)
    with pytest.raises(ArgumentError, match="random generator"):
        jit(lambda x, rng: x, static_argnums=1)(X, np.random.RandomState(0))
    with pytest.raises(UnsupportedError, match="dropout inside of jit"):
        jit(lambda x: nn.dropout(x, 0.5, rng))(X)


def test_arguments_that_are_no_numbers():
    with pytest.raises(ArgumentError, match="dtype <U1"):
        jit(lambda x: x)(np.array(["a"]))
    with pytest.raises(ArgumentError, match="static_argnums"):
        jit(lambda x, y: x)(X, {1, 2})
    with pytest.raises(ArgumentError, match="needs a function"):
        jit(3)


def test_tracers_do_not_get_out_or_in():
    kept = []
    jit(lambda x: kept.append(x) or x)(X)
    with pytest.raises(LeakedTracerError):
        kept[0] + 1
    with pytest.raises(LeakedTracerError):
        jit(lambda x: kept[0])(X)
    with pytest.raises(UnsupportedError, match="pass it as one"):
        grad(lambda w: jit(lambda x: anp.sum(w * x))(X))(W)


def test_an_error_at_a_replay_names_the_operation():
    solve = jit(anp.linalg.solve)
    solve(np.eye(2), X)
    with pytest.raises(np.linalg.LinAlgError) as caught:
        solve(np.zeros((2, 2)), X)
    assert "in solve, replayed by jit" in caught.value.__notes__
    assert_equal(solve(np.eye(2), X), X)


def test_nans_are_found_in_what_was_recorded():
    from autograd_lite import debug_nans
    from autograd_lite.errors import NonFiniteError

    fun = jit(grad(lambda x: anp.sum(anp.log(x))))
    fun(X)
    with debug_nans(), pytest.raises(NonFiniteError, match="log"):
        fun(-X)
