"""Map the word vectors of a base: a folder with the map, and a linear-map module."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.core.errors import UserError
from xadapt.core.files import atomic_folder
from xadapt.data.readers.lines import read_lines
from xadapt.hub.folder import write_folder
from xadapt.hub.manifest import Data, Evidence, Manifest, ModuleSpec, build_manifest
from xadapt.injection.attachment import model_shape
from xadapt.languages.tags import normalise
from xadapt.maps.base_words import CONTEXTS, base_vectors, frequent_words
from xadapt.maps.dictionary import Dictionary
from xadapt.maps.word_vectors import WordVectors
from xadapt.modules.linear_map import LinearMap, closed_form
from xadapt.modules.storage import options_of
from xadapt.pipelines.map_embeddings import MapResult, Report

MAP, MODULE = "map", "module"
NORMALIZE = ("center", "unit")
"""Default actions for a base's vectors. Scaling after centering does not change a mapped vector's
direction, so the map of the module is the map that was fitted."""

LINEAR = ((), ("center",), ("unit",), ("center", "unit"))
MAX_VOCAB = 5_000
NOT_IN_MODULE = "no module is written: "


def base_word_vectors(
    encoder: Encoder,
    dictionary_words: Iterable[str],
    texts: str | Path | Iterable[str] | None,
    *,
    layer: int | str | None = None,
    contexts: int = CONTEXTS,
    max_vocab: int = MAX_VOCAB,
    report: Report = lambda _: None,
) -> WordVectors:
    """Compute the vectors of a language's words: those of a dictionary and frequent ones of a text.

    Args:
        encoder: The frozen base.
        dictionary_words: Words of the dictionary.
        texts: A file with a text a line, or lines; ``None`` for words alone.
        layer: As for `base_vectors`.
        contexts: The most contexts of a word.
        max_vocab: Number of frequent words of the text besides those of the dictionary.
        report: Receives a line for each step.

    Raises:
        UserError: As for `base_vectors`.
    """
    lines = _lines(texts)
    frequent = frequent_words(lines, max_vocab) if lines and max_vocab > 0 else []
    own = list(dict.fromkeys([*frequent, *dictionary_words]))
    report(f"vectors of {len(own):,} words from {len(lines):,} lines")
    return base_vectors(encoder, own, lines, layer=layer, contexts=contexts)


def why_no_module(result: MapResult, encoder: Encoder, layer: int | str | None) -> str:
    """Say why a map can't be a module of the base; empty if it can."""
    if layer not in (None, encoder.depth):
        return f"{NOT_IN_MODULE}it would act after the last layer, and the map is of {layer}"
    if result.map.maps.target is not None:
        return f"{NOT_IN_MODULE}{result.map.facts['method']} maps the other language too"
    if result.map.source.actions not in LINEAR:
        actions = ",".join(result.map.source.actions)
        return f"{NOT_IN_MODULE}after {actions} the map of a vector is not linear"
    return ""


def save_words(
    out: str | Path,
    result: MapResult,
    encoder: Encoder,
    *,
    lang: str,
    pivot: str,
    data: Mapping[str, int],
    layer: int | str | None = None,
    base_id: str | None = None,
    licence: str | None = None,
) -> MapResult:
    """Write the folder, with ``map`` and, where the map is linear, ``module``.

    Args:
        out: Folder to make.
        result: The fitted map.
        encoder: The base.
        lang: The language that is mapped.
        pivot: The language that it is mapped to.
        data: Names of the files that were read, with their numbers of rows.
        layer: The layer of the word vectors.
        base_id: Hub id of a base that was given as a folder or a package.
        licence: SPDX id of the module's licence.

    Raises:
        UserError: If the folder has other content, or can't be written.
    """
    said = why_no_module(result, encoder, layer)
    with atomic_folder(out) as folder:
        result.map.save_pretrained(folder / MAP)
        if not said:
            module = linear_module(result, encoder)
            manifest = _manifest(result, encoder, module, lang, pivot, data, base_id, licence)
            write_folder(folder / MODULE, module, encoder, manifest, verify={})
    notes = (*result.notes, said) if said else result.notes
    return replace(result, folder=Path(out), notes=notes)


def linear_module(result: MapResult, encoder: Encoder) -> LinearMap:
    """Build the module of a linear map: ``y = W (x - source mean) + target mean``."""
    zero = torch.zeros(encoder.width)
    before, after = ((side.means or (zero,))[0] for side in (result.map.source, result.map.target))
    return closed_form(result.map.maps.source, before, after, model_shape(encoder))


def dictionary_words(parts: Sequence[Dictionary | None], side: int) -> list[str]:
    """Return the words of one side of dictionaries, each once: 0 source, 1 target."""
    return list(dict.fromkeys(pair[side] for part in parts if part for pair in part.pairs))


def _lines(texts: str | Path | Iterable[str] | None) -> list[str]:
    if texts is None:
        return []
    if isinstance(texts, (str, Path)):
        return [line for _, line in read_lines(str(texts)) if line.strip()]
    lines = list(texts)
    if not all(isinstance(line, str) for line in lines):
        raise UserError("texts are lines of text", where="texts", todo="Give a file, or strings")
    return lines


def _manifest(
    result: MapResult,
    encoder: Encoder,
    module: LinearMap,
    lang: str,
    pivot: str,
    data: Mapping[str, int],
    base_id: str | None,
    licence: str | None,
) -> Manifest:
    facts = result.map.facts
    tag = normalise(lang)
    config: Any = encoder.model.config
    return build_manifest(
        name=re.sub(r"[^A-Za-z0-9]+", "_", f"{tag}_{facts['method']}_map"),
        base={
            "id": base_id or encoder.hub_id(),
            "revision": encoder.source.revision,
            "model_type": str(config.model_type),
            "fingerprint": encoder.identity.to_dict(),
        },
        module=ModuleSpec(
            kind=str(module.kind), options=options_of(module).model_dump(mode="json")
        ),
        objectives=[],
        recipe={
            "map": {
                "method": facts["method"],
                "options": facts["options"],
                "normalize": list(result.map.source.actions),
                "layer": facts.get("layer"),
                "contexts": facts.get("contexts"),
            }
        },
        languages=[tag],
        pivot=normalise(pivot),
        data=[Data(name=name, rows=rows) for name, rows in data.items()],
        pooling=encoder.pooling.to_dict(),
        prompt=encoder.pooling.prompt,
        max_length=encoder.max_length,
        dtype=encoder.precision,
        evidence=_evidence(result, next(iter(data), "dictionary")),
        created=datetime.date.today().isoformat(),
        licence=licence,
    )


def _evidence(result: MapResult, name: str) -> list[Evidence]:
    method = str(result.map.facts["method"])
    if method not in result.scores or result.gold is None:
        return []
    found = []
    for way, scores in result.scores[method].items():
        own, before = scores["P@1"], result.scores["identity"][way]["P@1"]
        found.append(
            Evidence(
                task="word_translation",
                data=name,
                metric=f"P@1 {way}",
                value=own.mean,
                base=before.mean,
                sides="language",
                interval=(own.low, own.high),
                rows=len(result.gold.targets),
            )
        )
    return found
