"""An encoder with modules, a composition of them, and the task head that stands beside one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Self, TypeVar

import torch
from torch import Tensor

from xadapt.backbones.encoder.encode import Rows, token_states
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.composition.values import Composition
from xadapt.core.errors import UserError
from xadapt.core.sequences import as_paths
from xadapt.heads.head import Head, HeadTask
from xadapt.hub.manifest import HeadSpec
from xadapt.hub.opening import open_head, read_manifest
from xadapt.inference.adapted_encoder import Adapted
from xadapt.inference.locate import locate

GIVEN, AGAINST = "module", "against"
P = TypeVar("P", bound="Predictor")


class Predictor:
    """A head over the states that a composition gives.

    Args:
        adapted: The encoder with its modules.
        head: The head, trained beside one of them.
    """

    task: ClassVar[HeadTask]

    def __init__(self, adapted: Adapted, head: Head) -> None:
        self.adapted, self.head = adapted, head.to(adapted.encoder.device)

    @classmethod
    def load(
        cls,
        base: str | Encoder,
        *folders: str | Path,
        compose: str | Composition = None,
        head: str | None = None,
        given: Sequence[str] = (),
        dtype: str = "auto",
        device: str = "auto",
    ) -> Self:
        """Load a base, modules and the head that stands beside one of them.

        Where several modules have such a head, it is that of the module that was trained inside
        the others.

        Args:
            base: As for `Adapted.load`, or one that is loaded.
            folders: As for `Adapted.load`.
            compose: Which modules act on a row; without it, and with one module, that module
                acts on every row, whatever its language.
            head: Name of the module whose head it is, as the composition has it, or its folder.
            given: Names in the composition that stand for no folder, such as ``emea``.
            dtype: As for `Adapted.load`.
            device: As for `Adapted.load`.

        Raises:
            UserError: As for `Adapted.load`, or it is not clear which module's head it is.
        """
        paths = [path for one in folders for path in as_paths(one)]
        composition, places = locate(paths, compose, given)
        if compose is None and len(places) == 1:
            [composition] = places
        where, spec = chosen_head(places, cls.task, head)
        adapted = Adapted.open(
            base,
            next(iter(places), None) if given else composition,
            places,
            dtype=dtype,
            device=device,
        )
        return cls(adapted, open_head(where, spec, adapted.encoder.width))


def load_each(
    kind: type[P],
    base: str | Encoder,
    modules: str | Path | Sequence[str | Path],
    *,
    compose: str | None,
    against: str | None = None,
    head: str | None = None,
    given: Sequence[str] = (),
    dtype: str = "auto",
) -> dict[str, P]:
    """Predictors under a composition, and before it under another if there is one; one base.

    Args:
        kind: Of predictor.
        base: As for `Predictor.load`.
        modules: Folders, as for `Predictor.load`.
        compose: As for `Predictor.load`.
        against: The other composition of the same modules.
        head: As for `Predictor.load`.
        given: As for `Predictor.load`.
        dtype: As for `Predictor.load`.

    Raises:
        UserError: As for `Predictor.load`, or the two have heads of different labels.
    """
    folders = as_paths(modules)
    first = kind.load(base, *folders, compose=compose, head=head, given=given, dtype=dtype)
    if against is None:
        return {GIVEN: first}
    other = kind.load(first.adapted.encoder, *folders, compose=against, head=head)
    if other.head.labels != first.head.labels:
        raise UserError("the two compositions have different labels", where="--against")
    return {AGAINST: other, GIVEN: first}


def heads_of(places: Mapping[str, str], task: HeadTask | None = None) -> dict[str, HeadSpec]:
    """The heads beside modules, by folder: those for a task, or all."""
    found = {}
    for where in dict.fromkeys(places.values()):
        spec = read_manifest(where).head
        if spec is not None and task in (None, spec.task):
            found[where] = spec
    return found


def chosen_head(
    places: Mapping[str, str], task: HeadTask, name: str | None = None
) -> tuple[str, HeadSpec]:
    """The folder of the module whose head is meant, and what its manifest says of it.

    Args:
        places: Folders of modules by name.
        task: What the head must be for.
        name: The module, by its name or folder, if the user says which.

    Raises:
        UserError: No module has such a head, or several have one and none of them was trained
            inside all the others.
    """
    found = heads_of(places, task)
    if name is not None:
        where = places.get(name, name)
        if where not in found:
            raise UserError(
                f"{name!r} is no module with a head for {task}",
                where="head",
                todo=f"There are {', '.join(found) or 'none'}",
            )
        return where, found[where]
    if not found:
        other = heads_of(places)
        what = f"head for {task}" if other else "task head"
        raise UserError(
            f"none of these modules has a {what}: "
            f"{', '.join(other or places.values()) or 'no module is given'}",
            todo="Name one module that was trained for the task, such as by the recipe ner or qa",
        )
    outer = [where for where in found if _inside_all(where, found)]
    if len(outer) != 1:
        raise UserError(
            f"{len(found)} of these modules have a head for {task}: {', '.join(found)}",
            todo="Say whose is meant with head= (--head on the command line)",
        )
    return outer[0], found[outer[0]]


def _inside_all(where: str, found: Mapping[str, HeadSpec]) -> bool:
    """Whether a module was trained inside all others that have a head."""
    parents = read_manifest(where).parents
    return all(Path(other).name in parents for other in found if other != where)


def first_scores(
    encoder: Encoder,
    head: Head,
    ids: Sequence[Sequence[int]],
    second: Sequence[int] | None = None,
    rows: Rows | None = None,
) -> Tensor:
    """What a head says of the first token of each row.

    Args:
        encoder: The encoder; modules that are on act.
        head: The head.
        ids: Token sequences.
        second: Where their second segments begin, as for `Encoder.embed`.
        rows: As for `xadapt.backbones.encoder.encode.encode`.

    Returns:
        ``(n, labels)``, fp32, on the CPU.
    """
    found = torch.zeros(len(ids), len(head.labels))
    with torch.inference_mode():
        for chunk, states in token_states(encoder, ids, second=second, rows=rows):
            found[chunk] = head(states[:, 0]).cpu()
    return found
