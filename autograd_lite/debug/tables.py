"""The tape as a table: what ran, from which line, and what memory it keeps."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import ArgumentError
from .drawing import Graph, draw_dot, draw_svg, graph_of
from .grids import LIMIT, Column, Grid, in_bytes, in_ms, in_shapes
from .pages import page
from .recording import Fun, Input, NotingTape, Row, name_of, rows_of, run


def tape(
    fun: Fun,
    argnums: int | Sequence[int] = 0,
    *,
    wrt: str | Sequence[str] | None = None,
    has_aux: bool = False,
) -> Callable[..., Table]:
    """Return the function that records `fun`, and returns its tape as a `Table`.

    Arguments are those of `grad`; the outputs may have any shape. There is a row for
    each operation with a derivative, in the order of execution: primitive, shapes,
    dtype, the user's line, and the bytes that its pullback keeps for the walk back
    beside what was passed as an argument. Nothing is walked back.

    >>> import autograd_lite.numpy as np
    >>> table = tape(lambda x: np.sum(np.tanh(x) ** 2))(np.ones((2, 3)))
    >>> [(row.primitive, row.outputs, row.bytes) for row in table]
    [('tanh', ((2, 3),), 48), ('square', ((2, 3),), 0), ('sum', ((),), 0)]
    """

    @functools.wraps(fun)
    def recorded(*args: Any, **kwargs: Any) -> Table:
        noting = NotingTape()
        try:
            found = run(
                noting, fun, args, kwargs, argnums=argnums, wrt=wrt, has_aux=has_aux
            )
            rows = rows_of(noting, noting.notes, found.arguments)
        finally:
            noting.release()
        outputs = [slot for slot in found.outputs if slot is not None]
        return Table(name_of(fun), rows, found.inputs, outputs)

    return recorded


class Total(NamedTuple):
    """What rows with something in common cost together; times are in seconds."""

    name: str
    calls: int
    bytes: int
    forward: float
    backward: float

    @property
    def seconds(self) -> float:
        """Forward and backward time together."""
        return self.forward + self.backward


class Totals(dict[str, Total]):
    """Totals by name, the largest first; prints as a table."""

    def __init__(self, title: str, rows: Sequence[tuple[str, Row]], timed: bool):
        groups: dict[str, list[Row]] = {}
        for name, row in rows:
            groups.setdefault(name, []).append(row)
        totals = [_total(name, members) for name, members in groups.items()]
        totals.sort(key=lambda t: (-t.seconds, -t.bytes, -t.calls))
        super().__init__({total.name: total for total in totals})
        self.title = title
        self.timed = timed

    def grid(self) -> Grid:
        """Return the totals as a table of text."""
        everything = sum(t.seconds for t in self.values()) or 1.0
        columns = [Column(self.title), Column("calls", ">")]
        rows = [[t.name, f"{t.calls:,}"] for t in self.values()]
        if self.timed:
            columns += [Column(head, ">") for head in TIMES]
            for cells, t in zip(rows, self.values()):
                cells += [in_ms(t.forward), in_ms(t.backward)]
                cells.append(f"{t.seconds / everything:.0%}")
        columns.append(Column("keeps", ">"))
        for cells, t in zip(rows, self.values()):
            cells.append(in_bytes(t.bytes))
        return Grid(f"by {self.title}", columns, rows)

    def __repr__(self) -> str:
        return str(self.grid())

    def _repr_html_(self) -> str:
        return self.grid().html()


TIMES = ("forward ms", "backward ms", "share")


def _total(name: str, rows: Sequence[Row]) -> Total:
    return Total(
        name,
        len(rows),
        sum(row.bytes for row in rows),
        sum(row.forward or 0.0 for row in rows),
        sum(row.backward or 0.0 for row in rows),
    )


class Table:
    """A tape to be read: `rows`, one per operation, sums of them, and pictures.

    Printing shows up to twenty rows; `print(table.text(limit))` shows more. `inputs`
    are the differentiated arrays, whose slots come first; `outputs` the slots of the
    results. It holds no arrays.
    """

    timed = False

    def __init__(
        self, name: str, rows: list[Row], inputs: list[Input], outputs: list[int]
    ) -> None:
        self.name = name
        self.rows = rows
        self.inputs = inputs
        self.outputs = outputs

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __getitem__(self, index: int) -> Row:
        return self.rows[index]

    @property
    def bytes(self) -> int:
        """What all pullbacks keep together; shared memory counts once."""
        return sum(row.bytes for row in self.rows)

    def by_primitive(self) -> Totals:
        """Return the sums of all rows of each primitive, the largest first."""
        return Totals(
            "primitive", [(row.primitive, row) for row in self.rows], self.timed
        )

    def by_line(self) -> Totals:
        """Return the sums of all rows of each line of the program, likewise."""
        named = [(f"{row.source}  {code(row)}".strip(), row) for row in self.rows]
        return Totals("line", named, self.timed)

    @property
    def title(self) -> str:
        """The head of the table: how many operations there are, and what they keep."""
        return (
            f"tape of {self.name}: {len(self):,} operations, {in_bytes(self.bytes)} "
            "kept for the walk back beside the arguments"
        )

    def grid(self) -> Grid:
        """Return the table as cells of text."""
        return Grid(self.title, self._columns(), Cells(self.rows, self._cells))

    def _columns(self) -> list[Column]:
        return [
            Column("#", ">"),
            Column("primitive", width=28),
            Column("reads", width=36),
            Column("makes", width=24),
            Column("dtype"),
            *[Column(head, ">") for head in (TIMES if self.timed else ())],
            Column("keeps", ">"),
            Column("line"),
            Column("code", width=48),
        ]

    def _cells(self, row: Row) -> list[str]:
        return [
            str(row.number),
            row.primitive,
            in_shapes(row.inputs),
            in_shapes(row.outputs),
            row.dtype,
            *self._times(row),
            in_bytes(row.bytes),
            row.source,
            code(row),
        ]

    def _times(self, row: Row) -> list[str]:
        return []

    def text(self, limit: int = LIMIT) -> str:
        """Return the table as text, with `limit` rows at most."""
        return self.grid().text(limit)

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return self.grid().html()

    # -- to files ---------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """Return everything in plain lists and dicts, ready for JSON."""
        return {
            "function": self.name,
            "bytes": self.bytes,
            "inputs": [x._asdict() for x in self.inputs],
            "outputs": self.outputs,
            "rows": [_plain(row) for row in self.rows],
        }

    def to_json(self) -> str:
        """Return `to_dict` as JSON."""
        return json.dumps(self.to_dict(), indent=1)

    def graph(self, limit: int = 100) -> Graph:
        """Return the tape as nodes and edges; the middle of a long one is one node."""
        recorded = [row for row in self.rows if row.fills]
        return graph_of(recorded, self.inputs, self.outputs, limit)

    def to_dot(self, limit: int = 100) -> str:
        """Return the tape as a graph in the language of Graphviz."""
        return draw_dot(self.graph(limit))

    def to_svg(self, limit: int = 100) -> str:
        """Return the tape as a picture; made here, without Graphviz."""
        return draw_svg(self.graph(limit))

    def to_html(self, limit: int = 100) -> str:
        """Return a page with sums, table and picture, that needs no other file."""
        grids = [self.by_primitive().grid(), self.by_line().grid(), self.grid()]
        tables = [grid.html(limit) for grid in grids]
        return page(self.title, tables, self.to_svg(limit))

    def save(self, path: str | Path, limit: int = 100) -> None:
        """Write to a file what its suffix says: .svg, .html, .dot, .json or .txt.

        Raises `ValueError` for another suffix.
        """
        makers: dict[str, Callable[[], str]] = {
            ".svg": lambda: self.to_svg(limit),
            ".html": lambda: self.to_html(limit),
            ".dot": lambda: self.to_dot(limit),
            ".json": self.to_json,
            ".txt": lambda: f"{self.text(len(self))}\n",
        }
        suffix = Path(path).suffix
        if suffix not in makers:
            raise ArgumentError(
                f"a tape is saved by suffix, {', '.join(makers)}; got {str(path)!r}"
            )
        Path(path).write_text(makers[suffix](), encoding="utf8")


class Cells(Sequence[list[str]]):
    """The rows of a table as text, each made when it is asked for."""

    def __init__(self, rows: Sequence[Row], cells: Callable[[Row], list[str]]) -> None:
        self.rows = rows
        self.cells = cells

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self.cells(row) for row in self.rows[index]]
        return self.cells(self.rows[index])


def code(row: Row) -> str:
    """Return the text of the user's line that an operation comes from."""
    return row.line.text if row.line else ""


def _plain(row: Row) -> dict[str, Any]:
    found = row._asdict()
    line = row.line
    found["line"] = line and {"file": line.file, "number": line.number}
    found["code"] = code(row)
    found["params"] = {name: repr(value) for name, value in row.params.items()}
    return found
