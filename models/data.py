"""Data sets by name: images and labels as arrays, wherever their files lie.

MNIST is part of the project, in the folder `data` beside this module (a folder without
`__init__.py` does not hide the module). Other sets are looked for in the folder that
the caller names, in `$AUTOGRAD_LITE_DATA` and in the user's cache, and downloaded into
the cache when they are in none of them. Data of one's own have names of the forms
`idx:...` and `folder:...`; docs/data.md describes them all.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import cache, cifar, fetch, idx_files, image_folder
from .dataset import Dataset as Dataset  # where others take it from
from .dataset import check_shapes
from .errors import DataError

EMBEDDED = Path(__file__).parent / "data"
VARIABLE = "AUTOGRAD_LITE_DATA"

_MNIST = "https://ossci-datasets.s3.amazonaws.com/mnist/"
_FASHION = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
_EMNIST = "https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip"
_EMNIST_MD5 = "58c8d27c78d21e728a6bc7b3cc06412e"
_CIFAR = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
_DIGITS = tuple("0123456789")
_CLOTHES = "T-shirt Trouser Pullover Dress Coat Sandal Shirt Sneaker Bag Boot"
_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


class _Source(NamedTuple):
    """Where a set's files come from and how they are to be read."""

    files: tuple[str, ...]  # of IDX: images and labels to train on, then to test on
    class_names: tuple[str, ...] = ()  # empty: to be read from `mapping`
    mapping: str = ""  # a text file: label, ASCII code
    first_label: int = 0
    transposed: bool = False
    optional: tuple[str, ...] = ()  # files that are used where they are found
    suffixes: tuple[str, ...] = ("", ".gz", ".xz")  # that each file may have
    url: str = ""  # a folder, or an archive that has all; empty: not to be had
    md5: tuple[str, ...] = ()


def _emnist(split: str, url: str = _EMNIST, first_label: int = 0) -> _Source:
    name = f"emnist-{split}"
    return _Source(
        files=tuple(
            f"{name}-{part}-{kind}-ubyte"
            for part in ("train", "test")
            for kind in ("images-idx3", "labels-idx1")
        ),
        mapping=f"{name}-mapping.txt",
        first_label=first_label,
        transposed=True,
        url=url,
        md5=(_EMNIST_MD5,),
    )


SOURCES = {
    "mnist": _Source(
        _FILES,
        _DIGITS,
        url=_MNIST,
        md5=(
            "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "d53e105ee54ea40749a09fcbcd1e9432",
            "9fb629c4189551a2d022fa330f9573f3",
            "ec29112dd5afa0611ce80d1b7f02629c",
        ),
    ),
    "fashion-mnist": _Source(
        _FILES,
        tuple(_CLOTHES.split()),
        url=_FASHION,
        md5=(
            "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "25c81989df183df01b3e8a0aad5dffbe",
            "bef4ecab320f06d8554ea6380940ec79",
            "bb300cfdad3c16e7a12a480ee83cd310",
        ),
    ),
    "emnist-balanced": _emnist("balanced"),
    "emnist-letters": _emnist("letters", first_label=1),
    "emnist-digits": _emnist("digits"),
    "emnist-mnist": _emnist("mnist"),
    "emnist-byclass": _emnist("byclass"),
    "emnist-bymerge": _emnist("bymerge"),
    # No official split, so there is nothing to download: see the error for its files.
    "emnist-bymerge116k": _emnist("bymerge116k", url=""),
    "cifar-10": _Source(
        (*cifar.TRAIN, cifar.TEST),
        cifar.CLASSES,
        optional=(cifar.NAMES,),
        suffixes=("",),
        url=_CIFAR,
        md5=("c32a1d4ab5d03f1284b67883e8d87530",),
    ),
}
FORMS = {"idx:": idx_files, "folder:": image_folder}


def check_name(name: str) -> str:
    """Return a name that `load` may know: the files are not looked for.

    Raises `DataError`, saying which names there are.

    >>> check_name("mnist"), check_name("folder:photos")
    ('mnist', 'folder:photos')
    """
    for form, module in FORMS.items():
        if name.startswith(form):
            module.parse(name)
            return name
    if name not in SOURCES:
        raise DataError(
            f"no data set {name!r}; there are {', '.join(SOURCES)}, "
            f"{idx_files.FORM} and {image_folder.FORM}"
        )
    return name


def load(name: str = "mnist", data_dir: str | Path | None = None) -> Dataset:
    """Return the data set of this name: one of `SOURCES`, `idx:...` or `folder:...`.

    Sets that are larger than `cache.IN_MEMORY` are mapped from files, read-only.

    Raises `DataError` when there is no such set, when its files are nowhere (saying
    which files to put where), and when they are damaged or don't belong together.

    >>> digits = load("mnist")
    >>> digits.train_images.shape, digits.test_labels[:5]
    ((60000, 28, 28, 1), array([7, 2, 1, 0, 4]))
    """
    check_name(name)
    for form, module in FORMS.items():
        if name.startswith(form):
            return module.load(name)
    source = SOURCES[name]
    paths = _locate(name, source, data_dir)
    if name == "cifar-10":
        return cifar.load(name, paths)
    classes = source.class_names or _read_mapping(
        paths[source.mapping], source.first_label
    )
    train, test = (
        _read_pair(paths[images], paths[labels], source, len(classes))
        for images, labels in (source.files[:2], source.files[2:])
    )
    check_shapes(name, train[0], test[0])
    return Dataset(name, *train, *test, classes)


def _read_pair(
    images_path: Path, labels_path: Path, source: _Source, n_classes: int
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    images, labels = idx_files.read_pair(images_path, labels_path, source.transposed)
    index = labels.astype(np.int64) - source.first_label
    if index.min() < 0 or index.max() >= n_classes:
        raise DataError(
            f"{labels_path}: labels from {labels.min()} to {labels.max()}, expected "
            f"{source.first_label} to {source.first_label + n_classes - 1}"
        )
    return images, index


def _read_mapping(path: Path, first_label: int) -> tuple[str, ...]:
    """Return class names from lines of label and ASCII code, in order of labels.

    A line may have further codes, as those of `emnist-letters` have: capital, small.
    """
    try:
        rows = [
            [int(n) for n in line.split()] for line in path.read_text().splitlines()
        ]
        names = {row[0]: chr(row[1]) for row in rows if row}
    except (ValueError, IndexError, OverflowError) as error:
        raise DataError(f"{path}: expected lines 'label code', got: {error}") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    if sorted(names) != list(range(first_label, first_label + len(names))) or not names:
        raise DataError(
            f"{path}: expected labels from {first_label} on without a gap, got "
            f"{sorted(names)}"
        )
    return tuple(names[label] for label in sorted(names))


def _locate(name: str, source: _Source, data_dir: str | Path | None) -> dict[str, Path]:
    """Return the path of each of the set's files, downloading them if need be."""
    wanted = (*source.files, *filter(None, [source.mapping]))
    folders = list(_folders(name, data_dir))
    for folder in folders:
        found = _find(folder, wanted, source.suffixes)
        if len(found) == len(wanted):
            return found | _find(folder, source.optional)
    problem = _get(source, (*wanted, *source.optional), folders)
    found = _find(folders[-1], wanted, source.suffixes)
    if len(found) < len(wanted):
        raise DataError(_where_to_put(name, source, wanted, folders, problem))
    return found | _find(folders[-1], source.optional)


def _get(source: _Source, files: tuple[str, ...], folders: list[Path]) -> str:
    """Fill the cache's folder, from an archive that lies in another or by download.

    Returns what went wrong, an empty string if nothing.
    """
    if not source.url:
        return "it cannot be downloaded"
    if fetch.is_archive(source.url):
        for folder in folders[:-1]:
            archive = folder / source.url.rpartition("/")[2]
            if archive.is_file():
                fetch.extract(archive, files, folders[-1])
                return f"{archive} does not have all its files"
    return fetch.fetch(source.url, source.md5, files, folders[-1])


def _folders(name: str, data_dir: str | Path | None) -> Iterator[Path]:
    """Give the folders in which the set may lie; the last one is the user's cache."""
    if name == "mnist":
        yield EMBEDDED
    roots = [Path(r) for r in (data_dir, os.environ.get(VARIABLE)) if r]
    for root in roots:
        if not root.is_dir():
            raise DataError(f"the data directory {root} is no folder")
        yield root / name
        if name == "cifar-10":  # as its archive unpacks
            yield root / "cifar-10-batches-bin"
        # The files of MNIST and Fashion-MNIST have the same names: without a folder's
        # name to tell them apart, they are not taken.
        if name.startswith(("emnist-", "cifar-")) or root.name == name:
            yield root
    yield cache.folder() / name


def _find(
    folder: Path, files: tuple[str, ...], suffixes: tuple[str, ...] = ("",)
) -> dict[str, Path]:
    """Return those of the files that a folder has, plain or compressed."""
    candidates = {
        file: [folder / (file + suffix) for suffix in suffixes] for file in files
    }
    return {
        file: next(path for path in paths if path.is_file())
        for file, paths in candidates.items()
        if any(path.is_file() for path in paths)
    }


def _where_to_put(
    name: str,
    source: _Source,
    wanted: tuple[str, ...],
    folders: list[Path],
    problem: str,
) -> str:
    places = [
        f"  {folder}"
        + (
            f" (has {n} of them)"
            if (n := len(_find(folder, wanted, source.suffixes)))
            else ""
        )
        for folder in folders
    ]
    archive = source.url.rpartition("/")[2] if fetch.is_archive(source.url) else ""
    return "\n".join(
        [
            f"data set {name!r} was not found: {problem}.",
            "Put these files, plain, .gz or .xz,"
            if ".gz" in source.suffixes
            else "Put these files,",
            *(f"  {file}" for file in wanted),
            *([f"or {archive}, which has them,"] if archive else []),
            "all into one of these (--data-dir and $AUTOGRAD_LITE_DATA add some):",
            *places,
        ]
    )
