"""The tools for debugging, loaded when they are first asked for.

They are a tenth of the time that the library takes to import, and most runs never use
them.
"""

from __future__ import annotations

import importlib
from typing import Any, Final

TOOLS: Final = ("debug_nans", "profile", "tape")


def attribute(name: str) -> Any:
    """Return what the front door does not have yet: its `__getattr__`.

    >>> attribute("tape").__module__
    'autograd_lite.debug.tables'
    """
    package = __name__.rpartition(".")[0]
    if name == "debug" or name in TOOLS:
        debug = importlib.import_module(f"{package}.debug")
        return debug if name == "debug" else getattr(debug, name)
    raise AttributeError(f"module {package!r} has no attribute {name!r}")
