"""Encode views: equal rows once, like lengths in one batch, rows split over processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from xadapt.backbones.cache.frozen_vectors import FrozenVectors
from xadapt.backbones.cache.prefix_states import PrefixStates
from xadapt.backbones.encoder.encode import chunks, dimension
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.encoder.fused import together
from xadapt.backbones.encoder.packing import PackedSequences
from xadapt.core.distributed import DistributedContext
from xadapt.injection.activation import Activation
from xadapt.injection.word_embeddings import word_embeddings
from xadapt.modules.hooks import BELOW
from xadapt.objectives.contract import FusedView, States, TeacherView, View
from xadapt.training.active_module import ActiveModule
from xadapt.training.tokenized import Row, Tokenized

Owned = tuple[Row, str | None]
Acts = Callable[[list[int]], Activation | None]


@dataclass(frozen=True)
class Request:
    """A view to encode.

    Attributes:
        view: The view.
        gathered: Whether every process needs all rows (the rows are split between the
            processes), or only its own rows.
    """

    view: View
    gathered: bool


@dataclass(frozen=True)
class Known:
    """The last states of rows that views of states and of vectors share.

    Attributes:
        index: The position of each row.
        states: States and mask, ``(rows, tokens, width)`` and ``(rows, tokens)``.
    """

    index: Mapping[Owned, int]
    states: States

    def of(self, rows: Sequence[Owned]) -> States:
        """Return the states of some rows, in order, padded to the longest of them."""
        at = torch.tensor([self.index[row] for row in rows], dtype=torch.long)
        at, most = at.to(self.states.hidden.device), max(len(row) for row, _ in rows)
        return States(self.states.hidden[at, :most], self.states.mask[at, :most])


class Forward:
    """The encoder of the views of a step.

    Args:
        encoder: The frozen encoder.
        acting: The module under training, or the composition in which the module is trained.
        frozen: The source of the vectors of rows without the module.
        processes: The processes of the run.
        batch_tokens: Largest number of padded tokens in one forward.
        companions: The run's other, frozen modules, by name.
        grad_cache: Whether the activations of a forward are computed again for its gradient.
    """

    def __init__(
        self,
        encoder: Encoder,
        acting: ActiveModule,
        frozen: FrozenVectors,
        processes: DistributedContext,
        batch_tokens: int,
        companions: Mapping[str, ActiveModule] | None = None,
        grad_cache: bool = False,
    ) -> None:
        self.encoder, self.active_module, self.frozen = encoder, acting, frozen
        self.processes, self.batch_tokens = processes, batch_tokens
        self.companions, self.grad_cache = companions or {}, grad_cache
        self.prefix: PrefixStates | None = None
        self.tokens = self.padded = 0
        self.tokenized = Tokenized(encoder, processes.main)

    def __call__(self, requests: Sequence[Request]) -> list[Tensor | States]:
        """Encode views, in order: ``(n, dim)`` for pooled views, else `States`."""
        done: list[Tensor | States | None] = [None] * len(requests)
        known = self._known(requests)
        for gathered in (True, False):
            active = [
                i
                for i, r in enumerate(requests)
                if self._gathers(r) == gathered and _whole(r.view, "pooled")
            ]
            rows = [self._owned(requests[i].view) for i in active]
            for i, vectors in zip(active, self._pooled(rows, gathered, known), strict=True):
                done[i] = vectors
        for i, request in enumerate(requests):
            if known is not None and _whole(request.view, "states"):
                done[i] = known.of(self._owned(request.view))
            elif done[i] is None:
                done[i] = self._constant_or_states(request.view)
        return [value for value in done if value is not None]

    def _known(self, requests: Sequence[Request]) -> Known | None:
        """Encode the rows of views of last states, if a pooled view has some of these rows too.

        Several processes gather vectors and no states, so they encode such rows twice.
        """
        if self.processes.world > 1:
            return None
        pooled, rows = (
            {
                row: None
                for request in requests
                if _whole(request.view, output)
                for row in self._owned(request.view)
            }
            for output in ("pooled", "states")
        )
        if rows.keys().isdisjoint(pooled):
            return None
        owned = list(rows)
        states = self._apart([row for row, _ in owned], None, lambda at: self._act(owned, at))
        return Known({row: i for i, row in enumerate(owned)}, states)

    def _act(self, owned: Sequence[Owned], at: Sequence[int]) -> Activation:
        """Return the activation of the module under training for some rows."""
        langs = [tag for tag in (owned[i][1] for i in at) if tag is not None]
        return self.active_module.activation(langs or None)

    def _gathers(self, request: Request) -> bool:
        """Decide whether the rows of a view are gathered.

        Gathering does nothing in a single process, where all rows share one forward.
        """
        return request.gathered or self.processes.world == 1

    def _constant_or_states(self, view: View) -> Tensor | States:
        texts = isinstance(view.rows[0], str) if len(view.rows) else True
        whole = view.output == "pooled" and view.layer is None
        if whole and view.module is False and texts:
            return self.frozen.fixed(view.rows)  # type: ignore[arg-type]
        with torch.set_grad_enabled(view.module is True and torch.is_grad_enabled()):
            states = self._states(view)
            if view.output == "states":
                return states
            return self.encoder.pool(states.hidden, states.mask)

    def _acts(self, view: View) -> Acts:
        """Return a function from positions of a view's rows to the activation of their forward."""
        if view.module is True:
            acting, langs = self.active_module, view.langs
            return lambda rows: acting.activation(langs and [langs[i] for i in rows])
        if view.module:
            other = self.companions[str(view.module)].activation()
            return lambda rows: other
        return lambda rows: None

    def _pooled(
        self, groups: list[list[Owned]], gathered: bool, known: Known | None
    ) -> list[Tensor]:
        """Pool all groups of rows in shared forwards; equal rows are encoded once."""
        distinct = list(dict.fromkeys(row for rows in groups for row in rows))
        if not distinct:
            return [self._none() for _ in groups]
        if known is not None:
            distinct.sort(key=known.index.__contains__)  # known rows last
        order = {row: i for i, row in enumerate(distinct)}
        share = self.processes.share(len(distinct)) if gathered else list(range(len(distinct)))
        vectors = self._vectors_of([distinct[i] for i in share], known)
        if gathered:
            vectors = self.processes.gather_rows(vectors, len(distinct))
        index = [torch.tensor([order[row] for row in rows], dtype=torch.long) for rows in groups]
        return [vectors[i.to(vectors.device)] for i in index]

    def _vectors_of(self, owned: list[Owned], known: Known | None) -> Tensor:
        """Pool rows, of which the last ones may be known."""
        if known is None:
            return self._encode(owned)
        new = [row for row in owned if row not in known.index]
        states = known.of(owned[len(new) :])
        vectors = self.encoder.pool(states.hidden, states.mask)
        return torch.cat([self._encode(new), vectors]) if new else vectors

    def _encode(self, owned: list[Owned]) -> Tensor:
        rows, parts = [row for row, _ in owned], []
        for chunk in self._chunks(rows):
            own = [rows[i] for i in chunk]
            acts = self._act(owned, chunk).reading(own)
            packs = self._packs(own) if acts.on_all_rows else None
            parts.append(self._again(partial(self._vectors, own, acts, packs)))
        return torch.cat(parts)[self._back(rows)] if parts else self._none()

    def _packs(self, rows: list[Row]) -> PackedSequences | None:
        """Pack rows into shared sequences.

        Return ``None`` if the base or the module doesn't allow packing, or packing saves nothing.
        """
        if not (self.encoder.family.packs and self.active_module.by_token):
            return None
        packs = PackedSequences([len(row) for row in rows])
        self.padded -= packs.saved
        return packs if packs.saved else None

    def _vectors(self, rows: list[Row], acts: Activation, packs: PackedSequences | None) -> Tensor:
        hidden, mask, start = self._enter(rows, acts, None, None)
        if packs is None:
            return self.encoder.pool(self._run(hidden, mask, start, None, acts), mask)
        lines, segment_ids = packs.pack(hidden)
        real = (segment_ids > 0).long()
        states = self.encoder.run(lines, real, start, segment_ids=segment_ids, activation=acts)
        return self.encoder.pool(packs.unpack(states), mask)

    def _again(self, forward: Callable[[], Any]) -> Any:
        """Run a forward; under ``grad_cache`` its activations are recomputed for the gradient.

        Source: GradCache, Gao et al. 2021, https://arxiv.org/abs/2101.06983. GradCache cuts the
        graph at the representations. Nothing here is random, so recomputing gives the same.
        """
        if not (self.grad_cache and torch.is_grad_enabled()):
            return forward()
        return checkpoint(forward, use_reentrant=False, preserve_rng_state=False)

    def _none(self) -> Tensor:
        return torch.zeros(0, dimension(self.encoder), device=self.encoder.device)

    def _states(self, view: View) -> States:
        rows, acts = self._rows(view.rows, view.module, view.langs), self._acts(view)
        if isinstance(view, FusedView):
            paired = self._rows(view.paired_rows, view.module and view.paired_module, view.langs)
            return self._fused(rows, paired, view, acts)
        cached = not isinstance(view, TeacherView)
        return self._apart(rows, view.layer, acts, view.second, cached)

    def _apart(
        self,
        rows: list[Row],
        stop: int | None,
        acts: Acts,
        second: Sequence[int] | None = None,
        cached: bool = True,
    ) -> States:
        """Embed rows and run the layers, in batches that fit the token budget."""
        parts = []
        for chunk in self._chunks(rows):
            begins = None if second is None else [second[i] for i in chunk]
            # Bound here, so that a forward computed again for its gradient has the same activation.
            own = [rows[i] for i in chunk]
            acting = _reading(acts(chunk), own)
            parts.append(self._again(partial(self._through, own, acting, begins, stop, cached)))
        return _joined(parts, self._back(rows))

    def _through(
        self,
        rows: list[Row],
        acts: Activation | None,
        second: Sequence[int] | None,
        stop: int | None,
        cached: bool = True,
    ) -> tuple[Tensor, Tensor]:
        """Run one forward up to a layer; return states and mask."""
        if stop == BELOW:
            tokens, mask = self.encoder.batch(rows)
            return word_embeddings(self.encoder, tokens, mask, acts), mask
        hidden, mask, start = self._enter(rows, acts, second, stop, cached)
        return self._run(hidden, mask, start, stop, acts), mask

    def _enter(
        self,
        rows: list[Row],
        acts: Activation | None,
        second: Sequence[int] | None,
        stop: int | None,
        cached: bool = True,
    ) -> tuple[Tensor, Tensor, int]:
        """Return the first states of a forward, their mask and their layer.

        The states come from the prefix cache where the cache holds them.
        """
        prefix = self.prefix if cached and (stop is None or stop >= self.start) else None
        begins: Sequence[int | None] = second or [None] * len(rows)
        keys = list(zip(rows, begins, strict=True))
        if prefix and prefix.has(keys):
            hidden, mask = prefix.batch(keys)
            return hidden, mask, prefix.start
        tokens, mask = self.encoder.batch(rows)
        return self.encoder.embed(tokens, mask, second, acts), mask, 0

    @property
    def start(self) -> int:
        """The layer whose input states the prefix cache holds, 0 without a cache."""
        return self.prefix.start if self.prefix else 0

    def _fused(self, rows: list[Row], beside: list[Row], view: FusedView, acts: Acts) -> States:
        """Run two sets of rows apart, together inside the fused layers, and apart again."""
        start, cached = view.fused[0], not view.teacher
        others: Acts = acts if view.paired_module else lambda rows: None
        left = self._apart(rows, start, acts, cached=cached)
        right = self._apart(beside, start, others, cached=cached)
        every = list(range(len(rows)))
        sides = (left.hidden, left.mask), (right.hidden, right.mask)
        acting = (_reading(acts(every), rows), _reading(others(every), beside))
        first, second = together(self.encoder, *sides, view.fused, view.layer, *acting)
        return States(first, left.mask, States(second, right.mask))

    def _run(
        self,
        hidden: Tensor,
        mask: Tensor,
        start: int,
        stop: int | None,
        acts: Activation | None,
    ) -> Tensor:
        if start == stop:
            return hidden
        return self.encoder.run(hidden, mask, start, stop, activation=acts)

    def _chunks(self, rows: list[Row]) -> Iterator[list[int]]:
        for chunk in chunks([len(row) for row in rows], self.batch_tokens):
            lengths = [len(rows[i]) for i in chunk]
            self.tokens += sum(lengths)
            self.padded += len(lengths) * max(lengths)
            yield chunk

    def _back(self, rows: list[Row]) -> Tensor:
        """Return the position of each row in the concatenated chunks."""
        order = [
            i for chunk in chunks([len(row) for row in rows], self.batch_tokens) for i in chunk
        ]
        return torch.tensor(order, dtype=torch.long).argsort().to(self.encoder.device)

    def _rows(
        self, rows: Sequence[Any], module: bool | str = False, langs: Sequence[str] | None = None
    ) -> list[Row]:
        """Tokenise the rows of a view that are texts.

        Args:
            rows: Texts, or token ids.
            module: What acts on them, as in `xadapt.objectives.contract.View`.
            langs: Their languages, if they are known.

        Raises:
            UserError: If the composition chooses by language and no languages are given.
        """
        if not len(rows) or not isinstance(rows[0], str):
            return [tuple(row) for row in rows]
        acting = self.companions[module] if isinstance(module, str) else self.active_module
        if not module or not acting.has_vocabulary:
            return self.tokenized.tokenize(rows)
        acting.needed(langs)
        tags: Sequence[str | None] = langs or [None] * len(rows)
        return self.tokenized.tokenize_with(rows, [acting.vocabulary(tag) for tag in tags])

    def _owned(self, view: View) -> list[Owned]:
        """Pair rows with their languages, where the composition chooses by language."""
        rows = self._rows(view.rows, view.module, view.langs)
        langs: Sequence[str | None] | None = self.active_module.needed(view.langs)
        return list(zip(rows, langs or [None] * len(rows), strict=True))


def _reading(acts: Activation | None, rows: list[Row]) -> Activation | None:
    """Return the activation of rows that a vocabulary or the base has read."""
    return None if acts is None else acts.reading(rows)


def _whole(view: View, output: str) -> bool:
    """Whether the module under training acts on a view's rows alone, through all layers."""
    through = view.layer is None and view.second is None and view.output == output
    return through and view.module is True and not isinstance(view, FusedView)


def _joined(parts: list[tuple[Tensor, Tensor]], back: Tensor) -> States:
    """Pad states to one length and restore the order of the rows."""
    most = max(mask.shape[1] for _, mask in parts)
    hidden = [F.pad(h, (0, 0, 0, most - h.shape[1])) for h, _ in parts]
    masks = [F.pad(m, (0, most - m.shape[1])) for _, m in parts]
    return States(torch.cat(hidden)[back], torch.cat(masks)[back])
