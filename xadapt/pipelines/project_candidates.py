"""Projection of labels by candidates and translation probabilities: T-Projection.

Source: García-Ferrero et al. 2023, https://arxiv.org/abs/2212.10548.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path

import torch

from xadapt.backbones.seq2seq.seq2seq import Seq2Seq
from xadapt.core.errors import Notice, UserError
from xadapt.data.records import TaggedSentence
from xadapt.functional.marker_choice import Run
from xadapt.functional.type_slots import places_of, read_slots, to_slots, word_runs
from xadapt.hub.seq2seq_lora import load_seq2seq_lora
from xadapt.injection.seq2seq_lora import Seq2SeqLoRA
from xadapt.integrations.translators.direction import translation_model
from xadapt.integrations.translators.nmt_score import NmtScorer
from xadapt.integrations.translators.protocol import Translator
from xadapt.pipelines.projection import UNTRANSLATED, Outcome, Words

ANY = "ngrams"
"""Candidates without a generator: every run of words."""
LONGER = 3
"""Words that a run may have more than its source span."""
ROWS, BATCH = 64, 8
NO_CANDIDATE = "no candidate of its type stands in the translation"
TAKEN = "all its candidates share words with spans that came before"

Candidates = dict[str, set[Run]]


class Generator:
    """A text-to-text model that fills type slots.

    Args:
        name: Hub id or folder of the model, perhaps with ``+`` and the folder of a LoRA.
        beams: Number of beams; all of them are read.
        pieces: As for `xadapt.functional.type_slots.places_of`.
        dtype: Type of the weights.

    Raises:
        UserError: If there is no such model or module.
    """

    def __init__(self, name: str, beams: int, pieces: bool = False, dtype: str = "auto") -> None:
        model, _, module = (name, "", "") if Path(name).exists() else name.partition("+")
        self.seq2seq = Seq2Seq.from_pretrained(model, dtype=dtype)
        self.module: Seq2SeqLoRA | None = None
        if module:
            self.module = load_seq2seq_lora(module, self.seq2seq)
        self.beams, self.pieces = beams, pieces

    @torch.inference_mode()
    def candidates(
        self, sentences: Sequence[Words], types: Sequence[Sequence[str]]
    ) -> list[Candidates]:
        """Return the candidates of each type in each sentence.

        Args:
            sentences: The words of translations.
            types: The types of the spans of each source sentence, in order.
        """
        found: list[Candidates] = []
        for begin in range(0, len(sentences), BATCH):
            some = slice(begin, begin + BATCH)
            given = [
                to_slots(words, own)
                for words, own in zip(sentences[some], types[some], strict=True)
            ]
            texts = self._write(given)
            for n, (words, own) in enumerate(zip(sentences[some], types[some], strict=True)):
                outputs = texts[n * self.beams : (n + 1) * self.beams]
                found.append(candidates_of(outputs, words, own, pieces=self.pieces))
        return found

    def _write(self, texts: list[str]) -> list[str]:
        tokenizer, model = self.seq2seq.tokenizer, self.seq2seq.model
        room = self.seq2seq.room or 512
        batch = tokenizer(
            texts, padding=True, truncation=True, max_length=room, return_tensors="pt"
        )
        names = ("input_ids", "attention_mask")
        with nullcontext() if self.module is None else self.module.on(self.seq2seq):
            tokens = model.generate(
                **{name: batch[name].to(model.device) for name in names},
                num_beams=self.beams, num_return_sequences=self.beams, do_sample=False,
                max_new_tokens=min(room, batch["input_ids"].shape[1]) - 1,
            )  # fmt: skip
        # a tag may be a special token of the tokenizer
        shown: list[str] = tokenizer.batch_decode(tokens, skip_special_tokens=False)
        for special in (tokenizer.pad_token, tokenizer.eos_token, tokenizer.bos_token):
            shown = [text.replace(special, " ") if special else text for text in shown]
        return shown


def candidates_of(
    outputs: Sequence[str], words: Words, types: Sequence[str], *, pieces: bool = False
) -> Candidates:
    """Return the runs of words that outputs of a generator name, by type.

    Args:
        outputs: The outputs, such as those of all beams.
        words: The sentence.
        types: The types of the slots.
        pieces: As for `xadapt.functional.type_slots.places_of`.
    """
    made: Candidates = {name: set() for name in types}
    for output in outputs:
        for name, text in read_slots(output, types):
            made[name] |= set(places_of(text.split(), words, pieces=pieces))
    return made


def by_candidates(
    rows: Sequence[TaggedSentence],
    said: Sequence[Words],
    *,
    translator: str | Translator | None,
    tags: tuple[str, str],
    candidates: str | None,
    beams: int = 15,
    pieces: bool = False,
    dtype: str = "auto",
    progress: Callable[[int], None] = lambda _: None,
) -> list[Outcome]:
    """Project the spans of sentences onto the candidates that are likeliest as translations.

    For each source span, in order: of the candidates of its type whose words no earlier span has
    taken, the one with the greatest NMTScore; of several places of its words, the first.

    Args:
        rows: The labelled sentences.
        said: The words of their translations; none where there is no translation.
        translator: A translation model of transformers, of many directions.
        tags: Languages of the sentences and of the translations.
        candidates: ``ngrams``: every run of words, for every type; or a text-to-text model that
            fills type slots, see `Generator`.
        beams: Number of outputs of the generator that are read.
        pieces: As for `xadapt.functional.type_slots.places_of`.
        dtype: Type of the generator's weights.
        progress: Called with the number of sentences after each block.

    Raises:
        UserError: If an option is wrong, or a model is missing or can't do it.
    """
    if candidates is None:
        raise UserError(
            "tprojection needs candidates",
            todo="Name a trained generator, MODEL or MODEL+MODULE, or write --candidates ngrams",
        )
    if beams < 1:
        raise UserError("beams is at least 1", where="beams")
    scorer = NmtScorer(translation_model(translator, "tprojection"), *tags)
    generator = None if candidates == ANY else Generator(candidates, beams, pieces, dtype)
    outcomes: list[Outcome] = []
    barren = asked = 0
    for begin in range(0, len(rows), ROWS):
        some = slice(begin, begin + ROWS)
        filled = [n for n, row in enumerate(rows[some]) if said[some][n] and row.spans]
        types = [[name for _, _, name in rows[some][n].spans] for n in filled]
        if generator is None:
            made = [_runs(rows[some][n], said[some][n]) for n in filled]
        else:
            made = generator.candidates([said[some][n] for n in filled], types)
        asked += len(filled)
        barren += sum(not any(own.values()) for own in made)
        found = dict(zip(filled, made, strict=True))
        pairs = [
            _pair(row, place, words, run)
            for n, (row, words) in enumerate(zip(rows[some], said[some], strict=True))
            for place, (_, _, name) in enumerate(row.spans)
            for run in sorted(found.get(n, {}).get(name, ()))
        ]
        known = dict(zip(pairs, scorer.score(pairs), strict=True))
        for n, (row, words) in enumerate(zip(rows[some], said[some], strict=True)):
            outcomes.append(_taken(row, words, found.get(n, {}), known))
        progress(len(rows[some]))
    if generator is not None and barren * 2 > asked:
        warnings.warn(
            Notice(
                f"{candidates}: in {barren:,} of {asked:,} sentences the generator named no words "
                "of the translation; it must be trained on type slots"
            ),
            stacklevel=2,
        )
    return outcomes


Pair = tuple[tuple[str, ...], tuple[str, ...]]


def _pair(row: TaggedSentence, place: int, words: Words, run: Run) -> Pair:
    start, end, _ = row.spans[place]
    return tuple(row.words[start:end]), tuple(words[slice(*run)])


def _runs(row: TaggedSentence, words: Words) -> Candidates:
    made: Candidates = {}
    for start, end, name in row.spans:
        made.setdefault(name, set()).update(word_runs(words, end - start + LONGER))
    return made


def _taken(
    row: TaggedSentence, words: Words, found: Candidates, known: dict[Pair, float]
) -> Outcome:
    """Give each span in order its best candidate that is free."""
    if not words:
        return Outcome((), (), dict.fromkeys(range(len(row.spans)), UNTRANSLATED))
    spans: list[tuple[int, int, str]] = []
    dropped: dict[int, str] = {}
    for place, (_, _, name) in enumerate(row.spans):
        own = sorted(found.get(name, ()))
        free = [run for run in own if not any(run[0] < b and a < run[1] for a, b, _ in spans)]
        if not free:
            dropped[place] = TAKEN if own else NO_CANDIDATE
            continue
        best = max(free, key=lambda run: known[_pair(row, place, words, run)])
        spans.append((*best, name))
    return Outcome(words, spans, dropped)
