"""The commands on tiny data: training, stopping, resuming, predicting, bad input."""

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
from models import data, folder, idx, loop, pictures, predict, train
from models.checkpoint import load_state, save
from models.interrupt import StopRequest

CLASSES = 4


def draw_images(rng, n):
    """Noisy images of 12x12 with a bar in one of four places: an easy task."""
    labels = rng.integers(0, CLASSES, n)
    images = rng.integers(0, 60, (n, 12, 12))
    for image, label in zip(images, labels):
        bar = image if label < 2 else image.T
        bar[2 + 6 * (label % 2) :][:2] += 150
    return images.astype(np.uint8), labels.astype(np.uint8)


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory):
    """A folder with a small data set in the place of emnist-digits."""
    root = tmp_path_factory.mktemp("data")
    (root / "emnist-digits").mkdir()
    rng, source = np.random.default_rng(0), data.SOURCES["emnist-digits"]
    arrays = [*draw_images(rng, 330), *draw_images(rng, 60)]
    for file, array in zip(source.files, arrays):
        idx.write(root / "emnist-digits" / file, array)
    lines = "".join(f"{i} {65 + i}\n" for i in range(CLASSES))
    (root / "emnist-digits" / source.mapping).write_text(lines)
    return root


@pytest.fixture(scope="session")
def small(data_dir):
    """The options that every run here has."""
    options = ["--dataset=emnist-digits", f"--data-dir={data_dir}", "--validation=30"]
    return [*options, "--batch-size=20", "--epochs=3", "--lr=0.005"]


def everything(where):
    """All numbers of a run but the times, to be compared with another run's."""
    run = folder.load(where)
    metrics = [{k: v for k, v in m.items() if k != "seconds"} for m in run.metrics]
    arrays = tree.map(np.copy, (run.params, run.state, run.moments))
    return run.epoch, run.step, run.whole, run.window, metrics, arrays


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
    names = {path.name for path in out.iterdir()}
    assert names == {
        *("checkpoint.safetensors", "model.safetensors", "metrics.jsonl"),
        *("test_log.txt", "curves.png", "kernels.png", "features.png"),
        *("mistakes.png", "confusion.png"),
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


RICH = ["--model=slim", "--optimizer=adam+momentum", "--augment=40", "--l2=1e-4"]


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
            assert train.main(arguments) == train.INTERRUPTED
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
    "options", [["--epochs=x"], ["--model=resnet"], ["--dataset=cifar"], ["--nothing"]]
)
def test_options_that_are_none_end_with_2(options, capsys):
    with pytest.raises(SystemExit) as ended:
        train.main(options)
    assert ended.value.code == 2


def test_the_help_shows_every_default(capsys):
    with pytest.raises(SystemExit):
        train.main(["--help"])
    shown = " ".join(capsys.readouterr().out.split())
    for option in vars(train.parser().parse_args([])):
        assert f"--{option.replace('_', '-')}" in shown
    assert "lenet8 adam+momentum" in shown and "emnist16 25000" in shown


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


@pytest.mark.parametrize("change", [{"model": "resnet"}, {"new": 1}])
def test_a_run_of_another_version_is_a_clear_error(tmp_path, capsys, trained, change):
    state = load_state(trained / folder.CHECKPOINT)
    state["setup"]["recipe"] |= change
    save(tmp_path / folder.CHECKPOINT, {}, state)
    assert train.main([f"--resume={tmp_path}"]) == 2
    assert "written by another version" in capsys.readouterr().err


def test_a_loss_that_is_not_finite_stops_the_run(small, tmp_path, capsys):
    out = tmp_path / "a"
    arguments = [*small, "--model=lenet8", "--optimizer=sgd", "--lr=1e30"]
    assert train.main([*arguments, f"--out={out}"]) == train.DIVERGED
    assert "try a smaller --lr than 1e+30" in capsys.readouterr().err
    assert load_state(out / folder.CHECKPOINT)["step"] == 0


def test_a_failing_disk_keeps_the_last_checkpoint(
    small, tmp_path, capsys, monkeypatch, data_dir
):
    out, real, saves = tmp_path / "a", os.fsync, iter(range(100))

    def fsync(handle):
        if next(saves) >= 6:  # each save syncs two files and their folder twice
            raise OSError(28, "No space left on device")
        real(handle)

    with monkeypatch.context() as full:
        full.setattr(os, "fsync", fsync)
        arguments = [*small, "--model=lenet8", f"--out={out}"]
        assert train.main(arguments) == 2
    assert "No space left on device" in capsys.readouterr().err
    assert load_state(out / folder.CHECKPOINT)["epoch"] in (0, 1)
    assert train.main([f"--resume={out}", f"--data-dir={data_dir}"]) == 0


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
