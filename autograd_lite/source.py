"""Where in the user's program an operation was called."""

from __future__ import annotations

import linecache
import os
import sys
import warnings
from pathlib import Path
from types import FrameType
from typing import Final, NamedTuple

_LIBRARY: Final = str(Path(__file__).parent) + os.sep


class Line(NamedTuple):
    """A line of source: the file, its number from 1, and the text without indent."""

    file: str
    number: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.number}" + (f": {self.text}" if self.text else "")


def user_line(frame: FrameType | None = None) -> Line | None:
    """Return the innermost line that is being executed outside of this library.

    The search starts at `frame`, by default the caller's. None when there is no such
    line, as in a process that the library itself runs.
    """
    frame = frame or sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_LIBRARY):
        frame = frame.f_back
    return None if frame is None else line_of(frame)


def line_of(frame: FrameType) -> Line:
    """Return the line that a frame is executing; its text where the source is known."""
    file, number = frame.f_code.co_filename, frame.f_lineno
    return Line(file, number, linecache.getline(file, number).strip())


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Issue a warning that stands at the innermost line outside of this library.

    So it is shown once per line of the program, and filters by module find it.
    """
    frame: FrameType | None = sys._getframe(1)
    level = 2
    while frame is not None and frame.f_code.co_filename.startswith(_LIBRARY):
        frame = frame.f_back
        level += 1
    warnings.warn(message, category, stacklevel=level - (frame is None))
