"""``xadapt project``: the labels of a corpus on its translation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xadapt.cli import completion, launched, options
from xadapt.cli.verbs import Verb
from xadapt.core.output_files import require_outputs


def project(
    data: Annotated[
        str,
        typer.Option(
            metavar="FILE",
            help="Labelled sentences: CoNLL, or .jsonl with tokens and spans or ner_tags.",
        ),
    ],
    source: Annotated[str, typer.Option(metavar="TAG", help="Language of the labels.")],
    target: Annotated[str, typer.Option(metavar="TAG", help="Language of the translations.")],
    out: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            dir_okay=False,
            help="The labelled translations to write: CoNLL (IOB2), or spans if it ends in .jsonl.",
        ),
    ],
    method: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="align: along links between words; codec: where a translation model puts markers; "
            "tprojection: the likeliest candidates; markers: brackets that a translator keeps.",
        ),
    ] = "align",
    translations: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Translations in order: .txt with a sentence a line, else a word a line with "
            "empty lines between sentences.",
        ),
    ] = None,
    translator: Annotated[
        str | None,
        typer.Option(
            metavar="TRANSLATOR",
            help="Translates in place of a file: apertium, seq2seq:ORG/NAME or file:PAIRS.tsv. "
            "For codec and tprojection the model that scores, also beside a file.",
        ),
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(
            metavar="BASE",
            help="The base that links words, as for align-words.",
            autocompletion=completion.bases,
        ),
    ] = None,
    module: options.ModuleOption = None,
    compose: options.ComposeOption = None,
    links: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Links in place of a base: a line a sentence, 0-0 1-2."),
    ] = None,
    links_by: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="argmax (default), itermax, softmax or transport."),
    ] = None,
    layer: Annotated[
        int | None,
        typer.Option(metavar="N", min=0, help="Layers before the states. Without it: two thirds."),
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(metavar="X", help="Threshold of softmax and transport.")
    ] = None,
    gap: Annotated[
        int,
        typer.Option(metavar="N", min=0, help="Most words between linked runs that are joined."),
    ] = 1,
    same_words: Annotated[
        bool,
        typer.Option(
            "--same-words",
            help="A span whose very words stand in the translation goes to them.",
        ),
    ] = False,
    purpose: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="codec: train leaves a sentence out if a span fails, test keeps every sentence.",
        ),
    ] = "train",
    alpha: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=-1,
            help="codec: tokens that the search looks ahead; -1 is exact. Without it: 1, or 5 for "
            "the purpose test.",
        ),
    ] = None,
    best: Annotated[
        int, typer.Option(metavar="N", min=1, help="codec: places of a span that are compared.")
    ] = 5,
    back: Annotated[
        str | None,
        typer.Option(
            metavar="TRANSLATOR",
            help="codec: the model of the other direction, if the translator has one only.",
        ),
    ] = None,
    candidates: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="tprojection: ngrams, or a generator that fills type slots: MODEL or MODEL+LORA.",
        ),
    ] = None,
    beams: Annotated[
        int, typer.Option(metavar="N", min=1, help="tprojection: outputs of the generator.")
    ] = 15,
    pieces: Annotated[
        bool,
        typer.Option("--pieces", help="tprojection: a word of a candidate may be part of a word."),
    ] = False,
    whole: Annotated[
        bool,
        typer.Option("--whole", help="Keep only sentences of which every span was projected."),
    ] = False,
    log: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            dir_okay=False,
            help="JSON lines of the spans that were dropped, with reasons. Without it: beside "
            "--out, with .drops.jsonl.",
        ),
    ] = None,
    dtype: options.DtypeOption = "auto",
    json: options.JsonOption = None,
    force: options.ForceOption = False,
    allow_modified: options.AllowModifiedOption = False,
) -> None:
    """Project labelled spans of a corpus onto its translation; say what was dropped, and why."""
    options.require_named(options.split(module), compose)
    drops = out.with_suffix(".drops.jsonl") if log is None else log
    reads = (data, translations, links, base, *options.split(module))
    reads += tuple(named.partition(":")[2] for named in (translator, back) if named)
    require_outputs((out, drops), reads=reads, force=force, json=json)
    with launched.progress("starting"):
        from xadapt.core.progress import meter
        from xadapt.pipelines.project import project as projected
    with meter("projecting", None) as bar:
        made = projected(
            data,
            source=source,
            target=target,
            translations=translations,
            translator=translator,
            method=method,
            base=base,
            modules=options.split(module),
            compose=compose,
            links=links,
            gap=gap,
            same_words=same_words,
            purpose=purpose,
            alpha=alpha,
            best=best,
            back=back,
            candidates=candidates,
            beams=beams,
            pieces=pieces,
            whole=whole,
            out=out,
            log=drops,
            dtype=dtype,
            progress=bar.advance,
            links_by=links_by,
            layer=layer,
            threshold=threshold,
        )
    told = made.to_dict()
    options.save_json(json, told)
    typer.echo(
        f"{told['sentences']:,} sentences, {told['spans']:,} of {told['source_spans']:,} spans "
        f"({made.rate:.1%}): {out}"
    )
    for reason, count in told["dropped"].items():
        first = next(drop for drop in made.drops if drop.reason == reason)
        typer.echo(f"{count:,} dropped: {reason}; first in sentence {first.row}", err=True)
    if made.drops:
        typer.echo(f"each with its reason: {drops}", err=True)


VERBS = (
    Verb(
        "project",
        "Data",
        project,
        (
            "xadapt project --method align --base mini --data ner.conll --source en \\\n"
            "  --target sw --translations ner_sw.txt --out ner_sw.conll",
            "xadapt project --method codec --translator seq2seq:my-name/nllb-brackets \\\n"
            "  --data ner.conll --source en --target sw --out ner_sw.jsonl",
        ),
    ),
)
