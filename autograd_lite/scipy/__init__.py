"""SciPy's names, differentiable: special, linalg, signal, stats, integrate, optimize.

Import the module that you need, `import autograd_lite.scipy.special`; each loads the
part of SciPy that it stands for. As an attribute of this package a module is imported
when it is first asked for.
"""

import importlib
from types import ModuleType

__all__ = ["integrate", "linalg", "optimize", "signal", "special", "stats"]


def __getattr__(name: str) -> ModuleType:
    if name in __all__:
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(
        f"autograd_lite.scipy has no {name!r}, only {', '.join(__all__)}"
    )
