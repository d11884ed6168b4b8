"""Normalisation of groups of channels within each item, fused.

It serves layers of three names: layer normalisation has one group, instance
normalisation one per channel, group normalisation something between.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from types import ModuleType
from typing import Any

from ..core import (
    KernelCall,
    Primitive,
    defbatch,
    defjvp_argnums,
    defvjp_argnums,
    is_tracer,
    is_transformed,
    primitive,
)
from .basic import filled, reshape, sum, transpose
from .batch import every, fold, unfold


@cache
def _kernels() -> ModuleType:
    """Return `kernels.group_norm`; imported on first use, because it loads Numba."""
    from ..kernels import group_norm as kernels

    return kernels


def group_normalise(x: Any, gamma: Any, beta: Any, *, groups: int, eps: float) -> Any:
    """Return `gamma * (x - mean) / sqrt(variance + eps) + beta`.

    Mean and (biased) variance are those of an item and a group of channels.
    x: (n, m, c), gamma, beta: (c) -> (n, m, c)
    """
    params = {"groups": groups, "eps": eps}
    y, mean, inverse = group_statistics(x, gamma, beta, **params)
    return group_normalised(x, gamma, beta, mean, inverse, y, **params)


def _group_statistics(x: Any, gamma: Any, beta: Any, *, groups: int, eps: float) -> Any:
    """Return the normalised x, and of each group the mean and 1 / deviation."""
    return _kernels().normalise(x, gamma, beta, groups, eps)


group_statistics = Primitive(_group_statistics, multiple=True, differentiable=False)


@primitive
def group_normalised(
    x: Any,
    gamma: Any,
    beta: Any,
    mean: Any = None,
    inverse: Any = None,
    y: Any = None,
    *,
    groups: int,
    eps: float,
) -> Any:
    """Return the normalised x; y is that, if `group_statistics` has found it before.

    So are `mean` and `inverse`. Derivatives take them for what they are of x.
    """
    return _kernels().normalise(x, gamma, beta, groups, eps)[0] if y is None else y


def _split(x: Any, groups: int) -> Any:
    """Return (n, m, c) as (n, m, groups, c / groups)."""
    n, m, c = x.shape
    return reshape(x, shape=(n, m, groups, c // groups))


def _over_group(x: Any) -> Any:
    """Return the mean over a group of (n, m, groups, c / groups), axes kept."""
    return sum(x, axis=(1, 3), keepdims=True) * (1 / (x.shape[1] * x.shape[3]))


def _normal(x: Any, mean: Any, inverse: Any, groups: int, eps: float) -> Any:
    """Return the x without mean and deviation, and 1 / deviation: (n, m, groups, ...).

    The statistics are worked out anew where a derivative of them will be wanted.
    """
    split = _split(x, groups)
    if mean is None or is_tracer(x):
        centred = split - _over_group(split)
        scale = (_over_group(centred * centred) + eps) ** -0.5
        return centred * scale, scale
    n = x.shape[0]
    mean, scale = [reshape(v, shape=(n, 1, groups, 1)) for v in (mean, inverse)]
    return (split - mean) * scale, scale


def _known(
    x: Any, gamma: Any, beta: Any, mean: Any = None, inverse: Any = None, y: Any = None
) -> tuple[Any, Any, Any, Any]:
    """Return of the arguments of `group_normalised` those that its derivatives need."""
    return x, gamma, mean, inverse


def _group_vjp(
    argnums: tuple[int, ...], ans: Any, args: tuple[Any, ...], params: dict[str, Any]
) -> Callable[[Any], tuple[Any, ...]]:
    x, gamma, mean, inverse = _known(*args)

    def pullback(g: Any) -> tuple[Any, ...]:
        if mean is None or any(map(is_transformed, (g, x, gamma))):
            bars = _traced_backward(g, x, gamma, mean, inverse, **params)
        else:
            bars = _group_norm_grad(g, x, gamma, mean, inverse)
        return tuple([bars[i] if i < 3 else None for i in argnums])

    return pullback


def _backward(
    g: Any, x: Any, gamma: Any, mean: Any, inverse: Any
) -> tuple[Any, Any, Any]:
    """Return the cotangents of x, gamma and beta."""
    return _kernels().backward(g, x, gamma, mean, inverse)


_group_norm_grad = KernelCall(_backward, "group_norm_grad")


def _traced_backward(
    g: Any, x: Any, gamma: Any, mean: Any, inverse: Any, *, groups: int, eps: float
) -> tuple[Any, Any, Any]:
    """Return what the kernel `backward` does, in operations with derivatives."""
    z, scale = _normal(x, mean, inverse, groups, eps)
    z_bar = _split(g * gamma, groups)
    x_bar = scale * (z_bar - _over_group(z_bar) - z * _over_group(z_bar * z))
    gamma_bar = sum(g * reshape(z, shape=x.shape), axis=(0, 1))
    return reshape(x_bar, shape=x.shape), gamma_bar, sum(g, axis=(0, 1))


def _group_jvp(
    argnums: tuple[int, ...],
    dots: Sequence[Any],
    ans: Any,
    args: tuple[Any, ...],
    params: dict[str, Any],
) -> Any:
    x, gamma, mean, inverse = _known(*args)
    groups = params["groups"]
    known = [(i, v) for i, v in zip(argnums, dots) if i < 3]
    x_dot, gamma_dot, beta_dot = filled(
        [i for i, _ in known], [v for _, v in known], args[:3]
    )
    z, scale = _normal(x, mean, inverse, groups, params["eps"])
    split = _split(x_dot, groups)
    z_dot = scale * (split - _over_group(split) - z * _over_group(split * z))
    z, z_dot = [reshape(v, shape=x.shape) for v in (z, z_dot)]
    return gamma_dot * z + gamma * z_dot + beta_dot


defvjp_argnums(group_normalised, _group_vjp)
defjvp_argnums(group_normalised, _group_jvp)


# Items of all elements are more items, where they are scaled alike. Otherwise the
# elements become groups of channels.


def _statistics_batch(
    size: int, args: Any, batched: Any, *, groups: int, eps: float
) -> Any:
    if not any(batched[1:]):
        found = group_statistics(fold(args[0]), *args[1:], groups=groups, eps=eps)
        return tuple([unfold(v, size) for v in found])
    x, gamma, beta = _in_channels(every(size, args, batched))
    found = group_statistics(x, gamma, beta, groups=size * groups, eps=eps)
    return tuple([_from_channels(v, size) for v in found])


def _normalised_batch(
    size: int, args: Any, batched: Any, *, groups: int, eps: float
) -> Any:
    if not any(batched[1:3]):
        found = every(size, (args[0], *args[3:]), (batched[0], *batched[3:]))
        x, *known = [fold(v) for v in found]
        y = group_normalised(x, *args[1:3], *known, groups=groups, eps=eps)
        return unfold(y, size)
    parts = _in_channels(every(size, args, batched))
    return _from_channels(group_normalised(*parts, groups=size * groups, eps=eps), size)


def _in_channels(arrays: Sequence[Any]) -> list[Any]:
    """Return each (size, ..., c) as (..., size * c)."""
    result = []
    for x in arrays:
        size, *shape, c = x.shape
        n = len(shape)
        turned = transpose(x, axes=(*range(1, n + 1), 0, n + 1))
        result.append(reshape(turned, shape=(*shape, size * c)))
    return result


def _from_channels(x: Any, size: int) -> Any:
    *shape, c = x.shape
    n = len(shape)
    x = reshape(x, shape=(*shape, size, c // size))
    return transpose(x, axes=(n, *range(n), n + 1))


defbatch(group_statistics, _statistics_batch)
defbatch(group_normalised, _normalised_batch)
