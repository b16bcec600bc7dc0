"""Make a synthetic language from a real one: another script, another order of words, or both.

What is known of such a language is exact: every word has one translation, every sentence has one,
and labels of words move along. So it shows what alignment a system reaches, and what it needs.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

from xadapt.core.errors import UserError
from xadapt.data.records import ParallelPair, ParsedSentence, PlainText, TaggedSentence, WordPair
from xadapt.data.transforms.protocol import Applies, Services

Order = Literal["same", "inversion", "permutation", "french"]
Spans = tuple[tuple[int, int, str], ...]

WORD = re.compile(r"\w+|[^\w\s]")
"""A word, or one mark of punctuation."""
MARKS = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
_LETTERS = {
    **{chr(ord("a") + i): chr(0x10D0 + i) for i in range(26)},
    **{chr(ord("A") + i): chr(0x1C90 + i) for i in range(26)},
    **{chr(ord("0") + i): chr(0x0966 + i) for i in range(10)},
    **{mark: chr(0x2E00 + i) for i, mark in enumerate(MARKS)},
}
_SCRIPT = str.maketrans(_LETTERS)
_BACK = str.maketrans({new: old for old, new in _LETTERS.items()})

CLITIC = frozenset({"obj", "iobj"})


def to_script(text: str) -> str:
    """Write a text in other characters, one for each: ``The cat 7.`` in Georgian letters.

    Letters a to z become Georgian letters, in both cases, digits become Devanagari digits, and
    ASCII punctuation becomes rare punctuation. No character of the result is ASCII but spaces. All
    other characters stay. `from_script` undoes it.
    """
    return text.translate(_SCRIPT)


def from_script(text: str) -> str:
    """Undo `to_script`."""
    return text.translate(_BACK)


def new_order(count: int, order: Order, rng: random.Random) -> list[int]:
    """Return the old position of the word at each new position.

    Args:
        count: Number of words.
        order: ``same``, ``inversion`` or ``permutation``.
        rng: Source of the permutation.
    """
    positions = list(range(count))
    if order == "inversion":
        positions.reverse()
    elif order == "permutation":
        rng.shuffle(positions)
    return positions


def french_order(sentence: ParsedSentence) -> list[int]:
    """Return the old position of the word at each new position, in an order like that of French.

    Left dependents of a noun go behind it, the nearest first, but for determiners, prepositions,
    numbers and the like (``a red car`` to ``a car red``). Pronouns that are objects of a verb go
    before it, adverbs directly before a verb go behind it (``often sees her`` to ``her sees
    often``). A word moves with everything that depends on it.

    Raises:
        UserError: If the heads are no tree.
    """
    children: list[list[int]] = [[] for _ in sentence.words]
    roots: list[int] = []
    for word, head in enumerate(sentence.heads):
        (children[head - 1] if head else roots).append(word)
    placed: list[int] = []
    for root in roots:
        placed += _placed(sentence, children, root)
    if sorted(placed) != list(range(len(sentence.words))):
        raise UserError("the heads of this sentence are no tree", where=sentence.origin)
    return placed


def _placed(sentence: ParsedSentence, children: list[list[int]], top: int) -> list[int]:
    """Linearise a subtree, without recursion: trees of bad data may be deep."""
    result: list[int] = []
    waiting: list[tuple[int, bool]] = [(top, False)]
    while waiting:
        word, alone = waiting.pop()
        if alone:
            result.append(word)
            continue
        left, right = _sides(sentence, children[word], word)
        line = [(child, False) for child in left]
        line += [(word, True), *((child, False) for child in right)]
        waiting += reversed(line)
    return result


def _sides(
    sentence: ParsedSentence, children: Sequence[int], head: int
) -> tuple[list[int], list[int]]:
    """Return the dependents before and after their head, in French order."""
    left = [child for child in children if child < head]
    right = [child for child in children if child > head]
    kind = {child: sentence.relations[child].split(":")[0] for child in children}
    if sentence.upos[head] in ("NOUN", "PROPN"):
        moved = [c for c in left if kind[c] in ("amod", "compound", "nmod", "advmod")]
        return [c for c in left if c not in moved], [*reversed(moved), *right]
    if sentence.upos[head] == "VERB":
        adverbs = [c for c in left if kind[c] == "advmod" and c + 1 == head]
        clitics = [c for c in right if kind[c] in CLITIC and sentence.upos[c] == "PRON"]
        stay = [c for c in left if c not in adverbs]
        return [*stay, *clitics], [*adverbs, *(c for c in right if c not in clitics)]
    return left, right


def moved_spans(spans: Spans, positions: Sequence[int]) -> Spans:
    """Move labelled spans with their words.

    A span whose words are no longer neighbours becomes one span for each run of neighbours.

    Args:
        spans: Spans ``(start, end, type)``.
        positions: The old position of the word at each new position.
    """
    place = {old: new for new, old in enumerate(positions)}
    moved = []
    for start, end, kind in spans:
        new = sorted(place[old] for old in range(start, end))
        first = 0
        for i in range(1, len(new) + 1):
            if i == len(new) or new[i] != new[i - 1] + 1:
                moved.append((new[first], new[i - 1] + 1, kind))
                first = i
    return tuple(sorted(moved))


@dataclass(frozen=True)
class SyntheticLanguage:
    """Turn records of one language into records of a synthetic one.

    Source: Tang et al. 2022, "ALIGN-MLM", https://arxiv.org/abs/2211.08547, section 3 (script,
    inversion, syntax), and Deshpande et al. 2022, https://arxiv.org/abs/2110.14782, section 2.1
    (permutation). Both change token ids: a new script adds the size of the vocabulary to each id.
    Here characters change one to one, so a tokenizer with both scripts does the same. Both move
    single tokens; here whole words and marks move, with their pieces in order. Their syntax is
    drawn from a model (Galactic Dependencies); here it is two rules, see `french_order`.

    Attributes:
        records: The records: ``text``; ``pairs``, which makes parallel text of plain text (the
            synthetic sentence and its original); ``words``, which makes a dictionary of the words
            of plain text, frequent ones first; ``tagged`` for labelled spans; ``trees`` for
            dependency trees.
        script: Whether the script changes, see `to_script`.
        order: The order of words in a sentence: ``same``, ``inversion``, ``permutation`` (at
            random, the same for equal sentences), or ``french``, which needs ``trees``.
    """

    records: Literal["text", "pairs", "words", "tagged", "trees"] = "text"
    script: bool = True
    order: Order = "inversion"

    needs: ClassVar[tuple[str, ...]] = ()
    applies: ClassVar[Applies] = "all"

    def __post_init__(self) -> None:
        if self.order == "french" and self.records != "trees":
            raise ValueError("the order french needs dependency trees (records: trees)")

    @property
    def consumes(self) -> type:
        """The record class, by ``records``."""
        return {"tagged": TaggedSentence, "trees": ParsedSentence}.get(self.records, PlainText)

    @property
    def gives(self) -> type:
        """The record class, by ``records``."""
        return {"pairs": ParallelPair, "words": WordPair}.get(self.records, self.consumes)

    def apply(
        self,
        records: Sequence[PlainText] | Sequence[TaggedSentence] | Sequence[ParsedSentence],
        services: Services,
    ) -> list[Any]:
        """Make the synthetic records, one for each; for ``words``, one for each distinct word.

        Raises:
            UserError: If the heads of a tree are no tree.
        """
        if self.records == "words":
            return self._dictionary(records, services)  # type: ignore[arg-type]
        make = {"tagged": self._tagged, "trees": self._tree}.get(self.records, self._text)
        return [make(r, services) for r in services.track(records, "synthetic language")]  # type: ignore[operator]

    def words(self, words: Sequence[str], positions: Sequence[int]) -> tuple[str, ...]:
        """Return words in their new order and script."""
        return tuple(to_script(words[i]) if self.script else words[i] for i in positions)

    def _positions(self, words: Sequence[str], services: Services) -> list[int]:
        return new_order(len(words), self.order, services.rng("permutation", *words))

    def _text(self, record: PlainText, services: Services) -> PlainText | ParallelPair:
        words = WORD.findall(record.text)
        text = " ".join(self.words(words, self._positions(words, services)))
        if self.records == "text":
            return replace(record, text=text, lang=services.lang)
        return ParallelPair(
            text, " ".join(words), services.lang, services.pivot_lang, origin=record.origin
        )

    def _dictionary(self, records: Sequence[PlainText], services: Services) -> list[WordPair]:
        found = Counter(word for record in records for word in WORD.findall(record.text))
        known = sorted(found, key=lambda word: (-found[word], word))
        pivot = services.pivot_lang
        return [
            WordPair(to_script(word) if self.script else word, word, services.lang, pivot)
            for word in known
        ]

    def _tagged(self, record: TaggedSentence, services: Services) -> TaggedSentence:
        positions = self._positions(record.words, services)
        words = self.words(record.words, positions)
        spans = moved_spans(record.spans, positions)
        return replace(record, words=words, spans=spans, lang=services.lang)

    def _tree(self, record: ParsedSentence, services: Services) -> ParsedSentence:
        if self.order == "french":
            positions = french_order(record)
        else:
            positions = self._positions(record.words, services)
        number = {0: 0, **{old + 1: new + 1 for new, old in enumerate(positions)}}
        return replace(
            record,
            words=self.words(record.words, positions),
            upos=tuple(record.upos[i] for i in positions),
            heads=tuple(number[record.heads[i]] for i in positions),
            relations=tuple(record.relations[i] for i in positions),
            lang=services.lang,
        )


Part = SyntheticLanguage
