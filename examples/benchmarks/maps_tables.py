"""The table of RESULTS.md on maps between word vectors, and the short line for each method."""

from __future__ import annotations

import textwrap
from pathlib import Path

from bench import RESULTS, read
from objectives_tables import spread
from tables import table

METHODS = {
    "procrustes": ("Procrustes",),
    "refine": ("Procrustes + refine",),
    "rcsls": ("RCSLS spectral", "RCSLS"),
    "vecmap": ("VecMap",),
}
"""The rows of each method of `xadapt map`."""


def embedding_maps(result: dict) -> str:
    """One line a method: P@1 of each pair of languages by cosine and by CSLS."""
    pairs = result["pairs"]
    columns = [f"{pair}, {way}" for pair in pairs for way in ("nn", "CSLS")]
    names = next(iter(pairs.values()))["scores"]
    rows = [
        [
            name,
            *(
                spread(pairs[pair]["scores"][name][way]["P@1"])
                for pair in pairs
                for way in ("nn", "csls")
            ),
            f"{mean([s for pair in pairs for s in pairs[pair]['seconds'].get(name, [0.0])]):.0f}",
        ]
        for name in names
    ]
    return table(["P@1", *columns, "CPU s"], rows) + "\n" + about(result) + "\n"


def about(result: dict) -> str:
    """What the vectors, words and splits are."""
    vectors = result["vectors"]
    texts = "; ".join(
        f"{lang} {text['words'] / 1e6:.1f} million words" for lang, text in vectors["texts"].items()
    )
    own = vectors["gensim"]
    sizes = "; ".join(
        f"{pair}: {runs[0]['train']:,} training, {runs[0]['dev']} choosing and "
        f"{runs[0]['test']['covered']:,} test words, coverage of the test words "
        f"{mean([run['test']['coverage'] for run in runs]):.0%}"
        for pair, runs in ((pair, one["dictionary"]) for pair, one in result["pairs"].items())
    )
    return (
        f"Skip-gram vectors by gensim, trained here: {own['vector_size']} values, "
        f"{own['epochs']} epochs ({texts}); the {result['max_vocab']:,} most frequent words of "
        f"each side. {result['seeds']} splits of the dictionary, ± is the deviation over them; no "
        f"part shares a word with another ({sizes}). Steps are chosen by CSLS on held-out words. "
        f"{order(result)} The paper's own pair, English and Sinhala, was not measured: the shared "
        "text has no Sinhala."
    )


def order(result: dict) -> str:
    """How RCSLS stands to Procrustes with CSLS, split by split."""
    told = []
    for pair, one in result["pairs"].items():
        for name in METHODS["rcsls"]:
            own, other = (one["scores"][row]["csls"]["P@1"] for row in (name, "Procrustes"))
            gains = [a - b for a, b in zip(own, other, strict=True)]
            told.append(f"{name} {pair} {', '.join(f'{gain:+.3f}' for gain in gains)}")
    return f"Gain over Procrustes, both with CSLS, by split: {'; '.join(told)}."


def mean(values: list[float]) -> float:
    """The mean."""
    return sum(values) / len(values)


def short(method: str) -> str:
    """One line on a method, for ``xadapt explain``."""
    path = RESULTS / "embedding_maps.json"
    if not path.exists():
        return "not measured here"
    result = read(path)
    parts = []
    for name in METHODS[method]:
        cells = "; ".join(
            f"{pair} {spread(one['scores'][name]['nn']['P@1'])} / "
            f"{spread(one['scores'][name]['csls']['P@1'])}"
            for pair, one in result["pairs"].items()
        )
        parts.append(f"{name} {cells}")
    return (
        f"P@1 by cosine / CSLS on word vectors trained on "
        f"{result['vectors']['most_words'] / 1e6:.0f} million words a language: {'. '.join(parts)}"
    )


def write_measured(folder: Path) -> None:
    """Put the line of each method between the marks of its file."""
    start, end = "    # measured: embedding_maps\n", "    # /measured\n"
    for name in METHODS:
        file = folder / f"{name}.py"
        before, _, rest = file.read_text(encoding="utf-8").partition(start)
        lines = textwrap.wrap(short(name), 84, break_on_hyphens=False)
        quoted = [f'        "{line} "' for line in lines[:-1]] + [f'        "{lines[-1]}"']
        block = "    measured: ClassVar[str] = (\n" + "\n".join(quoted) + "\n    )\n"
        if len(lines) == 1:
            block = f'    measured: ClassVar[str] = "{lines[0]}"\n'
        after = rest.partition(end)[2]
        file.write_text(before + start + block + end + after, encoding="utf-8")
