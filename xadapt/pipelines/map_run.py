"""``map_embeddings``: from files or a base to a fitted map, its scores and its folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.core.errors import UserError
from xadapt.core.files import require_empty
from xadapt.languages.tags import normalise
from xadapt.maps.base_words import CONTEXTS
from xadapt.maps.normalising import VECMAP, parse_actions
from xadapt.maps.precision import CSLS
from xadapt.maps.vector_files import MAX_VOCAB
from xadapt.pipelines import map_words as words
from xadapt.pipelines.map_embeddings import (
    DEV,
    METHOD,
    TEST,
    MapResult,
    Report,
    build_method,
    map_vectors,
    parts_of,
    word_vectors_of,
)


def map_embeddings(
    source: Any,
    target: Any,
    dictionary: Any,
    *,
    out: str | Path | None = None,
    test: Any = None,
    method: str = METHOD,
    options: Mapping[str, Any] | None = None,
    normalize: str | Sequence[str] | None = None,
    max_vocab: int | None = None,
    reverse: bool = False,
    lower: bool = False,
    dev: float = DEV,
    held_out: float = TEST,
    csls: int = CSLS,
    controls: bool = False,
    seed: int = 0,
    base: str | Encoder | None = None,
    lang: str | None = None,
    pivot: str = "en",
    layer: int | str | None = None,
    contexts: int = CONTEXTS,
    base_id: str | None = None,
    licence: str | None = None,
    report: Report = lambda _: None,
) -> MapResult:
    """Fit a map between two spaces of word vectors from a dictionary, and measure it.

    Without ``base``, source and target are word vectors: files of word2vec or fastText, a dict of
    word to vector, or a pair of words and rows. With ``base``, they are running text of the two
    languages, from which the base's own word vectors are made, and the folder also holds a
    linear-map module for the base: ``OUT/map`` and ``OUT/module``.

    ```python
    result = xadapt.map_embeddings("wiki.de.vec", "wiki.en.vec", "de-en.txt", out="de-en")
    result.precision(1, "csls")
    result.map.transform(vectors)
    ```

    Args:
        source: Word vectors of the language to map; with ``base`` a text file, lines, or ``None``.
        target: The same for the language to map to.
        dictionary: A file of MUSE or VecMap, or columns separated by tabs: the source word, then
            the target word. Also pairs of words, or ``identical_char``.
        out: Folder to make; ``None`` writes nothing.
        test: A dictionary to measure on. Without it, a share of the dictionary is held out.
        method: ``procrustes``, ``refine``, ``rcsls`` or ``vecmap``; see ``xadapt explain NAME``.
        options: Options of the method, such as ``{"model": "spectral"}``.
        normalize: Actions on the vectors, in order, such as ``unit,center,unit`` (the default;
            ``center,unit`` with a base).
        max_vocab: The most words of each side; 0 reads all. The default is 200,000; with a base,
            5,000 frequent words besides those of the dictionary.
        reverse: Swap the columns of the dictionaries.
        lower: Lower-case the words of the dictionaries, for vectors of lower-cased text.
        dev: Share of the source words to choose a step on.
        held_out: Share of the source words to measure on, if there is no ``test``.
        csls: Size of the CSLS neighbourhood when measuring.
        controls: Also measure a map that was fitted on a shuffled dictionary.
        seed: Seed of the split and the shuffling.
        base: Hub id, folder, ``package:NAME/SUBDIR`` or ``mini``, or a loaded base.
        lang: The language that the module is for; needed with ``base``.
        pivot: The language of the target.
        layer: Layer of the base's states, or ``embeddings``; ``None`` for the last.
        contexts: The most contexts of a word.
        base_id: Hub id of a base that was given as a folder or a package.
        licence: SPDX id of the module's licence.
        report: Receives a line for each step.

    Returns:
        The map with P@1, P@5 and P@10 by cosine and by CSLS, and the coverage of the test words.

    Raises:
        UserError: If a file can't be read, an option is wrong, no word of the dictionary has a
            vector on both sides, or the folder has other content.
    """
    build_method(method, options)  # an unknown method or option, before the work
    if out is not None:
        require_empty(out)
    fit: dict[str, Any] = {
        "method": method,
        "options": options,
        "csls": csls,
        "controls": controls,
        "seed": seed,
        "report": report,
    }
    splits: dict[str, Any] = {
        "reverse": reverse,
        "lower": lower,
        "dev": dev,
        "held_out": held_out,
        "seed": seed,
    }
    if base is None:
        _require_no_base(lang=lang, layer=layer, base_id=base_id, licence=licence)
        fit["normalize"] = parse_actions(VECMAP if normalize is None else normalize)
        size = MAX_VOCAB if max_vocab is None else max_vocab
        return _of_files(source, target, (dictionary, test), size, splits, fit, out)
    if lang is None:
        raise UserError("the language of the module is missing", where="lang", todo="Give lang=TAG")
    languages = {"source": normalise(lang), "target": normalise(pivot)}
    fit["normalize"] = parse_actions(words.NORMALIZE if normalize is None else normalize)
    parts = parts_of(dictionary, test, **splits)
    encoder = base if isinstance(base, Encoder) else Encoder.from_pretrained(base, dtype="float32")
    size = words.MAX_VOCAB if max_vocab is None else max_vocab
    left, right = (
        words.base_word_vectors(
            encoder,
            words.dictionary_words((parts.train, parts.dev, parts.test), side),
            texts,
            layer=layer,
            contexts=contexts,
            max_vocab=size,
            report=report,
        )
        for side, texts in enumerate((source, target))
    )
    facts = {
        "layer": encoder.depth if layer is None else layer,
        "contexts": contexts,
        "base": {"id": base_id or encoder.hub_id(), "fingerprint": encoder.fingerprint},
        "languages": languages,
    }
    result = map_vectors(left, right, parts, facts=facts, **fit)
    if out is None:
        return result
    return words.save_words(
        out,
        result,
        encoder,
        lang=languages["source"],
        pivot=languages["target"],
        data={_name(dictionary): len(parts.train)},
        layer=layer,
        base_id=base_id,
        licence=licence,
    )


def _of_files(
    source: Any,
    target: Any,
    dictionaries: tuple[Any, Any],
    size: int,
    splits: Mapping[str, Any],
    fit: Mapping[str, Any],
    out: str | Path | None,
) -> MapResult:
    """Fit a map between word vectors of files or of memory."""
    left = word_vectors_of(source, "source", size)
    right = word_vectors_of(target, "target", size)
    parts = parts_of(*dictionaries, source=left, target=right, **splits)
    facts = {"source": _name(source), "target": _name(target)}
    result = map_vectors(left, right, parts, facts=facts, **fit)
    return result if out is None else replace(result, folder=result.map.save_pretrained(out))


def _name(given: Any) -> str:
    """Return the name of a file without its folder, or ``memory``."""
    return Path(given).name if isinstance(given, (str, Path)) else "memory"


def _require_no_base(**given: Any) -> None:
    wrong = next((name for name, value in given.items() if value is not None), None)
    if wrong is not None:
        raise UserError(f"{wrong} does nothing without a base", where=wrong, todo="Leave it out")
