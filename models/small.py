"""What the small models share: digits, a progress bar, a command's manners."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from . import data
from .command import run

Array = Any  # of NumPy, or a tracer that stands for one
Generator = Any  # of numpy.random
Params = Any  # a tree of arrays
Labelled = tuple[NDArray[np.float32], NDArray[np.int64]]  # images (n, h, w, c), labels


def mnist(n: int = 60_000) -> tuple[Labelled, Labelled]:
    """Return n labelled images to train on, and the 10,000 to test on, in [0, 1].

    >>> (images, labels), test = mnist(100)
    >>> images.shape, labels.shape, test[0].shape
    ((100, 28, 28, 1), (100,), (10000, 28, 28, 1))
    """
    digits = data.load("mnist")
    train = as_float(digits.train_images[:n]), digits.train_labels[:n]
    return train, (as_float(digits.test_images), digits.test_labels)


def as_float(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return grey values 0 to 255 as float32 from 0 to 1."""
    return images * np.float32(1 / 255)


def progress(steps: int) -> Iterable[int]:
    """Give the numbers below `steps`, behind a bar where there is a terminal.

    >>> list(progress(3))
    [0, 1, 2]
    """
    console = Console()
    hidden = not console.is_terminal
    return track(
        range(steps), "training", console=console, transient=True, disable=hidden
    )


def accuracy(predict: Callable[[Array], Array], x: Array, labels: Array) -> float:
    """Return the fraction of x classed right; `predict` is given 500 at a time.

    >>> accuracy(lambda x: -((x - 1) ** 2), np.array([[0, 1, 2], [3, 2, 4]]), [1, 2])
    0.5
    """
    parts = [predict(x[at : at + 500]).argmax(1) for at in range(0, len(x), 500)]
    return float((np.concatenate(parts) == labels).mean())


def report(predict: Callable[[Array], Array], x: Array, labels: Array) -> None:
    """Print how many of the test images are classed right."""
    right = accuracy(predict, x, labels)
    print(f"{right:.2%} of {len(labels):,} test images are classed right")


def command(
    main: Callable[[int, int], None],
    about: str | None,
    steps: int,
    arguments: Sequence[str] | None = None,
) -> NoReturn:
    """Call `main(steps, seed)` as the command line says, and exit with its code.

    `about` is what `--help` says, `steps` how many there are without `--steps`.
    """
    parser = argparse.ArgumentParser(
        description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    number: dict[str, Any] = {"type": int, "metavar": "N"}
    parser.add_argument("--steps", default=steps, help=f"to train [{steps}]", **number)
    parser.add_argument("--seed", default=0, help="of all that is random [0]", **number)
    options = parser.parse_args(arguments)
    for name, least in ("steps", 1), ("seed", 0):
        if (value := getattr(options, name)) < least:
            parser.error(f"--{name} must be at least {least}, got {value}")
    code = run(
        lambda: main(options.steps, options.seed),
        "interrupted: these small models save nothing",
    )
    sys.exit(code)
