"""Predictors: an encoder, a composition of modules, and the task head of one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Self, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xadapt.backbones.encoder.encode import Rows, token_states
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.encoder.fused import fused_states
from xadapt.backbones.encoder.windows import combined, tell
from xadapt.backbones.encoder.words import WordWindow
from xadapt.backbones.finite import require_finite
from xadapt.composition.values import Composition
from xadapt.core.errors import UserError
from xadapt.core.sequences import as_paths
from xadapt.functional.tag_scheme import OUTSIDE, decode
from xadapt.heads.head import Head
from xadapt.hub.manifest import HeadSpec
from xadapt.hub.opening import open_head, read_manifest
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.inference.locate import locate

MODULE, BASELINE = "module", "baseline"
Languages = str | Sequence[str | None] | None
P = TypeVar("P", bound="Predictor")


class Predictor:
    """A task head over the states that a composition gives.

    Attributes:
        task: The kind of head that the predictor reads.

    Args:
        adapted: The encoder with its modules.
        head: The head, trained together with one of the modules.
    """

    task: ClassVar[str]

    def __init__(self, adapted: AdaptedEncoder, head: Head) -> None:
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
        """Load a base, modules and the task head of one of them.

        Where several modules have such a head, the head of the module that was trained inside
        the others is taken.

        Args:
            base: As for `AdaptedEncoder.load`, or a loaded base.
            folders: As for `AdaptedEncoder.load`.
            compose: The composition. Without it, and with one module, that module acts on every
                row of any language.
            head: Name of the module whose head is read, as in the composition, or its folder.
            given: Names in the composition that stand for no folder, such as ``emea``.
            dtype: As for `AdaptedEncoder.load`.
            device: As for `AdaptedEncoder.load`.

        Raises:
            UserError: As for `AdaptedEncoder.load`, or if it is not clear which module's head to
                read.
        """
        paths = [path for one in folders for path in as_paths(one)]
        composition, places = locate(paths, compose, given)
        if compose is None and len(places) == 1:
            [composition] = places
        where, spec = chosen_head(places, cls.task, head)
        adapted = AdaptedEncoder.open(
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
    baseline: str | None = None,
    head: str | None = None,
    given: Sequence[str] = (),
    dtype: str = "auto",
) -> dict[str, P]:
    """Load one base, a predictor for the baseline if given, and one for the composition.

    Args:
        kind: The predictor class.
        base: As for `Predictor.load`.
        modules: Folders, as for `Predictor.load`.
        compose: As for `Predictor.load`.
        baseline: Another composition of the same modules.
        head: As for `Predictor.load`.
        given: As for `Predictor.load`.
        dtype: As for `Predictor.load`.

    Returns:
        The predictors by name: ``baseline`` if there is one, and ``module``.

    Raises:
        UserError: As for `Predictor.load`, or if the two have heads of different labels.
    """
    folders = as_paths(modules)
    first = kind.load(base, *folders, compose=compose, head=head, given=given, dtype=dtype)
    if baseline is None:
        return {MODULE: first}
    other = kind.load(first.adapted.encoder, *folders, compose=baseline, head=head)
    if other.head.labels != first.head.labels:
        raise UserError("the two compositions have different labels", where="--baseline")
    return {BASELINE: other, MODULE: first}


def heads_of(places: Mapping[str, str], task: str | None = None) -> dict[str, HeadSpec]:
    """Find the heads of modules, by folder: the heads of one kind, or all heads."""
    found = {}
    for where in dict.fromkeys(places.values()):
        spec = read_manifest(where).head
        if spec is not None and task in (None, spec.task):
            found[where] = spec
    return found


def chosen_head(
    places: Mapping[str, str], task: str, name: str | None = None
) -> tuple[str, HeadSpec]:
    """Choose the module whose head is read: its folder, and the head in its manifest.

    Args:
        places: Folders of modules by name.
        task: The kind of head.
        name: The module, by its name or folder, if the user names one.

    Raises:
        UserError: If no module has such a head, or several modules have one and none of these
            was trained inside all the others.
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
            todo="Say which one is meant with head= (--head on the command line)",
        )
    return outer[0], found[outer[0]]


def _inside_all(where: str, found: Mapping[str, HeadSpec]) -> bool:
    """Whether a module was trained inside all other modules that have a head."""
    parents = read_manifest(where).parents
    return all(Path(other).name in parents for other in found if other != where)


def first_scores(
    encoder: Encoder,
    head: Head,
    ids: Sequence[Sequence[int]],
    second: Sequence[int] | None = None,
    rows: Rows | None = None,
    owners: Sequence[int] | None = None,
    beside: Sequence[Sequence[int]] | None = None,
) -> Tensor:
    """Compute a head's scores of the first token of each row.

    The scores of a text in several windows are the mean of those of its windows.

    Args:
        encoder: The encoder.
        head: The head.
        ids: Token sequences.
        second: Start of the second segment of each sequence, as for `Encoder.embed`.
        rows: As for `xadapt.backbones.encoder.encode.encode`.
        owners: Where rows are windows, the position of the text of each, from 0 on.
        beside: The sequence that each sequence is read with, for a head with fused layers.

    Returns:
        ``(n, labels)``, fp32, on the CPU: a row for each text.
    """
    own = list(range(len(ids))) if owners is None else owners
    found = torch.zeros(len(ids), len(head.labels))
    if beside is None:
        made = token_states(encoder, ids, second=second, rows=rows, owners=own)
    else:
        assert head.fused is not None
        made = fused_states(encoder, ids, beside, head.fused, rows=rows, owners=own)
    with torch.inference_mode():
        for chunk, states in made:
            found[chunk] = head(states[:, 0]).cpu()
            require_finite(found[chunk], [own[i] for i in chunk], "scores")
    return combined(found, own, len(set(own)), "mean", unit=False)


def tell_words(
    encoder: Encoder,
    head: Head,
    sentences: Sequence[Sequence[str]],
    windows: Sequence[WordWindow],
) -> None:
    """Warn of words that no forward sees, and of words that are longer than a window.

    Args:
        encoder: The base.
        head: The head that labels the words.
        sentences: Sentences as words.
        windows: Their windows.
    """
    missing = [set(range(len(words))) for words in sentences]
    for window in windows:
        missing[window.owner].difference_update(window.known)
    unknown = [sentences[owner][min(own)] for owner, own in enumerate(missing) if own]
    if unknown:
        count = sum(map(len, missing))
        label = decode(unseen(head, 1), head.labels, head.scheme)[0]
        words = f"{count:,} words have" if count > 1 else "1 word has"
        tell(
            f"{words} no token in this base, such as {unknown[0][:20]!r}: no forward sees such "
            f"words, and each gets the label {label}"
        )
    shortened = sum(window.shortened for window in windows)
    if shortened:
        have = "words have" if shortened > 1 else "word has"
        tell(
            f"{shortened:,} {have} more tokens than the {encoder.max_length} that the base reads: "
            "labels come from the first tokens of such words"
        )


def unseen(head: Head, length: int) -> NDArray[np.float32]:
    """Return log-probabilities ``(length, labels)`` of words without a token: outside all spans."""
    row = np.array([0.0 if label == OUTSIDE else -1e4 for label in head.labels], np.float32)
    return np.tile(row, (length, 1))
