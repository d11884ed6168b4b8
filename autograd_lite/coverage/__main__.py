"""Print what can be differentiated: `python -m autograd_lite.coverage`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from .names import NAMESPACES
from .rows import UNKNOWN, coverage
from .tables import as_json, as_markdown, as_text

FORMATS = {"text": as_text, "markdown": as_markdown, "json": as_json}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the sample calls and print the table; 1 where a name has no valid call."""
    parser = argparse.ArgumentParser(
        prog="python -m autograd_lite.coverage",
        description="Run sample calls of every function, and print what can be "
        "differentiated. All takes a minute.",
    )
    parser.add_argument(
        "namespaces", nargs="*", metavar="NAMESPACE", help=", ".join(NAMESPACES)
    )
    chosen = parser.add_mutually_exclusive_group()
    for name in FORMATS:
        chosen.add_argument(
            f"--{name}", dest="format", action="store_const", const=name, default="text"
        )
    options = parser.parse_args(arguments)
    if wrong := set(options.namespaces) - set(NAMESPACES):
        parser.error(f"no namespace {', '.join(sorted(wrong))}")
    rows = coverage(options.namespaces or None)
    print(FORMATS[options.format](rows), end="")
    return int(any(row.status == UNKNOWN for row in rows))


if __name__ == "__main__":
    sys.exit(main())
