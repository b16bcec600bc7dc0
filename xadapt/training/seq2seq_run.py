"""The frozen encoder-decoder of a run: views, services of objectives, cached sources."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from xadapt.backbones.seq2seq.seq2seq import Seq2Seq
from xadapt.backbones.seq2seq.source_states import SourceStates
from xadapt.backbones.seq2seq.text_tokens import TextTokens
from xadapt.core.distributed import DistributedContext
from xadapt.core.errors import UserError
from xadapt.core.progress import meter
from xadapt.data.records import Record
from xadapt.injection.attachment import embedding_table
from xadapt.modules.hooks import BELOW
from xadapt.objectives.contract import SEQ2SEQ, TargetView, call
from xadapt.training.active_module import ActiveModule
from xadapt.training.forward import Request
from xadapt.training.seq2seq_forward import Seq2SeqForward
from xadapt.training.settings import Companion, Run
from xadapt.training.tasks import Task, require_backbone
from xadapt.training.tokenized import Row

Langs = Sequence[str | None] | None


class Seq2SeqRun:
    """A `BaseRun` of an encoder-decoder.

    Args:
        seq2seq: The frozen base.
        acting: The module under training, or the first composition in which it is trained.
        run: Schedule, folder and callables.
        processes: The processes of the run.
        companions: Frozen modules that views may name; there are none here.
        pins: Folder of the cached activations that the run uses.

    Raises:
        UserError: If the run has companions, a teacher, dimensions or prompts.
    """

    def __init__(
        self,
        seq2seq: Seq2Seq,
        acting: ActiveModule,
        run: Run,
        processes: DistributedContext,
        companions: Mapping[str, Companion],
        pins: Path,
    ) -> None:
        self.seq2seq, self.run, self.processes, self.pins = seq2seq, run, processes, pins
        given = {"companions": companions, "teacher": run.teacher, "dimensions": run.dimensions}
        for name, value in given.items():
            if value:
                raise UserError(
                    "a run on an encoder-decoder has none", where=name, todo="Leave it out"
                )
        self.forward = Seq2SeqForward(seq2seq, acting, run.spec.batch_tokens, run.spec.grad_cache)
        self.tokens = TextTokens(seq2seq)
        self._rows: dict[tuple[str, str | None, str | None, bool], Row] = {}

    @property
    def texts(self) -> int:
        """Number of texts that were tokenised so far."""
        return len(self._rows)

    @property
    def head_services(self) -> dict[str, Any]:
        """Nothing: objectives of encoder-decoders have no heads."""
        return {}

    @property
    def services(self) -> dict[str, Any]:
        """What objectives may name that comes from the base."""
        return {
            "tokenizer": self.seq2seq.tokenizer,
            "tokenize": self.tokenize,
            "tokenize_sources": self.tokenize_sources,
            "tokenize_targets": self.tokenize_targets,
            "languages_in_words": self.tokens.in_words,
            "sentinels": self.tokens.sentinels,
            "vocabulary": embedding_table(self.seq2seq).num_embeddings,
            "depth": self.seq2seq.depth,
            "max_length": self.seq2seq.max_length,
        }

    def tokenize(self, texts: Sequence[str]) -> list[Row]:
        """Tokenise sources without a language, each once in a run."""
        return self.tokenize_sources(texts)

    def tokenize_sources(
        self, texts: Sequence[str], langs: Langs = None, into: Langs = None
    ) -> list[Row]:
        """Tokenise texts that the encoder reads, each once in a run.

        Args:
            texts: The texts.
            langs: The language of each.
            into: The language to write for each.

        Raises:
            UserError: If the base has no token for a language.
        """
        none = [None] * len(texts)
        return self._known(list(zip(texts, langs or none, into or none, strict=True)), False)

    def tokenize_targets(self, texts: Sequence[str], langs: Langs = None) -> list[Row]:
        """Tokenise texts that the decoder writes, each once in a run.

        Args:
            texts: The texts.
            langs: The language of each.

        Raises:
            UserError: If the base has no token for a language.
        """
        none = [None] * len(texts)
        return self._known(list(zip(texts, langs or none, none, strict=True)), True)

    def require(self, tasks: Sequence[Task], turns: Sequence[ActiveModule]) -> None:
        """Refuse objectives and modules that can't be trained on an encoder-decoder.

        Raises:
            UserError: If there is one.
        """
        for task in tasks:
            require_backbone(task, SEQ2SEQ)
        for turn in turns:
            if any(e.layer == BELOW or e.reads == "here" or e.by_row for e in turn.hooks):
                raise UserError(
                    f"a module of kind {turn.module.kind} is for encoders alone",
                    where="module",
                    todo="Train a lora or a bottleneck",
                )

    def prepare(
        self, tasks: Sequence[Task], services: Sequence[Mapping[str, Any]], start: int, show: bool
    ) -> None:
        """Encode the sources that are the same in every step, if no module is in the encoder."""
        if self.run.spec.epochs < 2 or start < self.seq2seq.encoder_depth:
            return
        found = [
            tuple(row)
            for task, given in zip(tasks, services, strict=True)
            for row, _ in task.steady_rows(given)
        ]
        rows = list(dict.fromkeys(found))
        if not rows:
            return
        sources = SourceStates(self.seq2seq, self.run.cache)
        sources.pin(self.pins)
        with meter("encoding sources", len(rows), show) as bar:
            if self.processes.main:
                sources.add(rows, bar.advance)
        self.processes.wait()
        sources.add(rows)
        self.forward.sources = sources

    def compiled(self, asked: bool) -> AbstractContextManager[None]:
        """Do nothing.

        Raises:
            UserError: If compiling is asked for.
        """
        if asked:
            raise UserError(
                "the layers of an encoder-decoder are not compiled",
                where="train.compile",
                todo="Leave it at false",
            )
        return nullcontext()

    def unpin(self) -> None:
        """Stop keeping the cached activations of the run."""
        if self.forward.sources is not None:
            self.forward.sources.unpin()

    def held_out(
        self, task: Task, records: Sequence[Record], *, module: bool = True, shift: int = 0
    ) -> tuple[Tensor, Tensor]:
        """Compute the losses of records that are not trained on.

        Random choices of the objective are the same in every call.

        Args:
            task: The objective.
            records: The records.
            module: Whether the module under training acts.
            shift: Number of places by which the sources move on to other targets: with 1, each
                target has the source of the record before it.

        Returns:
            The mean loss over the tokens of each record and the number of its tokens, ``(n,)``
            each.
        """
        found: list[tuple[Tensor, Tensor]] = []
        with torch.no_grad():
            for some in _batches(records, self.run.spec.batch_size):
                given = {**self.services, "records": some, "rng": random.Random(0)}
                made = call(task.objective.views, {**given, "memory": task.memory})
                views = {
                    name: replace(view, module=module, rows=_moved(view.rows, shift))
                    for name, view in made.items()
                    if isinstance(view, TargetView)
                }
                encoded = self.forward([Request(view, False) for view in views.values()])
                loss = call(task.objective.loss, {**made, **dict(zip(views, encoded, strict=True))})
                weights = torch.ones_like(loss.values) if loss.weights is None else loss.weights
                found.append((loss.values.float().cpu(), weights.float().cpu()))
        values, counts = (torch.cat(column) for column in zip(*found, strict=True))
        return values, counts

    def _known(self, wanted: list[tuple[str, str | None, str | None]], written: bool) -> list[Row]:
        new: dict[tuple[str | None, str | None], list[str]] = {}
        for text, lang, into in dict.fromkeys(wanted):
            if (text, lang, into, written) not in self._rows:
                new.setdefault((lang, into), []).append(text)
        for (lang, into), texts in new.items():
            if written:
                rows = self.tokens.targets(texts, lang)
            else:
                rows = self.tokens.sources(texts, lang, into)
            for text, row in zip(texts, rows, strict=True):
                self._rows[text, lang, into, written] = row
        return [self._rows[(*one, written)] for one in wanted]


def _batches(records: Sequence[Record], size: int) -> Iterator[Sequence[Record]]:
    for start in range(0, len(records), size):
        yield records[start : start + size]


def _moved(rows: Sequence[Any], shift: int) -> Sequence[Any]:
    return rows if not shift else [*rows[-shift:], *rows[:-shift]]
