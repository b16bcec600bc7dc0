import gzip

import numpy as np
import pytest

from xadapt.core.errors import UserError
from xadapt.maps.dictionary import (
    Dictionary,
    dictionary_of,
    find,
    identical_words,
    read_dictionary,
    split,
)
from xadapt.maps.word_vectors import WordVectors


def put(tmp_path, text, name="d.txt"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def words(*names):
    return WordVectors(names, np.ones((len(names), 1), np.float32))


@pytest.mark.parametrize(
    "text",
    [
        "cat Katze\ndog Hund\n\ncat Kater\ndog Hund\n",
        "cat\tKatze\ndog\tHund\ncat\tKater\n",
        "cat\tKatze\tsource tag\ndog\tHund\tother\ncat\tKater\tx\n",
    ],
)
def test_muse_vecmap_and_tab_separated_files(tmp_path, text):
    found = read_dictionary(put(tmp_path, text))
    assert found.pairs == (("cat", "Katze"), ("dog", "Hund"), ("cat", "Kater"))
    assert found.sources == {"cat": ["Katze", "Kater"], "dog": ["Hund"]}
    assert found.reversed().pairs[0] == ("Katze", "cat")
    assert dictionary_of(found) is found


def test_words_with_spaces_need_tabs(tmp_path):
    assert read_dictionary(put(tmp_path, "ice cream\tEis\n")).pairs == (("ice cream", "Eis"),)
    path = put(tmp_path, "cat Katze\nice cream Eis\n")
    with pytest.raises(UserError, match="two words separated by a space") as raised:
        read_dictionary(path)
    assert str(raised.value).startswith(f"{path}:2: ")


def test_compressed(tmp_path):
    path = tmp_path / "d.tsv.gz"
    path.write_bytes(gzip.compress(b"a\tb\n"))
    assert len(read_dictionary(path)) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no pair of words in this dictionary"),
        ("cat\n", "no pair of words: 'cat'"),
        ("cat\tKatze\ndog Hund\n", "two columns separated by a tab"),
        ("cat\t\n", "no pair of words in this dictionary"),
    ],
)
def test_a_bad_dictionary_is_one_line(tmp_path, text, said):
    with pytest.raises(UserError, match=said):
        read_dictionary(put(tmp_path, text))


def test_pairs_and_mappings_of_memory():
    pairs = (("a", "x"), ("a", "y"), ("b", "z"))
    assert dictionary_of(pairs).pairs == pairs
    assert dictionary_of({"a": ["x", "y"], "b": "z"}).pairs == pairs
    for wrong in (None, 3, [], [("a",)], [("a", "")], [("a", None)]):
        with pytest.raises(UserError):
            dictionary_of(wrong)


def test_identical_words():
    found = identical_words(words("a", "b", "c"), words("c", "a"))
    assert found.pairs == (("a", "a"), ("c", "c"))
    with pytest.raises(UserError, match="share no word"):
        identical_words(words("a"), words("b"))


def test_a_split_shares_no_source_word_and_no_target_word():
    """Also where words have many translations, and where case differs."""
    pairs = [(f"s{i}", f"{'T' if i % 2 else 't'}{i * j % 97}") for i in range(200) for j in (1, 2)]
    whole = Dictionary(tuple(dict.fromkeys(pairs)))
    parts = split(whole, dev=0.1, test=0.2)
    sides = [
        [{p[side].casefold() for p in part.pairs} for side in (0, 1)]
        for part in (parts.train, parts.dev, parts.test)
    ]
    for i, j in ((0, 1), (0, 2), (1, 2)):
        assert not sides[i][0] & sides[j][0] and not sides[i][1] & sides[j][1]
    assert all(len(part) for part in (parts.train, parts.dev, parts.test))
    kept = len(parts.train) + len(parts.dev) + len(parts.test)
    assert parts.dropped == len(whole) - kept > 0


def test_a_split_depends_on_words_and_seed_alone():
    pairs = [(f"s{i}", f"t{i}") for i in range(100)]
    one, same = (split(Dictionary(tuple(p)), test=0.2) for p in (pairs, pairs[::-1]))
    assert set(one.test.pairs) == set(same.test.pairs) and len(one.test) == 20
    assert split(Dictionary(tuple(pairs)), test=0.2, seed=1).test != one.test
    assert len(split(Dictionary(tuple(pairs))).train) == 100
    with pytest.raises(UserError, match="leave nothing to fit on"):
        split(Dictionary(tuple(pairs)), dev=0.5, test=0.5)


def test_words_without_a_vector_are_counted_never_dropped_silently():
    given = Dictionary((("a", "x"), ("a", "gone"), ("b", "gone"), ("missing", "x"), ("c", "y")))
    gold = find(given, words("a", "b", "c"), words("x", "y"))
    assert gold.targets == {0: frozenset({0}), 2: frozenset({1})}
    assert gold.words == 4 and gold.coverage == 0.5
    assert gold.no_source == ("missing",) and gold.no_target == ("b",)
    assert (gold.pairs, gold.pairs_found) == (5, 2)
    assert gold.positions().tolist() == [[0, 0], [2, 1]]
    assert "2 of 4 source words (50.0%); 1 have no vector, of 1 no translation" in gold.report("d")
    assert gold.to_dict()["without_target_vector"] == 1


def test_rows_of_columns_that_lack_a_word_are_left_out_and_counted(tmp_path):
    found = read_dictionary(put(tmp_path, "cat\tKatze\ttag\n\tHund\ttag\nowl\t \ttag\n"))
    assert found.pairs == (("cat", "Katze"),) and found.empty == 2
