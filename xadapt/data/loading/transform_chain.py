"""Apply the transforms of a recipe to records, and count the records that are kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from xadapt.config.recipe import DataSpec
from xadapt.config.recipe_types import chain_faults
from xadapt.core.errors import UserError
from xadapt.data.records import Record
from xadapt.data.transforms.protocol import CALLABLES, Services, Transform

Callables = Mapping[str, Callable[..., Any]]


def counted(rows: Sequence[Record]) -> str:
    """Return the number of records with their unit, such as ``12 pairs``."""
    return f"{len(rows)} {rows[0].unit if rows else Record.unit}"


@dataclass(frozen=True)
class Chain:
    """The transforms of one source of records.

    Attributes:
        steps: Names and built transforms, in order.
        data: Name of the source in the recipe.
    """

    steps: tuple[tuple[str, Transform], ...]
    data: str = "train"

    @classmethod
    def of(cls, spec: DataSpec, callables: Iterable[str] = (), data: str = "train") -> Chain:
        """Build the transforms that a recipe names.

        Args:
            spec: The recipe's source.
            callables: Names of the available callables.
            data: Name of the source in the recipe.

        Raises:
            UserError: If a transform needs a callable that is not available, or record types don't
                fit.
        """
        chain = spec.chain()
        for place, fault in chain_faults(spec, chain, ("data", data)):
            raise UserError(fault, where=".".join(map(str, place)))
        for name, transform in chain:
            missing = [need for need in transform.needs if need not in callables]
            if missing:
                raise _missing(name, missing[0])
        return cls(tuple(chain), data)

    def prepare(self, rows: Sequence[Record], services: Services, where: str) -> Sequence[Record]:
        """Apply the transforms that come before a development part is held out.

        Args:
            rows: The records of the reader.
            services: Services for the transforms.
            where: Name of the source in errors.

        Raises:
            UserError: If a transform leaves no record.
        """
        return self._apply(self.steps[: self._split], rows, services, where)

    def augment(self, rows: Sequence[Record], services: Services, where: str) -> Sequence[Record]:
        """Apply the later transforms to the training records only; see `prepare`."""
        return self._apply(self.steps[self._split :], rows, services, where)

    def on_dev(self, rows: Sequence[Record], services: Services, where: str) -> Sequence[Record]:
        """Apply the transforms that change the form to given development data; see `prepare`."""
        steps = [(name, step) for name, step in self.steps if step.applies == "all"]
        return self._apply(steps, rows, services, where)

    @property
    def _split(self) -> int:
        """Return the number of transforms before a development part is held out."""
        late = [i for i, (_, step) in enumerate(self.steps) if step.applies == "train"]
        return late[0] if late else len(self.steps)

    def _apply(
        self,
        steps: Sequence[tuple[str, Transform]],
        rows: Sequence[Record],
        services: Services,
        where: str,
    ) -> Sequence[Record]:
        for name, step in steps:
            lines: list[str] = []
            before = counted(rows)
            rows = step.apply(rows, replace(services, log=lines.append))
            lines = lines or [f"{counted(rows)} by {name} of {before}"]
            if not rows:
                raise UserError(
                    f"the transform {name} left nothing to train on ({'; '.join(lines)})",
                    where=where,
                    todo="Check the data, --lang and --columns, or name other transforms: "
                    f"--set 'data.{self.data}.transforms=[]'",
                )
            if not isinstance(rows[0], step.gives):
                raise UserError(
                    f"the transform {name} says that it gives {step.gives.__name__}, and gave "
                    f"{type(rows[0]).__name__}",
                    todo="Correct its gives",
                )
            for line in lines:
                services.log(line)
        return rows


def _missing(name: str, need: str) -> UserError:
    signature = f", a function {CALLABLES[need]}" if need in CALLABLES else ""
    return UserError(
        f"the transform {name} needs {need!r}{signature}, and none is given",
        todo=f'Hand it in from Python: xadapt.train(..., callables={{"{need}": function}})'
        + (", or name a --translator" if need == "translate" else ""),
    )
