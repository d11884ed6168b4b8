"""Outer products of many pairs of vectors: gradients of matrices, sample by sample.

np.matmul sends each pair to the BLAS, which packs matrices of one column. All there is
to do is to write the result as fast as memory takes it: a large one past the caches,
which would have to read what is about to be overwritten.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from llvmlite import ir
from numba import prange, types

from . import memory
from .jit import PARALLEL_FROM, elementwise, parallel, serial
from .launch import Array
from .micro import emitted

# Bytes of a result that is not to be found in a cache afterwards in any case.
_LARGE: Final = 1 << 24

_LINE: Final = 64  # bytes of a cache line


def outer_products(x: Array, y: Array) -> Array:
    """Return `z[i] = outer(x[i], y[i])`. x: (n, m), y: (n, k) -> (n, m, k)

    Example:
        >>> outer_products(np.ones((1, 2)), np.arange(3.0)[None])
        array([[[0., 1., 2.],
                [0., 1., 2.]]])
    """
    x, y = np.ascontiguousarray(x), np.ascontiguousarray(y, x.dtype)
    z = memory.empty((*x.shape, y.shape[1]), x.dtype)
    streamed = z.nbytes >= _LARGE and y.shape[1] * y.itemsize % _LINE == 0
    (_stream_all if streamed else _outer)(x, y, z)
    return z


@parallel
def _outer(x, y, z):
    if z.size < PARALLEL_FROM:
        for i in range(x.shape[0]):
            _one(x[i], y[i], z[i])
    else:
        for i in prange(x.shape[0]):
            _one(x[i], y[i], z[i])


@elementwise
def _one(x, y, z):
    for j in range(x.size):
        _scaled(x[j], y, z[j])


@elementwise
def _scaled(factor, y, z):
    for k in range(y.size):
        z[k] = factor * y[k]


@emitted
def _stream(typing_context: Any, target: Any, source: Any, factor: Any) -> Any:
    """Write factor times a cache line of numbers from one address to another."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        lanes = _LINE * 8 // factor.bitwidth
        vector = ir.VectorType(context.get_value_type(factor), lanes)
        undefined, word = ir.Constant(vector, ir.Undefined), ir.IntType(32)
        at, to = [builder.inttoptr(a, vector.as_pointer()) for a in arguments[1::-1]]
        numbers = builder.load(at, align=factor.bitwidth // 8)
        first = builder.insert_element(undefined, arguments[2], ir.Constant(word, 0))
        everywhere = ir.Constant(ir.VectorType(word, lanes), [0] * lanes)
        factors = builder.shuffle_vector(first, undefined, everywhere)
        store = builder.store(builder.fmul(numbers, factors), to, align=_LINE)
        past_caches = builder.module.add_metadata([ir.Constant(word, 1)])
        store.set_metadata("nontemporal", past_caches)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, factor), emit


@emitted
def _finish(typing_context: Any) -> Any:
    """Wait until what was streamed is where other threads see it."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.fence("seq_cst")
        return context.get_dummy_value()

    return types.void(), emit


@parallel
def _stream_all(x, y, z):
    for i in prange(x.shape[0]):
        _stream_one(x[i], y[i], z[i])


@serial
def _stream_one(x, y, z):
    source, target, size = y.ctypes.data, z.ctypes.data, y.size * y.itemsize
    for j in range(x.size):
        for byte in range(0, size, _LINE):
            _stream(target + j * size + byte, source + byte, x[j])
    _finish()
