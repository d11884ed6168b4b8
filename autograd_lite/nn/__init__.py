"""Layers, losses and initialisers as functions: parameters in, arrays out.

Nothing here has a memory. Parameters are arrays or trees of them, what a layer learns
without gradients is passed in and returned, and what is random draws from a
`numpy.random.Generator` that the caller passes.

While a gradient is taken, `max_pool(relu(conv(x, w, b)), 2)` of images with few
channels is one operation, and so is `relu(batch_norm(x))`; `fusion(False)` switches
that off, and `fused(fun)` has it without a gradient as well.

Images are `(n, h, w, c)`, kernels `(r, s, c, k)`, dense weights `(inputs, outputs)`.

>>> import numpy as np
>>> rng = np.random.default_rng(0)
>>> x, w = np.ones((2, 28, 28, 1), np.float32), he_normal(rng, (3, 3, 1, 8))
>>> max_pool(relu(conv(x, w)), 2).shape
(2, 13, 13, 8)
"""

from ..fusing import fused, fusion
from .activations import (
    gelu,
    leaky_relu,
    log_softmax,
    relu,
    sigmoid,
    silu,
    softmax,
    softplus,
)
from .attention import (
    attention,
    init_multi_head_attention,
    multi_head_attention,
)
from .convolution import conv, conv_transpose, separable_conv
from .initialisers import (
    glorot_normal,
    glorot_uniform,
    he_normal,
    he_uniform,
    lecun_normal,
    lecun_uniform,
)
from .layers import dense, dropout, flatten
from .losses import cross_entropy, l2_penalty, one_hot
from .normalisation import (
    batch_norm,
    group_norm,
    init_batch_norm,
    init_batch_norm_state,
    instance_norm,
    layer_norm,
)
from .pooling import (
    adaptive_avg_pool,
    adaptive_max_pool,
    avg_pool,
    global_avg_pool,
    global_max_pool,
    lp_pool,
    max_pool,
    max_unpool,
)
from .resampling import pixel_shuffle, pixel_unshuffle, upsample
from .windows import fold, reduce_window, sliding_window, unfold

__all__ = [
    "adaptive_avg_pool",
    "adaptive_max_pool",
    "attention",
    "avg_pool",
    "batch_norm",
    "conv",
    "conv_transpose",
    "cross_entropy",
    "dense",
    "dropout",
    "flatten",
    "fold",
    "fused",
    "fusion",
    "gelu",
    "global_avg_pool",
    "global_max_pool",
    "glorot_normal",
    "glorot_uniform",
    "group_norm",
    "he_normal",
    "he_uniform",
    "init_batch_norm",
    "init_batch_norm_state",
    "init_multi_head_attention",
    "instance_norm",
    "l2_penalty",
    "layer_norm",
    "leaky_relu",
    "lecun_normal",
    "lecun_uniform",
    "log_softmax",
    "lp_pool",
    "max_pool",
    "max_unpool",
    "multi_head_attention",
    "one_hot",
    "pixel_shuffle",
    "pixel_unshuffle",
    "reduce_window",
    "relu",
    "separable_conv",
    "sigmoid",
    "silu",
    "sliding_window",
    "softmax",
    "softplus",
    "unfold",
    "upsample",
]
