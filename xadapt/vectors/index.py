"""Read the index of a folder of vectors in shards: their origin, and the place of each row.

A folder has ``DIR/part-00000.npy``, ``part-00001.npy`` and so on (or ``.parquet``), and
``index.json``. The index is written last, so a folder without an index is not finished. All shards
but the last have the same number of rows, so a division gives the shard of a row.
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
    """The origin and layout of vectors. Equal values give equal files.

    Attributes:
        base: Hub id of the base, if it has one.
        fingerprint: Fingerprint of the base, in its parts.
        weights: Dtype of the base during encoding.
        pooling: Pooling from token vectors to the vector of a text.
        composition: The composition of modules, as text; ``none`` is the bare base.
        modules: Hashes of the tensors and options of the modules, by name.
        relatives: Fallback languages for languages without a module.
        text: Name of the source.
        text_hash: Hash of the texts and languages, or the etag of the source; empty if the source
            can be read only once.
        column: Column of the texts.
        lang: The one language of all texts.
        lang_column: Column of the languages.
        shard_rows: Rows of each shard but the last.
        file_format: ``npy`` or ``parquet``.
        dtype: Dtype of the vectors.
        max_length: Largest number of tokens of a text; ``None`` in a folder of an older version.
        normalize: Whether each vector was divided by its norm.
        windows: What a longer text became: ``first`` (cut), ``mean`` or ``max`` of its windows.
        base_mismatch: A line for each module of another base, where that was allowed.
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
    normalize: bool = False
    windows: str = "first"
    base_mismatch: list[str] = []

    def file(self, folder: Path, number: int) -> Path:
        """Return the path of a shard."""
        return folder / f"part-{number:05d}.{self.file_format}"


class Index(_Strict):
    """The contents of ``index.json``."""

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
    """Read the index of a folder of vectors.

    Raises:
        UserError: If the index is absent, malformed, too large, or its shards don't cover its rows.
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
    """Check a value read from a file.

    Raises:
        UserError: If the value is malformed. The error names the first fault.
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
