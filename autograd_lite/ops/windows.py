"""The geometry of windows that slide over an array: padding, sizes, what fits.

It holds for any number of axes: signals have one, images two, volumes three. Values
such as strides are tuples with one entry per axis, padding has a pair (before, after)
for each. Negative padding leaves out elements of the array.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from ..errors import ArgumentError, ShapeError

Sizes: TypeAlias = tuple[int, ...]
Sides: TypeAlias = tuple[int, int]
Padding: TypeAlias = tuple[Sides, ...]

_AXES = {1: ("length",), 2: ("height", "width"), 3: ("depth", "height", "width")}


def axis_names(rank: int) -> tuple[str, ...]:
    """Return what the axes of a signal, an image or a volume are called.

    >>> axis_names(2)
    ('height', 'width')
    """
    return _AXES.get(rank) or tuple([f"axis {i}" for i in range(rank)])


def per_axis(value: Any, name: str, rank: int, least: int = 1) -> Sizes:
    """Return an int, or one for each axis, as a tuple of ints of at least `least`.

    >>> per_axis(2, "stride", 2), per_axis((2, 1), "stride", 2)
    ((2, 2), (2, 1))
    """
    values = tuple(value) if isinstance(value, list | tuple) else (value,) * rank
    if len(values) != rank or not all(_is_int(v) and v >= least for v in values):
        raise ArgumentError(
            f"{name}={value!r}: expected an int or one for each of "
            f"{', '.join(axis_names(rank))}, each at least {least}."
        )
    return tuple([int(v) for v in values])


def _is_int(value: Any) -> bool:
    return hasattr(value, "__index__") and not isinstance(value, bool)


def reaches(window: Sizes, dilation: Sizes) -> Sizes:
    """Return how many elements a window spans along each axis.

    >>> reaches((3, 3), (1, 2))
    (3, 5)
    """
    return tuple([d * (n - 1) + 1 for n, d in zip(window, dilation)])


def resolve_padding(
    padding: Any, size: Sizes, window: Sizes, stride: Sizes, dilation: Sizes = ()
) -> Padding:
    """Return padding as a pair (before, after) for each axis.

    It comes as "VALID" (none), "SAME" (such that the output has size / stride elements,
    rounded up; the odd one goes to the end, as in TensorFlow and JAX), "SAME_LOWER"
    (the odd one goes to the beginning), "FULL" (wherever window and array meet), an int
    for all sides, one for each axis, or the result itself.

    >>> resolve_padding("SAME", (28, 28), (3, 3), (1, 1))
    ((1, 1), (1, 1))
    >>> resolve_padding("SAME", (28, 28), (3, 3), (2, 2))
    ((0, 1), (0, 1))
    """
    rank = len(size)
    reach = reaches(window, dilation or (1,) * rank)
    if isinstance(padding, str):
        return _named_padding(padding, size, reach, stride)
    if _is_int(padding):
        return (_sides(padding, padding, rank),) * rank
    if isinstance(padding, list | tuple) and len(padding) == rank:
        return tuple([_sides(padding, sides, rank) for sides in padding])
    raise _bad_padding(padding, rank)


def _named_padding(name: str, size: Sizes, reach: Sizes, stride: Sizes) -> Padding:
    kind = name.upper()
    if kind == "VALID":
        return ((0, 0),) * len(size)
    if kind == "FULL":
        return tuple([(r - 1, r - 1) for r in reach])
    if kind not in ("SAME", "SAME_LOWER"):
        raise _bad_padding(name, len(size))
    totals = [
        max(0, (-(-n // s) - 1) * s + r - n) for n, r, s in zip(size, reach, stride)
    ]
    if kind == "SAME":
        return tuple([(total // 2, total - total // 2) for total in totals])
    return tuple([(total - total // 2, total // 2) for total in totals])


def _sides(padding: Any, sides: Any, rank: int) -> Sides:
    """Return the padding of one axis; `padding` is only for the error."""
    pair = tuple(sides) if isinstance(sides, list | tuple) else (sides, sides)
    if len(pair) != 2 or not all(map(_is_int, pair)):
        raise _bad_padding(padding, rank)
    return int(pair[0]), int(pair[1])


def _bad_padding(padding: Any, rank: int) -> ArgumentError:
    axes = axis_names(rank)
    pairs = ", ".join([f"({axis}'s before, after)" for axis in axes])
    return ArgumentError(
        f'padding={padding!r}: expected "VALID", "SAME", "SAME_LOWER", "FULL", an int, '
        f"one for each of ({', '.join(axes)},) or pairs ({pairs},)."
    )


def is_plain(padding: Padding) -> bool:
    """Return whether no padding is negative."""
    return all(before >= 0 and after >= 0 for before, after in padding)


def counts(
    size: Sizes, window: Sizes, stride: Sizes, padding: Padding, dilation: Sizes
) -> Sizes:
    """Return how many windows fit along each axis.

    >>> counts((5,), (3,), (2,), ((1, 1),), (1,))
    (3,)
    """
    return tuple(
        [
            (n + sum(sides) - reach) // s + 1
            for n, reach, s, sides in zip(
                size, reaches(window, dilation), stride, padding
            )
        ]
    )


def check_fit(
    what: str,
    size: Sizes,
    window: Sizes,
    stride: Sizes,
    padding: Padding,
    dilation: Sizes = (),
) -> None:
    """Raise `ShapeError` with the arithmetic when a window doesn't fit an array."""
    dilation = dilation or (1,) * len(size)
    geometry = zip(axis_names(len(size)), size, window, stride, padding, dilation)
    for axis, n, taps, step, sides, spread in geometry:
        reach = spread * (taps - 1) + 1
        if reach > n + sum(sides):
            raise ShapeError(
                f"{what}: no output along {axis}. "
                + _arithmetic(n, taps, step, sides, spread)
                + _advice(n, reach)
            )
        if n and n + min(0, sides[0]) + min(0, sides[1]) < 1:
            raise ShapeError(
                f"{what}: padding {sides} leaves out all {n} elements along {axis}. "
                f"Leave out at most {n - 1}."
            )


def _arithmetic(
    size: int, window: int, stride: int, padding: Sides, dilation: int
) -> str:
    before, after = padding
    reach = dilation * (window - 1) + 1
    spans = f"the window spans {window}"
    if dilation > 1:
        spans = f"the window spans {dilation} * ({window} - 1) + 1 = {reach}"
    return (
        f"The input has {size} + padding {before} + {after} = {size + before + after}, "
        f"{spans}: output ({size + before + after} - {reach}) // {stride} + 1 = "
        f"{(size + before + after - reach) // stride + 1}. "
    )


def _advice(size: int, reach: int) -> str:
    if size == 0:
        return "The input is empty."
    return f'padding={-(-(reach - size) // 2)} fits, and so does padding="SAME".'


def check_overlap(
    what: str,
    size: Sizes,
    window: Sizes,
    stride: Sizes,
    padding: Padding,
    dilation: Sizes,
) -> None:
    """Raise `ShapeError` when all of some window lies in the padding."""
    found = counts(size, window, stride, padding, dilation)
    for i, axis in enumerate(axis_names(len(size))):
        span = range(0, dilation[i] * (window[i] - 1) + 1, dilation[i])
        starts = range(-padding[i][0], found[i] * stride[i] - padding[i][0], stride[i])
        if size[i] and any(not _meets(start, span, size[i]) for start in starts):
            raise ShapeError(
                f"{what}: padding {padding[i]} along {axis} holds a whole window of "
                f"{window[i]} from {size[i]} elements, whose result would be made of "
                f"nothing. {_overlapping(window[i], dilation[i])}"
            )


def _meets(start: int, span: range, size: int) -> bool:
    """Return whether a window that starts at `start` has an element of the array."""
    return any(0 <= start + tap < size for tap in span)


def _overlapping(window: int, dilation: int) -> str:
    if dilation > 1:
        return "Less padding or less dilation avoids that."
    return f"Padding of at most {window - 1} on each side fits."


def with_ceiling(
    size: Sizes, window: Sizes, stride: Sizes, padding: Padding, dilation: Sizes
) -> Padding:
    """Return padding that has room for the windows which are not whole at the end.

    As with PyTorch's `ceil_mode`, a window counts that starts in the array or in the
    padding before it.

    >>> with_ceiling((6,), (3,), (2,), ((0, 0),), (1,))
    ((0, 1),)
    """
    reach = reaches(window, dilation)
    result = []
    for n, r, s, (before, after) in zip(size, reach, stride, padding):
        last = -((r - n - before - after) // s) * s  # where the last window starts
        if last >= n + before:
            last -= s
        result.append((before, max(after, last + r - n - before)))
    return tuple(result)
