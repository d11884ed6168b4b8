"""The arrays of sample calls, and how an expression becomes a function of them."""

from __future__ import annotations

import ast
import io
import re
from types import CodeType
from typing import Any

import numpy

MASK = numpy.array([[True, False, True, False], [False] * 4, [True] * 4])
SOME = numpy.array([[[True, False, True, True]], [[False, True, False, True]]])
NANS = numpy.where(numpy.eye(3, 4) > 0, numpy.nan, 0.0)
ROWS = numpy.array([0, 2, 2])
ORDER = numpy.array([[1, 0, 2, 3], [3, 3, 0, 1], [0, 1, 2, 2]])
COUNTS = numpy.array([2, 0, 1, 3])
CONSTANTS = {
    "MASK": MASK,
    "SOME": SOME,
    "NANS": NANS,
    "ROWS": ROWS,
    "ORDER": ORDER,
    "COUNTS": COUNTS,
    "TEXT": io.StringIO(),
}


def arrays(seed: int = 0) -> dict[str, Any]:
    """Return the arrays that the expressions name."""
    rng = numpy.random.default_rng(seed)

    def distinct(*shape: int) -> Any:
        n = int(numpy.prod(shape))
        steps = numpy.arange(n) - n / 2 + 0.3 + rng.uniform(-0.2, 0.2, n)
        return rng.permutation(steps).reshape(shape) * (3 / n)

    zeros = distinct(3, 4)
    zeros[0, 1] = zeros[1, 1] = zeros[1, 2] = 0
    return {
        "a": distinct(3, 4),  # distinct elements, not zero
        "b": distinct(3, 4) + 0.01,
        "t": distinct(2, 3, 4),
        "r": distinct(1, 3, 1),
        "v": distinct(4) + 0.02,
        "w": distinct(4),
        "u": distinct(6),
        "o": numpy.sort(distinct(6)),
        "s": distinct(1)[0] + 0.4,
        "k": distinct(4, 4),
        "z": zeros,
        "p": rng.uniform(0.3, 2, (3, 4)),  # positive
        "q": rng.uniform(0.3, 2, 4),
        "h": rng.uniform(-0.9, 0.9, (3, 4)),  # within the unit interval
        "e": rng.uniform(0.1, 0.9, (3, 4)) + numpy.arange(4),  # not whole
        "f": rng.uniform(1.2, 3, (3, 4)),  # above one
    }


def complex_arrays(seed: int = 0) -> dict[str, Any]:
    """Return complex arrays under names of `arrays`."""
    return {
        name: x * numpy.exp(0.7j) + 0.1j * x.T.reshape(x.shape)
        for name, x in arrays(seed).items()
        if x.ndim
    }


def calls(text: str) -> list[str]:
    """Return the expressions of a text: one per line, or several between `;`."""
    return [part.strip() for part in text.replace("\n", ";").split(";") if part.strip()]


class Call:
    """An expression as a function of the arrays that it names.

    `names` are those arrays and `args` their values. `modules` gives the modules that
    the expression names, `np` and `scipy`.
    """

    def __init__(
        self, expression: str, modules: dict[str, Any], samples: dict[str, Any]
    ) -> None:
        self.code = compile(expression, expression, "eval")
        self.__name__ = expression
        read = code_names(self.code)
        # An attribute may be called as an array is: `np.e`.
        self.names = [
            name
            for name in samples
            if name in read and re.search(rf"(?<!\.)\b{name}\b", expression)
        ]
        self.args = tuple([samples[name] for name in self.names])
        self.namespace = {"numpy": numpy, **CONSTANTS, **modules}

    def __call__(self, *xs: Any) -> Any:
        """Evaluate the expression with other arrays."""
        return eval(self.code, {**self.namespace, **dict(zip(self.names, xs))})


def code_names(code: CodeType) -> set[str]:
    """Return the names that a code object reads, those in nested functions too."""
    found = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            found |= code_names(constant)
    return found


def functions_called(expression: str) -> dict[str, ast.Call | None]:
    """Return the dotted names of library functions in an expression, with their calls.

    >>> list(functions_called("np.linalg.inv(np.exp(a))"))
    ['np.linalg.inv', 'np.exp']
    """
    nodes = list(ast.walk(ast.parse(expression, mode="eval")))
    called = {ast.unparse(n.func): n for n in nodes if isinstance(n, ast.Call)}
    inner = {id(n.value) for n in nodes if isinstance(n, ast.Attribute)}
    whole = [n for n in nodes if isinstance(n, ast.Attribute) and id(n) not in inner]
    names = [ast.unparse(n) for n in whole]
    return {n: called.get(n) for n in names if re.fullmatch(r"(np|scipy)(\.\w+)+", n)}
