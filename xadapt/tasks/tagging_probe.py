"""Tagging probe: labels of words, read from the frozen states by a linear map.

A module that has learnt something else may cost what the base could do. The probe measures this for
any module, also for one without a task head: the labels of words are predicted from their states
once without the module and once with it. The linear map is fitted on one half of the sentences and
answers the other half, and the other way round, so that each sentence is answered by a map that has
not seen it.

Source: linear probes are from Alain and Bengio 2016, https://arxiv.org/abs/1610.01644; the control
that knows each word's most frequent label stands for what needs no context, as in Hewitt and Liang
2019, https://arxiv.org/abs/1909.03368, section 2.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from rich.table import Table
from torch import nn

from xadapt.backbones.cache.reuse import Kept
from xadapt.backbones.encoder.encode import token_states
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.encoder.words import tokenize_word_windows
from xadapt.core.errors import UserError
from xadapt.core.text_key import normal_key
from xadapt.data.loading.records import limited
from xadapt.data.records import TaggedSentence
from xadapt.evaluation.comparison import Result
from xadapt.functional.linear_probe import LinearProbe
from xadapt.functional.tag_scheme import Scheme, decode, to_labels
from xadapt.heads.head import Head
from xadapt.hub.manifest import Evidence
from xadapt.tasks import tagging
from xadapt.tasks.alignment import (
    BASE,
    open_composed,
    open_module_and_control,
    require_module,
)
from xadapt.tasks.predictor import BASELINE, MODULE
from xadapt.tasks.protocol import RESAMPLES, Option, Request, Task, read_rows
from xadapt.training.active_module import ActiveModule
from xadapt.training.loop import Trainer

UNKNOWN = "und"
BY_WORD = "label of the word"
SENTENCES = 4000
"""The largest number of sentences; of more, those with the smallest hashes are taken."""
SCHEMES: dict[str, Scheme] = {reader: scheme for scheme, reader in tagging.READERS.items()}
TAGGING = tagging.Tagging()
Labels = list[list[str]]


class TaggingProbe(Task):
    """Give each word a label by a linear map from its state."""

    name: ClassVar[str] = "tagging_probe"
    title: ClassVar[str] = (
        "Labels of words by a linear probe on frozen states: what a module keeps of the base."
    )
    record: ClassVar[type] = TaggedSentence
    metrics: ClassVar[tuple[str, ...]] = TAGGING.metrics
    task_type: ClassVar[str] = "token-classification"
    shared: ClassVar[tuple[str, ...]] = ("module", "compose", "baseline")
    reader: ClassVar[str] = tagging.READERS["word"]
    data_help: ClassVar[str] = "Sentences with labels; one half is for the probe, by turns."
    details_title: ClassVar[str] = TAGGING.details_title

    def evaluate(
        self,
        rows: Sequence[TaggedSentence],
        systems: Any,
        *,
        base: Any = None,
        resamples: int = RESAMPLES,
        seed: int = 0,
        scheme: Scheme = "bio",
    ) -> Result:
        """Score labels of words as the task ``tagging`` does.

        Args:
            rows: The sentences with their spans.
            systems: Labels by system name, one a word of each sentence.
            base: The system the others are compared with.
            resamples: Number of bootstrap samples over sentences.
            seed: Seed of the bootstrap.
            scheme: The scheme by which labels make spans.

        Raises:
            UserError: If there are no sentences, or a system's labels are not one a word.
        """
        result = TAGGING.evaluate(
            rows, systems, base=base, resamples=resamples, seed=seed, scheme=scheme
        )
        return replace(result, task=self.name)

    def oracle(self, rows: Sequence[TaggedSentence]) -> Labels:
        """Return the right labels."""
        return TAGGING.oracle(rows)

    def chance(self, rows: Sequence[TaggedSentence], seed: int = 0) -> Labels:
        """Return the right labels of all words, shuffled over the words."""
        return TAGGING.chance(rows, seed)

    def heading(self, result: Result) -> str:
        """Return the title with the numbers of sentences and words."""
        return TAGGING.heading(result)

    def measure(
        self,
        request: Request,
        *,
        file_format: Annotated[
            str | None,
            Option(
                "conllu (default), or conll (BIO columns).",
                flag="--format",
                choices=tuple(SCHEMES),
            ),
        ] = None,
    ) -> Result:
        """Measure a base, and modules on it, by a probe on the states of each."""
        require_module(request)
        tag = request.tag or UNKNOWN
        reader = file_format or self.reader
        rows = limited(read_rows(reader, request.data, tag), SENTENCES)
        scheme = SCHEMES[reader]
        encoder = Encoder.from_pretrained(request.base, dtype=request.dtype)
        systems = {BASE: predict(encoder, rows, scheme=scheme)}
        base = BASE
        if request.baseline is not None:
            other = open_composed(request.modules, request.baseline, encoder, tag)
            systems[BASELINE] = predict(encoder, rows, other, scheme)
            base = BASELINE
        module, _ = open_module_and_control(request, encoder, tag)
        if module is not None:
            systems[MODULE] = predict(encoder, rows, module, scheme)
        systems[BY_WORD] = by_word(rows, scheme)
        return self.evaluate(rows, systems, base=base, scheme=scheme)

    def scores(
        self, trainer: Trainer, dev: Sequence[TaggedSentence], cache: Kept | None = None
    ) -> dict[str, float]:
        """Compute the score of a probe through the current module."""
        found = _predicted(trainer.encoder, dev, trainer.active_module, "bio")
        result = self.evaluate(dev, {MODULE: found}, resamples=1)
        return {"score": result[MODULE].scores[result.measures[0]].mean}

    def evidence(
        self,
        encoder: Encoder,
        module: nn.Module,
        dev: Sequence[TaggedSentence],
        head: Head | None = None,
        cache: Kept | None = None,
    ) -> list[Evidence]:
        """Measure probes with and without the module, with both controls."""
        systems = {
            BASE: predict(encoder, dev, scheme="bio"),
            MODULE: predict(encoder, dev, module, "bio"),
            BY_WORD: by_word(dev, "bio"),
        }
        return self.to_evidence(self.evaluate(dev, systems, base=BASE), sides="language", base=BASE)

    def table(self, result: Result) -> Table:
        """Render the result; a line says what the probe is."""
        made = super().table(result)
        told = "each probe learns on one half of the sentences and answers the other"
        made.caption = f"{made.caption}\n{told}" if made.caption else told
        return made


def predict(
    encoder: Encoder,
    rows: Sequence[TaggedSentence],
    module: nn.Module | None = None,
    scheme: Scheme = "word",
) -> Labels:
    """Predict one label a word, by probes on the states with or without a module.

    Args:
        encoder: The base.
        rows: Sentences with their labels.
        module: The module that acts; ``None`` is the bare base.
        scheme: The scheme by which labels make spans.

    Raises:
        UserError: If the sentences have labels of another scheme, or one half has no words.
    """
    active = None if module is None else ActiveModule(encoder, module)
    return _predicted(encoder, rows, active, scheme)


def _predicted(
    encoder: Encoder, rows: Sequence[TaggedSentence], active: ActiveModule | None, scheme: Scheme
) -> Labels:
    gold = _gold(rows, scheme)
    states = word_states(encoder, rows, active)
    found: Labels = [[] for _ in rows]
    for own, rest in _halves(rows):
        probe = LinearProbe.fit(
            np.concatenate([states[i] for i in rest]), [x for i in rest for x in gold[i]]
        )
        for i in own:
            found[i] = decode(probe.scores(states[i]), probe.labels, scheme)
    return found


@torch.inference_mode()
def word_states(
    encoder: Encoder, rows: Sequence[TaggedSentence], active: ActiveModule | None = None
) -> list[NDArray[np.float32]]:
    """Compute the state of each word's first token, ``(words, width)`` a sentence.

    Args:
        encoder: The base.
        rows: The sentences. Long ones are read in overlapping windows.
        active: The module that acts.

    Returns:
        The states; zeros for a word without a token.
    """
    windows = tokenize_word_windows(encoder, [row.words for row in rows])
    acts = None if active is None else active.rows([row.lang for row in rows])
    ids, owners = [one.ids for one in windows], [one.owner for one in windows]
    found = [np.zeros((len(row.words), encoder.width), np.float32) for row in rows]
    for chunk, states in token_states(encoder, ids, rows=acts, owners=owners):
        for position, own in zip(chunk, states.float().cpu(), strict=True):
            window = windows[position]
            places = [window.first[word] for word in window.known]
            found[window.owner][window.known] = own[places].numpy()
    return found


def by_word(rows: Sequence[TaggedSentence], scheme: Scheme = "word") -> Labels:
    """Predict each word's most frequent label in the other half, or that half's most frequent one.

    This is the control without states and without context.
    """
    gold = _gold(rows, scheme)
    found: Labels = [[] for _ in rows]
    for own, rest in _halves(rows):
        counts: dict[str, Counter[str]] = {}
        for i in rest:
            for word, label in zip(rows[i].words, gold[i], strict=True):
                counts.setdefault(normal_key(word), Counter())[label] += 1
        most = _most(sum(counts.values(), Counter[str]()))
        known = {word: _most(each) for word, each in counts.items()}
        for i in own:
            found[i] = [known.get(normal_key(word), most) for word in rows[i].words]
    return found


def _most(counts: Counter[str]) -> str:
    return min(counts, key=lambda label: (-counts[label], label))


def _gold(rows: Sequence[TaggedSentence], scheme: Scheme) -> Labels:
    found = []
    for row in rows:
        try:
            found.append(to_labels(len(row.words), row.spans, scheme))
        except ValueError as error:
            raise UserError(
                str(error), where=row.origin, todo="The labels are of another kind; see --format"
            ) from None
    return found


def _halves(rows: Sequence[TaggedSentence]) -> list[tuple[list[int], list[int]]]:
    """Return the positions of each half with those of the other; equal sentences are in one half.

    Raises:
        UserError: If one half has no words.
    """
    sides = [hashlib.sha256(" ".join(row.words).encode()).digest()[0] % 2 for row in rows]
    halves = [[i for i, side in enumerate(sides) if side == one] for one in (0, 1)]
    if not all(any(rows[i].words for i in half) for half in halves):
        raise UserError(
            "these are too few sentences for a probe: one half has no words",
            todo="Give 100 or more",
        )
    return [(halves[0], halves[1]), (halves[1], halves[0])]


Part = TaggingProbe()
