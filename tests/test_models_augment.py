"""Affine transforms against SciPy, and the worker that prepares them."""

import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from models import augment
from models.augment import Affine

STILL = Affine(0, 0, 0, 0)


def transforms(affine, n=1, size=(28, 28), seed=0):
    return augment.random_transforms(affine, np.random.default_rng(seed), n, size)


@given(
    seed=st.integers(0, 2**32),
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    channels=st.integers(1, 3),
    reach=st.floats(0, 3),
)
def test_warp_is_what_scipy_does(seed, size, channels, reach):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (3, *size, channels), np.uint8)
    drawn = transforms(Affine(60 * reach, reach, 0.3, 0.3), 3, size, seed)
    found = augment.warp(images, drawn)
    for i, c in np.ndindex(3, channels):
        expected = ndimage.affine_transform(
            images[i, ..., c].astype(np.float32),
            drawn[i, :, :2],
            drawn[i, :, 2],
            order=1,
            mode="grid-constant",
        )
        # Half a grey value for rounding, and a little for float32's.
        assert np.abs(found[i, ..., c] - expected).max() < 0.51


def test_no_transform_changes_nothing():
    images = np.random.default_rng(0).integers(0, 256, (2, 7, 5, 2), np.uint8)
    found = augment.warp(images, transforms(STILL, 2, (7, 5)))
    np.testing.assert_array_equal(found, images)


def test_a_quarter_turn_is_rot90(monkeypatch):
    image = np.random.default_rng(0).integers(0, 256, (1, 9, 9, 1), np.uint8)
    centre, turn = np.array([4.0, 4.0]), np.array([[0.0, 1.0], [-1.0, 0.0]])
    matrix = np.concatenate([turn, (centre - turn @ centre)[:, None]], 1)
    found = augment.warp(image, matrix[None].astype(np.float32))
    np.testing.assert_array_equal(found[0], np.rot90(image[0]))


def test_ranges_are_kept():
    drawn = transforms(Affine(rotation=30, shift=0, scale=0, shear=0), 1000)
    angles = np.rad2deg(np.arctan2(drawn[:, 1, 0], drawn[:, 0, 0]))
    assert 25 < angles.max() <= 30.001 and -30.001 <= angles.min() < -25
    np.testing.assert_allclose(np.linalg.det(drawn[:, :, :2]), 1, rtol=1e-5)
    drawn = transforms(Affine(rotation=0, shift=3, scale=0, shear=0), 1000)
    assert 2.9 < np.abs(drawn[:, :, 2]).max() <= 3.00001
    drawn = transforms(Affine(rotation=0, shift=0, scale=0.2, shear=0), 1000)
    assert 1.19 < drawn[:, 0, 0].max() <= 1.20001 and not drawn[:, 0, 1].any()


def test_transforms_depend_on_the_seed_alone():
    first = transforms(Affine(), 5, seed=3)
    np.testing.assert_array_equal(first, transforms(Affine(), 5, seed=3))
    assert np.abs(first - transforms(Affine(), 5, seed=4)).max() > 0.01


def test_ahead_keeps_order_and_runs_elsewhere():
    threads = set()

    def items():
        for i in range(20):
            threads.add(threading.get_ident())
            yield i

    assert list(augment.ahead(items())) == list(range(20))
    assert len(threads) == 1 and threading.get_ident() not in threads


def test_ahead_computes_before_it_is_asked_but_not_far():
    made = []

    def items():
        for i in range(100):
            made.append(i)
            yield i

    stream = augment.ahead(items(), depth=3)
    next(stream)
    deadline = time.monotonic() + 5
    while len(made) < 4 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(made) == 4
    stream.close()
    assert len(made) == 4


def test_ahead_raises_what_the_items_raise():
    def items():
        yield 1
        raise ArithmeticError("no more")

    stream = augment.ahead(items())
    assert next(stream) == 1
    with pytest.raises(ArithmeticError, match="no more"):
        next(stream)
