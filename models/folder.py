"""The folder of a run: its checkpoint, its metrics, and what it ends with.

| file | what |
|---|---|
| `checkpoint.safetensors` | all that is needed to go on: the last state |
| `best.safetensors` | the model that did best on the images held out |
| `metrics.jsonl` | a line per point of the curves, per epoch, and for the test |
| `model.safetensors` | the trained model: the best one, else the last |
| `test_log.txt` | every test image: its label beside the prediction |
| `*.png` | pictures |
| `events.out.tfevents.*` | the metrics for TensorBoard, where it is installed |
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from . import checkpoint, pictures
from .batches import Split
from .errors import CheckpointError, OptionError
from .run import Run
from .scores import Evaluation

CHECKPOINT, METRICS, MODEL, BEST = (
    "checkpoint.safetensors",
    "metrics.jsonl",
    "model.safetensors",
    "best.safetensors",
)
RUNS = Path("runs")  # where runs are put that no --out says otherwise of


def create(out: str | None, name: str) -> Path:
    """Make the folder of a new run: `out`, or the next free `runs/NAME-N`.

    Raises `OptionError` when a run is there already, `CheckpointError` when the folder
    cannot be made.
    """
    if out is None:
        return _next_free(name)
    folder = make(Path(out))
    if any((folder / name).exists() for name in (CHECKPOINT, MODEL, BEST)):
        raise OptionError(
            f"{folder} has a run already: go on with --resume {folder}, or name "
            "another folder with --out"
        )
    return folder


def make(folder: Path, exist_ok: bool = True) -> Path:
    """Make a folder where there is none, and return it; raises `CheckpointError`."""
    try:
        folder.mkdir(parents=True, exist_ok=exist_ok)
    except OSError as error:
        if isinstance(error, FileExistsError) and not exist_ok:
            raise
        raise CheckpointError(
            f"cannot make the folder {error.filename}: {error.strerror}"
        ) from error
    return folder


def _next_free(name: str) -> Path:
    for n in itertools.count(1):
        try:
            return make(RUNS / f"{name}-{n}", exist_ok=False)
        except FileExistsError:
            continue
    raise AssertionError("count() has no end")


def latest() -> Path:
    """Return the run in `runs/` that was written to last; raises `OptionError`."""
    found = list(RUNS.glob(f"*/{CHECKPOINT}"))
    if not found:
        raise OptionError(f"there is no run in {RUNS}/: name its folder")
    return max(found, key=lambda path: path.stat().st_mtime).parent


def save(folder: Path, run: Run) -> None:
    """Write a run's checkpoint and metrics; raises `CheckpointError`."""
    run.save(folder / CHECKPOINT)
    _write_metrics(folder, run.metrics)


def save_best(folder: Path, run: Run) -> None:
    """Write the model that did best so far; raises `CheckpointError`."""
    run.save_model(folder / BEST)


def load(folder: Path) -> Run:
    """Return the run in a folder; raises `CheckpointError` when there is none."""
    return Run.load(folder / CHECKPOINT)


def load_trained(folder: Path) -> Run:
    """Return a run to predict with: the trained one, else the best or last so far."""
    for name in (MODEL, BEST):
        if (folder / name).exists():
            return Run.load_model(folder / name)
    return load(folder).evaluated()


def choose(folder: Path, run: Run) -> Run:
    """Return a run at its end with the model to test and to keep.

    That is the best on the images held out, else the last; raises `CheckpointError`.
    """
    if run.best is None:
        return run.evaluated()
    best = Run.load_model(folder / BEST)
    return replace(run, params=best.params, state=best.state, average=None)


def tidy(folder: Path) -> None:
    """Remove what a process that was killed left of files it was writing."""
    for name in (CHECKPOINT, METRICS, MODEL, BEST):
        for path in folder.glob(f".{name}.*"):
            path.unlink(missing_ok=True)


def write_results(folder: Path, run: Run, test: Split, found: Evaluation) -> list[str]:
    """Write what a run with its chosen model ends with; return the names of the files.

    Raises `CheckpointError`.
    """
    result = {"test_loss": found.loss, "test_accuracy": found.accuracy}
    _write_metrics(folder, [*run.metrics, result])
    run.save_model(folder / MODEL)
    log = "\n".join(_log_lines(found, run.setup.class_names))
    checkpoint.write_atomically(folder / "test_log.txt", log + "\n")
    figures = pictures.draw_all(run, test, found)
    for name, figure in figures.items():
        pictures.save(figure, folder / name)
    return ["test_log.txt", METRICS, MODEL, *figures]


def _write_metrics(folder: Path, metrics: list[dict[str, Any]]) -> None:
    lines = "".join(json.dumps(entry) + "\n" for entry in metrics)
    checkpoint.write_atomically(folder / METRICS, lines)


def _log_lines(found: Evaluation, names: tuple[str, ...]) -> Iterator[str]:
    wide = max(map(len, names))
    chances = found.probabilities.max(1)
    yield f"# {found.accuracy:.2%} of {len(found.labels):,} images are predicted right"
    for i, (label, guess) in enumerate(zip(found.labels, found.predictions)):
        verdict = "" if label == guess else "  wrong"
        yield (
            f"{i:>6}  label {names[label]:<{wide}}  predicted {names[guess]:<{wide}}"
            f"  {chances[i]:7.2%}{verdict}"
        )
