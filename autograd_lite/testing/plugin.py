"""What the pytest plugin does once a test asks for a gradient check.

Nothing here imports pytest: its objects are handed in by `pytest_autograd_lite`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import ArgumentError
from .compare import assert_grads_close
from .given import check_gradient, check_jvp, check_vjp
from .grads import check_grads
from .report import Report
from .tapes import check_tape

Count = Callable[[str], None]
SETTINGS = ("order", "modes", "rtol", "atol", "seed")


class Checker:
    """The fixture `gradcheck`: the checks of `autograd_lite.testing`, counted.

    Each takes the arguments of the function it is named after. It fails the test if a
    derivative is wrong, warns if nothing can be said, and returns the `Report`.
    """

    def __init__(self, count: Count) -> None:
        self._count = count

    def __call__(self, *args: Any, **kwargs: Any) -> Report:
        """Do what `check_grads` does."""
        __tracebackhide__ = True
        return self._settled(check_grads(*args, **kwargs, report=True))

    def gradient(self, *args: Any, **kwargs: Any) -> Report:
        """Do what `check_gradient` does."""
        __tracebackhide__ = True
        return self._settled(check_gradient(*args, **kwargs, report=True))

    def vjp(self, *args: Any, **kwargs: Any) -> Report:
        """Do what `check_vjp` does."""
        __tracebackhide__ = True
        return self._settled(check_vjp(*args, **kwargs, report=True))

    def jvp(self, *args: Any, **kwargs: Any) -> Report:
        """Do what `check_jvp` does."""
        __tracebackhide__ = True
        return self._settled(check_jvp(*args, **kwargs, report=True))

    def tape(self, *args: Any, **kwargs: Any) -> Report:
        """Do what `check_tape` does."""
        __tracebackhide__ = True
        return self._settled(check_tape(*args, **kwargs, report=True))

    def close(self, *args: Any, **kwargs: Any) -> Report:
        """Do what `assert_grads_close` does."""
        __tracebackhide__ = True
        return self._settled(assert_grads_close(*args, **kwargs, report=True))

    def _settled(self, report: Report | None) -> Report:
        __tracebackhide__ = True
        if report is None:
            raise ArgumentError("a check with report=True returned no report")
        self._count(report.verdict)
        report.settle(stacklevel=3)
        return report


def parametrize(metafunc: Any, marker: Any) -> None:
    """Give a marked test function its arrays, once for each dtype of the marker."""
    shapes, options = _read(marker)
    names = _names(metafunc.function, shapes)
    chosen = options["dtype"]
    dtypes = [chosen] if isinstance(chosen, str | type) else list(chosen)
    rows = [_arrays(shapes, dtype, options) for dtype in dtypes]
    sizes = ["x".join(map(str, s)) or "scalar" for s in _list(shapes)]
    ids = ["-".join([np.dtype(dtype).name, *sizes]) for dtype in dtypes]
    metafunc.parametrize(",".join(names), rows, ids=ids)


def check_marked(item: Any, marker: Any, count: Count) -> None:
    """Check the function that a marked test is."""
    __tracebackhide__ = True
    shapes, options = _read(marker)
    names = _names(item.obj, shapes)
    wanted = {name: item.funcargs[name] for name in item._fixtureinfo.argnames}
    xs = tuple([wanted.pop(name) for name in names])

    def fun(*xs: Any) -> Any:
        return item.obj(**dict(zip(names, xs, strict=True)), **wanted)

    fun.__name__ = item.name
    settings = {name: options[name] for name in SETTINGS if name in options}
    Checker(count)(fun, xs, **settings)


def _read(marker: Any) -> tuple[Any, dict[str, Any]]:
    """Return the shapes that a marker names, and its other options."""
    options = {"dtype": "float64", **marker.kwargs}
    shapes = marker.args[0] if marker.args else options.pop("shapes", None)
    known = {*SETTINGS, "dtype", "low", "high"}
    if shapes is None or len(marker.args) > 1 or set(options) - known:
        raise ArgumentError(
            f"gradcheck{marker.args}{marker.kwargs or ''}: expected shapes, a list of "
            f"shapes or a dict of them by parameter, and some of {sorted(known)}"
        )
    return shapes, options


def _list(shapes: Any) -> list[tuple[int, ...]]:
    values = shapes.values() if isinstance(shapes, dict) else shapes
    return [tuple(shape) for shape in values]


def _names(function: Callable[..., Any], shapes: Any) -> list[str]:
    """Return the parameters that are arrays: those named, or else the first ones."""
    if isinstance(shapes, dict):
        return list(shapes)
    names = [name for name in inspect.signature(function).parameters if name != "self"]
    if len(names) < len(shapes):
        raise ArgumentError(
            f"{function.__name__} has {len(names)} parameters for {len(shapes)} shapes"
        )
    return names[: len(shapes)]


def _arrays(shapes: Any, dtype: Any, options: dict[str, Any]) -> Any:
    """Return random arrays; one by itself, as pytest wants a row of one parameter."""
    rng = np.random.default_rng(options.get("seed", 0))
    low, high = options.get("low"), options.get("high")

    def one(shape: tuple[int, ...]) -> Any:
        if low is None and high is None:
            return rng.standard_normal(shape)
        return rng.uniform(low or 0.0, 1.0 if high is None else high, shape)

    found = []
    for shape in _list(shapes):
        x = one(shape)
        found.append(
            np.asarray(x + 1j * one(shape) if np.dtype(dtype).kind == "c" else x, dtype)
        )
    return found[0] if len(found) == 1 else tuple(found)
