"""One HTML page that needs no other file."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Final

STYLE: Final = """
body { font: 14px/1.5 system-ui, sans-serif; color: #24292f; background: #ffffff;
       max-width: 75rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.3rem; font-weight: 600; }
table { border-collapse: collapse; margin: 1.5rem 0; display: block;
        overflow-x: auto; }
caption { text-align: left; font-weight: 600; padding-bottom: .4rem; }
th { border-bottom: 2px solid #d0d7de; font-weight: 600; }
td { border-bottom: 1px solid #eaeef2; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .7rem; white-space: nowrap; }
td:last-child { font-family: ui-monospace, monospace; font-size: 12px; }
tbody tr:hover { background: #f6f8fa; }
.picture { overflow: auto; max-height: 90vh; border: 1px solid #d0d7de;
           border-radius: 6px; }
p { color: #57606a; }
"""


def page(title: str, tables: Sequence[str], svg: str) -> str:
    """Return a page with a title, tables as HTML and a picture."""
    return f"""<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>{html.escape(title)}</title>
<style>{STYLE}</style></head>
<body>
<h1>{html.escape(title)}</h1>
{"".join(tables)}
<p>Rounded boxes are inputs, a heavy frame marks results; the warmer the colour, the
more an operation costs. Point at a box for its line of code.</p>
<div class="picture">{svg}</div>
</body>
</html>
"""
