"""Blocks of lines and the guards of words, by themselves."""

from __future__ import annotations

import pytest

from xadapt.core.errors import UserError
from xadapt.data.readers.notes import Notes
from xadapt.data.readers.word_rows import WORDS, blocks, require_words, take, tell_long


def test_blocks_end_at_empty_lines_only(tmp_path):
    path = tmp_path / "a.conll"
    path.write_text("\n\na\n\u00a0\n \t\nb\nc", encoding="utf-8")
    found = blocks(str(path))
    assert take(found) == [[(3, "a"), (4, "\u00a0")], [(6, "b"), (7, "c")]]
    path.write_text("a\n" * (WORDS + 1))
    with pytest.raises(UserError, match="more than 10,000 words") as caught:
        take(blocks(str(path)))
    assert caught.value.where == f"{path}:10001"


@pytest.mark.parametrize(
    "sentences",
    [
        [],
        [["_", "a"], ["b"]],
        [["1", "2"], ["Haus", "3", "Tür", "B2"]],
        [["a"]] * 4,
        [["a"]] * 40 + [["a", "b"]],
        [["1"], ["2"]],
    ],
)
def test_words_that_may_be_words(sentences):
    require_words(sentences, "a.conll", 1)


def test_the_longest_sentence_is_named():
    notes = Notes()
    tell_long([], "a.conll", notes)
    assert not notes.lines
    tell_long([(3, 300), (900, 1234), (2000, 201)], "a.conll", notes)
    assert "3 sentences have more than 200 words (the longest, line 900: 1,234)" in notes.lines[0]
