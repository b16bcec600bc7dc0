"""Publication of a folder on the Hub, in one commit that is read back."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, get_token
from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

from xadapt.core.errors import UserError
from xadapt.core.files import atomic_folder, sha256_file
from xadapt.hub import composition_file
from xadapt.hub.checks import FAILED
from xadapt.hub.collections import add_to_collection, collection_of
from xadapt.hub.hub_errors import endpoint_of, hub_errors
from xadapt.hub.hub_ids import repository_id
from xadapt.hub.manifest import FILE, MAX_BYTES, Manifest, parse_manifest
from xadapt.hub.published_files import (
    UNHASHED,
    PublishedFiles,
    card_head,
    published_files,
)
from xadapt.hub.signature_file import FILE as SIGNATURE
from xadapt.hub.signature_file import MAX_BYTES as MAX_SIGNATURE
from xadapt.hub.staging import Sign, staged, write_staged
from xadapt.hub.verified_files import verify_files
from xadapt.hub.whole_module import fetch_whole

HARMLESS = (".gitattributes", ".gitignore", "README.md", "LICENSE", "LICENSE.txt", "LICENSE.md")
"""Files of a repository that say nothing about what else it holds."""
OTHERS = "other files"
"""The check of files that people added to the repository, which are not the publisher's fault."""
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
        signed: Whether a signature is among the files.
        collection: The collection that holds the repository, if one was named.
        parents: The modules that this one was made from or trained on top of.
    """

    repo: str
    revision: str
    url: str
    files: tuple[str, ...]
    removed: tuple[str, ...] = ()
    changed: bool = True
    signed: bool = False
    collection: str | None = None
    parents: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return one line for people."""
        done = "published" if self.changed else "published already, nothing changed:"
        what = f"{len(self.files)} files{', signed' if self.signed else ''}"
        return f"{done} {self.repo}@{self.revision[:12]} ({what}): {self.url}"


def publish_folder(
    folder: Path | str,
    repo: str,
    *,
    private: bool = False,
    message: str | None = None,
    revision: str | None = None,
    collection: str | None = None,
    sign: Sign | None = None,
    token: str | None = None,
    endpoint: str | None = None,
    force: bool = False,
    report: Callable[[str], None] = lambda _: None,
) -> PublishedModule:
    """Publish a module's folder or a composition on the Hub.

    All files go up in one commit, which also removes files of an earlier version that this one
    doesn't have. Other people's files in the repository stay. The commit is then read back: the
    hashes that the Hub shows are compared, the revision is downloaded into an empty cache, and its
    files are verified. If the connection breaks, the repository is as it was or holds the whole
    revision, and the same call can be made again.

    A card that was edited since the folder was written goes up as a part of it, with its own hash.

    Args:
        folder: The folder.
        repo: Id of the repository, ``org/name``; it is made if it doesn't exist.
        private: Make a private repository.
        message: Title of the commit.
        revision: Branch to publish on; it is made if it doesn't exist.
        collection: A collection on the Hub that the repository is added to: its slug, or
            ``OWNER/Title``; one of that title is made if there is none.
        sign: Function that signs the folder, see `xadapt.integrations.signing.Signer.sign`.
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
    wanted = None if collection is None else collection_of(collection)
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
        former = None if sign is None else _former_signature(api, repo, before)
        with staged(own, sign, former, repo.rpartition("/")[2]) as ready:
            stale = _stale(api, repo, before, ready, force)
            report(f"sending {len(ready.files)} files, {ready.bytes / 1e6:.1f} MB")
            commit = api.create_commit(
                repo,
                [*_additions(ready), *(CommitOperationDelete(name) for name in stale)],
                commit_message=message or f"Publish {_title(own)} with xadapt",
                revision=revision,
                parent_commit=before.sha,
            )
            _read_back(api, repo, commit.oid, ready, stale)
        done = PublishedModule(
            repo,
            str(commit.oid),
            f"{api.endpoint}/{repo}/tree/{commit.oid}",
            tuple(ready.files),
            tuple(stale),
            changed=commit.oid != before.sha,
            signed=SIGNATURE in ready.files,
            parents=tuple(own.parents),
        )
    report("downloading it again into an empty cache, to verify it")
    _verify_download(done, token, api.endpoint)
    if wanted is None:
        return done
    with hub_errors(f"{done.repo} is published, but not in the collection {collection}"):
        return replace(done, collection=add_to_collection(api, wanted, repo, private))


def write_dry_run(
    folder: Path | str, out: Path | str, *, sign: Sign | None = None
) -> PublishedFiles:
    """Copy exactly the files that would be published into a new folder, without the Hub.

    Args:
        folder: The folder.
        out: The folder to make.
        sign: As for `publish_folder`.

    Raises:
        UserError: If the folder is no unchanged module, or ``out`` is not empty or can't be
            written.
    """
    own = published_files(folder)
    out = Path(out)
    with atomic_folder(out) as temporary:
        ready = write_staged(own, temporary, sign)
    files = {name: out.joinpath(*name.split("/")) for name in ready.files}
    return PublishedFiles(out, own.manifests, files, own.composition)


def _verify_download(done: PublishedModule, token: str | None, endpoint: str) -> None:
    """Download a revision into an empty cache and verify its files.

    Raises:
        UserError: If it can't be downloaded whole, or a check of its files fails.
    """
    again = f"xadapt verify {done.repo}@{done.revision[:12]} verifies it later"
    try:
        with TemporaryDirectory(prefix="xadapt-") as cache:
            found = fetch_whole(
                done.repo, done.revision, cache=cache, token=token, endpoint=endpoint
            )
            checks = verify_files(found.folder, found.others)
    except UserError as error:
        raise UserError(
            f"it is published as {done.revision[:12]}, but could not be downloaded again "
            f"({error.what})",
            where=done.repo,
            todo=again,
        ) from None
    wrong = [one for one in checks if one.status == FAILED and one.name != OTHERS]
    if wrong:
        raise UserError(
            f"what was downloaded is not what was sent ({wrong[0].name}: {wrong[0].what})",
            where=f"{done.repo}@{done.revision[:12]}",
            todo="Publish again",
        )


def _former_signature(api: HfApi, repo: str, info: Any) -> bytes | None:
    """Return the signature in a repository, if there is one of a likely size."""
    sizes = {one.rfilename: one.size or 0 for one in info.siblings or ()}
    if not 0 < sizes.get(SIGNATURE, 0) <= MAX_SIGNATURE:
        return None
    with TemporaryDirectory(prefix="xadapt-") as folder:
        path = Path(api.hf_hub_download(repo, SIGNATURE, revision=info.sha, local_dir=folder))
        with path.open("rb") as stream:
            return stream.read(MAX_SIGNATURE + 1)


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
