"""Recipes: YAML that names module, objectives, data, schedule and source, checked strictly."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    TypeAdapter,
    model_validator,
)

from xadapt.core import registry

Share = Annotated[float, Field(ge=0, le=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(_Strict):
    """Where a recipe comes from: the paper, its address, and the scores it published."""

    paper: str
    url: str
    scores: dict[str, Any] = Field(default_factory=dict)
    note: str = ""


class ModuleSpec(BaseModel):
    """The module: its ``kind`` (a file of ``xadapt/modules``) and that kind's own options."""

    model_config = ConfigDict(extra="allow", frozen=True)
    kind: str

    def options(self) -> dict[str, Any]:
        """The options beside the kind."""
        return dict(self.model_extra or {})


class ObjectiveSpec(BaseModel):
    """One objective: its ``name`` (a file of ``xadapt/objectives``) and its own options.

    Attributes:
        weight: Factor on its loss.
        share: Share of each batch's records it sees, drawn anew each step.
        data: Which entry of ``data`` it draws from.
    """

    model_config = ConfigDict(extra="allow", frozen=True)
    name: str
    weight: PositiveFloat = 1.0
    share: Annotated[float, Field(gt=0, le=1)] = 1.0
    data: str = "train"

    def build(self) -> Any:
        """The objective with its options.

        Raises:
            pydantic.ValidationError: An option is unknown or wrong.
            UserError: There is no such objective.
        """
        part = registry.load("objectives", self.name)
        return strict(part).validate_python(dict(self.model_extra or {}))


class TransformSpec(BaseModel):
    """One transform: its ``name`` (a file of the room of transforms) and its own options.

    In a recipe the name alone may stand for a transform with its defaults.
    """

    model_config = ConfigDict(extra="allow", frozen=True)
    name: str

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, raw: Any) -> Any:
        return {"name": raw} if isinstance(raw, str) else raw

    def build(self) -> Any:
        """The transform with its options.

        Raises:
            pydantic.ValidationError: If an option is unknown or wrong.
            UserError: If there is no such transform.
        """
        part = registry.load("transforms", self.name)
        return strict(part).validate_python(dict(self.model_extra or {}))


class CompanionSpec(_Strict):
    """Another, frozen module that objectives learn from, such as a teacher.

    In a recipe the module alone may stand for one without a head.

    Attributes:
        module: A folder, a composition of folders such as ``"runs/en + runs/ner"``, or
            ``hf:org/name``; usually given on the command line, by ``--companion NAME=FOLDER``.
        head: Whether its task head comes along.
    """

    module: str | None = None
    head: bool = False

    @model_validator(mode="before")
    @classmethod
    def _by_module(cls, raw: Any) -> Any:
        return {"module": raw} if isinstance(raw, str) else {} if raw is None else raw


class DataSpec(_Strict):
    """One source of records.

    A recipe of an earlier version may hold ``filter`` (true or false) or ``maker`` (an old name of
    a transform) here; they are read as the transforms they mean.

    Attributes:
        reader: A file of ``xadapt/data/readers``.
        transforms: What is made of the records that the reader gives, in this order. Without the
            list, pairs go through ``pair_filter`` and other records stay as they are.
        columns: Which columns or keys hold pivot and text, as the reader reads it.
        limit: Read at most this many records, chosen by hash, before any transform.
        dev: Records held out for development: a number, or a share below 1.
    """

    reader: str = "parallel"
    transforms: tuple[TransformSpec, ...] | None = None
    columns: str | None = None
    limit: PositiveInt | None = None
    dev: Annotated[float, Field(ge=0)] = 500

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
        """The transforms with their names, built, in order.

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
        batch_size: Records a step.
        batch_tokens: Padded tokens in one forward at most; a step may take several forwards.
        grad_cache: Keep the activations of no forward, and compute those of one at a time again
            for its gradient: the memory of one forward whatever the size of the batch, the same
            gradient, about a third more time.
        compile: Run the layers through torch.compile: up to a minute before the first step, and
            every step up to a tenth quicker.
        learning_rate: Peak rate of AdamW.
        schedule: Decay after warm-up.
        warmup: Share of all steps spent warming up.
        weight_decay: AdamW's decoupled decay.
        clip: Largest norm of the gradient; 0 means no clipping.
        evaluations: How often the development score is taken, evenly over the run.
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
    """One system, start to finish.

    Attributes:
        name: Name of the recipe, the same as of its file.
        description: What it does, in a sentence or two.
        source: Paper, address and published scores.
        base: Hub id, folder, ``package:NAME/SUBDIR``; usually given on the command line.
        dtype: Of the base's weights: ``auto``, ``float32``, ``bfloat16``, ``int8`` or ``nf4``.
        seed: Of module, data order and draws.
        module: What is trained.
        objectives: What it is trained for; several are summed by weight.
        data: Sources by name; ``train`` is the one ``--data`` fills.
        companions: Other, frozen modules by the name that objectives give them.
        train: The schedule.
    """

    name: str
    description: str = ""
    source: Source
    base: str | None = None
    dtype: Literal["auto", "float32", "bfloat16", "int8", "nf4"] = "auto"
    seed: int = 0
    module: ModuleSpec
    objectives: Annotated[tuple[ObjectiveSpec, ...], Field(min_length=1)]
    data: dict[str, DataSpec] = Field(default_factory=lambda: {"train": DataSpec()})
    companions: dict[str, CompanionSpec] = Field(default_factory=dict)
    train: TrainSpec = TrainSpec()


def strict(part: type) -> TypeAdapter:
    """A checker of an objective's or a transform's options that refuses unknown ones."""
    config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)
    if not hasattr(part, "__pydantic_config__"):
        part.__pydantic_config__ = config  # type: ignore[attr-defined]
    return TypeAdapter(part)
