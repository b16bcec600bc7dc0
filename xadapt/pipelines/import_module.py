"""Import an adapter of another library as a module of xadapt."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.core.errors import UserError
from xadapt.core.files import require_empty
from xadapt.core.folder_lock import one_writer
from xadapt.hub.fetching import fetch_foreign
from xadapt.hub.folder import TOLERANCE, write_folder
from xadapt.hub.imports.adapters import read_adapters
from xadapt.hub.imports.files import Folder, Imported
from xadapt.hub.imports.peft import read_peft
from xadapt.hub.manifest import FILE as MANIFEST
from xadapt.hub.manifest import (
    Manifest,
    ModuleSpec,
    Origin,
    build_manifest,
    package_version,
)
from xadapt.hub.safe_paths import has_file, is_folder
from xadapt.languages.tags import normalise
from xadapt.modules.storage import options_of, parameter_count
from xadapt.pipelines.outcome import VERIFY_TEXTS, Verify
from xadapt.tasks.head_task import with_card

CompareOrigin = Callable[
    [str, Mapping[str, Any], Mapping[str, Tensor], str, nn.Module, Encoder, Sequence[str]],
    float | str,
]


@dataclass(frozen=True)
class ImportedModule:
    """What an import left.

    Attributes:
        folder: The folder that was made.
        manifest: Its manifest.
        notes: One line for each part that was left out or could not be checked.
    """

    folder: Path
    manifest: Manifest
    notes: Sequence[str] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the facts in JSON's types."""
        origin = self.manifest.origin
        return {
            "folder": self.folder.name,
            "kind": self.manifest.module.kind,
            "options": self.manifest.module.options,
            "head": None if self.manifest.head is None else self.manifest.head.task,
            "origin": None if origin is None else origin.model_dump(mode="json"),
            "notes": list(self.notes),
        }


def import_module(
    source: str,
    *,
    base: str,
    out: Path,
    verify: Verify,
    compare: CompareOrigin,
    languages: Sequence[str] = (),
    labels: Sequence[str] | None = None,
    allow_pickle: bool = False,
    base_id: str | None = None,
    licence: str | None = None,
    loaders: Sequence[str] | None = None,
    report: Callable[[str], None] = lambda _: None,
) -> ImportedModule:
    """Read an adapter of peft or of adapters, compare it with its library, and write a module.

    Args:
        source: A folder, or a Hub id: ``org/name`` or ``org/name@revision``.
        base: The base that it was trained on.
        out: The folder to make.
        verify: As for `xadapt.pipelines.train.train`.
        compare: Function that compares the module with the library that it comes from.
        languages: The languages that it is for; without any, it acts on all rows.
        labels: The labels of peft's token classifier, in order.
        allow_pickle: Whether pickled tensors are read, by a reader that runs no code.
        base_id: Hub id of a base that is given as a folder or a package.
        licence: SPDX id of the adapter's licence.
        loaders: Libraries whose files are written, see `xadapt.hub.loaders`.
        report: Receives the progress, a line at a time.

    Raises:
        UserError: If the adapter is malformed, can't be held exactly, does not fit the base, or
            its own library computes something else. No files are left behind.
    """
    tags = list(dict.fromkeys(map(normalise, languages)))
    with one_writer(out):
        require_empty(out)
    path, hub = _find(source, allow_pickle)
    folder = Folder(path, allow_pickle)
    said = folder.settings()
    read = _reader(path, said)
    encoder = Encoder.from_pretrained(base, dtype="float32", device="cpu")
    found = read(folder, said, encoder, None if labels is None else list(labels))
    notes = [*found.notes, *_base_notes(found, encoder, base_id, source)]
    if found.head is not None:
        with_card(found.head)
    report(
        f"{found.library}: a {found.module.kind} of {parameter_count(found.module):,} values"
        + (f", with a head for {found.head.task}" if found.head else "")
    )
    origin = _origin(found, folder, source, hub)
    origin = _compared(origin, found, encoder, compare)
    if origin.reason:
        notes.append(f"not verified: {origin.reason}")
    for note in notes:
        report(note)
    manifest = _manifest(found, encoder, origin, tags, base_id, licence)
    with one_writer(out):
        checks = verify(base, found.module, VERIFY_TEXTS, found.head, manifest.objectives)
        manifest = write_folder(
            out, found.module, encoder, manifest, verify=checks, head=found.head, loaders=loaders
        )
    return ImportedModule(out, manifest, notes)


def _find(source: str, allow_pickle: bool) -> tuple[Path, tuple[str, str] | None]:
    """Return the folder, and id and commit of one that is fetched from the Hub."""
    if is_folder(source):
        return Path(source), None
    path, name = fetch_foreign(source, allow_pickle)
    return path, (name, path.name)


def _reader(path: Path, said: Mapping[str, Any]) -> Callable[..., Imported]:
    if has_file(path, MANIFEST):
        raise UserError(
            "this is a module of xadapt already", where=str(path), todo="Load it as it is"
        )
    if "peft_type" in said:
        return read_peft
    if "config" in said:
        return read_adapters
    raise UserError(
        "these are settings of neither peft (peft_type) nor adapters (config)", where=str(path)
    )


def _base_notes(found: Imported, encoder: Encoder, base_id: str | None, source: str) -> list[str]:
    """Compare the base that the adapter names with the one that is given.

    Raises:
        UserError: If both have names on the Hub, and these differ.
    """
    own, given = found.base, base_id or encoder.hub_id()
    if own is None:
        return []
    if given is None:
        return [f"it was trained on {_short(own)}: whether that is this base can't be seen"]
    if _short(own).lower() != _short(given).lower():
        raise UserError(
            f"this adapter was trained on {_short(own)}, and the base is {given}",
            where=source,
            todo="Name the base that it was trained on; where it has two names, give the other "
            "with --base-id",
        )
    return []


def _short(name: str) -> str:
    return re.split(r"[/\\]", name.rstrip("/\\"))[-1]


def _origin(found: Imported, folder: Folder, source: str, hub: tuple[str, str] | None) -> Origin:
    return Origin(
        library=found.library,  # type: ignore[arg-type]
        version=found.version,
        name=found.name or _short(source),
        id=hub[0] if hub else None,
        revision=hub[1] if hub else None,
        files=folder.read,
    )


def _compared(origin: Origin, found: Imported, encoder: Encoder, compare: CompareOrigin) -> Origin:
    """Compare with the own library, where it is installed.

    Raises:
        UserError: If it computes something else.
    """
    try:
        gap = compare(
            found.library,
            found.settings,
            found.tensors,
            found.prefix,
            found.module,
            encoder,
            VERIFY_TEXTS,
        )
    except Exception as error:  # whatever another library raises, it was not compared
        text = " ".join(str(error).split())[:160]
        gap = f"{found.library} can't load it ({type(error).__name__}: {text})"
    if isinstance(gap, str):
        return origin.model_copy(update={"reason": gap})
    version = package_version(found.library)
    if not gap <= TOLERANCE:
        raise UserError(
            f"{found.library} {version} computes other states, which differ by {gap:.1e}: nothing "
            "is written",
            where=origin.name,
            todo="Please report it",
        )
    return origin.model_copy(update={"compared_with": version, "max_difference": gap})


def _manifest(
    found: Imported,
    encoder: Encoder,
    origin: Origin,
    tags: Sequence[str],
    base_id: str | None,
    licence: str | None,
) -> Manifest:
    name = re.sub(r"[^A-Za-z0-9]+", "_", found.name or origin.name).strip("_") or "adapter"
    options = options_of(found.module).model_dump(mode="json")
    return build_manifest(
        name=f"{'-'.join([*tags[:4], ''])}{name}_from_{found.library}"[:96],
        base={
            "id": base_id or encoder.hub_id(),
            "revision": encoder.source.revision,
            "model_type": str(encoder.model.config.model_type),  # type: ignore[union-attr]
            "fingerprint": encoder.identity.to_dict(),
        },
        module=ModuleSpec(kind=str(found.module.kind), options=options),
        objectives=[],
        recipe={},
        languages=list(tags),
        origin=origin,
        pooling=encoder.pooling.to_dict(),
        prompt=encoder.pooling.prompt,
        max_length=encoder.max_length,
        dtype=encoder.precision,
        created=datetime.date.today().isoformat(),
        licence=licence,
    )
