"""The frozen encoder of a run: views, services of objectives, frozen vectors and states."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from xadapt.backbones.cache.frozen_vectors import FrozenVectors
from xadapt.backbones.compiled import compiled
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.encoder.layers_copy import LayersCopy
from xadapt.backbones.encoder.own_mlm import MaskedPieces, OwnHead
from xadapt.backbones.encoder.prompts import side_prompts
from xadapt.core.distributed import DistributedContext
from xadapt.core.errors import UserError
from xadapt.injection.attachment import embedding_table
from xadapt.objectives.contract import ENCODER, States, asks_for
from xadapt.training.active_module import ActiveModule
from xadapt.training.forward import Forward
from xadapt.training.frozen_side import encode_frozen, keep_prefix
from xadapt.training.settings import Companion, Run
from xadapt.training.tasks import (
    Task,
    require_backbone,
    require_own_tokens,
    require_whole_texts,
)
from xadapt.training.teacher import Teacher, require_services
from xadapt.training.tokenized import Row


class EncoderRun:
    """A `BaseRun` of an encoder.

    Args:
        encoder: The frozen encoder.
        acting: The module under training, or the first composition in which it is trained.
        run: Schedule, folder and callables.
        processes: The processes of the run.
        companions: Frozen modules that views may name.
        pins: Folder of the cached activations that the run uses.

    Attributes:
        frozen: The source of the vectors of rows without the module.
        teacher: Another frozen model that objectives learn from, if there is one.
    """

    def __init__(
        self,
        encoder: Encoder,
        acting: ActiveModule,
        run: Run,
        processes: DistributedContext,
        companions: Mapping[str, Companion],
        pins: Path,
    ) -> None:
        self.encoder, self.run, self.processes, self.pins = encoder, run, processes, pins
        self.frozen = FrozenVectors(encoder, run.cache)
        self.frozen.pin(pins)
        self.teacher = Teacher(run.teacher, self.frozen, run.cache) if run.teacher else None
        if self.teacher:
            self.teacher.frozen.pin(pins)
        others = {name: ActiveModule(encoder, other.module) for name, other in companions.items()}
        self.forward = Forward(
            encoder, acting, self.frozen, processes, run.spec.batch_tokens, others,
            run.spec.grad_cache,
        )  # fmt: skip
        self.vocabulary = embedding_table(encoder).num_embeddings

    @property
    def head_services(self) -> dict[str, Any]:
        """A function that copies the encoder's last layers."""
        return {"copy_layers": partial(LayersCopy, self.encoder)}

    @property
    def services(self) -> dict[str, Any]:
        """What objectives may name that comes from the encoder."""
        own = self.forward.active_module.vocabulary()
        return {
            "tokenizer": self.encoder.tokenizer
            if own is None
            else MaskedPieces(self.encoder.tokenizer, own),
            **self.forward.tokenized.tokenizers,
            **({} if own is None else {"tokenize": self.forward.tokenized.all_with(own.always)}),
            "lm_head": self._lm_head(),
            "vocabulary": self.vocabulary,
            "depth": self.encoder.depth,
            "max_length": self.encoder.max_length,
            "embed": self._embed,
            "prompts": side_prompts(self.encoder.pooling),
            "dimensions": self.run.dimensions,
            "teacher_vectors": self.teacher,
        }

    def tokenize(self, texts: Sequence[str]) -> list[Row]:
        """Tokenise texts, each once in a run."""
        return self.forward.tokenized.tokenize(texts)

    def require(self, tasks: Sequence[Task], turns: Sequence[ActiveModule]) -> None:
        """Refuse objectives and modules that can't be trained on an encoder.

        Raises:
            UserError: If there is one.
        """
        require_services(tasks, self.encoder, self.run)
        for task in tasks:
            require_backbone(task, ENCODER)
            if asks_for(task.objective, "lm_head"):
                self.encoder.mlm_head()
            require_own_tokens(task, turns)
            require_whole_texts(task, turns)

    def prepare(
        self, tasks: Sequence[Task], services: Sequence[Mapping[str, Any]], start: int, show: bool
    ) -> None:
        """Encode frozen texts, and the states below the lowest layer with a module."""
        if self.teacher:
            self.teacher.prepare(tasks, self.processes, show)
        encode_frozen(tasks, services, self.frozen, self.processes, show)
        if self.run.spec.epochs > 1:  # a row that is read once is encoded once either way
            keep_prefix(tasks, services, self.forward, start, self.run.cache, show, self.pins)

    def compiled(self, asked: bool) -> AbstractContextManager[None]:
        """Compile the layers inside the block, if asked for.

        Raises:
            UserError: If there is no compiler.
        """
        return compiled(self.encoder, asked)

    def unpin(self) -> None:
        """Stop keeping the cached activations of the run."""
        taught = self.teacher.frozen if self.teacher else None
        for cache in (self.frozen, self.forward.prefix, taught):
            if cache is not None:
                cache.unpin()

    @torch.no_grad()
    def _embed(self, rows: Sequence[Sequence[int]]) -> States:
        tokens, mask = self.encoder.batch(rows)
        return States(self.encoder.embed(tokens, mask), mask)

    def _lm_head(self) -> Callable[[Tensor], Tensor]:
        """Return the head for the module's own tokens if it has some, else the base's."""
        acting = self.forward.active_module
        rows = acting.own_rows
        if rows is None:
            return lambda states: self.encoder.mlm_head(acting.before_vocabulary)(states)
        return OwnHead(self.encoder, rows, self.vocabulary, acting.before_vocabulary)


def encoder_of(base: object) -> Encoder:
    """Return a base as an encoder.

    Raises:
        UserError: If the base is of another kind.
    """
    if not isinstance(base, Encoder):
        raise UserError("this is for encoders, and the base is an encoder-decoder")
    return base
