from __future__ import annotations

import pytest

from xadapt.core.errors import UserError
from xadapt.languages.families import families, find_fallback, groups
from xadapt.languages.tags import normalise


@pytest.mark.parametrize(
    ("tag", "known", "near"),
    [
        ("zu", ["en", "sw", "de"], "sw"),
        ("xh", ["sw", "zu"], "sw"),  # the table does not divide Bantu: the first counts
        ("ur", ["en", "hi", "fa"], "fa"),  # Hindi is nearer and in another script
        ("sr", ["hr", "ru", "bg"], "bg"),
        ("uk", ["pl", "ru"], "ru"),
        ("nb", ["de", "sv"], "sv"),
        ("pt-BR", ["fr", "es"], "fr"),
        ("az", ["tr"], "tr"),
        ("fr", ["de", "sw"], None),
        ("mt", ["ar"], None),
        ("eu", ["es", "fr"], None),
        ("tlh", ["en"], None),
        ("zu", [], None),
    ],
)
def test_one_script_and_one_branch(tag, known, near):
    assert find_fallback(tag, known) == near


def test_the_table_is_whole():
    table = families()
    assert len(table) > 300 and all(normalise(tag) == tag for tag in table)
    assert all(path and all(len(code) == 3 for code in path) for path in table.values())
    assert groups("swh") == groups("sw") == ("nic", "bnt") and groups("tlh") == ()


def test_no_language_tag_is_refused():
    with pytest.raises(UserError):
        find_fallback("not a tag!", ["en"])
