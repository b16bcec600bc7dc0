"""Measure a base, or modules on it, by the task that a user names."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

from xadapt.backbones.encoder.windows import CutNotice, require_windows
from xadapt.core import registry
from xadapt.core.errors import UserError
from xadapt.data.loading.inputs import as_data, of_language
from xadapt.data.readers.notes import reporting
from xadapt.evaluation.comparison import Result
from xadapt.evaluation.metrics.protocol import find as find_metric
from xadapt.hub.base_mismatch import FACT as BASE_MISMATCH
from xadapt.hub.base_mismatch import allowing_base_mismatch, base_mismatches
from xadapt.hub.integrity import allowing_modified
from xadapt.tasks.protocol import Report, Request, Task, find, options_of

OLD_NAMES = {"against": "baseline", "say": "report"}


def evaluate(
    task: str | Task,
    *,
    base: str,
    data: Any = None,
    modules: str | Path | Sequence[str | Path] = (),
    module: str | Path | Sequence[str | Path] | None = None,
    lang: str | None = None,
    compose: str | None = None,
    baseline: str | None = None,
    head: str | None = None,
    dtype: str = "auto",
    controls: bool = False,
    metric: str | Sequence[str] = (),
    windows: str | None = None,
    report: Report = lambda _: None,
    allow_modified: bool = False,
    allow_base_mismatch: bool = False,
    **options: Any,
) -> Result:
    """Measure a base, or modules on it, by a task.

    Args:
        task: Name of a task, such as ``bitext`` or ``tagging``; ``xadapt list tasks`` shows all.
        base: Hub id, folder, ``package:NAME/SUBDIR`` or ``mini``.
        data: Records on which no module was trained: a file that the task reads, or anything else
            that `xadapt.train` takes for one language. ``columns`` names its columns.
        modules: Folders of modules; ``NAME=FOLDER`` gives one a name.
        module: The folder of a single module.
        lang: Language of the texts.
        compose: The composition, such as ``"language + task"``; without it, the one module.
        baseline: Another composition of the same modules; the paired difference to it is part of
            the result.
        head: The module whose head is read, where several have one.
        dtype: Type of the base's weights: ``auto``, ``float32``, ``bfloat16``, ``int8`` or ``nf4``.
        controls: Whether a task that has costly controls adds them.
        metric: One further metric or several, by name; tasks with a task head take them.
        windows: What becomes of a text longer than the base reads, for tasks that compare vectors:
            ``first`` (cut and counted, the default), or ``mean`` or ``max`` over its windows.
        report: Receives messages for people, a line at a time.
        allow_modified: Load folders that were modified after publication, with a notice.
        allow_base_mismatch: Load modules of another base whose shapes fit, with a notice; the
            result's facts state it.
        options: Further options of the task; see ``xadapt evaluate TASK --help``.

    Raises:
        UserError: If an argument is wrong, or the task has no such option.
    """
    found = find(task) if isinstance(task, str) else task
    renamed = _renamed(found, options)
    shared = {"baseline": baseline, "report": report} | {
        name: renamed.pop(name) for name in ("baseline", "report") if name in renamed
    }
    given = data if data is not None else found.default_data
    if given is None:
        raise UserError(f"{found.name} needs data", todo="Name it with --data")
    given = of_language(given, lang)
    source = as_data(given, _columns(given, renamed))
    request = Request(
        base,
        source,
        (*_several(modules), *_several(module)),
        lang,
        compose,
        head=head,
        dtype=dtype,
        controls=controls,
        metrics=_several(metric),
        windows=windows,
        **shared,
    )
    _require_known(found, request, renamed)
    notes: list[str] = []
    with (
        allowing_modified(allow_modified),
        allowing_base_mismatch(allow_base_mismatch),
        collected(notes, report),
    ):
        result = found.measure(request, **renamed)
        stated = {"notes": notes, BASE_MISMATCH: base_mismatches()}
    more = {name: lines for name, lines in stated.items() if lines}
    return replace(result, facts={**result.facts, **more}) if more else result


@contextmanager
def collected(notes: list[str], report: Report) -> Iterator[None]:
    """Report what was cut, not read or not used inside the block, each line once.

    The lines come from a `CutNotice`, and from readers, whose notes would be logged otherwise.

    Args:
        notes: Where the lines are collected.
        report: Receives each new line.
    """

    def add(line: str) -> None:
        if line not in notes:
            notes.append(line)
            report(line)

    with warnings.catch_warnings(), reporting(add):
        warnings.filterwarnings("always", category=CutNotice)
        shown = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
            if issubclass(category, CutNotice):
                add(str(message))
            else:
                shown(message, category, *place, **more)

        warnings.showwarning = show
        yield


def _columns(data: Any, options: dict[str, Any]) -> Any:
    """Take the columns of data in memory out of the options, since the data themselves use them."""
    return None if isinstance(data, (str, PathLike)) else options.pop("columns", None)


def _several(given: str | Path | Sequence[str | Path] | None) -> tuple[str, ...]:
    if given is None:
        return ()
    return (str(given),) if isinstance(given, (str, Path)) else tuple(map(str, given))


def _renamed(task: Task, options: Mapping[str, Any]) -> dict[str, Any]:
    """Rename options to their current names."""
    old = OLD_NAMES | {about.old: name for name, (*_, about) in options_of(task).items()}
    for name in old.keys() & options.keys():
        warnings.warn(f"{name}= is called {old[name]}= now", DeprecationWarning, stacklevel=3)
    return {old.get(name, name): value for name, value in options.items()}


def _require_known(task: Task, request: Request, options: Mapping[str, Any]) -> None:
    """Refuse options that the task does not have, and values that are not allowed."""
    known = options_of(task)
    given = {
        "module": bool(request.modules),
        "compose": request.compose is not None,
        "baseline": request.baseline is not None,
        "head": request.head is not None,
        "controls": request.controls,
        "metric": bool(request.metrics),
        "windows": request.windows is not None,
    }
    for name, there in given.items():
        if there and name not in task.shared:
            raise UserError(f"{task.name} has no option --{name}")
    if request.windows is not None:
        require_windows(request.windows)
    for name in request.metrics:
        find_metric(name, task.name)
    for name, (_, default, _) in known.items():
        if default is inspect.Parameter.empty and not options.get(name):
            raise UserError(f"{task.name} needs {name}", todo=f"Name it with --{name}")
    for name, value in options.items():
        if name not in known:
            raise UserError(registry.unknown("option", name, [*known, *task.shared]))
        _, _, about = known[name]
        if about.choices and value is not None and value not in about.choices:
            raise UserError(f"--{name} is {' or '.join(about.choices)}, not {value!r}")
