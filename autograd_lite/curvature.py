"""Products with matrices of second derivatives, which are never formed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .api import Fun, grad, jvp, selector, vjp, wraps
from .jacobians import Argnums, Wrt, call


def hvp(fun: Fun, argnums: Argnums = 0, *, wrt: Wrt = None) -> Fun:
    """Return the function that computes products with the Hessian of a scalar function.

    Its last argument is the direction, a tree like the argument it differentiates, and
    so is the product. It costs a small multiple of the gradient; the Hessian is never
    formed. Many products at one point: `linearize(grad(fun), x)`.

    >>> import numpy as np
    >>> from autograd_lite import hvp
    >>> hvp(lambda x: (x**3).sum())(np.array([1.0, 2.0]), np.array([1.0, 10.0]))
    array([  6., 120.])
    """

    def product(f: Fun, x: Any, v: Any) -> Any:
        return jvp(grad(f), (x,), (v,))[1]

    return _along(fun, argnums, wrt, product, "Hessian product")


def ggnvp(model: Fun, loss: Fun, argnums: Argnums = 0, *, wrt: Wrt = None) -> Fun:
    """Return the function that computes generalised Gauss-Newton products.

    The matrix is J^T H J, of the Jacobian J of `model` and the Hessian H of the scalar
    function `loss` of the model's output, a tree. It is positive semi-definite where
    the loss is convex, and the Hessian of loss(model(x)) but for the curvature of the
    model. The function takes the arguments of `model`, then the direction, a tree like
    the argument that is differentiated, and so is the product.

    N. Schraudolph, 2002, "Fast Curvature Matrix-Vector Products for Second-Order
    Gradient Descent".

    >>> import numpy as np
    >>> from autograd_lite import ggnvp
    >>> product = ggnvp(lambda w, x: w * x, lambda y: (y**2).sum() / 2)
    >>> product(np.ones(2), np.array([1.0, 3.0]), np.array([1.0, 1.0]))
    array([1., 9.])
    """

    def product(f: Fun, x: Any, v: Any) -> Any:
        y, y_dot = jvp(f, (x,), (v,))
        g = jvp(grad(loss), (y,), (y_dot,))[1]
        return vjp(f, x)[1](g)[0]

    return _along(model, argnums, wrt, product, "Gauss-Newton product")


def _along(
    fun: Fun,
    argnums: Argnums,
    wrt: Wrt,
    product: Callable[[Fun, Any, Any], Any],
    what: str,
) -> Fun:
    """Return the function of the arguments of `fun` and a direction."""
    select = selector(fun, argnums, wrt)

    @wraps(fun, what)
    def along(*args: Any, **kwargs: Any) -> Any:
        *args_of_fun, direction = args
        x, rebuild = select(tuple(args_of_fun), kwargs)
        return product(lambda leaf: call(fun, rebuild(leaf)), x, direction)

    return along
