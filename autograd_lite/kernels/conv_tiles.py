"""The tasks of fast convolutions: what one thread does for a piece of the batch.

The border is never built as an array: a task copies the few image rows it needs into
its scratch memory, whose border is zero, and which stays in the cache.
"""

from __future__ import annotations

from functools import cache

from .jit import serial
from .launch import compiled
from .micro import clear, copy, multiply


@serial
def _padded_image(scratch, image, first, count, p, itemsize):
    """Return the address of row `first` of the padded image, and its row stride."""
    h, row, padded_row, left = p[0], p[1], p[2], p[3]
    if padded_row == 0:
        return image + first * row * itemsize, row
    for i in range(count):
        target = scratch + (i * padded_row + left) * itemsize
        if 0 <= first - p[4] + i < h:
            source = image + (first - p[4] + i) * row * itemsize
            copy(target, source, row * itemsize)
        else:
            clear(target, row * itemsize)
    return scratch, padded_row


@cache
def forward_task(tile: tuple[int, ...]) -> int:
    """Return the address of a task that convolves some rows of one image.

    Arrays: x, w, bias, y. The last tile of a row of pixels overlaps the one before if
    it has to; it computes the same values again.
    """
    rows, columns, itemsize = tile[0], tile[1] * tile[2], tile[3]

    def task(p, x, w, bias, y, scratch, index):
        image_size, r, sc, k, ho, wo = p[5], p[6], p[7], p[8], p[9], p[10]
        sh, pixel, first_k, last_k, lanes = p[11], p[12], p[13], p[14], p[15]
        has_bias, blocks, height = p[16], p[17], p[18]
        image, first = index // blocks, index % blocks * height
        height = min(height, ho - first)
        source, row = _padded_image(
            scratch,
            x + image * image_size * itemsize,
            first * sh,
            (height - 1) * sh + r,
            p,
            itemsize,
        )
        target = y + (image * ho + first) * wo * k * itemsize
        for column in range(first_k, last_k, columns):
            shift = column * itemsize
            start = bias + shift if has_bias else 0
            for i in range(height):
                for j in range(0, wo, rows):
                    j = min(j, wo - rows)
                    a = source + (i * sh * row + j * pixel) * itemsize
                    out = target + (i * wo + j) * k * itemsize + shift
                    multiply(
                        tile,
                        (a, 0, pixel, row, 1),
                        (w + shift, sc * k, k),
                        (out, k),
                        (start, 0),
                        (r, sc),
                        (lanes,),
                    )

    return compiled(task)


@cache
def weight_grad_task(tile: tuple[int, ...]) -> int:
    """Return the address of a task that sums the weights' gradient of some images.

    Arrays: x, g, unused, partial sums `(tasks, r, room, k)`. A tile's rows are the taps
    and channels (s, c) of one kernel row, or of all of them (bands); its sums run over
    the pixels of a few image rows. The last tile may write rows beyond sc, hence
    room.
    """
    rows, columns, itemsize, bands = tile[0], tile[1] * tile[2], tile[3], tile[5]

    def task(p, x, g, unused, partial, scratch, index):
        image_size, r, sc, k, ho, wo = p[5], p[6], p[7], p[8], p[9], p[10]
        sh, pixel, first_k, last_k, lanes = p[11], p[12], p[13], p[14], p[15]
        images, chunk, height, room = p[16], p[17], p[18], p[19]
        target = partial + index * r * room * k * itemsize
        for image in range(index * chunk, min(images, (index + 1) * chunk)):
            for first in range(0, ho, height):
                count = min(height, ho - first)
                source, row = _padded_image(
                    scratch,
                    x + image * image_size * itemsize,
                    first * sh,
                    (count - 1) * sh + r,
                    p,
                    itemsize,
                )
                cotangent = g + (image * ho + first) * wo * k * itemsize
                for tap in range(0, r, bands):
                    for column in range(first_k, last_k, columns):
                        for q in range(0, sc, rows):
                            a = source + (tap * row + q) * itemsize
                            b = cotangent + column * itemsize
                            out = target + ((tap * room + q) * k + column) * itemsize
                            multiply(
                                tile,
                                (a, row, 1, sh * row, pixel),
                                (b, wo * k, k),
                                (out, k),
                                (out, k),
                                (count, wo),
                                (lanes,),
                            )

    return compiled(task)
