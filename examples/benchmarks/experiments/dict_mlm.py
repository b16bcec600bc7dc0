"""DICT-MLM on Spanish: masked words whose labels are translations, entries held out."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn

from experiments.align_mlm import ENTRIES, LANG, SHORT, TEST, dictionary, files
from experiments.contract import LANGUAGE_MODEL, MINI, SHUFFLED, Experiment, Place, Variant
from experiments.shared import short_lines
from xadapt.backbones.encoder.encode import token_states
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.encoder.words import Words, tokenize_words
from xadapt.data.transforms.dictionary_part import dictionary_part
from xadapt.evaluation.systems import System
from xadapt.inference.open_module import open_module
from xadapt.injection.activation import Activation, ActiveAdapter
from xadapt.tasks.dictionary import WordTranslation, word_side

SYSTEM = "DICT-MLM"
TEXTS, OTHER_LINES = 3_000, 6_000
"""Lines that no module was trained on, after those that were."""


class DictMLM(Experiment):
    """What stands behind a mask: its own word, and the translation of a held-out word."""

    system: ClassVar[str] = SYSTEM
    against: ClassVar[str] = LANGUAGE_MODEL
    main: ClassVar[str] = "P@1 held-out words (states)"
    bases: ClassVar[Sequence[str]] = (MINI,)
    about: ClassVar[str] = (
        f"Spanish: {TEXTS:,} short lines and a dictionary of {ENTRIES:,} entries, a fifth of whose "
        "words are held out. States: words alone, mean of their pieces after the last layer, among "
        "all English words of the dictionary. Behind a mask, in lines not trained on: reciprocal "
        "rank of a held-out word's translation (one piece) among those of all entries, and "
        "accuracy of the own word (one piece). Shuffled entries raise the rank as much: what is "
        "learnt is that English may stand there, not which word."
    )

    def variants(self, place: Place) -> Sequence[Variant]:
        """Write text and dictionaries; DICT-MLM, its ablations, and its controls."""
        _, good, bad = files(place)
        text = str(place.work / "lines.txt")
        if not Path(text).exists():
            chosen = islice(short_lines(place.data, LANG), TEXTS)
            Path(text).write_text("".join(f"{line}\n" for line in chosen), encoding="utf-8")
        both = {"train": text, "dictionary": good}
        options = {"lang": LANG, "show": False}
        told = ("data.dictionary.transforms=[]", SHORT)
        return [
            Variant(SYSTEM, "dict_mlm", both, (SHORT,), options),
            Variant("all words with an entry translated", "dict_mlm", both,
                    ("objectives.dict_mlm.translated=1", SHORT), options),
            Variant("language not told", "dict_mlm", both,
                    ("objectives.dict_mlm.conditioned=false", SHORT), options),
            Variant(LANGUAGE_MODEL, "mlm", text, (SHORT,), options),
            Variant(SHUFFLED, "dict_mlm", {"train": text, "dictionary": bad}, told, options),
        ]  # fmt: skip

    def measure(self, place: Place, module: Path | None) -> dict[str, float]:
        """P@1 of held-out words by states, and what is found behind a mask."""
        encoder = Encoder.from_pretrained(place.base)
        own = None if module is None else open_module(module, encoder)[0]
        entries = dictionary(place.data)
        held = dictionary_part(entries, "held_out", 0.2)
        side = System(
            word_side(encoder, own, encoder.depth), word_side(encoder, None, encoder.depth)
        )
        found = WordTranslation().evaluate(
            held, {"it": side}, control=False, resamples=1, pool=[e.pivot for e in entries]
        )
        score = found["it"].scores["P@1"].mean
        return {"P@1 held-out words (states)": score, **behind_masks(encoder, own, place)}


def behind_masks(encoder: Encoder, module: nn.Module | None, place: Place) -> dict[str, float]:
    """Mask one word of each line, and rank what may stand there."""
    special = set(encoder.tokenizer.all_special_ids)

    def piece(word: str) -> int | None:
        own = [t for t in tokenize_words(encoder, [[word]])[0].ids if t not in special]
        return own[0] if len(own) == 1 else None

    texts = [
        line.split() for line in islice(short_lines(place.data, LANG), TEXTS, TEXTS + OTHER_LINES)
    ]
    entries = dictionary(place.data)
    english = {e.pivot: piece(e.pivot) for e in entries}
    pool = sorted({token for token in english.values() if token is not None})
    gold = {e.word: english[e.pivot] for e in dictionary_part(entries, "held_out", 0.2)}
    tokenised = tokenize_words(encoder, texts)
    places = [
        (row, row.first[at], gold[word.lower()])
        for row, words in zip(tokenised, texts, strict=True)
        for at, word in enumerate(words)
        if gold.get(word.lower()) is not None and row.first[at] is not None
    ][:TEST]
    others = [
        (row, row.first[len(words) // 2], None)
        for row, words in zip(tokenised[: 2 * TEST], texts, strict=False)
        if whole(row, len(words) // 2)
    ][:TEST]
    logits = predicted(encoder, module, [(row, at) for row, at, _ in places])
    ranks = [
        1 + int((line[pool] > line[wanted]).sum())
        for line, (*_, wanted) in zip(logits, places, strict=True)
    ]
    own = predicted(encoder, module, [(row, at) for row, at, _ in others])
    right = [
        int(line.argmax()) == row.ids[at] for line, (row, at, _) in zip(own, others, strict=True)
    ]
    return {
        "held-out translation, reciprocal rank": sum(1 / r for r in ranks) / len(ranks),
        "own word, accuracy": sum(right) / len(right),
    }


def whole(row: Words, word: int) -> bool:
    """Whether a word has one piece."""
    first = row.first[word]
    return first is not None and pieces(row, first) == 1


def predicted(encoder: Encoder, module: nn.Module | None, places: Sequence[tuple]) -> list[Tensor]:
    """The scores of all pieces at one masked place of each row."""
    mask = encoder.tokenizer.mask_token_id
    rows = [[*row.ids[:at], mask, *row.ids[at + pieces(row, at) :]] for row, at in places]
    acts = None if module is None else Activation.of(ActiveAdapter(encoder, module))
    head = encoder.mlm_head()
    found: dict[int, Tensor] = {}
    with torch.inference_mode():
        for chunk, states in token_states(encoder, rows, rows=acts):
            for place, own in zip(chunk, states, strict=True):
                found[place] = head(own[places[place][1]][None])[0].float()
    return [found[i] for i in range(len(rows))]


def pieces(row: Words, at: int) -> int:
    """How many pieces the word that begins at a place has."""
    after = [first for first in row.first if first is not None and first > at]
    return (min(after) if after else len(row.ids) - 1) - at


EXPERIMENT = DictMLM()
