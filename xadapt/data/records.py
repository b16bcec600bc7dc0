"""Records: typed rows of data, the common interface of readers, transforms and objectives.

``origin`` is the place of a row (``file:line``). Comparison ignores ``origin``.
Language tags are BCP-47. Offsets are half-open and count characters or tokens as stated.
The file is long because every type of record stands in it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import MISSING, dataclass, field, fields
from itertools import repeat
from typing import Any, ClassVar, NamedTuple, TypeVar

PREDICATE = "P"
ROLES = ("A0", "A1", "A2", "A3")
ROW_KEY = "\x00 row "
"""The beginning of a key that is no text, see `translated_row`."""
R = TypeVar("R", bound="Record")


def translated_row(row: str) -> tuple[str, ...]:
    """Return the key of a row in several languages for splits; nothing without a row."""
    return (f"{ROW_KEY}{row}",) if row else ()


@dataclass(frozen=True, slots=True)
class Record:
    """The base class of all rows, with the origin of the row.

    Attributes:
        unit: Name of records of this type, in the plural.
        default_transforms: Names of the transforms for records of this type, if the recipe names no
            transforms.
        origin: Place of the row in the data.
    """

    unit: ClassVar[str] = "records"
    default_transforms: ClassVar[tuple[str, ...]] = ()

    origin: str = field(default="", compare=False, kw_only=True)

    def split_texts(self) -> tuple[str, ...]:
        """Return the texts that only one part of a split may contain; empty: no held-out part."""
        return ()

    def seen_texts(self) -> tuple[str, ...]:
        """Return the texts that a module has seen if it was trained on this record."""
        return tuple(text for text in self.split_texts() if not text.startswith(ROW_KEY))


class Constant(NamedTuple):
    """One value for all records of `make_many`."""

    value: Any


def make_many(kind: type[R], count: int, **columns: Sequence[Any] | Constant) -> list[R]:
    """Make many records of one type, in a third of the time that the constructor takes.

    The fields are set column by column, without a call of Python for each record.

    Args:
        kind: The type.
        count: Number of records.
        columns: The values of each field in the order of the records, or one for all as `Constant`.
            A field without a column gets its default.

    Raises:
        TypeError: If a field has neither a column nor a default, or there is no such field.
        ValueError: If a column has another number of values.
    """
    made = list(map(object.__new__, repeat(kind, count)))
    for field_ in fields(kind):
        default = () if field_.default is MISSING else Constant(field_.default)
        values = columns.pop(field_.name, default)
        if isinstance(values, Constant):
            values = [values.value] * count
        elif field_.default is MISSING and not values and count:
            raise TypeError(f"the field {field_.name!r} has no values")
        if len(values) != count:
            raise ValueError(f"{len(values)} values of {field_.name!r} for {count} records")
        deque(map(getattr(kind, field_.name).__set__, made, values), maxlen=0)
    if columns:
        raise TypeError(f"{kind.__name__} has no field {', '.join(columns)}")
    return made


@dataclass(frozen=True, slots=True)
class PlainText(Record):
    """One line of running text in one language."""

    unit: ClassVar[str] = "lines"

    text: str
    lang: str

    def seen_texts(self) -> tuple[str, ...]:
        """Return the line."""
        return (self.text,)


@dataclass(frozen=True, slots=True)
class ParallelPair(Record):
    """A sentence in the language being adapted, and its translation in the pivot language."""

    unit: ClassVar[str] = "pairs"
    default_transforms: ClassVar[tuple[str, ...]] = ("pair_filter",)

    text: str
    pivot: str
    lang: str
    pivot_lang: str = "en"

    def split_texts(self) -> tuple[str, ...]:
        """Return both sentences."""
        return (self.text, self.pivot)


@dataclass(frozen=True, slots=True)
class WordPair(Record):
    """A dictionary entry: a word and one translation of it in the pivot language."""

    unit: ClassVar[str] = "word pairs"

    word: str
    pivot: str
    lang: str
    pivot_lang: str = "en"

    def seen_texts(self) -> tuple[str, ...]:
        """Return the whole entry: either word alone may stand in other entries too."""
        return (f"{self.word}\n{self.pivot}",)


@dataclass(frozen=True, slots=True)
class EntityLabel(Record):
    """One name of one entity of a knowledge graph."""

    unit: ClassVar[str] = "names"

    entity: str
    label: str
    lang: str

    def seen_texts(self) -> tuple[str, ...]:
        """Return the name."""
        return (self.label,)


@dataclass(frozen=True, slots=True)
class LabelPair(Record):
    """An entity with its name in the language and its name in the pivot language."""

    unit: ClassVar[str] = "names"

    entity: str
    text: str
    pivot: str
    lang: str = "und"
    pivot_lang: str = "en"

    def seen_texts(self) -> tuple[str, ...]:
        """Return both names."""
        return (self.text, self.pivot)


@dataclass(frozen=True, slots=True)
class EntityNames(LabelPair):
    """A name of an entity, and the other names of the entity that may be paired with it.

    ``pivot`` is one of ``others``, which are ``(language, name)``, and differ from ``text``.
    """

    others: tuple[tuple[str, str], ...] = ()

    def split_texts(self) -> tuple[str, ...]:
        """Return the entity and all its names. Entities that share a name stay together."""
        return (f"\x00 entity {self.entity}", self.text, *(name for _, name in self.others))

    def seen_texts(self) -> tuple[str, ...]:
        """Return all names."""
        return (self.text, *(name for _, name in self.others))


@dataclass(frozen=True, slots=True)
class Triple(Record):
    """A fact of a knowledge graph, by ids."""

    unit: ClassVar[str] = "facts"

    head: str
    relation: str
    tail: str


@dataclass(frozen=True, slots=True)
class NamedTriple(Record):
    """A fact with the names ``(language, name)`` of its head, its relation and its tail."""

    unit: ClassVar[str] = "facts"

    head: str
    relation: str
    tail: str
    heads: tuple[tuple[str, str], ...]
    relations: tuple[tuple[str, str], ...]
    tails: tuple[tuple[str, str], ...]
    lang: str

    def seen_texts(self) -> tuple[str, ...]:
        """Return the names of the head and of the tail."""
        return tuple(name for _, name in (*self.heads, *self.tails))


@dataclass(frozen=True, slots=True)
class DescribedEntity(Record):
    """A text about an entity, and the names ``(language, name)`` of the entity."""

    unit: ClassVar[str] = "descriptions"

    entity: str
    text: str
    names: tuple[tuple[str, str], ...]
    lang: str

    def seen_texts(self) -> tuple[str, ...]:
        """Return the text and the names."""
        return (self.text, *(name for _, name in self.names))


@dataclass(frozen=True, slots=True)
class EntityMention(Record):
    """A sentence that mentions an entity, and the names ``(language, name)`` of the entity.

    ``span`` is the mention in characters, ``(start, end)``.
    """

    unit: ClassVar[str] = "mentions"

    text: str
    span: tuple[int, int]
    entity: str
    names: tuple[tuple[str, str], ...]
    lang: str

    def seen_texts(self) -> tuple[str, ...]:
        """Return the text and the names."""
        return (self.text, *(name for _, name in self.names))


@dataclass(frozen=True, slots=True)
class LinkedSentence(Record):
    """A sentence with mentions of entities, ``(start, end, entity)`` in characters, in order.

    Mentions do not overlap. An empty entity stands for an unknown id. ``row`` is the sentence that
    this one is a variant of; such sentences stay together in a split. Comparison ignores it.
    """

    unit: ClassVar[str] = "sentences"

    text: str
    mentions: tuple[tuple[int, int, str], ...]
    lang: str
    row: str = field(default="", compare=False, kw_only=True)

    def split_texts(self) -> tuple[str, ...]:
        """Return the sentence, and the row that it is a variant of."""
        return (self.text, *translated_row(self.row))


@dataclass(frozen=True, slots=True)
class EntityLink(Record):
    """Two ids of one entity, in two graphs."""

    unit: ClassVar[str] = "links"

    left: str
    right: str


@dataclass(frozen=True, slots=True)
class TaggedSentence(Record):
    """Words with labelled spans ``(start, end, type)`` over the words."""

    unit: ClassVar[str] = "sentences"

    words: tuple[str, ...]
    spans: tuple[tuple[int, int, str], ...]
    lang: str

    def split_texts(self) -> tuple[str, ...]:
        """Return the sentence."""
        return (" ".join(self.words),)


@dataclass(frozen=True, slots=True)
class TranslatedSentence(TaggedSentence):
    """A tagged sentence and the words of its translation; none stand for no translation."""

    translation: tuple[str, ...] = ()

    def split_texts(self) -> tuple[str, ...]:
        """Return the sentence, and the translation where there is one."""
        return tuple(" ".join(words) for words in (self.words, self.translation) if words)


@dataclass(frozen=True, slots=True)
class ParsedSentence(Record):
    """Words with their universal parts of speech and a dependency tree.

    ``heads`` are word numbers from 1, with 0 for the root. ``relations`` are the relations to these
    heads.
    """

    unit: ClassVar[str] = "trees"

    words: tuple[str, ...]
    upos: tuple[str, ...]
    heads: tuple[int, ...]
    relations: tuple[str, ...]
    lang: str

    def seen_texts(self) -> tuple[str, ...]:
        """Return the sentence."""
        return (" ".join(self.words),)


@dataclass(frozen=True, slots=True)
class OpenTriples(Record):
    """Words with open extractions: one tuple of spans ``(start, end, role)`` for each predicate.

    The first span of an extraction is the predicate, with role ``P``. The other spans are its
    arguments in the order of their roles ``A0``, ``A1``, ``A2``, ``A3``, each at most once. Spans
    are over the words. The spans of one extraction do not overlap.
    """

    unit: ClassVar[str] = "sentences"

    words: tuple[str, ...]
    extractions: tuple[tuple[tuple[int, int, str], ...], ...]
    lang: str

    def split_texts(self) -> tuple[str, ...]:
        """Return the sentence."""
        return (" ".join(self.words),)


@dataclass(frozen=True, slots=True)
class LabelledText(Record):
    """A text with one class."""

    unit: ClassVar[str] = "texts"

    text: str
    label: str
    lang: str

    def split_texts(self) -> tuple[str, ...]:
        """Return the text."""
        return (self.text,)


@dataclass(frozen=True, slots=True)
class RatedText(LabelledText):
    """A text with a rating: the label is a number, as text."""


@dataclass(frozen=True, slots=True)
class TranslatedText(LabelledText):
    """A text with one class and its translation; an empty one stands for no translation."""

    translation: str = ""

    def split_texts(self) -> tuple[str, ...]:
        """Return the text, and the translation where there is one."""
        return (self.text, *filter(None, [self.translation]))


@dataclass(frozen=True, slots=True)
class MultiLabelText(Record):
    """A text with any number of labels, each once, in alphabetical order; it may have none."""

    unit: ClassVar[str] = "texts"

    text: str
    labels: tuple[str, ...]
    lang: str

    def split_texts(self) -> tuple[str, ...]:
        """Return the text."""
        return (self.text,)


@dataclass(frozen=True, slots=True)
class LabelledPair(Record):
    """Two texts with one class, such as a premise and a hypothesis with their relation."""

    unit: ClassVar[str] = "labelled pairs"

    text: str
    text_pair: str
    label: str
    lang: str

    def split_texts(self) -> tuple[str, ...]:
        """Return both texts. Pairs that share a text stay together."""
        return (self.text, self.text_pair)


@dataclass(frozen=True, slots=True)
class CandidateList(Record):
    """A mention of a concept, and the candidates for this concept with their scores.

    Attributes:
        text: The mention, perhaps in its context.
        candidates: The names of each candidate as one text.
        scores: A score of each candidate, of the search that found them.
        correct: The position of the right candidate; -1 if none is right.
        lang: The language of the mention.
        concept: The id of the right concept. Mentions of one concept stay together in a split.
    """

    unit: ClassVar[str] = "mentions"

    text: str
    candidates: tuple[str, ...]
    scores: tuple[float, ...]
    correct: int
    lang: str
    concept: str = field(default="", kw_only=True)

    def split_texts(self) -> tuple[str, ...]:
        """Return the mention, and the concept as a key."""
        return (self.text, *((f"{ROW_KEY}concept {self.concept}",) if self.concept else ()))

    def seen_texts(self) -> tuple[str, ...]:
        """Return the mention, and the names of the right candidate."""
        return (self.text, *((self.candidates[self.correct],) if self.correct >= 0 else ()))


@dataclass(frozen=True, slots=True)
class AlignedWords(Record):
    """Two sentences as words, with links ``(left word, right word)`` between words from 0.

    Annotators agree on ``sure`` links; ``possible`` holds links that may also be right.
    """

    unit: ClassVar[str] = "sentence pairs"

    left: tuple[str, ...]
    right: tuple[str, ...]
    sure: tuple[tuple[int, int], ...]
    possible: tuple[tuple[int, int], ...]
    left_lang: str
    right_lang: str

    def split_texts(self) -> tuple[str, ...]:
        """Return both sentences."""
        return (" ".join(self.left), " ".join(self.right))


@dataclass(frozen=True, slots=True)
class AlignedSpans(Record):
    """A sentence and its translation as words, with spans that mean the same.

    A span is ``(start, end)`` over words. Each entry of ``spans`` is the span of the pivot and that
    of the text.
    """

    unit: ClassVar[str] = "pairs with spans"

    text: tuple[str, ...]
    pivot: tuple[str, ...]
    spans: tuple[tuple[tuple[int, int], tuple[int, int]], ...]
    lang: str
    pivot_lang: str = "en"

    def split_texts(self) -> tuple[str, ...]:
        """Return both sentences."""
        return (" ".join(self.text), " ".join(self.pivot))


@dataclass(frozen=True, slots=True)
class ScoredPair(Record):
    """Two texts and their similarity score, in the unit of the data set (often 0 to 5).

    ``row`` is the number of the row that this one is a translation of; rows with one number stay in
    one part of a split. Comparison ignores it.
    """

    unit: ClassVar[str] = "scored pairs"

    left: str
    right: str
    score: float
    left_lang: str
    right_lang: str
    row: str = field(default="", compare=False, kw_only=True)

    def split_texts(self) -> tuple[str, ...]:
        """Return both texts, and the row that they translate."""
        return (self.left, self.right, *translated_row(self.row))


@dataclass(frozen=True, slots=True)
class TextPair(Record):
    """Two texts of one language that belong together, such as a query and a passage.

    A query with several positives has several records. ``negatives`` are hard negatives: texts that
    look like positives of the anchor and are none.

    Attributes:
        anchor: The query.
        positive: A text that belongs to it.
        negatives: Hard negatives.
        lang: The language.
        row: The row that this one is a translation of, or empty. The positive of another pair with
            the same row is no negative.
        answers: Texts that answer the query. A passage that contains one is no negative.
    """

    unit: ClassVar[str] = "pairs"

    anchor: str
    positive: str
    negatives: tuple[str, ...]
    lang: str
    row: str = field(default="", kw_only=True)
    answers: tuple[str, ...] = field(default=(), kw_only=True)

    def split_texts(self) -> tuple[str, ...]:
        """Return anchor, positive and row. Queries of one passage stay together."""
        return (self.anchor, self.positive, *translated_row(self.row))


@dataclass(frozen=True, slots=True)
class TextToText(Record):
    """A text to read and the text to write for it."""

    unit: ClassVar[str] = "rows"

    source: str
    target: str
    lang: str

    def split_texts(self) -> tuple[str, ...]:
        """Return the source. Targets of one source stay together."""
        return (self.source,)


@dataclass(frozen=True, slots=True)
class Question(Record):
    """A question over a passage with answers ``(start character, text)``."""

    unit: ClassVar[str] = "questions"

    question: str
    passage: str
    answers: tuple[tuple[int, str], ...]
    lang: str

    def split_texts(self) -> tuple[str, ...]:
        """Return the passage. Questions over one passage stay together."""
        return (self.passage,)


@dataclass(frozen=True, slots=True)
class TranslatedQuestion(Question):
    """A question over a passage, with both translated; nothing stands for no translation.

    ``translation`` holds the translated question and passage. ``translated_answers`` are spans of
    the translated passage, as ``answers``; there may be none.
    """

    translation: tuple[str, ...] = ()
    translated_answers: tuple[tuple[int, str], ...] = ()

    def split_texts(self) -> tuple[str, ...]:
        """Return the passage, and its translation where there is one."""
        return (self.passage, *self.translation[1:])


@dataclass(frozen=True, slots=True)
class RelationExample(Record):
    """A text with a head and a tail span, in characters, and the relation between them.

    ``types`` are the types of head and tail, such as ``PERSON``, empty where they are not known.
    ``row`` is the row that this one is a translation of, so that both stay together in a split.
    Comparison ignores it.
    """

    unit: ClassVar[str] = "texts"

    text: str
    head: tuple[int, int]
    tail: tuple[int, int]
    relation: str
    lang: str
    types: tuple[str, str] = ("", "")
    row: str = field(default="", compare=False, kw_only=True)

    def split_texts(self) -> tuple[str, ...]:
        """Return the text, and the row that it is a translation of."""
        return (self.text, *translated_row(self.row))
