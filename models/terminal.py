"""What a training run shows in the terminal, and what it prints where there is none."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Literal

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.table import Table
from rich.text import Text

from autograd_lite import tree

from . import monitor
from .data import Dataset
from .recipes import RECIPES, Recipe
from .run import Run
from .scores import Evaluation

_REFRESH = 0.1  # seconds between updates of the bar
_COLUMNS: dict[str, Literal["left", "right"]] = {
    **{"recipe": "left", "data set": "left", "model": "left", "epochs": "right"},
    **{"right": "right", "time": "right", "about": "left"},
}
_MATRIX = 16  # as many classes have their confusions shown as a matrix


class Display:
    """Follows a run: a bar while an epoch lasts, a line when it is done."""

    def __init__(self, run: Run, console: Console) -> None:
        self.console = console
        self.recipe = run.setup.recipe
        self.per_epoch = run.setup.steps_per_epoch
        self.loss: float | None = None  # both are running means
        self.accuracy = 0.0
        self.rate = 0.0  # images per second
        self.last = self.shown = time.perf_counter()
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TaskProgressColumn(),
            TextColumn("{task.fields[numbers]}"),
            console=console,
            transient=True,
            refresh_per_second=5,
            disable=not console.is_terminal,
            expand=True,
        )
        self.task = self.progress.add_task(
            "first step",
            total=self.per_epoch * self.recipe.epochs,
            completed=run.epoch * self.per_epoch + run.step,
            numbers="compiles kernels, once",
        )

    def __enter__(self) -> Display:
        """Show the bar."""
        self.progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take the bar away."""
        self.progress.stop()

    def on_step(self, run: Run, loss: float, correct: int, images: int) -> None:
        """Move the bar."""
        now = time.perf_counter()
        rate, self.last = images / (now - self.last), now
        if self.loss is None:  # this step compiled the kernels: its time says nothing
            self.loss, self.accuracy = loss, correct / images
        else:
            self.loss += 0.02 * (loss - self.loss)
            self.accuracy += 0.02 * (correct / images - self.accuracy)
            # The mean of times, not of rates: slow steps count for what they took.
            self.rate = 1 / (0.95 / (self.rate or rate) + 0.05 / rate)
        if now - self.shown > _REFRESH:
            self.shown = now
            self._show(run)

    def _show(self, run: Run) -> None:
        done = run.epoch * self.per_epoch + run.step
        numbers = f"loss {self.loss:.4f}  accuracy {self.accuracy:6.2%}"
        if self.rate:
            left = self.per_epoch * self.recipe.epochs - done
            seconds = round(left * self.recipe.batch_size / self.rate)
            numbers += f"  {self.rate:,.0f} images/s"
            numbers += f"  {seconds // 60}:{seconds % 60:02} left"
        self.progress.update(
            self.task,
            description=f"epoch {run.epoch + 1}/{self.recipe.epochs}",
            completed=done,
            numbers=numbers,
        )

    def on_epoch(self, run: Run) -> None:
        """Print a line about the epoch that is done."""
        entry = run.metrics[-1]
        images = run.epoch * self.per_epoch * self.recipe.batch_size
        wide = len(str(self.recipe.epochs))
        line = f"epoch {run.epoch:>{wide}}/{self.recipe.epochs}"
        line += f"  loss {entry['loss']:.4f}  accuracy {entry['accuracy']:.2%}"
        if "validation_accuracy" in entry:
            line += f"  held out {entry['validation_accuracy']:.2%}"
            line += " best" if run.best and run.best.epoch == run.epoch else ""
        line += f"  {entry['seconds']:.1f} s  {images / entry['seconds']:,.0f} images/s"
        say(self.console, line)
        for warning in monitor.warnings(run.metrics):
            say(self.console, Text(f"warning: {warning}", style="yellow"))
        if run.best and run.stalled:
            said = f"stopping: no epoch was better than {run.best.epoch}"
            say(self.console, said)
        self.last = time.perf_counter()


@contextmanager
def counting(console: Console, what: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar within a block, moved by calls of what is returned: (done, of)."""
    shown = console.is_terminal
    with Progress(console=console, transient=True, disable=not shown) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def say(console: Console, line: str | Text = "") -> None:
    """Print a line as it is: no markup, and no wrapping where nobody sees a width."""
    console.print(
        line, markup=False, highlight=False, soft_wrap=not console.is_terminal
    )


def introduce(console: Console, run: Run, data: Dataset, folder: Path) -> None:
    """Say what is about to be trained, and how."""
    setup, recipe = run.setup, run.setup.recipe
    parameters = sum(leaf.size for leaf in tree.leaves(run.params))
    held = f", {recipe.validation:,} held out" if recipe.validation else ""
    say(
        console,
        f"{recipe.model} ({parameters:,} parameters) on {setup.dataset}: "
        f"{setup.train_size:,} images to train on{held}, "
        f"{len(data.test_labels):,} to test on",
    )
    details = [
        f"{recipe.optimizer}, {recipe.schedule} schedule to lr {recipe.lr:g}",
        f"batches of {recipe.batch_size}",
        f"L2 {recipe.l2:g}" if recipe.l2 else "",
        f"weight decay {recipe.weight_decay:g}" if recipe.weight_decay else "",
        f"labels smoothed by {recipe.label_smoothing:g}"
        if recipe.label_smoothing
        else "",
        "" if recipe.dropout is None else f"dropout {recipe.dropout:g}",
        f"weights averaged with {recipe.ema:g}" if recipe.ema else "",
        f"patience of {recipe.patience} epochs" if recipe.patience else "",
        (
            f"{recipe.expand:,} transformed images added"
            if recipe.expand
            else "images transformed"
        )
        + f" ({recipe.augmentation})"
        if recipe.augmentation.changes
        else "",
        f"seed {setup.seed}",
    ]
    say(console, ", ".join(filter(None, details)))
    for note in data.notes:
        say(console, note)
    where = f"goes on in {folder}" if run.epoch or run.step else f"writes to {folder}"
    say(console, where)


def conclude(
    console: Console,
    run: Run,
    found: Evaluation,
    folder: Path,
    files: list[str],
) -> None:
    """Print the result on the test set, and where the rest is to be found."""
    wrong = int((found.labels != found.predictions).sum())
    names = run.setup.class_names
    say(console)
    if run.best and run.best.epoch < run.epoch:
        say(console, f"the model of epoch {run.best.epoch}, best on held-out images")
    say(
        console,
        Text.assemble(
            "test accuracy ",
            (f"{found.accuracy:.2%}", "bold green"),
            f": {wrong:,} of {len(found.labels):,} wrong",
        ),
    )
    say(console)
    if wrong:
        _confusions(console, found.confusion(), names)
    _first_ten(console, found, names)
    say(console)
    say(console, f"in {folder}: {', '.join(files)}")
    say(console, f"to use it: python -m models.predict {folder} IMAGE")


def list_recipes(console: Console, recipe: Recipe | None = None) -> None:
    """Print a table of all recipes, or every number of one."""
    if recipe is not None:
        wide = max(map(len, recipe._fields))
        for name, value in recipe._asdict().items():
            say(console, f"{name:{wide}}  {'-' if value is None else value}")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    if not console.is_terminal:  # nobody sees its width
        console = Console(file=console.file, width=160, highlight=False)
    for name, justify in _COLUMNS.items():
        table.add_column(name, justify=justify, no_wrap=name != "about")
    for name, each in RECIPES.items():
        right = "-" if each.accuracy is None else f"{each.accuracy:.2%}"
        time = "-" if each.minutes is None else f"{each.minutes:.1f} min"
        cells = (each.dataset, each.model, str(each.epochs), right, time, each.about)
        table.add_row(name, *cells)
    console.print(table)


def _confusions(console: Console, counts: np.ndarray, names: tuple[str, ...]) -> None:
    wrong = counts * (1 - np.eye(len(counts), dtype=counts.dtype))
    if len(names) <= _MATRIX:
        console.print(_matrix(counts, names))
        say(console)
    order = np.argsort(-wrong, axis=None, kind="stable")[:5]
    pairs = [np.unravel_index(i, wrong.shape) for i in order if wrong.flat[i]]
    text = ", ".join(f"{names[a]} {names[b]} ({wrong[a, b]})" for a, b in pairs)
    say(console, f"most often confused (truth, taken for): {text}")
    say(console)


def _matrix(counts: np.ndarray, names: tuple[str, ...]) -> Table:
    """Return the confusion matrix as a table: a row per truth, hits dimmed."""
    table = Table(box=None, pad_edge=False, title_justify="left", header_style="bold")
    table.add_column("truth \\ taken for", justify="right", style="bold")
    for name in names:
        table.add_column(name, justify="right")
    table.add_column("right", justify="right")
    for i, row in enumerate(counts):
        cells = [
            Text(str(n) if n else ".", style="dim" if j == i or not n else "red")
            for j, n in enumerate(row)
        ]
        share = row[i] / row.sum() if row.sum() else float("nan")
        table.add_row(names[i], *cells, f"{share:.2%}")
    return table


def _first_ten(console: Console, found: Evaluation, names: tuple[str, ...]) -> None:
    truth, guess = Text("truth     "), Text("predicted ")
    for label, prediction in zip(found.labels[:10], found.predictions[:10]):
        wide = max(len(names[label]), len(names[prediction]))
        truth.append(f" {names[label]:>{wide}}")
        style = "" if label == prediction else "bold red"
        guess.append(f" {names[prediction]:>{wide}}", style=style)
    say(console, "the first ten test images")
    say(console, truth)
    say(console, guess)
