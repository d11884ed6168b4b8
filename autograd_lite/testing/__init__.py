"""Checking gradients: `check_grads` compares a function's derivatives with its values.

>>> import numpy as np
>>> from autograd_lite.testing import check_grads
>>> check_grads(lambda x, y: x * y + x, (np.ones(3), np.array([1.0, 2.0, 3.0])))
"""

from ..errors import GradientCheckError, GradientCheckWarning
from .grads import check_grads
from .report import Element, Finding, Report

# fmt: off
__all__ = [
    "check_grads", "Report", "Finding", "Element",
    "GradientCheckError", "GradientCheckWarning",
]
# fmt: on
