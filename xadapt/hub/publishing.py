"""Publication of a folder on the Hub in one commit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import HfApi, get_token
from huggingface_hub.errors import HfHubHTTPError, HFValidationError

from xadapt.core.errors import UserError


@dataclass(frozen=True)
class PublishedModule:
    """A folder that is on the Hub.

    Attributes:
        repo: Id of the repository, such as ``org/name``.
        revision: The commit that holds the folder.
        url: Address of the commit's files.
    """

    repo: str
    revision: str
    url: str


def publish_folder(
    folder: Path | str,
    repo: str,
    *,
    private: bool = False,
    message: str | None = None,
    revision: str | None = None,
    token: str | None = None,
) -> PublishedModule:
    """Publish a folder on the Hub, in one commit.

    Args:
        folder: The folder.
        repo: Id of the repository, ``org/name``; it is made if it doesn't exist.
        private: Make a private repository.
        message: Title of the commit.
        revision: Branch to publish on.
        token: A token of the Hub; otherwise ``HF_TOKEN`` or the one of ``hf auth login``.

    Raises:
        UserError: If there is no token, or the Hub can't be reached or refuses.
    """
    if token is None and get_token() is None:
        raise UserError(
            "no token of the Hub is known here",
            where=repo,
            todo="Set HF_TOKEN, or log in with: hf auth login",
        )
    api = HfApi(token=token)
    try:
        api.create_repo(repo, private=private, exist_ok=True)
        commit = api.upload_folder(
            repo_id=repo,
            folder_path=str(folder),
            commit_message=message or f"Publish {Path(folder).name} with xadapt",
            revision=revision,
        )
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        first = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise UserError(f"the Hub refuses ({first})", where=repo) from None
    return PublishedModule(repo, commit.oid, f"{api.endpoint}/{repo}/tree/{commit.oid}")
