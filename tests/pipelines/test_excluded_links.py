from __future__ import annotations

import hashlib
import json

import pytest
from tiny_commands import QUICK, Place, good, xadapt
from tiny_graphs import write
from tiny_training import pairs

ROWS = pairs(60)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A tiny base, a graph with a name in both languages for each entity, and test links."""
    folder = tmp_path_factory.mktemp("graph")
    own = Place(folder)
    write(
        folder / "names",
        {
            "entities.tsv": "".join(f"e{i}\n" for i in range(60)),
            "names_de.tsv": "".join(f"e{i}\t{row.text}\n" for i, row in enumerate(ROWS)),
            "names_en.tsv": "".join(f"e{i}\t{row.pivot}\n" for i, row in enumerate(ROWS)),
        },
    )
    write(folder, {"test.tsv": "".join(f"e{i}\te{i + 1}\n" for i in range(0, 20, 2))})
    return own


def train(place, out, *more):
    folder = place.data.parent
    return xadapt(
        *("train", "translation_ranking", "--base", place.base, "--data", f"kg:{folder}/names"),
        *("--lang", "de", *QUICK, "--set", "data.train.dev=5", *more, "--out", folder / out),
    )


def test_the_manifest_has_the_hash_of_the_excluded_links(place):
    folder = place.data.parent
    excluded = f"data.train.options.exclude_links={folder}/test.tsv"
    assert train(place, "with", "--set", excluded).code == 0
    assert train(place, "without").code == 0
    manifest = json.loads((folder / "with" / "xadapt.json").read_text(encoding="utf-8"))
    (data,) = manifest["data"]
    wanted = hashlib.sha256((folder / "test.tsv").read_bytes()).hexdigest()
    assert data["excluded"] == [{"name": "test.tsv", "sha256": wanted}]
    assert data["name"] == "kg:names" and str(folder) not in json.dumps(manifest)
    card = (folder / "with" / "README.md").read_text(encoding="utf-8")
    assert f"The entities of the links in test.tsv (SHA-256 `{wanted[:16]}...`)" in card
    (other,) = json.loads((folder / "without" / "xadapt.json").read_text(encoding="utf-8"))["data"]
    assert "excluded" not in other
    # 60 names, 5 for development; 40 without the excluded ones, and a tenth for development
    assert (other["rows"], data["rows"]) == (55, 36)


def test_wrong_links_are_refused_before_training(place):
    folder = place.data.parent
    write(folder, {"wrong.tsv": "e0\te99\n", "two.tsv": "e0\n"})
    for file, said in (("wrong.tsv", "no entity 'e99' to exclude"), ("two.tsv", "has 1 column")):
        done = train(place, "no", "--set", f"data.train.options.exclude_links={folder}/{file}")
        assert done.code == 2 and said in done.err and not (folder / "no").exists()


def test_the_layouts_are_listed():
    out = good("list", "graphs").out
    assert all(name in out for name in ("dbp15k", "dbp5l", "openea", "wikidata", "ntriples", "kg"))
