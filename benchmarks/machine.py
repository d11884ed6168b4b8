"""The machine, described in words, and the versions of what was measured."""

import importlib.metadata
import os
import platform
from pathlib import Path

# What sets the number of threads of some library: a measurement has to own up to it.
THREAD_VARIABLES = (
    "NUMBA_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
)


def describe() -> str:
    """One line, for example `2 cores, x86_64 with AVX-512, 23 GB of memory, Linux`."""
    count = cores()
    parts = [
        f"{count} core{'s' if count > 1 else ''}",
        f"{platform.machine()}{_simd()}",
        _memory(),
        platform.system(),
    ]
    return ", ".join(part for part in parts if part)


def cores() -> int:
    """The processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _simd() -> str:
    """The widest vector extension that /proc/cpuinfo knows of, if there is one."""
    info = Path("/proc/cpuinfo")
    words = set(info.read_text(encoding="utf8").split()) if info.exists() else set()
    for flag, name in (("avx512f", "AVX-512"), ("avx2", "AVX2"), ("asimd", "NEON")):
        if flag in words:
            return f" with {name}"
    return ""


def _memory() -> str:
    try:
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # not every system tells
        return ""
    return f"{size / 2**30:.0f} GB of memory"


def versions(distributions: list[str]) -> dict[str, str]:
    """Installed versions, Python's included; what is not installed is left out."""
    found = {"python": platform.python_version()}
    for name in distributions:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def thread_settings() -> dict[str, str]:
    """The thread variables that are set in this environment."""
    return {name: os.environ[name] for name in THREAD_VARIABLES if name in os.environ}
