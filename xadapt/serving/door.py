"""The routes' work: requests in, answers out, on the loop of one process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from torch import nn

from xadapt.backbones.encoder.encode import dimension
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.core.errors import UserError
from xadapt.inference.prompts import choose_prompt
from xadapt.integrations.language_detector import LanguageDetector
from xadapt.serving import answers
from xadapt.serving.batching import Job
from xadapt.serving.bodies import ClassifyBody, EmbedBody, EmbeddingBody, TagBody
from xadapt.serving.changes import ModuleChanges
from xadapt.serving.engine import Engine
from xadapt.serving.errors import ClientLeftError, RequestError, as_request_error
from xadapt.serving.metrics import Metrics
from xadapt.serving.model_table import AUTO, BASE, ModelTable, Target
from xadapt.serving.rows import (
    Choice,
    FirstToken,
    Pooled,
    Sentences,
    TextPairs,
    Texts,
    TokenIds,
    Work,
)
from xadapt.serving.settings import Settings
from xadapt.serving.shared_table import SharedTable

Left = Callable[[], Awaitable[None]]
"""Returns once the client has closed the connection."""
MAX_VARIANTS = 64
SLOW_NUMBERS = 50_000
"""From this many numbers on, an answer is written in another thread."""
CLASSES = ("classification", "multi_label")
PAIRS = ("pair_classification",)
TAGS = ("tagging",)


class Door:
    """Everything that one process serves.

    Args:
        settings: The settings.
        encoder: The base.
        table: The models.
        shared: The list of modules of all workers.
        metrics: Where the work is counted.
        crashed: Called if the engine ends by an error.
    """

    def __init__(
        self,
        settings: Settings,
        encoder: Encoder,
        table: ModelTable,
        shared: SharedTable,
        metrics: Metrics,
        crashed: Callable[[], None] = lambda: None,
    ) -> None:
        self.settings, self.encoder, self.table = settings, encoder, table
        self.metrics = metrics
        self.detector = LanguageDetector()
        self.engine = Engine(
            encoder,
            self._done,
            metrics,
            batch_tokens=settings.max_batch_tokens,
            wait=settings.max_wait_ms / 1000,
            queue=settings.max_queue,
            crashed=crashed,
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._futures: dict[Job, asyncio.Future[None]] = {}
        self._variants: dict[str | None, Encoder] = {None: encoder}
        self._pooled: dict[int, Pooled] = {}
        self.changes = ModuleChanges(settings, table, shared, self._forget)
        self.stopping = False

    def open(self) -> None:
        """Begin to compute; called on the loop that serves."""
        self._loop = asyncio.get_running_loop()
        self.engine.start()
        self.metrics.modules.set(len(self.table.served))

    @property
    def ready(self) -> bool:
        """Whether requests are taken."""
        return self.engine.alive and not self.stopping

    async def embeddings(self, body: EmbeddingBody, left: Left) -> tuple[bytes, dict[str, str]]:
        """Answer ``/v1/embeddings``.

        Raises:
            RequestError: If the request is wrong, or can't be taken now.
        """
        model = body.model or self.settings.default_model
        job, vectors = await self._vectors(
            body.input, model, body, left, self.settings.normalize, param="input"
        )
        write = partial(answers.embeddings, vectors, body.encoding_format, model, job.tokens)
        slow = body.encoding_format == "float"
        return await _written(write, len(vectors), slow), answers.headers_of(job)

    async def embed(self, body: EmbedBody, left: Left) -> tuple[bytes, dict[str, str]]:
        """Answer ``/embed``.

        Raises:
            RequestError: As for `embeddings`.
        """
        model = body.model or self.settings.default_model
        job, vectors = await self._vectors(
            body.inputs, model, body, left, body.normalize, body.truncate is False, "inputs"
        )
        write = partial(answers.plain_vectors, vectors)
        return await _written(write, len(vectors), True), answers.headers_of(job)

    async def _vectors(
        self,
        given: Any,
        model: str,
        body: EmbeddingBody | EmbedBody,
        left: Left,
        unit: bool,
        whole: bool = False,
        param: str = "input",
    ) -> tuple[Job, list[answers.Vector]]:
        """Compute the vectors of texts or token ids."""
        await self.changes.synchronise()
        texts, ids = self._items(given, param)
        target = Target(AUTO) if model == AUTO else self.table.resolve(model, body.language)
        full = dimension(self.encoder)
        if body.dimensions is not None and body.dimensions != full:
            able = [full] if model == AUTO else target.dimensions(full)
            if body.dimensions not in able:
                shown = ", ".join(map(str, able))
                raise RequestError(
                    400,
                    f"dimensions: {model} was not trained for {body.dimensions} of {full} values; "
                    f"there are {shown}",
                    param="dimensions",
                    code="invalid_value",
                )
            unit = unit or self.encoder.pooling.normalise
        encoder = self._variant(target, body.prompt_name)
        reader = self._pooled.setdefault(id(encoder), Pooled(encoder))
        work: Work
        if ids is not None:
            if model == AUTO:
                raise RequestError(
                    400, "token ids have no language to detect", param="model", code="invalid_value"
                )
            work = TokenIds(reader, ids, encoder, target.composition, target.modules)
        elif model == AUTO:
            work = Texts(reader, texts, encoder, choose=self._detect, whole=whole)
        else:
            work = Texts(reader, texts, encoder, target.composition, target.modules, whole=whole,
                         language=body.language)  # fmt: skip
        job = await self.answered(work, left)
        self._count(model, work)
        return job, answers.shaped(job.results, body.dimensions, unit)

    async def classify(self, body: ClassifyBody, left: Left) -> tuple[bytes, dict[str, str]]:
        """Answer ``/classify``: for each text or pair the labels with scores, the best first.

        Raises:
            RequestError: As for `embeddings`, or if the model has no such head.
        """
        await self.changes.synchronise()
        model = body.model or self.settings.default_model
        target = self.table.resolve(model, body.language)
        given = body.inputs
        single = isinstance(given, str)
        items: Any = [given] if single else given
        self._require_count(len(items), "inputs")
        work: Work
        if items and not isinstance(items[0], str):
            if any(len(pair) != 2 for pair in items):
                raise RequestError(400, "inputs: a pair has two texts", param="inputs")
            head = target.head(PAIRS, "pairs of texts")
            work = TextPairs(
                FirstToken(head), items, self.encoder, target.composition, target.modules
            )
        else:
            head = target.head(CLASSES, "texts")
            work = Texts(FirstToken(head), items, self.encoder, target.composition, target.modules,
                         language=body.language)  # fmt: skip
        job = await self.answered(work, left)
        self._count(model, work)
        rows = [answers.label_scores(head, own, body.raw_scores) for own in job.results]
        return answers.as_json(rows[0] if single else rows), answers.headers_of(job)

    async def tag(self, body: TagBody, left: Left) -> tuple[bytes, dict[str, str]]:
        """Answer ``/tag``: for each sentence its spans, or its words with their labels.

        Raises:
            RequestError: As for `classify`.
        """
        await self.changes.synchronise()
        model = body.model or self.settings.default_model
        target = self.table.resolve(model, body.language)
        head = target.head(TAGS, "words")
        given = body.inputs
        single = isinstance(given, str)
        items: list[Any] = [given] if isinstance(given, str) else list(given)
        self._require_count(len(items), "inputs")
        cut = [
            answers.words_of(one) if isinstance(one, str) else (one, answers.places_of(one))
            for one in items
        ]
        words = [own for own, _ in cut]
        work = Sentences(head, words, self.encoder, target.composition, target.modules)
        job = await self.answered(work, left)
        self._count(model, work)
        rows = [
            answers.tagged(head, own, labels, places)
            for (own, places), labels in zip(cut, job.results, strict=True)
        ]
        return answers.as_json(rows[0] if single else rows), {}

    async def models(self) -> list[dict[str, object]]:
        """List the models."""
        await self.changes.synchronise()
        return list(self.table.entries())

    def _forget(self, gone: Mapping[str, nn.Module]) -> None:
        """Free what was prepared of modules that are served no more."""
        self.engine.forget(gone.values())
        self.metrics.modules.set(len(self.table.served))

    async def answered(self, work: Work, left: Left) -> Job:
        """Compute a request, and give it up if the client leaves.

        Raises:
            RequestError: If it can't be taken, is wrong, or takes too long.
            ClientLeftError: If the client left.
        """
        assert self._loop is not None
        job = Job(work)
        future: asyncio.Future[None] = self._loop.create_future()
        self._futures[job] = future
        watch = asyncio.ensure_future(left())
        try:
            self.engine.submit(job)
            done, _ = await asyncio.wait(
                {future, watch},
                timeout=self.settings.request_seconds,
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            watch.cancel()
            del self._futures[job]
            if not future.done():
                self.engine.cancel(job)
        if future.done():
            if job.error is not None:
                raise as_request_error(job.error)
            return job
        if not done:
            raise RequestError(503, "the request took too long", code="timeout", retry_after=1)
        raise ClientLeftError

    def close(self) -> None:
        """Answer what was accepted, then stop."""
        self.stopping = True
        self.engine.close(self.settings.grace_seconds)

    def _done(self, jobs: list[Job]) -> None:
        """Wake the requests of jobs; called from the engine's thread."""
        assert self._loop is not None
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._wake, jobs)

    def _wake(self, jobs: list[Job]) -> None:
        for job in jobs:
            future = self._futures.get(job)
            if future is not None and not future.done():
                future.set_result(None)

    def _items(self, given: Any, param: str) -> tuple[list[str], list[list[int]] | None]:
        """Tell texts from token ids, one or several."""
        if isinstance(given, str):
            return [given], None
        self._require_count(len(given), param)
        if isinstance(given[0], str):
            return given, None
        if isinstance(given[0], int):
            return [], [given]
        return [], given

    def _require_count(self, count: int, param: str) -> None:
        if not count:
            raise RequestError(400, f"{param}: there is no text", param=param, code="invalid_value")
        if count > self.settings.max_inputs:
            raise RequestError(
                400,
                f"{param}: {count} texts, and {self.settings.max_inputs} are allowed",
                param=param,
                code="too_many_inputs",
            )

    def _variant(self, target: Target, prompt_name: str | None) -> Encoder:
        """Return the base with the prompt that a request names."""
        if prompt_name is None:
            return self.encoder
        try:
            named = target.prompts(self.encoder.pooling.prompts)
            prompt = choose_prompt(named, prompt_name, None)
        except UserError as error:
            raise RequestError(400, str(error), param="prompt_name", code="invalid_value") from None
        if prompt not in self._variants:
            if len(self._variants) >= MAX_VARIANTS:
                self._variants = {None: self.encoder}
                self._pooled = {}
            self._variants[prompt] = self.encoder.adjusted(prompt=prompt)
        return self._variants[prompt]

    def _detect(self, text: str) -> tuple[Choice, Mapping[str, nn.Module]]:
        """Choose the model of a text by its language; in the engine's thread."""
        tag, confidence = self.detector.detect(text)
        name = BASE
        if confidence >= self.settings.min_confidence:
            name = self.table.for_language(tag)
        try:
            target = self.table.resolve(name, tag)
        except RequestError:  # it was removed just now
            name, target = BASE, Target(BASE)
        return Choice(target.composition, tag, confidence, name), target.modules

    def _count(self, model: str, work: Work) -> None:
        known = model in (BASE, AUTO, *self.table.served, *self.table.compositions)
        self.metrics.texts.labels(model if known else "other").inc(work.count)


async def _written(write: Callable[[], bytes], vectors: int, slow: bool) -> bytes:
    """Write an answer; a large one in another thread, so that the loop goes on."""
    if slow and vectors * 256 > SLOW_NUMBERS:
        return await asyncio.to_thread(write)
    return write()
