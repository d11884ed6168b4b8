"""custom_root and fixed_point: derivatives of any order, whatever the solver was."""

import gc

import numpy as np
import pytest
import scipy.optimize
from hypothesis import given
from hypothesis import strategies as st

import autograd_lite.numpy as anp
from autograd_lite import (
    custom_root,
    fixed_point,
    grad,
    hessian,
    jacfwd,
    jacrev,
    jvp,
    tree,
    vmap,
)
from autograd_lite.errors import (
    ArgumentError,
    AutogradError,
    ConvergenceError,
    TreeError,
)
from autograd_lite.testing import check_grads

RNG = np.random.default_rng(0)


def newton(g, x):
    for _ in range(30):
        y, slope = jvp(g, (x,), (1.0,))
        x = x - y / slope
    return x


def by_scipy(g, x):
    flat, unravel = tree.ravel(x)
    found = scipy.optimize.root(lambda v: tree.ravel(g(unravel(v)))[0], flat, tol=1e-12)
    assert found.success
    return unravel(found.x)


def square_root(a):
    return custom_root(lambda x, a: x * x - a, 1.0, newton, args=(a,))


def test_every_order_and_mode():
    assert square_root(4.0) == 2.0
    f, expected = square_root, [0.25, -1 / 32, 3 / 256, -15 / 2048]
    for value in expected:
        f = grad(f)
        assert f(4.0) == pytest.approx(value, rel=1e-12)
    assert jvp(square_root, (4.0,), (2.0,))[1] == pytest.approx(0.5)
    assert hessian(square_root)(4.0) == pytest.approx(-1 / 32)
    assert jacfwd(jacfwd(square_root))(4.0) == pytest.approx(-1 / 32)
    assert jacrev(jacfwd(square_root))(4.0) == pytest.approx(-1 / 32)


def test_vmap():
    a = np.array([1.0, 4.0, 9.0])
    np.testing.assert_allclose(vmap(square_root)(a), [1, 2, 3])
    np.testing.assert_allclose(vmap(grad(square_root))(a), 0.5 / np.sqrt(a))
    np.testing.assert_allclose(
        grad(lambda a: vmap(square_root)(a).sum())(a), 0.5 / np.sqrt(a)
    )


@given(st.integers(1, 5), st.integers(0, 3))
def test_trees_against_finite_differences(n, m):
    rng = np.random.default_rng(n * 10 + m)
    a = {"shift": rng.normal(size=n), "scale": rng.normal(size=(m, 2))}

    def f(x, a, power):
        u = anp.sum(a["scale"] ** 2) + anp.sum(x["u"])
        return {
            "u": x["u"] ** power + x["u"] - a["shift"] + 0.1 * x["v"],
            "v": 2 * x["v"] + anp.tanh(u),
        }

    def root(a):
        x0 = {"u": np.zeros(n), "v": 0.0}
        return custom_root(f, x0, by_scipy, args=(a, 3))

    check_grads(root, (a,), order=1)


def test_large_systems_need_no_matrix():
    n = 2000

    def f(x, a):
        left, right = anp.roll(x, 1), anp.roll(x, -1)
        return 4 * x + anp.tanh(x) - left - right - a

    def solve(g, x):
        for _ in range(200):
            x = x - g(x) / 4
        return x

    def total(a):
        return anp.sum(custom_root(f, np.zeros(n), solve, args=(a,)) ** 2)

    a, d = RNG.normal(size=n), RNG.normal(size=n)
    h = 1e-5
    slope = (total(a + h * d) - total(a - h * d)) / (2 * h)
    assert grad(total)(a) @ d == pytest.approx(slope, rel=1e-6)
    assert jvp(total, (a,), (d,))[1] == pytest.approx(slope, rel=1e-6)
    bend = jvp(grad(total), (a,), (d,))[1]
    numerical = (grad(total)(a + h * d) - grad(total)(a - h * d)) / (2 * h)
    np.testing.assert_allclose(bend, numerical, rtol=1e-4, atol=1e-7)


def test_where_gmres_fails_the_matrix_is_formed():
    n = 300
    m = np.roll(np.eye(n), 1, axis=0)  # a shift: GMRES stands still for n steps

    def root(a):
        return custom_root(lambda x, a: m @ x - a, a, lambda g, x: m.T @ a0, args=(a,))

    a0 = RNG.normal(size=n)
    np.testing.assert_allclose(grad(lambda a: root(a)[3])(a0), m[:, 3], atol=1e-12)


def test_tangent_solve_is_used():
    calls = []

    def by_division(g, y):
        calls.append(y.shape)
        return y / g(np.ones(1))

    def root(a):
        return custom_root(lambda x, a: x**3 - a, 2.0, newton, by_division, args=(a,))

    assert grad(root)(8.0) == pytest.approx(1 / 12) and calls == [(1,)]
    assert jvp(root, (8.0,), (1.0,))[1] == pytest.approx(1 / 12) and len(calls) == 2


def test_fixed_points():
    def f(x, a, b):
        return {"u": 0.5 * anp.cos(a * x["u"]) + b, "v": 0.3 * x["v"] + x["u"]}

    x0 = {"u": np.zeros(2), "v": np.zeros(2)}

    def solution(a, b):
        return fixed_point(f, x0, (a, b), tol=1e-14)

    a, b = np.array([0.5, 1.5]), 0.3
    x = solution(a, b)
    for name, leaf in f(x, a, b).items():
        np.testing.assert_allclose(leaf, x[name], rtol=1e-12)
    check_grads(solution, (a, b))


def test_float32_stays_float32():
    a = np.float32(4)

    def root(a):
        return custom_root(lambda x, a: x * x - a, np.float32(1), newton, args=(a,))

    assert root(a).dtype == grad(root)(a).dtype == np.float32
    assert grad(root)(a) == pytest.approx(0.25, rel=1e-5)


def test_failures_are_clear():
    with pytest.raises(ConvergenceError, match="after 20 steps.*damp"):
        fixed_point(lambda x: 2 * x + 1, 1.0, maxiter=20)
    with pytest.raises(TreeError, match="trees differ"):
        custom_root(lambda x: x["u"], {"u": 1.0}, lambda g, x: (g(x), x)[1])
    with pytest.raises(ArgumentError, match="one is .a,."):
        custom_root(lambda x, a: x - a, 1.0, newton, args=2.0)

    def captured(a):
        return custom_root(lambda x: x * x - a, 1.0, newton)

    with pytest.raises(AutogradError):
        grad(captured)(4.0)


def test_the_start_has_no_gradient():
    def root(a, x0):
        return custom_root(lambda x, a: x * x - a, x0, newton, args=(a,))

    assert grad(root, (0, 1))(4.0, 1.0) == (pytest.approx(0.25), 0.0)


def test_a_singular_large_system_says_so():
    def f(x, a):
        return anp.sum(x) * np.ones(5000) - a

    with pytest.raises(ConvergenceError, match="GMRES left.*tangent_solve="):
        grad(
            lambda a: anp.sum(
                custom_root(f, np.ones(5000) / 5000, lambda g, x: x, args=(a,))[:7]
            )
        )(1.0)


def test_no_reference_cycles():
    def steps():
        grad(lambda a: fixed_point(lambda x, a: 1 + a / x, 1.0, (a,)))(1.0)
        jvp(lambda a: fixed_point(lambda x, a: 1 + a / x, 1.0, (a,)), (1.0,), (1.0,))

    steps()
    gc.collect()
    gc.disable()
    try:
        steps()
        found = gc.collect()
    finally:
        gc.enable()
    assert found == 0
