"""A static index of modules: one JSON file that any web server can carry, and that is searched.

The index of a folder has the facts of each module below it, with its path from the index. It is
read from a file or from an http(s) address, and nothing in it is trusted: sizes are bounded, and
each entry is checked.
"""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote, urljoin, urlsplit

from huggingface_hub import constants
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from xadapt.core.errors import UserError
from xadapt.core.output_files import write_json
from xadapt.core.strict_parsing import parse_json, read_bytes
from xadapt.hub.card import summary
from xadapt.hub.hashes import Sha256
from xadapt.hub.manifest import FILE, Manifest
from xadapt.hub.opening import read_manifest
from xadapt.hub.safe_paths import is_folder

NAME = "modules.json"
MAX_BYTES, MAX_MODULES = 64 * 2**20, 200_000
SECONDS = 30
"""How long the server of an index may be silent."""


class IndexedModule(BaseModel):
    """One module of an index.

    Attributes:
        path: Its folder, as a path from the index with forward slashes; ``.`` is the same folder.
        base: Hub id of its base.
        licence: Its licence.
        manifest: Hash of its manifest's content; ``None`` for a folder without hashes.
        facts: What it is searched by, as in the header of its card.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    path: Annotated[str, Field(max_length=1000, pattern=r"^[^/\\][^\\]*$")]
    base: Annotated[str, Field(max_length=200)] | None = None
    licence: Annotated[str, Field(max_length=200)] | None = None
    manifest: Sha256 | None = None
    facts: dict[str, Any]


class ModuleIndex(BaseModel):
    """The content of ``modules.json``. ``written_by`` is the version of xadapt."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    kind: Literal["xadapt modules"]
    schema_version: Literal[1] = 1
    modules: Annotated[list[IndexedModule], Field(max_length=MAX_MODULES)]
    written_by: str = ""


def index_modules(
    folder: str | Path, out: str | Path | None = None
) -> tuple[ModuleIndex, list[str]]:
    """Index all modules below a folder, and write the index.

    Args:
        folder: The folder.
        out: The file to write; by default ``modules.json`` in the folder. A file that xadapt did
            not write is not replaced. The paths in the index begin at its own folder.

    Returns:
        The index, and a line for each folder that could not be read.

    Raises:
        UserError: If there is no such folder, or the file can't be written.
    """
    folder = Path(folder)
    target = folder / NAME if out is None else Path(out)
    skipped: list[str] = []
    found = list(_below(folder, target.parent, skipped))
    made = ModuleIndex(kind="xadapt modules", modules=found)
    write_json(target, made.model_dump(mode="json", exclude={"written_by"}))
    return made, skipped


def below(folder: Path, skipped: list[str]) -> Iterator[tuple[Path, Manifest]]:
    """Yield each module below a folder with its manifest.

    Args:
        folder: The folder.
        skipped: Receives a line for each folder that can't be read.

    Raises:
        UserError: If there is no such folder.
    """
    if not is_folder(folder):
        raise UserError("there is no such folder", where=str(folder), todo="Name a folder")
    for file in sorted(folder.rglob(FILE)):
        try:
            yield file.parent, read_manifest(file.parent)
        except UserError as error:
            skipped.append(str(error))


def read_index(place: str | Path) -> tuple[ModuleIndex, str]:
    """Read an index from a file, a folder that holds one, or an http(s) address.

    Returns:
        The index, and where its paths begin.

    Raises:
        UserError: If it is absent, too large, malformed, or its server can't be reached.
    """
    text = str(place)
    if urlsplit(text).scheme in ("http", "https"):
        raw, start = _fetched(text)
    elif "://" in text:
        raise UserError("an index is read from a file or by http(s)", where=text)
    else:
        file = Path(text) / NAME if is_folder(text) else Path(text)
        raw, start = read_bytes(file, MAX_BYTES), f"{file.parent}/"
    try:
        said = parse_json(raw, where=text)
        return ModuleIndex.model_validate(said), start
    except ValidationError as error:
        first = error.errors()[0]
        reason = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"[:200]
        raise UserError(f"this is no index of modules ({reason})", where=text) from None


def placed(start: str, path: str) -> str:
    """Return the folder or address of a module of an index, from where its paths begin.

    Raises:
        ValueError: If the path climbs out.
    """
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise ValueError("the path climbs")
    if urlsplit(start).scheme in ("http", "https"):
        return urljoin(start, quote("/".join(parts)))
    return str(Path(start).joinpath(*parts))


def _below(folder: Path, start: Path, skipped: list[str]) -> Iterator[IndexedModule]:
    home = start.resolve()
    for place, manifest in below(folder, skipped):
        try:
            path = place.resolve().relative_to(home).as_posix()
        except ValueError:
            raise UserError(
                "the index stands above the modules that it names",
                where=str(start / NAME),
                todo=f"Write it into {folder} or above",
            ) from None
        hashes = manifest.integrity
        yield IndexedModule(
            path=path,
            base=manifest.base.id,
            licence=manifest.licence,
            manifest=hashes.manifest if hashes else None,
            facts=summary(manifest),
        )


class _OnlyHttp(urllib.request.HTTPRedirectHandler):
    """Follows redirects to http(s) alone, never to a file."""

    def redirect_request(self, *given: Any) -> Any:
        if urlsplit(given[-1]).scheme not in ("http", "https"):
            raise urllib.error.URLError("it leads to something else than http")
        return super().redirect_request(*given)


def _fetched(address: str) -> tuple[bytes, str]:
    """Fetch an index of at most `MAX_BYTES`; nothing of this user is sent."""
    if constants.HF_HUB_OFFLINE:
        raise UserError("an address can't be asked offline", where=address,
                        todo="Unset HF_HUB_OFFLINE, or name a file")  # fmt: skip
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _OnlyHttp(),
    ):
        opener.add_handler(handler)
    try:
        request = urllib.request.Request(address, headers={"User-Agent": "xadapt"})
        with opener.open(request, timeout=SECONDS) as answer:
            size = answer.headers.get("Content-Length") or "0"
            if size.isdigit() and int(size) > MAX_BYTES:
                raise UserError(f"this index is larger than {MAX_BYTES >> 20} MiB", where=address)
            raw = answer.read(MAX_BYTES + 1)
            if size.isdigit() and len(raw) < int(size):
                raise UserError("the connection broke", where=address, todo="Try again")
            start = urljoin(answer.geturl(), ".")
    except UserError:
        raise
    except Exception as error:  # of the address, of HTTP or of the connection
        reason = " ".join(str(getattr(error, "reason", None) or error).split())[:120]
        raise UserError(f"this index can't be fetched ({reason})", where=address) from None
    if len(raw) > MAX_BYTES:
        raise UserError(f"this index is larger than {MAX_BYTES >> 20} MiB", where=address)
    return raw, start
