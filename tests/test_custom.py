"""custom_vjp and custom_jvp: JAX's call forms, every transformation, clear errors."""

import functools
import gc
import inspect

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autograd_lite.numpy as anp
from autograd_lite import (
    checkpoint,
    custom_jvp,
    custom_vjp,
    grad,
    hessian,
    jacobian,
    jvp,
    linearize,
    tree,
    value_and_grad,
    vjp,
    vmap,
)
from autograd_lite.errors import ArgumentError, MissingRuleError, RuleError
from autograd_lite.testing import check_grads

X = np.array([0.3, -0.7, 1.1])
Y = np.array([1.5, 0.2, -0.4])


def plain(x, y):
    return anp.sin(x) * y


def by_vjp():
    fun = custom_vjp(plain)
    fun.defvjp(
        lambda x, y: (fun(x, y), (x, y)),
        lambda res, g: (g * anp.cos(res[0]) * res[1], g * anp.sin(res[0])),
    )
    return fun


def by_jvp():
    fun = custom_jvp(plain)

    @fun.defjvp
    def rule(primals, tangents):
        (x, y), (x_dot, y_dot) = primals, tangents
        return fun(x, y), x_dot * anp.cos(x) * y + y_dot * anp.sin(x)

    return fun


def by_jvps():
    fun = custom_jvp(plain)
    fun.defjvps(
        lambda x_dot, ans, x, y: x_dot * anp.cos(x) * y,
        lambda y_dot, ans, x, y: y_dot * anp.sin(x),
    )
    return fun


MADE = pytest.mark.parametrize("make", [by_vjp, by_jvp, by_jvps])


# -- the derivative is the rule's, in every transformation -----------------------------


def doubled():
    """A function whose custom derivative is twice the true one."""
    fun = custom_vjp(lambda x: x**3)
    fun.defvjp(lambda x: (x**3, x), lambda x, g: (g * 6 * x**2,))
    return fun


def doubled_forward():
    fun = custom_jvp(lambda x: x**3)
    fun.defjvp(lambda primals, tangents: (primals[0] ** 3, tangents[0] * 6 * X**0 * 4))
    return fun


def test_the_rule_is_used_and_not_the_function():
    fun = doubled()
    assert fun(2.0) == 8.0
    assert grad(fun)(2.0) == 24.0
    assert jvp(fun, (2.0,), (1.0,)) == (8.0, 24.0)
    np.testing.assert_allclose(vmap(grad(fun))(X), 6 * X**2)
    np.testing.assert_allclose(grad(lambda x: vmap(fun)(x).sum())(X), 6 * X**2)
    np.testing.assert_allclose(jvp(vmap(fun), (X,), (Y,))[1], 6 * X**2 * Y)
    assert jacobian(fun)(2.0) == 24.0


def test_the_forward_rule_is_used_too():
    fun = doubled_forward()
    np.testing.assert_allclose(jvp(fun, (X,), (Y,))[1], 24 * Y)
    np.testing.assert_allclose(vjp(fun, X)[1](Y)[0], 24 * Y)


@MADE
def test_first_and_second_derivatives(make):
    fun = make()
    check_grads(fun, (X, Y))
    check_grads(lambda x, y: fun(fun(x, y), x), (X, Y))
    np.testing.assert_allclose(
        hessian(lambda x: fun(x, Y).sum())(X), np.diag(-np.sin(X) * Y)
    )
    assert grad(grad(grad(fun)))(1.0, 2.0) == pytest.approx(-2 * np.cos(1.0))


TRANSFORMATIONS = {
    "grad": lambda f: lambda x, y: grad(lambda x: anp.sum(f(x, y)))(x),
    "value": lambda f: lambda x, y: sum(value_and_grad(lambda y: f(x, y).sum())(y)),
    "jvp": lambda f: lambda x, y: jvp(f, (x, y), (y, x))[1],
    "vmap": lambda f: lambda x, y: vmap(f)(x, y),
    "vmap one": lambda f: lambda x, y: vmap(f, (None, 0))(x, y)[:, 0],
    "checkpoint": checkpoint,
}


@MADE
@given(st.lists(st.sampled_from(sorted(TRANSFORMATIONS)), max_size=3))
def test_compositions_agree_with_the_plain_function(make, names):
    custom, without = make(), plain
    x, y, mapped = X, Y, 0
    for name in reversed(names):
        custom = TRANSFORMATIONS[name](custom)
        without = TRANSFORMATIONS[name](without)
        mapped += name.startswith("vmap")
    shape = (2,) * mapped + (3,)  # every vmap takes one axis
    x, y = np.broadcast_to(X, shape) + 0.1, np.broadcast_to(Y, shape) * 0.9
    outer = [n for n in names if n == "vmap one"]
    if len(names) > 1 and outer:  # its unmapped argument has an axis too many
        return
    np.testing.assert_allclose(custom(x, y), without(x, y), rtol=1e-12, atol=1e-12)


def test_vmap_runs_the_rule_once_for_all():
    calls = []

    @custom_vjp
    def fun(w, x):
        return w * x

    def fwd(w, x):
        calls.append("fwd")
        return w * x, (w, x, "an option")

    def bwd(res, g):
        calls.append("bwd")
        assert res[2] == "an option"
        return g * res[1], None

    fun.defvjp(fwd, bwd)
    found = grad(lambda w: vmap(fun, (None, 0))(w, X).sum())(2.0)
    assert found == pytest.approx(X.sum()) and calls == ["fwd", "bwd"]
    x_bar = grad(lambda x: vmap(fun, (None, 0))(2.0, x).sum())(X)
    np.testing.assert_array_equal(x_bar, 0 * X)


def test_reverse_mode_runs_fwd_and_not_the_function():
    @custom_vjp
    def fun(x):
        raise AssertionError("only fwd has to run")

    fun.defvjp(lambda x: (x, None), lambda res, g: (g,))
    assert grad(fun)(1.0) == 1.0


# -- arguments ------------------------------------------------------------------------


def test_trees_in_and_out_with_none_for_zeros():
    @custom_vjp
    def fun(params, x, n):
        return {"y": params["w"] * x, "n": n}

    def bwd(res, g):
        params, x = res
        assert set(g) == {"n", "y"}
        return {"w": g["y"] * x, "b": {"c": None}}, None, None

    fun.defvjp(lambda params, x, n: (fun(params, x, n), (params, x)), bwd)
    params = {"w": X, "b": {"c": np.float32(1.0)}}
    p_bar, x_bar = grad(lambda p, x: fun(p, x, 3)["y"].sum(), (0, 1))(params, Y)
    np.testing.assert_array_equal(p_bar["w"], Y)
    assert p_bar["b"]["c"] == 0 and p_bar["b"]["c"].dtype == np.float32
    np.testing.assert_array_equal(x_bar, 0 * Y)


@pytest.mark.parametrize("decorate", [custom_vjp, custom_jvp])
def test_keywords_and_defaults_are_resolved_by_signature(decorate):
    @decorate
    def fun(x, y=3.0, power=2):
        return x**power * y

    if decorate is custom_vjp:
        fun.defvjp(
            lambda x, y, power: (fun(x, y, power), (x, y, power)),
            lambda res, g: (g * res[2] * res[0] ** (res[2] - 1) * res[1], g, None),
        )
    else:

        @fun.defjvp
        def rule(primals, tangents):
            x, y, power = primals
            assert tangents[2] == 0
            return fun(*primals), tangents[0] * power * x ** (power - 1) * y

    assert grad(fun)(2.0) == 12.0
    assert grad(lambda x: fun(power=3, x=x))(2.0) == 36.0


@pytest.mark.parametrize(
    "which", [{"nondiff_argnums": (0,)}, {"nondiff_argnames": "f"}]
)
def test_nondifferentiable_arguments_come_first(which):
    @functools.partial(custom_vjp, **which)
    def apply(f, x):
        return f(x)

    apply.defvjp(lambda f, x: (f(x), x), lambda f, x, g: (g * f(x) * 10,))
    assert grad(lambda x: apply(np.exp, x))(0.0) == 10.0

    @functools.partial(custom_jvp, **which)
    def push(f, x):
        return f(x)

    push.defjvp(lambda f, xs, dots: (f(*xs), dots[0] * f(*xs) * 10))
    assert grad(lambda x: push(np.exp, x))(0.0) == 10.0
    assert jvp(lambda x: push(np.exp, x), (0.0,), (1.0,))[1] == 10.0


def test_methods():
    class Model:
        def __init__(self, scale):
            self.scale = scale

        @custom_vjp
        def twice(self, x):
            return self.scale * x

        twice.defvjp(
            lambda self, x: (self.twice(x), None),
            lambda res, g: (None, g * 5.0),
        )

        @functools.partial(custom_jvp, nondiff_argnums=0)
        def thrice(self, x):
            return self.scale * x

        @thrice.defjvp
        def _(self, primals, tangents):
            return self.thrice(*primals), 7.0 * tangents[0]

    model = Model(2.0)
    assert model.twice(3.0) == 6.0 and grad(model.twice)(3.0) == 5.0
    assert grad(model.thrice)(3.0) == 7.0 and jvp(model.thrice, (1.0,), (1.0,))[1] == 7


def test_a_decorated_function_keeps_its_name():
    assert by_vjp().__name__ == "plain" == by_jvp().__name__


def test_integers_in_and_out():
    @custom_jvp
    def fun(x, i):
        return x[i], anp.argmax(x)

    @fun.defjvp
    def rule(primals, tangents):
        x, i = primals
        return fun(x, i), (tangents[0][i], None)

    i = np.array([2, 0])
    (y, top), pull = vjp(lambda x: fun(x, i), X)
    assert top == 2 and top.dtype.kind == "i"
    np.testing.assert_array_equal(pull((np.ones(2), np.int64(0)))[0], [1, 0, 1])


# -- captured arrays ------------------------------------------------------------------


def test_captured_tracers_of_enclosing_transformations_are_right():
    def outer(w):
        fun = custom_vjp(lambda x: w * x**2)
        fun.defvjp(lambda x: (w * x**2, x), lambda x, g: (2 * w * x * g,))
        return grad(fun)(3.0)

    assert grad(outer)(2.0) == 6.0

    def outer_forward(w):
        fun = custom_jvp(lambda x: w * x**2)
        fun.defjvp(lambda p, t: (w * p[0] ** 2, 2 * w * p[0] * t[0]))
        return grad(fun)(3.0)

    assert grad(outer_forward)(2.0) == 6.0


@pytest.mark.parametrize("traced", [True, False])
@pytest.mark.parametrize("transform", [grad, lambda f: lambda w: jvp(f, (w,), (w,))])
def test_captured_tracers_of_the_same_transformation_are_refused(traced, transform):
    def outer(w):
        fun = custom_vjp(lambda x: w * x)
        fun.defvjp(lambda x: (w * x, w), lambda res, g: (g * res,))
        return fun(w if traced else 3.0)

    with pytest.raises(ArgumentError, match="captured from outside.*as an argument"):
        transform(outer)(2.0)

    def outer_forward(w):
        fun = custom_jvp(lambda x: w * x)
        fun.defjvp(lambda p, t: (w * p[0], w * t[0]))
        return fun(w if traced else 3.0)

    with pytest.raises(ArgumentError, match="captured from outside.*as an argument"):
        transform(outer_forward)(2.0)


def test_captured_batches_without_derivatives_are_fine():
    def one(b):
        fun = custom_vjp(lambda x: b * x)
        fun.defvjp(lambda x: (b * x, None), lambda res, g: (g * b,))
        return fun(3.0) + grad(fun)(1.0)

    np.testing.assert_allclose(vmap(one)(X), 4 * X)


# -- errors ---------------------------------------------------------------------------


def wrong(bwd, fwd=lambda p: (p["a"] * 1.0, None)):
    fun = custom_vjp(lambda p: p["a"])
    fun.defvjp(fwd, bwd)
    return grad(lambda p: fun(p).sum())


PARAMS = {"a": X, "b": [np.float32(1.0)]}


@pytest.mark.parametrize(
    "x_bar, message",
    [
        ({"a": X}, r"trees differ at 0: expected dict with keys \['a', 'b'\]"),
        ({"a": X, "b": (1.0,)}, "trees differ at 0.b: expected list"),
        ({"a": X[:2], "b": None}, r"shape \(2,\).*at '0.a'.*shape \(3,\)"),
        ({"a": X, "b": [np.float64(1.0)]}, "float64 at '0.b.0'.*float32 is needed"),
    ],
)
def test_wrong_cotangents_are_shown(x_bar, message):
    def bwd(res, g):
        return (x_bar,)

    line = inspect.getsourcelines(bwd)[1]
    with pytest.raises(RuleError, match=message) as error:
        wrong(bwd)(PARAMS)
    where = f"the rule bwd of custom_vjp <lambda> ({__file__}:{line})"
    assert str(error.value).startswith(where)


def test_wrong_number_and_kind_of_results():
    with pytest.raises(RuleError, match="expected tuple of 1 children, got a leaf"):
        wrong(lambda res, g: 1.0)(PARAMS)
    with pytest.raises(RuleError, match="pair .output, residuals., got ndarray"):
        wrong(lambda res, g: (None,), lambda p: p["a"])(PARAMS)
    bare = custom_jvp(lambda x: x)
    bare.defjvp(lambda p, t: p[0])
    with pytest.raises(RuleError, match="pair .output, tangent."):
        grad(bare)(1.0)


def test_wrong_tangents_are_shown():
    fun = custom_jvp(lambda x: {"y": x})
    fun.defjvp(lambda p, t: ({"y": p[0]}, {"y": t[0][:1]}))
    with pytest.raises(RuleError, match=r"rule <lambda> of custom_jvp.*at 'y'"):
        jvp(fun, (X,), (X,))
    fun.defjvp(lambda p, t: ({"y": t[0]}, {"y": t[0]}))
    with pytest.raises(RuleError, match="output depends on the tangents"):
        vjp(fun, X)


def test_an_error_in_a_rule_names_it():
    def bwd(res, g):
        return (g @ np.ones((7, 7)),)

    with pytest.raises(ValueError) as error:
        wrong(bwd)(PARAMS)
    assert any("rule bwd of custom_vjp" in note for note in error.value.__notes__)


@pytest.mark.parametrize("decorate", [custom_vjp, custom_jvp])
def test_misuse(decorate):
    with pytest.raises(MissingRuleError, match="has no rule yet"):
        decorate(plain)(X, Y)
    with pytest.raises(ArgumentError, match=r"nondiff_argnums \[2\]: there are 2"):
        decorate(plain, nondiff_argnums=2)
    with pytest.raises(ArgumentError, match="parameters are"):
        decorate(plain, nondiff_argnames="z")

    def keyword(x, *, y=1.0):
        return x * y

    fun = decorate(keyword)
    define = (
        fun.defvjp if decorate is custom_vjp else lambda *rules: fun.defjvp(rules[0])
    )
    define(lambda *args: None, lambda *args: None)
    with pytest.raises(ArgumentError, match="keyword-only"):
        fun(1.0)


def test_traced_nondiff_arguments_are_refused():
    fun = custom_vjp(plain, nondiff_argnums=1)
    fun.defvjp(lambda x, y: (x * y, None), lambda y, res, g: (g * y,))
    np.testing.assert_array_equal(vjp(lambda x: fun(x, Y), X)[1](X)[0], X * Y)
    with pytest.raises(ArgumentError, match="nondiff_argnums was given a traced"):
        grad(lambda y: fun(X, y).sum())(Y)


# -- what they are for ----------------------------------------------------------------


def test_gradient_clipping_straight_through_and_residuals():
    straight = custom_jvp(lambda x: anp.round(x))
    straight.defjvps(lambda x_dot, ans, x: x_dot)
    np.testing.assert_array_equal(grad(lambda x: straight(x).sum())(X), np.ones(3))

    @custom_vjp
    def reversed_gradient(x):
        return x

    reversed_gradient.defvjp(
        lambda x: (x, ()), lambda res, g: (tree.map(lambda a: -a, g),)
    )
    assert grad(lambda x: reversed_gradient(x) * 3.0)(1.0) == -3.0


def test_memory_is_what_fwd_returns():
    @custom_vjp
    def fun(x):
        return anp.tanh(anp.exp(anp.sin(x)))

    fun.defvjp(lambda x: (fun(x), x), lambda x, g: vjp(fun.fun, x)[1](g))
    np.testing.assert_allclose(
        grad(lambda x: fun(x).sum())(X), grad(lambda x: fun.fun(x).sum())(X)
    )


def test_a_forgotten_return_in_bwd_is_an_error_not_zero():
    @custom_vjp
    def fun(x):
        return x**2

    fun.defvjp(lambda x: (fun(x), x), lambda x, g: None)
    with pytest.raises(RuleError, match="returned None: is a `return` missing"):
        grad(fun)(2.0)


def test_no_reference_cycles():
    @custom_vjp
    def by_vjp(x):
        return x**2

    by_vjp.defvjp(lambda x: (by_vjp(x), x), lambda x, g: (2 * g * x,))

    @custom_jvp
    def by_jvp(x):
        return x**2

    by_jvp.defjvp(lambda xs, dots: (by_jvp(xs[0]), 2 * xs[0] * dots[0]))

    def steps(fun):
        grad(lambda x: fun(x).sum())(X)
        vjp(fun, X)[1](X)
        jvp(fun, (X,), (X,))
        vmap(fun)(X)
        hessian(lambda x: fun(x).sum())(X)
        with pytest.raises(ValueError):
            grad(lambda x: fun(x) @ np.ones(2))(X)

    steps(by_vjp)
    steps(by_jvp)
    gc.collect()
    gc.disable()
    try:
        steps(by_vjp)
        steps(by_jvp)
        found = gc.collect()
    finally:
        gc.enable()
    assert found == 0


@pytest.mark.parametrize("kind", ["custom_vjp", "custom_jvp"])
def test_linear_maps_made_of_custom_functions_are_transformed_in_turn(kind):
    """The map has recorded `scaled`, and is then applied to traced tangents."""
    if kind == "custom_vjp":
        scaled = custom_vjp(lambda a, x: a * x)
        scaled.defvjp(
            lambda a, x: (scaled(a, x), (a, x)), lambda res, g: (g * res[1], res[0] * g)
        )
    else:
        scaled = custom_jvp(lambda a, x: a * x)
        scaled.defjvp(lambda xs, dots: (scaled(*xs), dots[0] * xs[1] + xs[0] * dots[1]))

    @custom_jvp
    def square(x):
        return x**2

    square.defjvp(lambda xs, dots: (square(*xs), scaled(2 * xs[0], dots[0])))

    def push(x):
        return linearize(square, x)[1]

    assert grad(push(0.3))(1.0) == 0.6
    assert jvp(push(0.3), (1.0,), (1.0,)) == (0.6, 0.6)
    np.testing.assert_array_equal(vmap(push(0.3))(Y), 0.6 * Y)
    np.testing.assert_array_equal(
        vmap(lambda x: vmap(push(x))(Y))(X), 2 * np.outer(X, Y)
    )
    assert grad(lambda x: vmap(push(x))(Y).sum())(0.3) == pytest.approx(2 * Y.sum())
    assert hessian(lambda x: push(x[0])(x[1]))(X[:2]).tolist() == [[0, 2], [2, 0]]


def test_an_error_in_bwd_names_the_line_of_the_call():
    @custom_vjp
    def fun(x):
        return x * 2

    fun.defvjp(lambda x: (fun(x), x), lambda x, g: (g @ np.ones(7),))

    def user(x):
        y = fun(x)  # the line
        return y.sum()

    with pytest.raises(ValueError) as caught:
        grad(user)(X)
    assert "y = fun(x)  # the line" in "".join(caught.value.__notes__)


@pytest.mark.parametrize(
    "tangent",
    [
        lambda x, x_dot: x_dot + 1,
        lambda x, x_dot: 2 * x,  # the tangent was forgotten
        lambda x, x_dot: anp.where(x > 0, x_dot, 1.0),
    ],
)
@pytest.mark.parametrize("mapped", [False, True])
def test_a_jvp_rule_that_is_not_linear_is_refused(tangent, mapped):
    @custom_jvp
    def square(x):
        return x * x

    @square.defjvp
    def crooked(primals, tangents):
        (x,), (x_dot,) = primals, tangents
        return x * x, tangent(x, x_dot)

    fun = vmap(square) if mapped else square
    x = np.array([1.0, -2.0, 3.0])
    with pytest.raises(RuleError, match=r"rule crooked of .*py:\d+\) is not linear"):
        grad(lambda x: fun(x).sum())(x)
    with pytest.raises(RuleError, match="zero lead to a tangent of up to"):
        grad(lambda x: hessian(lambda x: fun(x).sum())(x).sum())(x)


def test_a_jvp_rule_may_have_an_infinite_slope():
    @custom_jvp
    def root(x):
        return anp.sqrt(x)

    root.defjvp(lambda xs, dots: (root(xs[0]), dots[0] / (2 * anp.sqrt(xs[0]))))
    with np.errstate(all="ignore"):
        found = grad(lambda x: root(x).sum())(np.array([0.0, 4.0]))
    np.testing.assert_array_equal(found, [np.inf, 0.25])
