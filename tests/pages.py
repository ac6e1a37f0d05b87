"""The documents as a Markdown parser sees them: their blocks of code, in order, and what their text has as code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(page for page in DOCS.rglob("*.md") if "generated" not in page.parts)]
PROMPT = "$ "
# The fences that tests run; and those that only show something, in which nothing may stand that somebody would type.
RUN, SHOWN = ("console", "python", "sh", "toml"), ("", "text", "mermaid")
# What Sphinx makes something of. Blocks that are included lie in docs/examples, which tests run as programs.
DIRECTIVES = ("{toctree}", "{literalinclude}", "{eval-rst}")
TYPED = re.compile(
    r"^[^\w\n]*(?:(?:sudo )?(?:aitrain|make|pip|python3?|docker|git|jq|openssl|export|cd) "
    r"|from \w+ import |import \w|(?:async )?with \w|(?:async )?for \w+ in |\w+ = )",
    re.M,
)


@dataclass(frozen=True)
class Block:
    """A block of code of a page.

    kind: "fence", "code_block" (indented) or "html_block"; language: the first word of its fence, about: what
    follows that, "" if it has none; line: counted from 1.
    """

    kind: str
    language: str
    about: str
    text: str
    line: int


def blocks(page: Path) -> Iterator[Block]:
    """A page's blocks of code, whatever fence they have, or if they are indented or HTML."""
    for token in _parser().parse(page.read_text()):
        if token.type in ("fence", "code_block", "html_block"):
            language, _, about = token.info.strip().partition(" ")
            yield Block(token.type, language, about, token.content, token.map[0] + 1)


def codes(page: Path) -> Iterator[str]:
    """What stands in a page's text as code."""
    for token in _parser().parse(page.read_text()):
        yield from (child.content for child in token.children or () if child.type == "code_inline")


def commands(block: Block) -> list[str]:
    """The commands of a console block, each whole: a line that ends with a backslash goes on in the next."""
    lines = block.text.replace("\\\n", "\\\0").splitlines()
    return [line.removeprefix(PROMPT).replace("\0", "\n") for line in lines if line.startswith(PROMPT)]


def faults(page: Path) -> Iterator[str]:
    """What is wrong with the fences of a page: by it something would stand there that no test runs."""
    for block in blocks(page):
        where = f"{page.relative_to(ROOT) if page.is_relative_to(ROOT) else page.name}, line {block.line}"
        if block.kind == "code_block" or "<pre" in block.text or "<code" in block.text:
            yield f"{where}: a block of code has a fence of backticks, and is neither indented nor HTML"
        elif block.language == "console":
            shown = block.text.replace("\\\n", "").splitlines()
            if not commands(block) or any(TYPED.match(line) for line in shown if not line.startswith(PROMPT)):
                yield f"{where}: a command in a console block begins with `{PROMPT}`"
        elif block.language in (*SHOWN, *DIRECTIVES):
            if typed := TYPED.search(block.text):
                yield f"{where}: {typed.group()!r} is typed: fence it as one of {', '.join(RUN)}"
        elif block.language not in RUN:
            yield f"{where}: no test knows {block.language!r}: fence it as one of {', '.join((*RUN, *SHOWN))}"
    for number, line in enumerate(page.read_text().splitlines(), 1):
        if line.lstrip().startswith(":::"):
            yield f"{page.name}, line {number}: use a fence of backticks, as all pages do"


def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark").enable("table")
