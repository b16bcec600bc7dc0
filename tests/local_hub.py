"""A Hub on this machine: the Hub's HTTP API for the calls of xadapt, with git-like revisions.

The client is the real huggingface_hub. The server can break every connection after a number of
bytes, in the middle of a line, a header or a body, of a request or an answer. It keeps all
requests, and everything that a client sent, for the tests to look at.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlparse

import pytest
import yaml

TOKEN = "hf_" + "t0ken" * 7
USER = "someone"
LFS = (".safetensors", ".bin")
DATE = "2026-01-02T03:04:05.000Z"


class Cut(Exception):
    """The connection is broken here."""


@dataclass(frozen=True)
class Stored:
    """One file of a revision."""

    raw: bytes
    lfs: bool

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.raw).hexdigest()

    @property
    def blob(self) -> str:
        return hashlib.sha1(b"blob %d\0" % len(self.raw) + self.raw).hexdigest()

    @property
    def etag(self) -> str:
        return self.sha256 if self.lfs else self.blob


@dataclass
class Commit:
    """One revision: all files of it."""

    oid: str
    message: str
    files: dict[str, Stored]


@dataclass
class Repository:
    """A model's repository."""

    name: str
    private: bool = False
    commits: list[Commit] = field(default_factory=list)
    branches: dict[str, str] = field(default_factory=dict)

    def at(self, revision: str | None = None) -> Commit | None:
        oid = self.branches.get(revision or "main", revision)
        return next((commit for commit in self.commits if commit.oid == oid), None)

    def commit(self, branch: str, message: str, files: dict[str, Stored]) -> Commit:
        said = f"{self.name} {branch} {message} {len(self.commits)}"
        made = Commit(hashlib.sha1(said.encode()).hexdigest(), message, files)
        self.commits.append(made)
        self.branches[branch] = made.oid
        return made


class LocalHub:
    """The state of the server, shared by its threads."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.uploads: dict[str, bytes] = {}
        self.requests: list[tuple[str, str]] = []
        self.bodies: list[bytes] = []
        self.refused: dict[str, int] = {}
        self.endpoint = ""
        self.page = 1000
        self._left: int | None = None
        self._carried = 0
        self.committed_at: list[int] = []
        self.collections: dict[str, dict[str, Any]] = {}
        self._lock = threading.RLock()

    def break_after(self, bytes_: int) -> None:
        """Break every connection once this many more bytes have gone either way."""
        with self._lock:
            self._left = bytes_

    def mend(self) -> None:
        """Break no more connections."""
        with self._lock:
            self._left = None

    def refuse(self, path: str, status: int) -> None:
        """Answer requests whose path has this part with an HTTP error."""
        self.refused[path] = status

    def files(self, name: str, revision: str | None = None) -> dict[str, bytes]:
        """Every file of a repository's revision, by its path."""
        commit = self.repositories[name].at(revision)
        return {path: one.raw for path, one in commit.files.items()} if commit else {}

    def put(self, name: str, files: dict[str, bytes], message: str = "put") -> str:
        """Make a commit on ``main`` with exactly these files, and return its id."""
        with self._lock:
            repository = self.repositories.setdefault(name, Repository(name))
            stored = {path: Stored(raw, path.endswith(LFS)) for path, raw in files.items()}
            return repository.commit("main", message, stored).oid

    def put_folder(self, name: str, folder: Path) -> str:
        """Make a commit on ``main`` with the files of a folder, and return its id."""
        paths = [path for path in folder.rglob("*") if path.is_file()]
        return self.put(name, {p.relative_to(folder).as_posix(): p.read_bytes() for p in paths})

    def spend(self, wanted: int) -> int:
        """Number of bytes that may still pass of those wanted."""
        with self._lock:
            self._carried += wanted
            if self._left is None:
                return wanted
            may = min(wanted, self._left)
            self._left -= may
            return may

    @property
    def carried(self) -> int:
        """Number of bytes that have gone either way, while they were counted."""
        with self._lock:
            return self._carried


class _Metered:
    """One side of a connection, every byte of which is counted and which breaks in between."""

    def __init__(self, stream: Any, hub: LocalHub) -> None:
        self._stream, self._hub = stream, hub

    def read(self, size: int) -> bytes:
        may = self._hub.spend(size)
        raw = self._stream.read(may)
        if may < size:
            raise Cut
        return raw

    def readline(self, most: int = -1) -> bytes:
        raw = self._stream.readline(most)
        if self._hub.spend(len(raw)) < len(raw):
            raise Cut
        return raw

    def write(self, raw: bytes) -> None:
        may = self._hub.spend(len(raw))
        self._stream.write(raw[:may])
        if may < len(raw):
            self._stream.flush()
            raise Cut

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: LocalHub

    def setup(self) -> None:
        super().setup()
        self.rfile, self.wfile = _Metered(self.rfile, self.hub), _Metered(self.wfile, self.hub)

    def handle(self) -> None:
        try:
            super().handle()
        except (Cut, BrokenPipeError, ConnectionResetError):
            self._hang_up()

    def finish(self) -> None:
        with suppress(OSError):
            super().finish()

    def _hang_up(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._answer("GET")

    def do_HEAD(self) -> None:
        self._answer("HEAD")

    def do_POST(self) -> None:
        self._answer("POST")

    def do_PUT(self) -> None:
        self._answer("PUT")

    def _answer(self, method: str) -> None:
        url = urlparse(self.path)
        path, self.query = unquote(url.path), parse_qs(url.query)
        try:
            self.hub.requests.append((method, path))
            body = self._body()
            self.hub.bodies.append(body)
            status = next((s for part, s in self.hub.refused.items() if part in path), None)
            if status is not None:
                return self._json({"error": "refused"}, status)
            with self.hub._lock:
                reply = self._route(method, path, body)
            reply()
        except (Cut, BrokenPipeError, ConnectionResetError):
            self._hang_up()

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            return self._chunked()
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _chunked(self) -> bytes:
        parts = []
        while size := int(self.rfile.readline().strip() or b"0", 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _send(self, raw: bytes, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        if self.command == "HEAD":
            return
        self.wfile.write(raw)

    def _json(self, value: Any, status: int = 200, **headers: str) -> None:
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        raw = json.dumps(value).encode()
        self._send(raw, status, {"Content-Type": "application/json", **named})

    def _missing(self, what: str) -> Any:
        return lambda: self._json({"error": f"{what}"}, 404, X_Error_Code=what)

    @property
    def _known(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {TOKEN}"

    def _route(self, method: str, path: str, body: bytes) -> Any:
        """Return a function that sends the answer."""
        for verb, pattern, name, writes in ROUTES:
            found = re.fullmatch(pattern, path)
            if found and method in verb:
                if writes and not self._known:
                    said = {"error": "Invalid username or password."}
                    return lambda: self._json(said, 401, X_Error_Message=said["error"])
                return getattr(self, name)(body, **found.groupdict())
        return self._missing("EntryNotFound")

    # --- accounts and repositories ---------------------------------------------------------------

    def whoami(self, body: bytes) -> Any:
        said = {
            "type": "user",
            "name": USER,
            "orgs": [],
            "auth": {"accessToken": {"role": "write"}},
        }
        return lambda: self._json(said)

    def create(self, body: bytes) -> Any:
        said = json.loads(body)
        name = f"{said.get('organization') or USER}/{said['name']}"
        url = {"url": f"{self.hub.endpoint}/{name}", "name": name, "id": name}
        if name in self.hub.repositories:
            return lambda: self._json({"error": "You already created this repo", **url}, 409)
        private = bool(said.get("private")) or said.get("visibility") == "private"
        made = Repository(name, private)
        made.commit("main", "initial commit", {".gitattributes": Stored(b"*.bin lfs\n", False)})
        self.hub.repositories[name] = made
        return lambda: self._json(url)

    def validate(self, body: bytes) -> Any:
        content = json.loads(body)["content"]
        if not content.startswith("---\n"):
            said = {"errors": [], "warnings": [{"message": "empty or missing yaml metadata"}]}
            return lambda: self._json(said)
        try:
            header = yaml.safe_load(content.split("---\n")[1])
            assert isinstance(header, dict)
        except Exception as error:
            said = {"errors": [{"message": str(error)}], "warnings": []}
            return lambda: self._json(said, 400)
        return lambda: self._json({"errors": [], "warnings": []})

    def branch(self, body: bytes, repo: str, revision: str) -> Any:
        repository = self.hub.repositories.get(repo)
        if repository is None:
            return self._missing("RepoNotFound")
        if revision in repository.branches:
            return lambda: self._json({"error": "exists"}, 409)
        repository.branches[revision] = repository.branches["main"]
        return lambda: self._json({})

    def collections(self, body: bytes) -> Any:
        if self.command == "GET":
            owner = self.query.get("owner", [""])[0]
            found = [
                {key: value for key, value in one.items() if key != "position"}
                for one in self.hub.collections.values()
                if one["owner"]["name"] == owner
            ]
            return lambda: self._json(found)
        if not self._known:
            return lambda: self._json({"error": "Invalid username or password."}, 401)
        said = json.loads(body)
        number = len(self.hub.collections)
        words = re.sub(r"[^a-z0-9]+", "-", said["title"].lower()).strip("-")
        slug = f"{said['namespace']}/{words}-{number:024x}"
        made = {
            "slug": slug,
            "title": said["title"],
            "owner": {"name": said["namespace"]},
            "items": [],
            "lastUpdated": DATE,
            "position": 0,
            "private": bool(said.get("private")),
            "theme": "orange",
            "upvotes": 0,
        }
        self.hub.collections[slug] = made
        return lambda: self._json(made)

    def collection_items(self, body: bytes, slug: str) -> Any:
        collection = self.hub.collections.get(slug)
        if collection is None:
            return self._missing("EntryNotFound")
        own = json.loads(body)["item"]
        if any(item["id"] == own["id"] for item in collection["items"]):
            return lambda: self._json({"error": "Item already exists in collection"}, 409)
        number = f"{len(collection['items']):024x}"
        item = {"_id": number, "id": own["id"], "type": own["type"], "position": 0}
        collection["items"].append(item)
        return lambda: self._json(collection)

    def collection(self, body: bytes, slug: str) -> Any:
        collection = self.hub.collections.get(slug)
        if collection is None:
            return self._missing("EntryNotFound")
        return lambda: self._json(collection)

    def models(self, body: bytes) -> Any:
        asked = {one for text in self.query.get("filter", []) for one in text.split(",")}
        found = [
            self._info(repo, commit)
            for repo in self.hub.repositories.values()
            if (commit := repo.at()) and (self._known or not repo.private)
        ]
        found = [info for info in found if asked <= set(info["tags"])]
        start = int(self.query.get("cursor", ["0"])[0])
        page, more = found[start : start + self.hub.page], {}
        if start + self.hub.page < len(found):
            rest = "&".join(f"filter={text}" for text in self.query.get("filter", []))
            at = f"{self.hub.endpoint}/api/models?{rest}&cursor={start + self.hub.page}"
            more = {"Link": f'<{at}>; rel="next"'}
        return lambda: self._json(page, **more)

    def info(self, body: bytes, repo: str, revision: str | None = None) -> Any:
        repository = self._repository(repo)
        commit = repository.at(revision) if repository else None
        if repository is None or commit is None:
            return self._missing("RevisionNotFound" if repository else "RepoNotFound")
        said = self._info(repository, commit)
        return lambda: self._json(said)

    def tree(self, body: bytes, repo: str, revision: str) -> Any:
        repository = self._repository(repo)
        commit = repository.at(revision) if repository else None
        if commit is None:
            return self._missing("RevisionNotFound" if repository else "RepoNotFound")
        said = [
            {"type": "file", "path": path, "size": len(one.raw), "oid": one.blob}
            | ({"lfs": self._lfs(one)} if one.lfs else {})
            for path, one in sorted(commit.files.items())
        ]
        return lambda: self._json(said)

    def _repository(self, name: str) -> Repository | None:
        repository = self.hub.repositories.get(name)
        return repository if repository and (self._known or not repository.private) else None

    def _lfs(self, one: Stored) -> dict[str, Any]:
        known = {"size": len(one.raw), "pointerSize": 130, "sha256": one.sha256}
        return {**known, "oid": one.sha256}

    def _info(self, repository: Repository, commit: Commit) -> dict[str, Any]:
        card = _header(commit.files.get("README.md"))
        base = card.get("base_model")
        tags = [str(t) for key in ("tags", "language") for t in _listed(card.get(key))]
        tags += [f"base_model:{one}" for one in _listed(base)]
        tags += [f"license:{card['license']}"] if "license" in card else []
        siblings = [
            {"rfilename": path, "size": len(one.raw), "blobId": one.blob}
            | ({"lfs": self._lfs(one)} if one.lfs else {})
            for path, one in sorted(commit.files.items())
        ]
        return {
            "id": repository.name,
            "modelId": repository.name,
            "sha": commit.oid,
            "private": repository.private,
            "lastModified": DATE,
            "createdAt": DATE,
            "tags": list(dict.fromkeys([*_listed(card.get("library_name")), *tags])),
            "pipeline_tag": card.get("pipeline_tag"),
            "library_name": card.get("library_name"),
            "downloads": 0,
            "likes": 0,
            "cardData": card,
            "siblings": siblings,
        }

    # --- upload ----------------------------------------------------------------------------------

    def preupload(self, body: bytes, repo: str, revision: str) -> Any:
        repository = self.hub.repositories.get(repo)
        commit = repository.at(revision) if repository else None
        if repository is None or commit is None:
            return self._missing("RevisionNotFound" if repository else "RepoNotFound")
        files = [
            {
                "path": one["path"],
                "uploadMode": "lfs" if one["path"].endswith(LFS) else "regular",
                "shouldIgnore": False,
                "oid": commit.files[one["path"]].etag if one["path"] in commit.files else None,
            }
            for one in json.loads(body)["files"]
        ]
        return lambda: self._json({"files": files, "commitOid": commit.oid})

    def batch(self, body: bytes, repo: str) -> Any:
        def answer(one: dict[str, Any]) -> dict[str, Any]:
            if one["oid"] in self.hub.uploads:
                return one
            return {**one, "actions": {"upload": {"href": f"{self.hub.endpoint}/lfs/{one['oid']}"}}}

        said = {"transfer": "basic", "objects": [answer(o) for o in json.loads(body)["objects"]]}
        return lambda: self._json(said)

    def object(self, body: bytes, oid: str) -> Any:
        if hashlib.sha256(body).hexdigest() != oid:
            return lambda: self._json({"error": "another hash"}, 400)
        self.hub.uploads[oid] = body
        return lambda: self._json({})

    def commit(self, body: bytes, repo: str, revision: str) -> Any:
        repository = self.hub.repositories.get(repo)
        before = repository.at(revision) if repository else None
        if repository is None or before is None:
            return self._missing("RevisionNotFound" if repository else "RepoNotFound")
        lines = [json.loads(line) for line in body.splitlines() if line.strip()]
        header = next(line["value"] for line in lines if line["key"] == "header")
        if header.get("parentCommit") not in (None, before.oid):
            return lambda: self._json({"error": "A commit has happened since"}, 412)
        files = dict(before.files)
        for line in lines:
            value, key = line["value"], line["key"]
            if key == "file":
                files[value["path"]] = Stored(base64.b64decode(value["content"]), False)
            elif key == "lfsFile":
                files[value["path"]] = Stored(self.hub.uploads[value["oid"]], True)
            elif key == "deletedFile":
                del files[value["path"]]
        made = repository.commit(revision, header["summary"], files)
        self.hub.committed_at.append(self.hub.carried)
        url = f"{self.hub.endpoint}/{repo}/commit/{made.oid}"
        said = {"success": True, "commitOid": made.oid, "commitUrl": url}
        return lambda: self._json(said)

    # --- download --------------------------------------------------------------------------------

    def resolve(self, body: bytes, repo: str, revision: str, file: str) -> Any:
        repository = self._repository(repo)
        commit = repository.at(revision) if repository else None
        if commit is None:
            return self._missing("RevisionNotFound" if repository else "RepoNotFound")
        one = commit.files.get(file)
        if one is None:
            known = {"X_Repo_Commit": commit.oid, "X_Error_Code": "EntryNotFound"}
            return lambda: self._json({"error": "Entry not found"}, 404, **known)
        headers = {"X-Repo-Commit": commit.oid, "ETag": f'"{one.etag}"', "Accept-Ranges": "bytes"}
        found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        if found is None:
            return lambda: self._send(one.raw, 200, headers)
        start = int(found[1])
        headers["Content-Range"] = f"bytes {start}-{len(one.raw) - 1}/{len(one.raw)}"
        return lambda: self._send(one.raw[start:], 206, headers)


REPO = r"(?P<repo>[\w.-]+/[\w.-]+)"
ROUTES = [
    (("GET",), r"/api/whoami-v2", "whoami", True),
    (("POST",), r"/api/repos/create", "create", True),
    (("POST",), r"/api/validate-yaml", "validate", False),
    (("GET", "POST"), r"/api/collections", "collections", False),
    (("POST",), r"/api/collections/(?P<slug>[^/]+/[^/]+)/items?", "collection_items", True),
    (("GET",), r"/api/collections/(?P<slug>[^/]+/[^/]+)", "collection", False),
    (("GET",), r"/api/models/?", "models", False),
    (("POST",), rf"/api/models/{REPO}/branch/(?P<revision>.+)", "branch", True),
    (("POST",), rf"/api/models/{REPO}/preupload/(?P<revision>.+)", "preupload", True),
    (("POST",), rf"/api/models/{REPO}/commit/(?P<revision>.+)", "commit", True),
    (("GET",), rf"/api/models/{REPO}/revision/(?P<revision>.+)", "info", False),
    (("GET",), rf"/api/models/{REPO}/tree/(?P<revision>[^/]+)/?", "tree", False),
    (("GET",), rf"/api/models/{REPO}", "info", False),
    (("POST",), rf"/{REPO}\.git/info/lfs/objects/batch", "batch", True),
    (("PUT",), r"/lfs/(?P<oid>[0-9a-f]{64})", "object", False),
    (("GET", "HEAD"), rf"/{REPO}/resolve/(?P<revision>[^/]+)/(?P<file>.+)", "resolve", False),
]
"""Methods, path, function of `_Handler`, and whether the token is needed."""


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _header(card: Stored | None) -> dict[str, Any]:
    """The YAML header of a card."""
    if card is None or not card.raw.startswith(b"---\n"):
        return {}
    return yaml.safe_load(card.raw.split(b"---\n")[1]) or {}


@contextmanager
def serving() -> Iterator[LocalHub]:
    """Run the server in threads of this process."""
    hub = LocalHub()
    handler = type("Handler", (_Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    hub.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def point_at(monkeypatch: pytest.MonkeyPatch, endpoint: str, cache: Path) -> None:
    """Let huggingface_hub in this process use an endpoint and an empty cache, online."""
    from huggingface_hub import constants, file_download, hf_api

    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    changes = {
        "ENDPOINT": endpoint,
        "HUGGINGFACE_CO_URL_TEMPLATE": endpoint + "/{repo_id}/resolve/{revision}/{filename}",
        "HF_HUB_OFFLINE": False,
        "HF_HUB_CACHE": str(cache),
        "HF_HUB_DISABLE_XET": True,
    }
    for name, value in changes.items():
        monkeypatch.setattr(constants, name, value, raising=False)
        # some modules took their own copy when they were imported
        monkeypatch.setattr(file_download, name, value, raising=False)
    monkeypatch.setattr(hf_api.api, "endpoint", endpoint)
    from transformers.utils import hub

    monkeypatch.setattr(hub, "_is_offline_mode", False, raising=False)
    for name in ("TRANSFORMERS_CACHE", "default_cache_path"):
        monkeypatch.setattr(hub, name, str(cache), raising=False)
    _new_sessions()


def _new_sessions() -> None:
    """Forget the sessions that were made for another endpoint or offline."""
    from huggingface_hub.utils import _http

    for name in ("reset_sessions", "close_session"):  # of versions below and from 1.0
        if hasattr(_http, name):
            getattr(_http, name)()


class _NoWaiting:
    """The module ``time`` without ``sleep``."""

    def __getattr__(self, name: str) -> Any:
        return (lambda _: None) if name == "sleep" else getattr(time, name)


@pytest.fixture
def local_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    """A running Hub that huggingface_hub uses, with an empty cache and a token that may write."""
    from huggingface_hub.utils import _http

    with serving() as hub:
        point_at(monkeypatch, hub.endpoint, tmp_path / "hub-cache")
        monkeypatch.setattr(_http, "time", _NoWaiting())  # between attempts
        yield hub
    monkeypatch.undo()
    _new_sessions()
