"""Records for a run: read, filtered, split, and told about."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cache, cached_property
from typing import Any, TypeVar

from xadapt.config.recipe import DataSpec
from xadapt.core import registry
from xadapt.core.errors import UserError
from xadapt.core.text_key import normal_key
from xadapt.data.loading.trees import made_of_trees
from xadapt.data.readers.notes import Notes, name_of, noted, read_with_notes
from xadapt.data.readers.parallel import read_parallel
from xadapt.data.records import (
    LabelledText,
    OpenTriples,
    ParallelPair,
    PlainText,
    Question,
    Record,
    ScoredPair,
    TaggedSentence,
)
from xadapt.data.transforms.pair_filter import FilterOptions, filter_pairs
from xadapt.data.transforms.record_check import checked
from xadapt.data.transforms.split import TEXTS, split_by_group, texts_of
from xadapt.languages.tags import normalise

_JSON = json.JSONEncoder(ensure_ascii=False)
R = TypeVar("R", bound=Record)
Watch = Callable[[Iterable[Any], str], Iterable[Any]]
"""Passes rows through and shows how many there were, under a label."""
UNITS: dict[type, str] = {
    ParallelPair: "pairs",
    PlainText: "lines",
    TaggedSentence: "sentences",
    LabelledText: "texts",
    ScoredPair: "scored pairs",
    Question: "questions",
    OpenTriples: "sentences",
}


def unwatched(rows: Iterable[Any], label: str) -> Iterable[Any]:
    """Pass rows through and show nothing."""
    return rows


@dataclass(frozen=True)
class Source:
    """One source of records, as the user names it.

    Attributes:
        path: File, ``cldr``, or ``hf:org/name``.
        lang: Language being adapted.
        pivot_lang: Language of the other side.
        columns: ``PIVOT,LANGUAGE``, as numbers or names.
        file_format: Name of the format, where the path doesn't tell.
        data: Which entry of the recipe's ``data`` it fills.
    """

    path: str
    lang: str
    pivot_lang: str = "en"
    columns: str | None = None
    file_format: str | None = None
    data: str = "train"


@dataclass(frozen=True)
class Share:
    """What one source gave to training.

    Attributes:
        source: The source.
        rows: Records of it that are trained on.
        sha256: Of these, in order.
    """

    source: Source
    rows: int
    sha256: str


@dataclass(frozen=True)
class Loaded:
    """Records ready for training.

    Attributes:
        records: To train on, by the recipe's name for the data.
        dev: Held out, of a kind that is judged; no equal text stands on both sides.
        notes: What was read and dropped, one line each.
        shares: What each source gave.
    """

    records: Mapping[str, list[Record]]
    dev: list[Any] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    shares: list[Share] = field(default_factory=list)

    @cached_property
    def sha256(self) -> str:
        """Of all training records, in order."""
        return digest([record for name in sorted(self.records) for record in self.records[name]])


def load_records(
    sources: Sequence[Source],
    specs: Mapping[str, DataSpec],
    dev: Sequence[Source] = (),
    seed: int = 0,
    watch: Watch = unwatched,
) -> Loaded:
    """Read sources, drop what the filter refuses, and hold out a development part.

    The development part is that of the entry ``train``, if it holds records that are judged; its
    texts are taken out of every other entry of such records too.

    Args:
        sources: Each fills the entry of ``specs`` it names.
        specs: The recipe's ``data``.
        dev: Development data; without any it is taken from the data.
        seed: Which groups of equal sentences are held out.
        watch: Shows how far long reading is.

    Raises:
        UserError: A source is unusable, an entry has none, or nothing is left to train on.
    """
    notes: list[str] = []
    read = {source: _read(source, specs, notes, watch) for source in sources}
    spec = specs.get("train", DataSpec())
    main = [r for s, rows in read.items() if s.data == "train" for r in rows]
    if dev:
        held = list(_given_dev(dev, spec, main, notes, watch))
        kept = {source: _without(rows, held) for source, rows in read.items()}
    else:
        held = list(_taken_dev(main, spec, seed))
        kept = {s: _without_taken(s, rows, held) for s, rows in read.items()}
    records = {name: [r for s, rows in kept.items() if s.data == name for r in rows]
               for name in specs}  # fmt: skip
    for name, rows in records.items():
        _require_some(name, rows, [s for s in sources if s.data == name])
        counted = f"{len(rows)} {UNITS[type(rows[0])]} to train on" + (
            f" ({name})" if len(specs) > 1 else ""
        )
        notes.append(counted)
    if held:
        notes[-1] += f", {len(held)} held out for development"
    shares = [Share(source, len(rows), digest(rows)) for source, rows in kept.items()]
    return Loaded(records, held, notes, shares)


def read_pairs(
    source: Source,
    limit: int | None = None,
    notes: Notes | None = None,
    watch: Watch = unwatched,
) -> list[ParallelPair]:
    """All pairs of a source, or the ``limit`` whose hash is least.

    Args:
        source: What to read.
        limit: How many to take at most.
        notes: Where the reader reports what it guessed, skipped and left unused; without, it is
            logged.
        watch: Shows how far long reading is.

    Raises:
        UserError: If the source is unusable, or its sides can't be what they are read as.
    """
    found = noted(notes)
    pairs = read_parallel(
        source.path,
        lang=source.lang,
        pivot_lang=source.pivot_lang,
        columns=source.columns,
        file_format=source.file_format,
        notes=found,
    )
    return limited(_all(pairs, source, found, watch), limit)


def read_records(
    part: Any, source: Source, notes: Notes | None = None, watch: Watch = unwatched
) -> list[Any]:
    """All records of a source, by a reader that takes a language.

    Args:
        part: The reader's class.
        source: What to read.
        notes: As for `read_pairs`.
        watch: As for `read_pairs`.

    Raises:
        UserError: If the source is unusable, or its texts can't be what they are read as.
    """
    found = noted(notes)
    rows = read_with_notes(part(), source.path, normalise(source.lang), found)
    return _all(rows, source, found, watch)


def _all(rows: Iterable[R], source: Source, notes: Notes, watch: Watch) -> list[R]:
    return list(checked(watch(rows, f"reading {name_of(source.path)}"), source.path, notes.add))


def limited(records: list[R], limit: int | None) -> list[R]:
    """All records, or the ``limit`` whose hash is least, in the order they stood in."""
    if limit is None or len(records) <= limit:
        return records
    chosen = set(sorted(range(len(records)), key=lambda i: digest([records[i]]))[:limit])
    return [record for i, record in enumerate(records) if i in chosen]


def without(pairs: Sequence[ParallelPair], held: Sequence[ParallelPair]) -> list[ParallelPair]:
    """The pairs that share no sentence with the held ones, on either side."""
    texts = {normal_key(pair.text) for pair in held}
    pivots = {normal_key(pair.pivot) for pair in held}
    return [
        pair
        for pair in pairs
        if normal_key(pair.text) not in texts and normal_key(pair.pivot) not in pivots
    ]


def digest(records: Sequence[Record]) -> str:
    """SHA-256 of records' contents, in order."""
    state = hashlib.sha256()
    for record in records:
        kind: Any = type(record)
        row = {name: getattr(record, name) for name in _contents(kind)}
        state.update(_JSON.encode(row).encode())
    return state.hexdigest()


@cache
def _contents(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind) if field.name != "origin")


def _read(
    source: Source, specs: Mapping[str, DataSpec], notes: list[str], watch: Watch
) -> list[Record]:
    if source.data not in specs:
        raise UserError(registry.unknown("data", source.data, list(specs)), where="--data")
    spec = specs[source.data]
    if spec.maker:
        found = Notes()
        rows = made_of_trees(spec.maker, spec.reader, source.path, source.lang, found)
        rows = limited(rows, spec.limit)
        notes += [*found.lines, f"{source.lang}: {len(rows)} sentences by {spec.maker}"]
        return rows
    part = registry.load("readers", spec.reader)
    gives = getattr(part, "gives", None)
    if gives in UNITS and gives is not ParallelPair:
        found = Notes()
        rows = limited(read_records(part, source, found, watch), spec.limit)
        notes += [*found.lines, f"{source.lang}: {len(rows)} {UNITS[gives]}"]
        return rows
    if gives is not ParallelPair:
        raise UserError(f"the reader {spec.reader!r} gives nothing this command can train on")
    return _read_pairs(source, spec, part, notes, watch)


def _read_pairs(
    source: Source, spec: DataSpec, part: Any, notes: list[str], watch: Watch
) -> list[Record]:
    by_recipe = None if spec.reader == "parallel" else part.format
    asked = Source(
        source.path,
        source.lang,
        source.pivot_lang,
        source.columns or spec.columns,
        source.file_format or by_recipe,
    )
    found = Notes()
    pairs = read_pairs(asked, spec.limit, found, watch)
    notes += found.lines
    watched = watch(pairs, f"filtering {name_of(source.path)}")
    kept, dropped = filter_pairs(watched) if spec.filter else (pairs, {})
    gone = ", ".join(f"{n} {why.replace('_', ' ')}" for why, n in dropped.items() if n)
    notes.append(
        f"{source.lang}: {len(kept)} of {len(pairs)} pairs kept"
        + (f" ({gone} dropped)" if gone else "")
    )
    if not kept:
        raise UserError(
            f"the filter left nothing to train on ({gone})",
            where=source.path,
            todo=f"Check --lang and the columns, or use --set data.{source.data}.filter=false",
        )
    return list(kept)


def _given_dev(
    sources: Sequence[Source],
    spec: DataSpec,
    main: Sequence[Record],
    notes: list[str],
    watch: Watch,
) -> Sequence[Record]:
    """Development data as it is; pairs without repetitions."""
    if not main or type(main[0]) not in TEXTS:
        raise UserError(
            "development data needs parallel text or records with labels to train on",
            where="--dev",
            todo="Leave it out",
        )
    found = Notes()
    if spec.maker:
        files = [(spec.maker, spec.reader, s.path, s.lang) for s in sources]
        rows = [row for file in files for row in made_of_trees(*file, notes=found)]
        notes += found.lines
        return rows
    if not isinstance(main[0], ParallelPair):
        part = registry.load("readers", spec.reader)
        rows = [r for s in sources for r in read_records(part, s, found, watch)]
        notes += found.lines
        return rows
    held: list[ParallelPair] = []
    for source in sources:
        pairs = read_pairs(source, None, found, watch)
        some, _ = filter_pairs(pairs, FilterOptions(max_ratio=0, min_script=0))
        if not some:
            raise UserError("no development pair is left", where=source.path)
        held += some
    notes += found.lines
    return held


def _taken_dev(main: Sequence[Record], spec: DataSpec, seed: int) -> Sequence[Record]:
    """Development data held out of the data, where it is of a kind that is judged."""
    if not spec.dev or not main or type(main[0]) not in TEXTS:
        return []
    return split_by_group(main, dev=_share(spec.dev, len(main)), seed=seed)[1]


def _without_taken(source: Source, records: list[Record], held: Sequence[Record]) -> list[Record]:
    """The records that are not held out, where these were taken from the entry ``train``.

    What was held out shares no text with the rest of that entry, so the objects tell.
    """
    if source.data != "train":
        return _without(records, held)
    taken = {id(record) for record in held}
    return [record for record in records if id(record) not in taken]


def _without(records: list[Record], held: Sequence[Record]) -> list[Record]:
    if not held or not records or type(records[0]) is not type(held[0]):
        return records
    if isinstance(held[0], ParallelPair):
        return list(without(records, held))  # type: ignore[arg-type]
    known = {normal_key(text) for record in held for text in texts_of(record)}
    return [r for r in records if not any(normal_key(text) in known for text in texts_of(r))]


def _require_some(name: str, rows: Sequence[Record], sources: Sequence[Source]) -> None:
    if not sources:
        raise UserError(
            f"the recipe wants data {name!r} and none is given", todo=f"Add --data {name}=PATH"
        )
    if not rows:
        raise UserError(
            "every row shares a sentence with the development data: nothing is left to train on",
            where=sources[0].path,
            todo="Give other development data",
        )


def _share(dev: float, count: int) -> int | float:
    return dev if dev < 1 else min(int(dev), max(1, count // 10))
