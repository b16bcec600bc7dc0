"""The head of a task, built anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from xadapt.functional.tag_scheme import Scheme
from xadapt.heads.argument_head import ArgumentHead
from xadapt.heads.head import POINTING, RELATION, SPANS, Head
from xadapt.heads.pointer_head import PointerHead
from xadapt.heads.prototype_head import PrototypeHead
from xadapt.heads.relation_head import RelationHead
from xadapt.heads.span_label_head import SpanLabelHead


def build_head(
    task: str,
    labels: Sequence[str],
    width: int,
    scheme: Scheme = "bio",
    sizes: Mapping[str, int] | None = None,
    scale: tuple[float, float] | None = None,
) -> Head:
    """Build a new head for a task, of a given kind and given sizes."""
    if task == POINTING:
        return PointerHead(width)
    if task == RELATION:
        return RelationHead(labels, width, **(sizes or {}))
    if task == "arguments":
        return ArgumentHead(labels, width, **(sizes or {}))
    if task == SPANS:
        return SpanLabelHead(labels, width, **(sizes or {}))
    if task == "tagging" and sizes:
        return PrototypeHead(labels, width, scheme, **sizes)
    return Head(task, labels, width, scheme, scale)
