"""``xadapt project``: the labels of a corpus on its translation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from xadapt.cli import completion, launched, options
from xadapt.cli.verbs import Verb
from xadapt.core.errors import UserError
from xadapt.core.output_files import require_outputs

REASONS = 10
"""The most reasons that are printed; all of them are in the log."""


def project(
    data: Annotated[
        str,
        typer.Option(
            metavar="FILE",
            help="Labelled sentences: CoNLL, or .jsonl with tokens and spans or ner_tags. For the "
            "task re: TACRED's JSON, .jsonl, or text with <e1> and <e2>.",
        ),
    ],
    source: Annotated[str, typer.Option(metavar="TAG", help="Language of the labels.")],
    target: Annotated[str, typer.Option(metavar="TAG", help="Language of the translations.")],
    out: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            dir_okay=False,
            help="The labelled translations to write: CoNLL (IOB2), or spans if it ends in .jsonl. "
            "For the task re: JSON lines, or text with <e1> and <e2> if it ends in .tsv.",
        ),
    ],
    task: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="ner: labelled spans; re: relations between two entities, by tags that a "
            "translator keeps.",
        ),
    ] = "ner",
    method: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="align (the default): along links between words; codec: where a translation model "
            "puts markers; tprojection: the likeliest candidates; markers: brackets that a "
            "translator keeps.",
        ),
    ] = None,
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
            help="A span whose very words stand in the translation goes to them. For the task re: "
            "also one whose translation alone stands there, if its tags were lost.",
        ),
    ] = False,
    direction: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="re: forward, or back: the data are in the target language, and are translated "
            "into the source language.",
        ),
    ] = "forward",
    tags: Annotated[
        list[str] | None,
        typer.Option(
            metavar="HEAD,TAIL",
            help="re: names of the tags, such as H,T. Without it: b,i, then H,T; with a file of "
            "translations b,i alone. Several, tried in order: repeat the option.",
        ),
    ] = None,
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
    """Project labels of a corpus onto its translation; say what was dropped, and why."""
    if task == "re":
        others = {
            "--method": method not in (None, "markers"), "--translations": translations,
            "--base": base, "--module": module, "--compose": compose, "--links": links,
            "--back": back, "--candidates": candidates, "--alpha": alpha is not None,
        }  # fmt: skip
        named = next((name for name, given in others.items() if given), None)
        if named is not None:
            raise UserError("this is not for the task re", where=named, todo="Leave it out")
        _relations(
            data, out, log, json, force, source=source, target=target, translator=translator,
            direction=direction, tags=tags or None, same_words=same_words,
        )  # fmt: skip
        return
    if task != "ner":
        raise UserError(f"the task is ner or re, not {task!r}", where="--task")
    if direction != "forward" or tags:
        named = "--tags" if tags else "--direction"
        raise UserError("this is for the task re", where=named, todo="Leave it out")
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
            method=method or "align",
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
    _tell_drops(told["dropped"], made.drops, "sentence", drops)


def _relations(
    data: str, out: Path, log: Path | None, json: Path | None, force: bool, **given: Any
) -> None:
    """Project relations by tags that a translator keeps."""
    drops = out.with_suffix(".drops.jsonl") if log is None else log
    reads = (data, (given["translator"] or "").partition(":")[2])
    require_outputs((out, drops), reads=tuple(filter(None, reads)), force=force, json=json)
    with launched.progress("starting"):
        from xadapt.core.progress import meter
        from xadapt.pipelines.project_relations import project_relations
    with meter("projecting", None) as bar:
        made = project_relations(data, out=out, log=drops, progress=bar.advance, **given)
    told = made.to_dict()
    options.save_json(json, told)
    typer.echo(f"{told['rows']:,} of {told['source_rows']:,} rows ({made.rate:.1%}): {out}")
    _tell_drops(told["dropped"], made.drops, "row", drops)


def _tell_drops(counts: dict[str, int], drops: Any, unit: str, log: Path) -> None:
    """Print each reason with its number and its first row, the most frequent ones."""
    for reason, count in list(counts.items())[:REASONS]:
        first = next(drop for drop in drops if drop.reason == reason)
        typer.echo(f"{count:,} dropped: {reason}; first in {unit} {first.row}", err=True)
    if len(counts) > REASONS:
        typer.echo(f"and for {len(counts) - REASONS:,} other reasons", err=True)
    if counts:
        typer.echo(f"each with its reason: {log}", err=True)


VERBS = (
    Verb(
        "project",
        "Data",
        project,
        (
            "xadapt project --method align --base mini --data ner.conll --source en \\\n"
            "  --target sw --translations ner_sw.txt --out ner_sw.conll",
            "xadapt project --task re --translator apertium --data kbp37.tsv \\\n"
            "  --source en --target es --out kbp37_es.jsonl",
        ),
    ),
)
