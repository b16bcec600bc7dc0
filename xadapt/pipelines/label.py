"""Label spans of sentences by an encoder-decoder that writes each sentence with tags."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import torch

from xadapt.backbones.seq2seq.seq2seq import Seq2Seq
from xadapt.backbones.seq2seq.tag_processor import TagLogitsProcessor
from xadapt.core.errors import UserError
from xadapt.core.files import atomic_file
from xadapt.core.sequences import as_sentences, as_strings
from xadapt.data.readers.word_columns import conll_text, read_words
from xadapt.data.records import TaggedSentence
from xadapt.functional.tag_scheme import Span
from xadapt.functional.tagged_text import from_tagged_text
from xadapt.hub.manifest import FILE as MANIFEST
from xadapt.hub.safe_paths import has_file, is_folder
from xadapt.hub.seq2seq_lora import load_seq2seq_lora
from xadapt.inference.adapted_seq2seq import AdaptedSeq2Seq
from xadapt.languages.tags import normalise

BATCH = 16
UNKNOWN = "und"


@dataclass(frozen=True)
class Labelled:
    """Sentences with the labels that a model wrote.

    Attributes:
        rows: The sentences, in the order given.
        malformed: Places of sentences, from 0, whose output was no tagged copy of them; they have
            no spans. With constrained decoding there are none.
        cut: Number of sentences that the model read in parts, since it reads fewer tokens.
    """

    rows: list[TaggedSentence]
    malformed: list[int] = field(default_factory=list)
    cut: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return counts: sentences, words, spans by type, malformed outputs, sentences cut."""
        spans = Counter(name for row in self.rows for _, _, name in row.spans)
        return {
            "sentences": len(self.rows),
            "words": sum(len(row.words) for row in self.rows),
            "spans": dict(sorted(spans.items())),
            "malformed": len(self.malformed),
            "cut": self.cut,
        }


def label(
    data: str | PathLike[str] | Iterable[Sequence[str]],
    *,
    model: str,
    types: str | Sequence[str],
    module: str | Path | None = None,
    out: str | Path | None = None,
    constrained: bool = True,
    beams: int = 4,
    batch_size: int = BATCH,
    prompt: str = "",
    lang: str = UNKNOWN,
    column: int = 1,
    dtype: str = "auto",
    device: str = "auto",
    progress: Callable[[int], None] = lambda _: None,
) -> Labelled:
    """Label spans of sentences by an encoder-decoder (T5, mT5, BART and others).

    The model was trained to write a sentence again with tags: ``<PER> Ada </PER> met ..``.

    Source: García-Ferrero 2025, https://arxiv.org/abs/2502.02722: constrained decoding of tagged
    sentences.

    Args:
        data: A file with a word a line and an empty line after each sentence (CoNLL; labels in it
            are not read), or sentences as lists of words.
        model: Hub id or folder of a model with its tokenizer.
        types: The types of spans, such as ``PER``.
        module: Folder of a module that was trained on the model, a composition of such folders, or
            the folder of a LoRA in peft's format
            (`xadapt.hub.seq2seq_lora.load_seq2seq_lora`).
        out: A CoNLL file to write: word, tab, label (IOB2).
        constrained: Whether outputs are held to tagged copies of their sentences. Without it,
            a sentence whose output is no such copy gets no labels.
        beams: Number of beams; 1 is greedy search.
        batch_size: Number of sentences in one forward.
        prompt: Text before each sentence, as in the model's training.
        lang: Language of the sentences, for the records.
        column: Column of the words in a file, from 1.
        dtype: Type of the model's weights: ``auto``, ``float32`` or ``bfloat16``.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        progress: Called with the number of sentences after each batch.

    Returns:
        The sentences with their spans.

    Raises:
        UserError: If the data, the model or an option is wrong. No file is left behind.
    """
    if beams < 1 or batch_size < 1:
        raise UserError("beams and batch_size are at least 1")
    tag = lang if lang == UNKNOWN else normalise(lang)
    names = as_strings(types)
    sentences = _sentences(data, column)
    seq2seq = Seq2Seq.from_pretrained(model, dtype=dtype, device=device)
    writer = _Writer(seq2seq, None if module is None else _acting(module, seq2seq))
    parts = [(row, part) for row, words in enumerate(sentences) for part in writer.parts(words)]
    order = sorted(range(len(parts)), key=lambda n: len(parts[n][1]))
    spans: list[list[Span]] = [[] for _ in sentences]
    malformed: set[int] = set()
    starts = _starts(parts)
    for begin in range(0, len(order), batch_size):
        some = order[begin : begin + batch_size]
        found = writer.write([parts[n][1] for n in some], names, prompt, beams, constrained)
        for n, own in zip(some, found, strict=True):
            row = parts[n][0]
            if own is None:
                malformed.add(row)
            else:
                spans[row] += [(a + starts[n], b + starts[n], name) for a, b, name in own]
        progress(len(some))
    rows = [
        TaggedSentence(tuple(words), () if n in malformed else tuple(sorted(spans[n])), tag)
        for n, words in enumerate(sentences)
    ]
    if out is not None:
        with atomic_file(out) as temporary, temporary.open("w", encoding="utf-8") as stream:
            stream.writelines(map(conll_text, rows))
    cut = sum(count > 1 for count in Counter(row for row, _ in parts).values())
    return Labelled(rows, sorted(malformed), cut)


def _acting(module: str | Path, seq2seq: Seq2Seq) -> Callable[[], AbstractContextManager[Any]]:
    """Return the block in which a module acts: of a folder of xadapt, or of a LoRA of peft."""
    if has_file(module, MANIFEST) or not is_folder(module):
        return AdaptedSeq2Seq.opened(seq2seq, module).active
    lora = load_seq2seq_lora(module, seq2seq)
    return lambda: lora.on(seq2seq)


def _sentences(data: Any, column: int) -> list[tuple[str, ...]]:
    if isinstance(data, (str, PathLike)):
        return list(read_words(fspath(data), column))
    found = [tuple(words) for words in as_sentences(data)]
    if not found or not all(found):
        raise UserError("there is no sentence, or one without words", where="data")
    if any(mark in word for words in found for word in words for mark in "\t\r\n"):
        raise UserError("a word has a tab or a line break", where="data", todo="Split it there")
    return found


def _starts(parts: Sequence[tuple[int, Sequence[str]]]) -> list[int]:
    """Return the place of each part's first word in its sentence."""
    starts: list[int] = []
    for n, (row, _) in enumerate(parts):
        before = n and parts[n - 1][0] == row
        starts.append(starts[-1] + len(parts[n - 1][1]) if before else 0)
    return starts


@dataclass(frozen=True)
class _Writer:
    """A model, perhaps with a module, that writes sentences again with tags."""

    seq2seq: Seq2Seq
    module: Callable[[], AbstractContextManager[Any]] | None = None

    def parts(self, words: Sequence[str]) -> Iterator[Sequence[str]]:
        """Cut a sentence into parts that the model reads, with half of its room for tags."""
        room = self.seq2seq.room
        if room is None:
            yield words
            return
        first, tokens = 0, 0
        for n, word in enumerate(words):
            given = self.seq2seq.tokenizer(f" {word}", add_special_tokens=False)["input_ids"]
            if tokens and tokens + len(given) > room // 2:
                yield words[first:n]
                first, tokens = n, 0
            tokens += len(given)
        yield words[first:]

    @torch.inference_mode()
    def write(
        self,
        sentences: Sequence[Sequence[str]],
        types: Sequence[str],
        prompt: str,
        beams: int,
        constrained: bool,
    ) -> Iterator[tuple[Span, ...] | None]:
        """Yield the spans of each sentence, or ``None`` for an output that is no tagged copy."""
        model, tokenizer, room = self.seq2seq.model, self.seq2seq.tokenizer, self.seq2seq.room
        limit = None if room is None else room - 2
        processor = TagLogitsProcessor.of(model, tokenizer, sentences, types, limit=limit)
        texts = [prompt + " ".join(words) for words in sentences]
        more = {} if room is None else {"truncation": True, "max_length": room}
        given = tokenizer(texts, padding=True, return_tensors="pt", **more)
        names = ("input_ids", "attention_mask")
        with nullcontext() if self.module is None else self.module():
            tokens = model.generate(
                **{name: given[name].to(model.device) for name in names},
                num_beams=beams,
                do_sample=False,
                max_new_tokens=processor.longest,
                logits_processor=[processor] if constrained else None,
            )
        found = processor.spans(tokens)
        shown = tokenizer.batch_decode(tokens, skip_special_tokens=True)
        for words, own, text in zip(sentences, found, shown, strict=True):
            # a free output may be cut into other tokens and still be the same text
            yield from_tagged_text(text, words, types) if own is None else own
