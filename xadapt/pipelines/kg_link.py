"""``link_mentions``: the concepts that mentions name, in any language."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from xadapt.core.errors import UserError
from xadapt.core.files import atomic_file
from xadapt.core.journal import Journal
from xadapt.core.sequences import as_paths, as_strings
from xadapt.data.readers.concept_names import ConceptNames, places, read_concepts
from xadapt.data.readers.mentions import Mention, read_mentions
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.languages.tags import normalise
from xadapt.pipelines.kg_encoder import open_encoder
from xadapt.pipelines.kg_linked import Linked, Ranks
from xadapt.pipelines.kg_reranked import (
    RERANKED,
    Choice,
    Judge,
    choose,
    open_judge,
    rerank,
    write_training,
)
from xadapt.pipelines.unfinished import Unfinished, hash_of, models_of, unfinished
from xadapt.tasks.kg.concept_index import ConceptIndex, Encode, Ensemble, realistic_ranks
from xadapt.tasks.kg.name_vectors import encode_names
from xadapt.vectors.search.exact import top_rows

Report = Callable[[str], None]
HALF = 0.5
JUDGED = 64
"""Mentions at a time whose candidates a re-ranker reads."""


@dataclass(frozen=True)
class Linking:
    """How candidates are found and ranked.

    Attributes:
        top: Candidates of each mention.
        spelling: Whether spelling is compared.
        ensemble: ``mean`` or ``max`` of both cosines.
        weight: Weight of vectors in ``mean``.
        rerank_weight: Weight of the cross-encoder's probability; the rest is the candidate's score.
            By default that chosen on development mentions, or 0.5 without any.
        nil: Least score (with a cross-encoder: least probability) of the best candidate; below it
            the answer is that no concept is right. By default that chosen on development mentions.
            Without any it is 0, or with a cross-encoder of ``candidate_ranking`` the probability of
            "none".
        resamples: Number of bootstrap samples.
        seed: Seed of the bootstrap.
    """

    top: int = 10
    spelling: bool = True
    ensemble: Ensemble = "mean"
    weight: float = 0.5
    rerank_weight: float | None = None
    nil: float | None = None
    resamples: int = 1000
    seed: int = 0

    def check(self) -> None:
        """Refuse options that are out of range.

        Raises:
            UserError: If there is such an option.
        """
        if self.top < 1:
            raise UserError(f"{self.top} is below 1", where="--top")
        for name in ("weight", "rerank_weight", "nil"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise UserError("this is from 0 to 1", where="--" + name.replace("_", "-"))


def link_mentions(
    mentions: str | Sequence[str],
    names: str | Sequence[str],
    *,
    lang: str | None = None,
    base: str | AdaptedEncoder | None = None,
    modules: str | Path | Sequence[str | Path] = (),
    compose: str | None = None,
    reranker: str | Path | None = None,
    dev: str | Sequence[str] = (),
    pairs: str | Path | None = None,
    out: str | Path | None = None,
    restart: bool = False,
    dtype: str = "auto",
    report: Report = lambda _: None,
    progress: Callable[[int], None] = lambda _: None,
    **linking: Any,
) -> Linked:
    """Find the concepts of mentions among the names of concepts.

    Mentions are read in a stream. With ``out``, rows are kept as they are made, and the same call
    goes on after an interruption.

    Args:
        mentions: Files of mentions: tables, BRAT, or JSON lines of BigBIO; or texts of mentions
            as a list if no item is a file.
        names: Names of concepts by language, such as ``en=names.tsv`` or ``fr=kg:DIR``.
        lang: Language of mentions whose file names none.
        base: The base that encodes names and mentions, or a loaded encoder.
        modules: Folders of modules on that base; one module acts on all texts.
        compose: A composition of the modules.
        reranker: A module on the same base: of ``candidate_ranking``, or of ``pair_classification``
            with the classes ``same`` and ``other``.
        dev: Files of mentions with their concepts, by which ``rerank_weight`` and ``nil`` are
            chosen where they are not given.
        pairs: A file to write for the training of such a module: with the ending ``.jsonl`` lists
            of candidates for ``candidate_ranking``, else pairs for ``pair_classification``.
        out: A file for the candidates, as JSON lines.
        restart: Whether unfinished rows of another command are dropped.
        dtype: Type of the base's weights.
        report: Receives lines for people.
        progress: Called with numbers of encoded names and of linked mentions.
        linking: The fields of `Linking`.

    Raises:
        UserError: If a file or an option is wrong, or there is nothing to compare.
    """
    how = Linking(**linking)
    how.check()
    given, sources = as_strings(mentions), as_strings(names)
    if reranker is not None and base is None:
        raise UserError("a re-ranker needs its base", todo="Add --base BASE")
    concepts = read_concepts(sources)
    encoder = open_encoder(base, modules, compose, dtype)
    judge = None
    if reranker is not None and base is not None:
        own = base.encoder if isinstance(base, AdaptedEncoder) else base
        judge = open_judge(own, str(reranker), dtype)
    tag = None if lang is None else normalise(lang)
    held = [one for source in as_strings(dev) for one in read_mentions(source) if one.concepts]
    if dev and not held:
        raise UserError("no mention has a concept", where="--dev")
    work = _work(given, sources, base, as_paths(modules), compose, reranker, tag, how)
    work |= {"dev": [hash_of(one) for one in as_strings(dev)]} if dev else {}
    with unfinished(out, work, restart=restart) as place:
        journal = place.journal
        if journal is not None and len(journal):
            report(f"{len(journal):,} mentions are done already")
        index = _index(concepts, encoder, how, place, progress)
        maker = _Maker(index, how, judge)
        choice = None
        if held:
            choice = _chosen(maker, [_in(one, one.lang or tag) for one in held])
            report(choice.line())
            chosen = replace(how, rerank_weight=choice.rerank_weight, nil=choice.nil)
            maker = replace(maker, how=chosen)
        ranks, kept = _streamed(maker, _mentions(given, tag), journal, progress)
        if journal is not None and out is not None:
            journal.finish(out)
        elif out is not None:
            _write(out, kept)
    linked = Linked(
        concepts, how.top, ranks, None if out is None or journal is None else Path(out), kept,
        (*index.systems(), *([RERANKED] if judge else [])), how.resamples, how.seed, choice,
    )  # fmt: skip
    if pairs is not None:
        system = index.systems()[-1]
        write_training(pairs, _mentions(given, tag), linked.rows(), concepts, system)
    return linked


def _write(out: str | Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows into a pipe or a device."""
    with atomic_file(out) as temporary, temporary.open("w", encoding="utf-8") as stream:
        stream.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _chosen(maker: _Maker, mentions: Sequence[Mention]) -> Choice:
    """Link development mentions, and choose what is not given."""
    rows = []
    for start in range(0, len(mentions), maker.block):
        rows += maker.rows(mentions[start : start + maker.block])
    how, index = maker.how, maker.index
    return choose(rows, index.names.index, index.systems()[-1], how.rerank_weight, how.nil)


def _streamed(
    maker: _Maker,
    mentions: Iterator[Mention],
    journal: Journal | None,
    progress: Callable[[int], None],
) -> tuple[Ranks, list[dict[str, Any]]]:
    """Link mentions block by block; rows are in the journal, or else are returned."""
    ranks, kept = Ranks(), []
    done = 0
    for row in journal if journal is not None else ():
        ranks.add(row)
        done += 1
    stream = islice(mentions, done, None)
    while block := list(islice(stream, maker.block)):
        rows = maker.rows(block)
        if journal is None:
            kept += rows
        else:
            journal.add(rows)
        for row in rows:
            ranks.add(row)
        progress(len(block))
    return ranks, kept


def _mentions(given: Sequence[str], lang: str | None) -> Iterator[Mention]:
    if not any(Path(one).exists() for one in given if len(one) < 4096) and not _looks_like(given):
        yield from (Mention(str(i), text, lang=lang) for i, text in enumerate(given, 1))
        return
    for source in given:
        for one in read_mentions(source):
            yield one if one.lang or lang is None else _in(one, lang)


def _looks_like(given: Sequence[str]) -> bool:
    """Whether one of the texts has the ending of a file, so that a missing file is told."""
    endings = (".tsv", ".gz", ".jsonl", ".json", ".ann", ".txt")
    return not given or any(one.endswith(endings) for one in given)


def _in(mention: Mention, lang: str | None) -> Mention:
    return Mention(mention.id, mention.text, mention.concepts, lang, mention.before, mention.after)


def _index(
    concepts: ConceptNames,
    encoder: AdaptedEncoder | None,
    how: Linking,
    work: Unfinished,
    progress: Callable[[int], None],
) -> ConceptIndex:
    """Encode the names, each with the module of its language."""
    vectors, encode = None, None
    if encoder is not None:
        encode = _encode(encoder)
        langs = [concepts.languages[i] for i in concepts.langs.tolist()]
        place = 0

        def of_names(texts: Sequence[str]) -> NDArray[np.float32]:
            return encode(texts, langs[place : place + len(texts)])

        def advance(count: int) -> None:
            nonlocal place
            place += count
            progress(count)

        vectors = encode_names(
            concepts.names, of_names, work.folder, work.name("names.npy"), advance, keep=work.kept
        )
    return ConceptIndex.of(
        concepts, vectors, encode, spelling=how.spelling, ensemble=how.ensemble, weight=how.weight
    )


def _encode(encoder: AdaptedEncoder) -> Encode:
    def encode(texts: Sequence[str], langs: Sequence[str | None]) -> NDArray[np.float32]:
        found: NDArray[np.float32] = encoder.encode(
            list(texts), languages=list(langs), show_progress_bar=False
        )
        return found

    return encode


@dataclass(frozen=True)
class _Maker:
    """Makes the row of each mention: its candidates, and the ranks of the right concepts."""

    index: ConceptIndex
    how: Linking
    judge: Judge | None

    @property
    def block(self) -> int:
        """Number of mentions at a time."""
        return self.index.block if self.judge is None else min(self.index.block, JUDGED)

    def rows(self, block: Sequence[Mention]) -> list[dict[str, Any]]:
        names = self.index.names
        found, by_name = self.index.scores([m.text for m in block], [m.lang for m in block])
        right = [[names.index[c] for c in m.concepts if c in names.index] for m in block]
        ranks = {system: realistic_ranks(scores, right) for system, scores in found.items()}
        system = self.index.systems()[-1]
        last = found[system]
        k = min(self.how.top, last.shape[1])
        order = top_rows(torch.from_numpy(last), k)[1].numpy()
        rows = []
        for i, mention in enumerate(block):
            own = order[i].tolist()
            candidates = [
                {
                    "concept": names.concepts[c],
                    "name": self.index.nearest(by_name[i], c),
                    "score": round(float(last[i, c]), 6),
                    **{s: round(float(found[s][i, c]), 6) for s in found if s != system},
                }
                for c in own
            ]
            row: dict[str, Any] = {"mention": mention.id, "text": mention.text}
            row |= {"lang": mention.lang} if mention.lang else {}
            row["candidates"] = candidates
            row["nil"] = not candidates or candidates[0]["score"] < (self.how.nil or 0.0)
            if mention.concepts:
                row["right"] = list(mention.concepts)
                row["ranks"] = {
                    s: None if np.isinf(own_ranks[i]) else float(own_ranks[i])
                    for s, own_ranks in ranks.items()
                }
            rows.append(row)
        if self.judge is not None:
            weight = HALF if self.how.rerank_weight is None else self.how.rerank_weight
            rerank(self.judge, block, rows, names, system, weight, self.how.nil)
        return rows


def _work(
    mentions: Sequence[str],
    sources: Sequence[str],
    base: str | AdaptedEncoder | None,
    modules: Sequence[str],
    compose: str | None,
    reranker: str | Path | None,
    lang: str | None,
    how: Linking,
) -> dict[str, Any]:
    """Return what the rows depend on, with hashes of files."""
    folders = [*modules, *([str(reranker)] if reranker else [])]
    return {
        "mentions": [hash_of(one) for one in mentions],
        "names": [
            [s.partition("=")[0], hash_of(p)] for s, p in zip(sources, places(sources), strict=True)
        ],
        **models_of(base, folders, compose),
        "lang": lang,
        **asdict(how),
    }
