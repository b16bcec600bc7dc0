"""``judge_candidates``: choose among the candidates of an alignment by votes, or abstain.

Source: LLM-Align, https://arxiv.org/abs/2412.04690: attributes first, relations for what is still
open, several rounds of voting; the scores of the alignment are not shown. The orders of rounds are
a cyclic Latin square here. The prompt is our own.

Test links are read to measure alone. The answer is always one of the candidates that were found.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from xadapt.core.errors import UserError
from xadapt.core.files import sha256_file
from xadapt.core.journal import Journal, open_journal
from xadapt.core.sequences import as_paths
from xadapt.data.graphs.graph import KnowledgeGraph
from xadapt.data.graphs.links import Links
from xadapt.data.graphs.opening import open_graph
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.integrations.language_models.client import Client, NoAnswerError, OutOfReachError
from xadapt.integrations.language_models.protocol import LanguageModel
from xadapt.languages.tags import display_name
from xadapt.pipelines.annotate import clients_of, identity_of
from xadapt.pipelines.kg_candidates import Candidates, Judging, read_candidates
from xadapt.pipelines.kg_judged import Judged
from xadapt.pipelines.kg_links import alignment_links
from xadapt.pipelines.kg_voters import votes_of_vectors
from xadapt.pipelines.row_workers import TEMPORARY, WORKERS, work_on_rows
from xadapt.tasks.kg.judging import (
    EntityFacts,
    Fact,
    is_decided,
    latin_orders,
    majority,
    select_facts,
)

Report = Callable[[str], None]
STAGES = ("attributes", "relations")
SYSTEM = (
    "You compare entries of two knowledge graphs. You reply with one JSON object and nothing else."
)
VERSION = 1


class Choice(BaseModel):
    """The number of a candidate, or 0 for none."""

    model_config = ConfigDict(extra="forbid")
    choice: int = Field(ge=0)


@dataclass
class _Work:
    """What the judges of one call share."""

    left: EntityFacts
    right: EntityFacts
    how: Judging
    clients: Sequence[Client] = ()
    votes: Mapping[str, Mapping[str, int | None]] = field(default_factory=dict)


def judge_candidates(
    candidates: str | Path,
    left: str | KnowledgeGraph,
    right: str | KnowledgeGraph,
    *,
    models: Sequence[str | LanguageModel | Client] = (),
    base: str | AdaptedEncoder | None = None,
    modules: str | Path | Sequence[str | Path] = (),
    reranker: str | Path | None = None,
    links: str | Links | None = None,
    out: str | Path,
    key_env: Sequence[str] = (),
    price: tuple[float, float] | None = None,
    workers: int = WORKERS,
    dtype: str = "auto",
    report: Report = lambda _: None,
    progress: Callable[[int], None] = lambda _: None,
    **judging: Any,
) -> Judged:
    """Judge the candidates of entities by voters: language models, modules, a cross-encoder.

    Each voter names one candidate or none. The answer is what more than half of the voters name.
    Replies and finished entities are kept: the same call goes on after an interruption.

    Args:
        candidates: The table of ``xadapt kg align --top N``: left id, right id, and more columns
            that are not read; the best candidate of an entity first.
        left: The source of the left graph, or the graph.
        right: The right one.
        models: Language models, each a voter.
        base: The base of the modules.
        modules: Folders of modules of that base, each a voter by the cosine of names.
        reranker: A module of ``pair_classification`` on that base with the classes ``same`` and
            ``other``: a voter that reads names and facts.
        links: Test links, to measure with. Nothing else reads them.
        out: JSON lines to write, an entity each.
        key_env: As for `xadapt.pipelines.annotate.annotate`.
        price: As for `xadapt.pipelines.annotate.annotate`.
        workers: Entities that are judged at a time.
        dtype: Type of the base's weights.
        report: Receives lines for people.
        progress: Called with numbers of judged entities.
        judging: The fields of `xadapt.pipelines.kg_candidates.Judging`.

    Raises:
        UserError: If there is no voter, a file or an option is wrong, an id is in no graph, or a
            model fails.
    """
    how = Judging(**judging)
    how.check()
    places = as_paths(modules)
    if not models and not places and reranker is None:
        raise UserError("there is no voter", todo="Add --llm, --module or --reranker")
    if (places or reranker is not None) and base is None:
        raise UserError("modules need the base they were trained on", todo="Add --base")
    out = Path(out)
    graphs = [open_graph(one) if isinstance(one, str) else one for one in (left, right)]
    known = alignment_links(links, None, graphs[0], graphs[1])
    clients = clients_of(models, key_env, price) if models else []
    work = _Work(EntityFacts(graphs[0]), EntityFacts(graphs[1]), how, clients)
    given = list(read_candidates(candidates, graphs[0], graphs[1], how))
    identity = {
        "candidates": sha256_file(candidates),
        "graphs": [graph.name for graph in graphs],
        "models": [identity_of(client) for client in clients],
        "modules": [_hash(Path(one)) for one in (*places, *([str(reranker)] if reranker else []))],
        "prompts": VERSION,
        **asdict(how),
    }
    with open_journal(out.with_name(f"{out.name}.work"), identity) as journal:
        if len(journal) < len(given):
            report(f"{len(given):,} entities, {how.top} candidates each")
            sides = work.left, work.right
            work.votes = votes_of_vectors(sides, given, how, base, places, reranker, dtype)
        work_on_rows(
            given, lambda one: _judged(work, one), journal, clients, workers=workers,
            advance=progress,
        )  # fmt: skip
        result = _result(journal, work, known.test, out)
        result.write(out)
        journal.remove()
    for client, one in zip(clients, models, strict=True):
        result.models.append({**client.facts, **client.usage.to_dict()})
        if client is not one:
            client.close()
    return result


def _judged(work: _Work, one: Candidates) -> dict[str, Any]:
    """Return the entry of an entity: the votes of all voters, and the answer."""
    votes: dict[str, int | None] = {name: own[one.source] for name, own in work.votes.items()}
    details: dict[str, Any] = {}
    temporary = False
    for client in work.clients:
        name = f"model {client.facts.get('model') or client.facts.get('file') or 'own'}"
        name = name if name not in votes else f"{name} {len(votes)}"
        try:
            votes[name], details[name] = _asked(work, one, client)
        except NoAnswerError as error:
            votes[name], details[name] = None, {"fault": str(error)}
            temporary = temporary or isinstance(error, OutOfReachError)
    choice = majority(list(votes.values()), len(votes))
    entry: dict[str, Any] = {
        "src": one.source,
        "choice": None if choice is None else one.targets[choice],
        "abstain": choice is None,
        "votes": {n: None if vote is None else one.targets[vote] for n, vote in votes.items()},
        "candidates": list(one.targets),
        **({"rounds": details} if details else {}),
    }
    return {"row": entry, **({TEMPORARY: True} if temporary else {})}


def _asked(work: _Work, one: Candidates, client: Client) -> tuple[int | None, dict[str, Any]]:
    """Let a language model vote: by attributes, then, where that is open, by relations."""
    told: dict[str, Any] = {}
    for stage in STAGES:
        facts = _facts(work, one, stage)
        if not facts[0] and not (work.how.names and stage == STAGES[-1]):
            continue  # nothing is known of the entity
        votes = _rounds(work, one, facts, client)
        counts = {one.targets[v]: votes.count(v) for v in dict.fromkeys(votes) if v is not None}
        told[stage] = {"asked": len(votes), "counts": counts}
        choice = majority(votes, work.how.rounds)
        if choice is not None:
            return choice, told
    return None, told


def _facts(work: _Work, one: Candidates, stage: str) -> list[list[Fact]]:
    """Return the facts of the entity and of each candidate that a stage shows."""
    sides = (work.left, *(work.right for _ in one.targets))
    given = [
        side.attributes(entity) if stage == "attributes" else side.relations(entity)
        for side, entity in zip(sides, (one.source, *one.targets), strict=True)
    ]
    counts = [side.counts for side in sides]
    return select_facts(given, counts, work.how.facts, work.how.identify)


def _rounds(
    work: _Work, one: Candidates, facts: Sequence[Sequence[Fact]], client: Client
) -> list[int | None]:
    """Ask in several orders until the majority can't change; return the votes."""
    votes: list[int | None] = []
    how = work.how
    for order in latin_orders(len(one.targets), how.rounds, f"{how.seed} {one.source}"):
        size = len(order)

        def fault(value: Choice, size: int = size) -> str:
            return "" if value.choice <= size else f"there is no candidate {value.choice}"

        try:
            found = client.ask(_prompt(work, one, facts, order), Choice, fault, max_tokens=64)
        except OutOfReachError:
            raise
        except NoAnswerError:
            votes.append(None)  # a reply that can't be used is a vote for nobody
        else:
            votes.append(order[found.choice - 1] if found.choice else None)
        if is_decided(votes, how.rounds):
            break
    return votes


def _prompt(
    work: _Work, one: Candidates, facts: Sequence[Sequence[Fact]], order: Sequence[int]
) -> tuple[tuple[str, str], ...]:
    langs = work.left.names.lang, work.right.names.lang
    shown = [_shown(work.left.name(one.source) if work.how.names else "", facts[0])]
    for number, place in enumerate(order, 1):
        name = work.right.name(one.targets[place]) if work.how.names else ""
        shown.append(f"Candidate {number}\n{_shown(name, facts[place + 1])}")
    listed = "\n\n".join(shown[1:])
    return ("system", SYSTEM), (
        "user",
        f"Which candidate, in {display_name(langs[1])}, is the same thing as this entry, in "
        f"{display_name(langs[0])}? The order of candidates means nothing, and facts may be "
        f"missing on either side.\n\n<entry>\n{shown[0]}\n</entry>\n\n"
        f"<candidates>\n{listed}\n</candidates>"
        '\n\nReply with {"choice": NUMBER}, or {"choice": 0} if none is the same.',
    )


def _shown(name: str, facts: Sequence[Fact]) -> str:
    lines = [f"name: {name}"] if name else []
    return "\n".join([*lines, *map(str, facts)]) or "(nothing is known)"


def _result(journal: Journal, work: _Work, test: Links | None, out: Path) -> Judged:
    right: dict[str, set[str]] = {}
    for source, target in test.pairs if test is not None else ():
        right.setdefault(source, set()).add(target)
    made = [entry["row"] for entry in journal]
    return Judged(
        work.left, work.right, made, right if test is not None else None, out,
        work.how.top, work.how.resamples, work.how.seed,
    )  # fmt: skip


def _hash(place: Path) -> str:
    folder = Path(str(place).partition("=")[2] or place)
    file = folder / "xadapt.json"
    text = str(place)
    return sha256_file(file) if file.is_file() else hashlib.sha256(text.encode()).hexdigest()
