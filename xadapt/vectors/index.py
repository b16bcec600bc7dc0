"""The index of a folder of vectors in shards: what they were made of, and where each row is.

``DIR/part-00000.npy``, ``part-00001.npy`` and so on (or ``.parquet``), and ``index.json``, which is
written last: a folder without it is not finished. All shards but the last have the same number of
rows, so the shard of a row is a division.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from xadapt.core.errors import UserError
from xadapt.core.files import read_json

INDEX = "index.json"
MAX_BYTES = 256 * 2**20

FileFormat = Literal["npy", "parquet"]
Number = Literal["float32", "float16"]
M = TypeVar("M", bound=BaseModel)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Shard(_Strict):
    """A file of vectors: rows ``start`` up to ``stop``, its size and hash, and its texts' hash."""

    start: int = Field(ge=0)
    stop: int = Field(ge=1)
    bytes: int = Field(ge=1)
    sha256: str
    text: str


class Made(_Strict):
    """What vectors were made of, and how they are laid out: the same gives the same files.

    Attributes:
        base: Hub id of the base, if it has one.
        fingerprint: Of the base, in its parts.
        weights: The dtype the base was run in.
        pooling: How it makes a vector of a text.
        composition: What acted on the rows, as text; ``none`` is the bare base.
        modules: Hashes of its modules' tensors and options, by name.
        relatives: What stood in for languages without a module.
        text: Name of the source.
        text_hash: Of its texts and languages, or its etag; empty if they came once only.
        column: The texts' column.
        lang: The one language of all texts.
        lang_column: The languages' column.
        shard_rows: Rows of each shard but the last.
        file_format: ``npy`` or ``parquet``.
        dtype: Of the vectors.
        max_length: Most tokens of a text; ``None`` in a folder of an older version.
    """

    base: str | None
    fingerprint: dict[str, Any]
    weights: str
    pooling: dict[str, Any]
    composition: str
    modules: dict[str, str]
    relatives: dict[str, Any]
    text: str
    text_hash: str
    column: str | None
    lang: str | None
    lang_column: str | None
    shard_rows: int = Field(ge=1)
    file_format: FileFormat
    dtype: Number
    max_length: int | None = None

    def file(self, folder: Path, number: int) -> Path:
        """Where a shard is."""
        return folder / f"part-{number:05d}.{self.file_format}"


class Index(_Strict):
    """``index.json``."""

    version: Literal[1] = 1
    rows: int = Field(ge=1)
    dim: int = Field(ge=1)
    made: Made
    shards: list[Shard] = Field(min_length=1)

    @model_validator(mode="after")
    def _whole(self) -> Index:
        size = self.made.shard_rows
        for number, shard in enumerate(self.shards):
            if (shard.start, shard.stop) != (number * size, min((number + 1) * size, self.rows)):
                raise ValueError(f"shard {number} does not hold the rows that are its")
        if self.shards[-1].stop != self.rows:
            raise ValueError("the shards don't hold all rows")
        return self


def read_index(folder: Path | str) -> Index:
    """The index of a folder of vectors.

    Raises:
        UserError: It is absent, malformed, too large, or its rows don't add up.
    """
    path = Path(folder) / INDEX
    if not path.is_file():
        raise UserError(
            "this is no finished folder of vectors: it has no index.json",
            where=str(folder),
            todo="Finish it with xadapt encode --shards .. --resume, or name another one",
        )
    if path.stat().st_size > MAX_BYTES:
        raise UserError("this is no index of vectors: it is too large", where=str(path))
    return parse(Index, read_json(path), path)


def parse(model: type[M], value: Any, path: Path) -> M:
    """A value read from a file, checked.

    Raises:
        UserError: It is malformed; the first fault is told.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        at = ".".join(map(str, first["loc"]))
        raise UserError(
            f"this is no index of vectors ({f'{at}: ' if at else ''}{first['msg']})",
            where=str(path),
            todo="Make the folder again",
        ) from None
