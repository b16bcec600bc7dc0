"""Draw Hits@1 by language from the results of `entity_modules.py`.

python examples/benchmarks/entity_chart.py
"""

from __future__ import annotations

from pathlib import Path
from statistics import fmean

import langcodes
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from bench import RESULTS, read
from entity_tables import ALL, EACH, FROZEN, WAYS

IMAGES = Path(__file__).parents[2] / "docs" / "images"
COLOURS = {FROZEN: "#9aa0a6", ALL: "#1f5fbf", EACH: "#d9822b"}
COLUMNS = 3


def main() -> None:
    for path in sorted(RESULTS.glob("entity_modules_*.json")):
        result = read(path)
        draw(result, IMAGES / f"entity_languages_{result['base'].lower()}.png")


def draw(result: dict, target: Path) -> None:
    """One dot a system and language; languages in order of the module for all."""
    groups = (
        (f"{len(result['trained'])} languages trained on", result["trained"]),
        (f"{len(result['held_out'])} never trained on", result["held_out"]),
    )
    columns = [*split(ordered(result, groups[0][1]), COLUMNS), ordered(result, groups[1][1])]
    titles = [groups[0][0], *[""] * (len(columns) - 2), groups[1][0]]
    height = max(map(len, columns))
    figure, axes = plt.subplots(1, len(columns), figsize=(13, 0.21 * height + 1.3), sharex=True)
    for axis, langs, title in zip(axes, columns, titles, strict=True):
        for row, lang in enumerate(langs):
            found = {s: value(result, s, lang) for s in COLOURS if s in result["scores"]}
            told = [one for one in found.values() if one is not None]
            axis.plot([min(told), max(told)], [row, row], color="#d5d8dc", lw=1, zorder=1)
            for system, one in found.items():
                if one is not None:
                    axis.plot(one, row, "o", ms=4.5, color=COLOURS[system], zorder=2)
        axis.set_yticks(range(len(langs)), [name(lang) for lang in langs], fontsize=8)
        axis.set_ylim(height - 0.3, -0.7)
        axis.set_xlim(-0.03, 1.03)  # dots at 0 and 1 are whole
        axis.set_xticks([0, 0.5, 1])
        axis.grid(axis="x", color="#eceff1")
        axis.tick_params(length=0, labelsize=8)
        axis.set_title(title, loc="left", fontsize=10)
        for side in axis.spines.values():
            side.set_visible(False)
        axis.set_xlabel("Hits@1, mean of both directions", fontsize=8)
    handles = [
        plt.Line2D([], [], marker="o", ls="", color=COLOURS[system], label=system)
        for system in COLOURS
        if system in result["scores"]
    ]
    figure.legend(handles=handles, loc="upper center", ncol=3, frameon=False, fontsize=10)
    figure.tight_layout(rect=(0, 0, 1, 1 - 0.5 / figure.get_figheight()))
    target.parent.mkdir(exist_ok=True)
    figure.savefig(target, dpi=110)
    plt.close(figure)


def value(result: dict, system: str, lang: str) -> float | None:
    """The mean over seeds and directions; ``None`` where a system has no such language."""
    runs = [run for run in result["scores"][system] if lang in run]
    return fmean(run[lang][way] for run in runs for way in WAYS) if runs else None


def ordered(result: dict, langs: list[str]) -> list[str]:
    """Languages by the Hits@1 of the module for all, best first."""
    return sorted(langs, key=lambda lang: -(value(result, ALL, lang) or 0))


def split(langs: list[str], parts: int) -> list[list[str]]:
    """A list in parts of like length."""
    size = -(-len(langs) // parts)
    return [langs[i : i + size] for i in range(0, len(langs), size)]


def name(lang: str) -> str:
    """The English name of a language, short."""
    told = langcodes.Language.get(lang).display_name("en")
    return told if len(told) <= 22 else f"{told[:21]}."


if __name__ == "__main__":
    main()
