"""FAULTS: wrong rules of right functions, in families, each with what it does wrong.

Most are made by a change of the right cotangents (`changed`): so only what is wrong is
written down. Where arguments matter (ties, shapes that hide a transposition) they stand
beside the rule.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy

from . import functions as f
from .effects import (
    ALIASES,
    CONJUGATES,
    LAYOUTS,
    STATES,
    dtypes,
    nonlinear,
)
from .fault import Change, Row, changed, family, single, times
from .functions import Array, Function, Pull
from .ties import TIES

# -- a factor, a sign ------------------------------------------------------------------

SMOOTH = [f.CUBE, f.TANH, f.WAVE, f.ROOT, f.GAUSS, f.SOFTMAX, f.LOGSUMEXP, f.NORM]
BOTH = [f.SCALE, f.PRODUCT, f.SOLVE, f.BIAS]
COMPLEX = [f.EXPONENTIAL, f.POWER]


def scales() -> Iterator[Row]:
    """Yield cotangents that are too large or too small."""
    for factor in (1.001, 0.999, 1.01, 2.0):
        for function in (*SMOOTH, f.INVERSE, f.WINDOW, f.EXPONENTIAL):
            yield function, f"times {factor}", changed(function, times(factor))
    for function in BOTH:
        for factor in (1.001, 2.0):
            wrong = changed(function, times(factor), 1)
            yield function, f"second argument times {factor}", wrong


def signs() -> Iterator[Row]:
    """Yield cotangents of the wrong sign."""
    for function in (*SMOOTH, f.INVERSE, f.STRIDED, f.SOLVE, *COMPLEX):
        yield function, "negated", changed(function, times(-1))
    for function in (f.SCALE, f.DISTANCES, f.PRODUCT):
        yield function, "second argument negated", changed(function, times(-1), 1)


# -- broadcasting ----------------------------------------------------------------------

# A function, the argument that was broadcast, along which axis, and the cotangent of
# that argument before the sum.
BROADCAST: list[tuple[Function, int, int, Pull]] = [
    (f.SCALE, 1, 0, lambda np, g, ans, x, y: g * x),
    (f.PER_ROW, 1, 1, lambda np, g, ans, x, y: g * x),
    (f.DISTANCES, 0, 1, lambda np, g, ans, x, y: 2 * g * (x - y)),
    (f.DISTANCES, 1, 0, lambda np, g, ans, x, y: -2 * g * (x - y)),
    (f.BIAS, 1, 0, lambda np, g, ans, x, b: g * (1 - ans * ans)),
]


def broadcasts() -> Iterator[Row]:
    """Yield rules that don't sum over the axis that was broadcast, or sum wrongly."""
    for function, argnum, axis, whole in BROADCAST:
        for name, change in (
            ("the first instead of the sum", _at(whole, axis, 0)),
            ("the last instead of the sum", _at(whole, axis, -1)),
            ("sum missing", lambda np, x_bar, *a, w=whole: w(np, *a)),
            ("sum doubled", times(2.0)),
            ("mean", lambda np, x_bar, g, *_, i=axis: x_bar / g.shape[i]),
        ):
            yield (
                function,
                f"{name}, argument {argnum}",
                changed(function, change, argnum),
            )


def _at(whole: Pull, axis: int, place: int) -> Change:
    """One line of the cotangent before the sum, in the shape of the sum."""
    index = (slice(None),) * axis + (place,)
    return lambda np, x_bar, *a: whole(np, *a)[index].reshape(x_bar.shape)


# -- operands and axes -----------------------------------------------------------------

OPERANDS: list[Row] = [
    (f.PRODUCT, "y for y.T", lambda np, g, ans, x, y: (g @ y, x.T @ g)),
    (f.PRODUCT, "x for x.T", lambda np, g, ans, x, y: (g @ y.T, x @ g)),
    (f.PRODUCT, "y.T g", lambda np, g, ans, x, y: (y.T @ g, x.T @ g)),
    (f.PRODUCT, "g x.T", lambda np, g, ans, x, y: (g @ y.T, g @ x.T)),
    (f.PRODUCT, "(g y.T).T", lambda np, g, ans, x, y: ((g @ y.T).T, x.T @ g)),
    (f.PRODUCT, "g.T", lambda np, g, ans, x, y: (g @ y.T, x.T @ g.T)),
    (f.PRODUCT, "arguments swapped", lambda np, g, ans, x, y: (x.T @ g, g @ y.T)),
    (f.SQUARED, "g for g.T", lambda np, g, ans, x: (x @ (g + g),)),
    (f.SQUARED, "x.T", lambda np, g, ans, x: (x.T @ (g + g.T),)),
    (f.SQUARED, "half missing", lambda np, g, ans, x: (x @ g,)),
    (f.SQUARED, "the other side", lambda np, g, ans, x: ((g + g.T) @ x,)),
    (f.INVERSE, "ans for ans.T", lambda np, g, ans, x: (-ans @ g @ ans,)),
    (f.INVERSE, "one transposed", lambda np, g, ans, x: (-ans.T @ g @ ans,)),
    (f.INVERSE, "g.T", lambda np, g, ans, x: (-ans.T @ g.T @ ans.T,)),
    (f.INVERSE, "x for ans", lambda np, g, ans, x: (-x.T @ g @ ans.T,)),
    (
        f.SOLVE,
        "a for a.T",
        lambda np, g, ans, a, b: (-np.solve(a, g) @ ans.T, np.solve(a.T, g)),
    ),
    (
        f.SOLVE,
        "a for a.T, right side",
        lambda np, g, ans, a, b: (-np.solve(a.T, g) @ ans.T, np.solve(a, g)),
    ),
    (
        f.SOLVE,
        "ans for ans.T",
        lambda np, g, ans, a, b: (-np.solve(a.T, g) @ ans, np.solve(a.T, g)),
    ),
    (
        f.SOLVE,
        "b for ans",
        lambda np, g, ans, a, b: (-np.solve(a.T, g) @ b.T, np.solve(a.T, g)),
    ),
]


def on_square(function: Function) -> Function:
    """Return a function at a square matrix, where no shape gives a wrong axis away."""
    return replace(function, args=(f.SQUARE,))


def over(axis: int, x: Any, np: Any) -> Any:
    """Sum and keep the axis."""
    return np.sum(x, axis=axis, keepdims=True)


AXES: list[Row] = [
    (
        on_square(f.SOFTMAX),
        "sum over axis 0",
        lambda np, g, ans, x: (ans * (g - over(0, g * ans, np)),),
    ),
    (
        on_square(f.SOFTMAX),
        "sum over both axes",
        lambda np, g, ans, x: (ans * (g - np.sum(g * ans)),),
    ),
    (
        on_square(f.CENTRED),
        "mean over axis 1",
        lambda np, g, ans, x: (g - over(1, g, np) / x.shape[0],),
    ),
    (
        on_square(f.CENTRED),
        "mean over both axes",
        lambda np, g, ans, x: (g - np.sum(g) / math.prod(x.shape),),
    ),
    (
        on_square(f.WEIGHTED),
        "sum over axis 1",
        lambda np, g, ans, x: (
            2 * g * over(1, x, np) + np.const(numpy.zeros((3, 3)), x),
        ),
    ),
    (
        on_square(f.WEIGHTED),
        "g along axis 1",
        lambda np, g, ans, x: (
            2 * (g * over(0, x, np)).T + np.const(numpy.zeros((3, 3)), x),
        ),
    ),
    (
        on_square(f.LOGSUMEXP),
        "softmax over axis 0",
        lambda np, g, ans, x: (g * np.exp(x) / over(0, np.exp(x), np),),
    ),
    (
        on_square(f.LOGSUMEXP),
        "g along axis 0",
        lambda np, g, ans, x: (g.T * np.exp(x - ans),),
    ),
    (
        on_square(f.NORM),
        "norm over axis 0",
        lambda np, g, ans, x: (g * x / np.sqrt(over(0, x * x, np)),),
    ),
    (on_square(f.NORM), "ans along axis 0", lambda np, g, ans, x: (g * x / ans.T,)),
]

# -- windows ---------------------------------------------------------------------------


def matrices(function: Function, **faults: numpy.ndarray) -> list[Row]:
    """Return rules of `tanh(x @ matrix)` with other matrices."""
    return [
        (function, name.replace("_", " "), f.linear_pull(matrix / 5))
        for name, matrix in faults.items()
    ]


N = f.N
TRUE = f.window(N, 3)
EDGED = f.window(N, 3, before=1, after=1)
STEPS = f.window(N, 3, stride=2, after=1)


def masked(matrix: numpy.ndarray, *places: Any, factor: float = 0.0) -> Any:
    """Return a matrix with some entries times a factor."""
    found = matrix.copy()
    for place in places:
        found[place] *= factor
    return found


WINDOWS = matrices(
    f.WINDOW,
    shifted_right=numpy.roll(TRUE, 1, axis=0),
    shifted_left=numpy.roll(TRUE, -1, axis=0),
    weights_reversed=numpy.where(TRUE > 0, 4 - TRUE, 0),
    first_of_each_missing=numpy.where(TRUE == 1, 0, TRUE),
    last_of_each_missing=numpy.where(TRUE == 3, 0, TRUE),
    last_window_missing=masked(TRUE, (slice(None), -1)),
    first_window_missing=masked(TRUE, (slice(None), 0)),
    one_too_wide=TRUE + 4 * (numpy.eye(*TRUE.shape, -3)),
) + matrices(
    f.RUNNING,
    one_too_few=numpy.triu(numpy.ones((N, N)), 1),
    one_too_many=numpy.triu(numpy.ones((N, N)), -1),
    from_the_other_end=numpy.tril(numpy.ones((N, N))),
)

PADDING = matrices(
    f.PADDED,
    first_element_missing=masked(EDGED, 0),
    last_element_missing=masked(EDGED, N - 1),
    border_window_missing=masked(EDGED, (slice(None), 0)),
    border_counted_twice=masked(EDGED, (slice(None), [0, -1]), factor=2),
    as_if_not_padded=numpy.pad(TRUE, ((0, 0), (1, 1))),
    padded_on_one_side=f.window(N, 3, before=2, after=0),
    wrapped_around=EDGED + 1.0 * (numpy.arange(N * N).reshape(N, N) == (N - 1) * N),
    reflected=EDGED + 1.0 * (numpy.arange(N * N).reshape(N, N) == N),
)

STRIDES = matrices(
    f.STRIDED,
    stride_1=f.window(N, 3)[:, : STEPS.shape[1]],
    one_late=numpy.roll(STEPS, 1, axis=0),
    gaps_filled=numpy.where(STEPS > 0, 2.0, 0),
    only_the_first_of_each=numpy.where(STEPS == 1, STEPS, 0),
    overlap_overwritten=numpy.where(
        (STEPS == 3) & (STEPS.sum(1) > 3)[:, None], 0, STEPS
    ),
    last_step_missing=masked(STEPS, (slice(None), -1)),
    last_step_01_percent=masked(STEPS, (slice(None), -1), factor=1.001),
)

# -- here and there only ---------------------------------------------------------------


def somewhere(place: Any, factor: float) -> Change:
    """A change of one element, or some, by a factor."""

    def change(np: Any, x_bar: Array, *_: Any) -> Array:
        weights = numpy.ones(tuple(x_bar.shape))
        weights[place] = factor
        return x_bar * np.const(weights, x_bar)

    return change


def places() -> Iterator[Row]:
    """Yield cotangents whose last element is wrong."""
    for function in (f.CUBE, f.TANH, f.SOFTMAX, f.SQUARED, f.INVERSE):
        for factor in (1.001, 0.0, -1.0):
            wrong = changed(function, somewhere((-1, -1), factor))
            yield function, f"last element times {factor}", wrong
    large = replace(f.CUBE, args=(numpy.linspace(0.5, 2, 2000).reshape(40, 50),))
    yield large, "last of 2000", changed(large, somewhere((-1, -1), 0.99))
    yield large, "last row", changed(large, somewhere(-1, 1.001))
    yield large, "first of 2000", changed(large, somewhere((0, 0), 1.01))


# -- float32, second order -------------------------------------------------------------


def in_single() -> Iterator[Row]:
    """Yield rules that are wrong in float32 and right in float64."""

    def change(factor: float) -> Change:
        return lambda np, x_bar, *_: x_bar * (factor if "32" in str(x_bar.dtype) else 1)

    for function in (f.CUBE, f.TANH, f.SOFTMAX, f.PRODUCT, f.WINDOW):
        for factor in (1.001, 1.01, -1.0):
            wrong = changed(function, change(factor))
            yield single(function), f"times {factor} in float32", wrong
    for function in (f.CUBE, f.SOFTMAX, f.INVERSE):
        yield single(function), "times 1.001", changed(function, times(1.001))


def single_inside() -> Iterator[Row]:
    """Yield wrong rules of functions whose values have the noise of float32."""
    for function in (f.SINGLE_TANH, f.SINGLE_PRODUCT, f.SINGLE_LOGSUMEXP):
        for factor in (1.01, 2.0, -1.0, 0.0):
            yield function, f"times {factor}", changed(function, times(factor))
        yield function, "one row off by 1 %", changed(function, first_row(1.01))
    yield (
        f.SINGLE_PRODUCT,
        "operand not transposed",
        lambda np, g, ans, x, y: (g @ y, x.T @ g),
    )


def first_row(factor: float) -> Change:
    """Return the change of the first row by a factor."""
    factors = numpy.array([[factor], [1.0], [1.0]])
    return lambda np, x_bar, *_: x_bar * np.const(factors[: x_bar.shape[0]], x_bar)


SECOND: list[Row] = [
    (f.CUBE, "x held constant", lambda np, g, ans, x: (g * 3 * np.stop(x * x),)),
    (f.CUBE, "one x constant", lambda np, g, ans, x: (g * 3 * x * np.stop(x),)),
    (f.CUBE, "g held constant", lambda np, g, ans, x: (np.stop(g) * 3 * x * x,)),
    (
        f.CUBE,
        "second derivative 1 % off",
        lambda np, g, ans, x: (
            g * (3 * np.stop(x * x) + 6.06 * np.stop(x) * (x - np.stop(x))),
        ),
    ),
    (
        f.TANH,
        "ans held constant",
        lambda np, g, ans, x: (g * np.stop(1 - ans * ans),),
    ),
    (
        f.WAVE,
        "cos held constant",
        lambda np, g, ans, x: (g * ans * np.stop(np.cos(x)),),
    ),
    (f.ROOT, "ans held constant", lambda np, g, ans, x: (g * x / np.stop(ans),)),
    (
        f.SOFTMAX,
        "ans held constant",
        lambda np, g, ans, x: (np.stop(ans) * (g - over(-1, g * np.stop(ans), np)),),
    ),
    (
        f.PRODUCT,
        "operands held constant",
        lambda np, g, ans, x, y: (g @ np.stop(y).T, np.stop(x).T @ g),
    ),
    (
        f.PRODUCT,
        "one operand held constant",
        lambda np, g, ans, x, y: (g @ y.T, np.stop(x).T @ g),
    ),
    (
        f.SCALE,
        "operand held constant",
        lambda np, g, ans, x, y: (g * np.stop(y), over(0, g * x, np)),
    ),
    (
        f.INVERSE,
        "ans held constant",
        lambda np, g, ans, x: (-np.stop(ans).T @ g @ ans.T,),
    ),
]

FAULTS = [
    *family("scale", *scales()),
    *family("sign", *signs()),
    *family("unbroadcast", *broadcasts()),
    *family("transposed operand", *OPERANDS),
    *family("wrong axis", *AXES),
    *family("window off by one", *WINDOWS),
    *family("padding", *PADDING),
    *family("stride", *STRIDES),
    *family("last element", *places()),
    *family("ties", *TIES),
    *family("float32", *in_single()),
    *family("float32 inside", *single_inside()),
    *family("second order", *SECOND),
    *family("non-linear in g", *nonlinear()),
    *family("dtype", *dtypes()),
    *family("conjugate", *CONJUGATES),
    *family("alias", *ALIASES),
    *family("state", *STATES),
    *LAYOUTS,
]
