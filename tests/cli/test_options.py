from __future__ import annotations

from pathlib import Path

import pytest

from xadapt.cli import options
from xadapt.core.errors import UserError
from xadapt.core.files import read_json


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (None, []),
        (["a,b", "c"], ["a", "b", "c"]),
        ([" a , ,b,"], ["a", "b"]),
    ],
)
def test_lists_are_repeated_or_separated_by_commas(given: list[str], found: list[str]) -> None:
    assert options.split(given) == found


def test_tags_are_brought_to_bcp47_each_once() -> None:
    assert options.tags(["deu,sw", "de", "zh_hant"]) == ["de", "sw", "zh-Hant"]
    with pytest.raises(UserError, match="unknown language tag 'nope!'"):
        options.tags(["nope!"])


def test_require() -> None:
    options.require(True, "never said")
    with pytest.raises(UserError, match=r"this\. Do that"):
        options.require(False, "this", "Do that")


def test_json_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    options.save_json(None, {"a": 1})
    options.save_json(tmp_path / "new" / "a.json", {"é": [1.5, None]})
    told = read_json(tmp_path / "new" / "a.json")
    assert told.pop("written_by").startswith("xadapt ") and told == {"é": [1.5, None]}
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="can't write"):
        options.save_json(tmp_path / "file" / "a.json", {})
