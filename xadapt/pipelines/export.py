"""Export a base with merged modules as a graph of ONNX or OpenVINO, compared with xadapt."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from xadapt.composition.values import names
from xadapt.core.errors import UserError
from xadapt.core.files import atomic_folder, require_empty
from xadapt.core.sequences import as_paths
from xadapt.hub.own_table import without_vocabulary
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.integrations import graph_export

TOLERANCE = 1e-3
"""Largest difference of a value of a vector to xadapt's, as a share of the largest value."""
TEXTS = (
    "A short text.",
    "The children read a book by the lake, and somebody asked them about the way home.",
    "Das ist ein schöner Tag im Wald, und morgen gehen wir wieder hin.",
    "Mtoto anasoma kitabu kizuri sana nyumbani kwake leo asubuhi.",
    "今日は天気がいいので、友達と公園を歩きました。",
    "Дети читают книгу у озера.",
    "",
    "word " * 600,
)
"""Texts that the exported model is compared on: short, long, empty, and of several scripts."""


@dataclass(frozen=True)
class Exported:
    """A folder that was written.

    Attributes:
        folder: The folder.
        file_format: ``onnx`` or ``openvino``.
        difference: Largest difference to xadapt's vectors.
    """

    folder: Path
    file_format: str
    difference: float


def export(
    out: str | Path,
    *,
    base: str,
    modules: str | Path | Sequence[str | Path] = (),
    compose: str | None = None,
    lang: str | None = None,
    file_format: str = "onnx",
) -> Exported:
    """Merge modules into a base and export it for another engine.

    With a module that has a vocabulary of its own, the graph reads that language and no other.

    Args:
        out: Folder to make; ``SentenceTransformer(out, backend=file_format)`` opens it.
        base: Hub id, folder, ``package:NAME/SUBDIR`` or ``mini``.
        modules: Folders of LoRAs, or Hub ids.
        compose: A composition of them; a stack or fixed mixture.
        lang: The language whose module is merged, where several are loaded.
        file_format: ``onnx`` or ``openvino``.

    Raises:
        UserError: If the modules can't be merged, the exporter doesn't know the base, a package
            is missing, the vectors differ by more than 1e-3, or the folder is not empty.
    """
    graph_export.require(file_format)
    require_empty(out)
    adapted = AdaptedEncoder.load(
        base, *as_paths(modules), compose=compose, dtype="float32", device="cpu"
    )
    one = adapted if lang is None else adapted.for_language(lang)
    model = one.to_sentence_transformer()
    with TemporaryDirectory(prefix="xadapt-", ignore_cleanup_errors=True) as temporary:
        graph_export.write_graph(model, Path(temporary), file_format)
        made = Path(temporary) / file_format
        found = graph_export.encode_graph(made, file_format, TEXTS)
        wanted = np.asarray(one.encode(list(TEXTS), _reads(one)))
        difference = float(np.abs(found - wanted).max()) if found.shape == wanted.shape else np.inf
        if not difference <= TOLERANCE * max(1.0, float(np.abs(wanted).max())):
            raise UserError(
                f"the exported model computes something else ({difference:.1e})",
                where=file_format,
                todo="Use the module itself: xadapt encode or xadapt serve",
            )
        with atomic_folder(out) as folder:
            shutil.copytree(made, folder, dirs_exist_ok=True)
    return Exported(Path(out), file_format, difference)


def _reads(adapted: AdaptedEncoder) -> str | None:
    """Return the language that the exported model reads; ``None`` if it reads all texts.

    Raises:
        UserError: If a vocabulary names no language.
    """
    _, own = without_vocabulary({n: adapted.modules[n] for n in names(adapted.composition)})
    if own is None:
        return None
    if not own.options.languages:
        raise UserError(
            "a vocabulary is exported for its language, and this one names none",
            todo="Train it with --lang",
        )
    return own.options.languages[0]
