"""Save an encoder with its modules as one folder, which knows the base."""

from __future__ import annotations

import datetime
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from torch import nn

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.composition.values import ByLanguage, Composition, names
from xadapt.core.errors import UserError
from xadapt.core.files import LOCK, atomic_folder, write_errors
from xadapt.hub.base_mismatch import restating
from xadapt.hub.composition_file import write_composition
from xadapt.hub.encoder_file import FILE, is_portable, require_unchanged, write_encoder_file
from xadapt.hub.folder import write_folder
from xadapt.hub.hashes import tensor_hashes
from xadapt.hub.manifest import FILE as MANIFEST
from xadapt.hub.manifest import Manifest, ModuleSpec, build_manifest
from xadapt.hub.opening import open_folder
from xadapt.hub.publishing import publish_folder
from xadapt.hub.safe_paths import file_inside, has_file, is_folder
from xadapt.hub.shared_names import named_as_in_file
from xadapt.languages.tags import is_tag
from xadapt.modules.storage import options_of, stored


@dataclass(frozen=True)
class Published:
    """The origin of a loaded module.

    Attributes:
        folder: Its folder on this machine.
        manifest: Its manifest.
    """

    folder: str
    manifest: Manifest


class System(Protocol):
    """What is saved: `xadapt.inference.adapted_encoder.AdaptedEncoder`."""

    encoder: Encoder
    modules: dict[str, nn.Module]
    composition: Composition
    published: dict[str, Published]

    @property
    def base_mismatch(self) -> list[str]:
        """One line for each module of another base."""
        ...


def save(system: System, path: Path | str, base: str | None = None) -> Path:
    """Save an encoder's composition with its modules, whole or not at all.

    An encoder with one module that acts on the module's languages becomes the module's own
    folder, with all published files. Every other encoder becomes a composition with the modules
    that it names. A published module that was not changed since it was loaded keeps its manifest
    and its evidence. The base is not copied: ``encoder.json`` names it.

    Args:
        system: The encoder.
        path: The folder to make. A folder that was saved before, and not changed since, is
            replaced.
        base: The base that the folder names. By default its Hub id, its package, or the name of a
            base that comes with xadapt. A base that is a folder without a known id is not named.

    Returns:
        The folder.

    Raises:
        UserError: If the folder has other content, was changed, or can't be written.
    """
    path = Path(path)
    if path.is_symlink():
        raise UserError("a link is not replaced", where=str(path), todo="Name the folder itself")
    with write_errors(path):
        used = path.exists() and (
            not path.is_dir() or any(one.name != LOCK for one in path.iterdir())
        )
    if used:
        require_unchanged(path)
    named = base_name(system.encoder) if base is None else base
    print_ = system.encoder.fingerprint

    def finish(folder: Path) -> None:
        write_encoder_file(folder, named, print_)

    with restating(system.base_mismatch), _folders(system) as folders:
        if _is_plain(system):
            [folder] = folders.values()
            _copy_module(folder, path, finish)
        else:
            write_composition(path, system.composition, folders, finish=finish, replace=True)
    return path


def base_name(encoder: Encoder) -> str | None:
    """Return the name of a base that other machines understand, or ``None``."""
    source = encoder.source
    portable = source.kind in ("hub", "package") and is_portable(source.spec)
    return source.spec if portable else encoder.hub_id()


def _is_plain(system: System) -> bool:
    """Whether the only module acts as its folder alone would when it is loaded."""
    composition = system.composition
    if not isinstance(composition, ByLanguage) or len(names(composition)) != 1:
        return False
    [name] = names(composition)
    tags = [tag for tag, part in composition.parts if part == name]
    known = system.published.get(name)
    known_tags = tags if known is None else list(known.manifest.languages)
    return known_tags == tags == [tag for tag, _ in composition.parts] and all(map(is_tag, tags))


@contextmanager
def _folders(system: System) -> Iterator[dict[str, Path]]:
    """Yield a published folder for each module of the composition; missing ones are written."""
    with TemporaryDirectory(prefix="xadapt-") as temporary:
        found = {}
        for number, name in enumerate(names(system.composition)):
            known, module = system.published.get(name), system.modules[name]
            if known is not None and _is_unchanged(known, module):
                found[name] = Path(known.folder)
                continue
            title = _title(name if known is None else known.manifest.name)
            found[name] = Path(temporary, str(number), title)
            found[name].parent.mkdir()
            _write_module(system, name, found[name], title, known)
        yield found


def _is_unchanged(known: Published, module: nn.Module) -> bool:
    """Whether a module has the values of its folder, and the folder is still there."""
    if not is_folder(known.folder) or not has_file(known.folder, known.manifest.module.file):
        return False
    _, tensors = open_folder(known.folder)
    return tensor_hashes(stored(module)) == tensor_hashes(tensors)


def _write_module(
    system: System, name: str, folder: Path, title: str, known: Published | None
) -> None:
    """Write a module that exists only in memory, or whose values differ from its folder's."""
    encoder, module = system.encoder, system.modules[name]
    manifest = (
        _new_manifest(encoder, module, title, _languages(system.composition, name))
        if known is None
        else _changed_manifest(known.manifest, module)
    )
    if encoder.device.type != "cpu":
        module = deepcopy(module).to("cpu")
    write_folder(folder, module, encoder, manifest, verify={})


def _changed_manifest(manifest: Manifest, module: nn.Module) -> Manifest:
    """Return the manifest of a module whose folder is gone, or whose values were changed.

    Evidence belongs to values: changed values have none.
    """
    own = manifest.module
    hashes = manifest.integrity.tensors.get(own.file) if manifest.integrity else None
    now = tensor_hashes(named_as_in_file(stored(module), own.names))
    same = hashes is not None and now.items() <= hashes.items()  # a file may hold a head too
    changes: dict[str, Any] = {"integrity": None, "schema_version": 1, "loaders": {}, "head": None}
    if not same:
        changes |= {"evidence": [], "parents": [manifest.name]}
    return manifest.model_copy(update=changes)


def _new_manifest(
    encoder: Encoder, module: nn.Module, title: str, languages: list[str]
) -> Manifest:
    config: Any = encoder.model.config
    return build_manifest(
        name=title,
        base={
            "id": encoder.hub_id(),
            "revision": encoder.source.revision,
            "model_type": str(config.model_type),
            "fingerprint": encoder.identity.to_dict(),
        },
        module=ModuleSpec(
            kind=str(module.kind), options=options_of(module).model_dump(mode="json")
        ),
        objectives=[],
        recipe={},
        languages=languages,
        pooling=encoder.pooling.to_dict(),
        prompt=encoder.pooling.prompt,
        max_length=encoder.max_length,
        dtype=encoder.precision,
        created=datetime.date.today().isoformat(),
    )


def _languages(composition: Composition, name: str) -> list[str]:
    """Return the languages for which a composition names a module directly."""
    if not isinstance(composition, ByLanguage):
        return [name] if is_tag(name) else []
    return [tag for tag, part in composition.parts if name in names(part) and is_tag(tag)]


def _title(name: str) -> str:
    """Return a name that a manifest accepts."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", Path(name).name, flags=re.ASCII).strip("-_")
    return plain[:80] or "module"


def _copy_module(source: Path, path: Path, finish: Callable[[Path], None]) -> None:
    """Copy a module's folder: the files of its manifest, and nothing that lies beside them."""
    manifest, _ = open_folder(source)
    listed = list(manifest.integrity.files) if manifest.integrity else [manifest.module.file]
    with atomic_folder(path, replace=True) as folder:
        for name in (MANIFEST, *listed):
            if name == FILE or not has_file(source, name):
                continue
            target = folder.joinpath(*name.split("/"))
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file_inside(source, name), target)
        finish(folder)


def push(
    system: System,
    repo: str,
    *,
    private: bool = False,
    commit_message: str | None = None,
    revision: str | None = None,
    token: str | None = None,
) -> str:
    """Save an encoder into a temporary folder and upload the folder as one commit.

    Args:
        system: The encoder.
        repo: Hub id.
        private: Whether a new repository is private.
        commit_message: Message of the commit.
        revision: Branch to commit to.
        token: A token that may write.

    Returns:
        The address of the commit.

    Raises:
        UserError: As for `save` and `xadapt.hub.publishing.publish_folder`.
    """
    with TemporaryDirectory(prefix="xadapt-") as temporary:
        folder = save(system, Path(temporary, _title(repo)))
        return publish_folder(
            folder, repo, private=private, message=commit_message, revision=revision, token=token
        ).url
