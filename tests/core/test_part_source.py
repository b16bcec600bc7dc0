from __future__ import annotations

import dataclasses
import inspect
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from xadapt.core import part_source, registry
from xadapt.core.errors import UserError
from xadapt.core.part_source import REQUIRED, as_yaml, attributes, read_part
from xadapt.tasks.protocol import find, options_of

PARTS = [(room, name) for room in registry.ROOMS for name in registry.names(room)]


def real_options(room: str, part: Any) -> dict[str, str]:
    """The options of the imported part, as the source should tell them."""
    if room == "modules":
        fields = part.Options.model_fields.items()
        return {n: as_yaml(f.get_default(call_default_factory=True)) for n, f in fields}
    if room in ("objectives", "transforms", "maps"):
        return {
            field.name: REQUIRED if field.default is dataclasses.MISSING else as_yaml(field.default)
            for field in dataclasses.fields(part)
        }
    return {}


@pytest.mark.parametrize(("room", "name"), PARTS)
def test_the_source_tells_what_the_imported_part_has(room: str, name: str) -> None:
    found, part = read_part(room, name), registry.load(room, name)
    assert len(found.text) > 20 and "``" not in found.text and "Args:" not in found.text
    if room == "tasks":
        task = find(name)
        wanted = {
            about.flag or f"--{option.replace('_', '-')}": (
                REQUIRED if default is inspect.Parameter.empty else as_yaml(default),
                about.help,
            )
            for option, (_, default, about) in options_of(task).items()
        }
        assert {one.name: (one.default, one.help) for one in found.options} == wanted
        assert found.facts["title"] == task.title and found.facts["head"] == task.head
        return
    assert {one.name: one.default for one in found.options} == real_options(room, part)
    assert all(one.help for one in found.options)
    for key in ("consumes", "gives", "record"):
        real = getattr(part, key, None)
        if isinstance(real, type):
            assert found.facts[key] == real.__name__


def test_an_unknown_part_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UserError, match="did you mean 'lora'"):
        read_part("modules", "lorra")


STRANGE = '''"""Two parts in one file."""
import os
from dataclasses import dataclass, field

from nowhere import Missing

LIMIT = 7

class Base(Missing):
    """A base."""
    shared: float = 0.5

@dataclass(frozen=True)
class Reviews(Base):
    """Score reviews.

    Second paragraph, with ``code``.

    Attributes:
        limit: The most reviews,
            in all.
        names: Names.
    """
    must: int
    limit: int = LIMIT
    names: list = field(default_factory=list)
    where: str = os.sep
'''


def test_a_part_of_another_package_is_read_and_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "unimported").mkdir()
    (tmp_path / "unimported" / "__init__.py").write_text("")
    (tmp_path / "unimported" / "parts.py").write_text(STRANGE)
    monkeypatch.syspath_prepend(tmp_path)
    entry = SimpleNamespace(name="reviews", module="unimported.parts", attr="Reviews")
    gone = SimpleNamespace(name="gone", module="unimported.gone", attr="")
    monkeypatch.setattr(part_source, "entry_points", lambda group: [entry, gone])
    monkeypatch.setattr(registry, "names", lambda room: ("reviews", "gone"))
    part_source.read_part.cache_clear()
    found = read_part("objectives", "reviews")
    assert found.text == "Score reviews.\n\nSecond paragraph, with code."
    assert [(o.name, o.default, o.help) for o in found.options] == [
        ("shared", "0.5", ""),
        ("must", REQUIRED, ""),
        ("limit", "7", "The most reviews, in all."),
        ("names", "[]", "Names."),
        ("where", "os.sep", ""),
    ]
    assert read_part("objectives", "gone").text == ""
    assert "unimported.parts" not in sys.modules
    part_source.read_part.cache_clear()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (2e-3, "0.002"),
        (("q", None), "[q, null]"),
        ({"q": 1.5}, "{q: 1.5}"),
        ("", '""'),
    ],
)
def test_values_as_in_yaml(value: object, text: str) -> None:
    assert as_yaml(value) == text


def test_attributes_end_with_their_section() -> None:
    doc = (
        "What.\n\nAttributes:\n    a: One ``b``.\n        More.\n    c: Two.\n\nRaises:\n    E: If"
    )
    assert attributes(doc) == {"a": "One b. More.", "c": "Two."}
    assert attributes("nothing") == {}
