"""A map between two spaces of word vectors, and its folder of ``map.safetensors`` and a JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor

from xadapt.core.errors import UserError
from xadapt.core.files import atomic_folder, sha256_file, write_json
from xadapt.core.registry import unknown
from xadapt.core.strict_parsing import parse_json, read_bytes
from xadapt.maps.contract import LinearMaps
from xadapt.maps.normalising import Normalisation, parse_actions
from xadapt.maps.word_vectors import WordVectors
from xadapt.modules.storage import read_tensors

TENSORS, FACTS = "map.safetensors", "map.json"
FORMAT = "xadapt_embedding_map"
VERSION = 1
ROWS = 16_384
MAX_FACTS = 2**20
SideName = Literal["source", "target"]
SIDES: tuple[SideName, ...] = get_args(SideName)


@dataclass(frozen=True, eq=False)
class EmbeddingMap:
    """A fitted map: normalisation of each side, and one matrix a side.

    A source vector x is normalised, ``center`` by the means of the source side, and mapped to
    ``W x``. A target vector is normalised by the means of the target side, and mapped too if the
    method has a matrix for targets. Mapped vectors of both sides are compared by cosine or CSLS.

    ```python
    own = EmbeddingMap.from_pretrained("en-de")
    vectors = own.transform(matrix)  # (n, dim) to (n, out)
    ```

    Attributes:
        maps: The matrices.
        source: Normalisation of the source side.
        target: Normalisation of the target side.
        facts: Method, options, layer, evidence and other facts, as JSON values.
    """

    maps: LinearMaps
    source: Normalisation
    target: Normalisation
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def dim(self) -> int:
        """Number of values of a vector that is mapped."""
        return self.maps.source.shape[1]

    @property
    def W(self) -> NDArray[np.float32]:  # noqa: N802 - its name in every formula
        """The matrix of the source side: a normalised vector x is mapped to ``W @ x``."""
        return self.maps.source.numpy()

    def transform(self, vectors: Any, side: SideName = "source") -> NDArray[np.float32]:
        """Normalise and map vectors.

        Args:
            vectors: ``(n, dim)``, or one vector ``(dim,)``: an array, a tensor or a list.
            side: The side that the vectors belong to: ``source`` or ``target``.

        Returns:
            ``(n, out)`` or ``(out,)``, fp32.

        Raises:
            UserError: If there is no such side, the width is another, or a value is not finite.
        """
        if side not in SIDES:
            raise UserError(unknown("side", str(side), SIDES))
        rows = _rows(vectors, self.dim)
        normalise = self.source if side == "source" else self.target
        mapped = self.maps.map_source if side == "source" else self.maps.map_target
        parts = [mapped(normalise(part)) for part in rows.split(ROWS)]
        found = torch.cat(parts).numpy() if parts else np.zeros((0, self.dim), np.float32)
        return found[0] if np.ndim(vectors) == 1 else found  # type: ignore[no-any-return]

    def transform_words(self, vectors: WordVectors, side: SideName = "source") -> WordVectors:
        """Map word vectors.

        Args:
            vectors: The words and their vectors.
            side: As for `transform`.

        Raises:
            UserError: As for `transform`.
        """
        return WordVectors(vectors.words, self.transform(vectors.vectors, side), vectors.notes)

    def save_pretrained(self, path: str | Path) -> Path:
        """Write the folder, whole or not at all.

        Raises:
            UserError: If the folder has other content, or can't be written.
        """
        tensors = {"W": self.maps.source}
        if self.maps.target is not None:
            tensors["target_W"] = self.maps.target
        for side in SIDES:
            for number, mean in enumerate(getattr(self, side).means):
                tensors[f"{side}_mean_{number}"] = mean
        with atomic_folder(path) as folder:
            save_file({k: v.contiguous() for k, v in tensors.items()}, str(folder / TENSORS))
            write_json(
                folder / FACTS,
                {
                    "format": FORMAT,
                    "version": VERSION,
                    "mapping": "W (normalised x); rows of vectors are mapped by X @ W.T",
                    "dim": self.dim,
                    "normalize": list(self.source.actions),
                    **self.facts,
                    "sha256": sha256_file(folder / TENSORS),
                },
            )
        return Path(path)

    @classmethod
    def from_pretrained(cls, path: str | Path) -> EmbeddingMap:
        """Read a folder of `save_pretrained`.

        Raises:
            UserError: If the folder is no such folder, or a file in it was damaged or changed.
        """
        folder = Path(path)
        facts = _facts(folder)
        if sha256_file(folder / TENSORS) != facts.get("sha256"):
            raise UserError(
                "this file differs from the one that was saved",
                where=str(folder / TENSORS),
                todo="Save the map again",
            )
        tensors = read_tensors(folder / TENSORS, None).tensors
        actions = parse_actions(facts["normalize"])
        _require_shapes(tensors, actions, facts["dim"], str(folder))
        count = actions.count("center")
        source, target = (
            Normalisation(actions, tuple(tensors[f"{side}_mean_{n}"] for n in range(count)))
            for side in SIDES
        )
        own = ("format", "version", "mapping", "dim", "normalize", "sha256")
        rest = {key: value for key, value in facts.items() if key not in own}
        return cls(LinearMaps(tensors["W"], tensors.get("target_W")), source, target, rest)

    def __repr__(self) -> str:
        method, size = self.facts.get("method", "map"), "x".join(map(str, self.W.shape))
        return (
            f"EmbeddingMap({method}, {size}, normalize={','.join(self.source.actions) or 'none'})"
        )


def _rows(vectors: Any, dim: int) -> Tensor:
    try:
        array = vectors.detach().cpu() if isinstance(vectors, Tensor) else vectors
        rows = torch.from_numpy(np.array(array, dtype=np.float32))
    except (TypeError, ValueError):
        raise UserError("these are no vectors", todo="Give numbers of shape (n, dim)") from None
    rows = rows[None] if rows.ndim == 1 else rows
    if rows.ndim != 2 or rows.shape[1] != dim:
        raise UserError(
            f"the map takes vectors of {dim} values, and these are {tuple(rows.shape)}",
            todo="Give vectors of the space that the map was fitted on",
        )
    if not torch.isfinite(rows).all():
        raise UserError("a vector holds NaN or infinity")
    return rows


def _facts(folder: Path) -> dict[str, Any]:
    if not (folder / FACTS).is_file() or not (folder / TENSORS).is_file():
        raise UserError(
            f"this is no folder of a map: it lacks {FACTS} or {TENSORS}",
            where=str(folder),
            todo="Name a folder that xadapt map wrote",
        )
    where = str(folder / FACTS)
    facts = parse_json(read_bytes(folder / FACTS, MAX_FACTS), where=where)
    right = (
        isinstance(facts, dict)
        and facts.get("format") == FORMAT
        and isinstance(facts.get("dim"), int)
        and isinstance(facts.get("normalize"), list)
        and all(isinstance(one, str) for one in facts["normalize"])
    )
    if not right:
        raise UserError("this file describes no map of xadapt", where=where)
    if facts.get("version") != VERSION:
        raise UserError(
            f"this map has version {facts.get('version')!r}, and {VERSION} can be read", where=where
        )
    return facts


def _require_shapes(
    tensors: Mapping[str, Tensor], actions: tuple[str, ...], dim: int, where: str
) -> None:
    means = {f"{side}_mean_{n}" for side in SIDES for n in range(actions.count("center"))}
    matrices = {"W", "target_W"} & tensors.keys()
    right = (
        "W" in tensors
        and tensors.keys() == means | matrices
        and all(tensors[name].shape == (dim,) for name in means)
        and all(tensors[n].ndim == 2 and tensors[n].shape[1] == dim for n in matrices)
        and all(tensor.dtype == torch.float32 for tensor in tensors.values())
        and all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values())
    )
    if not right:
        names = json.dumps(sorted(tensors))
        raise UserError(f"the tensors {names} do not fit {FACTS}", where=where)
