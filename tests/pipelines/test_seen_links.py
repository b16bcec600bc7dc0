from __future__ import annotations

import pytest

from xadapt.core.errors import UserError
from xadapt.hub.manifest import Data, Excluded
from xadapt.pipelines import seen_links
from xadapt.pipelines.seen_links import require_unseen

SHA = "a" * 64


class Manifest:
    """The fields of a manifest that count."""

    def __init__(self, reader, excluded=()):
        self.recipe = {"data": {"train": {"reader": reader}}}
        self.data = [Data(name="kg:x", rows=3, excluded=[Excluded(name="l", sha256=one)
                                                         for one in excluded])]  # fmt: skip


@pytest.fixture
def folders(monkeypatch):
    made = {
        "honest": Manifest("entity_names", [SHA]),
        "other": Manifest("entity_names", ["b" * 64]),
        "none": Manifest("named_facts"),
        "parallel": Manifest("parallel"),
        "nothing": Manifest(None),
    }
    monkeypatch.setattr(seen_links, "require_module", lambda folder: made[folder])
    return made


def test_a_module_without_these_links_may_be_measured(folders):
    assert require_unseen({"ep": "honest"}, SHA, "links.tsv") == []


def test_nothing_is_known_about_a_module_that_read_no_graph(folders):
    assert require_unseen({"a": "parallel", "b": "nothing"}, SHA, "links.tsv") == ["a", "b"]


@pytest.mark.parametrize("name", ["other", "none"])
def test_a_module_that_may_have_seen_them_is_refused(folders, name):
    with pytest.raises(UserError, match="may have seen the test links") as fault:
        require_unseen({"ep": "honest", "it": name}, SHA, "links.tsv")
    assert fault.value.where == name and "exclude_links=links.tsv" in fault.value.todo
