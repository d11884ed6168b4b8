"""The models of `models.cnn` for PyTorch, with the parameters of an exported run.

    python -m models.export RUN model.safetensors

    from models.torch_nets import load
    net = load("model.safetensors")  # ready to predict: net(images), (n, c, h, w)

Images are float32 in [0, 1]. This file imports torch and safetensors alone: a copy of
it is all that the model needs elsewhere. What was trained further goes back with
`safetensors.torch.save_file(net.state_dict(), path)` and `models.export --import`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

Shape = tuple[int, int, int]  # height, width, channels


class LeNet8(nn.Module):
    """Convolution 8 3x3, pool, dense 128, dense."""

    def __init__(self, image_shape: Shape = (28, 28, 1), classes: int = 10) -> None:
        super().__init__()
        height, width, channels = image_shape
        pooled = ((height - 2) // 2) * ((width - 2) // 2)
        self.conv1 = nn.Conv2d(channels, 8, 3)
        self.dense1 = nn.Linear(8 * pooled, 128)
        self.dense2 = nn.Linear(128, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (n, classes) of images (n, c, h, w)."""
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.relu(self.dense1(x.flatten(1)))
        return self.dense2(x)


class EMNIST16(nn.Module):
    """Convolution 16 3x3, pool, dense 128, 64, dense."""

    def __init__(self, image_shape: Shape = (28, 28, 1), classes: int = 10) -> None:
        super().__init__()
        height, width, channels = image_shape
        pooled = ((height - 2) // 2) * ((width - 2) // 2)
        self.conv1 = nn.Conv2d(channels, 16, 3)
        self.dense1 = nn.Linear(16 * pooled, 128)
        self.dense2 = nn.Linear(128, 64)
        self.dense3 = nn.Linear(64, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (n, classes) of images (n, c, h, w)."""
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.relu(self.dense1(x.flatten(1)))
        x = F.relu(self.dense2(x))
        return self.dense3(x)


class Deep(nn.Module):
    """Two blocks of two normalised convolutions and a pool, dense 128, dense."""

    def __init__(
        self,
        image_shape: Shape = (28, 28, 1),
        classes: int = 10,
        widths: tuple[int, int] = (32, 64),
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        height, width, channels = image_shape
        first, second = widths
        normed = partial(nn.Conv2d, kernel_size=3, padding=1, bias=False)
        self.conv1, self.conv1_bn = normed(channels, first), nn.BatchNorm2d(first)
        self.conv2, self.conv2_bn = normed(first, first), nn.BatchNorm2d(first)
        self.conv3, self.conv3_bn = normed(first, second), nn.BatchNorm2d(second)
        self.conv4, self.conv4_bn = normed(second, second), nn.BatchNorm2d(second)
        self.dense1 = nn.Linear((height // 4) * (width // 4) * second, 128)
        self.dropout = nn.Dropout(dropout)
        self.dense2 = nn.Linear(128, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (n, classes) of images (n, c, h, w)."""
        x = F.relu(self.conv1_bn(self.conv1(x)))
        x = F.relu(self.conv2_bn(F.max_pool2d(self.conv2(x), 2)))
        x = F.relu(self.conv3_bn(self.conv3(x)))
        x = F.relu(self.conv4_bn(F.max_pool2d(self.conv4(x), 2)))
        x = F.relu(self.dense1(x.flatten(1)))
        return self.dense2(self.dropout(x))


class Deeper(nn.Module):
    """Five normalised convolutions, three of them pooled, dense."""

    def __init__(
        self,
        image_shape: Shape = (28, 28, 1),
        classes: int = 10,
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        height, width, channels = image_shape
        normed = partial(nn.Conv2d, kernel_size=3, padding=1, bias=False)
        self.conv1, self.conv1_bn = normed(channels, 32), nn.BatchNorm2d(32)
        self.conv2, self.conv2_bn = normed(32, 64), nn.BatchNorm2d(64)
        self.conv3, self.conv3_bn = normed(64, 64), nn.BatchNorm2d(64)
        self.conv4, self.conv4_bn = normed(64, 128), nn.BatchNorm2d(128)
        self.conv5, self.conv5_bn = normed(128, 128), nn.BatchNorm2d(128)
        self.dropout = nn.Dropout(dropout)
        self.dense1 = nn.Linear((height // 8) * (width // 8) * 128, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (n, classes) of images (n, c, h, w)."""
        x = F.relu(self.conv1_bn(F.max_pool2d(self.conv1(x), 2)))
        x = F.relu(self.conv2_bn(self.conv2(x)))
        x = F.relu(self.conv3_bn(F.max_pool2d(self.conv3(x), 2)))
        x = F.relu(self.conv4_bn(self.conv4(x)))
        x = F.relu(self.conv5_bn(F.max_pool2d(self.conv5(x), 2)))
        return self.dense1(self.dropout(x.flatten(1)))


class ResNet(nn.Module):
    """A normalised convolution and a pool, three residual blocks, dense."""

    def __init__(self, image_shape: Shape = (28, 28, 1), classes: int = 10) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(image_shape[2], 16, 3, padding=1, bias=False)
        self.conv1_bn = nn.BatchNorm2d(16)
        self.block1, self.block2 = ResidualBlock(16, 16), ResidualBlock(16, 32)
        self.block3 = ResidualBlock(32, 64)
        self.dense = nn.Linear(64, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (n, classes) of images (n, c, h, w)."""
        x = F.relu(self.conv1_bn(F.max_pool2d(self.conv1(x), 2)))
        x = self.block3(self.block2(self.block1(x)))
        return self.dense(x.mean((2, 3)))


class ResidualBlock(nn.Module):
    """Adds what two convolutions make of x to x, halved where the channels double."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.changes = inputs != outputs
        stride = 2 if self.changes else 1
        self.first = SameConv2d(inputs, outputs, 3, stride, bias=False)
        self.first_bn = nn.BatchNorm2d(outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.second_bn = nn.BatchNorm2d(outputs)
        if self.changes:
            self.skip = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.skip_bn = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return maps of half the size where the channels change."""
        y = F.relu(self.first_bn(self.first(x)))
        y = self.second_bn(self.second(y))
        return F.relu(y + (self.skip_bn(self.skip(x)) if self.changes else x))


class SameConv2d(nn.Conv2d):
    """A convolution whose output has size / stride places, rounded up.

    Where the padding is odd, the larger part of it is at the end: with a stride,
    `padding=1` of PyTorch puts the windows elsewhere.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Pad and convolve."""
        sides: list[int] = []  # of the width first, as F.pad has it
        for axis in (1, 0):
            size, stride = x.shape[2 + axis], self.stride[axis]
            total = (-(-size // stride) - 1) * stride + self.kernel_size[axis] - size
            sides += [max(total, 0) // 2, max(total, 0) - max(total, 0) // 2]
        return super().forward(F.pad(x, sides))


# (image_shape, classes) -> a module, by the names of `models.cnn.MODELS`.
NETS: dict[str, Callable[..., nn.Module]] = {
    "slim": partial(Deep, widths=(16, 32)),
    "deep": Deep,
    "deeper": Deeper,
    "resnet": ResNet,
    "lenet8": LeNet8,
    "emnist16": EMNIST16,
}


def load(path: str | Path) -> nn.Module:
    """Return the model in a file that `models.export` wrote, ready to predict.

    Raises `ValueError` where the file does not say which model it has.
    """
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
    if metadata.get("model") not in NETS:
        raise ValueError(
            f"{path} names none of the models {list(NETS)}: write it with "
            "python -m models.export RUN FILE"
        )
    image_shape = json.loads(metadata["image_shape"])
    classes = len(json.loads(metadata["class_names"]))
    net = NETS[metadata["model"]](image_shape, classes)
    net.load_state_dict(load_file(path))
    return net.eval()


def logits(net: nn.Module, images: Tensor) -> Tensor:
    """Return logits (n, classes) of images as in a data set, uint8 (n, h, w, c)."""
    with torch.inference_mode():
        return net(images.permute(0, 3, 1, 2).float() / 255)
