"""Checking gradients: `check_grads` compares a function's derivatives with its values.

>>> import numpy as np
>>> from autograd_lite.testing import check_grads
>>> check_grads(lambda x, y: x * y + x, (np.ones(3), np.array([1.0, 2.0, 3.0])))
"""

import importlib
from typing import Any

from ..errors import GradientCheckError, GradientCheckWarning
from .bisect import Box, bisect_grads
from .compare import assert_grads_close
from .domains import Domain, register_domain
from .frameworks import of_jax, of_torch
from .given import check_gradient, check_jvp, check_vjp
from .grads import check_grads
from .report import Element, Finding, Report
from .tapes import check_tape

# fmt: off
__all__ = [
    "check_grads", "check_gradient", "check_vjp", "check_jvp",
    "check_tape", "bisect_grads", "assert_grads_close", "of_torch", "of_jax",
    "check_primitive", "strategies", "Domain", "register_domain",
    "Report", "Finding", "Element", "Box",
    "GradientCheckError", "GradientCheckWarning",
]
# fmt: on


def __getattr__(name: str) -> Any:
    """Import what needs Hypothesis when it is asked for."""
    if name == "check_primitive":
        return importlib.import_module(".primitives", __name__).check_primitive
    if name == "strategies":
        return importlib.import_module(".strategies", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
