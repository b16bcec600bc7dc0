"""Structure of one graph for completion, on disk: a model of PyKEEN as tensors, read back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from xadapt.core.errors import UserError
from xadapt.data.graphs.graph import KnowledgeGraph
from xadapt.integrations.pykeen import DEFAULT, Scorer, Training, open_model, software, train_model
from xadapt.tasks.kg.structure_folder import (
    GraphFacts,
    StructureManifest,
    read_manifest,
    read_tensors,
    require_graphs,
    save_structure,
)


@dataclass(frozen=True)
class CompletionStructure:
    """A model of a graph's structure as a scorer of facts.

    Attributes:
        manifest: The content of ``structure.json``.
        scorer: The model.
    """

    manifest: StructureManifest
    scorer: Scorer


def make_completion_structure(
    folder: Path | str, graph: KnowledgeGraph, options: Training = DEFAULT
) -> CompletionStructure:
    """Train a model of PyKEEN on the training facts of a graph, and write it without a pickle.

    Facts of dev stop the training early. Facts of test are not read.

    Args:
        folder: The folder to make.
        graph: The graph.
        options: The options of training.

    Raises:
        UserError: If PyKEEN is not installed, there is no such model, the graph has no training
            facts, or the folder is not empty.
    """
    trained = train_model(
        graph.facts("train"),
        graph.facts("dev"),
        len(graph.entities),
        len(graph.relations),
        options,
    )
    save_structure(
        folder,
        trained.tensors,
        kind="completion",
        method=trained.name,
        options=trained.options,
        graphs=[GraphFacts.of(graph)],
        measured=trained.measured,
        software=software(),
    )
    return read_completion_structure(folder, graph)


def read_completion_structure(folder: Path | str, graph: KnowledgeGraph) -> CompletionStructure:
    """Read the structure of a graph.

    Raises:
        UserError: If this is no folder of structure for completion, it was changed, it was made of
            another graph, or PyKEEN is not installed.
    """
    manifest = read_manifest(folder, "completion")
    if len(manifest.graphs) != 1:
        raise UserError("the manifest does not name one graph", where=str(folder))
    require_graphs(folder, manifest, graph)
    scorer = open_model(
        manifest.method,
        manifest.options,
        read_tensors(folder, manifest),
        len(graph.entities),
        len(graph.relations),
        str(folder),
    )
    return CompletionStructure(manifest, scorer)
