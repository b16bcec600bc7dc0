"""The tables of RESULTS.md on tasks: transfer from English, and mixtures."""

from __future__ import annotations

from bench import RESULTS, read
from objectives_tables import interval, spread
from tables import table

MEASURES = {"ner": "span F1", "pos": "accuracy"}


def transfer(result: dict) -> str:
    """One line a system: the mean over languages, each language, and where it gains."""
    langs = result["languages"]
    measure = MEASURES[result["task"]]
    return (
        table(
            ["", f"mean {measure}", *langs, "above / below the task module"],
            [line(name, row, langs) for name, row in result["systems"].items()],
        )
        + f"\nLearnt in English alone, {result['seeds']} seeds of the task modules, one of the "
        "others; ± is the standard deviation of the mean over seeds. The last column counts the "
        "languages and seeds where the paired 95 % interval lies above or below 0.\n"
    )


def prokd(result: dict) -> str:
    """One line a system: the mean over languages, each language, and the gains over seeds."""
    langs = result["languages"]
    rows = [
        [*line(name, row, langs)[:-1], *(interval(row[over]) for over in ("over_ce", "over_kd"))]
        for name, row in result["systems"].items()
    ]
    for name, row in zip(result["systems"], rows, strict=True):
        row[-2:] = [
            "" if system == name else cell
            for system, cell in zip((result["ce"], result["kd"]), row[-2:], strict=True)
        ]
    head = ["", "mean span F1", *langs, "over English labels alone", "over distillation"]
    return (
        table(head, rows) + f"\n{result['sentences']:,} labelled English sentences, "
        f"{result['text']:,} unlabelled ones of each language, {result['epochs']} epochs a stage, "
        f"{result['seeds']} seeds, first {result['test']:,} sentences of each test; ± is the "
        "standard deviation of the mean over seeds. Gains of the mean over languages, 95 % over "
        "seeds (Student's t, paired by seed). Text of the tests was left out of the unlabelled "
        "text; every choice was made on English labels.\n"
    )


def short_prokd() -> str:
    """The mean F1 of the systems of ProKD on each base."""
    told = []
    for path in sorted(RESULTS.glob("prokd_*.json")):
        result = read(path)
        systems = result["systems"]
        ce, kd, full = (systems[result[name]]["mean"] for name in ("ce", "kd", "full"))
        own = systems[result["full"]]
        told.append(
            f"{result['base']}, from English to {', '.join(result['languages'])}: F1 "
            f"{full['mean']:.3f}; English labels alone {ce['mean']:.3f} (gain "
            f"{interval(own['over_ce'])}), distillation alone {kd['mean']:.3f} (gain "
            f"{interval(own['over_kd'])})"
        )
    return ". ".join(told) or "not measured here"


def relations(result: dict) -> str:
    """Micro F1 of each system on each test, gains over English alone, and what was projected."""
    tests = list(result["tests"])
    rows = [
        [system, *(spread([run[test]["micro f1"] for run in runs]) for test in tests)]
        for system, runs in result["scores"].items()
    ]
    first = next(iter(result["scores"].values()))[0]
    rows.append(["most frequent relation", *(f"{first[test]['floor']:.3f}" for test in tests)])
    told = "; ".join(
        f"{name}: " + ", ".join(f"{test} {interval(one)}" for test, one in own.items())
        for name, own in result["gains"].items()
    )
    lost = "; ".join(
        f"{name} {1 - own['projection_rate']:.1%} of {own['source_rows']:,}"
        for name, own in result["projection"].items()
    )
    kept = "; ".join(
        f"{' and '.join(f'`<{name}>`' for name in tags.split(','))} {own['projection_rate']:.1%}, "
        f"{own['same_words']:.0%}"
        for tags, own in result["tags"].items()
    )
    return (
        table(["micro F1 without no_relation", *tests], rows)
        + f"\n{result['rows']:,} English texts of KBP37, {result['seeds']} seeds; every system saw "
        f"{result['seen']:,} texts, drawn from its own; ± is the deviation over seeds. Tests: "
        f"RELX, {min(result['tests'].values())} to {max(result['tests'].values())} texts each, "
        f"{result['without_relation']['en']} of the English ones without a relation. Translations "
        "into Spanish, and from there into French. Gains over English alone, the mean (95 % over "
        f"seeds): {told}. Projection failures: {lost}. One pair of tags alone, English training "
        "texts to Spanish, texts that keep them, and texts of these whose words are those of a "
        f"translation without tags: {kept}.\n"
    )


def short_relations() -> str:
    """The F1 of zero-shot relations on each base, and the gain of translations."""
    told = []
    for path in sorted(RESULTS.glob("relations_*.json")):
        result = read(path)
        systems = list(result["scores"])
        values = {
            lang: spread([run[lang]["micro f1"] for run in result["scores"][systems[0]]])
            for lang in ("en", "es")
        }
        gains = result["gains"]
        told.append(
            f"{result['base']}, RELX, micro F1 from English: en {values['en']}, es {values['es']}; "
            f"in es {systems[2]} {interval(gains[systems[2]]['es'])}, back-translated test "
            f"{interval(gains['back-translated test']['es'])}"
        )
    return ". ".join(told) or "not measured here"


def line(name: str, row: dict, langs: list[str]) -> list[str]:
    """One system: its mean, each language, and where its paired interval leaves 0."""
    means = [f"{row['languages'][lang]['mean']:.3f}" for lang in langs]
    gains = [gain for lang in langs for gain in row["gain"][lang] if gain]
    up, down = sum(g["low"] > 0 for g in gains), sum(g["high"] < 0 for g in gains)
    spread = f" ± {row['mean']['sd']:.3f}" if row["mean"]["sd"] is not None else ""
    told = f"{up} / {down} of {len(gains)}" if gains else ""
    return [name, f"{row['mean']['mean']:.3f}{spread}", *means, told]


def mixtures(result: dict) -> str:
    """One line a way of weighing: the seen languages and the unseen one."""
    langs = [*result["seen"], *result["unseen"]]
    rows = [
        [*line(name, row, langs), f"{result['bytes'].get(name, 0) / 1e6:.2f}"]
        for name, row in result["systems"].items()
    ]
    seen, unseen = ", ".join(result["seen"]), ", ".join(result["unseen"])
    head = [
        "", f"mean span F1 of {seen}", *result["seen"], f"{unseen} (unseen)",
        "above / below the uniform mixture", "MB on top",
    ]  # fmt: skip
    return (
        table(head, rows) + f"\n{result['seeds']} seeds; ± is the standard deviation of the mean "
        "over seeds. The oracle takes the expert of the text's own language, for French that of "
        "Spanish. The last column but one counts languages and seeds where the paired 95 % "
        "interval lies above or below 0; the last is what was trained on top of the experts.\n"
    )


def open_ie(result: dict) -> str:
    """One line a system: English, and the mean of the other languages, for each measure."""
    names = ("predicates", "arguments given predicates", "triples")
    others = [lang for lang in result["languages"] if lang != "en"]
    rows = []
    for name, row in result["systems"].items():
        cells = []
        for measure in names:
            own = row[measure]
            spread = own["mean"]["sd"]
            cells.append(f"{own['languages']['en']['mean']:.3f}")
            cells.append(f"{own['mean']['mean']:.3f}" + (f" ± {spread:.3f}" if spread else ""))
        gains = [g for lang in others for g in row["triples"]["gain"][lang] if g]
        up, down = sum(g["low"] > 0 for g in gains), sum(g["high"] < 0 for g in gains)
        rows.append([name, *cells, f"{up} / {down} of {len(gains)}" if gains else ""])
    head = [""]
    for measure in names:
        head += [f"{measure}, en", f"{measure}, {', '.join(others)}"]
    head.append("triples above / below one LoRA")
    return (
        table(head, rows) + f"\nF1, learnt from {result['sentences']:,} English sentences, "
        f"{result['epochs']} epochs, {result['seeds']} seeds; ± is the standard deviation of the "
        "mean over seeds. Gold is made by rule from trees. Three stages take three times the steps "
        "of the others. `left and right` reads no model: the words beside the predicates that the "
        "heads alone found.\n"
    )


def long_documents(result: dict) -> str:
    """One line a way to tag the same words, with its difference to single sentences."""
    rows = []
    for name, row in result["systems"].items():
        gains = row["gains"] or []
        cells = [f"{100 * one['mean']:+.2f} [{100 * one['low']:+.2f}, {100 * one['high']:+.2f}]"
                 for one in gains]  # fmt: skip
        spread = row["score"]["sd"]
        shown = f"{100 * row['score']['mean']:.2f}" + (f" ± {100 * spread:.2f}" if spread else "")
        rows.append([name, shown, "; ".join(cells)])
    return (
        table(["", f"{result['measure']}, %", "points above sentences, by seed [95 %]"], rows)
        + f"\n{result['documents']} documents of {result['words']} words or more, joined of "
        f"neighbouring sentences; {result['model']}, learnt from {result['sentences']:,} "
        f"{result['learnt']} ({result['epochs']} epochs, {result['seeds']} seeds; ± is the "
        f"standard deviation over seeds). The base reads {result['tokens']} tokens at once; `cut` "
        "is a document without windows: the words past that length are not read.\n"
    )


def labels(result: dict) -> str:
    """One table a task: the measures of each system with their intervals."""
    parts = []
    for name, task in result["tasks"].items():
        rows = [
            [row["system"], *(_interval(row["scores"][measure]) for measure in task["measures"])]
            for row in task["rows"]
        ]
        title = f"{name}: {task['trained']:,} trained, {task['count']:,} measured"
        parts.append(f"{title}\n\n{table(['', *task['measures']], rows)}")
    return (
        "\n".join(parts) + f"\n{result['base']}, {result['epochs']} epochs, {result['dev']} "
        "development rows, one seed; 95 % intervals over test rows.\n"
    )


def _interval(score: dict) -> str:
    return f"{score['mean']:.3f} ({score['low']:.3f}-{score['high']:.3f})"
