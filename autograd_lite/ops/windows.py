"""The geometry of windows that slide over an image: pairs, padding, sizes, errors."""

from __future__ import annotations

from typing import Any, TypeAlias

from ..errors import ArgumentError, ShapeError

Pair: TypeAlias = tuple[int, int]
Padding: TypeAlias = tuple[Pair, Pair]

_AXES = ("height", "width")


def pair(value: Any, name: str, least: int = 1) -> Pair:
    """Return an int, or two of them, as a pair of ints that are at least `least`.

    >>> pair(2, "stride"), pair((2, 1), "stride")
    ((2, 2), (2, 1))
    """
    values = tuple(value) if isinstance(value, list | tuple) else (value, value)
    if len(values) != 2 or not all(_is_int(v) and v >= least for v in values):
        raise ArgumentError(
            f"{name}={value!r}: expected an int or two of them (height, width), "
            f"each at least {least}."
        )
    return int(values[0]), int(values[1])


def _is_int(value: Any) -> bool:
    return hasattr(value, "__index__") and not isinstance(value, bool)


def resolve_padding(
    padding: Any, size: Pair, window: Pair, stride: Pair, dilation: Pair = (1, 1)
) -> Padding:
    """Return padding as ((top, bottom), (left, right)).

    It comes as "VALID" (none), "SAME" (such that the output has size / stride elements,
    rounded up; the odd one goes to the end, as in TensorFlow and JAX), an int for all
    sides, a pair (vertical, horizontal), or the result itself.

    >>> resolve_padding("SAME", (28, 28), (3, 3), (1, 1))
    ((1, 1), (1, 1))
    >>> resolve_padding("SAME", (28, 28), (3, 3), (2, 2))
    ((0, 1), (0, 1))
    """
    if isinstance(padding, str):
        name = padding.upper()
        if name == "VALID":
            return (0, 0), (0, 0)
        if name == "SAME":
            return (
                _same(size[0], window[0], stride[0], dilation[0]),
                _same(size[1], window[1], stride[1], dilation[1]),
            )
    elif _is_int(padding):
        return _sides(padding, padding), _sides(padding, padding)
    elif isinstance(padding, list | tuple) and len(padding) == 2:
        vertical, horizontal = padding
        return _sides(padding, vertical), _sides(padding, horizontal)
    raise _bad_padding(padding)


def _same(size: int, window: int, stride: int, dilation: int) -> Pair:
    reach = dilation * (window - 1) + 1
    total = max(0, (-(-size // stride) - 1) * stride + reach - size)
    return total // 2, total - total // 2


def _sides(padding: Any, sides: Any) -> Pair:
    """Return the padding of one axis; `padding` is only for the error."""
    before, after = sides if isinstance(sides, list | tuple) else (sides, sides)
    if not (_is_int(before) and _is_int(after) and before >= 0 and after >= 0):
        raise _bad_padding(padding)
    return int(before), int(after)


def _bad_padding(padding: Any) -> ArgumentError:
    return ArgumentError(
        f'padding={padding!r}: expected "VALID", "SAME", an int, a pair '
        "(vertical, horizontal) or pairs ((top, bottom), (left, right)), none negative."
    )


def check_fit(
    what: str,
    size: Pair,
    window: Pair,
    stride: Pair,
    padding: Padding,
    dilation: Pair = (1, 1),
) -> None:
    """Raise `ShapeError` with the arithmetic when a window doesn't fit an image."""
    for axis in (0, 1):
        reach = dilation[axis] * (window[axis] - 1) + 1
        padded = size[axis] + padding[axis][0] + padding[axis][1]
        if reach > padded:
            raise ShapeError(
                f"{what}: no output along {_AXES[axis]}. "
                + _arithmetic(
                    size[axis],
                    window[axis],
                    stride[axis],
                    padding[axis],
                    dilation[axis],
                )
                + _advice(size[axis], reach)
            )


def _arithmetic(
    size: int, window: int, stride: int, padding: Pair, dilation: int
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


def check_overlap(what: str, window: Pair, padding: Padding) -> None:
    """Raise `ShapeError` when some window could lie in the padding altogether."""
    for axis in (0, 1):
        if max(padding[axis]) >= window[axis]:
            raise ShapeError(
                f"{what}: padding {padding[axis]} along {_AXES[axis]} holds a whole "
                f"window of {window[axis]}, whose result would be made of nothing. "
                f"Padding of at most {window[axis] - 1} on each side fits."
            )
