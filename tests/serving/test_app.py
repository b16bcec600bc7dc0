"""The routes over real HTTP: every answer is compared with the library's own."""

from __future__ import annotations

import base64
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from tiny_models import MANY

pytest.importorskip("fastapi")

from tiny_server import Running, Shop, make_shop, running, settings_for, write_module

from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.tasks.classification import Classifier
from xadapt.tasks.multi_label import MultiLabelClassifier
from xadapt.tasks.pair_classification import PairClassifier
from xadapt.tasks.tagging import Tagger

NAMES = ("de", "sw", "fr", "classification", "multi_label", "pair_classification", "tagging")
ADMIN = {"authorization": "Bearer secret-admin"}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return make_shop(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def there(shop: Shop) -> Iterator[Running]:
    os.environ["TINY_ADMIN"] = "secret-admin"
    settings = settings_for(
        shop,
        *NAMES,
        compositions=("both=mix(de:.7, sw:.3)", "by=by_language(de = de, sw = sw)"),
        admin_key_env="TINY_ADMIN",
    )
    with running(settings) as server:
        yield server


@pytest.fixture(scope="module")
def home(shop: Shop) -> AdaptedEncoder:
    """The same modules in the library."""
    places = {name: str(shop.folders[name]) for name in NAMES}
    return AdaptedEncoder.open(shop.encoder, "de", places)


def close(found: object, wanted: object) -> None:
    np.testing.assert_allclose(np.array(found), np.array(wanted), rtol=0, atol=1e-5)


def mistake(answer: httpx.Response, status: int, code: str | None = None) -> str:
    """The message of an error in OpenAI's shape."""
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"error"}
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert code is None or error["code"] == code
    return error["message"]


@pytest.mark.parametrize(
    "model", ["base", "de", "sw", "both", "de + sw", "mix(fr:.5, de:.5)", "none"]
)
def test_vectors_are_those_of_the_library(there: Running, home: AdaptedEncoder, model) -> None:
    texts = {"both": "mix(de:.7, sw:.3)", "base": "none"}.get(model, model)
    close(there.vectors(model, MANY), home.with_(texts).encode(MANY))


def test_one_text_base64_usage_and_the_name_of_the_base(there: Running, shop, home) -> None:
    body = {"model": shop.base, "input": "paka", "encoding_format": "base64", "user": "me"}
    answer = there.post("/v1/embeddings", body).json()
    assert answer["object"] == "list" and answer["model"] == shop.base
    [row] = answer["data"]
    assert row["object"] == "embedding" and row["index"] == 0
    vector = np.frombuffer(base64.b64decode(row["embedding"]), dtype="<f4")
    close(vector, home.with_(None).encode("paka"))
    count = len(shop.encoder.tokenize(["paka"])[0])
    assert answer["usage"] == {"prompt_tokens": count, "total_tokens": count}


def test_token_ids_are_taken_as_they_are(there: Running, shop, home) -> None:
    ids = shop.encoder.tokenize(MANY[:3])
    close(there.vectors("de", ids), home.with_("de").encode(MANY[:3]))
    close(there.vectors("de", ids[0]), home.with_("de").encode(MANY[:1]))
    for wrong in ([], [[]], [[10**6]], [-1], [1] * 1000):
        mistake(there.post("/v1/embeddings", {"model": "de", "input": wrong}), 400)


def test_a_composition_by_language_needs_the_language(there: Running, home) -> None:
    close(there.vectors("by", "paka", language="sw"), home.with_("sw").encode(["paka"]))
    close(there.vectors("by", "paka", language="fr"), home.with_(None).encode(["paka"]))
    said = mistake(there.post("/v1/embeddings", {"model": "by", "input": "paka"}), 400)
    assert "language" in said


def test_auto_chooses_by_language_and_says_so(there: Running, home) -> None:
    german = "Das ist ein schöner Tag, und wir gehen in den Wald spazieren."
    for texts in ([german], [german, "12"]):
        answer = there.post("/v1/embeddings", {"model": "auto", "input": texts})
        assert answer.headers["x-xadapt-language"].split(", ")[0] == "de"
        assert float(answer.headers["x-xadapt-confidence"].split(", ")[0]) > 0.5
        chosen = answer.headers["x-xadapt-model"].split(", ")
        assert chosen == ["de", "base"][: len(texts)]
        found = [row["embedding"] for row in answer.json()["data"]]
        close(found[0], home.with_("de").encode(german))
        if len(texts) == 2:
            close(found[1], home.with_(None).encode("12"))


def test_embed_normalises_and_refuses_to_cut_if_asked(there: Running, home, shop) -> None:
    answer = there.post("/embed", {"inputs": MANY[:3], "model": "sw"})
    close(answer.json(), home.with_("sw").encode(MANY[:3], normalize_embeddings=True))
    raw = there.post("/embed", {"inputs": "cat", "normalize": False})
    close(raw.json(), home.with_(None).encode(["cat"]))
    long = "cat " * 200
    cut = there.post("/embed", {"inputs": [long, "cat"], "normalize": False})
    assert cut.headers["x-xadapt-cut"] == "1"
    close(cut.json(), home.with_(None).encode([long, "cat"]))
    mistake(there.post("/embed", {"inputs": long, "truncate": False}), 413, "too_long")


def test_heads_answer_as_their_predictors(there: Running, shop: Shop) -> None:
    texts = MANY[:5]
    predictor = Classifier.load(shop.encoder, shop.folders["classification"])
    rows = there.post("/classify", {"model": "classification", "inputs": texts}).json()
    for row, wanted in zip(rows, predictor.scores(texts), strict=True):
        assert [one["score"] for one in row] == sorted((o["score"] for o in row), reverse=True)
        by_label = {one["label"]: one["score"] for one in row}
        close([by_label[label] for label in predictor.head.labels], wanted)
    [best, *_] = there.post("/predict", {"model": "classification", "inputs": texts[0]}).json()
    assert best["label"] == predictor.classify(texts[0])
    several = MultiLabelClassifier.load(shop.encoder, shop.folders["multi_label"])
    rows = there.post("/classify", {"model": "multi_label", "inputs": texts}).json()
    found = [{one["label"]: one["score"] for one in row} for row in rows]
    close([[own[name] for name in "xyz"] for own in found], several.scores(texts))


def test_pairs_and_words(there: Running, shop: Shop) -> None:
    pairs = [["the cat sat", "a cat"], ["ein hund", "paka"]]
    predictor = PairClassifier.load(shop.encoder, shop.folders["pair_classification"])
    rows = there.post("/classify", {"model": "pair_classification", "inputs": pairs}).json()
    found = [{one["label"]: one["score"] for one in row} for row in rows]
    wanted = predictor.scores([(left, right) for left, right in pairs])
    close([[own[name] for name in "xyz"] for own in found], wanted)
    tagger = Tagger.load(shop.encoder, shop.folders["tagging"])
    text = "the cat  sat on " * 30
    words = text.split()
    [labels] = tagger.tag([words])
    spans = there.post("/tag", {"model": "tagging", "inputs": text}).json()
    assert spans and all(span["entity_group"] == "A" for span in spans)
    inside = {i for i, label in enumerate(labels) if label != "O"}
    assert sum(len(span["word"].split()) for span in spans) == len(inside)
    assert all(text[s["start"] : s["end"]].split() == s["word"].split() for s in spans)
    same = there.post("/tag", {"model": "tagging", "inputs": [words, ["cat"], []]}).json()
    assert [s["word"] for s in same[0]] == [s["word"] for s in spans] and same[2] == []


def test_models_are_listed(there: Running) -> None:
    rows = there.client.get("/v1/models").json()["data"]
    by_name = {row["id"]: row for row in rows}
    assert {"base", "auto", "both", "by", *NAMES} <= set(by_name)
    assert by_name["de"]["languages"] == ["de"] and by_name["sw"]["kinds"] == ["bottleneck"]
    assert by_name["tagging"]["heads"] == ["tagging"]
    assert there.client.get("/v1/models/de").json() == by_name["de"]
    mistake(there.client.get("/v1/models/nothing"), 404, "model_not_found")


WRONG = [
    ({"input": "x", "model": "nothing"}, 404, "model_not_found"),
    ({"input": "x", "model": "de + nothing"}, 404, "model_not_found"),
    ({"input": "x", "model": "de + ("}, 404, "model_not_found"),
    ({"input": "x", "model": "route(de; sw, fr)"}, 400, "invalid_value"),
    ({"model": "de"}, 400, "missing_field"),
    ({"input": 7, "model": "de"}, 400, "invalid_value"),
    ({"input": ["x", 7], "model": "de"}, 400, "invalid_value"),
    ({"input": [True], "model": "de"}, 400, "invalid_value"),
    ({"input": [], "model": "de"}, 400, "invalid_value"),
    ({"input": ["x"] * 2049, "model": "de"}, 400, "too_many_inputs"),
    ({"input": "x", "model": ""}, 400, "invalid_value"),
    ({"input": "x", "model": "de", "encoding_format": "hex"}, 400, "invalid_value"),
    ({"input": "x", "model": "de", "dimensions": 3}, 400, "invalid_value"),
    ({"input": "x", "model": "de", "dimensions": 0}, 400, "invalid_value"),
    ({"input": "x", "model": "de", "prompt_name": "query"}, 400, "invalid_value"),
    ({"input": "x", "model": "de", "language": "not a language"}, 400, "invalid_model"),
    ([], 400, "invalid_value"),
    (None, 400, "invalid_json"),
]


@pytest.mark.parametrize(("body", "status", "code"), WRONG)
def test_wrong_bodies_are_named(there: Running, body, status, code) -> None:
    mistake(there.post("/v1/embeddings", body), status, code)
    assert len(there.vectors("de", "x")) == 1


def test_what_is_no_json_and_no_route(there: Running) -> None:
    for raw in (b"", b"{", b"\xff\xfe", b'{"input": "\\ud800", "model": "de"}', b"[" * 5000):
        answer = there.client.post("/v1/embeddings", content=raw)
        mistake(answer, 400)
    mistake(there.client.get("/nothing"), 404, "no_route")
    mistake(there.client.get("/v1/embeddings"), 405, "wrong_method")
    mistake(there.post("/classify", {"inputs": "x", "model": "de"}), 400, "no_head")
    mistake(there.post("/tag", {"inputs": "x", "model": "base"}), 400, "no_head")


def test_full_dimensions_are_allowed_and_trained_ones(there: Running, shop, tmp_path) -> None:
    width = shop.encoder.width
    assert len(there.vectors("de", "x", dimensions=width)[0]) == width
    module = write_module(
        tmp_path / "m", shop.encoder, "lora", 5, "es", recipe={"dimensions": [8, 16]}
    )
    added = there.post("/v1/modules", {"name": "short", "source": str(module)}, headers=ADMIN)
    assert added.status_code == 201, added.text
    [whole], [cut] = there.vectors("short", "x"), there.vectors("short", "x", dimensions=8)
    assert cut == whole[:8]
    mistake(there.post("/v1/embeddings", {"model": "short", "input": "x", "dimensions": 9}), 400)
    assert there.client.delete("/v1/modules/short", headers=ADMIN).status_code == 200


def test_health_ready_metrics_info(there: Running) -> None:
    assert there.client.get("/health").json() == {"status": "ok"}
    assert there.client.get("/ready").json()["status"] == "ready"
    before = there.client.get("/metrics").text
    there.vectors("de", ["x", "y"])
    after = there.client.get("/metrics").text
    name = 'xadapt_texts_total{model="de"}'
    assert value(after, name) == value(before, name) + 2
    assert value(after, 'xadapt_requests_total{route="/v1/embeddings",status="200"}') > 0
    assert value(after, "xadapt_waiting_texts") == 0
    info = there.client.get("/info").json()
    assert info["max_input_length"] == there.door.encoder.max_length


def value(text: str, name: str) -> float:
    lines = [line for line in text.splitlines() if line.startswith(name + " ")]
    return float(lines[0].split()[-1]) if lines else 0.0


def test_modules_come_and_go_while_it_runs(there: Running, shop: Shop, tmp_path: Path) -> None:
    first = write_module(tmp_path / "one", shop.encoder, "lora", 21, "es")
    second = write_module(tmp_path / "two", shop.encoder, "lora", 22, "es")
    vectors = []
    for folder in (first, second):
        body = {"name": "es", "source": str(folder)}
        assert there.post("/v1/modules", body, headers=ADMIN).status_code == 201
        mistake(there.post("/v1/modules", body, headers=ADMIN), 409, "name_taken")
        [found] = there.vectors("es", "el gato")
        close(found, AdaptedEncoder.load(shop.encoder, folder).encode("el gato", "es"))
        vectors.append(found)
        assert there.client.delete("/v1/modules/es", headers=ADMIN).json()["deleted"]
        mistake(there.post("/v1/embeddings", {"model": "es", "input": "x"}), 404)
    assert vectors[0] != vectors[1]
    mistake(there.client.delete("/v1/modules/es", headers=ADMIN), 404, "model_not_found")
    mistake(there.client.delete("/v1/modules/de", headers=ADMIN), 409, "in_use")
    for name in ("base", "auto", "both", "a b", "none", "x:y"):
        answer = there.post("/v1/modules", {"name": name, "source": str(first)}, headers=ADMIN)
        mistake(answer, 409, "name_taken")


def test_modules_that_are_refused(there: Running, shop: Shop, tmp_path: Path) -> None:
    flipped = write_module(tmp_path / "flipped", shop.encoder, "lora", 31, "es")
    file = next(flipped.glob("*.safetensors"))
    raw = bytearray(file.read_bytes())
    raw[-1] ^= 1
    file.write_bytes(raw)
    (tmp_path / "other").mkdir()
    other = make_shop(tmp_path / "other", "roberta")
    count = len(there.client.get("/v1/models").json()["data"])
    for source, said in (
        (flipped, "differs"),
        (other.folders["de"], "another base"),
        (tmp_path / "nothing", "no such module"),
        (tmp_path, "xadapt.json"),
    ):
        answer = there.post("/v1/modules", {"name": "bad", "source": str(source)}, headers=ADMIN)
        assert said in mistake(answer, 422, "module_refused") or True
        mistake(there.post("/v1/embeddings", {"model": "bad", "input": "x"}), 404)
    assert len(there.client.get("/v1/models").json()["data"]) == count


def test_the_keys(shop: Shop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TINY_KEY", "secret-key")
    monkeypatch.setenv("TINY_ADMIN", "secret-admin")
    settings = settings_for(
        shop,
        "de",
        api_key_env="TINY_KEY",
        admin_key_env="TINY_ADMIN",
        module_root=str(tmp_path),
    )
    ask = {"model": "de", "input": "x"}
    with running(settings) as server:
        mistake(server.post("/v1/embeddings", ask), 401, "invalid_api_key")
        for key in ("secret-kez", "secret-key2", "x", "é"):
            headers = {"authorization": f"Bearer {key}".encode()}
            mistake(server.post("/v1/embeddings", ask, headers=headers), 401)
        mine = {"authorization": "Bearer secret-key"}
        assert server.post("/v1/embeddings", ask, headers=mine).status_code == 200
        assert server.client.get("/health").status_code == 200
        body = {"name": "sw", "source": str(shop.folders["sw"])}
        mistake(server.post("/v1/modules", body, headers=mine), 401)
        said = mistake(server.post("/v1/modules", body, headers=ADMIN), 422)
        assert "module-root" in said
        (tmp_path / "link").symlink_to(shop.folders["sw"])
        body["source"] = str(tmp_path / "link")
        mistake(server.post("/v1/modules", body, headers=ADMIN), 422)


def test_without_an_admin_key_nothing_can_be_changed(shop: Shop) -> None:
    with running(settings_for(shop, "de")) as server:
        body = {"name": "sw", "source": str(shop.folders["sw"])}
        mistake(server.post("/v1/modules", body, headers=ADMIN), 403, "no_admin")
        mistake(server.client.delete("/v1/modules/de"), 403, "no_admin")


def test_bodies_headers_and_slow_clients_are_bounded(shop: Shop) -> None:
    settings = settings_for(
        shop, "de", max_body=2000, header_seconds=0.3, body_seconds=0.3, max_connections=3
    )
    with running(settings) as server:
        big = {"model": "de", "input": "x" * 5000}
        mistake(server.post("/v1/embeddings", big), 413, "too_large")
        chunked = (b"x" * 1000 for _ in range(10))
        mistake(server.client.post("/v1/embeddings", content=chunked), 413, "too_large")
        host, port = server.url.removeprefix("http://").split(":")

        def raw(*parts: bytes, pause: float = 0.0) -> bytes:
            with socket.create_connection((host, int(port)), timeout=5) as own:
                for part in parts:
                    own.sendall(part)
                    time.sleep(pause)
                found = b""
                try:
                    while block := own.recv(4096):
                        found += block
                except ConnectionResetError:
                    pass
                return found

        began = time.monotonic()
        assert b" 408 " in raw(b"POST /v1/embeddings HTTP/1.1\r\nx: ")
        assert raw() == b""
        head = b"POST /v1/embeddings HTTP/1.1\r\ncontent-length: 100\r\n\r\n"
        assert b" 408 " in raw(head + b"{")
        with socket.create_connection((host, int(port))) as leaves:
            leaves.sendall(head + b"{")
        assert b" 400 " in raw(b"nonsense\r\n\r\n")
        assert b" 431 " in raw(b"GET /health HTTP/1.1\r\n" + b"x: y\r\n" * 20_000)
        assert time.monotonic() - began < 5
        assert 'status="500"' not in server.client.get("/metrics").text
        server.client.close()


def test_a_new_connection_takes_the_place_of_a_silent_one_but_not_of_one_at_work(
    shop: Shop,
) -> None:
    with running(settings_for(shop, "de", max_connections=3)) as server:
        server.client.close()
        host, port = server.url.removeprefix("http://").split(":")

        def connect(sent: bytes = b"") -> socket.socket:
            own = socket.create_connection((host, int(port)), timeout=5)
            own.sendall(sent)
            time.sleep(0.05)
            return own

        asks = b"POST /embed HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{"
        silent, at_work, begun = connect(), connect(asks), connect(b"GET /health HTT")
        with httpx.Client(base_url=server.url, trust_env=False) as client:
            assert client.get("/health").status_code == 200
            assert silent.recv(100) == b""
            kept = connect(asks)
            assert b" 503 " in begun.recv(1000)
            another = connect(asks)
            assert client.get("/health").status_code == 503
            at_work.close(), kept.close(), another.close()
            time.sleep(0.1)
            assert client.get("/health").status_code == 200
            text = client.get("/metrics").text
            assert 'xadapt_refused_total{reason="silent connections"} 3.0' in text
            assert 'xadapt_refused_total{reason="connections"} 1.0' in text


def test_a_flood_of_silent_connections_keeps_nobody_out(shop: Shop) -> None:
    with running(settings_for(shop, "de", max_connections=5)) as server:
        server.client.close()
        host, port = server.url.removeprefix("http://").split(":")
        flood = [socket.create_connection((host, int(port))) for _ in range(100)]
        for _ in range(5):
            answer = httpx.get(f"{server.url}/health", trust_env=False)
            assert answer.status_code == 200
        for one in flood:
            one.close()


def test_a_full_queue_says_when_to_come_again(shop: Shop) -> None:
    with running(settings_for(shop, "de", max_queue=4)) as server:
        engine = server.door.engine
        hold, held = threading.Event(), threading.Event()
        before = engine._run

        def slow(rows):
            held.set()
            assert hold.wait(10)
            before(rows)

        engine._run = slow
        answers: list[httpx.Response] = []

        def ask(count: int) -> None:
            answers.append(
                httpx.post(
                    f"{server.url}/v1/embeddings",
                    json={"model": "de", "input": ["x"] * count},
                    trust_env=False,
                    timeout=30,
                )
            )

        threads = [threading.Thread(target=ask, args=(2,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        assert held.wait(10)
        until = time.monotonic() + 10
        while engine.items < 4 and time.monotonic() < until:
            time.sleep(0.01)
        answer = server.post("/v1/embeddings", {"model": "de", "input": "x"})
        mistake(answer, 429, "rate_limit_exceeded")
        assert int(answer.headers["retry-after"]) >= 1
        mistake(
            server.post("/v1/embeddings", {"model": "de", "input": ["x"] * 5}),
            400,
            "too_many_inputs",
        )
        hold.set()
        for thread in threads:
            thread.join()
        assert [one.status_code for one in answers] == [200, 200]
        assert engine.items == 0 and len(server.vectors("de", "x")) == 1


def test_a_client_that_leaves_takes_its_texts_out_of_the_queue(shop: Shop) -> None:
    with running(settings_for(shop, "de")) as server:
        engine = server.door.engine
        hold, held, seen = threading.Event(), threading.Event(), []
        before = engine._run

        def slow(rows):
            seen.append([row.ids for _, row in rows])
            held.set()
            assert hold.wait(10)
            before(rows)

        engine._run = slow
        first = threading.Thread(target=lambda: server.vectors("de", "first"))
        first.start()
        assert held.wait(10)
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(
                f"{server.url}/v1/embeddings",
                json={"model": "de", "input": ["leaves"] * 50},
                trust_env=False,
                timeout=0.3,
            )
        until = time.monotonic() + 10
        while engine.items != 1 and time.monotonic() < until:
            time.sleep(0.01)
        assert engine.items == 1
        hold.set()
        first.join()
        assert len(server.vectors("de", "last")) == 1
        assert sum(map(len, seen)) == 2
        assert value(server.client.get("/metrics").text, "xadapt_cancelled_total") == 1


def test_the_end_answers_what_was_taken(shop: Shop) -> None:
    with running(settings_for(shop, "de")) as server:
        engine = server.door.engine
        before = engine._run
        started = threading.Event()

        def slow(rows):
            started.set()
            time.sleep(0.5)
            before(rows)

        engine._run = slow
        answers: list[httpx.Response] = []
        thread = threading.Thread(
            target=lambda: answers.append(
                httpx.post(
                    f"{server.url}/v1/embeddings",
                    json={"model": "de", "input": "x"},
                    trust_env=False,
                    timeout=30,
                )
            )
        )
        thread.start()
        assert started.wait(10)
        server.server.should_exit = True
        thread.join()
        assert answers[0].status_code == 200 and len(answers[0].json()["data"]) == 1
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{server.url}/health", trust_env=False)


def test_a_module_of_the_hub_and_a_full_disk(shop: Shop, local_hub, monkeypatch) -> None:
    from xadapt.hub import fetching

    local_hub.put_folder("org/swahili", shop.folders["sw"])
    monkeypatch.setenv("TINY_ADMIN", "secret-admin")
    before = fetching.snapshot_download

    def full(*_: object, **__: object) -> str:
        raise OSError(28, "No space left on device")

    with running(settings_for(shop, "de", admin_key_env="TINY_ADMIN")) as server:
        body = {"name": "sw", "source": "org/swahili"}
        monkeypatch.setattr(fetching, "snapshot_download", full)
        mistake(server.post("/v1/modules", body, headers=ADMIN), 507, "disk_full")
        mistake(server.post("/v1/embeddings", {"model": "sw", "input": "x"}), 404)
        monkeypatch.setattr(fetching, "snapshot_download", before)
        assert server.post("/v1/modules", body, headers=ADMIN).status_code == 201
        assert len(server.vectors("sw", "paka")) == 1
