"""Checkpoints: exact, atomic whatever step of writing fails, and damage is noticed."""

import errno
import json
import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save as save_tensors

from models import checkpoint
from models.errors import CheckpointError

TREES = {
    "params": {"conv1": {"w": np.arange(6, dtype=np.float32).reshape(1, 2, 3)}},
    "optimizer": (np.int64(7), [np.float64([0.1, np.nan]), 3]),
}
STATE = {"epoch": 2, "loss": 0.1 + 0.2, "name": "é"}


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "run.safetensors"
    checkpoint.save(path, TREES, STATE)
    return path


def test_everything_comes_back_exactly(saved):
    trees, state = checkpoint.load(saved, TREES)
    assert state == STATE
    found = trees["params"]["conv1"]["w"]
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, TREES["params"]["conv1"]["w"])
    count, (moments, number) = trees["optimizer"]
    assert count == 7 and number == 3 and type(number) is int
    np.testing.assert_array_equal(moments, [0.1, np.nan])


def test_arrays_that_come_back_can_be_written_to(saved):
    trees, _ = checkpoint.load(saved, TREES)
    trees["params"]["conv1"]["w"] += 1


def test_some_of_the_trees_can_be_loaded(saved):
    trees, _ = checkpoint.load(saved, {"params": TREES["params"]})
    assert list(trees) == ["params"]
    assert checkpoint.load_state(saved) == STATE


def test_other_programs_can_read_it(saved):
    safetensors = pytest.importorskip("safetensors.numpy")
    tensors = safetensors.load_file(saved)
    assert sorted(tensors) == [
        "optimizer/0",
        "optimizer/1.0",
        "optimizer/1.1",
        "params/conv1.w",
    ]


@pytest.mark.parametrize(
    ("like", "message"),
    [
        ({"params": {"conv1": {"w": np.zeros((1, 2, 4), "f4")}}}, r"\(1, 2, 4\)"),
        ({"params": {"conv1": {"w": np.zeros((1, 2, 3), "f8")}}}, "model has float64"),
        ({"params": {"conv2": {"w": np.zeros((1, 2, 3), "f4")}}}, "lacks .*conv2.w"),
        ({"params": {}}, "lacks nothing and has .*conv1.w"),
    ],
)
def test_a_checkpoint_of_another_model_is_an_error(saved, like, message):
    with pytest.raises(CheckpointError, match=message) as error:
        checkpoint.load(saved, like)
    assert str(saved) in str(error.value)


# -- damage --------------------------------------------------------------------------


def test_every_truncation_is_noticed(saved, tmp_path):
    content = saved.read_bytes()
    for length in range(len(content)):
        saved.write_bytes(content[:length])
        with pytest.raises(CheckpointError, match="run.safetensors"):
            checkpoint.load(saved, TREES)


@given(at=st.integers(0), mask=st.integers(1, 255))
def test_a_flipped_byte_is_noticed(tmp_path_factory, at, mask):
    path = tmp_path_factory.mktemp("flip") / "run.safetensors"
    checkpoint.save(path, TREES, STATE)
    content = bytearray(path.read_bytes())
    content[at % len(content)] ^= mask
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="run.safetensors"):
        checkpoint.load(path, TREES)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no safetensors file at all",
        b"\xff" * 8 + b"{}",
        save_tensors({"a": np.ones(2)}),
        save_tensors({"a": np.ones(2)}, {"format": "another"}),
        save_tensors({"a": np.ones(2)}, {"format": checkpoint.FORMAT}),
    ],
)
def test_what_is_no_checkpoint_is_an_error(tmp_path, content):
    path = tmp_path / "run.safetensors"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="run.safetensors"):
        checkpoint.load_state(path)


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(CheckpointError, match="nothing: No such file"):
        checkpoint.load_state(tmp_path / "nothing")


# -- writing that fails --------------------------------------------------------------


class DiskFullError(OSError):
    """What the system raises when a disk is full."""

    def __init__(self):
        super().__init__(errno.ENOSPC, os.strerror(errno.ENOSPC))


def fail(error):
    def raise_it(*args, **kwargs):
        raise error

    return raise_it


STEPS = ["write", "fsync", "replace", "chmod"]


def break_step(monkeypatch, step, error):
    """Let one step of writing fail, after half of the content where that can be."""
    if step != "write":
        monkeypatch.setattr(os, step, fail(error))
        return
    real = os.fdopen

    def fdopen(handle, mode):
        file = real(handle, mode, buffering=0)

        class Full:
            def __enter__(self):
                return self

            def __exit__(self, *exc):
                file.close()

            def write(self, content):
                file.write(content[: len(content) // 2])
                raise error

        return Full()

    monkeypatch.setattr(os, "fdopen", fdopen)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("error", [DiskFullError(), KeyboardInterrupt()])
def test_a_failed_write_leaves_the_old_checkpoint(saved, monkeypatch, step, error):
    before = saved.read_bytes()
    with monkeypatch.context() as broken:
        break_step(broken, step, error)
        kind = CheckpointError if isinstance(error, OSError) else KeyboardInterrupt
        with pytest.raises(kind):
            checkpoint.save(saved, TREES, {"epoch": 3})
    assert saved.read_bytes() == before
    assert [path.name for path in saved.parent.iterdir()] == ["run.safetensors"]
    assert checkpoint.load_state(saved) == STATE


def test_the_error_names_the_file_and_the_reason(saved, monkeypatch):
    monkeypatch.setattr(os, "fsync", fail(DiskFullError()))
    with pytest.raises(CheckpointError, match="run.safetensors: No space left"):
        checkpoint.save(saved, TREES, STATE)


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES, errno.ENOSPC])
def test_a_folder_that_takes_no_new_file_is_a_clear_error(saved, monkeypatch, code):
    monkeypatch.setattr(tempfile, "mkstemp", fail(OSError(code, os.strerror(code))))
    with pytest.raises(CheckpointError, match=os.strerror(code)):
        checkpoint.save(saved, TREES, {"epoch": 3})
    assert checkpoint.load_state(saved) == STATE


def test_a_killed_process_leaves_the_old_checkpoint(saved):
    """Kill a process that saves again and again; what it left must be whole."""
    code = (
        "import sys, numpy as np\n"
        "from models import checkpoint\n"
        "for i in range(10**9):\n"
        "    big = {'a': np.full(300_000, i)}\n"
        "    checkpoint.save(sys.argv[1], {'params': big}, {'i': i})\n"
        "    print(i, flush=True)\n"
    )
    command = [sys.executable, "-c", code, str(saved)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        for _ in range(3):
            process.stdout.readline()
        process.kill()
    trees, state = checkpoint.load(saved, {"params": {"a": np.zeros(300_000, int)}})
    assert state["i"] >= 2 and (trees["params"]["a"] == state["i"]).all()


@pytest.mark.skipif(os.name != "posix", reason="folders have no permissions here")
def test_a_read_only_folder_is_a_clear_error(saved):
    folder = saved.parent
    folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        if os.access(folder, os.W_OK):
            pytest.skip("this user may write everywhere")
        with pytest.raises(CheckpointError, match="Permission denied"):
            checkpoint.save(saved, TREES, STATE)
    finally:
        folder.chmod(stat.S_IRWXU)
    assert checkpoint.load_state(saved) == STATE


def test_a_folder_that_is_a_file_is_a_clear_error(saved):
    with pytest.raises(CheckpointError, match="Not a directory"):
        checkpoint.save(saved / "run.safetensors", TREES, STATE)


def test_the_state_is_plain_json(saved):
    header = saved.read_bytes()
    size = int.from_bytes(header[:8], "little")
    metadata = json.loads(header[8 : 8 + size])["__metadata__"]
    assert json.loads(metadata["state"]) == STATE
    assert Path(saved).stat().st_mode & 0o777 == 0o644
