"""Read natural language inference: XNLI, MultiNLI and SNLI, as classes of joined sentences.

Known forms are the release of XNLI (TSV with a header, or JSON lines with the same names:
``language gold_label sentence1 sentence2``), MultiNLI and SNLI as JSON lines, and ``hf:`` data sets
and Parquet with ``premise``, ``hypothesis`` and ``label``. Rows of other languages are counted and
left out, and so are rows on whose class the annotators did not agree (``-``).

A record is a `LabelledText`: premise, a separator and hypothesis in one text, as a cross-encoder
reads them. Source: Conneau et al. 2018, https://arxiv.org/abs/1809.05053.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from xadapt.core.errors import UserError
from xadapt.data.readers.mapped_rows import MappedRows, kind_of_rows
from xadapt.data.readers.notes import Notes, RowError, attempt, noted, without_faulty
from xadapt.data.readers.row_records import label_of, named, text_of
from xadapt.data.readers.sides import find_language
from xadapt.data.readers.tables import tab_rows
from xadapt.data.records import LabelledText

_PREMISE, _HYPOTHESIS = ("sentence1", "premise"), ("sentence2", "hypothesis")
_LABEL, _LANGUAGE = ("gold_label", "label"), ("language", "lang", "locale")
_CLASSES = ("entailment", "neutral", "contradiction")
"""The classes by their numbers in data sets that store numbers."""
Located = Iterator[tuple[str, Mapping[str, Any]]]


@dataclass(frozen=True)
class Xnli:
    """Reader of premises and hypotheses with their relation.

    Attributes:
        separator: What stands between premise and hypothesis.
    """

    separator: str = " | "

    format: ClassVar[str] = "xnli"
    gives: ClassVar[type] = LabelledText

    def claims(self, source: str, request: object) -> bool:
        """Return False: a table is parallel text unless a recipe says otherwise."""
        return False

    def read(self, source: str, lang: str, notes: Notes | None = None) -> Iterator[LabelledText]:
        """Stream the examples in a language.

        Args:
            source: The file, or ``hf:org/name``.
            lang: The language; ``und`` takes all rows.
            notes: Where rows that are left out are counted.

        Raises:
            UserError: If a column is missing, a line can't be read, half of the rows are faulty,
                or no row is in the language.
        """
        found = noted(notes)
        names: Sequence[str] = ()
        if kind_of_rows(source):
            mapped = MappedRows(source)
            rows: Located = iter(mapped)
            names = mapped.class_names().get("label", ())
        else:
            rows = _table(source, found)
        passed: Counter[str] = Counter()
        langs: set[str] = set()
        kept = 0

        def made() -> Iterator[LabelledText | RowError]:
            for where, row in rows:
                reason = _left_out(row, lang, langs)
                if reason:
                    passed[reason] += 1
                else:
                    yield attempt(self._text, row, names or _CLASSES, lang, where)

        for record in without_faulty(made(), source, found):
            kept += 1
            yield record
        if not kept:
            known = ", ".join(sorted(langs)[:20]) or "none"
            raise UserError(
                f"there is no example in {lang} (languages: {known})",
                where=source,
                todo="Check --lang and the file",
            )
        for reason, count in sorted(passed.items()):
            found.add(source, f"{count:,} rows {reason} are passed over", usual=True)

    def _text(
        self, row: Mapping[str, Any], names: Sequence[str], lang: str, where: str
    ) -> LabelledText:
        premise = text_of(_first(row, _PREMISE), "the premise", where)
        hypothesis = text_of(_first(row, _HYPOTHESIS), "the hypothesis", where)
        label = label_of(named(_first(row, _LABEL), names, where), "the label", where)
        return LabelledText(f"{premise}{self.separator}{hypothesis}", label, lang, origin=where)


def _first(row: Mapping[str, Any], names: Sequence[str]) -> Any:
    return next((row[name] for name in names if name in row), None)


def _left_out(row: Mapping[str, Any], lang: str, langs: set[str]) -> str:
    """Return the reason why a row is left out; empty if it is not."""
    own = _first(row, _LANGUAGE)
    if isinstance(own, str) and own:
        if len(langs) < 1000:
            langs.add(own)
        if lang != "und" and find_language([own], lang) is None:
            return "in other languages"
    return "without an agreed label" if _first(row, _LABEL) in ("-", -1) else ""


def _table(source: str, notes: Notes) -> Located:
    """Stream the rows of a TSV file with a header, by the names of its columns."""
    rows = (row for row in tab_rows(source, notes) if any(map(str.strip, row[1])))
    first = next(rows, None)
    if first is None:
        return
    header = [cell.strip() for cell in first[1]]
    for names in (_PREMISE, _HYPOTHESIS, _LABEL):
        if not set(names) & set(header):
            raise UserError(
                f"no column is named {' or '.join(names)} (found: {', '.join(header[:8])[:200]})",
                where=f"{source}:{first[0]}",
                todo="The first line names the columns: language, gold_label, sentence1, sentence2",
            )
    for number, cells in rows:
        yield f"{source}:{number}", dict(zip(header, cells, strict=False))


Part = Xnli
