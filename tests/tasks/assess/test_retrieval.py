from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tiny_commands import Place

from xadapt.core.errors import UserError
from xadapt.core.files import read_json, write_json
from xadapt.tasks.assess.retrieval import evaluate, language_of


def test_the_language_is_the_one_named_or_the_module_s(de: Path, tmp_path: Path) -> None:
    assert language_of("deu", None) == language_of(None, de) == "de"
    assert language_of("sw", de) == "sw"
    two = Path(shutil.copytree(de, tmp_path / "two"))
    write_json(two / "xadapt.json", read_json(de / "xadapt.json") | {"languages": ["de", "nl"]})
    with pytest.raises(UserError, match=r"the module is for de, nl.*--lang"):
        language_of(None, two)
    with pytest.raises(UserError, match=r"not known.*--lang"):
        language_of(None, None)


def test_the_same_table_for_names_as_for_sentences(place: Place, de: Path) -> None:
    given = {"base": str(place.base), "data": place.test, "module": de, "dtype": "float32"}
    sentences, names = evaluate("bitext", **given), evaluate("entities", **given)
    assert [row.system for row in sentences.rows] == [row.system for row in names.rows]


def test_mistakes_are_told_before_the_base_is_read(place: Place) -> None:
    for task, pool, said in (
        ("bitex", "all", "did you mean 'bitext'"),
        ("entities", "some", "pool"),
    ):
        with pytest.raises(UserError, match=said):
            evaluate(task, base="/no/such", data=place.test, lang="de", pool=pool)  # type: ignore
