"""Check a function's gradient from a shell: `python -m autograd_lite.check`.

    python -m autograd_lite.check package.module:function --shapes 3,4 5

The exit code is 0 if all derivatives are right, 1 if one is wrong, 3 if the function is
not differentiable at the arguments or nothing can be said, 2 for wrong use.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from . import tree
from .errors import ArgumentError, AutogradError
from .testing import Report, check_grads
from .testing.given import gradient_report
from .testing.report import INCONCLUSIVE, KINK, OK, WRONG

EXIT_CODES: Final = {OK: 0, WRONG: 1, KINK: 3, INCONCLUSIVE: 3}
USAGE: Final = 2
DTYPES: Final = ("float16", "float32", "float64", "complex64", "complex128")
SCALARS: Final = {float: "f", complex: "c", "float": "f", "complex": "c"}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code.

    >>> main(["autograd_lite.numpy:tanh", "--shapes", "3"])
    tanh: ok (reverse mode and forward mode, orders 1 to 2; off by ... at most)
    0
    """
    options = _parser().parse_args(argv)
    try:
        report = run(options)
        if options.plot:
            report.plot(options.plot)
    except (ArgumentError, ImportError) as error:
        print(f"autograd_lite.check: {error}", file=sys.stderr)
        return USAGE
    print(report.to_json() if options.json else report)
    return EXIT_CODES[report.verdict]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m autograd_lite.check",
        description="Check the derivatives of a function against finite differences.",
        epilog="Exit code: 0 right, 1 wrong, 2 wrong use, 3 not differentiable here or "
        "inconclusive.",
    )
    add = parser.add_argument
    add("function", help="package.module:function; attributes may follow with dots")
    add("--shapes", nargs="+", type=_shape, metavar="3,4", help="one per argument")
    add("--dtype", choices=DTYPES, default="float64", help="default: %(default)s")
    add("--order", type=int, default=2, help="highest derivative (default: 2)")
    add(
        "--gradient",
        metavar="FUNCTION",
        help="its hand-derived gradient, to be checked",
    )
    add("--modes", nargs="+", choices=("rev", "fwd"), default=("rev", "fwd"))
    add("--range", nargs=2, type=float, metavar=("LOW", "HIGH"), help="of the values")
    add("--seed", type=int, default=0, help="of values and directions (default: 0)")
    add("--json", action="store_true", help="print the report as JSON")
    add("--plot", metavar="PATH", help="draw Taylor remainders and errors (Matplotlib)")
    return parser


def _shape(text: str) -> tuple[int, ...]:
    """Return the shape that `3,4` stands for; `()` or `scalar` is one number."""
    if text in ("()", "scalar"):
        return ()
    return tuple([int(n) for n in text.strip("(),").split(",")])


def run(options: argparse.Namespace) -> Report:
    """Check the function that the options name; raise `ArgumentError` if it can't be.

    An error that the function raises on these arguments counts as one of use.
    """
    fun = load(options.function)
    rng = np.random.default_rng(options.seed)
    draw = _drawer(rng, options.dtype, options.range)
    if options.shapes is None:
        args = default_arguments(fun, draw)
    else:
        args = tuple([draw(shape) for shape in options.shapes])
    try:
        if options.gradient:
            gradient = load(options.gradient)
            return gradient_report(fun, gradient, args, None, 0.0, options.seed)
        modes, seed = tuple(options.modes), options.seed
        return check_grads(fun, args, options.order, modes, seed=seed, report=True)
    except (TypeError, ValueError, LookupError, AutogradError) as error:
        shown = ", ".join([_described(arg) for arg in args])
        raise ArgumentError(f"{options.function}({shown}): {error}") from error


def _described(arg: Any) -> str:
    shapes = [f"{np.asarray(leaf).dtype}{np.shape(leaf)}" for leaf in tree.leaves(arg)]
    return shapes[0] if len(shapes) == 1 else f"[{', '.join(shapes)}]"


def load(name: str) -> Callable[..., Any]:
    """Return the function that `package.module:function` names."""
    module, colon, path = name.partition(":")
    if not colon or not module or not path:
        raise ArgumentError(f"{name!r}: expected package.module:function")
    sys.path.insert(0, os.getcwd())  # as `python -m` and scripts have it
    try:
        found: Any = importlib.import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
    except AttributeError as error:
        raise ArgumentError(f"{name!r}: {error}") from error
    finally:
        sys.path.pop(0)
    if not callable(found):
        raise ArgumentError(f"{name!r} is a {type(found).__name__}, no function")
    return found


def _drawer(
    rng: np.random.Generator, dtype: str, limits: Sequence[float] | None
) -> Callable[[tuple[int, ...]], Any]:
    """Return what draws an array: normal numbers, or uniform ones between limits."""

    def one(shape: tuple[int, ...]) -> Any:
        if limits is None:
            return rng.standard_normal(shape)
        low, high = limits
        return rng.uniform(low, high, shape)

    def draw(shape: tuple[int, ...]) -> Any:
        x = one(shape)
        x = x + 1j * one(shape) if dtype.startswith("complex") else x
        return np.asarray(x, dtype)

    return draw


def default_arguments(
    fun: Callable[..., Any], draw: Callable[[tuple[int, ...]], Any]
) -> tuple[Any, ...]:
    """Return arguments from a function's defaults and type hints.

    A default is taken as it is; a parameter that is hinted as a float or complex number
    gets a random one. Raises `ArgumentError` that names those which need a shape.
    """
    try:
        parameters = inspect.signature(fun).parameters.values()
    except (TypeError, ValueError) as error:
        raise ArgumentError(
            f"the signature of {fun} is unknown; pass --shapes"
        ) from error
    args: list[Any] = []
    missing = []
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    for parameter in [p for p in parameters if p.kind in kinds]:
        if parameter.default is not parameter.empty:
            args.append(parameter.default)
        elif parameter.annotation in SCALARS:
            args.append(draw(())[()])
        else:
            missing.append(parameter.name)
    if missing or not args:
        needed = " ".join([f"<shape of {name}>" for name in missing]) or "..."
        raise ArgumentError(
            "the arguments are not known from defaults or from hints like `x: float`; "
            f"pass --shapes {needed}, such as 3,4 for a matrix or () for a number"
        )
    return tuple(args)


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the report says what matters
        sys.exit(main())
