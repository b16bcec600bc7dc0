"""Predict by a task head: the answers for texts or pairs, with their scores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from xadapt.config.recipe import build_reader
from xadapt.core import registry
from xadapt.core.errors import UserError
from xadapt.core.sequences import as_paths
from xadapt.data.loading.inputs import as_data
from xadapt.data.readers.in_memory import InMemory
from xadapt.data.readers.label_columns import Rows, as_options, open_rows
from xadapt.data.readers.notes import Notes
from xadapt.languages.tags import normalise
from xadapt.tasks.label_options import Answer, LabelTask
from xadapt.tasks.protocol import find

BATCH = 512
"""Rows that are read and answered at a time."""


def predict(
    task: str,
    data: Any,
    *,
    base: str,
    modules: str | Path | Sequence[str | Path],
    lang: str | None = None,
    compose: str | None = None,
    head: str | None = None,
    columns: Any = None,
    dtype: str = "auto",
) -> Iterator[Answer]:
    """Answer texts or pairs without labels by a task head, in order, many at a time.

    Args:
        task: ``classification``, ``multi_label``, ``pair_classification`` or ``passage_filter``.
        data: A file (TSV, CSV, JSON lines, Parquet), ``hf:org/name``, or data in memory: texts, or
            pairs of texts. Columns of labels are not read.
        base: Hub id, folder, ``package:NAME/SUBDIR`` or ``mini``.
        modules: Folders of modules; ``NAME=FOLDER`` gives one a name.
        lang: Language of the texts, where the composition chooses by it.
        compose: The composition; without it, the one module.
        head: The module whose head is read, where several have one.
        columns: The columns of the texts, by name or number, if they have other names than usual.
        dtype: Type of the base's weights.

    Yields:
        For each row its texts, ``label`` or ``labels``, and ``scores``: a probability by label. Of
        ``passage_filter`` the text and its ``rating``.

    Raises:
        UserError: If the task has no such answers, a module or the data are unusable, or a row has
            no text.
    """
    found = find(task)
    if not isinstance(found, LabelTask):
        known = [name for name in registry.names("tasks") if isinstance(find(name), LabelTask)]
        raise UserError(
            f"{task} has no answers for rows without labels",
            todo=f"Name one of {', '.join(known)}; the other heads are used in Python",
        )
    tag = None if lang is None else normalise(lang)
    given = as_data(data)
    predictor = found.predictor.load(
        base, *as_paths(modules), compose=compose, head=head, dtype=dtype
    )
    reader = found.reader_for(predictor.head.fused is not None)
    source = _Source(reader, given, tag or found.read_as, columns)
    for batch in _batches(source.records()):
        active = predictor.adapted.activations(len(batch), tag)
        with active.named():
            yield from found.answers(predictor.adapted.encoder, predictor.head, batch, active)


class _Source:
    """The rows to answer. A row that can't be answered is an error, so that none is left out."""

    def __init__(self, reader: str, data: str | InMemory, lang: str, columns: Any) -> None:
        part = registry.load("readers", reader)
        texts = part.columns[:-1]
        options = as_options(_Texts(texts), columns)
        self.reader, self.lang, self.notes = build_reader(part, options), lang, Notes()
        self.name, self.seen = str(data), 0
        if isinstance(data, InMemory):
            self.rows = Rows(data.name, data.rows(), {})
        else:
            usual = {name: part.usual[name] for name in texts}
            self.rows = open_rows(data, usual, list(map(str, options.values())), self.notes)

    def records(self) -> Iterator[Any]:
        """Yield a record for each row.

        Raises:
            UserError: If a row has no text; the error names the first such row.
        """
        counted = Rows(self.rows.name, self._counted(), self.rows.classes)
        made = 0
        for row in self.reader.read_rows(counted, self.lang, self.notes, labelled=False):
            made += 1
            yield row
        if made != self.seen:
            raise UserError(
                self.notes.lines[-1].partition(": ")[2] or "a row has no text",
                where=self.name,
                todo="Remove or mend such rows, so that each row has an answer",
            )

    def _counted(self) -> Iterator[tuple[str, Any]]:
        for where, row in self.rows.rows:
            self.seen += 1
            yield where, row


class _Texts:
    """A reader's columns without the labels."""

    several = False
    read_rows = None

    def __init__(self, columns: Sequence[str]) -> None:
        self.columns = tuple(columns)


def _batches(rows: Iterator[Any]) -> Iterator[list[Any]]:
    batch: list[Any] = []
    for row in rows:
        batch.append(row)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
