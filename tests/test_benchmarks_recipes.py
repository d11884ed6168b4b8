"""The suite of recipes: PyTorch's code for them trains as ours does."""

import numpy as np
import pytest

from benchmarks import recipes
from benchmarks.cases import Epoch
from benchmarks.workers import Effort
from models import augment, batches, export, resample
from models.augment import Affine
from models.batches import Batch
from models.loop import make_step
from models.optimizers import SCHEDULES
from models.recipes import RECIPES
from models.run import Run, Setup

pytestmark = pytest.mark.peer("torch")

SHAPE = (10, 8, 1)


@pytest.fixture(scope="module")
def theirs():
    """PyTorch's code, imported where PyTorch is installed."""
    from benchmarks.peers import torch_recipes

    return torch_recipes


def named(model):
    """A recipe that trains a model."""
    return next(recipe for recipe in RECIPES.values() if recipe.model == model)


def setup_of(**changes):
    """A run of six steps without augmentation."""
    recipe = named("lenet8")._replace(epochs=1, batch_size=16, affine=None, **changes)
    return Setup("mnist", 0, recipe, SHAPE, ("a", "b", "c"), 96)


def stream(steps):
    """Batches of images that can be told apart."""
    rng = np.random.default_rng(0)
    for _ in range(steps):
        labels = rng.integers(0, 3, 16)
        means = labels[:, None, None, None].astype(np.float32)
        yield Batch((rng.random((16, *SHAPE), np.float32) + means) / 3, labels)


def tensors(batch):
    """A batch as PyTorch has it."""
    import torch

    images = torch.from_numpy(batch.images.transpose(0, 3, 1, 2))
    return images, torch.from_numpy(batch.labels)


def assert_trained_alike(theirs, setup, steps=4):
    """Both make the same steps of the same numbers."""
    run = Run.start(setup)
    trainer = theirs.Trainer("torch", setup, theirs.beginning(setup))
    step, first = make_step(run), export.to_torch(setup.model, run.params, {}, SHAPE)
    first = {name: value.copy() for name, value in first.items()}
    for batch in stream(steps):
        loss, correct = step(run, batch)
        their_loss, right = trainer.step(*tensors(batch))
        if not setup.recipe.l2:  # which PyTorch does not count as loss
            assert their_loss == pytest.approx(loss, rel=1e-3)
        assert abs(right - correct) <= 1
    found = trainer.net.state_dict()
    for name, value in export.to_torch(setup.model, run.params, {}, SHAPE).items():
        moved = np.abs(value - first[name]).max()
        assert moved > 0
        error = np.abs(found[name].numpy() - value).max()
        assert error < 0.01 * moved, name


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "nesterov"])
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_optimizers_and_schedules_are_ours(theirs, optimizer, schedule):
    changes = {"label_smoothing": 0.1, "l2": 0.01}
    setup = setup_of(optimizer=optimizer, schedule=schedule, lr=0.05, **changes)
    assert_trained_alike(theirs, setup)


def test_decay_is_ours(theirs):
    setup = setup_of(optimizer="nesterov", lr=0.05, weight_decay=2.0)
    assert_trained_alike(theirs, setup)


def test_averages_are_ours(theirs):
    setup = setup_of(optimizer="sgd", lr=0.05, schedule="constant", ema=0.999)
    trainer = theirs.Trainer("torch", setup, theirs.beginning(setup))
    run = Run.start(setup)
    step = make_step(run)
    for batch in stream(4):
        step(run, batch)
        trainer.step(*tensors(batch))
    averages = export.to_torch(setup.model, run.average["params"], {}, SHAPE)
    for name, found in zip(trainer.net.state_dict(), trainer.average, strict=True):
        np.testing.assert_allclose(found.numpy(), averages[name], atol=1e-5)


@pytest.mark.parametrize("optimizer", ["adam", "adam+momentum"])
def test_adam_is_ours(theirs, optimizer):
    assert_trained_alike(theirs, setup_of(optimizer=optimizer, lr=1e-3), steps=2)


def test_images_are_transformed_as_ours_are(theirs):
    import torch

    affine, n = Affine(rotation=30, shift=2, scale=0.2, shear=0.3), 20
    images = np.random.default_rng(1).integers(0, 256, (n, *SHAPE), np.uint8)
    drawn = np.random.default_rng(2).uniform(-1, 1, (6, n))
    matrices = augment.affine_matrices(affine, drawn.T, SHAPE[:2]).astype(np.float32)
    still = np.empty((0, 2, *SHAPE[:2]), np.float32)
    ours = batches.as_float(resample.warp(images, matrices, still))
    x = torch.from_numpy(batches.as_float(images).transpose(0, 3, 1, 2))
    theta = theirs.thetas(affine, torch.from_numpy(drawn).float(), SHAPE[:2])
    found = theirs.warp(x, theta).numpy().transpose(0, 2, 3, 1)
    assert np.abs(ours - batches.as_float(images)).max() > 0.5
    np.testing.assert_allclose(found, ours, atol=0.6 / 255)  # ours are rounded


def test_images_are_mirrored_and_cut_as_ours_are(theirs):
    import torch

    x = np.random.default_rng(1).integers(1, 256, (30, *SHAPE), np.uint8)
    centres = np.random.default_rng(2).integers(0, SHAPE[:2], (30, 2))
    which = np.random.default_rng(3).random(30) < 0.5
    ours = np.where(which[:, None, None, None], x[:, :, ::-1], x)
    resample.cut(ours, centres, 5)
    found = theirs.mirror(
        torch.from_numpy(x.transpose(0, 3, 1, 2)), torch.tensor(which)
    )
    found = theirs.cut(found, 5, torch.from_numpy(centres.T))
    np.testing.assert_array_equal(found.numpy().transpose(0, 2, 3, 1), ours)


def test_images_are_cropped_as_ours_are(theirs):
    import torch

    x = np.random.default_rng(1).integers(0, 256, (20, *SHAPE), np.uint8)
    corners = np.random.default_rng(2).integers(0, 5, (2, 20))
    matrices = np.zeros((20, 2, 3), np.float32)
    matrices[:, 0, 0] = matrices[:, 1, 1] = 1
    matrices[..., 2] = corners.T - 2
    ours = resample.warp(x, matrices, np.empty((0, 2, *SHAPE[:2]), np.float32))
    found = theirs.crop(
        torch.from_numpy(x.transpose(0, 3, 1, 2)), 2, torch.tensor(corners)
    )
    np.testing.assert_array_equal(found.numpy().transpose(0, 2, 3, 1), ours)


def test_what_a_recipe_changes_is_changed(theirs):
    import torch

    ones = torch.ones(40, 1, *SHAPE[:2])
    plain = named("lenet8")._replace(affine=None)
    assert (theirs.change(ones, plain) == 1).all()
    holes = theirs.change(ones, plain._replace(cutout=3)) == 0
    assert holes.sum((1, 2, 3)).min() > 0 and holes.sum((1, 2, 3)).max() == 9
    shifted = theirs.change(ones, plain._replace(crop=2))
    assert shifted.shape == ones.shape and (shifted == 0).sum() > 0
    ramp = ones.cumsum(-1)
    mirrored = theirs.change(ramp, plain._replace(flip=True))[:, 0, 0, 0] != 1
    assert 0 < mirrored.sum() < 40


@pytest.mark.parametrize("name", RECIPES)
def test_pytorch_has_code_for_every_recipe(theirs, name):
    assert recipes.lacking(RECIPES[name]) == []
    assert theirs.epoch("torch", recipes.case_of(name, 4)) is not None


def test_a_recipe_that_pytorch_has_no_code_for_is_left_out(theirs, monkeypatch):
    monkeypatch.setattr(recipes, "COMMON", recipes.COMMON - {"label_smoothing"})
    smooth = next(name for name, r in RECIPES.items() if r.label_smoothing)
    assert recipes.lacking(RECIPES[smooth]) == ["label_smoothing"]
    assert theirs.epoch("torch", recipes.case_of(smooth, 4)) is None


def test_an_epoch_has_the_share_of_added_images_of_the_recipe():
    name = next(name for name, recipe in RECIPES.items() if recipe.expand)
    setup, train = recipes.start(recipes.case_of(name, 50))
    recipe = setup.recipe
    assert setup.steps_per_epoch == 50
    assert len(train.labels) + recipe.expand == 50 * recipe.batch_size
    whole = RECIPES[name].expand / (58_000 + RECIPES[name].expand)
    assert recipe.expand / (50 * recipe.batch_size) == pytest.approx(whole, abs=1e-3)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name == "seed-mnist" else [pytest.mark.slow])
        for name in RECIPES
    ],
)
def test_both_learn_alike(theirs, name):
    case = recipes.case_of(name, 40)
    curves = {
        "ours": recipes.epoch("autograd_lite", case).run(),
        "torch": theirs.epoch("torch", case).run(),
    }
    assert [len(curve) for curve in curves.values()] == [40, 40]
    assert "NOT ALIKE" not in recipes.told(curves)


def test_the_suite_prints_ratios_and_losses(monkeypatch, capsys):
    monkeypatch.setattr(recipes, "QUICK_STEPS", 3)
    effort = Effort(rounds=1, seconds=0.01, repeats=0, thorough=False)
    name = next(name for name, recipe in RECIPES.items() if recipe.model == "lenet8")
    ours, torch = recipes.measure(f"^{name}:", ["torch", "autograd"], effort)
    shown = capsys.readouterr().out
    assert "the loss falls from" in shown and "ms/step" in shown
    assert (ours.contender, torch.contender) == ("autograd_lite", "torch")
    assert torch.ratio.value == pytest.approx(ours.value / torch.value)
    assert Epoch(name, "lenet8", 64, 3).label == ours.case
