"""Texts as token ids of an encoder-decoder: sources and targets, with tokens of languages."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from xadapt.backbones.cache.reuse import Row
from xadapt.backbones.seq2seq.language_codes import code_of, codes_of, spelled
from xadapt.backbones.seq2seq.seq2seq import Seq2Seq
from xadapt.backbones.tokenizing import call_tokenizer

SENTINEL = "<extra_id_{}>"


class TextTokens:
    """The tokenizer of an encoder-decoder for sources and targets.

    NLLB, M2M100 and mBART have a token for each language; Marian reads the target language as the
    first token of a source. T5 and BART have neither: a prompt names the languages.

    Args:
        seq2seq: The base.

    Attributes:
        codes: The tokens of languages; empty if the base has none.
        in_words: Whether a prompt in words has to name languages.
        cut: The texts that were longer than the base reads or writes.
    """

    def __init__(self, seq2seq: Seq2Seq) -> None:
        self.seq2seq, self.tokenizer = seq2seq, seq2seq.tokenizer
        self.codes = codes_of(self.tokenizer)
        self._marian = seq2seq.model.config.model_type == "marian"
        self.in_words = not (self.codes or self._marian)
        self.cut: set[str] = set()
        self._lock = threading.Lock()

    @property
    def sentinels(self) -> tuple[int, ...]:
        """The ids of T5's sentinel tokens, in order; none if the base has no such tokens."""
        vocabulary: dict[str, int] = self.tokenizer.get_vocab()
        found: list[int] = []
        while (name := SENTINEL.format(len(found))) in vocabulary:
            found.append(int(vocabulary[name]))
        return tuple(found)

    def sources(
        self, texts: Sequence[str], lang: str | None = None, into: str | None = None
    ) -> list[Row]:
        """Tokenise texts that the encoder reads.

        Args:
            texts: The texts.
            lang: Their language, where the base has tokens for languages.
            into: The language to write, which Marian reads in the source.

        Raises:
            UserError: If the base has no token for a language.
        """
        if self._marian and self.codes and into is not None:
            code = code_of(self.codes, into, self.seq2seq.name)
            texts = [f"{code} {text}" for text in texts]
        return self._rows(texts, "src_lang", lang, "text")

    def targets(self, texts: Sequence[str], lang: str | None = None) -> list[Row]:
        """Tokenise texts that the decoder writes; each ends with the end token.

        Args:
            texts: The texts.
            lang: Their language; its token is in each target where the base has one.

        Raises:
            UserError: If the base has no token for the language.
        """
        rows = self._rows(texts, "tgt_lang", lang, "text_target")
        first, end = self.forced(lang), self.tokenizer.eos_token_id
        most = self.seq2seq.max_length
        whole = []
        for row in rows:
            begun = row if first is None or first in row else (first, *row)
            ended = end is None or end in begun[-2:]  # the language follows the end in mBART
            whole.append(begun[:most] if ended else (*begun[: most - 1], end))
        return whole

    def forced(self, lang: str | None) -> int | None:
        """Return the token with which an output in a language begins; ``None`` if there is none.

        Raises:
            UserError: If the base has no token for the language.
        """
        if lang is None or self._marian or not self.codes:
            return None
        code = code_of(self.codes, lang, self.seq2seq.name)
        return int(self.tokenizer.convert_tokens_to_ids(code))

    def _rows(self, texts: Sequence[str], name: str, lang: str | None, given: str) -> list[Row]:
        if not texts:
            return []
        most = self.seq2seq.max_length
        with self._lock:
            if lang is not None and self.codes and not self._marian:
                code = code_of(self.codes, lang, self.seq2seq.name)
                setattr(self.tokenizer, name, spelled(code))
            rows = self._ids(given, list(texts), truncation=True, max_length=most)
            full = [text for text, row in zip(texts, rows, strict=True) if len(row) >= most]
            whole = self._ids(given, full) if full else []
        self.cut |= {text for text, row in zip(full, whole, strict=True) if len(row) > most}
        return [tuple(row) for row in rows]

    def _ids(self, given: str, texts: list[str], **options: Any) -> list[list[int]]:
        found: list[list[int]] = call_tokenizer(
            self.tokenizer, **{given: texts}, padding=False, verbose=False, **options
        )["input_ids"]
        return found
