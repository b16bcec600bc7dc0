"""``xadapt translate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xadapt.cli import completion
from xadapt.cli.options import JsonOption, split
from xadapt.cli.verbs import Verb
from xadapt.core.errors import UserError
from xadapt.core.files import write_text
from xadapt.core.output_files import require_output, write_json
from xadapt.data.readers.lines import read_lines
from xadapt.integrations.protected.spans import KINDS, kinds_of

if TYPE_CHECKING:
    from xadapt.integrations.translators.protocol import Translator
    from xadapt.pipelines.faith_judge import FaithJudge


def translate(
    data: Annotated[
        str,
        typer.Option(
            metavar="FILE", help="Text, a line each; with --selective, JSON lines of instructions."
        ),
    ],
    translator: Annotated[
        str,
        typer.Option(
            metavar="TRANSLATOR",
            help="apertium, seq2seq:ORG/NAME (NLLB, M2M100, mBART, Marian), a language model such "
            "as llm:openai:MODEL@URL, or file:TRANSLATIONS.tsv.",
        ),
    ],
    source: Annotated[
        str, typer.Option(metavar="TAG", help="Language of the text: BCP-47 or ISO 639-3.")
    ],
    target: Annotated[str, typer.Option(metavar="TAG", help="Language to translate into.")],
    out: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            dir_okay=False,
            help="File to write: each text, a tab, and its translation. --data and file: read it. "
            "With --selective, conversations as JSON lines.",
        ),
    ],
    module: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER",
            help="Folder of a module that was trained to translate on the base of seq2seq:BASE.",
            autocompletion=completion.paths,
        ),
    ] = None,
    selective: Annotated[
        bool,
        typer.Option(
            "--selective",
            help="Translate prompts and responses, but keep code, formulas and the like, and check "
            "each row.",
        ),
    ] = False,
    keep: Annotated[
        str,
        typer.Option(
            metavar="KINDS",
            help=f"Kinds of parts to keep: all, or some of {', '.join(KINDS)}, separated by "
            "commas.",
        ),
    ] = "all",
    log: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            dir_okay=False,
            help="File for the rows that were repaired or rejected, with reasons. Without it, "
            "OUT.log.jsonl.",
        ),
    ] = None,
    mix: Annotated[
        float,
        typer.Option(
            metavar="RATE", min=0.0, help="Rows of the source language for each translated row."
        ),
    ] = 0.0,
    mix_data: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="File of those rows; without it, that of --data."),
    ] = None,
    judge: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="With --selective: a language model that gives five scores to each translation, "
            "such as llm:openai:MODEL@URL. It can't be the translator.",
        ),
    ] = None,
    judge_least: Annotated[
        int,
        typer.Option(
            "--judge-least", metavar="N", min=1, max=5, help="Reject rows with a lower score."
        ),
    ] = 5,
    api_key_env: Annotated[
        list[str] | None,
        typer.Option(
            "--api-key-env",
            metavar="VARIABLE",
            help="Environment variable with the key of the translator; repeat the option for the "
            "judge if its key differs.",
        ),
    ] = None,
    json: JsonOption = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Translate text by Apertium, a model, or a file; no text twice."""
    keys = split(api_key_env)
    opened = opened_translator(translator, judge, keys)
    reads = [data, mix_data, translator.removeprefix("file:"), module]
    require_output(out, reads=reads, force=force)
    if selective:
        from xadapt.pipelines.selective import log_path, translate_selective
        from xadapt.pipelines.translate import with_module

        kinds = kinds_of(keep)
        require_output(log_path(out, log), reads=[*reads, out], force=force)
        result = translate_selective(
            data,
            out,
            translator=with_module(opened, module),
            source=source,
            target=target,
            keep=kinds,
            log=log,
            mix=mix,
            mix_data=mix_data,
            judge=None if judge is None else opened_judge(judge, judge_least, keys),
            show=True,
        )
        typer.echo(result)
        typer.echo(f"wrote {out} and {log_path(out, log)}", err=True)
        if json is not None:
            write_json(json, result.to_dict())
        return
    if keep != "all" or log is not None or mix or mix_data is not None or judge is not None:
        raise UserError(
            "--keep, --log, --mix, --mix-data and --judge need --selective", todo="Add it"
        )
    from xadapt.pipelines.translate import translate as translated

    lines = (" ".join(line.split()) for _, line in read_lines(data))
    texts = list(dict.fromkeys(line for line in lines if line))
    if not texts:
        raise UserError("the file holds no text", where=data)
    found = translated(
        texts, translator=opened, source=source, target=target, module=module, show=True
    )
    rows = zip(texts, (" ".join(text.split()) for text in found), strict=True)
    kept = [f"{text}\t{own}\n" for text, own in rows if own]
    write_text(out, "".join(kept))
    if json is not None:
        write_json(json, {"texts": len(texts), "translated": len(kept)})
    typer.echo(f"wrote {out}: {len(texts):,} texts from {source} into {target}", err=True)


def opened_translator(text: str, judge: str | None, keys: list[str]) -> str | Translator:
    """Return the translator: opened if it has a key, else its name."""
    if len(keys) > 2 or (len(keys) == 2 and judge is None):
        raise UserError("there are too many variables", where="--api-key-env", todo="Name one")
    if not keys or (judge is not None and not text.startswith("llm:")):
        return text
    from xadapt.integrations.translators.protocol import open_translator

    return open_translator(text, key_env=keys[0])


def opened_judge(text: str, least: int, keys: list[str]) -> FaithJudge:
    """Open the language model that judges."""
    from xadapt.integrations.language_models.client import open_client
    from xadapt.pipelines.faith_judge import FaithJudge

    client = open_client(text.removeprefix("llm:"), key_env=keys[-1] if keys else None)
    return FaithJudge(client, least)


VERBS = (
    Verb(
        "translate",
        "Data",
        translate,
        (
            "xadapt translate --data en.txt --translator apertium --source en --target es \\\n"
            "  --out en-es.tsv",
            "xadapt translate --selective --keep code,math,json,url,markup,table \\\n"
            "  --data en.jsonl --translator apertium --source en --target es --out es.jsonl",
        ),
        interrupted="the same command goes on where it stopped",
    ),
)
