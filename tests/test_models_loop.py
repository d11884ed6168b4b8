"""The training loop: averages, the best epoch, monitors, blame, and other modes."""

import json
import re
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

import autograd_lite.numpy as anp
from autograd_lite import tree
from models import (
    average,
    batches,
    cnn,
    command,
    events,
    folder,
    loop,
    lr_range,
    monitor,
    train,
)
from models.recipes import RECIPES
from models.run import Run, Setup
from models.scores import evaluate

LENET = ["--model=lenet8", "--no-tensorboard"]


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch):
    """Leave out what takes the most time of a small run."""
    monkeypatch.setattr(folder.pictures, "draw_all", lambda *args: {})


def metrics_of(where, kind="epoch"):
    entries = [json.loads(line) for line in (where / folder.METRICS).open()]
    return [entry for entry in entries if kind in entry]


def new_run(model="lenet8", **fields):
    recipe = RECIPES["seed-mnist"]._replace(model=model, batch_size=10, **fields)
    names = tuple("0123")
    return Run.start(Setup("mnist", 0, recipe, (12, 12, 1), names, train_size=100))


def random_split(n=40):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (n, 12, 12, 1), np.uint8)
    return batches.Split(images, rng.integers(0, 4, n))


# -- the moving average --------------------------------------------------------------


@given(
    st.sampled_from([np.float32, np.float64]).flatmap(
        lambda dtype: st.tuples(
            *[arrays(dtype, (3, 2), elements=st.floats(-8, 8, width=32))] * 2
        )
    ),
    st.floats(0, 0.9999),
)
def test_the_average_moves_in_place(pair, decay):
    old, new = pair
    tree_ = {"a": [old.copy()], "b": np.asarray(old[0, 0])}
    start = average.start(tree_)
    where = start["a"][0]
    average.update(start, {"a": [new], "b": new[0, 0]}, decay)
    expected = decay * old.astype(float) + (1 - decay) * new.astype(float)
    assert start["a"][0] is where and where.dtype == old.dtype
    np.testing.assert_allclose(where, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(start["b"], expected[0, 0], rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(tree_["a"][0], old)


def test_an_average_of_arrays_in_fortran_order_moves():
    start = average.start(np.ones((2, 3), order="F"))
    average.update(start, np.zeros((3, 2)).T, 0.5)
    assert (start == 0.5).all()


def test_a_run_averages_weights_and_statistics_over_its_steps():
    run, train_part = new_run("slim", ema=0.8), random_split(100)
    step, seen = loop.make_step(run), []
    expected = tree.map(np.float64, {"params": run.params, "state": run.state})
    for i, batch in enumerate(
        batches.epoch_batches(train_part, run.setup.recipe, 0, 0)
    ):
        step(run, batch)
        decay = min(0.8, (2 + i) / (11 + i))
        past = tree.map(partial(np.multiply, decay), expected)
        learned = {"params": run.params, "state": run.state}
        now = tree.map(partial(np.multiply, 1 - decay), learned)
        expected = tree.map(np.add, past, now)
        seen.append(decay)
    assert seen[0] == 2 / 11 and run.steps == len(seen) == 10
    shown = run.evaluated()
    found = {"params": shown.params, "state": shown.state}
    tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-6),
        found,
        expected,
    )
    assert not np.allclose(shown.params["conv1"]["w"], run.params["conv1"]["w"], 1e-4)
    assert not np.allclose(shown.state["conv1"]["mean"], run.state["conv1"]["mean"])


def test_the_average_is_what_is_validated_kept_and_used(small, tmp_path):
    out = tmp_path / "a"
    train.main([*small, "--model=slim", "--ema=0.98", f"--out={out}"])
    last = folder.load(out)
    dataset = train.data.load("emnist-digits", small[1].removeprefix("--data-dir="))
    held = batches.hold_out(dataset, 30, 0)[1]
    shown = last.evaluated()
    found = evaluate(last.setup.model, shown.params, shown.state, held)
    assert metrics_of(out)[-1]["validation_loss"] == found.loss
    raw = evaluate(last.setup.model, last.params, last.state, held)
    assert raw.loss != found.loss
    used = folder.load_trained(out)
    assert used.average is None
    assert last.best.epoch == 3
    tree.map(np.testing.assert_array_equal, used.params, shown.params)
    tree.map(np.testing.assert_array_equal, used.state, shown.state)


# -- the best epoch ------------------------------------------------------------------


@pytest.fixture
def scripted(monkeypatch):
    """Let epochs do as well on the held-out images as the test says."""

    def script(*accuracies):
        results = iter(accuracies)

        class Found:
            loss = 1.0

            def __init__(self):
                self.accuracy = next(results)

        monkeypatch.setattr(loop, "evaluate", lambda *args: Found())

    return script


def keep_models(monkeypatch):
    """Return a list that gets the parameters after each epoch."""
    kept, real = [], folder.save

    def save(where, run):
        if run.epoch and not run.step:
            kept.append(tree.map(np.copy, run.evaluated().params))
        real(where, run)

    monkeypatch.setattr(folder, "save", save)
    return kept


@pytest.mark.parametrize(
    ("accuracies", "best"), [([0.5, 0.9, 0.7], 2), ([0.9, 0.9, 0.1], 1)]
)
def test_the_best_epoch_is_tested_kept_and_used(
    small, tmp_path, monkeypatch, capsys, scripted, accuracies, best
):
    out = tmp_path / "a"
    kept = keep_models(monkeypatch)
    scripted(*accuracies)
    assert train.main([*small, *LENET, f"--out={out}"]) == 0
    shown = capsys.readouterr().out
    lines = [line for line in shown.splitlines() if "held out" in line][1:]
    assert ["best" in line for line in lines][best - 1]
    assert f"the model of epoch {best}, best on held-out images" in shown
    used = folder.load_trained(out)
    tree.map(np.testing.assert_array_equal, used.params, kept[best - 1])
    assert (out / "test_log.txt").read_text().startswith("# ")
    (out / folder.MODEL).unlink()
    used = folder.load_trained(out)  # of a run that is not done yet
    tree.map(np.testing.assert_array_equal, used.params, kept[best - 1])
    assert folder.load(out).epoch == 3


def test_without_held_out_images_the_last_model_is_used(small, tmp_path):
    out = tmp_path / "a"
    assert train.main([*small, *LENET, "--validation=0", f"--out={out}"]) == 0
    assert not (out / folder.BEST).exists()
    used, last = folder.load_trained(out), folder.load(out)
    tree.map(np.testing.assert_array_equal, used.params, last.params)
    assert metrics_of(out)[-1]["dead_units"].keys() == {"conv1", "dense1"}


def test_patience_ends_a_run_and_resuming_does_not_go_on(
    small, tmp_path, capsys, scripted
):
    out = tmp_path / "a"
    scripted(0.5, 0.9, 0.7, 0.9, 0.99)
    arguments = [*small, *LENET, "--epochs=9", "--patience=2", f"--out={out}"]
    assert train.main(arguments) == 0
    assert "stopping: no epoch was better than 2" in capsys.readouterr().out
    assert len(metrics_of(out)) == 4 and folder.load(out).best.epoch == 2
    assert train.main([f"--resume={out}", *small[1:2]]) == 0
    assert "epoch 5" not in capsys.readouterr().out


def test_a_run_killed_between_best_and_checkpoint_goes_on(small, tmp_path, monkeypatch):
    a, b = tmp_path / "a", tmp_path / "b"
    train.main([*small, *LENET, f"--out={a}"])

    class Killed(BaseException):
        pass

    def save_best(where, run):
        run.save_model(where / folder.BEST)
        raise Killed

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(folder, "save_best", save_best)
        train.main([*small, *LENET, f"--out={b}"])
    assert folder.load(b).epoch == 0 and folder.load_trained(b).epoch == 1
    (b / f".{folder.BEST}.abc").write_bytes(b"half")
    assert train.main([f"--resume={b}", *small[1:2]]) == 0
    assert not list(b.glob(".*"))
    used = [folder.load_trained(out) for out in (a, b)]
    tree.map(np.testing.assert_array_equal, used[0].params, used[1].params)
    assert used[0].best == used[1].best


@pytest.mark.parametrize("name", [folder.CHECKPOINT, folder.BEST, folder.MODEL])
def test_no_file_of_a_run_is_overwritten(small, tmp_path, capsys, name):
    (tmp_path / name).write_bytes(b"precious")
    assert train.main([*small, f"--out={tmp_path}"]) == 2
    assert "has a run already" in capsys.readouterr().err
    assert (tmp_path / name).read_bytes() == b"precious"


# -- monitors ------------------------------------------------------------------------


@pytest.mark.parametrize("model", cnn.MODELS)
def test_dead_units_are_counted_by_layer(model):
    run = new_run(model)
    layers = run.setup.model.activations(
        run.params, np.ones((1, 12, 12, 1), np.float32), run.state
    )
    denses = [n for n in run.params if n.startswith("dense")]
    name, bias = "dense1", run.params.get("dense1", {}).get("b")
    if model == "deeper":
        name, bias = "conv5", run.params["conv5"]["norm"]["bias"]
    if model == "resnet":
        name, bias = "block3", run.params["block3"]["second"]["norm"]["bias"]
    assert set(layers) == set(run.params) - {denses[-1]}
    before = monitor.measure(run, random_split())["dead_units"]
    bias[: len(bias) // 4 * 3] = -1e6
    after = monitor.measure(run, random_split())["dead_units"]
    assert set(before) == set(layers) and max(before.values()) < 0.5
    assert 0.75 <= after[name] < 1 and after["conv1"] == before["conv1"]


def test_the_gradients_norm_is_measured(small, tmp_path, monkeypatch):
    """Twice the norm of half the gradient: against what the optimiser was given."""
    norms, real = [], loop.optim.global_norm
    monkeypatch.setattr(
        loop.optim, "global_norm", lambda grads: norms.append(real(grads)) or norms[-1]
    )
    train.main([*small, *LENET, f"--out={tmp_path / 'a'}"])
    points = metrics_of(tmp_path / "a", "at")
    assert [p["gradient_norm"] for p in points] == norms and len(norms) == 45
    assert all(norm > 0 for norm in norms)
    by_epoch = [max(norms[i : i + 15]) for i in (0, 15, 30)]
    assert [m["gradient_norm"] for m in metrics_of(tmp_path / "a")] == by_epoch
    assert points[0]["lr"] == pytest.approx(0.005 / 25)


def points_of(*epochs):
    """Metrics with these gradient norms, by epoch."""
    found = []
    for i, norms in enumerate(epochs):
        at = np.linspace(i, i + 1, len(norms) + 1)[1:]
        found += [{"at": a, "gradient_norm": n} for a, n in zip(at, norms)]
        found.append({"epoch": i + 1, "gradient_norm": max(norms)})
    return found


@pytest.mark.parametrize(
    ("epochs", "warns"),
    [
        ([[9, 5, 1, 1]], False),
        ([[1, 1, 1, 11]], True),
        ([[5, 1, 1, 1], [1, 49, 1, 1]], False),
        ([[5, 1, 1, 1], [1, 51, 1, 1]], True),
        ([[5, 1, 1, 1], [1, 51, 1, 1], [1, 51, 1, 1]], False),
    ],
)
def test_an_exploding_gradient_is_said(epochs, warns):
    said = monitor.warnings(points_of(*epochs))
    assert len(said) == warns and all("gradient's norm rose to" in s for s in said)


# -- blame ---------------------------------------------------------------------------


def blow_up(monkeypatch, when):
    """Let `lenet8` have a NaN gradient where `when` holds of the batch's images."""

    def forward(params, x, state, rng):
        logits, state = cnn.lenet8_forward(params, x, state, rng)
        if rng is not None and when(x):
            logits = logits + anp.sqrt(params["dense2"]["b"] * 0)
        return logits, state

    # With a dropout, it is run at each step, and not recorded.
    model = cnn.lenet8._replace(forward=forward, dropout=0.0)
    monkeypatch.setitem(cnn.MODELS, "lenet8", model)


def test_a_gradient_that_is_nan_is_blamed_at_its_step(
    small, tmp_path, monkeypatch, capsys
):
    count, out = iter(range(10**6)), tmp_path / "a"
    bad = []

    def when(x):  # the eighth batch, whenever it comes
        if next(count) == 7:
            bad.append(x.tobytes())
        return x.tobytes() in bad

    blow_up(monkeypatch, when)
    assert train.main([*small, *LENET, f"--out={out}"]) == command.DIVERGED
    error = capsys.readouterr().err
    assert "the loss became nan in epoch 1, step 9, at a learning rate of" in error
    assert "step 8 of epoch 1: the gradient rule of sqrt produced" in error
    assert "test_models_loop.py" in error and "of epoch 1, step 0" in error
    last = folder.load(out)
    assert loop.finite((last.params, last.state))


def test_parameters_that_are_nan_are_not_saved(small, tmp_path, monkeypatch, capsys):
    """The last step of an epoch spoils them, before any loss shows it."""
    count, out = iter(range(10**6)), tmp_path / "a"
    blow_up(monkeypatch, lambda x: next(count) >= 29)
    assert train.main([*small, *LENET, f"--out={out}"]) == command.DIVERGED
    error = capsys.readouterr().err
    assert "parameters became NaN or Inf in epoch 2, step 15" in error
    last = folder.load(out)
    assert (last.epoch, last.step) == (1, 0) and loop.finite(last.params)
    assert "checkpoint.safetensors, of epoch 2, step 0" in error


# -- instead of training -------------------------------------------------------------


def test_find_lr_draws_a_picture_and_no_more(small, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = [*small, "--batch-size=5", "--model=lenet8", "--find-lr"]
    assert train.main(options) == 0
    shown = capsys.readouterr().out
    lowest = float(re.search(r"lowest at a learning rate of ([\d.e-]+);", shown)[1])
    suggested = float(re.search(r"--lr ([\d.e-]+) \(now 0.005\)", shown)[1])
    assert suggested == pytest.approx(lowest / 3, rel=0.1)
    assert [path.name for path in tmp_path.iterdir()] == ["lr.png"]
    assert Image.open("lr.png").size[0] > 500
    assert train.main([*options, "--out=deep/er"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == shown.splitlines()[0]
    assert [path.name for path in (tmp_path / "deep/er").iterdir()] == ["lr.png"]


def test_find_lr_needs_some_steps_and_leaves_nothing(small, tmp_path, capsys):
    out = tmp_path / "a"
    assert train.main([*small, "--find-lr", f"--out={out}"]) == 2
    assert "20 batches, and this one has 15" in capsys.readouterr().err
    assert not out.exists()


def test_the_range_test_ends_where_the_loss_breaks_down(monkeypatch):
    """A loss of the rate alone: it falls until 0.01 and rises above."""
    run = new_run()
    run.setup = run.setup._replace(train_size=2000)
    rates = np.geomspace(lr_range.LOWEST, lr_range.HIGHEST, 200)

    def make_step(run, updater):
        losses = iter(1 + np.log10(rates / 0.01) ** 2)
        return lambda run, batch: (next(losses), 0)

    monkeypatch.setattr(lr_range, "make_step", make_step)
    told = []
    curve = lr_range.run_test(run, random_split(2000), lambda *at: told.append(at))
    assert 0.01 < curve.lowest < 0.05  # the smoothed loss lags behind
    assert curve.suggestion == pytest.approx(curve.lowest / 3, rel=0.05)
    assert told[0] == (1, 200) and len(told) == len(curve.rates) <= 200


def test_profile_shows_the_primitives_of_a_step(small, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert train.main([*small, "--model=lenet8", "--profile"]) == 0
    shown = capsys.readouterr().out
    assert "by primitive" in shown and re.search(r"^ +affine +2 ", shown, re.M)
    assert not list(tmp_path.iterdir())


# -- TensorBoard ---------------------------------------------------------------------


def test_tensorboard_is_asked_for_where_it_is_missing(
    small, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(train, "available", lambda: False)
    out = tmp_path / "a"
    assert train.main([*small, "--tensorboard", f"--out={out}"]) == 2
    assert "pip install tensorboard" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.peer("tensorboard")
def test_metrics_are_written_for_tensorboard(small, tmp_path, monkeypatch):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    out = tmp_path / "a"
    with monkeypatch.context() as patched:
        count = iter(range(10**6))
        patched.setattr(
            train, "StopRequest", lambda notice: _Stop(lambda: next(count) == 19)
        )
        options = [*small, "--model=lenet8", f"--out={out}"]
        assert train.main(options) == command.INTERRUPTED
    assert train.main([f"--resume={out}", *small[1:2]]) == 0
    assert len(list(out.glob("events.out.tfevents.*"))) == 2
    read = EventAccumulator(str(out))
    read.Reload()
    for tag, kind, name in [
        ("training/loss", "at", "loss"),
        ("training/lr", "at", "lr"),
        ("validation/accuracy", "epoch", "validation_accuracy"),
    ]:
        entries = metrics_of(out, kind)
        found = read.Scalars(tag)
        np.testing.assert_allclose(
            [event.value for event in found], [entry[name] for entry in entries], 1e-6
        )
        assert [e.step for e in found] == [round(m[kind] * 15) for m in entries]
    dead = {f"dead units/{layer}" for layer in ("conv1", "dense1")}
    assert dead <= set(read.Tags()["scalars"])


class _Stop:
    def __init__(self, asked):
        self._asked = asked

    def __call__(self):
        return self._asked()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass


@pytest.mark.peer("tensorboard")
def test_events_that_cannot_be_written_are_a_clear_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(folder.CheckpointError, match="cannot write .*tfevents"):
        events.Events(tmp_path / "file", new_run())
