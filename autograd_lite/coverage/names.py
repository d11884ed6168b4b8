"""Which names there are, and which sample calls belong to them."""

from __future__ import annotations

import importlib
import inspect
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from ..testing.calls import constants, fft, linalg, scipy, special
from ..testing.calls import numpy as numpy_calls
from ..testing.calls.common import functions_called


@dataclass(frozen=True)
class Namespace:
    """A namespace, how expressions call it, and its sample calls.

    `once` are calls that are differentiable once only, `no_arrays` names of functions
    that take no arrays of floats; `real` namespaces know no complex numbers.
    """

    prefix: str
    calls: list[str]
    once: list[str] = field(default_factory=list)
    without_gradient: list[str] = field(default_factory=list)
    impossible: list[str] = field(default_factory=list)
    no_arrays: list[str] = field(default_factory=list)
    real: bool = False


NAMESPACES = {
    "numpy": Namespace(
        "np",
        [*numpy_calls.CALLS, *numpy_calls.UPDATES],
        without_gradient=constants.WITHOUT_GRADIENT,
        impossible=constants.IMPOSSIBLE,
        no_arrays=constants.NO_ARRAYS,
    ),
    "numpy.linalg": Namespace(
        "np.linalg", linalg.LINALG, without_gradient=linalg.WITHOUT_GRADIENT
    ),
    "numpy.fft": Namespace("np.fft", fft.FFT, without_gradient=fft.WITHOUT_GRADIENT),
    "scipy.special": Namespace(
        "scipy.special",
        special.SPECIAL,
        without_gradient=special.WITHOUT_GRADIENT,
    ),
    "scipy.linalg": Namespace("scipy.linalg", scipy.LINALG, scipy.ONCE),
    "scipy.signal": Namespace("scipy.signal", scipy.SIGNAL),
    "scipy.stats": Namespace(
        "scipy.stats",
        scipy.STATS,
        without_gradient=scipy.WITHOUT_GRADIENT,
        real=True,
    ),
    "scipy.integrate": Namespace("scipy.integrate", scipy.INTEGRATE, real=True),
    "scipy.optimize": Namespace(
        "scipy.optimize", scipy.OPTIMIZE, impossible=scipy.IMPOSSIBLE, real=True
    ),
}


def module_of(namespace: str) -> Any:
    """Return our module for a namespace."""
    return importlib.import_module(f"autograd_lite.{namespace}")


def public_names(namespace: str) -> dict[str, Any]:
    """Return the public names of a namespace of ours, with what they stand for.

    Submodules are namespaces of their own; the functions of a distribution of
    scipy.stats are listed as `norm.pdf`.
    """
    module = module_of(namespace)
    found = {name: getattr(module, name) for name in module.__all__}
    if namespace == "scipy.stats":
        return {
            f"{name}.{function}": value
            for name, distribution in found.items()
            for function, value in vars(distribution).items()
            if function[0] != "_" and _defined_in(distribution, value)
        }
    return {n: x for n, x in found.items() if not inspect.ismodule(x)}


def _defined_in(module: Any, value: Any) -> bool:
    return inspect.isfunction(value) and value.__module__ == module.__name__


@cache
def calls_by_name(namespace: str, kind: str) -> dict[str, list[str]]:
    """Return the sample calls of one kind, a field of `Namespace`, for each name."""
    known = NAMESPACES[namespace]
    found: dict[str, list[str]] = {}
    for expression in getattr(known, kind):
        for dotted in functions_called(expression):
            if dotted.startswith(f"{known.prefix}."):
                name = dotted.removeprefix(f"{known.prefix}.")
                found.setdefault(name, []).append(expression)
                if namespace == "numpy":  # np.add.reduce is a call of np.add
                    found.setdefault(name.partition(".")[0], []).append(expression)
    return {name: list(dict.fromkeys(calls)) for name, calls in found.items()}
