"""Define recipes: strict YAML with module, objectives, data, schedule and source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import PurePath
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    SerializerFunctionWrapHandler,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_serializer,
    model_validator,
)

from xadapt.core import registry
from xadapt.core.errors import UserError
from xadapt.languages.tags import normalise

Share = Annotated[float, Field(ge=0, le=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _as_text(value: Any) -> Any:
    return str(value) if isinstance(value, PurePath) else value


class Source(_Strict):
    """The source of a recipe.

    Attributes:
        paper: Title of the paper, with place and year.
        url: Address of the paper.
        scores: The published scores; the entry ``what`` names their data and measure.
        differences: How the recipe differs from the paper.
        measured: The result of our own experiment; `examples/benchmarks/results.py` writes it.
        note: Anything else that a user of the recipe should know.
    """

    paper: str
    url: str
    scores: dict[str, Any] = Field(default_factory=dict)
    differences: str = ""
    measured: str = ""
    note: str = ""


class ModuleSpec(BaseModel):
    """The module: its ``kind`` (a file of ``xadapt/modules``) and the options of that kind.

    Attributes:
        kind: The kind.
        init: A module to begin with, a folder or a Hub id (``org/name`` or ``org/name@revision``).
            Options that the recipe does not name are then those of this module. Without it,
            training begins with a new module.
    """

    model_config = ConfigDict(extra="allow", frozen=True)
    kind: str
    init: Annotated[str, BeforeValidator(_as_text), Field(min_length=1)] | None = None

    @model_serializer(mode="wrap")
    def _without_nothing(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave ``init`` out where there is none: such recipes are those of earlier versions."""
        said: dict[str, Any] = dump(self)
        return {key: value for key, value in said.items() if key != "init" or value is not None}

    def options(self) -> dict[str, Any]:
        """Return the options without the kind."""
        return dict(self.model_extra or {})


class ObjectiveSpec(BaseModel):
    """One objective: its ``name`` (a file of ``xadapt/objectives``) and its own options.

    Attributes:
        weight: Factor on the loss of the objective.
        share: Share of each batch's records that the objective gets, sampled anew each step.
        data: Name of the entry of ``data`` for the objective.
    """

    model_config = ConfigDict(extra="allow", frozen=True)
    name: str
    weight: PositiveFloat = 1.0
    share: Annotated[float, Field(gt=0, le=1)] = 1.0
    data: str = "train"

    def build(self) -> Any:
        """Build the objective with its options.

        Raises:
            pydantic.ValidationError: If an option is unknown or wrong.
            UserError: If there is no such objective.
        """
        part = registry.load("objectives", self.name)
        return strict(part).validate_python(dict(self.model_extra or {}))


class TransformSpec(BaseModel):
    """One transform: its ``name`` (a file of ``xadapt/data/transforms``) and its own options.

    In a recipe the name alone means a transform with its defaults.
    """

    model_config = ConfigDict(extra="allow", frozen=True)
    name: str

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, raw: Any) -> Any:
        return {"name": raw} if isinstance(raw, str) else raw

    def build(self) -> Any:
        """Build the transform with its options.

        Raises:
            pydantic.ValidationError: If an option is unknown or wrong.
            UserError: If there is no such transform.
        """
        part = registry.load("transforms", self.name)
        return strict(part).validate_python(dict(self.model_extra or {}))


class CompanionSpec(_Strict):
    """Another, frozen module that objectives learn from, such as a teacher.

    In a recipe the module alone means a companion without a head.

    Attributes:
        module: A folder, a composition of folders such as ``"runs/en + runs/ner"``, or
            ``hf:org/name``; usually given on the command line, by ``--companion NAME=FOLDER``.
        head: Whether to load the task head of the module.
    """

    module: str | None = None
    head: bool = False

    @model_validator(mode="before")
    @classmethod
    def _by_module(cls, raw: Any) -> Any:
        return {"module": raw} if isinstance(raw, str) else {} if raw is None else raw


class DataSpec(_Strict):
    """One source of records.

    A recipe of an earlier version may have ``filter`` (true or false) or ``maker`` (an old name of
    a transform) here. These keys are read as the corresponding transforms.

    Attributes:
        reader: Format of the data; ``xadapt list readers`` shows all.
        options: Options of the reader, by name. With ``parallel``, those of the reader that fits
            the source.
        transforms: Transforms of the reader's records, in this order. Without the list,
            ``pair_filter`` is applied to pairs, and other records stay unchanged.
        columns: Columns or keys of the two languages, as the reader names them.
        limit: Read at most this many records, chosen by hash, before any transform.
        dev: Records held out for development: a number, or a share below 1.
        batch_size: Records of this entry in a step; without it, ``train.batch_size``.
        lang: Language of this entry, where it is not the language of the run.
    """

    reader: str = "parallel"
    options: dict[str, Any] = Field(default_factory=dict)
    transforms: tuple[TransformSpec, ...] | None = None
    columns: str | None = None
    limit: PositiveInt | None = None
    dev: Annotated[float, Field(ge=0)] = 500
    batch_size: PositiveInt | None = None
    lang: str | None = None

    @field_validator("lang")
    @classmethod
    def _is_language(cls, lang: str | None) -> str | None:
        try:
            return None if lang is None else normalise(lang)
        except UserError as error:
            raise ValueError(error.what) from None

    @model_validator(mode="before")
    @classmethod
    def _old_forms(cls, raw: Any) -> Any:
        """Read ``filter`` and ``maker`` as transforms."""
        if not isinstance(raw, dict) or not {"filter", "maker"} & set(raw):
            return raw
        rest = {key: value for key, value in raw.items() if key not in ("filter", "maker")}
        maker, filtered = raw.get("maker"), raw.get("filter", True)
        if not isinstance(filtered, bool):
            raise ValueError("filter is true or false")
        if maker is not None and maker not in _MAKERS:
            raise ValueError(registry.unknown("maker", str(maker), list(_MAKERS)))
        old: list[Any] | None = [_MAKERS[maker]] if maker else None if filtered else []
        if rest.get("transforms") is not None and old is not None:
            key = "maker" if maker else "filter"
            raise ValueError(f"{key} is the old form of transforms; give transforms alone")
        return rest if old is None else {**rest, "transforms": old}

    def chain(self) -> list[tuple[str, Any]]:
        """Build the transforms, in order, with their names.

        Raises:
            pydantic.ValidationError: If an option is unknown or wrong.
            UserError: If there is no such reader or transform.
        """
        specs = self.transforms
        if specs is None:
            names = registry.load("readers", self.reader).gives.default_transforms
            specs = tuple(TransformSpec(name=name) for name in names)
        return [(spec.name, spec.build()) for spec in specs]


_MAKERS = {
    f"open_ie_{find}": {"name": "open_ie", "find": find} for find in ("predicates", "arguments")
}


class TrainSpec(_Strict):
    """The schedule.

    Attributes:
        epochs: Passes over the records of the first objective.
        batch_size: Records per step.
        batch_tokens: Largest number of padded tokens in one forward. A step may need several
            forwards.
        grad_cache: Discard the activations of every forward, and recompute them one forward at a
            time for the gradient. The memory is that of one forward for any size of batch. The
            gradient is the same. The time is about a third more.
        compile: Run the layers through torch.compile. This needs up to a minute before the first
            step, and makes every step up to a tenth faster.
        learning_rate: Peak rate of AdamW.
        schedule: Decay after warm-up.
        warmup: Share of all steps spent warming up.
        weight_decay: AdamW's decoupled decay.
        clip: Largest norm of the gradient; 0 means no clipping.
        evaluations: Number of evaluations on the development data, evenly over the run.
        patience: Stop after this many evaluations without a new best; 0 means never.
        checkpoint_seconds: Longest time between two checkpoints.
    """

    epochs: PositiveInt = 1
    batch_size: PositiveInt = 16
    batch_tokens: PositiveInt = 4096
    grad_cache: bool = False
    compile: bool = False
    learning_rate: PositiveFloat = 2e-3
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    warmup: Share = 0.1
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    clip: Annotated[float, Field(ge=0)] = 1.0
    evaluations: PositiveInt = 4
    patience: Annotated[int, Field(ge=0)] = 0
    checkpoint_seconds: PositiveFloat = 30.0


class Recipe(_Strict):
    """The complete description of one system.

    Attributes:
        name: Name of the recipe, equal to the name of its file.
        description: Description of the recipe, in one or two sentences.
        source: Paper, address and published scores.
        base: Hub id, folder, ``package:NAME/SUBDIR``; usually given on the command line.
        dtype: Dtype of the base: ``auto``, ``float32``, ``bfloat16``, ``int8`` or ``nf4``.
        seed: Seed of module, data order and sampling.
        max_length: Cut texts to this many tokens while training; without it, as the base does.
        prompts: Prompts before texts by name, as in sentence-transformers. ``query`` stands before
            queries and ``passage`` before passages, in training and in use. Without them, the
            base's own prompts.
        dimensions: Numbers of first values of a vector that are trained and measured as vectors of
            their own (Matryoshka), such as ``[384, 128, 64]``; empty for whole vectors alone.
        teacher: Hub id, folder or ``package:NAME/SUBDIR`` of another model that objectives learn
            from. It stays frozen, and its vectors are cached.
        module: The module to train.
        objectives: The objectives of training. The losses are summed by weight.
        data: Sources by name. ``--data`` fills ``train``.
        companions: Other, frozen modules by the name that objectives give them.
        train: The schedule.
    """

    name: str
    description: str = ""
    source: Source
    base: str | None = None
    dtype: Literal["auto", "float32", "bfloat16", "int8", "nf4"] = "auto"
    seed: int = 0
    max_length: PositiveInt | None = None
    prompts: Annotated[dict[str, str], Field(max_length=20)] = Field(default_factory=dict)
    dimensions: Annotated[tuple[PositiveInt, ...], Field(max_length=20)] = ()
    teacher: str | None = None
    module: ModuleSpec
    objectives: Annotated[tuple[ObjectiveSpec, ...], Field(min_length=1)]
    data: dict[str, DataSpec] = Field(default_factory=lambda: {"train": DataSpec()})
    companions: dict[str, CompanionSpec] = Field(default_factory=dict)
    train: TrainSpec = TrainSpec()

    @field_validator("dimensions", mode="before")
    @classmethod
    def _one_number(cls, sizes: Any) -> Any:
        return (sizes,) if isinstance(sizes, int) and not isinstance(sizes, bool) else sizes

    @field_validator("dimensions")
    @classmethod
    def _each_once(cls, sizes: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(sizes)) < len(sizes):
            raise ValueError("a number of dimensions stands there twice")
        return sizes

    @field_validator("prompts")
    @classmethod
    def _known_sides(cls, prompts: dict[str, str]) -> dict[str, str]:
        for name, prompt in prompts.items():
            if not name.strip() or len(prompt) > MAX_PROMPT:
                raise ValueError(f"a prompt has a name, and at most {MAX_PROMPT:,} characters")
        if prompts and not {"query", "passage", "document"} & set(prompts):
            raise ValueError("the prompts of the sides are named query and passage")
        if {"passage", "document"} <= set(prompts):
            raise ValueError("passage and document are the same: give one of them")
        return prompts


MAX_PROMPT = 2000
"""The longest prompt, in characters."""


def reader_options(part: Any) -> list[str]:
    """Return the names of a reader's options."""
    return [field.name for field in fields(part)] if is_dataclass(part) else []


def build_reader(part: Any, options: Mapping[str, Any], where: str = "") -> Any:
    """Build a reader with options, which are the fields of its dataclass.

    Args:
        part: The reader's class.
        options: Its options.
        where: Place of the options in errors.

    Raises:
        UserError: If the reader has no such option, or a value is of the wrong type.
    """
    known = reader_options(part)
    for name in options:
        if name not in known:
            said = registry.unknown("option", name, known) if known else f"unknown option {name!r}"
            has = "" if known else "; this reader has none"
            raise UserError(f"reader {part.format}: {said}{has}", where=where)
    if not known:
        return part()
    try:
        return strict(part).validate_python(dict(options))
    except ValidationError as error:
        first = error.errors()[0]
        option = ".".join(map(str, first["loc"]))
        said = first["msg"].removeprefix("Value error, ")
        raise UserError(f"reader {part.format}: option {option}: {said}", where=where) from None


def strict(part: type) -> TypeAdapter:
    """Return a checker of an objective's or a transform's options that refuses unknown options."""
    config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)
    if not hasattr(part, "__pydantic_config__"):
        part.__pydantic_config__ = config  # type: ignore[attr-defined]
    return TypeAdapter(part)
