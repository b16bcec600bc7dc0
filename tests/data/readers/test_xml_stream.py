"""XML as a stream: bounded, without entities, and with the place of each fault."""

from __future__ import annotations

import pytest

from xadapt.core.errors import UserError
from xadapt.data.readers.notes import Notes
from xadapt.data.readers.xml_stream import XmlReader, local


class Tags(XmlReader):
    """All tags, and the text in ``a``."""

    def __init__(self, source: str, limit: int = 100) -> None:
        super().__init__(source, limit)
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self.parts.clear()
        self.reads_text = local(name) == "a"

    def end(self, name: str) -> None:
        self.done.append((local(name), "".join(self.parts)))
        self.reads_text = False


def read(folder, text: str | bytes, limit: int = 100):
    path = folder / "x.xml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    tags = Tags(str(path), limit)
    return tags, list(tags.read())


def test_text_and_entities_of_html(tmp_path):
    tags, found = read(
        tmp_path, "<!DOCTYPE x SYSTEM 'x.dtd'><x><n:a xmlns:n='n'>1&nbsp;&lt;</n:a></x>"
    )
    assert found[0] == ("a", "1\u00a0<")
    tags.tell_entities(notes := Notes())
    assert notes.lines == ["x.xml: entities of HTML are read as their characters: nbsp"]


@pytest.mark.parametrize(
    ("text", "said", "line"),
    [
        ("<x>\n<a>" + "y" * 200 + "</a></x>", None, 0),
        ("<x>\n<a>" + "y" * 200_000 + "</a></x>", "longer than 100", 2),
        ("<x>\n<!--" + "y" * 200_000 + "--></x>", "longer than 100", 2),
        ("<x>\n<b>" + "y" * 200_000 + "</b></x>", None, 0),
        ("<x>\n</y>", "not well-formed XML", 2),
        ("<!DOCTYPE x [<!ENTITY a 'b'>]><x/>", "defines the entity 'a'", 1),
        ("<!DOCTYPE x [<!ENTITY a SYSTEM 'b' NDATA c>]><x/>", "defines the entity 'a'", 1),
        ("<?xml version='1.0' encoding='klingon'?><x/>", "XML", 1),
    ],
)
def test_what_is_refused(tmp_path, text, said, line):
    if said is None:
        assert read(tmp_path, text)[1]
        return
    with pytest.raises(UserError, match=said) as caught:
        read(tmp_path, text)
    assert caught.value.where == f"{tmp_path}/x.xml:{line}"
