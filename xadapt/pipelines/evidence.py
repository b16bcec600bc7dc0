"""Evidence on test data: measure a module beside its controls, and keep it in its folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xadapt.core.errors import UserError
from xadapt.core.folder_lock import is_main
from xadapt.evaluation.comparison import Result
from xadapt.hub.base_mismatch import base_mismatches
from xadapt.hub.evidence import (
    FILE,
    PICTURE,
    EvidenceFile,
    Measurement,
    claims,
    read_evidence,
    tensors_hash,
)
from xadapt.hub.renewing import renew, require_own_folder
from xadapt.hub.safe_paths import is_folder
from xadapt.hub.training_texts import training_texts
from xadapt.pipelines.evidence_controls import find_controls_of
from xadapt.pipelines.evidence_rows import (
    bars_of,
    control_rows,
    measurement_of,
    system_rows,
    title_of,
)
from xadapt.pipelines.evidence_run import MeasuringRun, Watch
from xadapt.tasks.protocol import Report, Task, find

OPTIONS_OF_FOLDERS = ("predicates", "arguments", "translator")
"""Options of tasks that name more than the data and the module: nobody else could give them."""


@dataclass(frozen=True)
class AddedEvidence:
    """A measurement that was added to a module's folder.

    Attributes:
        folder: The module's folder.
        result: The table of the module, the base and the task's own controls.
        measurement: What ``evidence.json`` holds of it, with all controls.
        card_renewed: Whether the card shows it; a card that its owner edited stays as it is.
    """

    folder: Path
    result: Result
    measurement: Measurement
    card_renewed: bool


def add_evidence(
    task: str | Task,
    *,
    base: str,
    module: str | Path,
    data: Any = None,
    control: Mapping[str, str | Path] | None = None,
    find_controls: bool = True,
    report: Report = lambda _: None,
    **options: Any,
) -> AddedEvidence:
    """Measure a module on test data, with controls, and write this into its folder.

    ``evidence.json`` gets the scores of the module, the frozen base, TF-IDF, the shuffled-pairs
    twin if it was trained, and of other modules as controls. The card and the manifest claim the
    module's scores. A measurement of the same task, data and options takes the place of an
    earlier one.

    Args:
        task: Name of a task, as for `xadapt.evaluate`.
        base: The base.
        module: The module's folder.
        data: Test data, as for `xadapt.evaluate`.
        control: Folders of other modules by name. The names ``wrong-language``, ``shuffled-pairs``
            and ``masked-language-model`` say what a control stands for; others are its name.
        find_controls: Look for controls that are not given among the folders beside the module:
            the module of the most distant language by the same objectives, and a masked language
            model of the same language and size.
        report: Receives messages for people, a line at a time.
        options: Further options of `xadapt.evaluate`: ``lang``, ``dtype``, ``metric``,
            ``windows`` and those of the task.

    Raises:
        UserError: If an argument is wrong, the test data overlap the training data, or the folder
            can't be changed. Nothing is written then.
    """
    found = find(task) if isinstance(task, str) else task
    folder = Path(module)
    require_measurable(found, folder, options)
    manifest = require_own_folder(folder)
    earlier = read_evidence(folder, manifest)
    known = training_texts(folder, manifest)
    if known is None:
        report(
            "this module keeps no fingerprint of its training texts: whether the test data "
            "overlap them is not known"
        )
    elif not known.complete:
        report("the training texts of a module behind this one are not known")
    others = find_controls_of(
        found, folder, manifest, control or {}, find_controls, options.get("lang")
    )
    for role, name, where in others:
        report(f"control: {where.name} as {name if role == 'control' else role}")
    if found.head is None and options.get("lang") is None and len(manifest.languages) == 1:
        options["lang"] = manifest.languages[0]  # a control would name another
    watch = Watch(known, str(found.default_data if data is None else data))
    run = MeasuringRun(found, base, data, options, report, watch)
    result = run.measure(folder, controls="controls" in found.shared)
    if base_mismatches():
        raise UserError(
            "evidence is measured on the module's own base alone", where=str(folder),
            todo="Name that base",
        )  # fmt: skip
    systems = system_rows(result, folder, manifest)
    for role, name, where in others:
        more = run.measure(where, controls=False)
        systems += control_rows(role, name, where, more, result)
    measurement = measurement_of(run, result, systems, manifest)
    content = (earlier or EvidenceFile(tensors=tensors_hash(folder, manifest))).with_measurement(
        measurement
    )
    every = claims(content.measurements)
    keys = {(one.task, one.data) for one in every}
    rest = [one for one in manifest.evidence if (one.task, one.data) not in keys]
    from xadapt.report.plots import bars_png  # matplotlib is imported when something is drawn

    files = {
        FILE: (content.model_dump_json(indent=1) + "\n").encode(),
        PICTURE: bars_png(bars_of(measurement), title_of(measurement)),
    }
    renewed = True
    if is_main():
        _, renewed = renew(folder, files, evidence=[*every, *rest])
    if not renewed:
        report("the card was edited: it stays as it is, and the new scores are not in it")
    return AddedEvidence(folder, result, measurement, renewed)


def require_measurable(task: Task, folder: Path, options: Mapping[str, Any]) -> None:
    """Refuse what is no measurement of one module in a folder of the user's.

    Args:
        task: The task.
        folder: The module's folder.
        options: The options of the measurement.

    Raises:
        UserError: If the task takes no module, an option needs more than one, or there is no such
            folder.
    """
    if "module" not in task.shared:
        raise UserError(f"{task.name} measures no single module", where="--evidence")
    for name in ("compose", "baseline", "modules", "head", "controls", *OPTIONS_OF_FOLDERS):
        if options.get(name):
            raise UserError(
                f"evidence is of one module alone, without {name}", where="--evidence",
                todo="Leave it out",
            )  # fmt: skip
    if not is_folder(folder):
        raise UserError(
            "evidence is written into a folder of yours",
            where=str(folder),
            todo="Name the folder of a module",
        )
