"""A server on loopback that speaks OpenAI's API of chat completions, and fails as real ones do.

What it replies is decided by a function of the messages, and whether the reply is spoilt by a hash
of the messages. Whether a request fails is decided by a hash of the messages and of how often they
were asked. So every run meets the same faults.
"""

from __future__ import annotations

import hashlib
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Messages = list[dict[str, str]]
LATER = ("429", "500", "cut")
"""Faults after which the same request may succeed."""
SPOILT = ("length", "json", "refusal")
"""Faults of a reply that came."""
FAULTS = ("429", "500", "cut", "json", "refusal")


class ModelServer:
    """What a test asks of the server, and what the server saw.

    Args:
        brain: From the messages to the text of the reply.
        share: Share of requests that fail.
        faults: How they fail, each as often.
        seed: Changes which ones fail.
        delay: Seconds before each reply.

    Attributes:
        url: The address, up to ``/v1``.
        requests: By hash of the messages, how often they were asked.
        answered: By hash of the messages, how often a whole reply was sent.
        sent: By fault (``good`` for none), how many replies were sent.
        bodies: The last requests, as JSON.
        headers: The headers of the last request, by name in lower case.
        replies: Statuses, headers and bodies to send in place of the next replies.
    """

    def __init__(
        self,
        brain: Callable[[Messages], str] = lambda messages: messages[-1]["content"],
        *,
        share: float = 0.0,
        faults: Sequence[str] = FAULTS,
        seed: int = 0,
        delay: float = 0.0,
    ) -> None:
        self.brain, self.share, self.faults = brain, share, tuple(faults)
        self.seed, self.delay, self.url = seed, delay, ""
        self.requests: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.sent: Counter[str] = Counter()
        self.bodies: list[dict[str, Any]] = []
        self.headers: dict[str, str] = {}
        self.replies: list[tuple[int, dict[str, str], Any]] = []
        self.most = self._now = 0
        self.lock = threading.Lock()

    def fault(self, digest: str, number: int) -> str:
        """Return the fault of a request, or ``good``."""
        later = [name for name in self.faults if name in LATER]
        spoilt = [name for name in self.faults if name in SPOILT]
        failing = self.share * len(later) / len(self.faults)
        drawn = random.Random(f"{self.seed} {digest} {number}")
        if later and drawn.random() < failing:
            return drawn.choice(later)
        drawn = random.Random(f"{self.seed} {digest}")
        bad = spoilt and drawn.random() < (self.share - failing) / max(1 - failing, 1e-9)
        return drawn.choice(spoilt) if bad else "good"

    def answer(self, body: dict[str, Any], write: Callable[..., None]) -> None:
        """Answer one request."""
        text = json.dumps([body["messages"], body.get("max_tokens")], sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()
        with self.lock:
            number = self.requests[digest]
            self.requests[digest] += 1
            self.bodies.append(body)
            self._now += 1
            self.most = max(self.most, self._now)
            given = self.replies.pop(0) if self.replies else None
            kind = "given" if given else self.fault(digest, number)
        time.sleep(self.delay)
        try:
            if given is not None:
                write(*given)
            else:
                self._send(kind, body, write)
        finally:
            with self.lock:
                self._now -= 1
                self.sent[kind] += 1
                self.answered[digest] += kind not in LATER and kind != "given"

    def _send(self, kind: str, body: dict[str, Any], write: Callable[..., None]) -> None:
        if kind == "429":
            write(429, {"Retry-After": "0.01"}, {"error": {"message": "too many requests"}})
        elif kind == "500":
            write(500, {}, {"error": {"message": "out of order"}})
        else:
            whole = self.brain(body["messages"])
            text = {"length": whole[: len(whole) // 2], "json": f"Sure: {whole[:-1]},"}.get(
                kind, whole
            )
            message: dict[str, Any] = {"role": "assistant", "content": text}
            if kind == "refusal":
                message |= {"content": None, "refusal": "I can't help with this passage."}
            usage = {"prompt_tokens": sum(len(m["content"].split()) for m in body["messages"]),
                     "completion_tokens": len(text.split())}  # fmt: skip
            write(200, {}, completion(message, "length" if kind == "length" else "stop", usage),
                  cut=kind == "cut")  # fmt: skip


def completion(message: dict[str, Any], finish: str = "stop", usage: Any = None) -> dict[str, Any]:
    """The body of an answer."""
    choice = {"index": 0, "message": message, "finish_reason": finish}
    return {"id": "x", "object": "chat.completion", "created": 0, "model": "tiny",
            "choices": [choice], "usage": usage}  # fmt: skip


@contextmanager
def serving(*given: Any, port: int = 0, **options: Any) -> Iterator[ModelServer]:
    """Run a server inside the block, on a free port unless one is named."""
    model = ModelServer(*given, **options)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            model.headers = {k.lower(): v for k, v in self.headers.items()}
            model.answer(body, self._write)

        def _write(
            self, status: int, headers: dict[str, str], body: Any, cut: bool = False
        ) -> None:
            raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw[: len(raw) // 2] if cut else raw)
            self.wfile.flush()
            self.close_connection = self.close_connection or cut

        def log_message(self, *_: Any) -> None:
            """Be silent."""

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, *_: Any) -> None:
            """A client that was killed is no fault of the server."""

    server = Quiet(("127.0.0.1", port), Handler)
    model.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield model
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
