"""Checkpoints: trees of arrays and a JSON state in one safetensors file.

All that a run needs to go on is in one file, and a file appears under its name only
when it is complete and on the disk: written beside it, synced, renamed. Whenever the
process or the machine stops, the name holds the old checkpoint or the new one.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from autograd_lite import tree

from .errors import CheckpointError

FORMAT = "autograd_lite 1"


def save(path: str | Path, trees: Mapping[str, Any], state: Mapping[str, Any]) -> None:
    """Write named trees of arrays and a JSON state to a file, all or nothing.

    The leaf at `conv1.w` of the tree `params` is the tensor `params/conv1.w`.

    Raises `CheckpointError` when it cannot be written; what was there before stays.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "run.safetensors"
    >>> save(path, {"params": {"w": np.ones(2)}}, {"epoch": 3})
    >>> load(path, {"params": {"w": np.zeros(2)}})
    ({'params': {'w': array([1., 1.])}}, {'epoch': 3})
    """
    tensors = {
        f"{name}/{leaf}": np.asarray(value, order="C")
        for name, values in trees.items()
        for leaf, value in zip(tree.paths(values), tree.leaves(values), strict=True)
    }
    text = json.dumps(state)
    metadata = {
        "format": FORMAT,
        "state": text,
        "sha256": _digest(tensors, text),
    }
    write_atomically(path, save_tensors(tensors, metadata))


def load(
    path: str | Path, like: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the trees and the JSON state of a file that `save` wrote.

    `like` has a tree for each name wanted: its structure, shapes and dtypes are what
    the file must have. Python numbers among its leaves come back as Python numbers.

    Raises `CheckpointError`, naming the file, when it is damaged or does not fit.
    """
    tensors, state = _read(Path(path))
    trees = {name: _fill(name, value, tensors, path) for name, value in like.items()}
    return trees, state


def load_state(path: str | Path) -> dict[str, Any]:
    """Return the JSON state alone, from which to make the trees that `load` needs."""
    return _read(Path(path))[1]


def write_atomically(path: str | Path, content: bytes | str) -> None:
    """Give a file this content, so that no one ever sees a part of it.

    Raises `CheckpointError` when it cannot be written; what was there before stays.
    """
    path = Path(path)
    data = content.encode() if isinstance(content, str) else content
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(name, 0o644)  # mkstemp's files are the owner's alone
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)
    except OSError as error:
        reason = error.strerror or error
        raise CheckpointError(f"cannot write {path}: {reason}") from error


def _sync_folder(folder: Path) -> None:
    """Bring a folder's new entry to the disk, where the system has a way to."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _read(path: Path) -> tuple[dict[str, NDArray], dict[str, Any]]:
    content = _content(path)
    try:
        tensors = load_tensors(content)
        metadata = _metadata(content)
    except (SafetensorError, ValueError, KeyError) as error:  # KeyError: an odd dtype
        raise CheckpointError(
            f"{path} is damaged or no safetensors file: {error}"
        ) from error
    if metadata.get("format") != FORMAT:
        raise CheckpointError(f"{path} is no checkpoint of a run: no {FORMAT!r} in it")
    text = metadata.get("state", "")
    if metadata.get("sha256") != _digest(tensors, text):
        raise CheckpointError(f"{path} is damaged: its content does not fit its hash")
    return tensors, _state(text, path)


def _content(path: Path) -> bytes:
    """Return a file's bytes, all of them only where it may be a safetensors file."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            length = int.from_bytes(head := file.read(8), "little")
            if not 2 <= length <= size - 8:
                raise CheckpointError(
                    f"{path} is damaged or no safetensors file: it claims a header of "
                    f"{length:,} bytes and has {size:,} in all"
                )
            return head + file.read()
    except CheckpointError:
        raise
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror}") from error


def _metadata(content: bytes) -> dict[str, str]:
    """Return a safetensors file's metadata; its header was validated by the loader."""
    size = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + size]).get("__metadata__") or {}


def _state(text: str, path: Path) -> dict[str, Any]:
    try:
        state = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is damaged: its state: {error}") from error
    if not isinstance(state, dict):
        raise CheckpointError(f"{path} is damaged: its state is no JSON object")
    return state


def _digest(tensors: Mapping[str, NDArray], text: str) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        digest.update(f"{name} {tensors[name].dtype} {tensors[name].shape}".encode())
        digest.update(tensors[name].tobytes())
    return digest.hexdigest()


def _fill(name: str, like: Any, tensors: Mapping[str, NDArray], path: Any) -> Any:
    """Return a tree like `like` with the leaves that the file has for it."""
    leaves, treedef = tree.flatten(like)
    wanted = [f"{name}/{leaf}" for leaf in tree.paths(like)]
    stored = {key for key in tensors if key.startswith(f"{name}/")}
    if set(wanted) != stored:
        missing = sorted(set(wanted) - stored) or "nothing"
        extra = sorted(stored - set(wanted)) or "nothing"
        raise CheckpointError(
            f"{path} does not fit this model: it lacks {missing} and has {extra} "
            "besides"
        )
    values = [
        _restore(key, leaf, tensors[key], path)
        for key, leaf in zip(wanted, leaves, strict=True)
    ]
    return tree.unflatten(treedef, values)


def _restore(key: str, like: Any, value: NDArray, path: Any) -> Any:
    expected = np.asarray(like)
    if value.shape != expected.shape or value.dtype != expected.dtype:
        raise CheckpointError(
            f"{path}: {key} is {value.dtype} {value.shape}, the model has "
            f"{expected.dtype} {expected.shape}"
        )
    return value if isinstance(like, np.ndarray) else value.item()
