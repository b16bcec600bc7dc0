"""A translator that translates a text once: translations are kept on disk by content."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from xadapt.backbones.cache.folder import cache_folder
from xadapt.core.errors import UserError
from xadapt.integrations.translators.protocol import Translator, open_translator

FILE = "translations.sqlite"
TABLE = "CREATE TABLE IF NOT EXISTS translations (key BLOB PRIMARY KEY, text)"
AT_ONCE = 256
"""Texts of one call of the translator; what is translated is kept after each call."""


class CachedTranslator:
    """A translator with a cache on disk.

    The key of a translation is the translator's facts, both languages and the text. So another
    model, version or direction never finds it. Several processes may use one cache. Work that is
    cut goes on where it was.

    Args:
        translator: The translator.
        folder: Folder of the cache, which is made.
        progress: Called with the number of further texts that are done, and can be replaced.

    Raises:
        UserError: If the cache can't be opened.
    """

    def __init__(
        self,
        translator: Translator,
        folder: str | Path,
        progress: Callable[[int], None] = lambda done: None,
    ) -> None:
        self.translator, self.progress = translator, progress
        self.path = Path(folder) / FILE
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with closing(self._open()) as store, store:
                store.execute(
                    "CREATE TABLE IF NOT EXISTS translations (key BLOB PRIMARY KEY, text)"
                )
        except (OSError, sqlite3.Error) as error:
            raise self._unusable(error) from None

    @property
    def facts(self) -> Mapping[str, str]:
        """The facts of the translator."""
        return self.translator.facts

    def translate(self, texts: Sequence[str], source: str, target: str) -> list[str]:
        """Translate texts, those that are new in turns; see `Translator.translate`."""
        name = json.dumps([dict(self.facts), source, target], sort_keys=True, ensure_ascii=False)
        keys = {text: _key(name, text) for text in texts}
        try:
            with closing(self._open()) as store:
                known = dict(_found(store, keys.values()))
                new = [text for text, key in keys.items() if key not in known]
                self.progress(len(keys) - len(new))
                for some in _parts(new):
                    said = self._translated(some, source, target)
                    rows = [(keys[t], own) for t, own in zip(some, said, strict=True)]
                    with store:  # a language model may give a translation later that it lacks now
                        store.executemany(
                            "INSERT OR REPLACE INTO translations VALUES (?, ?)",
                            [row for row in rows if row[1]],
                        )
                    known.update(rows)
                    self.progress(len(some))
        except sqlite3.Error as error:
            raise self._unusable(error) from None
        return [known[keys[text]] for text in texts]

    def _translated(self, texts: Sequence[str], source: str, target: str) -> list[str]:
        found = list(self.translator.translate(texts, source, target))
        if len(found) != len(texts) or not all(isinstance(one, str) for one in found):
            raise UserError(
                f"the translator {self.facts.get('translator', '')} gave {len(found)} translations "
                f"for {len(texts)} texts"
            )
        return found

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path, timeout=60)

    def _unusable(self, error: Exception) -> UserError:
        return UserError(
            f"the cache of translations can't be used ({error})",
            where=str(self.path),
            todo="Delete the file, or name another folder in the variable XADAPT_CACHE",
        )


def cached_translator(translator: str | Translator) -> CachedTranslator:
    """Open a translator over the cache of this machine.

    Raises:
        UserError: If the text names no translator, or the cache can't be opened.
    """
    opened = open_translator(translator) if isinstance(translator, str) else translator
    return CachedTranslator(opened, cache_folder() / "translations")


def _key(name: str, text: str) -> bytes:
    return hashlib.sha256(f"{name}\0{text}".encode("utf-8", "surrogatepass")).digest()


def _found(store: sqlite3.Connection, keys: Iterable[bytes]) -> Iterator[tuple[bytes, str]]:
    for key in keys:
        row = store.execute("SELECT text FROM translations WHERE key = ?", (key,)).fetchone()
        if row is not None:
            yield key, str(row[0])


def _parts(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(texts), AT_ONCE):
        yield texts[start : start + AT_ONCE]
