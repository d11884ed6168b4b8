"""Rules at places that mutants of theirs have shown to be untested."""

import numpy as np
import pytest

import autograd_lite.numpy as anp
import autograd_lite.scipy.linalg
from autograd_lite import grad, jvp, nn, vmap
from autograd_lite.testing import check_grads


def close(actual, expected, rtol=1e-12):
    np.testing.assert_allclose(actual, expected, rtol=rtol, atol=1e-300)


@pytest.mark.parametrize("shape, axis", [((1,), 0), ((3, 1), 1), ((1, 2), 0)])
def test_products_of_one_number(shape, axis):
    x = np.arange(2.0, 2 + np.prod(shape)).reshape(shape)
    for fold in (anp.prod, anp.cumprod):
        total = lambda x, f=fold: anp.sum(f(x, axis=axis))  # noqa: E731
        close(grad(total)(x), np.ones(shape))
        close(jvp(total, (x,), (x,))[1], x.sum())
        check_grads(lambda x, f=fold: f(x, axis=axis) ** 2, (x,))


@pytest.mark.parametrize("x", [0.0099, -0.009, 0.003, 1e-6])
def test_slope_of_sinc_near_zero(x):
    """Its series, with more terms than the rule has."""
    t = np.pi * x
    terms = [-1 / 3, 1 / 30, -1 / 840, 1 / 45360, -1 / 3991680]
    close(
        grad(anp.sinc)(x),
        np.pi * sum(c * t ** (2 * k + 1) for k, c in enumerate(terms)),
        4e-16,
    )


def test_second_derivatives_of_functions_of_stacks_of_matrices():
    """With two axes in front, as one alone is as long as the others by accident."""
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((2, 3, 1, 2, 2)) / 2
    expm = autograd_lite.scipy.linalg.expm

    def second(x, w):
        return grad(lambda x: anp.sum(grad(lambda x: anp.sum(expm(x) ** 2))(x) * w))(x)

    each = [second(a, b) for a, b in zip(x[:, 0], w[:, 0], strict=True)]
    close(second(x, w)[:, 0], each, 1e-10)


def test_second_derivative_of_a_normalisation_in_its_scale_alone():
    rng = np.random.default_rng(1)
    x = rng.standard_normal((2, 5, 6))
    params = {"scale": rng.uniform(0.5, 2, 6), "bias": rng.standard_normal(6)}
    check_grads(lambda p: anp.sum(nn.group_norm(x, 3, p) ** 3), (params,))
    curve = grad(lambda p: anp.sum(nn.group_norm(x, 3, p) ** 3))
    both = vmap(curve, axis_size=2)(
        {name: np.stack([p, 2 * p]) for name, p in params.items()}
    )
    close(both["scale"][0], curve(params)["scale"], 1e-9)


def test_copysign_and_heaviside_at_zero():
    for sign in (1.0, -1.0):
        close(grad(anp.copysign)(0.0, sign), 0.0)
    close(grad(anp.heaviside, 1)(0.0, 0.3), 1.0)
    close(grad(anp.heaviside, 1)(2.0, 0.3), 0.0)
