"""Hypothesis strategies for functions of arrays: shapes, axes, indices, domains, trees.

Hypothesis is imported here, so import this module only in tests. All strategies shrink
to small shapes and simple numbers.

>>> from hypothesis import given, settings
>>> from autograd_lite import elementwise
>>> @settings(max_examples=10, database=None)
... @given(arrays(shapes(max_side=3), domain=Domain(0.5, 2)))
... def test_positive(x):
...     assert (x > 0).all()
>>> test_positive()
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from .. import tree
from ..core import Primitive
from .domains import Domain, domain_of, spread

Shape = tuple[int, ...]
Strategy = st.SearchStrategy[Any]

STEPS: Final = 1024  # drawn numbers are these parts of a domain, not just any float
FLOATS: Final = ("float64", "float32")


def shapes(
    min_dims: int = 0, max_dims: int = 3, min_side: int = 1, max_side: int = 4
) -> Strategy:
    """Shapes; with `min_side=0` also of arrays without elements."""
    sides = {"min_side": min_side, "max_side": max_side}
    return hnp.array_shapes(min_dims=min_dims, max_dims=max_dims, **sides)


def broadcastable_shapes(
    n: int, max_dims: int = 3, min_side: int = 1, max_side: int = 4
) -> Strategy:
    """Tuples of n shapes that broadcast together."""
    found = hnp.mutually_broadcastable_shapes(
        num_shapes=n, max_dims=max_dims, min_side=min_side, max_side=max_side
    )
    return found.map(lambda both: both.input_shapes)


def dtypes(kinds: str = "f") -> Strategy:
    """Dtypes: "f" for float64 and float32, "h" float16, "c" complex, as in "fhc"."""
    names: list[str] = []
    for kind in kinds:
        found = {"f": FLOATS, "h": ("float16",), "c": ("complex128", "complex64")}
        names += found[kind]
    return st.sampled_from(names).map(np.dtype)


def arrays(
    shape: Any = None, dtype: Any = "float64", domain: Domain | None = None
) -> Strategy:
    """Arrays whose elements are in a domain, away from its kinks.

    `shape` and `dtype` may be strategies too; any shape by default.
    """
    domain = domain or Domain()

    def placed(unit: Any, kind: Any) -> Any:
        x = domain.placed(unit / STEPS)
        x = spread(domain, [x])[0] if domain.apart else x
        return np.asarray(x * np.exp(0.4j) if np.dtype(kind).kind == "c" else x, kind)

    numbers = hnp.arrays(
        np.int64, shapes() if shape is None else shape, elements=st.integers(0, STEPS)
    )
    kinds = dtype if isinstance(dtype, st.SearchStrategy) else st.just(dtype)
    return st.builds(placed, numbers, kinds)


def at_kinks(shape: Any, domain: Domain, dtype: Any = "float64") -> Strategy:
    """Arrays of a domain with at least one element on a kink."""
    kinks = st.sampled_from(domain.kinks)

    def moved(x: Any, kink: float, place: int) -> Any:
        x = x.copy()
        x.flat[place % x.size] = kink
        return x

    some = arrays(shape, dtype, domain).filter(lambda x: x.size)
    return st.builds(moved, some, kinks, st.integers(0, 99))


def axes(ndim: int) -> Strategy:
    """What NumPy takes for `axis`: None, a number, or a tuple, negative ones too."""
    if not ndim:
        return st.sampled_from([None, ()])
    one = st.integers(-ndim, ndim - 1)
    return st.none() | one | hnp.valid_tuple_axes(ndim)


def indices(shape: Shape) -> Strategy:
    """What may stand in x[...]: slices, numbers, arrays with repeats, masks."""
    found: list[Strategy] = [hnp.basic_indices(shape, allow_newaxis=True)]
    if shape and all(shape):
        found.append(hnp.integer_array_indices(shape))
        found.append(hnp.arrays(bool, shape))
    return st.one_of(found)


def trees(leaf: Strategy | None = None, max_leaves: int = 5) -> Strategy:
    """Parameter trees: dicts, lists and tuples of arrays, and None."""
    leaves = arrays() if leaf is None else leaf
    names = st.sampled_from(["w", "b", "scale", "layers"])

    def grown(inner: Strategy) -> Strategy:
        few = st.lists(inner, max_size=3)
        return few | few.map(tuple) | st.dictionaries(names, inner, max_size=3)

    found = st.recursive(leaves | st.none(), grown, max_leaves=max_leaves)
    return found.filter(tree.leaves)


@dataclass(frozen=True)
class Convolution:
    """A convolution that fits: x: (n, h, w, c), w: (r, s, c / groups, k), options."""

    x: Any
    w: Any
    stride: tuple[int, int]
    padding: Any
    dilation: tuple[int, int]
    groups: int

    @property
    def options(self) -> dict[str, Any]:
        """The keyword arguments of `nn.conv`."""
        names = ("stride", "padding", "dilation", "groups")
        return {name: getattr(self, name) for name in names}


@st.composite
def convolutions(draw: Any, max_side: int = 6, dtype: str = "float64") -> Convolution:
    """Images and kernels with strides, paddings, dilations and groups that fit."""
    pair = st.tuples(st.integers(1, 2), st.integers(1, 2))
    stride, dilation = draw(pair), draw(pair)
    groups = draw(st.integers(1, 2))
    n, c, k = draw(st.integers(1, 2)), draw(st.integers(1, 2)), draw(st.integers(1, 2))
    sides = st.tuples(st.integers(0, 2), st.integers(0, 2))
    padding = draw(st.sampled_from(["VALID", "SAME"]) | st.tuples(sides, sides))
    r, s = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    least = [(m - 1) * d + 1 for m, d in zip((r, s), dilation)]
    h, w = (draw(st.integers(m, max(m, max_side))) for m in least)
    x = draw(arrays((n, h, w, c * groups), dtype))
    kernel = draw(arrays((r, s, c, k * groups), dtype))
    return Convolution(x, kernel, stride, padding, dilation, groups)


def arguments(
    primitive: Primitive, n: int, shape: Any = None, min_side: int = 1
) -> Strategy:
    """Tuples of n arguments of a primitive, from the domain that it registered.

    Their shapes broadcast together if the primitive broadcasts, else they are equal.
    """
    domains = [domain_of(primitive, i) for i in range(n)]
    if shape is not None:
        found = st.just((shape,) * n)
    elif primitive.broadcasts:
        found = broadcastable_shapes(n, min_side=min_side)
    else:
        found = shapes(min_side=min_side).map(lambda one: (one,) * n)
    drawn = found.flatmap(
        lambda chosen: st.tuples(
            *[arrays(one, domain=domain) for one, domain in zip(chosen, domains)]
        )
    )
    if not domains[0].apart:
        return drawn
    return drawn.map(lambda xs: tuple(spread(domains[0], xs)))
