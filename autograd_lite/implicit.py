"""Implicit functions: solutions of equations, differentiated without their solver.

Whatever found x with f(x, a) = 0: dx/da = -(df/dx)^-1 df/da, by the implicit function
theorem. Reverse mode solves one linear system with the transposed Jacobian. No Jacobian
is formed for large systems, only products with it. The linear solution is an operation
of its own, which knows its transpose: so there are derivatives of any order and mode.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from . import tree
from .api import Fun, jvp, vjp
from .core import Primitive
from .custom import custom_vjp
from .errors import ArgumentError, ConvergenceError
from .ops.basic import add, cast, stop_gradient
from .ops.elementwise import negative, subtract
from .reverse import as_array

Solve = Callable[[Fun, Any], Any]

DENSE_UP_TO: Final = 256  # unknowns, for which the matrix is formed
DENSE_AFTER_FAILURE: Final = 4096  # unknowns, where GMRES does not converge


def custom_root(
    f: Fun,
    x0: Any,
    solve: Solve,
    tangent_solve: Solve | None = None,
    *,
    args: tuple[Any, ...] = (),
) -> Any:
    """Return the x with f(x, *args) = 0, differentiable with respect to `args`.

    Args:
        f: returns a tree like x. What is differentiated must be in `args`, and not be
            captured.
        x0: where to start; a tree of floats. It has zero gradient.
        solve: `solve(g, x0)` returns x with g(x) = 0, by whatever means; it is given
            plain arrays and never differentiated.
        tangent_solve: `tangent_solve(g, y)` returns x with g(x) = y, for a linear g on
            vectors `(n)`, the Jacobian or its transpose. By default a dense solution up
            to 256 unknowns, GMRES beyond.

    Raises `ConvergenceError` where GMRES does not converge.

    >>> from autograd_lite import grad
    >>> def newton(g, x):
    ...     for _ in range(20):
    ...         y, slope = jvp(g, (x,), (1.0,))
    ...         x = x - y / slope
    ...     return x
    >>> def root(a):
    ...     return custom_root(lambda x, a: x * x - a, 1.0, newton, args=(a,))
    >>> print(f"{root(4.0):.3f} {grad(root)(4.0):.3f} {grad(grad(root))(4.0):.5f}")
    2.000 0.250 -0.03125
    """
    if not isinstance(args, tuple):
        raise ArgumentError(
            f"custom_root: args={args!r}: expected a tuple; one is (a,)"
        )
    start, unravel = tree.ravel(tree.map(as_array, x0))
    start = stop_gradient(start)

    def equations(x: Any, args: tuple[Any, ...]) -> Any:
        y = f(x, *args)
        return tree.map(lambda _, leaf: as_array(leaf), x0, y)  # of one structure

    def residual(x: Any, args: tuple[Any, ...]) -> Any:
        return tree.ravel(equations(unravel(x), args))[0]

    def solve_flat(x: Any, args: tuple[Any, ...]) -> Any:
        found = solve(lambda x: equations(x, args), unravel(x))
        return tree.ravel(tree.map(as_array, found))[0]

    return unravel(root_of(residual, start, args, solve_flat, tangent_solve))


def fixed_point(
    f: Fun,
    x0: Any,
    args: tuple[Any, ...] = (),
    *,
    tol: float = 1e-10,
    maxiter: int = 1000,
    tangent_solve: Solve | None = None,
) -> Any:
    """Return the x with f(x, *args) = x, by iteration from x0; see `custom_root`.

    It ends when no element changes by more than `tol` times one plus its size. Raises
    `ConvergenceError` after `maxiter` steps.

    >>> import numpy as np
    >>> from autograd_lite import grad
    >>> def f(x, a):
    ...     return np.cos(a * x)
    >>> print(f"{fixed_point(f, 1.0, (1.0,)):.6f}")
    0.739085
    >>> print(f"{grad(lambda a: fixed_point(f, 1.0, (a,)))(1.0):.6f}")
    -0.297474
    """

    def difference(x: Any, *args: Any) -> Any:
        return tree.map(lambda y, x: subtract(y, x), f(x, *args), x)

    def iterate(g: Fun, x: Any) -> Any:
        for _ in range(maxiter):
            change = g(x)
            x = tree.map(add, x, change)
            if _small(change, x, tol):
                return x
        raise ConvergenceError(
            f"fixed_point: after {maxiter} steps x still changes by more than tol="
            f"{tol}. Start nearer, or damp: f(x) + (1 - c) * (x - f(x)) has the same "
            "fixed points"
        )

    return custom_root(difference, x0, iterate, tangent_solve, args=args)


def _small(change: Any, x: Any, tol: float) -> bool:
    pairs = zip(tree.leaves(change), tree.leaves(x))
    return all(bool(np.all(np.abs(d) <= tol * (1 + np.abs(v)))) for d, v in pairs)


def root_of(
    residual: Fun, x0: Any, args: Any, solve: Fun, tangent_solve: Solve | None = None
) -> Any:
    """Return the vector x with residual(x, args) = 0, that solve(x0, args) finds."""
    linear_solve = tangent_solve or solve_linear

    @custom_vjp
    def root(args: Any, x0: Any) -> Any:
        return _opaque(solve, "the solver of a root")(x0, args)

    def product(u: Any, at: tuple[Any, Any]) -> Any:
        x, args = at
        return jvp(lambda x: residual(x, args), (x,), (u,))[1]

    def forward(args: Any, x0: Any) -> Any:
        # Not `root`: with a rule that knows it, each would keep the other alive.
        x = root_of(residual, x0, args, solve, tangent_solve)
        return x, (x, args)

    def backward(at: tuple[Any, Any], g: Any) -> Any:
        x, args = at
        w = _linear(_transpose(product), product, linear_solve)(at, g)
        places, floats, rebuild = _floats_of(args)
        _, pull = vjp(lambda *xs: residual(x, rebuild(xs)), *floats)
        args_bar = [None] * len(tree.leaves(args))
        for i, bar in zip(places, pull(negative(w))):
            args_bar[i] = bar
        return tree.unflatten(tree.structure(args), args_bar), None

    root.defvjp(forward, backward)
    return root(args, x0)


def _linear(product: Fun, transposed: Fun, linear_solve: Solve) -> Fun:
    """Return the function of (at, b) that solves product(u, at) = b for u."""

    @custom_vjp
    def solution(at: Any, b: Any) -> Any:
        def run(b: Any, at: Any) -> Any:
            if not np.any(b):  # as where forward mode transposes a rule
                return np.zeros_like(b)
            return cast(linear_solve(lambda u: product(u, at), b), b.dtype)

        return _opaque(run, "the linear solver of a root")(b, at)

    def forward(at: Any, b: Any) -> Any:
        u = _linear(product, transposed, linear_solve)(at, b)
        return u, (at, u)

    def backward(kept: Any, g: Any) -> Any:
        at, u = kept
        w = _linear(transposed, product, linear_solve)(at, g)
        places, floats, rebuild = _floats_of(at)
        _, pull = vjp(lambda *xs: product(u, rebuild(xs)), *floats)
        at_bar = [None] * len(tree.leaves(at))
        for i, bar in zip(places, pull(negative(w))):
            at_bar[i] = bar
        return tree.unflatten(tree.structure(at), at_bar), w

    solution.defvjp(forward, backward)
    return solution


def _transpose(product: Fun) -> Fun:
    """Return the transposed product, of a square system."""

    def transposed(u: Any, at: Any) -> Any:
        zeros = np.zeros(u.shape, u.dtype)
        return vjp(lambda v: product(v, at), zeros)[1](u)[0]

    return transposed


def _floats_of(args: Any) -> tuple[list[int], list[Any], Fun]:
    """Return where the float leaves are, those leaves, and what puts others in."""
    leaves, treedef = tree.flatten(args)
    places = [i for i, leaf in enumerate(leaves) if _is_float(leaf)]

    def rebuild(xs: Any) -> Any:
        filled = list(leaves)
        for i, x in zip(places, xs, strict=True):
            filled[i] = x
        return tree.unflatten(treedef, filled)

    return places, [leaves[i] for i in places], rebuild


def _is_float(leaf: Any) -> bool:
    return isinstance(leaf, float) or getattr(leaf, "dtype", _BOOL).kind == "f"


_BOOL: Final = np.dtype(bool)


def _opaque(fun: Fun, name: str) -> Fun:
    """Return a function of (x, tree) that is given plain arrays, also within vmap."""

    def applied(x: Any, rest: Any) -> Any:
        leaves, treedef = tree.flatten(rest)
        kinds = [hasattr(leaf, "dtype") for leaf in leaves]
        constants = [None if k else leaf for leaf, k in zip(leaves, kinds)]

        def impl(x: Any, *arrays: Any) -> Any:
            given = iter(arrays)
            filled = [next(given) if k else c for c, k in zip(constants, kinds)]
            return fun(x, tree.unflatten(treedef, filled))

        arrays = [leaf for leaf, k in zip(leaves, kinds) if k]
        return Primitive(impl, name=name)(x, *arrays)

    return applied


def solve_linear(g: Fun, y: Any) -> Any:
    """Return the vector x with g(x) = y for a linear g: dense, or by GMRES if large."""
    if y.size <= DENSE_UP_TO:
        return _dense(g, y)
    x, rest = _gmres(g, y)
    if rest is None:
        return x
    if y.size <= DENSE_AFTER_FAILURE:
        return _dense(g, y)
    raise ConvergenceError(
        f"the derivative of a root: GMRES left a relative residual of {rest:.1e} in "
        f"{y.size} equations; give tangent_solve=, which knows the system"
    )


def _dense(g: Fun, y: Any) -> Any:
    columns = [g(row) for row in np.eye(y.size, dtype=y.dtype)]
    return np.linalg.solve(np.stack(columns, axis=1), y) if columns else y


def _gmres(g: Fun, y: Any) -> tuple[Any, float | None]:
    """Return a solution, and its relative residual where that is too large."""
    from scipy.sparse.linalg import LinearOperator, gmres

    operator = LinearOperator((y.size, y.size), matvec=g, dtype=y.dtype)
    rtol = 100 * float(np.finfo(y.dtype).eps)
    x, info = gmres(operator, y, rtol=rtol, atol=0.0, restart=50, maxiter=20)
    rest = float(np.linalg.norm(g(x) - y) / np.linalg.norm(y)) if info else None
    return x, rest
