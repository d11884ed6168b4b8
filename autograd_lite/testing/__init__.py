"""Checking gradients: `check_grads` compares a function's derivatives with its values.

>>> import numpy as np
>>> from autograd_lite.testing import check_grads
>>> check_grads(lambda x, y: x * y + x, (np.ones(3), np.array([1.0, 2.0, 3.0])))
"""

from ..errors import GradientCheckError, GradientCheckWarning
from .bisect import Box, bisect_grads
from .compare import assert_grads_close
from .frameworks import of_jax, of_torch
from .given import check_gradient, check_jvp, check_vjp
from .grads import check_grads
from .report import Element, Finding, Report
from .tapes import check_tape

# fmt: off
__all__ = [
    "check_grads", "check_gradient", "check_vjp", "check_jvp",
    "check_tape", "bisect_grads", "assert_grads_close", "of_torch", "of_jax",
    "Report", "Finding", "Element", "Box",
    "GradientCheckError", "GradientCheckWarning",
]
# fmt: on
