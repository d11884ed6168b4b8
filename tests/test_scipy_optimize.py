"""Optimisation over trees, and solutions differentiated implicitly."""

import numpy as np
import pytest
import scipy.optimize

import autograd_lite.numpy as anp
from autograd_lite import grad, jacobian, jvp, stop_gradient, vjp, vmap
from autograd_lite.errors import ArgumentError, ConvergenceError, UnsupportedError
from autograd_lite.scipy.optimize import fixed_point, minimize, root
from autograd_lite.testing import check_grads


def rosenbrock(p, scale=100.0):
    """Of five variables, in a tree; the minimum, 0, is at ones."""
    x = anp.concatenate([p["first"], anp.ravel(p["rest"]["pair"]), [p["rest"]["last"]]])
    return anp.sum(scale * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


START = {
    "first": np.array([0.1, 0.5]),
    "rest": {"pair": np.array([[0.3, 1.4]]), "last": 2.0},
}
NEARBY = {
    "first": np.full(2, 0.99),
    "rest": {"pair": np.ones((1, 2)), "last": 1.01},
}
FIRST_ORDER = ["BFGS", "CG", "L-BFGS-B", "TNC", "SLSQP", None]
SECOND_ORDER = ["Newton-CG", "trust-ncg", "trust-krylov", "trust-constr"]
HESSIAN = ["dogleg", "trust-exact"]


def assert_ones(tree, atol=1e-4):
    np.testing.assert_allclose(tree["first"], [1, 1], atol=atol)
    np.testing.assert_allclose(tree["rest"]["pair"], [[1, 1]], atol=atol)
    np.testing.assert_allclose(tree["rest"]["last"], 1, atol=atol)


@pytest.mark.parametrize("method", [*FIRST_ORDER, *SECOND_ORDER, *HESSIAN])
def test_rosenbrock_in_a_tree(method):
    # dogleg needs a convex function: there it starts close to the minimum
    start = NEARBY if method == "dogleg" else START
    of_value = method in ("L-BFGS-B", "TNC", "SLSQP")  # else of the gradient
    tol = 1e-12 if of_value else 1e-6
    found = minimize(rosenbrock, start, (10.0,), method=method, tol=tol)
    assert found.success, found.message
    assert_ones(found.x)
    if "jac" in found and method != "trust-constr":
        assert found.jac["rest"]["pair"].shape == (1, 2)
        np.testing.assert_allclose(found.jac["rest"]["last"], 0, atol=1e-3)


@pytest.mark.parametrize("method", ["Nelder-Mead", "Powell", "COBYLA", "COBYQA"])
def test_methods_without_gradients(method):
    def bowl(p):
        return float(
            (p["a"] - 1) ** 2 + 3 * (p["b"] + 2) ** 2
        )  # no tracer: float works

    found = minimize(bowl, {"a": 0.0, "b": 0.0}, method=method)
    np.testing.assert_allclose([found.x["a"], found.x["b"]], [1, -2], atol=1e-3)


@pytest.mark.parametrize("method", ["Newton-CG", "trust-ncg", "trust-exact"])
def test_second_derivatives_are_supplied(method):
    """A quadratic function is minimised in a few steps."""
    a = np.array([[3.0, 1, 0], [1, 4, 1], [0, 1, 5]])
    b = np.array([1.0, 2, 3])
    fun = lambda x: x @ a @ x / 2 - b @ x  # noqa: E731
    found = minimize(fun, np.zeros(3), method=method, tol=1e-10)
    np.testing.assert_allclose(found.x, np.linalg.solve(a, b), 1e-6)
    assert found.nit <= 8 and found.nhev > 0


def test_arrays_keep_their_shape_and_match_scipy():
    fun = lambda x: ((x - np.arange(6.0).reshape(2, 3)) ** 4).sum()  # noqa: E731
    found = minimize(fun, np.ones((2, 3)), method="BFGS")
    assert found.x.shape == found.jac.shape == (2, 3)
    theirs = scipy.optimize.minimize(
        lambda x: fun(x.reshape(2, 3)),
        np.ones(6),
        jac=lambda x: (
            4 * (x.reshape(2, 3) - np.arange(6.0).reshape(2, 3)) ** 3
        ).ravel(),
        method="BFGS",
    )
    np.testing.assert_allclose(found.x.ravel(), theirs.x, 1e-9)
    assert found.nit == theirs.nit


def test_float32_leaves():
    start = {"a": np.zeros(2, np.float32), "b": np.float64(1.0)}
    seen = set()

    def fun(p):
        seen.add((p["a"].dtype, p["b"].dtype))
        return ((p["a"] - 0.5) ** 2).sum() + p["b"] ** 2

    found = minimize(fun, start)
    assert seen == {(np.dtype(np.float32), np.dtype(np.float64))}
    assert found.x["a"].dtype == np.float32
    np.testing.assert_allclose(found.x["a"], 0.5, 1e-4)


def test_bounds():
    box = ({"a": np.array([0.5, -9]), "b": -np.inf}, {"a": 2.0, "b": -0.5})
    fun = lambda p: (p["a"] ** 2).sum() + p["b"] ** 2  # noqa: E731
    start = {"a": np.ones(2), "b": -1.0}
    for method in ["L-BFGS-B", "TNC", "SLSQP", "trust-constr", "Nelder-Mead"]:
        found = minimize(fun, start, method=method, bounds=box, tol=1e-8)
        np.testing.assert_allclose(found.x["a"], [0.5, 0], atol=1e-3)
        np.testing.assert_allclose(found.x["b"], -0.5, atol=1e-3)
    everywhere = minimize(fun, start, bounds=(-np.inf, -0.25))
    np.testing.assert_allclose(everywhere.x["a"], -0.25)
    array = minimize(lambda x: (x**2).sum(), np.ones(2), bounds=[(0.5, 2), (None, 2)])
    np.testing.assert_allclose(array.x, [0.5, 0], atol=1e-6)
    with pytest.raises(ArgumentError, match="pair"):
        minimize(fun, start, bounds=[(0, 1)] * 3)


@pytest.mark.filterwarnings("ignore:delta_grad == 0.0")  # of a linear objective
@pytest.mark.parametrize("method", ["SLSQP", "trust-constr", "COBYLA"])
def test_constraints(method):
    """The point of a circle that is furthest to the upper right."""
    circle = {"type": "ineq", "fun": lambda p: 2 - p["x"] ** 2 - p["y"] ** 2}
    fun = lambda p: -p["x"] - p["y"]  # noqa: E731
    found = minimize(fun, {"x": 0.5, "y": 0.0}, method=method, constraints=circle)
    np.testing.assert_allclose([found.x["x"], found.x["y"]], 1, atol=1e-3)
    line = {"type": "eq", "fun": lambda p, c: [p["x"] - c * p["y"]], "args": (2.0,)}
    if method != "COBYLA":
        both = minimize(
            fun, {"x": 1.0, "y": 0.0}, method=method, constraints=[circle, line]
        )
        np.testing.assert_allclose(both.x["x"], 2 * both.x["y"], atol=1e-5)
        np.testing.assert_allclose(both.x["y"], np.sqrt(0.4), atol=1e-3)


def test_callbacks_get_trees():
    seen = []
    minimize(
        rosenbrock, START, method="BFGS", callback=lambda p: seen.append(p["first"])
    )
    assert len(seen) > 3 and all(first.shape == (2,) for first in seen)
    results = []

    def on_result(intermediate_result):
        results.append(intermediate_result)
        if len(results) == 3:
            raise StopIteration

    found = minimize(rosenbrock, START, method="BFGS", callback=on_result)
    assert len(results) == 3 and results[0].x["first"].shape == (2,)
    assert found.nit == 3
    states = []
    minimize(
        lambda p: (p["a"] ** 2).sum(),
        {"a": np.ones(2)},
        method="trust-constr",
        callback=lambda p, state: states.append((p["a"], state.nit)) and None,
    )
    assert states


def test_a_minimum_is_not_differentiable():
    with pytest.raises(UnsupportedError, match="root"):
        grad(lambda a: minimize(lambda x, a: (x - a) ** 2, 0.0, (a,)).fun)(1.0)
    with pytest.raises(UnsupportedError, match="bounds"):
        grad(lambda a: minimize(lambda x: x**2, 0.0, bounds=[(a, None)]).fun)(1.0)


@pytest.mark.parametrize(
    "method", ["Powell", None, "BFGS", "Newton-CG", "trust-exact", "SLSQP"]
)
def test_what_an_objective_must_not_use(method):
    def least(a):
        return minimize(lambda x: ((x - a) ** 2).sum(), np.zeros(2), method=method).fun

    with pytest.raises(UnsupportedError, match=r"objective.*root\(lambda"):
        grad(least)(np.ones(2))
    with pytest.raises(UnsupportedError, match=r"objective.*root\(lambda"):
        jvp(least, (np.ones(2),), (np.ones(2),))


def test_what_a_constraint_must_not_use():
    def least(a):
        rule = {"type": "eq", "fun": lambda x: x[0] - a}
        found = minimize(lambda x: (x**2).sum(), np.ones(2), constraints=rule)
        return found.fun

    with pytest.raises(UnsupportedError, match="constraint"):
        grad(least)(1.0)


def test_the_derivative_of_a_minimums_place():
    """As the message says: solve for a zero gradient."""

    def fun(x, a):
        return ((x**2 - a) ** 2).sum()

    def place(a):
        x = minimize(fun, np.ones(2), (stop_gradient(a),)).x
        return root(lambda x, *args: grad(fun)(x, *args), x, (a,)).x

    slope = jacobian(place)(np.array([4.0, 9.0]))
    np.testing.assert_allclose(slope, np.diag([1 / 4, 1 / 6]), 1e-5, 1e-9)


def test_a_fixed_point_must_not_use_what_is_traced():
    with pytest.raises(UnsupportedError, match="args"):
        grad(lambda a: fixed_point(lambda x: 0 * x + a, 1.0))(1.0)


# -- roots ----------------------------------------------------------------------------


def equations(p, a):
    return {
        "u": p["u"] ** 2 - a["x"] * p["v"],
        "v": p["v"] ** 3 - a["y"] + 0.1 * p["u"].sum(),
    }


GUESS = {"u": np.ones(2), "v": 1.0}
GIVEN = {"x": np.array([2.0, 3.0]), "y": 4.0}


@pytest.mark.parametrize("method", ["hybr", "lm", "krylov", "df-sane"])
def test_roots_of_trees(method):
    # Nearer than GUESS: from there SciPy's krylov takes a short step for convergence on
    # some processors.
    start = {"u": np.full(2, 1.7), "v": 1.5}
    found = root(equations, start, (GIVEN,), method, tol=1e-10)
    assert found.success
    for leaf in equations(found.x, GIVEN).values():
        np.testing.assert_allclose(leaf, 0, atol=1e-8)
    theirs = scipy.optimize.root(
        lambda x: np.append(*equations({"u": x[:2], "v": x[2]}, GIVEN).values()),
        np.ones(3),
        tol=1e-10,
    )
    np.testing.assert_allclose(found.x["u"], theirs.x[:2], 1e-7)


def test_implicit_derivatives_against_the_closed_form():
    """x^3 = a: dx/da = a^(-2/3) / 3, d2x/da2 = -2 a^(-5/3) / 9."""
    cube = lambda a: root(lambda x, a: x**3 - a, 2.0, (a,), tol=1e-13).x  # noqa: E731
    np.testing.assert_allclose(cube(8.0), 2)
    np.testing.assert_allclose(grad(cube)(8.0), 1 / 12, 1e-10)
    np.testing.assert_allclose(jvp(cube, (8.0,), (1.0,))[1], 1 / 12, 1e-10)
    np.testing.assert_allclose(grad(grad(cube))(8.0), -2 / 9 / 32, 1e-9)
    np.testing.assert_allclose(jvp(grad(cube), (8.0,), (1.0,))[1], -2 / 9 / 32, 1e-9)
    stack = np.array([1.0, 8.0, 27.0])
    np.testing.assert_allclose(vmap(cube)(stack), [1, 2, 3], 1e-9)
    np.testing.assert_allclose(vmap(grad(cube))(stack), stack ** (-2 / 3) / 3, 1e-9)


def test_implicit_derivatives_of_trees():
    def solved(a):
        return root(equations, GUESS, (a,), tol=1e-12).x

    check_grads(solved, (GIVEN,), rtol=1e-5)


def test_the_place_of_a_minimum_is_differentiable():
    """The minimum of cosh(x - a) + b x is at x = a - arcsinh(b)."""
    slope = grad(lambda x, a, b: anp.cosh(x - a) + b * x)
    place = lambda a, b: root(slope, 0.0, (a, b), tol=1e-13).x  # noqa: E731
    a_bar, b_bar = grad(place, (0, 1))(1.3, 0.4)
    np.testing.assert_allclose(a_bar, 1, 1e-9)
    np.testing.assert_allclose(b_bar, -1 / np.hypot(1, 0.4), 1e-9)


def test_the_start_has_no_gradient():
    fun = lambda x0, a: root(lambda x, a: x**2 - a, x0, (a,)).x  # noqa: E731
    x0_bar, a_bar = grad(fun, (0, 1))(1.0, np.float32(4))
    assert x0_bar == 0 and a_bar.dtype == np.float32
    np.testing.assert_allclose(a_bar, 0.25, 1e-6)


def test_traced_results():
    result, pullback = vjp(
        lambda a: vars_of(root(lambda x, a: x**2 - a, np.ones(2), (a,))), np.ones(2) * 4
    )
    np.testing.assert_allclose(result["x"], 2)
    assert result["fun"].shape == (2,)
    zero, one = np.zeros(2), np.ones(2)
    np.testing.assert_array_equal(pullback({"x": zero, "fun": one})[0], 0)


def vars_of(result):
    assert result.success and "converged" in result.message
    return {"x": result.x, "fun": result.fun}


def test_failures():
    hopeless = lambda x, a: x**2 + a  # noqa: E731
    assert not root(hopeless, 1.0, (1.0,)).success
    with pytest.raises(ConvergenceError, match="'hybr'"):
        grad(lambda a: root(hopeless, 1.0, (a,)).x)(1.0)
    with pytest.raises(ArgumentError, match="2 unknowns"):
        root(lambda x: x[0], np.ones(2))
    with pytest.raises(UnsupportedError, match="args"):
        grad(lambda a: root(lambda x: x - a, 1.0).x)(1.0)
    with pytest.raises(UnsupportedError, match="complex"):
        vjp(lambda a: root(lambda x, a: x - a.real, 1.0, (a,)).x, 1.0 + 0j)


# -- fixed points ---------------------------------------------------------------------


@pytest.mark.parametrize("method", ["del2", "iteration"])
def test_fixed_points(method):
    """x = cos(a x): dx/da = -x sin(a x) / (1 + a sin(a x))."""
    options = {"xtol": 1e-12, "method": method}
    fun = lambda a: fixed_point(  # noqa: E731
        lambda x, a: anp.cos(a * x), 0.7, (a,), **options
    )
    x = fun(0.9)
    np.testing.assert_allclose(np.cos(0.9 * x), x)
    s = np.sin(0.9 * x)
    np.testing.assert_allclose(grad(fun)(0.9), -x * s / (1 + 0.9 * s), 1e-9)
    check_grads(fun, (0.9,), rtol=1e-5)


def test_fixed_points_of_trees():
    """Newton's iteration for square roots."""

    def newton(p, a):
        return {"root": (p["root"] + a / p["root"]) / 2}

    a = np.array([4.0, 9.0])
    fun = lambda a: fixed_point(newton, {"root": np.ones(2)}, (a,))["root"]  # noqa: E731
    np.testing.assert_allclose(fun(a), [2, 3])
    np.testing.assert_allclose(vjp(fun, a)[1](np.ones(2))[0], [1 / 4, 1 / 6])


def test_a_fixed_point_that_repels():
    with pytest.raises(ConvergenceError, match="fixed_point"):
        fixed_point(lambda x: 2 * x + 1, 1.0, method="iteration", maxiter=20)
