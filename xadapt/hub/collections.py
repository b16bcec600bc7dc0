"""Collections of the Hub: pages that list repositories, such as one module for each language."""

from __future__ import annotations

import re
from dataclasses import dataclass

from huggingface_hub import HfApi

from xadapt.core.errors import UserError

_OWNER = r"[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9_])?"
_SLUG = re.compile(rf"{_OWNER}/[a-z0-9][a-z0-9-]*-[0-9a-f]{{16,32}}", re.ASCII)
_TITLED = re.compile(rf"(?P<owner>{_OWNER})/(?P<title>[^/\s][^/]{{0,58}})")


@dataclass(frozen=True)
class Collection:
    """A collection as a user names it.

    Attributes:
        owner: The user or organisation that it belongs to.
        title: Its title; empty if the slug is known.
        slug: The end of its address, ``owner/title-hash``.
    """

    owner: str
    title: str = ""
    slug: str | None = None


def collection_of(text: str) -> Collection:
    """Read the slug of a collection, or an owner and a title.

    Raises:
        UserError: If the text is neither.
    """
    if _SLUG.fullmatch(text):
        return Collection(text.partition("/")[0], slug=text)
    found = _TITLED.fullmatch(text)
    if found is None or not text.isprintable():
        raise UserError(
            f"{text[:80]!r} is no collection",
            where="--collection",
            todo="Write OWNER/Title, or the slug at the end of its address",
        )
    return Collection(found["owner"], title=found["title"].strip())


def add_to_collection(api: HfApi, wanted: Collection, repo: str, private: bool = False) -> str:
    """Add a repository to a collection; a collection of that title is made if there is none.

    A repository that is in it already stays as it is.

    Args:
        api: The Hub.
        wanted: The collection.
        repo: Id of the repository.
        private: Whether a new collection is private.

    Returns:
        The slug of the collection.
    """
    slug = wanted.slug
    if slug is None:
        listed = api.list_collections(owner=wanted.owner)
        slug = next((one.slug for one in listed if one.title == wanted.title), None)
    if slug is None:
        slug = api.create_collection(
            wanted.title, namespace=wanted.owner, private=private, exists_ok=True
        ).slug
    api.add_collection_item(slug, repo, "model", exists_ok=True)
    return str(slug)
