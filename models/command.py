"""How the commands of `models` end: exit codes, and what is said of errors."""

from __future__ import annotations

import sys
from collections.abc import Callable

from autograd_lite import AutogradError

from .errors import DivergedError, ModelsError

BAD_INPUT, DIVERGED, INTERRUPTED = 2, 1, 130  # exit codes


def run(work: Callable[[], int | None], interrupted: str = "") -> int:
    """Do a command's work and return its exit code: that of `work`, or of an error.

    Errors that are no defect of the program are printed without a traceback, and after
    Ctrl-C what `interrupted` says: what is left of the work.

    >>> run(lambda: None), run(lambda: 1)
    (0, 1)
    """
    try:
        return work() or 0
    except (ModelsError, AutogradError) as error:
        print(f"error: {error}", file=sys.stderr)
        return DIVERGED if isinstance(error, DivergedError) else BAD_INPUT
    except KeyboardInterrupt:
        if interrupted:
            print(interrupted, file=sys.stderr)
        return INTERRUPTED
