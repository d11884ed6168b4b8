"""What is looked at: a run, images, and what the run makes of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import cnn, data, folder
from ..batches import Split, as_float
from ..errors import OptionError
from ..predict import DRAWN, read_images
from ..run import Run
from ..scores import Evaluation, evaluate, probabilities

MOST = 64  # images in one look: a page of more is not looked at
_INDEX = re.compile(r"test:(\d+)")


class Shown(NamedTuple):
    """An image to look at, and where it is from."""

    pixels: NDArray[np.uint8]  # (h, w, c)
    name: str  # such as test:17
    label: int | None = None  # None: not known


class Subject:
    """A run that is looked at; the data are loaded when they are first asked for.

    `drawn` says whether pictures are to be made like MNIST's images, see
    `models.predict`; None: where the run's data are such images.
    """

    def __init__(
        self,
        where: Path,
        images: Sequence[str] = (),
        data_dir: str | None = None,
        drawn: bool | None = None,
    ) -> None:
        self.where = where
        self.run = folder.load_trained(where)
        self.asked, self._data_dir = images, data_dir
        its_own = self.run.setup.dataset.startswith(DRAWN)
        self._drawn = its_own if drawn is None else drawn

    @property
    def model(self) -> cnn.Model:
        """The functions of the run's model."""
        return self.run.setup.model

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the classes."""
        return self.run.setup.class_names

    @cached_property
    def initial(self) -> cnn.Params:
        """The parameters that the run began with, drawn from its seed once more."""
        return Run.start(self.run.setup).params

    @property
    def is_trained(self) -> bool:
        """Whether a step was done."""
        return bool(self.run.epoch or self.run.step)

    def logits(self, images: Any) -> Any:
        """Return the logits of images (n, h, w, c) in [0, 1]."""
        return self.model.apply(self.run.params, images, self.run.state)

    def activations(self, images: Any) -> dict[str, Any]:
        """Return each hidden layer's activations of such images, by its name."""
        return self.model.activations(self.run.params, images, self.run.state)

    def probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the probability of each class: (n, classes)."""
        return probabilities(self.model, self.run.params, self.run.state, images)

    @cached_property
    def test(self) -> Split:
        """The test images; raises `DataError` where the data set is not to be had."""
        found = data.load(self.run.setup.dataset, self._data_dir)
        shape = found.test_images.shape[1:]
        if shape != self.run.setup.image_shape:
            raise OptionError(
                f"{self.where} takes images of {self.run.setup.image_shape} (height, "
                f"width, channels), and those of {found.name} are {shape}: give the "
                "--data-dir it was trained with"
            )
        return Split(found.test_images, found.test_labels)

    @cached_property
    def evaluation(self) -> Evaluation:
        """What the run makes of all test images."""
        return evaluate(self.model, self.run.params, self.run.state, self.test)

    @cached_property
    def images(self) -> list[Shown]:
        """The images that were asked for, else the first test image of each class.

        Raises `DataError` or `OptionError` where one is none.
        """
        found = [shown for text in self.asked for shown in self._read(text)]
        if len(found) > MOST:
            raise OptionError(f"{len(found):,} images to look at: {MOST} at most")
        return found or self._one_of_each_class()

    def _read(self, text: str) -> list[Shown]:
        if match := _INDEX.fullmatch(text):
            return [self._test_image(int(match[1]))]
        if text.startswith("test:"):
            raise OptionError(f"{text}: expected a number, such as test:17")
        read = read_images(Path(text), self.run.setup.image_shape, self._drawn)
        if len(read) > MOST:
            raise OptionError(f"{text} has {len(read):,} images: {MOST} at most")
        name = Path(text).name
        if len(read) == 1:
            return [Shown(read[0], name)]
        return [Shown(image, f"{name}:{i}") for i, image in enumerate(read)]

    def _test_image(self, index: int) -> Shown:
        images, labels = self.test
        if index >= len(images):
            raise OptionError(
                f"test:{index}: {self.run.setup.dataset} has {len(images):,} test "
                f"images, test:0 to test:{len(images) - 1}"
            )
        return Shown(images[index], f"test:{index}", int(labels[index]))

    def _one_of_each_class(self) -> list[Shown]:
        _, first = np.unique(self.test.labels, return_index=True)
        return [self._test_image(int(i)) for i in first[:MOST]]

    @cached_property
    def batch(self) -> NDArray[np.float32]:
        """The images that are shown, as the model takes them: (n, h, w, c)."""
        return as_float(np.stack([shown.pixels for shown in self.images]))

    @cached_property
    def chances(self) -> NDArray[np.float32]:
        """The probabilities of the classes for each of them: (n, classes)."""
        return self.probabilities(np.stack([shown.pixels for shown in self.images]))

    def said(self, i: int) -> str:
        """Return what the run takes a shown image for, and what it is if that differs.

        "7 (99.8 %)", or "4, taken for 9 (61.0 %)".
        """
        guess, label = int(self.chances[i].argmax()), self.images[i].label
        text = f"{self.names[guess]} ({100 * self.chances[i, guess]:.1f} %)"
        if label is None or label == guess:
            return text
        return f"{self.names[label]}, taken for {text}"
