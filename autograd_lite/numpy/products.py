"""Products of arrays: matmul, dot, einsum, tensordot, outer, kron, cross."""

from __future__ import annotations

import string
from collections import Counter
from functools import lru_cache
from typing import Any

import numpy as np

from ..errors import ShapeError
from ..ops import elementwise as ew
from ..ops import linalg as ops
from ..ops import shape as moving
from ..ops.basic import reshape, sum, transpose
from .dispatch import axes_of, converted, implements, operand
from .shapes import expand_dims, moveaxis, ravel

Operand = tuple[str, Any]  # its labels, one per axis, and the array


def _gufunc(product: Any, x1: Any, x2: Any, axes: Any, dtype: Any) -> Any:
    """Return a product of the axes of each operand, put at the axes of the result.

    `axes` is that of NumPy's generalised ufuncs: the core axes of both operands and of
    the result, where it has any; None stands for the last ones.
    """
    if dtype is not None:
        x1, x2 = converted(x1, dtype), converted(x2, dtype)
    if axes is None:
        return product(x1, x2)
    places = [_tuple(a) for a in axes]
    last = [tuple(range(-len(p), 0)) for p in places]
    moved = [moveaxis(x, p, q) for x, p, q in zip((x1, x2), places, last)]
    found = product(*moved)
    return moveaxis(found, last[2], places[2]) if len(places) > 2 else found


@implements(np.matmul)
def matmul(x1: Any, x2: Any, /, *, axes: Any = None, dtype: Any = None) -> Any:
    """Return x1 @ x2 of x1: (..., m, k), x2: (..., k, n); vectors are allowed."""
    if axes is not None or dtype is not None:
        return _gufunc(matmul, x1, x2, axes, dtype)
    x1, x2 = operand(x1), operand(x2)
    if not x1.shape or not x2.shape:
        raise ShapeError(
            f"matmul of shapes {x1.shape} and {x2.shape}: numbers are multiplied by *"
        )
    if x1.shape[-1] != x2.shape[-2 if len(x2.shape) > 1 else 0]:
        raise ShapeError(
            f"matmul of shapes {x1.shape} and {x2.shape}: the last axis of the first "
            "and the last but one of the second must have one length"
        )
    return ops.matmul(x1, x2)


@implements(np.dot)
def dot(a: Any, b: Any) -> Any:
    """Return the sum product over the last axis of `a` and the last but one of `b`."""
    a, b = operand(a), operand(b)
    if not a.shape or not b.shape:
        return ew.multiply(a, b)
    if len(a.shape) <= 2 and len(b.shape) <= 2:
        return matmul(a, b)
    return tensordot(a, b, ([-1], [-2 if len(b.shape) > 1 else -1]))


@implements(np.inner)
def inner(a: Any, b: Any) -> Any:
    """Return the sum product over the last axes."""
    a, b = operand(a), operand(b)
    if not a.shape or not b.shape:
        return ew.multiply(a, b)
    return tensordot(a, b, ([-1], [-1]))


@implements(np.outer)
def outer(a: Any, b: Any) -> Any:
    """Return the product of each element of `a` with each of `b`: (a.size, b.size)."""
    return expand_last(ravel(a)) * ravel(b)


def expand_last(x: Any) -> Any:
    """Return x with a new last axis of length 1."""
    return reshape(x, shape=(*x.shape, 1))


@implements(np.vdot)
def vdot(a: Any, b: Any) -> Any:
    """Return the sum product of the elements, those of `a` conjugated."""
    return matmul(ew.conj(ravel(a)), ravel(b))


@implements(np.vecdot)
def vecdot(
    x1: Any,
    x2: Any,
    /,
    *,
    axis: int | None = None,
    axes: Any = None,
    keepdims: bool = False,
    dtype: Any = None,
) -> Any:
    """Return the sum product over one axis, x1 conjugated."""
    place = -1 if axis is None else axis
    if axes is None:
        axes = [place, place]
    elif len(axes) > 2:
        place = axes[2]
    found = _gufunc(_vecdot, x1, x2, axes[:2], dtype)
    return expand_dims(found, place) if keepdims else found


def _vecdot(x1: Any, x2: Any) -> Any:
    return einsum("...i,...i->...", ew.conj(x1), x2)


@implements(np.matvec)
def matvec(x1: Any, x2: Any, /, *, axes: Any = None, dtype: Any = None) -> Any:
    """Return the products of matrices x1: (..., m, n) and vectors x2: (..., n)."""
    return _gufunc(_matvec, x1, x2, axes, dtype)


def _matvec(x1: Any, x2: Any) -> Any:
    return einsum("...mn,...n->...m", x1, x2)


@implements(np.vecmat)
def vecmat(x1: Any, x2: Any, /, *, axes: Any = None, dtype: Any = None) -> Any:
    """Return the products of vectors x1: (..., m), conjugated, and x2: (..., m, n)."""
    return _gufunc(_vecmat, x1, x2, axes, dtype)


def _vecmat(x1: Any, x2: Any) -> Any:
    return einsum("...m,...mn->...n", ew.conj(operand(x1)), x2)


@implements(np.tensordot)
def tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    """Return the sum product over pairs of axes, those of `a` left first."""
    a, b = operand(a), operand(b)
    if isinstance(axes, (int, np.integer)):
        n = int(axes)
        ours, theirs = tuple(range(a.ndim - n, a.ndim)), tuple(range(n))
    else:
        ours, theirs = (axes_of(_tuple(x), m.ndim) for x, m in zip(axes, (a, b)))
    if [a.shape[i] for i in ours] != [b.shape[i] for i in theirs]:
        raise ShapeError(
            f"tensordot of shapes {a.shape} and {b.shape}: axes {ours} and {theirs} "
            "have different lengths"
        )
    letters = iter(string.ascii_letters)
    first = [next(letters) for _ in a.shape]
    second = [next(letters) for _ in b.shape]
    for i, j in zip(ours, theirs):
        second[j] = first[i]
    left = [c for i, c in enumerate(first) if i not in ours]
    left += [c for j, c in enumerate(second) if j not in theirs]
    return _pairwise(["".join(first), "".join(second)], "".join(left), [a, b], True)


def _tuple(x: Any) -> tuple[int, ...]:
    return (int(x),) if np.ndim(x) == 0 else tuple([int(i) for i in x])


@implements(np.kron)
def kron(a: Any, b: Any) -> Any:
    """Return the Kronecker product: each element of `a` times all of `b`."""
    a, b = operand(a), operand(b)
    ndim = max(a.ndim, b.ndim)
    n = (1,) * (ndim - a.ndim) + a.shape
    m = (1,) * (ndim - b.ndim) + b.shape
    wide = reshape(a, shape=tuple([k for i in n for k in (i, 1)]))
    narrow = reshape(b, shape=tuple([k for i in m for k in (1, i)]))
    return reshape(wide * narrow, shape=tuple([i * j for i, j in zip(n, m)]))


@implements(np.cross)
def cross(
    a: Any,
    b: Any,
    axisa: int = -1,
    axisb: int = -1,
    axisc: int = -1,
    axis: int | None = None,
) -> Any:
    """Return the cross product of 3-vectors, or its last element for 2-vectors."""
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = moveaxis(a, axisa, -1), moveaxis(b, axisb, -1)
    if not {a.shape[-1], b.shape[-1]} <= {2, 3}:
        raise ShapeError(f"cross product of shapes {a.shape} and {b.shape}")
    ax, ay, bx, by = a[..., 0], a[..., 1], b[..., 0], b[..., 1]
    z = ax * by - ay * bx
    if a.shape[-1] == b.shape[-1] == 2:
        return z
    az = a[..., 2] if a.shape[-1] == 3 else 0 * ax
    bz = b[..., 2] if b.shape[-1] == 3 else 0 * bx
    return np.stack([ay * bz - az * by, az * bx - ax * bz, z], axis=axisc)


# -- einsum ---------------------------------------------------------------------------


@implements(np.einsum)
def einsum(*operands: Any, optimize: Any = True, dtype: Any = None) -> Any:
    """Return the sum of products that subscripts describe, in every form of np.einsum.

    Ellipsis, repeated subscripts, implicit output and the list form are brought to
    pairwise products in an optimised order, which run as matrix products.
    """
    if dtype is not None:
        operands = tuple([_in_dtype(x, dtype) for x in operands])
    if len(operands) == 3 and isinstance(operands[0], str):
        subscripts, x, y = operands[0], operand(operands[1]), operand(operands[2])
        if _is_canonical(subscripts, x.shape, y.shape):
            return ops.einsum(x, y, subscripts=subscripts)
    terms, out, arrays = _parsed(operands)
    prepared = [_without_repeats(term, x) for term, x in zip(terms, arrays)]
    labels, arrays = [p[0] for p in prepared], [p[1] for p in prepared]
    return _pairwise(*_matched(labels, out, arrays), optimize is not False)


def _in_dtype(x: Any, dtype: Any) -> Any:
    """Return an operand of einsum in a dtype; subscripts, which are lists, stay."""
    return x if isinstance(x, (str, list, tuple)) else converted(x, dtype)


@lru_cache(maxsize=1024)
def _is_canonical(subscripts: str, *shapes: tuple[int, ...]) -> bool:
    """Return whether two operands are what the primitive asks for; remembered."""
    inputs, arrow, out = subscripts.partition("->")
    terms = inputs.split(",")
    if not arrow or not "".join([*terms, out]).isalpha() or len(terms) != 2:
        return False
    lengths = [dict(zip(term, shape)) for term, shape in zip(terms, shapes)]
    both = lengths[0].keys() & lengths[1].keys()
    alone = lengths[0].keys() ^ lengths[1].keys()
    return (
        all(len(n) == len(t) == len(s) for n, t, s in zip(lengths, terms, shapes))
        and all(lengths[0][c] == lengths[1][c] for c in both)
        and len(set(out)) == len(out)
        and alone <= set(out) <= alone | both
    )


def _parsed(operands: tuple[Any, ...]) -> tuple[list[str], str, list[Any]]:
    """Return a call's terms, without ellipsis or implicit output, and its arrays."""
    if isinstance(operands[0], str):
        subscripts, arrays = operands[0], [operand(x) for x in operands[1:]]
    else:
        subscripts, arrays = _from_lists(operands)
    inputs, arrow, out = subscripts.replace(" ", "").partition("->")
    terms = inputs.split(",")
    if len(terms) != len(arrays):
        raise ShapeError(f"einsum {subscripts!r}: {len(arrays)} arrays were given")
    if not arrow:
        counts = Counter("".join(terms).replace(".", ""))
        once = "".join(sorted([c for c in counts if counts[c] == 1]))
        out = ("..." if "..." in inputs else "") + once
    terms, ellipsis = _without_ellipsis(terms, arrays, subscripts)
    return terms, out.replace("...", ellipsis), arrays


def _from_lists(operands: tuple[Any, ...]) -> tuple[str, list[Any]]:
    """Return subscripts for the form einsum(x, [0, 1], y, [1, 2], [0, 2])."""

    def text(labels: Any) -> str:
        return "".join(
            ["..." if i is Ellipsis else string.ascii_letters[i] for i in labels]
        )

    pairs = len(operands) // 2
    arrays = [operand(x) for x in operands[: 2 * pairs : 2]]
    subscripts = ",".join([text(labels) for labels in operands[1 : 2 * pairs : 2]])
    if len(operands) % 2:
        subscripts += "->" + text(operands[-1])
    return subscripts, arrays


def _without_ellipsis(
    terms: list[str], arrays: list[Any], subscripts: str
) -> tuple[list[str], str]:
    """Return the terms with letters for the ellipsis, and those letters."""
    ranks = [
        x.ndim - len(term.replace("...", "")) if "..." in term else 0
        for term, x in zip(terms, arrays)
    ]
    free = [c for c in string.ascii_letters if c not in subscripts]
    letters = "".join(free[: max(ranks)])
    found = []
    for term, rank, x in zip(terms, ranks, arrays):
        term = term.replace("...", letters[len(letters) - rank :])
        if len(term) != x.ndim:
            raise ShapeError(f"einsum {subscripts!r}: a term for shape {x.shape}")
        found.append(term)
    return found, letters


def _without_repeats(term: str, x: Any) -> tuple[str, Any]:
    """Return an operand in which each label occurs once: "iij" takes diagonals."""
    for c in dict.fromkeys(term):
        while term.count(c) > 1:
            i = term.index(c)
            j = term.index(c, i + 1)
            if x.shape[i] != x.shape[j]:
                raise ShapeError(f"einsum: label {c!r} twice in shape {x.shape}")
            x = moving.diagonal(moveaxis(x, (i, j), (-2, -1)))
            term = term[:i] + term[i + 1 : j] + term[j + 1 :] + c
    return term, x


def _matched(
    terms: list[str], out: str, arrays: list[Any]
) -> tuple[list[str], str, list[Any]]:
    """Drop the axes of length 1 that are broadcast against longer ones."""
    sizes: dict[str, int] = {}
    for term, x in zip(terms, arrays):
        for c, n in zip(term, x.shape):
            if sizes.get(c, 1) == 1:
                sizes[c] = n
            elif n not in (1, sizes[c]):
                raise ShapeError(f"einsum: label {c!r} has lengths {sizes[c]} and {n}")
    unknown = [c for c in out if c not in sizes]
    if unknown or len(set(out)) != len(out):
        raise ShapeError(f"einsum: output {out!r} of terms {terms}")
    new_terms, new_arrays = [], []
    for term, x in zip(terms, arrays):
        keep = [i for i, n in enumerate(x.shape) if n == sizes[term[i]]]
        new_terms.append("".join([term[i] for i in keep]))
        if len(keep) < len(term):
            x = reshape(x, shape=tuple([x.shape[i] for i in keep]))
        new_arrays.append(x)
    return new_terms, out, new_arrays


def _pairwise(terms: list[str], out: str, arrays: list[Any], optimize: bool) -> Any:
    """Contract operands two at a time, in the order that np.einsum_path proposes."""
    left = list(zip(terms, arrays))
    for step in _path(terms, out, arrays, optimize):
        picked = [left.pop(i) for i in sorted(step, reverse=True)][::-1]
        while len(picked) > 2:
            two, picked = picked[:2], picked[2:]
            picked.append(_contracted(two, out, left + picked))
        left.append(_contracted(picked, out, left))
    return left[0][1]


def _path(terms: list[str], out: str, arrays: list[Any], optimize: bool) -> Any:
    """Return the steps of a contraction: which operands to join, and put at the end."""
    if len(terms) <= 2:
        return [tuple(range(len(terms)))]
    if not optimize:
        return [(0, 1)] * (len(terms) - 1)
    shapes = [np.broadcast_to(0.0, x.shape) for x in arrays]
    subscripts = ",".join(terms) + "->" + out
    return np.einsum_path(subscripts, *shapes, optimize="greedy")[0][1:]


def _contracted(picked: list[Operand], out: str, left: list[Operand]) -> Operand:
    """Join one or two operands, over the labels that nothing left needs."""
    outside = set(out).union(*[term for term, _ in left])
    if len(picked) == 1:
        term, x = _summed(*picked[0], outside)
        return out, transpose(x, axes=tuple([term.index(c) for c in out]))
    one, two = picked
    first, x = _summed(*one, outside.union(two[0]))
    second, y = _summed(*two, outside.union(one[0]))
    labels = dict.fromkeys(first + second)
    new = "".join([c for c in labels if c in outside]) if left else out
    return new, ops.einsum(x, y, subscripts=f"{first},{second}->{new}")


def _summed(term: str, x: Any, needed: set[str]) -> tuple[str, Any]:
    """Sum an operand over the labels that stand nowhere else."""
    axis = tuple([i for i, c in enumerate(term) if c not in needed])
    if not axis:
        return term, x
    return "".join([c for c in term if c in needed]), sum(x, axis=axis)
