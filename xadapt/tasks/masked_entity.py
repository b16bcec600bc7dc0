"""Masked entities: the tokens of a masked mention are predicted by the base's own head.

One mention is masked at a time, as a whole. Entities that occur in given training data and those
that never do are reported apart.

Source: the masked prediction of entities of EntityCS, Whitehouse et al. 2022,
https://arxiv.org/abs/2210.12540, section 2.2, as a measure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from xadapt.backbones.cache.reuse import Kept
from xadapt.backbones.encoder.encode import Rows, token_states
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.encoder.text_places import tokenize_places
from xadapt.core.errors import UserError
from xadapt.core.text_key import normal_key
from xadapt.data.readers.in_memory import InMemory
from xadapt.data.readers.name_tables import read_name_table
from xadapt.data.records import LinkedSentence
from xadapt.data.transforms.link_entities import LinkEntities
from xadapt.data.transforms.protocol import Services
from xadapt.evaluation.comparison import Result, compare, ratio_of_sums
from xadapt.heads.head import Head
from xadapt.hub.manifest import Evidence
from xadapt.objectives.masking import require_mask
from xadapt.tasks.alignment import (
    BASE,
    language_of,
    open_composed,
    open_module_and_control,
    require_module,
)
from xadapt.tasks.predictor import BASELINE, MODULE
from xadapt.tasks.protocol import RESAMPLES, Option, Request, Task, read_rows
from xadapt.training.active_module import ActiveModule
from xadapt.training.loop import Trainer

TOKENS, WHOLE = "token accuracy", "whole entity"
SEEN, UNSEEN = "seen in training", "never seen"
FREQUENT = "most frequent piece"
Piece = tuple[str, str]
Found = Sequence[Sequence[Sequence[Piece]]]
"""The right and the predicted piece of each token, by sentence, then by mention."""


class MaskedEntity(Task):
    """Predict the tokens of a masked mention from the rest of the sentence."""

    name: ClassVar[str] = "masked_entity"
    title: ClassVar[str] = (
        "Masked entities: the share of their tokens that the base's own head predicts."
    )
    record: ClassVar[type] = LinkedSentence
    metrics: ClassVar[tuple[str, ...]] = (TOKENS, WHOLE)
    task_type: ClassVar[str] = "fill-mask"
    shared: ClassVar[tuple[str, ...]] = ("module", "compose", "baseline")
    data_help: ClassVar[str] = (
        "Sentences with linked mentions (.jsonl), or plain text with --names."
    )
    lang_help: ClassVar[str] = "Language of the texts; known from the module if there is one."
    short: ClassVar[Mapping[str, str]] = {
        FREQUENT: "frequent piece",
        TOKENS: "tokens",
        WHOLE: "entities",
        f"{TOKENS}, {SEEN}": "tokens, seen",
        f"{TOKENS}, {UNSEEN}": "tokens, never seen",
        f"{WHOLE}, {SEEN}": "entities, seen",
        f"{WHOLE}, {UNSEEN}": "entities, never seen",
    }

    def evaluate(
        self,
        rows: Sequence[LinkedSentence],
        systems: Mapping[str, Found],
        *,
        base: Any = None,
        resamples: int = RESAMPLES,
        seed: int = 0,
        seen: Collection[str] | None = None,
    ) -> Result:
        """Score predicted pieces.

        Args:
            rows: The sentences.
            systems: By system, the right and the predicted pieces of each mention.
            base: The system the others are compared with.
            resamples: Number of bootstrap samples over sentences.
            seed: Seed of the bootstrap.
            seen: Keys of entities in the training data, see `keys`; they are reported apart.

        Raises:
            UserError: If there are no mentions, or a system does not predict each mention.
        """
        if not any(row.mentions for row in rows):
            raise UserError("there is no mention of an entity to evaluate on")
        known = [[_key(row, mention) in (seen or ()) for mention in row.mentions] for row in rows]
        parts: dict[str, Callable[[bool], bool]] = {"": lambda own: True}
        if seen is not None:
            parts |= {f", {SEEN}": lambda own: own, f", {UNSEEN}": lambda own: not own}
        columns: dict[str, dict[str, Sequence[Any]]] = {}
        for name, found in {**systems, **_frequent(systems)}.items():
            if len(found) != len(rows) or any(
                len(own) != len(row.mentions) for own, row in zip(found, rows, strict=False)
            ):
                raise UserError(f"{name} does not predict each mention of {len(rows)} sentences")
            columns[name] = {}
            for part, kept in parts.items():
                counts = _counts(found, known, kept)
                columns[name] |= {TOKENS + part: counts[:2], WHOLE + part: counts[2:]}
        mentions = [own for row in known for own in row]
        return compare(
            self.name, self.unit, columns, dict.fromkeys(next(iter(columns.values())), _share),
            base=base, resamples=resamples, seed=seed,
            facts={"mentions": len(mentions),
                   **({} if seen is None else {"mentions_seen": sum(mentions)})},
        )  # fmt: skip

    def oracle(self, rows: Sequence[LinkedSentence]) -> list[list[list[Piece]]]:
        """Return the words of each mention as its pieces, all right."""
        return [[[(w, w) for w in _words(row, m)] for m in row.mentions] for row in rows]

    def chance(self, rows: Sequence[LinkedSentence], seed: int = 0) -> list[list[list[Piece]]]:
        """Draw a word of any mention for each word."""
        right = self.oracle(rows)
        every = [word for row in right for own in row for word, _ in own]
        drawn = np.random.default_rng(seed)
        return [
            [[(word, every[int(drawn.integers(len(every)))]) for word, _ in own] for own in row]
            for row in right
        ]

    def measure(
        self,
        request: Request,
        *,
        names: Annotated[
            str | None, Option("Source of names that link plain text, such as cldr:all.")
        ] = None,
        file_format: Annotated[
            str | None,
            Option(
                "linked_sentences (default) or entity_cs.",
                flag="--format",
                choices=("linked_sentences", "entity_cs"),
            ),
        ] = None,
        ids: Annotated[
            str | None, Option("What the ids of linked sentences begin with (default: Q).")
        ] = None,
        train: Annotated[
            str | None,
            Option("Training data in the same form: their entities are reported apart."),
        ] = None,
        train_lang: Annotated[str, Option("Language of the training data.")] = "en",
    ) -> Result:
        """Measure a base, and modules on it, on masked mentions."""  # fmt: skip
        require_module(request)
        tag = language_of(request.lang, request.modules)
        if names is not None and file_format is not None:
            raise UserError("--names links plain text, and --format reads links", todo="Name one")
        if ids is not None and (names or file_format == "entity_cs"):
            raise UserError("--ids does nothing here", todo="Leave it out")
        how = (names, file_format, ids)
        rows = _read(request.data, tag, *how)
        seen = None if train is None else keys(_read(train, train_lang, *how))
        encoder = Encoder.from_pretrained(request.base, dtype=request.dtype)
        systems: dict[str, Found] = {BASE: predict(encoder, rows)}
        base = BASE
        if request.baseline is not None:
            other = open_composed(request.modules, request.baseline, encoder, tag)
            systems[BASELINE] = predict(encoder, rows, other)
            base = BASELINE
        module, _ = open_module_and_control(request, encoder, tag)
        if module is not None:
            systems[MODULE] = predict(encoder, rows, module)
        return self.evaluate(rows, systems, base=base, seen=seen)

    def scores(
        self, trainer: Trainer, dev: Sequence[LinkedSentence], cache: Kept | None = None
    ) -> dict[str, float]:
        """Compute both accuracies of the current module; ``score`` is that of tokens."""
        found = _predicted(trainer.encoder, dev, trainer.active_module)
        result = self.evaluate(dev, {MODULE: found}, resamples=1)
        own = {name: score.mean for name, score in result[MODULE].scores.items()}
        return {"score": own[TOKENS], **own}

    def evidence(
        self,
        encoder: Encoder,
        module: nn.Module,
        dev: Sequence[LinkedSentence],
        head: Head | None = None,
        cache: Kept | None = None,
    ) -> list[Evidence]:
        """Measure the module, with the base and the most frequent piece."""
        systems = {BASE: predict(encoder, dev), MODULE: predict(encoder, dev, module)}
        result = self.evaluate(dev, systems, base=BASE)
        return self.to_evidence(result, MODULE, BASE, sides="language")


def predict(
    encoder: Encoder, rows: Sequence[LinkedSentence], module: nn.Module | None = None
) -> list[list[list[Piece]]]:
    """Predict the tokens of each mention, one masked mention at a time.

    Args:
        encoder: A base with a masked-LM head.
        rows: The sentences.
        module: The module that acts; ``None`` is the bare base.

    Returns:
        For each mention the right and the predicted piece of each token; nothing for a mention of
        which the row holds only a part.

    Raises:
        UserError: If the base has no masked-LM head or no mask token.
    """
    return _predicted(encoder, rows, None if module is None else ActiveModule(encoder, module))


@torch.inference_mode()
def _predicted(
    encoder: Encoder, rows: Sequence[LinkedSentence], active: ActiveModule | None
) -> list[list[list[Piece]]]:
    require_mask(encoder.tokenizer)
    mask = encoder.tokenizer.mask_token_id
    found: list[list[list[Piece]]] = [[[] for _ in row.mentions] for row in rows]
    masked: list[list[int]] = []
    owners: list[tuple[int, int, list[int]]] = []
    texts = tokenize_places(encoder, [row.text for row in rows])
    for i, (row, text) in enumerate(zip(rows, texts, strict=True)):
        for j, (start, stop, _) in enumerate(row.mentions):
            places = text.find(start, stop)
            if places:
                hidden = set(places)
                masked.append([mask if at in hidden else t for at, t in enumerate(text.ids)])
                owners.append((i, j, places))
    acts: Rows | None = None
    if active is not None:
        acts = active.rows([rows[i].lang for i, _, _ in owners])
    lm_head = encoder.mlm_head(active.before_vocabulary if active else None)
    for chunk, states in token_states(encoder, masked, rows=acts) if masked else ():
        for position, own in zip(chunk, states, strict=True):
            i, j, places = owners[position]
            best = _best(lm_head, own[places])
            ids = zip((texts[i].ids[at] for at in places), best, strict=True)
            found[i][j] = [tuple(encoder.tokenizer.convert_ids_to_tokens(list(pair)))
                           for pair in ids]  # fmt: skip
    return found


def _best(lm_head: Callable[[Tensor], Tensor], states: Tensor) -> list[int]:
    return [int(token) for token in lm_head(states).argmax(-1)]


def keys(rows: Sequence[LinkedSentence]) -> set[str]:
    """Return the keys of the entities of sentences: ids, and names of entities without an id."""
    return {_key(row, mention) for row in rows for mention in row.mentions}


def _key(row: LinkedSentence, mention: tuple[int, int, str]) -> str:
    start, end, entity = mention
    return entity or normal_key(row.text[start:end])


def _words(row: LinkedSentence, mention: tuple[int, int, str]) -> list[str]:
    return row.text[mention[0] : mention[1]].split()


def _counts(
    found: Found, known: Sequence[Sequence[bool]], kept: Callable[[bool], bool]
) -> list[np.ndarray]:
    """Count right tokens, tokens, right mentions and mentions of each sentence."""
    rows = []
    for mentions, own in zip(found, known, strict=True):
        pieces = [p for p, is_seen in zip(mentions, own, strict=True) if p and kept(is_seen)]
        right = [[wanted == given for wanted, given in one] for one in pieces]
        rows.append([sum(map(sum, right)), sum(map(len, right)), sum(map(all, right)), len(right)])
    return list(np.array(rows, dtype=np.float64).T)


def _share(right: np.ndarray, count: np.ndarray) -> np.ndarray:
    return ratio_of_sums(right, count)


def _frequent(systems: Mapping[str, Found]) -> dict[str, Found]:
    """Return the most frequent right piece for every token, as a system."""
    first = next(iter(systems.values()), ())
    counts = Counter(wanted for row in first for own in row for wanted, _ in own)
    if not counts:
        return {}
    best = min(counts, key=lambda piece: (-counts[piece], piece))
    return {FREQUENT: [[[(wanted, best) for wanted, _ in own] for own in row] for row in first]}


def _read(
    data: str | InMemory,
    tag: str,
    names: str | None,
    file_format: str | None,
    ids: str | None,
) -> list[LinkedSentence]:
    if names is None:
        options = {} if ids is None else {"ids": ids}
        return read_rows(file_format or "linked_sentences", data, tag, options=options)
    texts = read_rows("plain_text", data, tag)
    services = Services(tag, callables={"names": read_name_table})
    return LinkEntities(names).apply(texts, services)


Part = MaskedEntity()
