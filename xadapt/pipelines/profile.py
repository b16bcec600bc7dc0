"""Profile a frozen encoder, and modules on it: every evaluation that it can be asked, by language.

The evaluation dimensions are those that two surveys of language models name and that an encoder
can be asked: Wang et al. 2023, https://arxiv.org/abs/2307.12966, and Huang et al. 2024,
https://arxiv.org/abs/2411.11072.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.tokenizing import call_tokenizer
from xadapt.composition.text import show
from xadapt.core.errors import UserError
from xadapt.core.sequences import as_strings
from xadapt.core.text_key import normal_key
from xadapt.data.loading.records import Source, limited
from xadapt.data.records import ParallelPair
from xadapt.evaluation import language_profile as measures
from xadapt.evaluation.retrieval import first_of_equals
from xadapt.evaluation.statistics import interval
from xadapt.evaluation.systems import Side, System
from xadapt.functional.spelling_noise import misspelled
from xadapt.hub.opening import tensor_path
from xadapt.inference.locate import locate, short_names
from xadapt.inference.open_module import open_module
from xadapt.languages.tags import display_name, normalise
from xadapt.modules.storage import parameter_count
from xadapt.report.profile import LanguageProfile, Profile, Size, Spelled, SystemScores, Told
from xadapt.tasks.alignment import AlignmentEvaluator, open_composed, read_named

SAMPLE = "sample:test"
LIMIT = 500
NOISE = 0.05
LEAST = 20
HELD_OUT = 2
"""One sentence of this many is held out from the probe of language identity."""
RESAMPLES = 1000


@dataclass(frozen=True)
class Vectors:
    """The vectors of one system in one language, ``(pairs, dim)`` each.

    Attributes:
        texts: Of the texts.
        pivots: Of their translations.
        noisy: Of the texts with mistyped letters.
        base_pivots: Of the translations, by the frozen base.
    """

    texts: NDArray[np.float32]
    pivots: NDArray[np.float32]
    noisy: NDArray[np.float32]
    base_pivots: NDArray[np.float32]

    def scores(self, system: str) -> SystemScores:
        """Compute the numbers of the system."""
        right = measures.retrieved(self.texts, self.pivots)
        bounds = interval(right, resamples=RESAMPLES)
        near = measures.similarities(self.texts, self.pivots)
        return SystemScores(
            system=system,
            accuracy=bounds.mean,
            low=bounds.low,
            high=bounds.high,
            noisy=float(measures.retrieved(self.noisy, self.pivots).mean()),
            noisy_cosine=measures.kept(self.noisy, self.texts),
            source_kept=measures.kept(self.pivots, self.base_pivots),
            source_order=measures.order_kept(self.pivots, self.base_pivots),
            own_language_first=measures.own_language_first(self.texts, self.pivots),
            translations=near.translations,
            within=near.within,
            across=near.across,
        )


def profile(
    *,
    base: str,
    lang: str | Sequence[str],
    data: str | Path = SAMPLE,
    modules: str | Path | Sequence[str | Path] = (),
    compose: str | None = None,
    pivot: str = "en",
    columns: str | None = None,
    file_format: str | None = None,
    limit: int = LIMIT,
    noise: float = NOISE,
    seed: int = 0,
    dtype: str = "auto",
) -> Profile:
    """Measure what a frozen encoder with modules can be asked, by language.

    Measured are: sentence retrieval by language and in the worst language; fertility and parity of
    the tokenizer; what the module does to the pivot language; parameters and bytes; mistyped texts;
    how well a probe tells the language of a vector; and the bias to sentences of one's own
    language. A single module acts on every language that is named; of several, each acts on its
    own.

    Args:
        base: Hub id, folder, ``package:NAME/SUBDIR`` or ``mini``.
        lang: The languages, as BCP-47.
        data: Parallel text that the modules have not seen, in which ``{lang}`` stands for the
            language. ``sample:test`` ships.
        modules: Folders of modules; text ``NAME=FOLDER`` gives one a name.
        compose: A composition of the modules.
        pivot: The language of the other side.
        columns: Columns of the two languages, as for `xadapt.train`.
        file_format: Name of the format, if the path does not show it.
        limit: The most pairs of a language, chosen by hash.
        noise: Share of the letters that are mistyped.
        seed: Seed of the mistyped letters.
        dtype: Type of the base's weights.

    Raises:
        UserError: If no language is named, the data or a module can't be read, a language has fewer
            than 20 different pairs, or no module acts on a language.
    """
    tags = list(dict.fromkeys(normalise(tag) for tag in as_strings(lang)))
    center = normalise(pivot)
    _require(tags, center, limit, noise)
    folders = [str(one) for one in ([modules] if isinstance(modules, (str, Path)) else modules)]
    every = {tag: _pairs(tag, center, str(data), columns, file_format, limit) for tag in tags}
    encoder = Encoder.from_pretrained(base, dtype=dtype)
    acting = {tag: _module(folders, compose, encoder, tag) for tag in tags}
    evaluator = AlignmentEvaluator(encoder)
    found: dict[str, dict[str, Vectors]] = {}
    rows = []
    for tag, (pairs, dropped) in every.items():
        systems = evaluator.systems(acting[tag])
        found[tag] = vectors_of(pairs, systems, evaluator.bare, noise, seed)
        scores = tuple(own.scores(name) for name, own in found[tag].items())
        spelled = spelling_of(encoder, pairs)
        rows.append(LanguageProfile(tag, display_name(tag), len(pairs), dropped, spelled, scores))
    held = {tag: held_out(pairs) for tag, (pairs, _) in every.items()}
    facts = {
        "data": Path(str(data)).name,
        "pairs at most": limit,
        "letters mistyped": f"{noise:.1%}",
        "seed": seed,
        "weights": encoder.precision,
    }
    return Profile(
        base=Path(base).name if Path(base).exists() else base,
        composition=_composition(folders, compose),
        pivot=center,
        pivot_name=display_name(center),
        languages=tuple(rows),
        told=tuple(told(found, held, center)),
        sizes=tuple(_sizes(encoder, folders, compose)),
        facts=facts,
    )


def vectors_of(
    pairs: Sequence[ParallelPair],
    systems: Mapping[str, System],
    bare: Side,
    noise: float,
    seed: int,
) -> dict[str, Vectors]:
    """Encode pairs and their mistyped texts by every system.

    Args:
        pairs: The pairs.
        systems: The systems by name.
        bare: The frozen base.
        noise: Share of the letters that are mistyped.
        seed: Seed of the mistyped letters.
    """
    texts, pivots = [pair.text for pair in pairs], [pair.pivot for pair in pairs]
    noisy = [misspelled(text, noise, random.Random(f"{seed}:{text}")) for text in texts]
    base = bare(pivots)
    made = {}
    for name, system in systems.items():
        other = system.pivot or system.language
        made[name] = Vectors(system.language(texts), other(pivots), system.language(noisy), base)
    return made


def spelling_of(encoder: Encoder, pairs: Sequence[ParallelPair]) -> Spelled:
    """Measure how a base's tokenizer spells texts, beside their translations."""
    own, other = (
        _tokens(encoder, texts)
        for texts in ([pair.text for pair in pairs], [pair.pivot for pair in pairs])
    )
    words = sum(len(pair.text.split()) for pair in pairs)
    characters = sum(len("".join(pair.text.split())) for pair in pairs)
    count = sum(map(len, own))
    unknown = encoder.tokenizer.unk_token_id
    special = encoder.tokenizer.num_special_tokens_to_add()
    return Spelled(
        tokens_per_word=count / words,
        tokens_per_character=count / characters,
        parity=count / sum(map(len, other)),
        unknown=sum(token == unknown for row in own for token in row) / count,
        cut=sum(len(row) + special > encoder.max_length for row in own) / len(own),
    )


def held_out(pairs: Sequence[ParallelPair]) -> NDArray[np.bool_]:
    """Choose pairs that a probe is tested on: half of the different sentences of the pivot.

    A sentence of the pivot is on one side of the split in all languages.
    """
    chosen = [random.Random(normal_key(pair.pivot)).random() < 1 / HELD_OUT for pair in pairs]
    return np.array(chosen, dtype=np.bool_)


def told(
    found: Mapping[str, Mapping[str, Vectors]],
    held: Mapping[str, NDArray[np.bool_]],
    pivot: str,
) -> list[Told]:
    """Measure for every system how well a probe tells the languages, the pivot among them.

    Args:
        found: Vectors by language and system.
        held: The pairs of each language that are tested.
        pivot: The pivot's tag.
    """
    made = []
    for name in next(iter(found.values())):
        vectors = {tag: own[name].texts for tag, own in found.items()}
        vectors[pivot] = np.concatenate([own[name].pivots for own in found.values()])
        test = {**held, pivot: np.concatenate(list(held.values()))}
        one = measures.leakage(vectors, test)
        if one is not None:
            made.append(Told(name, one.accuracy, one.chance, dict(one.recall), one.tested))
    return made


def _require(tags: Sequence[str], pivot: str, limit: int, noise: float) -> None:
    if not tags:
        raise UserError("no language is named", where="lang", todo="Name at least one")
    if pivot in tags:
        raise UserError(
            f"{pivot} is the pivot, which every language is measured with",
            where="lang",
            todo="Leave it out, or name another --pivot",
        )
    if limit < LEAST:
        raise UserError(f"a profile needs {LEAST} pairs or more, not {limit}", where="limit")
    if not 0 < noise <= 1:
        raise UserError(
            f"the share of mistyped letters is above 0 and at most 1, not {noise}", where="noise"
        )


def _pairs(
    tag: str, pivot: str, data: str, columns: str | None, file_format: str | None, limit: int
) -> tuple[list[ParallelPair], int]:
    """Read the pairs of a language; return different ones, and how many were left out."""
    path = data.replace("{lang}", tag)
    rows = read_named(Source(path, tag, pivot, columns, file_format))
    kept, _ = first_of_equals(rows)
    pairs = [rows[place] for place in kept]
    if len(pairs) < LEAST:
        raise UserError(
            f"there are {len(pairs)} different pairs in {tag}, and {LEAST} are needed",
            where=path,
            todo="Give more pairs",
        )
    return limited(pairs, limit), len(rows) - len(pairs)


def _module(
    folders: Sequence[str], compose: str | None, encoder: Encoder, tag: str
) -> nn.Module | None:
    """Open what acts on texts of a language; ``None`` for the base alone."""
    if not folders and compose is None:
        return None
    _, places = locate(folders, compose)
    if compose is None and len(places) == 1:
        [folder] = places.values()
        return open_module(folder, encoder)[0]
    return open_composed(folders, compose, encoder, tag)


def _composition(folders: Sequence[str], compose: str | None) -> str:
    """Return what acts as text, without the folders' paths."""
    if not folders and compose is None:
        return ""
    value, places = locate(folders, compose)
    short = short_names(places)
    if compose is None:
        return ", ".join(map(str, short.values()))
    text = show(value)
    for name in sorted(places, key=len, reverse=True):
        text = text.replace(name, str(short[name]))
    return text


def _sizes(encoder: Encoder, folders: Sequence[str], compose: str | None) -> list[Size]:
    """Count the values and bytes of the base and of each module."""
    weights = list(encoder.model.parameters())
    found = [
        Size(
            "base",
            sum(value.numel() for value in weights),
            sum(value.numel() * value.element_size() for value in weights),
        )
    ]
    if not folders and compose is None:
        return found
    _, places = locate(folders, compose)
    short = short_names(places)
    for name, folder in places.items():
        module, _ = open_module(folder, encoder)
        size = tensor_path(folder).stat().st_size
        found.append(Size(str(short[name]), parameter_count(module), size))
    return found


def _tokens(encoder: Encoder, texts: Sequence[str]) -> list[list[int]]:
    made: Any = call_tokenizer(
        encoder.tokenizer, list(texts), add_special_tokens=False, truncation=False, verbose=False
    )
    return [list(row) for row in made["input_ids"]]
