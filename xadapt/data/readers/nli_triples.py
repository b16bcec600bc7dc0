"""Read triples of natural language inference: a premise, what it entails, what it contradicts.

Rows are premise, hypothesis and class, in tab-separated text with or without a header, JSON lines,
Parquet or ``hf:``. The rows of a premise are joined: each of its entailed hypotheses is a positive,
and its contradictions are hard negatives. Neutral rows are not used. Files whose rows are
translations of each other, line by line, give triples with the same ``row``, so that a pair is
never a negative of its translation.

Source: the triples of SBERT's NLI training, https://arxiv.org/abs/1908.10084, as in
https://arxiv.org/abs/2304.11434.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from xadapt.core.errors import UserError
from xadapt.core.text_key import normal_key
from xadapt.data.readers.mapped_rows import MappedRows, kind_of_rows
from xadapt.data.readers.notes import Notes, RowError, attempt, noted, without_faulty
from xadapt.data.readers.row_records import label_of, named, text_of
from xadapt.data.readers.tables import tab_rows
from xadapt.data.records import TextPair

CLASSES = ("entailment", "neutral", "contradiction")
NAMES = {
    "premise": ("premise", "sentence1"),
    "hypothesis": ("hypothesis", "sentence2"),
    "label": ("label", "gold_label"),
    "row": ("row_id", "pairid", "promptid", "id"),
}
FORM = "Write: premise, tab, hypothesis, tab, entailment, neutral or contradiction"
Located = Iterator[tuple[int, str, Mapping[str, Any]]]


@dataclass
class _Premise:
    """What is known of one premise."""

    text: str
    row: str
    where: str
    entailed: list[str] = field(default_factory=list)
    contradicted: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class NliTriples:
    """Reader of triples; it never claims a file, since parallel text looks the same.

    Attributes:
        classes: Names of the classes by their numbers, with commas, where the data has numbers and
            no names of its own.
        aligned: Whether files of several languages are translations line by line. Then triples of
            the same line have the same ``row``.
    """

    classes: str = ",".join(CLASSES)
    aligned: bool = True

    format: ClassVar[str] = "nli_triples"
    gives: ClassVar[type] = TextPair

    def __post_init__(self) -> None:
        if sorted(self.classes.split(",")) != sorted(CLASSES):
            raise ValueError(f"classes are {', '.join(CLASSES)} in the order of their numbers")

    def claims(self, source: str, request: object) -> bool:
        """Return False: a table of texts is parallel text unless a recipe says otherwise."""
        return False

    def read(self, source: str, lang: str, notes: Notes | None = None) -> Iterator[TextPair]:
        """Stream the triples.

        Args:
            source: The file, or ``hf:org/name``.
            lang: Language of the texts.
            notes: Where skipped rows and premises are counted.

        Raises:
            UserError: If a column is missing, half of the rows are faulty, or no premise has an
                entailed hypothesis.
        """
        found = noted(notes)
        names: Sequence[str] = self.classes.split(",")
        if kind_of_rows(source):
            mapped = MappedRows(source)
            stored = mapped.class_names()
            names = next((stored[key] for key in NAMES["label"] if key in stored), names)
            rows: Located = ((n, where, row) for n, (where, row) in enumerate(mapped, 1))
        else:
            rows = _table(source, found)
        premises = self._collect(rows, names, source, found)
        alone = 0
        for one in premises:
            if not one.contradicted:
                alone += 1
            row = one.row if self.aligned else ""
            for text in one.entailed:
                yield TextPair(
                    one.text, text, tuple(one.contradicted), lang, row=row, origin=one.where
                )
        if alone:
            found.add(source, f"{alone:,} premises have no contradiction", usual=True)

    def _collect(
        self, rows: Located, names: Sequence[str], source: str, notes: Notes
    ) -> list[_Premise]:
        premises: dict[str, _Premise] = {}
        made = (attempt(_row, row, names, where, number) for number, where, row in rows)
        for premise, hypothesis, label, row, where in without_faulty(made, source, notes):
            key = normal_key(premise)
            one = premises.setdefault(key, _Premise(premise, row, where))
            if label == "entailment":
                one.entailed.append(hypothesis)
            elif label == "contradiction":
                one.contradicted.append(hypothesis)
        found = [one for one in premises.values() if one.entailed]
        if not found:
            raise UserError(
                "no premise has an entailed hypothesis",
                where=source,
                todo="Check the column of classes, and their order if they are numbers",
            )
        left = len(premises) - len(found)
        if left:
            notes.add(source, f"{left:,} premises without an entailed hypothesis", usual=True)
        return found


def _row(
    row: Mapping[str, Any], names: Sequence[str], where: str, number: int
) -> tuple[str, str, str, str, str]:
    premise = text_of(_value(row, "premise"), "the premise", where)
    hypothesis = text_of(_value(row, "hypothesis"), "the hypothesis", where)
    given = _value(row, "label")
    if isinstance(given, str) and given.strip() in ("0", "1", "2"):
        given = int(given)
    if given in ("-", -1):
        label = "-"  # no agreed class: passed over like neutral rows
    else:
        label = label_of(named(given, names, where), "the class", where).casefold()
        if label not in CLASSES:
            raise RowError(f"there is no class {label[:40]!r}", where=where, todo=FORM)
    told = _value(row, "row")
    place = str(number) if told in (None, "") else label_of(told, "the row", where)
    return premise, hypothesis, label, place, where


def _value(row: Mapping[str, Any], field_: str) -> Any:
    by_case = {str(key).casefold(): value for key, value in row.items()}
    return next((by_case[name] for name in NAMES[field_] if name in by_case), None)


def _table(source: str, notes: Notes) -> Located:
    """Stream the rows of a table, numbered from 1; a header may name the columns."""
    header: list[str] = []
    count = 0
    for number, cells in tab_rows(source, notes):
        cells = [cell.strip() for cell in cells]
        if not any(cells):
            continue
        if not header:
            header = ["premise", "hypothesis", "label"]
            first = [cell.casefold() for cell in cells]
            if all(set(NAMES[name]) & set(first) for name in header):
                header = first
                continue
        count += 1
        if len(cells) < 3:
            cells = [*cells, "", ""][:3]
        yield count, f"{source}:{number}", dict(zip(header, cells, strict=False))


Part = NliTriples
