"""Recipes of `models` in PyTorch eager, as its users would write them.

The data set is a tensor, batches are rows of it; images are transformed by grid_sample,
a batch at a time. The forms "torch", "torch nhwc" and "torch nchw" are those of
`benchmarks.peers.torch`.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.cases import Epoch
from benchmarks.peers.torch import keep_large_blocks
from benchmarks.recipes import lacking, start
from benchmarks.timing import Job
from models import export
from models.augment import Affine
from models.average import decay_at
from models.batches import Split
from models.recipes import Recipe
from models.run import Run, Setup
from models.torch_nets import NETS


def _sgd(groups: Any, **options: Any) -> torch.optim.Optimizer:
    return torch.optim.SGD(_own(groups), lr=1.0, fused=True, **options)


def _adam(groups: Any) -> torch.optim.Optimizer:
    return torch.optim.Adam(_own(groups), lr=1.0, fused=True)


def _own(groups: Any) -> Any:
    """Copies: an optimiser keeps its learning rate in the dicts that it is given."""
    return [dict(group) for group in groups]


# As `models.optimizers` has them: groups of parameters -> optimisers, each with how
# many times the scheduled learning rate it takes.
OPTIMIZERS: dict[str, Callable[[Any], list[tuple[torch.optim.Optimizer, float]]]] = {
    "sgd": lambda groups: [(_sgd(groups), 1)],
    "momentum": lambda groups: [(_sgd(groups, momentum=0.9), 1)],
    "nesterov": lambda groups: [(_sgd(groups, momentum=0.9, nesterov=True), 1)],
    "adam": lambda groups: [(_adam(groups), 1)],
    "adam+momentum": lambda groups: [
        *[(_adam(groups), 1), (_sgd(groups, momentum=0.9), 10)]
    ],
}


class Trainer:
    """A net with its optimisers, begun with the given parameters."""

    def __init__(self, name: str, setup: Setup, begun: dict[str, Tensor]) -> None:
        recipe = setup.recipe
        plain = name == "torch nchw"
        self.form = torch.contiguous_format if plain else torch.channels_last
        self.net = NETS[recipe.model](setup.image_shape, len(setup.class_names))
        self.net.load_state_dict(begun)
        self.net.to(memory_format=self.form).train()
        self.optimizers = OPTIMIZERS[recipe.optimizer](self._groups(recipe))
        self.lr = setup.lr
        self.label_smoothing, self.ema = recipe.label_smoothing, recipe.ema
        self.decay = recipe.weight_decay or 0.0
        self.weights = [p.data for p in self.net.parameters() if p.ndim > 1]
        self.learned = [
            value.detach() for value in self.net.state_dict().values() if value.ndim
        ]
        self.average = [value.clone() for value in self.learned] if self.ema else []
        self.steps = 0

    def _groups(self, recipe: Recipe) -> list[dict[str, Any]]:
        """Weights, which L2 holds small, and the others."""
        of_all = list(self.net.parameters())
        return [
            {
                "params": [p for p in of_all if p.ndim > 1],
                "weight_decay": 2 * recipe.l2,
            },
            {"params": [p for p in of_all if p.ndim == 1], "weight_decay": 0.0},
        ]

    def step(self, x: Tensor, y: Tensor) -> tuple[float, int]:
        """Train on images (n, c, h, w); the loss, and how many were classed right."""
        for optimizer, times in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = times * self.lr(self.steps)
            optimizer.zero_grad(set_to_none=True)
        logits = self.net(x.contiguous(memory_format=self.form))
        loss = F.cross_entropy(logits, y, label_smoothing=self.label_smoothing)
        loss.backward()
        if self.decay:  # not in the gradient, as AdamW does it
            torch._foreach_mul_(self.weights, 1 - self.lr(self.steps) * self.decay)
        for optimizer, _ in self.optimizers:
            optimizer.step()
        if self.ema:
            share = 1 - decay_at(self.steps, self.ema)
            torch._foreach_lerp_(self.average, self.learned, share)
        self.steps += 1
        return loss.item(), int((logits.argmax(1) == y).sum())


def beginning(setup: Setup) -> dict[str, Tensor]:
    """The parameters that our runs begin with."""
    run = Run.start(setup)
    arrays = export.to_torch(setup.model, run.params, run.state, setup.image_shape)
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def thetas(affine: Affine, drawn: Tensor, size: tuple[int, int]) -> Tensor:
    """Transforms (n, 2, 3) for affine_grid, of the ranges of `models.augment.Affine`.

    drawn: (6, n) numbers from -1 to 1.
    """
    angle, shear = drawn[0] * np.deg2rad(affine.rotation), drawn[1] * affine.shear
    down, right = 1 + affine.scale * drawn[2:4]
    cos, sin = torch.cos(angle), torch.sin(angle)
    height, width = size
    shift = 2 * affine.shift * drawn[4:]
    x = [cos * right, (sin * down + cos * shear) * height / width, shift[1] / width]
    y = [-sin * right * width / height, cos * down - sin * shear, shift[0] / height]
    return torch.stack([torch.stack(x, -1), torch.stack(y, -1)], 1)


def warp(x: Tensor, theta: Tensor) -> Tensor:
    """Transform images (n, c, h, w), interpolating linearly; outside all is 0."""
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, align_corners=False)


def mirror(x: Tensor, which: Tensor) -> Tensor:
    """Mirror images (n, c, h, w), left and right, where `which` (n,) is true."""
    return torch.where(which[:, None, None, None], x.flip(-1), x)


def crop(x: Tensor, margin: int, corners: Tensor) -> Tensor:
    """Crop images padded by `margin` to their size; corners: (2, n), row and column."""
    padded = F.pad(x, [margin] * 4)
    rows, columns = (
        torch.arange(size) + first[:, None] for size, first in zip(x.shape[2:], corners)
    )
    each = torch.arange(len(x))[:, None, None]
    return padded[each, :, rows[:, :, None], columns[:, None]].permute(0, 3, 1, 2)


def cut(x: Tensor, side: int, centres: Tensor) -> Tensor:
    """Set a square of each image to 0; centres: (2, n), row and column."""
    inside = [
        (torch.arange(size) >= first) & (torch.arange(size) < first + side)
        for size, first in zip(x.shape[2:], centres[..., None] - side // 2)
    ]
    return x.masked_fill((inside[0][:, :, None] & inside[1][:, None])[:, None], 0.0)


def change(x: Tensor, recipe: Recipe) -> Tensor:
    """Change images (n, c, h, w) at random, as a recipe says."""
    if recipe.affine:
        x = warp(x, _drawn(recipe.affine, x))
    if recipe.flip:
        x = mirror(x, torch.rand(len(x)) < 0.5)
    if recipe.crop:
        x = crop(x, recipe.crop, torch.randint(2 * recipe.crop + 1, (2, len(x))))
    if recipe.cutout:
        size = torch.tensor(x.shape[2:])[:, None]
        x = cut(x, recipe.cutout, (torch.rand(2, len(x)) * size).long())
    return x


def train(
    trainer: Trainer, recipe: Recipe, images: Tensor, labels: Tensor
) -> np.ndarray:
    """Train for an epoch on images uint8 (n, c, h, w); the loss of each step."""
    n, size = len(labels), recipe.batch_size
    source = torch.cat([torch.arange(n), torch.randint(n, (recipe.expand,))])
    order = torch.randperm(len(source))
    losses = []
    for rows in order[: len(order) // size * size].split(size):
        index = source[rows]
        x = images[index].float().div_(255)
        if recipe.expand:
            chosen = rows >= n
            x[chosen] = change(x[chosen], recipe)
        else:
            x = change(x, recipe)
        losses.append(trainer.step(x, labels[index])[0])
    return np.array(losses)


def _drawn(affine: Affine, x: Tensor) -> Tensor:
    height, width = x.shape[2:]
    return thetas(affine, 2 * torch.rand(6, len(x)) - 1, (height, width))


def epoch(name: str, case: Epoch) -> Job | None:
    """An epoch from new parameters on; None where there is no code for a recipe."""
    setup, part = start(case)
    if lacking(setup.recipe) or setup.recipe.optimizer not in OPTIMIZERS:
        return None
    if name == "torch":
        keep_large_blocks()
    begun, (images, labels) = beginning(setup), _tensors(part)
    torch.manual_seed(0)
    return Job(lambda: train(Trainer(name, setup, begun), setup.recipe, images, labels))


def _tensors(part: Split) -> tuple[Tensor, Tensor]:
    images = np.ascontiguousarray(part.images.transpose(0, 3, 1, 2))
    return torch.from_numpy(images), torch.from_numpy(part.labels)


BUILDERS = {"epoch": epoch}
