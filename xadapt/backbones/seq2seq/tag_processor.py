"""Constrained decoding of tagged sentences, as a logits processor of transformers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
import transformers

from xadapt.backbones.seq2seq.tag_automaton import Readings, TagAutomaton, Tags
from xadapt.core.errors import UserError
from xadapt.functional.tag_scheme import Span
from xadapt.functional.tagged_text import CLOSING, OPENING, closing_tag, opening_tag

Prefix = tuple[int, tuple[int, ...]]


class TagLogitsProcessor(transformers.LogitsProcessor):  # type: ignore[misc]
    """Let ``generate`` write each sentence again with tags around spans, and nothing else.

    Every output has all words of its sentence, unchanged and in order, and balanced tags. A token
    that may not follow gets ``-inf``; the other scores stay as they are, so that beam search ranks
    outputs by their probability under the softmax over all tokens. The state of an output follows
    from its tokens alone: any order of beams, sampling and batches work.

    ```python
    processor = TagLogitsProcessor.of(model, tokenizer, sentences, ["PER", "LOC"])
    tokens = model.generate(
        **batch, logits_processor=[processor], num_beams=4, max_new_tokens=processor.longest
    )
    spans = processor.spans(tokens)
    ```

    Source: García-Ferrero 2025, https://arxiv.org/abs/2502.02722; see
    `xadapt.backbones.seq2seq.tag_automaton`.

    Args:
        automata: The automaton of each sentence of the batch, in order.
        start: Number of tokens before an output: 1 for an encoder-decoder model, the length of the
            (left-padded) prompt for a decoder.
        forced: Tokens that begin every output, such as the token of a language.

    Raises:
        ValueError: If there is no sentence.
    """

    def __init__(
        self,
        automata: Sequence[TagAutomaton],
        *,
        start: int = 1,
        forced: Sequence[int] = (),
    ) -> None:
        if not automata:
            raise ValueError("there is no sentence")
        self.automata = list(automata)
        self.start, self.forced = start, tuple(forced)
        self._readings: dict[Prefix, Readings] = {}

    @classmethod
    def of(
        cls,
        model: Any,
        tokenizer: Any,
        sentences: Iterable[Sequence[str]],
        types: Sequence[str],
        *,
        limit: int | None = None,
        start: int = 1,
        forced: Sequence[int] | None = None,
        tags: tuple[str, str] = (OPENING, CLOSING),
    ) -> TagLogitsProcessor:
        """Make the processor of a model and a batch of sentences.

        Args:
            model: A model with ``generate``.
            tokenizer: Its tokenizer.
            sentences: Each a sequence of words.
            types: The types of spans, such as ``PER``.
            limit: The most tokens of an output, after the forced ones. Tags are opened only where
                the rest of the sentence still fits.
            start: As above.
            forced: As above; by default the first token that the model's settings force.
            tags: The text of opening and closing tags, with ``{}`` in place of the type.

        Raises:
            UserError: If the tokenizer gives two types the same tag, can't write a tag or a word,
                or a sentence is longer than the limit.
        """
        made = TagWriter(tokenizer, types, _end(model, tokenizer), tags)
        begun = _forced(model) if forced is None else tuple(forced)
        automata = [made.automaton(words, limit) for words in sentences]
        return cls(automata, start=start, forced=begun)

    @property
    def longest(self) -> int:
        """The most tokens that an output can have: what ``max_new_tokens`` needs."""
        return len(self.forced) + max(one.limit for one in self.automata)

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        """Give ``-inf`` to tokens that may not follow.

        Args:
            input_ids: What is written so far ``(rows, length)``; the rows of one sentence, such as
                its beams, stand together, and sentences are in order.
            scores: ``(rows, tokens)``.

        Returns:
            New scores ``(rows, tokens)``.

        Raises:
            ValueError: If the rows don't divide among the sentences.
        """
        rows = len(input_ids)
        if rows % len(self.automata):
            raise ValueError(f"{rows} rows don't divide among {len(self.automata)} sentences")
        each = rows // len(self.automata)
        known, self._readings = self._readings, {}
        at: list[int] = []
        kept: list[int] = []
        for row, written in enumerate(input_ids[:, self.start :].tolist()):
            tokens = self._allowed(row // each, tuple(written), known)
            at += [row] * len(tokens)
            kept += tokens
        found = torch.full_like(scores, -torch.inf)
        places = (
            torch.tensor(at, device=scores.device),
            torch.tensor(kept, device=scores.device),
        )
        found[places] = scores[places]
        return found  # type: ignore[return-value]

    def spans(self, tokens: Any) -> list[tuple[Span, ...] | None]:
        """Return the spans of each output, or ``None`` if it is no tagged copy of its sentence.

        Args:
            tokens: What ``generate`` returns ``(rows, length)``, with the tokens before an output.

        Raises:
            ValueError: If the rows don't divide among the sentences.
        """
        rows = (
            tokens.tolist() if isinstance(tokens, torch.Tensor) else [list(row) for row in tokens]
        )
        if len(rows) % len(self.automata):
            raise ValueError(f"{len(rows)} rows don't divide among {len(self.automata)} sentences")
        each = len(rows) // len(self.automata)
        first = self.start + len(self.forced)
        return [
            self.automata[row // each].spans(written[first:]) for row, written in enumerate(rows)
        ]

    def _allowed(
        self, sentence: int, written: tuple[int, ...], known: dict[Prefix, Readings]
    ) -> list[int]:
        begun = len(self.forced)
        if len(written) < begun:
            return [self.forced[len(written)]]
        own = written[begun:]
        automaton = self.automata[sentence]
        before = known.get((sentence, own[:-1])) if own else None
        readings = (
            automaton.read(own)
            if before is None
            else automaton.follow(before, own[-1], len(own) - 1)
        )
        self._readings[sentence, own] = readings
        # behind the end, and in a beam that beam search has given up, the end stays finite
        return automaton.allowed(readings, len(own)) or [automaton.tags.end]


class TagWriter:
    """Tokens of words and tags, as they stand in the middle of an output.

    Args:
        tokenizer: The tokenizer.
        types: The types of spans.
        end: The token that ends an output.
        tags: The text of opening and closing tags, with ``{}`` in place of the type.

    Raises:
        UserError: If there is no type, a type is named twice, or the tokenizer gives two types the
            same tag.
    """

    def __init__(
        self,
        tokenizer: Any,
        types: Sequence[str],
        end: int,
        tags: tuple[str, str] = (OPENING, CLOSING),
    ) -> None:
        self.tokenizer, self.end = tokenizer, end
        pad = tokenizer.pad_token_id
        self._reserved = {end} if pad is None else {end, int(pad)}
        if len(set(types)) < len(types) or not types:
            raise UserError("no type is named, or one is named twice", where="types")
        try:
            self.tags = Tags(
                {name: self._tag(opening_tag(name, tags[0])) for name in types},
                {name: self._tag(closing_tag(name, tags[1])) for name in types},
                end,
            )
        except ValueError as error:
            raise UserError(
                f"the tokenizer can't tell the tags apart: {error}",
                where="types",
                todo="Name the types by words that the tokenizer knows",
            ) from None

    def automaton(self, words: Sequence[str], limit: int | None = None) -> TagAutomaton:
        """Return the automaton of one sentence.

        Raises:
            UserError: If a word can't be written, or the sentence is longer than the limit.
        """
        try:
            return TagAutomaton([self.word(word) for word in words], self.tags, limit)
        except ValueError as error:
            raise UserError(str(error), where=" ".join(words)[:60]) from None

    def word(self, word: str) -> tuple[int, ...]:
        """Return the tokens of a word; a part that ends or fills outputs is an unknown token.

        Raises:
            UserError: If the tokenizer has no token for the word.
        """
        tokens = self._tokens(word, split_special_tokens=True)
        unknown = self.tokenizer.unk_token_id
        if unknown is None or unknown in self._reserved:
            found = [token for token in tokens if token not in self._reserved]
        else:
            found = [unknown if token in self._reserved else token for token in tokens]
            found = found or [int(unknown)]
        if not found:
            raise UserError(
                f"the tokenizer has no token for the word {word[:40]!r}", todo="Remove the word"
            )
        return tuple(found)

    def _tag(self, text: str) -> tuple[int, ...]:
        """Return one token if the vocabulary has the tag as one, else its pieces."""
        own = self.tokenizer.get_added_vocab().get(text)
        return (int(own),) if own is not None else self._tokens(text)

    def _tokens(self, text: str, **options: Any) -> tuple[int, ...]:
        given = self.tokenizer(f" {text}", add_special_tokens=False, **options)
        return tuple(map(int, given["input_ids"]))


def _settings(model: Any) -> Callable[[str], Any]:
    """Return a function that reads a setting of generation, else of the model."""

    def of(name: str) -> Any:
        found = getattr(getattr(model, "generation_config", None), name, None)
        return getattr(model.config, name, None) if found is None else found

    return of


def _forced(model: Any) -> tuple[int, ...]:
    token = _settings(model)("forced_bos_token_id")
    return () if token is None else (int(token),)


def _end(model: Any, tokenizer: Any) -> int:
    """Return the token that ends outputs.

    Raises:
        UserError: If neither the model nor the tokenizer has one.
    """
    found = _settings(model)("eos_token_id")
    if isinstance(found, (list, tuple)):
        found = found[0] if found else None
    found = tokenizer.eos_token_id if found is None else found
    if found is None:
        raise UserError("the model has no token that ends an output", todo="Name another model")
    return int(found)
