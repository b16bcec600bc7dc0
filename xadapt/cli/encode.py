"""``xadapt encode``."""

from __future__ import annotations

import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from xadapt.cli import launched, options
from xadapt.cli.store import TABLE, TableOption, ToOption, fill
from xadapt.cli.verbs import Verb
from xadapt.composition.text import parse
from xadapt.composition.values import names
from xadapt.core.errors import UserError
from xadapt.core.files import atomic_file
from xadapt.core.output_files import require_output
from xadapt.data.readers.lines import read_lines
from xadapt.languages.tags import normalise

SHARDS = "Options of --shards"


def encode(
    base: options.BaseOption,
    text: Annotated[
        str,
        typer.Option(
            metavar="FILE",
            help="File with one text a line, or - for standard input. With --shards also .jsonl, "
            ".parquet and hf:org/name.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", dir_okay=False, help="The .npy file to write: float32, a row a text."
        ),
    ] = None,
    shards: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            file_okay=False,
            help="Instead of --out: a folder of shards, for any number of texts.",
        ),
    ] = None,
    module: options.ModuleOption = None,
    languages: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="File with one language tag a line, for each text; - for the bare base.",
        ),
    ] = None,
    lang: Annotated[str | None, typer.Option(metavar="TAG", help="Language of all texts.")] = None,
    compose: options.ComposeOption = None,
    normalize: Annotated[
        bool, typer.Option("--normalize", help="Divide each vector by its norm.")
    ] = False,
    windows: options.WindowsOption = None,
    batch_size: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Most texts in one forward. Without it, as many as fit in 4096 tokens.",
        ),
    ] = None,
    select_on: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Text of a language that has no module. The module that does best on it is used "
            "for that language.",
        ),
    ] = None,
    choose_by: options.FormerOption = None,
    pivot: options.PivotOption = None,
    dtype: options.DtypeOption = "auto",
    shard_rows: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, rich_help_panel=SHARDS, help="Rows of a shard (default: 100000)."
        ),
    ] = None,
    shard_format: Annotated[
        str | None,
        typer.Option(metavar="NAME", rich_help_panel=SHARDS, help="npy (default) or parquet."),
    ] = None,
    half: Annotated[
        bool, typer.Option("--half", rich_help_panel=SHARDS, help="Write float16.")
    ] = False,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", rich_help_panel=SHARDS, help="Continue at the first missing shard."
        ),
    ] = False,
    executor: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            rich_help_panel=SHARDS,
            help="processes (this one, or those of torchrun), or ray: actors of a cluster.",
        ),
    ] = "processes",
    workers: Annotated[
        int,
        typer.Option(metavar="N", min=1, rich_help_panel=SHARDS, help="Actors of ray."),
    ] = 2,
    to: ToOption = None,
    table: TableOption = TABLE,
    column: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", rich_help_panel=SHARDS, help="Column of the texts (default: text)."
        ),
    ] = None,
    lang_column: Annotated[
        str | None,
        typer.Option(metavar="NAME", rich_help_panel=SHARDS, help="Column of the language tags."),
    ] = None,
    force: options.ForceOption = False,
    allow_modified: options.AllowModifiedOption = False,
    allow_base_mismatch: options.AllowBaseMismatchOption = False,
) -> None:
    """Encode texts into vectors, each text with the module of its language."""
    options.require((out is None) != (shards is None), "give --out FILE.npy or --shards DIR")
    select_on = options.renamed(select_on, choose_by, "--select-on", "--choose-by")
    options.require(
        pivot is None or select_on is not None,
        "--pivot does nothing without --select-on",
        "Leave it out",
    )
    options.require_named(options.split(module), compose)
    options.require(
        shards is not None or not allow_base_mismatch,
        "a .npy file can't state that a module is of another base",
        "Use --shards, whose index states it",
    )
    if shards is None:
        given = (half, resume, column, lang_column, shard_format, shard_rows, to)
        options.require(
            not any(given),
            "--half, --resume, --column, --lang-column, --shard-format, --shard-rows and --to need "
            "--shards",
        )
        assert out is not None
        reads = (text, languages, select_on, base, *options.split(module), *_folders(compose))
        require_output(out, reads=reads, force=force)
        pivot = pivot or options.PIVOT
        _to_file(
            Output(out, normalize, batch_size, windows),
            *(base, text, module, languages, lang, compose, select_on, pivot, dtype),
        )
        return
    options.require(not force, "--force is for --out", "Leave it out")
    with launched.progress("starting"):
        from xadapt.inference.bulk.encoding import encode_shards
        from xadapt.inference.bulk.plan import SHARD_ROWS

    vectors = encode_shards(
        text,
        shards,
        base=base,
        modules=options.split(module),
        compose=compose,
        column=column,
        lang=lang,
        languages=languages,
        lang_column=lang_column,
        select_on=select_on,
        pivot=pivot or options.PIVOT,
        shard_rows=shard_rows or SHARD_ROWS,
        shard_format=shard_format or "npy",  # type: ignore[arg-type]
        half=half,
        normalize=normalize,
        windows=windows or "first",
        batch_size=batch_size,
        resume=resume,
        executor=executor,
        workers=workers,
        dtype=dtype,
        show=True,
        report=lambda line: typer.echo(line, err=True),
    )
    rows, dim = vectors.shape
    typer.echo(f"{rows} vectors of {dim} in {len(vectors.index.shards)} shards: {shards}")
    if to is not None:
        lines = None if column or text.endswith((".jsonl", ".parquet")) or text == "-" else text
        fill(shards, to, table, None if lines and lines.startswith("hf:") else lines)


@dataclass(frozen=True)
class Output:
    """The file of vectors to write, and how they are computed."""

    file: Path
    normalize: bool
    batch_size: int | None
    windows: str | None = None


def _to_file(
    out: Output,
    base: str,
    text: str,
    module: list[str] | None,
    languages: Path | None,
    lang: str | None,
    compose: str | None,
    select_on: str | None,
    pivot: str,
    dtype: str,
) -> None:
    texts = read_texts(text)
    tags = read_tags(languages, lang, len(texts))
    with launched.progress("starting"):
        import numpy as np
        import torch
        import torch.nn.functional as F

        from xadapt.backbones.encoder.windows import require_windows
        from xadapt.core.progress import meter
        from xadapt.inference.adapted_encoder import AdaptedEncoder
        from xadapt.inference.fallback_language import FallbackLanguageWarning
        from xadapt.inference.measured_fallback import select_on as measure

    if out.windows is not None:
        require_windows(out.windows)
    with launched.progress(f"loading {base}"):
        adapted = AdaptedEncoder.load(base, *options.split(module), compose=compose, dtype=dtype)
    if select_on is not None:
        with launched.progress(f"trying the modules on {select_on}"):
            measure(adapted, tags or [], select_on, pivot)
    for line in adapted.notices(tags or []):
        typer.echo(line, err=True)
    with meter("encoding", len(texts)) as bar, warnings.catch_warnings():
        warnings.simplefilter("ignore", FallbackLanguageWarning)
        vectors = adapted.encode(
            texts, tags, batch_size=out.batch_size, windows=out.windows, progress=bar.advance
        )
    if out.normalize:
        vectors = F.normalize(torch.from_numpy(vectors), dim=1).numpy()
    with atomic_file(out.file) as temporary, temporary.open("wb") as stream:
        np.save(stream, vectors)


def _folders(compose: str | None) -> list[str]:
    """Return the folders that a composition may name."""
    return [] if compose is None else names(parse(compose))


def read_texts(path: str) -> list[str]:
    """Read the lines of a file, or of standard input for ``-``."""
    lines = _standard_input() if path == "-" else [line for _, line in read_lines(path)]
    if not lines:
        raise UserError("there is no text", where="standard input" if path == "-" else path)
    return lines


def _standard_input() -> list[str]:
    rows = sys.stdin.buffer.read().split(b"\n")
    if not rows[-1]:
        rows.pop()
    lines = []
    for number, row in enumerate(rows, 1):
        try:
            lines.append(row.removesuffix(b"\r").decode("utf-8"))
        except UnicodeDecodeError as error:
            where = f"standard input:{number}"
            raise UserError(f"this line is not UTF-8 ({error.reason})", where=where) from None
    return lines


def read_tags(file: Path | None, lang: str | None, count: int) -> list[str | None] | None:
    """Read a language for each text: the lines of a file, one tag for all texts, or nothing."""
    if file is None:
        return [normalise(lang)] * count if lang else None
    if lang is not None:
        raise UserError("--lang and --languages are both given", todo="Give one of them")
    tags = [_tag(line.strip(), f"{file}:{number}") for number, line in read_lines(str(file))]
    if len(tags) != count:
        raise UserError(
            f"{count} texts and {len(tags)} languages",
            where=str(file),
            todo="Give one tag a line for each text, - for the bare base",
        )
    return tags


def _tag(tag: str, where: str) -> str | None:
    if tag in ("", "-"):
        return None
    try:
        return normalise(tag)
    except UserError as error:
        raise UserError(error.what, where=where, todo=error.todo) from None


VERBS = (
    Verb(
        "encode",
        "Use",
        encode,
        (
            "xadapt encode --base mini --text texts.txt --out vectors.npy --normalize",
            "xadapt encode --base mini --module sw,de --lang sw --text texts.txt \\\n"
            "  --shards vectors",
        ),
        interrupted="whole shards stay; the same command with --resume goes on after them",
        interrupted_with="--shards",
    ),
)
