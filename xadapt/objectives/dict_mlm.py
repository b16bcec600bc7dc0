"""DICT-MLM: a masked word is predicted in another language, which the head is told."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from xadapt.core.errors import UserError
from xadapt.data.records import PlainText, WordPair
from xadapt.functional.losses import token_cross_entropy
from xadapt.objectives.contract import EncodeView, Loss, States, draws
from xadapt.objectives.masking import Masking, require_mask
from xadapt.objectives.word_pieces import pieces_of_words

MARKS = re.compile(r"^\W+|\W+$")
"""Punctuation around a word."""
Synonyms = Mapping[tuple[str, str], Mapping[str, Sequence[str]]]


@dataclass(frozen=True)
class Memory:
    """The dictionary of a run.

    Attributes:
        synonyms: By language and word (in lower case), the translations by language.
        languages: All languages, in the order of the head's vectors.
        conditioned: Whether the head is told the language.
    """

    synonyms: Synonyms
    languages: tuple[str, ...]
    conditioned: bool


class LanguageCondition(nn.Module):
    """``h + W norm(h + e_l) + c``: states, moved by the language of the label; first unchanged.

    Args:
        width: Features of a state.
        languages: Number of languages, each with a vector ``e_l (width)``.
    """

    def __init__(self, width: int, languages: int) -> None:
        super().__init__()
        self.languages = nn.Embedding(languages, width)
        self.norm = nn.LayerNorm(width)
        self.dense = nn.Linear(width, width)
        for zero in (self.dense.weight, self.dense.bias):
            nn.init.zeros_(zero)

    def forward(self, states: Tensor, languages: Tensor) -> Tensor:
        """Map ``(n, width)`` and language numbers ``(n,)`` to ``(n, width)``."""
        given = self.norm(states.float() + self.languages(languages))
        return (states.float() + self.dense(given)).to(states.dtype)


@dataclass(frozen=True)
class DictMLM:
    """Masked language modelling whose labels are, for some words, translations.

    ``L = - log P(y | x, t, l)`` with ``P = softmax(head(g(h_t, e_l)))``. Words are what spaces
    separate, without punctuation behind them, and chosen as a whole. A chosen word with a
    translation becomes, with probability ``translated``, a synonym position: all its pieces are
    masked in the input, always, and the label at its first piece is a translation ``y`` in a
    language ``l``. The language is drawn first, then one of its translations, so that languages
    with many synonyms count no more. Every other chosen word is masked as in BERT, with its own
    pieces as labels and its own language as ``l``.

    ``g`` adds the vector of the LABEL's language, a norm and a dense layer to the state; the base's
    frozen head follows. Vectors and ``g`` are trained with the module and then left out. The
    dictionary is the entry ``dictionary`` of the recipe's data. Translations between two languages
    of the run go through the pivot language.

    Source: Chaudhary et al. 2020, "DICT-MLM", https://arxiv.org/abs/2010.12566, section 3. The
    paper's ``g`` is not known to us; add, norm and dense is ours.

    Attributes:
        probability: Share of words that are predicted.
        mask_rate: Share of the pieces of predicted words, with their own labels, that are replaced
            by the mask token.
        random_rate: Share of these pieces that are replaced by a random token. The rest is
            unchanged.
        translated: Probability that a chosen word with translations gets one as its label (p_x).
        pieces: ``single`` takes translations of one piece alone, ``first`` also longer ones, of
            which the first piece is predicted.
        skip: Number of the most frequent words of the text (function words) whose labels are never
            translations.
        conditioned: Whether the head is told the language; ``false`` is an ablation.
    """

    probability: float = 0.15
    mask_rate: float = 0.8
    random_rate: float = 0.1
    translated: float = 0.5
    pieces: Literal["single", "first"] = "single"
    skip: int = 50
    conditioned: bool = True

    consumes: ClassVar[type] = PlainText
    reads: ClassVar[dict[str, type]] = {"dictionary": WordPair}
    source: ClassVar[str] = "https://arxiv.org/abs/2010.12566"
    coupled: ClassVar[bool] = False

    def __post_init__(self) -> None:
        self.masking()
        if not 0 <= self.translated <= 1 or self.skip < 0:
            raise ValueError("translated must be in [0, 1], and skip not negative")

    def masking(self) -> Masking:
        """Return how own words are masked."""
        return Masking(self.probability, self.mask_rate, self.random_rate)

    def prepare(self, records: Sequence[PlainText], dictionary: Sequence[WordPair]) -> Memory:
        """Index the dictionary, in both directions and through the pivot.

        Raises:
            UserError: If no entry is in a language of the text.
        """
        spoken = list(dict.fromkeys(r.lang for r in records))
        both: dict[tuple[str, str], dict[str, dict[str, None]]] = {}
        for pair in dictionary:
            ours, theirs = (pair.lang, pair.word), (pair.pivot_lang, pair.pivot)
            for (lang, word), (other, translation) in ((ours, theirs), (theirs, ours)):
                key = (lang, word.lower())
                both.setdefault(key, {}).setdefault(other, {})[translation] = None
        found = {
            key: {lang: tuple(words) for lang, words in by.items()} for key, by in both.items()
        }
        for (lang, word), by in both.items():
            for pivot, words in by.items():
                for through in words:
                    for other, further in both.get((pivot, through.lower()), {}).items():
                        if other not in (lang, pivot) and other in spoken:
                            more = found[lang, word].get(other, ())
                            found[lang, word][other] = tuple(dict.fromkeys((*more, *further)))
        if not any(lang in spoken for lang, _ in found):
            raise UserError(
                f"the dictionary has no word in {', '.join(spoken)}, the language of the text",
                where="--data dictionary",
                todo="Give a dictionary of the language that is trained",
            )
        for lang, word in _frequent(records, self.skip):
            found.pop((lang, word), None)
        languages = dict.fromkeys([*spoken, *(lang for by in found.values() for lang in by)])
        return Memory(found, tuple(languages), self.conditioned)

    def heads(self, width: int, memory: Memory) -> nn.Module | None:
        """Build g and the vectors of the languages; none without a condition."""
        return LanguageCondition(width, len(memory.languages)) if self.conditioned else None

    def views(
        self,
        records: Sequence[PlainText],
        rng: random.Random,
        memory: Memory,
        tokenizer: Any,
        tokenize_words: Any,
    ) -> dict[str, Any]:
        """Build the view of the masked texts, and of each masked place label and language.

        Raises:
            UserError: If the base has no mask token.
        """
        require_mask(tokenizer)
        special = set(tokenizer.all_special_ids)
        sentences = [tuple(r.text.split()) for r in records]
        rows, picked, labels, langs = [], [], [], []
        number = {lang: n for n, lang in enumerate(memory.languages)}
        tokenised = tokenize_words(sentences)
        for owner, (record, words, row, chance) in enumerate(
            zip(records, sentences, tokenised, draws(rng, records), strict=True)
        ):
            shown = list(row.ids)
            pieces = pieces_of_words(row, special)
            for place in self.masking().choose(list(pieces), chance):
                word, own = _bare(words[place], pieces[place], row, tokenize_words, special)
                label = self._synonym(record.lang, word, memory, chance, tokenize_words, special)
                if label is not None:
                    # No token stays: a kept word would give the answer away.
                    shown[own[0] : own[-1] + 1] = [int(tokenizer.mask_token_id)] * len(own)
                    picked.append((owner, own[0]))
                    labels.append(label[0])
                    langs.append(number[label[1]])
                    continue
                for at in own:
                    picked.append((owner, at))
                    labels.append(row.ids[at])
                    langs.append(number[record.lang])
                    shown[at] = self.masking().disguise(row.ids[at], chance, tokenizer)
            rows.append(shown)
        view = EncodeView(rows, output="states", langs=[r.lang for r in records])
        return {"text": view, "picked": picked, "labels": labels, "label_langs": langs}

    def loss(
        self,
        text: States,
        picked: list[tuple[int, int]],
        labels: list[int],
        label_langs: list[int],
        lm_head: Callable[[Tensor], Tensor],
        heads: nn.Module | None = None,
    ) -> Loss:
        """Compute each record's mean loss over masked places, weighted by number: ``(n,)``."""
        device = text.hidden.device
        index = torch.tensor(picked, device=device, dtype=torch.long).reshape(-1, 2)
        states = text.hidden[index[:, 0], index[:, 1]]
        if heads is not None:
            states = heads(states, torch.tensor(label_langs, device=device, dtype=torch.long))
        target = torch.tensor(labels, device=device, dtype=torch.long)
        return Loss(*token_cross_entropy(lm_head(states), target, index[:, 0], len(text.hidden)))

    def _synonym(
        self,
        lang: str,
        word: str,
        memory: Memory,
        rng: random.Random,
        tokenize_words: Any,
        special: set[int],
    ) -> tuple[int, str] | None:
        """Draw a translation: the id of its first piece, and its language; ``None`` for none."""
        known = memory.synonyms.get((lang, word.lower()))
        if not known or rng.random() >= self.translated:
            return None
        usable: dict[str, list[int]] = {}
        for other, translations in known.items():
            for translation in translations:
                cased = translation.capitalize() if word.istitle() else translation
                [row] = tokenize_words([tuple(cased.split())])
                own = [token for token in row.ids if token not in special]
                if own and (self.pieces == "first" or len(own) == 1):
                    usable.setdefault(other, []).append(own[0])
        if not usable:
            return None
        other = rng.choice(sorted(usable))
        return rng.choice(usable[other]), other


def _frequent(records: Sequence[PlainText], most: int) -> list[tuple[str, str]]:
    """Return the most frequent words of each language of the text, with the language."""
    counts: dict[str, dict[str, int]] = {}
    for record in records if most else ():
        own = counts.setdefault(record.lang, {})
        for word in record.text.lower().split():
            bare = MARKS.sub("", word)
            own[bare] = own.get(bare, 0) + 1
    return [
        (lang, word)
        for lang, own in counts.items()
        for word in sorted(own, key=lambda word: (-own[word], word))[:most]
    ]


def _bare(
    word: str, own: list[int], row: Any, tokenize_words: Any, special: set[int]
) -> tuple[str, list[int]]:
    """Return a word without punctuation, and the positions of its pieces.

    Where its pieces alone are not those in the text, the word stays with its punctuation.
    """
    bare = MARKS.sub("", word)
    if bare in ("", word):
        return word, own
    [alone] = tokenize_words([(bare,)])
    wanted = [token for token in alone.ids if token not in special]
    first = own[: len(wanted)]
    return (bare, first) if [row.ids[at] for at in first] == wanted else (word, own)


Part = DictMLM
