"""`folder:DIR`: one's own pictures, a sub-folder of PNG or JPEG files for each class.

With sub-folders `train` and `test` in DIR, the classes' folders are in each of them;
without, some pictures of each class are held out to test on. Which, is decided by a
hash of their names: it is the same each time, and on each machine.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import cache, images
from .dataset import Dataset, check_classes, in_order
from .errors import DataError
from .progress import bar

FORM = "folder:DIR[,size=HEIGHTxWIDTH][,grey|colour][,test=FRACTION]"
SUFFIXES = (".png", ".jpg", ".jpeg")
TEST = 0.2  # of each class, where there is no folder `test`

Classes = dict[str, list[Path]]  # each class' files


class Options(NamedTuple):
    """What a name of the form `folder:...` says; None is for what it leaves open."""

    root: Path
    size: tuple[int, int] | None = None  # height, width
    grey: bool | None = None
    test: float | None = None


class _Form(NamedTuple):
    """What all pictures are made to be."""

    size: tuple[int, int]
    grey: bool

    @property
    def shape(self) -> tuple[int, int, int]:
        return (*self.size, 1 if self.grey else 3)


def parse(text: str) -> Options:
    """Return what a name of this form says; raises `DataError`.

    >>> options = parse("folder:/data/photos,size=32x48,grey,test=0.1")
    >>> options.root.name, *options[1:]
    ('photos', (32, 48), True, 0.1)
    """
    root, *settings = text.removeprefix("folder:").split(",")
    if not root:
        raise DataError(f"{text!r} names no folder; expected {FORM}")
    found = dict(_parse_setting(setting, text) for setting in settings)
    return Options(Path(root).expanduser().resolve(), **found)


def _parse_setting(setting: str, text: str) -> tuple[str, Any]:
    """Return the field that a part of the name sets, and its value."""
    if setting in ("grey", "colour"):
        return "grey", setting == "grey"
    size = re.fullmatch(r"size=([1-9]\d{0,4})x([1-9]\d{0,4})", setting)
    if size:
        return "size", (int(size[1]), int(size[2]))
    if re.fullmatch(r"test=0?\.\d+", setting) and float(setting[5:]) > 0:
        return "test", float(setting[5:])
    raise DataError(f"{setting!r} in {text!r} is unknown; expected {FORM}")


def load(text: str) -> Dataset:
    """Return the data set that a name of this form has.

    Raises `DataError`, naming the file or the folder, when there are less than two
    classes, when one has no pictures, and when a file is none.
    """
    options = parse(text)
    try:
        train, test, notes = _split(options)
    except OSError as error:
        raise DataError(
            f"{error.filename}: cannot be read: {error.strerror}"
        ) from error
    form, resized = _common_form([*train.values(), *test.values()], options)
    cache.check_image(
        (1, *form.shape), options.root, "Make them smaller, as with ,size=64x64"
    )
    if resized:
        size = f"{form.size[0]}x{form.size[1]}"
        notes.append(f"pictures of other sizes, resized to {size}: {resized:,}")
    parts = [_read(part, list(train), form) for part in (train, test)]
    name = f"folder:{options.root}" + "".join(f",{s}" for s in text.split(",")[1:])
    return Dataset(name, *parts[0], *parts[1], tuple(train), tuple(notes))


# -- which files ---------------------------------------------------------------------


def _split(options: Options) -> tuple[Classes, Classes, list[str]]:
    """Return the files to train on and to test on, and notes for the user."""
    folders = [options.root / part for part in ("train", "test")]
    if all(folder.is_dir() for folder in folders):
        if options.test is not None:
            raise DataError(
                f"{options.root} has sub-folders train and test: leave test= out"
            )
        (train, left), (test, left_too) = map(_classes, folders)
        unknown = [name for name in test if name not in train]
        if unknown:
            raise DataError(
                f"{folders[1] / unknown[0]}: a class to test on that {folders[0]} "
                "does not have: it cannot be learned"
            )
        return train, test, _about_left_out(left + left_too)
    classes, left = _classes(options.root)
    share = options.test or TEST
    train, test = _hold_out(classes, share)
    if not test:
        raise DataError(
            f"{options.root}: no class has two pictures, one to train on and one to "
            "test on"
        )
    total = sum(map(len, test.values()))
    notes = [
        f"to test on, {share:.0%} of each class are chosen by a hash of their names, "
        f"{total:,} in all: {options.root} has no sub-folders train and test"
    ]
    return train, test, notes + _about_left_out(left)


def _about_left_out(n: int) -> list[str]:
    return [f"files left out, no {', '.join(SUFFIXES)}: {n:,}"] if n else []


def _classes(root: Path) -> tuple[Classes, int]:
    """Return the files of each class in a folder, and how many others there are."""
    folders = {path.name: path for path in _entries(root) if path.is_dir()}
    check_classes(in_order(folders), root)
    classes, left = {}, 0
    for name in in_order(folders):
        files = [path for path in _entries(folders[name]) if path.is_file()]
        classes[name] = [path for path in files if path.suffix.lower() in SUFFIXES]
        left += len(files) - len(classes[name])
        if not classes[name]:
            raise DataError(
                f"{folders[name]}: a class without a picture; expected files that end "
                f"in {', '.join(SUFFIXES)}"
            )
    return classes, left


def _entries(folder: Path) -> list[Path]:
    """Return what is in a folder, sorted, without hidden files."""
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _hold_out(classes: Classes, share: float) -> tuple[Classes, Classes]:
    """Split each class: at least one picture to train on, and one to test on if two."""
    train, test = {}, {}
    for name, files in classes.items():
        order = sorted(files, key=lambda path: _hash(f"{name}/{path.name}"))
        n = min(max(round(share * len(files)), 1), len(files) - 1)
        train[name] = sorted(order[n:])
        if n:
            test[name] = sorted(order[:n])
    return train, test


def _hash(name: str) -> bytes:
    return hashlib.sha256(name.encode("utf8", "surrogateescape")).digest()


# -- what they are made to be --------------------------------------------------------


def _common_form(groups: list[list[Path]], options: Options) -> tuple[_Form, int]:
    """Return the form of all pictures, and how many are to be resized.

    Where the options leave it open, the size is that of most, the larger of two that
    are as frequent, and colour is for folders that have a picture in colour.
    """
    sizes: Counter[tuple[int, int]] = Counter()
    grey, total = True, sum(map(len, groups))
    with bar("looking at pictures", total) as shown:
        for path in (path for group in groups for path in group):
            found = images.inspect(path)
            sizes[found.size] += 1
            grey &= found.grey
            shown.update(1)
    size = options.size or max(sizes, key=lambda size: (sizes[size], size))
    form = _Form(size, grey if options.grey is None else options.grey)
    return form, total - sizes[size]


def _read(
    classes: Classes, names: list[str], form: _Form
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return the pictures of some classes, and their labels."""
    files = [path for paths in classes.values() for path in paths]
    place = {name: i for i, name in enumerate(names)}
    labels = [place[name] for name, paths in classes.items() for _ in paths]
    found = cache.decoded(
        lambda: _pieces(files, form), (len(files), *form.shape), files, f"{form}"
    )
    return found, np.array(labels, np.int64)


def _pieces(files: list[Path], form: _Form) -> Iterator[NDArray[np.uint8]]:
    """Give the pictures in files, some at a time, read by several threads."""
    rows = min(cache.rows_per_piece((1, *form.shape)), 256)
    with ThreadPoolExecutor(min(os.cpu_count() or 1, 8), "pictures") as workers:
        for at in range(0, len(files), rows):
            some = files[at : at + rows]
            yield np.stack(
                list(workers.map(lambda p: images.read(p, form.grey, form.size), some))
            )
