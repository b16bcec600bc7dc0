"""Structure of two graphs for alignment, on disk: made from training links alone, read back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import torch

from xadapt.core.errors import UserError
from xadapt.data.graphs.graph import KnowledgeGraph
from xadapt.data.graphs.links import Links
from xadapt.hub.manifest import package_version
from xadapt.tasks.kg.likeness import ByVectors
from xadapt.tasks.kg.propagation import DEFAULT, Propagation, fit, propagate
from xadapt.tasks.kg.structure_folder import (
    GraphFacts,
    LinkFacts,
    StructureManifest,
    as_array,
    read_manifest,
    read_tensors,
    require_graphs,
    save_structure,
)
from xadapt.tasks.kg.two_graphs import Pairs, TwoGraphs, positions

METHOD = "propagation"


@dataclass(frozen=True)
class AlignmentStructure:
    """Vectors of the entities of two graphs, and the links that they come from.

    Attributes:
        manifest: The content of ``structure.json``.
        view: The vectors.
        links: The training links, as positions.
        options: The options of the encoder.
    """

    manifest: StructureManifest
    view: ByVectors
    links: Pairs
    options: Propagation

    def again(self, graphs: TwoGraphs, guessed: Pairs) -> ByVectors:
        """Encode the structure with further pairs that count as linked.

        Args:
            graphs: The facts.
            guessed: The pairs ``(n, 2)``; those with an entity of a training link are left out.
        """
        known = np.isin(guessed[:, 0], self.links[:, 0]) | np.isin(guessed[:, 1], self.links[:, 1])
        links = np.concatenate([self.links, guessed[~known]])
        return ByVectors(*propagate(graphs, links, self.options))


def make_alignment_structure(
    folder: Path | str,
    left: KnowledgeGraph,
    right: KnowledgeGraph,
    links: Links,
    options: Propagation = DEFAULT,
    report: Callable[[str], None] = lambda _: None,
) -> AlignmentStructure:
    """Encode the structure of two graphs that training links join, and write it.

    Args:
        folder: The folder to make.
        left: The left graph.
        right: The right graph.
        links: The training links. Nothing else joins the graphs.
        options: The options of the encoder.
        report: Receives a line after each round.

    Raises:
        UserError: If a link leads to nothing, a graph has no facts, or the folder is not empty.
    """
    graphs = TwoGraphs.of(left, right)
    pairs = positions(links, left, right)
    fitted = fit(graphs, pairs, options, report)
    manifest = save_structure(
        folder,
        {
            "left": torch.from_numpy(fitted.left.copy()),
            "right": torch.from_numpy(fitted.right.copy()),
            "links": torch.from_numpy(pairs),
        },
        kind="alignment",
        method=METHOD,
        options=asdict(options),
        graphs=[GraphFacts.of(left), GraphFacts.of(right)],
        links=LinkFacts(name=links.name[:300], count=len(links), sha256=links.sha256),
        measured={
            "rounds": fitted.rounds,
            "held_out_hits@1": list(fitted.held_out),
            "guessed": fitted.guessed,
        },
        software={"numpy": str(package_version("numpy")), "scipy": str(package_version("scipy"))},
    )
    return AlignmentStructure(manifest, ByVectors(fitted.left, fitted.right), pairs, options)


def read_alignment_structure(
    folder: Path | str, left: KnowledgeGraph, right: KnowledgeGraph
) -> AlignmentStructure:
    """Read the structure of two graphs.

    Raises:
        UserError: If this is no folder of structure for alignment, it was changed, or it was made
            of other graphs.
    """
    manifest = read_manifest(folder, "alignment")
    if len(manifest.graphs) != 2 or manifest.links is None or manifest.method != METHOD:
        raise UserError(
            "the manifest does not name two graphs, their links and a known method",
            where=str(folder),
            todo="Make the folder again with xadapt kg structure",
        )
    known = {field.name for field in fields(Propagation)}
    options = {key: value for key, value in manifest.options.items() if key in known}
    if options.keys() != known or not all(type(value) is int for value in options.values()):
        raise UserError("the options of the structure are not those of the method",
                        where=str(folder))  # fmt: skip
    require_graphs(folder, manifest, left, right)
    tensors = read_tensors(folder, manifest)
    missing = {"left", "right", "links"} - tensors.keys()
    if missing:
        raise UserError(f"there is no tensor {min(missing)!r}", where=str(folder))
    width = int(tensors["left"].shape[-1])
    view = ByVectors(
        as_array(tensors["left"], (len(left.entities), width), "left", folder),
        as_array(tensors["right"], (len(right.entities), width), "right", folder),
    )
    links = tensors["links"]
    limits = torch.tensor([len(left.entities), len(right.entities)])
    if (
        links.dtype != torch.int64
        or links.dim() != 2
        or links.shape[1] != 2
        or bool((links < 0).any() or (links >= limits).any())
    ):
        raise UserError("a link of the structure leads beyond the graphs", where=str(folder))
    return AlignmentStructure(manifest, view, links.numpy(), Propagation(**options))
