"""Running sums and products along an axis, products, and discrete convolution."""

from __future__ import annotations

import numpy as np

from ..core import defbatch, defjvp, defvjp, primitive
from .basic import cast, reshape
from .batch import batch_along_axes
from .elementwise import conj
from .index import getitem
from .shape import concatenate, crop, flip, pad, span


@primitive
def cumsum(x, *, axis):
    """Return the running sums along one axis."""
    return np.cumsum(x, axis)


def _cumsum_vjp(ans, x, *, axis):
    return lambda g: flip(cumsum(flip(g, axis=(axis,)), axis=axis), axis=(axis,))


defvjp(cumsum, _cumsum_vjp)
defjvp(cumsum, lambda x_dot, ans, x, *, axis: cumsum(x_dot, axis=axis))


# -- products, exact where factors are zero -------------------------------------------


@primitive
def cumprod(x, *, axis):
    """Return the running products along one axis."""
    return np.cumprod(x, axis)


def before(x, axis):
    """Return the product of the elements before each one."""
    n = x.shape[axis]
    ones = np.ones([1 if i == axis else k for i, k in enumerate(x.shape)], x.dtype)
    if n < 2:
        return span(ones, axis, 0, n)
    return concatenate(ones, cumprod(span(x, axis, 0, n - 1), axis=axis), axis=axis)


def shifted(x, axis):
    """Return x moved by one place along an axis, with a zero in front."""
    n = x.shape[axis]
    widths = tuple([(1, 0) if i == axis else (0, 0) for i in range(len(x.shape))])
    return pad(span(x, axis, 0, n - 1), widths=widths) if n else x


def _cumprod_vjp(ans, x, *, axis):
    """The element j stands in all products from j on, with the factors between."""

    def pull(g):
        turned = flip(x, axis=(axis,))
        after = recurrence(shifted(turned, axis), flip(g, axis=(axis,)), axis=axis)
        return before(x, axis) * flip(after, axis=(axis,))

    return pull


def _cumprod_jvp(x_dot, ans, x, *, axis):
    return recurrence(x, before(x, axis) * x_dot, axis=axis)


defvjp(cumprod, _cumprod_vjp)
defjvp(cumprod, _cumprod_jvp)


@primitive
def recurrence(a, b, *, axis):
    """Return y with y[j] = b[j] + a[j] * y[j - 1] along one axis, y[-1] = 0."""
    y = np.moveaxis(b.astype(np.result_type(a, b)), axis, 0)
    factors = np.moveaxis(a, axis, 0)
    for j in range(1, len(y)):
        y[j] += factors[j] * y[j - 1]
    return np.moveaxis(y, 0, axis)


def _backward(a, g, axis):
    """Return the cotangent of y, summed over all that each element leads to."""
    ahead = shifted(flip(a, axis=(axis,)), axis)
    return flip(recurrence(ahead, flip(g, axis=(axis,)), axis=axis), axis=(axis,))


def _recurrence_vjp_a(ans, a, b, *, axis):
    return lambda g: cast(_backward(a, g, axis) * shifted(ans, axis), a.dtype)


def _recurrence_vjp_b(ans, a, b, *, axis):
    return lambda g: cast(_backward(a, g, axis), b.dtype)


def _recurrence_jvp_a(a_dot, ans, a, b, *, axis):
    return cast(recurrence(a, a_dot * shifted(ans, axis), axis=axis), ans.dtype)


def _recurrence_jvp_b(b_dot, ans, a, b, *, axis):
    return cast(recurrence(a, b_dot, axis=axis), ans.dtype)


defvjp(recurrence, _recurrence_vjp_a, _recurrence_vjp_b)
defjvp(recurrence, _recurrence_jvp_a, _recurrence_jvp_b)


@primitive
def prod(x, *, axis):
    """Return the product along one axis."""
    return np.multiply.reduce(x, axis=axis)


def others(x, axis):
    """Return for each element the product of all others."""
    turned = flip(x, axis=(axis,))
    return before(x, axis) * flip(before(turned, axis), axis=(axis,))


def _prod_vjp(ans, x, *, axis):
    kept = tuple([1 if i == axis else n for i, n in enumerate(x.shape)])
    return lambda g: g.reshape(kept) * others(x, axis)


def _prod_jvp(x_dot, ans, x, *, axis):
    return (x_dot * others(x, axis)).sum(axis)


defvjp(prod, _prod_vjp)
defjvp(prod, _prod_jvp)

batch_along_axes(cumsum, cumprod, recurrence, prod)

# -- convolution of vectors -----------------------------------------------------------


@primitive
def convolve(x, y):
    """Return the full convolution of two vectors, of length n + m - 1."""
    return np.convolve(x, y)


def _convolve_vjp(i):
    def maker(ans, *xs):
        x, y = xs[i], xs[1 - i]
        n, m, dtype = x.shape[0], y.shape[0], x.dtype

        def pull(g):
            whole = convolve(g, flip(y, axis=(0,)))
            return cast(crop(whole, starts=(m - 1,), stops=(m - 1 + n,)), dtype)

        return pull

    return maker


defvjp(convolve, _convolve_vjp(0), _convolve_vjp(1))
defjvp(
    convolve,
    lambda x_dot, ans, x, y: convolve(x_dot, y),
    lambda y_dot, ans, x, y: convolve(x, y_dot),
)


def _convolve_batch(size, args, batched):
    """Multiply a matrix, or one for each element, whose rows are windows of x."""
    x, y = args
    if not batched[0] or (batched[1] and x.shape[-1] < y.shape[-1]):
        return _convolve_batch(size, (y, x), (batched[1], batched[0]))
    n, m = x.shape[1], y.shape[-1]
    padded = pad(x, widths=((0, 0), (m - 1, m - 1)))
    places = np.arange(n + m - 1)[:, None] + np.arange(m)[::-1]
    windows = getitem(padded, (slice(None), places))
    if not batched[1]:
        return windows @ y
    return reshape(windows @ reshape(y, shape=(*y.shape, 1)), shape=windows.shape[:2])


defbatch(convolve, _convolve_batch)


def correlate(x, y):
    """Return the full correlation of two vectors: y conjugated, and not reversed."""
    return convolve(x, flip(conj(y), axis=(0,)))
