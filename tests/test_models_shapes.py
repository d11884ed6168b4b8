"""Images of any size and colour: every model learns them, and predicts them."""

import io

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from models import cnn, data, folder, images, loop, pictures, predict, train
from models.batches import Batch
from models.errors import OptionError
from models.recipes import BY_MODEL, RECIPES
from models.run import Run, Setup

NAMES = list(cnn.MODELS)
LEAST = dict.fromkeys(NAMES, 4) | {"deeper": 8}  # rows and columns that a model takes


@pytest.mark.parametrize("shape", [(32, 32, 3), (17, 23, 1), (0, 1, 1)])
@pytest.mark.parametrize("name", NAMES)
def test_every_model_learns_images_of_every_shape(name, shape):
    if shape[0] == 0:  # no more than it must have
        shape = (LEAST[name], LEAST[name] + 1, 1)
    recipe = RECIPES[BY_MODEL[name]]._replace(epochs=1, batch_size=16, l2=0.0)
    recipe = recipe._replace(lr=0.003, optimizer="adam", schedule="constant")
    run = Run.start(Setup("a", 0, recipe, shape, ("a", "b", "c"), 16 * 15))
    rng, step = np.random.default_rng(0), loop.make_step(run)
    centres = rng.random((3, *shape), np.float32)
    losses = []
    for _ in range(15):
        labels = rng.integers(0, 3, 16)
        noise = rng.random((16, *shape), np.float32)
        losses.append(step(run, Batch(0.7 * centres[labels] + 0.3 * noise, labels))[0])
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize("shape", [(3, 28, 1), (28, 3, 3), (1, 1, 1)])
@pytest.mark.parametrize("name", NAMES)
def test_images_that_are_too_small_are_refused(name, shape):
    rng = np.random.default_rng(0)
    with pytest.raises(
        OptionError,
        match=f"{shape[0]} x {shape[1]} are too small .* {LEAST[name]} x",
    ):
        cnn.MODELS[name].init(rng, shape, 10)


# -- a folder of pictures, from end to end -------------------------------------------

INKS = {"10": (200, 40, 40), "9": (40, 200, 40), "sea blue": (40, 40, 200)}


def draw(rng, ink, size=(21, 18)):
    """A noisy picture with a square somewhere: its colour tells the class."""
    width, height = size
    pixels = rng.integers(90, 150, (height, width, 3))
    row, column = rng.integers(0, height - 6), rng.integers(0, width - 6)
    pixels[row : row + 6, column : column + 6] = ink
    return Image.fromarray(pixels.astype(np.uint8))


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """A folder of pictures in three colours of the same brightness."""
    root, rng = tmp_path_factory.mktemp("data") / "my photos", np.random.default_rng(0)
    for name, ink in INKS.items():
        (root / name).mkdir(parents=True)
        for i in range(60):
            draw(rng, ink).save(root / name / f"{i}.png")
    draw(rng, INKS["9"], (90, 70)).save(root / "9" / "large.png")
    return root


@pytest.fixture(scope="module")
def trained(photos, tmp_path_factory):
    """A run on them, and what was printed."""
    where, printed = tmp_path_factory.mktemp("runs"), io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(where)
        patch.setattr("sys.stdout", printed)
        options = [f"--dataset=folder:{photos}", "--model=lenet8", "--batch-size=16"]
        assert train.main([*options, "--epochs=8"]) == 0
    return where / "runs" / "folder-my-photos-lenet8-1", printed.getvalue()


def test_a_folder_of_pictures_is_learned(trained, photos):
    where, printed = trained
    assert "116 images to train on, 29 held out, 36 to test on" in printed
    assert (
        "to test on, 20% of each class are chosen by a hash of their names" in printed
    )
    assert "pictures of other sizes, resized to 18x21: 1" in printed
    run = folder.load(where)
    assert run.setup.class_names == ("10", "9", "sea blue")
    assert run.setup.image_shape == (18, 21, 3)
    accuracy = float(printed.split("test accuracy ")[1].split("%")[0])
    assert accuracy > 90


def test_a_run_on_a_folder_is_resumed_from_anywhere(trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pictures, "draw_all", lambda *args: {})  # for their time
    assert train.main([f"--resume={trained[0]}"]) == 0


def test_pictures_in_colour_are_predicted_in_colour(trained, photos, tmp_path, capsys):
    rng, right = np.random.default_rng(5), 0
    for name, ink in INKS.items():
        for size in ((21, 18), (21, 18), (84, 72)):
            picture = draw(rng, ink, (21, 18)).resize(size, Image.Resampling.NEAREST)
            picture.save(tmp_path / "a.png")
            assert predict.main([str(trained[0]), str(tmp_path / "a.png")]) == 0
            shown = capsys.readouterr().out.splitlines()
            assert len(shown) == 18 + 1
            right += shown[-1].startswith(name + " ")
    assert right >= 8


def test_a_picture_is_predicted_from_what_was_trained_on(trained, photos):
    dataset = data.load(f"folder:{photos}")
    shape = folder.load(trained[0]).setup.image_shape
    for i in (0, len(dataset.test_labels) - 1):
        name = dataset.class_names[dataset.test_labels[i]]
        found = [
            predict.read_images(path, shape, drawn=False)[0]
            for path in sorted((photos / name).iterdir())
        ]
        assert any((image == dataset.test_images[i]).all() for image in found)


def test_how_a_picture_is_read_can_be_chosen(trained, photos, capsys):
    path = str(photos / "9" / "large.png")
    seen = []
    for options in ([], ["--picture=plain"], ["--picture=drawn"]):
        assert predict.main([str(trained[0]), path, *options]) == 0
        seen.append(capsys.readouterr().out)
    assert seen[0] == seen[1] != seen[2]


def test_clear_pictures_are_read_on_white(tmp_path):
    Image.new("RGBA", (6, 6), (0, 0, 0, 0)).save(tmp_path / "a.png")
    assert (images.read(tmp_path / "a.png", grey=False) == 255).all()
    assert images.read(tmp_path / "a.png", grey=True).shape == (6, 6, 1)


@pytest.mark.parametrize("colours", [None, "truecolor"])
def test_wide_pictures_are_drawn_as_wide_as_the_terminal(colours):
    shown = io.StringIO()
    console = Console(
        file=shown, width=16, color_system=colours, force_terminal=bool(colours)
    )
    image = np.zeros((60, 90, 3), np.uint8)
    image[..., 0] = 255
    predict.draw(console, image)
    lines = shown.getvalue().splitlines()
    assert len(lines) == 5  # of every twelfth row, or two of every sixth
    assert ("38;2;255;0;0" in lines[0]) == bool(colours)
