"""``xadapt annotate``: labelled data from texts, by language models."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xadapt.cli import launched, options
from xadapt.cli.verbs import Verb
from xadapt.core.errors import UserError
from xadapt.core.output_files import require_output

if TYPE_CHECKING:
    from xadapt.pipelines.annotate import AnnotationTask

TASKS = ("entities", "ratings", "open_ie")
MODEL_HELP = (
    "A language model: openai:MODEL@URL (any endpoint that speaks OpenAI's API), local:FOLDER (a "
    "causal model of transformers) or file:REPLIES.jsonl."
)
KeyOption = Annotated[
    list[str] | None,
    typer.Option(
        "--api-key-env",
        metavar="VARIABLE",
        help="Environment variable with the key of the endpoint: one for all, or one for each "
        "model (repeat the option). Without it, OPENAI_API_KEY for OpenAI's own address, and no "
        "key for others.",
    ),
]
PriceOption = Annotated[
    str | None,
    typer.Option(
        "--price",
        metavar="IN,OUT",
        help="Price of a million tokens of questions and of replies, to tell the cost.",
    ),
]
ConcurrencyOption = Annotated[
    int,
    typer.Option("--concurrency", metavar="N", min=1, max=256, help="Rows worked on at a time."),
]


def annotate(
    data: Annotated[
        str,
        typer.Option(
            metavar="FILE",
            help="Texts: JSON lines with text, perhaps id and lang; or a text on each line. For "
            "open_ie, JSON lines with triples, or with tokens and extractions.",
        ),
    ],
    llm: Annotated[
        list[str],
        typer.Option(
            "--llm", metavar="MODEL", help=f"{MODEL_HELP} Several annotators: repeat the option."
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            dir_okay=False,
            help="JSON lines to write. The same command goes on after an interruption.",
        ),
    ],
    task: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="What to annotate: entities (named entities of open types), ratings (how useful "
            "each passage is, for passage_filter) or open_ie (open triples, carried to other "
            "languages).",
        ),
    ] = "entities",
    into: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TAG", help=f"For open_ie: languages to carry triples to. {options.SEVERAL}"
        ),
    ] = None,
    lang: Annotated[
        str | None, typer.Option(metavar="TAG", help="Language of texts that name none.")
    ] = None,
    least_rating: Annotated[
        int,
        typer.Option(
            "--least-rating",
            metavar="N",
            min=1,
            max=4,
            help="Leave out passages that the first model rates lower, from 1 to 4, for how useful "
            "they are; 1 asks for no rating.",
        ),
    ] = 3,
    agree: Annotated[
        int, typer.Option(metavar="N", min=1, help="Annotators that must have found a span.")
    ] = 1,
    native_labels: Annotated[
        bool,
        typer.Option(
            "--native-labels", help="Also give each label in the language of its passage."
        ),
    ] = False,
    log: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            dir_okay=False,
            help="File for the rows that were rejected, with reasons. Without it, OUT.log.jsonl.",
        ),
    ] = None,
    concurrency: ConcurrencyOption = 8,
    api_key_env: KeyOption = None,
    price: PriceOption = None,
    json: options.JsonOption = None,
    force: options.ForceOption = False,
) -> None:
    """Annotate texts by language models; every row is accepted, or rejected with a reason."""
    if task not in TASKS:
        todo = f"Name {', '.join(TASKS[:-1])} or {TASKS[-1]}"
        raise UserError(f"there is no task {task!r}", where="--task", todo=todo)
    options.require(
        (task == "open_ie") == bool(into), "--into and --task open_ie need each other", "Give both"
    )
    given = (least_rating, agree, native_labels)
    options.require(
        task == "entities" or given == (3, 1, False),
        "--least-rating, --agree and --native-labels are for entities",
        "Leave them out",
    )
    reads = [data, *(one.removeprefix("file:") for one in llm)]
    with launched.progress("starting"):
        from xadapt.integrations.language_models.client import parse_price
        from xadapt.pipelines.annotate import annotate as annotated
        from xadapt.pipelines.annotate import log_path
        from xadapt.pipelines.annotate_entities import Entities
        from xadapt.pipelines.annotate_ratings import Ratings
        from xadapt.pipelines.annotate_triples import Triples
    written = (out, log_path(out, log))
    for path in written:
        require_output(path, reads=reads, force=force)
    options.require(
        written[0].resolve() != written[1].resolve(), "--out and --log are one file", "Name another"
    )
    chosen: AnnotationTask
    if task == "open_ie":
        chosen = Triples(tuple(options.split(into)))
    else:
        chosen = Entities(*given) if task == "entities" else Ratings()
    result = annotated(
        data,
        out,
        task=chosen,
        models=llm,
        lang=lang,
        log=log,
        key_env=options.split(api_key_env),
        price=None if price is None else parse_price(price),
        workers=concurrency,
        show=True,
    )
    options.save_json(json, {"command": "annotate", "task": task, **result.to_dict()})
    typer.echo(result)
    for model in result.models:
        typer.echo(told(model), err=True)
    typer.echo(f"wrote {out} and {written[1]}", err=True)


def told(model: dict[str, Any]) -> str:
    """Return what one model was asked, in a line."""
    from xadapt.integrations.language_models.client import Usage

    usage = Usage(**{field.name: model[field.name] for field in fields(Usage)})
    return f"{model.get('model') or model.get('file')}: {usage}"


VERBS = (
    Verb(
        "annotate",
        "Data",
        annotate,
        (
            "xadapt annotate --data passages.jsonl --lang sw \\\n"
            "  --llm openai:gpt-4o-mini --llm openai:gemma@http://localhost:8000/v1 \\\n"
            "  --native-labels --out entities.jsonl",
            "xadapt annotate --task open_ie --data triples.jsonl --lang en --into de,es \\\n"
            "  --llm local:qwen --out open_triples.jsonl --json counts.json",
        ),
        interrupted="the same command goes on where it stopped",
    ),
)
