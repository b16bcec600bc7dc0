"""``xadapt serve``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from xadapt.cli import launched, options
from xadapt.cli.verbs import Verb

BOUNDS = "Bounds"
KEYS = "Keys"


def serve(
    base: options.BaseOption,
    module: options.ModuleOption = None,
    compose: Annotated[
        list[str] | None,
        typer.Option(
            "--compose",
            metavar="NAME=COMPOSITION",
            help="A composition of the modules as a model of its own. Several: repeat the option.",
        ),
    ] = None,
    host: Annotated[
        str, typer.Option(metavar="HOST", help="Address to listen on; 0.0.0.0 for all.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="N", help="Port; 0 takes a free one.")] = 8080,
    workers: Annotated[
        int, typer.Option(metavar="N", min=1, help="Processes; each holds the base.")
    ] = 1,
    default_model: Annotated[
        str,
        typer.Option(metavar="NAME", help="Model of a request without one: base, auto or a name."),
    ] = "base",
    min_confidence: Annotated[
        float,
        typer.Option(
            metavar="P", help="The model auto takes the base below this confidence of the language."
        ),
    ] = 0.5,
    normalize: Annotated[
        bool, typer.Option("--normalize", help="Divide each vector by its norm.")
    ] = False,
    dtype: options.DtypeOption = "auto",
    device: Annotated[str, typer.Option(metavar="NAME", help="auto, cpu, cuda or mps.")] = "auto",
    max_batch_tokens: Annotated[
        int,
        typer.Option(
            metavar="N", min=1, rich_help_panel=BOUNDS, help="Most padded tokens in one forward."
        ),
    ] = 4096,
    max_wait_ms: Annotated[
        float,
        typer.Option(
            metavar="MS",
            min=0,
            rich_help_panel=BOUNDS,
            help="How long a request waits for others to share its forward.",
        ),
    ] = 3.0,
    max_queue: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=1,
            rich_help_panel=BOUNDS,
            help="Most texts that wait; beyond, requests get 429.",
        ),
    ] = 4096,
    max_body_mb: Annotated[
        float,
        typer.Option(metavar="MB", min=0.01, rich_help_panel=BOUNDS, help="Largest body."),
    ] = 8.0,
    max_connections: Annotated[
        int,
        typer.Option(
            metavar="N", min=1, rich_help_panel=BOUNDS, help="Most connections of a process."
        ),
    ] = 1000,
    max_modules: Annotated[
        int, typer.Option(metavar="N", min=0, rich_help_panel=BOUNDS, help="Most modules.")
    ] = 1000,
    timeout: Annotated[
        float,
        typer.Option(
            metavar="S",
            min=1,
            rich_help_panel=BOUNDS,
            help="Seconds until an answer at most.",
        ),
    ] = 120.0,
    api_key_env: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            rich_help_panel=KEYS,
            help="Environment variable with the key that clients must send.",
        ),
    ] = None,
    admin_key_env: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            rich_help_panel=KEYS,
            help="Environment variable with the key for adding and removing modules.",
        ),
    ] = None,
    module_root: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER",
            rich_help_panel=KEYS,
            help="The only folder from which modules may be added by a path.",
        ),
    ] = None,
    json: options.JsonOption = None,
    allow_modified: options.AllowModifiedOption = False,
) -> None:
    """Serve vectors of many modules over HTTP, for clients of OpenAI's API.

    Ctrl-C or SIGTERM ends the server after it has answered what it took.
    """
    with launched.progress("starting"):
        from xadapt.serving.server import serve_alone
        from xadapt.serving.settings import Settings
        from xadapt.serving.supervisor import Supervisor

    settings = Settings(
        base=base,
        modules=tuple(options.split(module)),
        compositions=tuple(compose or ()),
        host=host,
        port=port,
        workers=workers,
        dtype=dtype,
        device=device,
        default_model=default_model,
        normalize=normalize,
        min_confidence=min_confidence,
        max_batch_tokens=max_batch_tokens,
        max_wait_ms=max_wait_ms,
        max_queue=max_queue,
        max_body=int(max_body_mb * 2**20),
        max_held=8 * int(max_body_mb * 2**20),
        max_connections=max_connections,
        max_modules=max_modules,
        request_seconds=timeout,
        api_key_env=api_key_env,
        admin_key_env=admin_key_env,
        module_root=module_root,
        allow_modified=allow_modified,
    )
    if api_key_env is None and host not in ("127.0.0.1", "localhost", "::1"):
        typer.echo(f"{host}: anybody who reaches this address may use it (--api-key-env)", err=True)

    def started(address: str, pids: list[int]) -> None:
        typer.echo(f"xadapt serves {base} at {address}/v1 (Ctrl-C ends it)", err=True)
        found: dict[str, Any] = {"command": "serve", "address": address, "workers": pids}
        options.save_json(json, found)

    if workers == 1:
        import os

        serve_alone(settings, lambda address, _: started(address, [os.getpid()]))
    else:
        Supervisor(settings, started, lambda line: typer.echo(line, err=True)).run()


VERBS = (
    Verb(
        "serve",
        "Serve",
        serve,
        (
            "xadapt serve --base mini --module sw --module de",
            "xadapt serve --base mini --module sw,de --compose 'both=mix(sw:.5, de:.5)' \\\n"
            "  --workers 2 --api-key-env KEY",
        ),
    ),
)
