"""Automatic differentiation of pure functions of NumPy arrays.

>>> import autograd_lite.numpy as np
>>> from autograd_lite import grad
>>> print(grad(lambda x: np.tanh(x) ** 2)(0.0))
0.0
"""

from . import errors, tree
from . import numpy as numpy  # gives tracers their operators
from .api import grad, jvp, value_and_grad, vjp, vmap
from .checkpointing import checkpoint
from .core import defbatch, defjvp, defvjp, defvjp_argnums, elementwise, primitive
from .errors import AutogradError
from .jacobians import (
    elementwise_grad,
    hessian,
    holomorphic_grad,
    hvp,
    jacfwd,
    jacobian,
    jacrev,
    value_and_jacobian,
)
from .ops.basic import stop_gradient

__version__ = "0.1.0"
__all__ = [
    "AutogradError",
    "checkpoint",
    "defbatch",
    "defjvp",
    "defvjp",
    "defvjp_argnums",
    "elementwise",
    "elementwise_grad",
    "errors",
    "grad",
    "hessian",
    "holomorphic_grad",
    "hvp",
    "jacfwd",
    "jacobian",
    "jacrev",
    "jvp",
    "primitive",
    "stop_gradient",
    "tree",
    "value_and_grad",
    "value_and_jacobian",
    "vjp",
    "vmap",
]
