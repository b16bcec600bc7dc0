"""Make sources of what a program hands in: paths, data in memory, dicts of languages to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from os import PathLike, fspath
from typing import Any

from xadapt.config.recipe import DataSpec
from xadapt.core import registry
from xadapt.core.errors import UserError
from xadapt.core.sequences import as_strings
from xadapt.data.loading.records import Source
from xadapt.data.readers.in_memory import NAME, InMemory, is_columns, is_table
from xadapt.data.readers.memory_records import language_of
from xadapt.data.readers.sides import TAG
from xadapt.data.records import ParallelPair, Record
from xadapt.languages.tags import normalise

ColumnNames = str | Iterable[str] | Mapping[str, str] | None
"""Columns: as text with commas, as a list in the order of the fields, or by field."""


def languages_of(
    data: Any, lang: str | Iterable[str] | None, specs: Mapping[str, DataSpec]
) -> list[str]:
    """Return the languages to train, as BCP-47, each once, in order.

    Args:
        data: The data. The keys of a dict of languages, and records, name their languages.
        lang: The languages that the user names, if any: then the data are not asked.
        specs: The recipe's ``data``.

    Raises:
        UserError: If no language is named, or a name is no language.
    """
    if lang is not None:
        named = [part for text in as_strings(lang) for part in text.split(",")]
        found = [normalise(part.strip()) for part in named if part.strip()]
    else:
        entries = data if _is_by_entry(data, specs) else {"train": data}
        every = [tag for name, one in entries.items() for tag in _named_in(one, specs.get(name))]
        found = [normalise(tag) for tag in every]
    if not found:
        raise UserError("no language is named", where="lang", todo='Name it, such as lang="sw"')
    return list(dict.fromkeys(found))


def sources_of(
    data: Any,
    langs: Sequence[str],
    specs: Mapping[str, DataSpec],
    *,
    pivot: str = "en",
    columns: ColumnNames = None,
    file_format: str | None = None,
    where: str = "data",
) -> list[Source]:
    """Return one source for each language and entry of a recipe's data.

    Args:
        data: A path, ``hf:org/name``, an object that `InMemory` takes, a dict of languages to any
            of these, or a dict of the recipe's entries to any of these. ``{lang}`` in a path
            stands for each language.
        langs: The languages as BCP-47.
        specs: The recipe's ``data``.
        pivot: Language of the other side.
        columns: The columns to read.
        file_format: Name of the format, for a path.
        where: Name of the argument in errors.

    Raises:
        UserError: If the data are of no such kind, or are missing for a language.
    """
    model = Source("", "", pivot, file_format=file_format)
    entries = data if _is_by_entry(data, specs) else {"train": data}
    return [
        _source(one, replace(model, lang=tag, data=name), columns, where, specs.get(name))
        for name, own in entries.items()
        for tag, one in _by_language(own, langs, specs.get(name), where)
    ]


def as_data(data: Any, columns: ColumnNames = None, name: str = NAME) -> str | InMemory:
    """Return a path as text, and every other object as data in memory.

    Args:
        data: A path, or an object that `InMemory` takes.
        columns: The columns of data in memory.
        name: Name of data in memory.

    Raises:
        UserError: If the object is no data.
    """
    if isinstance(data, (str, PathLike)):
        return str(fspath(data))
    return data if isinstance(data, InMemory) else InMemory(data, columns, name)


def of_language(data: Any, lang: str | None) -> Any:
    """Return the data of one language, where a dict holds them by language.

    Raises:
        UserError: If the dict has several languages and none of them is named.
    """
    if not _is_by_language(data, pairs=True):
        return data
    own = {normalise(key): one for key, one in data.items()}
    if lang is None and len(own) > 1:
        raise UserError(f"the data are in {', '.join(own)}", where="lang", todo="Name one of them")
    tag = next(iter(own)) if lang is None else normalise(lang)
    if tag not in own:
        raise UserError(registry.unknown("language", tag, list(own)), where="data")
    return own[tag]


def _source(
    data: Any, model: Source, columns: ColumnNames, where: str, spec: DataSpec | None = None
) -> Source:
    given = as_data(data, columns, NAME if where == "data" else f"{NAME} {where}")
    if isinstance(given, InMemory):
        if model.file_format:
            raise UserError("data in memory have no file format", where=where)
        return replace(model, path=given.name, table=given)
    names = (
        columns if isinstance(columns, str) or columns is None else _joined(columns, model, spec)
    )
    return replace(model, path=given.replace("{lang}", model.lang), columns=names)


def _joined(
    columns: Iterable[str] | Mapping[str, str], model: Source, spec: DataSpec | None
) -> str:
    """Write the columns of a file as the readers take them, such as ``PIVOT,LANGUAGE``."""
    if not isinstance(columns, Mapping):
        return ",".join(map(str, columns))
    own = getattr(registry.load("readers", spec.reader), "columns", ()) if spec else ()
    if own and set(columns) == set(own):
        return ",".join(str(columns[name]) for name in own)
    sides = {"pivot": "pivot", "text": "text", model.pivot_lang: "pivot", model.lang: "text"}
    found = {sides.get(str(side), str(side)): str(name) for side, name in columns.items()}
    if set(found) != {"pivot", "text"}:
        raise UserError(
            "the columns of a file are those of pivot and text",
            where="columns",
            todo='Write columns={"pivot": "English", "text": "Swahili"}',
        )
    return f"{found['pivot']},{found['text']}"


def _is_by_entry(data: Any, specs: Mapping[str, DataSpec]) -> bool:
    """Return whether an object is a dict of the recipe's entries to their data."""
    return isinstance(data, Mapping) and bool(data) and set(data) <= set(specs)


def _is_by_language(data: Any, pairs: bool) -> bool:
    """Return whether an object is a dict of languages to their data.

    A dict of equally long columns of text, such as ``{"en": [...], "sw": [...]}``, is one table of
    parallel text.
    """
    if not isinstance(data, Mapping) or not data or is_table(data):
        return False
    named = all(isinstance(key, str) and _is_tag(key) for key in data)
    return named and not (pairs and len(data) > 1 and is_columns(data))


def _reads_pairs(spec: DataSpec | None) -> bool:
    return spec is None or registry.load("readers", spec.reader).gives is ParallelPair


def _is_tag(key: str) -> bool:
    try:
        return bool(TAG.fullmatch(key) and normalise(key))
    except UserError:
        return False


def _by_language(
    data: Any, langs: Sequence[str], spec: DataSpec | None, where: str
) -> list[tuple[str, Any]]:
    if _is_by_language(data, _reads_pairs(spec)):
        own = {normalise(key): one for key, one in data.items()}
        missing = next((tag for tag in langs if tag not in own), None)
        if missing is not None:
            raise UserError(registry.unknown("language", missing, list(own)), where=where)
        return [(tag, own[tag]) for tag in langs]
    if len(langs) > 1 and _are_records(data):
        return [(tag, [row for row in data if _tag_of(row) == tag]) for tag in langs]
    return [(tag, data) for tag in langs]


def _named_in(data: Any, spec: DataSpec | None) -> list[str]:
    """Return the languages that a dict's keys or records name."""
    if _is_by_language(data, _reads_pairs(spec)):
        return list(data)
    if _are_records(data):
        return list(dict.fromkeys(tag for row in data if (tag := _tag_of(row))))
    return []


def _are_records(data: Any) -> bool:
    return (
        isinstance(data, Sequence)
        and not isinstance(data, str)
        and bool(data)
        and isinstance(data[0], Record)
    )


def _tag_of(row: Any) -> str | None:
    tag = language_of(row) if isinstance(row, Record) else None
    return normalise(tag) if tag else None
