"""Recipes: what the options choose, what is listed, and what each number does."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograd_lite import optim, tree
from models import cnn, data, optimizers, recipes, train
from models.errors import OptionError
from models.options import parser, recipe_of
from models.recipes import BY_MODEL, RECIPES
from models.run import Run, Setup


def chosen(*arguments):
    return recipe_of(parser().parse_args(arguments))


def setup_of(recipe):
    return Setup("mnist", 0, recipe, (12, 12, 1), tuple("0123456789"), 1000)


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_chosen_by_name(name):
    recipe = chosen(f"--recipe={name}")
    assert recipe == RECIPES[name]
    assert recipe.model in cnn.MODELS and recipe.dataset in data.SOURCES
    assert Run.start(setup_of(recipe)).setup.recipe == recipe


def test_the_default_is_quick():
    assert chosen() == RECIPES["quick"]


@pytest.mark.parametrize("model", cnn.MODELS)
def test_a_model_alone_is_trained_on_mnist_by_a_recipe_of_its_own(model):
    recipe = chosen(f"--model={model}")
    assert recipe.model == model and recipe.dataset == "mnist"
    named = RECIPES[BY_MODEL[model]]
    elsewhere = {"accuracy": None, "minutes": None} if named.dataset != "mnist" else {}
    assert recipe == named._replace(dataset="mnist", **elsewhere)


def test_a_model_beside_a_recipe_replaces_its_model():
    recipe = chosen("--recipe=fashion-best", "--model=slim")
    replaced = {"model": "slim", "accuracy": None, "minutes": None}
    assert recipe == RECIPES["fashion-best"]._replace(**replaced)


def test_options_replace_fields_and_what_was_measured_does_not_hold(monkeypatch):
    measured = RECIPES["quick"]._replace(accuracy=0.99, minutes=1.0)
    monkeypatch.setitem(RECIPES, "quick", measured)
    assert chosen() == measured
    changed = chosen("--ema=0.9", "--patience=3", "--dropout=0", "--weight-decay=0.1")
    assert changed == measured._replace(
        **{"ema": 0.9, "patience": 3, "dropout": 0.0, "weight_decay": 0.1},
        **{"accuracy": None, "minutes": None},
    )


def test_the_first_seed():
    """Issue 2: convolution 8 3x3, dense 128; Adam and SGD with momentum at once."""
    recipe = RECIPES["seed-mnist"]
    assert (recipe.model, recipe.dataset, recipe.epochs) == ("lenet8", "mnist", 5)
    params = {"w": np.array([1.0, 2.0])}
    grads = {"w": np.array([0.5, -3.0])}
    both = optimizers.optimizer(recipe, optim.constant(0.01))
    parts = [optim.adam(0.01), optim.momentum(0.1, 0.9)]
    states = [each.init(params) for each in (both, *parts)]
    for _ in range(3):
        updates = []
        for i, each in enumerate((both, *parts)):
            update, states[i] = each.update(grads, states[i], params)
            updates.append(update["w"])
        np.testing.assert_allclose(updates[0], updates[1] + updates[2], rtol=1e-12)


def test_the_second_seed():
    """Issue 2: convolution 16 3x3, dense 128, 64; L2, decay, 25,000 images added."""
    recipe = RECIPES["seed-emnist"]
    assert recipe.model == "emnist16" and recipe.dataset.startswith("emnist")
    assert recipe.l2 > 0 and recipe.expand == 25_000 and all(recipe.affine)
    lr = optimizers.schedule(recipe, 100)
    assert all(lr(step + 1) < lr(step) for step in range(100))


# -- what the numbers do -------------------------------------------------------------


@given(
    st.sampled_from(sorted(optimizers.OPTIMIZERS)),
    st.floats(0.001, 0.5),
    st.floats(0.001, 0.5),
)
def test_weight_decay_shrinks_weights_alone(name, lr, decay):
    """Without a gradient, every other optimiser leaves all as it is."""
    recipe = RECIPES["quick"]._replace(optimizer=name, weight_decay=decay)
    optimizer = optimizers.optimizer(recipe, lambda step: lr / (1 + step))
    params = {"dense1": {"w": np.ones((2, 2)), "b": np.ones(2)}, "norm": {"scale": 1.0}}
    state, expected = optimizer.init(params), 1.0
    for step in range(3):
        grads = tree.map(lambda leaf: 0.0 * leaf, params)
        updates, state = optimizer.update(grads, state, params, donate=True)
        params = optim.apply_updates(params, updates)
        expected *= 1 - lr / (1 + step) * decay
    np.testing.assert_allclose(params["dense1"]["w"], np.full((2, 2), expected))
    assert (params["dense1"]["b"] == 1).all() and params["norm"]["scale"] == 1


@pytest.mark.parametrize(("name", "decay"), [("adamw", 0.01), ("adam", 0.0)])
def test_only_adamw_decays_by_itself(name, decay):
    recipe = RECIPES["quick"]._replace(optimizer=name)
    optimizer = optimizers.optimizer(recipe, optim.constant(0.5))
    params = {"w": np.ones(2)}
    updates, _ = optimizer.update({"w": np.zeros(2)}, optimizer.init(params), params)
    np.testing.assert_allclose(updates["w"], -0.5 * decay)


@pytest.mark.parametrize("rate", [None, 0.0, 0.9])
def test_dropout_is_what_the_recipe_says(rate):
    model = setup_of(RECIPES["deep"]._replace(dropout=rate)).model
    params = model.init(np.random.default_rng(0), (8, 8, 1), 10)
    state = model.init_state(params)
    x = np.random.default_rng(1).random((64, 8, 8, 1), np.float32)
    a, b = (
        model.train(params, x, state, np.random.default_rng(seed))[0] for seed in (0, 1)
    )
    assert (a == b).all() == (rate == 0)
    assert model.dropout == (cnn.DROPOUT if rate is None else rate)


def test_a_model_without_dropout_refuses_it():
    with pytest.raises(OptionError, match="lenet8 drops nothing: leave --dropout out"):
        Run.start(setup_of(RECIPES["seed-mnist"]._replace(dropout=0.5)))


# -- the list ------------------------------------------------------------------------


def test_the_list_has_every_recipe(capsys, monkeypatch):
    measured = RECIPES["quick"]._replace(accuracy=0.99371, minutes=1.26)
    monkeypatch.setitem(RECIPES, "quick", measured)
    monkeypatch.setitem(RECIPES, "deep", RECIPES["deep"]._replace(accuracy=None))
    assert train.main(["--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = {line.split()[0]: line.split() for line in lines[1:]}
    assert list(rows) == list(RECIPES)
    for name, recipe in RECIPES.items():
        start = [name, recipe.dataset, recipe.model, str(recipe.epochs)]
        assert rows[name][:4] == start and rows[name][-1] == recipe.about.split()[-1]
    assert rows["quick"][4:7] == ["99.37%", "1.3", "min"]
    assert rows["deep"][4] == "-"


def test_the_list_of_one_recipe_has_every_number(capsys):
    assert train.main(["--list", "--recipe=emnist-best", "--lr=0.25"]) == 0
    lines = capsys.readouterr().out.splitlines()
    shown = dict(line.split(maxsplit=1) for line in lines)
    assert list(shown) == list(recipes.Recipe._fields)
    assert shown["lr"] == "0.25" and shown["dataset"] == "emnist-bymerge116k"


def test_an_impossible_recipe_is_not_listed(capsys):
    assert train.main(["--list", "--lr=-1"]) == 2
    assert "lr must be a positive number" in capsys.readouterr().err
