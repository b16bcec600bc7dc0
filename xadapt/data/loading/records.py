"""Read, transform and count records for a run, and split them into training and development."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cache, cached_property
from typing import Any, TypeVar

from xadapt.config.recipe import DataSpec, build_reader
from xadapt.core import registry
from xadapt.core.errors import UserError
from xadapt.core.text_key import normal_key
from xadapt.data.loading.transform_chain import Callables, Chain, counted
from xadapt.data.readers.graph_links import left_out
from xadapt.data.readers.hub_rows import HubRows
from xadapt.data.readers.in_memory import InMemory
from xadapt.data.readers.label_columns import as_options
from xadapt.data.readers.memory_records import read_in_memory
from xadapt.data.readers.name_tables import read_graph_labels, read_name_table
from xadapt.data.readers.notes import Notes, name_of, noted, read_with_notes
from xadapt.data.readers.parallel import parse_columns, read_parallel
from xadapt.data.readers.sides import Request
from xadapt.data.records import ParallelPair, Record, ScoredPair
from xadapt.data.transforms.pair_filter import PairFilter, filter_pairs
from xadapt.data.transforms.protocol import Services, Watch, unwatched
from xadapt.data.transforms.record_check import checked
from xadapt.data.transforms.split import split_by_group
from xadapt.languages.tags import normalise

_JSON = json.JSONEncoder(ensure_ascii=False)
R = TypeVar("R", bound=Record)


@dataclass(frozen=True)
class Source:
    """One source of records, as the user names it.

    Attributes:
        path: File, ``cldr``, or ``hf:org/name``.
        lang: Language being adapted.
        pivot_lang: Language of the other side.
        columns: ``PIVOT,LANGUAGE``, as numbers or names.
        file_format: Name of the format, if the path does not show the format.
        data: Name of the entry of the recipe's ``data`` that the source fills.
        table: Data of the running program, which take the place of a file; ``path`` is their name.
    """

    path: str
    lang: str
    pivot_lang: str = "en"
    columns: str | None = None
    file_format: str | None = None
    data: str = "train"
    table: InMemory | None = None


@dataclass(frozen=True)
class Share:
    """The training records of one source.

    Attributes:
        source: The source.
        rows: Number of training records from the source.
        sha256: SHA-256 of these records, in order.
        excluded: The sources whose entities are left out of the records, with their SHA-256.
    """

    source: Source
    rows: int
    sha256: str
    excluded: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Loaded:
    """Records ready for training.

    Attributes:
        records: Training records, by the recipe's name for the data.
        dev: Held-out records of a type that is evaluated. No equal text is in both parts.
        notes: Log lines about records that were read and dropped, one line each.
        shares: The training records of each source.
    """

    records: Mapping[str, list[Record]]
    dev: list[Any] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    shares: list[Share] = field(default_factory=list)

    @cached_property
    def sha256(self) -> str:
        """Return the SHA-256 of all training records, in order."""
        return digest([record for name in sorted(self.records) for record in self.records[name]])


def load_records(
    sources: Sequence[Source],
    specs: Mapping[str, DataSpec],
    dev: Sequence[Source] = (),
    seed: int = 0,
    watch: Watch = unwatched,
    callables: Callables | None = None,
) -> Loaded:
    """Read sources, apply the recipe's transforms, and hold out a development part.

    The development part comes from the entry ``train``, if its records are evaluated. The texts of
    the development part are also removed from every other entry of such records.

    Args:
        sources: The sources. Each source names the entry of ``specs`` that it fills.
        specs: The recipe's ``data``.
        dev: Development data. If there is none, development data are taken from the data.
        seed: Seed of the transforms and of the choice of groups of equal sentences to hold out.
        watch: Shows the progress of long reading and transforming.
        callables: Functions that transforms may need, by name, see `CALLABLES` of
            `xadapt.data.transforms.protocol`. ``labels`` and ``names`` have defaults.

    Raises:
        UserError: If a transform lacks a callable, a source is unusable, an entry has no source, or
            no training record is left. All transforms are checked before any source is read.
    """
    given: Callables = {"labels": read_graph_labels, "names": read_name_table, **(callables or {})}
    for source in sources:
        if source.data not in specs:
            raise UserError(registry.unknown("data", source.data, list(specs)), where="--data")
    chains = {name: Chain.of(spec, given, name) for name, spec in specs.items()}
    notes: list[str] = []
    loader = _Loader(specs, chains, given, seed, notes, watch)
    read = {source: loader.read(source) for source in sources}
    spec = specs.get("train", DataSpec())
    main = [r for s, rows in read.items() if s.data == "train" for r in rows]
    held = list(loader.given_dev(dev, main) if dev else _taken_dev(main, spec, seed))
    left = {source: _without(rows, held) if dev else _without_taken(source, rows, held)
            for source, rows in read.items()}  # fmt: skip
    kept = {source: loader.augment(source, rows, held) for source, rows in left.items()}
    records = {name: [r for s, rows in kept.items() if s.data == name for r in rows]
               for name in specs}  # fmt: skip
    for name, rows in records.items():
        _require_some(name, rows, [s for s in sources if s.data == name])
        notes.append(f"{counted(rows)} to train on" + (f" ({name})" if len(specs) > 1 else ""))
    if held:
        notes[-1] += f", {len(held)} held out for development"
    shares = [Share(s, len(r), digest(r), left_out(specs[s.data].options)) for s, r in kept.items()]
    return Loaded(records, held, notes, shares)


def read_pairs(
    source: Source,
    limit: int | None = None,
    notes: Notes | None = None,
    watch: Watch = unwatched,
    options: Mapping[str, Any] | None = None,
) -> list[ParallelPair]:
    """Read all pairs of a source, or the ``limit`` pairs with the smallest hashes.

    Args:
        source: The source to read.
        limit: The largest number of pairs.
        notes: Where the reader reports guesses, skipped rows and unused columns. Without
            ``notes`` they are logged.
        watch: Shows the progress of long reading.
        options: Options of the reader, by name.

    Raises:
        UserError: If the source is unusable, or its sides are not texts in their languages.
    """
    found = noted(notes)
    if source.table is not None:
        return limited(_read_table(source.table, "parallel", source, found, watch), limit)
    pairs = read_parallel(
        source.path,
        lang=source.lang,
        pivot_lang=source.pivot_lang,
        columns=source.columns,
        file_format=source.file_format,
        notes=found,
        options=options,
    )
    return limited(_all(pairs, source, found, watch), limit)


def read_records(
    part: Any,
    source: Source,
    notes: Notes | None = None,
    watch: Watch = unwatched,
    options: Mapping[str, Any] | None = None,
) -> list[Any]:
    """Read all records of a source with a reader that takes a language.

    Args:
        part: The reader's class.
        source: The source to read.
        notes: See `read_pairs`.
        watch: See `read_pairs`.
        options: See `read_pairs`.

    Raises:
        UserError: If the source is unusable, or its texts are not texts in their language.
    """
    found = noted(notes)
    rows = read_with_notes(
        build_reader(part, options or {}), source.path, normalise(source.lang), found
    )
    return _all(rows, source, found, watch)


def _read_table(
    table: InMemory, reader: str, source: Source, notes: Notes, watch: Watch, options: Any = None
) -> list[Any]:
    """Read all records of data in memory, in place of a reader, with the checks of a file."""
    part, tag = registry.load("readers", reader), normalise(source.lang)
    pivot = tag if part.gives is ScoredPair else normalise(source.pivot_lang)
    options = {**(options or {}), **as_options(part, source.columns)}
    columns = parse_columns(source.columns) if source.columns and not options else ()
    rows = read_in_memory(table, reader, Request(tag, pivot, columns), notes, options)
    return _all(rows, source, notes, watch)


def _all(rows: Iterable[R], source: Source, notes: Notes, watch: Watch) -> list[R]:
    return list(checked(watch(rows, f"reading {name_of(source.path)}"), source.path, notes.add))


def limited(records: list[R], limit: int | None) -> list[R]:
    """Return all records, or the ``limit`` with the smallest hashes, in the original order."""
    if limit is None or len(records) <= limit:
        return records
    chosen = set(sorted(range(len(records)), key=lambda i: digest([records[i]]))[:limit])
    return [record for i, record in enumerate(records) if i in chosen]


def without(pairs: Sequence[ParallelPair], held: Sequence[ParallelPair]) -> list[ParallelPair]:
    """Return the pairs that share no sentence with the held-out pairs, on either side."""
    texts = {normal_key(pair.text) for pair in held}
    pivots = {normal_key(pair.pivot) for pair in held}
    return [
        pair
        for pair in pairs
        if normal_key(pair.text) not in texts and normal_key(pair.pivot) not in pivots
    ]


def digest(records: Sequence[Record]) -> str:
    """Compute the SHA-256 of the contents of records, in order."""
    state = hashlib.sha256()
    for record in records:
        kind: Any = type(record)
        row = {name: getattr(record, name) for name in _contents(kind)}
        state.update(_JSON.encode(row).encode())
    return state.hexdigest()


@cache
def _contents(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind) if field.name != "origin")


@dataclass(frozen=True)
class _Loader:
    """A loader that reads sources and applies their transforms."""

    specs: Mapping[str, DataSpec]
    chains: Mapping[str, Chain]
    callables: Callables
    seed: int
    notes: list[str]
    watch: Watch

    def read(self, source: Source) -> list[Record]:
        """Read the records of a source, before a development part is held out."""
        chain = self.chains[source.data]
        rows = self._read(source, self.specs[source.data])
        if not chain.steps:
            self.notes.append(f"{source.lang}: {counted(rows)}")
        return list(chain.prepare(rows, self._services(source), source.path))

    def augment(
        self, source: Source, rows: Sequence[Record], held: Sequence[Record]
    ) -> list[Record]:
        """Return the training records, after a development part was held out."""
        chain = self.chains[source.data]
        if not rows:
            return []
        made = list(chain.augment(rows, self._services(source), source.path))
        return made if made == rows else _without(made, held)

    def given_dev(self, sources: Sequence[Source], main: Sequence[Record]) -> list[Record]:
        """Read development data in the form of the training data.

        Pairs that are repeated, too long, or have two equal sides are dropped.
        """
        if not main or not main[0].split_texts():
            raise UserError(
                "development data needs parallel text or records with labels to train on",
                where="--dev",
                todo="Leave it out",
            )
        spec, chain = self.specs["train"], self.chains["train"]
        whole = spec.model_copy(update={"limit": None})
        held: list[Record] = []
        for source in sources:
            rows = chain.on_dev(self._read(source, whole), self._quiet(source), source.path)
            if isinstance(main[0], ParallelPair):
                rows, _ = filter_pairs(rows, PairFilter(max_ratio=0, min_script=0))  # type: ignore[arg-type]
                if not rows:
                    raise UserError("no development pair is left", where=source.path)
            held += rows
        return held

    def _read(self, source: Source, spec: DataSpec) -> list[Record]:
        """Read a source. The notes get guesses, skipped rows and unused columns."""
        found = Notes()
        rows = _read(source, spec, found, self.watch)
        self.notes.extend(found.lines)
        return rows

    def _services(self, source: Source) -> Services:
        return replace(
            self._quiet(source), log=lambda line: self.notes.append(f"{source.lang}: {line}")
        )

    def _quiet(self, source: Source) -> Services:
        pivot = normalise(source.pivot_lang)
        return Services(normalise(source.lang), pivot, self.seed, self.callables, watch=self.watch)


def _read(source: Source, spec: DataSpec, notes: Notes, watch: Watch) -> list[Record]:
    """Read all records of a source, or the ``limit`` records with the smallest hashes."""
    part = registry.load("readers", spec.reader)
    table = source.table
    if table is None and source.path.startswith("hf:") and part.gives is not ParallelPair:
        table = HubRows(source.path)
    if table is not None:
        asked = replace(source, columns=source.columns or spec.columns)
        made = _read_table(table, spec.reader, asked, notes, watch, spec.options)
        return limited(made, spec.limit)
    if part.gives is not ParallelPair:
        options = {**spec.options, **as_options(part, source.columns or spec.columns)}
        return limited(read_records(part, source, notes, watch, options), spec.limit)
    by_recipe = None if spec.reader == "parallel" else part.format
    asked = replace(
        source,
        columns=source.columns or spec.columns,
        file_format=source.file_format or by_recipe,
    )
    return list(read_pairs(asked, spec.limit, notes, watch, spec.options))


def _taken_dev(main: Sequence[Record], spec: DataSpec, seed: int) -> Sequence[Record]:
    """Hold out development data, if the records are of a type that is evaluated."""
    if not spec.dev or not main or not main[0].split_texts():
        return []
    return split_by_group(main, dev=_share(spec.dev, len(main)), seed=seed)[1]


def _without_taken(source: Source, records: list[Record], held: Sequence[Record]) -> list[Record]:
    """Return the records of a source without the held-out records of the entry ``train``.

    Held-out records share no text with the rest of ``train``, so object identity is enough there.
    In other entries, records that share a text with a held-out record are dropped.
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
    known = {normal_key(text) for record in held for text in record.split_texts()}
    return [r for r in records if not any(normal_key(text) in known for text in r.split_texts())]


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
