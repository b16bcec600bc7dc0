"""Tatoeba's exports: links in both directions, several translations, missing parts, any bytes."""

from __future__ import annotations

import bz2

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xadapt.core.errors import UserError
from xadapt.data.readers.parallel import read_parallel
from xadapt.data.readers.sides import Request
from xadapt.data.readers.tatoeba import Tatoeba

SENTENCES = (
    "1\teng\tGood day.\n2\tdeu\tGuten Tag.\n3\tdeu\tTag!\n4\tfra\tBonjour.\n5\teng\tAlone.\n"
    "6\tcmn\t你好。\n"
)
LINKS = "1\t2\n2\t1\n1\t3\n3\t1\n1\t4\n4\t1\n2\t4\n6\t1\n77\t1\n"


def folder(path, sentences=SENTENCES, links=LINKS):
    path.mkdir(exist_ok=True)
    (path / "sentences.csv").write_text(sentences, encoding="utf-8")
    (path / "links.csv").write_text(links, encoding="utf-8")
    return path


def test_linked_sentences_are_pairs_once_each(tmp_path):
    path = folder(tmp_path / "set")
    pairs = list(read_parallel(path, lang="de"))
    assert [(p.pivot, p.text) for p in pairs] == [
        ("Good day.", "Guten Tag."),
        ("Good day.", "Tag!"),
    ]
    assert [p.origin for p in pairs] == [f"{path}/links.csv:1", f"{path}/links.csv:3"]
    assert [p.pivot for p in read_parallel(path, lang="fr", pivot_lang="de")] == ["Guten Tag."]
    assert [p.text for p in read_parallel(path, lang="zh")] == ["你好。"]  # one direction alone


def test_the_files_may_be_packed_and_split_by_language(tmp_path):
    path = tmp_path / "set"
    path.mkdir()
    for lang in ("eng", "deu"):
        rows = [line for line in SENTENCES.splitlines() if f"\t{lang}\t" in line]
        text = "".join(f"{row}\n" for row in rows)
        (path / f"{lang}_sentences.tsv.bz2").write_bytes(bz2.compress(text.encode()))
    (path / "eng-deu_links.tsv.bz2").write_bytes(bz2.compress(LINKS.encode()))
    assert len(list(read_parallel(path, lang="de"))) == 2


@pytest.mark.parametrize(
    ("sentences", "links", "lang", "said"),
    [
        (SENTENCES, LINKS, "sw", "no sentence of the language sw"),
        (SENTENCES, "2\t4\n", "de", "no link joins en and de"),
        (SENTENCES + "x\teng\ty\n", LINKS, "de", "not: id, tab, language, tab, text"),
        (SENTENCES, LINKS + "1 2\n", "de", "not two ids"),
        (SENTENCES.replace("Guten Tag.", " ").replace("Tag!", ""), LINKS, "de", "de side"),
        ("", "", "de", "no sentence of the language en"),
    ],
)
def test_mistakes_name_their_file(tmp_path, sentences, links, lang, said):
    path = folder(tmp_path / "set", sentences, links)
    with pytest.raises(UserError, match=said) as caught:
        list(read_parallel(path, lang=lang))
    assert caught.value.where.startswith(str(path))


def test_it_claims_a_folder_with_both_files(tmp_path):
    request = Request("de")
    path = folder(tmp_path / "set")
    assert Tatoeba().claims(str(path), request)
    (path / "links.csv").unlink()
    assert not Tatoeba().claims(str(path), request)
    with pytest.raises(UserError, match=r"no sentences\.csv and links\.csv"):
        list(Tatoeba().read(str(path), request))


PIECES = st.sampled_from(
    ["1", "2", "99999999999999999999", "\t", "\n", "eng", "deu", "x", "-1", "١"]
)


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(PIECES, max_size=20).map("".join), st.lists(PIECES, max_size=12).map("".join))
def test_any_rows_give_pairs_or_one_clear_error(tmp_path_factory, sentences, links):
    path = folder(tmp_path_factory.getbasetemp() / "fuzz-tatoeba", sentences, links)
    try:
        pairs = list(read_parallel(path, lang="de"))
    except UserError as error:
        assert error.where.startswith(str(path)) and "\n" not in str(error)
    else:
        assert pairs and all(p.text and p.pivot for p in pairs)
