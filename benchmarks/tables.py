"""Tables and a progress bar: rich where it is installed, plain text elsewhere."""

import importlib.util
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

HAS_RICH = importlib.util.find_spec("rich") is not None

WIDE = 160  # characters of a line in a file or a pipe

Row = Sequence[str]


def number(value: float) -> str:
    """Three digits, or a whole number if it has more before the point.

    >>> number(0.123456), number(12.3456), number(12345.6)
    ('0.123', '12.3', '12,346')
    """
    return f"{value:.3g}" if abs(value) < 999.5 else f"{value:,.0f}"


def show_table(title: str, headers: Row, rows: Sequence[Row]) -> None:
    """Print a table, its first two columns left-aligned, the others right."""
    if HAS_RICH:
        _rich_table(title, headers, rows)
    else:
        print(plain_table(title, headers, rows))


def plain_table(title: str, headers: Row, rows: Sequence[Row]) -> str:
    """The table as text.

    >>> print(plain_table("t", ["case", "who", "ms"], [["a", "ours", "1.25"]]))
    t
    case  who     ms
    a     ours  1.25
    """
    widths = [max(map(len, column)) for column in zip(headers, *rows)]
    lines = [title]
    for row in [headers, *rows]:
        cells = [
            cell.ljust(width) if i < 2 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _rich_table(title: str, headers: Row, rows: Sequence[Row]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold")
    for i, header in enumerate(headers):
        side: Literal["left", "right"] = "left" if i < 2 else "right"
        table.add_column(header, justify=side, no_wrap=i > 0)
    case = None
    for row in rows:
        if case not in (None, row[0]):
            table.add_section()
        # A case is named once, before its first contender.
        table.add_row("" if row[0] == case else row[0], *row[1:])
        case = row[0]
    Console(width=None if sys.stdout.isatty() else WIDE).print(table)


@contextmanager
def progress(total: int) -> Iterator[Callable[[str], None]]:
    """A progress bar on stderr; the block calls what it gets with each step's name."""
    if not sys.stderr.isatty():
        yield lambda text: None
    elif HAS_RICH:
        yield from _rich_progress(total)
    else:
        yield from _plain_progress(total)


def _rich_progress(total: int) -> Iterator[Callable[[str], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True)
    with Progress(*columns, Remaining(), console=console, transient=True) as bar:
        task = bar.add_task("", total=total)
        started = False

        def step(text: str) -> None:
            nonlocal started
            bar.update(task, description=text, advance=int(started))
            started = True

        yield step


def _plain_progress(total: int) -> Iterator[Callable[[str], None]]:
    done = 0

    def step(text: str) -> None:
        nonlocal done
        print(f"\r\x1b[K{done}/{total} {text}", end="", file=sys.stderr, flush=True)
        done += 1

    yield step
    print("\r\x1b[K", end="", file=sys.stderr)
