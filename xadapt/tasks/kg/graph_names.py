"""Names of relations for the phrases of completion."""

from __future__ import annotations

from xadapt.core.errors import UserError
from xadapt.data.graphs.graph import KnowledgeGraph

PIVOT = "en"


def relation_names(graph: KnowledgeGraph, lang: str) -> list[str]:
    """Return the name of each relation: in the language, else in English, else in any.

    A relation without a name has its id, if that is no number.

    Args:
        graph: The graph.
        lang: The language.

    Raises:
        UserError: If no relation has a name.
    """
    found = [
        "" if relation.isdigit() else relation.replace("_", " ") for relation in graph.relations
    ]
    tables = [*graph.relation_labels.values()]
    tables += [graph.relation_labels[tag] for tag in (PIVOT, lang) if tag in graph.relation_labels]
    for names in tables:  # later tables win
        positions, texts = names.first()
        for position, text in zip(positions.tolist(), texts, strict=True):
            found[position] = text
    if not any(found):
        raise UserError(
            "no relation of this graph has a name, so that no phrase can be made",
            where=graph.name,
            todo="Leave out --base and --module",
        )
    return found
