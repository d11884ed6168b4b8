"""PyTorch's and JAX's arrays at the border of a check; neither is imported here.

A framework is found among the loaded modules once one of its arrays, or a function
marked with `of_torch` or `of_jax`, is handed to a check.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from .. import tree
from ..errors import ArgumentError

FAMILIES: Final = {"torch": "torch", "jax": "jax", "jaxlib": "jax"}


def framework_of(leaf: Any) -> str | None:
    """Return "torch" or "jax" for an array of these, None for anything else."""
    name = FAMILIES.get(type(leaf).__module__.partition(".")[0])
    return name if name and hasattr(leaf, "dtype") else None


def framework_among(leaves: Sequence[Any]) -> str | None:
    """Return the framework whose arrays are among the leaves, if any are."""
    found = {name for leaf in leaves if (name := framework_of(leaf))}
    if len(found) > 1:
        raise ArgumentError(f"arrays of {sorted(found)} in one call; pass those of one")
    return next(iter(found), None)


def is_foreign_float(leaf: Any) -> bool:
    """Return whether a leaf is a framework's array of floats, traced ones included."""
    name = framework_of(leaf)
    if name == "torch":
        return bool(leaf.dtype.is_floating_point or leaf.dtype.is_complex)
    return name is not None and np.dtype(leaf.dtype).kind in "fc"


def to_numpy(leaf: Any) -> Any:
    """Return a framework's array as a NumPy array; anything else unchanged."""
    name = framework_of(leaf)
    if name == "torch":
        return leaf.detach().cpu().resolve_conj().resolve_neg().numpy()
    return np.asarray(leaf) if name == "jax" else leaf


def to_framework(name: str | None, leaf: Any) -> Any:
    """Return a NumPy array as one of a framework; anything else unchanged."""
    if name is None or not isinstance(leaf, np.ndarray | np.generic):
        return leaf
    library = sys.modules[name]
    if name == "torch":
        return library.tensor(np.ascontiguousarray(leaf).reshape(np.shape(leaf)))
    return library.numpy.asarray(leaf)


class Border:
    """Turns arrays into those of a framework on their way into a function, and back."""

    def __init__(self, args: Any) -> None:
        self.name = framework_among(tree.leaves(args))

    def outward(self, outs: Any) -> Any:
        """Return a tree with NumPy arrays in place of the framework's."""
        return tree.map(to_numpy, outs)

    def inward(self, args: Any) -> Any:
        """Return a tree with the framework's arrays in place of NumPy's."""
        return tree.map(lambda leaf: to_framework(self.name, leaf), args)

    def wrap(self, fun: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function of the framework's arrays as one of NumPy's."""

        def wrapped(*args: Any) -> Any:
            return self.outward(fun(*self.inward(args)))

        wrapped.__name__ = getattr(fun, "__name__", type(fun).__name__)
        return wrapped

    def conjugate(self, gs: Any) -> Any:
        """Return cotangents in PyTorch's convention, or back from it, if it applies."""
        return tree.map(np.conj, gs) if self.name == "torch" else gs


class Foreign:
    """A function of lists of NumPy arrays that a framework computes and differentiates.

    `fun` takes and returns tuples of the framework's arrays.
    """

    def __init__(self, fun: Callable[..., tuple[Any, ...]], name: str) -> None:
        self.fun = fun
        self.name = name

    def __call__(self, *xs: Any) -> tuple[Any, ...]:
        """Return the results as NumPy arrays."""
        ys = self.fun(*[to_framework(self.name, np.asarray(x)) for x in xs])
        return tuple([to_numpy(y) for y in ys])

    def derived(self, mode: str, n: int) -> Foreign:
        """Return the pullback or pushforward, taking the n arguments as well."""
        library = sys.modules[self.name]
        vjp, jvp = (getattr(_transforms(library), name) for name in ("vjp", "jvp"))

        def pullback(*both: Any) -> tuple[Any, ...]:
            gs = tuple([_turned(library, g) for g in both[n:]])
            return tuple([_turned(library, x) for x in vjp(self.fun, *both[:n])[1](gs)])

        def pushforward(*both: Any) -> tuple[Any, ...]:
            return tuple(jvp(self.fun, tuple(both[:n]), tuple(both[n:]))[1])

        return Foreign(pullback if mode == "rev" else pushforward, self.name)


def _transforms(library: Any) -> Any:
    return library.func if library.__name__ == "torch" else library


def _turned(library: Any, x: Any) -> Any:
    """Return a cotangent in the framework's convention of complex gradients, or ours.

    PyTorch's gradient is the conjugate of ours and JAX's.
    """
    return library.conj(x) if library.__name__ == "torch" and x.is_complex() else x


class _Marked:
    """A framework's function as one of NumPy arrays, for `flat_function` to see."""

    def __init__(self, fun: Callable[..., Any], framework: str) -> None:
        if framework not in sys.modules:
            raise ArgumentError(
                f"import {framework} before a function of it is checked"
            )
        self.fun = fun
        self.framework = framework
        self.__name__ = getattr(fun, "__name__", type(fun).__name__)

    def __call__(self, *args: Any) -> Any:
        border = Border(())
        border.name = self.framework
        return border.wrap(self.fun)(*args)


def of_torch(fun: Callable[..., Any]) -> Callable[..., Any]:
    """Return a PyTorch function as one of NumPy arrays; checks use PyTorch's gradient.

    For `check_grads` and `assert_grads_close` with NumPy arrays; where the arguments
    are tensors it isn't needed.
    """
    return _Marked(fun, "torch")


def of_jax(fun: Callable[..., Any]) -> Callable[..., Any]:
    """Return a JAX function as one of NumPy arrays; checks use JAX's gradient."""
    return _Marked(fun, "jax")


def unmarked(fun: Callable[..., Any]) -> tuple[Callable[..., Any], str | None]:
    """Return the function that `of_torch` or `of_jax` was given, and its framework."""
    if isinstance(fun, _Marked):
        return fun.fun, fun.framework
    return fun, None
