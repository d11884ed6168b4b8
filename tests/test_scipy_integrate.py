"""odeint: gradients against closed forms and finite differences."""

import numpy as np
import pytest
import scipy.integrate

import autograd_lite.numpy as anp
from autograd_lite import grad, jvp, vjp, vmap
from autograd_lite.errors import ShapeError, UnsupportedError
from autograd_lite.scipy.integrate import odeint

TIGHT = {"rtol": 1e-10, "atol": 1e-10}
TIMES = np.array([0.0, 0.3, 0.7, 1.5])


def pendulum(y, t, params):
    angle, speed = y[0], y[1]
    push = params["push"][0] * anp.cos(params["push"][1] * t)
    return anp.array([speed, -params["g"] * anp.sin(angle) + push])


PARAMS = {"g": 2.3, "push": np.array([0.5, 1.7])}
Y0 = np.array([0.4, -0.2])
WEIGHTS = np.random.default_rng(0).standard_normal((4, 2))


def loss(y0, t, params):
    return anp.sum(WEIGHTS * odeint(pendulum, y0, t, (params,), **TIGHT))


def moved(x, index, step):
    x = np.array(x, float)
    x[index] += step
    return x


def numerical(fun, x, step=1e-4):
    """Central differences of fourth order, of a scalar function of an array."""
    x = np.asarray(x, float)
    found = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        a, b = (
            (fun(moved(x, index, k * step)) - fun(moved(x, index, -k * step))) / (2 * k)
            for k in (1, 2)
        )
        found[index] = (4 * a - b) / (3 * step)
    return found


def test_values_are_scipys():
    expected = scipy.integrate.odeint(pendulum, Y0, TIMES, (PARAMS,))
    np.testing.assert_array_equal(odeint(pendulum, Y0, TIMES, (PARAMS,)), expected)
    traced, _ = vjp(lambda y: odeint(pendulum, y, TIMES, (PARAMS,)), Y0)
    np.testing.assert_array_equal(traced, expected)


def test_gradients_against_finite_differences():
    y_bar, t_bar, p_bar = grad(loss, (0, 1, 2))(Y0, TIMES, PARAMS)
    np.testing.assert_allclose(
        y_bar, numerical(lambda y: loss(y, TIMES, PARAMS), Y0), 1e-6
    )
    np.testing.assert_allclose(
        t_bar, numerical(lambda t: loss(Y0, t, PARAMS), TIMES), 1e-5
    )
    push = numerical(lambda p: loss(Y0, TIMES, PARAMS | {"push": p}), PARAMS["push"])
    np.testing.assert_allclose(p_bar["push"], push, 1e-6)
    g = numerical(lambda g: loss(Y0, TIMES, PARAMS | {"g": g}), PARAMS["g"])
    np.testing.assert_allclose(p_bar["g"], g, 1e-6)


def test_forward_mode_agrees_with_reverse_mode():
    rng = np.random.default_rng(1)
    y_dot, t_dot = rng.standard_normal(2), rng.standard_normal(4)
    p_dot = {"g": 0.7, "push": rng.standard_normal(2)}
    _, rate = jvp(loss, (Y0, TIMES, PARAMS), (y_dot, t_dot, p_dot))
    y_bar, t_bar, p_bar = grad(loss, (0, 1, 2))(Y0, TIMES, PARAMS)
    expected = y_dot @ y_bar + t_dot @ t_bar
    expected += p_dot["g"] * p_bar["g"] + p_dot["push"] @ p_bar["push"]
    np.testing.assert_allclose(rate, expected, 1e-6)


def growth(rate, y0=1.0, end=1.2):
    """exp(rate * end) * y0, the long way."""
    ys = odeint(lambda y, t, r: r * y, y0, anp.stack([0.0, end]), (rate,), **TIGHT)
    return ys[1, 0]


def test_second_derivatives():
    """Of exp(r t) y: t^2 exp(r t) y in r, (1 + r t) exp(r t) y in r and t."""
    r, y, t = 0.4, 1.3, 1.2
    value = np.exp(r * t) * y
    np.testing.assert_allclose(grad(grad(growth))(r, y, t), t * t * value, 1e-6)
    mixed = grad(lambda end: grad(growth)(r, y, end))(t)
    np.testing.assert_allclose(mixed, (1 + r * t) * value, 1e-6)
    forward = jvp(grad(growth), (r, y, t), (1.0, 0.0, 0.0))[1]
    np.testing.assert_allclose(forward, t * t * value, 1e-6)


def test_times_may_run_backwards():
    slope = grad(lambda r: odeint(lambda y, t, r: r * y, 2.0, [1.0, 0.0], (r,))[1, 0])
    np.testing.assert_allclose(slope(0.5), -2 * np.exp(-0.5), 1e-6)


def test_one_time_is_the_start():
    y, pullback = vjp(lambda y, t: odeint(lambda y, t: y, y, t), Y0, np.array([0.5]))
    np.testing.assert_array_equal(y, [Y0])
    y_bar, t_bar = pullback(np.array([[1.0, 2.0]]))
    np.testing.assert_array_equal(y_bar, [1, 2])
    np.testing.assert_array_equal(t_bar, [0])


def test_states_may_be_trees():
    def spring(state, t, k):
        return {"v": -k * state["x"], "x": state["v"]}

    def final(k, start):
        path = odeint(spring, start, TIMES, (k,), **TIGHT)
        assert path["x"].shape == (4, 2, 1)
        return anp.sum(path["x"][-1])

    start = {"x": np.ones((2, 1)), "v": np.zeros((2, 1))}
    k_bar, start_bar = grad(final, (0, 1))(2.0, start)
    w, end = np.sqrt(2.0), TIMES[-1]
    np.testing.assert_allclose(final(2.0, start), 2 * np.cos(w * end), 1e-8)
    np.testing.assert_allclose(k_bar, -2 * np.sin(w * end) * end / (2 * w), 1e-7)
    np.testing.assert_allclose(start_bar["x"], np.cos(w * end) * np.ones((2, 1)), 1e-7)
    np.testing.assert_allclose(start_bar["v"], np.sin(w * end) / w * np.ones((2, 1)))


def test_float32_gradients_stay():
    rate = np.array([0.3, 0.4], np.float32)
    y0 = np.ones(2, np.float32)
    fun = lambda r, y: odeint(lambda y, t, r: r * y, y, TIMES, (r,)).sum()  # noqa: E731
    r_bar, y_bar = grad(fun, (0, 1))(rate, y0)
    assert r_bar.dtype == y_bar.dtype == np.float32
    expected = (np.exp(np.outer(rate, TIMES)) * TIMES).sum(axis=1)
    np.testing.assert_allclose(r_bar, expected, 1e-5)


def test_constants_among_the_arguments():
    def slope(y, t, rate, power, name):
        assert name == "decay"
        return -rate * y**power

    fun = lambda r: odeint(slope, 1.0, [0, 1], (r, 2, "decay"))[1, 0]  # noqa: E731
    np.testing.assert_allclose(grad(fun)(0.5), -1 / 1.5**2, 1e-6)


def test_vmap_and_time_first():
    rates = np.array([0.1, 0.5])
    fun = lambda r: odeint(  # noqa: E731
        lambda t, y, r: r * y, 1.0, [0.0, 1.0], (r,), tfirst=True
    )[1, 0]
    np.testing.assert_allclose(vmap(fun)(rates), np.exp(rates), 1e-6)
    np.testing.assert_allclose(vmap(grad(fun))(rates), np.exp(rates), 1e-6)


def test_lists_as_slopes():
    fun = lambda g: odeint(lambda y, t, g: [y[1], -g], [0.0, 1.0], [0, 2], (g,))  # noqa: E731
    np.testing.assert_allclose(grad(lambda g: fun(g)[1, 0])(9.81), -2.0, 1e-6)


@pytest.mark.parametrize("start", [1.0, {"y": 1.0}])
def test_what_is_used_from_an_enclosing_scope_is_refused(start):
    def slope(y, t, rate):
        return {"y": -rate * y["y"]} if isinstance(y, dict) else -rate * y

    def fun(rate):
        return odeint(lambda y, t: slope(y, t, rate), start, [0, 1])

    with pytest.raises(UnsupportedError, match="args"):
        vjp(fun, 0.5)


def test_options_are_checked():
    with pytest.raises(UnsupportedError, match="full_output"):
        grad(lambda y: odeint(pendulum, y, TIMES, (PARAMS,), full_output=True))(Y0)
    with pytest.raises(ShapeError, match="times of shape"):
        grad(lambda y: odeint(pendulum, y, 1.0, (PARAMS,)).sum())(Y0)
