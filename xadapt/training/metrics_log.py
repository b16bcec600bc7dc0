"""The log of a run: one JSON object a line in ``metrics.jsonl``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xadapt.core.files import append_line, sweep, write_text

FILE = "metrics.jsonl"


class MetricsLog:
    """The log of one run: a row a step, and a row with ``dev`` for each evaluation.

    Args:
        path: The file.
        writes: Whether this process writes the log.
    """

    def __init__(self, path: Path, writes: bool) -> None:
        self.path, self.writes = path, writes

    def add(self, row: Mapping[str, Any]) -> None:
        """Append a row.

        Raises:
            UserError: If the file can't be written.
        """
        if self.writes:
            append_line(self.path, json.dumps(row))

    def cut(self, step: int) -> None:
        """Keep the rows up to a step.

        The rows logged after the last checkpoint are logged again by the resumed run.

        Raises:
            UserError: If the file can't be written.
        """
        if self.writes:
            sweep(self.path)
            rows = [row for row in read_metrics(self.path) if row["step"] <= step] if step else []
            write_text(self.path, "".join(json.dumps(row) + "\n" for row in rows))


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Read the rows of a ``metrics.jsonl``; all rows from a truncated line on are left out."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            row = json.loads(line)
        except ValueError:
            break
        rows.append(row)
    return rows
