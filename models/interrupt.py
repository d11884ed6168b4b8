"""Ctrl-C and SIGTERM ask a run to stop between two steps; they don't break into one."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType, TracebackType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """While it is entered, a first signal is remembered and a second one interrupts.

    >>> with StopRequest(lambda: print("stopping")) as stop:
    ...     signal.raise_signal(signal.SIGINT)
    ...     stop()
    stopping
    True
    """

    def __init__(self, notice: Callable[[], None]) -> None:
        self._notice = notice
        self._asked = False

    def __call__(self) -> bool:
        """Return whether a signal has come."""
        return self._asked

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._asked:
            raise KeyboardInterrupt
        self._asked = True
        self._notice()

    def __enter__(self) -> StopRequest:
        """Take the signals over."""
        self._before = [signal.signal(s, self._handle) for s in _SIGNALS]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the signals back."""
        for number, handler in zip(_SIGNALS, self._before):
            signal.signal(number, handler)
