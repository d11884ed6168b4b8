"""The page of a look: one file of HTML, pictures inside, nothing from elsewhere."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape

import numpy as np
from matplotlib.colors import Colormap, to_hex
from PIL import Image

from .sheet import encode
from .tiles import Group, Panel, Pixels, Scale, Section, Tile

_STYLE = """
:root { color-scheme: light dark; --paper: #ffffff; --ink: #1b1f24; --faint: #59626d;
  --line: #dde1e6; --link: #1f5fa8; }
@media (prefers-color-scheme: dark) { :root { --paper: #15181c; --ink: #e6e9ee;
  --faint: #a3acb8; --line: #30363d; --link: #8ec1f5; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 1.5rem 1rem 4rem; color: var(--ink);
  background: var(--paper); font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 .25rem;
  overflow-wrap: anywhere; }
h2 { font-size: 1.35rem; line-height: 1.25; margin: 0 0 .5rem; }
h3, summary { font-size: 1rem; font-weight: 600; margin: 0 0 .5rem; }
h4 { font-size: .875rem; font-weight: 400; margin: 0; }
a { color: var(--link); }
nav { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; margin: 1rem 0 0; }
section { margin-top: 2.5rem; border-top: 1px solid var(--line); padding-top: 1.5rem; }
p { margin: 0 0 .5rem; max-width: 44rem; }
.faint { color: var(--faint); font-size: .875rem; }
.panel { margin-top: 1.5rem; }
details.panel + details.panel { margin-top: .25rem; }
details[open] { padding-bottom: 1.5rem; }
.figures { display: grid; gap: 0 2rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 26rem), 1fr)); }
summary { cursor: pointer; padding: .25rem 0; }
.groups { display: grid; gap: 1.25rem 2rem; }
.head { display: flex; justify-content: space-between; align-items: baseline;
  flex-wrap: wrap; gap: .125rem 1rem; margin-bottom: .375rem; }
.scale { display: flex; align-items: center; gap: .375rem; color: var(--faint);
  font-size: .75rem; white-space: nowrap; }
.scale i { width: 5rem; height: .5rem; border-radius: 2px; }
.tiles { display: grid; gap: .5rem; }
figure { margin: 0; min-width: 0; text-align: center; }
figcaption { color: var(--faint); font-size: .75rem; line-height: 1.3;
  margin-top: .125rem; overflow-wrap: anywhere; }
img { display: block; width: 100%; height: auto; }
.tiles img { image-rendering: pixelated; }
footer { margin-top: 3rem; }
"""


def page(title: str, facts: Sequence[str], sections: dict[str, Section]) -> str:
    """Return the page: its title, a few facts about the run, sections by name."""
    links = "".join(
        f'<a href="#{name}">{escape(section.title)}</a>\n'
        for name, section in sections.items()
    )
    told = "".join(f'<p class="faint">{escape(fact)}</p>\n' for fact in facts)
    body = "".join(_section(name, section) for name, section in sections.items())
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<header>\n<h1>{escape(title)}</h1>\n{told}<nav>\n{links}</nav>\n</header>\n"
        f"<main>\n{body}</main>\n</body>\n</html>\n"
    )


def _section(name: str, section: Section) -> str:
    panels = "".join(_panel(panel) for panel in section.panels)
    if any(panel.figure for panel in section.panels):
        panels = f'<div class="figures">\n{panels}</div>\n'
    return (
        f'<section id="{name}">\n<h2>{escape(section.title)}</h2>\n'
        f"<p>{escape(section.sees)}</p>\n"
        f'<p class="faint">{escape(section.made)}</p>\n{panels}</section>\n'
    )


def _panel(panel: Panel) -> str:
    title = escape(panel.title)
    inside = _figure(panel) if panel.figure else _groups(panel)
    if panel.folded:
        head = f"<summary>{title}</summary>\n"
        return f'<details class="panel">\n{head}{inside}</details>\n'
    return f'<div class="panel">\n<h3>{title}</h3>\n{inside}</div>\n'


def _figure(panel: Panel) -> str:
    """Return a figure twice: on bright paper, and on dark for those who prefer it."""
    assert panel.figure is not None
    bright, dark = (_uri(encode(panel.figure(paper), 110)) for paper in (False, True))
    return (
        f'<picture><source srcset="{dark}" media="(prefers-color-scheme: dark)">'
        f'<img src="{bright}" alt="{escape(panel.title)}"></picture>\n'
    )


def _groups(panel: Panel) -> str:
    least = f"minmax(min(100%, {54 // panel.across}rem), 1fr)"
    columns = f"repeat(auto-fill, {least})" if panel.across > 1 else "minmax(0, 1fr)"
    groups = "".join(_group(group) for group in panel.groups)
    style = f"grid-template-columns: {columns}"
    return f'<div class="groups" style="{style}">\n{groups}</div>\n'


def _group(group: Group) -> str:
    head = f"<h4>{escape(group.title)}</h4>" if group.title else "<span></span>"
    scale = _scale(group.scale) if group.scale else ""
    top = f'<div class="head">{head}{scale}</div>\n' if group.title or scale else ""
    tiles = "".join(_tile(tile) for tile in group.tiles)
    grid = f'<div class="tiles" style="{_grid(group)}">\n{tiles}</div>\n'
    return f"<div>\n{top}{grid}</div>\n"


def _grid(group: Group) -> str:
    """Return the style that puts a group's tiles into rows."""
    if not group.flows:
        return f"grid-template-columns: repeat({group.columns}, minmax(0, 1fr))"
    columns = "repeat(auto-fit, minmax(4.5rem, 1fr))"
    return f"grid-template-columns: {columns}; max-width: {8 * len(group.tiles)}rem"


def _tile(tile: Tile) -> str:
    height, width = tile.pixels.shape[:2]
    caption = f"<figcaption>{escape(tile.label)}</figcaption>" if tile.label else ""
    return (
        f'<figure><img src="{_uri(_png(tile.pixels))}" width="{width}" '
        f'height="{height}" alt="{escape(tile.alt or tile.label)}">{caption}</figure>\n'
    )


def _scale(scale: Scale) -> str:
    bar = f"linear-gradient(to right, {', '.join(_stops(scale.colours))})"
    return (
        f'<span class="scale">{escape(scale.low)}<i style="background: {bar}"></i>'
        f"{escape(scale.high)}</span>"
    )


def _stops(colours: Colormap) -> list[str]:
    return [to_hex(colours(x)) for x in np.linspace(0, 1, 9)]


def _png(pixels: Pixels) -> bytes:
    """Return pixels as a PNG file's content, one pixel each."""
    written = io.BytesIO()
    Image.fromarray(pixels).save(written, "PNG", optimize=True)
    return written.getvalue()


def _uri(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()
