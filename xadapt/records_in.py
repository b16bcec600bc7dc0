"""Records for a run: read, filtered, split, and told about."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from xadapt import registry
from xadapt.errors import UserError
from xadapt.languages import normalise
from xadapt.makers.pair_filter import FilterOptions, filter_pairs
from xadapt.makers.split import split_by_group
from xadapt.readers.parallel import read_parallel
from xadapt.recipe import DataSpec
from xadapt.records import ParallelPair, Record
from xadapt.text_key import normal_key


@dataclass(frozen=True)
class Source:
    """One source of records, as the user names it.

    Attributes:
        path: File, ``cldr``, or ``hf:org/name``.
        lang: Language being adapted.
        pivot_lang: Language of the other side.
        columns: ``PIVOT,LANGUAGE``, as numbers or names.
        file_format: Name of the format, where the path doesn't tell.
    """

    path: str
    lang: str
    pivot_lang: str = "en"
    columns: str | None = None
    file_format: str | None = None


@dataclass(frozen=True)
class Loaded:
    """Records ready for training.

    Attributes:
        train: To train on.
        dev: Held out; no equal sentence stands on both sides of the split.
        notes: What was read and dropped, one line each.
        sha256: Of all training records, in order.
    """

    train: list[Record]
    dev: list[ParallelPair]
    notes: list[str] = field(default_factory=list)
    sha256: str = ""


def load_records(
    sources: Sequence[Source], spec: DataSpec, dev: Source | None, seed: int
) -> Loaded:
    """Read sources, drop what the filter refuses, and hold out a development part.

    Raises:
        UserError: A source is unusable, or nothing is left to train on.
    """
    if spec.reader == "plain_text":
        return _plain(sources)
    notes, kept = [], []
    for source in sources:
        pairs = read_pairs(source, spec.limit)
        some, dropped = filter_pairs(pairs) if spec.filter else (pairs, {})
        gone = ", ".join(
            f"{count} {why.replace('_', ' ')}" for why, count in dropped.items() if count
        )
        notes.append(
            f"{source.lang}: {len(some)} of {len(pairs)} pairs kept"
            + (f" ({gone} dropped)" if gone else "")
        )
        kept += some
    if not kept:
        raise UserError(
            "the filter left nothing to train on",
            where=sources[0].path,
            todo="Check --lang and the columns, or use --set data.train.filter=false",
        )
    train, held = kept, []
    if dev is not None:
        held, _ = filter_pairs(read_pairs(dev, None), FilterOptions(max_ratio=0, min_script=0))
        train = without(kept, held)
    elif spec.dev:
        train, held = split_by_group(kept, dev=_share(spec.dev, len(kept)), seed=seed)
    notes.append(f"{len(train)} pairs to train on, {len(held)} held out for development")
    return Loaded(list(train), held, notes, digest(train))


def read_pairs(source: Source, limit: int | None) -> list[ParallelPair]:
    """All pairs of a source, or the ``limit`` whose hash is least.

    Raises:
        UserError: The source is unusable.
    """
    pairs = list(
        read_parallel(
            source.path,
            lang=source.lang,
            pivot_lang=source.pivot_lang,
            columns=source.columns,
            file_format=source.file_format,
        )
    )
    if limit is None or len(pairs) <= limit:
        return pairs
    chosen = set(sorted(range(len(pairs)), key=lambda i: digest([pairs[i]]))[:limit])
    return [pair for i, pair in enumerate(pairs) if i in chosen]


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


def _plain(sources: Sequence[Source]) -> Loaded:
    reader = registry.load("readers", "plain_text")()
    rows = [row for source in sources for row in reader.read(source.path, normalise(source.lang))]
    return Loaded(rows, [], [f"{len(rows)} lines to train on"], digest(rows))


def _share(dev: float, count: int) -> int | float:
    return dev if dev < 1 else min(int(dev), max(1, count // 10))
