"""Fit a map between two spaces of word vectors, and measure it on words that it has not seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import ValidationError
from torch import Tensor

from xadapt.config.recipe import strict
from xadapt.core import registry
from xadapt.core.errors import UserError
from xadapt.evaluation.statistics import Interval, interval
from xadapt.maps.contract import LinearMaps, MapMethod, Spaces
from xadapt.maps.dictionary import (
    IDENTICAL,
    Dictionary,
    Gold,
    dictionary_of,
    find,
    identical_words,
    split,
)
from xadapt.maps.embedding_map import EmbeddingMap
from xadapt.maps.normalising import VECMAP, Normalisation, parse_actions
from xadapt.maps.precision import CSLS, KS, hits
from xadapt.maps.vector_files import MAX_VOCAB, read_vectors
from xadapt.maps.word_vectors import WordVectors
from xadapt.report.display import Displayed
from xadapt.report.table import Bar, Table

METHOD = "procrustes"
DEV, TEST = 0.1, 0.2
WAYS = ("nn", "csls")
CHOOSE_AMONG = 20_000
"""Words of each side among which a step is chosen."""
Report = Callable[[str], None]
Score = dict[str, dict[str, Interval]]
"""By way of search, the interval of P@k."""


@dataclass(frozen=True, repr=False)
class MapResult(Displayed):
    """A fitted map with its scores on held-out words.

    Attributes:
        map: The map.
        scores: P@k with intervals over source words, by system and way of search. The systems are
            ``identity`` (no map), the map, and ``shuffled dictionary`` if controls were asked for.
            Empty if no words were held out.
        gold: The test dictionary in the two vocabularies: its coverage.
        notes: What was read, dropped and held out.
        folder: The folder that was written; ``None`` if none was asked for.
    """

    map: EmbeddingMap
    scores: Mapping[str, Score] = field(default_factory=dict)
    gold: Gold | None = None
    notes: tuple[str, ...] = ()
    folder: Path | None = None

    def precision(self, k: int = 1, way: str = "csls", system: str | None = None) -> float:
        """Return P@k of the map, or of another system.

        Raises:
            UserError: If it was not measured.
        """
        name = system or str(self.map.facts["method"])
        try:
            return self.scores[name][way][f"P@{k}"].mean
        except KeyError:
            raise UserError(f"P@{k} by {way} of {name} was not measured") from None

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON values."""
        return {
            "folder": None if self.folder is None else self.folder.name,
            "map": dict(self.map.facts),
            "scores": scores_as_json(self.scores),
            "coverage": None if self.gold is None else self.gold.to_dict(),
            "notes": list(self.notes),
        }

    def _table(self) -> Table:
        ks = [f"P@{k}" for k in KS]
        rows = [
            (system, way, *(found[k] for k in ks))
            for system, ways in self.scores.items()
            for way, found in ways.items()
        ]
        title = f"{self.map}"
        covered = self.gold.report("test words") if self.gold else "no words were held out"
        return Table(("system", "search", *ks), tuple(rows), title, (covered, *self.notes))

    def _bars(self) -> list[Bar]:
        return [
            Bar(system, way, found["P@1"].mean, found["P@1"].low, found["P@1"].high)
            for system, ways in self.scores.items()
            for way, found in ways.items()
        ]


def scores_as_json(scores: Mapping[str, Score]) -> dict[str, Any]:
    """Return scores as JSON values."""
    return {
        system: {
            way: {name: value.to_dict() for name, value in found.items()}
            for way, found in ways.items()
        }
        for system, ways in scores.items()
    }


@dataclass(frozen=True)
class Parts:
    """The dictionaries of a run: to fit on, to choose on, and to measure on."""

    train: Dictionary
    dev: Dictionary | None
    test: Dictionary | None
    notes: tuple[str, ...] = ()


def build_method(name: str, options: Mapping[str, Any] | None = None) -> MapMethod:
    """Build a method from its name and options.

    Raises:
        UserError: If there is no such method or option, or a value is wrong.
    """
    kind = registry.load("maps", name)
    known = list(getattr(kind, "__dataclass_fields__", {}))
    for option in options or {}:
        if option not in known:
            raise UserError(registry.unknown("option", str(option), known), where=name)
    try:
        return strict(kind).validate_python(dict(options or {}))  # type: ignore[no-any-return]
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, (name, *first["loc"])))
        raise UserError(first["msg"].removeprefix("Value error, "), where=where) from None


def parts_of(
    dictionary: Any,
    test: Any = None,
    *,
    source: WordVectors | None = None,
    target: WordVectors | None = None,
    reverse: bool = False,
    lower: bool = False,
    dev: float = DEV,
    held_out: float = TEST,
    seed: int = 0,
) -> Parts:
    """Split a dictionary, or keep apart the dictionaries that are given.

    Args:
        dictionary: A file, pairs, or ``identical_char``.
        test: A dictionary to measure on. Training pairs that share a word with it are left out.
        source: The source words; only ``identical_char`` needs them.
        target: The target words.
        reverse: Swap the two columns.
        lower: Lower-case the words, for vectors of lower-cased text.
        dev: Share of the source words to choose on.
        held_out: Share to measure on, if there is no ``test``.
        seed: Seed of the split.

    Raises:
        UserError: If a dictionary can't be read, or nothing is left to fit on.
    """
    if dictionary is None:
        raise UserError("no dictionary was given", where="dictionary")
    notes: list[str] = []
    same = isinstance(dictionary, str) and dictionary == IDENTICAL
    if same and (source is None or target is None):
        raise UserError(
            f"{IDENTICAL} needs two vocabularies, and a base has none",
            where="dictionary",
            todo="Give a dictionary",
        )
    train = (
        identical_words(source, target)
        if same and source is not None and target is not None
        else dictionary_of(dictionary)
    )
    if train.empty:
        notes.append(f"{train.empty:,} rows of the dictionary lack a word: left out")
    train = _turned(train, reverse and not same, lower)
    measured: Dictionary | None = None
    if test is not None:
        measured = _turned(dictionary_of(test, "test dictionary"), reverse, lower)
        before = len(train)
        train = train.without(measured)
        if before > len(train):
            shared = before - len(train)
            notes.append(f"{shared:,} training pairs share a word with the test pairs: left out")
    parts = split(train, dev=dev, test=0.0 if test is not None else held_out, seed=seed)
    if parts.dropped:
        notes.append(f"{parts.dropped:,} pairs share a word with a held-out pair: left out")
    if not len(parts.train):
        raise UserError(
            "no pair of the dictionary is left to fit on",
            where="dictionary",
            todo="Use a larger dictionary, or hold out less",
        )
    measured = parts.test if measured is None else measured
    return Parts(
        parts.train,
        parts.dev if len(parts.dev) else None,
        measured if len(measured) else None,
        tuple(notes),
    )


def _turned(dictionary: Dictionary, reverse: bool, lower: bool) -> Dictionary:
    dictionary = dictionary.reversed() if reverse else dictionary
    return dictionary.lowered() if lower else dictionary


def map_vectors(
    source: WordVectors,
    target: WordVectors,
    parts: Parts,
    *,
    method: str = METHOD,
    options: Mapping[str, Any] | None = None,
    normalize: str | Sequence[str] = VECMAP,
    csls: int = CSLS,
    controls: bool = False,
    seed: int = 0,
    facts: Mapping[str, Any] | None = None,
    report: Report = lambda _: None,
) -> MapResult:
    """Fit a map on the training words and measure it on the test words.

    Args:
        source: Word vectors of the language to map.
        target: Word vectors of the language to map to.
        parts: The dictionaries.
        method: Name of a file of `xadapt.maps`: ``procrustes``, ``refine``, ``rcsls``, ``vecmap``.
        options: Options of the method.
        normalize: Actions on the vectors before, see `xadapt.maps.normalising`.
        csls: Size of the CSLS neighbourhood when measuring.
        controls: Also measure a map that was fitted on a shuffled dictionary.
        seed: Seed of the shuffling.
        facts: Further facts for the folder.
        report: Receives a line for each step.

    Raises:
        UserError: If the widths differ, no word of a dictionary has a vector on both sides, or the
            method can't be fitted.
    """
    if source.dim != target.dim:
        raise UserError(
            f"source vectors have {source.dim} values and target vectors {target.dim}",
            todo="Give vectors of one width",
        )
    own = build_method(method, options)
    actions = parse_actions(normalize)
    normal, x = Normalisation.fit(torch.from_numpy(source.vectors), actions)
    other, y = Normalisation.fit(torch.from_numpy(target.vectors), actions)
    train = find(parts.train, source, target)
    report(train.report("training words"))
    pairs = _required(train.positions(), train)
    choose = (
        None if parts.dev is None else chooser(find(parts.dev, source, target), x, y, csls=csls)
    )
    spaces = Spaces(x, y, pairs, choose, report)
    maps = own.fit(spaces)
    systems = {"identity": LinearMaps(torch.eye(x.shape[1])), method: maps}
    if controls:
        quiet = replace(spaces, pairs=_shuffled(pairs, seed), score=None, report=lambda _: None)
        systems["shuffled dictionary"] = own.fit(quiet)
    gold = None if parts.test is None else find(parts.test, source, target)
    scores: dict[str, Score] = {}
    if gold is not None:
        report(gold.report("test words"))
        scores = {
            name: measure(one.map_source(x), one.map_target(y), gold, csls)
            for name, one in systems.items()
        }
    counts = {
        "method": method,
        "options": asdict(own),  # type: ignore[call-overload]
        "words": {"source": len(source), "target": len(target)},
        "dictionary": {
            "train": train.to_dict(),
            "dev_words": 0 if parts.dev is None else len(parts.dev.sources),
            "test": None if gold is None else gold.to_dict(),
        },
        "evidence": scores_as_json(scores),
        "csls": csls,
        **(facts or {}),
    }
    notes = (*source.notes, *target.notes, *parts.notes, train.report("training words"))
    return MapResult(EmbeddingMap(maps, normal, other, counts), scores, gold, notes)


def measure(mapped: Tensor, target: Tensor, gold: Gold, csls: int = CSLS) -> Score:
    """Compute P@k with bootstrap intervals over the covered source words, by cosine and CSLS.

    Raises:
        UserError: If no word of the dictionary is covered.
    """
    found: Score = {}
    for way in WAYS:
        right = hits(mapped, target, gold, KS, csls if way == "csls" else 0)
        found[way] = {
            f"P@{k}": interval(right[:, column].astype(np.float64)) for column, k in enumerate(KS)
        }
    return found


def word_vectors_of(given: Any, name: str, max_vocab: int = MAX_VOCAB) -> WordVectors:
    """Take word vectors from a file or from memory.

    Raises:
        UserError: As for `read_vectors` and `WordVectors.of`.
    """
    if isinstance(given, (str, Path)):
        return read_vectors(given, max_vocab)
    return WordVectors.of(given, name).first(max_vocab)


def chooser(
    dev: Gold, x: Tensor, y: Tensor, *, first: int = CHOOSE_AMONG, csls: int = CSLS
) -> Callable[[LinearMaps], float] | None:
    """Return a function from maps to P@1 by CSLS on held-out words, among the first words alone.

    CSLS among all words needs a pass over both vocabularies at every step.

    Args:
        dev: The held-out words.
        x: Normalised source vectors.
        y: Normalised target vectors.
        first: Number of words of each side that take part.
        csls: Size of the CSLS neighbourhood.

    Returns:
        The function; ``None`` if no held-out word is among the first words.
    """
    x, y = x[:first], y[:first]
    targets = {
        at: frozenset(to for to in own if to < len(y))
        for at, own in dev.targets.items()
        if at < len(x)
    }
    kept = replace(dev, targets={at: own for at, own in targets.items() if own})
    if not kept.targets:
        return None

    def score(maps: LinearMaps) -> float:
        return float(hits(maps.map_source(x), maps.map_target(y), kept, (1,), csls).mean())

    return score


def _required(pairs: Tensor, train: Gold) -> Tensor:
    if not len(pairs):
        raise UserError(
            f"no pair of the dictionary has a vector on both sides ({train.report('dictionary')})",
            todo="Check the direction of the dictionary and the case of its words",
        )
    return pairs


def _shuffled(pairs: Tensor, seed: int) -> Tensor:
    order = torch.randperm(len(pairs), generator=torch.Generator().manual_seed(seed))
    return torch.stack([pairs[:, 0], pairs[order, 1]], 1)
