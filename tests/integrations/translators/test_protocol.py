"""Opening a translator by its text."""

from __future__ import annotations

import pytest

from xadapt.core.errors import UserError
from xadapt.integrations.translators.protocol import Translator, open_translator


def test_a_file_is_opened(tmp_path):
    path = tmp_path / "t.tsv"
    path.write_text("a\tb\n", encoding="utf-8")
    found = open_translator(f"file:{path}")
    assert isinstance(found, Translator)
    assert found.translate(["a"], "en", "de") == ["b"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("apertum", "did you mean apertium"),
        ("google", "unknown translator"),
        ("", "unknown translator"),
        ("file", "incomplete"),
        ("seq2seq:", "incomplete"),
        ("apertium:eng-spa", "incomplete"),
        ("file:nowhere.tsv", "nowhere.tsv"),
        ("seq2seq:no-such-folder/no-such-model", "no translation model"),
    ],
)
def test_a_text_that_names_none_gets_one_line(text, said):
    with pytest.raises(UserError, match=said) as error:
        open_translator(text)
    assert "\n" not in str(error.value)
