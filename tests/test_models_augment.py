"""Augmentation against SciPy, its independence of order, and the workers."""

import json
import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage, stats

from models import augment, batches, data, loop, resample, train
from models.augment import Affine, Augmentation, Elastic
from models.batches import Split
from models.options import parser, recipe_of
from models.recipes import RECIPES
from models.run import Run, Setup

SIZES = st.tuples(st.integers(1, 9), st.integers(1, 9))
EVERYTHING = {
    "affine": Affine(),
    "elastic": Elastic(20, 2),
    "cutout": 3,
    "mixup": 0.4,
    "flip": True,
    "crop": 2,
}


def numbers(n, seed=0):
    return resample.uniform(augment.key(seed), np.arange(n), 11)


def draw_images(n=1, size=(28, 28), channels=1, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (n, *size, channels), np.uint8)


def distort(images, rows=None, seed=0, **how):
    rows = np.arange(len(images)) if rows is None else np.asarray(rows)
    return augment.distort(images, rows, augment.key(seed), Augmentation(**how))


def no_fields(size):
    return np.empty((0, 2, *size), np.float32)


# -- the resampling --------------------------------------------------------------------


@given(
    seed=st.integers(0, 2**32),
    size=SIZES,
    channels=st.integers(1, 3),
    reach=st.floats(0, 3),
    bend=st.floats(0, 5),
)
def test_warp_is_what_scipy_does_in_one_pass(seed, size, channels, reach, bend):
    rng = np.random.default_rng(seed)
    images = draw_images(3, size, channels, seed)
    how = Augmentation(Affine(60 * reach, reach, 0.3, 0.3), flip=True, crop=1)
    matrices = augment.transforms(how, numbers(3, seed), size)
    fields = bend * rng.standard_normal((3, 2, *size)).astype(np.float32)
    found = resample.warp(images, matrices, fields)
    pixels = np.concatenate([np.indices(size), np.ones((1, *size))])
    for i, c in np.ndindex(3, channels):
        expected = ndimage.map_coordinates(
            images[i, ..., c].astype(np.float32),
            np.einsum("ij,j...->i...", matrices[i], pixels) + fields[i],
            order=1,
            mode="grid-constant",
        )
        # Half a grey value for rounding, and a little for float32's.
        assert np.abs(found[i, ..., c] - expected).max() < 0.51


def test_no_transform_changes_nothing():
    images = draw_images(2, (7, 5), 2)
    matrices = augment.transforms(Augmentation(), numbers(2), (7, 5))
    found = resample.warp(images, matrices, no_fields((7, 5)))
    np.testing.assert_array_equal(found, images)
    assert distort(images) is images


def test_a_quarter_turn_is_rot90():
    image = draw_images(size=(9, 9))
    centre, turn = np.array([4.0, 4.0]), np.array([[0.0, 1.0], [-1.0, 0.0]])
    matrix = np.concatenate([turn, (centre - turn @ centre)[:, None]], 1)
    found = resample.warp(image, matrix[None].astype(np.float32), no_fields((9, 9)))
    np.testing.assert_array_equal(found[0], np.rot90(image[0]))


def test_ranges_are_kept():
    def affine(*ranges):
        how = Augmentation(Affine(*ranges))
        return augment.transforms(how, numbers(1000), (28, 28))

    drawn = affine(30, 0, 0, 0)
    angles = np.rad2deg(np.arctan2(drawn[:, 1, 0], drawn[:, 0, 0]))
    assert 29 < angles.max() <= 30.001 and -30.001 <= angles.min() < -29
    np.testing.assert_allclose(np.linalg.det(drawn[:, :, :2]), 1, rtol=1e-5)
    drawn = affine(0, 3, 0, 0)
    assert 2.9 < np.abs(drawn[:, :, 2]).max() <= 3.00001
    drawn = affine(0, 0, 0.2, 0)
    assert 1.19 < drawn[:, 0, 0].max() <= 1.20001 and not drawn[:, 0, 1].any()
    drawn = affine(0, 0, 0, 0.2)
    assert 0.19 < drawn[:, 1, 0].max() <= 0.20001 and not drawn[:, 0, 1].any()


# -- smooth fields ---------------------------------------------------------------------


@given(
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    sigma=st.integers(1, 6),
    seed=st.integers(0, 2**32),
)
def test_smoothing_is_a_gaussian_filter_of_sparse_noise(size, sigma, seed):
    """Noise on a grid as wide as sigma, in a picture that is zero between."""
    rows, columns = (resample.basis(side, float(sigma)) for side in size)
    noise = np.random.default_rng(seed).standard_normal((len(rows), len(columns)))
    found = resample.smooth(noise.astype(np.float32), rows, columns)
    wide = np.zeros([(n - 1) * sigma + 1 for n in noise.shape])
    wide[::sigma, ::sigma] = noise
    filtered = ndimage.gaussian_filter(wide, sigma, mode="constant") * sigma
    start = 3 * sigma  # the grid begins so far before the picture
    expected = filtered[start:, start:][: size[0], : size[1]]
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=2e-4)


@pytest.mark.parametrize(("sigma", "size"), [(1.0, 28), (4.0, 28), (5.5, 40)])
def test_the_covariance_is_that_of_smoothed_white_noise(sigma, size):
    """For any pair of pixels, to a part in a thousand of the variance, exactly."""
    basis = resample.basis(size, sigma).astype(np.float64)
    impulses = np.eye(size + 80)
    filtered = ndimage.gaussian_filter1d(impulses, sigma, axis=0, truncate=6)
    white = filtered[40 : 40 + size]
    expected = white @ white.T
    # The continuous Gaussian and the sampled one differ where sigma is a pixel.
    bound = (2e-3 if sigma > 1 else 2e-2) * expected.max()
    np.testing.assert_allclose(basis.T @ basis, expected, rtol=0, atol=bound)


def test_displacements_are_those_of_simard():
    """Standard deviation and correlation at a distance, of many fields."""
    elastic, size = Elastic(34, 4), (28, 28)
    fields = augment.displacements(elastic, augment.key(0), np.arange(400), size)
    noise = np.random.default_rng(0).uniform(-1, 1, (400, 68, 68))
    smooth = ndimage.gaussian_filter(noise, (0, 4, 4), mode="wrap")
    theirs = 34 * smooth[:, 20:48, 20:48]
    for axis in range(2):
        ours = fields[:, axis]
        assert ours.std() == pytest.approx(theirs.std(), rel=0.05)
        for step in (2, 5, 9):
            found, expected = (
                (f[..., step:] * f[..., :-step]).mean() / f.var()
                for f in (ours, theirs)
            )
            assert found == pytest.approx(expected, abs=0.05)
    assert abs((fields[:, 0] * fields[:, 1]).mean()) < 0.05 * fields.var()


# -- the other changes -----------------------------------------------------------------


def test_flips_mirror_every_other_image():
    images = draw_images(400, (5, 6), 3)
    found = distort(images, flip=True)
    mirrored = (found == images[:, :, ::-1]).all((1, 2, 3))
    assert (found[~mirrored] == images[~mirrored]).all()
    assert 150 < mirrored.sum() < 250


def test_crops_are_of_padded_images():
    images = draw_images(300, (6, 5), 3)
    found = distort(images, crop=2)
    padded = np.pad(images, [(0, 0), (2, 2), (2, 2), (0, 0)])
    places = []
    for image, crop in zip(padded, found):
        matches = [
            (y, x)
            for y, x in np.ndindex(5, 5)
            if (image[y : y + 6, x : x + 5] == crop).all()
        ]
        assert len(matches) == 1
        places += matches
    assert set(places) == set(np.ndindex(5, 5))


@given(size=SIZES, side=st.integers(1, 12), seed=st.integers(0, 1000))
def test_cutout_blackens_one_square(size, side, seed):
    images = np.full((4, *size, 2), 9, np.uint8)
    found = distort(images, seed=seed, cutout=side)
    assert (images == 9).all()  # what was given stays
    for hole in found == 0:
        rows, columns = np.nonzero(hole.all(-1))
        assert len(rows) and hole.any(-1).sum() == len(rows)
        height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
        assert height * width == len(rows) and max(height, width) <= side
        # Smaller than the square only where that sticks out of the image.
        assert height == side or {0, size[0] - 1} & {*rows.tolist()}
        assert width == side or {0, size[1] - 1} & {*columns.tolist()}


def test_cutout_centres_are_anywhere():
    found = distort(np.full((2000, 6, 5, 1), 9, np.uint8), cutout=1)
    share = (found == 0).mean(0)
    np.testing.assert_allclose(share, 1 / 30, atol=0.02)


@pytest.mark.parametrize("mixup", [0.1, 0.4, 1.0, 3.0])
def test_shares_are_of_a_beta_distribution(mixup):
    others, shares = augment.mixing(mixup, np.arange(4000), augment.key(0), 10)
    smaller = np.sort(1 - shares)
    points = np.array([1e-5, 1e-3, 0.01, 0.1, 0.2, 0.3, 0.4, 0.499])
    found = np.searchsorted(smaller, points) / 4000
    expected = 2 * stats.beta(mixup, mixup).cdf(points)  # either may be the smaller
    assert np.abs(found - expected).max() < 0.026  # one in a hundred, of Kolmogorov
    assert stats.chisquare(np.bincount(others, minlength=10)).pvalue > 0.01


def test_mixed_images_are_sums_of_two_and_labels_say_so():
    images = np.arange(20, dtype=np.uint8).reshape(20, 1, 1, 1) * np.uint8(12)
    train = Split(images, np.arange(20))
    recipe = RECIPES["seed-mnist"]._replace(mixup=1.0, batch_size=10)
    mixed = 0
    for batch in batches.epoch_batches(train, recipe, 0, 0):
        wanted = batch.targets(20)
        np.testing.assert_allclose(wanted.sum(1), 1, rtol=1e-6)
        assert (wanted.argmax(1) == batch.labels).all()
        grey = wanted @ (np.arange(20) * 12 / 255)
        np.testing.assert_allclose(batch.images.ravel(), grey, atol=0.51 / 255)
        mixed += int(((wanted > 0).sum(1) == 2).sum())
    assert mixed > 10


# -- order, workers, epochs ------------------------------------------------------------


@given(st.permutations(range(12)), st.integers(1, 12))
def test_an_image_changes_alike_in_any_order_and_company(order, cut):
    train = Split(draw_images(10, (6, 7), 3), np.arange(10))
    recipe = RECIPES["seed-mnist"]._replace(**EVERYTHING, expand=2)
    for expand in (0, 2):
        recipe = recipe._replace(expand=expand)
        rows = np.array([row for row in order if row < 10 + expand])
        whole = batches.prepare(train, recipe, 3, 1, np.arange(10 + expand))
        parts = [
            batches.prepare(train, recipe, 3, 1, part)
            for part in (rows[:cut], rows[cut:])
        ]
        for fields, all_of_them in zip(zip(*parts), whole):
            np.testing.assert_array_equal(np.concatenate(fields), all_of_them[rows])


@pytest.mark.parametrize("field", EVERYTHING)
def test_each_change_depends_on_seed_epoch_and_row(field):
    train = Split(draw_images(40), np.arange(40))
    recipe = RECIPES["seed-mnist"]._replace(**{field: EVERYTHING[field]})
    rows = np.arange(40)
    base = batches.prepare(train, recipe, 0, 0, rows)
    assert (base.images != train.images).any()
    again = batches.prepare(train, recipe, 0, 0, rows)
    np.testing.assert_array_equal(base.images, again.images)
    for seed, epoch in [(1, 0), (0, 1)]:
        other = batches.prepare(train, recipe, seed, epoch, rows)
        assert (other.images != base.images).any()
    two = Split(np.tile(train.images[:2], (20, 1, 1, 1)), np.arange(40) % 2)
    twins = batches.prepare(two, recipe, 0, 0, rows).images[::2]
    assert len(np.unique(twins, axis=0)) > 1


def test_an_option_more_leaves_what_the_others_draw():
    images = draw_images(50)
    plain = distort(images, affine=Affine())
    cut = distort(images, affine=Affine(), cutout=8)
    assert ((cut == plain) | (cut == 0)).all()


@pytest.mark.parametrize(("workers", "block"), [(1, 1), (2, 900), (3, 1 << 24)])
def test_batches_are_the_same_whatever_workers_prepare(workers, block, monkeypatch):
    train = Split(draw_images(330, (6, 6)), np.arange(330))
    recipe = RECIPES["seed-mnist"]._replace(**EVERYTHING, batch_size=5)
    found = [list(batches.epoch_batches(train, recipe, 0, 2, start=3))]
    monkeypatch.setattr(batches, "_BLOCK_BYTES", block)
    stream = batches.epoch_batches(train, recipe, 0, 2, start=3, workers=workers)
    found.append(list(stream))
    assert len(found[0]) == len(found[1]) == 63
    for one, other in zip(*found):
        for a, b in zip(one, other):
            np.testing.assert_array_equal(a, b)


def test_where_there_are_copies_only_they_change():
    train = Split(draw_images(30), np.arange(30))
    recipe = RECIPES["seed-mnist"]._replace(**EVERYTHING, expand=20)
    found = batches.prepare(train, recipe, 0, 0, np.arange(50))
    np.testing.assert_array_equal(found.images[:30], train.images)
    assert (found.shares[:30] == 1).all() and (found.shares[30:] < 1).any()
    assert (found.labels[:30] == np.arange(30)).all()
    assert (found.images[30:] != train.images[found.labels[30:]]).any((1, 2, 3)).all()


def test_random_numbers_are_uniform_and_independent():
    drawn = resample.uniform(augment.key(0), np.arange(2000), 50)
    assert stats.kstest(drawn.ravel(), "uniform").pvalue > 0.01
    correlation = np.corrcoef(drawn.T) - np.eye(50)
    assert np.abs(correlation).max() < 0.1
    for neighbour in (drawn[1:, 0], drawn[:-1, 1]):
        assert abs(np.corrcoef(drawn[:-1, 0], neighbour)[0, 1]) < 0.06


# -- the threads -----------------------------------------------------------------------


def test_ahead_keeps_order_and_runs_elsewhere():
    threads = set()

    def make(i):
        threads.add(threading.get_ident())
        time.sleep(0.001 * (i % 3))
        return i

    for workers in (1, 3):
        assert list(augment.ahead(make, range(20), 4, workers)) == list(range(20))
    assert threading.get_ident() not in threads


def test_ahead_computes_before_it_is_asked_but_not_far():
    made = []

    def make(i):
        made.append(i)

    stream = augment.ahead(make, range(100), depth=3)
    next(stream)
    deadline = time.monotonic() + 5
    while len(made) < 4 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(made) == 4
    stream.close()
    assert len(made) == 4


def test_ahead_raises_what_making_raises():
    def make(i):
        if i:
            raise ArithmeticError("no more")

    stream = augment.ahead(make, range(9))
    next(stream)
    with pytest.raises(ArithmeticError, match="no more"):
        next(stream)


# -- the recipe and the command --------------------------------------------------------


def test_a_recipe_survives_json():
    recipe = RECIPES["deep"]._replace(**EVERYTHING)
    setup = Setup("mnist", 0, recipe, (28, 28, 1), tuple("ab"), 10)
    again = Setup.from_json(json.loads(json.dumps(setup.to_json())))
    assert again == setup
    assert isinstance(again.recipe.elastic, Elastic)
    assert str(again.recipe.augmentation) == (
        "affine, elastic 20,2, cut-out 3, mix-up 0.4, flip, crop 2"
    )


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--elastic=30"], {"elastic": Elastic(30, 4)}),
        (["--elastic=30,5", "--flip"], {"elastic": Elastic(30, 5), "flip": True}),
        (["--elastic=0"], {"elastic": None}),
        (["--cutout=8", "--mixup=0.2", "--crop=4"], {"cutout": 8, "mixup": 0.2}),
        (["--augment=none", "--crop=4"], {"affine": None, "crop": 4}),
    ],
)
def test_options_change_the_recipe(options, expected):
    recipe = recipe_of(parser().parse_args(["--model=deep", *options]))
    assert {name: getattr(recipe, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--elastic=much"], "elastic must be ALPHA or ALPHA,SIGMA, got 'much'"),
        (["--elastic=1,2,3"], "elastic must be ALPHA or ALPHA,SIGMA, got '1,2,3'"),
        (["--elastic=34,0.5"], "sigma >= 1, both in pixels, got 34,0.5"),
        (["--elastic=nan"], "elastic must be alpha >= 0"),
        (["--cutout=-1"], "cutout must be at least 0, got -1"),
        (["--mixup=-0.1"], "mixup must be at least 0, got -0.1"),
        (["--mixup=inf"], "mixup must be a finite number"),
        (["--crop=-2"], "crop must be at least 0, got -2"),
        (["--augment=none"], "this recipe changes no image: add --augment all"),
    ],
)
def test_impossible_changes_are_refused(options, message, tmp_path, capsys):
    picture = tmp_path / "a.png"
    assert train.main([*options, f"--show-augmentation={picture}"]) == 2
    assert message in capsys.readouterr().err
    assert not picture.exists()


def test_the_changes_can_be_looked_at(tmp_path, capsys, monkeypatch):
    few = data.load("mnist")
    few = few._replace(train_images=few.train_images[:20], train_labels=np.arange(20))
    monkeypatch.setattr(data, "load", lambda *args: few)
    options = ["--validation=5", "--elastic=34", "--augment=9"]
    picture = tmp_path / "a.png"
    assert train.main([*options, f"--show-augmentation={picture}"]) == 0
    assert "a.png: affine, elastic 34,4" in capsys.readouterr().out
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_step_learns_from_mixtures():
    """The loss of a step is the cross entropy with soft labels, smoothed or not."""
    recipe = RECIPES["seed-mnist"]._replace(mixup=1.0, batch_size=8, validation=0)
    run = Run.start(Setup("mnist", 0, recipe, (12, 12, 1), tuple("abcd"), 40))
    labels = np.random.default_rng(0).integers(0, 4, 40)
    stream = batches.epoch_batches(
        Split(draw_images(40, (12, 12)), labels), recipe, 0, 0
    )
    batch = next(stream)
    stream.close()
    logits = np.asarray(run.setup.model.apply(run.params, batch.images, run.state))
    log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    soft = np.zeros((8, 4))
    for i in range(8):
        soft[i, batch.labels[i]] += batch.shares[i]
        soft[i, batch.others[i]] += 1 - batch.shares[i]
    soft = 0.9 * soft + 0.1 / 4
    expected = -(soft * log_p).sum(1).mean()
    loss, correct = loop.make_step(run)(run, batch)
    assert loss == pytest.approx(expected, rel=1e-5)
    assert correct == (logits.argmax(1) == batch.labels).sum()
