"""The fallback of a language without a module, chosen by measured transfer on own text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from xadapt.backbones.cache.frozen_vectors import FrozenVectors, cache_folder
from xadapt.backbones.cache.prefix_states import shared_states
from xadapt.backbones.cache.reuse import Kept
from xadapt.backbones.encoder.encode import token_states
from xadapt.composition.by_language import choices, for_language
from xadapt.composition.composed import Composed
from xadapt.composition.values import ANY, Composition
from xadapt.core.errors import UserError
from xadapt.data.loading.records import Source, limited, read_pairs
from xadapt.data.readers.plain_text import PlainLines
from xadapt.data.records import ParallelPair
from xadapt.evaluation.retrieval import accuracy_of_pairs
from xadapt.evaluation.statistics import Difference, difference, ratio_difference
from xadapt.evaluation.systems import Side, System
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.inference.fallback_language import FallbackLanguages
from xadapt.inference.shared_states import first_layer
from xadapt.injection.activation import Activation, ActiveAdapter
from xadapt.languages.match import find_same
from xadapt.languages.tags import normalise
from xadapt.report.display import Displayed
from xadapt.report.table import Bar, Table, number

BASE = "base"
EVERY = 7
LINES = 500
ACCURACY, LOSS = "retrieval accuracy", "masked-token loss"


@dataclass(frozen=True)
class FallbackScore:
    """The score of one candidate, and its gain over the base.

    Attributes:
        name: Language of the candidate, or ``base``.
        score: Mean retrieval accuracy of both directions, higher is better; or nats per token.
        gain: Gain over the base by paired bootstrap, positive is better; none for the base itself.
    """

    name: str
    score: float
    gain: Difference | None = None


@dataclass(frozen=True, repr=False)
class MeasuredFallback(Displayed, FallbackLanguages):
    """Fallback languages, one of which was chosen by measurement.

    Attributes:
        tag: The language without a module.
        chosen: The fallback language; ``None``: the base.
        measure: The measure, the number of rows and the file.
        tried: The scores of all candidates, the base first.
    """

    tag: str = ""
    chosen: str | None = None
    measure: str = ""
    tried: tuple[FallbackScore, ...] = ()

    def of(self, tag: str) -> str | None:
        """Return the chosen fallback of the measured language, else the fallback by relation."""
        return self.chosen if find_same(tag, [self.tag]) else super().of(tag)

    def notice(self, tag: str) -> str:
        """Return one line with all scores."""
        if not find_same(tag, [self.tag]):
            return super().notice(tag)
        said = f"that for {self.chosen} stands in" if self.chosen else "none beats the base"
        return f"no module is for {tag}: {said}, by {self.measure}: {'; '.join(self._scores())}"

    def to_dict(self) -> dict[str, Any]:
        """Return the values for JSON."""
        return {"lang": self.tag, "chosen": self.chosen or BASE, "measure": self.measure,
                "tried": self._records()}  # fmt: skip

    def _table(self) -> Table:
        rows = (
            ("chosen" if one.name == (self.chosen or BASE) else "", one.name,
             number(one.score), one.gain)
            for one in self.tried
        )  # fmt: skip
        title = f"Fallback for {self.tag}, by {self.measure}"
        return Table(("", "candidate", "score", f"gain over {BASE}"), tuple(rows), title)

    def _records(self) -> list[dict[str, Any]]:
        return [
            {
                "candidate": one.name,
                "score": one.score,
                "gain": one.gain.mean if one.gain else None,
                "low": one.gain.low if one.gain else None,
                "high": one.gain.high if one.gain else None,
            }
            for one in self.tried
        ]

    def _bars(self) -> list[Bar]:
        gains = ((one.name, one.gain) for one in self.tried if one.gain)
        return [Bar(name, f"gain over {BASE}", g.mean, g.low, g.high) for name, g in gains]

    def _scores(self) -> list[str]:
        return [
            f"{one.name} {one.score:.3f}"
            + (f" (gain {one.gain.low:+.3f} to {one.gain.high:+.3f})" if one.gain else "")
            for one in self.tried
        ]


def select_on(
    adapted: AdaptedEncoder, languages: Sequence[str | None], path: str, pivot: str = "en"
) -> MeasuredFallback:
    """Measure each language's part of a composition on text of another, and choose the best.

    Each candidate and the base are measured on the same rows. A candidate is eligible if the lower
    95 % bound of its gain over the base is above 0. The eligible candidate with the highest gain is
    chosen; without an eligible candidate, the base is chosen. The choice is made on these rows, so
    the score of the chosen candidate on them is slightly too high.

    Args:
        adapted: Encoder, modules and a composition that chooses by language. Its fallback languages
            are replaced.
        languages: Languages of the texts; the composition has no module for one of them.
        path: Text of that language, parallel with the pivot or plain (``.txt``). Parallel text is
            scored by retrieval accuracy between the language side and the bare base's pivot
            vectors. In plain text each token is masked once, every seventh at a time, and
            predicted by the base's own language-model head.
        pivot: Language of the other side.

    Raises:
        UserError: If there is nothing to choose, the file is unusable, or the base has no
            language-model head.
    """
    tag = _wanting(adapted, languages)
    parts: dict[str, Composition] = {BASE: for_language(adapted.composition, tag)}
    for choice in choices(adapted.composition):
        for own, _ in choice.parts:
            if own != ANY and not find_same(own, adapted.fallbacks.pivots):
                parts.setdefault(own, for_language(adapted.composition, own))
    start = first_layer(adapted.encoder, parts.values(), adapted.modules)
    cache = shared_states(adapted.encoder, start, cache_folder())
    if PlainLines().claims(path, None):
        texts = [row.text for row in limited(list(PlainLines().read(path, tag)), LINES)]
        tried = _by_loss(adapted, texts, parts, cache)
        measure = f"{LOSS} on {len(texts)} lines"
    else:
        pairs = limited(read_pairs(Source(path, tag, normalise(pivot))), LINES)
        tried, rows = _by_retrieval(adapted, pairs, parts, cache)
        measure = f"{ACCURACY} on {rows} pairs"
    able = [one for one in tried if one.gain is not None and one.gain.low > 0]
    best = max(able, key=lambda one: one.gain.mean if one.gain else 0.0, default=None)
    old = adapted.fallbacks
    adapted.fallbacks = MeasuredFallback(
        old.languages,
        old.pivots,
        tag=tag,
        chosen=best.name if best else None,
        measure=f"{measure} of {Path(path).name}",
        tried=tuple(tried),
    )
    return adapted.fallbacks


def _wanting(adapted: AdaptedEncoder, languages: Sequence[str | None]) -> str:
    """Return the one language that the composition has no module for."""
    found = [normalise(tag) for tag in adapted.bare(languages)]
    todo = "Give texts of one language that by_language(..) has nothing for, not even by *"
    if len(found) != 1:
        what = f"{', '.join(found)} have no module" if found else "every text has its module"
        raise UserError(f"{what}, so there is nothing to choose", where="--select-on", todo=todo)
    if find_same(found[0], adapted.fallbacks.pivots):
        raise UserError(
            f"modules are aligned to {found[0]}, which stays the base's", where="--select-on"
        )
    return found[0]


def _by_retrieval(
    adapted: AdaptedEncoder,
    pairs: Sequence[ParallelPair],
    parts: Mapping[str, Composition],
    cache: Kept | None,
) -> tuple[list[FallbackScore], int]:
    def side(part: Composition) -> Side:
        return lambda texts: adapted.encode(
            texts, compositions=[part] * len(texts), cache=cache, show_progress_bar=False
        )

    frozen = FrozenVectors(adapted.encoder, cache_folder())

    def bare(texts: Sequence[str]) -> NDArray[np.float32]:
        return frozen.get(texts, cache).cpu().numpy()

    systems = {name: System(side(part), bare) for name, part in parts.items()}
    values = accuracy_of_pairs(pairs, systems)
    return [
        FallbackScore(
            name, float(own.mean()), None if name == BASE else difference(own, values[BASE])
        )
        for name, own in values.items()
    ], len(values[BASE])


def _by_loss(
    adapted: AdaptedEncoder,
    texts: Sequence[str],
    parts: Mapping[str, Composition],
    cache: Kept | None,
) -> list[FallbackScore]:
    sums = {name: masked_losses(adapted, texts, part, cache) for name, part in parts.items()}
    base, count = sums[BASE]
    return [
        FallbackScore(
            name,
            float(own.sum() / count.sum()),
            None if name == BASE else ratio_difference(base, count, own, count),
        )
        for name, (own, _) in sums.items()
    ]


def masked_losses(
    adapted: AdaptedEncoder,
    texts: Sequence[str],
    composition: Composition,
    cache: Kept | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute each text's summed masked-token loss and its number of tokens; ``(n,)`` each.

    Each token is masked once, every seventh of a text at a time.

    Source: the pseudo-log-likelihood of Salazar et al. 2020, https://arxiv.org/abs/1910.14659,
    there one token at a time.

    Args:
        adapted: Encoder and modules.
        texts: Any number of texts.
        composition: The composition for all texts.
        cache: Cached states from which the forwards may start.

    Raises:
        UserError: If the base has no mask token or no language-model head.
    """
    encoder = adapted.encoder
    mask = encoder.tokenizer.mask_token_id
    if mask is None:
        raise UserError("the base has no mask token", todo="Give parallel text instead")
    whole = Composed.checked(composition, adapted.modules)
    head = encoder.mlm_head(whole.before_vocabulary)
    shown, hidden, owners = _hidden(encoder.tokenize(texts), mask, encoder.tokenizer)
    losses, counts = np.zeros(len(texts)), np.zeros(len(texts))
    rows = Activation.of(ActiveAdapter(encoder, whole), cache=cache)
    with torch.inference_mode():
        for chunk, states in token_states(encoder, shown, rows=rows):
            for position, own in zip(chunk, states, strict=True):
                places = list(hidden[position])
                gold = torch.tensor(list(hidden[position].values()), device=own.device)
                lost = F.cross_entropy(head(own[places]).float(), gold, reduction="sum")
                losses[owners[position]] += float(lost)
                counts[owners[position]] += len(places)
    return losses, counts


def _hidden(
    rows: Sequence[Sequence[int]], mask: int, tokenizer: Any
) -> tuple[list[list[int]], list[dict[int, int]], list[int]]:
    """Return rows with masked tokens, the masked tokens by position, and the text of each row."""
    special = set(tokenizer.all_special_ids)
    shown, hidden, owners = [], [], []
    for owner, row in enumerate(rows):
        plain = [place for place, token in enumerate(row) if token not in special]
        for start in range(min(EVERY, len(plain))):
            chosen = {place: row[place] for place in plain[start::EVERY]}
            shown.append([mask if place in chosen else token for place, token in enumerate(row)])
            hidden.append(chosen)
            owners.append(owner)
    return shown, hidden, owners
