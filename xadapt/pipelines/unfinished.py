"""Unfinished work beside its output: rows and vectors that are there when a cut command goes on."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xadapt.core.files import is_stream, sha256_file
from xadapt.core.journal import KEPT, Journal, open_journal

MANIFEST = "xadapt.json"
UNFINISHED = ".unfinished"
"""The ending of the folder beside the output in which work is kept until all is there."""
OTHER_WORK = "Remove the folder, or add --force to begin again"


@dataclass(frozen=True)
class Unfinished:
    """A folder for intermediate results.

    Attributes:
        folder: The folder.
        journal: The journal in it; ``None`` for a temporary folder.
    """

    folder: Path
    journal: Journal | None = None

    @property
    def kept(self) -> bool:
        """Whether the folder is there after an interruption."""
        return self.journal is not None

    def name(self, name: str) -> str:
        """Return the name of a file of intermediate results, which goes once all is done."""
        return f"{KEPT}{name}"

    def finish(self) -> None:
        """Remove the intermediate results, once the output is written."""
        if self.journal is not None:
            self.journal.remove()


@contextmanager
def unfinished(
    out: str | Path | None, work: Mapping[str, Any], *, restart: bool = False
) -> Iterator[Unfinished]:
    """Open the folder beside an output, or a temporary folder without an output that is a file.

    Args:
        out: The output.
        work: Names and values that decide the results.
        restart: Whether results of other work are removed.

    Raises:
        UserError: If the folder holds results of other work, or can't be written.
    """
    if out is None or is_stream(Path(out)):
        with tempfile.TemporaryDirectory(prefix="xadapt-") as temporary:
            yield Unfinished(Path(temporary))
        return
    folder = Path(out).with_name(Path(out).name + UNFINISHED)
    with open_journal(folder, work, restart=restart, todo=OTHER_WORK) as journal:
        yield Unfinished(folder, journal)


def models_of(base: Any, modules: Sequence[str], compose: str | None) -> dict[str, Any]:
    """Return what vectors depend on: the base, the hashes of modules, the composition."""
    return {
        "base": base if isinstance(base, str) or base is None else type(base).__name__,
        "modules": [hash_of(str(Path(one.partition("=")[2] or one) / MANIFEST)) for one in modules],
        "compose": compose,
    }


def digest_of(*parts: str | bytes) -> str:
    """Return a short hash of texts or bytes, for the name of a file of intermediate results."""
    made = hashlib.blake2b(digest_size=8)
    for part in parts:
        raw = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        made.update(len(raw).to_bytes(8, "little") + raw)
    return made.hexdigest()


def hash_of(place: str) -> str:
    """Return the hash of a file, of the files of a folder, or of the text itself."""
    path = Path(place if len(place) < 4096 else "")
    if path.is_file():
        return sha256_file(path)
    if path.is_dir() and place:
        parts = sorted(p for p in path.rglob("*") if p.is_file())
        text = "\n".join(f"{p.relative_to(path)} {sha256_file(p)}" for p in parts)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    folder = Path(place.partition(":")[2])
    if place.partition(":")[2] and folder.is_dir():
        return hash_of(str(folder))
    return hashlib.sha256(place.encode("utf-8", "surrogatepass")).hexdigest()
