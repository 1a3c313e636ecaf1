"""Puts pages from beside docs/ into the site: what a forge looks for in the repository's own folder."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

ROOT = Path(__file__).parents[1]
PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "reporting.md",
}
_LINK = re.compile(r"(?<=\]\()(?:docs/|\.\./)?([\w./-]+)(?=[)#])")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages, with links as they are in the site."""
    from mkdocs.structure.files import File

    for name, page in PAGES.items():
        files.append(File.generated(config, page, content=in_site((ROOT / name).read_text("utf-8"))))
    return files


def on_page_markdown(markdown: str, **_: object) -> str:
    """Lead links that leave docs/ to where the site has their pages."""
    return in_site(markdown)


def in_site(markdown: str) -> str:
    """Return a page's text with the links that it has in the site."""
    return _LINK.sub(lambda link: PAGES.get(link[1], link[1]), markdown)
