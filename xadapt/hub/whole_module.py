"""All files of a module on the Hub, fetched for a check: those of other libraries too."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, snapshot_download

from xadapt.core.errors import UserError
from xadapt.hub import fetching
from xadapt.hub.composition_file import FILE as COMPOSITION
from xadapt.hub.fetching import INSIDE, KINDS, in_cache, require_size, wanted_of
from xadapt.hub.hub_errors import UnreachableError, endpoint_of, hub_errors
from xadapt.hub.integrity import CARD
from xadapt.hub.manifest import FILE as MANIFEST
from xadapt.hub.opening import read_manifest
from xadapt.hub.published_files import UNHASHED

MAX_FILES = 2_000
_SAFE = re.compile(r"(?!.*(^|/)\.{1,2}(/|$))[A-Za-z0-9_][\w./ +-]{0,199}", re.ASCII)
"""Paths of files that are fetched for a check: they don't climb, and are no patterns."""
_OWN = re.compile(
    rf"{INSIDE}({re.escape(MANIFEST)}|{re.escape(CARD)})|"
    + "|".join(map(re.escape, (COMPOSITION, *UNHASHED)))
)
"""The files that say which other files belong to a module."""


@dataclass(frozen=True)
class WholeModule:
    """All files of a module from the Hub.

    Attributes:
        folder: The folder in a cache.
        revision: The commit.
        others: Paths of the repository's other files, which were not fetched.
        note: Why this is an earlier copy from the cache, if the Hub can't be asked.
    """

    folder: Path
    revision: str
    others: tuple[str, ...] = ()
    note: str = ""


def fetch_whole(
    name: str,
    revision: str | None = None,
    *,
    cache: Path | str | None = None,
    token: str | None = None,
    endpoint: str | None = None,
    where: str = "",
) -> WholeModule:
    """Fetch every file that a module's manifest names, those of other libraries too.

    Without a connection, the copy in the Hub's cache is used as it is.

    Args:
        name: Hub id.
        revision: Branch, tag or commit; by default ``main``.
        cache: The cache; by default that of the Hub's client.
        token: A token of the Hub, for a private module.
        endpoint: Address of the Hub; otherwise ``HF_ENDPOINT`` or the usual one.
        where: The module as the user wrote it, for errors.

    Raises:
        UserError: If there is no such module, a file or all are too large, it is no module of
            xadapt, or it is neither reachable nor in the cache.
    """
    where = where or name
    api = HfApi(endpoint=endpoint_of(endpoint), token=token)
    options: dict[str, Any] = {
        "token": token,
        "endpoint": api.endpoint,
        "cache_dir": None if cache is None else str(cache),
    }
    try:
        with hub_errors(where):
            info = api.model_info(name, revision=revision, files_metadata=True)
            sizes = {file.rfilename: file.size or 0 for file in info.siblings or ()}
            own = [one for one in sizes if _OWN.fullmatch(one)]
            if not any(one in sizes for one in KINDS):
                wanted_of(sizes, where)
            _require_sizes(sizes, own, where)
            options["revision"] = info.sha
            folder = Path(snapshot_download(name, allow_patterns=own, **options))
            named = _named_in(folder, own) & sizes.keys()
            _require_sizes(sizes, {*own, *named}, where)
            snapshot_download(name, allow_patterns=sorted({*own, *named}), **options)
    except UserError as error:
        place = None if cache is not None else in_cache(name, MANIFEST, revision)
        place = place or (None if cache is not None else in_cache(name, COMPOSITION, revision))
        if place is None or not isinstance(error, UnreachableError):
            raise
        return WholeModule(place.parent, place.parent.name, note=error.what)
    return WholeModule(folder, str(info.sha), tuple(sorted(sizes.keys() - {*own, *named})))


def _named_in(folder: Path, own: Iterable[str]) -> set[str]:
    """Return the files that the manifests of a folder name, by their paths in the folder."""
    found: set[str] = set()
    for name in own:
        if not name.endswith(MANIFEST):
            continue
        try:
            manifest = read_manifest((folder / name).parent)
        except UserError:  # what is wrong with it is told by who verifies it
            continue
        hashes = manifest.integrity
        at = name.removesuffix(MANIFEST)
        found |= {f"{at}{one}" for one in (hashes.files if hashes else ()) if _SAFE.fullmatch(one)}
    return found


def _require_sizes(sizes: dict[str, int], names: Iterable[str], where: str) -> None:
    """Refuse files that are too large, before any of them is fetched.

    Raises:
        UserError: If a file, all files, or their number is too large.
    """
    names = list(names)
    for name in names:
        large = name.endswith((".safetensors", ".bin"))
        require_size(
            sizes[name], fetching.MAX_TENSORS if large else fetching.MAX_SMALL, name, where
        )
    require_size(sum(sizes[name] for name in names), fetching.MAX_TOTAL, "the whole module", where)
    if len(names) > MAX_FILES:
        raise UserError(f"it has {len(names)} files, and {MAX_FILES} are allowed", where=where)
