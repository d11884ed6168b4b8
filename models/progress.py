"""A bar for what takes longer than a moment: decoding and downloading data."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.progress import TimeRemainingColumn as Remaining

_PATIENCE = 1.0  # seconds before a bar appears


class Bar:
    """Shows on the terminal how much of `total` is done, once it has taken a second.

    It has what `pooch` wants of a progress bar, too: `total`, `reset`, `close`.
    """

    def __init__(self, text: str, total: float = 0) -> None:
        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            Remaining(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task(text, total=total)
        self._began = time.monotonic()
        self.total = total

    def update(self, n: float) -> None:
        """Move the bar on by n."""
        self._progress.update(self._task, advance=n, total=self.total)
        if time.monotonic() - self._began > _PATIENCE:
            self._progress.start()

    def reset(self) -> None:
        """Move the bar back to its beginning."""
        self._progress.reset(self._task, total=self.total)

    def close(self) -> None:
        """Take the bar away."""
        self._progress.stop()


@contextmanager
def bar(text: str, total: float) -> Iterator[Bar]:
    """Give a bar, and take it away in the end, whatever happens."""
    shown = Bar(text, total)
    try:
        yield shown
    finally:
        shown.close()
