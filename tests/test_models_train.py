"""The commands on tiny data: training, stopping, resuming, predicting, bad input."""

import errno
import itertools
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from autograd_lite import tree
from models import command, data, folder, idx, loop, options, pictures, predict, train
from models.checkpoint import load_state, save
from models.interrupt import StopRequest
from models.recipes import RECIPES


def everything(where):
    """All numbers of a run but the times, to be compared with another run's."""
    run = folder.load(where)
    metrics = [{k: v for k, v in m.items() if k != "seconds"} for m in run.metrics]
    arrays = tree.map(np.copy, (run.params, run.state, run.moments, run.average))
    return run.epoch, run.step, run.whole, run.window, run.best, metrics, arrays


def assert_same(a, b):
    assert everything(a)[:-1] == everything(b)[:-1]
    tree.map(np.testing.assert_array_equal, everything(a)[-1], everything(b)[-1])


# -- from end to end -----------------------------------------------------------------


@pytest.mark.parametrize("model", ["lenet8", "slim"])
def test_a_run_from_end_to_end(small, tmp_path, capsys, model):
    out = tmp_path / "run"
    assert train.main([*small, f"--model={model}", f"--out={out}", "--augment=50"]) == 0
    shown = capsys.readouterr().out
    assert "300 images to train on, 30 held out, 60 to test on" in shown
    assert len(re.findall(r"^epoch \d/3  loss", shown, re.M)) == 3
    accuracy = float(re.search(r"test accuracy ([\d.]+)%", shown)[1])
    assert accuracy > 80
    assert "\x1b" not in shown  # no terminal, no control codes
    names = {path.name for path in out.iterdir() if "tfevents" not in path.name}
    assert names == {
        *("checkpoint.safetensors", "best.safetensors", "model.safetensors"),
        "metrics.jsonl",
        *("test_log.txt", "curves.png", "kernels.png", "features.png"),
        *("mistakes.png", "confusion.png", "calibration.png"),
    }
    log = (out / "test_log.txt").read_text().splitlines()
    assert len(log) == 61 and re.match(r" +0  label [A-D]  predicted [A-D]", log[1])
    right = sum("wrong" not in line for line in log[1:])
    assert f"{right / 60:.2%}" == f"{accuracy:.2f}%"
    metrics = [json.loads(line) for line in (out / "metrics.jsonl").open()]
    assert [m["epoch"] for m in metrics if "epoch" in m] == [1, 2, 3]
    assert metrics[-1]["test_accuracy"] == pytest.approx(accuracy / 100, abs=1e-4)


def test_a_finished_run_can_be_resumed_and_asked(small, tmp_path, capsys, data_dir):
    out = tmp_path / "run"
    train.main([*small, "--model=lenet8", f"--out={out}"])
    first = capsys.readouterr().out
    assert train.main([f"--resume={out}", f"--data-dir={data_dir}"]) == 0
    again = capsys.readouterr().out
    last = "test accuracy"
    assert first[first.index(last) :] == again[again.index(last) :]

    images = data.load("emnist-digits", data_dir).test_images
    idx.write(tmp_path / "images.idx", images[..., 0])
    assert predict.main([str(out), str(tmp_path / "images.idx"), "--draw=0"]) == 0
    told = [line.split()[1] for line in capsys.readouterr().out.splitlines()]
    log = (out / "test_log.txt").read_text().splitlines()[1:]
    assert told == [line.split()[4] for line in log]

    Image.fromarray(images[0, ..., 0]).save(tmp_path / "one.png")
    assert predict.main([str(out), str(tmp_path / "one.png"), "--top=2"]) == 0
    drawing = capsys.readouterr().out.splitlines()
    assert drawing[-1].split()[0] == told[0] and drawing[-1].count("%") == 2
    assert len(drawing) == 13


# -- stopping and going on -----------------------------------------------------------


@pytest.fixture
def no_pictures(monkeypatch):
    """Leave out what takes the most time of a small run."""
    monkeypatch.setattr(pictures, "draw_all", lambda *args: {})


@pytest.fixture(scope="module")
def whole(small, tmp_path_factory):
    """A run that was never interrupted."""
    out = tmp_path_factory.mktemp("whole") / "run"
    train.main([*small, *RICH, f"--out={out}"])
    return out


RICH = [
    *["--model=slim", "--optimizer=adam+momentum", "--augment=40", "--l2=1e-4"],
    *["--ema=0.99", "--weight-decay=1e-3", "--dropout=0.2", "--patience=2"],
]


@pytest.mark.parametrize("stops", [[1], [16, 2, 16], [17], [51]])
def test_a_resumed_run_ends_with_the_same_numbers(
    small, tmp_path, whole, data_dir, monkeypatch, no_pictures, stops
):
    """51 steps, 17 in each epoch; each stop counts from the start or the last stop."""
    out = tmp_path / "stopped"
    arguments = [*small, *RICH, f"--out={out}"]
    for after in stops:
        with monkeypatch.context() as patched:
            stop_after(patched, after)
            assert train.main(arguments) == command.INTERRUPTED
        arguments = [f"--resume={out}", f"--data-dir={data_dir}"]
    assert train.main(arguments) == 0
    assert_same(out, whole)


def stop_after(patched, steps):
    """Send this process a SIGINT when so many steps are done."""
    count, real = iter(range(1, 10**9)), loop.make_step

    def make_step(run):
        step = real(run)

        def counting(*args):
            result = step(*args)
            if next(count) == steps:
                signal.raise_signal(signal.SIGINT)
            return result

        return counting

    patched.setattr(loop, "make_step", make_step)


def test_stopping_says_how_to_go_on(small, tmp_path, capsys, monkeypatch):
    stop_after(monkeypatch, 5)
    assert train.main([*small, "--model=lenet8", f"--out={tmp_path / 'a'}"]) == 130
    shown = capsys.readouterr().out
    assert "stopped and saved in epoch 1, step 5 of 15" in shown
    assert f"python -m models.train --resume {tmp_path / 'a'}" in shown


def test_a_killed_run_goes_on_from_its_last_checkpoint(
    small, tmp_path, whole, data_dir
):
    out = tmp_path / "killed"
    command = [sys.executable, "-m", "models.train", *small, *RICH, f"--out={out}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if line.startswith("epoch 1/3"):
                process.kill()
    assert process.returncode == -signal.SIGKILL
    assert load_state(out / folder.CHECKPOINT)["epoch"] in (1, 2)
    assert train.main([f"--resume={out}", f"--data-dir={data_dir}"]) == 0
    assert_same(out, whole)


def test_the_latest_run_is_resumed_by_default(
    small, tmp_path, monkeypatch, capsys, no_pictures
):
    monkeypatch.chdir(tmp_path)
    train.main([*small, "--model=lenet8", "--epochs=1"])
    train.main([*small, "--model=lenet8", "--epochs=1"])
    names = sorted(path.name for path in (tmp_path / "runs").iterdir())
    assert names == ["emnist-digits-lenet8-1", "emnist-digits-lenet8-2"]
    os.utime(tmp_path / "runs" / names[1] / folder.CHECKPOINT, (0, 0))
    capsys.readouterr()
    assert train.main(["--resume", small[1]]) == 0
    assert "writes to" not in (shown := capsys.readouterr().out)
    assert "emnist-digits-lenet8-1" in shown


def test_a_second_signal_interrupts_at_once():
    said, before = [], signal.getsignal(signal.SIGINT)
    with (
        pytest.raises(KeyboardInterrupt),
        StopRequest(lambda: said.append(1)) as stop,
    ):
        assert not stop()
        signal.raise_signal(signal.SIGTERM)
        assert stop() and said == [1]
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_checkpoints_are_written_within_an_epoch(
    small, tmp_path, monkeypatch, no_pictures
):
    monkeypatch.setattr(loop, "SAVE_SECONDS", 0.0)
    real, places = folder.save, []

    def save(where, run):
        places.append((run.epoch, run.step))
        real(where, run)

    monkeypatch.setattr(folder, "save", save)
    train.main([*small, "--model=lenet8", "--epochs=1", f"--out={tmp_path / 'a'}"])
    assert places == [(0, i) for i in range(16)] + [(1, 0)]


# -- what goes wrong -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--epochs=0"], "epochs must be at least 1, got 0"),
        (["--batch-size=-1"], "batch_size must be at least 1"),
        (["--lr=nan"], "lr must be a positive number, got nan"),
        (["--seed=-1"], "seed must be at least 0"),
        (["--augment=some"], "augment must be none, all or a number, got 'some'"),
        (["--validation=330"], "cannot hold out 330 of 330"),
        (["--dropout=0.1", "--model=lenet8"], "lenet8 drops nothing"),
        (["--patience=2", "--validation=0"], "say how many with --validation"),
        (["--data-dir=/nowhere"], "the data directory /nowhere is no folder"),
        (["--resume=/nowhere"], "a resumed run keeps its options: leave --dataset"),
    ],
)
def test_impossible_options_are_refused(small, tmp_path, capsys, options, message):
    assert train.main([*small, f"--out={tmp_path / 'a'}", *options]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and message in error
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    "options",
    [
        ["--epochs=x"],
        ["--model=vgg"],
        ["--dataset=cifar"],
        ["--recipe=none"],
        ["--x"],
    ],
)
def test_options_that_are_none_end_with_2(options, capsys):
    with pytest.raises(SystemExit) as ended:
        train.main(options)
    assert ended.value.code == 2


def test_the_help_shows_every_default(capsys):
    with pytest.raises(SystemExit):
        train.main(["--help"])
    shown = " ".join(capsys.readouterr().out.split())
    for option in vars(options.parser().parse_args([])):
        assert f"--{option.replace('_', '-')}" in shown
    for name, recipe in RECIPES.items():
        assert f"{name} {recipe.about}" in shown
    assert (
        "adam+momentum [nesterov]" in shown and "highest learning rate [0.1]" in shown
    )


def test_a_folder_with_a_run_is_not_overwritten(small, tmp_path, capsys):
    (tmp_path / folder.CHECKPOINT).write_bytes(b"precious")
    assert train.main([*small, f"--out={tmp_path}"]) == 2
    assert f"go on with --resume {tmp_path}" in capsys.readouterr().err
    assert (tmp_path / folder.CHECKPOINT).read_bytes() == b"precious"


def test_a_folder_that_cannot_be_made_is_a_clear_error(small, tmp_path, capsys):
    (tmp_path / "file").touch()
    assert train.main([*small, f"--out={tmp_path / 'file' / 'run'}"]) == 2
    assert "cannot make the folder" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"", b"nonsense", None])
def test_a_damaged_run_is_a_clear_error(tmp_path, capsys, content):
    if content is not None:
        (tmp_path / folder.CHECKPOINT).write_bytes(content)
    assert train.main([f"--resume={tmp_path}"]) == 2
    assert folder.CHECKPOINT in (error := capsys.readouterr().err)
    assert error.count("\n") == 1


@pytest.mark.parametrize("change", [{"model": "vgg"}, {"new": 1}])
def test_a_run_of_another_version_is_a_clear_error(tmp_path, capsys, trained, change):
    state = load_state(trained / folder.CHECKPOINT)
    state["setup"]["recipe"] |= change
    save(tmp_path / folder.CHECKPOINT, {}, state)
    assert train.main([f"--resume={tmp_path}"]) == 2
    assert "written by another version" in capsys.readouterr().err


def test_a_loss_that_is_not_finite_stops_the_run(small, tmp_path, capsys):
    out = tmp_path / "a"
    arguments = [*small, "--model=lenet8", "--optimizer=sgd", "--lr=1e30"]
    assert train.main([*arguments, f"--out={out}"]) == command.DIVERGED
    error = capsys.readouterr().err
    assert "in epoch 1, step 2, at a learning rate of 5.51e+28: try a smaller" in error
    assert "try a smaller --lr than 1e+30" in error
    assert re.search(r"^step 2 of epoch 1: \w+ produced Inf in \d+ of", error, re.M)
    last = out / folder.CHECKPOINT
    assert f"the last good checkpoint is {last}, of epoch 1, step 0" in error
    assert load_state(out / folder.CHECKPOINT)["step"] == 0


@pytest.mark.parametrize(
    ("name", "nth"),
    [
        *((folder.CHECKPOINT, nth) for nth in range(3)),
        *((folder.METRICS, nth) for nth in range(3)),
        *[(folder.BEST, 0), (folder.BEST, 1), (folder.MODEL, 0), ("test_log.txt", 0)],
    ],
)
def test_a_full_disk_keeps_the_last_checkpoint(
    small, tmp_path, capsys, monkeypatch, data_dir, whole, no_pictures, name, nth
):
    """The disk is full when a file is to be put in its place for the nth time."""
    out, real, writes = tmp_path / "a", os.replace, itertools.count()

    def replace(source, target):
        if Path(target).name == name and next(writes) == nth:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(source, target)

    with monkeypatch.context() as full:
        full.setattr(os, "replace", replace)
        assert train.main([*small, *RICH, f"--out={out}"]) == 2
    assert f"cannot write {out / name}: No space left" in capsys.readouterr().err
    assert not list(out.glob(".*"))  # nothing is half there
    if (name, nth) == (folder.CHECKPOINT, 0):
        assert not list(out.glob("*.safetensors"))
        return
    folder.load_trained(out)
    assert train.main([f"--resume={out}", f"--data-dir={data_dir}"]) == 0
    assert_same(out, whole)


@pytest.mark.skipif(os.name != "posix", reason="processes have no limits here")
def test_a_file_that_may_not_grow_is_a_clear_error(
    small, tmp_path, data_dir, whole, monkeypatch
):
    out = tmp_path / "a"
    with monkeypatch.context() as patched:
        stop_after(patched, 3)
        train.main([*small, *RICH, f"--out={out}"])
    before = (out / folder.CHECKPOINT).read_bytes()
    code = (
        "import resource, sys; from models import train\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({len(before) // 2},) * 2)\n"
        "sys.exit(train.main(sys.argv[1:]))"
    )
    resume = [f"--resume={out}", f"--data-dir={data_dir}", "--no-tensorboard"]
    command = [sys.executable, "-c", code, *resume]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert f"cannot write {out / folder.CHECKPOINT}: File too large" in done.stderr
    assert (out / folder.CHECKPOINT).read_bytes() == before
    assert train.main(resume[:2]) == 0
    assert_same(out, whole)


# -- predicting ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(data_dir, tmp_path_factory):
    out = tmp_path_factory.mktemp("trained") / "run"
    options = ["--dataset=emnist-digits", f"--data-dir={data_dir}", "--validation=30"]
    train.main([*options, "--model=lenet8", "--batch-size=20", f"--out={out}"])
    return out


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no picture that can be read"),
        (b"no picture", "no picture that can be read"),
        (b"\x89PNG\r\n\x1a\n" + bytes(40), "no picture that can be read"),
        (b"\0\0\x08\3" + b"\xff" * 12, "the limit is"),
        (
            b"\0\0\x08\3" + bytes([0, 0, 0, 1] * 3) + b"\1",
            "expected images of (12, 12, 1)",
        ),
        (None, "No such file"),
    ],
)
def test_what_is_no_image_is_a_clear_error(trained, tmp_path, capsys, content, message):
    path = tmp_path / "image"
    if content is not None:
        path.write_bytes(content)
    assert predict.main([str(trained), str(path)]) == 2
    error = capsys.readouterr().err
    assert str(path) in error and message in error and error.count("\n") == 1


def test_a_run_that_is_none_is_a_clear_error(tmp_path, capsys):
    assert predict.main([str(tmp_path), "image.png"]) == 2
    assert folder.CHECKPOINT in capsys.readouterr().err


def picture(size, ink, paper, mode="L"):
    """A bar as on paper, anywhere in a large picture."""
    image = Image.new(mode, size, paper)
    image.paste(ink, (size[0] // 8, size[1] // 2, size[0] // 2, size[1] // 2 + 9))
    return image


def test_pictures_are_brought_into_the_form_of_the_data(tmp_path):
    forms = {
        "dark": picture((120, 90), 0, 255),
        "bright": picture((120, 90), 255, 0),
        "colour": picture((120, 90), (0, 0, 0), (255, 255, 255), "RGB"),
        "clear": picture((120, 90), (0, 0, 0, 255), (0, 0, 0, 0), "RGBA"),
    }
    found = {}
    for name, image in forms.items():
        image.save(tmp_path / f"{name}.png")
        found[name] = predict.read_images(tmp_path / f"{name}.png", (28, 28, 1))
    first = found["dark"]
    assert first.shape == (1, 28, 28, 1) and first.dtype == np.uint8
    assert first[0, 0].max() == 0 and first.max() > 200
    rows, columns = np.nonzero(first[0, ..., 0] > 128)
    assert abs(rows.mean() - 13.5) <= 1 and abs(columns.mean() - 13.5) <= 1
    for other in found.values():
        np.testing.assert_array_equal(other, first)


def test_an_empty_picture_is_all_dark(tmp_path):
    Image.new("L", (50, 50), 255).save(tmp_path / "a.png")
    assert not predict.read_images(tmp_path / "a.png", (28, 28, 1)).any()


# -- the targets ---------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "least"),
    [([], 99.0), (["--model=lenet8"], 98.6), (["--model=emnist16"], 99.0)],
    ids=["default", "lenet8", "emnist16"],
)
def test_recipes_reach_their_accuracy_on_mnist(tmp_path, options, least):
    command = [sys.executable, "-m", "models.train", *options]
    done = subprocess.run(
        [*command, f"--out={tmp_path / 'run'}"],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parent.parent,
    )
    assert float(re.search(r"test accuracy ([\d.]+)%", done.stdout)[1]) >= least
