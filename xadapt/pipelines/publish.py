"""Publish a folder on the Hub, signed if a key is given."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from xadapt.hub.collections import collection_of
from xadapt.hub.hub_ids import repository_id
from xadapt.hub.published_files import PublishedFiles
from xadapt.hub.publishing import PublishedModule, publish_folder, write_dry_run
from xadapt.integrations.signing import Signer


def publish(
    folder: str | Path,
    repo: str,
    *,
    private: bool = False,
    revision: str | None = None,
    message: str | None = None,
    collection: str | None = None,
    sign: str | Path | None = None,
    dry_run: str | Path | None = None,
    force: bool = False,
    token: str | None = None,
    report: Callable[[str], None] = lambda _: None,
) -> PublishedModule | PublishedFiles:
    """Publish a module's folder or a composition on the Hub, in one commit, and verify it there.

    Args:
        folder: The folder.
        repo: Id of the repository, ``org/name``; it is made if it doesn't exist.
        private: Make a private repository.
        revision: Branch to publish on; it is made if it doesn't exist.
        message: Title of the commit.
        collection: A collection to add the repository to: its slug, or ``OWNER/Title``; one of
            that title is made if there is none.
        sign: A private key, a PEM file, to sign all files with (extra ``sign``).
        dry_run: Write what would be published into this new folder, and send nothing.
        force: Replace a module of another base or language, or publish into a repository that
            holds something else.
        token: A token of the Hub; otherwise ``HF_TOKEN`` or the one of ``hf auth login``.
        report: Receives what is done, a line at a time.

    Returns:
        The commit; after a dry run, the files.

    Raises:
        UserError: If the folder is no unchanged module, the key can't sign, the repository holds
            another module, the Hub can't be reached or refuses, or the files on the Hub are not
            those that were sent.
    """
    repository_id(repo)
    if collection is not None:
        collection_of(collection)
    signer = None if sign is None else Signer(sign).sign
    if dry_run is not None:
        return write_dry_run(folder, dry_run, sign=signer)
    return publish_folder(
        folder,
        repo,
        private=private,
        message=message,
        revision=revision,
        collection=collection,
        sign=signer,
        token=token,
        force=force,
        report=report,
    )
