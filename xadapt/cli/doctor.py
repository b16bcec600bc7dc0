"""``xadapt doctor``."""

from __future__ import annotations

import platform
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from xadapt import integrations
from xadapt.cli import launched, options
from xadapt.cli.verbs import Verb


def doctor(
    clear_cache: Annotated[
        bool, typer.Option("--clear-cache", help="Remove all cached activations.")
    ] = False,
    json: options.JsonOption = None,
) -> None:
    """Show versions, device, usable loaders and the cache of activations."""
    with launched.progress("starting"):
        import torch

        from xadapt.backbones.cache.folder import cache_folder, clear, parts
        from xadapt.backbones.loading import choose_device, choose_dtype
        from xadapt.hub.manifest import software_versions

    folder = cache_folder()
    if clear_cache:
        clear(folder)
    cached = parts(folder)
    device = choose_device("auto")
    with launched.progress("importing the libraries that load modules"):
        loaders = {f"loader {n}": reason or "usable" for n, reason in integrations.usable().items()}
    facts = {
        "python": platform.python_version(),
        **software_versions(),
        "device": f"{device}, {torch.get_num_threads()} threads",
        "dtype": str(choose_dtype("auto", device)).removeprefix("torch."),
        "cache": f"{folder}, {sum(part.bytes for part in cached) / 1e6:.1f} MB",
        **{
            f"cache, {p.name}": f"{p.files} files, {p.bytes / 1e6:.1f} MB, {p.folder.name}/"
            for p in cached
        },
        **loaders,
    }
    table = Table("what", "found")
    for key, value in facts.items():
        table.add_row(key, str(value))
    Console(highlight=False).print(table)
    told = {p.name: {"folder": str(p.folder), "files": p.files, "bytes": p.bytes} for p in cached}
    options.save_json(json, {**facts, "cached": told})


VERBS = (
    Verb(
        "doctor",
        "Help",
        doctor,
        ("xadapt doctor", "xadapt doctor --clear-cache --json doctor.json"),
    ),
)
