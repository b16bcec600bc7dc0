"""``xadapt index`` and ``xadapt retrieve``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xadapt.cli import launched, options
from xadapt.cli.store import TABLE, TableOption, ToOption, fill
from xadapt.cli.verbs import Verb
from xadapt.core.errors import UserError
from xadapt.core.output_files import require_output

if TYPE_CHECKING:
    from xadapt.inference.passage_index import Hit, PassageIndex


def index(
    base: options.BaseOption,
    passages: Annotated[
        str,
        typer.Option(
            metavar="FILE", help="Lines of id, tab, text or id, tab, title, tab, text; or .jsonl."
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="FOLDER", file_okay=False, help="Folder to make.")],
    module: options.ModuleOption = None,
    compose: options.ComposeOption = None,
    lang: Annotated[
        str | None,
        typer.Option(
            metavar="TAG",
            help="Language of the passages, where several modules act by language. One module acts "
            "on every row.",
        ),
    ] = None,
    queries: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Queries to fuse with the passages: passage id, tab, query."
        ),
    ] = None,
    query_weight: Annotated[
        float,
        typer.Option(
            "--query-weight", metavar="A", help="Weight of the sum of a passage's queries."
        ),
    ] = 0.01,
    query_lang: Annotated[
        str | None, typer.Option(metavar="TAG", help="Language of the queries (default: --lang).")
    ] = None,
    similarity: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="cosine or dot; without it, that of the base."),
    ] = None,
    to: ToOption = None,
    table: TableOption = TABLE,
    dtype: options.DtypeOption = "auto",
    allow_modified: options.AllowModifiedOption = False,
    allow_base_mismatch: options.AllowBaseMismatchOption = False,
) -> None:
    """Encode passages into an index for retrieval, with or without queries fused into them."""
    with launched.progress(f"encoding {passages}"):
        from xadapt.inference.passage_indexing import index_passages

        made = index_passages(
            passages,
            out,
            base=base,
            modules=options.split(module),
            compose=compose,
            lang=lang,
            queries=queries,
            query_weight=query_weight,
            query_lang=query_lang,
            similarity=similarity,  # type: ignore[arg-type]
            dtype=dtype,
        )
    fusion = made.manifest.fusion
    fused = f", {fusion.count} queries fused with weight {fusion.a:g}" if fusion else ""
    typer.echo(f"{len(made)} passages by {made.manifest.similarity}{fused}: {out}")
    if to is not None:
        fill(out, to, table)


def retrieve(
    folder: Annotated[Path, typer.Argument(metavar="INDEX", help="Folder that xadapt index made.")],
    base: options.BaseOption,
    questions: Annotated[str, typer.Option(metavar="FILE", help="Lines of id, tab, question.")],
    module: options.ModuleOption = None,
    compose: options.ComposeOption = None,
    lang: Annotated[
        str | None,
        typer.Option(metavar="TAG", help="Language of the questions, where it chooses the module."),
    ] = None,
    k: Annotated[int, typer.Option("--k", metavar="N", min=1, help="Passages a question.")] = 10,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            dir_okay=False,
            help="Ranking to write, in the form of TREC runs: id Q0 passage rank score xadapt.",
        ),
    ] = None,
    qrels: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Right passages, to measure with: lines of question id, tab, passage id.",
        ),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="STORE",
            help="Search in this vector store, which the index was written into: lancedb:FOLDER, "
            "qdrant:URL or pgvector:DSN.",
        ),
    ] = None,
    table: TableOption = TABLE,
    json: options.JsonOption = None,
    dtype: options.DtypeOption = "auto",
    force: options.ForceOption = False,
    allow_modified: options.AllowModifiedOption = False,
    allow_base_mismatch: options.AllowBaseMismatchOption = False,
) -> None:
    """Find the passages of questions in an index; it refuses another base or module."""
    if out is not None:
        require_output(out, reads=(questions, qrels, folder), force=force)
    with launched.progress(f"searching {folder}"):
        from xadapt.core.files import write_text
        from xadapt.data.readers.passages import read_by_id
        from xadapt.hub.base_mismatch import base_mismatches
        from xadapt.inference import passage_index

        asked = {name: text for _, name, text in read_by_id(questions, "question")}
        right = _right(qrels) if qrels else {}
        one = passage_index.open_index(folder)
        if qrels:
            one.refuse_fused({name: text for name, text in asked.items() if name in right})
        given: dict[str, Any] = {
            "base": base,
            "modules": options.split(module),
            "compose": compose,
            "lang": lang,
            "k": k,
            "dtype": dtype,
        }
        if source is None:
            hits = passage_index.retrieve(one, list(asked.values()), **given)
        else:
            from xadapt.inference.storing import retrieve_from

            hits = retrieve_from(source, one, list(asked.values()), table=table, **given)
    found = dict(zip(asked, hits, strict=True))
    lines = _run_lines(found, "xadapt-base-mismatch" if base_mismatches() else "xadapt")
    if out is not None:
        write_text(out, "".join(f"{line}\n" for line in lines))
    elif not qrels:
        for line in lines:
            typer.echo(line)
    measures = _measured(found, right, one) if qrels else {}
    for name, value in measures.items():
        typer.echo(f"{name} {value:.4f}")
    ranked = {name: [[h.passage.id, h.score] for h in row] for name, row in found.items()}
    options.save_json(json, {"command": "retrieve", "measures": measures, "found": ranked})


def _run_lines(found: dict[str, list[Hit]], tag: str) -> list[str]:
    return [
        f"{name} Q0 {hit.passage.id} {rank} {hit.score:.6f} {tag}"
        for name, hits in found.items()
        for rank, hit in enumerate(hits, 1)
    ]


def _right(source: str) -> dict[str, dict[str, int]]:
    from xadapt.data.readers.passages import read_by_id

    found: dict[str, dict[str, int]] = {}
    for _, name, passage in read_by_id(source, "passage id"):
        found.setdefault(name, {})[passage] = 1
    return found


def _measured(
    found: dict[str, list[Hit]], right: dict[str, dict[str, int]], index: PassageIndex
) -> dict[str, Any]:
    from xadapt.integrations.ranking_measures import measure_rankings

    there = set(index.ids())
    for name, passages in right.items():
        absent = next((one for one in passages if one not in there), None)
        if absent is not None and name in found:
            raise UserError(
                f"the right passage {absent!r} of question {name!r} is not in the index",
                where=str(index.folder),
                todo="Check that --qrels and the index are of one collection",
            )
    ranked = {name: [hit.passage.id for hit in hits] for name, hits in found.items()}
    by_question = measure_rankings(ranked, right)
    return {name: sum(own.values()) / len(own) for name, own in by_question.items()}


VERBS = (
    Verb(
        "index",
        "Use",
        index,
        (
            "xadapt index --base mini --module sw --passages wiki.tsv --out wiki-index",
            "xadapt index --base mini --passages wiki.tsv --queries asked.tsv \\\n"
            "  --query-weight .01 --out fused",
        ),
    ),
    Verb(
        "retrieve",
        "Use",
        retrieve,
        (
            "xadapt retrieve wiki-index --base mini --module sw --questions asked.tsv",
            "xadapt retrieve fused --base mini --questions new.tsv --qrels right.tsv",
        ),
    ),
)
