"""`scipy.optimize` over trees: minimisation with derivatives, differentiable solutions.

`minimize` gives SciPy's methods the gradients, Hessians or Hessian-vector products that
they can use. `root` and `fixed_point` are differentiable with respect to the equation's
other arguments, by the implicit function theorem: whatever iterations found x, with
f(x, a) = 0, dx/da = -(df/dx)^-1 df/da.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.optimize
from scipy.optimize import OptimizeResult

from .. import tree
from ..api import grad, jvp, value_and_grad
from ..errors import (
    ArgumentError,
    AutogradError,
    ConvergenceError,
    UnsupportedError,
)
from ..implicit import root_of
from ..jacobians import jacrev
from ..numpy.dispatch import operand
from ..ops.basic import reshape, stop_gradient
from .flat import (
    float_vector,
    guarded,
    has_tracer_leaf,
    parameters,
    start_of,
)

__all__ = ["OptimizeResult", "fixed_point", "minimize", "root"]

Fun = Callable[..., Any]
WITHOUT_GRADIENT = {"nelder-mead", "powell", "cobyla", "cobyqa"}
WITH_PRODUCTS = {"newton-cg", "trust-ncg", "trust-krylov", "trust-constr"}
WITH_HESSIAN = {"dogleg", "trust-exact"}
WITH_JACOBIAN = {"hybr", "lm"}
NOT_DIFFERENTIABLE = (
    "minimize is not differentiable. For the derivative of a minimum's place, find it "
    "outside of the differentiated function (or with stop_gradient around what is "
    "traced), and solve for a zero gradient from there: "
    "root(lambda x, *args: grad(fun)(x, *args), x, args).x"
)

# -- minimisation ---------------------------------------------------------------------


def minimize(
    fun: Fun,
    x0: Any,
    args: tuple[Any, ...] = (),
    method: str | None = None,
    *,
    bounds: Any = None,
    constraints: Any = (),
    tol: float | None = None,
    callback: Fun | None = None,
    options: dict[str, Any] | None = None,
) -> OptimizeResult:
    """Minimise a scalar function of a tree, with exact derivatives.

    Args:
        fun: `fun(x, *args)` returns a scalar; x is a tree like x0.
        x0: where to start: an array, or a tree of arrays of floats.
        method: any of SciPy's. Those that can are given Hessian-vector products
            (Newton-CG, trust-ncg, trust-krylov, trust-constr) or the Hessian (dogleg,
            trust-exact), all but the derivative-free ones the gradient.
        bounds: for an array x0 as in SciPy; for a tree a pair (low, high), each a tree
            like x0 or one number for all.
        constraints: as in SciPy, dicts with "type" and "fun", a function of the tree,
            whose Jacobian is supplied; for an array x0 SciPy's objects as well.
        callback: called as SciPy does, with trees instead of vectors.

    Returns SciPy's result, in which `x` and `jac` are trees like x0. SciPy computes in
    float64; leaves of other dtypes are rounded to them for every call of `fun`.

    The result is not differentiable: traced arguments raise `UnsupportedError`. The
    solution of `root` with the gradient of `fun` is.

    >>> import numpy as np
    >>> def fun(p, target):
    ...     return ((p["a"] - target) ** 2).sum() + (p["b"] + 1) ** 2
    >>> start = {"a": np.zeros(2), "b": 0.0}
    >>> found = minimize(fun, start, (np.array([1.0, 2.0]),))
    >>> print({name: np.round(leaf, 4) for name, leaf in found.x.items()})
    {'a': array([1., 2.]), 'b': np.float64(-1.0)}
    """
    args = args if isinstance(args, tuple) else (args,)
    if has_tracer_leaf(x0, args):
        raise UnsupportedError(NOT_DIFFERENTIABLE)
    if has_tracer_leaf(bounds) or has_tracer_leaf(tol):
        raise UnsupportedError(f"bounds or tol is traced. {NOT_DIFFERENTIABLE}")
    start = start_of(x0)
    flat, unravel = tree.ravel(start)
    flat = float_vector(flat)
    is_array = hasattr(start, "dtype")

    def objective(x: Any) -> Any:
        return fun(_tree_of(unravel, x, flat), *args)

    result = scipy.optimize.minimize(
        **_derivatives(objective, method),
        x0=flat,
        method=method,
        bounds=bounds if is_array else _flat_bounds(bounds, start),
        constraints=_flat_constraints(constraints, unravel, is_array),
        tol=tol,
        callback=callback and _on_trees(callback, unravel),
        options=options,
    )
    return _with_trees(result, unravel)


def _tree_of(unravel: Fun, x: Any, like: Any) -> Any:
    """Return the tree of a vector, which SciPy may have given another shape."""
    return unravel(reshape(operand(x), shape=like.shape))


def _derivatives(objective: Fun, method: str | None) -> dict[str, Any]:
    """Return the function and what its method can use of its derivatives."""
    name = (method or "").lower()
    if name in WITHOUT_GRADIENT:
        return {"fun": _plain(objective, "the objective")}
    value_and_gradient = _plain(value_and_grad(objective), "the objective")
    gradient = grad(objective)
    product = _plain(
        lambda x, direction: jvp(gradient, (x,), (direction,))[1],
        "the objective's Hessian",
    )

    given: dict[str, Any] = {"fun": value_and_gradient, "jac": True}
    if name in WITH_PRODUCTS:
        given["hessp"] = product
    if name in WITH_HESSIAN:
        given["hess"] = lambda x: np.stack([product(x, e) for e in np.eye(x.size)])
    return given


def _plain(fun: Fun, what: str) -> Fun:
    return guarded(fun, what, NOT_DIFFERENTIABLE)


def _flat_bounds(bounds: Any, start: Any) -> Any:
    if bounds is None:
        return None
    if not isinstance(bounds, tuple) or len(bounds) != 2:
        raise ArgumentError(
            f"bounds={bounds!r}: for a tree x0, expected a pair (low, high), each a "
            "tree like x0 or one number"
        )
    low, high = (_flat_bound(bound, start) for bound in bounds)
    return scipy.optimize.Bounds(low, high)


def _flat_bound(bound: Any, start: Any) -> Any:
    if np.ndim(bound) == 0 and not isinstance(bound, dict):
        bound = tree.map(lambda leaf: bound, start)
    return float_vector(
        tree.map(lambda leaf, b: np.broadcast_to(b, leaf.shape), start, bound)
    )


def _flat_constraints(constraints: Any, unravel: Fun, is_array: bool) -> Any:
    if isinstance(constraints, dict):
        return _flat_constraint(constraints, unravel)
    if not isinstance(constraints, (list, tuple)):
        constraints = [constraints]
    if not is_array and not all(isinstance(c, dict) for c in constraints):
        raise UnsupportedError(
            "constraints on a tree: only dicts with 'type' and 'fun' are supported"
        )
    return [
        _flat_constraint(c, unravel) if isinstance(c, dict) else c for c in constraints
    ]


def _flat_constraint(constraint: dict[str, Any], unravel: Fun) -> dict[str, Any]:
    fun, args = constraint["fun"], tuple(constraint.get("args", ()))

    def flat(x: Any) -> Any:
        return float_vector(fun(unravel(x), *args))

    return {
        "type": constraint["type"],
        "fun": _plain(flat, "a constraint"),
        "jac": constraint.get("jac") or _plain(jacrev(flat), "a constraint"),
    }


def _on_trees(callback: Fun, unravel: Fun) -> Fun:
    """Return a callback on vectors that calls the one on trees."""
    if set(inspect.signature(callback).parameters) == {"intermediate_result"}:

        def on_result(intermediate_result: Any) -> Any:
            return callback(
                intermediate_result=_with_trees(intermediate_result, unravel)
            )

        return on_result
    return lambda x, *state: callback(unravel(x), *state)


def _with_trees(result: Any, unravel: Fun) -> Any:
    """Return a result of SciPy's with trees instead of vectors."""
    found = OptimizeResult(result)
    for name in ("x", "jac", "grad"):
        if isinstance(found.get(name), np.ndarray) and found[name].ndim == 1:
            found[name] = unravel(found[name])
    return found


# -- roots and fixed points -----------------------------------------------------------


def root(
    fun: Fun,
    x0: Any,
    args: tuple[Any, ...] = (),
    method: str = "hybr",
    *,
    tol: float | None = None,
    options: dict[str, Any] | None = None,
) -> OptimizeResult:
    """Find x with fun(x, *args) = 0; x is differentiable with respect to `args`.

    Args:
        fun: returns as many numbers as x has, in an array or a tree.
        x0: where to start: an array, or a tree of arrays of floats.
        args: trees of arrays; everything that is to have a gradient must be here.
        method: any of SciPy's. "hybr" and "lm" are given the Jacobian.

    Returns SciPy's result, with `x` a tree like x0. With traced `args` only x, fun,
    success and message are there, and failure raises `ConvergenceError`. x0 has zero
    gradient.

    >>> from autograd_lite import grad
    >>> def half(a):
    ...     return root(lambda x, a: x * x - a, 1.0, (a,)).x
    >>> print(f"{grad(half)(4.0):.6f}")  # of sqrt(a): 1 / (2 sqrt(a))
    0.250000
    """
    args = args if isinstance(args, tuple) else (args,)
    flat, unravel, residual, theta = _flat_equation(fun, x0, args)

    def solve_plain(x0: Any, theta: Any) -> Any:
        def equation(x: Any) -> Any:
            return residual(x, theta)

        plain = guarded(equation, "the equation")
        slopes = jacrev(equation) if method in WITH_JACOBIAN else None
        return scipy.optimize.root(
            plain, x0, method=method, jac=slopes, tol=tol, options=options
        )

    def solver(x0: Any, theta: Any) -> Any:
        found = solve_plain(x0, theta)
        if not found.success:
            raise ConvergenceError(
                f"root, method {method!r}, found no solution: {found.message}. The "
                f"residuals are {found.fun}; try another x0, method or options."
            )
        return found.x

    if not has_tracer_leaf(x0, args):
        found = solve_plain(flat, theta)
        return OptimizeResult(found, x=unravel(found.x))
    x = root_of(residual, flat, theta, solver)
    rest = stop_gradient(residual(x, theta))
    message = "The solution converged; details are given without traced arguments."
    return OptimizeResult(x=unravel(x), fun=rest, success=True, message=message)


def fixed_point(
    func: Fun,
    x0: Any,
    args: tuple[Any, ...] = (),
    *,
    xtol: float = 1e-8,
    maxiter: int = 500,
    method: str = "del2",
) -> Any:
    """Return the x with func(x, *args) = x, differentiable with respect to `args`.

    Args:
        func: returns a tree like x.
        x0: where to start: an array, or a tree of arrays of floats; zero gradient.
        method: "del2", Steffensen's with Aitken's acceleration, or "iteration".

    Raises `ConvergenceError` after `maxiter` steps without one smaller than `xtol`.

    >>> import numpy as np
    >>> from autograd_lite import grad
    >>> print(f"{fixed_point(np.cos, 1.0):.6f}")
    0.739085
    """
    args = args if isinstance(args, tuple) else (args,)

    def difference(x: Any, *args: Any) -> Any:
        return tree.map(lambda y, x: y - x, func(x, *args), x)

    flat, unravel, residual, theta = _flat_equation(difference, x0, args)

    def solver(x0: Any, theta: Any) -> Any:
        plain = guarded(lambda x: residual(x, theta) + x, "the function")
        try:
            return scipy.optimize.fixed_point(
                plain, x0, xtol=xtol, maxiter=maxiter, method=method
            )
        except AutogradError:
            raise
        except RuntimeError as error:
            raise ConvergenceError(f"fixed_point: {error}") from error

    return unravel(root_of(residual, flat, theta, solver))


def _flat_equation(fun: Fun, x0: Any, args: tuple[Any, ...]) -> Any:
    """Return x0 as a vector, what undoes that, the equation, and its parameters."""
    start, unravel = tree.ravel(start_of(x0))
    start = float_vector(start)
    theta, rebuild = parameters(args)

    def residual(x: Any, theta: Any) -> Any:
        y = float_vector(fun(_tree_of(unravel, x, start), *rebuild(theta)))
        if y.shape != start.shape:
            raise ArgumentError(
                f"{start.size} unknowns need as many equations, but the function "
                f"returned {y.size} numbers"
            )
        return y

    return start, unravel, residual, theta
