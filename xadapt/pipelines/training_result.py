"""The result of a training run: the module, its evidence, the history, and a short report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xadapt.hub.manifest import Evidence, Manifest
from xadapt.hub.worse_than_base import worse_than_base
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.inference.adapted_seq2seq import AdaptedSeq2Seq
from xadapt.objectives.contract import SEQ2SEQ
from xadapt.pipelines.run_folder import STATE
from xadapt.report.display import Displayed
from xadapt.report.table import Bar, Table, number, with_interval
from xadapt.training.history import History
from xadapt.training.metrics_log import FILE as METRICS

SIDES = {"language": "language side", "both": "both sides", None: ""}


@dataclass(frozen=True, repr=False)
class TrainingResult(Displayed):
    """The result of a run.

    Attributes:
        folder: The module's folder.
        manifest: The module's manifest.
        seconds: Training time over all sittings.
        prepare_seconds: Time to encode the frozen side, in this sitting.
        forward_seconds: Time of one frozen forward over the data (the longest text of each
            record), estimated from a sample on this machine after the run.
        padding: Share of padding among the tokens of the forwards, in this sitting.
        notes: Notes on the records that were read, dropped and held out, and warnings.
        reused: Whether the module was finished before this call.
        base: The base as it was named.
    """

    folder: Path
    manifest: Manifest
    seconds: float = 0.0
    prepare_seconds: float = 0.0
    forward_seconds: float = 0.0
    padding: float = 0.0
    notes: list[str] = field(default_factory=list)
    reused: bool = False
    base: str = ""

    @property
    def forwards(self) -> float:
        """The training time in frozen forwards over the data; 0 where nothing was trained."""
        return self.seconds / self.forward_seconds if self.forward_seconds else 0.0

    @property
    def module(self) -> Path:
        """The module's folder: what `xadapt.load`, `evaluate` and `compose` take as a module."""
        return self.folder

    @property
    def evidence(self) -> list[Evidence]:
        """The scores on the development split, with those of the frozen base and the controls."""
        return self.manifest.evidence

    @property
    def history(self) -> History:
        """The rows of the metrics log: a row a step, and a row an evaluation."""
        return History.read(self.folder / STATE / METRICS)

    @property
    def warning(self) -> str | None:
        """A sentence if the module is worse than its base on the development split."""
        return worse_than_base(self.evidence)

    def load(self, **options: Any) -> Any:
        """Load the base with this module, ready to encode, or to write.

        Args:
            options: Further options of `xadapt.load`, such as ``device``; of a module of an
                encoder-decoder, those of `xadapt.load_seq2seq`.

        Returns:
            An `AdaptedEncoder`, or an `AdaptedSeq2Seq`.

        Raises:
            UserError: As for `xadapt.load`.
        """
        if self.manifest.backbone == SEQ2SEQ:
            return AdaptedSeq2Seq.from_pretrained(self.base, self.folder, **options)
        return AdaptedEncoder.load(self.base, self.folder, **options)

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON values."""
        return {
            "folder": self.folder.name,
            "seconds": self.seconds,
            "prepare_seconds": self.prepare_seconds,
            "forward_seconds": self.forward_seconds,
            "forwards": self.forwards,
            "padding": self.padding,
            "reused": self.reused,
            "notes": self.notes,
            "manifest": self.manifest.model_dump(mode="json"),
        }

    def report(self) -> str:
        """Return a short text: what was trained, on what, for how long, and the scores."""
        m = self.manifest
        data = sum(one.rows for one in m.data)
        lines = [
            f"{m.module.kind} for {', '.join(m.languages)} in {self.folder}",
            f"trained on {data:,} records"
            + (f" in {self.seconds:.0f} s" if self.seconds else "")
            + (f", {self.forwards:.1f} times one frozen forward" if self.forwards else ""),
        ]
        for row in _rows(self):
            base = "" if row["base"] is None else f" (base {row['base']:.3f})"
            side = f", {row['sides']}" if row["sides"] else ""
            lines.append(f"  {row['metric']}{side}: {row['module']:.3f}{base}")
        if not self.evidence:
            lines.append("  without development data nothing was measured")
        if self.warning:
            lines.append(f"warning: {self.warning}")
        return "\n".join(lines)

    def write_report(self, path: str | Path) -> None:
        """Write a page (HTML, one file) with the losses by objective and the scores of the run.

        Args:
            path: The page.

        Raises:
            UserError: If the page can't be written.
        """
        from xadapt.report import Report, write_report

        lines = self.report().splitlines()
        page = Report(
            title=f"Training of {self.folder.name}",
            lead=f"{lines[0].removesuffix(f' in {self.folder}')}, {lines[1]}.",
            facts=[
                ("objectives", ", ".join(self.manifest.objectives)),
                ("base", self.manifest.base.id or self.manifest.base.model_type),
            ],
            curves=self.history.curves,
            dev=[(row["step"], row["dev/score"]) for row in self.history.evaluations],
            notes=[line.strip() for line in (*lines[2:], *self.notes)],
        )
        write_report(Path(path), page)

    def __repr__(self) -> str:
        return f"TrainingResult: {self.report()}"

    def _table(self) -> Table:
        head, *_ = self.report().splitlines()
        return _table(_rows(self), head, (f"warning: {self.warning}",) if self.warning else ())

    def _records(self) -> list[dict[str, Any]]:
        return _rows(self)

    def _bars(self) -> list[Bar]:
        return _bars(_rows(self))


class TrainingResults(Displayed, Sequence[TrainingResult]):
    """The results of several runs, in order: a sequence, and by language where each has its own.

    Args:
        runs: The results.
    """

    def __init__(self, runs: Sequence[TrainingResult]) -> None:
        self._runs = list(runs)

    def __getitem__(self, index: Any) -> Any:
        """Return a result by its position, or by the only language of its module.

        Raises:
            KeyError: If no module, or more than one, is for this language alone.
        """
        if not isinstance(index, str):
            return self._runs[index]
        found = [run for run in self._runs if run.manifest.languages == [index]]
        if len(found) != 1:
            raise KeyError(index)
        return found[0]

    def __len__(self) -> int:
        return len(self._runs)

    @property
    def modules(self) -> list[Path]:
        """The folders of all modules, for `xadapt.load` and others."""
        return [run.module for run in self._runs]

    def to_dict(self) -> dict[str, Any]:
        """Return the results as JSON values."""
        return {"modules": [run.to_dict() for run in self._runs]}

    def report(self) -> str:
        """Return the short texts of all runs."""
        return "\n".join(run.report() for run in self._runs)

    def __repr__(self) -> str:
        return f"TrainingResults of {len(self)} runs:\n{self.report()}"

    def _records(self) -> list[dict[str, Any]]:
        return [row for run in self._runs for row in _rows(run)]

    def _table(self) -> Table:
        warnings = (f"warning, {r.folder.name}: {r.warning}" for r in self._runs if r.warning)
        return _table(self._records(), f"{len(self)} runs", tuple(warnings))

    def _bars(self) -> list[Bar]:
        return _bars(self._records())


def _rows(run: TrainingResult) -> list[dict[str, Any]]:
    """Return one row for each measure of the evidence."""
    return [
        {
            "languages": ", ".join(run.manifest.languages),
            "folder": run.folder.name,
            "metric": one.metric,
            "sides": SIDES[one.sides],
            "base": one.base,
            **one.controls,
            "module": one.value,
            "low": one.interval[0] if one.interval else None,
            "high": one.interval[1] if one.interval else None,
            "rows": one.rows,
        }
        for one in run.evidence
    ]


def _table(rows: list[dict[str, Any]], title: str, notes: tuple[str, ...]) -> Table:
    """Return the cells of the evidence: modules with their intervals, base and controls."""
    names = [n for n in dict.fromkeys(n for row in rows for n in row) if n not in ("low", "high")]
    return Table(
        tuple(names),
        tuple(tuple(_cell(row, name) for name in names) for row in rows),
        title,
        notes,
    )


def _cell(row: dict[str, Any], name: str) -> Any:
    value = row.get(name)
    if name == "module" and row["low"] is not None:
        return with_interval(row["module"], row["low"], row["high"])
    return number(value) if isinstance(value, float) else value


def _bars(rows: list[dict[str, Any]]) -> list[Bar]:
    """Return base and module for each measure of the evidence."""
    several = len({row["folder"] for row in rows}) > 1
    bars = []
    for row in rows:
        series = " ".join(filter(None, (row["metric"], row["sides"])))
        own = f"module {row['folder']}" if several else "module"
        base = f"base of {row['folder']}" if several else "frozen base"
        if row["base"] is not None:
            bars.append(Bar(base, series, row["base"]))
        bars.append(Bar(own, series, row["module"], row["low"], row["high"]))
    return bars
