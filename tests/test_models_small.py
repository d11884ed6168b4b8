"""The small models on little data: each must learn, to a figure that is stated."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from autograd_lite import grad, nn, tree
from autograd_lite.testing import check_grads
from models import autoencoder, logistic, mlp, resnet, rnn, small

ROOT = Path(__file__).parent.parent
NAMES = ["logistic", "mlp", "resnet", "autoencoder", "rnn"]


@pytest.fixture(scope="module")
def digits():
    """4,000 digits to train on, and 2,000 to test on."""
    train, (images, labels) = small.mnist(4000)
    return train, (images[:2000], labels[:2000])


@pytest.fixture(scope="module")
def rows(digits):
    """The same as rows of pixels, without the labels to test on."""
    return nn.flatten(digits[0][0]), nn.flatten(digits[1][0])


# -- what they learn -----------------------------------------------------------------


def test_logistic_regression_classes_five_of_six_digits_right(digits, rows):
    params = logistic.train(rows[0], digits[0][1], steps=30)
    assert accuracy_of(logistic, params, rows[1], digits[1][1]) > 0.84


def test_logistic_regression_ends_where_its_gradient_is_zero():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 3))
    labels = (x[:, 0] + rng.normal(size=60) > 0).astype(int)
    params = logistic.train(x, labels, classes=2, steps=100)
    slopes = grad(logistic.loss)(params, x, labels)
    assert max(np.abs(leaf).max() for leaf in tree.leaves(slopes)) < 1e-3


def test_a_perceptron_classes_more_right_than_a_weighted_sum(digits, rows):
    params = mlp.train(rows[0], digits[0][1], steps=200)
    assert accuracy_of(mlp, params, rows[1], digits[1][1]) > 0.90


def test_the_residual_network_has_learned_after_sixty_steps(digits):
    params, state = resnet.train(*digits[0], steps=60)
    right = small.accuracy(lambda x: resnet.forward(params, x, state)[0], *digits[1])
    assert right > 0.80


def test_the_autoencoder_beats_principal_components_of_as_many_numbers(rows):
    x, test = rows
    decoded = autoencoder.apply(autoencoder.train(x, code=8, steps=300), test)
    linear = autoencoder.principal_components(x, test, 8)
    assert ((decoded - test) ** 2).mean() < ((linear - test) ** 2).mean()


def test_principal_components_lose_nothing_when_there_are_enough():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 3)) @ rng.normal(size=(3, 8)) + 5
    found = autoencoder.principal_components(x[:40], x[40:], 3)
    np.testing.assert_allclose(found, x[40:], atol=1e-6)


def test_the_network_of_characters_knows_more_than_how_frequent_they_are():
    text = np.array([rnn.ALPHABET.index(c) for c in rnn.TEXT[:60_000]])
    params = rnn.train(text[:50_000], units=64, steps=120)
    held = text[50_000:].reshape(50, -1).T
    shares = np.bincount(text) / len(text)
    alone = -np.log(shares[held]).mean()
    assert rnn.loss(params, held) < 0.9 * alone


def accuracy_of(model, params, x, labels):
    return small.accuracy(lambda x: model.apply(params, x), x, labels)


# -- what they are -------------------------------------------------------------------


def wide(params):
    return tree.map(lambda leaf: leaf.astype(np.float64), params)


def test_gradients_are_those_of_differences():
    rng = np.random.default_rng(0)
    x, labels = rng.random((6, 5)), np.arange(6) % 3
    check_grads(mlp.loss, (wide(mlp.init(rng, [5, 4, 3])), x, labels))
    params = wide(rnn.init(rng, units=3, width=2))
    check_grads(lambda p: rnn.loss(p, np.arange(12).reshape(4, 3)), (params,))


def test_a_text_in_two_parts_is_read_like_a_whole_one():
    rng = np.random.default_rng(0)
    params, text = rnn.init(rng, units=8), rng.integers(20, size=(7, 2))
    whole, last = rnn.apply(params, text)
    first, between = rnn.apply(params, text[:3])
    second, end = rnn.apply(params, text[3:], between)
    np.testing.assert_allclose(whole, np.concatenate([first, second]), rtol=1e-5)
    np.testing.assert_allclose(last, end, rtol=1e-5)


def test_the_same_seed_writes_the_same():
    params = rnn.init(np.random.default_rng(0), units=8)
    texts = [rnn.write(params, 30, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2] and len(texts[0]) == 30


def test_a_block_of_zeros_changes_nothing():
    rng = np.random.default_rng(0)
    params = resnet.init(rng)
    layer, state = params["block1"], resnet.init_state(params)["block1"]
    layer["second"]["norm"] = tree.map(np.zeros_like, layer["second"]["norm"])
    x = rng.random((2, 6, 5, 16), np.float32)
    np.testing.assert_array_equal(resnet.block(layer, x, state, train=True)[0], x)


# -- how they are used ---------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_small_model_is_a_page(name):
    text = (ROOT / "models" / f"{name}.py").read_text(encoding="utf8")
    assert len(text.splitlines()) < 100
    assert f"python -m models.{name}" in text


@pytest.mark.parametrize("name", NAMES)
def test_help_says_what_the_model_is(name, capsys):
    model = sys.modules[f"models.{name}"]
    with pytest.raises(SystemExit) as stop:
        small.command(model.main, model.__doc__, 1, ["--help"])
    assert stop.value.code == 0
    assert model.__doc__.splitlines()[0] in capsys.readouterr().out


def test_the_command_trains_and_prints_its_figure():
    command = [sys.executable, "-m", "models.mlp", "--steps", "20", "--seed", "3"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.endswith("% of 10,000 test images are classed right\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--steps=0"], "--steps must be at least 1, got 0"),
        (["--seed=-1"], "--seed must be at least 0, got -1"),
        (["--steps=many"], "invalid int value: 'many'"),
    ],
)
def test_impossible_options_are_refused(arguments, message, capsys):
    with pytest.raises(SystemExit) as stop:
        small.command(mlp.main, mlp.__doc__, 10, arguments)
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


def test_an_interrupt_ends_the_command_as_shells_expect(capsys):
    def main(steps, seed):
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as stop:
        small.command(main, "Does nothing.", 10, [])
    assert stop.value.code == 130
    assert "interrupted" in capsys.readouterr().err
