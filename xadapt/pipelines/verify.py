"""Verify a published module: its files, its signature, its base, and what it computes.

Each check stands alone, so one that fails hides no other. What can't be checked here, such as a
library that is not installed, is named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from xadapt.backbones import fingerprint
from xadapt.backbones.bases import SHIPPED, here_or_on_hub, resolve
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.frozen_model import FrozenModel, open_model
from xadapt.core.errors import UserError
from xadapt.heads.head import Head
from xadapt.hub import signature_file
from xadapt.hub.checks import (
    FAILED,
    OPEN,
    PASSED,
    Check,
    NotCheckedError,
    Status,
    Verification,
    checked,
)
from xadapt.hub.evidence import FILE as EVIDENCE
from xadapt.hub.fetching import hub_module
from xadapt.hub.folder import CONFIG, TOLERANCE
from xadapt.hub.imports.pickled import read_pickled
from xadapt.hub.layouts import adapters_tensors
from xadapt.hub.manifest import FILE, LOADERS, Manifest
from xadapt.hub.opening import open_folder, open_head, read_manifest
from xadapt.hub.probe import Probe, difference, probe_vectors
from xadapt.hub.safe_paths import file_inside, has_file, is_folder
from xadapt.hub.verified_files import (
    files_of,
    modules_of,
    require_same_tensors,
    verify_files,
)
from xadapt.hub.whole_module import WholeModule, fetch_whole
from xadapt.injection.attachment import model_shape
from xadapt.integrations import signing
from xadapt.integrations import verify as loaders
from xadapt.modules.storage import fitted
from xadapt.pipelines.rerun_evidence import Rerun, rerun

Report = Callable[[str], None]
PICKLE = "pytorch_adapter.bin"
UNTOUCHED = "its files are not as they were published, so nothing of them is run"


def verify(
    place: str | Path,
    *,
    base: str | None = None,
    public_key: str | Path | None = None,
    data: str | Path | None = None,
    files_only: bool = False,
    report: Report = lambda _: None,
) -> Verification:
    """Verify a module's folder, a composition or a saved encoder, here or on the Hub.

    Args:
        place: A folder, or a Hub id: ``org/name`` or ``org/name@revision``.
        base: The base; by default the one that the manifest names.
        public_key: The publisher's public key, a PEM file, to check a signature with.
        data: The test data of the evidence, a file or a folder with files, to measure it again.
            Data of the Hub and the built-in graph need none.
        files_only: Check files and signature alone, and load no base.
        report: Receives what is being done, a line at a time.

    Returns:
        All checks. It is true to its attribute ``ok`` if at least one passed and none failed.

    Raises:
        UserError: If there is no such module, or the given base or key can't be read.
    """
    if base is not None:
        resolve(base)
    whole = _find(str(place), report)
    folder = whole.folder
    found = verify_files(folder, whole.others)
    if whole.note:
        found.append(Check("Hub", OPEN, f"{whole.note}: this is the copy in the cache"))
    found += checked("signature", lambda: _signature(folder, public_key))
    if not files_only:
        broken = {one.name for one in found if one.status == FAILED}
        found += _computed(folder, base, data, broken - {"README.md", "other files"}, report)
    return Verification(str(place), whole.revision or None, tuple(found))


def _find(place: str, report: Report) -> WholeModule:
    hub = None if is_folder(place) else hub_module(place)
    if hub is None:
        return WholeModule(Path(place), "")
    report(f"fetching {place}")
    return fetch_whole(*hub, where=place)


def _signature(folder: Path, public_key: str | Path | None) -> str:
    """Check the signature of a folder.

    Raises:
        NotCheckedError: If there is none, or no key to check it with.
        UserError: If it is of other files, or was not made with the key.
    """
    if not has_file(folder, signature_file.FILE):
        if public_key is not None:
            raise UserError("the folder is not signed")
        raise NotCheckedError("the folder is not signed")
    signed = signature_file.read_signature(folder)
    signature_file.require_signed(folder, signed, files_of(folder))
    if signed.key is None and public_key is not None:
        raise UserError("it was made with a certificate, not with this key")
    if signed.key is None:
        raise NotCheckedError(
            "its hashes are right; it was made with a certificate: check who made it with "
            "model_signing verify"
        )
    if public_key is None:
        raise NotCheckedError(
            f"its hashes are right; the key {signed.key[:16]} made it: name the publisher's with "
            "--public-key FILE"
        )
    if reason := signing.available():
        raise NotCheckedError(f"its hashes are right; {reason}")
    file = file_inside(folder, signature_file.FILE)
    signing.require_signature(folder, file, public_key)
    return f"{len(signed.hashes)} files, by the key {signed.key[:16]}"


def _computed(
    folder: Path,
    base: str | None,
    data: str | Path | None,
    broken: set[str],
    report: Report,
) -> Iterator[Check]:
    """Yield the checks that load the base, for each module of a folder."""
    try:
        places = modules_of(folder)
    except UserError as error:
        yield Check("modules", FAILED, error.what)
        return
    bases: dict[tuple[str, str], FrozenModel | UserError] = {}
    for at, place in places.items():
        if any(name.startswith(at) for name in broken):
            yield Check(f"{at}base", OPEN, UNTOUCHED)
            continue
        try:
            manifest = read_manifest(place)
        except UserError as error:
            yield Check(f"{at}{FILE}", FAILED, error.what)
            continue
        yield from _module(place, at, manifest, base, bases, report)
        if has_file(place, EVIDENCE):
            spec = base or _spec(manifest)
            yield from checked(f"{at}evidence", partial(_evidence, place, at, data, spec, report))


def _module(
    folder: Path,
    at: str,
    manifest: Manifest,
    base: str | None,
    bases: dict[tuple[str, str], FrozenModel | UserError],
    report: Report,
) -> Iterator[Check]:
    held: list[FrozenModel] = []

    def fingerprints() -> str:
        model = _base(manifest, base, bases, report)
        said = fingerprint.Fingerprint.from_dict(dict(manifest.base.fingerprint))
        differs = fingerprint.compare(said, model.identity)
        if differs:
            raise UserError(f"it was trained on another base: {'; '.join(differs)}")
        held.append(model)
        return f"{model.source.spec}, {model.fingerprint[:23]}"

    yield from checked(f"{at}base", fingerprints)
    if not held:
        yield from _unverified(at, manifest, "its base is not at hand")
        return
    [model] = held
    if isinstance(model, Encoder):
        model = model.adjusted(prompt=manifest.prompt, max_length=manifest.max_length)
    opened: list[tuple[nn.Module, Head | None]] = []

    def vectors() -> str:
        report(f"computing with {at or manifest.name}")
        opened.append(_opened(folder, manifest, model))
        return _same_vectors(model, opened[0][0], manifest.probe)

    yield from checked(f"{at}vectors", vectors)
    if not opened:
        yield from _unverified(at, manifest, "xadapt can't load it")
        return
    module, head = opened[0]
    if has_file(folder, PICKLE) and isinstance(model, Encoder):
        encoder = model
        yield from checked(
            f"{at}{PICKLE} by name", lambda: _same_pickle(folder, manifest, encoder, module)
        )
    yield from _loaders(folder, at, manifest, model, module, head, report)


def _base(
    manifest: Manifest,
    base: str | None,
    bases: dict[tuple[str, str], FrozenModel | UserError],
    report: Report,
) -> FrozenModel:
    """Load a base once, in float32 on the CPU.

    Raises:
        NotCheckedError: If the manifest's own base can't be found or loaded here.
        UserError: If the given base can't be loaded.
    """
    own = manifest.base
    spec = base or _spec(manifest)
    if not spec:
        raise NotCheckedError("its base has no id on the Hub: name it with --base")
    key = manifest.backbone, spec
    if key not in bases:
        report(f"loading {spec}")
        try:
            bases[key] = open_model(*key, dtype="float32", device="cpu")
        except UserError as error:
            bases[key] = error
    found = bases[key]
    if not isinstance(found, UserError):
        if base is None and own.id is None and found.fingerprint != own.fingerprint_id:
            raise NotCheckedError("its base has no id on the Hub: name it with --base")
        return found
    if base is None:
        raise NotCheckedError(f"its base is not at hand ({found}): name it with --base")
    raise found


def _spec(manifest: Manifest) -> str:
    """Return the base that a manifest names, or the one that comes with xadapt; or nothing."""
    own = manifest.base
    if own.id is not None:
        return here_or_on_hub(own.id, own.revision)
    return next(iter(SHIPPED)) if own.model_type == "bert" else ""


def _evidence(
    folder: Path, at: str, data: str | Path | None, base: str, report: Report
) -> list[Check]:
    """Measure the evidence of a module again; a score outside its interval fails."""
    report("measuring the evidence again")
    return [_score(f"{at}evidence", one) for one in rerun(folder, data, base=base, report=report)]


def _score(name: str, one: Rerun) -> Check:
    said = f"{one.task} on {one.data}, {one.system}, {one.measure}"
    recorded = f"recorded {one.recorded:.4g} [{one.low:.4g}, {one.high:.4g}]"
    if one.now is None:
        return Check(name, OPEN, f"{said}: {recorded}; {one.reason}")
    status: Status = PASSED if one.inside else FAILED
    return Check(name, status, f"{said}: {one.now:.4g}, {recorded}")


def _opened(folder: Path, manifest: Manifest, base: FrozenModel) -> tuple[nn.Module, Head | None]:
    _, tensors = open_folder(folder)
    own = manifest.module
    module = fitted(tensors, own.kind, own.options, model_shape(base), str(folder))
    spec = manifest.head
    head = None if spec is None else open_head(folder, spec, base.width)
    return module.eval(), head


def _same_vectors(base: FrozenModel, module: nn.Module, probe: Probe | None) -> str:
    """Compare xadapt's own vectors with the probe vectors.

    Raises:
        NotCheckedError: If the manifest has none.
        UserError: If they differ by more than rounding.
    """
    if probe is None:
        raise NotCheckedError("the manifest has no probe vectors")
    return _near(probe_vectors(base, module, tuple(probe.texts)), probe)


def _near(theirs: Tensor, probe: Probe) -> str:
    found = difference(theirs, probe.values())
    said = f"differ by at most {found:.1e} from the probe vectors"
    if not found <= probe.tolerance:
        raise UserError(f"its vectors {said}, and {probe.tolerance:.0e} is allowed")
    return f"vectors of {len(probe.texts)} texts {said}"


def _same_pickle(folder: Path, manifest: Manifest, encoder: Encoder, module: nn.Module) -> str:
    theirs = read_pickled(file_inside(folder, PICKLE))
    require_same_tensors(theirs, adapters_tensors(encoder, module, manifest.name))
    return f"{len(theirs)} tensors, each as in {manifest.module.file}"


def _loaders(
    folder: Path,
    at: str,
    manifest: Manifest,
    base: FrozenModel,
    module: nn.Module,
    head: Head | None,
    report: Report,
) -> Iterator[Check]:
    """Yield one check for each library that the manifest says to open the folder."""
    held = _held(manifest)
    if not held:
        return
    if not has_file(folder, CONFIG):
        yield from _unverified(at, manifest, "its files are not in this folder")
        return
    missing = loaders.unusable()
    probe = manifest.probe
    texts = tuple(probe.texts) if probe else ("A short one.", "7")
    made: dict[str, Any] = {}
    ready = checked("loaders", lambda: made.update(_compare(base, module, texts, manifest, head)))
    for name in held:
        title = f"{at}{name}"
        if missing.get(name):
            yield Check(title, OPEN, f"unverified: {missing[name]}")
        elif name not in made:
            yield Check(title, OPEN, f"unverified: {ready[0].what or 'xadapt does not open it so'}")
        else:
            report(f"loading it with {name}")
            yield from checked(title, partial(_loaded, made[name], folder, probe))


def _compare(
    base: FrozenModel,
    module: nn.Module,
    texts: Sequence[str],
    manifest: Manifest,
    head: Head | None,
) -> Mapping[str, Any]:
    """Return a function for each library, from the folder to vectors, or to a difference."""
    place = base.source.location
    if isinstance(base, Encoder):
        own = loaders.vectors_by_loader(base, place, texts, head, manifest.objectives)
        if own is not None and manifest.probe is not None:
            return own
    return loaders.callbacks(base, module, place, texts, head, manifest.objectives)


def _loaded(compute: Callable[[Path], Any], folder: Path, probe: Probe | None) -> str:
    found = compute(folder)
    if isinstance(found, torch.Tensor):
        assert probe is not None
        return _near(found, probe)
    if not found <= TOLERANCE:
        raise UserError(f"what it computes differs by {found:.1e} from xadapt's")
    return f"what it computes differs by at most {found:.1e} from xadapt's"


def _held(manifest: Manifest) -> list[str]:
    known = manifest.loaders
    return [name for name in LOADERS if name in known and known[name].written]  # type: ignore[index]


def _unverified(at: str, manifest: Manifest, reason: str) -> Iterable[Check]:
    return [Check(f"{at}{name}", OPEN, f"unverified: {reason}") for name in _held(manifest)]
