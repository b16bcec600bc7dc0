"""One objective with its records: views out, encoded views in, a loss that sums over processes."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from xadapt.backbones.cache.frozen_vectors import FrozenVectors
from xadapt.core.distributed import DistributedContext
from xadapt.core.errors import UserError
from xadapt.data.records import Record
from xadapt.modules.own_tokens import tokens_of
from xadapt.objectives.contract import (
    ENCODER,
    SEQ2SEQ,
    Bank,
    Loss,
    View,
    asks_for,
    backbone_of,
    bank_rows,
    call,
    further_data,
    heads_of,
)
from xadapt.training.active_module import ActiveModule
from xadapt.training.forward import Request
from xadapt.training.settings import DivergedError


@dataclass
class Views:
    """The views that one objective needs encoded in one step.

    Attributes:
        records: The records of this step that the objective trains on in this process.
        names: Names of the views, in the order of the requests.
        requests: The views.
        context: Further arguments of the objective's ``loss``.
    """

    records: list[Record]
    names: list[str]
    requests: list[Request]
    context: dict[str, Any] = field(default_factory=dict)


class Task:
    """One objective of a run.

    Args:
        name: Name of the objective.
        objective: The objective.
        records: The records of the objective.
        weight: Factor on the objective's loss.
        share: Share of each batch's records that the objective uses.
        data: Name of the source of records; tasks of one source share batches.
        further: The records of further entries of the recipe's data, by name.
        batch_size: Records of the source in a step; ``None`` means the run's own number.
    """

    def __init__(
        self,
        name: str,
        objective: Any,
        records: Sequence[Record],
        *,
        weight: float = 1.0,
        share: float = 1.0,
        data: str = "train",
        further: Mapping[str, Sequence[Record]] | None = None,
        batch_size: int | None = None,
    ) -> None:
        if not records:
            raise UserError(f"there are no records to train {name} on")
        if not isinstance(records[0], objective.consumes):
            wanted, given = objective.consumes.__name__, type(records[0]).__name__
            raise UserError(f"{name} trains on {wanted}, and the data holds {given}")
        self.name, self.objective, self.records = name, objective, records
        self.weight, self.share, self.data = weight, share, data
        prepare = getattr(objective, "prepare", None)
        self.batch_size = batch_size
        own = {entry: (further or {})[entry] for entry in further_data(objective)}
        self.memory = prepare(records, **own) if prepare else None
        self.bank: Bank | None = None

    def make_heads(self, width: int, services: Mapping[str, Any]) -> nn.Module | None:
        """Make the objective's own trainable part, if the objective has one."""
        return heads_of(self.objective, width, self.memory, services)

    def longest(self, tokenize: Callable[[Sequence[str]], Sequence[Sequence[int]]]) -> list[str]:
        """Find the text of each record that has the most tokens."""
        texts = [_texts(record) for record in self.records]
        distinct = list(dict.fromkeys(text for some in texts for text in some))
        size = dict(zip(distinct, map(len, tokenize(distinct)), strict=True))
        return [max(some, key=size.__getitem__) for some in texts]

    def constant_texts(self, services: Mapping[str, Any]) -> Iterator[str]:
        """Yield every text on which the module never acts; its vector is a constant."""
        yield from bank_rows(self.objective, self.memory) or ()
        for start in range(0, len(self.records), 1024):
            rows = list(self._constants(self.records[start : start + 1024], services))
            if not rows:  # an objective has constant texts in every step or in none
                return
            yield from rows

    def _constants(self, records: Sequence[Record], services: Mapping[str, Any]) -> Iterator[str]:
        own = {"records": records, "rng": random.Random(0), "memory": self.memory}
        for view in call(self.objective.views, {**services, **own}).values():
            if isinstance(view, View) and view.module is False and view.output == "pooled":
                yield from (row for row in view.rows if isinstance(row, str))

    def steady_rows(self, services: Mapping[str, Any]) -> Iterator[tuple[Any, int | None]]:
        """Yield rows that are the same in every step, with the start of their second segment.

        The module acts on these rows. Rows that an objective masks or draws anew differ between
        two draws, so they are left out.
        """
        for start in range(0, len(self.records), 1024):
            records = self.records[start : start + 1024]
            own = {"records": records, "memory": self.memory}
            drawn = [
                call(self.objective.views, {**services, **own, "rng": random.Random(seed)})
                for seed in (0, 1)
            ]
            steady = [
                view
                for name, view in drawn[0].items()
                if isinstance(view, View)
                and view.module is True
                and list(view.rows) == list(drawn[1][name].rows)
            ]
            if not steady:  # an objective has such a view in every step or in none
                return
            for view in steady:
                begins: Sequence[int | None] = view.second or [None] * len(view.rows)
                yield from zip(view.rows, begins, strict=True)

    def first_views(self, services: Mapping[str, Any]) -> list[View]:
        """Return the views of the first record."""
        given = {"records": self.records[:1], "rng": random.Random(0), "memory": self.memory}
        views = call(self.objective.views, {**services, **given}).values()
        return [view for view in views if isinstance(view, View)]

    def teachers(self, services: Mapping[str, Any]) -> list[str]:
        """Return the names of the companions that encode the objective's views, each once."""
        named = (view.module for view in self.first_views(services))
        return list(dict.fromkeys(name for name in named if isinstance(name, str)))

    def make_bank(self, frozen: FrozenVectors) -> None:
        """Look up the objective's bank, if the objective uses one."""
        rows = bank_rows(self.objective, self.memory)
        if rows:
            vectors = F.normalize(frozen.get(rows), dim=-1)
            self.bank = Bank(vectors.to(frozen.encoder.dtype))

    def views(
        self,
        batch: Sequence[int],
        rng: random.Random,
        services: Mapping[str, Any],
        processes: DistributedContext,
    ) -> Views:
        """Make the views of one step: of all records if they are coupled, else of a share."""
        chosen = sorted(rng.sample(batch, max(1, round(self.share * len(batch)))))
        if not self.objective.coupled:
            chosen = [chosen[i] for i in processes.share(len(chosen))]
        records = [self.records[i] for i in chosen]
        given = {**services, "records": records, "rng": rng, "memory": self.memory}
        made = call(self.objective.views, given) if records else {}
        names = [name for name, value in made.items() if isinstance(value, View)]
        requests = [Request(made[name], self.objective.coupled) for name in names]
        context = {name: value for name, value in made.items() if name not in names}
        return Views(records, names, requests, context)

    def loss(
        self,
        views: Views,
        encoded: Sequence[Any],
        services: Mapping[str, Any],
        processes: DistributedContext,
    ) -> tuple[Tensor, dict[str, float]]:
        """Compute the loss to differentiate in this process, and the numbers to log.

        Averaging the gradient over the processes gives the gradient of the whole batch's loss.

        Raises:
            UserError: If a record's loss is not finite; the record is named.
        """
        given = {**services, **views.context, "memory": self.memory, "bank": self.bank}
        given |= dict(zip(views.names, encoded, strict=True))
        none = Loss(torch.zeros(0, device=processes.state.device))
        loss = call(self.objective.loss, given) if views.records else none
        self._require_finite(loss, views.records)
        if self.objective.coupled or processes.world == 1:
            total = loss.total()
            shown = float(total.detach())
        else:
            total, shown = _across(loss, processes)
        told = {**loss.scalars, **loss.logged}
        return total, {"loss": shown, **{k: float(v.detach()) for k, v in told.items()}}

    def _require_finite(self, loss: Loss, records: Sequence[Record]) -> None:
        bad = (~torch.isfinite(loss.values.detach())).nonzero().flatten().tolist()
        if bad:
            record = records[bad[0]]
            raise DivergedError(
                f"the loss of {self.name} is not finite on {_shown(record)}",
                where=record.origin,
                todo="Look at this record; lower train.learning_rate, or use dtype: float32",
            )


def make_heads(
    tasks: Sequence[Task], width: int, seed: int, services: Mapping[str, Any] | None = None
) -> nn.ModuleDict:
    """Make the objectives' own trainable parts, by number of the task; alike in every process."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = {str(i): task.make_heads(width, services or {}) for i, task in enumerate(tasks)}
    return nn.ModuleDict({name: head for name, head in made.items() if head is not None})


def require_backbone(task: Task, kind: str) -> None:
    """Refuse an objective for another kind of base.

    Args:
        task: The objective.
        kind: The kind of the base, ``encoder`` or ``seq2seq``.

    Raises:
        UserError: If the objective trains on the other kind.
    """
    if backbone_of(task.objective) != kind:
        names = {ENCODER: "an encoder", SEQ2SEQ: "an encoder-decoder"}
        wanted = names[backbone_of(task.objective)]
        raise UserError(f"{task.name} trains on {wanted}, and this base is {names[kind]}")


def require_own_tokens(task: Task, turns: Sequence[ActiveModule]) -> None:
    """Refuse an objective with ids beyond the vocabulary where no module supplies their vectors.

    Raises:
        UserError: If a composition has too few own tokens.
    """
    needed = getattr(task.objective, "own_tokens", 0)
    for turn in turns:
        there = tokens_of(turn.hooks)
        if there < needed:
            raise UserError(
                f"{task.name} needs {needed} token{'s' * (needed > 1)} that the base's "
                f"vocabulary lacks, and the module has {there or 'none'}",
                where="module",
                todo=f"Train the kind own_tokens around it: module: {{kind: own_tokens, count: "
                f"{needed}, module: {{kind: lora}}}}; or compose with a module that has the "
                f"token{'s' * (needed > 1)}",
            )


READS_TOKENS = (
    "tokenizer",
    "tokenize",
    "tokenize_words",
    "tokenize_word_windows",
    "tokenize_places",
    "tokenize_pairs",
    "tokenize_windows",
    "lm_head",
)
"""Services that give or read tokens of the base."""


def require_whole_texts(task: Task, turns: Sequence[ActiveModule]) -> None:
    """Refuse an objective that makes rows of the base's tokens for a module with a vocabulary.

    An objective whose attribute ``own_vocabulary`` is true reads the tokens of either.

    Raises:
        UserError: If the objective asks for a tokenizer, and a composition has a vocabulary, or
            chooses between vocabularies by language.
    """
    if getattr(task.objective, "own_vocabulary", False):
        if any(turn.has_vocabulary and turn.by_language for turn in turns):
            raise UserError(
                f"{task.name} reads tokens of one vocabulary, and this composition has several",
                where="--compose",
                todo="Train inside one composition, not by language",
            )
        return
    asked = next((name for name in READS_TOKENS if asks_for(task.objective, name)), None)
    if asked is not None and any(turn.has_vocabulary for turn in turns):
        raise UserError(
            f"{task.name} reads the base's own tokens, and this module has a vocabulary of its own",
            where="module",
            todo="Train it with an objective on whole texts, such as translation_ranking or "
            "distillation",
        )


def _across(loss: Loss, processes: DistributedContext) -> tuple[Tensor, float]:
    weights = torch.ones_like(loss.values) if loss.weights is None else loss.weights
    total_weight = processes.total(weights.sum()).clamp(min=1e-12)
    mean = (loss.values * weights).sum() * processes.world / total_weight
    total = mean + sum(loss.scalars.values())
    return total, float(processes.total(total.detach()) / processes.world)


def _texts(record: Record) -> list[str]:
    """Return the texts of a record: its strings, and its words joined to one text."""
    values = [getattr(record, f.name) for f in fields(record) if f.name != "origin"]
    words = [
        " ".join(v) for v in values if isinstance(v, tuple) and all(isinstance(w, str) for w in v)
    ]
    return [v for v in values if isinstance(v, str)] + words or [str(values)]


def _shown(record: Record) -> str:
    text = repr(record)
    return text if len(text) <= 160 else text[:157] + "..."
