"""The tables of RESULTS.md on names of entities, code-switched entities and knowledge modules."""

from __future__ import annotations

from statistics import fmean

from bench import RESULTS, read
from objectives_tables import interval, spread
from tables import table

NOT_MEASURED = "not measured here"
FROZEN, ALL, EACH, SHUFFLED = (
    "frozen base", "one module for all", "a module a language", "shuffled names",
)  # fmt: skip
WAYS = ("to_pivot", "from_pivot")


def means(result: dict, system: str, langs: list[str], way: str = "") -> list[float]:
    """The mean Hits@1 over languages of each seed; of both directions, or of one."""
    ways = [way] if way else list(WAYS)
    return [
        fmean(run[lang][one] for lang in langs for one in ways) for run in result["scores"][system]
    ]


def entity_modules(result: dict) -> str:
    """Hits@1 by group of languages, mean over seeds."""
    groups = {
        f"{len(result['trained'])} trained on": result["trained"],
        f"{len(result['own'])} with a module of their own": result["own"],
        f"{len(result['held_out'])} never trained on": result["held_out"],
    }
    rows = []
    for system, runs in result["scores"].items():
        cells = []
        for langs in groups.values():
            there = all(lang in runs[0] for lang in langs)
            cells.append(spread(means(result, system, langs)) if there else "")
        rows.append([system, *cells, str(len(runs)), took(result, system)])
    tfidf = [
        f"{fmean(result['scores'][FROZEN][0][lang][f'tfidf {way}'] for lang in langs for way in WAYS):.3f}"  # noqa: E501
        for langs in groups.values()
    ]
    rows.append(["TF-IDF of character n-grams", *tfidf, "", ""])
    sizes = sorted(result["entities"].values())
    return (
        table(["Hits@1, mean of languages and directions", *groups, "seeds", "train s"], rows)
        + f"\nNames of {sizes[0]} to {sizes[-1]} test entities a language, looked up among the "
        "names of the other side of these entities; names spelt as in English are no queries. "
        f"Base {result['base']}, recipe {result['recipe']}: the module for all learns "
        f"{result['limit']} names of each language once, a module of its own all training names "
        f"of its language three times; {'; '.join(result['settings'])}. ± is the standard "
        "deviation "
        "over seeds. `entity_chart.py` draws the languages.\n"
    )


def took(result: dict, system: str) -> str:
    """Seconds of training; nothing where a module was found trained."""
    return f"{seconds:.0f}" if (seconds := result["seconds"].get(system)) else ""


def switching(result: dict) -> str:
    """Accuracy of masked entity tokens by system, and gains."""
    measures = list(next(iter(result["scores"].values()))[0])
    rows = [
        [system, *(spread([run[m] for run in runs]) for m in measures), took(result, system)]
        for system, runs in result["scores"].items()
    ]
    gains = "Gains on names never seen, the mean (95 % over seeds): " + "; ".join(
        f"{name} {interval(gain)}" for name, gain in result["gains"].items()
    )
    test = ", ".join(
        f"{one['sentences']} sentences in {lang} with {one['unseen']} unseen mentions"
        for lang, one in result["test"].items()
    )
    return (
        table(["accuracy of masked entity tokens", *measures, "train s"], rows)
        + f"\n{result['base']}, {result['steps']} steps of 32 for each system; {test}. Names spelt "
        f"as in English are not asked for. ± is the standard deviation over {result['seeds']} "
        f"seeds. {gains}.\n"
    )


def knowledge(result: dict) -> str:
    """What stands above each knowledge module."""
    measures = list(next(iter(result["scores"].values()))[0])
    rows = [
        [system, *(spread([run[m] for run in runs]) for m in measures)]
        for system, runs in result["scores"].items()
    ]
    return (
        table(["below the task module", *measures], rows)
        + f"\n{result['base']}, {result['seeds']} seeds. Relations: {result['task_rows']:,} texts "
        "of KBP37, three passes, macro F1 over the classes of RELX. Likeness by vectors: no task "
        f"module. Parts of speech: {result['tagged']:,} sentences, one pass.\n"
    )


def probes(result: dict) -> str:
    """What is read from the states of the base, and of each knowledge module."""
    measures = list(next(iter(result["scores"].values()))[0])
    rows = [
        [system, *(spread([run[m] for run in runs]) for m in measures)]
        for system, runs in result["scores"].items()
    ]
    told = result["floors"]
    rows.append(["no states", *(f"{told[m]:.3f}" if m in told else "" for m in measures)])
    gains = ". ".join(
        f"Gains over the base in {measure} (95 % over seeds): "
        + "; ".join(f"{name} {interval(gain)}" for name, gain in own.items())
        for measure, own in result["gains"].items()
    )
    count = result["rows"]
    return (
        table(["read from the states", *measures], rows)
        + f"\n{result['base']}, {result['seeds']} seeds of the modules; ± is the deviation over "
        "them. Relations: a linear map from the states of both marked entities, learnt from "
        f"{count['kbp37']:,} English sentences of KBP37, macro F1 over the relations of RELX "
        f"without no_relation ({count['relx en']} sentences a language). Named entities: "
        f"{count['named']:,} sentences, parts of speech: {count['tags']:,}, each answered by a map "
        "that has not seen them. Masked entities: tokens of mentions in "
        f"{count['masked']:,} sentences, by the base's own head. No states: the most frequent "
        f"relation, and each word's most frequent label. {gains}.\n"
    )


def short_ep(_: str = "") -> str:
    """EP on the names of CLDR, each base."""
    parts = []
    for path in sorted(RESULTS.glob("entity_modules_*.json")):
        result = read(path)
        told = []
        for what, langs in (("trained on", result["trained"]), ("never", result["held_out"])):
            both = (spread(means(result, system, langs)) for system in (FROZEN, ALL))
            tfidf = fmean(
                result["scores"][FROZEN][0][lang][f"tfidf {way}"] for lang in langs for way in WAYS
            )
            told.append(
                "{} languages {}: base {}, module {}".format(len(langs), what, *both)
                + f", TF-IDF {tfidf:.3f}"
            )
        parts.append(f"{result['base']}, CLDR names, Hits@1, {'; '.join(told)}")
    return ". ".join(parts) or NOT_MEASURED


def short_entity_cs(_: str = "") -> str:
    """EntityCS on entities never seen."""
    path = RESULTS / "entity_switching.json"
    if not path.exists():
        return NOT_MEASURED
    result, main = read(path), "mean, never seen"
    shown = "; ".join(
        f"{system} {spread([run[main] for run in runs])}"
        for system, runs in result["scores"].items()
    )
    return f"{result['base']}, masked tokens of entities never seen, es and fr: {shown}"


def short_relx(system: str) -> str:
    """RELX above one knowledge module, beside the base."""
    path = RESULTS / "knowledge_modules.json"
    if not path.exists():
        return NOT_MEASURED
    result, main = read(path), "RELX, mean F1"
    own, base = (spread([run[main] for run in result["scores"][name]]) for name in (system, FROZEN))
    return f"{result['base']}, RELX F1, 5 languages: {own}, without {base}"


SHORT = {
    "mlkg_ep": short_ep,
    "mlkg_tp": lambda _: short_relx("TP"),
    "mlkg_ts": lambda _: short_relx("TS"),
    "mlkg_fused": lambda _: short_relx("fused"),
    "entity_cs": short_entity_cs,
}
"""What is told in short about a recipe."""
