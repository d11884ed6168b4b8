"""Tables as text and as HTML: columns of strings, long ones collapsed in the middle."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Final, NamedTuple

LIMIT: Final = 20  # rows that are shown before the middle is left out


class Column(NamedTuple):
    """A head, on which side its cells stand, and how wide they may be in text."""

    head: str
    align: str = "<"
    width: int = 60


class Grid(NamedTuple):
    """Rows of cells under columns, with a title."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]

    def __str__(self) -> str:
        return self.text()

    def text(self, limit: int = LIMIT) -> str:
        """Return the table as lines of text, of `limit` rows at most.

        >>> columns = [Column("n", ">"), Column("name")]
        >>> print(Grid("powers", columns, [["1", "one"], ["10", "ten"]]))
        powers
           n  name
           1  one
          10  ten
        """
        top, gap, bottom = collapsed(self.rows, limit)
        lines = [[column.head for column in self.columns]]
        for row in (*top, *bottom):
            lines.append([_cut(x, column) for x, column in zip(row, self.columns)])
        widths = [max(map(len, cells)) for cells in zip(*lines)]
        text = [self._line(cells, widths) for cells in lines]
        if gap:
            text.insert(len(top) + 1, f"  ... {gap:,} more ...")
        return "\n".join([self.title, *text])

    def _line(self, cells: Sequence[str], widths: Sequence[int]) -> str:
        padded = [
            f"{cell:{column.align}{width}}"
            for cell, column, width in zip(cells, self.columns, widths)
        ]
        return ("  " + "  ".join(padded)).rstrip()

    def html(self, limit: int = LIMIT) -> str:
        """Return the table as HTML, of `limit` rows at most."""
        top, gap, bottom = collapsed(self.rows, limit)
        head = self._tags("th", [column.head for column in self.columns])
        body = [self._tags("td", row) for row in top]
        if gap:
            span = len(self.columns)
            body.append(f'<tr><td colspan="{span}">&hellip; {gap:,} more</td></tr>')
        body += [self._tags("td", row) for row in bottom]
        return (
            f'<table class="autograd-lite"><caption>{html.escape(self.title)}'
            f"</caption><thead>{head}</thead><tbody>{''.join(body)}</tbody></table>"
        )

    def _tags(self, tag: str, cells: Sequence[str]) -> str:
        side = {"<": "left", ">": "right"}
        found = [
            f'<{tag} style="text-align:{side[column.align]}">{html.escape(x)}</{tag}>'
            for x, column in zip(cells, self.columns)
        ]
        return f"<tr>{''.join(found)}</tr>"


def collapsed(
    rows: Sequence[Sequence[str]], limit: int
) -> tuple[Sequence[Sequence[str]], int, Sequence[Sequence[str]]]:
    """Return the first rows, how many are left out, and the last ones."""
    if len(rows) <= limit:
        return rows, 0, []
    before, after = (limit + 1) // 2, limit // 2
    return rows[:before], len(rows) - before - after, rows[len(rows) - after :]


def _cut(cell: str, column: Column) -> str:
    return cell if len(cell) <= column.width else cell[: column.width - 3] + "..."


def in_bytes(n: int) -> str:
    """Return a number of bytes as people read it.

    >>> in_bytes(0), in_bytes(999), in_bytes(1536), in_bytes(25_000_000)
    ('0', '999 B', '1.5 kB', '25 MB')
    """
    if n < 1000:
        return f"{n} B" if n else "0"
    power = min((len(str(n)) - 1) // 3, 4)
    scaled, unit = n / 1000**power, ("kB", "MB", "GB", "TB")[power - 1]
    return f"{scaled:.1f} {unit}" if scaled < 10 else f"{scaled:.0f} {unit}"


def in_ms(seconds: float) -> str:
    """Return a time in milliseconds, to a microsecond.

    >>> in_ms(0.0012346)
    '1.235'
    """
    return f"{1000 * seconds:.3f}"


def in_shapes(shapes: Sequence[tuple[int, ...]]) -> str:
    """Return the shapes of arrays, separated by commas.

    >>> in_shapes([(128, 28, 28, 1), (3,), ()])
    '128x28x28x1, 3, ()'
    """
    return ", ".join("x".join(map(str, shape)) or "()" for shape in shapes)
