"""Search of modules on the Hub, below a folder or in an index, the most fitting first."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi

from xadapt.core.errors import UserError
from xadapt.hub.card import FIELD, LIBRARY_TAG, summary
from xadapt.hub.hub_errors import endpoint_of, hub_errors
from xadapt.hub.manifest import Manifest
from xadapt.hub.module_index import below, placed, read_index
from xadapt.languages.families import find_fallback, shared_groups
from xadapt.languages.match import find_same
from xadapt.languages.tags import normalise

EXACT, RELATED = "exact", "related"
COLUMNS = ("id", "languages", "match", "base", "kind", "objectives", "score", "gain", "licence")
SHOWN = 20
FAR = 100
"""The place of a language that shares no group; no table has so many groups."""


@dataclass(frozen=True)
class FoundModule:
    """One module that a search found.

    Attributes:
        id: Id of the repository, or the path of the folder.
        base: Hub id of its base.
        languages: Its languages, BCP-47.
        kind: Kind of the module, such as ``lora``.
        objectives: Names of its objectives.
        task: Task of its head, or ``None``.
        metric: Name of its first measured score.
        score: Its first measured score.
        gain: That score less the frozen base's.
        licence: Its licence.
        revision: Commit on the Hub.
        match: ``exact`` or ``related``: how its languages fit the one that was asked for.
    """

    id: str
    base: str | None
    languages: tuple[str, ...]
    kind: str
    objectives: tuple[str, ...] = ()
    task: str | None = None
    metric: str | None = None
    score: float | None = None
    gain: float | None = None
    licence: str | None = None
    revision: str | None = None
    match: str | None = None


@dataclass(frozen=True)
class SearchResult:
    """The modules that fit, the most fitting first.

    Attributes:
        modules: The modules.
        skipped: What could not be read, and why, one line each.
    """

    modules: tuple[FoundModule, ...]
    skipped: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        """Return the number of modules."""
        return len(self.modules)

    def __iter__(self) -> Iterator[FoundModule]:
        """Iterate over the modules."""
        return iter(self.modules)

    def __getitem__(self, index: int) -> FoundModule:
        """Return one module."""
        return self.modules[index]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {"modules": [asdict(one) for one in self.modules], "skipped": list(self.skipped)}

    def rows(self) -> list[dict[str, str]]:
        """Return one row of short texts a module, with the columns of the table."""
        return [{name: _short(getattr(one, name)) for name in COLUMNS} for one in self.modules]

    def to_pandas(self) -> Any:
        """Return a ``pandas.DataFrame`` with one row a module."""
        import pandas as pd

        return pd.DataFrame([asdict(one) for one in self.modules])

    def __repr__(self) -> str:
        """Return a table of the first modules as text."""
        if not self.modules:
            return "no module found"
        rows = self.rows()[:SHOWN]
        wide = {n: max(len(n), *(len(row[n]) for row in rows)) for n in COLUMNS}
        lines = [{n: n for n in COLUMNS}, *rows]
        text = ["  ".join(line[n].ljust(wide[n]) for n in COLUMNS).rstrip() for line in lines]
        more = len(self.modules) - len(rows)
        return "\n".join([*text, *([f"and {more} more"] if more else [])])


def search(
    *,
    base: str | None = None,
    lang: str | None = None,
    objective: str | None = None,
    task: str | None = None,
    folder: str | Path | None = None,
    index: str | Path | None = None,
    token: str | None = None,
    endpoint: str | None = None,
) -> SearchResult:
    """Search modules of xadapt: on the Hub, below a folder, or in a static index.

    The order: modules for the very language, then modules for a language of the same branch and
    script, the nearest first; among equals, those with the larger gain over their frozen base.
    Modules without a measured score come last.

    Args:
        base: Hub id of the base.
        lang: A language tag; without it, modules of every language.
        objective: Name of an objective, such as ``translation_ranking``.
        task: Task of the module's head, such as ``tagging``.
        folder: Search below this folder instead of the Hub.
        index: Search in this index instead, which `xadapt.hub.module_index.index_modules` made: a
            file, a folder that holds it, or an http(s) address.
        token: A token of the Hub, for private modules.
        endpoint: Address of the Hub; otherwise ``HF_ENDPOINT`` or the usual one.

    Raises:
        UserError: If ``lang`` is no language tag, there is no such folder or index, or the Hub
            or the index's server can't be reached.
    """
    wanted = None if lang is None else normalise(lang)
    skipped: list[str] = []
    if folder is not None and index is not None:
        raise UserError("a folder and an index are both given", todo="Give one of them")
    if index is not None:
        found = list(_in_index(index, skipped))
    elif folder is not None:
        found = [_of_manifest(str(at), own) for at, own in below(Path(folder), skipped)]
    else:
        found = list(_on_hub(base, objective, token, endpoint, skipped))
    fits = [one for one in found if _fits(one, base, objective, task)]
    return SearchResult(tuple(_ordered(fits, wanted)), tuple(skipped))


def _in_index(place: str | Path, skipped: list[str]) -> Iterator[FoundModule]:
    found, start = read_index(place)
    for one in found.modules:
        try:
            at = _text(placed(start, one.path), 2000)
            yield _of_summary(at, one.facts, one.base, one.licence, None)
        except (KeyError, TypeError, ValueError, UserError):
            skipped.append(f"{place}: an entry has no facts of a module")


def _of_manifest(place: str, manifest: Manifest) -> FoundModule:
    return _of_summary(place, summary(manifest), manifest.base.id, manifest.licence, None)


def _on_hub(
    base: str | None,
    objective: str | None,
    token: str | None,
    endpoint: str | None,
    skipped: list[str],
) -> Iterator[FoundModule]:
    asked = [LIBRARY_TAG, *([f"base_model:{base}"] if base else []), *filter(None, [objective])]
    api = HfApi(endpoint=endpoint_of(endpoint), token=token)
    with hub_errors(api.endpoint):
        listed = list(api.list_models(filter=asked, expand=["cardData", "sha", "tags"]))
    for info in listed:
        card = info.card_data.to_dict() if info.card_data is not None else {}
        try:
            own = card[FIELD]
            bases = card.get("base_model")
            base_id = bases[0] if isinstance(bases, list) else bases
            licence = card.get("license")
            yield _of_summary(info.id, own, base_id, licence, info.sha)
        except (KeyError, TypeError, ValueError, IndexError, UserError):
            skipped.append(f"{info.id}: its card has no facts of xadapt")


def _of_summary(
    place: str, own: Mapping[str, Any], base: Any, licence: Any, revision: str | None
) -> FoundModule:
    """Read the facts of a card, which may be anything.

    Raises:
        KeyError, TypeError, ValueError, UserError: If a fact is absent or of another kind.
    """
    languages = tuple(normalise(_text(tag)) for tag in _list(own["languages"]))
    score, without = own.get("score"), own.get("base_score")
    value = None if score is None else _number(score)
    gain = None if value is None or without is None else value - _number(without)
    return FoundModule(
        id=place,
        base=None if base is None else _text(base),
        languages=languages,
        kind=_text(own["kind"]),
        objectives=tuple(map(_text, _list(own.get("objectives") or []))),
        task=None if own.get("task") is None else _text(own["task"]),
        metric=None if own.get("metric") is None else _text(own["metric"]),
        score=value,
        gain=gain,
        licence=None if licence is None else _text(licence),
        revision=revision,
    )


def _fits(one: FoundModule, base: str | None, objective: str | None, task: str | None) -> bool:
    return (
        (base is None or (one.base or "").lower() == base.lower())
        and (objective is None or objective in one.objectives)
        and (task is None or task == one.task)
    )


def _ordered(modules: Iterable[FoundModule], wanted: str | None) -> list[FoundModule]:
    ranked = []
    for one in modules:
        place, match = _language_place(one, wanted)
        if match is None and wanted is not None:
            continue
        evidence = (one.gain is None, -(one.gain or 0.0), one.score is None, -(one.score or 0.0))
        ranked.append(((place, *evidence, one.id), replace(one, match=match)))
    return [one for _, one in sorted(ranked, key=lambda pair: pair[0])]


def _language_place(one: FoundModule, wanted: str | None) -> tuple[int, str | None]:
    """Return the place of a module in the order, and how its languages match."""
    if wanted is None:
        return 0, None
    if find_same(wanted, one.languages):
        return 0, EXACT
    near = find_fallback(wanted, one.languages)
    return (FAR - shared_groups(wanted, near), RELATED) if near else (FAR, None)


def _short(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.3f}"
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _text(value: Any, most: int = 200) -> str:
    if not isinstance(value, str) or not value.isprintable() or len(value) > most:
        raise ValueError("no short text")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not math.isfinite(number := float(value)):
        raise ValueError("no number")
    return number


def _list(value: Any) -> list[Any]:
    if not isinstance(value, (list, tuple)) or len(value) > 500:
        raise ValueError("no list")
    return list(value)
