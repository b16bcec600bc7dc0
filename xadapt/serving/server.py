"""One process that serves: it loads the base and modules, listens, and ends gracefully."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.core.errors import UserError, missing_extra
from xadapt.hub.fetching import module_folder
from xadapt.serving.app import build_app
from xadapt.serving.connections import protocol_class
from xadapt.serving.door import Door
from xadapt.serving.metrics import Metrics
from xadapt.serving.model_table import ModelTable, default_name
from xadapt.serving.settings import Settings
from xadapt.serving.shared_table import SharedTable

try:
    import uvicorn
except ModuleNotFoundError:
    raise missing_extra("uvicorn", "serve") from None

BACKLOG = 2048
SPARE_FILES = 64
"""Open files that are left for everything but connections."""


def listen(settings: Settings) -> socket.socket:
    """Open the socket that connections come to.

    Raises:
        UserError: If the address can't be used.
    """
    try:
        found = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)
        family, kind, protocol, _, address = found[0]
        own = socket.socket(family, kind, protocol)
        own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        own.bind(address)
        own.listen(BACKLOG)
    except OSError as error:
        raise UserError(
            f"can't listen ({error.strerror or error})",
            where=f"{settings.host}:{settings.port}",
            todo="Name another --host or --port",
        ) from None
    own.set_inheritable(True)
    return own


def first_modules(settings: Settings, shared: SharedTable) -> None:
    """Find the folders of the first modules, fetch those of the Hub, and list them.

    Raises:
        UserError: If there is no such module, or two have the same name.
    """
    if len(settings.modules) > settings.max_modules:
        raise UserError(f"{len(settings.modules)} modules, and {settings.max_modules} are allowed")
    found: list[tuple[str, str, str]] = []
    for given in settings.modules:
        name, source = default_name(given)
        if any(name == own for own, _, _ in found):
            raise UserError(
                f"two modules are named {name!r}", where=given, todo="Name them: NAME=FOLDER"
            )
        found.append((name, source, module_folder(source)))
    shared.create(found)


def load_door(
    settings: Settings, shared: SharedTable, crashed: Callable[[], None] = lambda: None
) -> Door:
    """Load the base and all modules.

    Raises:
        UserError: If one of them can't be loaded.
    """
    encoder = Encoder.from_pretrained(settings.base, dtype=settings.dtype, device=settings.device)
    table = ModelTable(encoder, settings.base, settings.compositions, settings.allow_modified)
    for entry in shared.read().entries:
        table.require_name(entry.name)
        table.put(table.load(entry.name, entry.source, entry.folder, entry.serial))
    for name in table.compositions:
        try:
            target = table.resolve(name, None if not _by_language(table, name) else "zxx")
        except Exception as error:
            raise UserError(str(error), where=name) from None
        del target
    if settings.default_model != "auto":
        try:
            table.resolve(settings.default_model)
        except Exception as error:
            raise UserError(str(error), where="--default-model") from None
    return Door(settings, encoder, table, shared, Metrics(), crashed)


class Server(uvicorn.Server):
    """A server of uvicorn that leaves signals to `serving`."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Do nothing."""
        yield


async def serving(
    door: Door,
    sockets: list[socket.socket],
    started: Callable[[Server], None] = lambda _: None,
    lifeline: int | None = None,
) -> None:
    """Serve until SIGTERM, SIGINT or the end of the parent; then answer accepted requests.

    Args:
        door: What is served.
        sockets: Where connections come from.
        started: Called once requests are taken.
        lifeline: A pipe whose end means that the parent is gone.
    """
    loop = asyncio.get_running_loop()
    settings = _within_files(door.settings)
    config = uvicorn.Config(
        build_app(door),  # type: ignore[arg-type]
        http=protocol_class(settings, door.metrics),  # type: ignore[arg-type]
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=int(max(1, settings.idle_seconds)),
        timeout_graceful_shutdown=int(max(1, settings.grace_seconds)),
    )
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    server = Server(config)

    def end(*_: Any) -> None:
        door.stopping = True
        server.should_exit = True

    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, end)
    if lifeline is not None:
        loop.add_reader(lifeline, end)
    door.open()
    announce = asyncio.ensure_future(_announce(server, started))
    try:
        await server.serve(sockets)
    finally:
        announce.cancel()
        if lifeline is not None:
            loop.remove_reader(lifeline)
        await asyncio.to_thread(door.close)


async def _announce(server: Server, started: Callable[[Server], None]) -> None:
    while not server.started:
        await asyncio.sleep(0.01)
    started(server)


def serve_alone(settings: Settings, started: Callable[[str, Door], None] = lambda *_: None) -> None:
    """Serve in this process until SIGTERM or SIGINT.

    Args:
        settings: The settings.
        started: Called with the address and the door once requests are taken.

    Raises:
        UserError: If the address, the base or a module can't be used, or the engine has stopped.
    """
    shared = SharedTable()
    first_modules(settings, shared)
    own = listen(settings)
    crashes: list[bool] = []
    servers: list[Server] = []

    def crashed() -> None:
        crashes.append(True)
        for server in servers:
            server.should_exit = True

    door = load_door(settings, shared, crashed)

    def ready(server: Server) -> None:
        servers.append(server)
        started(address_of(own), door)

    with own:
        asyncio.run(serving(door, [own], ready))
    if crashes:
        raise RuntimeError("the engine has stopped")


def address_of(own: socket.socket) -> str:
    """Return the address of a socket as a URL."""
    host, port = own.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _within_files(settings: Settings) -> Settings:
    """Bound the connections by the open files that this process may have."""
    try:
        import resource
    except ImportError:
        return settings
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = settings.max_connections + SPARE_FILES
    if soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
            soft = most
    allowed = max(1, soft - SPARE_FILES)
    return replace(settings, max_connections=min(settings.max_connections, allowed))


def _by_language(table: ModelTable, name: str) -> bool:
    from xadapt.composition.by_language import choices

    return bool(choices(table.compositions[name]))


def state_file(folder: Path) -> Path:
    """Return the file of the list of modules in a folder of the supervisor."""
    return folder / "modules.json"
