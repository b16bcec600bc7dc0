"""Records for a run: read, filtered, split, and told about."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

from xadapt.config.recipe import DataSpec
from xadapt.core import registry
from xadapt.core.errors import UserError
from xadapt.core.text_key import normal_key
from xadapt.data.loading.trees import made_of_trees
from xadapt.data.readers.parallel import read_parallel
from xadapt.data.records import ParallelPair, Record
from xadapt.data.transforms.pair_filter import FilterOptions, filter_pairs
from xadapt.data.transforms.split import split_by_group
from xadapt.languages.tags import normalise

R = TypeVar("R", bound=Record)


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

    @property
    def sha256(self) -> str:
        """Of all training records, in order."""
        return digest([record for name in sorted(self.records) for record in self.records[name]])


def load_records(
    sources: Sequence[Source],
    specs: Mapping[str, DataSpec],
    dev: Sequence[Source] = (),
    seed: int = 0,
) -> Loaded:
    """Read sources, drop what the filter refuses, and hold out a development part.

    The development part is that of the entry ``train``, if it holds records that are judged; its
    texts are taken out of every other entry of such records too.

    Args:
        sources: Each fills the entry of ``specs`` it names.
        specs: The recipe's ``data``.
        dev: Development data; without any it is taken from the data.
        seed: Which groups of equal sentences are held out.

    Raises:
        UserError: A source is unusable, an entry has none, or nothing is left to train on.
    """
    notes: list[str] = []
    read = {source: _read(source, specs, notes) for source in sources}
    spec = specs.get("train", DataSpec())
    main = [r for s, rows in read.items() if s.data == "train" for r in rows]
    held = list(_given_dev(dev, spec, main) if dev else _taken_dev(main, spec, seed))
    kept = {source: _without(rows, held) for source, rows in read.items()}
    records = {name: [r for s, rows in kept.items() if s.data == name for r in rows]
               for name in specs}  # fmt: skip
    for name, rows in records.items():
        _require_some(name, rows, [s for s in sources if s.data == name])
        counted = f"{len(rows)} {rows[0].unit} to train on" + (
            f" ({name})" if len(specs) > 1 else ""
        )
        notes.append(counted)
    if held:
        notes[-1] += f", {len(held)} held out for development"
    shares = [Share(source, len(rows), digest(rows)) for source, rows in kept.items()]
    return Loaded(records, held, notes, shares)


def read_pairs(source: Source, limit: int | None = None) -> list[ParallelPair]:
    """All pairs of a source, or the ``limit`` whose hash is least.

    Raises:
        UserError: The source is unusable.
    """
    return limited(
        list(
            read_parallel(
                source.path,
                lang=source.lang,
                pivot_lang=source.pivot_lang,
                columns=source.columns,
                file_format=source.file_format,
            )
        ),
        limit,
    )


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
        row = {k: v for k, v in asdict(record).items() if k != "origin"}
        state.update(json.dumps(row, ensure_ascii=False).encode())
    return state.hexdigest()


def _read(source: Source, specs: Mapping[str, DataSpec], notes: list[str]) -> list[Record]:
    if source.data not in specs:
        raise UserError(registry.unknown("data", source.data, list(specs)), where="--data")
    spec = specs[source.data]
    if spec.maker:
        rows = made_of_trees(spec.maker, spec.reader, source.path, source.lang)
        notes.append(f"{source.lang}: {len(limited(rows, spec.limit))} sentences by {spec.maker}")
        return limited(rows, spec.limit)
    part = registry.load("readers", spec.reader)
    gives = getattr(part, "gives", None)
    if gives is not None and gives is not ParallelPair and gives.unit:
        rows = limited(list(part().read(source.path, normalise(source.lang))), spec.limit)
        notes.append(f"{source.lang}: {len(rows)} {gives.unit}")
        return list(rows)
    if gives is not ParallelPair:
        raise UserError(f"the reader {spec.reader!r} gives nothing this command can train on")
    return _read_pairs(source, spec, part, notes)


def _read_pairs(source: Source, spec: DataSpec, part: Any, notes: list[str]) -> list[Record]:
    by_recipe = None if spec.reader == "parallel" else part.format
    asked = Source(
        source.path,
        source.lang,
        source.pivot_lang,
        source.columns or spec.columns,
        source.file_format or by_recipe,
    )
    pairs = read_pairs(asked, spec.limit)
    kept, dropped = filter_pairs(pairs) if spec.filter else (pairs, {})
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
    sources: Sequence[Source], spec: DataSpec, main: Sequence[Record]
) -> Sequence[Record]:
    """Development data as it is; pairs without repetitions."""
    if not main or not main[0].split_texts():
        raise UserError(
            "development data needs parallel text or records with labels to train on",
            where="--dev",
            todo="Leave it out",
        )
    if spec.maker:
        files = [(spec.maker, spec.reader, s.path, s.lang) for s in sources]
        return [row for file in files for row in made_of_trees(*file)]
    if not isinstance(main[0], ParallelPair):
        part = registry.load("readers", spec.reader)
        return [r for s in sources for r in part().read(s.path, normalise(s.lang))]
    held: list[ParallelPair] = []
    for source in sources:
        some, _ = filter_pairs(read_pairs(source), FilterOptions(max_ratio=0, min_script=0))
        if not some:
            raise UserError("no development pair is left", where=source.path)
        held += some
    return held


def _taken_dev(main: Sequence[Record], spec: DataSpec, seed: int) -> Sequence[Record]:
    """Development data held out of the data, where it is of a kind that is judged."""
    if not spec.dev or not main or not main[0].split_texts():
        return []
    return split_by_group(main, dev=_share(spec.dev, len(main)), seed=seed)[1]


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
