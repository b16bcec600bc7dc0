"""``xadapt tokens``."""

from __future__ import annotations

from typing import Annotated

import typer

from xadapt.cli import launched, options
from xadapt.cli.verbs import Verb


def tokens(
    base: options.BaseOption,
    text: Annotated[
        str,
        typer.Option(metavar="FILE", help="Plain text of the language, one text a line."),
    ],
    lang: Annotated[str, typer.Option(metavar="TAG", help="The language of the text.")],
    size: Annotated[
        int, typer.Option(metavar="N", help="The most pieces of the own vocabulary.")
    ] = 8000,
    json: options.JsonOption = None,
) -> None:
    """Show how a base spells a language, beside a vocabulary of the language's own."""
    with launched.progress("counting tokens"):
        from xadapt.pipelines.token_counts import count_tokens

        found = count_tokens(text, base=base, lang=lang, size=size)
    options.save_json(json, {"command": "tokens", **found.to_dict()})
    typer.echo(str(found))


VERBS = (
    Verb(
        "tokens",
        "Evaluate",
        tokens,
        (
            "xadapt tokens --base mini --text news.txt --lang sw",
            "xadapt tokens --base mini --text news.txt --lang hi --size 16000 \\\n"
            "    --json tokens.json",
        ),
    ),
)
