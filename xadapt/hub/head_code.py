"""The part of a card's code that is a task head's: what goes in, and how its scores are read."""

from __future__ import annotations

import json

from xadapt.heads.head import HeadTask
from xadapt.hub.manifest import HeadSpec

WORDS = ('words = ["A", "sentence", "as", "words", "."]', "words, is_split_into_words=True")
INPUTS: dict[HeadTask, tuple[str, str]] = {
    "arguments": WORDS,
    "tagging": WORDS,
    "pair_scoring": ('left, right = "A man eats.", "A man is eating."', "[left], [right]"),
    "span_extraction": (
        'question, passage = "Who eats?", "A man eats bread in the park."',
        "[question], [passage]",
    ),
}
"""A line that names an input, and how the tokenizer is given it; texts where there is none."""

SCORES = 'head["linear.weight"].T + head["linear.bias"]'


def head_input(head: HeadSpec, texts: str) -> tuple[list[str], str]:
    """Lines before the tokenizer is called, and what it is called with.

    Args:
        head: The head.
        texts: A list of texts as code, for heads that read texts.
    """
    if head.task not in INPUTS:
        return [], texts
    line, given = INPUTS[head.task]
    return [line], given


def head_code(head: HeadSpec) -> list[str]:
    """Lines from ``states`` to ``labels`` (one a word, or one a text), ``scores`` or ``answer``."""
    if head.task == "arguments":  # it reads a predicate too, and no library has such a head
        return ["# xadapt.tasks.predict.Extractor reads the head of this folder off these states"]
    lines = [
        "from safetensors.torch import load_file",
        'head = load_file(f"{folder}/head.safetensors")',
    ]
    if head.task in ("tagging", "classification"):
        lines.append(f"names = {json.dumps(head.labels, ensure_ascii=False)}")
    return lines + {
        "tagging": _tagging,
        "classification": _classification,
        "pair_scoring": _pair_scoring,
        "span_extraction": _span_extraction,
    }[head.task](head)


def _tagging(_: HeadSpec) -> list[str]:
    return [
        f"scores = states[0] @ {SCORES}",
        "owner = batch.word_ids(0)",
        "labels = [names[int(scores[owner.index(i)].argmax())] for i in range(len(words))]",
    ]


def _classification(_: HeadSpec) -> list[str]:
    return [
        f"scores = states[:, 0] @ {SCORES}",
        "labels = [names[number] for number in scores.argmax(1).tolist()]",
    ]


def _pair_scoring(head: HeadSpec) -> list[str]:
    low, high = head.scale or (0.0, 1.0)
    return [f"scores = {low:g} + {high - low:g} * (states[:, 0] @ {SCORES})[:, 0]"]


def _span_extraction(_: HeadSpec) -> list[str]:
    """The whole passage in one row; `AnswerFinder` reads longer ones in windows."""
    return [
        f"start, end = (states[0] @ {SCORES}).T",
        "parts = enumerate(batch.sequence_ids(0))",
        "places = [batch.token_to_chars(0, i) if part == 1 else None for i, part in parts]",
        "own = [bool(at and passage[at.start : at.end].strip()) for at in places]",
        "own = torch.tensor(own)",
        "sums = (start[:, None] + end[None, :]).where(own[:, None] & own, -torch.inf)",
        "sums = sums.where(torch.ones_like(sums).triu().tril(29) > 0, -torch.inf)",
        "first, last = divmod(int(sums.argmax()), len(sums))",
        "answer = passage[places[first].start : places[last].end].strip()",
    ]
