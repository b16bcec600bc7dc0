from __future__ import annotations

import random
from pathlib import Path

import pytest
from tiny_graphs import LAYOUTS, made, write

from xadapt.core import registry
from xadapt.core.errors import UserError
from xadapt.data.graphs.opening import open_graph, open_links, read_link_file


def test_a_file_of_links(tmp_path):
    write(tmp_path, {"a.tsv": "1\t2\ttrain\n3\t4\tvalid\n1\t2\ttrain\n", "b.tsv.gz": "1\t2\n"})
    links = open_links(str(tmp_path / "a.tsv"))
    assert links.pairs == (("1", "2"), ("3", "4")) and links.counts()["dev"] == 1
    assert links.name == "a.tsv" and links.split
    bare = open_links(str(tmp_path / "b.tsv.gz"))
    assert not bare.split and bare.counts() == {"train": 0, "dev": 0, "test": 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1\t2\ttrain\n1\t2\ttest\n", "a.tsv:2: the link 1 - 2 is in train and in test"),
        ("1\t2\ttrain\n3\t4\n", "a.tsv:2: some lines have a part and some have none"),
        ("1\t2\tnever\n", "a.tsv:1: 'never' is no part. Write train, dev, test"),
        ("1\n", "a.tsv:1: this line has 1 column instead of 2 to 3"),
        ("1\t\n", "a.tsv:1: a cell of this line is empty"),
        ("", "a.tsv: this file is empty"),
        ("\n\n", "there is no link"),
    ],
)
def test_faults_in_links(tmp_path, text, message):
    write(tmp_path, {"a.tsv": text})
    with pytest.raises(UserError) as fault:
        open_links(str(tmp_path / "a.tsv"))
    assert message in str(fault.value) and "\n" not in str(fault.value)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("nothing:here", "names no layout"),
        ("kg", "no folder is named. kg:DIR"),
        ("kg:", "no folder is named"),
        ("dbp5l:/no/such/folder", "there is no such folder"),
        ("ntriples:/no/such/file.nt", "there is no such file"),
        ("cldr:tlh", "the CLDR graph has no 'tlh'"),
        ("", "names no layout"),
    ],
)
def test_sources_that_are_none(source, message):
    with pytest.raises(UserError, match="") as fault:
        open_graph(source)
    assert message in str(fault.value)


def test_links_that_are_none(tmp_path):
    with pytest.raises(UserError, match="there is no such file"):
        open_links(str(tmp_path / "none.tsv"))
    with pytest.raises(UserError, match="this layout has no links"):
        open_links(made(tmp_path, "wikidata"))
    with pytest.raises(UserError, match="not UTF-8"):
        (tmp_path / "a.tsv").write_bytes("a\té\n".encode("latin-1"))
        read_link_file(str(tmp_path / "a.tsv"))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_is_read_also_compressed(tmp_path, layout):
    source = made(tmp_path / "plain" / "x_ja_en", layout)
    graph = open_graph(source)
    assert graph.entities and graph.name and graph.labels
    assert len(graph.triples) == len(graph.parts)
    if layout in ("ntriples", "wikikge"):
        return
    form, files = LAYOUTS[layout]
    packed = {name if name.endswith(".gz") else f"{name}.gz": text for name, text in files.items()}
    folder = write(tmp_path / "packed" / "x_ja_en", packed)
    other = open_graph(form.format(folder))
    assert other.counts() == graph.counts() and other.entities == graph.entities
    assert other.triples.tolist() == graph.triples.tolist()


def test_a_layout_is_documented_and_has_a_test():
    for name in registry.names("graphs"):
        part = registry.load("graphs", name)
        assert part.__doc__ and name in part.layout
        assert Path(__file__).with_name(f"test_{name}.py").is_file()
        assert callable(part().read) and callable(part().links) and callable(part().has_links)


MISSING = [
    (layout, name)
    for layout, (_, files) in LAYOUTS.items()
    for name in files
    if name.split("/")[-1].split(".")[0]
    not in {
        *("training_attrs_1", "attr_triples_1", "attr_triples_2", "relation", "description"),
        *("triple_en_des", "names_sw", "names_en", "relations", "relation_names_en", "attributes"),
        *("descriptions_en", "dev", "test", "train", "links_test", "links_train", "de", "ja"),
        *("en", "ja-val", "ja-test", "en-val", "en-test", "align_ja-en", "ent_links"),
        *("align_train", "align_test"),
    }
]


@pytest.mark.parametrize(("layout", "name"), MISSING)
def test_a_missing_file_is_named(tmp_path, layout, name):
    source = made(tmp_path / "x_ja_en", layout, **{name: None})
    with pytest.raises(UserError) as fault:
        open_graph(source)
        open_links(source)
    assert "\n" not in str(fault.value) and len(str(fault.value)) < 400


@pytest.mark.parametrize("layout", LAYOUTS)
def test_fuzzed_files_are_read_or_refused_in_one_line(tmp_path, layout):
    draws = random.Random(layout)
    _, files = LAYOUTS[layout]
    for turn in range(40):
        name = draws.choice(sorted(files))
        folder = tmp_path / str(turn) / "x_ja_en"
        source = made(folder, layout)
        path = folder / name
        raw = bytearray(path.read_bytes())
        for _ in range(draws.randint(1, 3)):
            at = draws.randrange(len(raw)) if raw else 0
            how = draws.randrange(6)
            if how == 0:
                raw[at : at + 1] = bytes([draws.randrange(256)])
            elif how == 1:
                del raw[at:]
            elif how == 2:
                raw[at:at] = draws.choice([b"\t", b"\n", b"\0", b"9", b'"', b"\xff\xfe", b"{}\n"])
            elif how == 3:
                raw = bytearray(raw.replace(b"\t", b" ", 1))
            elif how == 4:
                raw[at:at] = raw[: draws.randint(1, 40)]
            else:
                raw = raw[::-1]
        path.write_bytes(bytes(raw))
        for read in (open_graph, open_links):
            try:
                read(source)
            except UserError as fault:
                assert "\n" not in str(fault) and len(str(fault)) < 600
