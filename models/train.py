"""Trains a model: `python -m models.train --help`.

Without arguments it trains the default recipe, on MNIST. The options replace parts of
the recipe that is chosen; `models/recipes.py` has them all.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from autograd_lite import profile

from . import batches, blame, command, data, folder, lr_range, pictures, terminal
from .batches import Split
from .errors import DivergedError, OptionError
from .events import Events, available
from .interrupt import StopRequest
from .loop import Interrupted, Listener, fit, make_step
from .options import chooses, parser, recipe_of, refuse_with_resume
from .recipes import Recipe, check
from .run import Run, Setup
from .scores import evaluate

Halves = tuple[Split, Split]  # images to train on, and those held out


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = parser().parse_args(arguments)
    return command.run(
        lambda: _command(options, Console(highlight=False)),
        "interrupted: what was saved before stays",
    )


def _command(options: argparse.Namespace, console: Console) -> int:
    events = _wants_events(options)
    if options.resume is not None:
        refuse_with_resume(options)
        where = Path(options.resume) if options.resume else folder.latest()
        return _train(*_resume(where, options.data_dir), where, events, console)
    if options.list:
        recipe = recipe_of(options) if chooses(options) else None
        terminal.list_recipes(console, recipe)
        return 0
    if options.show_augmentation:
        return _show_augmentation(options, Path(options.show_augmentation), console)
    run, dataset, split = _start(options)
    if options.find_lr:
        return _find_lr(run, split[0], Path(options.out or "."), console)
    if options.profile:
        return _profile(run, split[0], console)
    name = f"{dataset.short_name}-{run.setup.recipe.model}"
    where = folder.create(options.out, name)
    return _train(run, dataset, split, where, events, console)


# -- training ------------------------------------------------------------------------


def _train(
    run: Run,
    dataset: data.Dataset,
    split: Halves,
    where: Path,
    events: bool,
    console: Console,
) -> int:
    terminal.introduce(console, run, dataset, where)
    folder.save(where, run)  # so that it can go on even if the first step kills it
    try:
        _fit(run, split, where, events and not run.done, console)
    except Interrupted:
        at = f"epoch {run.epoch + 1}, step {run.step} of {run.setup.steps_per_epoch}"
        terminal.say(console, f"stopped and saved in {at}")
        terminal.say(console, f"to go on: python -m models.train --resume {where}")
        return command.INTERRUPTED
    except DivergedError as error:
        terminal.say(console, "diverged; looking for the operation that began it")
        raise _blamed(error, run, split[0], where) from error
    chosen = folder.choose(where, run)
    test = Split(dataset.test_images, dataset.test_labels)
    found = evaluate(run.setup.model, chosen.params, chosen.state, test)
    files = folder.write_results(where, chosen, test, found)
    terminal.conclude(console, chosen, found, where, files)
    return 0


def _fit(run: Run, split: Halves, where: Path, events: bool, console: Console) -> None:
    def notice() -> None:
        terminal.say(console, "stopping after this step; again to stop at once")

    with ExitStack() as entered:
        stop = entered.enter_context(StopRequest(notice))
        listeners: list[Listener] = [
            entered.enter_context(terminal.Display(run, console))
        ]
        if events:
            listeners.append(entered.enter_context(Events(where, run)))
        fit(
            run,
            *split,
            lambda run: folder.save(where, run),
            _Listeners(listeners),
            stop,
            lambda run: folder.save_best(where, run),
        )


class _Listeners:
    """Several listeners as one."""

    def __init__(self, members: Sequence[Listener]) -> None:
        self._members = members

    def on_step(self, run: Run, loss: float, correct: int, images: int) -> None:
        for member in self._members:
            member.on_step(run, loss, correct, images)

    def on_epoch(self, run: Run) -> None:
        for member in self._members:
            member.on_epoch(run)


def _wants_events(options: argparse.Namespace) -> bool:
    """Return whether to write for TensorBoard: if asked, else where it is installed."""
    if options.tensorboard and not available():
        raise OptionError("--tensorboard needs it: pip install tensorboard")
    return available() if options.tensorboard is None else options.tensorboard


def _blamed(error: Exception, run: Run, train: Split, where: Path) -> DivergedError:
    """Return the error with what began it, and the way back."""
    found = blame.explain(run, lambda: folder.load(where), train)
    last = folder.load(where)
    return DivergedError(
        f"{error}\n{found}\nthe last good checkpoint is {where / folder.CHECKPOINT}, "
        f"of epoch {last.epoch + 1}, step {last.step}"
    )


def _start(options: argparse.Namespace) -> tuple[Run, data.Dataset, Halves]:
    recipe, dataset, split = _chosen(options)
    setup = Setup(
        dataset=dataset.name,
        seed=options.seed,
        recipe=recipe,
        image_shape=dataset.train_images.shape[1:],
        class_names=dataset.class_names,
        train_size=len(split[0].labels),
    )
    return Run.start(setup), dataset, split


def _chosen(options: argparse.Namespace) -> tuple[Recipe, data.Dataset, Halves]:
    """Return the recipe, the data set, and its parts to train and to validate on."""
    recipe = recipe_of(options)
    dataset = data.load(recipe.dataset, options.data_dir)
    if options.validation is None:  # a small set cannot spare as many
        held = min(recipe.validation, len(dataset.train_labels) // 5)
        recipe = check(recipe._replace(validation=held))
    split = batches.hold_out(dataset, recipe.validation, batches.SPLIT_SEED)
    return recipe, dataset, split


def _resume(where: Path, data_dir: str | None) -> tuple[Run, data.Dataset, Halves]:
    run = folder.load(where)
    folder.tidy(where)
    dataset = data.load(run.setup.dataset, data_dir)
    split = batches.hold_out(dataset, run.setup.recipe.validation, batches.SPLIT_SEED)
    if len(split[0].labels) != run.setup.train_size:
        raise OptionError(
            f"{where} was trained on {run.setup.train_size:,} images, and "
            f"{dataset.name} has {len(split[0].labels):,} now: give its --data-dir"
        )
    return run, dataset, split


# -- instead of training -------------------------------------------------------------


def _show_augmentation(
    options: argparse.Namespace, file: Path, console: Console
) -> int:
    recipe, _, (train, _) = _chosen(options)
    pictures.save(pictures.augmented(train, recipe, options.seed), file)
    terminal.say(console, f"in {file}: {recipe.augmentation}")
    return 0


def _find_lr(run: Run, train: Split, where: Path, console: Console) -> int:
    with terminal.counting(console, "growing the learning rate") as on_step:
        curve = lr_range.run_test(run, train, on_step)
    recipe = run.setup.recipe
    title = f"{recipe.model} on {run.setup.dataset}, {recipe.optimizer}"
    folder.make(where)
    pictures.save(lr_range.draw(curve, title), where / "lr.png")
    terminal.say(
        console,
        f"the loss is lowest at a learning rate of {curve.lowest:.2g}; safer for long "
        f"is a third of it: --lr {curve.suggestion:g} (now {recipe.lr:g})",
    )
    terminal.say(console, f"the picture is {where / 'lr.png'}")
    return 0


def _profile(run: Run, train: Split, console: Console) -> int:
    batch = next(batches.epoch_batches(train, run.setup.recipe, run.setup.seed, 0))
    step = make_step(run)
    step(run, batch)  # compiles kernels

    def training_step() -> None:
        step(run, batch)

    found = profile(training_step, watch=True)()
    terminal.say(console, f"a step of {run.setup.recipe.batch_size} images")
    for part in (found.title, found.by_primitive(), found.by_line()):
        terminal.say(console, str(part))
    return 0


if __name__ == "__main__":
    sys.exit(main())
