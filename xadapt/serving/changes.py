"""Modules that come and go while the server runs, in this process and in its fellow workers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress

from torch import nn

from xadapt.core.errors import UserError
from xadapt.serving.bodies import ModuleBody
from xadapt.serving.errors import RequestError
from xadapt.serving.model_table import ModelTable, Served, allowed_folder
from xadapt.serving.settings import Settings
from xadapt.serving.shared_table import Entry, Listing, SharedTable, Stamp

FULL = "No space left"
"""What the system says of a full disk, in the errors of every layer above it."""


class ModuleChanges:
    """Adds and removes modules, and follows what other workers do.

    Args:
        settings: The bounds.
        table: The models of this process.
        shared: The list of modules of all workers.
        changed: Called with the modules that are served no more after a change, by key.
    """

    def __init__(
        self,
        settings: Settings,
        table: ModelTable,
        shared: SharedTable,
        changed: Callable[[Mapping[str, nn.Module]], None],
    ) -> None:
        self.settings, self.table, self.shared, self._changed = settings, table, shared, changed
        self._stamp: Stamp | None = None
        self._loading, self._applying = asyncio.Lock(), asyncio.Lock()

    async def add(self, body: ModuleBody) -> dict[str, object]:
        """Fetch, verify, load and serve one more module; requests go on meanwhile.

        Raises:
            RequestError: If there are too many, the name is taken, the disk is full, or the module
                is refused.
        """
        await self.synchronise()
        async with self._loading:
            served, folder = await asyncio.to_thread(self._load, body.name, body.source)
            async with self._applying:
                await asyncio.to_thread(self._serve, served, folder)
        return next(one for one in self.table.entries() if one["id"] == body.name)

    async def remove(self, name: str) -> None:
        """Serve a module no more; accepted requests keep it.

        Raises:
            RequestError: If there is no such module, or a composition names it.
        """
        await self.synchronise()
        async with self._applying:
            self.table.require_unused(name)
            listing = await asyncio.to_thread(self.shared.change, lambda own: own.without(name))
            self._follow(listing)

    async def synchronise(self) -> None:
        """Load what other workers added, and forget what they removed."""
        if self.shared.stamp() == self._stamp:
            return
        async with self._applying:
            stamp = self.shared.stamp()
            if stamp != self._stamp:
                await asyncio.to_thread(lambda: self._follow(self.shared.read()))
                self._stamp = stamp

    def _load(self, name: str, source: str) -> tuple[Served, str]:
        """Fetch, verify and load a module that is not served yet."""
        if len(self.table.served) >= self.settings.max_modules:
            raise self._too_many()
        try:
            self.table.require_name(name)
        except UserError as error:
            raise _taken(str(error)) from None
        try:
            folder = allowed_folder(source, self.settings.module_root)
            return self.table.load(name, source, folder, self.shared.reserve()), folder
        except UserError as error:
            status, code = (507, "disk_full") if FULL in str(error) else (422, "module_refused")
            raise RequestError(status, str(error), param="source", code=code) from None

    def _serve(self, served: Served, folder: str) -> None:
        """List a loaded module, unless another worker took its name meanwhile."""
        entry = Entry(served.name, served.serial, served.source, folder)

        def with_it(listing: Listing) -> Listing:
            if any(own.name == entry.name for own in listing.entries):
                raise _taken(f"there is a model named {entry.name!r} already")
            if len(listing.entries) >= self.settings.max_modules:
                raise self._too_many()
            return listing.with_entry(entry)

        listing = self.shared.change(with_it)
        with suppress(UserError):  # this worker has followed the list already
            self.table.put(served)
        self._follow(listing)

    def _follow(self, listing: Listing) -> None:
        """Make the table hold what a listing names."""
        wanted = {entry.name: entry.serial for entry in listing.entries}
        gone: dict[str, nn.Module] = {}
        for name, served in list(self.table.served.items()):
            if wanted.get(name) != served.serial:
                gone.update(self.table.drop(name).modules)
        for entry in listing.entries:
            if entry.name not in self.table.served:
                with suppress(UserError):  # its folder is gone: the model is unknown here
                    self.table.put(
                        self.table.load(entry.name, entry.source, entry.folder, entry.serial)
                    )
        self._changed(gone)

    def _too_many(self) -> RequestError:
        said = f"{self.settings.max_modules} modules are loaded, and no more are allowed"
        return RequestError(409, said, code="too_many_modules")


def _taken(said: str) -> RequestError:
    return RequestError(409, said, param="name", code="name_taken")
