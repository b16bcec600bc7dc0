"""Judging a module, or a bare base, by looking sentences or names up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.finite import naming
from xadapt.core import registry
from xadapt.core.errors import UserError
from xadapt.data.loading.records import Source, read_pairs
from xadapt.data.records import ParallelPair
from xadapt.evaluation import bitext, entities
from xadapt.hub.opening import require_module
from xadapt.languages import tags as languages
from xadapt.tasks.assess import alignment

TASKS = ("bitext", "entities")
POOLS = ("all", "test")


def evaluate(
    task: Literal["bitext", "entities"],
    *,
    base: str,
    data: str | Path = "cldr",
    module: str | Path | None = None,
    lang: str | None = None,
    pivot: str = "en",
    columns: str | None = None,
    file_format: str | None = None,
    pool: str = "all",
    controls: bool = False,
    dtype: str = "auto",
    say: Callable[[str], None] = lambda _: None,
) -> bitext.Result | entities.Result:
    """Measure a base, and a module beside it.

    Args:
        task: ``bitext`` looks sentences up, ``entities`` names.
        base: Hub id, folder or ``package:NAME/SUBDIR``.
        data: Parallel text the module has not seen; for entities also ``cldr``.
        module: Folder of a module.
        lang: Language of the texts; without, the module's.
        pivot: The other side's language.
        columns: ``PIVOT,LANGUAGE`` as numbers from 1 or names.
        file_format: Name of the file format, if the name hides it.
        pool: For ``cldr``: ``all`` looks up among all names, ``test`` among the test entities'.
        controls: Add TF-IDF, and the shuffled-pairs twin if it was trained.
        dtype: Of the base's weights: ``auto``, ``float32``, ``bfloat16``, ``int8`` or ``nf4``.
        say: Told what is missing, a line at a time.

    Raises:
        UserError: Something that was given is wrong.
    """
    if task not in TASKS:
        raise UserError(registry.unknown("task", task, TASKS))
    if pool not in POOLS:
        raise UserError(registry.unknown("pool", pool, POOLS))
    tag, pivot = language_of(lang, module), languages.normalise(pivot)
    pairs: list[ParallelPair] = []
    labels: alignment.Labels = []
    others: alignment.Labels = []
    if task == "entities" and str(data) == "cldr":
        labels, others = alignment.graph_labels(tag, pivot, pool)
    else:
        pairs = read_pairs(Source(str(data), tag, pivot, columns, file_format))
        labels = [(str(i), p.text, p.pivot) for i, p in enumerate(pairs)]
    encoder = Encoder.from_pretrained(base, dtype=dtype)
    trained, twin = alignment.open_both(None if module is None else str(module), encoder, controls)
    if controls and trained is not None and twin is None:
        say("no shuffled-pairs twin beside this module: train with --controls makes one")
    bench = alignment.Bench(encoder)
    with naming(base if module is None else str(module)):
        if task == "bitext":
            return alignment.judge_bitext(bench, pairs, trained, twin, controls=controls)
        return alignment.judge_entities(bench, labels, others, trained, twin, controls=controls)


def language_of(lang: str | None, module: str | Path | None) -> str:
    """The language of the texts: as named, else the one of the module.

    Raises:
        UserError: It is not named, and there is no module or one for several languages.
    """
    if lang is not None:
        return languages.normalise(lang)
    if module is None:
        raise UserError("the language of the texts is not known", todo="Name it with --lang")
    known = require_module(module).languages
    if len(known) != 1:
        raise UserError(
            f"the module is for {', '.join(known)}",
            where=str(module),
            todo="Choose one with --lang",
        )
    return known[0]
