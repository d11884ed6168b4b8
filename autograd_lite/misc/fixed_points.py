"""HIPS autograd's fixed points: `autograd_lite.fixed_point` in another form."""

from collections.abc import Callable
from typing import Any

from ..implicit import custom_root

Step = Callable[[Any], Any]


def fixed_point(
    f: Callable[[Any], Step],
    a: Any,
    x0: Any,
    distance: Callable[[Any, Any], Any],
    tol: float,
) -> Any:
    """Return the array x with f(a)(x) = x, by iteration from x0; differentiable in `a`.

    It ends when `distance(x, previous)` is at most `tol`.

    >>> from autograd_lite import grad
    >>> def far(x, y):
    ...     return abs(x - y)
    >>> def root(a):  # the square root
    ...     return fixed_point(lambda a: lambda x: (x + a / x) / 2, a, 1.0, far, 1e-9)
    >>> print(f"{root(4.0):.3f} {grad(root)(4.0):.3f}")
    2.000 0.250
    """

    def iterate(change: Step, x: Any) -> Any:
        previous, x = x, x + change(x)
        while distance(x, previous) > tol:
            previous, x = x, x + change(x)
        return x

    return custom_root(lambda x, a: f(a)(x) - x, x0, iterate, args=(a,))
