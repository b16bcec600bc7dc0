"""Small reports for the tests of xadapt.report."""

from __future__ import annotations

from xadapt.report import (
    BASE,
    BOTH_SIDES,
    LANGUAGE_SIDE,
    SHUFFLED,
    TFIDF,
    Example,
    LanguageResult,
    Report,
    Score,
)


def swahili(**changes: object) -> LanguageResult:
    values: dict[str, object] = {
        "lang": "sw",
        "name": "Swahili",
        "measure": "hits@1",
        "pool": 200,
        "scores": [
            Score(BASE, "to_pivot", 0.12, 0.08, 0.17),
            Score(TFIDF, "to_pivot", 0.41, 0.34, 0.48),
            Score(SHUFFLED, "to_pivot", 0.1),
            Score(LANGUAGE_SIDE, "to_pivot", 0.634, 0.57, 0.7),
            Score(BOTH_SIDES, "to_pivot", 0.597, 0.53, 0.66),
            Score(BASE, "from_pivot", 0.15, 0.1, 0.2),
            Score(LANGUAGE_SIDE, "from_pivot", 0.66, 0.6, 0.72),
        ],
        "examples": [Example("Misri", "Spain", "Egypt", "Egypt")],
        "item": "name",
        "asked": "entities never seen",
        "about": "Both sides: it is on for English too.",
        "drawn": "drawn evenly",
    }
    return LanguageResult(**(values | changes))  # type: ignore[arg-type]


def report(*languages: LanguageResult) -> Report:
    return Report(
        "names of the world",
        "A small module was trained here.",
        [("base", "mini"), ("parameters", "589,824")],
        list(languages),
        {"distillation": [(s, 1 / s) for s in range(1, 60)], "total": [(1, 3.0), (2, 2.0)]},
        [(10, 0.25), (20, 0.5), (30, 0.375)],
        'model.load_adapter("out/sw", set_active=True)',
        [("your own sentences", "xadapt train --help")],
        ["running text was not measured"],
        "xadapt quickstart --lang sw",
    )
