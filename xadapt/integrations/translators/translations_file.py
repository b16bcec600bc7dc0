"""Translations that exist already, in a file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from xadapt.core.errors import UserError
from xadapt.data.readers.lines import read_lines


@dataclass(frozen=True)
class TranslationsFile:
    """A file with a text and its translation on each line, tab-separated.

    One file serves one direction. The languages are those of the call; the file doesn't name them.

    Attributes:
        path: The file.
        translations: Translation by text, both without outer white space.
        sha256: Hash of the texts and translations.
    """

    path: Path
    translations: Mapping[str, str]
    sha256: str

    @classmethod
    def read(cls, path: str | Path) -> TranslationsFile:
        """Read a file; it may be compressed. Empty lines are skipped.

        Raises:
            UserError: If the file can't be read, is empty, a line has no tab or an empty side, or a
                text has two different translations.
        """
        found: dict[str, str] = {}
        for number, line in read_lines(str(path)):
            if not line.strip():
                continue
            text, tab, rest = line.partition("\t")
            own = rest.partition("\t")[0].strip()
            if not tab or not text.strip() or not own:
                raise UserError(
                    "a line needs a text, a tab and its translation", where=f"{path}:{number}"
                )
            if found.setdefault(text.strip(), own) != own:
                raise UserError(
                    f"{text.strip()[:60]!r} has another translation further up",
                    where=f"{path}:{number}",
                    todo="Keep one of them",
                )
        if not found:
            raise UserError("the file holds no translation", where=str(path))
        digest = hashlib.sha256("\n".join(f"{a}\t{b}" for a, b in found.items()).encode())
        return cls(Path(path), found, digest.hexdigest())

    @property
    def facts(self) -> Mapping[str, str]:
        """The name of the file and its hash."""
        return {"translator": "file", "file": self.path.name, "sha256": self.sha256}

    def translate(self, texts: Sequence[str], source: str, target: str) -> list[str]:
        """Look the translations up; see `Translator.translate`.

        Raises:
            UserError: If texts have no translation in the file.
        """
        missing = [t for t in dict.fromkeys(texts) if t.strip() not in self.translations]
        if missing:
            raise UserError(
                f"{len(missing)} of {len(set(texts))} texts have no translation from {source} into "
                f"{target}; the first is {missing[0][:60]!r}",
                where=str(self.path),
                todo="Add them",
            )
        return [self.translations[text.strip()] for text in texts]
