"""NumPy twins of the kernels for pools, layers and optimisers: slow and obvious."""

import numpy as np


def windows(size, window, stride, padding):
    """List (i, j, rows, columns): the part of each window that is in the image."""
    (top, bottom), (left, right) = padding
    height = (size[0] + top + bottom - window[0]) // stride[0] + 1
    width = (size[1] + left + right - window[1]) // stride[1] + 1
    found = []
    for i in range(height):
        for j in range(width):
            r, s = i * stride[0] - top, j * stride[1] - left
            rows = [k for k in range(r, r + window[0]) if 0 <= k < size[0]]
            columns = [k for k in range(s, s + window[1]) if 0 <= k < size[1]]
            found.append((i, j, rows, columns))
    return found, (height, width)


def max_pool(x, window, stride, padding):
    """Return maxima and codes: the position in the window of the first that wins."""
    found, size = windows(x.shape[1:3], window, stride, padding)
    y = np.empty((x.shape[0], *size, x.shape[3]), x.dtype)
    code = np.empty(y.shape, int)
    for i, j, rows, columns in found:
        inside = [(r, s) for r in rows for s in columns]
        values = np.stack([x[:, r, s] for r, s in inside])
        winner = np.argmax(values, axis=0)  # first of equals; NaN is the largest
        y[:, i, j] = np.take_along_axis(values, winner[None], 0)[0]
        top, left = i * stride[0] - padding[0][0], j * stride[1] - padding[1][0]
        codes = np.array([(r - top) * window[1] + s - left for r, s in inside])
        code[:, i, j] = codes[winner]
    return y, code


def max_pool_matrix(code, size, window, stride, padding):
    """Return the 0/1 matrix (outputs, inputs) of the gather, for one channel."""
    found, _ = windows(size, window, stride, padding)
    matrix, code = np.zeros((code.size, size[0] * size[1])), code.astype(int)
    for row, (i, j, _, _) in enumerate(found):
        r = i * stride[0] - padding[0][0] + code[i, j] // window[1]
        s = j * stride[1] - padding[1][0] + code[i, j] % window[1]
        matrix[row, r * size[1] + s] = 1
    return matrix


def avg_pool_matrix(size, window, stride, padding, count_include_pad):
    """Return the matrix (outputs, inputs) of average pooling of one channel."""
    found, _ = windows(size, window, stride, padding)
    matrix = np.zeros((len(found), size[0], size[1]))
    for row, (_, _, rows, columns) in enumerate(found):
        inside = len(rows) * len(columns)
        count = window[0] * window[1] if count_include_pad else inside
        matrix[row, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = 1 / count
    return matrix.reshape(len(found), -1)


def relu(x):
    """Return x where it is positive or NaN."""
    return np.where(x <= 0, 0, x)


def target(labels, classes, smoothing):
    """Return one-hot rows mixed with the uniform distribution."""
    return (1 - smoothing) * np.eye(classes)[labels] + smoothing / classes


def cross_entropy(logits, labels, smoothing):
    """Return the loss of each row and the matrix softmax - target, in float64."""
    z = logits.astype(np.float64)
    z = z - z.max(1, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(1, keepdims=True))
    t = target(labels, z.shape[1], smoothing)
    return -(t * log_p).sum(1), np.exp(log_p) - t


def batch_norm(x, gamma, beta, eps):
    """Return the normalised rows of x: (m, c), in extended precision."""
    x = x.astype(np.longdouble)
    return gamma * (x - x.mean(0)) / np.sqrt(x.var(0) + eps) + beta


def batch_norm_backward(g, x, gamma, eps):
    """Return cotangents of x, gamma, beta with the Jacobian of the statistics."""
    x, g = x.astype(np.longdouble), g.astype(np.longdouble)
    inverse = 1 / np.sqrt(x.var(0) + eps)
    z = (x - x.mean(0)) * inverse
    z_bar = g * gamma
    x_bar = inverse * (z_bar - z_bar.mean(0) - z * (z_bar * z).mean(0))
    return x_bar, (g * z).sum(0), g.sum(0)


def momentum(g, m, lr, decay, nesterov):
    """Return the update and the new trace."""
    m = decay * m + g
    return -lr * (g + decay * m if nesterov else m), m


def adam(g, m, v, lr, b1, b2, eps, step):
    """Return the update and the new moments; Kingma and Ba, 2015, algorithm 1."""
    m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
    mean, square = m / (1 - b1**step), v / (1 - b2**step)
    return -lr * mean / (np.sqrt(square) + eps), m, v


def rmsprop(g, v, lr, decay, eps):
    """Return the update and the new mean square."""
    v = decay * v + (1 - decay) * g**2
    return -lr * g / (np.sqrt(v) + eps), v
