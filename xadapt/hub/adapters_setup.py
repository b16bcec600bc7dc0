"""Compositions as adapter setups of the library adapters, where adapters computes the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from torch import nn

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.composition.text import show
from xadapt.composition.values import ByLanguage, Composition, Mix, Stack, names
from xadapt.core.errors import UserError
from xadapt.core.files import atomic_folder, write_json, write_text
from xadapt.heads.head import Head
from xadapt.hub import layouts
from xadapt.hub.configs import ADAPTERS_VERSION
from xadapt.hub.folder import TOLERANCE, write_folder
from xadapt.hub.manifest import Manifest
from xadapt.modules.hooks import hooks_of
from xadapt.modules.storage import options_of

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
) -> list[str]:
    """Write a composition as ``adapter_setup.json`` with a folder for each module.

    ``AutoAdapterModel.load_adapter_setup(path, set_active=True)`` of adapters 1.3 loads it.

    Args:
        path: The folder to make.
        composition: A module, or a stack of modules.
        members: The modules by their names in the composition.
        encoder: Their base.
        difference: Function from the finished folder to the difference between adapters' states
            and xadapt's. ``None`` where adapters is not installed.

    Returns:
        The names in the setup, in its order.

    Raises:
        UserError: If adapters can't compute the same, or computes something else in the test. The
            message has the reason, and no files are left behind.
    """
    order = arranged(composition, members, encoder)
    with atomic_folder(path) as folder:
        write_setup(folder, [members[name] for name in order], encoder)
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
    if len(parts) > 1:
        _check_stack(composition, own, parts)
    if any(own[name].invertible for name in parts):
        parts = sorted(parts, key=lambda name: own[name].lora)
        if not own[parts[0]].invertible or sum(own[name].invertible for name in parts) > 1:
            _refuse(composition, "in a Stack only the first adapter's invertible map acts",
                    "Put the module with the map first, and no other with one")  # fmt: skip
    return parts


def write_setup(folder: Path, members: list[Member], encoder: Encoder) -> None:
    """Write the modules as one ``Stack``, without a check of the results in adapters."""
    for one in {member.manifest.name: member for member in members}.values():
        target = folder / one.manifest.name
        write_folder(
            target,
            one.module,
            encoder,
            one.manifest,
            verify={},
            head=one.head,
            loaders="adapters",
        )
    children = [{"type": "single", "children": [one.manifest.name]} for one in members]
    setup: dict[str, Any] = {
        "adapter_setup": {"type": "Stack", "children": children},
        "head_setup": None,
        "version": ADAPTERS_VERSION,
    }
    write_json(folder / FILE, setup)
    write_text(folder / "README.md", _card([one.manifest for one in members]))


def _parts(composition: Composition, members: Mapping[str, Member]) -> list[str]:
    """Return the names in a stack; adapters can't hold any other composition."""
    parts = composition.parts if isinstance(composition, Stack) else (composition,)
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
"""
