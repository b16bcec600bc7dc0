"""Check options of parallel text that would have no effect on the given sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from xadapt.config.recipe import DataSpec
from xadapt.core import registry
from xadapt.core.errors import UserError
from xadapt.data.loading.records import Source
from xadapt.data.readers.parallel import pick_reader
from xadapt.data.readers.sides import Request
from xadapt.data.records import ParallelPair
from xadapt.languages.tags import normalise

WITHOUT_COLUMNS = (
    *("moses", "language_files", "tatoeba", "tmx", "xliff", "po"),
    *("cldr", "graph_pairs", "sample"),
)


def gives_pairs(spec: DataSpec) -> bool:
    """Return whether an entry of a recipe's data is or becomes parallel text (two languages)."""
    return reads_pairs(spec) or any(step.gives is ParallelPair for _, step in spec.chain())


def reads_pairs(spec: DataSpec) -> bool:
    """Return whether the reader of an entry gives parallel text, which has columns and formats."""
    return _part(spec).gives is ParallelPair


def has_column_options(spec: DataSpec) -> bool:
    """Return whether options of an entry's reader name its columns, also of data in memory."""
    return hasattr(_part(spec), "read_rows")


def require_used(sources: Sequence[Source], specs: Mapping[str, DataSpec]) -> None:
    """Refuse columns, a format, or options of a reader that no source uses.

    Args:
        sources: All sources of a command.
        specs: The entries of the recipe's data.

    Raises:
        UserError: If columns or a format are named and no reader gives parallel text, or columns
            are named and no such source has columns, or the data are in memory and the reader's
            options are for files alone.
    """
    for source in sources:
        spec = specs.get(source.data)
        if source.table is None or spec is None or has_column_options(spec):
            continue
        if spec.options:
            raise UserError(
                f"data in memory use no option of a reader, such as {min(spec.options)}",
                where=f"data.{source.data}.options",
                todo="Leave it out, or name a file",
            )
    files = [source for source in sources if source.table is None]
    known = [(source, specs[source.data]) for source in files if source.data in specs]
    pairs = [(source, spec) for source, spec in known if reads_pairs(spec)]
    tables = [source for source, spec in known if has_column_options(spec)]
    for option, given in (("--columns", "columns"), ("--format", "file_format")):
        own = [] if given == "columns" and tables else known
        if own and not pairs and any(getattr(source, given) for source, _ in own):
            raise UserError(
                f"the reader {known[0][1].reader!r} of this recipe makes no use of it",
                where=option,
                todo="Leave it out",
            )
    named = [(source, spec) for source, spec in pairs if source.columns]
    if named and not any(_has_columns(source, spec) for source, spec in named):
        raise UserError(
            f"{named[0][0].path} has no columns to choose from", where="--columns",
            todo="Leave it out",
        )  # fmt: skip


def _has_columns(source: Source, spec: DataSpec) -> bool:
    own = None if spec.reader == "parallel" else _part(spec).format
    request = Request(normalise(source.lang), normalise(source.pivot_lang))
    reader = pick_reader(source.path, request, source.file_format or own)
    return reader.format not in WITHOUT_COLUMNS


def _part(spec: DataSpec) -> Any:
    return registry.load("readers", spec.reader)
