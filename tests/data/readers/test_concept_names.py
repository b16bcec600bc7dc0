from __future__ import annotations

import pytest
from tiny_graphs import lines, write

from xadapt.core.errors import UserError
from xadapt.data.readers.concept_names import ConceptNames, places, read_concepts


def test_names_of_one_concept_lie_side_by_side():
    names = ConceptNames.of(
        [("C1", "en", "pain"), ("C2", "en", "fever"), ("C1", "es", "dolor"), ("C1", "en", "pain")]
    )
    assert names.concepts == ("C1", "C2") and names.names == ("pain", "dolor", "fever")
    assert names.owners.tolist() == [0, 0, 1] and names.starts.tolist() == [0, 2]
    assert [names.languages[i] for i in names.langs.tolist()] == ["en", "es", "en"]
    assert names.at(0) == ("pain", "dolor") and names.at(1) == ("fever",)
    assert names.index == {"C1": 0, "C2": 1}


def test_every_form_is_read(tmp_path):
    write(
        tmp_path,
        {
            "hpo.tsv": "C1\tpain\tlabel\tOFFICIAL\nC2\tfever\n",
            "xmen.jsonl": lines(
                {"concept_id": "C1", "canonical_name": "ache", "aliases": ["pain"]}
            ),
            "m.tsv": "es\td\tx\t\t\t\t\nes\td\tdolor\t0\t5\tdolor\tC1\n",
            "kg/entities.tsv": "C3\n", "kg/names_sw.tsv": "C3\thoma\n",
        },
    )  # fmt: skip
    sources = [f"en={tmp_path}/hpo.tsv", f"eng={tmp_path}/xmen.jsonl", f"es={tmp_path}/m.tsv",
               f"sw=kg:{tmp_path}/kg"]  # fmt: skip
    names = read_concepts(sources)
    assert names.concepts == ("C1", "C2", "C3")
    assert names.at(0) == ("pain", "ache", "dolor") and names.at(2) == ("homa",)
    assert names.languages == ("en", "es", "sw")
    assert places(["en=a", "de=kg:b"]) == ["a", "kg:b"]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.tsv", "C1\n", "1 column"),
        ("a.tsv", "C1\t\n", "empty"),
        ("a.jsonl", lines({"concept_id": "C1"}), "has no name"),
        ("a.jsonl", lines({"concept_id": "C1", "aliases": "x"}), "no list"),
        ("a.jsonl", lines({"canonical_name": "x"}), "concept_id is no text"),
        ("a.jsonl", lines({"concept_id": "C1", "aliases": [3]}), "a name is no text"),
    ],
)
def test_faults_are_named(tmp_path, name, text, said):
    write(tmp_path, {name: text})
    with pytest.raises(UserError, match=said):
        read_concepts([f"en={tmp_path}/{name}"])


def test_a_source_needs_a_language(tmp_path):
    for source in ("names.tsv", "en="):
        with pytest.raises(UserError, match="names no language"):
            read_concepts([source])
    with pytest.raises(UserError, match="no name of a concept"):
        ConceptNames.of([])
