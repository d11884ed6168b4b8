"""HIPS autograd's gradient checks in its call forms, over `autograd_lite.testing`.

The checks themselves are ours: `docs/migration.md` says how they differ.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

from .testing import check_grads as check

Fun = Callable[..., Any]


def check_grads(
    fun: Fun,
    argnum: int | Sequence[int] = 0,
    modes: Sequence[str] = ("fwd", "rev"),
    order: int = 2,
) -> Fun:
    """Return the function of arguments that checks the derivatives of `fun` there.

    Only the arguments `argnum` are checked, the first one by default.

    >>> import autograd_lite.numpy as np
    >>> check_grads(np.multiply, (0, 1), modes=["rev"])(2.0, np.ones(3))
    """
    chosen = (argnum,) if isinstance(argnum, int) else tuple(argnum)

    def checked(*args: Any, **kwargs: Any) -> None:
        def of_chosen(*xs: Any) -> Any:
            new = list(args)
            for i, x in zip(chosen, xs, strict=True):
                new[i] = x
            return fun(*new, **kwargs)

        of_chosen.__name__ = getattr(fun, "__name__", type(fun).__name__)
        check(of_chosen, tuple([args[i] for i in chosen]), order, tuple(modes))

    return checked


def check_vjp(f: Fun, x: Any) -> None:
    """Check the first derivative of a function of one argument, in reverse mode."""
    check(f, (x,), 1, ("rev",))


def check_jvp(f: Fun, x: Any) -> None:
    """Check the first derivative of a function of one argument, in forward mode."""
    check(f, (x,), 1, ("fwd",))


def combo_check(fun: Fun, *args: Any, **kwargs: Any) -> Fun:
    """Return a function that checks `fun` on all combinations of values.

    It takes a list of values for each argument and keyword; the arguments here are
    those of `check_grads`.

    >>> import autograd_lite.numpy as np
    >>> combo_check(np.sum, 0, order=1)([np.ones(2), np.ones((2, 3))], axis=[None, 0])
    """

    def combinations(*values: Any, **options: Any) -> None:
        for xs in itertools.product(*values):
            for chosen in itertools.product(*options.values()):
                named = dict(zip(options, chosen, strict=True))
                check_grads(fun, *args, **kwargs)(*xs, **named)

    return combinations
