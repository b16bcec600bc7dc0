"""``train_structure``: a folder of structure of two graphs for alignment, or of one to complete."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.table import Table

from xadapt.core.errors import UserError
from xadapt.core.files import require_empty
from xadapt.data.graphs.graph import KnowledgeGraph
from xadapt.data.graphs.links import Links
from xadapt.data.graphs.opening import open_graph
from xadapt.integrations.pykeen import Training
from xadapt.pipelines.kg_links import training_links
from xadapt.tasks.kg.alignment_structure import make_alignment_structure
from xadapt.tasks.kg.completion_structure import make_completion_structure
from xadapt.tasks.kg.propagation import Propagation
from xadapt.tasks.kg.structure_folder import StructureManifest
from xadapt.tasks.table import new_table

Report = Callable[[str], None]


@dataclass(frozen=True)
class TrainedStructure:
    """The result of `train_structure`.

    Attributes:
        out: The folder.
        manifest: The content of its ``structure.json``.
    """

    out: Path
    manifest: StructureManifest

    def to_dict(self) -> dict[str, Any]:
        """Return the manifest as JSON values."""
        return self.manifest.model_dump(mode="json")

    def table(self) -> Table:
        """Render the sizes and what was measured."""
        made = self.manifest
        table = new_table(f"{made.method} for {made.kind}", ("graph", "", "entities", "facts"))
        for graph in made.graphs:
            table.add_row(graph.name, "", f"{graph.entities:,}", f"{graph.facts:,}")
        if made.links is not None:
            table.add_row(f"{made.links.count:,} training links", "", "", "")
        told = ", ".join(f"{key} {_short(value)}" for key, value in made.measured.items())
        table.caption = told
        return table


def _short(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(_short(one) for one in value)
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def train_structure(
    out: str | Path,
    *,
    graph: str | KnowledgeGraph | None = None,
    left: str | KnowledgeGraph | None = None,
    right: str | KnowledgeGraph | None = None,
    links: str | Links | None = None,
    report: Report = lambda _: None,
    **options: Any,
) -> TrainedStructure:
    """Learn the structure of one graph, to complete its facts, or of two, to align their entities.

    Args:
        out: The folder to make.
        graph: The graph to complete: its training facts are learnt, its dev facts stop training.
        left: The left graph of two to align.
        right: The right graph.
        links: Links between both. Where they have parts, those of train are used and no other.
        report: Receives a line after each round of self-training.
        options: The fields of `xadapt.integrations.pykeen.Training` for one graph, or of
            `xadapt.tasks.kg.propagation.Propagation` for two. ``None`` means the default.

    Raises:
        UserError: If an option or a source is wrong, or the folder is not empty.
    """
    require_empty(out)
    given = {key: value for key, value in options.items() if value is not None}
    if graph is not None:
        if left is not None or right is not None or links is not None:
            raise UserError("one graph is completed, or two are aligned", where="--graph",
                            todo="Give --graph alone, or --left, --right and --links")  # fmt: skip
        chosen = _options(Training(), given)
        own = open_graph(graph) if isinstance(graph, str) else graph
        return TrainedStructure(Path(out), make_completion_structure(out, own, chosen).manifest)
    if left is None or right is None or links is None:
        raise UserError(
            "there is no graph to learn from", todo="Give --graph, or --left, --right and --links"
        )
    settings = _options(Propagation(), given)
    sides = [open_graph(one) if isinstance(one, str) else one for one in (left, right)]
    train = training_links(links, sides[0], sides[1])
    made = make_alignment_structure(out, sides[0], sides[1], train, settings, report)
    return TrainedStructure(Path(out), made.manifest)


def _options(defaults: Any, given: dict[str, Any]) -> Any:
    known = list(defaults.__dataclass_fields__)
    other = next((name for name in given if name not in known), None)
    if other is not None:
        raise UserError(
            f"--{other.replace('_', '-')} does nothing here", todo=f"There are {', '.join(known)}"
        )
    return replace(defaults, **given)
