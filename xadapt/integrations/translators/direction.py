"""A translation model in one direction: tokens of texts and translations, and scores."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from xadapt.backbones.seq2seq.seq2seq import Seq2Seq
from xadapt.core.errors import UserError
from xadapt.integrations.translators.seq2seq import Seq2SeqTranslator
from xadapt.languages.tags import is_spaced, text_of

LONGEST = 512
"""Tokens of a text and of a translation where the model has no fixed number of places."""
BATCH = 32
_SPACE = "\u2581"
Tokens = tuple[int, ...]


class Direction:
    """A translation model in one direction.

    The words of a translation are cut into tokens one by one, so that every word has tokens of its
    own, also where the tokenizer does not know it. In a script without spaces between words, the
    tokens are those of words inside a text.

    Args:
        translator: The model. Several directions may share it.
        source: Language of the texts.
        target: Language of the translations.

    Attributes:
        seq2seq: The model.
        forced: The tokens that begin every translation, such as that of the language.
        end: The token that ends it.

    Raises:
        UserError: If the model doesn't know a language, or is of no known family.
    """

    def __init__(self, translator: Seq2SeqTranslator, source: str, target: str) -> None:
        self._translator, self._tags = translator, (source, target)
        extra, self._prefix = translator.languages(source, target)
        forced = extra.get("forced_bos_token_id")
        self.forced: Tokens = () if forced is None else (int(forced),)
        settings = translator.model.generation_config
        self.seq2seq = Seq2Seq(translator.model, translator.tokenizer, translator.name)
        # the translator goes on with the settings that its model came with
        translator.model.generation_config = settings
        self.end = self._end(settings.eos_token_id)
        self._spaced = is_spaced(target)
        pad = translator.tokenizer.pad_token_id
        self._reserved = {self.end} if pad is None else {self.end, int(pad)}
        self.longest = min(self.seq2seq.room or LONGEST, LONGEST)

    def sources(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the tokens of texts to translate, with those that the tokenizer adds."""
        self._translator.languages(*self._tags)
        given = self.seq2seq.tokenizer([self._prefix + text for text in texts])
        return [list(own) for own in given["input_ids"]]

    def words(self, words: Sequence[str]) -> list[Tokens] | None:
        """Return the tokens of each word of a translation; ``None`` if a word has none."""
        texts = [f" {word}" if n and self._spaced else word for n, word in enumerate(words)]
        if not texts:
            return None
        found = self._cut(texts)
        made = [
            self._clean(own if self._spaced or not n else self._inner(own))
            for n, own in enumerate(found)
        ]
        return made if all(made) else None

    def marker(self, text: str) -> Tokens:
        """Return the tokens of a marker in the middle of a translation.

        Raises:
            UserError: If the tokenizer has no token for it.
        """
        [own] = self._cut([f" {text}" if self._spaced else text])
        tokens = self._clean(own if self._spaced else self._inner(own))
        if not tokens or self.seq2seq.tokenizer.unk_token_id in tokens:
            raise UserError(
                f"the tokenizer has no token for the marker {text}", where=self.seq2seq.name,
                todo="Name a model whose vocabulary has brackets",
            )  # fmt: skip
        return tokens

    def target(self, words: Sequence[str]) -> Tokens | None:
        """Return the tokens of a translation with its end, without those that are forced."""
        found = self.words(words)
        return None if found is None else (*(token for own in found for token in own), self.end)

    def fits(self, source: Sequence[int], target: Sequence[int], more: int = 0) -> bool:
        """Return whether the model reads a text, and writes a translation and some more tokens."""
        written = 1 + len(self.forced) + len(target) + more
        return max(len(source), written) <= self.longest

    @torch.no_grad()
    def score(
        self, sources: Sequence[Sequence[int]], targets: Sequence[Tokens]
    ) -> list[list[float]]:
        """Compute the log-probability of each token of given translations.

        Args:
            sources: Tokens of each text, from `sources`.
            targets: Tokens of its translation with the end, from `target`.

        Returns:
            For each translation the log-probabilities of its tokens, without those of the forced
            tokens.
        """
        found: list[list[float]] = [[] for _ in targets]
        order = sorted(range(len(targets)), key=lambda n: len(sources[n]) + len(targets[n]))
        skip = len(self.forced)
        while order:
            # the longest outputs stand last
            longest = skip + max(len(targets[n]) for n in order[-BATCH:])
            size = min(BATCH, self.seq2seq.rows_at_once(longest))
            some, order = order[-size:], order[:-size]
            encoded = self.seq2seq.encode([sources[n] for n in some])
            made = self.seq2seq.score(encoded, [(*self.forced, *targets[n]) for n in some])
            for n, own in zip(some, made, strict=True):
                found[n] = own[skip:].tolist()
        return found

    def text(self, words: Sequence[str]) -> str:
        """Return words of the source language as a text."""
        return text_of(words, self._tags[0])

    def _cut(self, texts: Sequence[str]) -> list[Tokens]:
        self._translator.languages(*self._tags)
        given = self.seq2seq.tokenizer(
            text_target=list(texts), add_special_tokens=False, split_special_tokens=True
        )
        return [tuple(map(int, own)) for own in given["input_ids"]]

    def _clean(self, tokens: Tokens) -> Tokens:
        """Replace tokens that end or fill outputs, which a word may be written as."""
        unknown = self.seq2seq.tokenizer.unk_token_id
        if unknown is None or unknown in self._reserved:
            return tuple(token for token in tokens if token not in self._reserved)
        if not tokens:
            return (int(unknown),)
        return tuple(int(unknown) if token in self._reserved else token for token in tokens)

    def _inner(self, tokens: Tokens) -> Tokens:
        """Return the tokens of a word without the space that the tokenizer puts before it."""
        if not tokens:
            return tokens
        tokenizer = self.seq2seq.tokenizer
        first = str(tokenizer.convert_ids_to_tokens(tokens[0]))
        if not first.startswith(_SPACE):
            return tokens
        if first == _SPACE:
            return tokens[1:]
        own = tokenizer.convert_tokens_to_ids(first.removeprefix(_SPACE))
        known = own is not None and own != tokenizer.unk_token_id
        return (int(own), *tokens[1:]) if known else tokens

    def _end(self, found: int | Sequence[int] | None) -> int:
        if isinstance(found, (list, tuple)):
            found = found[0] if found else None
        found = self._translator.tokenizer.eos_token_id if found is None else found
        if found is None:
            raise UserError("the model has no token that ends an output", where=self.seq2seq.name)
        return int(found)  # type: ignore[arg-type]


def translation_model(translator: object, method: str) -> Seq2SeqTranslator:
    """Return the translation model of transformers that a text or an object names.

    Raises:
        UserError: If it is another translator, or there is none.
    """
    from xadapt.integrations.translators.protocol import open_translator

    if isinstance(translator, str) and translator.startswith("seq2seq:"):
        translator = open_translator(translator)
    if not isinstance(translator, Seq2SeqTranslator):
        raise UserError(
            f"{method} needs a translation model that scores", where="translator",
            todo="Name one as seq2seq:ORG/NAME or seq2seq:FOLDER",
        )  # fmt: skip
    return translator
