"""Find the columns of the two sides of parallel text in a table, and the header."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from operator import itemgetter
from typing import TYPE_CHECKING

from xadapt.core.errors import UserError
from xadapt.data.readers.notes import (
    Notes,
    RowError,
    attempt,
    batches_without_faulty,
    joined,
    without_faulty,
)
from xadapt.data.readers.scores import LowScores, named_score, no_scores
from xadapt.data.readers.sides import (
    NAME_COLUMNS,
    TAG,
    Request,
    find_language,
    find_sides,
    make_pair,
    missing_column,
    pairs_of,
)
from xadapt.data.readers.table_shapes import (
    find_shape,
    order_in_name,
    score_columns,
)
from xadapt.data.records import ParallelPair
from xadapt.languages.tags import normalise

if TYPE_CHECKING:
    from xadapt.data.readers.lines import Chunk
    from xadapt.data.readers.tables import Row

HEAD = 200
"""The number of rows that are checked before the first pair is yielded."""
FEW = 5
"""With fewer rows no table is refused because of the form of its cells."""
HEADERS = frozenset(
    "id idx index score scores similarity label split lang language pivot text original "  # noqa: SIM905
    "translation source target src tgt trg source_text target_text src_text tgt_text sentence "
    "sentence1 sentence2 sentence_1 sentence_2 sent1 sent2 text1 text2".split()
)
"""Usual names of columns. In a header, all cells must be among them."""


@dataclass(frozen=True)
class Layout:
    """The positions of the two sides in a table.

    Attributes:
        pivot: Column of the pivot side, from 0.
        text: Column of the language side, from 0.
        names: The header's cells; empty if the first row is data.
        score: Column of the score, from 0, or ``None``.
        guess: How the columns were recognised, for the notes.
    """

    pivot: int
    text: int
    names: tuple[str, ...] = ()
    score: int | None = None
    guess: str = ""


def read_pairs_of_table(
    rows: Iterator[Row],
    source: str,
    request: Request,
    notes: Notes,
    min_score: float | None = None,
) -> Iterator[ParallelPair]:
    """Stream the pairs of a table. The notes get the layout and faulty rows.

    Args:
        rows: ``(line, cells)``. Empty rows are skipped.
        source: The file.
        request: Languages, columns and limits.
        notes: Where guesses are reported.
        min_score: Pairs with a lower score are left out, and counted.

    Raises:
        UserError: If a column is missing or contains no text, half of the rows are faulty, or
            there is a least score and no column of scores.
    """
    filled = ((n, cells) for n, cells in rows if any(map(str.strip, cells)))
    head = list(islice(filled, HEAD))
    if not head:
        return
    layout = find_layout(head, source, request, notes, scored=min_score is not None)
    data: Iterable[Row | RowError] = chain(head[1:] if layout.names else head, rows)
    low = None
    if min_score is not None:
        if layout.score is None:
            raise no_scores(source)
        low = LowScores(min_score)
        data = low.left_out(data, layout.score, source)
    yield from without_faulty(_pairs(data, layout, source, request), source, notes)
    if low is not None:
        low.tell(source, notes)


def read_pairs_of_lines(
    chunks: Iterator[Chunk], source: str, request: Request, notes: Notes
) -> Iterator[ParallelPair]:
    """Stream the pairs of tab-separated lines, as `read_pairs_of_table`, many at a time.

    Args:
        chunks: Neighbouring lines, without quotes.
        source: The file.
        request: Languages, columns and limits.
        notes: Where guesses are reported.

    Raises:
        UserError: If a column is missing or contains no text, or half of the rows are faulty.
    """

    def batches() -> Iterator[list[ParallelPair] | ParallelPair | RowError]:
        rest, head = _head(chunks)
        if not head:
            return
        layout = find_layout(head, source, request, notes)
        after = head[0][0] if layout.names else 0
        for first, lines in rest:
            if first <= after:
                lines = lines[after + 1 - first :]
                first = after + 1
            made = _many(lines, first, layout, source, request)
            if made is None:
                rows = ((n, line.split("\t")) for n, line in enumerate(lines, first))
                yield from _pairs(rows, layout, source, request)
            else:
                yield made

    return chain.from_iterable(batches_without_faulty(batches(), source, notes))


def _head(chunks: Iterator[Chunk]) -> tuple[Iterator[Chunk], list[Row]]:
    """Return all chunks, and the cells of the first lines that are not empty."""
    taken: list[Chunk] = []
    head: list[Row] = []
    for chunk in chunks:
        taken.append(chunk)
        lines = ((n, line.split("\t")) for n, line in enumerate(chunk.lines, chunk.first))
        filled = (row for row in lines if any(map(str.strip, row[1])))
        head += islice(filled, HEAD - len(head))
        if len(head) == HEAD:
            break
    return chain(taken, chunks), head


def _many(
    lines: Sequence[str], first: int, layout: Layout, source: str, request: Request
) -> list[ParallelPair] | None:
    """Make a pair of each line, or return ``None`` if a line needs a closer look."""
    if not lines:
        return []
    cells = [line.split("\t") for line in lines]
    try:
        texts = list(map(str.strip, map(itemgetter(layout.text), cells)))
        pivots = list(map(str.strip, map(itemgetter(layout.pivot), cells)))
    except IndexError:
        return None
    longest = max(max(map(len, texts)), max(map(len, pivots)))
    if longest > request.limits.chars or not (all(texts) and all(pivots)):
        return None
    places = [f"{source}:{number}" for number in range(first, first + len(lines))]
    return pairs_of(request, texts, pivots, places)


def _pairs(
    rows: Iterable[Row | RowError], layout: Layout, source: str, request: Request
) -> Iterator[ParallelPair | RowError]:
    """Make a pair of each row. The common case is written out, since it decides the time."""
    at_text, at_pivot, limit = layout.text, layout.pivot, request.limits.chars
    lang, pivot_lang = request.lang, request.pivot_lang
    for row in rows:
        if isinstance(row, RowError):
            yield row
            continue
        number, cells = row
        where = f"{source}:{number}"
        try:
            text, pivot = cells[at_text].strip(), cells[at_pivot].strip()
        except IndexError:
            if any(map(str.strip, cells)):
                yield _too_narrow(cells, layout, where)
            continue
        if text and pivot and len(text) <= limit and len(pivot) <= limit:
            yield ParallelPair(text, pivot, lang, pivot_lang, origin=where)
        else:
            made = attempt(make_pair, request, text=text, pivot=pivot, where=where)
            if made is not None:
                yield made


def find_layout(
    head: Sequence[Row], source: str, request: Request, notes: Notes, *, scored: bool = False
) -> Layout:
    """Find the layout of a table from its first rows.

    ``--columns`` decides if given. Otherwise a first row that names both sides decides. Without
    such a row, the shapes of `xadapt.data.readers.table_shapes` are recognised. Otherwise column 1
    is the pivot and column 2 the language.

    Args:
        head: The first rows.
        source: The file.
        request: Languages, columns and limits.
        notes: Where the layout is reported.
        scored: Whether a column of scores is looked for.

    Raises:
        UserError: If a named column is missing or occurs twice, the header names other languages,
            or a column that ``--columns`` does not name contains numbers.
    """
    number, cells = head[0]
    names = tuple(cell.strip() for cell in cells)
    where = f"{source}:{number}"
    layout = _by_names(names, request, where)
    if layout is None and not request.columns and not _is_header(names, request):
        layout = _by_shape([row for _, row in head], source, request)
    if layout is None:
        pivot, text = column_numbers(request.columns or ("1", "2")) or (0, 1)
        layout = Layout(pivot, text, names if _is_header(names, request) else ())
    body = [row for _, row in (head[1:] if layout.names else head)]
    if not request.columns:
        _require_text(body, layout, where)
    if scored and layout.score is None:
        score = named_score(layout.names)
        columns = score_columns(body, (layout.pivot, layout.text))
        if score is None and len(columns) == 1:
            score = columns[0]
        layout = replace(layout, score=score)
    _tell(layout, body, source, request, notes, bool(request.columns), scored)
    return layout


def _by_shape(rows: Sequence[Sequence[str]], source: str, request: Request) -> Layout | None:
    shape = find_shape(rows) if len(rows) >= FEW else None
    if shape is None:
        return None
    first = order_in_name(source, request)
    sides = (shape.first, shape.second) if first != "text" else (shape.second, shape.first)
    return Layout(*sides, score=shape.score, guess="by its name" if first else "by order")


def column_numbers(columns: tuple[str, ...]) -> tuple[int, int] | None:
    """Return indexes from 0 if both columns are numbers from 1, else ``None`` (for names)."""
    if all(column.isascii() and column.isdigit() and len(column) < 6 for column in columns):
        pivot, text = (int(column) - 1 for column in columns)
        return pivot, text
    return None


def is_number_or_id(cell: str) -> bool:
    """Return whether a cell is a number, or one word with a digit in it, such as an id."""
    return len(cell.split()) == 1 and any(char.isdigit() for char in cell)


def _by_names(names: tuple[str, ...], request: Request, where: str) -> Layout | None:
    """Return the layout if the first row is a header that names the sides."""
    if request.columns and column_numbers(request.columns) is None:
        sides = find_sides(names, request)
        if sides is None:
            raise missing_column(names, request, where)
    elif request.columns:
        return None
    else:
        sides = find_sides(names, request)
        _refuse_other_languages(names, request, where)
        if sides is None:
            return None
    for name in sides:
        if names.count(name) > 1:
            raise UserError(
                f"two columns are named {name!r}", where=where, todo=f"{NAME_COLUMNS}, by number"
            )
    return Layout(names.index(sides[0]), names.index(sides[1]), names)


def _refuse_other_languages(names: tuple[str, ...], request: Request, where: str) -> None:
    """Refuse a header of language tags that has only one of the two sides."""
    tags = [name for name in names if TAG.fullmatch(name) and _is_language(name)]
    here = [find_language(tags, tag) for tag in (request.pivot_lang, request.lang)]
    if len(tags) == len(names) > 1 and (here[0] is None) != (here[1] is None):
        raise UserError(
            f"this header names {joined(tags[:8])}, not {request.pivot_lang} and {request.lang}",
            where=where,
            todo="Check --lang and --pivot; if it is no header, give --columns 1,2",
        )


def _is_language(name: str) -> bool:
    try:
        return name.islower() and bool(normalise(name))
    except UserError:
        return False


def _is_header(names: tuple[str, ...], request: Request) -> bool:
    by_language = find_sides(names, Request(request.lang, request.pivot_lang)) is not None
    return by_language or all(name.casefold() in HEADERS for name in names if name)


def _require_text(rows: Sequence[Sequence[str]], layout: Layout, where: str) -> None:
    width = max(map(len, rows), default=0)
    texts = [column for column in range(width) if not _holds_numbers(rows, column)]
    for column in (layout.pivot, layout.text):
        if column < width and column not in texts:
            named = f" ({layout.names[column]!r})" if layout.names else ""
            columns = ",".join(str(index + 1) for index in texts[:2])
            raise UserError(
                f"column {column + 1}{named} holds numbers or ids, not text",
                where=where,
                todo=f"Name the columns with --columns {columns}" if len(texts) > 1 else "",
            )


def _holds_numbers(rows: Sequence[Sequence[str]], column: int) -> bool:
    cells = [row[column].strip() for row in rows if column < len(row) and row[column].strip()]
    return len(cells) >= FEW and 2 * sum(map(is_number_or_id, cells)) > len(cells)


def _tell(
    layout: Layout,
    rows: Sequence[Sequence[str]],
    source: str,
    request: Request,
    notes: Notes,
    asked: bool,
    scored: bool,
) -> None:
    def called(column: int) -> str:
        named = layout.names and column < len(layout.names) and layout.names[column]
        return repr(layout.names[column][:40]) if named else str(column + 1)

    header = "line 1 is a header; " if layout.names else ""
    sides = f"column {called(layout.pivot)} is read as {request.pivot_lang}, "
    sides += f"column {called(layout.text)} as {request.lang}"
    sides += f" ({layout.guess})" if layout.guess else ""
    if header or not asked:
        notes.add(source, header + sides, usual=not header and not layout.guess)
    if not (asked or layout.guess or layout.names) and order_in_name(source, request) == "text":
        other = f"{request.lang} first; if that is right, give --columns 2,1"
        notes.add(source, f"the name of the file has {other}")
    used = {layout.pivot, layout.text}
    if layout.score is not None:
        kept = "" if scored else ": pairs of all scores are kept; the option min_score drops some"
        notes.add(source, f"column {called(layout.score)} holds scores{kept}")
        used.add(layout.score)
    filled = {i for row in rows for i, cell in enumerate(row) if cell.strip()} - used
    if filled:
        are = "columns {} are" if len(filled) > 1 else "column {} is"
        notes.add(source, f"{are.format(joined(map(called, sorted(filled)[:12])))} not used")


def _too_narrow(cells: Sequence[str], layout: Layout, where: str) -> RowError:
    return RowError(
        f"column {max(layout.pivot, layout.text) + 1} is missing: this row has {len(cells)}",
        where=where,
        todo=f"Columns must be separated by tabs (TSV) or commas (CSV). {NAME_COLUMNS}",
    )
