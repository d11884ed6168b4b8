"""Moving elements: transpose, flip, roll, pad, diagonals, triangles, joins.

Reshaping and broadcasting are in `basic`. All are linear, and the rule of each is its
transpose, which is in the family again.
"""

from __future__ import annotations

from itertools import accumulate

import numpy as np

from ..core import defbatch, defjvp, defjvp_argnums, defvjp, defvjp_argnums, primitive
from .basic import broadcast_to, cast, filled, reshape, stack, transpose
from .batch import batch_along_axes, batch_stacks, every

__all__ = ["broadcast_to", "reshape", "stack", "transpose"]  # defined in basic


def swap_last(x):
    """Return x with its last two axes exchanged, a view."""
    n = len(x.shape)
    return transpose(x, axes=(*range(n - 2), n - 1, n - 2))


@primitive
def flip(x, *, axis):
    """Return x with the order of elements reversed along the axes `axis`, a view."""
    turned = slice(None, None, -1)
    return x[tuple([turned if i in axis else slice(None) for i in range(x.ndim)])]


defvjp(flip, lambda ans, x, *, axis: lambda g: flip(g, axis=axis))
defjvp(flip, lambda x_dot, ans, x, *, axis: flip(x_dot, axis=axis))


@primitive
def roll(x, *, shift, axis):
    """Return x rolled by `shift[i]` places along each `axis[i]`."""
    return np.roll(x, shift, axis)


def _roll_vjp(ans, x, *, shift, axis):
    back = tuple([-n for n in shift])
    return lambda g: roll(g, shift=back, axis=axis)


defvjp(roll, _roll_vjp)
defjvp(roll, lambda x_dot, ans, x, **params: roll(x_dot, **params))

# -- padding --------------------------------------------------------------------------


@primitive
def pad(x, *, widths, value=0.0):
    """Return x with `widths[i] = (before, after)` elements added along each axis."""
    shape = tuple([n + before + after for n, (before, after) in zip(x.shape, widths)])
    padded = np.full(shape, value, x.dtype)
    padded[_inside(x.shape, widths)] = x
    return padded


def _inside(shape, widths):
    return tuple([slice(before, before + n) for n, (before, _) in zip(shape, widths)])


def _pad_vjp(ans, x, *, widths, value=0.0):
    stops = tuple([before + n for n, (before, _) in zip(x.shape, widths)])
    starts = tuple([before for before, _ in widths])
    return lambda g: crop(g, starts=starts, stops=stops)


defvjp(pad, _pad_vjp)
defjvp(pad, lambda x_dot, ans, x, *, widths, value=0.0: pad(x_dot, widths=widths))


@primitive
def crop(x, *, starts, stops):
    """Return the box from `starts` to `stops`, a view: the transpose of `pad`."""
    return x[tuple([slice(*ends) for ends in zip(starts, stops)])]


def _crop_vjp(ans, x, *, starts, stops):
    widths = tuple([(a, n - b) for a, b, n in zip(starts, stops, x.shape)])
    return lambda g: pad(g, widths=widths)


defvjp(crop, _crop_vjp)
defjvp(crop, lambda x_dot, ans, x, **params: crop(x_dot, **params))

# -- joining --------------------------------------------------------------------------


@primitive
def concatenate(*xs, axis):
    """Return arrays joined along an existing axis."""
    return np.concatenate(xs, axis)


def _concatenate_vjp(argnums, ans, xs, params):
    axis = params["axis"]
    stops = list(accumulate([x.shape[axis] for x in xs]))
    lengths = [xs[i].shape[axis] for i in argnums]
    dtypes = [xs[i].dtype for i in argnums]

    def pull(g):
        parts = [
            cast(span(g, axis, stops[i] - n, stops[i]), dtype)
            for i, n, dtype in zip(argnums, lengths, dtypes)
        ]
        return tuple(parts)

    return pull


def _concatenate_jvp(argnums, x_dots, ans, xs, params):
    return cast(concatenate(*filled(argnums, x_dots, xs), **params), ans.dtype)


defvjp_argnums(concatenate, _concatenate_vjp)
defjvp_argnums(concatenate, _concatenate_jvp)


def span(x, axis, start, stop):
    """Return the elements from `start` to `stop` along one axis, a view."""
    shape = x.shape
    starts = tuple([start if i == axis else 0 for i in range(len(shape))])
    stops = tuple([stop if i == axis else n for i, n in enumerate(shape)])
    return crop(x, starts=starts, stops=stops)


# -- diagonals and triangles ----------------------------------------------------------


@primitive
def diagonal(x, *, offset=0):
    """Return a diagonal of the last two axes, as a new last axis, a view."""
    return np.diagonal(x, offset, -2, -1)


def _diagonal_vjp(ans, x, *, offset=0):
    size = x.shape[-2:]
    return lambda g: place_diagonal(g, size=size, offset=offset)


defvjp(diagonal, _diagonal_vjp)
defjvp(diagonal, lambda x_dot, ans, x, **params: diagonal(x_dot, **params))


@primitive
def place_diagonal(x, *, size, offset=0):
    """Return matrices of `size` with the last axis of x on a diagonal, else zero."""
    placed = np.zeros((*x.shape[:-1], *size), x.dtype)
    if placed.size:
        rows = np.arange(x.shape[-1]) + (-offset if offset < 0 else 0)
        placed[..., rows, rows + offset] = x
    return placed


defvjp(
    place_diagonal,
    lambda ans, x, *, size, offset=0: lambda g: diagonal(g, offset=offset),
)
defjvp(place_diagonal, lambda x_dot, ans, x, **params: place_diagonal(x_dot, **params))


@primitive
def tril(x, *, k=0):
    """Return matrices with the elements above the k-th diagonal set to zero."""
    return np.tril(x, k)


defvjp(tril, lambda ans, x, *, k=0: lambda g: tril(g, k=k))
defjvp(tril, lambda x_dot, ans, x, *, k=0: tril(x_dot, k=k))


@primitive
def triu(x, *, k=0):
    """Return matrices with the elements below the k-th diagonal set to zero."""
    return np.triu(x, k)


defvjp(triu, lambda ans, x, *, k=0: lambda g: triu(g, k=k))
defjvp(triu, lambda x_dot, ans, x, *, k=0: triu(x_dot, k=k))

# -- batching -------------------------------------------------------------------------


def _pad_batch(size, args, batched, *, widths, value=0.0):
    return pad(*args, widths=((0, 0), *widths), value=value)


def _crop_batch(size, args, batched, *, starts, stops):
    return crop(*args, starts=(0, *starts), stops=(size, *stops))


def _stack_batch(size, args, batched):
    """Join along a new axis 1: the first is that of the elements."""
    xs = every(size, args, batched)
    parts = [reshape(x, shape=(size, 1, *x.shape[1:])) for x in xs]
    return concatenate(*parts, axis=1)


defbatch(pad, _pad_batch)
defbatch(crop, _crop_batch)
defbatch(stack, _stack_batch)
batch_along_axes(flip, roll, concatenate)
batch_stacks(diagonal, place_diagonal, tril, triu)
