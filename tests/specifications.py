"""NumPy twins of the kernels: slow, short, and meant to be obviously right."""

import numpy as np


def _taps(x_shape, kernel, stride, padding, dilation):
    """List `(r, s, index)`: index picks the padded pixels that tap `(r, s)` meets."""
    (sh, sw), (dh, dw) = stride, dilation
    height, width = x_shape[1] + sum(padding[0]), x_shape[2] + sum(padding[1])
    ho = (height - dh * (kernel[0] - 1) - 1) // sh + 1
    wo = (width - dw * (kernel[1] - 1) - 1) // sw + 1
    every = slice(None)
    return [
        (
            r,
            s,
            (
                every,
                slice(r * dh, r * dh + (ho - 1) * sh + 1, sh),
                slice(s * dw, s * dw + (wo - 1) * sw + 1, sw),
            ),
        )
        for r, s in np.ndindex(*kernel[:2])
    ]


def _pad(x, padding):
    return np.pad(x, ((0, 0), *padding, (0, 0)))


def _crop(padded, shape, padding):
    (top, _), (left, _) = padding
    return padded[:, top : top + shape[1], left : left + shape[2]]


def _grouped(a, groups):
    """Split the last axis: `(..., groups * c) -> (..., groups, c)`."""
    return a.reshape(*a.shape[:-1], groups, a.shape[-1] // groups)


def conv_forward(x, w, b, stride, padding, dilation=(1, 1), groups=1):
    """Sum, over the taps, shifted images times weights."""
    total = 0 if b is None else b
    padded, weights = _pad(x, padding), _grouped(w, groups)
    for r, s, index in _taps(x.shape, w.shape, stride, padding, dilation):
        pixels = _grouped(padded[index], groups)
        product = np.einsum("nhwgc,cgk->nhwgk", pixels, weights[r, s])
        total = total + product.reshape(*product.shape[:3], w.shape[3])
    return total


def conv_input_grad(g, w, input_shape, stride, padding, dilation=(1, 1), groups=1):
    """Add, for each tap, the cotangent times weights to the shifted image."""
    padded = _pad(np.zeros(input_shape, g.dtype), padding)
    weights, cotangent = _grouped(w, groups), _grouped(g, groups)
    for r, s, index in _taps(input_shape, w.shape, stride, padding, dilation):
        product = np.einsum("nhwgk,cgk->nhwgc", cotangent, weights[r, s])
        padded[index] += product.reshape(*product.shape[:3], input_shape[3])
    return _crop(padded, input_shape, padding)


def conv_weight_grad(x, g, kernel_shape, stride, padding, dilation=(1, 1), groups=1):
    """Contract, for each tap, shifted images with the cotangent."""
    padded, cotangent = _pad(x, padding), _grouped(g, groups)
    gw = np.zeros(kernel_shape, g.dtype)
    for r, s, index in _taps(x.shape, kernel_shape, stride, padding, dilation):
        pixels = _grouped(padded[index], groups)
        product = np.einsum("nhwgc,nhwgk->cgk", pixels, cotangent)
        gw[r, s] = product.reshape(kernel_shape[2:])
    return gw


def im2col(x, kernel, stride, padding, dilation=(1, 1)):
    """Stack the shifted images on a new axis and flatten: `(n, ho, wo, r*s*c)`."""
    padded, taps = _pad(x, padding), _taps(x.shape, kernel, stride, padding, dilation)
    stacked = np.stack([padded[index] for _, _, index in taps], axis=3)
    return stacked.reshape(*stacked.shape[:3], len(taps) * x.shape[3])


def col2im(cols, input_shape, kernel, stride, padding, dilation=(1, 1)):
    """Add each tap's columns to the shifted image."""
    padded = _pad(np.zeros(input_shape, cols.dtype), padding)
    taps = _taps(input_shape, kernel, stride, padding, dilation)
    for part, (_, _, index) in zip(np.split(cols, len(taps), axis=3), taps):
        padded[index] += part
    return _crop(padded, input_shape, padding)
