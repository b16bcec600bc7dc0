"""``xadapt label``: spans of sentences, written by an encoder-decoder as tagged text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xadapt.cli import completion, launched, options
from xadapt.cli.verbs import Verb
from xadapt.core.output_files import require_output


def label(
    model: Annotated[
        str,
        typer.Option(
            metavar="MODEL",
            help="An encoder-decoder that writes sentences with tags: a Hub id or a folder.",
        ),
    ],
    types: Annotated[
        list[str],
        typer.Option(metavar="TYPE", help=f"Types of spans, such as PER,LOC. {options.SEVERAL}"),
    ],
    data: Annotated[
        str,
        typer.Option(
            metavar="FILE",
            help="Words, one a line, and an empty line after each sentence (CoNLL).",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            metavar="FILE", dir_okay=False, help="The CoNLL file to write: word, tab, label."
        ),
    ],
    module: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER",
            help="Folder of a module that was trained on the model, or of a LoRA as peft saves it; "
            "or a composition of modules, such as 'domain + tasks'.",
            autocompletion=completion.paths,
        ),
    ] = None,
    constrained: Annotated[
        bool,
        typer.Option(
            "--constrained/--free",
            help="Hold outputs to tagged copies of their sentences (the default), or let the model "
            "write freely and give no labels to sentences that it changes.",
        ),
    ] = True,
    beams: Annotated[
        int, typer.Option(metavar="N", min=1, help="Number of beams; 1 is greedy.")
    ] = 4,
    prompt: Annotated[
        str, typer.Option(metavar="TEXT", help="Text before each sentence, as in training.")
    ] = "",
    column: Annotated[
        int, typer.Option(metavar="N", min=1, help="Column of the words, from 1.")
    ] = 1,
    batch_size: Annotated[
        int, typer.Option(metavar="N", min=1, help="Number of sentences in one forward.")
    ] = 16,
    dtype: options.DtypeOption = "auto",
    json: options.JsonOption = None,
    force: options.ForceOption = False,
) -> None:
    """Label spans by a model that writes each sentence again with tags; words stay as they are."""
    options.require(
        json is None or json.resolve() != out.resolve(), "--json and --out are one file"
    )
    require_output(out, reads=(data, model, module), force=force)
    with launched.progress("starting"):
        from xadapt.core.progress import meter
        from xadapt.pipelines.label import label as labelled
    with meter("labelling", None) as bar:
        found = labelled(
            data,
            model=model,
            types=options.split(types),
            module=module,
            out=out,
            constrained=constrained,
            beams=beams,
            batch_size=batch_size,
            prompt=prompt,
            column=column,
            dtype=dtype,
            progress=bar.advance,
        )
    told = found.to_dict()
    options.save_json(json, told)
    spans = ", ".join(f"{count:,} {name}" for name, count in told["spans"].items()) or "no spans"
    typer.echo(f"{told['sentences']:,} sentences, {spans}: {out}")
    if told["malformed"]:
        typer.echo(f"{told['malformed']:,} outputs are no tagged copy: no labels", err=True)
    if told["cut"]:
        typer.echo(f"{told['cut']:,} sentences are read in parts", err=True)


VERBS = (
    Verb(
        "label",
        "Use",
        label,
        (
            "xadapt label --constrained --model tagger-t5 --types PER,LOC \\\n"
            "  --data words.conll --out labelled.conll",
            "xadapt label --free --beams 1 --model tagger-t5 --types PER,LOC \\\n"
            "  --data words.conll --out free.conll --json counts.json",
        ),
    ),
)
