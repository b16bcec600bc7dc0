"""A loaded encoder in a few lines, as text and as HTML for notebooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Protocol

from torch import nn

from xadapt.backbones.encoder.encode import dimension
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.composition.text import show
from xadapt.composition.values import Composition, replaced
from xadapt.inference.locate import short_names
from xadapt.inference.saving import Published
from xadapt.modules.storage import parameter_count

MOST = 12
"""Modules that are listed."""


class System(Protocol):
    """What is described: `xadapt.inference.adapted_encoder.AdaptedEncoder`."""

    encoder: Encoder
    modules: dict[str, nn.Module]
    composition: Composition
    published: dict[str, Published]

    @property
    def base_mismatch(self) -> list[str]:
        """One line for each module of another base."""
        ...


def as_text(system: System) -> str:
    """Describe an encoder in a few lines."""
    rows = _modules(system)
    lines = [f"AdaptedEncoder: {_base(system)}"]
    if rows:
        wide = [max(len(row[column]) for row in rows) for column in range(3)]
        lines += [
            "  " + "  ".join(cell.ljust(wide[i]) for i, cell in enumerate(row)).rstrip()
            for row in rows
        ]
        lines += _more(system)
        lines.append(f"  composition: {_composition(system)}")
    else:
        lines.append("  no modules: the bare base encodes every text")
    return "\n".join(lines)


def as_html(system: System) -> str:
    """Describe an encoder as an HTML table. Every text is escaped."""
    cells = [
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>"
        for row in _modules(system)
    ]
    head = "<tr><th>module</th><th>kind</th><th>languages</th></tr>"
    table = f"<table class='xadapt'>{head}{''.join(cells)}</table>" if cells else ""
    after = [*_more(system), f"composition: {_composition(system)}"] if cells else ["no modules"]
    notes = "".join(f"<div><small>{escape(line.strip())}</small></div>" for line in after)
    return f"<div><b>AdaptedEncoder</b>: {escape(_base(system))}</div>{table}{notes}"


def _base(system: System) -> str:
    encoder = system.encoder
    return (
        f"{encoder.base} ({encoder.precision} on {encoder.device}, {dimension(encoder)} numbers a "
        f"vector, at most {encoder.max_length} tokens)"
    )


def _modules(system: System) -> list[Sequence[str]]:
    short = short_names(system.modules)
    return [
        (str(short[name]), _kind(module), _languages(system.published, name))
        for name, module in list(system.modules.items())[:MOST]
    ]


def _kind(module: nn.Module) -> str:
    kind, rank = str(module.kind), getattr(getattr(module, "options", None), "rank", None)
    said = f"{kind} of rank {rank}" if isinstance(rank, int) else kind
    return f"{said}, {parameter_count(module):,} values"


def _languages(published: Mapping[str, Published], name: str) -> str:
    known = published.get(name)
    return ", ".join(known.manifest.languages) if known else "made here"


def _more(system: System) -> list[str]:
    left = len(system.modules) - MOST
    more = [f"  and {left} more modules"] if left > 0 else []
    return more + [f"  base mismatch: {line}" for line in system.base_mismatch]


def _composition(system: System) -> str:
    text = show(replaced(system.composition, short_names(system.modules)))
    return text if len(text) <= 200 else f"{text[:200]} ..."
