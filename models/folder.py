"""The folder of a run: its checkpoint, its metrics, and what it ends with.

| file | what |
|---|---|
| `checkpoint.safetensors` | all that is needed to go on |
| `metrics.jsonl` | a line per point of the curves, per epoch, and for the test |
| `model.safetensors` | the trained parameters |
| `test_log.txt` | every test image: its label beside the prediction |
| `*.png` | pictures |
"""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import checkpoint, pictures
from .batches import Split
from .errors import CheckpointError, OptionError
from .evaluate import Evaluation
from .run import Run

CHECKPOINT, METRICS, MODEL = (
    "checkpoint.safetensors",
    "metrics.jsonl",
    "model.safetensors",
)
RUNS = Path("runs")  # where runs are put that no --out says otherwise of


def create(out: str | None, name: str) -> Path:
    """Make the folder of a new run: `out`, or the next free `runs/NAME-N`.

    Raises `OptionError` when a run is there already, `CheckpointError` when the folder
    cannot be made.
    """
    try:
        if out is None:
            return _next_free(name)
        folder = Path(out)
        if (folder / CHECKPOINT).exists():
            raise OptionError(
                f"{folder} has a run already: go on with --resume {folder}, or name "
                "another folder with --out"
            )
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CheckpointError(
            f"cannot make the folder {error.filename}: {error.strerror}"
        ) from error
    return folder


def _next_free(name: str) -> Path:
    RUNS.mkdir(exist_ok=True)
    for n in itertools.count(1):
        folder = RUNS / f"{name}-{n}"
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder
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


def load(folder: Path) -> Run:
    """Return the run in a folder; raises `CheckpointError` when there is none."""
    return Run.load(folder / CHECKPOINT)


def load_trained(folder: Path) -> Run:
    """Return a run to predict with: the trained one, else the one under way."""
    path = folder / MODEL
    return Run.load(path if path.exists() else folder / CHECKPOINT)


def write_results(folder: Path, run: Run, test: Split, found: Evaluation) -> list[str]:
    """Write what a run ends with and return the names of the files.

    Raises `CheckpointError`.
    """
    result = {"test_loss": found.loss, "test_accuracy": found.accuracy}
    _write_metrics(folder, [*run.metrics, result])
    run.save(folder / MODEL)
    log = "\n".join(_log_lines(found, run.setup.class_names))
    checkpoint.write_atomically(folder / "test_log.txt", log + "\n")
    figures = pictures.draw_all(run, test, found)
    for name, figure in figures.items():
        drawn = io.BytesIO()
        figure.savefig(drawn, dpi=130)
        checkpoint.write_atomically(folder / name, drawn.getvalue())
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
