"""Judging open information extraction on a treebank, and another pair of taggers beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from xadapt.backbones.cache.reuse import Kept
from xadapt.data.readers.conllu_trees import ConlluTrees
from xadapt.data.records import OpenTriples
from xadapt.data.transforms.open_ie import open_triples
from xadapt.evaluation import open_ie as measures
from xadapt.inference.shared_states import shared_cache
from xadapt.languages.tags import normalise
from xadapt.tasks.predict.open_ie import Extractor
from xadapt.tasks.predict.predictor import AGAINST, GIVEN


def evaluate_open_ie(
    *,
    base: str,
    data: str | Path,
    predicates: str | Path | Sequence[str | Path],
    arguments: str | Path | Sequence[str | Path],
    lang: str | None = None,
    compose_predicates: str | None = None,
    compose_arguments: str | None = None,
    against_predicates: str | Path | None = None,
    against_arguments: str | Path | None = None,
    dtype: str = "auto",
) -> measures.Result:
    """Measure predicates, arguments and triples against those that rules make of a treebank.

    The control is what stands left and right of the predicates that were found.

    Args:
        base: Hub id, folder, ``package:NAME/SUBDIR`` or ``mini``.
        data: CoNLL-U with heads and relations that was not trained on.
        predicates: Folders of modules, as for `Extractor.load`.
        arguments: Folders of modules, as for `Extractor.load`.
        lang: Language of the sentences, where a composition chooses by language.
        compose_predicates: Which modules act on predicates.
        compose_arguments: Which modules act on arguments.
        against_predicates: The folder of another predicate tagger, to tell the paired difference
            to; the argument tagger is then the same if no other is named, and the other way round.
        against_arguments: The folder of another argument tagger.
        dtype: Of the base's weights: ``auto``, ``float32``, ``bfloat16``, ``int8`` or ``nf4``.

    Raises:
        UserError: A file or folder is unusable, or a module has not the head that it needs.
    """
    tag = "und" if lang is None else normalise(lang)
    own: dict[str, Any] = {
        "predicates": _folders(predicates),
        "arguments": _folders(arguments),
        "compose_predicates": compose_predicates,
        "compose_arguments": compose_arguments,
        "dtype": dtype,
    }
    rows = open_triples(ConlluTrees().read(str(data), tag))
    tags = None if lang is None else [tag] * len(rows)
    extractor = Extractor.load(base, **own)
    several = {GIVEN: extractor}
    other = {"predicates": against_predicates, "arguments": against_arguments}
    if any(other.values()):
        for name, folder in other.items():
            if folder is not None:
                own |= {name: _folders(folder), f"compose_{name}": None}
        beside = Extractor.load(extractor.tagger.adapted.encoder, **own)
        several = {AGAINST: beside, **several}
    parts = [part.adapted for one in several.values() for part in (one.tagger, one.finder)]
    cache = shared_cache(*parts)
    said = {name: judged(one, rows, tags, cache) for name, one in several.items()}
    said[measures.LEFT_RIGHT] = measures.guessed(rows, said[GIVEN].found)
    return measures.evaluate(rows, said, base=AGAINST if len(several) > 1 else None)


def judged(
    extractor: Extractor,
    rows: Sequence[OpenTriples],
    languages: Sequence[str | None] | None = None,
    cache: Kept | None = None,
) -> measures.Said:
    """What an extractor says of sentences, by itself and with the right predicates given.

    Args:
        extractor: The two taggers.
        rows: The sentences.
        languages: A tag for each, where a composition chooses by language.
        cache: States that the forwards may begin at.
    """
    words = [row.words for row in rows]
    right = [[(start, stop) for (start, stop, _), *_ in row.extractions] for row in rows]
    found = extractor.predicates(words, languages, cache)
    return measures.Said(
        extractor.finder.find(words, found, languages, cache=cache),
        extractor.finder.find(words, right, languages, cache=cache),
    )


def _folders(given: str | Path | Sequence[str | Path]) -> list[str]:
    return [str(given)] if isinstance(given, (str, Path)) else [str(folder) for folder in given]
