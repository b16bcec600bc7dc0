"""The rows of requests: what is tokenized, what acts on it, and what is read from its states."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.encoder.long_texts import CutCount, counting_cut, tell_cut
from xadapt.backbones.encoder.own_texts import groups, read_texts
from xadapt.backbones.encoder.pairs import tokenize_pairs
from xadapt.backbones.encoder.words import WordWindow, tokenize_word_windows
from xadapt.composition.values import Composition
from xadapt.functional.tag_scheme import decode
from xadapt.heads.head import Head
from xadapt.serving.errors import RequestError
from xadapt.tasks.predictor import unseen


class Reader(Protocol):
    """Reads a result for each row from the states of a forward."""

    def read(self, states: Tensor, mask: Tensor) -> Tensor:
        """Map states ``(rows, tokens, width)`` and mask ``(rows, tokens)`` to ``(rows, ...)``."""


@dataclass(frozen=True, eq=False)
class Pooled:
    """The vector of a text."""

    encoder: Encoder

    def read(self, states: Tensor, mask: Tensor) -> Tensor:
        """Pool: ``(rows, dim)``."""
        return self.encoder.pool(states, mask)


@dataclass(frozen=True, eq=False)
class FirstToken:
    """The scores of a head over the first token."""

    head: Head

    def read(self, states: Tensor, mask: Tensor) -> Tensor:
        """Score: ``(rows, labels)``."""
        found: Tensor = self.head(states[:, 0])
        return found


@dataclass(frozen=True, eq=False)
class EachToken:
    """The log-probabilities of a head over every token."""

    head: Head

    def read(self, states: Tensor, mask: Tensor) -> Tensor:
        """Score: ``(rows, tokens, labels)``."""
        found: Tensor = self.head(states).log_softmax(-1)
        return found.masked_fill(~mask.bool().unsqueeze(-1), 0.0)


@dataclass(slots=True, eq=False)
class Row:
    """One row of a forward.

    Attributes:
        item: The position in the request.
        ids: Token ids with special tokens.
        composition: What acts on the row.
        second: The position of the second segment, if there is one.
        window: For sentences as words, the window that the row is.
    """

    item: int
    ids: Sequence[int]
    composition: Composition
    second: int | None = None
    window: WordWindow | None = None


@dataclass(frozen=True)
class Choice:
    """The model of one text.

    Attributes:
        composition: Its composition over keys.
        language: The detected language, if the text was asked for.
        confidence: The detector's confidence.
        name: Name of the model.
    """

    composition: Composition
    language: str = ""
    confidence: float = 0.0
    name: str = ""


class Work(ABC):
    """The items of one request.

    Args:
        reader: Reads results from states.
        composition: The composition of all rows; ``None`` is the bare base.
        modules: The modules by key.
    """

    def __init__(
        self, reader: Reader, composition: Composition, modules: Mapping[str, nn.Module]
    ) -> None:
        self.reader, self.composition, self.modules = reader, composition, dict(modules)

    @property
    @abstractmethod
    def count(self) -> int:
        """The number of items."""

    @property
    @abstractmethod
    def bytes(self) -> int:
        """The size of the items, roughly in bytes."""

    @abstractmethod
    def rows(self, start: int, stop: int) -> list[Row]:
        """Tokenize some items.

        Raises:
            UserError: If the base can't read them.
        """

    def finish(self, item: int, found: list[tuple[Row, Tensor]]) -> Any:
        """Make the result of an item from the results of its rows, on the CPU."""
        return found[0][1].numpy()


class Texts(Work):
    """Texts to be encoded, or classified by a head over the first token.

    Args:
        reader: As for `Work`.
        texts: The texts.
        encoder: The base, with the prompt of the request.
        composition: As for `Work`.
        modules: As for `Work`.
        choose: For the model ``auto``: a function from a text to its choice and the modules of it.
        whole: Whether a text that is longer than the base reads is refused.
        language: The language of the texts, if the client says it.

    Attributes:
        cut: The number of texts that were cut.
        choices: The choice of each text, for ``auto``.
    """

    def __init__(
        self,
        reader: Reader,
        texts: Sequence[str],
        encoder: Encoder,
        composition: Composition = None,
        modules: Mapping[str, nn.Module] | None = None,
        choose: Callable[[str], tuple[Choice, Mapping[str, nn.Module]]] | None = None,
        whole: bool = False,
        language: str | None = None,
    ) -> None:
        super().__init__(reader, composition, modules or {})
        self.texts, self.encoder, self.choose, self.whole = texts, encoder, choose, whole
        self.language = language
        self.cut = 0
        self.choices: list[Choice] = []

    @property
    def count(self) -> int:
        """The number of texts."""
        return len(self.texts)

    @property
    def bytes(self) -> int:
        """The characters of all texts; each counts as 4 bytes at most, and 64 for its vector."""
        return sum(map(len, self.texts)) + 64 * len(self.texts)

    def placed(self, start: int, stop: int) -> list[tuple[Composition, str | None]]:
        """Return the composition and the language of some texts; for ``auto`` they are chosen."""
        if self.choose is None:
            return [(self.composition, self.language)] * (stop - start)
        for text in self.texts[len(self.choices) : stop]:
            choice, modules = self.choose(text)
            self.modules.update(modules)
            self.choices.append(choice)
        return [(one.composition, one.language or None) for one in self.choices[start:stop]]

    def rows(self, start: int, stop: int) -> list[Row]:
        """Tokenize some texts with the base's tokenizer."""
        texts = self.texts[start:stop]
        return self.as_rows(start, stop, *read_texts(self.encoder, texts, [None] * len(texts)))

    def as_rows(
        self, start: int, stop: int, readers: Sequence[Encoder], ids: Sequence[Sequence[int]]
    ) -> list[Row]:
        """Make rows of token ids.

        Args:
            start: The first text.
            stop: One past the last text.
            readers: The encoder that tokenized each text.
            ids: Token ids of each text.

        Raises:
            RequestError: If a text is cut and must not be.
        """
        texts = self.texts[start:stop]
        if any(len(own) >= self.encoder.max_length for own in ids):
            with counting_cut(CutCount()):
                for one, at in groups(readers):
                    self.cut += tell_cut(one, [texts[i] for i in at], [ids[i] for i in at])
            if self.cut and self.whole:
                raise RequestError(
                    413,
                    f"a text is longer than the {self.encoder.max_length} tokens of the base",
                    param="inputs",
                    code="too_long",
                )
        placed = self.placed(start, stop)
        return [Row(start + place, own, placed[place][0]) for place, own in enumerate(ids)]


class TokenIds(Work):
    """Token ids as a client gives them, with all special tokens."""

    def __init__(
        self,
        reader: Reader,
        ids: Sequence[Sequence[int]],
        encoder: Encoder,
        composition: Composition = None,
        modules: Mapping[str, nn.Module] | None = None,
    ) -> None:
        super().__init__(reader, composition, modules or {})
        table = encoder.model.get_input_embeddings().num_embeddings  # type: ignore[operator]
        for own in ids:
            wrong = next((i for i in own if not 0 <= i < int(table)), None)
            if wrong is not None or not own:
                said = "a list is empty" if wrong is None else f"there is no token {wrong}"
                raise RequestError(400, f"input: {said}", param="input", code="invalid_value")
            if len(own) > encoder.max_length:
                raise RequestError(
                    400,
                    f"input: {len(own)} tokens, and the base reads {encoder.max_length}",
                    param="input",
                    code="context_length_exceeded",
                )
        self.ids = ids

    @property
    def count(self) -> int:
        """The number of lists."""
        return len(self.ids)

    @property
    def bytes(self) -> int:
        """Eight bytes for each token."""
        return 8 * sum(map(len, self.ids)) + 64 * len(self.ids)

    def rows(self, start: int, stop: int) -> list[Row]:
        """Take the ids as they are."""
        return [Row(item, self.ids[item], self.composition) for item in range(start, stop)]


class TextPairs(Work):
    """Pairs of texts in one row each, for a head over pairs."""

    def __init__(
        self,
        reader: Reader,
        pairs: Sequence[Sequence[str]],
        encoder: Encoder,
        composition: Composition,
        modules: Mapping[str, nn.Module],
    ) -> None:
        super().__init__(reader, composition, modules)
        self.pairs, self.encoder = pairs, encoder

    @property
    def count(self) -> int:
        """The number of pairs."""
        return len(self.pairs)

    @property
    def bytes(self) -> int:
        """The characters of all texts."""
        return sum(len(text) for pair in self.pairs for text in pair) + 64 * len(self.pairs)

    def rows(self, start: int, stop: int) -> list[Row]:
        """Tokenize some pairs."""
        own = self.pairs[start:stop]
        made = tokenize_pairs(self.encoder, [left for left, _ in own], [right for _, right in own])
        return [
            Row(start + place, pair.ids, self.composition, pair.second)
            for place, pair in enumerate(made)
        ]


class Sentences(Work):
    """Sentences as words, for a head over words; a long one is read in windows."""

    def __init__(
        self,
        head: Head,
        words: Sequence[Sequence[str]],
        encoder: Encoder,
        composition: Composition,
        modules: Mapping[str, nn.Module],
    ) -> None:
        super().__init__(EachToken(head), composition, modules)
        self.head, self.words, self.encoder = head, words, encoder

    @property
    def count(self) -> int:
        """The number of sentences."""
        return len(self.words)

    @property
    def bytes(self) -> int:
        """The characters of all words."""
        return sum(len(word) + 8 for own in self.words for word in own) + 64 * len(self.words)

    def rows(self, start: int, stop: int) -> list[Row]:
        """Tokenize some sentences; one without words has no row."""
        windows = tokenize_word_windows(self.encoder, [list(own) for own in self.words[start:stop]])
        return [Row(start + one.owner, one.ids, self.composition, window=one) for one in windows]

    def finish(self, item: int, found: list[tuple[Row, Tensor]]) -> list[str]:
        """Decode the labels of a sentence, one a word."""
        scores = unseen(self.head, len(self.words[item]))
        for row, values in found:
            window = row.window
            assert window is not None
            known = list(window.known)
            scores[known] = values[[window.first[word] for word in known]].numpy()
        return decode(scores, self.head.labels, self.head.scheme)


def read_each(reader: Reader, rows: list[int], states: Tensor, mask: Tensor) -> list[Tensor]:
    """Read the results of some rows of a forward, on the CPU, one a row.

    Args:
        reader: The reader.
        rows: Positions in the forward.
        states: ``(batch, tokens, width)``.
        mask: ``(batch, tokens)``.
    """
    if len(rows) < len(states):
        at = torch.tensor(rows, device=states.device)
        states, mask = states[at], mask[at]
    return list(reader.read(states, mask).float().cpu().unbind(0))
