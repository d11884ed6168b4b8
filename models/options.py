"""The options of `python -m models.train`, and the recipe that they amount to."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from . import cnn, data, idx_files, image_folder
from .augment import Affine, Augmentation, Elastic
from .errors import DataError, OptionError
from .optimizers import OPTIMIZERS, SCHEDULES
from .recipes import BY_MODEL, DEFAULT, RECIPES, Recipe, check

_FIELDS = (  # options that replace the recipe's field of the same name
    *("epochs", "batch_size", "lr", "optimizer", "schedule", "l2", "weight_decay"),
    *("label_smoothing", "dropout", "cutout", "mixup", "flip", "crop"),
    *("ema", "validation", "patience"),
)


def parser() -> argparse.ArgumentParser:
    """Return the command's options."""
    made = argparse.ArgumentParser(
        prog="python -m models.train",
        usage="%(prog)s [options]",
        description="Train a convolutional network written as a pure function, as a\n"
        f"recipe says. Without options it is {DEFAULT}, whose numbers are in brackets.",
        epilog="\n".join(["recipes:", *_abouts()]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_subject(made.add_argument_group("what to train"))
    _add_recipe_options(made.add_argument_group("to replace parts of the recipe"))
    _add_run_options(made.add_argument_group("the run"))
    _add_modes(made.add_argument_group("instead of training"))
    return made


def _add_subject(group: Any) -> None:
    add = group.add_argument
    add("--recipe", choices=RECIPES, metavar="NAME", help=f"see below [{DEFAULT}]")
    add(
        "--model",
        choices=cnn.MODELS,
        metavar="NAME",
        help=f"{', '.join(cnn.MODELS)}: another model for the recipe; without "
        "--recipe, what trains this model on MNIST",
    )
    add(
        "--dataset",
        type=_dataset,
        metavar="NAME",
        help=f"{', '.join(data.SOURCES)}; or your own: {idx_files.FORM}, or "
        f"{image_folder.FORM}, a sub-folder of pictures per class "
        f"[{RECIPES[DEFAULT].dataset}]",
    )
    add("--data-dir", metavar="DIR", help="where data sets lie, in folders by name")
    add("--seed", type=int, metavar="N", default=0, help="of random numbers [0]")


def _dataset(name: str) -> str:
    """Return the name of a data set, for `argparse`, which shows what is wrong."""
    try:
        return data.check_name(name)
    except DataError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _add_recipe_options(group: Any) -> None:
    """Add the options that replace fields of the recipe; their default is None."""

    def add(name: str, text: str, **settings: Any) -> None:
        field = name.removeprefix("--").replace("-", "_")
        shown = f"{text} [{_shown(RECIPES[DEFAULT], field)}]".strip()
        group.add_argument(name, help=shown, **settings)

    number: dict[str, Any] = {"type": int, "metavar": "N"}
    real: dict[str, Any] = {"type": float, "metavar": "X"}
    add("--epochs", "", **number)
    add("--batch-size", "", **number)
    add("--lr", "highest learning rate", **real)
    add("--optimizer", ", ".join(OPTIMIZERS), choices=OPTIMIZERS, metavar="NAME")
    add("--schedule", ", ".join(SCHEDULES), choices=SCHEDULES, metavar="NAME")
    add("--l2", "weight in the loss of the sum of the squared weights", **real)
    add("--weight-decay", "weights shrink by lr times this in each step", **real)
    add("--label-smoothing", "", **real)
    add("--dropout", "where the model has it", **real)
    add(
        "--augment",
        "transform all images at random, or add N transformed ones",
        metavar="none|all|N",
    )
    _add_augmentation_options(add)
    add("--ema", "share of the past in a moving average of the weights", **real)
    add("--validation", "images held out and evaluated by epoch", **number)
    add("--patience", "stop after N epochs without a better one; 0: never", **number)


def _add_augmentation_options(add: Callable[..., None]) -> None:
    add(
        "--elastic",
        "deform images: strength and smoothness in pixels, such as 34,4; 0: none",
        metavar="A[,S]",
    )
    add(
        "--cutout",
        "blacken a square of that side in each image, 0: none",
        type=int,
        metavar="N",
    )
    add("--mixup", "mix images by Beta(X, X), 0: none", type=float, metavar="X")
    add("--flip", "mirror every other image", action=argparse.BooleanOptionalAction)
    add("--crop", "shift images by up to N whole pixels", type=int, metavar="N")


def _add_run_options(group: Any) -> None:
    add = group.add_argument
    add("--out", metavar="DIR", help="folder of the run [runs/DATASET-MODEL-N]")
    add(
        "--resume",
        metavar="DIR",
        nargs="?",
        const="",
        help="go on with a run, the latest in runs/ by default; its options stay",
    )
    add(
        "--tensorboard",
        action=argparse.BooleanOptionalAction,
        help="write event files [where tensorboard is installed]",
    )


def _add_modes(group: Any) -> None:
    add = group.add_argument
    add(
        "--show-augmentation",
        metavar="FILE",
        help="draw how the recipe changes images at random, as PNG",
    )
    add(
        "--list",
        action="store_true",
        help="show the recipes, or every number of the one that options choose",
    )
    add(
        "--find-lr",
        action="store_true",
        help="try growing learning rates, suggest one, draw lr.png here or in --out",
    )
    add(
        "--profile",
        action="store_true",
        help="show how long each operation of a training step takes",
    )


def _abouts() -> list[str]:
    """Return a line about each recipe."""
    wide = max(map(len, RECIPES))
    return [f"  {name:{wide}}  {recipe.about}" for name, recipe in RECIPES.items()]


def _shown(recipe: Recipe, name: str) -> str:
    """Return a field's value as the help shows it."""
    if name == "augment":
        return "none" if not recipe.affine else str(recipe.expand or "all")
    value = getattr(recipe, name)
    if name == "elastic":
        return "{:g},{:g}".format(*value) if value else "none"
    if name == "flip":
        return "on" if value else "off"
    if value is None:
        return {"weight_decay": "0, adamw 0.01", "dropout": "the model's"}[name]
    return value if isinstance(value, str) else f"{value:g}"


def recipe_of(options: argparse.Namespace) -> Recipe:
    """Return the chosen recipe with what the options replace; raises `OptionError`."""
    named = RECIPES[options.recipe or BY_MODEL.get(options.model, DEFAULT)]
    recipe = named
    if options.model and not options.recipe:
        recipe = recipe._replace(model=options.model, dataset="mnist")
    given = {n: v for n in _FIELDS if (v := getattr(options, n)) is not None}
    given |= {n: v for n in ("model", "dataset") if (v := getattr(options, n))}
    if options.augment is not None:
        given = _augmentation(options.augment, recipe.affine or Affine()) | given
    if options.elastic is not None:
        given["elastic"] = _elastic(options.elastic)
    if options.seed < 0:
        raise OptionError(f"seed must be at least 0, got {options.seed}")
    changed = recipe._replace(**given)
    if changed != named:  # what was measured is of another recipe
        changed = changed._replace(accuracy=None, minutes=None)
    return check(changed)


def _augmentation(text: str, affine: Affine) -> dict[str, Any]:
    if text == "none":
        return Augmentation()._asdict() | {"expand": 0}
    if text == "all":
        return {"affine": affine, "expand": 0}
    if text.isdecimal() and int(text):
        return {"affine": affine, "expand": int(text)}
    raise OptionError(f"augment must be none, all or a number, got {text!r}")


def _elastic(text: str) -> Elastic | None:
    try:
        numbers = [float(part) for part in text.split(",")]
        return Elastic(*numbers) if numbers[0] else None
    except (TypeError, ValueError) as error:
        raise OptionError(
            f"elastic must be ALPHA or ALPHA,SIGMA, got {text!r}"
        ) from error


def chooses(options: argparse.Namespace) -> bool:
    """Return whether options choose or change a recipe."""
    names = ("recipe", "model", "dataset", "augment", "elastic", *_FIELDS)
    return any(getattr(options, name) is not None for name in names)


def refuse_with_resume(options: argparse.Namespace) -> None:
    """Raise `OptionError` for options that a resumed run has already."""
    free = {"resume": None, "data_dir": None, "tensorboard": None}
    others, defaults = vars(options) | free, vars(parser().parse_args([]))
    changed = [name for name, value in others.items() if value != defaults[name]]
    if changed:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in changed)
        raise OptionError(
            f"a resumed run keeps its options: leave {names} out, or start a new run"
        )
