"""Evidence of a module on test data, in its folder's ``evidence.json``.

Each measurement holds the scores of the module, of the frozen base and of controls, with their
intervals, and what is needed to measure them again: the hashes of the data, the base, the options,
the versions of the software and the command. `xadapt.pipelines.evidence` measures; this file has
the schema, and the claims that the manifest and the card make of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveInt, ValidationError

from xadapt.core.errors import UserError
from xadapt.core.strict_parsing import parse_json, read_bytes
from xadapt.hub.hashes import Sha256, file_hash
from xadapt.hub.integrity import check_file
from xadapt.hub.manifest import Base, Evidence, FileName, Manifest, Plain, Strict, Tag
from xadapt.hub.safe_paths import file_inside, has_file

FILE = "evidence.json"
PICTURE = "evidence.png"
MAX_BYTES = 4 * 2**20

Text = Annotated[str, Field(max_length=300)]
Sides = Literal["language", "both"]
Role = Literal[
    "module",
    "frozen base",
    "shuffled pairs",
    "wrong language",
    "masked language model",
    "tf-idf",
    "control",
]
CONTROLS: tuple[Role, ...] = ("shuffled pairs", "wrong language", "masked language model")
"""Roles that a control has by its name on the command line: ``wrong-language=FOLDER``."""


class Score(Strict):
    """A score with its 95 % interval over the rows of the data."""

    value: float
    low: float
    high: float


class Gain(Strict):
    """A paired difference on the same rows, with its interval and the two-sided p."""

    value: float
    low: float
    high: float
    p: Annotated[float, Field(ge=0, le=1)]


class MeasuredModule(Strict):
    """The module behind a row of scores.

    Attributes:
        name: Its name.
        tensors: SHA-256 of its file of tensors.
        languages: Its languages.
        objectives: What it was trained by.
        seed: The seed of its training.
        values: How many values were trained.
    """

    name: FileName
    tensors: Sha256
    languages: list[Tag] = Field(default_factory=list)
    objectives: list[Text] = Field(default_factory=list)
    seed: int | None = None
    values: NonNegativeInt


class SystemScores(Strict):
    """The scores of one system.

    Attributes:
        system: Its name in the table.
        role: What it stands for.
        sides: Whether the module acted on the language side only or on both sides.
        module: The module, if it is one.
        scores: By measure.
        gains: Paired differences to the frozen base, by measure.
        ahead: For a control, the paired differences of the measured module to it, by measure.
    """

    system: Text
    role: Role
    sides: Sides | None = None
    module: MeasuredModule | None = None
    scores: Annotated[dict[Text, Score], Field(max_length=200)]
    gains: dict[Text, Gain] = Field(default_factory=dict)
    ahead: dict[Text, Gain] = Field(default_factory=dict)


class TestData(Strict):
    """The data of a measurement.

    Attributes:
        name: Name of the file, or of the source.
        source: What ``--data`` was, where others can get it: ``cldr`` or ``hf:org/name``.
        file_sha256: Hash of the file.
        sha256: Hash of the records that were evaluated, as for training data.
        rows: How many rows were scored.
        unit: Name of a row, in the plural.
    """

    __test__ = False
    name: FileName
    source: Text | None = None
    file_sha256: Sha256 | None = None
    sha256: Sha256
    rows: NonNegativeInt
    unit: Text


class OverlapCheck(Strict):
    """The comparison of the test texts with the fingerprint of the training texts.

    Attributes:
        texts: How many test texts were compared.
        found: How many are taken for training texts; no more than false positives explain.
        false_positive_rate: The expected share of false positives.
        complete: Whether the training texts of all modules behind this one are known.
    """

    texts: NonNegativeInt
    found: NonNegativeInt
    false_positive_rate: Annotated[float, Field(ge=0, le=1)]
    complete: bool


class Measurement(Strict):
    """One measurement of a module by a task.

    Attributes:
        task: Name of the task.
        task_type: The Hub's name for such tasks.
        lang: Language of the texts.
        data: The data.
        overlap: The comparison with the training texts; ``None`` for a module that was trained
            before fingerprints of training texts were kept.
        base: The base.
        dtype: Type of the base's weights, as asked for.
        metrics: Further metrics, as asked for.
        windows: What became of long texts, as asked for.
        options: Options of the task.
        resamples: Number of bootstrap samples.
        seed: Seed of the bootstrap.
        systems: The scores of all systems; the module's own rows have the role ``module``.
        software: Versions of the libraries.
        command: The command line that measures it again.
        created: The day.
    """

    task: Text
    task_type: Text = "other"
    lang: Tag | None = None
    data: TestData
    overlap: OverlapCheck | None = None
    base: Base
    dtype: Text = "auto"
    metrics: list[Text] = Field(default_factory=list)
    windows: Text | None = None
    options: Plain = Field(default_factory=dict)
    resamples: PositiveInt
    seed: NonNegativeInt
    systems: Annotated[list[SystemScores], Field(min_length=1, max_length=100)]
    software: dict[Text, Text] = Field(default_factory=dict)
    command: Annotated[str, Field(max_length=2000)]
    created: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]

    @property
    def key(self) -> tuple[object, ...]:
        """What tells measurements apart: a newer one of the same key takes the place of the old."""
        options = sorted(map(str, self.options.items()))
        return self.task, self.data.sha256, self.lang, tuple(options), tuple(self.metrics)

    def of_role(self, role: Role) -> list[SystemScores]:
        """Return the systems of a role."""
        return [one for one in self.systems if one.role == role]


class EvidenceFile(Strict):
    """The content of ``evidence.json``.

    Attributes:
        schema_version: Version of this schema.
        tensors: SHA-256 of the file of tensors that was measured.
        measurements: The measurements, the newest last.
    """

    schema_version: Literal[1] = 1
    tensors: Sha256
    measurements: Annotated[list[Measurement], Field(max_length=200)] = Field(default_factory=list)

    def with_measurement(self, one: Measurement) -> EvidenceFile:
        """Return the content with one more measurement, in the place of one of the same key."""
        others = [other for other in self.measurements if other.key != one.key]
        return self.model_copy(update={"measurements": [*others, one]})


def read_evidence(folder: Path | str, manifest: Manifest) -> EvidenceFile | None:
    """Read the evidence of a module's folder; ``None`` if it has none.

    Args:
        folder: The module's folder.
        manifest: Its manifest.

    Raises:
        UserError: If the file is malformed, too large, a link that leads elsewhere, of other
            tensors, or different from the published version.
    """
    if not has_file(folder, FILE):
        return None
    path = file_inside(folder, FILE)
    raw = read_bytes(path, MAX_BYTES)
    check_file(Path(folder), manifest.integrity, FILE, raw)
    parse_json(raw, where=str(path))  # pydantic takes the last of two equal keys
    try:
        found = EvidenceFile.model_validate_json(raw)
    except (ValidationError, ValueError, RecursionError) as error:
        raise UserError(
            f"this is no evidence of a module ({_reason(error)})",
            where=str(path),
            todo="Fetch the folder again",
        ) from None
    if found.tensors != tensors_hash(folder, manifest):
        raise UserError(
            "the evidence was measured on other tensors than those of this folder",
            where=str(path),
            todo="Measure it again: xadapt evaluate TASK .. --evidence",
        )
    return found


def tensors_hash(folder: Path | str, manifest: Manifest) -> str:
    """Return the SHA-256 of the file of tensors of a module's folder."""
    name = manifest.module.file
    known = manifest.integrity.files.get(name) if manifest.integrity else None
    return known.sha256 if known else file_hash(file_inside(folder, name)).sha256


def claims(measurements: Sequence[Measurement]) -> list[Evidence]:
    """Return what the manifest and the card claim by measurements, the newest first."""
    return [claim for one in reversed(measurements) for claim in _claims(one)]


def _claims(one: Measurement) -> Iterator[Evidence]:
    for own in one.of_role("module"):
        base = next((row for row in one.of_role("frozen base")), None)
        controls = [
            row
            for row in one.systems
            if row.role not in ("module", "frozen base") and row.sides in (None, own.sides)
        ]
        for measure, score in own.scores.items():
            yield Evidence(
                task=one.task,
                task_type=one.task_type,
                data=one.data.name,
                metric=measure,
                value=score.value,
                base=base.scores[measure].value if base and measure in base.scores else None,
                controls={
                    column(row): row.scores[measure].value
                    for row in controls
                    if measure in row.scores
                },
                sides=own.sides,
                interval=(score.low, score.high),
                rows=one.data.rows,
            )


def column(row: SystemScores) -> str:
    """Return the name of a control's column on the card."""
    tags = ", ".join(row.module.languages[:3]) if row.module else ""
    if row.role in ("control", "tf-idf"):
        return row.system
    return f"{row.role} ({tags})" if row.role == "wrong language" and tags else row.role


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        said = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    else:
        said = str(error)
    return " ".join(said.split())[:200]
