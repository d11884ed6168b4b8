"""debug_nans: what is blamed, where, with which advice; and what isn't."""

import threading
import warnings

import numpy as onp
import pytest

import autograd_lite.numpy as np
from autograd_lite import (
    checkpoint,
    custom_jvp,
    custom_vjp,
    debug_nans,
    defvjp,
    grad,
    hessian,
    jacfwd,
    jacrev,
    jvp,
    linearize,
    nn,
    policy,
    primitive,
    value_and_grad,
    vjp,
    vmap,
)
from autograd_lite.errors import (
    AutogradError,
    LeakedTracerError,
    NonFiniteError,
    RuleError,
)
from autograd_lite.scipy.special import logsumexp


@custom_vjp
def careless(x):
    return np.sqrt(x)


careless.defvjp(lambda x: (np.sqrt(x), x), lambda x, g: (g / (2 * np.sqrt(x)),))


@custom_jvp
def reckless(x):
    return np.sqrt(x)


@reckless.defjvp
def _(primals, tangents):
    with onp.errstate(all="ignore"):
        y = np.sqrt(primals[0])
        return y, tangents[0] / (2 * y)


def softmax(z):
    e = np.exp(z)
    return e / np.sum(e)


def length(x):
    return np.sqrt(np.sum(x * x))


def fraction(x):
    return x / x


def branches(x):
    return np.where(x > 0, np.sqrt(x), 0.0)


def unit(x):
    return (x / length(x + 0.0)).sum()


def angle(x):
    return np.arccos(x)


def deviation(x):
    return np.sqrt(np.mean(x**2) - np.mean(x) ** 2)


def cross_entropy(z):
    return -np.log(nn.softmax(z))[1]


def log_of_count(x):
    return np.log(x).sum()


def product(x):
    return np.prod(x * 1e200)


SPREAD = onp.array([1000.0, 0.0])

# the program, where it is evaluated, who is blamed, for what, and a word of the remedy
PROGRAMS = [
    (log_of_count, onp.array([1.0, 0, 2]), "log", "Inf", "log1p"),
    (log_of_count, onp.array([1.0, -1]), "log", "NaN", "negative number"),
    (fraction, 0.0, "divide", "NaN", "eps"),
    (np.sqrt, 0.0, "the gradient rule of sqrt", "Inf", "hypot"),
    (np.sqrt, -1.0, "sqrt", "NaN", "negative number"),
    (branches, 0.0, "the gradient rule of sqrt", "NaN", "np.safe_where"),
    (length, onp.zeros(3), "the gradient rule of sqrt", "Inf", "np.linalg.norm"),
    (np.exp, 1000.0, "exp", "Inf", "nn.softmax"),
    (lambda z: softmax(z)[0], SPREAD, "exp", "Inf", "maximum first"),
    (cross_entropy, SPREAD, "log", "Inf", "nn.cross_entropy"),
    (angle, 1.0, "the gradient rule of arccos", "Inf", "np.clip"),
    (angle, 1.0000001, "arccos", "NaN", "rounding"),
    (lambda x: x**0.5, 0.0, "the gradient rule of sqrt", "Inf", "np.hypot"),
    (lambda x: x**0.3, 0.0, "the gradient rule of power", "Inf", "eps"),
    (lambda x: x**0.3, -1.0, "power", "NaN", "negative base"),
    (lambda y: np.power(-2.0, y), 2.0, "the gradient rule of power", "NaN", "exponent"),
    (unit, onp.zeros(2), "divide", "NaN", "np.maximum(norm, eps)"),
    (deviation, onp.full(3, 0.1), "sqrt", "NaN", "np.var"),
    (product, onp.ones(2), "prod", "Inf", ""),
    (np.log1p, -1.0, "log1p", "Inf", "x > -1"),
    (np.arctanh, 1.0, "arctanh", "Inf", "-1 and 1"),
    (np.reciprocal, 0.0, "reciprocal", "Inf", "division by 0"),
    (lambda x: np.cbrt(x), 0.0, "the gradient rule of cbrt", "Inf", "cbrt"),
]


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_program_is_blamed_with_a_remedy(program):
    f, x, who, what, advice = program
    with pytest.raises(NonFiniteError) as caught, debug_nans():
        grad(f)(x)
    head, *_, last = str(caught.value).splitlines()
    assert head.startswith(f"{who} produced {what}")
    assert caught.value.what.startswith(what)
    assert advice in last
    assert not advice or last.startswith("  remedy: ")


@pytest.mark.parametrize("program", PROGRAMS)
def test_without_it_nothing_stops(program):
    f, x, *_ = program
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        y, x_bar = value_and_grad(f)(x)
    assert not (onp.isfinite(y).all() and onp.isfinite(x_bar).all())


def test_the_line_is_that_of_the_forward_call():
    def f(x):
        y = np.sqrt(x)  # the line to be named
        return y + 1

    for derivative in (grad(f), lambda x: jvp(f, (x,), (1.0,))):
        with pytest.raises(NonFiniteError, match=r"\(x\)  # the line"), debug_nans():
            derivative(0.0)


def test_the_error_tells_of_shapes_dtypes_and_ranges():
    x = onp.array([[1, 0, -4]], onp.float32)
    with pytest.raises(FloatingPointError) as caught, debug_nans():
        vjp(lambda x: 1 / x, x)
    assert isinstance(caught.value, AutogradError)
    text = str(caught.value)
    assert "Inf in 1 of 3 elements, first at [0, 1]" in text
    assert "shape (1, 3), float32, from -4 to 1" in text
    assert "result: shape (1, 3), float32, from -0.25 to 1, 1 Inf" in text


@pytest.mark.parametrize(
    ("run", "who"),
    [
        (lambda: jvp(np.log, (0.0,), (1.0,)), "log"),
        (lambda: jvp(np.sqrt, (0.0,), (1.0,)), "the forward rule of sqrt"),
        (lambda: vmap(np.log)(onp.array([1.0, 0])), "log"),
        (lambda: vmap(grad(np.sqrt))(onp.array([1.0, 0])), "the gradient rule of sqrt"),
        (lambda: grad(grad(lambda x: x**1.5))(0.0), "the gradient rule of sqrt"),
        (lambda: grad(grad(np.log))(0.0), "log"),
        (lambda: hessian(length)(onp.zeros(2)), "the forward rule of sqrt"),
        (lambda: jacfwd(np.sqrt)(onp.zeros(1)), "the forward rule of sqrt"),
        (lambda: jacrev(np.sqrt)(onp.zeros(1)), "the gradient rule of sqrt"),
        (lambda: linearize(np.sqrt, 0.0), "the forward rule of sqrt"),
        (lambda: grad(careless)(0.0), "the gradient rule of custom_vjp careless"),
        (
            lambda: jvp(reckless, (0.0,), (1.0,)),
            "the forward rule of custom_jvp reckless",
        ),
        (lambda: jvp(reckless, (-1.0,), (1.0,)), "custom_jvp reckless"),
        (lambda: grad(reckless)(0.0), "the gradient rule of custom_jvp reckless"),
        (lambda: grad(checkpoint(np.log))(0.0), "checkpoint of log"),
        (lambda: grad(checkpoint(np.sqrt))(0.0), "the gradient rule of sqrt"),
    ],
)
def test_every_transformation_is_watched(run, who):
    with pytest.raises(NonFiniteError) as caught, debug_nans():
        run()
    assert str(caught.value).startswith(f"{who} produced")


@pytest.mark.parametrize(
    ("convention", "f", "x"),
    [
        ("std0", np.std, onp.ones(3)),
        ("norm0", np.linalg.norm, onp.zeros(3)),
        ("norm0", lambda x: np.hypot(x, 0.0), 0.0),
        ("angle0", lambda x: np.arctan2(x, 0.0), 0.0),
        ("abs0", np.abs, 0.0),
    ],
)
def test_a_policy_that_says_nan_is_named_in_the_remedy(convention, f, x):
    with debug_nans():
        grad(f)(x)
        remedy = rf"policy\({convention}=0\)"
        with (
            policy(**{convention: onp.nan}),
            pytest.raises(NonFiniteError, match=remedy),
        ):
            grad(f)(x)


def test_only_nan_where_inf_is_allowed():
    with debug_nans(inf=False):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert grad(np.sqrt)(0.0) == onp.inf
        with pytest.raises(NonFiniteError, match=r"multiply produced NaN[^$]*inf=True"):
            grad(length)(onp.zeros(2))
        for derivative in (jvp, lambda f, x, t: vmap(f)(onp.stack([x[0]]))):
            derivative(np.log, (0.0,), (1.0,))
            with pytest.raises(NonFiniteError):
                derivative(fraction, (0.0,), (1.0,))


def test_what_came_in_with_the_inputs_is_not_produced():
    mask = onp.array([True, False])
    x = onp.array([1.0, 2.0])
    with debug_nans():
        masked = grad(lambda x: nn.softmax(np.where(mask, x, -np.inf))[0])(x)
        onp.testing.assert_array_equal(masked, [0, 0])
        with pytest.warns(RuntimeWarning, match="multiply, called at .*debug_nan") as w:
            spoilt = grad(lambda x: (x * onp.array([1, onp.nan])).sum())(x)
        assert w[0].filename == __file__
        onp.testing.assert_array_equal(spoilt, [1, onp.nan])
        with pytest.raises(NonFiniteError, match=r"first at \[1\]"):
            vjp(np.log, onp.array([onp.inf, 0.0]))


def test_from_inf_alone_nan_is_produced():
    x = onp.array([onp.inf])
    text = r"subtract produced NaN[^$]*Inf - Inf"
    with pytest.raises(NonFiniteError, match=text), debug_nans():
        vjp(lambda x: x - x, x)


def test_a_finite_program_is_not_changed():
    x = onp.linspace(0.1, 1, 5)

    def f(x):
        return np.log(x).sum() + np.linalg.norm(np.sort(x)) + logsumexp(x)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with debug_nans():
            watched = grad(f)(x), hessian(f)(x), vmap(grad(np.sqrt))(x)
    for ours, plain in zip(
        watched, (grad(f)(x), hessian(f)(x), vmap(grad(np.sqrt))(x))
    ):
        onp.testing.assert_array_equal(ours, plain)


def test_several_outputs_and_joint_rules():
    @primitive(multiple=True)
    def both(x, y):
        return x + y, 1 / x

    both.joint_vjp = lambda argnums, ans, args, params: lambda gs: (gs[0], gs[0])
    with pytest.raises(NonFiniteError, match="both produced Inf"), debug_nans():
        vjp(both, 0.0, 1.0)

    def infinite(argnums, ans, args, params):
        return lambda gs: (gs[0] * onp.inf, gs[0])

    both.joint_vjp = infinite
    with debug_nans():
        _, pullback = vjp(both, 1.0, 1.0)
    with pytest.raises(NonFiniteError, match="the gradient rule of both produced Inf"):
        pullback((onp.float64(1), onp.float64(0)))


def test_rule_errors_still_name_the_rule():
    @primitive
    def twice(x):
        return 2 * x

    defvjp(twice, lambda ans, x: lambda g: None)
    text = "rule of twice for argument 0 .* returned None"
    with pytest.raises(RuleError, match=text), debug_nans():
        grad(twice)(1.0)


def test_as_a_decorator_and_after_an_exception():
    @debug_nans()
    def train():
        return grad(np.log)(0.0)

    for _ in range(2):
        with pytest.raises(NonFiniteError):
            train()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert grad(np.log)(0.0) == onp.inf


def test_other_threads_are_not_watched():
    found = []

    def work():
        with onp.errstate(all="ignore"):
            found.append(grad(np.log)(0.0))

    with debug_nans():
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert found == [onp.inf]


def test_a_leaked_tracer_is_still_an_error():
    kept = []

    def leak(x):
        kept.append(x)
        return x * x

    with debug_nans():
        grad(leak)(1.0)
    with pytest.raises(LeakedTracerError, match="has ended"):
        kept[0] + 1
