"""The code blocks of README and docs: read from a page, and run in order in one folder.

A comment right above a block changes what is done with it:

- ``<!-- not run: REASON -->``: nothing; the test holds the list of these.
- ``<!-- file: PATH -->``: the block is written to that file, before the first block is run.
- ``<!-- prints -->``: the block is what the one before it printed; ``...`` stands for anything.
- ``<!-- fails -->``: a shell block whose one command ends with 2, the user's mistake.
- ``<!-- needs: MODULE -->``: passed over where the module can't be imported.

``<!-- in tests: A is B -->`` anywhere on a page puts something small in the place of a word, such
as a Hub id. A block inside a comment is run like any other, and no reader sees it.
"""

from __future__ import annotations

import contextlib
import doctest
import importlib.util
import io
import re
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tiny_commands import xadapt

ROOT = Path(__file__).parent.parent.parent
FENCE = re.compile(r"^( *)```(\w*)[^\n]*\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
MARK = re.compile(r"<!-- (not run|file|prints|fails|needs)(?:: ([^>]*?))? -->\s*\Z")
SWAP = re.compile(r"<!-- in tests: (\S+) is (\S+) -->")
LIKE = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclass(frozen=True)
class Block:
    """One fenced block of a page."""

    place: str
    language: str
    body: str
    mark: str = ""
    value: str = ""


def pages() -> list[Path]:
    """README, CONTRIBUTING and every page of the documentation."""
    own = [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
    return [*own, *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path) -> Iterator[Block]:
    """Read the blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    swaps = sorted(SWAP.findall(text), reverse=True)  # a longer word before its beginning
    for fence in FENCE.finditer(text):
        indent, language, body = fence.groups()
        mark = MARK.search(text[: fence.start()])
        lines = (line.removeprefix(indent) for line in body.splitlines(keepends=True))
        body = "".join(lines)
        for word, small in swaps:
            body = re.sub(rf"(?<![\w./-]){re.escape(word)}(?![\w./:-])", small, body)
        place = f"{page.name}:{text[: fence.start()].count(chr(10)) + 1}"
        verb, value = mark.groups(default="") if mark else ("", "")
        yield Block(place, language, body, verb, value)


def run(page: Path) -> None:
    """Run the blocks of a page in the current folder."""
    names: dict[str, object] = {"__name__": "__main__"}
    printed = ""
    found = list(blocks(page))
    for block in found:
        if block.mark == "file":
            target = Path(block.value)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(block.body, encoding="utf-8")
    for block in found:
        if block.mark in ("not run", "file"):
            continue
        if block.mark == "needs" and importlib.util.find_spec(block.value) is None:
            continue
        if block.mark == "prints":
            same = doctest.OutputChecker().check_output(block.body, printed, LIKE)
            assert same, f"{block.place}: the block before it printed\n{printed}"
        elif block.language == "python":
            printed = _python(block, names)
        elif block.language == "sh":
            printed = _shell(block)


def _python(block: Block, names: dict[str, object]) -> str:
    """Run a Python block, and return what it printed."""
    line = int(block.place.rpartition(":")[2])
    code = compile("\n" * line + block.body, block.place, "exec", dont_inherit=True)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(code, names)
    return out.getvalue()


def _shell(block: Block) -> str:
    """Run the ``xadapt`` commands of a shell block in this process."""
    printed = ""
    for line in block.body.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if not words:
            continue
        typed = ""
        if words[0] == "echo" and words[2:3] == ["|"]:
            typed, words = words[1] + "\n", words[3:]
        assert words[0] == "xadapt", f"{block.place}: {words[0]} is not run; say so above the block"
        with _typed(typed):
            done = xadapt(*words[1:])
        wanted = 2 if block.mark == "fails" else 0
        assert done.code == wanted, f"{block.place}: {line}\n{done.err}"
        printed += done.err if block.mark == "fails" else done.out
    return printed


@contextlib.contextmanager
def _typed(text: str) -> Iterator[None]:
    """Standard input that holds a text."""
    before = sys.stdin
    sys.stdin = io.TextIOWrapper(io.BytesIO(text.encode()), encoding="utf-8")
    try:
        yield
    finally:
        sys.stdin = before
