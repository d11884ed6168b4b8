"""Functions of matrices, Sylvester's equation, triangular systems: values from SciPy.

The rules: N. J. Higham, 2008, "Functions of Matrices", chapter 3. With the cotangents
of this library, which are not conjugated, transposes stand where the book has adjoints.
Leading axes are a stack of matrices.
"""

from __future__ import annotations

from functools import cache
from types import ModuleType

import numpy as np

from ..core import defjvp, defvjp, defvjp_argnums, primitive
from .basic import cast, unbroadcast
from .batch import batch_stacks
from .inverses import batch_systems
from .shape import concatenate, span, swap_last, tril, triu


@cache
def scipy_linalg() -> ModuleType:
    """Return `scipy.linalg`; imported on first use, because that takes long."""
    import scipy.linalg

    return scipy.linalg


# -- functions of matrices ------------------------------------------------------------


@primitive
def matrix_function(x, *, name):
    """Return f(x) of matrices x: (..., n, n), f being `scipy.linalg`'s of that name.

    f must be analytic: expm, logm, sqrtm, sinm, cosm, tanm, sinhm, coshm or tanhm.
    """
    return getattr(scipy_linalg(), name)(x)


@primitive
def frechet(x, e, *, name):
    """Return the derivative of `matrix_function` at x in the direction e.

    The corner of f([[x, e], [0, x]]) (R. Mathias, 1996, "A chain rule for matrix
    functions and applications"), or of a cheaper form where there is one.
    """
    if name == "expm":
        return _each(_frechet_of_expm, x, e)
    if name == "sqrtm":
        root = scipy_linalg().sqrtm(x)
        return scipy_linalg().solve_sylvester(root, root, e)
    return corner(matrix_function(doubled(x, e), name=name))


def _frechet_of_expm(x, e):
    return scipy_linalg().expm_frechet(x, e, compute_expm=False)


def _each(fun, x, e):
    """Apply a function of two matrices to stacks of them; the result in their dtype."""
    n = x.shape[-2:]
    pairs = zip(x.reshape(-1, *n), e.reshape(-1, *n))
    found = np.array([fun(a, b) for a, b in pairs]).reshape(x.shape)
    return found.astype(np.result_type(x, e), copy=False)


def doubled(x, e):
    """Return the block matrices [[x, e], [0, x]]."""
    last = len(x.shape) - 1
    top = concatenate(x, e, axis=last)
    bottom = concatenate(np.zeros(x.shape, x.dtype), x, axis=last)
    return concatenate(top, bottom, axis=last - 1)


def corner(x):
    """Return the upper right quarters of matrices."""
    axis, n = len(x.shape) - 1, x.shape[-1] // 2
    return span(span(x, axis, n, 2 * n), axis - 1, 0, n)


def _function_vjp(ans, x, *, name):
    back, dtype = swap_last(x), x.dtype
    return lambda g: cast(frechet(back, g, name=name), dtype)


defvjp(matrix_function, _function_vjp)
defjvp(
    matrix_function,
    lambda x_dot, ans, x, *, name: cast(frechet(x, x_dot, name=name), ans.dtype),
)


def _frechet_vjp_x(ans, x, e, *, name):
    """The second derivative is symmetric in its directions: e and g change places."""
    dtype = x.dtype

    def pull(g):
        at = doubled(swap_last(x), swap_last(e))
        along = doubled(g, np.zeros(g.shape, g.dtype))
        return cast(corner(frechet(at, along, name=name)), dtype)

    return pull


def _frechet_vjp_e(ans, x, e, *, name):
    back, dtype = swap_last(x), e.dtype
    return lambda g: cast(frechet(back, g, name=name), dtype)


def _frechet_jvp_x(x_dot, ans, x, e, *, name):
    along = doubled(x_dot, np.zeros(x_dot.shape, x_dot.dtype))
    return cast(corner(frechet(doubled(x, e), along, name=name)), ans.dtype)


def _frechet_jvp_e(e_dot, ans, x, e, *, name):
    return cast(frechet(x, e_dot, name=name), ans.dtype)


defvjp(frechet, _frechet_vjp_x, _frechet_vjp_e)
defjvp(frechet, _frechet_jvp_x, _frechet_jvp_e)
batch_stacks(matrix_function, frechet)

# -- linear equations -----------------------------------------------------------------


@primitive
def solve_sylvester(a, b, q):
    """Return the x with a @ x + x @ b = q for a: (m, m), b: (n, n), q: (m, n)."""
    return scipy_linalg().solve_sylvester(a, b, q)


def _sylvester_vjp(argnums, ans, args, params):
    a, b, q = args

    def pull(g):
        q_bar = solve_sylvester(swap_last(a), swap_last(b), g)
        x = swap_last(ans)
        x_bars = {2: q_bar}
        if 0 in argnums:
            x_bars[0] = -q_bar @ x
        if 1 in argnums:
            x_bars[1] = -x @ q_bar
        return tuple([_like(x_bars[i], args[i]) for i in argnums])

    return pull


def _like(x_bar, x):
    return cast(unbroadcast(x_bar, x.shape), x.dtype)


defvjp_argnums(solve_sylvester, _sylvester_vjp)
defjvp(
    solve_sylvester,
    lambda a_dot, ans, a, b, q: -solve_sylvester(a, b, a_dot @ ans),
    lambda b_dot, ans, a, b, q: -solve_sylvester(a, b, ans @ b_dot),
    lambda q_dot, ans, a, b, q: solve_sylvester(a, b, q_dot),
)


@primitive
def solve_triangular(a, b, *, lower, unit=False):
    """Return the x with a @ x = b for triangular a: (..., n, n), b: (..., n, k).

    The other triangle of `a` is not read, nor with `unit` the diagonal: ones are there.
    """
    return scipy_linalg().solve_triangular(a, b, lower=lower, unit_diagonal=unit)


def triangle(x, lower, unit):
    """Return the part of matrices that `solve_triangular` reads; zeros elsewhere."""
    return tril(x, k=-int(unit)) if lower else triu(x, k=int(unit))


def _triangular_vjp(argnums, ans, args, params):
    a, b = args
    lower, unit = params["lower"], params.get("unit", False)

    def pull(g):
        b_bar = solve_triangular(swap_last(a), g, lower=not lower, unit=unit)
        a_bar = -b_bar @ swap_last(ans) if 0 in argnums else None
        return tuple(
            [
                _like(b_bar, b) if i else triangle(_like(a_bar, a), lower, unit)
                for i in argnums
            ]
        )

    return pull


def _triangular_jvp_a(a_dot, ans, a, b, *, lower, unit=False):
    change = triangle(a_dot, lower, unit) @ ans
    return -solve_triangular(a, change, lower=lower, unit=unit)


defvjp_argnums(solve_triangular, _triangular_vjp)
defjvp(
    solve_triangular,
    _triangular_jvp_a,
    lambda b_dot, ans, a, b, **params: solve_triangular(a, b_dot, **params),
)
batch_stacks(solve_sylvester)
batch_systems(solve_triangular)
