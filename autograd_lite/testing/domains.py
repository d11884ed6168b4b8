"""Where a primitive is differentiable: the domain that each one registers.

`check_primitive` draws arguments from it. Library primitives that have no entry are
differentiable at all real numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from ..core import Primitive
from ..ops import elementwise as ew


@dataclass(frozen=True)
class Domain:
    """Real numbers between `low` and `high` that keep a distance from the kinks.

    Attributes:
        low, high: the ends, which are drawn as well.
        kinks: points where there is no derivative; drawn numbers stay `margin` away.
        period: kinks repeat after it, as those of `fmod` do.
        apart: no two elements of the arguments are near another: ties are kinks too.

    >>> print(Domain(-1, 1, kinks=(0,)).pushed(np.array([-0.5, 0.0, 0.02])))
    [-0.5  0.1  0.1]
    """

    low: float = -2.0
    high: float = 2.0
    kinks: tuple[float, ...] = ()
    margin: float = 0.1
    period: float | None = None
    apart: bool = False

    def pushed(self, x: Any) -> Any:
        """Return numbers moved away from the kinks, by at most the margin.

        The margin must fit between each kink and the ends of the domain.
        """
        for kink in self.kinks:
            gap = x - kink
            if self.period:
                gap = gap - self.period * np.round(gap / self.period)
            near = abs(gap) < self.margin
            x = np.where(near, x - gap + np.copysign(self.margin, gap), x)
        return x

    def placed(self, unit: Any) -> Any:
        """Return numbers of the domain for numbers in [0, 1]."""
        return self.pushed(self.low + (self.high - self.low) * unit)


def spread(domain: Domain, arrays: Sequence[Any]) -> list[Any]:
    """Return arrays in the order of these whose elements, all together, are apart."""
    sizes = [np.size(x) for x in arrays]
    flat = np.concatenate([np.ravel(x) for x in arrays])
    ranks = np.empty(flat.size)
    ranks[np.argsort(flat, kind="stable")] = np.arange(flat.size)
    moved = domain.placed((ranks + 0.4) / max(flat.size, 1))
    parts = np.split(moved, np.cumsum(sizes)[:-1])
    return [part.reshape(np.shape(x)) for part, x in zip(parts, arrays)]


DOMAINS: Final[dict[Primitive, tuple[Domain, ...]]] = {}


def register_domain(primitive: Primitive, *domains: Domain) -> None:
    """Say where a primitive is differentiable: a domain per argument, or one for all.

    >>> from autograd_lite import elementwise
    >>> @elementwise
    ... def root(x):
    ...     return np.sqrt(x)
    >>> register_domain(root, Domain(0.1, 4))
    """
    DOMAINS[primitive] = domains


def domain_of(primitive: Primitive, argnum: int) -> Domain:
    """Return the domain of an argument, all real numbers if none is registered."""
    domains = DOMAINS.get(primitive, (Domain(),))
    return domains[min(argnum, len(domains) - 1)]


POSITIVE: Final = Domain(0.3, 3)
INNER: Final = Domain(-0.9, 0.9)
NONZERO: Final = Domain(kinks=(0.0,), margin=0.3)
APART: Final = Domain(apart=True)

REGISTERED: Final[dict[Any, tuple[Domain, ...]]] = {
    **dict.fromkeys([ew.sqrt, ew.log, ew.log2, ew.log10, ew.log1p], (POSITIVE,)),
    **dict.fromkeys([ew.arcsin, ew.arccos, ew.arctanh], (INNER,)),
    **dict.fromkeys([ew.absolute, ew.fabs, ew.reciprocal, ew.copysign], (NONZERO,)),
    **dict.fromkeys([ew.arctan2, ew.hypot, ew.heaviside], (NONZERO,)),
    **dict.fromkeys([ew.maximum, ew.minimum, ew.fmax, ew.fmin, ew.clip], (APART,)),
    **dict.fromkeys([ew.remainder, ew.fmod], (Domain(0.1, 0.9), Domain(1.0, 1.5))),
    **dict.fromkeys([ew.power, ew.float_power], (POSITIVE, Domain())),
    ew.cbrt: (POSITIVE,),
    ew.divide: (Domain(), NONZERO),
    ew.arccosh: (Domain(1.2, 4),),
    ew.tan: (Domain(-1.2, 1.2),),
}
DOMAINS.update(REGISTERED)
