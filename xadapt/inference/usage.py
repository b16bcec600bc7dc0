"""Usage of the experts of a routed mixture, measured while texts are encoded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from xadapt.backbones.encoder.encode import token_states
from xadapt.backbones.finite import naming
from xadapt.composition.by_language import for_language
from xadapt.composition.composed import Composed
from xadapt.composition.text import show
from xadapt.composition.values import Composition, replaced
from xadapt.core.errors import UserError
from xadapt.core.sequences import as_texts
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.inference.locate import short_names
from xadapt.injection.activation import Activation, ActiveAdapter
from xadapt.modules.hooks import Place, SiteInputs
from xadapt.modules.mixing import Fused, Routed, routes
from xadapt.report.usage import ALL, Cell, Usage


@dataclass
class _Sum:
    """Sums of weights, their squares and uses of each expert, and the number of items summed."""

    weights: Tensor
    squares: Tensor
    used: Tensor
    count: int = 0

    @classmethod
    def of(cls, experts: int) -> _Sum:
        """Return sums of nothing."""
        weights, squares, used = torch.zeros(3, experts, dtype=torch.double).unbind()
        return cls(weights, squares, used)

    def add(self, gates: Tensor, here: SiteInputs) -> None:
        """Count real tokens, or rows where a row has one weight."""
        real = gates.flatten(0, 1)
        if gates.shape[1] > 1 and here.mask is not None:
            real = gates[here.mask.bool()]
        own = real.detach().double().cpu()
        self.weights += own.sum(0)
        self.squares += own.square().sum(0)
        self.used += (own != 0).sum(0)
        self.count += len(own)


def measure_usage(
    adapted: AdaptedEncoder,
    texts: Sequence[str],
    languages: Sequence[str | None] | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> list[Usage]:
    """Encode texts and measure the usage of each expert of each router.

    Args:
        adapted: Encoder and modules, with a trained router or fusion, a mixture of LoRAs or Arrow
            in the composition.
        texts: Any number of texts.
        languages: A tag for each text. Usage is measured for each language apart, and the
            composition may choose by language. The bare base, which has no router, encodes a row
            without a tag.
        progress: Called with the number of texts encoded.

    Raises:
        UserError: If there is no routed mixture, or no text.
    """
    texts = as_texts([texts] if isinstance(texts, str) else texts)
    languages = [languages] * len(texts) if isinstance(languages, str) else languages
    if not texts or (languages is not None and len(languages) != len(texts)):
        raise UserError("give some texts, and a language for each or for none")
    tags = list(dict.fromkeys(languages)) if languages is not None else [ALL]
    found: dict[tuple[str, tuple[str, ...]], list[Cell]] = {}
    for tag in tags:
        if tag is None:
            continue
        own = [t for i, t in enumerate(texts) if languages is None or languages[i] == tag]
        value = adapted.composition if languages is None else for_language(adapted.composition, tag)
        for key, cells in _watched(adapted, value, own, tag, progress).items():
            found.setdefault(key, []).extend(cells)
    if not found:
        raise UserError(
            f"nothing in {show(adapted.composition)} is routed",
            where="composition",
            todo="Name a mixture of LoRAs, route(r; a, b), route(arrow; a, b) or fuse(f; a, b)",
        )
    return [Usage(router, experts, tuple(cells)) for (router, experts), cells in found.items()]


def _watched(
    adapted: AdaptedEncoder,
    composition: Composition,
    texts: Sequence[str],
    lang: str,
    progress: Callable[[int], None],
) -> dict[tuple[str, tuple[str, ...]], list[Cell]]:
    """Measure the cells of one language, by router and names of its experts."""
    whole = Composed.checked(composition, adapted.modules)
    encoder = adapted.encoder
    sums: dict[int, dict[Place, _Sum]] = {}
    names: dict[int, tuple[str, tuple[str, ...]]] = {}
    for route in routes(whole.hooks()):
        size = route.router.experts
        own = sums.setdefault(id(route.router), {}).setdefault(route.place, _Sum.of(size))
        route.watch = own.add
        names[id(route.router)] = _names(route, whole)
    rows = Activation.of(ActiveAdapter(encoder, whole))
    with naming(show(composition)), torch.inference_mode():
        for chunk, _ in token_states(encoder, encoder.tokenize(texts), rows=rows):
            progress(len(chunk))
    cells: dict[tuple[str, tuple[str, ...]], list[Cell]] = {}
    for router, places in sums.items():
        cells.setdefault(names[router], []).extend(_cells(lang, places))
    return cells


def _cells(lang: str, places: dict[Place, _Sum]) -> list[Cell]:
    """Make one cell for each layer and site; the linears of a gated site share a cell."""
    sites: dict[tuple[int, str], list[_Sum]] = {}
    for (layer, site, _), one in places.items():
        sites.setdefault((layer + 1, site), []).append(one)
    rows = []
    for (layer, site), own in sorted(sites.items(), key=lambda item: item[0][0]):
        count = sum(one.count for one in own)
        mean = torch.stack([one.weights for one in own]).sum(0) / count
        used = torch.stack([one.used for one in own]).sum(0) / count
        squares = torch.stack([one.squares for one in own]).sum(0) / count
        spread = (squares - mean.square()).clamp_min(0).sqrt()
        values = (tuple(each.tolist()) for each in (mean, used, spread))
        rows.append(Cell(lang, layer, site, *values))
    return rows


def _names(route: Routed | Fused, whole: Composed) -> tuple[str, tuple[str, ...]]:
    """Return the names of a router and of its experts."""
    numbers = tuple(str(number + 1) for number in range(route.router.experts))
    routed = whole.routed_parts.get(route.router)
    if routed is not None:
        short = short_names(whole.named)
        return str(short.get(routed.router, routed.router)), tuple(
            show(replaced(part, short)) for part in routed.parts
        )
    own = (n for n, m in whole.named.items() if getattr(m, "router", None) is route.router)
    return Path(next(own, "router")).name, numbers
