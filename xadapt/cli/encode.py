"""``xadapt encode``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from xadapt.adapted import Adapted
from xadapt.cli import options
from xadapt.errors import UserError
from xadapt.files import atomic_file
from xadapt.languages import normalise
from xadapt.readers.lines import read_lines
from xadapt.train.progress import meter


def encode(
    base: options.BaseOption,
    text: Annotated[str, typer.Option(help="File with one text a line, or - for standard input.")],
    out: Annotated[Path, typer.Option(help="The .npy file to write, (texts, dim) float32.")],
    module: options.ModuleOption = None,
    languages: Annotated[
        Path | None, typer.Option(help="File with one language tag a line, for each text.")
    ] = None,
    lang: Annotated[str | None, typer.Option(help="One language tag for all texts.")] = None,
    dtype: Annotated[str, typer.Option(help="auto, float32 or bfloat16.")] = "auto",
) -> None:
    """Turn lines of text into vectors, each through its language's module."""
    texts = _lines(text)
    tags = _tags(languages, lang, len(texts))
    adapted = Adapted.load(base, *options.split(module), dtype=dtype)
    with meter("encoding", len(texts)) as bar:
        vectors = adapted.encode(texts, tags, progress=bar.advance)
    with atomic_file(out) as temporary, temporary.open("wb") as stream:
        np.save(stream, vectors)


def _lines(path: str) -> list[str]:
    if path == "-":
        try:
            lines = sys.stdin.buffer.read().decode("utf-8").splitlines()
        except UnicodeDecodeError as error:
            raise UserError(f"not UTF-8 ({error.reason})", where="standard input") from None
    else:
        lines = [line for _, line in read_lines(path)]
    if not lines:
        raise UserError("there is no text", where=path)
    return lines


def _tags(file: Path | None, lang: str | None, count: int) -> list[str | None] | None:
    if file is None:
        return [normalise(lang)] * count if lang else None
    if lang is not None:
        raise UserError("--lang and --languages are both given", todo="Give one of them")
    tags = [line.strip() for _, line in read_lines(str(file))]
    return [normalise(tag) if tag and tag != "-" else None for tag in tags]
