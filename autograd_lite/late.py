"""What the front door loads when it is first asked for.

The tools for debugging are a tenth of the time that the library takes to import, and
most runs never use them.
"""

from __future__ import annotations

import importlib
from typing import Any, Final

# public name -> the module that has it
PLACES: Final = {
    "benchmark": "benchmarking",
    "debug_nans": "debug",
    "make_jvp": "differential_operators",
    "make_vjp": "differential_operators",
    "profile": "debug",
    "tape": "debug",
}


def attribute(name: str) -> Any:
    """Return what the front door does not have yet: its `__getattr__`.

    >>> attribute("tape").__module__
    'autograd_lite.debug.tables'
    """
    package = __name__.rpartition(".")[0]
    if name not in PLACES and name not in PLACES.values():
        raise AttributeError(f"module {package!r} has no attribute {name!r}")
    module = importlib.import_module(f"{package}.{PLACES.get(name, name)}")
    return getattr(module, name) if name in PLACES else module
