"""What a run shows: on a terminal, in a file, for few classes and for many."""

import io

import numpy as np
import pytest
from rich.console import Console

from models import pictures, predict, terminal
from models.recipes import RECIPES
from models.run import Best, Run, Setup, Tally
from models.scores import Evaluation

DIGITS = tuple("0123456789")


def console(is_terminal, width=88):
    return Console(
        file=io.StringIO(),
        force_terminal=is_terminal,
        color_system="truecolor" if is_terminal else None,
        width=width,
        highlight=False,
    )


def new_run():
    recipe = RECIPES["seed-mnist"]._replace(epochs=2, batch_size=10)
    return Run.start(Setup("mnist", 0, recipe, (12, 12, 1), DIGITS, train_size=100))


def evaluation(classes, n=500, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    scores = np.eye(classes)[labels] * 4 + rng.normal(size=(n, classes))
    chances = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    return Evaluation(labels, chances.astype(np.float32))


def follow(run, where):
    """Let a display follow two steps, the second long after the first."""
    display = terminal.Display(run, where)
    with display:
        for step in (1, 2):
            run.step = step
            display.on_step(run, 0.5, 9, 10)
            display.shown = display.last = 0.0
    return where.file.getvalue()


def test_a_terminal_shows_a_bar():
    shown = follow(new_run(), console(True))
    assert "compiles kernels" in shown and "epoch 1/2" in shown
    assert "loss 0.5000" in shown and "90.00%" in shown and "left" in shown


def test_a_file_gets_no_bar_but_a_line_per_epoch():
    run, where = new_run(), console(False)
    assert follow(run, where) == ""
    run.epoch, run.seconds = 1, 2.0
    entry = {"epoch": 1, **Tally().add(0.25, 7, 10).means(), "seconds": 2.0}
    run.metrics.append(entry | {"validation_accuracy": 0.875})
    terminal.Display(run, where).on_epoch(run)
    assert where.file.getvalue() == (
        "epoch 1/2  loss 0.2500  accuracy 70.00%  held out 87.50%  2.0 s  50 images/s\n"
    )


def test_an_epoch_that_warns_and_is_the_last():
    run, where = new_run(), console(False)
    recipe = run.setup.recipe._replace(epochs=9, patience=2)
    run.setup = run.setup._replace(recipe=recipe)
    run.epoch, run.best = 3, Best(1, 0.9, 0.3)
    entry = {"epoch": 3, "loss": 1.0, "accuracy": 0.5, "seconds": 1.0}
    run.metrics.append(entry | {"dead_units": {"conv1": 0.1, "dense1": 0.75}})
    terminal.Display(run, where).on_epoch(run)
    first, *others = where.file.getvalue().splitlines()
    assert "best" not in first
    assert others == [
        "warning: 75 % of the units of dense1 are dead: a smaller --lr may keep them "
        "alive",
        "stopping: no epoch was better than 1",
    ]


def test_the_model_that_is_tested_is_named(tmp_path):
    where, run = console(False), new_run()
    run.epoch, run.best = 2, Best(1, 0.9, 0.3)
    terminal.conclude(where, run, evaluation(10), tmp_path, [])
    assert "the model of epoch 1, best on held-out images" in where.file.getvalue()


def test_few_classes_have_a_matrix_of_confusions(tmp_path):
    where, found = console(False), evaluation(10)
    terminal.conclude(where, new_run(), found, tmp_path, ["a.png"])
    shown = where.file.getvalue()
    assert f"test accuracy {found.accuracy:.2%}" in shown
    rows = [line.split() for line in shown.splitlines() if line.strip()]
    counts = found.confusion()
    for label in range(10):
        cells = [str(n) if n else "." for n in counts[label]]
        assert [str(label), *cells] in [row[:11] for row in rows]
    named = [row[1:] for row in rows if row[0] in ("truth", "predicted")]
    truth, guess = named[-2:]
    assert truth == [str(n) for n in found.labels[:10]]
    assert guess == [str(n) for n in found.predictions[:10]]


def test_many_classes_have_their_worst_pairs(tmp_path):
    names = tuple(f"c{i}" for i in range(47))
    where, found, run = console(False), evaluation(47), new_run()
    run.setup = run.setup._replace(class_names=names)
    terminal.conclude(where, run, found, tmp_path, [])
    counts = found.confusion() * (1 - np.eye(47, dtype=int))
    label, guess = np.unravel_index(counts.argmax(), counts.shape)
    shown = where.file.getvalue()
    assert f"c{label} c{guess} ({counts.max()})" in shown
    assert "taken for    c0" not in shown


def test_no_mistakes_need_no_confusions(tmp_path):
    labels = np.arange(10)
    found = Evaluation(labels, np.eye(10, dtype=np.float32))
    where = console(False)
    terminal.conclude(where, new_run(), found, tmp_path, [])
    assert "0 of 10 wrong" in where.file.getvalue()
    assert "confused" not in where.file.getvalue()


@pytest.mark.parametrize("is_terminal", [True, False])
def test_an_image_is_drawn(is_terminal):
    image = np.zeros((9, 8, 1), np.uint8)
    image[2:5, 3] = 255
    where = console(is_terminal)
    predict.draw(where, image)
    lines = where.file.getvalue().splitlines()
    if is_terminal:
        assert len(lines) == 5 and "255;255;255" in lines[1]
    else:
        assert lines == ["", ""] + ["      @@"] * 3 + [""] * 4


def test_evaluation_knows_its_worst_mistakes():
    chances = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.3, 0.7]], np.float32)
    found = Evaluation(np.array([1, 0, 1, 0]), chances)
    assert found.accuracy == 0.25
    assert found.worst(2).tolist() == [0, 3]
    assert found.worst(9).tolist() == [0, 3, 1]
    assert found.loss == pytest.approx(-np.log([0.1, 0.4, 0.8, 0.3]).mean(), rel=1e-6)


def test_pictures_can_be_drawn_of_the_odd_cases():
    perfect = Evaluation(np.arange(3), np.eye(3, dtype=np.float32))
    images = np.zeros((3, 12, 12, 3), np.uint8)
    drawn = [
        pictures.mistakes(images, perfect, ("a", "b", "c")),
        pictures.confusion(perfect.confusion(), ("a", "b", "c")),
        pictures.kernels(np.zeros((3, 3, 3, 5), np.float32)),
        pictures.features(images[0], {"conv1": np.zeros((1, 5, 4, 3), np.float32)}),
        pictures.curves([{"at": 0.5, "loss": 1.0, "accuracy": 1.0}]),
    ]
    for figure in drawn:
        figure.savefig(io.BytesIO(), dpi=20)
