"""Attention: averages of values, weighted by how well keys match queries."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..errors import ArgumentError, DifferentiationTypeError, ShapeError
from ..ops.basic import reshape, transpose
from ..ops.elementwise import where
from ..ops.layers import softmax
from ..ops.shape import swap_last
from .arrays import as_array, as_float, check_kernel_dtypes, fields
from .initialisers import glorot_uniform
from .layers import dense, dropout

Params = dict[str, Any]


def attention(
    q: Any,
    k: Any,
    v: Any,
    mask: Any = None,
    *,
    causal: bool = False,
    scale: float | None = None,
    dropout_rate: float = 0.0,
    rng: Any = None,
) -> Any:
    """Return softmax(scale * q @ k') @ v, the scaled dot-product attention.

    A. Vaswani and others, 2017, "Attention Is All You Need".

    Args:
        mask: of booleans, True where a query may see a key; or floats that are added
            to the scores. A query that sees no key gets zeros.
        causal: whether query i sees the keys 0 to i only.
        scale: 1 / sqrt(e) by default.
        dropout_rate, rng: the share of weights to leave out, and where to draw from.

    q: (..., l, e), k: (..., s, e), v: (..., s, f), mask: broadcast to (..., l, s)
    -> (..., l, f)

    >>> q = k = np.zeros((2, 4, 3))
    >>> attention(q, k, np.arange(4.0).reshape(4, 1) + np.zeros((2, 1, 1)))[0, 0]
    array([1.5])
    """
    q, k, v = as_float(q, "q"), as_float(k, "k"), as_float(v, "v")
    check_kernel_dtypes(q=q, k=k, v=v)
    _check_shapes(q, k, v)
    factor = 1 / math.sqrt(q.shape[-1]) if scale is None else scale
    scores = (q * q.dtype.type(factor)) @ swap_last(k)
    seen = _seen(scores, mask, causal)
    if mask is not None and as_array(mask).dtype.kind == "f":
        scores = scores + mask
    if seen is not None:
        # Not -inf: where nothing is seen, that would make the weights NaN.
        scores = where(seen, scores, np.finfo(scores.dtype).min / 2)
    weights = softmax(scores, axis=(scores.ndim - 1,))
    if seen is not None:
        weights = where(seen, weights, scores.dtype.type(0))
    if dropout_rate:
        weights = dropout(weights, dropout_rate, rng)
    return weights @ v


def _check_shapes(q: Any, k: Any, v: Any) -> None:
    many = min(q.ndim, k.ndim, v.ndim) >= 2
    if not many or q.shape[-1] != k.shape[-1] or k.shape[-2] != v.shape[-2]:
        raise ShapeError(
            f"q has shape {q.shape}, k {k.shape} and v {v.shape}; expected (..., l, e),"
            " (..., s, e) and (..., s, f)."
        )
    if 0 in (q.shape[-1], k.shape[-2]):
        raise ShapeError(f"k has shape {k.shape}: there is nothing to attend to.")


def _seen(scores: Any, mask: Any, causal: bool) -> Any:
    """Return where queries see keys, as booleans; None where they see all."""
    length, keys = scores.shape[-2:]
    allowed = np.tri(length, keys, dtype=bool) if causal else None
    if mask is None:
        return allowed
    mask = as_array(mask)
    kind = mask.dtype.kind
    if kind not in "bf":
        raise DifferentiationTypeError(
            f"mask has dtype {mask.dtype}, expected booleans, or floats to add."
        )
    try:
        fits = np.broadcast_shapes(mask.shape, scores.shape) == scores.shape
    except ValueError:
        fits = False
    if not fits:
        raise ShapeError(
            f"mask has shape {mask.shape}, the scores have {scores.shape}."
        )
    if kind == "f":
        return allowed
    return mask if allowed is None else mask & allowed


def init_multi_head_attention(
    rng: Any, features: int, dtype: Any = np.float32
) -> Params:
    """Return the parameters of `multi_head_attention`: four dense layers.

    >>> sorted(init_multi_head_attention(np.random.default_rng(0), 8))
    ['key', 'output', 'query', 'value']
    """
    return {
        name: {
            "w": glorot_uniform(rng, (features, features), dtype),
            "b": np.zeros(features, dtype),
        }
        for name in ("query", "key", "value", "output")
    }


def multi_head_attention(
    x: Any,
    params: Params,
    heads: int,
    context: Any = None,
    mask: Any = None,
    *,
    causal: bool = False,
    dropout_rate: float = 0.0,
    rng: Any = None,
) -> Any:
    """Return attention in several heads, between dense layers.

    Queries come from x, keys and values from `context`, which is x by default. The
    features are split evenly among the heads; `mask` and the rest are those of
    `attention`, a mask broadcast to (..., heads, l, s).
    x: (..., l, e), context: (..., s, e), params as `init_multi_head_attention` makes
    them -> (..., l, e)

    >>> params = init_multi_head_attention(np.random.default_rng(0), 8)
    >>> multi_head_attention(np.ones((2, 5, 8), np.float32), params, 4).shape
    (2, 5, 8)
    """
    x = as_float(x, "x")
    context = x if context is None else as_float(context, "context")
    if x.ndim < 2 or heads < 1 or x.shape[-1] % heads:
        raise ArgumentError(
            f"x has shape {x.shape} and heads={heads}; expected (..., l, e), with e a "
            "multiple of heads."
        )
    sources = {"query": x, "key": context, "value": context}
    q, k, v = [
        _split(dense(source, *fields(params[name], name, "w", "b")), heads)
        for name, source in sources.items()
    ]
    y = attention(*(q, k, v, mask), causal=causal, dropout_rate=dropout_rate, rng=rng)
    return dense(_joined(y), *fields(params["output"], "output", "w", "b"))


def _split(x: Any, heads: int) -> Any:
    """Return (..., l, e) as (..., heads, l, e / heads)."""
    *rest, e = x.shape
    x = reshape(x, shape=(*rest, heads, e // heads))
    n = x.ndim
    return transpose(x, axes=(*range(n - 3), n - 2, n - 3, n - 1))


def _joined(x: Any) -> Any:
    """Return (..., heads, l, e / heads) as (..., l, e)."""
    n = x.ndim
    x = transpose(x, axes=(*range(n - 3), n - 2, n - 3, n - 1))
    *rest, heads, part = x.shape
    return reshape(x, shape=(*rest, heads * part))
