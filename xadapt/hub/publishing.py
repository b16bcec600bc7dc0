"""Publication of a folder on the Hub, in one commit that is read back."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, get_token
from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

from xadapt.core.errors import UserError
from xadapt.core.files import atomic_folder, sha256_file
from xadapt.hub import composition_file
from xadapt.hub.hub_errors import endpoint_of, hub_errors
from xadapt.hub.hub_ids import repository_id
from xadapt.hub.manifest import FILE, MAX_BYTES, Manifest, parse_manifest
from xadapt.hub.published_files import (
    UNHASHED,
    PublishedFiles,
    card_head,
    published_files,
)

HARMLESS = (".gitattributes", ".gitignore", "README.md", "LICENSE", "LICENSE.txt", "LICENSE.md")
"""Files of a repository that say nothing about what else it holds."""
FORCE = "Name another repository, or add --force (force=True in Python)"


@dataclass(frozen=True)
class PublishedModule:
    """A folder that is on the Hub.

    Attributes:
        repo: Id of the repository, such as ``org/name``.
        revision: The commit that holds the folder.
        url: Address of the commit's files.
        files: The published files.
        removed: Files of the earlier version that the commit took away.
        changed: Whether a commit was made; false if the Hub held these files already.
    """

    repo: str
    revision: str
    url: str
    files: tuple[str, ...]
    removed: tuple[str, ...] = ()
    changed: bool = True

    def __str__(self) -> str:
        """Return one line for people."""
        done = "published" if self.changed else "published already, nothing changed:"
        return f"{done} {self.repo}@{self.revision[:12]} ({len(self.files)} files): {self.url}"


def publish_folder(
    folder: Path | str,
    repo: str,
    *,
    private: bool = False,
    message: str | None = None,
    revision: str | None = None,
    token: str | None = None,
    endpoint: str | None = None,
    force: bool = False,
    report: Callable[[str], None] = lambda _: None,
) -> PublishedModule:
    """Publish a module's folder or a composition on the Hub.

    All files go up in one commit, which also removes files of an earlier version that this one
    doesn't have. Other people's files in the repository stay. The commit is then read back: the
    hash of every file is compared. If the connection breaks, the repository is as it was, and the
    same call can be made again.

    Args:
        folder: The folder.
        repo: Id of the repository, ``org/name``; it is made if it doesn't exist.
        private: Make a private repository.
        message: Title of the commit.
        revision: Branch to publish on; it is made if it doesn't exist.
        token: A token of the Hub; otherwise ``HF_TOKEN`` or the one of ``hf auth login``.
        endpoint: Address of the Hub; otherwise ``HF_ENDPOINT`` or the usual one.
        force: Replace a module of another base or another language, or publish into a repository
            that holds something else.
        report: Receives what is done, a line at a time.

    Raises:
        UserError: If the folder is no unchanged module, the repository holds another one, the Hub
            can't be reached or refuses, or the files on the Hub are not those that were sent.
    """
    repo = repository_id(repo)
    own = published_files(folder)
    card_head(own)
    api = HfApi(endpoint=endpoint_of(endpoint), token=token)
    where = f"{repo}@{revision}" if revision else repo
    with hub_errors(where):
        if token is None and get_token() is None:
            raise UserError(
                "no token of the Hub is known here",
                where=where,
                todo="Set HF_TOKEN, or log in with: hf auth login",
            )
        before = _prepared(api, repo, revision, private)
        stale = _stale(api, repo, before, own, force)
        report(f"sending {len(own.files)} files, {own.bytes / 1e6:.1f} MB")
        commit = api.create_commit(
            repo,
            [*_additions(own), *(CommitOperationDelete(name) for name in stale)],
            commit_message=message or f"Publish {_title(own)} with xadapt",
            revision=revision,
            parent_commit=before.sha,
        )
        _read_back(api, repo, commit.oid, own, stale)
    url = f"{api.endpoint}/{repo}/tree/{commit.oid}"
    changed = commit.oid != before.sha
    return PublishedModule(repo, str(commit.oid), url, tuple(own.files), tuple(stale), changed)


def write_dry_run(folder: Path | str, out: Path | str) -> PublishedFiles:
    """Copy exactly the files that would be published into a new folder, without the Hub.

    Raises:
        UserError: If the folder is no unchanged module, or ``out`` is not empty or can't be
            written.
    """
    own = published_files(folder)
    with atomic_folder(out) as temporary:
        for name, path in own.files.items():
            target = temporary / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    return own


def _title(own: PublishedFiles) -> str:
    return own.composition or own.manifests[0].name


def _prepared(api: HfApi, repo: str, revision: str | None, private: bool) -> Any:
    """Return the state of the repository's branch; make what doesn't exist."""
    try:
        info = api.model_info(repo)
    except RepositoryNotFoundError:
        api.create_repo(repo, private=private, exist_ok=True)
        info = api.model_info(repo)
    if private and not info.private:
        raise UserError(
            "the repository exists and is public",
            where=repo,
            todo="Make it private on the Hub, name another one, or leave --private out",
        )
    try:
        return api.model_info(repo, revision=revision or "main", files_metadata=True)
    except RevisionNotFoundError:
        if revision is None:  # a repository without a commit
            raise
        api.create_branch(repo, branch=revision, exist_ok=True)
        return api.model_info(repo, revision=revision, files_metadata=True)


def _stale(api: HfApi, repo: str, info: Any, own: PublishedFiles, force: bool) -> list[str]:
    """Return the files of the earlier version that this one doesn't have.

    Raises:
        UserError: If the repository holds another module or something else, without ``force``.
    """
    there = {sibling.rfilename for sibling in info.siblings or ()}
    if FILE in there:
        manifests, listed = _earlier(api, repo, info.sha, there, [FILE], force)
    elif composition_file.FILE in there:
        inner = [n for n in there if n.startswith("modules/") and n.endswith(f"/{FILE}")]
        manifests, listed = _earlier(api, repo, info.sha, there, sorted(inner), force)
        listed |= {composition_file.FILE, *(n for n in there if n.startswith("modules/"))}
    else:
        other = sorted(there - set(HARMLESS))
        if other and not force:
            raise UserError(
                f"the repository holds something else ({', '.join(other[:3])})",
                where=repo,
                todo=FORCE,
            )
        return []
    if not force:
        _require_same(repo, manifests, own)
    return sorted((listed & there) - set(own.files) - set(HARMLESS))


def _earlier(
    api: HfApi, repo: str, sha: str, there: Iterable[str], names: list[str], force: bool
) -> tuple[list[Manifest], set[str]]:
    """Read the manifests of the earlier version, and list the files that they name."""
    manifests = []
    for name in names:
        try:
            manifests.append(_read(api, repo, sha, name))
        except UserError:
            if not force:
                raise
    listed = {n for m in manifests if m.integrity for n in m.integrity.files}
    return manifests, {*listed, *names, *UNHASHED}


def _read(api: HfApi, repo: str, sha: str, name: str) -> Manifest:
    with TemporaryDirectory(prefix="xadapt-") as folder:
        path = Path(api.hf_hub_download(repo, name, revision=sha, local_dir=folder))
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    try:
        return parse_manifest(raw, where=f"{repo}/{name}")
    except UserError as error:
        raise UserError(error.what, where=error.where, todo=FORCE) from None


def _require_same(repo: str, theirs: list[Manifest], own: PublishedFiles) -> None:
    """Refuse to replace a module of another base or another language.

    Raises:
        UserError: If the base or the languages differ.
    """
    bases = [
        {str(m.base.fingerprint_id or m.base.id) for m in manifests}
        for manifests in (theirs, own.manifests)
    ]
    languages = sorted({tag for manifest in theirs for tag in manifest.languages})
    named = sorted({m.base.id or m.base.model_type for m in theirs})
    if bases[0] != bases[1]:
        what = f"the repository holds a module for another base ({', '.join(named)})"
    elif languages != own.languages:
        what = f"the repository holds a module for {', '.join(languages)}"
        what += f", and this one is for {', '.join(own.languages)}"
    else:
        return
    raise UserError(what, where=repo, todo=FORCE)


def _additions(own: PublishedFiles) -> list[CommitOperationAdd]:
    return [CommitOperationAdd(name, str(path)) for name, path in own.files.items()]


def _read_back(
    api: HfApi, repo: str, sha: str, own: PublishedFiles, removed: Iterable[str]
) -> None:
    """Compare the hashes of a revision on the Hub with the files of the folder.

    Raises:
        UserError: If a file is absent, is another one, or was to be removed and is still there.
    """
    info = api.model_info(repo, revision=sha, files_metadata=True)
    there = {sibling.rfilename: sibling for sibling in info.siblings or ()}
    wrong = [name for name in removed if name in there]
    wrong += [n for n, path in own.files.items() if n not in there or not _is(there[n], path)]
    if wrong:
        raise UserError(
            f"the Hub holds another {wrong[0]} than was sent", where=f"{repo}@{sha}",
            todo="Publish again",
        )  # fmt: skip


def _is(sibling: Any, path: Path) -> bool:
    """Whether a file on the Hub has the hash of a local file: SHA-256, or git's for small files."""
    if sibling.lfs is not None:
        return bool(sibling.lfs.sha256 == sha256_file(path))
    raw = path.read_bytes()
    return bool(sibling.blob_id == hashlib.sha1(b"blob %d\0" % len(raw) + raw).hexdigest())
