"""``image_vectors``: vectors of the images of entities, for ``xadapt kg align --modalities``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from xadapt.core.errors import UserError
from xadapt.core.files import atomic_file
from xadapt.data.readers.graph_files import rows
from xadapt.integrations.vision import VisionModel, open_images
from xadapt.tasks.kg.image_vectors import TENSOR, ids_file

LINE = "an id and the file of an image"


@dataclass(frozen=True)
class ImageVectors:
    """The result of `image_vectors`.

    Attributes:
        out: The file.
        images: Number of images that were encoded.
        left_out: Number of those that could not be opened.
        dim: Numbers of a vector.
    """

    out: Path
    images: int
    left_out: int
    dim: int

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers as JSON values."""
        return {"images": self.images, "left_out": self.left_out, "dim": self.dim}


def image_vectors(
    table: str | Path,
    model: str,
    out: str | Path,
    *,
    batch: int = 32,
    report: Callable[[str], None] = lambda _: None,
    progress: Callable[[int], None] = lambda _: None,
) -> ImageVectors:
    """Encode images of entities by a vision model, and write their vectors and ids.

    Args:
        table: A file with the id of an entity, a tab, and the file of an image on each line. Files
            are looked for in the folder of the table.
        model: A vision model of transformers: a folder, or an id on the Hub.
        out: The safetensors file. The ids are written beside it, with the ending ``.txt``.
        batch: Images that are encoded at a time.
        report: Receives a line for each image that is left out.
        progress: Called with numbers of images.

    Raises:
        UserError: If the table or the model can't be read, a file is not in the folder of the
            table, or no image can be opened. Nothing is written then.
    """
    out = Path(out)
    if out.suffix != ".safetensors":
        raise UserError("this file is written with the ending .safetensors", where=str(out))
    if batch < 1:
        raise UserError(f"{batch} is below 1", where="--batch-size")
    asked = list(_asked(Path(table)))
    if not asked:
        raise UserError("there is no image", where=str(table), todo=f"A line holds {LINE}")
    encoder = VisionModel(model)
    ids: list[str] = []
    made = []
    for start in range(0, len(asked), batch):
        part = asked[start : start + batch]
        opened = dict(open_images([path for _, path in part], report))
        if opened:
            made.append(encoder.encode(list(opened.values())))
            ids += [part[place][0] for place in opened]
        progress(len(part))
    if not made:
        raise UserError("no image could be opened", where=str(table))
    vectors = np.concatenate(made)
    with atomic_file(ids_file(out)) as temporary:
        temporary.write_text("".join(f"{one}\n" for one in ids), encoding="utf-8")
    with atomic_file(out) as temporary:
        save_file({TENSOR: torch.from_numpy(vectors)}, temporary)
    return ImageVectors(out, len(ids), len(asked) - len(ids), vectors.shape[1])


def _asked(table: Path) -> Iterable[tuple[str, Path]]:
    folder = table.parent.resolve()
    for where, (entity, name) in rows(str(table), 2, LINE):
        path = (folder / name).resolve()
        if not path.is_relative_to(folder):
            raise UserError(
                f"{name[:80]!r} is not in the folder of the table", where=where,
                todo="Keep the images beside the table",
            )  # fmt: skip
        yield entity, path
