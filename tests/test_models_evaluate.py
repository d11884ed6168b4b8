"""Scores against their definitions, and the command on runs of small data."""

import io
import json
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograd_lite import tree
from models import batches, data, evaluate, folder, idx, pictures, scores
from models.batches import Split
from models.recipes import RECIPES
from models.run import Run, Setup
from models.scores import Evaluation

NAMES = tuple("ABCD")


@st.composite
def evaluations(draw):
    classes, n = draw(st.integers(2, 6)), draw(st.integers(1, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    chances = rng.dirichlet(np.full(classes, draw(st.sampled_from([0.1, 1.0]))), n)
    return Evaluation(rng.integers(0, classes, n), chances.astype(np.float32))


# -- scores ----------------------------------------------------------------------------


@given(evaluations(), st.sampled_from([0.9, 0.95]))
def test_the_interval_solves_wilsons_equation(found, level):
    """Its ends are the p from which the accuracy is z standard errors away."""
    z = {0.9: 1.6448536269514722, 0.95: 1.959963984540054}[level]
    n, share = len(found.labels), found.accuracy
    low, high = found.interval(level)
    assert 0 <= low <= share <= high <= 1
    for p in (low, high):
        if abs(p - share) > 1e-9:
            assert abs(share - p) / math.sqrt(p * (1 - p) / n) == pytest.approx(z)


@given(evaluations())
def test_scores_by_class_are_counts_of_pairs(found):
    scored = found.by_class()
    pairs = list(zip(found.labels.tolist(), found.predictions.tolist()))
    for k in range(found.probabilities.shape[1]):
        both = sum(a == k and b == k for a, b in pairs)
        label, guess = (sum(p[side] == k for p in pairs) for side in (0, 1))
        assert scored.support[k] == label
        for value, above, below in [
            (scored.precision[k], both, guess),
            (scored.recall[k], both, label),
            (scored.f1[k], 2 * both, label + guess),
        ]:
            assert math.isnan(value) if not below else value == above / below


@given(evaluations(), st.integers(1, 20))
def test_calibration_compares_each_bin(found, bins):
    calibration = found.calibration(bins)
    assert calibration.images.sum() == len(found.labels)
    total = 0.0
    sure = found.probabilities.max(1).astype(np.float64)
    which = np.minimum(np.floor(sure * bins), bins - 1)
    for k in range(bins):
        chosen = which == k
        assert calibration.images[k] == chosen.sum()
        if chosen.any():
            right = (found.predictions == found.labels)[chosen].mean()
            assert calibration.accuracy[k] == pytest.approx(right)
            total += chosen.mean() * abs(right - sure[chosen].mean())
    assert calibration.error == pytest.approx(total)


def test_sure_and_always_right_is_calibrated():
    assert Evaluation(np.arange(4), np.eye(4)).calibration().error == 0
    assert Evaluation(np.arange(4), np.eye(4)[::-1]).calibration().error == 1


@pytest.mark.parametrize("n", [1, 2, 3, 8, 9])
def test_views_are_the_image_and_pairs_of_opposite_moves(n):
    at = np.arange(25)
    bump = np.exp(-((at - 12) ** 2) / 18)
    spot = (250 * bump * bump[:, None]).astype(np.uint8)[None, ..., None]
    seen = [view(spot)[0, ..., 0].astype(float) for view in scores.views(n, (25, 25))]
    assert len(seen) == n
    np.testing.assert_array_equal(seen[0], spot[0, ..., 0])
    centres = [np.array([s.sum(1) @ at, s.sum(0) @ at]) / s.sum() for s in seen]
    assert len({tuple(c.round(3)) for c in centres}) == n
    assert all(np.abs(c - 12).max() < 1.05 for c in centres)
    for one, other in zip(centres[1::2], centres[2::2]):
        np.testing.assert_allclose(one + other, 24, atol=0.2)


def test_views_mirror_every_other_only_if_asked_to():
    edge = np.zeros((1, 9, 9, 1), np.uint8)
    edge[:, :, 1] = 200
    for flip in (False, True):
        for i, view in enumerate(scores.views(6, (9, 9), flip)):
            left, right = (
                view(edge)[0, :, half].sum() for half in (slice(4), slice(5, 9))
            )
            assert (right > left) == (flip and i % 2 == 1)


# -- the command -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """A small data set in the place of two."""
    root, rng = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    for name in ("emnist-digits", "emnist-letters"):
        source = data.SOURCES[name]
        (root / name).mkdir()
        for file, n in zip(source.files, (90, 90, 60, 60)):
            labels = rng.integers(0, 4, n) + source.first_label
            images = rng.integers(0, 256, (n, 12, 12))
            array = images if "images" in file else labels
            idx.write(root / name / file, array.astype(np.uint8))
        lines = (f"{i + source.first_label} {65 + i}\n" for i in range(4))
        (root / name / source.mapping).write_text("".join(lines))
    return root


@pytest.fixture(scope="module")
def make_run(tmp_path_factory):
    """Write an untrained run, with some of its setup replaced; return its folder."""

    def make(seed=0, validation=30, total=90, **changes):
        recipe = RECIPES["seed-mnist"]._replace(validation=validation)
        recipe = recipe._replace(**changes.pop("recipe", {}))
        setup = Setup(
            *("emnist-digits", seed, recipe, (12, 12, 1), NAMES, total - validation)
        )
        where = tmp_path_factory.mktemp("run")
        folder.save(where, Run.start(setup._replace(**changes)))
        return str(where)

    return make


@pytest.fixture
def ask(data_dir, capsys):
    """Run the command with --json and return what it printed."""

    def asking(*arguments):
        options = [*arguments, f"--data-dir={data_dir}", "--json"]
        assert evaluate.main(options) == 0
        return json.loads(capsys.readouterr().out)

    return asking


def test_one_run_is_evaluated_on_what_it_held_out(make_run, ask, data_dir):
    where = make_run()
    told = ask(where)
    held = batches.hold_out(data.load("emnist-digits", data_dir), 30, 0)[1]
    run = folder.load(folder.Path(where))
    found = scores.evaluate(run.setup.model, run.params, run.state, held)
    assert told["split"] == "validation" and told["images"] == 30
    (result,) = told["results"]
    assert result["accuracy"] == found.accuracy and result["loss"] == found.loss
    assert result["interval"] == list(found.interval())
    assert told["confusion"] == found.confusion().tolist()
    assert [c["support"] for c in told["classes"]] == found.confusion().sum(1).tolist()
    wrong = told["mistakes"]
    assert len(wrong) == (found.labels != found.predictions).sum()
    assert wrong == sorted(wrong, key=lambda m: -m["probability"])


def test_the_average_is_evaluated_and_rather_the_best(make_run, ask, data_dir):
    """What `models.predict` uses: the best so far, else the average at the end."""
    name = make_run(recipe={"ema": 0.9})
    where, rng = folder.Path(name), np.random.default_rng(0)
    run = folder.load(where)
    held = batches.hold_out(data.load("emnist-digits", data_dir), 30, 0)[1]
    losses = [ask(name)["results"][0]["loss"]]
    for write in (folder.save, folder.save_best):
        params = tree.map(
            lambda leaf: leaf + rng.normal(0, 0.1, leaf.shape).astype(leaf.dtype),
            run.params,
        )
        run.average["params"] = params
        write(where, run)
        losses.append(ask(name)["results"][0]["loss"])
        found = scores.evaluate(run.setup.model, params, run.state, held)
        assert losses[-1] == found.loss
    assert len(set(losses)) == 3


def test_the_test_set_is_evaluated_where_asked_for(make_run, ask):
    where = make_run()
    assert ask(where, "--split=test")["images"] == 60
    told = ask(where, "--split=test", "--limit=7")
    assert told["images"] == 7 and told["split"] == "test"


def test_an_ensemble_is_the_mean_of_probabilities(make_run, ask, data_dir):
    names = [make_run(seed) for seed in range(3)]
    told = ask(*names, "--split=test")
    loaded = data.load("emnist-digits", data_dir)
    test = Split(loaded.test_images, loaded.test_labels)
    runs = [folder.load(folder.Path(name)) for name in names]
    each = [scores.evaluate(r.setup.model, r.params, r.state, test) for r in runs]
    results = told["results"]
    assert [r["name"] for r in results] == [*names, "the 3 together"]
    assert [r["accuracy"] for r in results[:3]] == [e.accuracy for e in each]
    mean = np.mean([e.probabilities for e in each], axis=0)
    together = Evaluation(test.labels, mean)
    assert results[3]["accuracy"] == together.accuracy
    assert results[3]["loss"] == pytest.approx(together.loss, rel=1e-5)


def test_tta_is_the_mean_over_views_and_the_same_each_time(make_run, ask, data_dir):
    where = make_run(recipe={"flip": True})
    told = ask(where, "--tta", "5")
    assert told == ask(where, "--tta", "5") and told["tta"] == 5
    run = folder.load(folder.Path(where))
    held = batches.hold_out(data.load("emnist-digits", data_dir), 30, 0)[1]
    chances = [
        scores.probabilities(
            run.setup.model, run.params, run.state, view(np.asarray(held.images))
        )
        for view in scores.views(5, (12, 12), flip=True)
    ]
    found = Evaluation(held.labels, np.mean(chances, axis=0))
    (result,) = told["results"]
    assert result["loss"] == pytest.approx(found.loss, rel=1e-5)
    assert result["accuracy_without_tta"] == ask(where)["results"][0]["accuracy"]
    assert ask(where, "--tta")["tta"] == evaluate.TTA_VIEWS


def test_runs_that_held_out_more_and_less_share_the_lesser_part(make_run, ask):
    told = ask(make_run(validation=30), make_run(1, validation=20))
    assert told["images"] == 20


def test_what_is_held_out_by_a_smaller_part_is_in_the_larger(data_dir):
    loaded = data.load("emnist-digits", data_dir)
    few, many = (batches.hold_out(loaded, n, 0)[1] for n in (20, 30))
    pictures_of = [{bytes(image) for image in held.images} for held in (few, many)]
    assert pictures_of[0] < pictures_of[1]


def test_the_report_is_readable(make_run, data_dir, capsys):
    names = [make_run(0), make_run(1)]
    options = [*names, f"--data-dir={data_dir}", "--tta=2"]
    assert evaluate.main(options) == 0
    shown = capsys.readouterr().out
    assert "30 images held out of training: to choose by" in shown
    assert "\x1b" not in shown
    for name in (*names, "the 2 together"):
        assert re.search(rf"^{re.escape(name)}( +[\d.]+%?)( +[\d.]+ to )", shown, re.M)
    assert re.search(r"^A( +(-|\d+\.\d\d%)){3} +\d+$", shown, re.M)
    assert evaluate.main([*options, "--split=test"]) == 0
    assert "60 images of the test set: not to choose by" in capsys.readouterr().out


def test_pictures_are_written(make_run, data_dir, tmp_path, capsys):
    out = tmp_path / "a" / "b"
    options = [make_run(), f"--data-dir={data_dir}", f"--out={out}"]
    assert evaluate.main(options) == 0
    files = {"confusion.png", "calibration.png", "mistakes.png", "evaluation.json"}
    assert {path.name for path in out.iterdir()} == files
    for path in out.glob("*.png"):
        assert path.read_bytes().startswith(b"\x89PNG")
    assert json.loads((out / "evaluation.json").read_text())["images"] == 30
    (tmp_path / "file").touch()
    options[-1] = f"--out={tmp_path / 'file' / 'x'}"
    assert evaluate.main(options) == 2
    assert "cannot make the folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dataset": "emnist-letters"}, "is emnist-digits, that of {b} is emnist-let"),
        ({"class_names": tuple("ABCE")}, "class names of {a} is A, B, C, D, that of"),
        ({"image_shape": (14, 12, 1)}, "image shape of {a} is 12, 12, 1, that of"),
    ],
)
def test_runs_that_are_not_alike_are_no_ensemble(
    make_run, data_dir, capsys, changes, message
):
    a, b = make_run(), make_run(**changes)
    assert evaluate.main([a, b, f"--data-dir={data_dir}"]) == 2
    error = capsys.readouterr().err
    assert message.format(a=a, b=b) in error and error.count("\n") == 1


@pytest.mark.parametrize(
    ("run", "options", "message"),
    [
        ({"validation": 0}, [], "held no images out of training: train with"),
        ({"total": 91}, [], "trained on a emnist-digits of 91 images, and this one"),
        ({}, ["--tta=0"], "tta must be at least 1, got 0"),
        ({}, ["--limit=0"], "limit must be at least 1, got 0"),
        ({}, ["--data-dir=/nowhere"], "the data directory /nowhere is no folder"),
        (None, [], folder.CHECKPOINT),
    ],
)
def test_what_cannot_be_evaluated_is_a_clear_error(
    make_run, data_dir, capsys, run, options, message
):
    where = "/nowhere" if run is None else make_run(**run)
    assert evaluate.main([where, f"--data-dir={data_dir}", *options]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and message in error


# -- pictures --------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [2, 47])
def test_pictures_of_few_classes_and_of_many(classes):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, classes, 60)
    chances = rng.dirichlet(np.full(classes, 0.3), 60).astype(np.float32)
    found, names = Evaluation(labels, chances), [f"class {i}" for i in range(classes)]
    images = rng.integers(0, 256, (60, 6, 5, 3), np.uint8)
    for figure in (
        pictures.confusion(found.confusion(), tuple(names)),
        pictures.calibration(found),
        pictures.mistakes(images, found, tuple(names), 5),
    ):
        figure.savefig(io.BytesIO(), dpi=20)
