"""One row per primitive: sample inputs, parameters, the NumPy twin, what to check.

Every primitive of `autograd_lite.ops` has at least one row, in `CASES` here or in
another file `cases_*.py`; `test_cases.py` walks them all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np

from autograd_lite.core import Primitive
from autograd_lite.ops import basic, index, linalg, reduce, scan, shape, sorting
from autograd_lite.ops import elementwise as ew

Make = Callable[[np.random.Generator], tuple[Any, ...]]


@dataclass(frozen=True)
class Case:
    """A primitive, how to call it, and what must hold.

    `make(rng)` returns the positional arguments, in float64. `twin` computes the same
    in NumPy, with the same call. `order` is the highest derivative to check, 0 for
    constants. `dtypes` are checked besides float64: "f" float32, "c" complex128.
    `axes0` tells that the arguments may lose all elements along axis 0, `constant` that
    all elements of an argument may be equal.
    """

    primitive: Primitive
    make: Make
    twin: Callable[..., Any]
    params: dict[str, Any] = field(default_factory=dict)
    order: int = 2
    dtypes: str = "f"
    axes0: bool = True
    constant: bool = True
    note: str = ""

    @property
    def id(self) -> str:
        """The name of the row in test output."""
        return f"{self.primitive.name}{'-' if self.note else ''}{self.note}"


# -- domains --------------------------------------------------------------------------


def normal(*shapes: tuple[int, ...]) -> Make:
    """Arrays of normal numbers."""
    return lambda rng: tuple([rng.standard_normal(s) for s in shapes])


def between(low: float, high: float, *shapes: tuple[int, ...]) -> Make:
    """Arrays of numbers in an open interval."""
    return lambda rng: tuple([rng.uniform(low, high, s) for s in shapes])


def apart(*shapes: tuple[int, ...]) -> Make:
    """Arrays whose elements, all together, keep a distance from another and from 0."""

    def make(rng: np.random.Generator) -> tuple[Any, ...]:
        n = sum([int(np.prod(s)) for s in shapes])
        pool = rng.permutation(np.arange(n) - n // 2 + 0.4)
        pool = (pool + rng.uniform(-0.2, 0.2, n)) / 4
        cuts = np.cumsum([int(np.prod(s)) for s in shapes])[:-1]
        return tuple([x.reshape(s) for x, s in zip(np.split(pool, cuts), shapes)])

    return make


def with_constants(make: Make, *constants: Any) -> Make:
    """Arguments followed by arrays that are constants to derivatives."""
    return lambda rng: (*make(rng), *constants)


M, N, V = (3, 4), (4, 2), (4,)
MASK = np.array([[True, False, True, False], [False] * 4, [True] * 4])
MATRIX, PAIR, APART = normal(M), normal(M, V), apart(M)
POSITIVE = between(0.3, 3, M)
UNIT = between(-0.9, 0.9, M)


def unary(primitive: Primitive, make: Make = MATRIX, dtypes: str = "fc") -> Case:
    """A row for a ufunc of one argument."""
    return Case(primitive, make, primitive.impl, dtypes=dtypes)


def binary(primitive: Primitive, make: Make = PAIR, dtypes: str = "f") -> Case:
    """A row for a ufunc of two arguments."""
    return Case(primitive, make, primitive.impl, dtypes=dtypes)


def steps(primitive: Primitive, make: Make = APART) -> Case:
    """A row for a primitive whose result is a constant to derivatives."""
    return Case(primitive, make, primitive.impl, order=0)


TIES = np.array([[1.0, 2, 2], [0, 1, 0]])
INTEGERS = with_constants(lambda rng: (), np.arange(12).reshape(M), np.arange(1, 5))
BOOLEANS = with_constants(lambda rng: (), MASK, ~MASK)

# -- the rows -------------------------------------------------------------------------

CONSTANTS = [
    *[
        steps(p, apart(M, V))
        for p in [ew.equal, ew.not_equal, ew.less, ew.less_equal, ew.greater]
    ],
    *[steps(p, apart(M, V)) for p in [ew.greater_equal, ew.floor_divide]],
    *[steps(p, BOOLEANS) for p in [ew.logical_and, ew.logical_or, ew.logical_xor]],
    *[steps(p, INTEGERS) for p in [ew.bitwise_and, ew.bitwise_or, ew.bitwise_xor]],
    *[steps(p, INTEGERS) for p in [ew.left_shift, ew.right_shift, ew.gcd, ew.lcm]],
    *[steps(p) for p in [ew.isfinite, ew.isinf, ew.isnan, ew.signbit, ew.sign]],
    *[steps(p) for p in [ew.floor, ew.ceil, ew.trunc, ew.rint, ew.spacing]],
    steps(ew.logical_not, with_constants(lambda rng: (), MASK)),
    steps(ew.invert, with_constants(lambda rng: (), MASK)),
    steps(ew.isnat, with_constants(lambda rng: (), np.array(["2020", "NaT"], "M8[D]"))),
    steps(ew.bitwise_count, with_constants(lambda rng: (), np.arange(9))),
    steps(basic.stop_gradient),
    Case(
        ew.tie_share,
        with_constants(lambda rng: (), np.ones(3), np.ones(3), np.array([0.0, 1, 2])),
        lambda ans, x, y: np.array([1, 0.5, 1]),
        order=0,
        dtypes="",
        axes0=False,
    ),
    Case(
        reduce.extremum_share,
        with_constants(lambda rng: (), TIES, np.array([2, 1])),
        lambda x, ans, axis: np.array([[0, 0.5, 0.5], [0, 1, 0]]),
        {"axis": (1,)},
        order=0,
        dtypes="",
        axes0=False,
    ),
    Case(
        reduce.first_share,
        with_constants(lambda rng: (), TIES, np.array([2, 1])),
        lambda x, ans, axis: np.array([[0.0, 1, 0], [0, 1, 0]]),
        {"axis": (1,)},
        order=0,
        dtypes="",
        axes0=False,
    ),
    Case(
        sorting.argsort,
        apart((3, 4)),
        lambda x, axis: np.argsort(x, axis),
        {"axis": 1},
        order=0,
    ),
]

ARITHMETIC = [
    *[binary(p, dtypes="fc") for p in [ew.add, ew.subtract, ew.multiply, ew.divide]],
    *[unary(p) for p in [ew.negative, ew.positive, ew.reciprocal, ew.square]],
    *[binary(p, apart(M, V)) for p in [ew.remainder, ew.fmod]],
    *[binary(p, between(0.3, 3, M, V), "fc") for p in [ew.power, ew.float_power]],
    *[binary(p, apart(M, V)) for p in [ew.maximum, ew.minimum, ew.fmax, ew.fmin]],
    *[binary(p, normal(M, V)) for p in [ew.hypot, ew.arctan2]],
    *[binary(p) for p in [ew.logaddexp, ew.logaddexp2, ew.copysign]],
    binary(ew.nextafter, apart(M, V)),
    binary(ew.heaviside, apart(M, V)),
    Case(ew.ldexp, with_constants(normal(M), np.arange(4)), np.ldexp, axes0=False),
    Case(ew.clip, apart(M, (), V), np.clip, axes0=False),
    Case(
        ew.where,
        lambda rng: (MASK, *normal(M, V)(rng)),
        np.where,
        dtypes="fc",
        axes0=False,
    ),
    Case(
        ew.nan_to_num,
        lambda rng: (np.array([1.0, np.nan, np.inf, -np.inf, 2.0]),),
        np.nan_to_num,
        {"nan": 1.5, "posinf": 9.0, "neginf": -9.0},
        order=0,
    ),
    Case(ew.nan_to_num, normal(M), np.nan_to_num, note="finite"),
]

ELEMENTWISE = [
    *[unary(p, POSITIVE) for p in [ew.sqrt, ew.log, ew.log2, ew.log10, ew.log1p]],
    *[unary(p) for p in [ew.exp, ew.exp2, ew.expm1, ew.sin, ew.cos, ew.tan]],
    *[unary(p) for p in [ew.sinh, ew.cosh, ew.tanh, ew.arctan, ew.arcsinh]],
    *[unary(p, UNIT) for p in [ew.arcsin, ew.arccos, ew.arctanh]],
    unary(ew.arccosh, between(1.2, 4, M)),
    unary(ew.cbrt, POSITIVE, "f"),
    *[unary(p, dtypes="f") for p in [ew.deg2rad, ew.radians, ew.rad2deg, ew.degrees]],
    unary(ew.absolute, apart(M)),
    unary(ew.fabs, apart(M), "f"),
    Case(ew.phase, apart(M), np.sign, dtypes="fc", note="phase"),
    Case(ew.sinc, normal(M), np.sinc, dtypes="f"),
    Case(
        ew.sinc,
        with_constants(lambda rng: (), np.array([0.0, 1e-9, 1e-4, 0.005, 0.0099])),
        np.sinc,
        note="near-zero",
    ),
    unary(ew.conjugate),
    Case(basic.real, normal(M), np.real, dtypes="fc"),
    Case(ew.imag, normal(M), np.imag, dtypes="c", order=0),
    Case(ew.angle, POSITIVE, np.angle, dtypes="c", order=0),
]

BOTH, LAST = {"axis": (0, 1)}, {"axis": (1,)}


def reduction(
    primitive: Primitive, twin: Callable[..., Any], make: Make, dtypes: str = "fc"
) -> list[Case]:
    """Rows for a reduction: over all axes, over one, and with keepdims."""
    kept = {"axis": (0,), "keepdims": True}
    return [
        Case(primitive, make, twin, BOTH, dtypes=dtypes, axes0=False, note="all"),
        Case(primitive, make, twin, LAST, dtypes=dtypes, note="last"),
        Case(primitive, make, twin, kept, dtypes=dtypes, axes0=False, note="kept"),
    ]


REDUCTIONS = [
    *reduction(basic.sum, np.sum, normal(M)),
    *reduction(reduce.mean, np.mean, normal(M)),
    *reduction(reduce.var, np.var, normal(M)),
    *reduction(reduce.std, np.std, normal(M)),
    Case(reduce.var, normal(M), np.var, {"axis": (1,), "ddof": 1}, note="ddof"),
    Case(reduce.std, normal(M), np.std, {"axis": (1,), "ddof": 1}, note="ddof"),
    *reduction(reduce.max, np.max, apart(M), "f"),
    *reduction(reduce.min, np.min, apart(M), "f"),
    *reduction(
        reduce.logsumexp, lambda x, **kw: np.log(np.sum(np.exp(x), **kw)), normal(M)
    ),
]

SHAPES = [
    Case(
        basic.reshape,
        normal(M),
        lambda x, shape: x.reshape(shape),
        {"shape": (2, 6)},
        dtypes="fc",
        axes0=False,
    ),
    Case(
        basic.broadcast_to,
        normal((3, 1)),
        np.broadcast_to,
        {"shape": (2, 3, 4)},
        dtypes="fc",
        axes0=False,
    ),
    Case(
        basic.broadcast_to,
        normal(()),
        np.broadcast_to,
        {"shape": (3, 4)},
        axes0=False,
        note="scalar",
    ),
    Case(
        basic.astype,
        normal(M),
        lambda x, dtype: x.astype(dtype),
        {"dtype": np.dtype(complex)},
        dtypes="",
    ),
    Case(
        basic.transpose,
        normal((2, 3, 4)),
        np.transpose,
        {"axes": (2, 0, 1)},
        dtypes="fc",
    ),
    Case(basic.stack, normal(M, M), lambda *xs: np.stack(xs), dtypes="fc"),
    Case(
        shape.concatenate,
        normal(M, (3, 2), (3, 1)),
        lambda *xs, axis: np.concatenate(xs, axis),
        {"axis": 1},
        dtypes="fc",
    ),
    Case(shape.flip, normal((2, 3, 4)), np.flip, {"axis": (0, 2)}, dtypes="fc"),
    Case(
        shape.roll,
        normal((2, 3, 4)),
        np.roll,
        {"shift": (1, -2), "axis": (1, 2)},
        dtypes="fc",
    ),
    Case(
        shape.pad,
        normal(M),
        lambda x, widths: np.pad(x, widths),
        {"widths": ((1, 0), (2, 3))},
        dtypes="fc",
    ),
    Case(
        shape.pad,
        normal(M),
        lambda x, widths, value: np.pad(x, widths, constant_values=value),
        {"widths": ((1, 0), (2, 3)), "value": 1.5},
        note="value",
    ),
    Case(
        shape.crop,
        normal(M),
        lambda x, starts, stops: x[1:3, 0:2],
        {"starts": (1, 0), "stops": (3, 2)},
        dtypes="fc",
        axes0=False,
    ),
    *[
        Case(
            shape.diagonal,
            normal((2, 3, 4)),
            lambda x, offset: np.diagonal(x, offset, 1, 2),
            {"offset": k},
            dtypes="fc",
            note=f"offset{k}",
        )
        for k in [-1, 0, 2]
    ],
    *[
        Case(
            shape.place_diagonal,
            normal((2, 3)),
            lambda x, size, offset: np.stack([np.diag(v, offset) for v in x]),
            {"size": (3 + abs(k), 3 + abs(k)), "offset": k},
            axes0=False,
            note=f"offset{k}",
        )
        for k in [-1, 0, 2]
    ],
    Case(shape.tril, normal((2, 3, 4)), np.tril, {"k": 1}, dtypes="fc"),
    Case(shape.triu, normal((2, 3, 4)), np.triu, {"k": -1}, dtypes="fc"),
]

ROWS, COLUMNS = np.array([0, 2, 2, -1]), np.array([[1], [0]])


def _read(x: Any, *arrays: Any, **params: Any) -> Any:
    return x[index.decode(params["index"], arrays)]


def reading(place: Any, shape: tuple[int, ...], note: str) -> Case:
    """A row for `x[place]`."""
    template, arrays = index.encode(place)
    return Case(
        index.take,
        with_constants(normal(shape), *arrays),
        _read,
        {"index": template},
        dtypes="fc",
        axes0=False,
        note=note,
    )


def last_written(rows: Any, **_: Any) -> Any:
    """Return the numbers that stay when they are written one after another."""
    numbers = np.full((3, 4), -1)
    for i, (line, column) in enumerate(product((1, 2), rows)):
        numbers[line, column] = i
    return numbers


INDEXING = [
    reading(1, M, "int"),
    reading((slice(None, None, -1), None, slice(1, 3)), M, "slices"),
    reading((..., 0), (2, 3, 4), "ellipsis"),
    reading(ROWS, M, "repeats"),
    reading((ROWS, COLUMNS), M, "two-arrays"),
    reading((slice(None), ROWS), M, "slice-and-array"),
    reading(MASK, M, "mask"),
    reading((), M, "nothing"),
    Case(
        index.scatter_sum,
        with_constants(normal(V), ROWS),
        lambda g, rows, **_: np.bincount(rows % 3, g, 3),
        {
            "layout": ((index.encode(ROWS)[0], 1),),
            "shape": (3,),
            "dtype": np.dtype(float),
        },
        dtypes="",
        axes0=False,
    ),
    Case(
        index.last_written,
        with_constants(normal(), ROWS),
        last_written,
        {"index": index.encode((slice(1, None), ROWS))[0], "shape": (3, 4)},
        order=0,
    ),
    *[
        Case(
            sorting.sort,
            APART,
            lambda x, axis: np.sort(x, axis),
            {"axis": i},
            note=f"axis{i}",
        )
        for i in [0, 1]
    ],
]

PRODUCTS = [
    Case(linalg.matmul, normal(a, b), np.matmul, dtypes="fc", axes0=False, note=note)
    for a, b, note in [
        (M, N, "matrices"),
        (V, N, "vector-matrix"),
        (M, V, "matrix-vector"),
        (V, V, "vectors"),
        ((2, 3, 4), N, "batch-matrix"),
        ((2, 1, 3, 4), (5, 4, 2), "batches"),
        (V, (2, 4, 3), "vector-batch"),
        ((2, 3, 4), V, "batch-vector"),
        ((0, 4), N, "empty"),
        ((2, 0), (0, 3), "empty-sum"),
    ]
] + [
    Case(
        linalg.einsum,
        normal(*shapes),
        lambda *xs, subscripts: np.einsum(subscripts, *xs),
        {"subscripts": subscripts},
        dtypes="fc",
        axes0=False,
        note=subscripts,
    )
    for subscripts, shapes in [
        ("ab,bc->ca", [M, N]),
        ("ab,ab->b", [M, M]),
        ("a,b->ba", [V, (3,)]),
        ("abc,bcd->ad", [(2, 10, 6), (10, 6, 9)]),
        ("iab,ibc->cia", [(2, 10, 6), (2, 6, 9)]),
        ("ab->ba", [M]),
        ("ab,bc,ca->a", [M, N, (2, 3)]),
    ]
]


def with_zeros(rng: np.random.Generator) -> tuple[Any, ...]:
    """A matrix with no, one and two zeros in a row."""
    x = rng.standard_normal((3, 4))
    x[1, 2] = x[2, 0] = x[2, 3] = 0
    return (x,)


def _recurrence(a: Any, b: Any, axis: int) -> Any:
    """The sums of b times all products of a up to each place, row by row."""
    n = a.shape[1]
    y = np.zeros(a.shape, np.result_type(a, b))
    for j in range(n):
        for i in range(j + 1):
            y[:, j] += b[:, i] * np.prod(a[:, i + 1 : j + 1], axis=1)
    return y


SCANS = [
    Case(scan.cumsum, MATRIX, np.cumsum, {"axis": 1}, dtypes="fc"),
    Case(scan.cumprod, MATRIX, np.cumprod, {"axis": 1}, dtypes="fc"),
    Case(scan.cumprod, with_zeros, np.cumprod, {"axis": 1}, note="zeros"),
    Case(scan.cumprod, MATRIX, np.cumprod, {"axis": 0}, axes0=False, note="axis0"),
    Case(scan.prod, MATRIX, np.prod, {"axis": 1}, dtypes="fc"),
    Case(scan.prod, with_zeros, np.prod, {"axis": 1}, note="zeros"),
    Case(scan.prod, normal((3, 1)), np.prod, {"axis": 1}, note="one"),
    Case(scan.recurrence, normal(M, M), _recurrence, {"axis": 1}, dtypes="fc"),
    Case(scan.convolve, normal((6,), V), np.convolve, dtypes="fc", axes0=False),
]

CASES = [
    *CONSTANTS,
    *ARITHMETIC,
    *ELEMENTWISE,
    *REDUCTIONS,
    *SHAPES,
    *INDEXING,
    *SCANS,
    *PRODUCTS,
]
