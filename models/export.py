"""Parameters to and from PyTorch: `python -m models.export RUN FILE.safetensors`.

| here | there |
|---|---|
| `conv1.w` (r, s, c, k), `conv1.b` | `conv1.weight` (k, c, r, s), `conv1.bias` |
| `conv1.norm.scale`, `conv1.norm.bias` | `conv1_bn.weight`, `conv1_bn.bias` |
| averages `conv1.mean`, `conv1.var` | `conv1_bn.running_mean`, `conv1_bn.running_var` |
| `dense1.w` (inputs, outputs) | `dense1.weight` (outputs, inputs) |

Images are flattened in the order (h, w, c) here and (c, h, w) there, so the inputs of
the first dense layer change places. Nothing else happens to the numbers: there and back
is the identity. `models/torch_nets.py` has the models for PyTorch.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as save_tensors

from autograd_lite import tree

from . import cnn, command, folder
from .checkpoint import write_atomically
from .errors import CheckpointError
from .run import Run
from .terminal import say

Tensors = dict[str, NDArray]
Shape = tuple[int, int, int]

_NAMES = {"w": "weight", "b": "bias", "scale": "weight", "bias": "bias"}
_NAMES |= {"mean": "running_mean", "var": "running_var"}
_COUNTER = "num_batches_tracked"  # PyTorch keeps it, and only needs it without momentum


class Leaf(NamedTuple):
    """An array of ours and the tensor that it is in PyTorch."""

    name: str  # of the tensor
    value: NDArray
    there: Callable[[NDArray], NDArray]
    back: Callable[[NDArray], NDArray]


def to_torch(
    model: cnn.Model, params: cnn.Params, state: cnn.State, image_shape: Shape
) -> Tensors:
    """Return a model's parameters and running averages as PyTorch would have them.

    >>> params = cnn.lenet8.init(np.random.default_rng(0))
    >>> tensors = to_torch(cnn.lenet8, params, {}, (28, 28, 1))
    >>> tensors["conv1.weight"].shape, tensors["dense1.weight"].shape
    ((8, 1, 3, 3), (128, 1352))
    """
    leaves = [*_params(model, params, state, image_shape), *_state(state)]
    return {leaf.name: np.ascontiguousarray(leaf.there(leaf.value)) for leaf in leaves}


def from_torch(
    tensors: Mapping[str, NDArray],
    model: cnn.Model,
    params: cnn.Params,
    state: cnn.State,
    image_shape: Shape,
    source: object = "the state_dict",
) -> tuple[cnn.Params, cnn.State]:
    """Return parameters and running averages like those given, with these numbers.

    Raises `CheckpointError`, naming the source and the tensor, where they don't fit.
    """
    for_params = _params(model, params, state, image_shape)
    for_state = _state(state)
    wanted = {leaf.name for leaf in [*for_params, *for_state]}
    stored = {name for name in tensors if not name.endswith(_COUNTER)}
    if wanted != stored:
        missing = sorted(wanted - stored) or "nothing"
        extra = sorted(stored - wanted) or "nothing"
        raise CheckpointError(
            f"{source} does not fit this model: it lacks {missing} and has {extra} "
            "besides"
        )
    return tuple(
        tree.unflatten(
            tree.structure(like), [_taken(leaf, tensors, source) for leaf in leaves]
        )
        for like, leaves in [(params, for_params), (state, for_state)]
    )


def save(path: str | Path, run: Run) -> list[str]:
    """Write a run's model to a safetensors file for PyTorch; return the tensors' names.

    Its metadata say which model it is, of what images and classes. Raises
    `CheckpointError` when it cannot be written; what was there before stays.
    """
    setup = run.setup
    tensors = to_torch(setup.model, run.params, run.state, setup.image_shape)
    metadata = {
        "format": "pt",
        "model": setup.recipe.model,
        "image_shape": json.dumps(setup.image_shape),
        "class_names": json.dumps(setup.class_names),
    }
    write_atomically(path, save_tensors(tensors, metadata))
    return list(tensors)


def load(path: str | Path, run: Run) -> Run:
    """Return a run with the parameters of a file that `save` or PyTorch wrote.

    Raises `CheckpointError`, naming the file and the tensor, when it is damaged or has
    tensors of another model.
    """
    setup = run.setup
    params, state = from_torch(
        read(path), setup.model, run.params, run.state, setup.image_shape, path
    )
    return replace(run, params=params, state=state)


def read(path: str | Path) -> Tensors:
    """Return the tensors of a safetensors file; raises `CheckpointError`."""
    try:
        with safe_open(path, framework="numpy") as file:
            names = file.keys()
            return {name: _read_tensor(file, name, path) for name in names}
    except OSError as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(f"cannot read {path}: {error}") from error
    except SafetensorError as error:
        raise CheckpointError(
            f"{path} is damaged or no safetensors file: {error}"
        ) from error


def _read_tensor(file: Any, name: str, path: str | Path) -> NDArray:
    try:
        return file.get_tensor(name)
    except (TypeError, KeyError, AttributeError) as error:  # a dtype unknown to NumPy
        kind = file.get_slice(name).get_dtype()
        raise CheckpointError(
            f"{path}: {name} is of dtype {kind}: save it as float32, tensor.float()"
        ) from error


def _params(
    model: cnn.Model, params: cnn.Params, state: cnn.State, image_shape: Shape
) -> list[Leaf]:
    """Return the leaves of parameters, in their order, as PyTorch has them."""
    leaves: list[Leaf] = []
    channels: int | None = _channels(model, params, state, image_shape)
    for path, value in zip(tree.paths(params), tree.leaves(params), strict=True):
        there, back = _transposed(value, channels)
        if value.ndim == 2:  # the first of those that are dense
            channels = None
        leaves.append(Leaf(_tensor_name(path), value, there, back))
    return leaves


def _channels(
    model: cnn.Model, params: cnn.Params, state: cnn.State, image_shape: Shape
) -> int:
    """Return the channels of what is flattened: the last maps, or the images."""
    image = np.zeros((1, *image_shape), np.float32)
    maps = list(model.feature_maps(params, image, state).values())
    return maps[-1].shape[3] if maps else image_shape[2]


def _state(state: cnn.State) -> list[Leaf]:
    return [
        Leaf(_tensor_name(path), value, _same, _same)
        for path, value in zip(tree.paths(state), tree.leaves(state), strict=True)
    ]


def _tensor_name(path: str) -> str:
    """Return PyTorch's name of a leaf.

    >>> _tensor_name("block1.first.w"), _tensor_name("conv2.norm.scale")
    ('block1.first.weight', 'conv2_bn.weight')
    """
    path, _, leaf = path.rpartition(".")
    layer = path.removesuffix(".norm")
    norm = "_bn" if layer != path or leaf in ("mean", "var") else ""
    return f"{layer}{norm}.{_NAMES[leaf]}"


def _transposed(
    value: NDArray, channels: int | None
) -> tuple[Callable[[NDArray], NDArray], Callable[[NDArray], NDArray]]:
    """Return what brings a leaf to PyTorch, and back.

    A matrix whose inputs are flattened images is told the number of their `channels`.
    """
    if value.ndim == 4:
        return lambda w: w.transpose(3, 2, 0, 1), lambda w: w.transpose(2, 3, 1, 0)
    if value.ndim != 2:
        return _same, _same
    if channels is None:
        return np.transpose, np.transpose
    inputs, outputs = value.shape
    return (
        lambda w: (
            w.reshape(-1, channels, outputs).transpose(2, 1, 0).reshape(w.T.shape)
        ),
        lambda w: (
            w.reshape(outputs, channels, -1).transpose(2, 1, 0).reshape(w.T.shape)
        ),
    )


def _same(value: NDArray) -> NDArray:
    return value


def _taken(leaf: Leaf, tensors: Mapping[str, NDArray], source: object) -> NDArray:
    """Return the array for a leaf of ours out of a file's tensors."""
    found, expected = tensors[leaf.name], leaf.there(leaf.value)
    if found.shape != expected.shape or found.dtype != expected.dtype:
        raise CheckpointError(
            f"{source}: {leaf.name} is {found.dtype} {found.shape}, the model has "
            f"{expected.dtype} {expected.shape}"
        )
    return np.array(leaf.back(found), order="C")


# -- the command ---------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = _parser().parse_args(arguments)
    return command.run(lambda: _export(options, Console(highlight=False)))


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python -m models.export",
        description="Write a trained model for PyTorch, or read it back.",
        epilog="In PyTorch: net = models.torch_nets.load(FILE); that module needs "
        "torch and safetensors alone, and may be copied.",
    )
    add = made.add_argument
    add("run", metavar="RUN", help="the folder of a run")
    add("file", metavar="FILE", help="a safetensors file, with PyTorch's names")
    add(
        "--import",
        dest="back",
        action="store_true",
        help="make a run like RUN, which stays, with the parameters in FILE",
    )
    add("--out", metavar="DIR", help="folder of that run [runs/DATASET-MODEL-N]")
    return made


def _export(options: argparse.Namespace, console: Console) -> None:
    run = folder.load_trained(Path(options.run))
    setup = run.setup
    if not options.back:
        names = save(options.file, run)
        say(
            console,
            f"wrote {len(names)} tensors of {setup.recipe.model}: {options.file}",
        )
        return
    changed = load(options.file, run)
    where = folder.create(options.out, f"{setup.dataset}-{setup.recipe.model}")
    changed.save_model(where / folder.MODEL)
    say(console, f"wrote a run with these parameters: {where}")


if __name__ == "__main__":
    sys.exit(main())
