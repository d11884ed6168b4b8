"""Products of arrays: matmul and einsum."""

from __future__ import annotations

from string import ascii_letters

import numpy as np

from ..core import (
    defbatch,
    defjvp,
    defjvp_argnums,
    defvjp,
    defvjp_argnums,
    primitive,
)
from .basic import align, cast, reshape, sum, unbroadcast
from .shape import swap_last

# Products with fewer multiplications go to NumPy without asking our own kernel: the
# question alone would cost more than what it can gain, and it loads Numba. OpenBLAS
# starts threads just above this; beside Numba's they made one product take 3 ms.
SMALL_PRODUCT = 1 << 18

# -- matmul ---------------------------------------------------------------------------


def product(x, y):
    """Return x @ y: by our kernel where that is faster, else by NumPy."""
    if x.ndim == 2 and y.ndim == 2 and x.size * y.shape[1] >= SMALL_PRODUCT:
        (m, k), n = x.shape, y.shape[1]
        if y.shape[0] == k and x.dtype == y.dtype and x.dtype.char in "fd":
            from ..kernels import gemm

            if gemm.worthwhile(m, k, n):
                return gemm.matmul(x, y)
    elif x.ndim == 3 == y.ndim and x.shape[2] == 1 and _is_many_outer(x, y):
        from ..kernels import outer

        return outer.outer_products(x[:, :, 0], y[:, 0])
    elif (x.ndim == 3 or y.ndim == 3) and _is_large_stack(x, y):
        from ..kernels import gemm

        if gemm.worthwhile(x.shape[-2], x.shape[-1], y.shape[-1]):
            return gemm.stacked(x, y)
    return np.matmul(x, y)


def _is_large_stack(x, y):
    """Return whether matrices, some in a stack, are large each and of one dtype."""
    if not (2 <= x.ndim <= 3 and 2 <= y.ndim <= 3 and x.shape[-1] == y.shape[-2]):
        return False
    same = x.dtype == y.dtype and x.dtype.char in "fd"
    aligned = x.ndim != y.ndim or x.shape[0] == y.shape[0]
    (m, k), n = x.shape[-2:], y.shape[-1]
    return same and aligned and 0 not in (len(x), len(y)) and m * k * n >= SMALL_PRODUCT


def _is_many_outer(x, y):
    """Return whether columns times rows are so many that our kernel is faster."""
    same = x.dtype == y.dtype and x.dtype.char in "fd"
    fits = x.shape[0] == y.shape[0] > 1 and y.shape[1] == 1
    return same and fits and x.size * y.shape[2] >= SMALL_PRODUCT


@primitive
def matmul(x, y):
    """Return x @ y for x: (..., m, k), y: (..., k, n); vectors stand for matrices."""
    return product(x, y)


def _matmul_vjp_x(ans, x, y):
    shape, dtype = x.shape, x.dtype

    def pull(g):
        if len(y.shape) == 1:
            x_bar = (_with_axis(g, -1) if len(shape) > 1 else g) * y
        elif len(shape) == 1:
            x_bar = matmul(_with_axis(g, -2), swap_last(y))
        else:
            x_bar = matmul(g, swap_last(y))
        return _shaped(x_bar, shape, dtype)

    return pull


def _matmul_vjp_y(ans, x, y):
    shape, dtype = y.shape, y.dtype

    def pull(g):
        if len(x.shape) == 1:
            y_bar = x * g if len(shape) == 1 else _with_axis(x, -1) * _with_axis(g, -2)
        elif len(shape) == 1:  # one product, not a sum of multiples of rows
            y_bar = matmul(reshape(g, shape=(_size(g.shape),)), _rows(x))
        elif len(shape) == 2 and len(x.shape) > 2:  # one product for the whole batch
            y_bar = matmul(swap_last(_rows(x)), _rows(g))
        else:
            y_bar = matmul(swap_last(x), g)
        return _shaped(y_bar, shape, dtype)

    return pull


def _shaped(x_bar, shape, dtype):
    """Sum a cotangent over broadcast leading axes, drop the axis of a vector, cast."""
    if x_bar.shape != shape:
        lead = x_bar.ndim - len(shape)
        if len(shape) == 1:
            x_bar = sum(x_bar, axis=tuple(range(lead)))  # not the vector's own axis
        else:
            x_bar = unbroadcast(x_bar, shape)
    return cast(x_bar, dtype)


def _with_axis(x, axis):
    """Return x with an axis of length 1 more, at the (negative) place `axis`."""
    shape = x.shape
    at = len(shape) + 1 + axis
    return reshape(x, shape=(*shape[:at], 1, *shape[at:]))


def _rows(x):
    """Return x as one matrix, (..., n) as (rows, n)."""
    return reshape(x, shape=(_size(x.shape[:-1]), x.shape[-1]))


def _matmul_batch(size, args, batched):
    """Multiply stacks of matrices; by a matrix that is the same for all, all rows."""
    x, y = args
    if not batched[1] and y.ndim <= 2 and x.ndim > 2:
        ans = matmul(_rows(x), y)
        return reshape(ans, shape=(*x.shape[:-1], *ans.shape[1:]))
    if not batched[1] and y.ndim <= 2:
        return matmul(x, y)
    if not batched[0] and x.ndim <= 2 and y.ndim == 2:
        return matmul(y, swap_last(x) if x.ndim == 2 else x)
    return _stacked_matmul(x, y, batched)


def _stacked_matmul(x, y, batched):
    """Multiply stacks, the mapped axis first; vectors become matrices for the while."""
    x_is_vector, y_is_vector = x.ndim - batched[0] == 1, y.ndim - batched[1] == 1
    x = _with_axis(x, -2) if x_is_vector else x
    y = _with_axis(y, -1) if y_is_vector else y
    ans = matmul(*align([x, y], batched))
    dropped = [ans.ndim - 2] * x_is_vector + [ans.ndim - 1] * y_is_vector
    kept = [n for i, n in enumerate(ans.shape) if i not in dropped]
    return reshape(ans, shape=tuple(kept))


defbatch(matmul, _matmul_batch)
defvjp(matmul, _matmul_vjp_x, _matmul_vjp_y)
defjvp(
    matmul,
    lambda x_dot, ans, x, y: matmul(x_dot, y),
    lambda y_dot, ans, x, y: matmul(x, y_dot),
)

# -- einsum ---------------------------------------------------------------------------


@primitive
def einsum(*operands, subscripts):
    """Return the sum of products that canonical subscripts, "ab,bc->ac", describe.

    Canonical: no ellipsis, no label twice in one operand, none with two lengths, and
    none that stands in one operand alone. Then the cotangent of an operand is the
    canonical einsum in which it and the output have changed places.
    """
    if len(operands) == 2:
        return contract(*operands, subscripts)
    return np.einsum(subscripts, *operands)


def contract(x, y, subscripts):
    """Return a canonical einsum of two operands, by way of a batched matmul."""
    inputs, out = subscripts.split("->")
    xs, ys = inputs.split(",")
    sizes = {**dict(zip(xs, x.shape)), **dict(zip(ys, y.shape))}
    both = [c for c in xs if c in ys and c in out]
    joined = [c for c in xs if c in ys and c not in out]
    rows = [c for c in xs if c not in ys]
    columns = [c for c in ys if c not in xs]
    if not joined or x.size * y.size < 4096:
        return np.einsum(subscripts, x, y)
    batch = [sizes[c] for c in both]
    m, k, n = (_size([sizes[c] for c in cs]) for cs in (rows, joined, columns))
    left = np.transpose(x, [xs.index(c) for c in both + rows + joined])
    right = np.transpose(y, [ys.index(c) for c in both + joined + columns])
    z = product(left.reshape(*batch, m, k), right.reshape(*batch, k, n))
    labels = both + rows + columns
    return z.reshape([sizes[c] for c in labels]).transpose(
        [labels.index(c) for c in out]
    )


def _size(lengths):
    n = 1
    for length in lengths:
        n *= length
    return n


def _einsum_vjp(argnums, ans, operands, params):
    inputs, out = params["subscripts"].split("->")
    labels = inputs.split(",")

    def cotangent(g, i):
        others = [j for j in range(len(labels)) if j != i]
        terms = ",".join([out, *[labels[j] for j in others]])
        x_bar = einsum(
            g, *[operands[j] for j in others], subscripts=f"{terms}->{labels[i]}"
        )
        return cast(x_bar, operands[i].dtype)

    return lambda g: tuple([cotangent(g, i) for i in argnums])


defvjp_argnums(einsum, _einsum_vjp)


def _einsum_jvp(argnums, x_dots, ans, operands, params):
    total = None
    for i, x_dot in zip(argnums, x_dots, strict=True):
        part = einsum(*operands[:i], x_dot, *operands[i + 1 :], **params)
        total = part if total is None else total + part
    return cast(total, ans.dtype)


defjvp_argnums(einsum, _einsum_jvp)


def _einsum_batch(size, args, batched, *, subscripts):
    """Give the mapped axis a label of its own."""
    inputs, out = subscripts.split("->")
    label = next(c for c in ascii_letters if c not in subscripts)
    terms = [label + t if b else t for t, b in zip(inputs.split(","), batched)]
    return einsum(*args, subscripts=f"{','.join(terms)}->{label}{out}")


defbatch(einsum, _einsum_batch)
