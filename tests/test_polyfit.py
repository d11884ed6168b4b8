"""np.polyfit: every option, against NumPy and finite differences."""

import numpy as np
import pytest

import autograd_lite.numpy as anp
from autograd_lite import grad, vjp, vmap
from autograd_lite.errors import ArgumentError, ShapeError
from autograd_lite.testing import check_grads

RNG = np.random.default_rng(0)
X, WEIGHTS = RNG.standard_normal(7), RNG.uniform(0.5, 2, 7)
OPTIONS = [
    {},
    {"rcond": 1e-12},
    {"full": True},
    {"cov": True},
    {"cov": "unscaled"},
    {"w": WEIGHTS, "cov": True},
    {"full": True, "cov": True, "w": WEIGHTS},
]


def leaves(found):
    return found if isinstance(found, tuple) else (found,)


@pytest.mark.parametrize("y", [RNG.standard_normal(7), RNG.standard_normal((7, 2))])
@pytest.mark.parametrize("options", OPTIONS)
def test_options(y, options):
    found = leaves(vjp(lambda x, y: anp.polyfit(x, y, 2, **options), X, y)[0])
    expected = leaves(np.polyfit(X, y, 2, **options))
    for ours, theirs in zip(found, expected, strict=True):
        assert np.shape(ours) == np.shape(theirs)
        np.testing.assert_allclose(ours, theirs, 1e-9, 1e-12)

    def floats(x, y):  # all but the rank, and rcond, a number
        found = leaves(anp.polyfit(x, y, 2, **options))
        return (*found[:2], found[3]) if len(found) == 5 else found

    check_grads(floats, (X, y))


def test_a_large_cutoff_drops_a_direction():
    y = RNG.standard_normal(7)
    with pytest.warns(np.exceptions.RankWarning):
        expected = np.polyfit(X, y, 2, rcond=0.3)
    with pytest.warns(np.exceptions.RankWarning):
        found, _ = vjp(lambda x: anp.polyfit(x, y, 2, rcond=0.3), X)
    np.testing.assert_allclose(found, expected, 1e-10)
    check_grads(lambda x, y: anp.polyfit(x, y, 2, rcond=0.3, full=True)[0], (X, y))


def test_weights_have_a_gradient():
    y = RNG.standard_normal(7)
    check_grads(lambda w: anp.polyfit(X, y, 2, w=w, cov=True), (WEIGHTS,))


def test_vmap():
    ys = RNG.standard_normal((3, 7))
    found = vmap(lambda y: anp.polyfit(X, y, 2))(ys)
    np.testing.assert_allclose(found, [np.polyfit(X, y, 2) for y in ys], 1e-12)


@pytest.mark.parametrize(
    "args, error, text",
    [
        ((X, X[:5], 1), ShapeError, r"\(7,\) and y: \(5,\)"),
        ((X[:, None], X, 1), ShapeError, r"\(7, 1\)"),
        ((X, X, -1), ArgumentError, "deg=-1"),
        ((X, X, 1, None, False, X[:3]), ShapeError, r"w of shape \(3,\)"),
        ((X[:2], X[:2], 1, None, False, None, True), ArgumentError, "unscaled"),
    ],
)
def test_errors(args, error, text):
    with pytest.raises(error, match=text):
        grad(lambda x: anp.sum(anp.polyfit(x, *args[1:])[0]))(args[0])
