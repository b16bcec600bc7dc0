"""Modules on the Hub: found by id and revision, and fetched into the Hub's own cache.

Only files that xadapt reads are fetched: JSON, the card and safetensors, each up to a size. Where
the Hub can't be reached, the copy in the cache is used.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from huggingface_hub import HfApi, constants, snapshot_download, try_to_load_from_cache
from huggingface_hub.errors import (
    GatedRepoError,
    HFValidationError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from xadapt.backbones.bases import split_hub_id
from xadapt.core.errors import UserError
from xadapt.hub.composition_file import FILE as COMPOSITION
from xadapt.hub.composition_file import MODULES
from xadapt.hub.encoder_file import FILE as ENCODER
from xadapt.hub.folder import CONTROLS
from xadapt.hub.head_files import FILE as HEAD
from xadapt.hub.integrity import CARD
from xadapt.hub.manifest import FILE as MANIFEST
from xadapt.hub.manifest import TENSOR_FILES
from xadapt.hub.opening import require_module
from xadapt.hub.safe_paths import has_file, is_folder

PREFIX = "hf:"
MAX_SMALL, MAX_TENSORS, MAX_TOTAL = 4 << 20, 8 << 30, 16 << 30
"""Bytes of a JSON file or card, of a safetensors file, and of all files of a module."""

PICKLED = {
    "adapter_model.safetensors": "adapter_model.bin",
    "adapter.safetensors": "pytorch_adapter.bin",
    "model_head.safetensors": "pytorch_model_head.bin",
}
FOREIGN = ("adapter_config.json", "head_config.json", *PICKLED)
"""The files of an adapter of peft or of the library adapters."""

_NAME = r"[A-Za-z0-9][A-Za-z0-9_-]{0,95}"
INSIDE = rf"({MODULES}/{_NAME}/)?"
_SMALL = re.compile(
    rf"{INSIDE}({re.escape(MANIFEST)}|{re.escape(CARD)})|{re.escape(COMPOSITION)}|{re.escape(ENCODER)}"
)
_FILES = "|".join(map(re.escape, TENSOR_FILES))
_TENSORS = re.compile(rf"{INSIDE}({_FILES}|{re.escape(HEAD)}|{CONTROLS}/{_NAME}\.safetensors)")
KINDS = (MANIFEST, COMPOSITION, ENCODER)


def module_folder(given: str) -> str:
    """Return the folder of a module: one on this machine, else the fetched copy of one on the Hub.

    Args:
        given: A folder, or a Hub id: ``org/name`` or ``org/name@revision``, with ``hf:`` before it
            or without. A folder that exists wins over a Hub id.

    Raises:
        UserError: If there is neither such a folder nor such a module on the Hub, or it can't be
            fetched.
    """
    if is_folder(given):
        return given
    found = hub_module(given)
    if found is None:
        raise UserError(
            "there is no such module folder",
            where=given,
            todo="Name one that xadapt wrote, or a Hub id (org/name or org/name@revision)",
        )
    return str(fetch(*found, where=given))


def hub_module(given: str) -> tuple[str, str | None] | None:
    """Split the Hub id of a module into id and revision; ``None`` if the text can't be one."""
    text = given.removeprefix(PREFIX)
    return split_hub_id(text) if text.partition("@")[0].count("/") == 1 else None


def fetch(name: str, revision: str | None = None, *, where: str = "") -> Path:
    """Fetch a module from the Hub, or find it in the cache if the Hub can't be reached.

    Args:
        name: Hub id.
        revision: Branch, tag or commit; by default ``main``.
        where: The module as the user wrote it, for errors.

    Returns:
        The folder in the Hub's cache.

    Raises:
        UserError: If there is no such module, it is too large, it is no module of xadapt, or it is
            neither reachable nor in the cache.
    """
    where = where or name
    try:
        info = HfApi().model_info(name, revision=revision, files_metadata=True)
        sizes = {file.rfilename: file.size or 0 for file in info.siblings or ()}
        wanted = wanted_of(sizes, where)
        return Path(snapshot_download(name, revision=revision, allow_patterns=wanted))
    except UserError:
        raise
    except (GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError) as error:
        raise _absent(error, where, revision) from None
    except HFValidationError as error:
        raise _no_such(where, f"this is no Hub id: {error}") from None
    except Exception as error:  # the HTTP library beneath huggingface_hub differs by version
        return _cached(name, revision, where, error)


def fetch_foreign(given: str, pickles: bool = False) -> tuple[Path, str]:
    """Fetch an adapter of another library from the Hub, or find it in the cache.

    Args:
        given: Hub id: ``org/name`` or ``org/name@revision``, with ``hf:`` before it or without.
        pickles: Whether pickled tensors are fetched too.

    Returns:
        The folder in the Hub's cache, and the id.

    Raises:
        UserError: If there is neither such a folder nor such an adapter on the Hub, or it is too
            large, or it is neither reachable nor in the cache.
    """
    found = hub_module(given)
    if found is None:
        raise UserError(
            "there is no such folder, and this is no Hub id",
            where=given,
            todo="Name a folder with adapter_config.json, or org/name",
        )
    name, revision = found
    try:
        info = HfApi().model_info(name, revision=revision, files_metadata=True)
        sizes = {file.rfilename: file.size or 0 for file in info.siblings or ()}
        wanted = _wanted_foreign(sizes, pickles, given)
        return Path(snapshot_download(name, revision=revision, allow_patterns=wanted)), name
    except UserError:
        raise
    except (GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError) as error:
        raise _absent(error, given, revision) from None
    except HFValidationError as error:
        raise _no_such(given, f"this is no Hub id: {error}") from None
    except Exception as error:  # as in `fetch`
        place = in_cache(name, FOREIGN[0], revision)
        if place is None:
            reason = "HF_HUB_OFFLINE is set" if constants.HF_HUB_OFFLINE else _first_line(error)
            said = f"the Hub can't be asked ({reason}); its cache has no copy"
            raise _no_such(given, said, "Go online once") from None
        return place.parent, name


def _wanted_foreign(sizes: dict[str, int], pickles: bool, where: str) -> list[str]:
    """Choose the files of another library's adapter; pickles only where no safetensors are.

    Raises:
        UserError: If there are no settings, or a file is too large.
    """
    if FOREIGN[0] not in sizes:
        raise UserError(
            f"this is no adapter: it has no {FOREIGN[0]} at its root",
            where=where,
            todo="Name an adapter of peft or of adapters, not a base",
        )
    wanted = [name for name in FOREIGN if name in sizes]
    for safe, pickled in PICKLED.items():
        if pickles and safe not in sizes and pickled in sizes:
            wanted.append(pickled)
    for name in wanted:
        limit = MAX_SMALL if name.endswith(".json") else MAX_TENSORS
        require_size(sizes[name], limit, name, where)
    return wanted


def is_module(given: str) -> bool:
    """Whether a folder or a Hub id holds a module, a composition or a saved encoder.

    For a Hub id, the Hub is asked, or the cache if the Hub can't be reached.
    """
    if is_folder(given):
        return any(has_file(given, name) for name in KINDS)
    found = hub_module(given)
    if found is None:
        return False
    name, revision = found
    try:
        siblings = HfApi().model_info(name, revision=revision).siblings or ()
        return any(file.rfilename in KINDS for file in siblings)
    except Exception:  # absent, private or out of reach: what is cached decides
        return any(in_cache(name, file, revision) is not None for file in KINDS)


def wanted_of(sizes: dict[str, int], where: str) -> list[str]:
    """Choose the files to fetch.

    Raises:
        UserError: If there is no module among them, or they are too large.
    """
    if not any(name in sizes for name in KINDS):
        raise UserError(
            f"this is no module of xadapt: it has no {MANIFEST}",
            where=where,
            todo="A base is named first, a module after it",
        )
    small = [name for name in sizes if _SMALL.fullmatch(name)]
    tensors = [name for name in sizes if _TENSORS.fullmatch(name)]
    for names, limit in ((small, MAX_SMALL), (tensors, MAX_TENSORS)):
        for name in names:
            require_size(sizes[name], limit, name, where)
    wanted = [*small, *tensors]
    require_size(sum(sizes[name] for name in wanted), MAX_TOTAL, "the whole module", where)
    return wanted


def require_size(size: int, limit: int, what: str, where: str) -> None:
    """Refuse something that is larger than a limit, before it is fetched.

    Raises:
        UserError: If it is larger.
    """
    if size > limit:
        raise UserError(
            f"{what} has {size >> 20:,} MiB, and {limit >> 20:,} MiB are allowed",
            where=where,
            todo="Nothing was fetched",
        )


def _cached(name: str, revision: str | None, where: str, error: Exception) -> Path:
    """Find the copy of a module in the Hub's cache.

    Raises:
        UserError: If it is not there, or not whole.
    """
    offline = constants.HF_HUB_OFFLINE
    reason = "HF_HUB_OFFLINE is set" if offline else _first_line(error)
    places = (in_cache(name, file, revision) for file in KINDS)
    folder = next((place.parent for place in places if place is not None), None)
    if folder is None:
        raise _no_such(
            where, f"the Hub can't be asked ({reason}); its cache has no copy", "Go online once"
        )
    if not _whole(folder):
        raise UserError(
            f"the copy in the cache is not whole, and the Hub can't be asked ({reason})",
            where=where,
            todo="Go online once",
        )
    return folder


def _whole(folder: Path) -> bool:
    if has_file(folder, COMPOSITION):
        return True
    try:
        require_module(folder)
    except UserError:
        return False
    return True


def _absent(error: Exception, where: str, revision: str | None) -> UserError:
    if isinstance(error, GatedRepoError):
        return UserError("the Hub asks for permission", where=where, todo="hf auth login")
    if isinstance(error, RevisionNotFoundError):
        return UserError(f"this module has no revision {revision!r} on the Hub", where=where)
    todo = "Check the name; a private one needs: hf auth login"
    return _no_such(where, "the Hub has no model of this name either", todo)


def _no_such(where: str, reason: str, todo: str = "Check the name") -> UserError:
    """Build the error that says that a folder and the Hub were tried."""
    return UserError(f"there is no such module folder, and {reason}", where=where, todo=todo)


def in_cache(name: str, file: str, revision: str | None) -> Path | None:
    """Return the place of a file in the Hub's cache, if it is there."""
    try:
        found = try_to_load_from_cache(name, file, revision=revision)
    except (HFValidationError, OSError, ValueError):
        return None
    return Path(found) if isinstance(found, str) else None


def _first_line(error: BaseException) -> str:
    lines: Iterable[str] = str(error).strip().splitlines()
    return next(iter(lines), type(error).__name__)[:120]
