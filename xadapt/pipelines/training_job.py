"""The options of a training run beside its recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xadapt.data.loading.records import Source
from xadapt.data.loading.transform_chain import Callables


@dataclass(frozen=True)
class TrainingJob:
    """The options of a training run beside the recipe.

    Attributes:
        base: Hub id, folder or ``package:NAME/SUBDIR``.
        sources: The sources of the records; several languages make one joint module.
        out: Folder of the module.
        dev: Development pairs, if they are not taken from the data.
        resume: Continue an interrupted run; a finished run is not changed.
        controls: Also train the shuffled-pairs control.
        base_id: Hub id of a base that was given as a folder or a package.
        licence: SPDX id of the module's licence.
        show: Whether progress is shown.
        compose: Compositions of folders with ``self``, the module under training. Several
            compositions take turns from step to step.
        callables: Functions that transforms may need, by name, see
            `xadapt.data.transforms.protocol.CALLABLES`.
        companions: Modules of the recipe's companions, by name; they override the recipe's own.
        callbacks: Callbacks as in transformers, see `xadapt.training.callbacks`.
        report_to: Names of experiment trackers, see `xadapt.training.trackers`.
        data_licence: Licence of the data, or the licences of their sources.
        data_ids: Ids on the Hub of the data sets that the data were made from.
        loaders: Libraries whose files are written, see `xadapt.hub.loaders`; ``None`` is the
            default.
    """

    base: str
    sources: tuple[Source, ...]
    out: Path
    dev: tuple[Source, ...] = ()
    resume: bool = False
    controls: bool = False
    base_id: str | None = None
    licence: str | None = None
    show: bool = True
    compose: tuple[str, ...] = ()
    callables: Callables = field(default_factory=dict)
    companions: Mapping[str, str] = field(default_factory=dict)
    callbacks: Sequence[Any] = ()
    report_to: tuple[str, ...] = ()
    loaders: tuple[str, ...] | None = None
    data_licence: str | None = None
    data_ids: tuple[str, ...] = ()
