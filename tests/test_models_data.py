"""IDX files, sound and damaged, and data sets by name."""

import gzip
import hashlib
import http.server
import io
import lzma
import struct
import tarfile
import threading
import zipfile
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from rich.console import Console

from models import data, fetch, idx, progress
from models.errors import DataError

IDX_DTYPES = ["u1", "i1", "i2", "i4", "f4", "f8"]
COMPRESSORS = {"plain": bytes, "gz": gzip.compress, "xz": lzma.compress}


def encode(array, code=0x08):
    """An array of uint8 as the bytes of an IDX file."""
    return (
        bytes([0, 0, code, array.ndim])
        + struct.pack(f">{array.ndim}I", *array.shape)
        + array.tobytes()
    )


SOUND = encode(np.arange(24, dtype=np.uint8).reshape(2, 3, 4))


@pytest.fixture
def file(tmp_path):
    """A function that writes bytes to a file and returns its path."""

    def write(content):
        path = tmp_path / "file.idx"
        path.write_bytes(content)
        return path

    return write


# -- IDX -----------------------------------------------------------------------------


@given(
    array=st.sampled_from(IDX_DTYPES).flatmap(
        lambda dtype: hnp.arrays(dtype, hnp.array_shapes(max_dims=4, min_side=0))
    )
)
def test_what_is_written_is_read(tmp_path_factory, array):
    path = tmp_path_factory.mktemp("idx") / "a"
    idx.write(path, array)
    found = idx.read(path, rank=array.ndim)
    assert found.dtype == array.dtype and found.dtype.isnative
    np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize("name", COMPRESSORS)
def test_compression_is_told_by_the_content(file, name):
    path = file(COMPRESSORS[name](SOUND))
    assert idx.read(path).tolist() == np.arange(24).reshape(2, 3, 4).tolist()


@pytest.mark.parametrize("name", COMPRESSORS)
@pytest.mark.parametrize("length", range(len(SOUND)))
def test_truncation_at_every_byte_is_an_error(file, name, length):
    path = file(COMPRESSORS[name](SOUND[:length]))
    with pytest.raises(DataError, match="file.idx"):
        idx.read(path)


@pytest.mark.parametrize("name", ["gz", "xz"])
def test_truncated_compression_is_an_error(file, name):
    content = COMPRESSORS[name](SOUND)
    for length in range(len(content)):
        with pytest.raises(DataError, match="file.idx"):
            idx.read(file(content[:length]))


@pytest.mark.parametrize("name", ["gz", "xz"])
@given(at=st.integers(0), mask=st.integers(1, 255))
def test_a_flipped_byte_of_compression_is_an_error_or_harmless(
    tmp_path_factory, name, at, mask
):
    content = bytearray(COMPRESSORS[name](SOUND))
    content[at % len(content)] ^= mask
    path = tmp_path_factory.mktemp("idx") / "a"
    path.write_bytes(content)
    try:
        found = idx.read(path)
    except DataError as error:
        assert str(path) in str(error)
    else:  # a flip in the gzip header's time stamp, say
        np.testing.assert_array_equal(found, np.arange(24).reshape(2, 3, 4))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x00\x01" + SOUND[2:], "no IDX file: it begins with bytes 00 01 08 03"),
        (b"\x89PNG\r\n\x1a\n", "no IDX file"),
        (SOUND[:2] + b"\x07" + SOUND[3:], "unknown IDX dtype code 0x07"),
        (b"\0\0\x08\0", "number of axes"),
        (b"\0\0\x08\xff" + b"\0\0\0\1" * 255, "number of axes"),
        (SOUND + b"\0", "more data than shape"),
        (b"\0\0\x08\3" + b"\xff" * 12, "the limit is 2,147,483,648"),
        (b"\0\0\x0e\1" + b"\xff" * 4, "34,359,738,360 bytes"),
    ],
)
def test_a_damaged_file_is_an_error(file, content, message):
    with pytest.raises(DataError, match=message) as error:
        idx.read(file(content))
    assert "file.idx" in str(error.value)


def test_a_lying_header_costs_no_memory(file):
    resource = pytest.importorskip("resource")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    path = file(gzip.compress(b"\0\0\x08\1\x7f\xff\xff\xff" + bytes(1000)))
    with pytest.raises(DataError, match="got 1,000"):
        idx.read(path)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 200 << 10  # KiB; the header claims 2 GiB


def test_a_wrong_rank_is_an_error(file):
    with pytest.raises(DataError, match="expected 1 axes, got 3"):
        idx.read(file(SOUND), rank=1)


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"nothing.idx: cannot be read: No such file"):
        idx.read(tmp_path / "nothing.idx")


def test_writing_needs_a_dtype_of_the_format(tmp_path):
    with pytest.raises(DataError, match="IDX has no int64"):
        idx.write(tmp_path / "a", np.arange(3, dtype=np.int64))


# -- data sets -----------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _no_user_data(monkeypatch, tmp_path):
    monkeypatch.delenv(data.VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def put(folder, name, rng=None, n=(6, 4), transposed=False, classes=10):
    """Write a small random data set under the names that `name` must have."""
    rng = rng or np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    source, arrays = data.SOURCES[name], []
    for i, file in enumerate(source.files):
        shape = (n[i // 2], 5, 4) if i % 2 == 0 else (n[i // 2],)
        array = rng.integers(source.first_label, classes, shape).astype(np.uint8)
        (folder / f"{file}.gz").write_bytes(gzip.compress(encode(array)))
        arrays.append(array)
    if source.mapping:
        lines = [f"{i + source.first_label} {65 + i}" for i in range(classes)]
        (folder / source.mapping).write_text("\n".join(lines) + "\n")
    return arrays


def test_mnist_is_embedded():
    mnist = data.load("mnist")
    assert mnist.train_images.shape == (60000, 28, 28, 1)
    assert mnist.test_images.shape == (10000, 28, 28, 1)
    assert mnist.train_images.dtype == np.uint8
    digest = hashlib.md5(bytes.fromhex("00000803 0000ea60 0000001c 0000001c"))
    digest.update(mnist.train_images.tobytes())
    assert digest.hexdigest() == "6bbc9ace898e44ae57da46a324031adb"
    assert np.bincount(mnist.test_labels).tolist()[:3] == [980, 1135, 1032]
    assert mnist.class_names == tuple("0123456789")


def test_the_module_is_not_hidden_by_the_folder_beside_it():
    assert Path(data.__file__).name == "data.py"
    assert data.EMBEDDED.is_dir() and not (data.EMBEDDED / "__init__.py").exists()


def test_a_set_is_found_in_its_sub_folder(tmp_path):
    images, labels, _, _ = put(tmp_path / "fashion-mnist", "fashion-mnist")
    fashion = data.load("fashion-mnist", tmp_path)
    np.testing.assert_array_equal(fashion.train_images[..., 0], images)
    np.testing.assert_array_equal(fashion.train_labels, labels)
    assert fashion.class_names[9] == "Boot"


def test_a_set_is_found_through_the_variable(tmp_path, monkeypatch):
    put(tmp_path / "emnist", "emnist-digits")
    monkeypatch.setenv(data.VARIABLE, str(tmp_path / "emnist"))
    assert data.load("emnist-digits").test_images.shape == (4, 4, 5, 1)


def test_emnist_is_transposed_and_named_by_its_mapping(tmp_path):
    images, labels, _, _ = put(tmp_path / "emnist-letters", "emnist-letters")
    letters = data.load("emnist-letters", tmp_path)
    np.testing.assert_array_equal(
        letters.train_images[..., 0], images.transpose(0, 2, 1)
    )
    np.testing.assert_array_equal(letters.train_labels, labels.astype(int) - 1)
    assert letters.class_names[:3] == ("A", "B", "C")


def test_mnist_files_without_a_folder_name_are_not_taken_for_fashion(
    tmp_path, monkeypatch
):
    put(tmp_path, "fashion-mnist")
    source = data.SOURCES["fashion-mnist"]._replace(url="")
    monkeypatch.setitem(data.SOURCES, "fashion-mnist", source)
    with pytest.raises(DataError, match="was not found"):
        data.load("fashion-mnist", tmp_path)


def test_an_unknown_name_is_an_error():
    with pytest.raises(
        DataError, match="no data set 'cifar'; there are mnist, fashion"
    ):
        data.load("cifar")


def test_a_data_directory_that_is_none_is_an_error(tmp_path):
    with pytest.raises(DataError, match="nowhere is no folder"):
        data.load("fashion-mnist", tmp_path / "nowhere")


def test_without_network_the_error_says_what_to_put_where(tmp_path, monkeypatch):
    closed = "http://127.0.0.1:9/"  # the discard port: nothing listens
    source = data.SOURCES["fashion-mnist"]._replace(url=closed)
    monkeypatch.setitem(data.SOURCES, "fashion-mnist", source)
    put(tmp_path / "fashion-mnist", "fashion-mnist")
    (tmp_path / "fashion-mnist" / f"{source.files[2]}.gz").unlink()
    with pytest.raises(DataError) as error:
        data.load("fashion-mnist", tmp_path)
    message = str(error.value)
    assert f"downloading it from {closed} failed" in message
    assert all(file in message for file in source.files)
    assert f"{tmp_path / 'fashion-mnist'} (has 3 of them)" in message
    assert str(tmp_path / "cache" / "autograd_lite" / "fashion-mnist") in message


def test_a_set_without_a_source_says_what_to_put_where():
    with pytest.raises(DataError, match="it cannot be downloaded") as error:
        data.load("emnist-bymerge116k")
    assert "emnist-bymerge116k-mapping.txt" in str(error.value)


def mapping(text):
    return lambda folder: (folder / "emnist-digits-mapping.txt").write_text(text)


def damage(file, content):
    def change(folder):
        path = folder / f"{data.SOURCES['emnist-digits'].files[file]}.gz"
        path.write_bytes(gzip.compress(content))

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (damage(1, encode(np.zeros(5, np.uint8))), "6 images and .* 5 labels"),
        (
            damage(1, encode(np.full(6, 10, np.uint8))),
            "labels from 10 to 10, expected 0",
        ),
        (damage(0, encode(np.zeros((6, 20), np.uint8))), "expected 3 axes .*, got 2"),
        (damage(0, encode(np.zeros((6, 5, 4), np.int8), 0x09)), "all uint8; got int8"),
        (damage(3, encode(np.zeros(0, np.uint8))), "at least one label"),
        (damage(2, encode(np.zeros((0, 5, 4), np.uint8))), "at least one number"),
        (damage(2, encode(np.zeros((4, 7, 7), np.uint8))), "those to test on"),
        (mapping("0\n"), "'label code'"),
        (mapping("0 48\n2 50\n"), r"from 0 on without a gap, got \[0, 2\]"),
        (mapping("0 -1\n"), "'label code'"),
        (mapping(""), r"without a gap, got \[\]"),
    ],
)
def test_files_that_do_not_belong_together_are_an_error(tmp_path, change, message):
    put(tmp_path / "emnist-digits", "emnist-digits")
    change(tmp_path / "emnist-digits")
    with pytest.raises(DataError, match=message):
        data.load("emnist-digits", tmp_path)


# -- downloads -----------------------------------------------------------------------


@pytest.fixture
def server(tmp_path):
    """A folder, and the address at which a local web server offers its files."""
    root = tmp_path / "web"
    root.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            """Be quiet."""

    handler = partial(Handler, directory=str(root))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield root, f"http://127.0.0.1:{httpd.server_port}/"
        httpd.shutdown()


def md5(path):
    return hashlib.md5(path.read_bytes()).hexdigest()


def test_files_are_downloaded_once_into_the_cache(server, monkeypatch, tmp_path):
    pytest.importorskip("pooch")
    root, url = server
    images = put(root, "fashion-mnist")[0]
    source = data.SOURCES["fashion-mnist"]
    hashes = tuple(md5(root / f"{file}.gz") for file in source.files)
    source = source._replace(url=url, md5=hashes)
    monkeypatch.setitem(data.SOURCES, "fashion-mnist", source)
    fashion = data.load("fashion-mnist")
    np.testing.assert_array_equal(fashion.train_images[..., 0], images)
    for path in root.iterdir():
        path.unlink()
    np.testing.assert_array_equal(data.load("fashion-mnist")[1], fashion[1])


def test_a_download_with_another_hash_is_refused(server, monkeypatch, tmp_path):
    pytest.importorskip("pooch")
    root, url = server
    put(root, "fashion-mnist")
    source = data.SOURCES["fashion-mnist"]._replace(url=url, md5=("0" * 32,) * 4)
    monkeypatch.setitem(data.SOURCES, "fashion-mnist", source)
    with pytest.raises(DataError, match="does not match the known hash"):
        data.load("fashion-mnist")
    assert not list((tmp_path / "cache").rglob("*ubyte*"))


def test_emnist_comes_out_of_its_zip(server, monkeypatch, tmp_path):
    pytest.importorskip("pooch")
    root, url = server
    images = put(tmp_path / "packed", "emnist-digits")[0]
    with zipfile.ZipFile(root / "gzip.zip", "w") as archive:
        for path in (tmp_path / "packed").iterdir():
            archive.write(path, f"gzip/{path.name}")
        archive.writestr("gzip/emnist-letters-mapping.txt", "1 65\n")
    source = data.SOURCES["emnist-digits"]
    source = source._replace(url=f"{url}gzip.zip", md5=(md5(root / "gzip.zip"),))
    monkeypatch.setitem(data.SOURCES, "emnist-digits", source)
    digits = data.load("emnist-digits")
    np.testing.assert_array_equal(
        digits.train_images[..., 0].transpose(0, 2, 1), images
    )
    found = {
        path.name for path in (tmp_path / "cache/autograd_lite/emnist-digits").iterdir()
    }
    assert found == {path.name for path in (tmp_path / "packed").iterdir()}


def test_cifar_comes_out_of_its_archive(server, monkeypatch, tmp_path):
    pytest.importorskip("pooch")
    root, url = server
    records = np.arange(6 * 2 * 3073, dtype=np.uint32).reshape(12, 3073).astype("u1")
    records[:, 0] = 3
    with tarfile.open(root / "cifar.tar.gz", "w:gz") as archive:
        for name, part in zip(data.SOURCES["cifar-10"].files, np.split(records, 6)):
            (root / name).write_bytes(part.tobytes())
            archive.add(root / name, f"cifar-10-batches-bin/{name}")
    source = data.SOURCES["cifar-10"]._replace(url=f"{url}cifar.tar.gz")
    source = source._replace(md5=(md5(root / "cifar.tar.gz"),))
    monkeypatch.setitem(data.SOURCES, "cifar-10", source)
    found = data.load("cifar-10")
    assert found.train_images.shape == (10, 32, 32, 3)
    assert found.class_names[found.test_labels[0]] == "cat"


def test_a_damaged_download_says_so(server, monkeypatch):
    pytest.importorskip("pooch")
    root, url = server
    (root / "cifar.tar.gz").write_bytes(gzip.compress(b"no tar")[:-3])
    source = data.SOURCES["cifar-10"]._replace(url=f"{url}cifar.tar.gz")
    source = source._replace(md5=(md5(root / "cifar.tar.gz"),))
    monkeypatch.setitem(data.SOURCES, "cifar-10", source)
    with pytest.raises(DataError, match=r"failed \(.*cifar.tar.gz: ") as error:
        data.load("cifar-10")
    assert "data_batch_1.bin" in str(error.value)


def test_a_bar_shows_what_takes_long(server, monkeypatch, tmp_path):
    pytest.importorskip("pooch")
    root, url = server
    (root / "big.gz").write_bytes(bytes(100_000))
    shown = io.StringIO()
    terminal = Console(file=shown, force_terminal=True, width=80)
    monkeypatch.setattr(progress, "Console", lambda stderr: terminal)
    monkeypatch.setattr(progress, "_PATIENCE", 0)
    assert not fetch.fetch(url, (md5(root / "big.gz"),), ("big",), tmp_path / "cache")
    assert "downloading big.gz" in shown.getvalue() and "100%" in shown.getvalue()
