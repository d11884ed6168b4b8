"""The tasks of fast convolutions: what one thread does for a piece of the batch.

The border is never built as an array: a task copies the few image rows it needs into
its scratch memory, whose border is zero, and which stays in the cache.
"""

from __future__ import annotations

from functools import cache

from .jit import serial
from .launch import compiled
from .micro import multiply
from .moves import clear, copy, copy_row


@serial
def frame_rows(scratch, image, first, count, p, itemsize):
    """Return the address of row `first` of the framed image, and the row stride.

    The frame is the image with its border. Without one, rows are read in place. Else
    `count` rows are copied; the scratch memory is zero where no row ever goes.
    """
    h, row, framed_row, left, top = p[0], p[1], p[2], p[3], p[4]
    skipped, kept = p[5], p[6] * itemsize
    if framed_row == 0:
        return image + first * row * itemsize, row
    for i in range(count):
        target = scratch + (i * framed_row + left) * itemsize
        if 0 <= first - top + i < h:
            source = image + ((first - top + i) * row + skipped) * itemsize
            copy(target, source, kept)
        else:
            clear(target, kept)
    return scratch, framed_row


@cache
def forward_task(tile: tuple[int, ...]) -> int:
    """Return the address of a task that convolves some rows of one image.

    Arrays: x, w, bias, y. The weights of a few terms go to scratch memory first: in w,
    rows of a tile's columns lie far apart, often at a power of 2, which share few
    places of the level-1 cache; and they may begin anywhere in a cache line. Sums that
    are not done wait there as well. The last tile of a row of pixels overlaps the one
    before if it has to; it computes the same values again.
    """
    rows, columns, itemsize = tile[0], tile[1] * tile[2], tile[3]

    # Long because a function of its own would lose the literals of the tile.
    def task(p, x, w, bias, y, scratch, index):
        image_size, r, sc, k, ho, wo = p[7], p[8], p[9], p[10], p[11], p[12]
        sh, pixel, first_k, last_k, lanes = p[13], p[14], p[15], p[16], p[17]
        has_bias, blocks, height, first_w = p[18], p[19], p[20], p[21]
        first_y, y_image, y_row, y_pixel = p[22], p[23], p[24], p[25]
        packed, taps, depth = p[26], p[27], p[28]
        image, first = index // blocks, index % blocks * height
        height = min(height, ho - first)
        panel = scratch + p[29] * itemsize
        sums = panel + p[30] * itemsize
        source, row = frame_rows(
            scratch,
            x + image * image_size * itemsize,
            first * sh,
            (height - 1) * sh + r,
            p,
            itemsize,
        )
        target = y + (first_y + image * y_image + first * y_row) * itemsize
        for column in range(first_k, last_k, columns):
            shift = column * itemsize
            for tap in range(0, r, taps):
                for term in range(0, sc, depth):
                    outer, inner = min(taps, r - tap), min(depth, sc - term)
                    b = w + (first_w + (tap * sc + term) * k) * itemsize + shift
                    b_row, b_tap = k, sc * k
                    if packed:
                        to = panel
                        for i in range(outer):
                            for q in range(inner):
                                origin = b + (i * b_tap + q * b_row) * itemsize
                                copy_row(tile, origin, lanes, to)
                                to += columns * itemsize
                        b, b_row, b_tap = panel, columns, inner * columns
                    done = tap + outer == r and term + inner == sc
                    unfinished = sums
                    for i in range(height):
                        for j in range(0, wo, rows):
                            j = min(j, wo - rows)
                            a = source + (i * sh + tap) * row * itemsize
                            a += (j * pixel + term) * itemsize
                            start, start_row = unfinished, columns
                            if tap + term == 0:
                                start, start_row = bias + shift, 0
                                if not has_bias:
                                    start = 0
                            out, out_row = unfinished, columns
                            if done:
                                out = target + (i * y_row + j * y_pixel) * itemsize
                                out, out_row = out + shift, y_pixel
                            multiply(
                                tile,
                                (a, 0, pixel, row, 1),
                                (b, b_tap, b_row),
                                (out, out_row),
                                (start, start_row),
                                (outer, inner),
                                (lanes,),
                            )
                            unfinished += rows * columns * itemsize

    return compiled(task)


@cache
def weight_grad_task(tile: tuple[int, ...]) -> int:
    """Return the address of a task that sums the weights' gradient of some images.

    Arrays: x, g, unused, partial sums `(tasks, r, room, k)`. A tile's rows are the
    taps and channels (s, c) of one kernel row, or of all of them (bands); its sums run
    over the pixels of a few image rows. The last tile may write rows beyond sc, hence
    room.
    """
    rows, columns, itemsize, bands = tile[0], tile[1] * tile[2], tile[3], tile[5]

    # Long because a function of its own would lose the literals of the tile.
    def task(p, x, g, unused, partial, scratch, index):
        image_size, r, sc, k, ho, wo = p[7], p[8], p[9], p[10], p[11], p[12]
        sh, pixel, first_k, last_k, lanes = p[13], p[14], p[15], p[16], p[17]
        images, chunk, height, room = p[18], p[19], p[20], p[21]
        target = partial + index * r * room * k * itemsize
        for image in range(index * chunk, min(images, (index + 1) * chunk)):
            for first in range(0, ho, height):
                count = min(height, ho - first)
                source, row = frame_rows(
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
