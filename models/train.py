"""Trains a model: `python -m models.train --help`.

Without arguments it trains the default recipe on MNIST. The options replace parts of
the recipe of the model that is chosen; `models/recipes.py` has them all.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from autograd_lite import AutogradError

from . import batches, data, folder, idx_files, image_folder, terminal
from .augment import Affine
from .batches import Split
from .errors import DataError, DivergedError, ModelsError, OptionError
from .evaluate import evaluate
from .interrupt import StopRequest
from .loop import Interrupted, fit
from .recipes import DEFAULT, OPTIMIZERS, RECIPES, SCHEDULES, Recipe, check
from .run import Run, Setup

BAD_INPUT, DIVERGED, INTERRUPTED = 2, 1, 130  # exit codes
_FIELDS = (  # options that replace the recipe's field of the same name
    *("epochs", "batch_size", "lr", "optimizer", "schedule", "l2"),
    *("label_smoothing", "validation"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = parser().parse_args(arguments)
    console = Console(highlight=False)
    try:
        return _train(options, console)
    except DivergedError as error:
        return _fail(error, DIVERGED)
    except (ModelsError, AutogradError) as error:
        return _fail(error, BAD_INPUT)
    except KeyboardInterrupt:
        return _fail("interrupted: what was saved before stays", INTERRUPTED)


def parser() -> argparse.ArgumentParser:
    """Return the command's options."""
    made = argparse.ArgumentParser(
        prog="python -m models.train",
        description="Train a convolutional network written as a pure function.\n"
        f"Without options it is {DEFAULT} on MNIST. In brackets: the defaults.",
        epilog="\n".join(["models:", *_abouts()]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = made.add_argument
    add("--model", choices=RECIPES, default=DEFAULT, help=f"[{DEFAULT}]")
    add(
        "--dataset",
        type=_dataset,
        metavar="NAME",
        default="mnist",
        help=f"{', '.join(data.SOURCES)}; or your own: {idx_files.FORM}, or "
        f"{image_folder.FORM}, a sub-folder of pictures per class [mnist]",
    )
    add("--data-dir", metavar="DIR", help="where data sets lie, in folders by name")
    _add_recipe_options(made)
    add("--seed", type=int, metavar="N", default=0, help="of all random numbers [0]")
    add("--out", metavar="DIR", help="folder of the run [runs/DATASET-MODEL-N]")
    add(
        "--resume",
        metavar="DIR",
        nargs="?",
        const="",
        help="go on with a run, the latest in runs/ by default; its options stay",
    )
    return made


def _dataset(name: str) -> str:
    """Return the name of a data set, for `argparse`, which shows what is wrong."""
    try:
        return data.check_name(name)
    except DataError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _add_recipe_options(made: argparse.ArgumentParser) -> None:
    """Add the options that replace fields of the recipe; their default is None."""

    def add(name: str, text: str, **settings: Any) -> None:
        field = name.removeprefix("--").replace("-", "_")
        made.add_argument(name, help=f"{text} {_default(field)}".strip(), **settings)

    number: dict[str, Any] = {"type": int, "metavar": "N"}
    real: dict[str, Any] = {"type": float, "metavar": "X"}
    add("--epochs", "", **number)
    add("--batch-size", "", **number)
    add("--lr", "highest learning rate", **real)
    add("--optimizer", "", choices=OPTIMIZERS)
    add("--schedule", "of the learning rate", choices=SCHEDULES)
    add("--l2", "weight in the loss of the sum of the squared weights", **real)
    add("--label-smoothing", "", **real)
    add(
        "--augment",
        "transform all images at random, or add N transformed ones",
        metavar="none|all|N",
    )
    add("--validation", "images held out and evaluated by epoch", **number)


def _abouts() -> list[str]:
    """Return a line about each model."""
    wide = max(map(len, RECIPES))
    return [f"  {name:{wide}}  {recipe.about}" for name, recipe in RECIPES.items()]


def _default(name: str) -> str:
    """Return the default of a recipe's field as the help shows it."""
    values = {model: _shown(recipe, name) for model, recipe in RECIPES.items()}
    if len(set(values.values())) == 1:
        return f"[{values[DEFAULT]}]"
    return "[" + ", ".join(f"{model} {value}" for model, value in values.items()) + "]"


def _shown(recipe: Recipe, name: str) -> str:
    if name == "augment":
        return "none" if not recipe.affine else str(recipe.expand or "all")
    value = getattr(recipe, name)
    return value if isinstance(value, str) else f"{value:g}"


def _train(options: argparse.Namespace, console: Console) -> int:
    if options.resume is None:
        run, dataset, split = _start(options)
        name = f"{dataset.short_name}-{run.setup.recipe.model}"
        where = folder.create(options.out, name)
    else:
        where = _to_resume(options)
        run, dataset, split = _resume(where, options.data_dir)
    terminal.introduce(console, run, dataset, where)
    folder.save(where, run)  # so that it can go on even if the first step kills it
    try:
        _fit(run, split, where, console)
    except Interrupted:
        at = f"epoch {run.epoch + 1}, step {run.step} of {run.setup.steps_per_epoch}"
        terminal.say(console, f"stopped and saved in {at}")
        terminal.say(console, f"to go on: python -m models.train --resume {where}")
        return INTERRUPTED
    test = Split(dataset.test_images, dataset.test_labels)
    found = evaluate(run.setup.model, run.params, run.state, test)
    files = folder.write_results(where, run, test, found)
    terminal.conclude(console, found, run.setup.class_names, where, files)
    return 0


def _fit(run: Run, split: tuple[Split, Split], where: Path, console: Console) -> None:
    def notice() -> None:
        terminal.say(console, "stopping after this step; again to stop at once")

    with StopRequest(notice) as stop, terminal.Display(run, console) as display:
        fit(run, *split, lambda run: folder.save(where, run), display, stop)


def _start(
    options: argparse.Namespace,
) -> tuple[Run, data.Dataset, tuple[Split, Split]]:
    recipe = _recipe(options)
    dataset = data.load(options.dataset, options.data_dir)
    if options.validation is None:  # a small set cannot spare as many
        held = min(recipe.validation, len(dataset.train_labels) // 5)
        recipe = recipe._replace(validation=held)
    split = batches.hold_out(dataset, recipe.validation, options.seed)
    setup = Setup(
        dataset=dataset.name,
        seed=options.seed,
        recipe=recipe,
        image_shape=dataset.train_images.shape[1:],
        class_names=dataset.class_names,
        train_size=len(split[0].labels),
    )
    return Run.start(setup), dataset, split


def _recipe(options: argparse.Namespace) -> Recipe:
    """Return the chosen model's recipe with what the options replace."""
    recipe = RECIPES[options.model]
    given = {n: v for n in _FIELDS if (v := getattr(options, n)) is not None}
    if options.augment is not None:
        given |= _augmentation(options.augment, recipe.affine or Affine())
    if options.seed < 0:
        raise OptionError(f"seed must be at least 0, got {options.seed}")
    return check(recipe._replace(**given))


def _augmentation(text: str, affine: Affine) -> dict[str, Any]:
    if text == "none":
        return {"affine": None, "expand": 0}
    if text == "all":
        return {"affine": affine, "expand": 0}
    if text.isdecimal() and int(text):
        return {"affine": affine, "expand": int(text)}
    raise OptionError(f"augment must be none, all or a number, got {text!r}")


def _to_resume(options: argparse.Namespace) -> Path:
    """Return the run to go on with; its own options can't be replaced."""
    others = vars(options) | {"resume": None, "data_dir": None}
    changed = [n for n, v in others.items() if v != vars(parser().parse_args([]))[n]]
    if changed:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in changed)
        raise OptionError(
            f"a resumed run keeps its options: leave {names} out, or start a new run"
        )
    return Path(options.resume) if options.resume else folder.latest()


def _resume(
    where: Path, data_dir: str | None
) -> tuple[Run, data.Dataset, tuple[Split, Split]]:
    run = folder.load(where)
    dataset = data.load(run.setup.dataset, data_dir)
    split = batches.hold_out(dataset, run.setup.recipe.validation, run.setup.seed)
    if len(split[0].labels) != run.setup.train_size:
        raise OptionError(
            f"{where} was trained on {run.setup.train_size:,} images, and "
            f"{dataset.name} has {len(split[0].labels):,} now: give its --data-dir"
        )
    return run, dataset, split


def _fail(error: object, code: int) -> int:
    print(f"error: {error}" if code != INTERRUPTED else error, file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
