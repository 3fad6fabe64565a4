"""MkDocs hooks: pages made of the repository's own files, links to its other files, and the generated reference.

A link out of ``docs/`` works on a code host. On the site, a linked file is one of its pages (``PAGES``) or, like an example,
a file to download.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Final

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from reference import commands_reference, keys_reference, options_reference

REPOSITORY: Final = Path(__file__).parents[2]

PAGES: Final = {
    "README.md": "index.md",
    "data/README.md": "data.md",
    "CONTRIBUTING.md": "contributing.md",
    "ARCHITECTURE.md": "architecture.md",
    "CHANGELOG.md": "changelog.md",
}
"""Files outside of ``docs/`` that are pages of the site."""

GENERATED: Final = {
    "<!-- commands -->": commands_reference,
    "<!-- options -->": options_reference,
    "<!-- keys -->": keys_reference,
}
"""What replaces a comment of a page."""

_SOURCES: Final = {page: source for source, page in PAGES.items()}
_LINK: Final = re.compile(r"(?<=\]\()(?!\w+:)([^)\s#]+)")
_ROLE: Final = re.compile(r":\w+:(?=<code>)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that lie outside of ``docs/``, and the files that any page links to."""
    for source, uri in PAGES.items():
        text = (REPOSITORY / source).read_text(encoding="utf-8")
        files.append(File.generated(config, uri, content=text))
    for page in files.documentation_pages():
        for link in _LINK.findall(page.content_string):
            target = _target(page.src_uri, link)
            if _is_download(target) and target not in files.src_uris:
                files.append(File.generated(config, target, abs_src_path=str(REPOSITORY / target)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point links to where their files lie on the site, and fill in what is generated."""
    uri = page.file.src_uri
    for comment, generate in GENERATED.items():
        if comment in markdown:
            markdown = markdown.replace(comment, generate())
    return _LINK.sub(lambda link: _on_site(uri, link[0]), markdown)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Leave out Sphinx's roles, which docstrings use and Markdown does not know."""
    return _ROLE.sub("", html)


def _target(uri: str, link: str) -> str:
    """Return the path in the repository that a link of a page leads to."""
    folder = posixpath.dirname(_SOURCES.get(uri, f"docs/{uri}"))
    return posixpath.normpath(posixpath.join(folder, link))


def _is_download(target: str) -> bool:
    return target not in PAGES and not target.startswith("docs/") and (REPOSITORY / target).is_file()


def _on_site(uri: str, link: str) -> str:
    """Return a page's link to a file outside of ``docs/``, or from such a page, as a link of the site; any other as it is."""
    target = _target(uri, link)
    if target in PAGES or _is_download(target):
        return PAGES.get(target, target)
    return target.removeprefix("docs/") if uri in _SOURCES else link
