"""Work on rows by several threads, and keep the finished ones in order in a journal."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any, TypeVar

from xadapt.core.errors import UserError
from xadapt.core.journal import Journal
from xadapt.integrations.language_models.client import Client
from xadapt.integrations.language_models.protocol import UnansweredError
from xadapt.integrations.language_models.replies_file import RepliesFile

T = TypeVar("T")
WORKERS = 8
AHEAD = 8
"""Rows of each worker that may be finished before the first one is."""
TEMPORARY = "temporary"
"""Key of an entry whose row failed only because the model is out of order."""


def work_on_rows(
    rows: Iterable[T],
    work: Callable[[T], Mapping[str, Any]],
    journal: Journal,
    clients: Sequence[Client],
    *,
    workers: int = WORKERS,
    advance: Callable[[int], None] = lambda _: None,
) -> None:
    """Do the work of each row that the journal does not have, and add what it returns.

    Rows that failed because a model is out of order are added with the next good row, so that
    they are tried again if the model stays out of order. If the work is interrupted, requests
    under way are finished, so that their replies are not asked for again.

    Args:
        rows: All rows.
        work: Returns the entry of a row. It is called by several threads.
        journal: The journal.
        clients: The language models that the work asks.
        workers: Number of threads.
        advance: Called with numbers of finished rows.

    Raises:
        UserError: As for the work, or if a file of replies lacks replies; its questions are then
            in a file.
    """
    doing = _Doing(journal, advance)
    pool = ThreadPoolExecutor(max_workers=workers)
    try:
        for row in islice(rows, len(journal), None):
            doing.queue.append(pool.submit(work, row))
            if len(doing.queue) >= AHEAD * workers:
                doing.take()
        while doing.queue:
            doing.take()
    except BaseException:
        for client in clients:
            client.stop()
        pool.shutdown(wait=True, cancel_futures=True)
        raise
    pool.shutdown()
    if doing.waiting:
        raise _unanswered(clients)
    journal.add(doing.held)


class _Doing:
    """Rows on their way."""

    def __init__(self, journal: Journal, advance: Callable[[int], None]) -> None:
        self.journal, self.advance = journal, advance
        self.queue: deque[Future[Mapping[str, Any]]] = deque()
        self.held: list[Mapping[str, Any]] = []
        self.waiting = 0

    def take(self) -> None:
        """Take the first row when it is finished, and those after it that are finished too."""
        first, good = True, 0
        while self.queue and (first or self.queue[0].done()):
            first = False
            try:
                entry = self.queue.popleft().result()
            except UnansweredError:
                self.waiting += 1
                continue
            self.held.append(entry)
            good = good if entry.get(TEMPORARY) else len(self.held)
            self.advance(1)
        if self.waiting:
            self.held = []  # rows are journalled in order, and one before them is open
        elif good:
            self.journal.add(self.held[:good])
            del self.held[:good]


def _unanswered(clients: Sequence[Client]) -> UserError:
    """Write the open questions of each file of replies; return the error that names the files."""
    files: dict[str, RepliesFile] = {}
    count = 0
    for client in clients:
        if isinstance(client.model, RepliesFile) and client.model.waiting:
            files[str(client.model.questions)] = client.model
            count += client.model.waiting
    for model in files.values():
        model.write_questions()
    return UserError(
        f"{count:,} questions have no reply yet: they are in {', '.join(files)}",
        where=", ".join(str(model.path) for model in files.values()),
        todo="Add the replies, and run the same command again",
    )
