"""Jacobians and Hessians of functions of trees, and products with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import tree
from .api import Fun, grad, jvp, selector, vjp, wraps
from .batching import move_axis
from .errors import DifferentiationTypeError
from .ops.basic import real, reshape, stack
from .reverse import as_array

Argnums = int | Sequence[int]
Wrt = str | Sequence[str] | None


def jacrev(fun: Fun, argnums: Argnums = 0, *, wrt: Wrt = None) -> Fun:
    """Return the function that computes all derivatives of `fun`, in reverse mode.

    One pass per output element: the cheaper way where `fun` has fewer outputs than
    inputs. Of an output `y: (*m)` and an argument `x: (*n)` the Jacobian is `(*m, *n)`;
    for trees, it is the tree of outputs with a tree of arguments at each leaf.
    `argnums` and `wrt` are those of `grad`.

    >>> from autograd_lite import jacrev
    >>> jacrev(lambda x: x[:2] * x[2])(np.array([1.0, 2.0, 3.0]))
    array([[3., 0., 1.],
           [0., 3., 2.]])
    """

    def by_rows(f: Fun, x: Any) -> Any:
        y, pullback = vjp(f, x)
        ys, ydef = tree.flatten(y)
        rows = []
        for i, leaf in enumerate(ys):
            bars = [
                tree.leaves(pullback(_basis(ydef, ys, i, j))[0])
                for j in range(leaf.size)
            ]
            rows.append(_from_rows(bars, leaf.shape, tree.leaves(x)))
        xdef = tree.structure(x)
        return tree.unflatten(ydef, [tree.unflatten(xdef, row) for row in rows])

    return _jacobian(fun, argnums, wrt, by_rows, "jacobian")


def jacfwd(fun: Fun, argnums: Argnums = 0, *, wrt: Wrt = None) -> Fun:
    """Return the function that computes all derivatives of `fun`, in forward mode.

    One pass per input element: the cheaper way where `fun` has fewer inputs than
    outputs. Shapes and arguments are those of `jacrev`.

    >>> from autograd_lite import jacfwd
    >>> jacfwd(lambda t: np.array([1.0, 2.0]) * t)(3.0)
    array([1., 2.])
    """

    def by_columns(f: Fun, x: Any) -> Any:
        xs, xdef = tree.flatten(x)
        columns, ydef = [], None
        for i, leaf in enumerate(map(as_array, xs)):
            dots = []
            for j in range(leaf.size):
                _, y_dot = jvp(f, (x,), (_basis(xdef, xs, i, j),))
                found, ydef = tree.flatten(y_dot)
                dots.append(found)
            columns.append(_from_columns(dots, leaf.shape))
        if ydef is None:  # no input elements: nothing was evaluated
            return jacrev(f)(x)
        rows = zip(*columns, strict=True)
        return tree.unflatten(ydef, [tree.unflatten(xdef, row) for row in rows])

    return _jacobian(fun, argnums, wrt, by_columns, "jacobian")


def jacobian(fun: Fun, argnums: Argnums = 0, *, wrt: Wrt = None) -> Fun:
    """Return the function that computes all derivatives of `fun`, the cheaper way.

    Forward mode where there are fewer input than output elements, else reverse. Shapes
    and arguments are those of `jacrev`.

    >>> from autograd_lite import jacobian
    >>> jacobian(lambda x: x**2)(np.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """

    def cheaper(f: Fun, x: Any) -> Any:
        y = f(x)
        forward = 0 < _elements(x) < _elements(y)
        return (jacfwd if forward else jacrev)(f)(x)

    return _jacobian(fun, argnums, wrt, cheaper, "jacobian")


def hessian(fun: Fun, argnums: Argnums = 0, *, wrt: Wrt = None) -> Fun:
    """Return the function that computes the second derivatives of a scalar function.

    Forward over reverse mode: one gradient's tangent per input element. For an argument
    `x: (*n)` the Hessian is `(*n, *n)`; for a tree, a tree of trees.

    >>> from autograd_lite import hessian
    >>> hessian(lambda x: x[0] ** 2 * x[1])(np.array([1.0, 2.0]))
    array([[4., 2.],
           [2., 0.]])
    """
    return _jacobian(fun, argnums, wrt, lambda f, x: jacfwd(grad(f))(x), "hessian")


def hvp(fun: Fun, argnums: int = 0, *, wrt: str | None = None) -> Fun:
    """Return the function that computes products with the Hessian of a scalar function.

    Its last argument is the direction, a tree like the argument it differentiates. A
    product costs a small multiple of the gradient; the Hessian is never formed.

    >>> from autograd_lite import hvp
    >>> hvp(lambda x: (x**3).sum())(np.array([1.0, 2.0]), np.array([1.0, 10.0]))
    array([  6., 120.])
    """
    select = selector(fun, argnums, wrt)

    @wraps(fun, "Hessian product")
    def product(*args: Any, **kwargs: Any) -> Any:
        *args_of_fun, direction = args
        x, rebuild = select(tuple(args_of_fun), kwargs)
        gradient = grad(lambda leaf: _call(fun, rebuild(leaf)))
        return jvp(gradient, (x,), (direction,))[1]

    return product


def elementwise_grad(fun: Fun, argnums: int = 0, *, wrt: str | None = None) -> Fun:
    """Return the function that computes the sum of the rows of the Jacobian.

    That is the derivative at each element, for a function that works element by
    element.

    >>> from autograd_lite import elementwise_grad
    >>> elementwise_grad(lambda x: x**2)(np.array([1.0, 2.0]))
    array([2., 4.])
    """
    select = selector(fun, argnums, wrt)

    @wraps(fun, "elementwise gradient")
    def gradient(*args: Any, **kwargs: Any) -> Any:
        x, rebuild = select(args, kwargs)
        y, pullback = vjp(lambda leaf: _call(fun, rebuild(leaf)), x)
        return pullback(tree.map(lambda leaf: np.ones(leaf.shape, leaf.dtype), y))[0]

    return gradient


def holomorphic_grad(fun: Fun, argnums: int = 0, *, wrt: str | None = None) -> Fun:
    """Return the function that computes the complex derivative of a holomorphic one.

    >>> from autograd_lite import holomorphic_grad
    >>> print(holomorphic_grad(lambda z: z**2)(1 + 2j))
    (2+4j)
    """
    return grad(lambda *args, **kwargs: real(fun(*args, **kwargs)), argnums, wrt=wrt)


def value_and_jacobian(fun: Fun, argnums: Argnums = 0, *, wrt: Wrt = None) -> Fun:
    """Return the function that computes `fun` and its Jacobian.

    >>> from autograd_lite import value_and_jacobian
    >>> value_and_jacobian(lambda x: x**2)(np.array([3.0]))
    (array([9.]), array([[6.]]))
    """
    derivative = jacobian(fun, argnums, wrt=wrt)

    @wraps(fun, "value and jacobian")
    def both(*args: Any, **kwargs: Any) -> Any:
        return fun(*args, **kwargs), derivative(*args, **kwargs)

    return both


def _jacobian(
    fun: Fun, argnums: Argnums, wrt: Wrt, compute: Callable[[Fun, Any], Any], what: str
) -> Fun:
    """Return the function that applies `compute` to the chosen arguments of `fun`."""
    select = selector(fun, argnums, wrt)

    @wraps(fun, what)
    def derivative(*args: Any, **kwargs: Any) -> Any:
        x, rebuild = select(args, kwargs)
        if any(as_array(leaf).dtype.kind == "c" for leaf in tree.leaves(x)):
            raise DifferentiationTypeError(
                f"the {what} of a function of complex numbers is not defined unless it "
                "is holomorphic; use holomorphic_grad, or vjp and jvp"
            )
        return compute(lambda leaf: _call(fun, rebuild(leaf)), x)

    return derivative


def _call(fun: Fun, arguments: tuple[Any, dict[str, Any]]) -> Any:
    args, kwargs = arguments
    return fun(*args, **kwargs)


def _elements(x: Any) -> int:
    return sum(as_array(leaf).size for leaf in tree.leaves(x))


def _basis(treedef: tree.TreeDef, leaves: Sequence[Any], i: int, j: int) -> Any:
    """Return the tree of zeros with a one at element j of leaf i."""
    zeros = [np.zeros(as_array(x).shape, as_array(x).dtype) for x in leaves]
    zeros[i].flat[j] = 1
    return tree.unflatten(treedef, zeros)


def _from_rows(rows: list[list[Any]], shape: Any, xs: Sequence[Any]) -> list[Any]:
    """Stack cotangents, one list per output element, to Jacobians."""
    if not rows:
        arrays = [as_array(x) for x in xs]
        return [np.zeros((*shape, *x.shape), x.dtype) for x in arrays]
    stacked = [stack(*column) for column in zip(*rows, strict=True)]
    return [reshape(s, shape=(*shape, *s.shape[1:])) for s in stacked]


def _from_columns(columns: list[list[Any]], shape: Any) -> list[Any]:
    """Stack tangents, one list per input element, to Jacobians."""
    found = []
    for parts in zip(*columns, strict=True):
        joined = move_axis(stack(*parts), 0, -1)
        found.append(reshape(joined, shape=(*joined.shape[:-1], *shape)))
    return found
