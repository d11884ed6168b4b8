"""What users call: which arguments, which trees, which outputs, nested in any way."""

import dataclasses
import functools
import inspect
from collections import OrderedDict, namedtuple
from typing import Any

import numpy
import pytest

import autograd_lite.numpy as np
from autograd_lite import (
    custom_jvp,
    custom_vjp,
    elementwise_grad,
    grad,
    holomorphic_grad,
    jacfwd,
    jacobian,
    jacrev,
    jvp,
    linear_transpose,
    linearize,
    tree,
    value_and_grad,
    vjp,
    vmap,
)
from autograd_lite.errors import ArgumentError, DifferentiationTypeError, TreeError
from autograd_lite.testing import check_grads

X = numpy.array([0.5, -1.0, 2.0])


def weigh(a, b, c=5.0, *, d=7.0):
    """Slopes 2ab c d, a² c d, a² b d, a² b c."""
    return a * a * b * c * d


# -- argnums ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argnums", "expected"),
    [
        (0, 420.0),
        (1, 140.0),
        (2, 84.0),
        (-1, 84.0),
        (-3, 420.0),
        (numpy.int64(1), 140.0),
        ((0,), (420.0,)),
        ((2, 0), (84.0, 420.0)),
        ([0, -1], (420.0, 84.0)),
    ],
)
def test_argnums(argnums, expected):
    assert grad(weigh, argnums)(2.0, 3.0, 5.0) == expected
    assert value_and_grad(weigh, argnums)(2.0, 3.0, 5.0) == (420.0, expected)


def test_argnums_out_of_range():
    for argnums in (3, -4, (0, 3)):
        with pytest.raises(ArgumentError, match="was called with 3 arguments"):
            grad(weigh, argnums)(2.0, 3.0, 5.0)
    with pytest.raises(ArgumentError, match="called with 0 arguments"):
        grad(lambda: 1.0)()


def test_argnums_must_name_different_arguments():
    for argnums in ((0, 0), (0, -3)):
        with pytest.raises(ArgumentError, match="twice"):
            grad(weigh, argnums)(2.0, 3.0, 5.0)
    with pytest.raises(ArgumentError, match="empty"):
        grad(weigh, ())


def test_keyword_calls():
    assert grad(weigh)(a=2.0, b=3.0) == 420.0
    assert grad(weigh, 1)(2.0, b=3.0) == 140.0
    assert grad(weigh, (0, 1))(2.0, b=3.0) == (420.0, 140.0)
    assert grad(weigh)(2.0, 3.0, d=14.0) == 840.0
    assert grad(weigh, 1)(b=3.0, a=2.0) == 140.0
    with pytest.raises(ArgumentError, match=r"argnums=3.*\['a', 'b', 'c'\]"):
        grad(weigh, 3)(2.0, b=3.0)


def test_negative_argnums_mean_the_same_in_keyword_calls():
    """The last argument given, however it is passed; never a keyword-only one."""
    assert grad(weigh, -1)(2.0, 3.0) == grad(weigh, -1)(2.0, b=3.0) == 140.0
    assert grad(weigh, -1)(2.0, 3.0, c=5.0) == 84.0
    assert grad(weigh, -1)(2.0, 3.0, d=7.0) == 140.0


# -- wrt -------------------------------------------------------------------------------


def loss(params, x, scale=1.0):
    """A scalar of a tree and an array."""
    h = np.tanh(x @ params["conv1"]["w"] + params["conv1"]["b"])
    return (h * params["dense"][0]).sum() * scale


PARAMS = {
    "conv1": {"w": numpy.ones((3, 2)) / 2, "b": numpy.zeros(2)},
    "dense": [numpy.array([1.0, -2.0])],
}


def test_wrt_by_name():
    whole = grad(loss)(PARAMS, X)
    for named in (
        grad(loss, wrt="params")(PARAMS, X),
        grad(loss, wrt="params")(x=X, params=PARAMS),
    ):
        assert tree.structure(named) == tree.structure(PARAMS)
        tree.map(numpy.testing.assert_array_equal, named, whole)
    one = grad(loss, wrt="params.conv1.w")(PARAMS, X)
    numpy.testing.assert_array_equal(one, whole["conv1"]["w"])
    pair = grad(loss, wrt=("x", "params.dense.0"))(PARAMS, X)
    numpy.testing.assert_array_equal(pair[0], grad(loss, 1)(PARAMS, X))
    numpy.testing.assert_array_equal(pair[1], whole["dense"][0])
    assert type(grad(loss, wrt=["x"])(PARAMS, X)) is tuple


def test_wrt_a_default():
    assert grad(loss, wrt="scale")(PARAMS, X) == pytest.approx(loss(PARAMS, X))
    assert grad(weigh, wrt="d")(2.0, 3.0) == 60.0


def test_wrt_of_variadic_functions():
    assert grad(lambda *args: args[0] * args[1], wrt="args.1")(2.0, 3.0) == 2.0
    assert grad(lambda **kw: kw["a"] * kw["b"], wrt="kw.b")(a=2.0, b=3.0) == 2.0


def test_wrt_of_nothing_there():
    with pytest.raises(ArgumentError, match=r"wrt='y'.*loss.*\['params', 'x', 'scale'"):
        grad(loss, wrt="y")(PARAMS, X)
    with pytest.raises(TreeError, match="no 'conv2' at the root"):
        grad(loss, wrt="params.conv2.w")(PARAMS, X)


def test_wrt_must_not_overlap():
    for names in (("x", "x"), ("params", "params.conv1"), ("params.conv1.w", "params")):
        with pytest.raises(ArgumentError, match="overlap"):
            grad(loss, wrt=names)
    with pytest.raises(ArgumentError, match="empty"):
        grad(loss, wrt=())
    assert len(grad(loss, wrt=("params.conv1", "params.dense"))(PARAMS, X)) == 2


def test_functions_of_every_kind():
    class Model:
        __hash__ = None

        def __call__(self, x):
            return (x * x).sum()

        def method(self, x, k):
            return k * (x * x).sum()

    expected = 2 * X
    for fun in (
        Model(),
        functools.partial(Model().method, k=1.0),
        functools.partial(lambda k, x: (x * x).sum() * k, 1.0),
    ):
        for gradient in (grad(fun), grad(fun, wrt="x")):
            numpy.testing.assert_allclose(gradient(X), expected)
    numpy.testing.assert_allclose(grad(Model().method, wrt="x")(X, k=1.0), expected)


def test_derived_functions_have_names():
    derived = grad(loss)
    assert derived.__name__ == "gradient_of_loss"
    assert derived.__doc__ == "The gradient of loss, by autograd_lite."
    assert list(inspect.signature(derived).parameters) == ["params", "x", "scale"]
    assert grad(functools.partial(loss, PARAMS)).__name__ == "gradient_of_partial"
    assert "map" in vmap(loss).__name__


# -- trees -----------------------------------------------------------------------------

Pair = namedtuple("Pair", "w b")


@dataclasses.dataclass(frozen=True)
class Layer:
    """A layer that checks what it is made of."""

    w: Any
    b: Any
    name: str = dataclasses.field(metadata={"static": True})

    def __post_init__(self):
        if not isinstance(self.w, numpy.ndarray):
            raise TypeError("w must be an ndarray")


class Custom:
    """A class registered as a container."""

    def __init__(self, w, b):
        self.w, self.b = w, b


tree.register(Custom, lambda c: ((c.w, c.b), None), lambda _, wb: Custom(*wb))


@pytest.mark.parametrize(
    ("params", "parts"),
    [
        ({"w": X, "b": 2.0}, lambda p: (p["w"], p["b"])),
        (OrderedDict(w=X, b=2.0), lambda p: (p["w"], p["b"])),
        ([X, 2.0], tuple),
        ((X, 2.0), tuple),
        ((X, None, 2.0), lambda p: (p[0], p[2])),
        (Pair(X, 2.0), tuple),
        (Layer(X, 2.0, "first"), lambda p: (p.w, p.b)),
        (Custom(X, 2.0), lambda p: (p.w, p.b)),
        ({"deep": [Pair({"w": X}, (2.0,))]}, lambda p: (tree.leaves(p)[0], 2.0)),
    ],
)
def test_gradients_are_trees_like_the_argument(params, parts):
    def fun(p):
        w, b = parts(p)
        return (w * w).sum() * b

    slopes = grad(fun)(params)
    assert type(slopes) is type(params)
    assert tree.structure(slopes) == tree.structure(params)
    numpy.testing.assert_allclose(parts(slopes)[0], 4 * X)
    y, y_dot = jvp(fun, (params,), (slopes,))
    assert y_dot == pytest.approx(sum((s**2).sum() for s in tree.leaves(slopes)))
    assert tree.structure(vjp(fun, params)[1](1.0)) == tree.structure((params,))
    check_grads(fun, (params,))


def test_an_empty_tree():
    assert grad(lambda p, x: x)({}, 3.0) == {}
    assert grad(lambda p, x: x * 2)(None, 3.0) is None


def test_trees_out_of_vjp_and_jvp():
    def fun(x):
        return {"a": x * 2, "b": [x.sum(), None], "c": 3.0}

    y, pullback = vjp(fun, X)
    assert y["a"].tolist() == (2 * X).tolist() and y["c"] == 3.0
    (x_bar,) = pullback({"a": X, "b": [1.0, None], "c": 100.0})
    assert x_bar.tolist() == (2 * X + 1).tolist()
    y, y_dot = jvp(fun, (X,), (X,))
    assert y_dot["b"][0] == X.sum() and y_dot["c"] == 0.0


def test_a_cotangent_must_match_the_output():
    _, pullback = vjp(lambda x: {"a": x, "b": x.sum()}, X)
    with pytest.raises(TreeError, match="differ at the root"):
        pullback({"a": X})
    with pytest.raises(ArgumentError, match=r"cotangent at 'a' has shape \(2,\)"):
        pullback({"a": X[:2], "b": 1.0})
    with pytest.raises(ArgumentError, match="must not be complex"):
        pullback({"a": X * 1j, "b": 1.0})
    with pytest.raises(ArgumentError, match=r"tangent at '0' has shape \(2,\)"):
        jvp(np.sin, (X,), (X[:2],))
    with pytest.raises(TreeError):
        jvp(np.sin, (X,), (X, X))


def test_cotangents_take_the_dtype_of_the_output():
    y, pullback = vjp(lambda x: x * 2, X.astype(numpy.float32))
    (x_bar,) = pullback(numpy.ones(3))
    assert x_bar.dtype == numpy.float32
    (x_bar,) = pullback([1, 2, 3] @ numpy.eye(3, dtype=int))
    assert x_bar.tolist() == [2.0, 4.0, 6.0]


def test_a_pullback_may_be_called_many_times():
    _, pullback = vjp(lambda x, y: np.sin(x) * y[0], X, X)
    first = pullback(X)
    for _ in range(3):
        again = pullback(X)
        for a, b in zip(first, again):
            numpy.testing.assert_array_equal(a, b)
    doubled = pullback(2 * X)
    numpy.testing.assert_allclose(doubled[0], 2 * first[0])


def test_a_pullback_can_be_differentiated():
    _, pullback = vjp(lambda x: x**3, X)
    numpy.testing.assert_allclose(
        grad(lambda g: (pullback(g)[0] * X).sum())(X), 3 * X**3
    )
    check_grads(lambda x, g: vjp(np.sin, x)[1](g)[0], (X, X + 1))


def test_the_same_output_twice():
    _, pullback = vjp(lambda x: (lambda y: (y, y, x))(x * 2), X)
    ones = numpy.ones(3)
    assert pullback((ones, ones, ones))[0].tolist() == [5.0] * 3


# -- has_aux ---------------------------------------------------------------------------


def test_has_aux():
    def fun(x):
        y = x * x
        aux = {"y": y, "name": "squares", "n": 3, "list": [y[0], None], "f": len}
        return y.sum(), aux

    (value, aux), slope = value_and_grad(fun, has_aux=True)(X)
    assert value == (X * X).sum() and slope.tolist() == (2 * X).tolist()
    assert type(aux["y"]) is numpy.ndarray and aux["y"].tolist() == (X * X).tolist()
    assert aux["name"] == "squares" and aux["n"] == 3 and aux["f"] is len
    assert aux["list"] == [0.25, None]
    slope, aux = grad(fun, has_aux=True)(X)
    assert aux["name"] == "squares"
    y, pullback, aux = vjp(fun, X, has_aux=True)
    assert aux["list"] == [0.25, None]
    assert pullback(1.0)[0].tolist() == (2 * X).tolist()


def test_aux_of_an_outer_gradient_stays_traced():
    def outer(x):
        slope, aux = grad(lambda y: (y * y * x, y * x), has_aux=True)(2.0)
        return slope + aux * x

    assert grad(outer)(3.0) == 4.0 + 2 * 2.0 * 3.0


# -- values ----------------------------------------------------------------------------


def test_scalars_in_and_out():
    for x in (2.0, numpy.float64(2.0), numpy.array(2.0)):
        value, slope = value_and_grad(lambda x: x * x)(x)
        assert value == 4.0 and slope == 4.0 and slope.dtype == float
        assert numpy.shape(slope) == ()
    assert value_and_grad(lambda x: 3.0)(2.0) == (3.0, 0.0)
    assert value_and_grad(lambda x: x)(2.0) == (2.0, 1.0)


def test_plain_numpy_functions():
    def fun(x):
        y = numpy.exp(-x) * numpy.sin(x)
        return numpy.sum(numpy.concatenate([y, x * 2])) + numpy.mean(X * x)

    check_grads(fun, (X,))


def test_the_complex_convention():
    z = numpy.array([1 + 2j, -0.5j])
    slope = grad(lambda z: (np.abs(z) ** 2).sum())(z)
    numpy.testing.assert_allclose(slope, 2 * numpy.conj(z))
    holomorphic = grad(lambda z: np.real(z**3).sum())(z)
    numpy.testing.assert_allclose(holomorphic, 3 * z**2)
    imaginary = grad(lambda z: np.imag(z).sum())(z)
    numpy.testing.assert_allclose(imaginary, numpy.full(2, -1j))  # df/dx - i df/dy
    check_grads(lambda z: z**3 + np.conj(z), (z,))


# -- nesting ---------------------------------------------------------------------------


def forward(fun):
    """The derivative of a function of a number, in forward mode."""
    return lambda x: jvp(fun, (x,), (1.0,))[1]


@pytest.mark.parametrize("outer", [grad, forward])
@pytest.mark.parametrize("inner", [grad, forward])
def test_perturbations_are_not_confused(outer, inner):
    """J. Siskind and B. Pearlmutter, 2005, "Perturbation confusion and referential
    transparency": d/dx (x d/dy (x + y)) = 1, and its relatives."""
    assert outer(lambda x: x * inner(lambda y: x + y)(1.0))(1.0) == 1.0
    assert outer(lambda x: x * inner(lambda y: x * y)(2.0))(3.0) == 6.0
    assert outer(lambda x: inner(lambda y: x)(1.0) + x)(2.0) == 1.0
    assert outer(lambda x: inner(lambda y: y * y * x)(x))(3.0) == 12.0
    assert outer(lambda y: inner(lambda x: x * y * y)(y) * y)(2.0) == 12.0


def test_the_amazing_bug():
    """O. Manzyuk et al., 2019, "Perturbation confusion in forward automatic
    differentiation of higher-order functions": the derivative of a function's shift."""

    def shifted(u):
        return lambda f: lambda x: f(x + u)

    for derivative in (grad, forward):

        def slope(f, d=derivative):
            return lambda y: d(lambda u: shifted(u)(f)(y))(0.0)

        assert slope(slope(np.exp))(1.0) == pytest.approx(numpy.exp(1.0))
        assert slope(slope(slope(np.sin)))(1.0) == pytest.approx(-numpy.cos(1.0))


@pytest.mark.parametrize("n", range(1, 6))
def test_derivatives_up_to_the_fifth(n):
    def times(transform):
        f = np.sin
        for _ in range(n):
            f = transform(f)
        return f(0.7)

    expected = [numpy.cos, lambda x: -numpy.sin(x)][(n - 1) % 2](0.7)
    expected *= (-1) ** ((n - 1) // 2)
    assert times(grad) == pytest.approx(expected, rel=1e-12)
    assert times(lambda f: lambda x: jvp(f, (x,), (1.0,))[1]) == pytest.approx(expected)


def test_the_fifth_derivative_of_an_array_function():
    def fun(x):
        return (x[0] ** 3 * np.exp(x[1:])).sum() * x[2]

    f = fun
    for _ in range(4):
        f = lambda x, f=f: (grad(f)(x) * X).sum()  # noqa: E731
    check_grads(f, (X,), order=1)


def test_every_pair_of_modes_gives_the_same_hessian():
    def fun(x):
        return (np.sin(x) * x[::-1] ** 2).sum()

    rows = numpy.eye(3)
    slope = grad(fun)
    ways = [
        [vjp(slope, X)[1](row)[0] for row in rows],
        [jvp(slope, (X,), (row,))[1] for row in rows],
        [grad(lambda x, r=row: jvp(fun, (x,), (r,))[1])(X) for row in rows],
        vmap(lambda row: jvp(slope, (X,), (row,))[1])(rows),
        [
            [jvp(lambda x, a=a: jvp(fun, (x,), (a,))[1], (X,), (b,))[1] for b in rows]
            for a in rows
        ],
    ]
    for way in ways:
        numpy.testing.assert_allclose(numpy.stack(way), numpy.stack(ways[0]))


def test_a_gradient_step_can_be_differentiated():
    """The derivative through three steps of descent with respect to the rate."""

    def trained(rate):
        x = X
        for _ in range(3):
            x = x - rate * grad(lambda x: (x**4).sum())(x)
        return (x * x).sum()

    check_grads(trained, (0.01,))


@pytest.mark.parametrize("argnums", ["x", (0, "x"), [1.0]])
def test_argnums_that_are_no_positions_are_refused(argnums):
    with pytest.raises(ArgumentError, match=r"argnums=.*wrt="):
        grad(lambda x: x * x, argnums)(1.0)


def test_jvp_says_how_primals_are_given():
    with pytest.raises(ArgumentError, match="primals is float: expected a tuple"):
        jvp(np.sin, 1.0, 1.0)
    with pytest.raises(ArgumentError, match="tangents is ndarray: expected a tuple"):
        jvp(np.sin, (np.ones(2),), np.ones(2))


@pytest.mark.parametrize("derivative", [grad, value_and_grad, jacobian, jacfwd])
@pytest.mark.parametrize("argnums", [1, (0,), -1])
def test_arguments_are_chosen_once(derivative, argnums):
    with pytest.raises(ArgumentError, match="and wrt='b' both say which"):
        derivative(weigh, argnums, wrt="b")


@pytest.mark.parametrize("argnums", [1.0, None, (0, 1.0), True, (0, True)])
def test_argnums_are_ints(argnums):
    with pytest.raises(ArgumentError, match="expected positions of arguments"):
        grad(lambda x, y: x * y, argnums)


def by_vjp(fun):
    found = custom_vjp(fun)
    found.defvjp(functools.wraps(fun)(lambda x: (fun(x), x)), lambda x, g: (x,))
    return found


def by_jvp(fun):
    found = custom_jvp(fun)
    found.defjvp(functools.wraps(fun)(lambda xs, dots: (fun(*xs), None)))
    return found


OF_ANY_OUTPUT = [
    lambda f, x: vjp(f, x),
    lambda f, x: jvp(f, (x,), (x,)),
    lambda f, x: linearize(f, x),
    lambda f, x: linear_transpose(f, x),
    lambda f, x: jacrev(f)(x),
    lambda f, x: jacfwd(f)(x),
    lambda f, x: jacobian(f)(x),
    lambda f, x: elementwise_grad(f)(x),
    lambda f, x: holomorphic_grad(f)(x + 1j),
    lambda f, x: vjp(by_vjp(f), x),
    lambda f, x: jvp(by_jvp(f), (x,), (x,)),
]


@pytest.mark.parametrize("transformed", [*OF_ANY_OUTPUT, lambda f, x: vmap(f)(x)])
def test_a_generator_is_no_result(transformed):
    def halves(x):
        return {"y": (y for y in (x, x))}

    message = "^halves returned generator at 'y': expected arrays"
    with pytest.raises(DifferentiationTypeError, match=message):
        transformed(halves, np.ones(2))


@pytest.mark.parametrize("transformed", OF_ANY_OUTPUT)
@pytest.mark.parametrize(
    "value, what",
    [
        ("loss", "str at"),
        (np.array("loss"), "ndarray of dtype <U4 at"),
        (np.array([1, None]), "ndarray of dtype object at"),
        (np.datetime64("2020-01-01"), r"datetime64 of dtype datetime64\[D\] at"),
    ],
)
def test_text_and_objects_have_no_derivative(transformed, value, what):
    def named(x):
        return {"y": x * x, "more": [value]}

    with pytest.raises(DifferentiationTypeError, match=f"named returned {what}") as e:
        transformed(named, np.ones(2))
    assert "'more.0'" in str(e.value)
    assert ("has_aux=True" in str(e.value)) == ("loss" in str(value))


def test_vmap_repeats_text():
    found = vmap(lambda x: (x, "a"))(np.ones(2))
    assert found[1].tolist() == ["a", "a"]
