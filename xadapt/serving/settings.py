"""Settings of the server: what is served, where, and the bounds of every resource."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from typing import Any

from xadapt.core.errors import UserError

MAX_INPUTS = 2048
"""Most texts of one request, as in OpenAI's API."""


@dataclass(frozen=True)
class Settings:
    """Settings of a server; all sizes and times have a bound.

    Attributes:
        base: Hub id, folder, ``package:NAME/SUBDIR`` or ``mini``.
        modules: Folders or Hub ids, ``NAME=FOLDER`` with a name.
        compositions: Compositions with a name, ``NAME=COMPOSITION``.
        host: Address to listen on.
        port: Port; 0 takes a free one.
        workers: Number of processes; each holds the base.
        dtype: Type of the base's weights.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        default_model: The model of a request that names none.
        normalize: Whether vectors of ``/v1/embeddings`` have length 1, whatever the base does.
        min_confidence: ``auto`` takes the bare base below this confidence of the detector.
        max_batch_tokens: Most padded tokens in one forward.
        max_wait_ms: How long a request waits for others to share its forward, in milliseconds.
        max_queue: Most texts that wait or are computed; beyond, requests get 429.
        max_body: Most bytes of a request's body; beyond, 413.
        max_held: Most bytes of all bodies that are held at once; beyond, 429.
        max_connections: Most connections of a process; beyond, the longest silent one ends.
        max_modules: Most modules that may be loaded.
        api_key_env: Environment variable with the key that clients must send.
        admin_key_env: Environment variable with the key for adding and removing modules.
        module_root: The only folder from which modules may be added by a path.
        header_seconds: Time for the headers of a request.
        body_seconds: Time for the body of a request.
        idle_seconds: Time that a connection may stay open between requests.
        write_seconds: Time that a client may take to read a part of an answer.
        request_seconds: Time from the body to the answer.
        grace_seconds: Time to answer accepted requests after SIGTERM.
        allow_modified: Load folders that were modified after publication.
    """

    base: str
    modules: tuple[str, ...] = ()
    compositions: tuple[str, ...] = ()
    host: str = "127.0.0.1"
    port: int = 8080
    workers: int = 1
    dtype: str = "auto"
    device: str = "auto"
    default_model: str = "base"
    normalize: bool = False
    min_confidence: float = 0.5
    max_batch_tokens: int = 4096
    max_wait_ms: float = 3.0
    max_queue: int = 4096
    max_body: int = 8 << 20
    max_held: int = 64 << 20
    max_connections: int = 1000
    max_modules: int = 1000
    api_key_env: str | None = None
    admin_key_env: str | None = None
    module_root: str | None = None
    header_seconds: float = 10.0
    body_seconds: float = 30.0
    idle_seconds: float = 30.0
    write_seconds: float = 30.0
    request_seconds: float = 120.0
    grace_seconds: float = 30.0
    allow_modified: bool = False

    def __post_init__(self) -> None:
        least = {
            "workers": 1,
            "max_batch_tokens": 1,
            "max_wait_ms": 0,
            "max_queue": 1,
            "max_body": 1024,
            "max_connections": 1,
            "max_modules": 0,
        }
        for name, low in least.items():
            if not getattr(self, name) >= low:
                raise UserError(
                    f"{name.replace('_', '-')} is {getattr(self, name)}, and must be {low} or more"
                )
        if not 0 <= self.port <= 65535:
            raise UserError(f"there is no port {self.port}", todo="Name one from 0 to 65535")
        if not 0 <= self.min_confidence <= 1:
            raise UserError(f"a confidence is from 0 to 1, not {self.min_confidence}")
        if self.workers > 1 and os.name != "posix":
            raise UserError("several workers need Linux or macOS", todo="Leave out --workers")
        for variable in (self.api_key_env, self.admin_key_env):
            self.key(variable)

    def key(self, variable: str | None) -> str | None:
        """Return the key in an environment variable, ``None`` where no variable is named.

        Raises:
            UserError: If the variable is empty or not set.
        """
        if variable is None:
            return None
        value = os.environ.get(variable, "").strip()
        if not value:
            raise UserError(
                "this environment variable is empty or not set",
                where=variable,
                todo="Put the key into it before the server starts",
            )
        return value

    @property
    def max_inputs(self) -> int:
        """Most texts of one request."""
        return min(MAX_INPUTS, self.max_queue)

    def to_json(self) -> str:
        """Write the settings as JSON, for a worker; keys are not in it."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Settings:
        """Read settings that `to_json` wrote."""
        row: dict[str, Any] = json.loads(text)
        for name in ("modules", "compositions"):
            row[name] = tuple(row[name])
        return cls(**row)
