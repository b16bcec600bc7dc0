"""Results as tables for people: one line a system and direction, within 80 columns."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.table import Table

from xadapt.evaluation import bitext, comparison, entities, open_ie, tagging
from xadapt.evaluation.statistics import Difference, Interval
from xadapt.evaluation.systems import DIRECTIONS, Direction
from xadapt.evaluation.tfidf import NAME as TFIDF
from xadapt.hub.manifest import Evidence, Manifest
from xadapt.tasks.assess.alignment import BASE, BOTH, LANGUAGE, TWIN
from xadapt.tasks.predict.predictor import GIVEN

SHORT = {
    BASE: "frozen base",
    LANGUAGE: "module",
    BOTH: "module, both",
    TWIN: "shuffled pairs",
    TFIDF: "TF-IDF",
}
LEGEND = {
    LANGUAGE: "module: on for the language, off for {pivot}",
    BOTH: "both: on for {pivot} too",
    TWIN: "shuffled pairs: the same module, trained on no translations",
}
UNITS = {
    "tagging": "sentences",
    "classification": "texts",
    "sts": "pairs",
    "qa": "questions",
    "open_ie": "sentences",
}
BETTER = "*: gain over the frozen base above 0 by paired 95 % bootstrap"


def evidence_table(manifest: Manifest) -> Table:
    """What a manifest claims, beside its controls."""
    rows = manifest.evidence
    if rows and rows[0].task != "bitext":
        return _head_evidence(manifest.name, rows)
    table = _table(
        f"{manifest.name}: "
        + (f"{rows[0].rows} held-out pairs, accuracy" if rows else "nothing was held out"),
        ("", "way", "accuracy [95 %]", "frozen base", "TF-IDF"),
    )
    names = {"language": SHORT[LANGUAGE], "both": SHORT[BOTH]}
    for row in manifest.evidence:
        table.add_row(
            names.get(str(row.sides), ""),
            row.metric.removeprefix("accuracy "),
            _evidence(row),
            "" if row.base is None else f"{row.base:.3f}",
            *(f"{value:.3f}" for value in row.controls.values()),
        )
    table.caption = _legend([LANGUAGE, BOTH], manifest.pivot or "the pivot")
    return table


def _head_evidence(name: str, rows: Sequence[Evidence]) -> Table:
    metrics = [row.metric for row in rows]
    table = _table(
        f"{name}: {rows[0].rows} held-out {UNITS[rows[0].task]}",
        ("", f"{metrics[0]} [95 %]", *metrics[1:]),
    )
    table.add_row("module", _evidence(rows[0]), *(f"{row.value:.3f}" for row in rows[1:]))
    if rows[0].base is not None:
        table.add_row(SHORT[BASE], *(f"{row.base:.3f}" for row in rows))
    for control in rows[0].controls:
        table.add_row(_short(control), *(f"{row.controls[control]:.3f}" for row in rows))
    return table


def result_table(result: bitext.Result | entities.Result, lang: str, pivot: str) -> Table:
    """The table of an evaluation."""
    if isinstance(result, bitext.Result):
        return bitext_table(result)
    return entities_table(result, lang, pivot)


def bitext_table(result: bitext.Result) -> Table:
    """Accuracy with intervals, xsim by margin, and what is left of the pivot's vectors."""
    pivot, lang = result.pivot_lang, result.lang
    title = f"{lang}-{pivot}: each sentence looked up among {result.pool}"
    if result.dropped:
        title += f" ({result.dropped} repetitions left out)"
    margins = [m for m in result.rows[0].xsim if m != "absolute"]  # that is 100 - accuracy
    columns = (
        "",
        "way",
        "accuracy [95 %]",
        *(f"xsim {m[:5].replace('dista', 'dist')}" for m in margins),
        "kept",
    )
    table = _table(title, columns)
    ways = _ways(lang, pivot)
    for row in result.rows:
        for way in DIRECTIONS:
            first = way == DIRECTIONS[0]
            table.add_row(
                _short(row.system) if first else "",
                ways[way],
                _interval(row.accuracy[way]) + _mark(row.gain.get(way)),
                *(f"{row.xsim[margin][way]:.1f}" for margin in margins),
                f"{row.pivot_kept:.3f}" if first and row.pivot_kept is not None else "",
            )
    legend = _legend([row.system for row in result.rows], pivot)
    about = f"xsim: errors in %, by margin; kept: cosine of {pivot} vectors with the base's"
    better = BETTER if any(row.gain for row in result.rows) else ""
    table.caption = "\n".join(part for part in (legend, better, about) if part)
    return table


def entities_table(result: entities.Result, lang: str, pivot: str) -> Table:
    """Hits, MRR and CSLS by system and direction."""
    sizes = " / ".join(str(result.pool_size[way]) for way in DIRECTIONS)
    table = _table(
        f"{lang}-{pivot}: {result.queries[DIRECTIONS[0]]} names looked up among {sizes}",
        ("", "way", "Hits@1 [95 %]", "@10", "MRR", "CSLS @1", "MRR"),
    )
    ways = _ways(lang, pivot)
    for row in result.rows:
        for way in DIRECTIONS:
            plain, csls = row.scores[way]["cosine"], row.scores[way].get("csls")
            gain = row.gain[way]["cosine"]["hits@1"] if row.gain else None
            table.add_row(
                _short(row.system) if way == DIRECTIONS[0] else "",
                ways[way],
                _interval(plain["hits@1"]) + _mark(gain),
                f"{plain['hits@10'].mean:.3f}",
                f"{plain['mrr'].mean:.3f}",
                f"{csls['hits@1'].mean:.3f}" if csls else "",
                f"{csls['mrr'].mean:.3f}" if csls else "",
            )
    legend = _legend([row.system for row in result.rows], pivot)
    better = BETTER if any(row.gain for row in result.rows) else ""
    table.caption = "\n".join(part for part in (legend, better) if part)
    return table


def tagging_table(result: tagging.Result) -> Table:
    """Score by system, the difference to the other composition, and the score of each type."""
    columns = ("", f"{result.measure} [95 %]", "gain [95 %]")
    title = f"{result.sentences} sentences, {result.words} words"
    table = _table(title, columns)
    for row in result.rows:
        gain = (
            f"{row.gain.mean:+.3f} [{row.gain.low:+.3f}, {row.gain.high:+.3f}]" if row.gain else ""
        )
        table.add_row(row.system, _interval(row.score), gain)
    first = result[GIVEN].by_type
    table.caption = "F1 by type: " + ", ".join(f"{k} {v:.3f}" for k, v in first.items())
    return table


def comparison_table(result: comparison.Result) -> Table:
    """Each measure of each system, and the difference to the system the others are told to."""
    table = _table(f"{result.count} {result.unit}", ("", "", "score [95 %]", "gain [95 %]"))
    for row in result.rows:
        for measure in result.measures:
            gain = row.gains.get(measure)
            table.add_row(
                _short(row.system) if measure == result.measures[0] else "",
                measure,
                _interval(row.scores[measure]),
                f"{gain.mean:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}]" if gain else "",
            )
    lines = [f"gain: over {_short(result.options['base'])}"] if result.options["base"] else []
    if details := result[GIVEN].details if _has(result, GIVEN) else {}:
        lines.append("F1 by class: " + ", ".join(f"{k} {v:.3f}" for k, v in details.items()))
    table.caption = "\n".join(lines)
    return table


def _has(result: comparison.Result, system: str) -> bool:
    return any(row.system == system for row in result.rows)


def open_ie_table(result: open_ie.Result) -> Table:
    """F1 by system and measure, with the difference to the other taggers."""
    title = f"{result.sentences} sentences, {result.extractions} triples by rule"
    table = _table(title, ("", "F1", "score [95 %]", "gain [95 %]"))
    for row in result.rows:
        for number, (measure, score) in enumerate(row.scores.items()):
            gain = row.gain[measure] if row.gain else None
            table.add_row(
                row.system if not number else "",
                measure,
                _interval(score),
                f"{gain.mean:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}]" if gain else "",
            )
    roles = ", ".join(f"{k} {v:.3f}" for k, v in result[GIVEN].by_role.items())
    table.caption = f"F1 by role, given predicates: {roles}"
    return table


def seeds_table(manifests: Sequence[Manifest]) -> Table:
    """Mean and range over the seeds of one module."""
    table = _table(f"{len(manifests)} seeds", ("", "way", "mean", "least", "most"))
    for rows in zip(*(manifest.evidence for manifest in manifests), strict=True):
        values = [row.value for row in rows]
        name = SHORT[BOTH] if rows[0].sides == "both" else SHORT[LANGUAGE]
        numbers = (sum(values) / len(values), min(values), max(values))
        table.add_row(
            name, rows[0].metric.removeprefix("accuracy "), *(f"{value:.3f}" for value in numbers)
        )
    return table


def _table(title: str, columns: Sequence[str]) -> Table:
    table = Table(
        title=title,
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for number, column in enumerate(columns):
        left = number < 2
        table.add_column(column, justify="left" if left else "right", no_wrap=True)
    return table


def _ways(lang: str, pivot: str) -> dict[Direction, str]:
    names = (f"{lang}>{pivot}", f"{pivot}>{lang}")
    return dict(zip(DIRECTIONS, names, strict=True))


def _short(system: str) -> str:
    return SHORT.get(system, system)


def _legend(systems: Sequence[str], pivot: str) -> str:
    return "\n".join(LEGEND[name].format(pivot=pivot) for name in systems if name in LEGEND)


def _interval(value: Interval) -> str:
    return f"{value.mean:.3f} [{value.low:.3f}, {value.high:.3f}]"


def _mark(gain: Difference | None) -> str:
    return "*" if gain is not None and gain.low > 0 else " "


def _evidence(row: Evidence) -> str:
    if row.interval is None:
        return f"{row.value:.3f}"
    return f"{row.value:.3f} [{row.interval[0]:.3f}, {row.interval[1]:.3f}]"
