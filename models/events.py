"""Metrics for TensorBoard, as event files in the folder of a run.

Each process that trains a run adds a file of its own; TensorBoard reads them together
and drops what an interrupted process wrote after the checkpoint that is gone on from.
"""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from .errors import CheckpointError
from .run import Run


def available() -> bool:
    """Return whether the package `tensorboard` is installed."""
    return importlib.util.find_spec("tensorboard") is not None


class Events:
    """Follows a run and writes each entry of its metrics when it is there."""

    def __init__(self, folder: Path, run: Run) -> None:
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.record_writer import RecordWriter

        self._event, self._summary = Event, Summary
        self.path = folder / f"events.out.tfevents.{time.time_ns()}.{os.getpid()}"
        self._seen = len(run.metrics)
        try:
            self._file = self.path.open("xb")
        except OSError as error:
            raise self._failure(error) from error
        self._records = RecordWriter(self._file)
        self._write(0, file_version="brain.Event:2")
        # What other files hold of later steps was not saved, and is trained again.
        status = SessionLog(status=SessionLog.START)
        self._write(run.steps + 1, session_log=status)

    def __enter__(self) -> Events:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        self._file.close()

    def on_step(self, run: Run, loss: float, correct: int, images: int) -> None:
        """Write the point of the curves, if the step added one."""
        self._follow(run)

    def on_epoch(self, run: Run) -> None:
        """Write the numbers of the epoch."""
        self._follow(run)

    def _follow(self, run: Run) -> None:
        if len(run.metrics) == self._seen:
            return
        for entry in run.metrics[self._seen :]:
            at = entry.get("at", entry.get("epoch", 0))
            values = [
                self._summary.Value(tag=tag, simple_value=value)
                for tag, value in scalars(entry)
            ]
            step = round(at * run.setup.steps_per_epoch)
            self._write(step, summary=self._summary(value=values))
        self._seen = len(run.metrics)

    def _write(self, step: int, **content: Any) -> None:
        event = self._event(wall_time=time.time(), step=step, **content)
        try:
            self._records.write(event.SerializeToString())
            self._file.flush()
        except OSError as error:
            raise self._failure(error) from error

    def _failure(self, error: OSError) -> CheckpointError:
        return CheckpointError(f"cannot write {self.path}: {error.strerror}")


def scalars(entry: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """Give the numbers of an entry of the metrics, by the tags TensorBoard groups.

    >>> list(scalars({"validation_loss": 0.5, "dead_units": {"conv1": 0.0}}))
    [('validation/loss', 0.5), ('dead units/conv1', 0.0)]
    """
    is_point = "at" in entry
    for name, value in entry.items():
        if name == "dead_units":
            yield from (
                (f"dead units/{layer}", share) for layer, share in value.items()
            )
        elif name.startswith("validation_"):
            yield name.replace("_", "/", 1), value
        elif is_point and name != "at":
            yield f"training/{name}", value
