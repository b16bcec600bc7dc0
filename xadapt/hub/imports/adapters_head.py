"""The prediction head beside an adapter of the library adapters, read as a task head of xadapt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.core.errors import UserError
from xadapt.heads.head import Head
from xadapt.hub.imports.files import Folder, require_shapes
from xadapt.hub.safe_paths import has_file

CONFIG = "head_config.json"
WEIGHTS = ("model_head.safetensors", "pytorch_model_head.bin")


def read_head(folder: Folder, name: str, encoder: Encoder) -> tuple[Head | None, list[str]]:
    """Read the head.

    Args:
        folder: The adapter's folder.
        name: The adapter's name.
        encoder: The base.

    Returns:
        The head, ``None`` where there is none or xadapt has no such head; and in that case one line
        that says so.

    Raises:
        UserError: If the head's files are malformed or don't fit the base.
    """
    if not has_file(folder.path, CONFIG):
        return None, []
    said = folder.settings(CONFIG)
    where = str(folder.path / CONFIG)
    config = said.get("config")
    if not isinstance(config, dict):
        raise UserError("it holds no settings of a head under 'config'", where=where)
    kind, labels = _head_kind(config, where)
    if kind is None:
        what = f"{str(config.get('head_type'))[:60]}, {str(config.get('layers'))[:20]} layers"
        return None, [f"its head ({what}) is left out: xadapt has one linear on the states"]
    tensors = folder.tensors(WEIGHTS)
    own = said.get("name") if isinstance(said.get("name"), str) else name
    wanted = {
        f"heads.{own}.1.weight": (len(labels), encoder.width),
        f"heads.{own}.1.bias": (len(labels),),
    }
    require_shapes(tensors, wanted, str(folder.path))
    head = Head(kind, labels, encoder.width)
    values = {key.rpartition(".")[2]: value.float() for key, value in tensors.items()}
    head.linear.load_state_dict(values)
    return head, []


def _head_kind(config: Mapping[str, Any], where: str) -> tuple[str | None, list[str]]:
    """Return xadapt's kind of a head and its labels; no kind if xadapt has no such head."""
    if config.get("layers", 1) != 1 or config.get("bias", True) is not True:
        return None, []
    if config.get("head_type") == "question_answering":
        two = config.get("num_labels", 2) == 2
        return ("span_extraction", ["start", "end"]) if two else (None, [])
    kind = {"tagging": "tagging", "classification": "classification"}.get(
        str(config.get("head_type"))
    )
    if kind is None or (kind == "classification" and config.get("use_pooler") is not False):
        return None, []
    numbers = config.get("label2id")
    if not isinstance(numbers, dict) or not all(type(n) is int for n in numbers.values()):
        raise UserError("label2id is no object of labels to numbers", where=where)
    labels = sorted(numbers, key=numbers.__getitem__)
    if [numbers[label] for label in labels] != list(range(len(labels))) or not labels:
        raise UserError("label2id does not number its labels from 0", where=where)
    return kind, labels
