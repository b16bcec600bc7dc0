"""Compositions as adapter setups of the library adapters, where adapters computes the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from torch import nn

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.composition.text import show
from xadapt.composition.values import ByLanguage, Composition, Fuse, Mix, Stack, names
from xadapt.core.errors import UserError
from xadapt.core.files import atomic_folder, write_json, write_text
from xadapt.heads.head import Head
from xadapt.hub import adapters_fusion, layouts, own_table
from xadapt.hub.adapters_fusion import write_fusion
from xadapt.hub.base_mismatch import mismatch_lines
from xadapt.hub.configs import ADAPTERS_VERSION, model_class
from xadapt.hub.folder import TOLERANCE, write_folder
from xadapt.hub.head_files import write_adapters_head
from xadapt.hub.manifest import Manifest
from xadapt.hub.own_table import EMBEDDINGS, write_embeddings
from xadapt.modules.fusion import Fusion
from xadapt.modules.hooks import hooks_of
from xadapt.modules.storage import options_of
from xadapt.modules.vocabulary import Vocabulary

FILE = "adapter_setup.json"


@dataclass(frozen=True)
class Member:
    """One module of a setup.

    Attributes:
        module: The module.
        manifest: The module's manifest. The module has the same name in the setup.
        head: The task head of the module.
    """

    module: nn.Module
    manifest: Manifest
    head: Head | None = None

    @property
    def lora(self) -> bool:
        """Whether the module is a LoRA."""
        return str(self.module.kind) == "lora"

    @property
    def invertible(self) -> bool:
        """Whether the module also maps the embeddings."""
        return getattr(self.module, "invertible", None) is not None


def write_adapters_setup(
    path: Path | str,
    composition: Composition,
    members: Mapping[str, Member],
    encoder: Encoder,
    difference: Callable[[Path], float] | None = None,
    vocabulary: Vocabulary | None = None,
) -> list[str]:
    """Write a composition as ``adapter_setup.json`` with a folder for each module.

    ``AutoAdapterModel.load_adapter_setup(path, set_active=True)`` of adapters 1.3 loads it.

    Args:
        path: The folder to make.
        composition: A module, or a stack of modules and fusions of bottlenecks.
        members: The modules by their names in the composition.
        encoder: Their base.
        difference: Function from the finished folder to the difference between adapters' states
            and xadapt's. ``None`` where adapters is not installed.
        vocabulary: A vocabulary of one of the modules; ``load_embeddings`` of adapters reads it.

    Returns:
        The names in the setup, in its order.

    Raises:
        UserError: If adapters can't compute the same, or computes something else in the test. The
            message has the reason, and no files are left behind.
    """
    order = arranged(composition, members, encoder)
    fuses = _fuses(composition)
    reason = None if vocabulary is None else own_table.refuses(encoder, vocabulary)
    if reason:
        _refuse(composition, reason, "")
    with atomic_folder(path) as folder:
        if fuses:
            _write_fused(folder, composition, members, encoder)
        else:
            write_setup(folder, [members[name] for name in order], encoder)
        if vocabulary is not None:
            write_embeddings(folder, encoder, vocabulary)
            card = folder / "README.md"
            write_text(card, card.read_text(encoding="utf-8") + _how_to_read(vocabulary))
        found = 0.0 if difference is None else difference(folder)
        if not found <= TOLERANCE:
            _refuse(composition, f"its states differ by {found:.1e} from xadapt's", "")
    return [members[name].manifest.name for name in order]


def arranged(
    composition: Composition, members: Mapping[str, Member], encoder: Encoder
) -> list[str]:
    """Order the modules so that adapters' ``Stack`` computes the same as the composition.

    In adapters, a LoRA acts inside its linear at any position in the stack. So a LoRA may come
    after a bottleneck with an invertible map. That map acts only in the first position.

    Raises:
        UserError: If there is no such order.
    """
    parts = _parts(composition, members)
    own = {name: members[name] for name in parts}
    for name, member in own.items():
        module = member.module
        at = layouts.places(encoder, options_of(module))
        model_type = str(encoder.model.config.model_type)  # type: ignore[union-attr]
        reason = layouts.holders(str(module.kind), options_of(module), model_type, at)["adapters"]
        if reason:
            _refuse(composition, f"{reason} ({name!r})", "")
    for fuse in _fuses(composition):
        _check_fusion(fuse, members, encoder)
    if len(parts) > 1:
        _check_stack(composition, own, parts)
    if _fuses(composition):
        return _ordered_with_fusion(composition, own, parts)
    if any(own[name].invertible for name in parts):
        parts = sorted(parts, key=lambda name: own[name].lora)
        if not own[parts[0]].invertible or sum(own[name].invertible for name in parts) > 1:
            _refuse(composition, "in a Stack only the first adapter's invertible map acts",
                    "Put the module with the map first, and no other with one")  # fmt: skip
    return parts


def write_setup(folder: Path, members: list[Member], encoder: Encoder) -> None:
    """Write the modules as one ``Stack``, without a check of the results in adapters."""
    for one in {member.manifest.name: member for member in members}.values():
        _write_member(folder, one, encoder)
    children = [_single(one.manifest.name) for one in members]
    setup: dict[str, Any] = {
        "adapter_setup": {"type": "Stack", "children": children},
        "head_setup": None,
        "version": ADAPTERS_VERSION,
    }
    write_json(folder / FILE, setup)
    write_text(folder / "README.md", _card([one.manifest for one in members]))


def _write_member(folder: Path, one: Member, encoder: Encoder) -> None:
    write_folder(
        folder / one.manifest.name,
        one.module,
        encoder,
        one.manifest,
        verify={},
        head=one.head,
        loaders="adapters",
    )


def _parts(composition: Composition, members: Mapping[str, Member]) -> list[str]:
    """Return the names in a stack; adapters can't hold any other composition."""
    given = composition.parts if isinstance(composition, Stack) else (composition,)
    parts: list[Composition] = []
    for part in given:
        parts += part.parts if isinstance(part, Fuse) else [part]
    for part in parts:
        if isinstance(part, Mix):
            _refuse(part, "its Average divides by the number of parts once too often",
                    "LoRAs become one plain LoRA without this option")  # fmt: skip
        if isinstance(part, ByLanguage):
            mapped = any(members[name].invertible for name in names(part))
            more = ", and gives all rows the first one's invertible map" if mapped else ""
            _refuse(part, f"its BatchSplit goes by places in a batch, not by language{more}", "")
        if not isinstance(part, str):
            _refuse(part, "it has nothing like it", "")
    return [part for part in parts if isinstance(part, str)]


def _fuses(composition: Composition) -> list[Fuse]:
    """Return the fusions of a composition, or of the parts of a stack."""
    parts = composition.parts if isinstance(composition, Stack) else (composition,)
    return [part for part in parts if isinstance(part, Fuse)]


def _check_fusion(fuse: Fuse, members: Mapping[str, Member], encoder: Encoder) -> None:
    parts = {str(part): members[str(part)].module for part in fuse.parts}
    if len(parts) < len(fuse.parts):
        _refuse(fuse, "it fuses a module once", "")
    reason = adapters_fusion.refuses(members[fuse.router].module, parts, encoder.depth)
    if reason:
        _refuse(fuse, reason, "")


def _ordered_with_fusion(
    composition: Composition, own: Mapping[str, Member], parts: list[str]
) -> list[str]:
    """Refuse what does not go with a fusion in adapters; the order is as given."""
    for name in parts:
        if own[name].lora or own[name].invertible:
            _refuse(composition, f"only plain bottlenecks go with a fusion there ({name!r})", "")
    if len({tuple(hook.place for hook in hooks_of(own[name].module)) for name in parts}) > 1:
        _refuse(composition, "beside a fusion all modules must act at the same places there", "")
    return parts


def _write_fused(
    folder: Path, composition: Composition, members: Mapping[str, Member], encoder: Encoder
) -> None:
    """Write a setup with fusions: the modules, the fusions, and the one task head of a fusion."""
    for name in names(composition):
        if not isinstance(members[name].module, Fusion):
            _write_member(folder, members[name], encoder)
    blocks, heads = [], []
    for part in composition.parts if isinstance(composition, Stack) else (composition,):
        if not isinstance(part, Fuse):
            blocks.append(_single(members[str(part)].manifest.name))
            continue
        member, own = members[part.router], [members[str(p)].manifest.name for p in part.parts]
        name = ",".join(own)
        at = layouts.places(encoder, options_of(members[str(part.parts[0])].module))
        assert isinstance(member.module, Fusion)
        write_fusion(folder / name, name, member.module, at, encoder, own)
        blocks.append({"type": "Fuse", "children": [_single(one) for one in own]})
        if member.head is not None and _write_head(folder, member, encoder):
            heads.append(member.manifest.name)
    write_json(
        folder / FILE,
        {
            "adapter_setup": blocks[0]
            if len(blocks) == 1
            else {"type": "Stack", "children": blocks},
            "head_setup": heads[-1] if heads else None,
            "version": ADAPTERS_VERSION,
        },
    )
    write_text(folder / "README.md", _card([members[name].manifest for name in names(composition)]))


def _write_head(folder: Path, member: Member, encoder: Encoder) -> list[str]:
    """Write the head of a fusion, in a folder of its own."""
    config: Any = encoder.model.config
    target = folder / member.manifest.name
    target.mkdir()
    assert member.head is not None
    return write_adapters_head(
        target,
        member.head,
        {
            "name": member.manifest.name,
            "model_type": config.model_type,
            "model_class": model_class(config),
            "model_name": member.manifest.base.id or "",
            "hidden_size": config.hidden_size,
            "version": ADAPTERS_VERSION,
        },
    )


def _single(name: str) -> dict[str, Any]:
    return {"type": "single", "children": [name]}


def _check_stack(composition: Composition, own: Mapping[str, Member], parts: list[str]) -> None:
    loras = [place for place, name in enumerate(parts) if own[name].lora]
    if len(loras) > 1:
        _refuse(composition, "stacked LoRAs are multiplied there, not added",
                "Make one of them first: xadapt compose 'a + b'")  # fmt: skip
    for name in parts:
        if getattr(own[name].module.options, "form", "") == "parallel":
            _refuse(composition, f"a parallel bottleneck in a Stack is wrong there ({name!r})", "")
    for place in loras:
        inside = {hook.place for hook in hooks_of(own[parts[place]].module)}
        before = [e.place for name in parts[:place] for e in hooks_of(own[name].module)]
        if inside & set(before):
            _refuse(composition, "a LoRA acts before every bottleneck there, and here behind one",
                    "Put the LoRA first")  # fmt: skip


def _refuse(composition: Composition, reason: str, todo: str) -> NoReturn:
    raise UserError(
        f"adapters can't compute {show(composition)}: {reason}",
        where="--adapters-setup",
        todo=todo or "xadapt's own composition folder holds it: leave this option out",
    )


def _how_to_read(vocabulary: Vocabulary) -> str:
    return f"""
Its texts are read by a vocabulary for {own_table.languages(vocabulary)}, which comes with its own
table of word embeddings. Other languages are not read by it; `set_active_embeddings("default")`
brings back the base's table, for the base's tokenizer.

```python
tokenizer = model.load_embeddings("this folder/{EMBEDDINGS}", "vocabulary")
```
"""


def _card(manifests: list[Manifest]) -> str:
    named = " + ".join(manifest.name for manifest in manifests)
    base = manifests[0].base.id or "the base the modules name"
    return f"""# {named}

An adapter setup: modules that act one after the other. Each folder's `README.md` says what its
module was trained on.

```python
from adapters import AutoAdapterModel

model = AutoAdapterModel.from_pretrained("{base}")
model.load_adapter_setup("this folder", set_active=True)
```
{mismatch_lines()}"""
