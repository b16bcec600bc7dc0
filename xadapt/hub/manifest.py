"""The manifest ``xadapt.json``: the facts, the origin and the loaders of a published module.

The file is long because the whole schema of the manifest stands in it.
"""

from __future__ import annotations

import json
import math
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveInt,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)
from torch import nn

from xadapt.backbones.fingerprint import Fingerprint
from xadapt.core.errors import UserError
from xadapt.core.files import write_text
from xadapt.core.strict_parsing import parse_json
from xadapt.functional.tag_scheme import Scheme
from xadapt.heads.head import PROBLEM_TYPES, RATING, SCHEMED, HeadCard
from xadapt.hub.hashes import Integrity, Sha256
from xadapt.hub.probe import Probe
from xadapt.languages.tags import normalise

FILE = "xadapt.json"
MAX_BYTES = 4 * 2**20
LOADERS = ("adapters", "peft", "transformers", "sentence-transformers")
PACKAGES = (
    "xadapt", "torch", "transformers", "safetensors", "peft", "adapters", "sentence-transformers",
)  # fmt: skip

LoaderName = Literal["adapters", "peft", "transformers", "sentence-transformers"]
ProblemType = Literal["single_label_classification", "multi_label_classification", "regression"]
Status = Literal["verified", "unverified", "cannot hold", "no base id", "left out"]
TensorFile = Literal["module.safetensors", "adapter_model.safetensors", "adapter.safetensors"]
MODULE: TensorFile = "module.safetensors"
TENSOR_FILES: tuple[TensorFile, ...] = get_args(TensorFile)
"""The files that may hold a module's tensors: xadapt's own, and those of peft and of adapters."""

# A module's name becomes the key of an nn.ModuleDict inside adapters: no dots, and nothing the
# dictionary already has as an attribute.
_TAKEN = frozenset(dir(nn.ModuleDict())) | {"training"}
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}(/[A-Za-z0-9][\w.-]{0,95})?")
_SOURCE = re.compile(r"[a-z][a-z0-9]+:(?=/(?!/)|~|\.\./)(?<!file:)")
_PATH = re.compile(r"(/|~|\\|[A-Za-z]:[\\/]|file:)")


def without_local_paths(value: Any) -> Any:
    """Cut every absolute or climbing file path in a value to its last name.

    Args:
        value: Any JSON value; containers are searched recursively.
    """
    if isinstance(value, dict):
        return {str(k): without_local_paths(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_local_paths(v) for v in value]
    if isinstance(value, Path):
        value = str(value)
    if not isinstance(value, str):
        return value
    source = _SOURCE.match(value)
    if source is not None:
        return source[0] + without_local_paths(value[source.end() :])
    if not (_PATH.match(value) or value.startswith("../")):
        return value
    # "file:" urls use forward slashes too, and a Windows path may hold both kinds.
    return PureWindowsPath(PurePosixPath(value).name).name or "path"


def _name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,95}", value):
        raise ValueError("a name holds letters, digits, '-' and '_' only, at most 96 of them")
    if value in _TAKEN:
        raise ValueError(f"the name {value!r} is taken inside PyTorch; choose another one")
    return value


def _hub_id(value: str) -> str:
    if not _HUB_ID.fullmatch(value) or ".." in value:
        raise ValueError("must be the id of a model on the Hub, never a path")
    return value


def _finite(value: dict[str, Any]) -> dict[str, Any]:
    json.dumps(value, allow_nan=False)
    return value


Finite = Annotated[dict[str, Any], AfterValidator(_finite)]
Plain = Annotated[dict[str, Any], BeforeValidator(without_local_paths), AfterValidator(_finite)]
Name = Annotated[str, AfterValidator(_name)]
HubId = Annotated[str, AfterValidator(_hub_id)]
Tag = Annotated[str, AfterValidator(normalise)]
FileName = Annotated[str, BeforeValidator(without_local_paths)]


class Strict(BaseModel):
    """A strict, frozen record: no unknown keys, no type conversion, no NaN."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Base(Strict):
    """A frozen model: its Hub id (or ``None``), revision, and fingerprint of its weights."""

    id: HubId | None = None
    revision: str | None = None
    model_type: str
    fingerprint: Finite

    @property
    def fingerprint_id(self) -> str | None:
        """One hash of the fingerprint; ``None`` for a fingerprint of another version."""
        try:
            return Fingerprint.from_dict(dict(self.fingerprint)).id
        except UserError:
            return None


class ModuleSpec(Strict):
    """The kind and the options of a module, and the file with its tensors.

    The file may be one that another library reads too. ``names`` then gives the file's names of
    the tensors, see `xadapt.hub.shared_names`.
    """

    kind: str
    options: Plain
    file: TensorFile = MODULE
    names: Annotated[dict[str, str], Field(max_length=1000)] = {}

    @model_validator(mode="after")
    def _names_what_is_shared(self) -> ModuleSpec:
        if (self.file == MODULE) != (not self.names):
            raise ValueError(f"names belong to a file other than {MODULE}")
        return self


SizeName = Literal["hidden", "distance", "clip", "apart", "prototypes", "states", "types"]


def _require_scale(task: str, labels: list[str], scale: tuple[float, float] | None) -> None:
    """Refuse a scale of another head, and ratings that are no finite numbers.

    Raises:
        ValueError: If the scale or the labels do not fit the task.
    """
    if (task in ("pair_scoring", RATING)) != (scale is not None):
        raise ValueError(f"a scale belongs to pair_scoring and {RATING}, and to nothing else")
    if task == "pair_scoring" and len(labels) != 1:
        raise ValueError("pair_scoring has one label")
    for label in labels if task == RATING and len(labels) > 1 else ():
        try:
            finite = math.isfinite(float(label))
        except ValueError:
            finite = False
        if not finite:
            raise ValueError(f"the rating {label[:40]!r} is no number")


class HeadSpec(Strict):
    """A task head: its task, the labels of its scores in order, and the scheme of its spans.

    ``scale`` gives the values of 0 and 1 where the score is a number. ``sizes`` holds the
    other sizes that a head of its task is built with; ``prototypes``, the number of languages whose
    prototypes a head keeps, belongs to tagging; ``states``, the number of states that a head reads,
    and ``types`` belong to relation. ``thresholds`` are those of a multi-label
    head, one for each label: it gives the labels whose probability reaches them. ``problem_type``
    is transformers' name of the task, where it has one. ``card`` holds the card's text about the
    head. ``fused`` is the half-open range of layers in which a text and its translation attend to
    each other. Folders of older versions lack the last four fields.
    """

    task: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
    labels: Annotated[list[str], Field(min_length=1, max_length=10_000)]
    scheme: Scheme | None = None
    scale: tuple[float, float] | None = None
    sizes: dict[SizeName, Annotated[int, Field(ge=1, le=2**14)]] = {}
    thresholds: list[Annotated[float, Field(ge=0, le=1)]] = []
    problem_type: ProblemType | None = None
    card: HeadCard | None = None
    fused: tuple[NonNegativeInt, NonNegativeInt] | None = None

    @model_validator(mode="after")
    def _fits_its_task(self) -> HeadSpec:
        if (self.task in SCHEMED) != (self.scheme is not None):
            raise ValueError(f"a scheme belongs to {', '.join(SCHEMED)}, and to nothing else")
        _require_scale(self.task, self.labels, self.scale)
        if self.scale is not None and not self.scale[0] < self.scale[1]:
            raise ValueError("a scale goes from a lower number to a higher one")
        if len(self.thresholds) != (len(self.labels) if self.task == "multi_label" else 0):
            raise ValueError("a threshold for each label belongs to multi_label, and nothing else")
        if self.fused is not None and not self.fused[0] <= self.fused[1]:
            raise ValueError("the fused layers go from a lower number to a higher one")
        if ("prototypes" in self.sizes) != (self.task == "tagging" and bool(self.sizes)):
            raise ValueError("prototypes belong to tagging, which has no other size")
        if self.sizes.get("prototypes", 1) > 2 or (self.task == "tagging" and len(self.sizes) > 1):
            raise ValueError("prototypes are those of one or two languages")
        if self.problem_type not in (None, PROBLEM_TYPES.get(self.task)):
            raise ValueError(f"{self.problem_type} is not the problem type of {self.task}")
        if self.task in ("span_extraction", "span_pointing") and self.labels != ["start", "end"]:
            raise ValueError(f"the labels of {self.task} are start and end")
        return self

    @model_validator(mode="after")
    def _fits_relations(self) -> HeadSpec:
        relation = self.task == "relation"
        if relation != ("states" in self.sizes) or self.sizes.get("states", 1) > 2:
            raise ValueError("1 or 2 states belong to relation, and to nothing else")
        if self.sizes.get("types", 0) > int(relation):
            raise ValueError("types belong to relation, and to nothing else")
        return self


class Excluded(Strict):
    """A file of links whose entities are left out of the training data."""

    name: FileName
    sha256: Sha256


class Data(Strict):
    """One file or data set of the training data.

    Attributes:
        name: Its name without local folders, or its id on the Hub.
        sha256: Hash of its training records.
        rows: Number of training records.
        licence: Its licence, or the licences of its sources.
        ids: Ids on the Hub of the data sets that a file was made from.
        excluded: Test links whose entities no record has.
    """

    name: FileName
    sha256: Sha256 | None = None
    rows: NonNegativeInt
    licence: str | None = None
    ids: Annotated[list[HubId], Field(max_length=100)] = []
    excluded: list[Excluded] = Field(default_factory=list)

    @model_serializer(mode="wrap")
    def _without_nothing(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave ``excluded`` out where there is none, as in manifests of earlier versions."""
        said: dict[str, Any] = dump(self)
        return {key: value for key, value in said.items() if key != "excluded" or value}


class TrainingTexts(Strict):
    """The fingerprint of the training texts, in the file `xadapt.hub.text_filter.FILE`.

    Attributes:
        texts: Number of distinct texts in it.
        false_positive_rate: The share of other texts that it takes for training texts.
        complete: Whether it also holds the texts of all modules that this one was made from or
            that its training began with.
    """

    texts: NonNegativeInt
    false_positive_rate: Annotated[float, Field(ge=0, le=1)]
    complete: bool = True


class Evidence(Strict):
    """One measured score, with the scores of the frozen base and the other controls.

    Attributes:
        task: Name of the task, such as ``bitext``.
        task_type: The Hub's name for such tasks; folders of older versions lack it.
        data: Name of the test set.
        metric: Name of the number, such as ``accuracy xx-en``.
        value: The number with the module.
        base: The same number of the frozen base.
        controls: The same number of other controls, by their names.
        sides: Whether the module acted on the language side only or on both sides.
        interval: A confidence interval of the value.
        rows: Size of the test set.
    """

    task: str
    data: FileName
    metric: str
    value: float
    base: float | None = None
    controls: dict[str, float] = {}
    sides: Literal["language", "both"] | None = None
    interval: tuple[float, float] | None = None
    rows: NonNegativeInt | None = None
    task_type: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,63}$")] | None = None


class Loader(Strict):
    """The known status of one library as a loader of the folder.

    Attributes:
        status: ``verified`` (reloaded and compared), ``unverified`` (expected to open),
            ``cannot hold``, ``no base id`` (it loads the base by an id on the Hub, and the base
            has none), or ``left out`` (its files were not asked for).
        version: Version of the library in the test.
        max_difference: Largest difference to xadapt's hidden states in fp32; of a module for a
            task, to the logits of the task. Where the largest value is above 1, the difference is
            a share of that value.
        reason: The reason why the library can't open the folder or was not tested, or a caution.
    """

    status: Status
    version: str | None = None
    max_difference: NonNegativeFloat | None = None
    reason: str | None = None

    @property
    def written(self) -> bool:
        """Whether the folder holds the files of this library."""
        return self.status in ("verified", "unverified")


class Ancestor(Strict):
    """A module that the training of another one began with.

    Attributes:
        name: Its name.
        id: Its id on the Hub, if it came from there.
        revision: The commit there.
        tensors: SHA-256 of its file of tensors.
        head: SHA-256 of its task head, if it has one.
        languages: Its languages.
        base: Fingerprint of its base.
    """

    name: Name
    id: HubId | None = None
    revision: str | None = None
    tensors: Sha256
    head: Sha256 | None = None
    languages: list[Tag] = []
    base: str | None = None


class Origin(Strict):
    """The folder of another library that a module was imported from.

    Attributes:
        library: The library whose format it has.
        version: The version that wrote it, if its files tell.
        name: Its name.
        id: Its id on the Hub, if it came from there.
        revision: The commit there.
        files: SHA-256 of the files that were read, by name.
        compared_with: The version of the library that the module was compared with.
        max_difference: Largest difference of hidden states to that library's, as in `Loader`.
        reason: Why it was not compared.
    """

    library: Literal["peft", "adapters"]
    version: str | None = None
    name: FileName
    id: HubId | None = None
    revision: str | None = None
    files: Annotated[dict[str, Sha256], Field(max_length=16)] = {}
    compared_with: str | None = None
    max_difference: NonNegativeFloat | None = None
    reason: str | None = None


class Manifest(Strict):
    """The whole content of ``xadapt.json``. Paths of this machine are cut to a name.

    ``callables`` holds the facts of what made records for the training, such as a translator, by
    the name of the callable. ``composition`` is the composition that a module was made from.
    ``trained_inside`` is the composition that a module was trained in, over ``self`` and its
    parents. ``started_from`` are the modules that its training began with, the nearest first.
    ``origin`` is the folder of another library that it was imported from. ``teacher`` is another
    model that it learnt from. ``training_texts`` tells of the fingerprint of its training texts.
    ``backbone`` is the kind of base that it acts on: an encoder, or a whole encoder-decoder.
    ``probe`` holds vectors to compare with, see `xadapt.hub.probe`. ``base_mismatch`` has a line
    for each module of another base that it was made from, where that was allowed. Version 1 of the
    schema has no ``integrity``.
    """

    schema_version: Literal[1, 2] = 1
    name: Name
    base: Base
    module: ModuleSpec
    objectives: list[str]
    recipe: Plain
    languages: list[Tag]
    pivot: Tag | None = None
    data: list[Data] = []
    training_texts: TrainingTexts | None = None
    parents: list[FileName] = []
    callables: dict[str, Plain] = {}
    composition: str | None = None
    trained_inside: list[str] = []
    started_from: Annotated[list[Ancestor], Field(max_length=100)] = []
    origin: Origin | None = None
    teacher: Base | None = None
    head: HeadSpec | None = None
    pooling: Finite = {}
    prompt: str = ""
    max_length: PositiveInt
    dtype: Literal["float32", "bfloat16", "float16", "int8", "nf4"]
    evidence: list[Evidence] = []
    loaders: dict[LoaderName, Loader] = {}
    software: dict[str, str] = {}
    created: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    licence: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.+-]*$")] | None = None
    backbone: Literal["encoder", "seq2seq"] = "encoder"
    probe: Probe | None = None
    base_mismatch: Annotated[list[str], Field(max_length=100)] = []
    integrity: Integrity | None = None

    @model_serializer(mode="wrap")
    def _without_the_usual(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave ``backbone`` out for encoders, as in manifests of earlier versions."""
        said: dict[str, Any] = dump(self)
        return {k: v for k, v in said.items() if k != "backbone" or v != "encoder"}

    @model_validator(mode="after")
    def _has_what_its_version_has(self) -> Manifest:
        if (self.schema_version == 2) != (self.integrity is not None):
            raise ValueError("version 2 of the schema has integrity, and version 1 has none")
        return self


def build_manifest(**fields: Any) -> Manifest:
    """Build a manifest from its fields.

    Raises:
        UserError: If a field is missing, unknown or malformed. All faults are reported together.
    """
    try:
        return Manifest(**fields)
    except ValidationError as error:
        raise UserError(_faults(error), where="manifest") from None


def save_manifest(folder: Path | str, manifest: Manifest) -> None:
    """Write ``xadapt.json`` into a folder, atomically."""
    write_text(Path(folder) / FILE, manifest.model_dump_json(indent=2) + "\n")


def parse_manifest(raw: bytes, *, where: str = FILE) -> Manifest:
    """Parse a manifest from the bytes of its file, without a check of its hashes.

    Raises:
        UserError: If there are too many bytes, or they are not JSON or not a manifest.
    """
    return parse_with_content(raw, where=where)[0]


def parse_with_content(raw: bytes, *, where: str = FILE) -> tuple[Manifest, dict[str, Any]]:
    """Parse a manifest from the bytes of its file, and also return the raw JSON.

    Raises:
        UserError: As for `parse_manifest`.
    """
    if len(raw) > MAX_BYTES:
        raise UserError(f"the manifest is larger than {MAX_BYTES >> 20} MiB", where=where)
    said = parse_json(raw, where=where)  # pydantic takes the last of two equal keys
    try:
        return Manifest.model_validate_json(raw), said
    except ValidationError as error:
        raise UserError(f"this is no manifest: {_faults(error)}", where=where) from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"this is no manifest ({error})", where=where) from None
    except UserError as error:
        raise UserError(error.what, where=where, todo=error.todo) from None


def software_versions() -> dict[str, str]:
    """Return the installed version of every package that affects the numbers."""
    found = {name: package_version(name) for name in PACKAGES}
    return {name: number for name, number in found.items() if number is not None}


def package_version(name: str) -> str | None:
    """Return the installed version of a package, or ``None``."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _faults(error: ValidationError) -> str:
    shown = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:8]]
    return "; ".join(" ".join(fault.split())[:300] for fault in shown)
