"""Projection of labels by constrained decoding: CODEC.

Source: Le et al. 2024, https://arxiv.org/abs/2402.03131, and https://github.com/duonglm38/Codec.
Markers stand at words here: a marker inside a word would be moved to the word by the authors' code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from itertools import accumulate

import torch

from xadapt.backbones.seq2seq.marker_search import Hypothesis, MarkerTask, search_markers
from xadapt.core.errors import UserError
from xadapt.data.records import TaggedSentence
from xadapt.functional.marker_choice import (
    Candidate,
    choose,
    collisions,
    likeliest,
    opening_words,
    similarity,
)
from xadapt.functional.marker_text import MARKERS, with_markers
from xadapt.hub.seq2seq_lora import load_seq2seq_lora
from xadapt.injection.seq2seq_lora import Seq2SeqLoRA
from xadapt.integrations.translators.direction import Direction, Tokens, translation_model
from xadapt.integrations.translators.protocol import Translator
from xadapt.languages.tags import is_spaced, text_of
from xadapt.pipelines.projection import LEFT_OUT, UNTRANSLATED, WITH_IT, Outcome, Words
from xadapt.pipelines.translate import translate

PURPOSES = {"train": 1, "test": 5}
"""By what the result is for, the ``alpha`` of the search."""
ROWS, TASKS = 32, 8
"""Sentences that are scored together, and spans whose searches share their steps."""
TOO_LONG = "the sentence is longer than the model reads or writes"
UNWRITABLE = "the tokenizer has no token for a word of the translation"
UNLIKE = "no place is like the span: not similar, and unlikely when it is translated back"
SHARED = "it shares words with another span in the translation"
LESS_LIKELY = "it shares words with a likelier span in the translation"


@dataclass(frozen=True)
class _Job:
    """One span of one sentence."""

    row: int
    place: int
    source: list[int]
    words: tuple[Tokens, ...]
    target: Tokens


@dataclass
class _Codec:
    """The settings of a run, and the model in both directions."""

    forward: Direction
    reverse: Direction
    tags: tuple[str, str]
    strict: bool
    alpha: int
    best: int
    module: Seq2SeqLoRA | None
    alone: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.left, self.right = (self.forward.marker(text) for text in MARKERS)

    def block(self, rows: Sequence[TaggedSentence], said: Sequence[Words]) -> Iterator[Outcome]:
        """Yield what became of some sentences."""
        jobs: list[_Job] = []
        failed: list[dict[int, str]] = [{} for _ in rows]
        for n, (row, words) in enumerate(zip(rows, said, strict=True)):
            if not words:
                continue
            own = self._jobs(n, row, words) if row.spans else []
            if isinstance(own, str):
                failed[n] = dict.fromkeys(range(len(row.spans)), own)
            else:
                jobs += own
        found = self._search(rows, jobs)
        taken: list[dict[int, Hypothesis]] = [{} for _ in rows]
        for job, place in zip(jobs, self._chosen(rows, said, jobs, found), strict=True):
            if place is None:
                failed[job.row][job.place] = UNLIKE
            else:
                taken[job.row][job.place] = place
        for n, (row, words) in enumerate(zip(rows, said, strict=True)):
            yield self._merged(row, words, taken[n], failed[n])

    def _jobs(self, number: int, row: TaggedSentence, words: Words) -> list[_Job] | str:
        """Return the spans of a sentence, or the reason why it can't be projected."""
        tokens = self.forward.words(words)
        if tokens is None:
            return UNWRITABLE
        target = (*(token for own in tokens for token in own), self.forward.end)
        texts = [text_of(with_markers(row.words, [span]), self.tags[0]) for span in row.spans]
        sources = self.forward.sources(texts)
        more = len(self.left) + len(self.right)
        if not all(self.forward.fits(source, target, more) for source in sources):
            return TOO_LONG
        return [
            _Job(number, place, source, tuple(tokens), target)
            for place, source in enumerate(sources)
        ]

    @torch.no_grad()
    def _search(
        self, rows: Sequence[TaggedSentence], jobs: Sequence[_Job]
    ) -> list[tuple[Hypothesis, ...]]:
        """Find the likeliest places of the markers of each span."""
        first: dict[int, _Job] = {}
        for job in jobs:
            first.setdefault(job.row, job)
        bare = self.forward.sources([text_of(rows[n].words, self.tags[0]) for n in first])
        acting: AbstractContextManager[None] = (
            nullcontext() if self.module is None else self.module.on(self.forward.seq2seq)
        )
        found: list[tuple[Hypothesis, ...]] = [()] * len(jobs)
        with acting:
            scored = self.forward.score(
                [*bare, *(job.source for job in jobs)],
                [*(job.target for job in first.values()), *(job.target for job in jobs)],
            )
            plain = dict(zip(first, scored, strict=False))
            tasks = [
                self._task(job, marked, plain[job.row])
                for job, marked in zip(jobs, scored[len(first) :], strict=True)
            ]
            order = sorted(range(len(jobs)), key=lambda n: len(jobs[n].target))
            for begin in range(0, len(order), TASKS):
                some = order[begin : begin + TASKS]
                encoded = self.forward.seq2seq.encode([jobs[n].source for n in some])
                made = search_markers(
                    self.forward.seq2seq.decode(encoded), [tasks[n] for n in some],
                    best=self.best, alpha=self.alpha,
                )  # fmt: skip
                for n, own in zip(some, made, strict=True):
                    found[n] = own
        return found

    def _task(self, job: _Job, marked: Sequence[float], bare: Sequence[float]) -> MarkerTask:
        starts = [0, *accumulate(len(word) for word in job.words[:-1])]
        return MarkerTask(
            job.words, self.forward.end, (self.left,), (self.right,), self.forward.forced,
            opening_words(marked, bare, starts),
        )  # fmt: skip

    def _chosen(
        self,
        rows: Sequence[TaggedSentence],
        said: Sequence[Words],
        jobs: Sequence[_Job],
        found: Sequence[Sequence[Hypothesis]],
    ) -> list[Hypothesis | None]:
        """Choose one place of each span, by scores of translation back and by spelling."""
        pairs = []
        for job, own in zip(jobs, found, strict=True):
            start, end, _ = rows[job.row].spans[job.place]
            source = rows[job.row].words[start:end]
            pairs += [(source, tuple(said[job.row][one.start : one.end])) for one in own]
        known = self._back(list(dict.fromkeys(pairs)))
        chosen: list[Hypothesis | None] = []
        given = iter(pairs)
        for own in found:
            own_pairs = [next(given) for _ in own]
            made = [self._candidate(*pair, known[pair]) for pair in own_pairs]
            place = choose(made, strict=self.strict, spaced=is_spaced(self.tags[1]))
            chosen.append(None if place is None else own[place])
        return chosen

    def _back(self, pairs: Sequence[tuple[Words, Words]]) -> dict[tuple[Words, Words], float]:
        """Return the negative log-probability of source spans, given candidates."""
        sources = self.reverse.sources([self.reverse.text(words) for _, words in pairs])
        targets = [self.reverse.target(words) for words, _ in pairs]
        fine = [n for n, own in enumerate(targets) if own and self.reverse.fits(sources[n], own)]
        scores = self.reverse.score([sources[n] for n in fine], [targets[n] or () for n in fine])
        made = dict.fromkeys(pairs, float("inf"))
        return made | {pairs[n]: -sum(own) for n, own in zip(fine, scores, strict=True)}

    def _candidate(self, source: Words, words: Words, back: float) -> Candidate:
        text, own = text_of(words, self.tags[1]), text_of(source, self.tags[0])
        if not self.strict:
            return Candidate(text, back)
        alone = self.alone.get(own, "")
        return Candidate(text, back, max(similarity(text, own), similarity(text, alone)))

    def _merged(
        self,
        row: TaggedSentence,
        words: Words,
        taken: dict[int, Hypothesis],
        failed: dict[int, str],
    ) -> Outcome:
        if not words:
            return Outcome((), (), dict.fromkeys(range(len(row.spans)), UNTRANSLATED))
        places = sorted(taken)
        runs = [(taken[place].start, taken[place].end) for place in places]
        if self.strict:
            failed |= {places[n]: SHARED for n in collisions(runs)}
            if failed:
                every = range(len(row.spans))
                reasons = {p: failed[p] + LEFT_OUT if p in failed else WITH_IT for p in every}
                return Outcome(words, (), reasons, left_out=True)
        else:
            kept = likeliest(runs, [taken[place].score for place in places])
            failed |= {places[n]: LESS_LIKELY for n in range(len(places)) if n not in kept}
            places = [places[n] for n in kept]
        spans = [(taken[p].start, taken[p].end, row.spans[p][2]) for p in places]
        means = [taken[p].score / (len(taken[p].totals) - len(self.forward.forced)) for p in places]
        score = sum(means) / len(means) if means else None
        return Outcome(words, spans, failed, score=score)


def by_codec(
    rows: Sequence[TaggedSentence],
    said: Sequence[Words],
    *,
    translator: str | Translator | None,
    tags: tuple[str, str],
    purpose: str = "train",
    alpha: int | None = None,
    best: int = 5,
    module: str | None = None,
    back: str | Translator | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> list[Outcome]:
    """Project the spans of sentences onto their translations by constrained decoding.

    Args:
        rows: The labelled sentences.
        said: The words of their translations; none where there is no translation.
        translator: A translation model of transformers, which was trained to carry brackets along.
        tags: Languages of the sentences and of the translations.
        purpose: ``train``: a sentence is left out if a span of it fails. ``test``: every sentence
            stays, and the likelier of two spans that share words.
        alpha: Tokens that the bound looks ahead; -1 is exact. By default 1 for ``train`` and 5 for
            ``test``.
        best: Number of places of a span that are compared.
        module: Folder of a LoRA on the model, for the scores with markers.
        back: The model of the other direction, if the first one has one direction only.
        progress: Called with the number of sentences after each block.

    Raises:
        UserError: If an option is wrong, or a model can't do it.
    """
    if purpose not in PURPOSES:
        raise UserError(f"the purpose is {' or '.join(PURPOSES)}, not {purpose!r}", where="purpose")
    if best < 1:
        raise UserError("best is at least 1", where="best")
    model = translation_model(translator, "codec")
    other = model if back is None else translation_model(back, "codec")
    if back is None and model.one_way:
        raise UserError(
            "the model translates in one direction, and scores of the other one are needed",
            where=model.name, todo="Name a model of the other direction with --back",
        )  # fmt: skip
    forward, reverse = Direction(model, *tags), Direction(other, *reversed(tags))
    own = None if module is None else load_seq2seq_lora(module, forward.seq2seq)
    strict = purpose == "train"
    codec = _Codec(
        forward, reverse, tags, strict, PURPOSES[purpose] if alpha is None else alpha, best, own
    )
    if strict:
        texts = sorted(
            {text_of(row.words[a:b], tags[0]) for row in rows for a, b, _ in row.spans} - {""}
        )
        made = translate(texts, translator=model, source=tags[0], target=tags[1]) if texts else []
        codec.alone = dict(zip(texts, made, strict=True))
    outcomes: list[Outcome] = []
    for begin in range(0, len(rows), ROWS):
        some = slice(begin, begin + ROWS)
        outcomes += codec.block(rows[some], said[some])
        progress(len(rows[some]))
    return outcomes
