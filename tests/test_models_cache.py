"""Data larger than memory: mapped, decoded once, and never copied as a whole."""

import gzip
import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from models import batches, cache, cifar, data, idx
from models.dataset import Dataset, Rows
from models.errors import DataError
from models.recipes import RECIPES

N, SIDE = 1000, 64  # 4 MB of images


@pytest.fixture(autouse=True)
def small_memory(monkeypatch, tmp_path):
    """Half a megabyte is large here, and the cache is a new folder."""
    monkeypatch.setattr(cache, "IN_MEMORY", 1 << 19)
    monkeypatch.setattr(cache, "PIECE", 1 << 16)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def write(tmp_path):
    """A function that writes images and labels, plain or gzipped, for `idx:`."""

    def write(compress, n=N):
        rng = np.random.default_rng(n)
        images = rng.integers(0, 16, (n, SIDE, SIDE), np.uint8)
        labels = (np.arange(n) % 3).astype(np.uint8)
        paths = [tmp_path / "images", tmp_path / "labels"]
        for path, array in zip(paths, (images, labels)):
            idx.write(path, array)
            if compress:
                path.write_bytes(gzip.compress(path.read_bytes(), 1))
        return images, f"idx:{paths[0]},{paths[1]},{paths[0]},{paths[1]}"

    return write


def decoded():
    return sorted((cache.folder() / "decoded").glob("*"))


@pytest.mark.parametrize("compress", [False, True], ids=["plain", "gzip"])
def test_images_larger_than_memory_are_mapped(write, compress):
    images, name = write(compress)
    tracemalloc.start()
    try:
        dataset = data.load(name)
        train, held = batches.hold_out(dataset, 100, 0)
        recipe = RECIPES["seed-mnist"]._replace(batch_size=2)
        batch = next(batches.epoch_batches(train, recipe, 0, 0))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < images.nbytes / 4
    assert batch.images.shape == (2, SIDE, SIDE, 1)
    assert len(decoded()) == (1 if compress else 0)
    np.testing.assert_array_equal(dataset.train_images[..., 0], images)
    assert not dataset.train_images.flags.writeable


@pytest.mark.parametrize("transposed", [False, True])
def test_the_loader_needs_no_more_than_a_few_pieces(write, tmp_path, transposed):
    images, _ = write(True)
    tracemalloc.start()
    try:
        found = idx.read_images(tmp_path / "images", transposed)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 * cache.PIECE < images.nbytes / 4
    expected = images.transpose(0, 2, 1) if transposed else images
    np.testing.assert_array_equal(found[..., 0], expected)


def test_what_was_decoded_is_found_again(write, tmp_path, monkeypatch):
    images, _ = write(True)
    first = idx.read_images(tmp_path / "images")
    monkeypatch.setattr(cache, "_write", None)  # which a second time would need
    np.testing.assert_array_equal(idx.read_images(tmp_path / "images"), first)


def test_a_changed_file_is_decoded_again_and_replaces_the_old(write, tmp_path):
    write(True)
    idx.read_images(tmp_path / "images")
    (before,) = decoded()
    images, _ = write(True, n=N // 2)
    found = idx.read_images(tmp_path / "images")
    np.testing.assert_array_equal(found[..., 0], images)
    assert len(decoded()) == 1 and decoded() != [before]


@pytest.mark.parametrize("damage", ["cut", "empty", "other"])
def test_a_damaged_file_of_the_cache_is_made_again(write, tmp_path, damage):
    images, _ = write(True)
    idx.read_images(tmp_path / "images")
    (path,) = decoded()
    content = {"cut": path.read_bytes()[:5000], "empty": b"", "other": b"x" * 5000}
    path.write_bytes(content[damage])
    found = idx.read_images(tmp_path / "images")
    np.testing.assert_array_equal(found[..., 0], images)


def test_a_truncated_source_leaves_nothing_in_the_cache(write, tmp_path):
    write(True)
    path = tmp_path / "images"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-1], 1))
    with pytest.raises(DataError, match=r"images: truncated: shape \(1000, 64, 64\)"):
        idx.read_images(path)
    assert not decoded()


def test_a_source_with_more_than_it_says_leaves_nothing_either(write, tmp_path):
    write(True)
    path = tmp_path / "images"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()) + b"\0", 1))
    with pytest.raises(DataError, match="images: more data"):
        idx.read_images(path)
    assert not decoded()


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    path = tmp_path / "bomb"
    idx.write(path, np.zeros((4000, 28, 28), np.uint8))
    path.write_bytes(gzip.compress(path.read_bytes(), 9))
    monkeypatch.setattr(cache, "decoded", None)
    with pytest.raises(DataError, match="bomb: the header claims .* 200 times"):
        idx.read_images(path)


def test_a_disk_that_is_too_small_is_a_clear_error(write, tmp_path, monkeypatch):
    write(True)
    monkeypatch.setattr(
        cache.shutil, "disk_usage", lambda path: SimpleNamespace(free=1000)
    )
    with pytest.raises(DataError, match="images: .* only 1,000 bytes free. Make room"):
        idx.read_images(tmp_path / "images")


def test_a_disk_that_fills_up_is_a_clear_error(write, tmp_path, monkeypatch):
    write(True)

    def fail(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache.os, "fsync", fail)
    with pytest.raises(DataError, match="XDG_CACHE_HOME") as error:
        idx.read_images(tmp_path / "images")
    assert "No space left on device" in str(error.value) and not decoded()


def test_a_cache_that_cannot_be_made_is_a_clear_error(write, tmp_path, monkeypatch):
    write(True)
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(DataError, match="images: .*Not a directory"):
        idx.read_images(tmp_path / "images")


# -- other sources -------------------------------------------------------------------


def put_pictures(root):
    """300 pictures of 64x64 in colour, in two classes."""
    noise = np.random.default_rng(0).integers(0, 256, (300, 64, 64, 3), np.uint8)
    for i, pixels in enumerate(noise):
        path = root / "ab"[i % 2] / f"{i:03}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(path, compress_level=0)
    return f"folder:{root}"


def put_cifar(root):
    """300 records in each file of CIFAR-10."""
    for name in (*cifar.TRAIN, cifar.TEST):
        records = np.random.default_rng(0).integers(0, 10, (300, 3073), np.uint8)
        (root / name).write_bytes(records.tobytes())
    return "cifar-10"


@pytest.mark.parametrize("put", [put_pictures, put_cifar])
def test_other_sources_are_decoded_piece_by_piece(tmp_path, monkeypatch, put):
    monkeypatch.setattr(cache, "IN_MEMORY", 1 << 18)
    root = tmp_path / "source"
    root.mkdir()
    name = put(root)
    data.load(name, root)  # imports what it needs
    for path in decoded():
        path.unlink()
    tracemalloc.start()
    try:
        found = data.load(name, root)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 10 * cache.PIECE < found.train_images.nbytes / 4
    assert len(decoded()) == 2


# -- rows ----------------------------------------------------------------------------


def test_rows_are_what_the_copy_would_be():
    array, index = np.arange(60).reshape(10, 3, 2), np.array([7, 1, 1, 9])
    rows, copy = Rows(array, index), array[index]
    assert rows.shape == copy.shape and rows.dtype == copy.dtype and len(rows) == 4
    mask = np.array([True, False, False, True])
    for key in (0, -1, slice(1, 3), np.array([3, 0]), [2], mask):
        np.testing.assert_array_equal(rows[key], copy[key])
    np.testing.assert_array_equal(np.asarray(rows), copy)
    np.testing.assert_array_equal(np.asarray(rows, np.float32), copy)
    np.testing.assert_array_equal(np.stack(list(rows)), copy)
    rows[:2][...] = 0
    assert array[7].any()
    with pytest.raises(ValueError, match="without a copy"):
        np.array(rows, copy=False)


def test_holding_out_copies_no_image():
    images = np.zeros((50_000, 20, 20, 1), np.uint8)
    dataset = Dataset("a", images, np.zeros(50_000, int), images, None, ("a", "b"))
    tracemalloc.start()
    try:
        train, held = batches.hold_out(dataset, 10_000, 3)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(train.images) == 40_000 and len(held.images) == 10_000
    assert peak < images.nbytes / 8
