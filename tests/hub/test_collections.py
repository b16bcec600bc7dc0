from __future__ import annotations

import pytest
from huggingface_hub import HfApi
from local_hub import LocalHub

from xadapt.core.errors import UserError
from xadapt.hub.collections import Collection, add_to_collection, collection_of

SLUG = "org/swahili-64f9a55bb3115b4f513ec026"


def test_a_title_or_a_slug_is_read() -> None:
    assert collection_of(SLUG) == Collection("org", slug=SLUG)
    assert collection_of("org/Modules for Swahili") == Collection("org", "Modules for Swahili")
    for text in ("", "org", "org/", "/x", "a/b/c", "org/x\n", "or g/x", "org/" + "x" * 80):
        with pytest.raises(UserError, match=r"--collection: .* is no collection\. Write"):
            collection_of(text)


def test_a_collection_is_made_once_and_holds_each_repository_once(local_hub: LocalHub) -> None:
    api = HfApi()
    slugs = {
        add_to_collection(api, collection_of("org/All of them"), repo)
        for repo in ("org/a", "org/b", "org/a")
    }
    [slug] = slugs
    [made] = local_hub.collections.values()
    assert made["slug"] == slug and [item["id"] for item in made["items"]] == ["org/a", "org/b"]
    assert add_to_collection(api, collection_of(slug), "org/c") == slug
    assert len(made["items"]) == 3 and not made["private"]
    add_to_collection(api, collection_of("org/Others"), "org/a", private=True)
    assert [one["private"] for one in local_hub.collections.values()] == [False, True]
