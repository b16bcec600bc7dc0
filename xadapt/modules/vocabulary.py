"""Vocabulary: a tokenizer and rows of its own, in front of the frozen table of word embeddings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ClassVar, Literal

import torch
from pydantic import NonNegativeInt, PositiveInt, field_validator, model_validator
from torch import Tensor, nn

from xadapt.backbones.mapped_tokenizer import MAX_JSON, MAX_PIECES, MappedTokenizer
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

KIND = "vocabulary"
Start = Literal["auto", "translations", "dictionary", "focus", "pieces"]


class VocabularyOptions(ModuleOptions):
    """Options of a vocabulary. A recipe gives the first eight; training fills in the others.

    Attributes:
        size: The most pieces to learn from the training texts.
        tokenizer: A file ``tokenizer.json``, or a folder with one, that is taken instead of
            learning pieces. A trained module has the file's name here.
        start: The first values of the rows: ``translations``, ``dictionary``, ``focus`` or
            ``pieces``, see `xadapt.pipelines.own_vocabulary`. ``auto`` is ``dictionary`` if one is
            given, ``translations`` for pairs of sentences, else ``focus``.
        dictionary: A file of word pairs, English first. A trained module has the file's name here.
        rank: Rank of the rows, which are then a narrow row times one matrix; ``None`` for rows of
            the base's width.
        row_dtype: ``bfloat16`` rounds the rows in every forward, and stores them in half the bytes.
            They are trained in fp32.
        module: ``kind`` and options of the module that is trained with the rows; ``{kind: none}``
            for the rows alone.
        acts_on: The texts that the inner module acts on. ``own``: those that the vocabulary reads;
            all other texts are read by the base alone. ``all``: also those that the base's
            tokenizer reads, in rows that have this module.
        pieces: Number of rows.
        tokens: Number of ids of the tokenizer, with the special tokens.
        tokenizer_bytes: Size of the tokenizer's file.
        row_bytes: Size of the stored rows.
        started: Number of rows by what they began with.
        languages: The languages of the training texts. Rows of these are read by the vocabulary.
    """

    size: PositiveInt = 8000
    tokenizer: str = ""
    start: Start = "auto"
    dictionary: str = ""
    rank: PositiveInt | None = None
    row_dtype: Literal["float32", "bfloat16"] = "float32"
    module: dict[str, Any] = {"kind": "lora"}  # noqa: RUF012 - pydantic copies it
    acts_on: Literal["own", "all"] = "own"
    pieces: NonNegativeInt = 0
    tokens: NonNegativeInt = 0
    tokenizer_bytes: NonNegativeInt = 0
    row_bytes: NonNegativeInt = 0
    started: dict[str, NonNegativeInt] = {}  # noqa: RUF012
    languages: list[str] = []  # noqa: RUF012

    @field_validator("module")
    @classmethod
    def _has_a_kind(cls, value: Mapping[str, Any]) -> Mapping[str, Any]:
        if not isinstance(value.get("kind"), str) or value["kind"] in (KIND, "own_tokens"):
            raise ValueError("needs the kind of a module for the layers, such as {kind: lora}")
        return value

    @model_validator(mode="after")
    def _sizes(self) -> VocabularyOptions:
        if self.layers != "all":
            raise ValueError("layers is an option of the inner module: module.module.layers")
        if max(self.size, self.pieces, self.tokens) > MAX_PIECES:
            raise ValueError(f"a vocabulary has at most {MAX_PIECES:,} pieces")
        if self.tokenizer_bytes > MAX_JSON:
            raise ValueError(f"a tokenizer has at most {MAX_JSON // 2**20} MiB")
        return self


class OwnRows(nn.Module):
    """Vectors of the ids from the base's table size on: ``(batch, tokens)`` to states.

    Args:
        vocabulary: Number of ids that the base knows.
        pieces: Number of rows.
        width: Features of a state.
        rank: As for `VocabularyOptions`.
        halved: Whether rows are rounded to bfloat16. Gradients pass the rounding unchanged.
    """

    def __init__(
        self, vocabulary: int, pieces: int, width: int, rank: int | None, halved: bool = False
    ) -> None:
        super().__init__()
        self.vocabulary, self.halved = vocabulary, halved
        self.rows = nn.Parameter(torch.zeros(pieces, rank or width))
        self.basis = nn.Parameter(torch.zeros(rank, width)) if rank else None

    def start(self, values: Tensor) -> None:
        """Take first values ``(pieces, width)``; of low rank, their best approximation."""
        with torch.no_grad():
            if self.basis is None:
                self.rows.copy_(values)
                return
            left, sizes, right = torch.linalg.svd(values.float(), full_matrices=False)
            rank = min(len(self.basis), len(sizes))
            self.rows[:, :rank] = left[:, :rank] * sizes[:rank].sqrt()
            self.basis[:rank] = sizes[:rank, None].sqrt() * right[:rank]

    def wide(self) -> Tensor:
        """Return all rows, ``(pieces, width)``."""
        rows = self._rounded(self.rows)
        return rows if self.basis is None else rows @ self.basis

    def _rounded(self, rows: Tensor) -> Tensor:
        if not self.halved:
            return rows
        return rows + (rows.bfloat16().to(rows.dtype) - rows).detach()

    def forward(self, ids: Tensor) -> Tensor:
        """Return the vector of each own id, and zeros for each id of the base."""
        own = ids >= self.vocabulary
        if not len(self.rows):
            width = self.rows.shape[1] if self.basis is None else self.basis.shape[1]
            return self.rows.new_zeros(*ids.shape, width)
        found = self._rounded(self.rows[(ids - self.vocabulary).clamp(0, len(self.rows) - 1)])
        wide = found if self.basis is None else found @ self.basis
        return wide * own.unsqueeze(-1)


class Vocabulary(nn.Module):
    """A tokenizer with rows of its own, and a module of any kind in the layers.

    The table of the base stays frozen. Special tokens keep the base's ids and vectors; positions
    and token types are the base's. All other pieces have ids from the table's size on. Rows of a
    batch with this module are read by its tokenizer (`xadapt.backbones.encoder.own_texts`), other
    rows by the base's. Without pieces it is the inner module.

    Source: the new table of Artetxe et al. 2020, https://arxiv.org/abs/1910.11856, section 3, with
    the layers frozen; the rest is ours.

    Args:
        options: Sizes, and the inner module.
        model_shape: Shapes of the encoder.
        seed: Seed of the inner module's first values.

    Raises:
        ValueError: If the rank is no less than the width, or the inner module does not fit the
            encoder.
    """

    kind: ClassVar[str] = KIND
    Options: ClassVar[type[VocabularyOptions]] = VocabularyOptions
    tokenizer_json: Tensor
    ids: Tensor

    def __init__(self, options: VocabularyOptions, model_shape: ModelShape, seed: int = 0) -> None:
        super().__init__()
        self.options = options
        self.first = model_shape.vocabulary
        self.register_buffer(
            "tokenizer_json", torch.zeros(options.tokenizer_bytes, dtype=torch.uint8)
        )
        self.register_buffer("ids", torch.zeros(options.tokens, dtype=torch.int64))
        if options.rank is not None and options.rank >= model_shape.width:
            raise ValueError(f"rank: must be below the base's width, {model_shape.width}")
        halved = options.row_dtype == "bfloat16"
        self.own = OwnRows(self.first, options.pieces, model_shape.width, options.rank, halved)
        inner = dict(options.module)
        try:
            self.inner = build(inner.pop("kind"), inner, model_shape, seed=seed)
        except UserError as error:
            raise ValueError(f"the inner module: {error.what}") from None
        self._made: tuple[Any, MappedTokenizer] | None = None

    def fill(self, text: str, ids: list[int], rows: Tensor) -> None:
        """Take a tokenizer and the first values of the rows.

        Args:
            text: The content of ``tokenizer.json``, of ``tokenizer_bytes`` bytes.
            ids: The id in the forward of each of its ids, ``(tokens,)``.
            rows: ``(pieces, width)``.
        """
        self.tokenizer_json.copy_(torch.frombuffer(bytearray(text.encode()), dtype=torch.uint8))
        self.ids.copy_(torch.tensor(ids, dtype=torch.int64))
        self.own.start(rows)
        self._made = None

    @property
    def vocabulary(self) -> MappedTokenizer | None:
        """The tokenizer; ``None`` without pieces.

        Raises:
            UserError: If the tensors hold no tokenizer.
        """
        if not self.options.pieces:
            return None
        mark = [
            (one.data_ptr(), 0 if one.is_inference() else one._version)
            for one in (self.tokenizer_json, self.ids)
        ]
        if self._made is None or self._made[0] != mark:
            raw = bytes(self.tokenizer_json.cpu().numpy())
            try:
                text = raw.decode()
            except UnicodeDecodeError:
                raise UserError("the tokenizer of this vocabulary is no text") from None
            made = MappedTokenizer(text, self.ids.tolist(), self.first, self.options.languages)
            if len(made.pieces) != self.options.pieces:
                raise UserError("the tokenizer of this vocabulary has other pieces than its rows")
            self._made = (mark, made)
        return self._made[1]

    def hooks(self) -> list[AdapterHook]:
        """Return the hook at the word embeddings, then those of the inner module."""
        inner = hooks_of(self.inner)
        if self.options.pieces and self.options.acts_on == "own":
            inner = [replace(hook, own_texts=True) for hook in inner]
        return [AdapterHook(BELOW, EMBEDDINGS, 0, "ids", self.own), *inner]

    @property
    def stored_dtypes(self) -> dict[str, torch.dtype]:
        """The tensors that are stored in another dtype than they have in memory."""
        return {"own.rows": torch.bfloat16} if self.own.halved else {}

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


Part = Vocabulary
Options = VocabularyOptions
