"""A module on disk: xadapt's files, files for every library that can hold the module, the card."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.frozen_model import FrozenModel
from xadapt.backbones.task_class import TaskClass, class_of
from xadapt.core.errors import UserError
from xadapt.core.files import atomic_folder, write_json, write_text
from xadapt.heads.head import Head
from xadapt.hub import configs, layouts
from xadapt.hub.base_mismatch import base_mismatches
from xadapt.hub.card import card, require_valid
from xadapt.hub.head_files import FILE as HEAD
from xadapt.hub.head_files import spec_of, write_adapters_head, write_head
from xadapt.hub.integrity import CARD, seal
from xadapt.hub.loaders import NOT_ASKED, STANDS_ON, chosen
from xadapt.hub.manifest import FILE as MANIFEST
from xadapt.hub.manifest import (
    LOADERS,
    MODULE,
    Loader,
    Manifest,
    ModuleSpec,
    TensorFile,
    package_version,
    save_manifest,
    software_versions,
)
from xadapt.hub.probe import make_probe
from xadapt.hub.sentence_files import (
    NO_BASE_ID,
    refuses,
    write_refusal,
    write_sentence_files,
)
from xadapt.hub.shared_names import HEAD as OF_HEAD
from xadapt.hub.shared_names import patterns
from xadapt.hub.training_texts import SeenTexts
from xadapt.modules import bottleneck
from xadapt.modules.storage import options_of, save_module

CONTROLS, SHUFFLED = "controls", "shuffled"
CONFIG = "adapter_config.json"
TOLERANCE = 1e-5
PARALLEL_NOTE = "Exact alone; adapters computes a Stack with it wrongly"

Verify = Mapping[str, Callable[[Path], float]]


class _Draft:
    """The folder during writing, with the files and settings of each library.

    ``shared`` are the files that hold exactly the module's tensors under other names: for each, the
    names by xadapt's names.
    """

    def __init__(self, folder: Path, asked: Collection[str]) -> None:
        self.folder, self.asked = folder, asked
        self.shared: dict[TensorFile, dict[str, str]] = {}
        self.files: dict[str, list[str]] = {}
        self.configs: dict[str, dict[str, Any]] = {}
        self.loaders: dict[str, Loader] = {}

    def hold(
        self, name: str, files: list[str], config: dict[str, Any], note: str | None = None
    ) -> None:
        """Record that a library's files are written but not yet tested."""
        self.files[name], self.configs[name] = files, config
        self.loaders[name] = Loader(status="unverified", reason=note)

    def drop(self, name: str, loader: Loader) -> None:
        """Remove a library's files, and those of the libraries that depend on these files."""
        for other, ground in STANDS_ON.items():
            if ground == name and other in self.loaders and self.loaders[other].written:
                self.drop(other, Loader(status="cannot hold", reason=f"stands on {name}'s files"))
        for file in self.files.pop(name, []):
            self.shared = {own: names for own, names in self.shared.items() if own != file}
            (self.folder / file).unlink(missing_ok=True)
            if not any((self.folder / file).parent.iterdir()):
                (self.folder / file).parent.rmdir()
        self.configs.pop(name, None)
        self.loaders[name] = loader

    def leave_out(self, name: str, file: TensorFile) -> None:
        """Remove one file of a library, which can do without it."""
        if file in self.files.get(name, ()):
            self.files[name].remove(file)
            del self.shared[file]
            (self.folder / file).unlink()

    def module_file(self, module: nn.Module) -> tuple[TensorFile, dict[str, str]]:
        """Return the file of the module's tensors and its names; write one if none is shared."""
        for file, names in self.shared.items():
            return file, patterns(names)
        save_module(self.folder / MODULE, module)
        return MODULE, {}

    def write_config(self) -> None:
        """Write the settings of all remaining libraries as one file; their keys are disjoint."""
        merged = {k: v for config in self.configs.values() for k, v in config.items()}
        (self.folder / CONFIG).unlink(missing_ok=True)
        if merged:
            write_json(self.folder / CONFIG, dict(sorted(merged.items())))


def write_folder(
    path: Path | str,
    module: nn.Module,
    base: FrozenModel,
    manifest: Manifest,
    *,
    verify: Verify,
    replace: bool = False,
    head: Head | None = None,
    controls: Mapping[str, nn.Module] | None = None,
    loaders: str | Iterable[str] | None = None,
    texts: SeenTexts | None = None,
) -> Manifest:
    """Write a module's folder, whole or not at all, with the files of other libraries.

    Each library in ``verify`` is tested on the finished files. The files of a library are removed
    if the library fails or differs by more than 1e-5. The manifest and the card then give the
    reason. So a folder never claims a wrong loader. Where the file of a library holds exactly the
    module's tensors, xadapt reads them from there, and they are written once.

    Args:
        path: The folder to make.
        module: The trained module.
        base: The base of the trained module. The base defines the sites and the pooling.
        manifest: All other facts. Kind, options, loaders and versions are filled in here.
        verify: For each importable library, a function from the folder to the largest difference
            between what the library and xadapt compute, both in fp32: logits of the module's task,
            or hidden states.
        replace: Replace an existing folder.
        head: The task head that was trained with the module.
        controls: Modules trained as controls, by name; they are written under ``controls/``.
        loaders: Libraries whose files are written: names, ``all`` or ``none``. By default those
            that can hold the module; of adapters' two files, only the one that adapters reads by
            default, if another library's file holds the tensors.
        texts: The fingerprint of the training texts.

    Returns:
        The manifest as written, with the hashes of all files.

    Raises:
        UserError: If a value is not finite, there is no such library, the folder is not empty, or
            it can't be written.
    """
    kept = {f"{CONTROLS}/{name}.safetensors": one for name, one in (controls or {}).items()}
    _require_finite(module, head, *kept.values())
    asked = chosen(loaders)
    with atomic_folder(path, replace=replace) as folder:
        for name, control in kept.items():
            (folder / CONTROLS).mkdir(exist_ok=True)
            save_module(folder / name, control)
        if texts is not None:
            texts.write(folder)
        draft = _Draft(folder, asked)
        task = class_of(base, head, manifest.objectives)
        _lay_out(draft, module, base, manifest, task)
        if head is not None:
            _add_head(draft, head)
        draft.write_config()
        _verify(draft, verify)
        if loaders is None and "peft" in draft.files:
            draft.leave_out("adapters", "adapter.safetensors")
        if "adapters" in draft.files and "peft" not in draft.files:
            write_refusal(folder)
        file, names = draft.module_file(module)
        manifest = manifest.model_copy(
            update={
                "head": None if head is None else spec_of(head),
                "module": ModuleSpec(
                    kind=str(module.kind), options=_options(module), file=file, names=names
                ),
                "loaders": {name: draft.loaders[name] for name in LOADERS},
                "training_texts": None if texts is None else texts.said,
                "software": manifest.software or software_versions(),
                "probe": make_probe(base, module),
                "base_mismatch": list(dict.fromkeys([*manifest.base_mismatch, *base_mismatches()])),
            }
        )
        every = {CARD, MANIFEST, *(p.relative_to(folder).as_posix() for p in _files(folder))}
        text = card(manifest, sorted(every))
        require_valid(text, CARD)
        write_text(folder / CARD, text)
        own = [file, *kept, *([HEAD] if head is not None else [])]
        manifest = seal(folder, manifest, own)
        save_manifest(folder, manifest)
    return manifest


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def _require_finite(*parts: nn.Module | None) -> None:
    for part in parts:
        for name, value in part.state_dict().items() if part is not None else ():
            if not torch.isfinite(value).all():
                raise UserError(
                    f"the tensor {name!r} holds values that are not finite: nothing is written",
                    todo="Use smaller weights or a lower learning rate",
                )


def _add_head(draft: _Draft, head: Head) -> None:
    write_head(draft.folder, head)
    if "adapters" in draft.files:
        draft.files["adapters"] += write_adapters_head(
            draft.folder, head, draft.configs["adapters"]
        )


def _options(module: nn.Module) -> dict[str, Any]:
    return options_of(module).model_dump(mode="json")


def _lay_out(
    draft: _Draft,
    module: nn.Module,
    base: FrozenModel,
    manifest: Manifest,
    task: TaskClass | None,
) -> None:
    options, kind = options_of(module), str(module.kind)
    at = layouts.places(base, options)
    config: Any = base.model.config
    model_type = str(config.model_type)
    reasons = layouts.holders(kind, options, model_type, at)
    if not isinstance(base, Encoder):
        reasons["adapters"] = "xadapt writes files for adapters of encoders alone"
    tensors = {k: v.detach().float().cpu() for k, v in module.state_dict().items()}
    for name in LOADERS:
        reason = reasons[STANDS_ON.get(name, name)]
        if name == "sentence-transformers":
            reason = reason or refuses(model_type) or _for_another_class(task)
        if reason:
            draft.loaders[name] = Loader(status="cannot hold", reason=reason)
        elif name not in draft.asked:
            draft.loaders[name] = NOT_ASKED
        elif name == "sentence-transformers" and manifest.base.id is None:
            draft.loaders[name] = Loader(status="no base id", reason=NO_BASE_ID)
        elif name == "adapters":
            assert isinstance(base, Encoder)
            _adapters(draft, tensors, at, options, base, manifest)
        elif name == "peft":
            _peft(draft, tensors, at, options, manifest, task)
        elif name == "transformers":
            draft.hold(name, [], {})
        else:
            assert isinstance(base, Encoder)
            _sentence(draft, base, manifest)


def _adapters(
    draft: _Draft,
    tensors: Mapping[str, Tensor],
    at: list[layouts.Place],
    options: Any,
    encoder: Encoder,
    manifest: Manifest,
) -> None:
    config: Any = encoder.model.config
    keys = layouts.keys_in_adapters(encoder, options, manifest.name)
    renamed = {k: v.contiguous() for k, v in layouts.renamed(tensors, keys).items()}
    save_file(renamed, str(draft.folder / "adapter.safetensors"))
    draft.shared["adapter.safetensors"] = {name: keys[name] for name in tensors}
    # adapters reads this one unless it is told otherwise; nothing here ever does.
    packed = io.BytesIO()  # written by Python, which tells a full disk as one
    torch.save(renamed, packed)
    (draft.folder / "pytorch_adapter.bin").write_bytes(packed.getvalue())
    span = options.span(encoder.depth)
    parallel = isinstance(options, bottleneck.Options) and options.form == "parallel"
    draft.hold(
        "adapters",
        ["adapter.safetensors", "pytorch_adapter.bin"],
        configs.adapters_config(
            manifest.name, options, config, base=manifest.base.id, layers=(encoder.depth, span)
        ),
        PARALLEL_NOTE if parallel else None,
    )


def _peft(
    draft: _Draft,
    tensors: Mapping[str, Tensor],
    at: list[layouts.Place],
    options: Any,
    manifest: Manifest,
    task: TaskClass | None,
) -> None:
    """Write PEFT's file for a plain encoder, or for the class of a task with the head in it."""
    base = manifest.base
    inside = f"{task.prefix}." if task is not None and task.prefix else ""
    renamed = layouts.lora_to_peft(tensors, at, options, inside)
    heads = (
        {} if task is None else {f"{layouts.PEFT_PREFIX}{n}": v for n, v in task.tensors.items()}
    )
    file: TensorFile = "adapter_model.safetensors"
    every = {name: value.contiguous() for name, value in {**renamed, **heads}.items()}
    save_file(every, str(draft.folder / file), metadata={"format": "pt"})
    if (keys := layouts.peft_keys(at, inside)) is not None:
        named = {f"{OF_HEAD}{name}": name for name in heads}
        draft.shared = {file: {**keys, **named}, **draft.shared}
    config = configs.peft_config(options, at, base=base.id, revision=base.revision, task=task)
    draft.hold("peft", [file], config)


def _sentence(draft: _Draft, encoder: Encoder, manifest: Manifest) -> None:
    assert manifest.base.id is not None
    files = write_sentence_files(
        draft.folder,
        encoder.pooling,
        base=manifest.base.id,
        width=encoder.width,
        max_length=manifest.max_length,
        dense=encoder.dense.state_dict(),
    )
    draft.hold("sentence-transformers", files, {})


def _for_another_class(task: TaskClass | None) -> str | None:
    return None if task is None else f"it opens an AutoModel, and the files are for {task.auto}"


def _verify(draft: _Draft, verify: Verify) -> None:
    """Test every library; after one is dropped, test the others again on the remaining files."""
    dropped = True
    while dropped:
        dropped = False
        for name in LOADERS:
            if name not in verify or not draft.loaders[name].written:
                continue
            loader = _try(name, verify[name], draft)
            if loader.status == "cannot hold":
                draft.drop(name, loader)
                draft.write_config()
                dropped = True
                break
            draft.loaders[name] = loader


def _try(name: str, difference: Callable[[Path], float], draft: _Draft) -> Loader:
    number = package_version(name)
    try:
        found = float(difference(draft.folder))
    except Exception as error:  # whatever a stranger's library raises, it doesn't open the folder
        reason = f"{type(error).__name__}: {_no_paths(str(error))}"
        return Loader(status="cannot hold", version=number, reason=reason[:300])
    if not found <= TOLERANCE:
        reason = f"what it computes differs by {found:.1e} from xadapt's"
        return Loader(status="cannot hold", version=number, reason=reason)
    note = draft.loaders[name].reason
    return Loader(status="verified", version=number, max_difference=found, reason=note)


def _no_paths(text: str) -> str:
    """Return one line of text without the absolute paths of this machine."""
    return _PATHS.sub("PATH", " ".join(text.split()))


_PATHS = re.compile(
    r"""(?<![\w.])(?:/[^\s'":,]+){2,}|(?<!\w)(?:[A-Za-z]:[\\/]|\\\\(?=\w))[^\s'",:]+"""
)
