"""Looking inside: gradients against differences, pictures, the page, bad input."""

import base64
import io
import sys
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from autograd_lite import tree
from models import batches, cnn, data, folder, idx
from models.look import __main__ as look
from models.look import decisions, embed, excite, page, saliency, sheet, tiles, units
from models.look.subject import MOST, Subject
from models.look.tiles import Group, Panel, Scale, Section, Tile
from models.recipes import RECIPES
from models.run import Run, Setup

NAMES = ("A<", "B&", "$C$", "D")
SHAPE = (12, 12, 1)
QUICK = excite.Ascent(steps=4)


def make_images(n, shape=SHAPE, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, *shape), np.uint8)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """A folder with a small data set in the place of emnist-digits."""
    root = tmp_path_factory.mktemp("data")
    (root / "emnist-digits").mkdir()
    source = data.SOURCES["emnist-digits"]
    for i, file in enumerate(source.files):
        images = make_images(40, seed=i)[..., 0]
        array = np.arange(40, dtype=np.uint8) % 4 if "labels" in file else images
        idx.write(root / "emnist-digits" / file, array)
    lines = "".join(f"{i} {65 + i}\n" for i in range(4))
    (root / "emnist-digits" / source.mapping).write_text(lines)
    return root


def write_run(where, model="lenet8", shape=SHAPE, steps=0, names=NAMES):
    """Write an untrained run, or one that pretends to have moved."""
    recipe = next(r for r in RECIPES.values() if r.model == model)
    setup = Setup("emnist-digits", 3, recipe, shape, names, 1000)
    run = Run.start(setup)
    if steps:
        run.params = tree.map(lambda w: w * np.float32(1.5), run.params)
        run.step = steps
    where.mkdir(exist_ok=True)
    run.save(where / folder.CHECKPOINT)
    return where


@pytest.fixture(autouse=True)
def in_a_hurry(monkeypatch):
    monkeypatch.setattr(units, "CLASS", QUICK)
    monkeypatch.setattr(units, "FILTER", QUICK)


# -- saliency ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["lenet8", "slim"])
def test_gradients_are_those_of_differences(name):
    model = cnn.MODELS[name]
    params = model.init(np.random.default_rng(0), (8, 8, 1), 3)
    params, state = tree.map(
        lambda leaf: leaf.astype(float), (params, model.init_state(params))
    )
    rng = np.random.default_rng(1)
    images, way = rng.random((2, 8, 8, 1)), rng.standard_normal((2, 8, 8, 1))
    weights = rng.standard_normal((2, 3))

    def logits(x):
        return model.apply(params, x, state)

    found = saliency.gradient(logits, images, weights)
    ahead, behind = (logits(images + step * way) for step in (1e-6, -1e-6))
    slopes = ((ahead - behind) / 2e-6 * weights).sum(1)
    np.testing.assert_allclose((found * way).sum((1, 2, 3)), slopes, rtol=1e-5)


def test_smoothing_leaves_a_linear_function_alone_and_means_out_the_rest():
    rng = np.random.default_rng(0)
    images = rng.random((2, 5, 5, 1), np.float32)
    matrix = rng.random((25, 3), np.float32)
    weights = saliency.one_hot(np.array([2, 0]), 3)

    def linear(x):
        return x.reshape(2, 25) @ matrix

    expected = saliency.gradient(linear, images, weights)
    np.testing.assert_allclose(expected[0].ravel(), matrix[:, 2])
    found = saliency.smooth(linear, images, weights, rng, samples=3)
    np.testing.assert_allclose(found, expected, rtol=1e-6)

    def square(x):  # its gradient is 2 x, so noise must cancel out
        return (x * x).reshape(2, 25) @ matrix

    expected = saliency.gradient(square, images, weights)
    noisy = saliency.smooth(square, images, weights, rng, samples=1)
    smooth = saliency.smooth(square, images, weights, rng, samples=200)
    assert np.abs(noisy - expected).max() > 5 * np.abs(smooth - expected).max() > 0


def test_covering_a_pixel_that_counts_lowers_the_logit():
    image = np.zeros((9, 12, 1), np.float32)
    image[4, 8] = 1
    fall = saliency.occlusion(
        lambda x: np.stack([x.sum((1, 2, 3)), -x.sum((1, 2, 3))], 1),
        image,
        np.array([1.0, 0.0]),
    )
    assert fall.shape == (9, 12)
    assert fall.max() == fall[4, 8] == 1
    assert fall[4, 7] > 0 and fall[0].max() == fall[4, 0] == 0


@given(st.integers(1, 40), st.integers(1, 40))
def test_every_pixel_is_covered_by_some_patch(height, width):
    assert saliency._patches(height, width).sum(0).min() >= 1


# -- images that excite --------------------------------------------------------------


def test_a_class_is_excited():
    model = cnn.lenet8
    params = model.init(np.random.default_rng(0), SHAPE, 4)

    def own(x):
        return model.apply(params, x)[range(4), range(4)]

    rng = np.random.default_rng(0)
    how = excite.Ascent(steps=40)
    before = own(how.start * rng.random((4, *SHAPE), np.float32))
    images = excite.excite(own, 4, SHAPE, np.random.default_rng(0), how)
    assert images.dtype == np.float32 and images.shape == (4, *SHAPE)
    assert images.min() >= 0 and images.max() <= 1
    assert (own(images) > before + 0.05).all()


def test_a_unit_that_noise_leaves_silent_is_found_and_a_dead_one_is_not():
    def rectified(x):
        bright = x.mean((1, 2, 3)) - np.array([0.3, 2.0], np.float32)
        return (bright > 0) * bright

    how = excite.Ascent(steps=60, decay=0)
    images = excite.excite(rectified, 2, SHAPE, np.random.default_rng(0), how)
    assert rectified(images)[0] > 0.3
    assert rectified(images)[1] == 0


def test_the_odds_of_a_class_are_those_of_its_probability(tmp_path):
    subject = Subject(write_run(tmp_path))
    images = make_images(4)
    own = subject.probabilities(images).diagonal()
    odds = units._odds(subject)(batches.as_float(images))
    np.testing.assert_allclose(odds, np.log(own / (1 - own)), rtol=1e-3, atol=1e-4)


# -- points --------------------------------------------------------------------------


@given(st.integers(2, 20), st.integers(1, 6), st.integers(0, 1000))
def test_all_components_keep_all_distances(n, dimensions, seed):
    points = np.random.default_rng(seed).normal(3, 2, (n, dimensions))
    places, shares = embed.pca(points, dimensions)
    distances = [
        np.linalg.norm(p[:, None] - p[None], axis=-1) for p in (points, places)
    ]
    np.testing.assert_allclose(*distances, atol=1e-9)
    assert shares.sum() == pytest.approx(1) and (np.diff(shares) <= 1e-12).all()
    np.testing.assert_allclose(shares, places.var(0) / places.var(0).sum(), atol=1e-9)


def test_points_in_one_place_have_no_components():
    places, shares = embed.pca(np.ones((5, 3)))
    assert not places.any() and not shares.any()


def test_without_scikit_learn_there_is_no_tsne(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.manifold", None)
    assert embed.tsne(np.zeros((20, 3))) is None


@pytest.mark.slow
@pytest.mark.peer("sklearn")
def test_tsne_keeps_neighbours_together():
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.normal(at, 1, (20, 5)) for at in (-20, 20)])
    places = embed.tsne(points)
    middles = places[:20].mean(0), places[20:].mean(0)
    spread = max(places[:20].std(0).max(), places[20:].std(0).max())
    assert np.linalg.norm(middles[0] - middles[1]) > 2 * spread
    assert embed.tsne(points[:9]) is None


# -- tiles ---------------------------------------------------------------------------


@given(*[st.integers(1, 7)] * 5)
def test_tiles_are_found_in_their_mosaic(n, columns, height, width, gap):
    rng = np.random.default_rng(0)
    planes = [rng.integers(0, 256, (height, width, 3), np.uint8) for _ in range(n)]
    picture = tiles.mosaic(planes, columns, gap)
    across = min(columns, n)
    for i, plane in enumerate(planes):
        top, left = i // across * (height + gap), i % across * (width + gap)
        cell = picture[top : top + height, left : left + width]
        np.testing.assert_array_equal(cell[..., :3], plane)
    assert (picture[..., 3] == 255).sum() == n * height * width


def test_colours_tell_signs_and_sizes():
    negative, none, positive = tiles.signed(np.array([[-1.0, 0, 1]]))[0].astype(int)
    assert negative[2] > negative[0] and positive[0] > positive[2]
    assert none.tolist() == [0, 0, 0]
    rising = tiles.strength(np.linspace(0, 3, 20)[None])[0].astype(int).sum(1)
    assert (np.diff(rising) > 0).all() and rising[0] < 10
    np.testing.assert_array_equal(tiles.signed(np.zeros((2, 2))), 0)


def test_three_channels_are_colours_and_others_are_grey():
    image = make_images(1, (3, 3, 3))[0]
    np.testing.assert_array_equal(tiles.photo(image), image)
    grey = tiles.photo(image[..., :2])
    assert (grey == grey[..., :1]).all() and grey.shape == (3, 3, 3)


# -- sheets and pages ----------------------------------------------------------------


class Reader(HTMLParser):
    """What a browser would load, the texts, and the anchors."""

    def __init__(self, text):
        super().__init__()
        self.images, self.links, self.ids, self.texts = [], [], [], []
        self.open = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag not in ("meta", "img", "source", "link"):
            self.open.append(tag)
        if tag in ("img", "source"):
            self.images.append(attributes)
        if tag == "a":
            self.links.append(attributes["href"])
        if "id" in attributes:
            self.ids.append(attributes["id"])
        assert tag not in ("script", "link", "iframe")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, text):
        self.texts.append(text.strip())


def assert_stands_alone(text):
    """Check a page: well-formed, all pictures inside and described, links that lead."""
    read = Reader(text)
    assert not read.open and read.images
    for image in read.images:
        kind, _, content = (image.get("src") or image["srcset"]).partition(",")
        assert kind == "data:image/png;base64"
        Image.open(io.BytesIO(base64.b64decode(content))).verify()
        assert image.get("alt") or "srcset" in image
    assert [link.removeprefix("#") for link in read.links] == read.ids
    assert "url(" not in text and "@import" not in text
    return read


def test_a_page_shows_what_it_is_given_and_escapes_it():
    group = Group(
        "<g>",
        [Tile(np.zeros((2, 3, 3), np.uint8), "<b>", '"alt"')] * 3,
        2,
        Scale(tiles.SIGNED, "-1", "+1"),
    )
    panels = [
        Panel("a.png", "a & b", [group, group._replace(flows=True)], across=2),
        Panel("b.png", "folded", [group], folded=True),
    ]
    text = page.page("<t>", ["1 < 2"], {"one": Section("One", "sees", "made", panels)})
    read = assert_stands_alone(text)
    for shown in ("<t>", "1 < 2", "<g>", "<b>", "a & b", "folded", "-1", "+1", "One"):
        assert shown in read.texts
    assert len(read.images) == 9 and read.images[0]["alt"] == '"alt"'
    assert (read.images[0]["width"], read.images[0]["height"]) == ("3", "2")


def test_a_sheet_has_every_tile_where_it_fits():
    rng = np.random.default_rng(0)
    colours = [tuple(int(v) for v in c) for c in rng.integers(40, 216, (7, 3))]
    made = [Tile(np.full((2, 2, 3), c, np.uint8), "$x_") for c in colours]
    groups = [Group("first $", made[:3], 3), Group("", made[3:], 2)]
    content = sheet.png(Panel("a.png", "title", groups, across=2))
    picture = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    assert (picture[[0, -1]] == 255).all() and (picture[:, [0, -1]] == 255).all()
    areas = {c: int((picture == c).all(-1).sum()) for c in colours}
    sizes = [areas[c] for c in colours]
    assert min(sizes) > 0.97 * max(sizes) > 10_000


# -- what is looked at ---------------------------------------------------------------


def test_without_images_there_is_one_of_each_class(tmp_path, data_dir):
    subject = Subject(write_run(tmp_path), (), data_dir)
    assert [s.name for s in subject.images] == [f"test:{i}" for i in range(4)]
    assert [s.label for s in subject.images] == [0, 1, 2, 3]
    guess = int(subject.chances[1].argmax())
    said = subject.said(1)
    assert f"{NAMES[guess]} (" in said and said.endswith(" %)")
    assert ("taken for" in said) == (guess != 1)


def test_images_come_from_the_test_set_and_from_files(tmp_path, data_dir):
    idx.write(tmp_path / "two.idx", make_images(2)[..., 0])
    Image.fromarray(make_images(1)[0, ..., 0]).save(tmp_path / "a.png")
    asked = ["test:17", str(tmp_path / "two.idx"), str(tmp_path / "a.png")]
    shown = Subject(write_run(tmp_path), asked, data_dir).images
    assert [s.name for s in shown] == ["test:17", "two.idx:0", "two.idx:1", "a.png"]
    assert [s.label for s in shown] == [1, None, None, None]
    np.testing.assert_array_equal(shown[2].pixels, make_images(2)[1])


def test_a_picture_is_read_as_drawn_or_as_it_is(tmp_path):
    where = write_run(tmp_path, shape=(12, 12, 3))
    picture = np.full((12, 12, 3), 255, np.uint8)
    picture[4:8, 4:8] = 200, 0, 0
    Image.fromarray(picture).save(tmp_path / "a.png")
    asked = [str(tmp_path / "a.png")]
    (drawn,) = Subject(where, asked).images  # as the run's data, letters, are
    assert (drawn.pixels[0] == 0).all() and np.ptp(drawn.pixels, axis=-1).max() == 0
    (plain,) = Subject(where, asked, drawn=False).images
    np.testing.assert_array_equal(plain.pixels, picture)


def test_initial_parameters_are_drawn_again_from_the_seed(tmp_path):
    subject = Subject(write_run(tmp_path, steps=5))
    initial, now = subject.initial["conv1"]["w"], subject.run.params["conv1"]["w"]
    np.testing.assert_array_equal(initial * np.float32(1.5), now)
    section = look.before_and_after(subject, lambda part: None)
    assert [p.title for p in section.panels] == ["conv1: moved by 50 %"]
    assert "dense1 by 50 %" in section.sees


def test_panels_of_images_of_one_name_have_files_of_their_own():
    names = decisions._files(["a.png", "a.png", "a-png", "test:1"])
    assert len(set(names)) == 4 and names[0] == "a-png"


# -- the command ---------------------------------------------------------------------


def run_look(*arguments):
    return look.main([str(a) for a in arguments])


@pytest.mark.parametrize(
    ("model", "steps"),
    [pytest.param("slim", 7, marks=pytest.mark.slow), ("lenet8", 0)],
)
def test_a_look_from_end_to_end(tmp_path, data_dir, capsys, model, steps):
    where = write_run(tmp_path / "run", model, steps=steps)
    assert run_look(where, f"--data-dir={data_dir}") == 0
    out = where / "look"
    assert str(out / "index.html") in capsys.readouterr().out
    files = {path.name for path in out.glob("*.png")}
    expected = {"saliency", "excite-classes", "excite-filters", "pca", "mistakes"}
    expected |= {"kernels-conv1", "before-after-conv1", "maps-test-0"}
    assert {f"{name}.png" for name in expected} <= files
    for file in files:
        with Image.open(out / file) as picture:
            picture.verify()
    read = assert_stands_alone((out / "index.html").read_text(encoding="utf8"))
    assert read.ids == list(look.SECTIONS)
    text = " ".join(read.texts)
    assert ("and 7 of " in text) == (steps == 7)
    assert ("not trained yet" in text) == (steps == 0)
    assert "A<" in text and "$C$" in text


@pytest.mark.parametrize(
    "model",
    ["slim", *(pytest.param(m, marks=pytest.mark.slow) for m in [*cnn.MODELS][1:])],
)
def test_colour_images_of_any_model_without_its_data(tmp_path, model):
    shape = (14, 10, 3)
    where = write_run(tmp_path / "run", model, shape)
    idx.write(tmp_path / "one.idx", make_images(1, shape))
    only = ["kernels", "before-after", "maps", "saliency", "excite"]
    out = tmp_path / "out"
    arguments = [where, tmp_path / "one.idx", "--out", out, "--only", *only]
    assert run_look(*arguments) == 0
    assert (out / "maps-one-idx.png").exists() and not (where / "look").exists()
    read = assert_stands_alone((out / "index.html").read_text(encoding="utf8"))
    assert set(read.ids) == set(only)


def test_many_classes_are_shown_in_parts(tmp_path, data_dir):
    names = tuple(f"class {i}" for i in range(47))
    subject = Subject(write_run(tmp_path, names=names), (), data_dir)
    subject.asked = [f"test:{i % 40}" for i in range(47)]
    section = look.salient(subject, lambda part: None)
    first, rest = section.panels
    assert len(first.groups) == decisions.OPEN_ROWS and not first.folded
    assert len(first.groups) + len(rest.groups) == 47 and rest.folded
    assert len(look.feature_maps(subject, lambda part: None).panels) == 47
    subject.asked = ()
    assert (
        len(look.feature_maps(subject, lambda part: None).panels) == decisions.UNASKED
    )


def test_a_run_without_mistakes_says_so(tmp_path, data_dir):
    subject = Subject(write_run(tmp_path), (), data_dir)
    labels = subject.test.labels
    subject.evaluation = SimpleNamespace(
        labels=labels,
        predictions=labels,
        accuracy=1.0,
        worst=lambda n: np.array([], np.int64),
    )
    section = look.mistakes(subject, lambda part: None)
    assert not section.panels and section.sees.startswith("None: all 40")


def test_the_list_has_every_section(capsys):
    assert run_look("--list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(look.SECTIONS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "cannot read nowhere/checkpoint.safetensors"),
        (["RUN", "--only", "kernel"], "--only kernel: there are saliency, maps"),
        (["RUN", "test:40"], "has 40 test images, test:0 to test:39"),
        (["RUN", "test:x"], "test:x: expected a number, such as test:17"),
        (["RUN", "none.png"], "none.png: cannot be read: No such file"),
        (["RUN", "text.png"], "text.png: no picture that can be read"),
        (["RUN", "wide.idx"], "wide.idx: expected images of (12, 12, 1)"),
        (["RUN", "many.idx"], f"many.idx has 65 images: {MOST} at most"),
        (["RUN", *["test:1"] * 65], f"65 images to look at: {MOST} at most"),
        (["RUN", "--out=text.png/in"], "cannot make the folder text.png/in"),
    ],
)
def test_what_cannot_be_looked_at_is_a_clear_error(
    tmp_path, monkeypatch, capsys, data_dir, arguments, message
):
    monkeypatch.chdir(tmp_path)
    write_run(tmp_path / "RUN")
    (tmp_path / "text.png").write_text("no picture")
    idx.write(tmp_path / "wide.idx", make_images(2, (12, 13)))
    idx.write(tmp_path / "many.idx", make_images(65)[..., 0])
    assert run_look(arguments[0], f"--data-dir={data_dir}", *arguments[1:]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and message in error and error.count("\n") == 1
    assert not (tmp_path / "RUN" / "look").exists()


def test_data_of_another_shape_are_a_clear_error(tmp_path, data_dir, capsys):
    where = write_run(tmp_path / "run", shape=(14, 14, 1))
    assert run_look(where, f"--data-dir={data_dir}", "--only", "mistakes") == 2
    error = capsys.readouterr().err
    assert "takes images of (14, 14, 1)" in error and "are (12, 12, 1)" in error


def test_without_a_run_the_latest_is_looked_at(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run_look("--only", "kernels") == 2
    assert "there is no run in runs/" in capsys.readouterr().err
    (tmp_path / "runs").mkdir()
    where = write_run(tmp_path / "runs" / "a-1")
    assert run_look("--only", "kernels") == 0
    assert (where / "look" / "index.html").exists()


def test_an_interrupted_look_ends_with_130(tmp_path, monkeypatch, capsys):
    def stop(subject, advance):
        raise KeyboardInterrupt

    monkeypatch.setitem(look.SECTIONS, "kernels", ("", stop))
    assert run_look(write_run(tmp_path / "run"), "--only", "kernels") == 130
    assert "interrupted" in capsys.readouterr().err
    assert not (tmp_path / "run" / "look" / "index.html").exists()
