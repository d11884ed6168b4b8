"""`scipy.integrate.odeint`, differentiable by the adjoint equation.

The gradient of an initial value problem solves another one, backwards in time, beside
the state itself (L. S. Pontryagin et al., 1962; R. T. Q. Chen et al., 2018, "Neural
ordinary differential equations"). The state is taken from the forward solution at each
output time, so that its error does not grow on the way back. Both are ordinary calls of
the same primitive, and derivatives of higher order follow.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.integrate

from .. import tree
from ..api import jvp, vjp
from ..core import defjvp, defvjp_argnums, primitive
from ..errors import ShapeError, UnsupportedError
from ..numpy import concatenate, stack, zeros
from ..numpy.dispatch import operand
from ..ops import reduce
from ..ops.basic import cast, reshape
from .flat import float_vector, guarded, has_tracer_leaf, parameters, start_of

__all__ = ["odeint"]

# Those that make sense for the adjoint equation as well, which has another state.
OPTIONS = {"rtol", "atol", "mxstep", "h0", "hmax", "hmin", "mxordn", "mxords"}


def odeint(
    func: Callable[..., Any],
    y0: Any,
    t: Any,
    args: tuple[Any, ...] = (),
    *,
    tfirst: bool = False,
    **options: Any,
) -> Any:
    """Return the solution of dy/dt = func(y, t, *args) at the times t.

    Args:
        func: returns dy/dt, like y. With `tfirst` it is called as func(t, y, *args).
        y0: the state at t[0]: a vector, or a tree of arrays.
        t: (n,) increasing or decreasing times.
        args: trees of arrays; everything that func depends on and that is to have a
            gradient must be here, not in an enclosing scope.
        options: SciPy's `rtol` and `atol` (one number each), `mxstep`, `h0`, `hmax`,
            `hmin`, `mxordn` and `mxords`. They hold for the adjoint equation as well.

    Returns (n, y0.size), or the tree with an axis of length n first. Without a tracer
    and for a vector y0 this is SciPy's `odeint`, every option included.

    Gradients with respect to y0, t and args are those of the exact solution, within the
    tolerances: not the exact gradients of the steps taken.

    >>> import numpy as np
    >>> from autograd_lite import grad
    >>> def decay(rate):
    ...     return odeint(lambda y, t, rate: -rate * y, 1.0, [0.0, 2.0], (rate,))[1, 0]
    >>> print(f"{grad(decay)(0.5):.6f}")  # -2 exp(-1)
    -0.735759
    """
    args = args if isinstance(args, tuple) else (args,)
    state = start_of(y0)
    is_vector = hasattr(state, "dtype")
    if is_vector and not has_tracer_leaf(state, t, args):
        plain = guarded(func, "the right-hand side")
        return scipy.integrate.odeint(plain, y0, t, args, tfirst=tfirst, **options)
    _check(options)
    flat, unravel = tree.ravel(state)
    theta, rebuild = parameters(args)
    as_state = (lambda y: y) if is_vector else unravel

    def slope(y: Any, t: Any, theta: Any) -> Any:
        state, given = as_state(y), rebuild(theta)
        dy = func(t, state, *given) if tfirst else func(state, t, *given)
        return float_vector(dy)

    times = cast(operand(t), np.dtype(float)) if has_tracer_leaf(t) else np.asarray(t)
    frozen = tuple(sorted(options.items()))
    ys = trajectory(float_vector(flat), times, theta, slope=slope, options=frozen)
    if is_vector:
        return ys
    n = times.shape[0]
    rows = [unravel(ys[i]) for i in range(n)]
    return tree.map(lambda *states: stack(states), *rows)


def _check(options: dict[str, Any]) -> None:
    unknown = {
        name
        for name, value in options.items()
        if name not in OPTIONS or np.ndim(value) > 0
    }
    if unknown:
        raise UnsupportedError(
            f"odeint: {', '.join(sorted(unknown))} not supported for traced arrays, or "
            f"for trees. Supported are {', '.join(sorted(OPTIONS))}, one number each."
        )


@primitive
def trajectory(y0: Any, t: Any, theta: Any, *, slope: Any, options: Any) -> Any:
    """Return the solution (n, d) of dy/dt = slope(y, t, theta) at t: (n,), y0: (d,)."""
    if t.ndim != 1 or not t.size:
        raise ShapeError(f"odeint: times of shape {t.shape}; expected a vector")
    plain = guarded(slope, "the right-hand side")
    return scipy.integrate.odeint(
        lambda y, t: plain(y, np.float64(t), theta), y0, t, **dict(options)
    )


def _with_cotangents(slope: Any, n: int) -> Any:
    """Return the right-hand side of (y, y_bar, theta_bar): state and adjoint."""

    def adjoint(both: Any, t: Any, theta: Any) -> Any:
        y, y_bar = both[:n], both[n : 2 * n]
        dy, pullback = vjp(lambda y, theta: slope(y, t, theta), y, theta)
        change, drift = pullback(y_bar)
        return concatenate([dy, -change, -cast(drift, np.dtype(float))])

    return adjoint


def _trajectory_vjp(argnums: Any, ans: Any, args: Any, params: Any) -> Any:
    y0, t, theta = args
    slope, options = params["slope"], params["options"]
    n, adjoint = y0.size, _with_cotangents(params["slope"], y0.size)

    def pull(g: Any) -> tuple[Any, ...]:
        y_bar, theta_bar = g[-1], zeros(theta.shape)
        t_bars = []
        for i in range(len(t) - 1, 0, -1):
            t_bars.append(reduce.sum(slope(ans[i], t[i], theta) * g[i], axis=(0,)))
            both = concatenate([ans[i], y_bar, theta_bar])
            back = stack([t[i], t[i - 1]])
            both = trajectory(both, back, theta, slope=adjoint, options=options)[1]
            before, theta_bar = both[n : 2 * n], both[2 * n :]
            if i == 1:
                start = reduce.sum(slope(ans[0], t[0], theta) * before, axis=(0,))
                t_bars.append(-start)
            y_bar = before + g[i - 1]
        t_bar = stack(t_bars[::-1]) if t_bars else zeros(t.shape)
        return tuple([(y_bar, t_bar, cast(theta_bar, theta.dtype))[i] for i in argnums])

    return pull


defvjp_argnums(trajectory, _trajectory_vjp)


def _with_tangents(slope: Any, n: int, m: int) -> Any:
    """Return the right-hand side of (y, y_dot), given (theta, theta_dot)."""

    def sensitivity(both: Any, t: Any, thetas: Any) -> Any:
        dy, change = jvp(
            lambda y, theta: slope(y, t, theta),
            (both[:n], thetas[:m]),
            (both[n:], thetas[m:]),
        )
        return concatenate([dy, change])

    return sensitivity


def _sensitivity(
    y_dot: Any, theta_dot: Any, args: Any, slope: Any, options: Any
) -> Any:
    """Return the tangent of the solution, by the equation that it solves."""
    y0, t, theta = args
    n = y0.size
    both = trajectory(
        concatenate([y0, y_dot]),
        t,
        concatenate([theta, theta_dot]),
        slope=_with_tangents(slope, n, theta.size),
        options=options,
    )
    return both[:, n:]


def _jvp_t(t_dot: Any, ans: Any, y0: Any, t: Any, theta: Any, **params: Any) -> Any:
    """Move along the solution; a later start moves it back."""
    slope = params["slope"]
    slopes = stack([slope(ans[i], t[i], theta) for i in range(len(t))])
    delay = -slopes[0] * t_dot[0]
    moved = _sensitivity(delay, zeros(theta.shape), (y0, t, theta), **params)
    change = moved + slopes * reshape(t_dot, shape=(*t_dot.shape, 1))
    return concatenate([zeros((1, y0.size)), change[1:]])


defjvp(
    trajectory,
    lambda y_dot, ans, y0, t, theta, **params: _sensitivity(
        y_dot, zeros(theta.shape, theta.dtype), (y0, t, theta), **params
    ),
    _jvp_t,
    lambda theta_dot, ans, y0, t, theta, **params: _sensitivity(
        zeros(y0.shape), theta_dot, (y0, t, theta), **params
    ),
)
