"""``xadapt translate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xadapt.cli.verbs import Verb
from xadapt.core.errors import UserError
from xadapt.core.files import write_text
from xadapt.core.output_files import require_output
from xadapt.data.readers.lines import read_lines


def translate(
    data: Annotated[str, typer.Option(metavar="FILE", help="Text, a line each.")],
    translator: Annotated[
        str,
        typer.Option(
            metavar="TRANSLATOR",
            help="apertium, seq2seq:ORG/NAME (NLLB, M2M100, mBART, Marian) or "
            "file:TRANSLATIONS.tsv.",
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
            help="File to write: each text, a tab, and its translation. --data and file: read it.",
        ),
    ],
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Translate text by Apertium, a model of transformers, or a file; no text twice."""
    from xadapt.pipelines.translate import translate as translated

    require_output(out, reads=[data, translator.removeprefix("file:")], force=force)
    lines = (" ".join(line.split()) for _, line in read_lines(data))
    texts = list(dict.fromkeys(line for line in lines if line))
    if not texts:
        raise UserError("the file holds no text", where=data)
    found = translated(texts, translator=translator, source=source, target=target, show=True)
    rows = zip(texts, (" ".join(text.split()) for text in found), strict=True)
    write_text(out, "".join(f"{text}\t{own}\n" for text, own in rows if own))
    typer.echo(f"wrote {out}: {len(texts):,} texts from {source} into {target}", err=True)


VERBS = (
    Verb(
        "translate",
        "Data",
        translate,
        (
            "xadapt translate --data en.txt --translator apertium --source en --target es \\\n"
            "  --out en-es.tsv",
            "xadapt translate --data en.txt --source en --target sw --out en-sw.tsv \\\n"
            "  --translator seq2seq:facebook/nllb-200-distilled-600M",
        ),
        interrupted="the same command goes on where it stopped",
    ),
)
