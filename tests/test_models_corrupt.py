"""Archives, pictures and checkpoints that lie, are cut off, or would fill memory."""

import hashlib
import io
import json
import struct
import tarfile
import tracemalloc
import warnings
import zipfile
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from models import checkpoint, fetch, images, predict
from models.errors import CheckpointError, DataError

# -- archives ------------------------------------------------------------------------


def make_zip(members):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return packed.getvalue()


def make_tar(members):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return packed.getvalue()


@pytest.fixture(
    params=[("a.zip", make_zip), ("a.tar.gz", make_tar)], ids=["zip", "tar"]
)
def pack(request, tmp_path):
    """A function that packs members and returns the archive's path."""
    name, make = request.param

    def pack(members):
        (tmp_path / name).write_bytes(make(members))
        return tmp_path / name

    return pack


WANTED = ["wanted", "other"]
CONTENT = bytes(range(256)) * 40


def files(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_wanted_members_are_unpacked_wherever_they_are(pack, tmp_path):
    archive = pack({"wanted": b"1", "deep/er/other.gz": CONTENT, "no": b"3"})
    fetch.extract(archive, WANTED, tmp_path / "out")
    assert files(tmp_path / "out") == ["other.gz", "wanted"]
    assert (tmp_path / "out" / "other.gz").read_bytes() == CONTENT


def test_no_member_leads_out_of_the_folder(pack, tmp_path):
    names = ["../wanted", "/tmp/other", "../../wanted/../other.gz", "..", "a/.."]
    archive = pack(dict.fromkeys(names, CONTENT))
    fetch.extract(archive, WANTED, tmp_path / "a" / "out")
    assert files(tmp_path) == sorted(
        [archive.name, "a/out/other", "a/out/other.gz", "a/out/wanted"]
    )


def test_links_are_not_followed(tmp_path):
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        for kind, name in ((tarfile.SYMTYPE, "wanted"), (tarfile.LNKTYPE, "other")):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/hostname"
            archive.addfile(info)
    fetch.extract(tmp_path / "a.tar.gz", WANTED, tmp_path / "out")
    assert files(tmp_path / "out") == []


def test_an_archive_cut_off_anywhere_is_an_error(pack, tmp_path):
    noise = np.random.default_rng(0).bytes(3000)
    archive = pack({"first": noise, "wanted": noise})
    content = archive.read_bytes()
    for length in range(0, len(content) - 20, 97):
        archive.write_bytes(content[:length])
        with pytest.raises(DataError, match=f"{archive.name}: "):
            fetch.extract(archive, ["wanted"], tmp_path / "out")
        assert files(tmp_path / "out") == []


def test_what_is_no_archive_is_an_error(pack, tmp_path):
    archive = pack({})
    archive.write_bytes(b"no archive" * 100)
    with pytest.raises(DataError, match=archive.name):
        fetch.extract(archive, WANTED, tmp_path / "out")


def test_an_archive_that_bursts_is_refused(pack, tmp_path, monkeypatch):
    monkeypatch.setattr(fetch, "MAX_MEMBER", 100_000)
    archive = pack({"wanted": bytes(100_001)})
    with pytest.raises(DataError, match="wanted claims 100,001 bytes"):
        fetch.extract(archive, WANTED, tmp_path / "out")
    assert files(tmp_path / "out") == []


def test_a_zip_that_claims_less_than_it_has_is_an_error(tmp_path):
    content = make_zip({"wanted": bytes(100_000)})
    lying = content.replace(struct.pack("<I", 100_000), struct.pack("<I", 10))
    assert lying != content
    (tmp_path / "a.zip").write_bytes(lying)
    with pytest.raises(DataError, match="a.zip: damaged archive"):
        fetch.extract(tmp_path / "a.zip", WANTED, tmp_path / "out")
    assert files(tmp_path / "out") == []


# -- pictures ------------------------------------------------------------------------

SHAPE = (28, 28, 1)


def chunk(name, content):
    crc = struct.pack(">I", zlib.crc32(name + content))
    return struct.pack(">I", len(content)) + name + content + crc


def png(width, height, pixels=b""):
    """A PNG that claims a size, and has these compressed pixels."""
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = [(b"IHDR", head), (b"IDAT", zlib.compress(pixels)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


@pytest.fixture
def file(tmp_path):
    """A function that writes bytes to a file and returns its path."""

    def write(content):
        path = tmp_path / "file.png"
        path.write_bytes(content)
        return path

    return write


@pytest.mark.parametrize("side", [8_193, 11_000, 20_000, 2**31 - 1])
@pytest.mark.parametrize("drawn", [True, False])
def test_a_picture_that_claims_to_be_huge_is_refused(file, side, drawn):
    path = file(png(side, side, bytes(1000)))
    tracemalloc.start()
    try:
        with (
            warnings.catch_warnings(action="error"),
            pytest.raises(DataError, match=r"file.png: .*pixel") as error,
        ):
            predict.read_images(path, SHAPE, drawn)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert str(error.value).count("\n") == 0 and peak < 20 << 20


def whole(kind):
    saved = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8)
    Image.fromarray(noise).save(saved, kind)
    return saved.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_picture_cut_off_anywhere_is_an_error(file, kind):
    content = whole(kind)
    for length in range(0, len(content) * 9 // 10, 29):
        with pytest.raises(DataError, match=r"file.png: no picture that can be read"):
            predict.read_images(file(content[:length]), SHAPE, drawn=False)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM"])
@given(at=st.integers(0, 200), value=st.integers(0, 255))
def test_a_damaged_picture_is_read_or_an_error(tmp_path_factory, kind, at, value):
    content = bytearray(whole(kind))
    content[at % len(content)] = value
    path = tmp_path_factory.mktemp("flip") / "file"
    path.write_bytes(content)
    try:
        found = predict.read_images(path, (9, 8, 3), drawn=False)
    except DataError as error:
        assert str(path) in str(error)
    else:
        assert found.shape == (1, 9, 8, 3) and found.dtype == np.uint8


@pytest.mark.parametrize(
    "content", [b"", b"<svg/>", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"]
)
def test_what_is_no_picture_is_an_error(file, content):
    with pytest.raises(DataError, match=r"file.png: no picture that can be read"):
        images.read(file(content), grey=True)


def test_a_folder_is_no_picture(tmp_path):
    with pytest.raises(DataError, match="cannot be read: Is a directory"):
        predict.read_images(tmp_path, SHAPE)


# -- checkpoints ---------------------------------------------------------------------

ARRAY = np.arange(6, dtype=np.float32)
LIKE = {"params": {"a": ARRAY, "b": ARRAY}}
DATA = ARRAY.tobytes() * 2


def digest(state):
    """The hash that a checkpoint of LIKE with this state has."""
    found = hashlib.sha256(state.encode())
    for name in ("params/a", "params/b"):
        found.update(f"{name} float32 (6,)".encode() + ARRAY.tobytes())
    return found.hexdigest()


def tensor(start, stop, shape=(6,), dtype="F32"):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [start, stop]}


def safetensors(header=None, state='{"epoch": 1}', data=DATA, **tensors):
    """The bytes of a checkpoint; its header or its tensors may be replaced by lies."""
    if header is None:
        metadata = {"format": checkpoint.FORMAT, "state": state}
        fields = {"params/a": tensor(0, 24), "params/b": tensor(24, 48)}
        fields |= {f"params/{name}": value for name, value in tensors.items()}
        header = {"__metadata__": metadata | {"sha256": digest(state)}, **fields}
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


@pytest.fixture
def saved(tmp_path):
    """A function that writes bytes as a checkpoint and loads it."""

    def load(content):
        (tmp_path / "run.safetensors").write_bytes(content)
        return checkpoint.load(tmp_path / "run.safetensors", LIKE)

    return load


def test_the_checkpoint_that_is_damaged_below_is_sound(saved):
    trees, state = saved(safetensors())
    np.testing.assert_array_equal(trees["params"]["b"], ARRAY)
    assert state == {"epoch": 1}


LIES = {
    "header beyond the file": struct.pack("<Q", 10_000) + safetensors()[8:],
    "header of 2**63 bytes": struct.pack("<Q", 2**63) + safetensors()[8:],
    "header that ends too soon": struct.pack("<Q", 40) + safetensors()[8:],
    "no header": struct.pack("<Q", 0) + DATA,
    "seven bytes": safetensors()[:7],
    "no UTF-8": safetensors(b'{"\xff\xfe": {}}'),
    "no JSON": safetensors(b"{'a': 1}    "),
    "a list": safetensors([1, 2]),
    "a tensor that is a number": safetensors({"params/a": 3}),
    "offsets outside": safetensors(b=tensor(24, 4_800, (1_194,))),
    "offsets far outside": safetensors(b=tensor(24, 2**62, (2**60,))),
    "offsets below zero": safetensors(b=tensor(-24, 48)),
    "offsets reversed": safetensors(b=tensor(48, 24)),
    "overlapping": safetensors(b=tensor(0, 24), data=DATA[:24]),
    "half overlapping": safetensors(b=tensor(12, 36)),
    "a hole": safetensors(b=tensor(28, 52), data=DATA + b"1234"),
    "data cut off": safetensors()[:-1],
    "data too long": safetensors() + b"\0",
    "shape too large": safetensors(b=tensor(24, 48, (7,))),
    "shape that overflows": safetensors(b=tensor(24, 48, (2**33, 2**33))),
    "shape of another rank": safetensors(b=tensor(24, 48, (2, 3))),
    "dtype of another size": safetensors(b=tensor(24, 48, dtype="F64")),
    "dtype of the same size": safetensors(b=tensor(24, 48, dtype="I32")),
    "dtype unknown to NumPy": safetensors(b=tensor(24, 48, (12,), "BF16")),
    "dtype unknown": safetensors(b=tensor(24, 48, dtype="X1")),
    "one tensor more": safetensors(c=tensor(48, 72), data=DATA + DATA[:24]),
    "metadata of null": safetensors({"__metadata__": None}, data=b""),
    "metadata of numbers": safetensors({"__metadata__": {"format": 1}}, data=b""),
    "no metadata": safetensors({}, data=b""),
    "state that is no JSON": safetensors(state="{"),
    "state that is a list": safetensors(state="[1]"),
    "state that is very deep": safetensors(state="[" * 100_000),
}


@pytest.mark.parametrize("name", LIES)
def test_a_checkpoint_that_lies_is_an_error(saved, name):
    with pytest.raises(CheckpointError, match=r"run\.safetensors"):
        saved(LIES[name])


def test_a_file_that_is_no_checkpoint_is_not_read_as_a_whole(tmp_path):
    path = tmp_path / "run.safetensors"
    with path.open("wb") as file:
        file.write(b"\xff" * 8)
        file.truncate(1 << 33)  # takes no place
    tracemalloc.start()
    try:
        with pytest.raises(CheckpointError, match="run.safetensors is damaged"):
            checkpoint.load_state(path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
