"""Results as tables for people."""

from __future__ import annotations

from rich.table import Table

from xadapt.evaluate import bitext, entities
from xadapt.evaluate.statistics import Interval
from xadapt.evaluate.systems import DIRECTIONS
from xadapt.hub.manifest import Manifest


def evidence_table(manifest: Manifest) -> Table:
    """What a manifest claims, beside its controls."""
    table = Table(title=f"{manifest.name}, held-out development pairs")
    for column in ("measure", "side", "module", "95 %", "frozen base", "controls"):
        table.add_column(column, justify="left" if column in ("measure", "side") else "right")
    for row in manifest.evidence:
        table.add_row(
            row.metric,
            {"language": "language only", "both": "both"}.get(str(row.sides), ""),
            f"{row.value:.3f}",
            f"{row.interval[0]:.3f} - {row.interval[1]:.3f}" if row.interval else "",
            "" if row.base is None else f"{row.base:.3f}",
            ", ".join(f"{name} {value:.3f}" for name, value in row.controls.items()),
        )
    return table


def bitext_table(result: bitext.Result) -> Table:
    """Accuracy with intervals and xsim by system."""
    pivot, lang = result.pivot_lang, result.lang
    title = f"{lang}-{pivot} sentence retrieval among {result.pool} pairs"
    if result.dropped:
        title += f" ({result.dropped} repetitions left out)"
    table = Table(title=title)
    table.add_column("system")
    for way in (f"{lang} to {pivot}", f"{pivot} to {lang}"):
        table.add_column(f"{way}, accuracy (95 %)", justify="right")
    margins = list(result.rows[0].xsim)
    for margin in margins:
        table.add_column(f"xsim {margin}", justify="right")
    table.add_column(f"cos({pivot} on, off)", justify="right")
    for row in result.rows:
        table.add_row(
            row.system,
            *(_interval(row.accuracy[way]) for way in DIRECTIONS),
            *(" / ".join(f"{row.xsim[m][way]:.1f}" for way in DIRECTIONS) for m in margins),
            "" if row.pivot_kept is None else f"{row.pivot_kept:.3f}",
        )
    return table


def entities_table(result: entities.Result, lang: str, pivot: str) -> Table:
    """Hits, MRR and CSLS by system and direction."""
    sizes = " / ".join(str(result.pool_size[way]) for way in DIRECTIONS)
    table = Table(title=f"{lang}-{pivot} entities, pool {result.pool} ({sizes} names)")
    columns = ("system", "direction", "Hits@1 (95 %)", "Hits@10", "MRR", "Hits@1 CSLS", "MRR CSLS")
    for column in columns:
        table.add_column(column, justify="left" if column in columns[:2] else "right")
    names = dict(zip(DIRECTIONS, (f"{lang} to {pivot}", f"{pivot} to {lang}"), strict=True))
    for row in result.rows:
        for way in DIRECTIONS:
            plain, csls = row.scores[way]["cosine"], row.scores[way].get("csls")
            table.add_row(
                row.system,
                names[way],
                _interval(plain["hits@1"]),
                f"{plain['hits@10'].mean:.3f}",
                f"{plain['mrr'].mean:.3f}",
                f"{csls['hits@1'].mean:.3f}" if csls else "",
                f"{csls['mrr'].mean:.3f}" if csls else "",
            )
    return table


def _interval(value: Interval) -> str:
    return f"{value.mean:.3f} ({value.low:.3f} - {value.high:.3f})"
