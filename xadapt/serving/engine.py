"""The one thread that computes: it gathers rows of waiting requests and runs them in one forward.

Source: continuous batching of requests is that of Orca (Yu et al. 2022, OSDI,
https://www.usenix.org/conference/osdi22/presentation/yu, section 3); an encoder has one step a row,
so a forward takes whatever waits. Rows of different modules share it, as in Punica and S-LoRA (see
`xadapt.injection.batched_lora`).
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import groupby
from weakref import WeakSet

import torch
from torch import Tensor, nn

from xadapt.backbones.encoder.encode import forward
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.encoder.own_texts import read_texts
from xadapt.backbones.finite import NotFiniteError
from xadapt.backbones.mapped_tokenizer import MappedTokenizer
from xadapt.composition.text import show
from xadapt.composition.values import Composition
from xadapt.core.errors import UserError
from xadapt.core.memory import give_back
from xadapt.inference.composed_rows import ComposedRows
from xadapt.inference.concurrency import compute_slot
from xadapt.serving.batching import WINDOW, Job, Waiting, choose, window
from xadapt.serving.errors import RequestError, busy
from xadapt.serving.metrics import Metrics
from xadapt.serving.rows import Texts, Work, read_each

MAX_BYTES = 64 << 20
"""Most bytes of the texts of all waiting requests."""
TIDY_SECONDS = 10.0
"""So often freed memory is given back while forwards run; they have other shapes every time."""
LONGEST_DELAY = 60
FIRST_RATE = 5_000.0
"""Tokens a second that are assumed before anything was measured."""
BYTES = 4
"""Bytes of text that are counted as one token."""

Done = Callable[[list[Job]], None]


class Engine:
    """Computes requests on a thread of its own, many in one forward.

    Args:
        encoder: The base.
        done: Called from that thread with requests that are over: each has results or an error.
        metrics: Where the work is counted.
        batch_tokens: Most padded tokens of a forward.
        wait: Seconds that a request waits for others if nothing else is to do.
        queue: Most items of all requests that wait or are computed.
        crashed: Called if the thread ends by an error of its own.
    """

    def __init__(
        self,
        encoder: Encoder,
        done: Done,
        metrics: Metrics,
        *,
        batch_tokens: int = 4096,
        wait: float = 0.003,
        queue: int = 4096,
        crashed: Callable[[], None] = lambda: None,
    ) -> None:
        self.encoder, self.metrics = encoder, metrics
        self._done, self._crashed = done, crashed
        self.batch_tokens, self.wait, self.queue = batch_tokens, wait, queue
        self.composed = ComposedRows(encoder)
        self._new: deque[Job] = deque()
        self._jobs: list[Job] = []
        self._gone: WeakSet[nn.Module] = WeakSet()
        self._items = self._bytes = 0
        self._rate = FIRST_RATE
        self._tidied, self._ran = time.monotonic(), False
        self._closing = False
        self._change = threading.Condition()
        self._thread = threading.Thread(target=self._live, name="xadapt-engine", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether requests are computed."""
        return self._thread.is_alive() and not self._closing

    @property
    def items(self) -> int:
        """The number of items that wait or are computed."""
        return self._items

    def submit(self, job: Job) -> None:
        """Put a request into the queue.

        Raises:
            RequestError: If the queue is full, or the server ends.
        """
        with self._change:
            if not self.alive:
                raise RequestError(503, "the server is shutting down", code="shutting_down")
            many = self._items + job.work.count > self.queue
            if many or (self._items and self._bytes + job.work.bytes > MAX_BYTES):
                self.metrics.refused.labels("queue").inc()
                raise busy(self.delay())
            self._count(job.work.count, job.work.bytes)
            self._new.append(job)
            job.queued = True
            self._change.notify()

    def cancel(self, job: Job) -> None:
        """Take a request out of the queue; its rows leave it, except those in a running forward."""
        with self._change:
            if job.queued and not job.over:
                self._end(job)
                self.metrics.cancelled.inc()

    def forget(self, modules: Iterable[nn.Module]) -> None:
        """Free what was prepared of modules that are served no more.

        Requests that wait for one of them keep it, and prepare it again; it is freed with the last.
        """
        own = list(modules)
        with self._change:
            self._gone.update(own)
        for module in own:
            self.composed.forget(module)

    def delay(self) -> int:
        """Estimate the seconds until the queue has room, from 1 to 60."""
        return max(1, min(LONGEST_DELAY, math.ceil(self._bytes / BYTES / self._rate)))

    def close(self, timeout: float | None = None) -> None:
        """Answer all accepted requests, then end the thread."""
        with self._change:
            self._closing = True
            self._change.notify()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def _end(self, job: Job) -> None:
        job.over = True
        self._count(-job.work.count, -job.work.bytes)

    def _count(self, items: int, size: int) -> None:
        self._items += items
        self._bytes += size
        self.metrics.waiting.set(self._items)

    def _live(self) -> None:
        try:
            while self._gather():
                self._step()
                self._tidy()
        except BaseException:
            self._give_up()
            raise

    def _give_up(self) -> None:
        with self._change:
            self._closing = True
            left = [job for job in (*self._jobs, *self._new) if not job.over]
            for job in left:
                job.fail(RequestError(500, "the engine has stopped", code="engine_stopped"))
                self._end(job)
        self._report(left)
        self._crashed()

    def _gather(self) -> bool:
        """Wait for work; return false once there is none and the thread should end."""
        with self._change:
            self._drop_over()
            if not self._jobs:
                while not self._new and not self._closing:
                    if not self._change.wait(self._until_tidy()):
                        return True
                self._wait_for_others()
            self._jobs += self._new
            self._new.clear()
            return bool(self._jobs) or not self._closing

    def _until_tidy(self) -> float | None:
        """Return the seconds until freed memory should be given back; ``None`` if none was used."""
        return max(0.0, self._tidied + TIDY_SECONDS - time.monotonic()) if self._ran else None

    def _tidy(self) -> None:
        """Give freed memory back, from time to time."""
        if self._until_tidy() == 0:
            give_back()
            self._tidied, self._ran = time.monotonic(), False

    def _drop_over(self) -> None:
        """Let go of requests that are over, and of what they prepared of modules that are gone."""
        for job in self._jobs if self._gone else ():
            if job.over:
                for module in job.work.modules.values():
                    if module in self._gone:
                        self.composed.forget(module)
        self._jobs = [job for job in self._jobs if not job.over]

    def _wait_for_others(self) -> None:
        """Wait until the first request is old enough, or there is enough for a forward."""
        while self._new and not self._closing and self._bytes < BYTES * self.batch_tokens:
            left = self._new[0].arrived + self.wait - time.monotonic()
            if left <= 0:
                return
            self._change.wait(left)

    def _step(self) -> None:
        began = time.monotonic()
        jobs = [job for job in self._jobs if not job.over]
        self._tokenize(jobs)
        chosen = choose(window(jobs), self.batch_tokens)
        for job, row in chosen:
            with suppress(ValueError):  # it was cancelled meanwhile
                job.ready.remove(row)
        if chosen:
            self._forward(chosen)
        over = []
        with self._change:
            for job in jobs:
                if not job.over and (job.complete or job.error is not None):
                    self._end(job)
                    over.append(job)
            passed = time.monotonic() - began
            if chosen and passed > 0:
                tokens = sum(len(row.ids) for _, row in chosen)
                self._rate += 0.2 * (tokens / passed - self._rate)
        self._report(over)

    def _report(self, over: list[Job]) -> None:
        if over:
            self._done(over)

    def _tokenize(self, jobs: Sequence[Job]) -> None:
        """Tokenize as many items of each request as the next forward may take.

        A request beyond the window is not tokenized yet: ids are several times as large as texts.
        """
        share = -(-WINDOW // len(jobs)) if jobs else 0
        texts: list[tuple[Job, Texts, int, int]] = []
        for job in jobs[:WINDOW]:
            start, stop = job.wanted(share)
            if start == stop:
                continue
            if isinstance(job.work, Texts):
                texts.append((job, job.work, start, stop))
            else:
                self._own_rows(job, start, stop)
        texts.sort(key=lambda one: id(one[1].encoder))
        for _, group in groupby(texts, key=lambda one: id(one[1].encoder)):
            self._together(list(group))

    def _own_rows(self, job: Job, start: int, stop: int) -> None:
        try:
            rows = job.work.rows(start, stop)
            for composition in {row.composition for row in rows}:
                if self._vocabulary(composition, job.work) is not None:
                    raise UserError(
                        "a module with a vocabulary of its own reads texts alone, and no token "
                        "ids, pairs or words",
                        where=show(composition),
                    )
            job.tokenized(rows, stop)
        except Exception as error:
            job.fail(error)

    def _together(self, group: list[tuple[Job, Texts, int, int]]) -> None:
        """Tokenize the texts of several requests in one call of the tokenizer."""
        try:
            texts = [text for _, work, i, j in group for text in work.texts[i:j]]
            own = [one for _, work, i, j in group for one in self._vocabularies(work, i, j)]
            readers, ids = read_texts(group[0][1].encoder, texts, own)
        except Exception as error:  # one of them can't be read, or can't run: which one?
            if len(group) == 1:
                group[0][0].fail(error)
                return
            for one in group:
                self._together([one])
            return
        at = 0
        for job, work, start, stop in group:
            some, at = slice(at, at + stop - start), at + stop - start
            try:
                job.tokenized(work.as_rows(start, stop, readers[some], ids[some]), stop)
            except Exception as error:
                job.fail(error)

    def _vocabularies(self, work: Texts, start: int, stop: int) -> list[MappedTokenizer | None]:
        """Return the tokenizer of some texts; ``None`` for the base's.

        Raises:
            UserError: If a composition can't run on this base.
        """
        placed = work.placed(start, stop)
        found = {one: self._vocabulary(one, work) for one, _ in dict.fromkeys(placed)}
        return [
            None if (own := found[one]) is None else own.for_language(language)
            for one, language in placed
        ]

    def _vocabulary(self, composition: Composition, work: Work) -> MappedTokenizer | None:
        """Prepare a composition, and return its tokenizer, if it has one of its own.

        Raises:
            UserError: If it can't run on this base.
        """
        if composition is None:
            return None
        return self.composed.make(composition, work.modules).adapter.vocabulary

    def _forward(self, rows: list[Waiting]) -> None:
        """Run one forward; if it fails, run halves, so that only the row at fault fails."""
        try:
            self._run(rows)
        except Exception as error:
            if len(rows) == 1:
                rows[0][0].fail(error)
                return
            half = len(rows) // 2
            self._forward(rows[:half])
            self._forward(rows[half:])

    def _run(self, rows: list[Waiting]) -> None:
        modules = {k: m for job, _ in rows for k, m in job.work.modules.items()}
        chosen = [row.composition for _, row in rows]
        ids = [row.ids for _, row in rows]
        self._ran = True
        began = time.perf_counter()
        with compute_slot(), torch.inference_mode():
            activation = self.composed.activations(chosen, modules)(list(range(len(rows))))
            states, mask = forward(self.encoder, ids, _seconds(rows), None, activation)
            found: list[tuple[int, Tensor]] = []
            readers: dict[int, list[int]] = {}
            for place, (job, _) in enumerate(rows):
                readers.setdefault(_reader_key(job), []).append(place)
            for places in readers.values():
                reader = rows[places[0]][0].work.reader
                found += zip(places, read_each(reader, places, states, mask), strict=True)
        self.metrics.forward.observe(time.perf_counter() - began)
        self.metrics.batch.observe(len(rows))
        self.metrics.tokens.inc(sum(map(len, ids)))
        for place, values in found:
            job, row = rows[place]
            if job.over or job.error is not None:
                continue
            if not bool(values.isfinite().all()):
                where = "the bare base" if row.composition is None else show(row.composition)
                job.fail(NotFiniteError("values", [row.item], where=where))
                continue
            try:
                job.computed(row, values)
            except Exception as error:
                job.fail(error)


def _reader_key(job: Job) -> int:
    """Return a number that is equal for requests whose results are read alike."""
    reader = job.work.reader
    return id(getattr(reader, "encoder", None) or getattr(reader, "head", reader))


def _seconds(rows: Sequence[Waiting]) -> list[int] | None:
    """Return where the second segment of each row begins; past the end where there is none."""
    if all(row.second is None for _, row in rows):
        return None
    return [len(row.ids) if row.second is None else row.second for _, row in rows]
