from __future__ import annotations

import pytest

from xadapt.core import registry
from xadapt.core.errors import UserError
from xadapt.data.records import LabelledText


def test_labels_and_texts(tmp_path):
    file = tmp_path / "a.txt"
    file.write_text("__label__yes  ja und nein\n__label__no nein\n", encoding="utf-8")
    rows = list(registry.load("readers", "fasttext")().read(str(file), "de"))
    assert rows == [LabelledText("ja und nein", "yes", "de"), LabelledText("nein", "no", "de")]
    assert rows[1].origin == f"{file}:2"


@pytest.mark.parametrize("line", ["ja", "__label__yes", "yes ja", ""])
def test_a_line_without_label_or_text_is_refused(tmp_path, line):
    file = tmp_path / "a.txt"
    file.write_text(f"__label__no nein\n{line}\n", encoding="utf-8")
    with pytest.raises(UserError) as fault:
        list(registry.load("readers", "fasttext")().read(str(file), "de"))
    assert fault.value.where == f"{file}:2"
