"""The user's line that called an operation whose gradient rule failed.

Recording a line with every operation would slow down all programs for those that fail.
So the function runs once more, after the failure, on a tape that records lines.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .core import Primitive
from .guard import explain
from .reverse import FAILURES, Tape
from .source import Line, user_line


class LineTape(Tape):
    """A tape that knows, for each of its entries, the user's line that made it."""

    __slots__ = ("lines",)

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[Line | None] = []

    def process(
        self, primitive: Primitive, args: tuple[Any, ...], params: dict[str, Any]
    ) -> Any:
        """Apply a primitive and record it, with the line that called it."""
        ans = super().process(primitive, args, params)
        if len(self.entries) > len(self.lines):
            self.lines.append(user_line())
        return ans


def annotate(error: BaseException, tape: Tape, record: Callable[[Tape], Any]) -> None:
    """Add to an error that a transformation raised what its reader will ask first.

    Of the walk back: the line of the forward call. Of the function: why an array is
    read-only. `record` runs the function on another tape.
    """
    if tape.failed is not None:
        locate(error, tape.failed, record)
    elif isinstance(error, ValueError):
        explain(error)


def locate(
    error: BaseException, failed: tuple[int, Primitive], record: Callable[[Tape], Any]
) -> None:
    """Add a note to an error of the walk back: the line of the forward call.

    `failed` is the entry that the walk had reached, `record` runs the function again.
    A function that is not pure may do something else this time; then there is no note.
    """
    index, primitive = failed
    tape = LineTape()
    try:
        record(tape)
    except FAILURES:
        return
    finally:
        tape.open = False
        tape.release()
    # By name: a checkpoint or a custom rule is another primitive in each run.
    if index < len(tape.lines) and tape.entries[index][1].name == primitive.name:
        error.add_note(f"{primitive.name} was called at {tape.lines[index]}")
