"""``xadapt profile``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xadapt.cli import launched, options
from xadapt.cli.verbs import Verb


def profile(
    base: options.BaseOption,
    lang: Annotated[
        list[str],
        typer.Option(metavar="TAG", help=f"Language to measure: BCP-47. {options.SEVERAL}"),
    ],
    module: options.ModuleOption = None,
    compose: options.ComposeOption = None,
    data: Annotated[
        str,
        typer.Option(
            metavar="SOURCE",
            help="Parallel text that no module has seen; {lang} in it stands for the language. "
            "sample:test ships.",
        ),
    ] = "sample:test",
    pivot: options.PivotOption = None,
    columns: options.ColumnsOption = None,
    file_format: options.FormatOption = None,
    limit: Annotated[
        int, typer.Option(metavar="N", help="The most pairs of a language, chosen by hash.")
    ] = 500,
    noise: Annotated[
        float, typer.Option(metavar="SHARE", help="Share of the letters that are mistyped.")
    ] = 0.05,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of the mistyped letters.")] = 0,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write a page (HTML).")
    ] = None,
    force: options.ForceOption = False,
    json: options.JsonOption = None,
    allow_modified: options.AllowModifiedOption = False,
    allow_base_mismatch: options.AllowBaseMismatchOption = False,
) -> None:
    """Show what an encoder and its modules do in each language, on one page.

    Retrieval by language and in the worst one, the tokenizer, what becomes of the pivot language,
    sizes, mistyped texts, language identity, and bias between languages.
    """
    from xadapt.report.profile import MARK

    if out is not None:
        own = out.is_file() and MARK in out.read_text(encoding="utf-8", errors="replace")[:4000]
        options.require(
            force or own or not out.exists(),
            f"{out} is there, and no page of a profile",
            "Name another file with --out, or add --force",
        )
    with launched.progress("measuring"):
        from xadapt.pipelines.profile import profile as run

        found = run(
            base=base, lang=options.tags(lang), data=data, modules=options.split(module),
            compose=compose, pivot=pivot or options.PIVOT, columns=columns,
            file_format=file_format, limit=limit, noise=noise, seed=seed,
        )  # fmt: skip
    if not launched.is_first():
        return
    typer.echo(str(found))
    if out is not None:
        found.write_page(out)
        typer.echo(f"wrote {out}")
    options.save_json(json, {"command": "profile", **found.to_dict()})


VERBS = (
    Verb(
        "profile",
        "Evaluate",
        profile,
        (
            "xadapt profile --base mini --lang de,ru --limit 100 --out profile.html",
            "xadapt profile --base mini --lang sw --module sw --data test.tsv \\\n"
            "    --json profile.json",
        ),
    ),
)
