"""NumPy twins of convolution in any number of dimensions, with every keyword."""

import numpy as np


def _frame(shape, padding, input_dilation):
    """Return the size with zeros between and around, what padding cuts off, the rest.

    Negative padding is a part of the array that isn't looked at.
    """
    spread = [(n - 1) * e + 1 for n, e in zip(shape, input_dilation)]
    kept = [
        slice(max(0, -before), n + min(0, after))
        for n, (before, after) in zip(spread, padding)
    ]
    border = [(max(0, before), max(0, after)) for before, after in padding]
    return spread, kept, border


def prepared(x, padding, input_dilation):
    """Return x: (n, *size, c) with zeros between and around its elements."""
    spread, kept, border = _frame(x.shape[1:-1], padding, input_dilation)
    wide = np.zeros((x.shape[0], *spread, x.shape[-1]), x.dtype)
    wide[(slice(None), *[slice(None, None, e) for e in input_dilation])] = x
    return np.pad(wide[(slice(None), *kept)], [(0, 0), *border, (0, 0)])


def unprepared(wide, shape, padding, input_dilation):
    """Apply the transpose of `prepared`."""
    spread, kept, border = _frame(shape[1:-1], padding, input_dilation)
    inside = [
        slice(before, n - after) for n, (before, after) in zip(wide.shape[1:], border)
    ]
    x = np.zeros((shape[0], *spread, shape[-1]), wide.dtype)
    x[(slice(None), *kept)] = wide[(slice(None), *inside)]
    return x[(slice(None), *[slice(None, None, e) for e in input_dilation])]


def _taps(size, kernel, stride, dilation):
    """Yield each tap of the kernel with the elements that it meets."""
    for tap in np.ndindex(*kernel):
        met = [slice(None)]
        for n, r, t, s, d in zip(size, kernel, tap, stride, dilation):
            count = (n - d * (r - 1) - 1) // s + 1
            met.append(slice(t * d, t * d + (count - 1) * s + 1, s))
        yield tap, tuple(met)


def _grouped(a, groups):
    return a.reshape(*a.shape[:-1], groups, a.shape[-1] // groups)


def _one(window):
    return window.get("input_dilation") or (1,) * len(window["stride"])


def conv(x, w, b=None, **window):
    """Sum, over the taps, shifted arrays times weights."""
    groups, total = window["groups"], 0 if b is None else b
    wide = prepared(x, window["padding"], _one(window))
    taps = _taps(wide.shape[1:-1], w.shape[:-2], window["stride"], window["dilation"])
    for tap, met in taps:
        elements, weights = _grouped(wide[met], groups), _grouped(w[tap], groups)
        product = np.einsum("...gc,cgk->...gk", elements, weights)
        total = total + product.reshape(*product.shape[:-2], w.shape[-1])
    return total


def conv_input_grad(g, w, input_shape, **window):
    """Add, for each tap, the cotangent times weights to the shifted array."""
    groups, one = window["groups"], _one(window)
    wide = prepared(np.zeros(input_shape, g.dtype), window["padding"], one)
    taps = _taps(wide.shape[1:-1], w.shape[:-2], window["stride"], window["dilation"])
    for tap, met in taps:
        product = np.einsum(
            "...gk,cgk->...gc", _grouped(g, groups), _grouped(w[tap], groups)
        )
        wide[met] += product.reshape(*product.shape[:-2], input_shape[-1])
    return unprepared(wide, input_shape, window["padding"], one)


def conv_weight_grad(x, g, kernel_shape, **window):
    """Contract, for each tap, shifted arrays with the cotangent."""
    groups = window["groups"]
    wide = prepared(x, window["padding"], _one(window))
    kernel = kernel_shape[:-2]
    w_bar = np.zeros(kernel_shape, g.dtype)
    for tap, met in _taps(
        wide.shape[1:-1], kernel, window["stride"], window["dilation"]
    ):
        elements = _grouped(wide[met].reshape(-1, wide.shape[-1]), groups)
        cotangent = _grouped(g.reshape(-1, g.shape[-1]), groups)
        product = np.einsum("pgc,pgk->cgk", elements, cotangent)
        w_bar[tap] = product.reshape(kernel_shape[-2:])
    return w_bar


def im2col(x, kernel, **window):
    """Stack what each tap meets on a new axis, and flatten."""
    one = (1,) * len(kernel)
    wide = prepared(x, window["padding"], one)
    taps = _taps(wide.shape[1:-1], kernel, window["stride"], window["dilation"])
    stacked = np.stack([wide[met] for _, met in taps], axis=-2)
    return stacked.reshape(*stacked.shape[:-2], -1)


def col2im(cols, input_shape, kernel, **window):
    """Apply the transpose of `im2col`."""
    one = (1,) * len(kernel)
    wide = prepared(np.zeros(input_shape, cols.dtype), window["padding"], one)
    parts = np.split(cols, np.prod(kernel), axis=-1)
    taps = _taps(wide.shape[1:-1], kernel, window["stride"], window["dilation"])
    for part, (_, met) in zip(parts, taps):
        wide[met] += part
    return unprepared(wide, input_shape, window["padding"], one)
