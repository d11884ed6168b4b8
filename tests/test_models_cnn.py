"""The models as pure functions: shapes, gradients, purity, what learns what."""

import numpy as np
import pytest

from autograd_lite import nn, tree, value_and_grad
from models import batches, cnn, optimizers, recipes
from models.batches import Split
from models.errors import OptionError
from models.optimizers import weights
from models.recipes import RECIPES

SHAPE = (12, 10, 2)
NAMES = list(cnn.MODELS)


@pytest.fixture
def images():
    return np.random.default_rng(0).random((5, *SHAPE), np.float32)


def start(name, classes=4):
    model = cnn.MODELS[name]
    params = model.init(np.random.default_rng(1), SHAPE, classes)
    return model, params, model.init_state(params)


@pytest.mark.parametrize("name", NAMES)
def test_logits_are_float32_of_the_right_shape(name, images):
    model, params, state = start(name)
    logits = model.apply(params, images)
    assert logits.shape == (5, 4) and logits.dtype == np.float32
    logits, _ = model.train(params, images, state, np.random.default_rng(0))
    assert logits.shape == (5, 4) and logits.dtype == np.float32
    assert {leaf.dtype for leaf in tree.leaves(params)} == {np.dtype("f4")}


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_gets_a_gradient(name, images):
    model, params, state = start(name)
    labels = np.arange(5) % 4

    def loss(params):
        rng = np.random.default_rng(2)
        logits, new = model.train(params, images, state, rng)
        return nn.cross_entropy(logits, labels), new

    (value, new), grads = value_and_grad(loss, has_aux=True)(params)
    assert np.isfinite(value)
    assert tree.structure(new) == tree.structure(state)
    for path, g in zip(tree.paths(grads), tree.leaves(grads)):
        assert np.abs(g).max() > 0, path


@pytest.mark.parametrize("name", NAMES)
def test_models_are_pure(name, images):
    model, params, state = start(name)
    before = tree.map(np.copy, (params, state))
    once = model.train(params, images, state, np.random.default_rng(3))
    twice = model.train(params, images, state, np.random.default_rng(3))
    tree.map(np.testing.assert_array_equal, once, twice)
    tree.map(np.testing.assert_array_equal, (params, state), before)


@pytest.mark.parametrize("name", NAMES)
def test_a_prediction_does_not_depend_on_its_batch(name, images):
    model, params, state = start(name)
    _, state = model.train(params, images, state, np.random.default_rng(3))
    whole = model.apply(params, images, state)
    alone = np.concatenate(
        [model.apply(params, images[i : i + 1], state) for i in range(5)]
    )
    np.testing.assert_allclose(whole, alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_feature_maps_are_named_by_the_layers(name, images):
    model, params, state = start(name)
    maps = model.feature_maps(params, images, state)
    named = [layer for layer in params if layer.startswith(("conv", "block"))]
    assert list(maps) == named
    for layer, values in maps.items():
        kernels = params[layer]["w" if "w" in params[layer] else "second"]
        channels = tree.leaves(kernels)[-1].shape[-1]
        assert values.shape[0] == 5
        assert values.shape[3] == channels
        assert values.min() >= 0


@pytest.mark.parametrize("name", NAMES)
def test_the_last_layer_makes_the_logits_of_the_last_activations(name, images):
    model, params, state = start(name)
    found = model.activations(params, images, state)
    assert [*found] == [*params][:-1]
    for layer, maps in model.feature_maps(params, images, state).items():
        np.testing.assert_array_equal(found[layer], maps)
    last = list(found.values())[-1]
    if last.ndim == 4:
        last = nn.global_avg_pool(last) if name == "resnet" else nn.flatten(last)
    logits = cnn.dense(params[[*params][-1]], last)
    expected = model.apply(params, images, state)
    np.testing.assert_allclose(logits, expected, rtol=1e-5, atol=1e-6)


def test_the_models_have_the_sizes_that_they_are_known_by():
    sizes = {}
    for name, model in cnn.MODELS.items():
        params = model.init(np.random.default_rng(0))
        sizes[name] = sum(leaf.size for leaf in tree.leaves(params))
    assert sizes["lenet8"] == 80 + 1352 * 128 + 128 + 1290
    assert sizes["emnist16"] == 160 + 2704 * 128 + 128 + 128 * 64 + 64 + 650


def test_l2_is_of_matrices_and_kernels_alone():
    params = start("slim")[1]
    assert len(weights(params)) == 6
    assert min(leaf.ndim for leaf in weights(params)) == 2


# -- recipes -------------------------------------------------------------------------


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_are_possible(name):
    recipe = recipes.check(RECIPES[name])
    assert recipe.model in cnn.MODELS
    params = {"w": np.ones(3, np.float32)}
    optimizer = optimizers.optimizer(recipe, optimizers.schedule(recipe, 10))
    updates, _ = optimizer.update(params, optimizer.init(params), params)
    assert (updates["w"] < 0).all()


@pytest.mark.parametrize("optimizer", optimizers.OPTIMIZERS)
@pytest.mark.parametrize("schedule", optimizers.SCHEDULES)
def test_every_optimizer_and_schedule_descends(optimizer, schedule):
    recipe = RECIPES["quick"]._replace(optimizer=optimizer, schedule=schedule, lr=0.01)
    optimizer = optimizers.optimizer(recipe, optimizers.schedule(recipe, 100))
    params = {"w": np.array([1.0, -2.0])}
    state = optimizer.init(params)
    for _ in range(100):
        updates, state = optimizer.update(params, state, params)
        params = tree.map(np.add, params, updates)
    # Momentum swings past the minimum: it is the distance that must shrink.
    assert np.abs(params["w"]).max() < 1.8


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
        ({"batch_size": -3}, "batch_size must be at least 1"),
        ({"lr": 0.0}, "lr must be a positive number"),
        ({"lr": float("nan")}, "lr must be a positive number"),
        ({"l2": float("nan")}, "l2 must be"),
        ({"label_smoothing": 1.0}, "label_smoothing must be"),
        ({"validation": -1}, "validation must be"),
        ({"weight_decay": -0.1}, "weight_decay must be at least 0, got -0.1"),
        ({"dropout": 1.0}, r"dropout must be in \[0, 1\), got 1.0"),
        ({"ema": float("nan")}, "ema must be"),
        ({"patience": -1}, "patience must be"),
        ({"patience": 1, "validation": 0}, "--validation"),
    ],
)
def test_impossible_recipes_are_refused(change, message):
    with pytest.raises(OptionError, match=message):
        recipes.check(RECIPES["quick"]._replace(**change))


# -- batches -------------------------------------------------------------------------


def split(n=100):
    images = np.random.default_rng(0).integers(0, 256, (n, 6, 6, 1), np.uint8)
    return Split(images, np.arange(n))


PLAIN = RECIPES["quick"]._replace(batch_size=8, affine=None)
RICH = RECIPES["seed-emnist"]._replace(batch_size=8, expand=60)


@pytest.mark.parametrize("recipe", [PLAIN, RICH], ids=["plain", "augmented"])
def test_an_epoch_gone_on_with_has_the_batches_of_a_whole_one(recipe):
    whole = list(batches.epoch_batches(split(), recipe, 5, 2))
    assert len(whole) == batches.steps_per_epoch(recipe, 100)
    for start in (1, 11, len(whole) - 1):
        rest = list(batches.epoch_batches(split(), recipe, 5, 2, start))
        tree.map(np.testing.assert_array_equal, rest, whole[start:])


def test_an_epoch_has_each_image_once_and_epochs_differ():
    train = split()
    recipe = PLAIN._replace(batch_size=10)
    first, second = (
        np.concatenate([b.labels for b in batches.epoch_batches(train, recipe, 0, e)])
        for e in (0, 1)
    )
    assert sorted(first) == sorted(second) == list(range(100))
    assert (first != second).any()


def test_batches_are_floats_from_0_to_1_of_their_labels():
    train = split()
    for batch in batches.epoch_batches(train, PLAIN, 0, 0):
        assert batch.images.dtype == np.float32
        expected = train.images[batch.labels] / np.float32(255)
        np.testing.assert_allclose(batch.images, expected, rtol=1e-6)


def test_added_images_are_the_transformed_ones():
    train, recipe = split(), RICH._replace(batch_size=10)
    stream = batches.epoch_batches(train, recipe, 0, 0)
    labels, same = [], 0
    for batch in stream:
        labels += batch.labels.tolist()
        originals = batches.as_float(train.images[batch.labels])
        same += int((batch.images == originals).all((1, 2, 3)).sum())
    assert len(labels) == 160 and set(labels) == set(range(100))
    assert same == 100


def test_hold_out_takes_images_away_from_training():
    images, labels = split()
    from models.data import Dataset

    data = Dataset("a", images, labels, images[:1], labels[:1], ())
    train, held = batches.hold_out(data, 30, seed=1)
    assert sorted([*train.labels, *held.labels]) == list(range(100))
    np.testing.assert_array_equal(held.images, images[held.labels])
    assert batches.hold_out(data, 0, 1)[1].labels.size == 0
    with pytest.raises(OptionError, match="cannot hold out 100 of 100"):
        batches.hold_out(data, 100, 1)
