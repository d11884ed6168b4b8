"""Looks inside a run: `python -m models.look --help`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from .. import checkpoint, command, folder
from ..errors import OptionError
from ..terminal import say
from .decisions import Advance, feature_maps, mistakes, salient
from .page import page
from .sheet import png
from .subject import Subject
from .tiles import Section
from .units import excited, last_layer
from .weights import before_and_after, kernels

PAGE = "index.html"

# What there is to see, in the order of the page: a line for --list, and what makes it.
SECTIONS: dict[str, tuple[str, Callable[[Subject, Advance], Section]]] = {
    "saliency": ("the pixels that a decision hangs on", salient),
    "maps": ("what each layer makes of an image", feature_maps),
    "excite": ("images that excite each class, and some filters", excited),
    "last-layer": ("the last hidden layer as a map of the test images", last_layer),
    "mistakes": ("the most confident mistakes, and what misled", mistakes),
    "kernels": ("the filters of each convolution", kernels),
    "before-after": ("the filters before and after training", before_and_after),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    # Intermixed, so that options may stand between RUN and IMAGE.
    options = parser().parse_intermixed_args(arguments)
    work, console = _list if options.list else _look, Console(highlight=False)
    return command.run(
        lambda: work(options, console), "interrupted: what was drawn before stays"
    )


def parser() -> argparse.ArgumentParser:
    """Return the command's options."""
    made = argparse.ArgumentParser(
        prog="python -m models.look",
        description="Look inside a trained model, or one that is being trained. Writes "
        f"PNGs and one page, {PAGE}, into RUN/look.",
    )
    add = made.add_argument
    add("run", metavar="RUN", nargs="?", help="a run's folder [the latest in runs/]")
    add(
        "images",
        metavar="IMAGE",
        nargs="*",
        help="a picture, an IDX file of images, or test:N, the test image N "
        "[the first test image of each class]",
    )
    add(
        "--only",
        metavar="NAME",
        nargs="+",
        action="extend",
        help=f"make a page of these alone: {', '.join(SECTIONS)}",
    )
    add(
        "--picture",
        choices=("drawn", "plain"),
        help="how a picture is read: see python -m models.predict --help",
    )
    add("--list", action="store_true", help="tell what there is to see, and end")
    add("--out", metavar="DIR", help="where to put it [RUN/look]")
    add("--data-dir", metavar="DIR", help="where data sets lie, in folders by name")
    return made


def _list(options: argparse.Namespace, console: Console) -> None:
    wide = max(map(len, SECTIONS))
    for name, (about, _) in SECTIONS.items():
        say(console, f"{name:{wide}}  {about}")


def _look(options: argparse.Namespace, console: Console) -> None:
    names = _chosen(options.only)
    where = Path(options.run) if options.run else folder.latest()
    drawn = None if options.picture is None else options.picture == "drawn"
    subject = Subject(where, options.images, options.data_dir, drawn)
    if options.images:  # so that a wrong one is noticed before the work
        _ = subject.images
    out = folder.make(Path(options.out) if options.out else where / "look")
    sections = _draw(subject, names, out, console)
    text = page(f"Inside {where.resolve().name}", _facts(subject), sections)
    checkpoint.write_atomically(out / PAGE, text)
    files = sum(len(section.panels) for section in sections.values())
    pictures = "1 picture" if files == 1 else f"{files} pictures"
    say(console, f"{pictures} in {out}, and a page of them: {out / PAGE}")


def _chosen(only: list[str] | None) -> list[str]:
    """Return the sections' names that were asked for, in the order of the page."""
    unknown = [name for name in only or () if name not in SECTIONS]
    if unknown:
        raise OptionError(
            f"--only {' '.join(unknown)}: there are {', '.join(SECTIONS)} (RUN and "
            "IMAGE stand before --only)"
        )
    return [name for name in SECTIONS if not only or name in only]


def _draw(
    subject: Subject, names: Sequence[str], out: Path, console: Console
) -> dict[str, Section]:
    """Make the sections, and write their pictures."""
    sections = {}
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        TaskProgressColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
        expand=True,
    ) as progress:
        task = progress.add_task("", total=len(names))
        for done, name in enumerate(names):
            about, make = SECTIONS[name]
            progress.update(task, description=about, completed=done)
            sections[name] = make(subject, lambda part: progress.advance(task, part))
            for panel in sections[name].panels:
                checkpoint.write_atomically(out / panel.file, png(panel))
    return sections


def _facts(subject: Subject) -> list[str]:
    """Return what stands below the page's title."""
    run, recipe = subject.run, subject.run.setup.recipe
    epochs = f"{run.epoch} of {recipe.epochs} epochs"
    if run.step:
        epochs += f" and {run.step} of {run.setup.steps_per_epoch} steps"
    trained = f"trained for {epochs}" if subject.is_trained else "not trained yet"
    return [
        f"{recipe.model} on {run.setup.dataset}, {len(subject.names)} classes, "
        f"{trained}, seed {run.setup.seed}.",
        "In all pictures black is nothing, and the brighter the more. Where there are "
        "signs, orange is for, and blue against.",
    ]


if __name__ == "__main__":
    sys.exit(main())
