"""``vote_names``: names of entities in one language, voted over sources."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xadapt.core.errors import UserError
from xadapt.core.sequences import as_paths, as_strings
from xadapt.data.graphs.graph import KnowledgeGraph
from xadapt.data.graphs.opening import open_graph
from xadapt.data.readers.graph_source import is_graph
from xadapt.data.readers.name_files import NameTable, ScoredName, read_checked, read_names
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.integrations.translators.cached import cached_translator
from xadapt.integrations.translators.protocol import Translator
from xadapt.languages.tags import normalise
from xadapt.pipelines.kg_encoder import open_encoder
from xadapt.pipelines.kg_voted import VotedNames
from xadapt.pipelines.unfinished import Unfinished, digest_of, models_of, unfinished
from xadapt.tasks.kg.name_sentences import in_sentence, name_in
from xadapt.tasks.kg.name_vectors import encode_names
from xadapt.tasks.kg.name_votes import Alike, Voted, count_names, name_scores, vote
from xadapt.vectors.matching import nearest

Report = Callable[[str], None]
RETRIEVED = "retrieved"
LEAST = 0.8


@dataclass(frozen=True)
class Voting:
    """How names are voted and measured.

    Attributes:
        min_votes: Votes that a name needs to be written.
        confirms: Votes that keep a known name from being flagged as wrong.
        scored: Whether a file gives as many votes as its score of a name.
        merge: Least cosine at which two names of one entity are spellings of one name; 0 for none.
        least: Least cosine of a retrieved name.
        resamples: Number of bootstrap samples.
        seed: Seed of the bootstrap.
    """

    min_votes: int = 2
    confirms: int = 1
    scored: bool = False
    merge: float = 0.0
    least: float = LEAST
    resamples: int = 1000
    seed: int = 0

    def check(self, has_base: bool, has_pool: bool) -> None:
        """Refuse options that are out of range or don't fit together.

        Args:
            has_base: Whether there is a base.
            has_pool: Whether there are names to retrieve from.

        Raises:
            UserError: If there is such an option.
        """
        for name in ("min_votes", "confirms"):
            if getattr(self, name) < 1:
                raise UserError(f"{getattr(self, name)} is below 1", where=_option(name))
        for name in ("merge", "least"):
            if not 0 <= getattr(self, name) <= 1:
                raise UserError("a cosine here is from 0 to 1", where=_option(name))
        for name, given in (("--merge", self.merge > 0), ("--pool", has_pool)):
            if given and not has_base:
                raise UserError("this compares vectors", where=name, todo="Add --base BASE")
        if has_base and not (self.merge or has_pool):
            raise UserError(
                "the base would do nothing", where="--base", todo="Add --merge COSINE or --pool"
            )


@dataclass
class _Job:
    lang: str
    how: Voting
    report: Report
    progress: Callable[[int], None]
    place: Unfinished
    notes: list[str] = field(default_factory=list)

    def note(self, line: str) -> None:
        """Keep a line for people, and report it."""
        self.notes.append(line)
        self.report(line)


def vote_names(
    sources: str | Sequence[str] | Mapping[str, str | NameTable],
    *,
    lang: str,
    graph: str | KnowledgeGraph | None = None,
    from_langs: str | Sequence[str] = (),
    translators: str | Translator | Sequence[str | Translator] = (),
    pool: str | None = None,
    base: str | AdaptedEncoder | None = None,
    modules: str | Path | Sequence[str | Path] = (),
    compose: str | None = None,
    gold: str | Path | None = None,
    out: str | Path | None = None,
    restart: bool = False,
    dtype: str = "auto",
    report: Report = lambda _: None,
    progress: Callable[[int], None] = lambda _: None,
    **voting: Any,
) -> VotedNames:
    """Vote the names of entities in one language over sources.

    Each source gives an entity names; a name has as many votes as sources give it. A source is a
    file, such as the answers of a language model, or a graph with names in the language. Each
    translator is a source for each language it translates names from, and the retrieval of names by
    a module is one.

    Args:
        sources: ``NAME=FILE`` or ``NAME=GRAPH``, or a mapping of names to files, graphs or tables.
        lang: Language of the names.
        graph: A graph with names of the same entities in other languages.
        from_langs: Languages of the graph whose names are translated and looked up; by default all
            but ``lang``.
        translators: Translators of the names of the graph, as for `xadapt.translate`.
        pool: A file of names, or a graph, whose names in the language are retrieved from: the
            nearest to each name of the graph in other languages; without a graph, to the name with
            most votes.
        base: The base that encodes names, or a loaded encoder.
        modules: Folders of modules on that base; one module acts on all texts.
        compose: A composition of the modules.
        gold: A file of checked names, to measure with.
        out: A file for the names, as JSON lines that are a source again. Vectors of names are kept
            beside it until it is written, so that the same call goes on after an interruption.
        restart: Whether the kept vectors of another module are dropped.
        dtype: Type of the base's weights.
        report: Receives lines for people.
        progress: Called with numbers of encoded names.
        voting: The fields of `Voting`.

    Raises:
        UserError: If a source, a language or an option is wrong, or no source gives a name. Nothing
            is written then.
    """
    how = Voting(**voting)
    how.check(base is not None, pool is not None)
    named = _named(sources)
    given = [translators] if isinstance(translators, (str, Translator)) else list(translators)
    if given and graph is None:
        raise UserError("translators need names in other languages", todo="Add --graph SOURCE")
    if graph is not None and not given and pool is None:
        raise UserError(
            "the graph would do nothing", where="--graph", todo="Add --translator or --pool"
        )
    checked = None if gold is None else read_checked(str(gold))
    tag = normalise(lang)
    other = open_graph(graph) if isinstance(graph, str) else graph
    langs = _languages(other, as_strings(from_langs), tag)
    encoder = open_encoder(base, modules, compose, dtype)
    work = {"lang": tag, **models_of(base, as_paths(modules), compose)}
    with unfinished(None if encoder is None else out, work, restart=restart) as place:
        job = _Job(tag, how, report, progress, place)
        tables = {name: _table(source, tag) for name, source in named.items()}
        if other is not None:
            for one in given:
                tables.update(_translated(one, other, langs, tables, job))
        if pool is not None:
            assert encoder is not None
            tables[RETRIEVED] = _retrieved(pool, other, langs, tables, encoder, job)
        if not any(tables.values()):
            raise UserError("no source gives a name", todo="Add --source NAME=FILE")
        merging = encoder if how.merge else None
        alike = None if merging is None else _alike(tables, merging, job)
        voted = vote(tables, scored=how.scored, alike=alike)
        scores = {}
        counts = None
        if checked is not None:
            counts = count_names(voted, checked, how.min_votes, how.confirms)
            scores = name_scores(counts, resamples=how.resamples, seed=how.seed)
        sizes = {name: sum(map(len, own.values())) for name, own in tables.items()}
        made = VotedNames(
            tag, voted, how.min_votes, how.confirms, sizes, scores, counts, checked or {},
            tuple(job.notes),
        )  # fmt: skip
        if out is not None:
            made.write(out)
            place.finish()
    return made


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _named(
    sources: str | Sequence[str] | Mapping[str, str | NameTable],
) -> dict[str, str | NameTable]:
    """Return sources by name; a source without one has the name of its file."""
    if isinstance(sources, Mapping):
        return dict(sources)
    found: dict[str, str | NameTable] = {}
    for text in as_strings(sources):
        name, equals, place = text.partition("=")
        if not equals or Path(text).exists():
            name, place = Path(text).name or text, text
        if not name or not place:
            raise UserError(f"{text!r} is no NAME=FILE", where="--source")
        if name in found:
            raise UserError(
                f"two sources are named {name!r}", where="--source", todo="Write NAME=FILE"
            )
        found[name] = place
    return found


def _table(source: str | NameTable, lang: str) -> NameTable:
    if not isinstance(source, str):
        return source
    if Path(source).exists() or not is_graph(source):
        return read_names(source)
    names = open_graph(source).names(lang)
    return {
        entity: tuple(ScoredName(name, primary=not i) for i, name in enumerate(own))
        for entity, own in names.items()
    }


def _languages(graph: KnowledgeGraph | None, given: Sequence[str], lang: str) -> tuple[str, ...]:
    """Return the graph's languages that names are taken from.

    Raises:
        UserError: If one is the language that names are wanted in, or the graph has none.
    """
    if graph is None:
        if given:
            raise UserError("this names languages of --graph", where="--from", todo="Add --graph")
        return ()
    own = graph.languages if not given else [graph.language(tag) for tag in given]
    found = tuple(tag for tag in own if normalise(tag) != lang)
    if given and len(found) < len(given):
        raise UserError(
            f"{lang} is the language that names are wanted in", where="--from", todo="Leave it out"
        )
    if not found:
        raise UserError("the graph has no names in other languages", where=graph.name)
    return found


def _translated(
    translator: str | Translator,
    graph: KnowledgeGraph,
    langs: Sequence[str],
    known: Mapping[str, Any],
    job: _Job,
) -> Iterator[tuple[str, NameTable]]:
    """Yield a source for each language: the usual names, translated with their descriptions."""
    opened = cached_translator(translator)
    kind = (
        translator if isinstance(translator, str) else opened.facts.get("translator", "translator")
    )
    opened.progress = job.progress
    for lang in langs:
        positions, names = graph.labels[lang].first()
        about = graph.descriptions.get(lang)
        told = [about.at(i) if about is not None else () for i in positions.tolist()]
        texts = [in_sentence(n, *own[:1]) for n, own in zip(names, told, strict=True)]
        found: dict[str, tuple[ScoredName, ...]] = {}
        said = opened.translate(texts, lang, job.lang)
        for position, own, text in zip(positions.tolist(), told, said, strict=True):
            name = name_in(text, bool(own and own[0].strip()))
            if name is not None:
                found[graph.entities[position]] = (ScoredName(name, primary=True),)
        if len(found) < len(texts):
            job.note(f"{kind} from {lang}: {len(texts) - len(found):,} translations hold no name")
        label = f"{Path(kind).name} {lang}"
        while label in known:
            label += "'"
        yield label, found


def _retrieved(
    pool: str,
    graph: KnowledgeGraph | None,
    langs: Sequence[str],
    tables: Mapping[str, NameTable],
    encoder: AdaptedEncoder,
    job: _Job,
) -> NameTable:
    """Return the nearest names of the pool to the names of each entity, as one source."""
    rows = _table(pool, job.lang)
    names = list(dict.fromkeys(one.name for own in rows.values() for one in own))
    if not names:
        raise UserError("there are no names to retrieve from", where=pool)
    vectors = _vectors(names, job.lang, encoder, job)
    found: dict[str, dict[str, None]] = {}
    for lang, asked in _asked(graph, langs, tables, job):
        own = _vectors(list(asked.values()), lang, encoder, job)
        best = nearest(own, vectors, 1)
        for entity, score, place in zip(
            asked, best.scores[:, 0].tolist(), best.indices[:, 0].tolist(), strict=True
        ):
            if score >= job.how.least:
                found.setdefault(entity, {})[names[place]] = None
    job.note(f"retrieved: names for {len(found):,} entities from {len(names):,} names")
    return {entity: tuple(map(ScoredName, own)) for entity, own in found.items()}


def _asked(
    graph: KnowledgeGraph | None,
    langs: Sequence[str],
    tables: Mapping[str, NameTable],
    job: _Job,
) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield languages with the name of each entity that is looked up."""
    if graph is None:
        voted: Voted = vote(tables, scored=job.how.scored)
        top = {entity: own[0].name for entity, own in voted.items() if own}
        if top:
            yield job.lang, top
    for lang in langs if graph is not None else ():
        positions, names = graph.labels[lang].first()  # type: ignore[union-attr]
        ids = (graph.entities[i] for i in positions.tolist())  # type: ignore[union-attr]
        yield lang, dict(zip(ids, names, strict=True))


def _alike(tables: Mapping[str, NameTable], encoder: AdaptedEncoder, job: _Job) -> Alike:
    """Return the function that tells which names are spellings of one name."""
    every = (one.name for table in tables.values() for one in chain(*table.values()))
    place = {name: i for i, name in enumerate(dict.fromkeys(every))}
    vectors = _vectors(list(place), job.lang, encoder, job)

    def alike(names: Sequence[str]) -> NDArray[np.bool_]:
        own = np.asarray(vectors[[place[name] for name in names]], dtype=np.float32)
        own = own / np.maximum(np.linalg.norm(own, axis=1, keepdims=True), 1e-12)
        same: NDArray[np.bool_] = own @ own.T >= job.how.merge
        np.fill_diagonal(same, True)
        return same

    return alike


def _vectors(
    names: Sequence[str], lang: str, encoder: AdaptedEncoder, job: _Job
) -> NDArray[np.float32]:
    def encode(texts: Sequence[str]) -> NDArray[np.float32]:
        found: NDArray[np.float32] = encoder.encode(
            list(texts), language=lang, show_progress_bar=False
        )
        return found

    file = job.place.name(f"{digest_of(lang, *names)}.npy")
    return encode_names(names, encode, job.place.folder, file, job.progress, keep=job.place.kept)
