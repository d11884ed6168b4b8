"""Errors say what arrived, what was expected and what to do."""

import inspect
import math
import operator
import subprocess
import sys
from collections import namedtuple

import numpy
import pytest

import autograd_lite.numpy as np
from autograd_lite import (
    AutogradError,
    defvjp,
    defvjp_argnums,
    elementwise,
    errors,
    grad,
    jvp,
    primitive,
    stop_gradient,
    value_and_grad,
    vjp,
    vmap,
)
from autograd_lite.errors import (
    ArgumentError,
    DifferentiationTypeError,
    LeakedTracerError,
    MissingRuleError,
    NonScalarOutputError,
    RuleError,
    TracerConversionError,
    TracerMutationError,
    UnsupportedError,
)

X = numpy.array([0.5, -1.0, 2.0])
HERE = __file__


def error_of(kind, call, *args):
    """The text of the error that a call raises, notes included."""
    with pytest.raises(kind) as caught:
        call(*args)
    return "\n".join([str(caught.value), *getattr(caught.value, "__notes__", [])])


def inside(act, x=X):
    """The function that does something with a tracer, and is differentiated."""
    return grad(lambda x: (act(x) or 0.0) * x.sum()), x


def test_all_errors_are_of_one_family():
    for _, kind in inspect.getmembers(errors, inspect.isclass):
        if issubclass(kind, Warning):
            continue
        assert issubclass(kind, AutogradError), kind
        builtin = [b for b in kind.__mro__ if b.__module__ == "builtins"]
        assert kind is AutogradError or builtin[0] is not Exception, kind
        assert kind.__doc__.endswith(".")


# -- inputs ----------------------------------------------------------------------------

Pair = namedtuple("Pair", "w n")


@pytest.mark.parametrize(
    ("argument", "parts"),
    [
        (3, ["int 3", "float(x)"]),
        (True, ["bool True"]),
        (numpy.arange(3), ["ndarray of dtype int64", "x.astype(float)"]),
        (numpy.array([True]), ["dtype bool", "x.astype(float)"]),
        (numpy.int32(3), ["int32"]),
        ("text", ["str 'text'", "expected arrays of floats"]),
        ({"w": 1.0, "n": {"k": [2.0, 3]}}, ["int 3 at ", "n.k.1'"]),
        (Pair(1.0, numpy.arange(2)), ["n'", "int64"]),
        ([1.0, "a"], ["str 'a' at ", "1'"]),
        (numpy.array([1.0, None], object), ["dtype object"]),
        ({1.0, 2.0}, ["set {1.0, 2.0}", "tree.register"]),
        (range(3), ["range(0, 3)"]),
        (lambda: 1.0, ["function"]),
    ],
)
def test_inputs_that_cannot_be_differentiated(argument, parts):
    calls = (
        grad(lambda x: 1.0),
        value_and_grad(lambda x: 1.0),
        lambda x: vjp(lambda x: x, x),
        lambda x: jvp(lambda x: x, (x,), (x,)),
    )
    for call in calls:
        text = error_of(TypeError, call, argument)
        assert text.startswith("cannot differentiate with respect to")
        for part in parts:
            assert part in text
    with pytest.raises(DifferentiationTypeError):
        calls[0](argument)


def test_the_path_names_the_argument_too():
    text = error_of(TypeError, grad(lambda x, y: x, (0, 1)), 1.0, {"n": 3})
    assert "at '1.n'" in text


# -- outputs ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("output", "kind", "parts"),
    [
        (lambda x: x, NonScalarOutputError, ["shape (3,)", "jacobian", "vjp"]),
        (lambda x: x[:1].reshape(1, 1), NonScalarOutputError, ["shape (1, 1)"]),
        (lambda x: numpy.ones(2), NonScalarOutputError, ["shape (2,)"]),
        (lambda x: None, NonScalarOutputError, ["NoneType", "`return` missing"]),
        (lambda x: (x.sum(), 3), NonScalarOutputError, ["tuple", "has_aux=True"]),
        (lambda x: [x.sum()], NonScalarOutputError, ["list"]),
        (lambda x: {"loss": x.sum()}, NonScalarOutputError, ["dict"]),
        (lambda x: "text", NonScalarOutputError, ["str"]),
        (lambda x: 3, NonScalarOutputError, ["int", "a float or an array"]),
        (lambda x: (x * 1j).sum(), DifferentiationTypeError, ["complex128", "np.real"]),
        (lambda x: np.argmax(x), DifferentiationTypeError, ["int64"]),
        (lambda x: x.sum() > 0, DifferentiationTypeError, ["bool"]),
    ],
)
def test_outputs_that_are_no_scalars(output, kind, parts):
    def loss(x):
        return output(x)

    text = error_of(kind, grad(loss), X)
    for part in (*parts, "loss returned"):
        assert part in text
    assert issubclass(kind, TypeError)


def test_has_aux_needs_a_pair():
    for output in (lambda x: x.sum(), lambda x: (x.sum(), 1, 2), lambda x: [1.0, 2]):
        with pytest.raises(DifferentiationTypeError, match=r"return \(output, aux\)"):
            value_and_grad(output, has_aux=True)(X)
        with pytest.raises(DifferentiationTypeError, match=r"return \(output, aux\)"):
            vjp(output, X, has_aux=True)


# -- what would lose the trace -------------------------------------------------------


@pytest.mark.parametrize(
    ("act", "parts"),
    [
        (lambda x: float(x[0]), ["float(x)", "stop_gradient"]),
        (lambda x: int(x[0]), ["int(x)"]),
        (lambda x: complex(x[0]), ["complex(x)"]),
        (lambda x: x[0].item(), ["x.item()"]),
        (lambda x: math.sin(x[0]), ["np.sin(x) instead of math.sin(x)"]),
        (lambda x: math.floor(x[0]), ["x.__floor__()", "np.floor(x)"]),
        (lambda x: math.ceil(x[0]), ["np.ceil(x)"]),
        (lambda x: math.trunc(x[0]), ["np.trunc(x)"]),
        (lambda x: x.item(0), ["x.item(0)"]),
        (lambda x: x.tobytes(), ["x.tobytes()", "stop_gradient"]),
        (lambda x: range(x[0]), ["index(x)"]),
        (lambda x: [1, 2, 3][x[0]], ["index(x)"]),
        (lambda x: x[x[0]], ["x[index]", "shape ()"]),
        (lambda x: np.take(x, x), ["x[index]", "shape (3,)"]),
        (lambda x: X[x[0] : 2], ["index(x)"]),
        (lambda x: numpy.asarray(x), ["np.stack", "np.where"]),
        (lambda x: numpy.array([x[0], x[1]]), ["np.stack"]),
        (lambda x: numpy.float64(x[0]), []),
        (lambda x: operator.setitem(numpy.zeros(3), slice(None), x), []),
        (lambda x: x.tolist(), []),
    ],
)
def test_conversions(act, parts):
    text = error_of(TracerConversionError, *inside(act))
    for part in parts:
        assert part in text


@pytest.mark.parametrize(
    ("act", "parts"),
    [
        (
            lambda x: operator.setitem(x, 0, 1.0),
            ["x[index] = v", "shape (3,)", "x.at[index].set(v)"],
        ),
        (lambda x: numpy.add(x, 1.0, out=numpy.zeros(3)), ["out="]),
        (lambda x: operator.iadd(numpy.ones(3), x), ["array = array + tracer"]),
        (lambda x: x.sort(), ["np.sort"]),
        (lambda x: x.fill(0.0), ["np.full_like(x, v)"]),
        (lambda x: x.resize(1), ["np.resize(x, shape)"]),
        (lambda x: x.put([0], 1.0), [".at[indices].set(v)"]),
        (lambda x: operator.delitem(x, 0), ["del x[index]", "np.delete(x, index)"]),
    ],
)
def test_mutations(act, parts):
    text = error_of(TracerMutationError, *inside(act))
    for part in parts:
        assert part in text


def test_a_refused_assignment_is_shown_rewritten():
    def fun(x):
        y = 2 * x
        y[1:] += x[0]
        return y.sum()

    text = error_of(TracerMutationError, grad(fun), numpy.ones(3))
    assert text.endswith("y = y.at[1:].add(x[0])")


def test_a_refused_assignment_to_several_axes_is_shown_as_python():
    def fun(x):
        x[1:, 0] = 3 * x[0, 0]
        return x.sum()

    text = error_of(TracerMutationError, grad(fun), numpy.ones((2, 2)))
    assert text.endswith("x = x.at[1:, 0].set(3 * x[0, 0])")


def test_a_refused_assignment_with_more_on_its_line():
    def commented(x):
        p = {"w": 2 * x}
        p["w"][x > 2] -= 3 * x[0]  # not part of it
        return p["w"].sum()

    def swapped(x):
        x[0], x[1] = x[1], x[0]
        return x.sum()

    text = error_of(TracerMutationError, grad(commented), numpy.ones(3))
    assert text.endswith("p['w'] = p['w'].at[x > 2].add(-(3 * x[0]))")
    text = error_of(TracerMutationError, grad(swapped), numpy.ones(3))
    assert text.endswith("x = x.at[index].set(v)")


def test_writing_a_tracer_into_an_element():
    """NumPy raises on its own account, from our error."""
    call, x = inside(lambda x: operator.setitem(numpy.zeros(3), 0, x[0]))
    with pytest.raises(ValueError, match="sequence") as caught:
        call(x)
    assert isinstance(caught.value.__cause__, TracerConversionError)


def test_in_place_operators_make_new_arrays():
    def fun(x):
        y = x
        y *= 2.0
        y += x
        return y.sum()

    assert grad(fun)(X).tolist() == [3.0] * 3


def test_what_numpy_has_and_we_do_not():
    text = error_of(UnsupportedError, *inside(lambda x: numpy.save("file", x)))
    assert "np.save has no differentiable version" in text
    assert "defvjp" in text and "stop_gradient" in text
    text = error_of(TracerMutationError, *inside(lambda x: numpy.add.at(x, [0], 1.0)))
    assert "np.add.at" in text and "x = x.at[index].add(v)" in text
    text = error_of(TracerMutationError, *inside(lambda x: numpy.hypot.at(x, [0], 1.0)))
    assert text.endswith("x = x.at[index].set(np.hypot(x[index], v))")
    with pytest.raises(NotImplementedError):
        grad(lambda x: numpy.save("file", x))(X)


SCIPY_WITHOUT_OURS = """
import numpy, scipy.special, scipy.linalg
from autograd_lite import grad
for f in (scipy.special.erf, scipy.linalg.expm):
    try:
        grad(lambda x: f(x).sum())(numpy.ones((2, 2)))
    except TypeError as error:
        print(error)
    except NotImplementedError as error:
        print(error)
import autograd_lite.scipy.special
print(grad(lambda x: scipy.special.erf(x).sum())(numpy.zeros(1)))
"""


def test_scipy_functions_say_which_module_of_ours_has_them():
    text = subprocess.run(
        [sys.executable, "-c", SCIPY_WITHOUT_OURS],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    first, second, third = text.splitlines()
    assert "scipy.special.erf was given a traced array" in first
    assert "import autograd_lite.scipy.special" in first
    assert "use those in autograd_lite.scipy.linalg" in second
    assert third.startswith("[1.128")


# -- leaked tracers ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("transform", "name"),
    [
        (lambda f: grad(f)(X), "Tape"),
        (lambda f: vjp(f, X), "Tape"),
        (lambda f: jvp(f, (X,), (X,)), "DualTrace"),
        (lambda f: vmap(f)(X), "BatchTrace"),
    ],
)
def test_leaked_tracers(transform, name):
    store = []

    def fun(x):
        store.append(x)
        return (x * x).sum()

    transform(fun)
    for use in (
        lambda: store[0] * 2,
        lambda: np.floor(store[0]),
        lambda: stop_gradient(store[0]),
        lambda: grad(lambda y: (store[0] * y).sum())(1.0),
        lambda: grad(lambda y: y * 1.0)(store[0]),
        lambda: vjp(lambda y: store[0], X),
        lambda: grad(lambda y: (y, {"x": store}), has_aux=True)(1.0),
        lambda: jvp(lambda y: store[0], (X,), (X,)),
        lambda: vmap(lambda y: store[0])(X),
    ):
        text = error_of(LeakedTracerError, use)
        assert f"a tracer whose {name} has ended" in text
        assert "has_aux=True" in text
    assert issubclass(LeakedTracerError, RuntimeError)


def test_a_leak_after_an_exception_is_a_leak():
    store = []

    def fun(x):
        store.append(x)
        raise KeyError

    with pytest.raises(KeyError):
        grad(fun)(X)
    assert "multiply was given" in error_of(LeakedTracerError, lambda: store[0] * 2)


# -- rules -----------------------------------------------------------------------------


def broken(rule, kind=primitive, fun=lambda x, y: x * y):
    """A primitive of two arguments with this rule for its second."""
    fun.__name__ = "scale"
    scale = kind(fun)
    defvjp(scale, lambda ans, x, y: lambda g: g * y, rule)
    return lambda y: scale(X, y).sum()


def test_a_missing_rule():
    @primitive
    def mystery(x, y):
        return x * y

    text = error_of(MissingRuleError, grad(lambda x: mystery(X, x).sum()), X)
    assert "mystery has no gradient rule for argument 1" in text
    assert "defvjp(mystery, " in text and "stop_gradient" in text
    with pytest.raises(NotImplementedError):
        jvp(lambda x: mystery(x, X), (X,), (X,))
    assert vmap(mystery)(X, X).tolist() == (X * X).tolist()


@pytest.mark.parametrize(
    ("rule", "parts"),
    [
        (
            lambda ans, x, y: lambda g: (g * x).sum(),
            ["a cotangent of shape ()", "an argument of shape (3,)", "@elementwise"],
        ),
        (
            lambda ans, x, y: lambda g: (g * x).astype(numpy.float32),
            ["dtype float32", "dtype float64"],
        ),
        (lambda ans, x, y: lambda g: "text", ["text", "not an array"]),
        (lambda ans, x, y: lambda g: None, ["returned None", "`return` missing"]),
    ],
)
def test_a_rule_that_returns_something_wrong(rule, parts):
    text = error_of(RuleError, grad(broken(rule)), X)
    for part in (*parts, "the gradient rule of scale for argument 1", HERE):
        assert part in text
    assert issubclass(RuleError, ValueError)


def test_a_rule_of_an_elementwise_primitive_that_cannot_be_summed_down():
    rule = lambda ans, x, y: lambda g: numpy.ones(5)  # noqa: E731
    text = error_of(RuleError, grad(broken(rule, elementwise)), X)
    for part in ("scale for argument 1", "shape (5,)", "shape (3,)", "neither"):
        assert part in text


def test_a_rule_that_fails():
    line = inspect.currentframe().f_lineno + 1
    rule = lambda ans, x, y: lambda g: {}["missing"]  # noqa: E731
    text = error_of(KeyError, grad(broken(rule)), X)
    assert f"in the gradient rule of scale for argument 1 ({HERE}:{line})" in text
    text = error_of(ZeroDivisionError, grad(broken(lambda ans, x, y: 1 / 0)), X)
    assert "in the gradient rule of scale, before the walk back" in text
    text = error_of(TypeError, grad(broken(lambda ans, x, y: None)), X)
    assert "in the gradient rule of scale" in text


def test_a_joint_rule_with_a_wrong_number_of_cotangents():
    @primitive
    def both(x, y):
        return x * y

    defvjp_argnums(both, lambda argnums, ans, args, params: lambda g: (g,))
    text = error_of(RuleError, grad(lambda x: both(x, x).sum()), X)
    assert "the gradient rule of both" in text
    assert "returned 1 cotangents for 2 arguments" in text


def test_a_rule_of_a_joint_kind_may_leave_arguments_out():
    @primitive
    def both(x, y):
        return x * y

    def rule(argnums, ans, args, params):
        return lambda g: tuple([g * args[1] if i == 0 else None for i in argnums])

    defvjp_argnums(both, rule)
    x_bar, y_bar = grad(lambda x, y: both(x, y).sum(), (0, 1))(X, X)
    assert x_bar.tolist() == X.tolist() and y_bar.tolist() == [0.0] * 3


def test_a_tracer_as_a_keyword_of_a_primitive():
    """As a parameter it would be seen as a constant: a silently wrong gradient."""

    @primitive
    def scale(x, by):
        return x * by

    defvjp(scale, lambda ans, x, by: lambda g: g * by)
    for call in (
        lambda w: scale(X, by=w).sum(),
        lambda w: scale(X * w, by=w).sum(),
        lambda w: stop_gradient(x=w),
    ):
        text = error_of(ArgumentError, grad(call), 2.0)
        assert "by keyword" in text and "by position" in text


def test_errors_of_the_user_are_left_alone():
    def fun(x):
        raise LookupError("mine")

    for transform in (grad(fun), vmap(fun), lambda x: jvp(fun, (x,), (x,))):
        text = error_of(LookupError, transform, X)
        assert text == "mine"
