"""Automatic differentiation of pure functions of NumPy arrays.

>>> import autograd_lite.numpy as np
>>> from autograd_lite import grad
>>> print(grad(lambda x: np.tanh(x) ** 2)(0.0))
0.0
"""

import typing as _typing

from . import errors, tree
from . import numpy as numpy  # gives tracers their operators
from .allocator import keep_large_blocks as _keep_large_blocks
from .api import grad, jvp, value_and_grad, vjp
from .checkpointing import checkpoint, checkpoint_sequential
from .core import defbatch, defjvp, defvjp, defvjp_argnums, elementwise, primitive
from .curvature import ggnvp, hvp
from .custom import custom_jvp, custom_vjp
from .errors import AutogradError
from .implicit import custom_root, fixed_point
from .jacobians import (
    elementwise_grad,
    hessian,
    holomorphic_grad,
    jacfwd,
    jacobian,
    jacrev,
    value_and_jacobian,
)
from .linear import linear_transpose, linearize
from .loops import scan
from .mapping import vmap
from .ops.basic import stop_gradient
from .policies import policy
from .scalar import scalar_primitive
from .staging import jit

if _typing.TYPE_CHECKING:
    from .benchmarking import benchmark
    from .debug import debug_nans, profile, tape
    from .differential_operators import make_jvp, make_vjp
else:
    from .late import attribute as __getattr__  # noqa: F401 -- Python reads it

__version__ = "0.1.0"
_keep_large_blocks()
# fmt: off
__all__ = [
    "AutogradError", "errors", "tree",
    "grad", "value_and_grad", "vjp", "jvp", "vmap", "stop_gradient",
    "jacobian", "jacrev", "jacfwd", "hessian", "hvp", "ggnvp",
    "value_and_jacobian", "linearize", "linear_transpose",
    "elementwise_grad", "holomorphic_grad", "make_vjp", "make_jvp",
    "jit", "checkpoint", "checkpoint_sequential", "custom_vjp", "custom_jvp", "scan",
    "policy", "debug_nans", "tape", "profile", "benchmark",
    "scalar_primitive", "custom_root", "fixed_point",
    "primitive", "elementwise", "defvjp", "defvjp_argnums", "defjvp", "defbatch",
]
# fmt: on
