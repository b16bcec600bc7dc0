"""The list of modules of several workers."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

pytest.importorskip("fastapi")

from xadapt.serving.shared_table import Entry, Listing, SharedTable

FIRST = [("de", "runs/de", "/a/de"), ("sw", "org/sw", "/b/sw")]


@pytest.mark.parametrize("on_disk", [False, True])
def test_a_listing_is_read_as_it_was_written(tmp_path: Path, on_disk: bool) -> None:
    table = SharedTable(tmp_path / "modules.json" if on_disk else None)
    made = table.create(FIRST)
    assert [own.name for own in made.entries] == ["de", "sw"] and table.read() == made
    stamp = table.stamp()
    number = table.reserve()
    assert number == 3 and table.reserve() == 4
    new = table.change(lambda own: own.with_entry(Entry("fr", number, "x", "/x")))
    assert [own.serial for own in new.entries] == [1, 2, 3] and table.read() == new
    assert (table.stamp() == stamp) is (not on_disk)
    left = table.change(lambda own: own.without("de"))
    assert [own.name for own in left.entries] == ["sw", "fr"]
    assert left == Listing(left.entries, 5)


def test_no_change_of_many_at_once_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "modules.json"
    SharedTable(path).create([])

    def add(own: int) -> None:
        table = SharedTable(path)
        for i in range(10):
            number = table.reserve()
            entry = Entry(f"{own}-{i}", number, "", "")
            table.change(lambda listing, entry=entry: listing.with_entry(entry))

    threads = [threading.Thread(target=add, args=(own,)) for own in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    entries = SharedTable(path).read().entries
    assert len({own.name for own in entries}) == len({own.serial for own in entries}) == 40
