"""Statistics: reductions that skip NaN, covariances, counts of integers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..errors import ShapeError, UnsupportedError
from ..ops import elementwise as ew
from ..ops import reduce as red
from ..ops.basic import cast, reshape, transpose
from . import reductions
from .at import at
from .dispatch import (
    Axis,
    constant,
    converted,
    implements,
    mask_of,
    operand,
    reduced_axes,
)
from .joins import concatenate
from .products import matmul
from .shapes import ravel

nanargmax = constant(np.nanargmax)
nanargmin = constant(np.nanargmin)

# -- without NaN ----------------------------------------------------------------------


def _present(a: Any, where: Any) -> Any:
    """Return the mask of the elements that count."""
    mask = ~ew.isnan(a)
    return mask if where is True else mask & mask_of(where, a.shape)


@implements(np.nansum)
def nansum(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    *,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> Any:
    """Return the sum over axes, with NaN as 0."""
    a = operand(a)
    return reductions.sum(
        ew.where(ew.isnan(a), 0, a),
        axis,
        dtype,
        keepdims=keepdims,
        initial=initial,
        where=where,
    )


@implements(np.nanmean)
def nanmean(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    *,
    keepdims: bool = False,
    where: Any = True,
) -> Any:
    """Return the mean over axes of the elements that are not NaN."""
    a = operand(a)
    mask = _present(a, where)
    return reductions.mean(a, axis, dtype, keepdims=keepdims, where=mask)


@implements(np.nanvar)
def nanvar(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    *,
    ddof: float = 0,
    keepdims: bool = False,
    where: Any = True,
    mean: Any = None,
    correction: float | None = None,
) -> Any:
    """Return the variance over axes of the elements that are not NaN."""
    options = {"keepdims": keepdims, "where": where, "mean": mean}
    ddof = ddof if correction is None else correction
    return _nan_moment(reductions.var, a, axis, dtype, ddof, options)


@implements(np.nanstd)
def nanstd(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    *,
    ddof: float = 0,
    keepdims: bool = False,
    where: Any = True,
    mean: Any = None,
    correction: float | None = None,
) -> Any:
    """Return the standard deviation over axes of the elements that are not NaN."""
    options = {"keepdims": keepdims, "where": where, "mean": mean}
    ddof = ddof if correction is None else correction
    return _nan_moment(reductions.std, a, axis, dtype, ddof, options)


def _nan_moment(
    moment: Any, a: Any, axis: Axis, dtype: Any, ddof: float, options: dict[str, Any]
) -> Any:
    """Return a moment of what is not NaN; NaN where too few elements are left."""
    a = operand(a)
    mask = _present(a, options["where"])
    options = {**options, "where": mask}
    found = moment(a, axis, dtype, ddof=ddof, **options)
    mask = np.broadcast_to(mask, a.shape)
    freedom = np.sum(mask, axis=axis, keepdims=options["keepdims"]) - ddof
    if found.dtype.kind not in "fc":
        return found
    return ew.where(freedom <= 0, math.nan, found)


def _nan_extremum(
    extremum: Any, worst: float, a: Any, axis: Axis, keepdims: bool, options: Any
) -> Any:
    """Return an extremum of the elements that are not NaN; NaN where there is none."""
    a = operand(a)
    missing = ew.isnan(a)
    found = extremum(ew.where(missing, worst, a), axis, keepdims=keepdims, **options)
    if options["initial"] is not None:
        return found
    empty = np.all(missing, axis=reduced_axes(axis, a.ndim), keepdims=keepdims)
    return ew.where(empty, math.nan, found)


@implements(np.nanmax)
def nanmax(
    a: Any,
    axis: Axis = None,
    *,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> Any:
    """Return the maximum over axes of the elements that are not NaN."""
    options = {"initial": initial, "where": where}
    return _nan_extremum(reductions.max, -math.inf, a, axis, keepdims, options)


@implements(np.nanmin)
def nanmin(
    a: Any,
    axis: Axis = None,
    *,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> Any:
    """Return the minimum over axes of the elements that are not NaN."""
    options = {"initial": initial, "where": where}
    return _nan_extremum(reductions.min, math.inf, a, axis, keepdims, options)


# -- covariances ----------------------------------------------------------------------


@implements(np.cov)
def cov(
    m: Any,
    y: Any = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: int | None = None,
    fweights: Any = None,
    aweights: Any = None,
    *,
    dtype: Any = None,
) -> Any:
    """Return the covariances of variables, which are the rows of `m` and of `y`."""
    x = _variables(m, rowvar)
    if y is not None:
        x = concatenate([x, _variables(y, rowvar)])
    double = np.result_type(x.dtype, np.float64)
    x = converted(x, double if dtype is None else dtype)
    ddof = (0 if bias else 1) if ddof is None else ddof
    w, freedom = _weights(fweights, aweights, x.shape[1], ddof)
    if w is None:
        d = x - red.mean(x, axis=(1,), keepdims=True)
        weighted = d
    else:
        d = x - reductions.average(x, 1, w, keepdims=True)
        weighted = d * w
    products = matmul(d, transpose(ew.conj(weighted), axes=(1, 0)))
    return np.squeeze(ew.divide(products, freedom, dtype=products.dtype))


def _variables(m: Any, rowvar: bool) -> Any:
    m = np.atleast_2d(operand(m))
    return m if rowvar or m.shape[0] == 1 else transpose(m, axes=(1, 0))


def _weights(fweights: Any, aweights: Any, n: int, ddof: int) -> tuple[Any, Any]:
    """Return the weights of n samples, None for equal ones, and the norm."""
    if fweights is None and aweights is None:
        return None, max(n - ddof, 0)
    w = 1.0
    for weights in (fweights, aweights):
        if weights is not None and operand(weights).shape != (n,):
            raise ShapeError(f"np.cov: weights of {np.shape(weights)} for {n} samples")
        if weights is not None and operand(weights).dtype.kind == "c":
            raise UnsupportedError("np.cov: complex weights are not supported")
        w = w if weights is None else w * operand(weights)
    total = reductions.sum(w)
    if ddof == 0:
        return w, total
    if aweights is None:
        return w, total - ddof
    return w, total - ddof * reductions.sum(w * operand(aweights)) / total


@implements(np.corrcoef)
def corrcoef(x: Any, y: Any = None, rowvar: bool = True, *, dtype: Any = None) -> Any:
    """Return the correlation coefficients of variables, the rows of x and of y."""
    c = cov(x, y, rowvar, dtype=dtype)
    if c.ndim == 0:
        return c / c
    scale = ew.sqrt(ew.real(np.diagonal(c)))
    return c / reshape(scale, shape=(-1, 1)) / scale if c.size else c


# -- counts ---------------------------------------------------------------------------


@implements(np.bincount)
def bincount(x: Any, /, weights: Any = None, minlength: int = 0) -> Any:
    """Return the sum of the weights that fall on each integer."""
    if weights is None:
        return np.bincount(np.asarray(x), minlength=minlength)
    x = np.asarray(x)
    n = max(minlength, int(x.max()) + 1 if x.size else 0)
    weights = cast(ravel(weights), np.dtype(float))
    return at(np.zeros(n))[x].add(weights)
