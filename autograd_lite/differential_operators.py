"""HIPS autograd's operators under its names and in its call forms, over ours.

For code written for HIPS autograd: `from autograd_lite.differential_operators import
grad, make_vjp`. They take `argnum`, an int or a tuple, and accept an output of one
element in any shape where `autograd_lite.grad` insists on a scalar. New code takes the
functions of `autograd_lite` itself; `docs/migration.md` compares the two.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import api, jacobians, tree
from .checkpointing import checkpoint as checkpoint
from .numpy.products import tensordot
from .numpy.shapes import reshape
from .ops.basic import real
from .reverse import as_array

Argnum = int | Sequence[int]
Fun = Callable[..., Any]


def grad(fun: Fun, argnum: Argnum = 0) -> Fun:
    """Return the function that computes the gradient of a function of one element.

    >>> import autograd_lite.numpy as np
    >>> grad(lambda x, y: np.reshape(x * y, (1, 1)), argnum=1)(3.0, 2.0)
    np.float64(3.0)
    """
    return api.grad(_scalar(fun), _argnums(argnum))


def value_and_grad(fun: Fun, argnum: Argnum = 0) -> Fun:
    """Return the function that computes the value, in its own shape, and gradient."""
    pair = api.value_and_grad(_with_value(fun), _argnums(argnum), has_aux=True)

    @functools.wraps(fun)
    def value_and_gradient(*args: Any, **kwargs: Any) -> Any:
        (_, value), x_bar = pair(*args, **kwargs)
        return value, x_bar

    return value_and_gradient


def grad_and_aux(fun: Fun, argnum: Argnum = 0) -> Fun:
    """Return the function that computes (gradient, aux) of one returning (y, aux).

    >>> grad_and_aux(lambda x: (x**2, {"x": x}))(3.0)
    (np.float64(6.0), {'x': np.float64(3.0)})
    """

    def pair(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        y, aux = fun(*args, **kwargs)
        return _squeezed(y), aux

    return api.grad(pair, _argnums(argnum), has_aux=True)


def grad_named(fun: Fun, argname: str) -> Fun:
    """Return the function that computes the gradient in the argument of this name."""
    return api.grad(_scalar(fun), wrt=argname)


def multigrad_dict(fun: Fun) -> Fun:
    """Return the function that computes the dict of gradients in all arguments.

    >>> gradients = multigrad_dict(lambda x, y=2.0: x * y)(3.0)
    >>> {name: float(x_bar) for name, x_bar in gradients.items()}
    {'x': 2.0, 'y': 3.0}
    """
    names = list(inspect.signature(fun).parameters)
    gradients = api.grad(_scalar(fun), wrt=names)

    @functools.wraps(fun)
    def named(*args: Any, **kwargs: Any) -> dict[str, Any]:
        return dict(zip(names, gradients(*args, **kwargs), strict=True))

    return named


def elementwise_grad(fun: Fun, argnum: int = 0) -> Fun:
    """Return the function that computes the sum of the rows of the Jacobian."""
    return jacobians.elementwise_grad(fun, argnum)


def deriv(fun: Fun, argnum: int = 0) -> Fun:
    """Return the function that computes the derivative along ones, in forward mode.

    >>> print(deriv(lambda x: x**3)(2.0))
    12.0
    """

    @functools.wraps(fun)
    def derivative(*args: Any, **kwargs: Any) -> Any:
        ones = tree.map(lambda x: np.ones_like(as_array(x)), _chosen(args, argnum))
        return make_jvp(fun, argnum)(*args, **kwargs)(ones)[1]

    return derivative


def jacobian(fun: Fun, argnum: Argnum = 0) -> Fun:
    """Return the function that computes all derivatives, `(*output, *input)`."""
    return jacobians.jacobian(fun, _argnums(argnum))


def hessian(fun: Fun, argnum: int = 0) -> Fun:
    """Return the function that computes second derivatives, of any output shape.

    >>> import autograd_lite.numpy as np
    >>> hessian(lambda x: x[:1] ** 2 * x[1])(np.array([1.0, 3.0])).shape
    (1, 2, 2)
    """
    return jacobian(jacobian(fun, argnum), argnum)


def holomorphic_grad(fun: Fun, argnum: int = 0) -> Fun:
    """Return the function that computes the derivative of a holomorphic one."""
    return grad(lambda *args, **kwargs: real(fun(*args, **kwargs)), argnum)


def make_vjp(fun: Fun, argnum: Argnum = 0) -> Fun:
    """Return the function from arguments to (pullback, output).

    >>> pullback, y = make_vjp(lambda x: 2 * x)(3.0)
    >>> print(pullback(1.0), y)
    2.0 6.0
    """

    @functools.wraps(fun)
    def pair(*args: Any, **kwargs: Any) -> tuple[Fun, Any]:
        y, pullback = api.vjp(*_of_one(fun, argnum, args, kwargs))
        return (lambda g: pullback(g)[0]), y

    return pair


def make_jvp(fun: Fun, argnum: Argnum = 0) -> Fun:
    """Return the function from arguments to a pushforward: tangent to (y, y_dot).

    >>> print(*make_jvp(lambda x: x**2)(3.0)(1.0))
    9.0 6.0
    """

    @functools.wraps(fun)
    def maker(*args: Any, **kwargs: Any) -> Fun:
        of_one, x = _of_one(fun, argnum, args, kwargs)
        return lambda x_dot: api.jvp(of_one, (x,), (x_dot,))

    return maker


def make_jvp_reversemode(fun: Fun, argnum: Argnum = 0) -> Fun:
    """Return the function from arguments to a function from tangent to y_dot.

    Forward mode is used all the same; it is the cheaper way to the same result.
    """

    @functools.wraps(fun)
    def maker(*args: Any, **kwargs: Any) -> Fun:
        push = make_jvp(fun, argnum)(*args, **kwargs)
        return lambda x_dot: push(x_dot)[1]

    return maker


def make_hvp(fun: Fun, argnum: Argnum = 0) -> Fun:
    """Return the function from arguments to (vector to Hessian product, gradient).

    >>> product, gradient = make_hvp(lambda x: x**3)(2.0)
    >>> print(product(1.0), gradient)
    12.0 12.0
    """
    return make_vjp(grad(fun, argnum), argnum)


def hessian_tensor_product(fun: Fun, argnum: int = 0) -> Fun:
    """Return the function of (*args, tensor) that computes Hessian times tensor."""

    @functools.wraps(fun)
    def product(*args: Any, **kwargs: Any) -> Any:
        *args_of_fun, tensor = args
        push = make_jvp(grad(fun, argnum), argnum)(*args_of_fun, **kwargs)
        return push(tensor)[1]

    return product


def tensor_jacobian_product(fun: Fun, argnum: int = 0) -> Fun:
    """Return the function of (*args, tensor) that computes tensor times Jacobian.

    The product sums over the first axes of the output, as many as the tensor has.
    """

    def contracted(*args: Any, **kwargs: Any) -> Any:
        *args_of_fun, tensor = args
        return tensordot(tensor, fun(*args_of_fun, **kwargs), np.ndim(tensor))

    return jacobian(contracted, argnum)


hessian_vector_product = hessian_tensor_product
vector_jacobian_product = tensor_jacobian_product


def _half_square(y: Any) -> Any:
    return (y**2).sum(-1) / 2


def make_ggnvp(f: Fun, g: Fun = _half_square, f_argnum: int = 0) -> Fun:
    """Return the function from arguments to the Gauss-Newton product of g(f(x)).

    The matrix is J^T H J, of the Jacobian J of f and the Hessian H of g.
    N. Schraudolph, 2002, "Fast Curvature Matrix-Vector Products".

    >>> product = make_ggnvp(lambda x: x[:2] * x[2])(np.array([1.0, 2.0, 3.0]))
    >>> product(np.array([1.0, 0.0, 0.0]))
    array([9., 0., 3.])
    """

    @functools.wraps(f)
    def maker(*args: Any, **kwargs: Any) -> Fun:
        pull, y = make_vjp(f, f_argnum)(*args, **kwargs)
        push = make_jvp_reversemode(f, f_argnum)(*args, **kwargs)
        curve = make_jvp_reversemode(grad(g))(y)
        return lambda v: pull(curve(push(v)))

    return maker


def _argnums(argnum: Argnum) -> Argnum:
    return argnum if isinstance(argnum, int) else tuple(argnum)


def _chosen(args: tuple[Any, ...], argnum: Argnum) -> Any:
    if isinstance(argnum, int):
        return args[argnum]
    return tuple([args[i] for i in argnum])


def _of_one(fun: Fun, argnum: Argnum, args: Any, kwargs: Any) -> tuple[Fun, Any]:
    """Return `fun` as a function of the chosen argument, or tuple of them, and that."""

    def of_one(x: Any) -> Any:
        new = list(args)
        pairs = [(argnum, x)] if isinstance(argnum, int) else zip(argnum, x)
        for i, value in pairs:
            new[i] = value
        return fun(*new, **kwargs)

    return of_one, _chosen(args, argnum)


def _scalar(fun: Fun) -> Fun:
    """Return `fun` with the shape of its one element removed."""

    @functools.wraps(fun)
    def scalar(*args: Any, **kwargs: Any) -> Any:
        return _squeezed(fun(*args, **kwargs))

    return scalar


def _with_value(fun: Fun) -> Fun:
    @functools.wraps(fun)
    def pair(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        y = fun(*args, **kwargs)
        return _squeezed(y), y

    return pair


def _squeezed(y: Any) -> Any:
    return reshape(y, ()) if getattr(y, "shape", ()) and y.size == 1 else y
