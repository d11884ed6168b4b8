"""Plans of convolutions by sliding tiles: forms, parameters and pieces."""

from __future__ import annotations

from typing import Final

from .columns import Columns, even
from .geometry import Geometry
from .launch import Launch, launch
from .micro import Tile
from .passes import SUM_BYTES, TASKS, Pass, forward_pass, known_machine
from .sliding import Slide, forward_task, weight_grad_task

# Bytes of an image that a forward task works on.
BLOCK_BYTES: Final = 1 << 17

# Taps of a kernel row that are held in registers at the most. Sums of one tile: enough
# to hide how long an addition takes; with fewer, weights are loaded too often.
_MOST_TAPS: Final = 7
_MOST_ROWS: Final = 16
_FEWEST_ROWS: Final = 4

# Rows of pixels that a weight gradient sums over for one vector of channels after the
# other, each alone: few, so that memory is read nearly in its order.
_ROWS_ALONE: Final = 2

# Steps of a tile's loops up to which these are written out.
_UNROLL: Final = 3


def forward_fits(step: Pass, vectors: int) -> bool:
    """Tell whether a pass over all channels gains by a sliding tile."""
    return vectors == 1 and step.sw < step.s <= _MOST_TAPS


def forward_form(step: Pass, vectors: int, alone: bool = False) -> tuple[Slide, int]:
    """Return a form for a pass, and the rows of its tiles.

    Where taps can't be held, tiles take one of them at a time, as those of `micro` do.
    """
    found, form = known_machine(), Slide(step.s, step.sw, alone)
    most = min(_MOST_ROWS, form.rows(found, vectors))
    if step.s <= _MOST_TAPS and (alone or step.sw < step.s) and most >= _FEWEST_ROWS:
        return form, _rows(step.wo, most)
    return Slide(1, step.sw, alone), _rows(step.wo, found.rows(vectors))


def _rows(pixels: int, most: int) -> int:
    """Return the rows of tiles: few tiles without much overlap.

    Example:
        >>> _rows(28, 14), _rows(28, 12), _rows(15, 14)
        (14, 7, 8)
    """
    counts = range(-(-pixels // most), -(-pixels // 6) + 1)
    rows = [-(-pixels // count) for count in counts] or [pixels]
    return min(rows, key=lambda n: -(-pixels // n) * (n + 1))


def forward_launch(
    step: Pass, part: Columns, n: int, itemsize: int, bias: bool, alone: bool = False
) -> Launch:
    """Return the launch of a pass over n images; `alone`: each channel by itself."""
    form, rows = forward_form(step, part.vectors, alone)
    inner = step.s // form.taps if alone else step.frame.c
    unroll = (step.r, inner) if step.r * inner <= _UNROLL else (0, 0)
    tile = Tile(rows, part.vectors, part.lanes, itemsize, part.masked, unroll=unroll)
    height = step.block_height(BLOCK_BYTES // itemsize, -(-TASKS // n))
    copied, blocks = step.frame.copied, -(-step.ho // height)
    c, k = step.frame.c, step.k
    # Strides of a pixel and a channel of x; of a tap, a kernel row, a channel of w.
    strides = (c, 1, c * k, step.s * c * k, k)
    if alone:
        strides = (c, c, k, step.s * k, k)
    values = (
        *(*step.frame.params(copied), *step.window),
        *(part.first, part.last, part.last_lanes, bias, blocks, height),
        *(*step[-5:], *strides, inner),
    )
    scratch = step.scratch(height) * itemsize if copied else 0
    flops = 2 * n * step.ho * step.wo * k * step.r * step.s * (1 if alone else c)
    address = forward_task(tile.literal(), form.literal())
    return launch(address, values, n * blocks, scratch, flops)


def _largest_part(size: int, most: int) -> int:
    """Return the largest divisor of a size that is at most so large.

    Example:
        >>> _largest_part(20, 6), _largest_part(7, 6)
        (5, 1)
    """
    return next(
        part for part in range(min(size, max(1, most)), 0, -1) if size % part == 0
    )


def _sums(size: Geometry, vectors: int, alone: bool) -> tuple[int, int, int]:
    """Return taps, bands and rows whose sums fit into registers beside what they take.

    Each band and row has a number of x in a register, and a sum for each tap.
    """
    found = known_machine()
    slid = size.sw < size.s <= min(_MOST_TAPS, size.wo)
    taps = size.s if slid else 1
    held = -(-taps // size.sw) * vectors
    room = found.registers - found.spare - held
    fitting = max(1, room // (taps * vectors + 1))
    if alone:
        rows = 1 if slid else _largest_part(size.s, fitting)
        return taps, _largest_part(size.r, fitting // rows), rows
    rows = _largest_part(size.c, fitting)
    return taps, _largest_part(size.r, fitting // rows) if rows == size.c else 1, rows


def weight_grad_fits(size: Geometry, vectors: int) -> bool:
    """Tell whether the weights' gradient of all channels gains by a sliding tile."""
    found = known_machine()
    if 2 * size.s * vectors > found.registers - found.spare:
        return False
    taps, bands, rows = _sums(size, vectors, False)
    return vectors <= 1 and taps > 1 and taps * bands * rows * vectors > 8


def sums_form(size: Geometry, vectors: int) -> tuple[Slide, int, int]:
    """Return a form for the weights' gradient, and its tiles' bands and rows.

    Where it has one tap at a time, rows are taps as well, and may go beyond the last.
    """
    if weight_grad_fits(size, vectors):
        taps, bands, rows = _sums(size, vectors, False)
        return Slide(taps, size.sw), bands, rows
    found = known_machine()
    most = found.alone if vectors == 1 else found.rows(vectors)
    return Slide(1), 1, even(size.s * size.c, most)


def sums_alone(size: Geometry) -> tuple[Slide, int]:
    """Return a form for the weights' gradient of channels by themselves, and bands."""
    taps, bands, _ = _sums(size, 1, True)
    return Slide(taps, size.sw if taps > 1 else 1, True), bands


def rows_to_sum(step: Pass, itemsize: int) -> int:
    """Return how many rows of cotangents, and their images, a level-1 cache holds."""
    row, cotangents = step.frame.width * step.frame.c, step.wo * step.k
    held = SUM_BYTES // itemsize - (step.r - step.sh) * row
    return max(1, held // (step.sh * row + cotangents))


def weight_grad_launch(
    size: Geometry,
    part: Columns,
    itemsize: int,
    chunk: int,
    room: int,
    alone: bool = False,
) -> Launch:
    """Return the launch that sums over every `chunk` images.

    room: rows between the sums of two kernel rows.
    """
    step = forward_pass(size)
    taps, bands, rows = _sums(size, part.vectors, alone)
    form = Slide(taps, size.sw if taps > 1 else 1, alone)
    tile = Tile(rows, part.vectors, part.lanes, itemsize, part.masked, bands)
    height = step.block_height(BLOCK_BYTES // itemsize)
    few = _ROWS_ALONE if alone else rows_to_sum(step, itemsize)
    copied, c, k = step.frame.copied, step.frame.c, step.k
    # Rows in all; strides of a row of x, of a kernel row and a tap of the sums.
    shape = (c, 1, room * k, c * k)
    if alone:
        shape = (size.s // taps, c, room * k, k)
    values = (
        *(*step.frame.params(copied), *step.window),
        *(part.first, part.last, part.last_lanes, size.n, chunk, height, *shape),
        *(-(-step.ho // height), few, c),
    )
    scratch = step.scratch(height) * itemsize if copied else 0
    address = weight_grad_task(tile.literal(), form.literal())
    return launch(address, values, -(-size.n // chunk), scratch, size.flops)
