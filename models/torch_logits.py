"""Compares a run with itself in PyTorch: `python -m models.torch_logits RUN`.

The run is exported to a file, PyTorch loads that, and both are shown the same images:
those of FILE, or else noise. The exit code says whether all logits agree to 1e-4.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from . import command, export, folder
from .batches import as_float
from .errors import OptionError
from .predict import read_images
from .run import Run
from .terminal import say

CLOSE = 1e-4  # relative to the largest logit, if that is more than 1
DIFFERENT = 1  # exit code


def of_both(run: Run, images: NDArray[np.uint8]) -> tuple[NDArray, NDArray]:
    """Return the logits (n, classes) of images (n, h, w, c), ours and PyTorch's.

    Raises `OptionError` where torch is not installed.
    """
    try:
        import torch

        from . import torch_nets
    except ImportError as error:
        raise OptionError("needs PyTorch: pip install torch") from error
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "model.safetensors"
        export.save(path, run)
        net = torch_nets.load(path)
    theirs = torch_nets.logits(net, torch.from_numpy(images)).numpy()
    return run.setup.model.apply(run.params, as_float(images), run.state), theirs


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = _parser().parse_args(arguments)
    return command.run(lambda: _compare(options, Console(highlight=False)))


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python -m models.torch_logits",
        description="Load a run in PyTorch and compare the logits with ours.",
    )
    made.add_argument("run", metavar="RUN", help="the folder of a run")
    made.add_argument(
        "file",
        metavar="FILE",
        nargs="?",
        help="a picture, or an IDX file of images [100 images of noise]",
    )
    return made


def _compare(options: argparse.Namespace, console: Console) -> int:
    run = folder.load_trained(Path(options.run))
    shape = run.setup.image_shape
    if options.file:
        images = read_images(Path(options.file), shape)
    else:
        images = np.random.default_rng(0).integers(0, 256, (100, *shape), np.uint8)
    ours, theirs = of_both(run, images)
    difference, largest = np.abs(ours - theirs).max(), np.abs(ours).max()
    same = (ours.argmax(1) == theirs.argmax(1)).sum()
    say(console, f"{same} of {len(images)} images are taken for the same class")
    say(console, f"logits up to {largest:.2f} differ by up to {difference:.1e}")
    return 0 if difference <= CLOSE * max(1.0, largest) else DIFFERENT


if __name__ == "__main__":
    sys.exit(main())
