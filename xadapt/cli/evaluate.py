"""``xadapt evaluate``: one subcommand for each task that is found.

Under ``torchrun`` or ``accelerate launch`` the processes share the forwards of every task.
The exception is ``--emea``: each process runs all of its forwards. Each process computes all
scores. Only the first process prints and writes. The batches of the forwards are the same as with
one process. So with the same hardware and number of threads (``OMP_NUM_THREADS``, which torchrun
sets to 1) results are the same, bit for bit.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from typer.core import TyperCommand, TyperGroup

from xadapt.cli import completion, launched, options
from xadapt.cli.verbs import Verb, VerbCommand, epilog
from xadapt.core import registry
from xadapt.core.errors import UserError
from xadapt.core.part_source import read_part

if TYPE_CHECKING:
    from xadapt.tasks.protocol import Option, Task

KIND = inspect.Parameter.KEYWORD_ONLY
SHARED: dict[str, tuple[Any, Any]] = {
    "module": (options.ModuleOption, None),
    "compose": (options.ComposeOption, None),
    "baseline": (
        Annotated[
            str | None,
            typer.Option(
                metavar="COMPOSITION",
                help="Another composition of the modules: the table shows the paired difference "
                "to it.",
            ),
        ],
        None,
    ),
    "head": (
        Annotated[
            str | None,
            typer.Option(
                metavar="NAME", help="The module whose task head is used, if several have one."
            ),
        ],
        None,
    ),
    "metric": (
        Annotated[
            list[str] | None,
            typer.Option(
                metavar="NAME",
                help=f"A further metric (see: xadapt list metrics). {options.SEVERAL}",
                autocompletion=completion.metrics,
            ),
        ],
        None,
    ),
    "controls": (
        Annotated[
            bool,
            typer.Option(
                "--controls",
                help="Add TF-IDF, and the shuffled-pairs control if it was trained.",
            ),
        ],
        False,
    ),
    "windows": (options.WindowsOption, None),
}
"""The options that tasks may share, with their types and defaults."""
FILES = {"conll": "test.conll", "conllu_trees": "test.conllu", "squad": "test.json"}
"""Names of files in the examples, by reader."""


class TaskCommand(TyperCommand):
    """The command of a task, which loads the task when its options are needed.

    The name and the one line of help are read from the task's file, so that the list of all tasks
    and the completion of names take no time.
    """

    def __init__(self, name: str) -> None:
        about = read_part("tasks", name).facts.get("title") or registry.summary("tasks", name)
        super().__init__(name, help=escape(str(about)), rich_help_panel="Tasks")

    @cached_property
    def loaded(self) -> Any:
        """The whole command."""
        with launched.progress("starting"):
            from xadapt.tasks.protocol import find

            return task_command(find(str(self.name)))

    @property
    def params(self) -> list[Any]:
        """The options of the task."""
        return list(self.loaded.params)

    @params.setter
    def params(self, _: list[Any]) -> None:
        """Ignore the empty list of options that a new command sets."""

    def make_context(self, *given: Any, **more: Any) -> Any:
        """Parse the arguments of the whole command."""
        return self.loaded.make_context(*given, **more)

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the options of the whole command, and ``--help``."""
        return list(self.loaded.get_params(ctx))


class TaskGroup(TyperGroup):
    """The group of task subcommands, each loaded when it is run."""

    def list_commands(self, ctx: Any) -> list[str]:
        """List the names of all tasks."""
        return list(registry.names("tasks"))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return the command of a task.

        Raises:
            UserError: If there is no such task.
        """
        if cmd_name not in registry.names("tasks"):
            raise UserError(registry.unknown("task", cmd_name, registry.names("tasks")))
        return TaskCommand(cmd_name)


app = typer.Typer(
    cls=TaskGroup,
    help="Measure a base or a module by a task, with confidence intervals and controls.",
    rich_markup_mode="rich",
)


def task_command(task: Task) -> Any:
    """Build the command of a task from the shared options and those of its `measure`."""
    from xadapt.tasks.protocol import options_of

    own = options_of(task)
    last = [*(_of_evidence() if "module" in task.shared else []), *_last()]
    parameters = [*_first(task), *_of_task(own), *last, *_old(task, own)]

    def command(**given: Any) -> None:
        _run(task, given, {about.old: name for name, (*_, about) in own.items() if about.old})

    command.__doc__ = escape(task.title)
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {one.name: one.annotation for one in parameters}
    alone = typer.Typer(rich_markup_mode="rich", add_completion=False)
    alone.command(task.name, cls=VerbCommand, epilog=epilog(_examples(task, own)))(command)
    made = typer.main.get_command(alone)
    made.name = task.name
    return made


def _first(task: Task) -> Iterator[inspect.Parameter]:
    """Yield the base, the data, and the options that the task shares with others."""
    yield _parameter("base", options.BaseOption)
    data = Annotated[str, typer.Option(metavar="SOURCE", help=escape(task.data_help))]
    yield _parameter("data", data, *([task.default_data] if task.default_data else []))
    for name in ("module", "compose", "baseline", "head"):
        if name in task.shared:
            yield _parameter(name, *SHARED[name])
    lang = typer.Option(metavar="TAG", help=escape(task.lang_help))
    yield _parameter("lang", Annotated[str | None, lang], None)
    for name in ("metric", "controls", "windows"):
        if name in task.shared:
            yield _parameter(name, *SHARED[name])


def _of_task(own: dict[str, tuple[Any, Any, Option]]) -> Iterator[inspect.Parameter]:
    for name, (kind, default, about) in own.items():
        flag = [about.flag] if about.flag else []
        repeated = f" {options.SEVERAL}" if kind == list[str] else ""
        option = typer.Option(
            *flag, metavar=_metavar(kind), help=escape(about.help) + repeated, min=about.minimum
        )
        yield _parameter(name, Annotated[kind, option], *_given(default))


def _metavar(kind: Any) -> str:
    return {list[str]: "FOLDER", int: "N"}.get(kind, "VALUE")


def _examples(task: Task, own: dict[str, tuple[Any, Any, Option]]) -> tuple[str, ...]:
    """Return two command lines of a task, from the options that it has."""
    first = f"xadapt evaluate {task.name} --base mini"
    needs = "".join(
        f" --{name.replace('_', '-')} {name}"
        for name, (_, default, _) in own.items()
        if default is inspect.Parameter.empty
    )
    needs += " --module de" * ("module" in task.shared)
    data = task.default_data or FILES.get(getattr(task, "reader", ""), "test.tsv")
    return (
        f"{first}{needs} --data {data}",
        f"{first}{needs} --data {data} \\\n  --lang de --json result.json",
    )


def _of_evidence() -> Iterator[inspect.Parameter]:
    """Yield the options that write the result into the module's folder."""
    evidence = typer.Option(
        "--evidence",
        help="Write the scores, with controls, into the module's folder (evidence.json, the card).",
    )
    control = typer.Option(
        metavar="NAME=FOLDER",
        help="With --evidence: another module to compare with, such as wrong-language=ja, or "
        f"masked-language-model=sw-mlm. {options.SEVERAL}",
    )
    yield _parameter("evidence", Annotated[bool, evidence], False)
    yield _parameter("control", Annotated[list[str] | None, control], None)


def _last() -> Iterator[inspect.Parameter]:
    yield _parameter("dtype", options.DtypeOption, "auto")
    yield _parameter("json", options.JsonOption, None)
    yield _parameter("allow_modified", options.AllowModifiedOption, False)
    yield _parameter("allow_base_mismatch", options.AllowBaseMismatchOption, False)


def _old(task: Task, own: dict[str, tuple[Any, Any, Option]]) -> Iterator[inspect.Parameter]:
    """Yield the former names of options, which the help does not show."""
    hidden = Annotated[str | None, typer.Option(hidden=True)]
    if "baseline" in task.shared:
        yield _parameter("against", hidden, None)
    for *_, about in own.values():
        if about.old:
            yield _parameter(about.old, hidden, None)


def _parameter(name: str, annotation: Any, *default: Any) -> inspect.Parameter:
    given = default[0] if default else inspect.Parameter.empty
    return inspect.Parameter(name, KIND, default=given, annotation=annotation)


def _given(default: Any) -> list[Any]:
    return [] if default is inspect.Parameter.empty else [default]


def _run(task: Task, given: dict[str, Any], old: dict[str, str]) -> None:
    """Measure, show the table, and write the result as JSON."""
    with launched.progress("starting"):
        from xadapt.tasks.run_task import evaluate

    for former, name in {"against": "baseline", **old}.items():
        value = given.pop(former, None)
        if value is not None:
            flags = f"--{former} is the former name of --{name}".replace("_", "-")
            options.require(given[name] is None, flags, "Give one of them")
            given[name] = value
    json = given.pop("json")
    evidence, controls = given.pop("evidence", False), given.pop("control", None)
    options.require(evidence or not controls, "--control belongs to --evidence", "Add --evidence")
    given.pop("allow_modified")  # its callback has seen to it
    mismatch = given.pop("allow_base_mismatch")
    options.require(
        not (evidence and mismatch),
        "evidence is measured on the module's own base",
        "Leave --allow-base-mismatch out",
    )
    given = {n: options.split(v) if isinstance(v, list) else v for n, v in given.items()}
    options.require_named(given.get("module") or [], given.get("compose"), given.get("baseline"))
    with launched.sharing(), launched.progress(f"evaluating {task.name}"):
        if evidence:
            result = _with_evidence(task, given, options.split(controls))
        else:
            result = evaluate(task, report=_note, **given)
    if launched.is_first():
        Console(highlight=False).print(task.table(result))
        for line in result.facts.get("base_mismatch", ()):
            typer.echo(f"base mismatch: {line}")
        lang = result.facts.get("lang", given["lang"])
        named = {"base": given["base"], "lang": lang, "data": Path(given["data"]).name}
        options.save_json(json, {**result.to_dict(), **named})


def _with_evidence(task: Task, given: dict[str, Any], controls: list[str]) -> Any:
    """Measure a module and its controls, and write them into its folder."""
    from xadapt.pipelines.evidence import add_evidence

    modules = given.pop("module") or []
    options.require(len(modules) == 1, "--evidence is of one module", "Name one with --module")
    named = {}
    for value in controls:
        name, _, folder = value.partition("=")
        options.require(bool(name and folder), f"--control {value}: no folder", "NAME=FOLDER")
        named[name] = folder
    kept = {name: value for name, value in given.items() if value not in (None, False, [])}
    kept.pop("controls", None)
    base, data = kept.pop("base"), kept.pop("data", None)
    done = add_evidence(
        task, base=base, module=modules[0], data=data, control=named, report=_note, **kept
    )
    _note(f"wrote {done.folder / 'evidence.json'}")
    return done.result


def _note(line: str) -> None:
    if launched.is_first():
        typer.echo(line, err=True)


VERBS = (
    Verb(
        "evaluate",
        "Evaluate",
        app,
        (
            "xadapt evaluate bitext --base mini --module de --data pairs.tsv",
            "xadapt evaluate entities --base mini --module sw --lang sw --controls",
        ),
    ),
)
