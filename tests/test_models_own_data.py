"""One's own data: `idx:`, `folder:` and CIFAR-10 in its binary form."""

import doctest
import gzip
import re
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from models import cache, cifar, data, idx, image_folder, train
from models.dataset import Dataset
from models.errors import DataError


@pytest.fixture(autouse=True)
def _no_user_data(monkeypatch, tmp_path):
    monkeypatch.delenv(data.VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(params=["memory", "mapped"])
def memory(request, monkeypatch):
    """The same with data that fit in memory, and with data that don't."""
    if request.param == "mapped":
        monkeypatch.setattr(cache, "IN_MEMORY", 0)
    monkeypatch.setattr(cache, "PIECE", 5000)


# -- idx: ----------------------------------------------------------------------------


@pytest.fixture
def put(tmp_path):
    """A function that writes four arrays and returns the name of the set."""

    def put(*arrays):
        paths = [tmp_path / f"{i}.idx" for i in range(4)]
        for path, array in zip(paths, arrays):
            idx.write(path, array)
        return "idx:" + ",".join(map(str, paths))

    return put


def random(*shape, high=256, dtype=np.uint8):
    return np.random.default_rng(shape).integers(0, high, shape).astype(dtype)


@pytest.mark.parametrize("size", [(5, 7), (5, 7, 1), (9, 4, 3)])
def test_images_may_be_of_any_size_grey_or_colour(put, memory, size):
    train, test = random(20, *size), random(6, *size)
    name = put(train, np.arange(20, dtype="u1") % 4, test, np.arange(6, dtype="u1") % 4)
    found = data.load(name)
    assert found.train_images.shape == (20, *size[:2], (*size, 1)[2])
    np.testing.assert_array_equal(found.train_images.reshape(train.shape), train)
    np.testing.assert_array_equal(found.test_images.reshape(test.shape), test)
    assert found.train_labels.tolist() == [i % 4 for i in range(20)]


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([3, 7, 10], "u1"),
        ([-100, -5, 9], "i1"),
        ([1, 30_000], "i2"),
        ([-9, 70_000], "i4"),
    ],
)
def test_labels_may_be_any_integers(put, values, dtype):
    labels = np.array(values * 4, dtype)
    name = put(random(len(labels), 4, 4), labels, random(2, 4, 4), labels[:2])
    found = data.load(name)
    assert found.class_names == tuple(map(str, values))
    assert [int(found.class_names[i]) for i in found.train_labels] == values * 4
    assert found.test_labels.tolist() == [0, 1]
    assert found.train_labels.dtype == found.test_labels.dtype == np.int64


def test_labels_may_be_words_in_a_text_file(tmp_path, put):
    put(random(3, 4, 4), np.zeros(3, "u1"), random(2, 4, 4), np.zeros(2, "u1"))
    (tmp_path / "a.txt").write_text("zebra\n bee \nzebra\n", "utf8")
    (tmp_path / "b.txt").write_text("bee\nzebra", "utf8")
    parts = ("0.idx", "a.txt", "2.idx", "b.txt")
    found = data.load("idx:" + ",".join(str(tmp_path / part) for part in parts))
    assert found.class_names == ("bee", "zebra")
    assert found.train_labels.tolist() == [1, 0, 1]
    assert found.test_labels.tolist() == [0, 1]


def test_numbers_in_a_text_file_are_in_the_order_of_numbers(tmp_path, put):
    put(random(3, 4, 4), np.zeros(3, "u1"), random(2, 4, 4), np.zeros(2, "u1"))
    (tmp_path / "a.txt").write_text("10\n9\n-1\n")
    name = f"idx:{tmp_path}/0.idx,{tmp_path}/a.txt,{tmp_path}/0.idx,{tmp_path}/a.txt"
    assert data.load(name).class_names == ("-1", "9", "10")


def test_a_set_of_relative_paths_is_known_by_absolute_ones(tmp_path, put, monkeypatch):
    put(
        random(3, 4, 4),
        np.arange(3, dtype="u1"),
        random(3, 4, 4),
        np.arange(3, dtype="u1"),
    )
    monkeypatch.chdir(tmp_path)
    found = data.load("idx:0.idx,1.idx,2.idx,3.idx")
    monkeypatch.chdir("/")
    np.testing.assert_array_equal(data.load(found.name)[1], found[1])
    assert found.short_name == "idx-0.idx"


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (
            np.zeros(4, "f4"),
            "1.idx: expected at least one label, all integers; got flo",
        ),
        (np.zeros(3, "u1"), "0.idx has 4 images and .*1.idx 3 labels"),
        (np.zeros(4, "u1"), "1.idx: expected two classes or more, got '0' alone"),
        (np.zeros((4, 1), "u1"), "1.idx: expected 1 axes, got 2"),
        (np.array([0, 1, 1, 0], "u1"), r"3.idx: labels 5, 7 .*1.idx has none of them"),
        (np.zeros(2_000_000, "u1"), "1.idx: the header claims"),
    ],
)
def test_labels_that_do_not_fit_are_an_error(put, labels, message):
    name = put(random(4, 5, 5), labels, random(3, 5, 5), np.array([0, 5, 7], "u1"))
    with pytest.raises(DataError, match=message):
        data.load(name)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a\n\nb\n", "a.txt: line 2 has no label"),
        (b"\xff\xfe", "a.txt: expected text in UTF-8"),
        (b"", "4 images and .*a.txt 0 labels"),
        (None, "a.txt: cannot be read: No such file"),
    ],
)
def test_words_that_are_none_are_an_error(tmp_path, put, content, message):
    put(random(4, 5, 5), np.zeros(4, "u1"))
    if content is not None:
        (tmp_path / "a.txt").write_bytes(content)
    parts = [str(tmp_path / "0.idx"), str(tmp_path / "a.txt")]
    with pytest.raises(DataError, match=message):
        data.load("idx:" + ",".join(parts * 2))


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (random(4, 5), "0.idx: expected 3 axes"),
        (random(4, 5, 5, dtype="i2"), "0.idx: .* all uint8; got int16"),
        (random(4, 3, 5, 5), "0.idx: expected 1 or 3 channels in the last axis"),
        (
            random(4, 5, 6),
            "images to train on are .5, 6, 1., those to test on .5, 5, 1.",
        ),
        (
            np.zeros((1, 3000, 3000), "u1"),
            "0.idx: images of shape .3000, 3000., 9,000,0",
        ),
    ],
)
def test_images_that_are_none_are_an_error(put, images, message):
    labels = (np.arange(len(images)) % 2).astype("u1")
    name = put(images, labels, random(3, 5, 5), np.array([0, 1, 1], "u1"))
    with pytest.raises(DataError, match=message):
        data.load(name)


# -- names ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "cifar",
            "no data set 'cifar'; there are mnist, .*cifar-10, idx:TRAIN.* and fol",
        ),
        ("idx:a,b,c", "'idx:a,b,c' has 3 files; expected idx:TRAIN_IMAGES,TRAIN"),
        ("idx:a,,c,d", "expected idx:"),
        ("folder:", "'folder:' names no folder; expected folder:DIR"),
        ("folder:a,big", "'big' in 'folder:a,big' is unknown; expected folder:DIR"),
        ("folder:a,size=28", "'size=28' in"),
        ("folder:a,size=0x3", "'size=0x3' in"),
        ("folder:a,test=1", "'test=1' in"),
        ("folder:a,test=0.0", "'test=0.0' in"),
    ],
)
def test_a_name_that_is_none_says_what_there_is(name, message):
    with pytest.raises(DataError, match=message):
        data.check_name(name)


@given(st.text(st.characters(exclude_characters="\0,"), max_size=300))
def test_short_names_are_safe_parts_of_file_names(text):
    name = Dataset(f"folder:/data/{text},size=4x4", *[None] * 4, ()).short_name
    assert name.startswith("folder-") and len(name) <= 60
    assert not set(name) & set('/\\:*?"<>| \n')


# -- folder: -------------------------------------------------------------------------


def picture(path, value, size=(6, 5), mode="L", **settings):
    """Write a picture of one colour; size: width, height."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, value).save(path, **settings)


@pytest.fixture
def pets(tmp_path):
    """A folder with ten grey pictures of cats and five of dogs, each its own grey."""
    root = tmp_path / "my pets"
    for i in range(10):
        picture(root / "cat" / f"{i}.png", 10 + i)
    for i in range(5):
        picture(root / "dog" / f"{i}.PNG", 100 + i)
    return root


def greys(images):
    assert (images == images[:, :1, :1]).all()
    return images[:, 0, 0, 0].tolist()


def colours_of(dataset):
    return greys(dataset.train_images) + greys(dataset.test_images)


def test_a_folder_is_split_by_class_always_the_same_way(pets, memory):
    found = data.load(f"folder:{pets}")
    assert found.class_names == ("cat", "dog")
    assert found.train_images.shape == (12, 5, 6, 1)
    assert np.bincount(found.test_labels).tolist() == [2, 1]
    both = colours_of(found)
    assert sorted(both) == [*range(10, 20), *range(100, 105)]
    labels = [*found.train_labels, *found.test_labels]
    assert [grey >= 100 for grey in both] == [label == 1 for label in labels]
    assert "20% of each class are chosen" in found.notes[0]
    assert found.short_name == "folder-my-pets"

    moved = pets.rename(pets.parent / "elsewhere")  # the names alone decide
    assert greys(data.load(f"folder:{moved}").test_images) == greys(found.test_images)


def test_a_new_picture_leaves_the_others_where_they_are(pets):
    before = set(greys(data.load(f"folder:{pets}").test_images))
    picture(pets / "cat" / "new.png", 50)
    after = set(greys(data.load(f"folder:{pets}").test_images))
    assert len(before ^ after) <= 2


def test_folders_train_and_test_are_used(tmp_path):
    for part, values in (("train", (1, 2, 3)), ("test", (4, 5))):
        for name in ("10", "9"):
            for value in values:
                grey = value + 10 * int(name)
                picture(tmp_path / part / name / f"{value}.png", grey)
    found = data.load(f"folder:{tmp_path}")
    assert found.class_names == ("9", "10")  # as numbers
    assert greys(found.train_images) == [91, 92, 93, 101, 102, 103]
    assert greys(found.test_images) == [94, 95, 104, 105]
    assert found.test_labels.tolist() == [0, 0, 1, 1] and not found.notes
    with pytest.raises(DataError, match="leave test= out"):
        data.load(f"folder:{tmp_path},test=0.5")


def test_what_a_name_says_is_done(pets):
    found = data.load(f"folder:{pets},size=8x9,colour,test=.5")
    assert found.train_images.shape == (8, 8, 9, 3)
    assert "pictures of other sizes, resized to 8x9: 15" in found.notes
    assert found.name == f"folder:{pets},size=8x9,colour,test=.5"


def test_most_pictures_decide_the_size_and_one_the_colour(pets):
    picture(pets / "dog" / "large.jpg", (200, 0, 0), (40, 30), "RGB")
    (pets / "dog" / "notes.md").touch()
    (pets / "dog" / ".hidden").touch()
    found = data.load(f"folder:{pets}")
    assert found.train_images.shape[1:] == (5, 6, 3)
    assert found.notes[1:] == (
        "files left out, no .png, .jpg, .jpeg: 1",
        "pictures of other sizes, resized to 5x6: 1",
    )
    assert data.load(f"folder:{pets},grey").train_images.shape[3] == 1


@pytest.mark.parametrize(
    ("mode", "value", "expected"),
    [
        ("L", 77, 77),
        ("1", 1, 255),
        ("LA", (10, 0), 255),  # clear: the white paper is seen
        ("I;16", 77 * 256 + 3, 77),
        ("RGB", (77, 77, 77), 77),
        ("RGBA", (77, 77, 77, 255), 77),
        ("P", 0, 0),
    ],
)
def test_every_mode_of_png_is_read(tmp_path, mode, value, expected):
    for name in ("a", "b"):
        for i in range(2):
            picture(tmp_path / name / f"{i}.png", value, mode=mode)
    found = data.load(f"folder:{tmp_path},grey")
    assert set(greys(found.train_images)) == {expected}


def test_photographs_are_turned_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by a quarter to see it
    wide = Image.new("L", (64, 32))
    wide.paste(255, (0, 0, 32, 32))  # the left half, which is the top when upright
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for i in range(2):
            wide.save(tmp_path / name / f"{i}.jpg", exif=exif)
    found = data.load(f"folder:{tmp_path}").train_images
    assert found.shape[1:] == (64, 32, 1)
    assert found[:, :30].min() > 240 and found[:, 34:].max() < 16


def test_a_changed_picture_is_decoded_again(pets, monkeypatch):
    monkeypatch.setattr(cache, "IN_MEMORY", 0)
    name = f"folder:{pets}"
    assert 13 in colours_of(data.load(name))
    picture(pets / "cat" / "3.png", 250)
    changed = colours_of(data.load(name))
    assert 250 in changed and 13 not in changed


def empty(root):
    for path in (root / "dog").iterdir():
        path.unlink()
    (root / "dog" / "notes.txt").touch()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (empty, "dog: a class without a picture; expected files that end in .png"),
        (lambda root: shutil.rmtree(root / "dog"), "my pets: .* got 'cat' alone"),
        (lambda root: shutil.rmtree(root), "my pets: cannot be read: No such file"),
        (
            lambda root: root.rename(root.parent / "x") and root.touch(),
            "my pets: cannot be read: Not a directory",
        ),
        (
            lambda root: [shutil.rmtree(path) for path in root.iterdir()],
            "my pets: expected two classes or more, got none",
        ),
        (
            lambda root: (root / "cat" / "3.png").write_bytes(b"no picture"),
            "3.png: no picture that can be read: cannot identify",
        ),
    ],
)
def test_a_folder_that_is_none_is_an_error(pets, change, message):
    change(pets)
    with pytest.raises(DataError, match=message):
        data.load(f"folder:{pets}")


def test_pictures_that_are_too_large_need_a_size(tmp_path):
    for name in ("a", "b"):
        for i in range(2):
            picture(tmp_path / name / f"{i}.png", 9, (2100, 2000))
    with pytest.raises(DataError, match="the limit is .*with ,size=64x64"):
        data.load(f"folder:{tmp_path}")
    assert greys(data.load(f"folder:{tmp_path},size=64x64").test_images) == [9, 9]


def test_one_picture_of_each_class_leaves_nothing_to_test(tmp_path):
    for name in ("a", "b"):
        picture(tmp_path / name / "1.png", 9)
    with pytest.raises(DataError, match="no class has two pictures"):
        data.load(f"folder:{tmp_path}")


def test_a_class_to_test_that_was_never_trained_is_an_error(tmp_path):
    for name in ("train/a", "train/b", "test/a", "test/c"):
        picture(tmp_path / name / "1.png", 9)
    with pytest.raises(DataError, match="c: a class to test on that .*train does not"):
        data.load(f"folder:{tmp_path}")


def test_a_folder_that_may_not_be_read_is_an_error(pets, monkeypatch):
    real = image_folder.Path.iterdir

    def iterdir(path):
        if path.name == "dog":  # permissions do not stop the root user
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(image_folder.Path, "iterdir", iterdir)
    with pytest.raises(
        DataError, match="my pets/dog: cannot be read: Permission denied"
    ):
        data.load(f"folder:{pets}")


# -- CIFAR-10 ------------------------------------------------------------------------


def put_cifar(folder, n=4, names=True):
    """Write CIFAR-10 with n records in each file; returns all records."""
    folder.mkdir(parents=True)
    records = random(6 * n, 3073)
    records[:, 0] = np.arange(6 * n) % 10
    for file, part in zip((*cifar.TRAIN, cifar.TEST), np.split(records, 6)):
        (folder / file).write_bytes(part.tobytes())
    if names:
        (folder / cifar.NAMES).write_text(
            "".join(f"name{i}\n" for i in range(10)) + "\n"
        )
    return records


@pytest.mark.parametrize("place", ["cifar-10", "cifar-10-batches-bin", "."])
def test_cifar_is_read_plane_by_plane(tmp_path, memory, place):
    records = put_cifar(tmp_path / "data" / place)
    found = data.load("cifar-10", tmp_path / "data")
    assert found.train_images.shape == (20, 32, 32, 3)
    assert found.test_images.shape == (4, 32, 32, 3)
    np.testing.assert_array_equal(found.train_labels, records[:20, 0])
    np.testing.assert_array_equal(found.test_labels, records[20:, 0])
    for record, image in zip(records, [*found.train_images, *found.test_images]):
        np.testing.assert_array_equal(record[1:1025].reshape(32, 32), image[..., 0])
        np.testing.assert_array_equal(record[2049:].reshape(32, 32), image[..., 2])
    assert found.class_names[:2] == ("name0", "name1")


def test_the_names_of_cifar_are_known(tmp_path):
    put_cifar(tmp_path / "cifar-10", names=False)
    found = data.load("cifar-10", tmp_path)
    assert found.class_names[0] == "airplane" and found.class_names[9] == "truck"


def change_file(name, change):
    def apply(folder):
        path = folder / name
        path.write_bytes(change(path.read_bytes()))

    return apply


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            change_file(cifar.TRAIN[2], lambda b: b[:-1]),
            "data_batch_3.bin: 12,291 bytes",
        ),
        (change_file(cifar.TEST, lambda b: b + b"\0"), "test_batch.bin: .* no whole"),
        (change_file(cifar.TEST, lambda b: b""), "test_batch.bin: 0 bytes"),
        (
            change_file(cifar.TRAIN[4], lambda b: b[:3073] + b"\x0a" + b[3074:]),
            "data_batch_5.bin: record 1 has the label 10, expected 0 to 9",
        ),
        (change_file(cifar.NAMES, lambda b: b"a b"), "meta.txt: expected 10 names"),
        (change_file(cifar.NAMES, lambda b: b"\xff"), "meta.txt: cannot be read"),
    ],
)
def test_cifar_that_is_damaged_is_an_error(tmp_path, change, message):
    put_cifar(tmp_path / "cifar-10")
    change(tmp_path / "cifar-10")
    with pytest.raises(DataError, match=message):
        data.load("cifar-10", tmp_path)


def test_an_archive_in_the_data_directory_is_unpacked_into_the_cache(tmp_path):
    put_cifar(tmp_path / "packed")
    (tmp_path / "data").mkdir()
    with tarfile.open(tmp_path / "data" / "cifar-10-binary.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "packed", "cifar-10-batches-bin")
    first = data.load("cifar-10", tmp_path / "data")
    assert first.class_names[3] == "name3"
    shutil.rmtree(tmp_path / "data")
    np.testing.assert_array_equal(data.load("cifar-10")[1], first[1])


def test_an_archive_that_lacks_a_file_is_named(tmp_path):
    put_cifar(tmp_path / "packed")
    (tmp_path / "packed" / cifar.TEST).unlink()
    with tarfile.open(tmp_path / "cifar-10-binary.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "packed", "cifar-10-batches-bin")
    with pytest.raises(DataError, match=r"tar.gz does not have all its files") as error:
        data.load("cifar-10", tmp_path)
    assert "or cifar-10-binary.tar.gz, which has them" in str(error.value)


# -- EMNIST as it is distributed -----------------------------------------------------


def test_the_letters_of_emnist_are_read_as_they_are_distributed(tmp_path):
    """Labels 1 to 26, a mapping of label, capital and small letter, columns first."""
    folder = tmp_path / "gzip"
    folder.mkdir()
    upright = np.zeros((26, 28, 28), np.uint8)
    upright[:, 4:24, 8] = 255  # an upright bar, left of the middle
    for part in ("train", "test"):
        for kind, array in (
            ("images-idx3", upright.transpose(0, 2, 1)),
            ("labels-idx1", np.arange(1, 27, dtype=np.uint8)),
        ):
            path = folder / f"emnist-letters-{part}-{kind}-ubyte"
            idx.write(path, array)
            (folder / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
            path.unlink()
    lines = [f"{i + 1} {65 + i} {97 + i}" for i in range(26)]
    (folder / "emnist-letters-mapping.txt").write_text("\n".join(lines) + "\n")
    found = data.load("emnist-letters", folder)
    np.testing.assert_array_equal(found.train_images[..., 0], upright)
    assert "".join(found.class_names) == "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    assert found.test_labels.tolist() == list(range(26))


# -- the page that describes all this ------------------------------------------------

PAGE = Path(__file__).parent.parent / "docs" / "data.md"


@pytest.mark.parametrize("name", [*data.SOURCES, *data.FORMS])
def test_the_page_has_every_source(name):
    assert f"`{name}" in PAGE.read_text("utf8")


def test_the_examples_of_the_page_run():
    failed, tried = doctest.testfile(str(PAGE), module_relative=False)
    assert tried and not failed


def test_the_commands_of_the_page_are_understood():
    commands = re.findall(
        r"^    python -m models.train (.*)", PAGE.read_text("utf8"), re.M
    )
    for command in commands:
        options = train.parser().parse_args(command.split())
        assert data.check_name(options.dataset) == options.dataset
    assert len(commands) >= 5
