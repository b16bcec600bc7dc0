"""The model card: what it learnt from, what it can do on text it never saw, and what it can't."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from xadapt.core.files import write_text
from xadapt.languages.tags import display_name

CANNOT = """## What it can't do

It is small and saw little text: it knows common words and short sentences, and hardly any facts. It
is a ground for trying things out, for tests and for teaching, not for production. Rows longer than
{longest} tokens were never seen. The training filtered nothing out of the text. It was not shown
which sentences are translations of one another, so it aligns languages badly on its own; that is
what modules are for. Languages not in the table are spelt in pieces it has no use for.
"""


def write_card(folder: Path, result: dict[str, Any]) -> None:
    """Write ``README.md`` beside the weights from the numbers of the run."""
    write_text(folder / "README.md", card(result))


def card(result: dict[str, Any]) -> str:
    """The card as Markdown with the Hub's front matter."""
    settings = result["identity"]["settings"]
    languages = sorted(result["languages"])
    front = ["---", "language:", *(f"- {lang}" for lang in languages)]
    front += [f"license: {result['licence']}"] if result["licence"] else []
    front += ["pipeline_tag: fill-mask", "library_name: transformers", "---", ""]
    return "\n".join(front) + "\n".join(
        [
            "# A small multilingual encoder",
            "",
            f"A masked language model of {result['parameters'] / 1e6:.2f} million parameters for "
            f"{len(languages)} languages: XLM-R's architecture with {settings['layers']} layers of "
            f"width {settings['width']}, and a unigram vocabulary of "
            f"{result['identity']['vocabulary']:,} pieces that spells rare letters in bytes.",
            "",
            *_trained(result),
            "",
            *_sources(result.get("sources")),
            *_table(result),
            CANNOT.format(longest=settings["longest"]),
        ]
    )


def _trained(result: dict[str, Any]) -> list[str]:
    settings = result["identity"]["settings"]
    return [
        "## How it was trained",
        "",
        f"{sum(result['sentences'].values()):,} sentences, one a row, in an order of their own in "
        f"each language; {result['steps']:,} steps, {settings['tokens'] / 1e6:.0f} million tokens, "
        f"{result['seconds'] / 60:.0f} minutes on one "
        f"{'GPU' if result['device'] == 'cuda' else 'CPU'} in bf16. "
        f"{settings['share']:.0%} of a row's tokens are hidden; Muon and AdamW, peak rate "
        f"{settings['rate']:g}, decay {settings['decay']:g}; a language with n sentences is drawn "
        f"as n^{settings['alpha']:g}. `examples/pretrain_mini.py` is the whole of it.",
        "",
        _longer(result["dev_loss"]),
        "",
        "Sentence vectors (`modules.json`, for sentence-transformers and xadapt) are means of the "
        f"states, whitened over {result['whitened']:,} training sentences, as many of each "
        "language (https://arxiv.org/abs/2103.15316).",
    ]


def _longer(losses: list[tuple[int, float]]) -> str:
    told = ", ".join(f"{loss:.2f} after {tokens / 1e6:.1f}M" for tokens, loss in losses)
    falling = len(losses) > 1 and losses[-1][1] < losses[-2][1]
    longer = "It was still falling: a longer run would go on from there. " if falling else ""
    return f"Held-out loss, mean of the languages in nats: {told} tokens. {longer}".strip()


def _sources(told: dict[str, Any] | None) -> list[str]:
    if not told:
        return []
    counts = told["train"]["sources"]
    rows = [
        f"| {tag} | {counts[tag]:,} | {licence} |"
        for tag, licence in told["licences"].items()
        if tag in counts
    ]
    return ["## Text", "", "| source | sentences | licence |", "|---|---:|---|", *rows, ""]


def _table(result: dict[str, Any]) -> list[str]:
    head = (
        "| language | sentences | tokens a word | in bytes | masked accuracy | most frequent token "
        "| bigram |"
    )
    rows = [
        f"| {display_name(lang)} ({lang}) | {result['sentences'][lang]:,} "
        f"| {row['tokens_a_word']:.2f} | {row['bytes']:.2%} | {row['accuracy']:.1%} "
        f"| {row['unigram']:.1%} | {row['bigram']:.1%} |"
        for lang, row in sorted(result["languages"].items())
    ]
    return [
        "## On sentences held out",
        "",
        "Accuracy on the 15 % of tokens that are hidden, beside the language's most frequent token "
        "and a bigram (add-k, over the same text and pieces) that sees the true token on the left. "
        "Words are what stands between white space, so the figures of languages written without it "
        "compare with themselves alone.",
        "",
        head,
        "|---|---:|---:|---:|---:|---:|---:|",
        *rows,
        "",
    ]
