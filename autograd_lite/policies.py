"""What derivatives mean where there is none: one table, and the `policy` in force.

At a tie, a kink or the tip of a cone many values are defensible, and libraries chose
differently. Each such choice is a row of `CONVENTIONS`. Rules read the policy in force
when they see their arguments, that is in the forward pass; a walk back that comes later
keeps to it. Points where the derivative exists, such as sinc(0) or x**0 at 0, are no
matter of choice and have no row.
"""

from __future__ import annotations

import contextlib
import math
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Final, NamedTuple

from .errors import ArgumentError

NAN: Final = math.nan


class Convention(NamedTuple):
    """One choice: what it is about, what may be chosen, who chose what, who reads it.

    `peers` are the choices of JAX 0.10, PyTorch 2.13 and HIPS autograd 1.9, as run.
    """

    name: str
    meaning: str
    choices: tuple[Any, ...]  # the default first
    peers: dict[str, str]
    readers: tuple[str, ...]


def _peers(jax: str, torch: str, hips: str) -> dict[str, str]:
    return {"JAX": jax, "PyTorch": torch, "HIPS": hips}


CONVENTIONS: Final = {
    convention.name: convention
    for convention in [
        Convention(
            "ties",
            "equal elements share the gradient, or the first one takes it",
            ("split", "first"),
            _peers("split", "split; max(dim), fmax: first", "split"),
            ("max", "min", "maximum", "minimum", "fmax", "fmin"),
        ),
        Convention(
            "pool_ties",
            "which of the equal elements of a max-pool window takes the gradient",
            ("first",),
            _peers("first", "first", "-"),
            ("max_pool",),
        ),
        Convention(
            "abs0",
            "the derivative of abs at 0",
            (0, 1, NAN),
            _peers("1", "0", "0"),
            ("absolute", "fabs"),
        ),
        Convention(
            "norm0",
            "the gradient of a norm at the origin",
            (0, NAN),
            _peers("nan; hypot: 1/2", "0; hypot: nan", "nan"),
            ("norm", "power_norm", "hypot"),
        ),
        Convention(
            "std0",
            "the gradient of the standard deviation of equal elements",
            (0, NAN),
            _peers("nan", "0", "nan"),
            ("std",),
        ),
        Convention(
            "angle0",
            "the gradient of an angle at the origin",
            (0, NAN),
            _peers("nan", "0", "nan"),
            ("arctan2", "angle"),
        ),
        Convention(
            "clip_edge",
            "the share of x in the gradient of clip at an edge; the edge has the rest",
            (1, 0.5, 0),
            _peers("1/2", "1", "0"),
            ("clip",),
        ),
        Convention(
            "relu0",
            "the derivative of relu at 0",
            (0, 0.5, 1),
            _peers("0", "0", "-"),
            ("relu",),
        ),
        Convention(
            "leaky0",
            "the derivative of leaky_relu at 0",
            ("slope", 1),
            _peers("1", "slope", "-"),
            ("leaky_relu",),
        ),
    ]
}


class Choices(NamedTuple):
    """A value for each convention, and the choices that were in force before."""

    ties: str = "split"
    pool_ties: str = "first"
    abs0: float = 0
    norm0: float = 0
    std0: float = 0
    angle0: float = 0
    clip_edge: float = 1
    relu0: float = 0
    leaky0: Any = "slope"
    outer: Choices | None = None


_DEFAULT: Final = Choices()
_IN_FORCE: Final[ContextVar[Choices]] = ContextVar("policy", default=_DEFAULT)
in_force: Final = _IN_FORCE.get  # for rules; per thread, and per asynchronous task


class policy(contextlib.ContextDecorator):
    """Choose what derivatives are at ties and kinks, within a block or a function.

    `policy.table()` prints the choices there are, with their defaults and what peers
    do; `policy.current()` returns those in force. Blocks nest, an exception restores
    the outer policy, and other threads don't notice. Raises `ValueError` for a name or
    a value that is not in the table.

    >>> import autograd_lite.numpy as np
    >>> from autograd_lite import grad
    >>> print(grad(np.max)(np.ones(2)))
    [0.5 0.5]
    >>> with policy(ties="first", abs0=1):
    ...     print(grad(np.max)(np.ones(2)), grad(np.abs)(0.0))
    [1. 0.] 1.0
    """

    def __init__(self, **choices: Any) -> None:
        self.choices = {name: _checked(name, x) for name, x in choices.items()}

    def __enter__(self) -> policy:
        before = in_force()
        _IN_FORCE.set(before._replace(**self.choices, outer=before))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _IN_FORCE.set(in_force().outer or _DEFAULT)

    def __repr__(self) -> str:
        return f"policy({_listed(self.choices)})"

    @staticmethod
    def current() -> dict[str, Any]:
        """Return the choice in force for each convention, by name.

        >>> policy.current()["ties"]
        'split'
        """
        return {name: getattr(in_force(), name) for name in CONVENTIONS}

    @staticmethod
    def changed() -> dict[str, Any]:
        """Return the choices in force that are not the default ones.

        >>> with policy(relu0=1):
        ...     policy.changed()
        {'relu0': 1}
        """
        return {
            name: value
            for name, value in policy.current().items()
            if value is not getattr(_DEFAULT, name)
        }

    @staticmethod
    def describe() -> str:
        """Return in one line what differs from the defaults, for reports.

        >>> policy.describe()
        'the default policy at ties and kinks'
        """
        changed = policy.changed()
        if not changed:
            return "the default policy at ties and kinks"
        return f"policy({_listed(changed)})"

    @staticmethod
    def table() -> str:
        """Return the table of all conventions, as Markdown that shows when printed."""
        head = ["name", "choices, default first", "what", *_peers("", "", "")]
        rows = [head, ["---"] * len(head)]
        for row in CONVENTIONS.values():
            choices = " ".join(_shown(choice) for choice in row.choices)
            what = f"{row.meaning} ({', '.join(row.readers)})"
            rows.append([row.name, choices, what, *row.peers.values()])
        widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
        return Text("\n".join(_line(row, widths) for row in rows))


class Text(str):
    """A text that a session shows as it is, without quotes."""

    def __repr__(self) -> str:
        return str(self)


def _line(row: list[str], widths: list[int]) -> str:
    fill = "-" if row[0] == "---" else " "
    cells = [cell.ljust(width, fill) for cell, width in zip(row, widths)]
    return f"| {' | '.join(cells)} |"


def _checked(name: str, value: Any) -> Any:
    """Return the choice that a value means."""
    if name not in CONVENTIONS:
        raise ArgumentError(
            f"policy has no {name!r}; there are {', '.join(CONVENTIONS)} "
            "(print(policy.table()) explains them)"
        )
    convention = CONVENTIONS[name]
    for choice in convention.choices:
        if choice == value or (choice != choice and value != value):
            return choice
    expected = " or ".join(_shown(choice) for choice in convention.choices)
    raise ArgumentError(f"policy({name}={value!r}): expected {expected}")


def _listed(choices: dict[str, Any]) -> str:
    return ", ".join(f"{name}={_shown(value)}" for name, value in choices.items())


def _shown(value: Any) -> str:
    return "nan" if value != value else repr(value)
