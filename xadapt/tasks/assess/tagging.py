"""Judging a task head for words under a composition, and under others beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from xadapt.core import registry
from xadapt.core.errors import UserError
from xadapt.core.sequences import as_paths
from xadapt.data.records import TaggedSentence
from xadapt.evaluation import tagging
from xadapt.functional.tag_scheme import Scheme, to_labels
from xadapt.inference.locate import locate
from xadapt.inference.shared_states import reused_by
from xadapt.languages.tags import normalise
from xadapt.tasks.predict.emea import NAME
from xadapt.tasks.predict.emea import emea as labels_by_emea
from xadapt.tasks.predict.predictor import AGAINST, GIVEN, load_each
from xadapt.tasks.predict.tagger import Tagger

READERS: dict[Scheme, str] = {"bio": "conll", "word": "conllu"}
EQUAL = "equal weights"


def evaluate_tagging(
    *,
    base: str,
    data: str | Path,
    modules: Sequence[str | Path] = (),
    lang: str | None = None,
    compose: str | None = None,
    against: str | None = None,
    file_format: str | None = None,
    emea: int = 0,
    head: str | None = None,
    dtype: str = "auto",
    say: Callable[[str], None] = lambda _: None,
) -> tagging.Result:
    """Measure a task head for words: F1 of spans, or accuracy.

    Args:
        base: Hub id, folder, ``package:NAME/SUBDIR`` or ``mini``.
        data: Sentences with labels that were not trained on: BIO columns, or CoNLL-U for parts
            of speech.
        modules: Folders of modules, one of them with a head, as for `Tagger.load`.
        lang: Language of the sentences, where the composition chooses by language.
        compose: Which modules act, such as ``"language + task"``; without, the one module.
        against: Another composition of the same modules, to tell the paired difference to.
        file_format: ``conll`` or ``conllu``; without, what the head needs.
        emea: Steps of `xadapt.tasks.predict.emea.emea`, for a composition with ``route(emea; ..)``; the
            weights that all count alike are told beside it.
        head: Which module's head it is, where several have one.
        dtype: Of the base's weights: ``auto``, ``float32``, ``bfloat16``, ``int8`` or ``nf4``.
        say: Told what the head has no label for.

    Raises:
        UserError: A file or folder is unusable, or no module has a head.
    """
    if emea and against is not None:
        raise UserError(
            "EMEA is told beside equal weights already",
            where="--against",
            todo="Leave one of --emea and --against out",
        )
    given = (NAME,) if emea else ()
    each = load_each(
        Tagger, base, modules, compose=compose, against=against, head=head, given=given, dtype=dtype
    )
    tagger = each[GIVEN]
    scheme = tagger.head.scheme
    reader = file_format or READERS[scheme]
    if reader not in READERS.values():
        raise UserError(registry.unknown("format", reader, list(READERS.values())))
    tag = "und" if lang is None else normalise(lang)
    rows: list[TaggedSentence] = list(registry.load("readers", reader)().read(str(data), tag))
    _tell_unknown(rows, tagger, say)
    words = [row.words for row in rows]
    tags = None if lang is None else [tag] * len(rows)
    if emea:
        value, _ = locate(as_paths(modules), compose, given)
        found = {
            name: labels_by_emea(tagger, words, value, steps=steps)
            for name, steps in ((EQUAL, 0), (GIVEN, emea))
        }
        return tagging.evaluate(rows, found, scheme, base=EQUAL)
    with reused_by(*(one.adapted for one in each.values())):
        found = {name: one.tag(words, tags) for name, one in each.items()}
    return tagging.evaluate(rows, found, scheme, base=AGAINST if against is not None else None)


def _tell_unknown(
    rows: Sequence[TaggedSentence], tagger: Tagger, say: Callable[[str], None]
) -> None:
    """Say which labels of the data the head can't give, and refuse data of another scheme."""
    known = set(tagger.head.labels)
    there: set[str] = set()
    for row in rows:
        try:
            there.update(to_labels(len(row.words), row.spans, tagger.head.scheme))
        except ValueError as error:
            raise UserError(
                str(error),
                where=row.origin,
                todo="The head's labels and the data's are of different kinds; see --format",
            ) from None
    missing = sorted(there - known)
    if not there & known - {"O"} and missing:
        raise UserError(
            f"the head knows none of the data's labels ({', '.join(missing[:6])})",
            todo=f"It gives {', '.join(tagger.head.labels[:12])}",
        )
    if missing:
        say(f"the head has no label {', '.join(missing)}: such words count as wrong")
