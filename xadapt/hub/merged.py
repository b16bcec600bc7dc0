"""A base with a LoRA merged into its weights, and its task head: a model that needs no module.

The base's own files are rewritten, so every tensor of the base stays: its masked-language-model
head, its pooler, and whatever else its file has. A task head makes the folder a model of the class
of transformers for the task.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import torch
from huggingface_hub import save_torch_state_dict
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from xadapt.backbones.bases import Base
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.frozen_model import FrozenModel
from xadapt.backbones.task_class import TaskClass
from xadapt.core.errors import UserError
from xadapt.core.files import atomic_folder, write_json, write_text
from xadapt.core.strict_parsing import parse_json
from xadapt.hub import own_table
from xadapt.hub.base_mismatch import mismatch_lines
from xadapt.modules.hooks import AdapterHook, hooks_of
from xadapt.modules.lora import LowRank
from xadapt.modules.vocabulary import Vocabulary

SENTENCE_FILES = ("modules.json", "config_sentence_transformers.json", "sentence_bert_config.json")
OTHER_FILES = ("generation_config.json",)
MODEL = "model."
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
REPLACED = "replaced"
"""First part of the name of a tensor of the base in whose place a task head has its own."""
TOLERANCE = 1e-5


def write_merged(
    path: Path | str,
    base: FrozenModel,
    module: nn.Module | None,
    said: str,
    *,
    task: TaskClass | None = None,
    difference: Callable[[Path], float] | None = None,
    vocabulary: Vocabulary | None = None,
) -> None:
    """Write the base with the module merged into its fp32 weights, its tokenizer and pooling files.

    Args:
        path: The folder to make.
        base: The base, which is not changed: an encoder or an encoder-decoder.
        module: A LoRA; ``None`` writes the bare base.
        said: Description of the weights, for the folder's README.
        task: The class of the task with the head's tensors. Without it the model has the class of
            the base.
        difference: Function from the finished folder to the difference between what transformers
            computes with it and what xadapt computes.
        vocabulary: A vocabulary whose table and tokenizer are written in place of the base's.

    Raises:
        UserError: If the module is not a LoRA, the base is only in memory or can't have the
            vocabulary, a tensor of the base is missing in the written file, transformers computes
            something else, or the folder is not empty or can't be written. Nothing is left behind.
    """
    hooks = [] if module is None else hooks_of(module)
    if any(not isinstance(hook.fn, LowRank) for hook in hooks):
        raise UserError("only LoRAs can be added into a base's weights")
    if base.source.kind == "memory":
        raise UserError("a base that is only in memory can't be written")
    tensors = base_tensors(base.source)
    _add(base, tensors, hooks)
    settings = _settings(base.source)
    if vocabulary is not None:
        assert isinstance(base, Encoder)  # vocabularies are for encoders
        reason = own_table.refuses(base, vocabulary)
        if reason:
            raise UserError(f"this vocabulary can't be the base's own: {reason}")
        tensors = own_table.with_table(base, tensors, vocabulary)
        settings = own_table.with_ids(settings, base, vocabulary)
    if task is not None and task.tensors:
        assert isinstance(base, Encoder)  # a class of an encoder-decoder has no further tensors
        tensors = with_head(tensors, task)
        settings = _of_class(settings, base, task)
    with atomic_folder(path) as folder:
        save_torch_state_dict(tensors, folder, metadata={"format": "pt"})
        write_json(folder / "config.json", settings)
        if vocabulary is None:
            base.tokenizer.save_pretrained(folder)
        else:
            assert isinstance(base, Encoder)
            own_table.save_tokenizer(folder, base, vocabulary)
        _copy_files(base.source, folder)
        write_text(folder / "README.md", said + mismatch_lines())
        _require_all(folder, {name: tuple(value.shape) for name, value in tensors.items()})
        _require_same(folder, difference)


def base_tensors(base: Base) -> dict[str, Tensor]:
    """Read all tensors of a base by the names in its files; floating-point ones in fp32.

    Raises:
        UserError: If a file is absent, or a tensor stands in two files.
    """
    found: dict[str, Tensor] = {}
    for name in _weight_files(base):
        file = base.file(name)
        if file is None:
            raise UserError(f"the base has no file {name}", where=base.spec)
        for key, value in load_file(file).items():
            if key in found:
                raise UserError(f"two files of the base hold {key}", where=base.spec)
            found[key] = value.float() if value.is_floating_point() else value
    return found


def with_head(tensors: Mapping[str, Tensor], task: TaskClass) -> dict[str, Tensor]:
    """Return the tensors of a base by the names of the class of a task, with the head's tensors.

    A base that was published as a plain encoder has names without the encoder's prefix. A tensor of
    the base that the class computes its head with keeps its value under a name of its own.
    """
    begin = f"{task.prefix}."
    if not any(name.startswith(begin) for name in tensors):
        tensors = {begin + name: value for name, value in tensors.items()}
    made = dict(tensors)
    for name, value in task.tensors.items():
        if name in made:
            made[f"{REPLACED}.{name}"] = made[name]
        made[name] = value
    return made


def _weight_files(base: Base) -> list[str]:
    """Return the names of the base's files of tensors."""
    index = base.file(INDEX)
    if base.file(WEIGHTS) is not None or index is None:
        return [WEIGHTS]
    said = parse_json(index.read_bytes(), where=str(index))
    listed = said.get("weight_map") if isinstance(said, dict) else None
    if not isinstance(listed, dict) or not all(isinstance(v, str) for v in listed.values()):
        raise UserError("the index of the base's weights is malformed", where=str(index))
    return sorted(set(listed.values()))


def _settings(base: Base) -> dict[str, Any]:
    """Return the base's own ``config.json`` with the dtype of the written weights."""
    file = base.file("config.json")
    assert file is not None  # the base was opened
    settings = dict(parse_json(file.read_bytes(), where=str(file)))
    named = "torch_dtype" if "torch_dtype" in settings else "dtype"
    return {**settings, named: "float32"}


def _of_class(settings: dict[str, Any], encoder: Encoder, task: TaskClass) -> dict[str, Any]:
    """Return the settings of a model of a task's class."""
    import transformers

    family: Any = type(encoder.model.config)
    mapping = getattr(transformers, task.auto)._model_mapping
    own = {key: value for key, value in task.settings.items() if key != "num_labels"}
    for old in ("id2label", "label2id", "problem_type", "num_labels"):
        settings.pop(old, None)
    return {**settings, **own, "architectures": [mapping[family].__name__]}


def _add(base: FrozenModel, tensors: Mapping[str, Tensor], hooks: Sequence[AdapterHook]) -> None:
    """Add every update to the rows of its linear."""
    for hook in hooks:
        site = base.sites(hook.layer, hook.site)[hook.point]
        weight = tensors[name_of(base.family.auto_path(site.path), tensors)]
        low = hook.fn
        assert isinstance(low, LowRank)
        with torch.no_grad():
            weight[site.start : site.stop] += low.scale * (low.B @ low.A).cpu()


def name_of(path: str, tensors: Mapping[str, Tensor]) -> str:
    """Find the one tensor of the base's file that is the weight of a linear.

    Raises:
        UserError: If there is none or several.
    """
    name = f"{path}.weight"
    if name.startswith(MODEL) and not any(own.startswith(MODEL) for own in tensors):
        name = name.removeprefix(MODEL)  # some bases were saved without the part above the layers
    found = [own for own in tensors if own == name or own.endswith(f".{name}")]
    if len(found) != 1:
        raise UserError(f"the base's file has {len(found)} tensors named {name}, not one")
    return found[0]


def _require_all(folder: Path, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Refuse a written folder that lacks a tensor, or has one of another shape.

    Raises:
        UserError: If that is so. The message names the first such tensor.
    """
    held: dict[str, tuple[int, ...]] = {}
    for file in folder.glob("*.safetensors"):
        with safe_open(file, "pt") as opened:
            names = list(opened.keys())
            held |= {name: tuple(opened.get_slice(name).get_shape()) for name in names}
    lost = [name for name, shape in shapes.items() if held.get(name) != shape]
    if lost:
        raise UserError(f"{len(lost)} tensors were not written, such as {lost[0]}")


def _require_same(folder: Path, difference: Callable[[Path], float] | None) -> None:
    found = 0.0 if difference is None else difference(folder)
    if not found <= TOLERANCE:
        raise UserError(
            f"transformers computes something else with the merged weights ({found:.1e})",
            todo="Publish the module itself: leave --merged out",
        )


def _copy_files(source: Base, folder: Path) -> None:
    """Copy the base's pooling files, so that sentence-transformers makes the same vectors."""
    names = [name for name in (*SENTENCE_FILES, *OTHER_FILES) if source.file(name)]
    if "modules.json" in names:
        listed = source.file("modules.json")
        assert listed is not None
        for part in json.loads(listed.read_text(encoding="utf-8")):
            below = str(part.get("path", ""))
            names += [f"{below}/{n}" for n in ("config.json", "model.safetensors") if below]
    for name in names:
        found = source.file(name)
        target = folder.joinpath(*PurePosixPath(name).parts)
        if found is not None and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(found, target)
