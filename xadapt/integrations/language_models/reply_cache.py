"""Replies on disk, found by the content of their question, so that none is paid for twice."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
from collections.abc import Mapping
from pathlib import Path

from xadapt.core.errors import UserError
from xadapt.integrations.language_models.protocol import Question, Reply

FILE = "replies.sqlite"
_TABLE = (
    "CREATE TABLE IF NOT EXISTS replies (key BLOB PRIMARY KEY, text TEXT, finish TEXT, "
    "prompt_tokens INTEGER, completion_tokens INTEGER)"
)


class ReplyCache:
    """Replies by question and model. Threads and processes may share it.

    A reply is on the disk when `add` returns. Questions are not stored, only their hashes.

    Args:
        folder: Folder of the cache, which is made.

    Raises:
        UserError: If the cache can't be opened.
    """

    def __init__(self, folder: str | Path) -> None:
        self.path = Path(folder) / FILE
        self._lock = threading.Lock()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._store = sqlite3.connect(self.path, timeout=60, check_same_thread=False)
            with self._store:
                self._store.execute(_TABLE)
        except (OSError, sqlite3.Error) as error:
            raise self._unusable(error) from None

    def find(self, facts: Mapping[str, str], question: Question) -> Reply | None:
        """Return the reply of a model to a question, if it is known.

        Raises:
            UserError: If the cache can't be read.
        """
        names = "text, finish, prompt_tokens, completion_tokens"
        try:
            with self._lock:
                row = self._store.execute(
                    f"SELECT {names} FROM replies WHERE key = ?", (_key(facts, question),)
                ).fetchone()
        except sqlite3.Error as error:
            raise self._unusable(error) from None
        return None if row is None else Reply(*row)

    def add(self, facts: Mapping[str, str], question: Question, reply: Reply) -> None:
        """Keep a reply.

        Raises:
            UserError: If the cache can't be written.
        """
        row = (reply.text, reply.finish, reply.prompt_tokens, reply.completion_tokens)
        try:
            with self._lock, self._store:
                self._store.execute(
                    "INSERT OR REPLACE INTO replies VALUES (?, ?, ?, ?, ?)",
                    (_key(facts, question), *row),
                )
        except sqlite3.Error as error:
            raise self._unusable(error) from None

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._store.close()

    def _unusable(self, error: Exception) -> UserError:
        return UserError(
            f"the cache of replies can't be used ({error})",
            where=str(self.path),
            todo="Delete the file, or name another folder in the variable XADAPT_CACHE",
        )


def _key(facts: Mapping[str, str], question: Question) -> bytes:
    name = json.dumps([dict(facts), question.key], sort_keys=True)
    return hashlib.sha256(name.encode()).digest()
