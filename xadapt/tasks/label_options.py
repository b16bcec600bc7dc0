"""What tasks over labelled rows share: columns as options, and answers for rows without labels."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from xadapt.backbones.encoder.encode import Rows
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.core import registry
from xadapt.data.readers.label_columns import as_options
from xadapt.evaluation.comparison import Result
from xadapt.heads.head import Head
from xadapt.tasks.fused_heads import reads_translations, told, with_partners
from xadapt.tasks.head_task import HeadTask
from xadapt.tasks.protocol import Request, read_rows

Answer = dict[str, Any]
"""The answer for one row, ready for JSON."""


class LabelTask(HeadTask):
    """A task whose reader has options that name the columns."""

    @abstractmethod
    def answers(
        self, encoder: Encoder, head: Head, rows: Sequence[Any], active: Rows | None = None
    ) -> list[Answer]:
        """Predict the answer for each record with its scores, in a form for JSON.

        The arguments are those of `predict`.
        """

    def reader_for(self, fused: bool) -> str:
        """Return the reader of ``--data`` for a head with or without fused layers."""
        return self.reader

    def measure_with(
        self,
        request: Request,
        columns: str | None,
        options: Mapping[str, Any],
        translator: str | None = None,
    ) -> Result:
        """Score the head on data that are read with options.

        Raises:
            UserError: If a column is not there, or as for `measure_records` and `with_partners`.
        """
        fused = reads_translations(request, self.head)
        reader = self.reader_for(fused)
        part, tag = registry.load("readers", reader), request.tag
        named = {**options, **as_options(part, columns)}
        rows = read_rows(reader, request.data, tag or self.read_as, options=named)
        rows = with_partners(rows, request, fused, translator)
        result = self.measure_records(request, rows, None if tag is None else [tag] * len(rows))
        return told(result, rows) if fused else result
