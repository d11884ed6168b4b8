"""Losses, and what they are made from."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import tree
from ..core import concrete, is_recorded, is_tracer
from ..errors import ArgumentError, DifferentiationTypeError, ShapeError
from ..ops import layers as ops
from ..ops.basic import cast, reshape, sum
from .arrays import as_array, as_float, check_choice


def one_hot(labels: Any, classes: int, dtype: Any = np.float32) -> Any:
    """Return arrays that are 1 at the label and 0 elsewhere. labels: (...) of ints

    >>> one_hot([0, 2], 3)
    array([[1., 0., 0.],
           [0., 0., 1.]], dtype=float32)
    """
    labels = _integers(labels)
    if not is_recorded(labels):
        _check_range(concrete(labels), classes)
    return (labels[..., None] == np.arange(classes)).astype(dtype)


def _check_range(labels: Any, classes: int) -> None:
    if labels.size and not (labels.min() >= 0 and labels.max() < classes):
        raise ArgumentError(
            f"labels from {labels.min()} to {labels.max()}, but there are {classes} "
            f"classes, 0 to {classes - 1}."
        )


def cross_entropy(
    logits: Any, labels: Any, *, label_smoothing: float = 0.0, reduction: str = "mean"
) -> Any:
    """Return the cross-entropy between the softmax of logits and labels.

    Labels are integers, or distributions over the classes such as one-hot vectors.
    `label_smoothing` s mixes them with the uniform distribution: (1 - s) * t + s / k.
    `reduction` is "mean", "sum" or "none". logits: (..., k), labels: (...) or (..., k)

    >>> print(cross_entropy(np.zeros((2, 4)), [0, 3]) / np.log(4.0))
    1.0
    """
    logits, labels = as_float(logits, "logits"), as_array(labels)
    if not 0 <= label_smoothing <= 1:
        raise ArgumentError(f"label_smoothing={label_smoothing}: expected 0 to 1.")
    check_choice(reduction, "reduction", ("mean", "sum", "none"))
    _check_shapes(logits, labels)
    if labels.ndim == logits.ndim:
        return _reduce(_from_distributions(logits, labels, label_smoothing), reduction)
    return _from_integers(logits, _integers(labels), float(label_smoothing), reduction)


def _check_shapes(logits: Any, labels: Any) -> None:
    if logits.ndim < 1 or labels.shape not in (logits.shape[:-1], logits.shape):
        raise ShapeError(
            f"logits have shape {logits.shape} and labels {labels.shape}; expected "
            f"integer labels of shape {logits.shape[:-1]} or distributions of shape "
            f"{logits.shape}."
        )
    if logits.shape[-1] == 0:
        raise ShapeError(f"logits have shape {logits.shape}: no classes.")


def _integers(labels: Any) -> Any:
    """Return integer labels as a contiguous array of int64."""
    labels = as_array(labels)
    if labels.dtype.kind not in "iu" and labels.size:
        raise DifferentiationTypeError(
            f"labels have dtype {labels.dtype} and shape {labels.shape}; expected "
            "integers, or one distribution over the classes per row."
        )
    if is_tracer(labels):  # inside vmap
        return labels.astype(np.int64)
    return np.ascontiguousarray(labels, np.int64).reshape(labels.shape)


def _from_integers(logits: Any, labels: Any, smoothing: float, reduction: str) -> Any:
    if logits.dtype.char not in "fd":
        raise DifferentiationTypeError(
            f"logits have dtype {logits.dtype}, expected float32 or float64."
        )
    shape = logits.shape
    rows = (math.prod(shape[:-1]), shape[-1])
    if shape != rows:
        logits, labels = reshape(logits, shape=rows), labels.reshape(-1)
    if reduction != "none":
        scale = _scale(rows[0], reduction)
        return ops.total_cross_entropy(logits, labels, smoothing=smoothing, scale=scale)
    loss = ops.softmax_cross_entropy(logits, labels, smoothing=smoothing)
    return loss if shape == rows else reshape(loss, shape=shape[:-1])


def _from_distributions(logits: Any, labels: Any, smoothing: float) -> Any:
    target = cast(labels, logits.dtype) if is_tracer(labels) else labels
    target = target if is_tracer(target) else target.astype(logits.dtype)
    if smoothing:
        target = (1 - smoothing) * target + smoothing / logits.shape[-1]
    axis = (logits.ndim - 1,)
    return -sum(target * ops.log_softmax(logits, axis=axis), axis=axis)


def _reduce(loss: Any, reduction: str) -> Any:
    if reduction == "none":
        return loss
    total = sum(loss, axis=tuple(range(loss.ndim)))
    return total * _scale(loss.size, reduction)


def _scale(count: int, reduction: str) -> float:
    """Return what a sum of so many losses is multiplied by."""
    if reduction == "sum":
        return 1.0
    if count == 0:
        raise ShapeError('an empty batch has no mean loss; reduction="sum" gives 0.')
    return 1 / count


def l2_penalty(params: Any) -> Any:
    """Return the sum of the squares of all leaves of a tree.

    >>> print(l2_penalty({"w": np.array([3.0, 4.0])}))
    25.0
    """
    total: Any = 0.0
    for leaf in tree.leaves(params):
        total = total + ops.sum_of_squares(as_float(leaf, "a parameter"))
    return total
