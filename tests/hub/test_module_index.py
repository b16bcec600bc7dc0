from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from tiny_folders import manifest_of, random_module
from tiny_models import tiny_encoder

from xadapt.core.errors import UserError
from xadapt.hub import module_index
from xadapt.hub.folder import write_folder
from xadapt.hub.module_index import index_modules, placed, read_index
from xadapt.hub.search import search

LANGUAGES = {"sw": ["sw"], "deep/er/zulu": ["zu"], "german": ["de"]}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("collection")
    encoder = tiny_encoder("bert")
    module = random_module(encoder, "lora")
    for name, languages in LANGUAGES.items():
        own = manifest_of(encoder, module, name=Path(name).name, languages=languages)
        write_folder(folder / name, module, encoder, own, verify={}, loaders="none")
    (folder / "broken").mkdir()
    (folder / "broken" / "xadapt.json").write_text("{")
    return folder


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


class Odd(Quiet):
    """Answers with a redirect to a file, too many bytes, or fewer than it says."""

    def do_GET(self) -> None:
        if self.path == "/file":
            self.send_response(302)
            self.send_header("Location", "file:///etc/passwd")
            self.end_headers()
            return
        size = {"/said": 10**12, "/short": 900, "/gone": 0}.get(self.path)
        self.send_response(404 if self.path == "/gone" else 200)
        if size is not None:
            self.send_header("Content-Length", str(size))
        self.end_headers()
        if self.path == "/endless":
            self.wfile.write(b" " * 5000)
        elif self.path == "/short":
            self.wfile.write(b"{")


def serving(handler: Any) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def online(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)


@pytest.fixture
def odd(online: None) -> Iterator[str]:
    yield from serving(type("Handler", (Odd, BaseHTTPRequestHandler), {}))


@pytest.fixture
def served(made: Path, online: None) -> Iterator[str]:
    yield from serving(partial(Quiet, directory=str(made)))


def ids(found: Any) -> list[str]:
    return [one.id for one in found]


def test_an_index_says_what_a_folder_says(made: Path, tmp_path: Path) -> None:
    index, skipped = index_modules(made)
    assert [one.path for one in index.modules] == sorted(LANGUAGES) and len(skipped) == 1
    below = search(lang="swh", folder=made)
    assert ids(below) == [str(made / "sw"), str(made / "deep/er/zulu")]
    for place in (made, made / "modules.json", str(made / "modules.json")):
        found = search(lang="swh", index=place)
        assert found.modules == below.modules
    text = (made / "modules.json").read_text()
    assert str(made) not in text and json.loads(text)["written_by"].startswith("xadapt ")
    index_modules(made)  # its own file is replaced
    other = made / "own.json"
    other.write_text("{}")
    with pytest.raises(UserError, match="such a file already"):
        index_modules(made, other)
    with pytest.raises(UserError, match="stands above the modules"):
        index_modules(made, tmp_path / "elsewhere.json")
    other.unlink()
    index_modules(made / "deep", made / "deep.json")
    assert ids(search(index=made / "deep.json")) == [str(made / "deep/er/zulu")]
    (made / "deep.json").unlink()


def test_an_index_is_read_from_a_web_server(served: str, made: Path) -> None:
    index_modules(made)
    found = search(lang="sw", index=f"{served}/modules.json")
    assert ids(found) == [f"{served}/sw", f"{served}/deep/er/zulu"]
    assert [one.match for one in found] == ["exact", "related"]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/file", "can't be fetched"),
        ("/gone", "can't be fetched"),
        ("/said", "larger than"),
        ("/endless", "larger than"),
        ("/short", "can't be fetched|connection broke"),
    ],
)
def test_a_server_can_do_no_harm(
    odd: str, path: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module_index, "MAX_BYTES", 2000)
    with pytest.raises(UserError, match=said) as raised:
        search(index=odd + path)
    assert "\n" not in str(raised.value) and "root:" not in str(raised.value)


def test_offline_and_other_schemes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match="offline"):
        search(index="https://example.org/modules.json")
    for text in ("file:///etc/passwd", "ftp://a/b"):
        with pytest.raises(UserError, match="from a file or by http"):
            search(index=text)
    with pytest.raises(UserError, match="a folder and an index"):
        search(index="x", folder="y")


ENTRY = {"path": "a", "facts": {"kind": "lora", "languages": ["sw"]}}


@pytest.mark.parametrize(
    ("changes", "left"),
    [
        ({}, 1),
        ({"path": "../a"}, 0),
        ({"path": "a/../../b"}, 0),
        ({"facts": {"kind": "lora", "languages": ["\x1b[31m"]}}, 0),
        ({"facts": {"kind": "lora"}}, 0),
        ({"facts": {"kind": "lora", "languages": ["sw"], "score": "1e999"}}, 0),
        ({"path": "a\x1b[31m"}, 0),
    ],
)
def test_strange_entries_are_passed_over(
    tmp_path: Path, changes: dict[str, Any], left: int
) -> None:
    said = {"kind": "xadapt modules", "modules": [{**ENTRY, **changes}]}
    (tmp_path / "modules.json").write_text(json.dumps(said))
    found = search(index=tmp_path)
    assert len(found) == left and len(found.skipped) == 1 - left


@pytest.mark.parametrize(
    "said",
    [
        [],
        {},
        {"kind": "xadapt modules"},
        {"kind": "other", "modules": []},
        {"kind": "xadapt modules", "modules": [{**ENTRY, "path": "/etc"}]},
        {"kind": "xadapt modules", "modules": [{**ENTRY, "path": "a\\b"}]},
        {"kind": "xadapt modules", "modules": [{**ENTRY, "more": 1}]},
        {"kind": "xadapt modules", "modules": [], "schema_version": 2},
    ],
)
def test_other_files_are_no_index(tmp_path: Path, said: Any) -> None:
    (tmp_path / "modules.json").write_text(json.dumps(said))
    with pytest.raises(UserError, match="no index of modules") as raised:
        read_index(tmp_path)
    assert "\n" not in str(raised.value)


def test_paths_begin_where_the_index_is() -> None:
    assert placed("https://a.org/x/", "sw/m 1") == "https://a.org/x/sw/m%201"
    assert placed("runs/", ".") == "runs" and placed("runs/", "./a") == "runs/a"
    with pytest.raises(ValueError, match="climbs"):
        placed("https://a.org/x/", "a/../../b")
