"""The active adapters of one forward, as a value: an adapter for each row, and a start state.

An `ActiveAdapter` is a module, or a composition of modules, prepared for one encoder. An
`Activation` maps adapters to the rows of a batch. Both are immutable and may be shared between
threads.

```python
adapter = ActiveAdapter(encoder, module)
vectors = encode(encoder, texts, rows=Activation.of(adapter))
```
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from xadapt.backbones.cache.reuse import Kept
from xadapt.backbones.families import SitePoint
from xadapt.backbones.frames import InWeights, usable
from xadapt.backbones.mapped_tokenizer import MappedTokenizer
from xadapt.backbones.protocol import Attachable
from xadapt.core.errors import UserError
from xadapt.injection.attachment import lowest, place, projects_positions
from xadapt.injection.batched_lora import RowSums, Updates
from xadapt.injection.hooks import embedded_apart, install
from xadapt.injection.row_groups import ALL, Rows
from xadapt.modules.hooks import STATES, AdapterHook, Place, hooks_of
from xadapt.modules.sums import terms_of


class ActiveAdapter:
    """A module prepared for one encoder: its sites, its inputs, and its lowest layer.

    Args:
        encoder: The frozen encoder.
        module: Any module of ``xadapt/modules``, or a composition of them.
        batched: Whether a module that is only a sum of LoRAs is computed together with other such
            modules, in one product for each linear (`RowSums`). This option is meant for rows of
            many modules.

    Attributes:
        module: The module.
        encoder: The encoder.
        guard: Guard of the encoder's model.
        first_layer: The lowest layer that the module acts in or reads, -1 for the embeddings. The
            depth of the encoder if the module acts nowhere.
        updates: The module's low-rank updates with their linears, if the module is a sum of LoRAs
            and ``batched`` is set.
        at: The module's other hooks on linears, by the linear's path.
        table: The module's hooks on the table of word embeddings.
        embedded: The module's hooks on the block around that table.
        states: The module's hooks on the states after the last layer.
        captures: The inputs of attentions and FFNs that the module reads, by layer and name.
        splits: Paths of the attentions that must run separately for rows with different adapters.
        vocabulary: The tokenizer of the module, if it has a vocabulary of its own.

    Raises:
        UserError: If the module doesn't fit the encoder.
    """

    def __init__(self, encoder: Attachable, module: nn.Module, batched: bool = False) -> None:
        self.module, self.encoder, self.guard = module, encoder, encoder.guard
        self.vocabulary: MappedTokenizer | None = getattr(module, "vocabulary", None)
        hooks = hooks_of(module)
        acts = [(hook, place(encoder, hook)) for hook in hooks]
        self.first_layer = lowest(hooks, encoder.depth)
        # What is added to positions that all rows share is not a matter of single rows.
        self.updates = None if projects_positions(encoder) or not batched else updates_of(acts)
        self.at: dict[str, tuple[tuple[AdapterHook, SitePoint], ...]] = {}
        for hook, site in acts if self.updates is None else ():
            if site is not None:
                self.at[site.path] = (*self.at.get(site.path, ()), (hook, site))
        apart = [hook for hook, site in acts if site is None]
        self.states = tuple(e for e in apart if e.site == STATES)
        below = [hook for hook in apart if hook.site != STATES]
        self.table = tuple(e for e in below if not embedded_apart(encoder, e))
        self.embedded = tuple(e for e in below if embedded_apart(encoder, e))
        self.reads_ids = any(hook.reads == "ids" for hook in self.table)
        self.captures = frozenset(at for hook in hooks for at in hook.remembered)
        self.splits = frozenset(_splits(encoder, acts))
        sites = [site for _, site in acts if site is not None]
        install(encoder, sites, list(self.captures), list(self.splits), apart)
        others = [hook for hook in hooks if not (hook.own_texts or hook.reads == "ids")]
        self._for_own_texts = self.vocabulary is not None and any(hook.own_texts for hook in hooks)
        self._others: ActiveAdapter | None = None
        if self._for_own_texts and others:
            self._others = ActiveAdapter(encoder, _Hooked(others))

    @property
    def elsewhere(self) -> ActiveAdapter | None:
        """The adapter that acts in its place on texts that the vocabulary does not read.

        That is itself; or one without the hooks for own texts; ``None`` if no hook is left.
        """
        return self._others if self._for_own_texts else self

    @property
    def before_vocabulary(self) -> Callable[[Tensor], Tensor] | None:
        """The module's function on the states before the vocabulary, if there is one."""
        return getattr(self.module, "before_vocabulary", None)


@dataclass(frozen=True, eq=False)
class Activation:
    """The active adapters of one forward.

    Attributes:
        groups: Adapters, each with the rows that it acts on (`ALL`, or their positions). A hook
            that reads a site's output sees the additions of the adapters before its own.
        sums: Adapters that are sums of LoRAs and are computed together.
        cache: States that the forward may begin at, if no adapter acts below them.
        merged: The update that the forward expects in the weights of the base.
        guards: Guards of the models that the adapters were made for.
        lowest: The lowest layer that an adapter acts in; ``None`` where no adapter acts.
        captures: The inputs of attentions and FFNs that are read.
        vocabularies: The tokenizers of adapters with a vocabulary of their own.
    """

    groups: tuple[tuple[ActiveAdapter, Rows], ...] = ()
    sums: RowSums | None = None
    cache: Kept | None = None
    merged: InWeights | None = None
    guards: frozenset[object] = frozenset()
    lowest: int | None = None
    captures: frozenset[object] = frozenset()
    vocabularies: frozenset[MappedTokenizer] = frozenset()

    @classmethod
    def of(
        cls,
        adapter: ActiveAdapter,
        rows: Sequence[int] | None = None,
        *,
        cache: Kept | None = None,
    ) -> Activation:
        """Activate one adapter on all rows of a batch, or on some rows.

        Args:
            adapter: The adapter.
            rows: Positions in the batch; ``None`` means all.
            cache: States that the forward may begin at.
        """
        return cls.several([(adapter, rows)], cache=cache)

    @classmethod
    def several(
        cls,
        adapters: Sequence[tuple[ActiveAdapter, Sequence[int] | None]],
        *,
        cache: Kept | None = None,
    ) -> Activation:
        """Activate several adapters, each on its own rows.

        On a row with two adapters, the first adapter acts first.

        Args:
            adapters: Each with positions in the batch; ``None`` means all.
            cache: As for `of`.

        Raises:
            ValueError: If one of several adapters is batched; use `by_row` for batched adapters.
        """
        groups = [(a, _rows(a, rows)) for a, rows in adapters if rows is None or len(rows)]
        joint = [a for a, _ in groups if a.updates is not None]
        if not joint:
            return cls._made(groups, [], None, cache)
        if len(groups) > 1 or groups[0][1] is not ALL:
            raise ValueError("batched adapters on some rows are for Activation.by_row")
        return cls._made([], joint, RowSums([own.updates for own in joint if own.updates]), cache)

    @classmethod
    def by_row(
        cls, acts: Sequence[ActiveAdapter | None], *, cache: Kept | None = None
    ) -> Activation:
        """Activate one adapter or none on each row.

        Args:
            acts: The adapter of each row of the batch; ``None`` for a row of the bare base.
            cache: As for `of`.
        """
        members: dict[ActiveAdapter, list[int]] = {}
        for row, adapter in enumerate(acts):
            if adapter is not None:
                members.setdefault(adapter, []).append(row)
        joint = [adapter for adapter in members if adapter.updates is not None]
        apart = [
            (own, ALL if len(rows) == len(acts) else _rows(own, rows))
            for own, rows in members.items()
            if own.updates is None
        ]
        sums = None
        if joint:
            numbers = {adapter: number for number, adapter in enumerate(joint)}
            owners = [None if act is None else numbers.get(act) for act in acts]
            sums = RowSums([own.updates for own in joint if own.updates is not None], owners)
        return cls._made(apart, joint, sums, cache)

    @classmethod
    def _made(
        cls,
        groups: Sequence[tuple[ActiveAdapter, Rows]],
        joint: Sequence[ActiveAdapter],
        sums: RowSums | None,
        cache: Kept | None,
    ) -> Activation:
        adapters = [*(adapter for adapter, _ in groups), *joint]
        return cls(
            tuple(groups),
            sums,
            cache,
            guards=frozenset(adapter.guard for adapter in adapters),
            lowest=min((adapter.first_layer for adapter in adapters), default=None),
            captures=frozenset().union(*(adapter.captures for adapter in adapters)),
            vocabularies=frozenset(a.vocabulary for a in adapters if a.vocabulary is not None),
        )

    @property
    def acts(self) -> bool:
        """Whether any row has an adapter."""
        return bool(self.groups) or self.sums is not None

    def require(self, guard: object) -> None:
        """Check that all adapters were made for the model of a guard.

        Raises:
            UserError: If an adapter was made for another model.
        """
        if self.guards - {guard}:
            raise UserError(
                "an adapter was made ready for another base than the one that runs",
                todo="Make it ready for this one",
            )

    def begins_at(self, stop: int | None) -> Kept | None:
        """Return the states that a forward may begin at.

        Args:
            stop: One past the last layer that the forward runs; ``None`` means all.

        Returns:
            The cache. ``None`` if there is no cache, an adapter or merged update acts below its
            layer, or the forward ends before its layer.
        """
        touched = [self.lowest, None if self.merged is None else self.merged.lowest]
        lowest = min((at for at in touched if at is not None), default=None)
        return usable(self.cache, stop, lowest)

    def reading(self, ids: Sequence[Sequence[int]]) -> Activation:
        """Return the activation of rows with these token ids, which say who has read the text.

        A module with a vocabulary acts on texts that the vocabulary has read, unless it says
        otherwise (`xadapt.modules.vocabulary.VocabularyOptions.acts_on`).

        Args:
            ids: The token ids of each row of the forward.
        """
        if all(adapter.elsewhere is adapter for adapter, _ in self.groups):
            return self
        groups: list[tuple[ActiveAdapter, Rows]] = []
        for adapter, rows in self.groups:
            own = adapter.vocabulary
            if adapter.elsewhere is adapter or own is None:
                groups.append((adapter, rows))
                continue
            every = rows.tolist() if isinstance(rows, Tensor) else list(range(len(ids)))
            inside = [row for row in every if own.has_read(ids[row])]
            if len(inside) == len(every):
                groups.append((adapter, rows))
                continue
            outside = sorted(set(every) - set(inside))
            if inside:
                groups.append((adapter, _rows(adapter, inside)))
            if adapter.elsewhere is not None:
                groups.append((adapter.elsewhere, rows if not inside else _rows(adapter, outside)))
        if self.sums is None:
            return replace(self._made(groups, [], None, self.cache), merged=self.merged)
        return replace(self, groups=tuple(groups))

    @property
    def on_all_rows(self) -> bool:
        """Whether every adapter acts on every row."""
        return self.sums is None and not any(isinstance(rows, Tensor) for _, rows in self.groups)

    def narrowed(self, row: int) -> Activation:
        """Return the activation of one row, for a batch in which all rows are like this row."""
        own = [
            (adapter, ALL)
            for adapter, rows in self.groups
            if not isinstance(rows, Tensor) or bool((rows == row).any())
        ]
        return self._made(own, [], None, None)


class _Hooked(nn.Module):
    """Some hooks of a module, which holds their parameters."""

    def __init__(self, hooks: Sequence[AdapterHook]) -> None:
        super().__init__()
        self._hooks = list(hooks)

    def hooks(self) -> list[AdapterHook]:
        """Return the hooks."""
        return self._hooks


def updates_of(acts: Sequence[tuple[AdapterHook, SitePoint | None]]) -> Updates | None:
    """Return the low-rank updates of a sum of LoRAs with their linears; otherwise ``None``.

    Args:
        acts: Hooks, each with the linear that it acts on.
    """
    terms = terms_of([hook for hook, _ in acts])
    if terms is None:
        return None
    sites: dict[Place, SitePoint] = {e.place: site for e, site in acts if site is not None}
    return {at: (sites[at], own) for at, own in terms.items()}


def _splits(encoder: Attachable, acts: Sequence[tuple[AdapterHook, SitePoint | None]]) -> list[str]:
    if not projects_positions(encoder):
        return []
    return [s.path.rpartition(".")[0] for e, s in acts if s is not None and e.site in ("q", "k")]


def _rows(adapter: ActiveAdapter, rows: Sequence[int] | None) -> Rows:
    if rows is None:
        return ALL
    return torch.tensor(list(dict.fromkeys(rows)), device=adapter.encoder.device)
