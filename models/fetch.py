"""Downloads data files into the user's cache, verified by their hashes."""

from __future__ import annotations

import os
import shutil
import textwrap
import zipfile
from collections.abc import Sequence
from pathlib import Path


def cache_dir() -> Path:
    """Return the user's folder for downloaded data sets."""
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    return Path(base or Path.home() / ".cache") / "autograd_lite"


def fetch(url: str, md5: Sequence[str], files: Sequence[str], folder: Path) -> str:
    """Get `files` into `folder`; return what went wrong, an empty string if nothing.

    `url` is a folder with each file gzipped, and `md5` has a hash for each; or it is a
    zip that holds them all, and `md5` has the hash of the zip.
    """
    try:
        import pooch  # deferred: it brings a whole HTTP client
    except ImportError:
        return "downloading needs pooch: pip install 'autograd_lite[train]'"
    http = pooch.HTTPDownloader(timeout=30)
    try:
        if not url.endswith(".zip"):
            for file, known in zip(files, md5, strict=True):
                name = f"{file}.gz"
                pooch.retrieve(
                    url + name, f"md5:{known}", name, folder, downloader=http
                )
        else:  # kept beside the folders: other sets may lie in the same zip
            name = url.rpartition("/")[2]
            archive = pooch.retrieve(
                url, f"md5:{md5[0]}", name, folder.parent, downloader=http
            )
            _extract(Path(archive), files, folder)
    except (OSError, ValueError, zipfile.BadZipFile) as error:  # network, disk, hash
        reason = textwrap.shorten(str(error), 240)
        return f"downloading it from {url} failed ({reason})"
    return ""


def _extract(archive: Path, files: Sequence[str], folder: Path) -> None:
    """Copy the wanted members of a zip, whatever folder they are in, to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(archive) as members:
        for member in members.namelist():
            name = member.rpartition("/")[2]
            if name.removesuffix(".gz") not in files:
                continue
            part = folder / f"{name}.part"
            with members.open(member) as source, part.open("wb") as target:
                shutil.copyfileobj(source, target)
            part.replace(folder / name)
