"""A merged base as a model of its task's class: the head it has, and its README."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from xadapt.backbones.frozen_model import FrozenModel
from xadapt.backbones.seq2seq.seq2seq import Seq2Seq
from xadapt.backbones.task_class import MLM, TEXT_TO_TEXT, TaskClass, class_of, refuses
from xadapt.core.errors import UserError
from xadapt.heads.head import Head
from xadapt.hub.manifest import Manifest
from xadapt.hub.merged import REPLACED, write_merged
from xadapt.hub.opening import open_head
from xadapt.hub.own_table import languages
from xadapt.modules.vocabulary import Vocabulary
from xadapt.tasks.head_task import with_card
from xadapt.tasks.predictor import chosen_head, heads_of

MERGED = "merged"
"""The name of the comparison of such a folder."""


@dataclass(frozen=True)
class Merged:
    """What is written.

    Attributes:
        module: The LoRA.
        head: The task head.
        manifest: The manifest that the LoRA would have as a module.
        vocabulary: The vocabulary whose table and tokenizer are written.
    """

    module: nn.Module
    head: Head | None
    manifest: Manifest
    vocabulary: Vocabulary | None = None


def attached(module: nn.Module, vocabulary: Vocabulary | None) -> nn.Module:
    """Return a module with the rows of a vocabulary before it, which is what is written."""
    if vocabulary is None:
        return module
    whole = deepcopy(vocabulary)
    whole.inner = module
    return whole


def kept_head(places: Mapping[str, str], width: int, name: str | None = None) -> Head | None:
    """Open the task head that a composition of modules keeps; ``None`` if no module has one.

    Args:
        places: Folders of modules by name.
        width: Features of the base's states.
        name: The module whose head it is, by name or folder.

    Raises:
        UserError: If it is not clear which one, or the named module has none.
    """
    found = heads_of(places)
    named = None if name is None else places.get(name, name)
    kinds = {spec.task for where, spec in found.items() if named in (None, where)}
    if not kinds and name is None:
        return None
    if len(kinds) != 1:
        raise UserError(
            f"{name!r} is no module with a task head"
            if name is not None
            else f"these modules have heads for different tasks: {', '.join(found)}",
            where="--head",
            todo="Say which module's head is kept with --head" if name is None else "",
        )
    where, spec = chosen_head(places, kinds.pop(), name)
    return with_card(open_head(where, spec, width))


def write_whole(
    path: Path, base: FrozenModel, whole: Merged, difference: Callable[[Path], float] | None
) -> str:
    """Write the merged base; return a phrase that says how it is loaded.

    Raises:
        UserError: As for `xadapt.hub.merged.write_merged`, or if there are a vocabulary and a task
            head.
    """
    head, own = whole.head, whole.vocabulary
    if own is not None and head is not None:
        raise UserError(
            "a base is not written with a vocabulary and a task head",
            where="--merged",
            todo="Leave --merged out: the composition's folder holds both",
        )
    task = None if own is not None else class_of(base, head, whole.manifest.objectives)
    reason = None if head is None or isinstance(base, Seq2Seq) else refuses(base, head)
    how = _how(task, reason)
    if own is not None:
        how += f"; its tokenizer reads {languages(own)} alone"
    text = _readme(whole.manifest, task, how, own)
    write_merged(path, base, whole.module, text, task=task, difference=difference, vocabulary=own)
    return how


def _how(task: TaskClass | None, reason: str | None) -> str:
    if reason is not None:
        return f"its task head is not in it, because {reason}"
    if task is None:
        return "it loads like the base"
    return f"it loads as {task.auto}"


def _readme(
    manifest: Manifest, task: TaskClass | None, how: str, vocabulary: Vocabulary | None = None
) -> str:
    """Return the README of merged weights."""
    base = manifest.base.id or f"a base of type {manifest.base.model_type} without an id on the Hub"
    name = "AutoModel" if task is None else task.auto
    kept = "Every tensor of the base is in the file."
    if task is not None and task.task not in (MLM, TEXT_TO_TEXT, "tagging", "span_extraction"):
        kept += (
            " The class has a layer between the first token's state and its classifier, which "
            "xadapt's head does not have: the layer is set so that it changes nothing. Use fp32 or "
            f"bf16. A tensor of the base in its place is kept as `{REPLACED}.NAME`."
        )
    if vocabulary is not None:
        kept = (
            f"The tokenizer and the table of word embeddings are those of a vocabulary for "
            f"{languages(vocabulary)}, with {vocabulary.options.pieces:,} rows. The base's own "
            "tokenizer, its table, and the part of a language-model head that has one row for each "
            "token are not in this folder: a text in another language is read in single letters or "
            "as unknown tokens. For texts of several languages, use the module on its base."
        )
    return (
        f"# {manifest.name}\n\nThe weights of {base}, in fp32, with these modules of xadapt added "
        f"into them: `{manifest.composition}`, for {', '.join(manifest.languages)}. {kept} "
        f"The modules can't be taken off again; {how}. Nothing was measured after the addition.\n\n"
        f"```python\nfrom transformers import {name}, AutoTokenizer\n\n"
        f'model = {name}.from_pretrained("this folder")\n'
        f'tokenizer = AutoTokenizer.from_pretrained("this folder")\n```\n'
    )
