"""Own tokens: vectors for ids that the base's vocabulary lacks, beside a module of another kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import torch
from pydantic import PositiveInt, field_validator, model_validator
from torch import Tensor, nn

from xadapt.core.errors import UserError
from xadapt.modules.hooks import (
    BELOW,
    EMBEDDINGS,
    AdapterHook,
    ModelShape,
    ModuleOptions,
    hooks_of,
    penalties,
    watch,
)
from xadapt.modules.storage import build

KIND = "own_tokens"


class OwnTokensOptions(ModuleOptions):
    """Options of own tokens.

    Attributes:
        count: Number of tokens; their ids are the first ones beyond the vocabulary.
        module: ``kind`` and options of the module that acts with them.
    """

    count: PositiveInt = 1
    module: dict[str, Any] = {"kind": "lora"}  # noqa: RUF012 - pydantic copies it

    @field_validator("module")
    @classmethod
    def _has_a_kind(cls, value: Mapping[str, Any]) -> Mapping[str, Any]:
        if not isinstance(value.get("kind"), str) or value["kind"] == KIND:
            raise ValueError("needs the kind of another module, such as {kind: lora}")
        return value

    @model_validator(mode="after")
    def _layers_belong_inside(self) -> OwnTokensOptions:
        if self.layers != "all":
            raise ValueError("layers is an option of the inner module: module.module.layers")
        return self


class NewRows(nn.Module):
    """Vectors of the ids from the vocabulary's size on: ``(batch, tokens)`` to states.

    Args:
        vocabulary: Number of ids that the base knows.
        rows: The vectors, ``(count, width)``.
    """

    def __init__(self, vocabulary: int, rows: Tensor) -> None:
        super().__init__()
        self.vocabulary, self.rows = vocabulary, nn.Parameter(rows)

    def forward(self, ids: Tensor) -> Tensor:
        """Return the vector of each own id, and zeros for each id of the base."""
        own = (ids - self.vocabulary).clamp(0, len(self.rows) - 1)
        return self.rows[own] * (ids >= self.vocabulary).unsqueeze(-1)


class OwnTokens(nn.Module):
    """New vectors at the word embeddings, and a module of any kind in the layers.

    The table of the base stays frozen: the vectors are a parameter of their own, and the text of
    the base never has their ids. So without these ids the module is its inner module.

    Source: the token [QUE] of CLISM, Chen et al. 2022, https://arxiv.org/abs/2204.05210, section
    3.1.

    Args:
        options: Number of tokens, and the inner module.
        model_shape: Shapes of the encoder.
        seed: Seed of the first values.

    Raises:
        ValueError: If the inner module does not fit the encoder.
    """

    kind: ClassVar[str] = KIND
    Options: ClassVar[type[OwnTokensOptions]] = OwnTokensOptions

    def __init__(self, options: OwnTokensOptions, model_shape: ModelShape, seed: int = 0) -> None:
        super().__init__()
        self.options = options
        generator = torch.Generator().manual_seed(seed)
        first = torch.empty(options.count, model_shape.width).normal_(std=0.02, generator=generator)
        self.tokens = NewRows(model_shape.vocabulary, first)
        inner = dict(options.module)
        try:
            self.inner = build(inner.pop("kind"), inner, model_shape, seed=seed)
        except UserError as error:
            raise ValueError(f"the inner module: {error.what}") from None

    def hooks(self) -> list[AdapterHook]:
        """Return the hook at the word embeddings, then those of the inner module."""
        return [AdapterHook(BELOW, EMBEDDINGS, 0, "ids", self.tokens), *hooks_of(self.inner)]

    @property
    def before_vocabulary(self) -> Callable[[Tensor], Tensor] | None:
        """The inner module's map before the language-model head."""
        return getattr(self.inner, "before_vocabulary", None)

    def watch(self) -> None:
        """Signal the start of a step to the inner module."""
        watch(self.inner)

    def penalties(self) -> dict[str, Tensor]:
        """Return the losses of the inner module."""
        return penalties(self.inner)


def tokens_of(hooks: Sequence[AdapterHook]) -> int:
    """Return the number of own tokens that hooks supply."""
    return max((len(hook.fn.rows) for hook in hooks if isinstance(hook.fn, NewRows)), default=0)


Part = OwnTokens
Options = OwnTokensOptions
