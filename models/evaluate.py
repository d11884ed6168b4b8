"""Says how good trained models are: `python -m models.evaluate RUN... --help`.

One run is evaluated by itself, several as an ensemble, which predicts the mean of their
probabilities. What is to be chosen (a run, an ensemble, `--tta`) is chosen by the
images that were held out of training, `--split validation`; the test set is there to
be looked at once, when everything is decided.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.table import Table

from . import batches, checkpoint, command, data, folder, pictures, scores
from .batches import Split
from .errors import OptionError
from .run import Run
from .scores import Evaluation
from .terminal import say

TTA_VIEWS = 9
_WORST = 32  # mistakes that are listed and drawn


class Member(NamedTuple):
    """A run's name, what it makes of the images, and of them as they are."""

    name: str
    found: Evaluation
    plain: Evaluation


class Report(NamedTuple):
    """All that was found: the last of `members` is the ensemble, if there is one."""

    dataset: str
    names: tuple[str, ...]  # of the classes
    split: str
    views: int
    images: Split
    members: list[Member]

    @property
    def found(self) -> Evaluation:
        """The predictions of the ensemble, or of the only run."""
        return self.members[-1].found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = parser().parse_args(arguments)
    return command.run(lambda: _command(options))


def parser() -> argparse.ArgumentParser:
    """Return the command's options."""
    made = argparse.ArgumentParser(
        prog="python -m models.evaluate",
        description="Say how good trained models are, one or several as an ensemble.",
        epilog="Choose runs, ensembles and --tta by --split validation; look at "
        "--split test once, when all is chosen: it is no test of what it chose.",
    )
    add = made.add_argument
    add("runs", metavar="RUN", nargs="+", help="the folder of a run")
    add(
        "--split",
        choices=("validation", "test"),
        default="validation",
        help="images held out of training, or the test set [validation]",
    )
    add(
        "--tta",
        type=int,
        metavar="N",
        nargs="?",
        const=TTA_VIEWS,
        default=1,
        help="test-time augmentation: the mean over N views, the image itself and "
        "slightly shifted and turned; mirrored if the run was trained with --flip "
        f"[1; {TTA_VIEWS} without N]",
    )
    add("--limit", type=int, metavar="N", help="evaluate the first N images only")
    add("--json", action="store_true", help="print everything as JSON")
    add("--out", metavar="DIR", help="write pictures and evaluation.json there")
    add("--data-dir", metavar="DIR", help="where data sets lie, in folders by name")
    return made


def _command(options: argparse.Namespace) -> None:
    report = _evaluate(options)
    if options.json:
        print(json.dumps(to_json(report), indent=1))
    else:
        show(report, _console())
    if options.out:
        files = write(Path(options.out), report)
        print(f"in {options.out}: {', '.join(files)}", file=sys.stderr)


# -- what is found -------------------------------------------------------------------


def _evaluate(options: argparse.Namespace) -> Report:
    for name, value in [("tta", options.tta), ("limit", options.limit)]:
        if value is not None and value < 1:
            raise OptionError(f"{name} must be at least 1, got {value}")
    runs = {name: folder.load_trained(Path(name)) for name in options.runs}
    check_alike(runs)
    setup = next(iter(runs.values())).setup
    dataset = data.load(setup.dataset, options.data_dir)
    images = choose(options.split, runs, dataset)
    images = Split(images.images[: options.limit], images.labels[: options.limit])
    with _progress(len(runs) * options.tta * len(images.labels)) as done:
        members = [
            member(name, run, images, options.tta, done) for name, run in runs.items()
        ]
    if len(members) > 1:
        members.append(ensemble(members))
    names = setup.class_names
    return Report(setup.dataset, names, options.split, options.tta, images, members)


def check_alike(runs: dict[str, Run]) -> None:
    """Raise `OptionError` where runs are not of the same images and classes."""
    (first, run), *others = runs.items()
    for name, other in others:
        for field in ("dataset", "class_names", "image_shape"):
            a, b = getattr(run.setup, field), getattr(other.setup, field)
            if a != b:
                raise OptionError(
                    f"no ensemble: the {field.replace('_', ' ')} of {first} is "
                    f"{_short(a)}, that of {name} is {_short(b)}"
                )


def _short(value: Any) -> str:
    """Return a value to print; of many class names the first."""
    if isinstance(value, tuple) and len(value) > 12:
        return f"{', '.join(map(str, value[:12]))}, ... ({len(value)})"
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def choose(split: str, runs: dict[str, Run], dataset: data.Dataset) -> Split:
    """Return the test set, or the images that none of the runs was trained on.

    Raises `OptionError` where there are none, or the data set is another by now.
    """
    total = len(dataset.train_labels)
    for name, run in runs.items():
        held = run.setup.recipe.validation
        if run.setup.train_size + held != total:
            raise OptionError(
                f"{name} was trained on a {dataset.name} of "
                f"{run.setup.train_size + held:,} images, and this one has {total:,}: "
                "give its --data-dir"
            )
        if split == "validation" and not held:
            raise OptionError(
                f"{name} held no images out of training: train with --validation N, "
                "or evaluate --split test"
            )
    if split == "test":
        return Split(dataset.test_images, dataset.test_labels)
    # Of two runs, the one that held fewer out held out a part of the other's.
    held = min(run.setup.recipe.validation for run in runs.values())
    return batches.hold_out(dataset, held, batches.SPLIT_SEED)[1]


def member(
    name: str,
    run: Run,
    images: Split,
    views: int = 1,
    done: Callable[[int], Any] = lambda images: None,
) -> Member:
    """Return what a run makes of images, over several views of each."""
    model, size = run.setup.model, run.setup.image_shape[:2]
    seen = [
        scores.probabilities(
            *(model, run.params, run.state, images.images), view=view, done=done
        )
        for view in scores.views(views, size, run.setup.recipe.flip)
    ]
    found = Evaluation(images.labels, _mean(seen))
    return Member(name, found, Evaluation(images.labels, seen[0]))


def ensemble(members: Sequence[Member]) -> Member:
    """Return what several make of the images together: the mean of probabilities."""
    labels = members[0].found.labels
    found, plain = (
        Evaluation(labels, _mean([m.probabilities for m in which]))
        for which in ([m.found for m in members], [m.plain for m in members])
    )
    return Member(f"the {len(members)} together", found, plain)


def _mean(parts: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    return np.stack(parts).mean(0, dtype=np.float64).astype(np.float32)


@contextmanager
def _progress(images: int) -> Iterator[Callable[[int], Any]]:
    """Show a bar on the terminal's error stream; give what moves it on."""
    console = Console(stderr=True)
    columns = (BarColumn(bar_width=None), TaskProgressColumn())
    text = TextColumn("{task.completed:,} of {task.total:,} predictions")
    with Progress(
        *(*columns, text),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as progress:
        task = progress.add_task("", total=images)
        yield lambda images: progress.advance(task, images)


# -- how it is told ------------------------------------------------------------------


def _console() -> Console:
    """Return where the report goes; a file has no width that lines should fit."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=1000)


def show(report: Report, console: Console) -> None:
    """Print the accuracy of each run and of all together, and the scores by class."""
    count = len(report.images.labels)
    what = {
        "validation": f"{count:,} images held out of training: to choose by",
        "test": f"{count:,} images of the test set: not to choose by",
    }[report.split]
    say(console, f"{report.dataset}, {what}")
    say(console)
    console.print(_accuracies(report))
    say(console)
    console.print(_by_class(report.found.by_class(), report.names))


def _accuracies(report: Report) -> Table:
    table = _table("", "right", "95 % interval", "loss", "calibration error")
    if report.views > 1:
        table.add_column(f"right without TTA ({report.views} views)", justify="right")
    for name, found, plain in report.members:
        low, high = found.interval()
        cells = [
            f"{found.accuracy:.2%}",
            f"{100 * low:.2f} to {100 * high:.2f}",
            f"{found.loss:.4f}",
            f"{found.calibration().error:.2%}",
        ]
        if report.views > 1:
            cells.append(f"{plain.accuracy:.2%}")
        table.add_row(name, *cells)
    return table


def _by_class(classes: scores.Classes, names: tuple[str, ...]) -> Table:
    table = _table("class", "precision", "recall", "F1", "images")
    for name, *parts, support in zip(names, *classes):
        shown = ["-" if math.isnan(part) else f"{part:.2%}" for part in parts]
        table.add_row(name, *shown, f"{support:,}")
    return table


def _table(*headers: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for i, header in enumerate(headers):
        table.add_column(header, justify="right" if i else "left", overflow="fold")
    return table


def to_json(report: Report) -> dict[str, Any]:
    """Return everything as JSON can hold it; what is not defined is null."""
    found = report.found
    columns = zip(*(part.tolist() for part in found.by_class()))
    classes = [
        {"name": name, **dict(zip(scores.Classes._fields, row))}
        for name, row in zip(report.names, columns)
    ]
    bins = [
        dict(zip(scores.Calibration._fields, row))
        for row in zip(*(part.tolist() for part in found.calibration()))
    ]
    return _no_nan(
        {
            "dataset": report.dataset,
            "split": report.split,
            "images": len(report.images.labels),
            "tta": report.views,
            "results": [_summary(*one, report.views) for one in report.members],
            "classes": classes,
            "confusion": found.confusion().tolist(),
            "calibration": bins,
            "mistakes": [
                {
                    "image": int(i),
                    "label": report.names[found.labels[i]],
                    "prediction": report.names[found.predictions[i]],
                    "probability": float(found.probabilities[i].max()),
                }
                for i in found.worst(_WORST)
            ],
        }
    )


def _summary(
    name: str, found: Evaluation, plain: Evaluation, views: int
) -> dict[str, Any]:
    extra = {"accuracy_without_tta": plain.accuracy} if views > 1 else {}
    return {
        "name": name,
        "accuracy": found.accuracy,
        "interval": found.interval(),
        "loss": found.loss,
        "calibration_error": found.calibration().error,
        **extra,
    }


def _no_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _no_nan(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_no_nan(part) for part in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def write(where: Path, report: Report) -> list[str]:
    """Write the pictures and `evaluation.json`, and return the names of the files.

    Raises `CheckpointError` when they cannot be written.
    """
    folder.make(where)
    found = report.found
    figures = {
        "confusion.png": pictures.confusion(found.confusion(), report.names),
        "calibration.png": pictures.calibration(found),
        "mistakes.png": pictures.mistakes(
            report.images.images, found, report.names, _WORST
        ),
    }
    for name, figure in figures.items():
        pictures.save(figure, where / name)
    text = json.dumps(to_json(report), indent=1)
    checkpoint.write_atomically(where / "evaluation.json", text + "\n")
    return [*figures, "evaluation.json"]


if __name__ == "__main__":
    sys.exit(main())
