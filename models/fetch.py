"""Downloads data files into the user's cache, verified by their hashes."""

from __future__ import annotations

import shutil
import tarfile
import textwrap
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from .errors import DataError
from .progress import Bar

MAX_MEMBER = 4 << 30  # bytes, unpacked; the largest file of a set here has 0.5 GiB
_DAMAGED = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError),
    *(NotImplementedError, RuntimeError),  # a compression or an encryption unknown
)


def is_archive(url: str) -> bool:
    """Whether an address or a path is one of an archive that `extract` reads."""
    return url.endswith((".zip", ".tar.gz"))


def fetch(url: str, md5: Sequence[str], files: Sequence[str], folder: Path) -> str:
    """Get `files` into `folder`; return what went wrong, an empty string if nothing.

    `url` is a folder with each file gzipped, and `md5` has a hash for each; or it is an
    archive that holds them all, and `md5` has the archive's hash.
    """
    try:
        import pooch  # deferred: it brings a whole HTTP client
    except ImportError:
        return "downloading needs pooch: pip install 'autograd_lite[train]'"

    def get(address: str, known: str, into: Path) -> Path:
        name = address.rpartition("/")[2]
        http = pooch.HTTPDownloader(timeout=30, progressbar=Bar(f"downloading {name}"))
        return Path(
            pooch.retrieve(address, f"md5:{known}", name, into, downloader=http)
        )

    try:
        if is_archive(url):  # kept beside the folders: it may have other sets, too
            extract(get(url, md5[0], folder.parent), files, folder)
        else:
            for file, known in zip(files, md5, strict=True):
                get(f"{url}{file}.gz", known, folder)
    except (OSError, ValueError) as error:  # network, disk, hash, archive
        reason = textwrap.shorten(str(error), 240)
        return f"downloading it from {url} failed ({reason})"
    return ""


def extract(archive: Path, files: Sequence[str], folder: Path) -> None:
    """Copy the wanted members of a zip or .tar.gz to `folder`, plain or gzipped.

    Of a member's path only the last part counts, so that none leads out of the folder;
    links and whatever else is no file are left alone.

    Raises `DataError`, naming the archive, when it is damaged or a member is absurdly
    large; a file appears only when it is complete.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        members = _tar_members if archive.name.endswith(".tar.gz") else _zip_members
        for member in members(archive):
            name = PurePosixPath(member.path).name
            if name.removesuffix(".gz") in files:
                _copy(member, folder / name, archive)
    except _DAMAGED as error:
        raise DataError(f"{archive}: damaged archive: {error}") from error
    except OSError as error:  # tarfile's and gzip's complaints are among them
        reason = error.strerror or error
        raise DataError(f"{archive}: cannot be unpacked: {reason}") from error


class _Member(NamedTuple):
    """A file in an archive."""

    path: str
    size: int
    open: Callable[[], Any]  # a context manager that gives a binary file


def _zip_members(archive: Path) -> Iterator[_Member]:
    with zipfile.ZipFile(archive) as opened:
        for info in opened.infolist():
            if not info.is_dir():
                yield _Member(info.filename, info.file_size, partial(opened.open, info))


def _tar_members(archive: Path) -> Iterator[_Member]:
    with tarfile.open(archive, "r:gz") as opened:
        for info in opened:
            if info.isreg():
                yield _Member(info.name, info.size, partial(opened.extractfile, info))


def _copy(member: _Member, path: Path, archive: Path) -> None:
    if member.size > MAX_MEMBER:
        raise DataError(
            f"{archive}: {member.path} claims {member.size:,} bytes, expected at most "
            f"{MAX_MEMBER:,}"
        )
    part = path.with_name(f"{path.name}.part")
    try:
        with member.open() as source, part.open("wb") as target:
            shutil.copyfileobj(source, target)
        if part.stat().st_size != member.size:
            raise DataError(f"{archive}: truncated in {member.path}")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
