"""Read the description and the options of a part from its source, without importing it.

Most parts import torch, which takes seconds. ``xadapt explain`` needs only the words and the
defaults that stand in a part's file, so the file is read as text.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from xadapt.core import registry
from xadapt.core.errors import UserError

REQUIRED = "(required)"
"""The default of an option without a default."""

_SECTION = re.compile(r"^(Args|Attributes|Raises|Returns|Yields|Note|Example|Examples):\s*$", re.M)
_ENTRY = re.compile(r"^(\w+): ", re.M)
_CODE = re.compile(r":func:`([^`]*)`|``([^`]*)``|`([^`]*)`")


@dataclass(frozen=True)
class PartOption:
    """One option of a part.

    Attributes:
        name: Its name in a recipe; for a task, its name on the command line.
        default: The default as in YAML, or `REQUIRED`.
        help: What it does.
    """

    name: str
    default: str
    help: str = ""


@dataclass(frozen=True)
class PartSource:
    """The words of a part.

    Attributes:
        room: The room of the part, such as ``objectives``.
        name: The name of the part.
        text: The whole description for people, in paragraphs.
        options: The options of the part, in order.
        facts: Class attributes of the part as plain values (``title``, ``format``) or source text
            (``gives``).
    """

    room: str
    name: str
    text: str
    options: tuple[PartOption, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Class:
    """A class in the source of a module."""

    module: str
    node: ast.ClassDef

    @property
    def doc(self) -> str:
        return ast.get_docstring(self.node) or ""


@cache
def read_part(room: str, name: str) -> PartSource:
    """Read a part from its source.

    Args:
        room: The room of the part, a key of `xadapt.core.registry.ROOMS`.
        name: The name of the part.

    Raises:
        UserError: If there is no such part.
    """
    if name not in registry.names(room):
        raise UserError(registry.unknown(room[:-1], name, registry.names(room)))
    module, attribute = _place(room, name)
    try:
        part = _class(module, attribute)
        about = ast.get_docstring(_tree(module)) or ""
    except (OSError, SyntaxError, ValueError, ImportError):
        part, about = None, ""
    if part is None:
        return PartSource(room, name, _plain(about))
    own = _before_sections(part.doc)
    several = not registry.is_shipped(room, name) and _shares(module)
    text = "\n\n".join(filter(None, (own or about,) if several else (about, own)))
    options = _measured(part) if room == "tasks" else _options(room, part)
    facts = _facts(part)
    return PartSource(
        room=room,
        name=name,
        text=_plain(text),
        options=tuple(options),
        facts=facts,
    )


def _place(room: str, name: str) -> tuple[str, str]:
    """Return the module that defines a part, and the part's name inside the module."""
    if registry.is_shipped(room, name):
        return f"{registry.ROOMS[room]}.{name}", "Part"
    entry = next(e for e in entry_points(group=f"xadapt.{room}") if e.name == name)
    return entry.module, entry.attr or "Part"


def _shares(module: str) -> bool:
    """Return whether a file has several parts, so that its docstring describes none of them."""
    rooms = (f"xadapt.{room}" for room in registry.ROOMS)
    return sum(e.module == module for room in rooms for e in entry_points(group=room)) > 1


def _options(room: str, part: _Class) -> Iterator[PartOption]:
    """Yield the fields of the part, or of its class of options."""
    holder: _Class | None = part
    if room == "modules":
        given = _assigned(part, "Options")
        holder = None if given is None else _follow(part.module, given)
    if holder is None or room in ("readers", "metrics"):
        return
    found: dict[str, PartOption] = {}
    for one in reversed(list(_lineage(holder))):
        about = attributes(one.doc)
        for node in one.node.body:
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                name, kind = node.target.id, ast.unparse(node.annotation)
                if name.startswith("_") or kind.startswith("ClassVar"):
                    continue
                found[name] = PartOption(
                    name, _default(one.module, node.value), about.get(name, "")
                )
    yield from found.values()


def _measured(part: _Class) -> Iterator[PartOption]:
    """Yield the options that a task adds to ``xadapt evaluate``: parameters of its ``measure``."""
    for one in _lineage(part):
        for node in one.node.body:
            if isinstance(node, ast.FunctionDef) and node.name == "measure":
                arguments = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
                for argument, default in arguments:
                    given = _option_call(argument.annotation)
                    if given is not None:
                        words = {k.arg: _value(one.module, k.value) for k in given.keywords}
                        flag = words.get("flag") or "--" + argument.arg.replace("_", "-")
                        about = str(_value(one.module, given.args[0])) if given.args else ""
                        about = about or str(words.get("help", ""))
                        yield PartOption(str(flag), _default(one.module, default), about)
                return


def _option_call(annotation: ast.expr | None) -> ast.Call | None:
    """Return the ``Option(..)`` inside ``Annotated[.., Option(..)]``."""
    for node in ast.walk(annotation) if annotation is not None else ():
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("Option"):
            return node
    return None


def _facts(part: _Class) -> dict[str, Any]:
    """Return the class attributes, own and inherited; a property is its docstring."""
    found: dict[str, Any] = {}
    for one in reversed(list(_lineage(part))):
        for node in one.node.body:
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                if ast.unparse(node.annotation).startswith("ClassVar") and node.value is not None:
                    found[node.target.id] = _value(one.module, node.value)
            elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                found[node.targets[0].id] = _value(one.module, node.value)
            elif isinstance(node, ast.FunctionDef) and any(
                ast.unparse(mark) == "property" for mark in node.decorator_list
            ):
                found[node.name] = f"by its options: {_plain(ast.get_docstring(node) or '')}"
    return found


def _lineage(part: _Class) -> Iterator[_Class]:
    """Yield a class and the classes that it derives from, nearest first."""
    yield part
    for base in part.node.bases:
        found = _follow(part.module, base)
        if found is not None:
            yield from _lineage(found)


def _class(module: str, attribute: str) -> _Class | None:
    """Find a class by the name that a module gives it, also of an instance."""
    return _follow(module, ast.Name(attribute))


def _follow(module: str, node: ast.expr) -> _Class | None:
    """Find the class that an expression means: a name, an instance, or ``file.Name``."""
    if isinstance(node, ast.Call):
        node = node.func
    if isinstance(node, ast.Attribute):
        return _follow_attribute(module, node)
    if not isinstance(node, ast.Name):
        return None
    for statement in _tree(module).body:
        if isinstance(statement, ast.ClassDef) and statement.name == node.id:
            return _Class(module, statement)
        if isinstance(statement, ast.Assign) and _names(statement, node.id):
            return _follow(module, statement.value)
        if isinstance(statement, ast.ImportFrom) and not statement.level:
            for alias in statement.names:
                if (alias.asname or alias.name) == node.id:
                    return _elsewhere(module, str(statement.module), alias.name)
    return None


def _follow_attribute(module: str, node: ast.Attribute) -> _Class | None:
    """Find ``file.Name`` where the file was imported from its package."""
    if isinstance(node.value, ast.Name):
        for statement in _tree(module).body:
            for alias in statement.names if isinstance(statement, ast.ImportFrom) else ():
                if (alias.asname or alias.name) == node.value.id:
                    return _elsewhere(module, f"{statement.module}.{alias.name}", node.attr)  # type: ignore[attr-defined]
    return None


def _elsewhere(here: str, module: str, name: str) -> _Class | None:
    """Find a class of another module of the same package, or of xadapt."""
    if not _near(here, module):
        return None
    try:
        return _class(module, name)
    except (OSError, SyntaxError, ValueError, ImportError):
        return None


def _near(here: str, module: str) -> bool:
    """Whether a module may be read: finding one of torch would import torch."""
    return module.partition(".")[0] in {here.partition(".")[0], "xadapt"}


def _names(statement: ast.Assign, name: str) -> bool:
    return any(isinstance(target, ast.Name) and target.id == name for target in statement.targets)


def _assigned(part: _Class, name: str) -> ast.expr | None:
    for one in _lineage(part):
        for node in one.node.body:
            if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == name:
                return node.value
            if isinstance(node, ast.Assign) and _names(node, name):
                return node.value
    return None


@cache
def _tree(module: str) -> ast.Module:
    """Parse the source of a module; its packages are imported, the module is not."""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        raise ValueError(f"no source of {module}")
    return ast.parse(Path(spec.origin).read_text(encoding="utf-8"))


def _default(module: str, node: ast.expr | None) -> str:
    """Return a default as it would be written in a recipe."""
    if node is None:
        return REQUIRED
    if isinstance(node, ast.Call) and ast.unparse(node.func) in ("Field", "field"):
        named = {k.arg: k.value for k in node.keywords}
        if "default_factory" in named:
            return {"dict": "{}", "list": "[]", "tuple": "[]"}.get(
                ast.unparse(named["default_factory"]), ast.unparse(named["default_factory"])
            )
        node = node.args[0] if node.args else named.get("default")
        if node is None:
            return REQUIRED
    return as_yaml(_value(module, node))


def as_yaml(value: Any) -> str:
    """Return a value as it would be written in a recipe: ``true``, ``null``, ``[q, k]``."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if value == "":
        return '""'
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{k}: {as_yaml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(as_yaml, value)) + "]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _value(module: str, node: ast.expr) -> Any:
    """Evaluate a literal or the name of a constant; any other expression is its source text."""
    try:
        return ast.literal_eval(node)
    except ValueError:
        pass
    if isinstance(node, ast.Name):
        for statement in _tree(module).body:
            if isinstance(statement, ast.Assign) and _names(statement, node.id):
                return _value(module, statement.value)
            if isinstance(statement, ast.AnnAssign) and ast.unparse(statement.target) == node.id:
                return None if statement.value is None else _value(module, statement.value)
            if isinstance(statement, ast.ImportFrom) and not statement.level:
                for alias in statement.names:
                    if (alias.asname or alias.name) == node.id:
                        return _imported(module, str(statement.module), alias.name)
    return ast.unparse(node)


def _imported(here: str, module: str, name: str) -> Any:
    if not _near(here, module):
        return name
    try:
        return _value(module, ast.Name(name))
    except (OSError, SyntaxError, ValueError, ImportError):
        return name


def _before_sections(doc: str) -> str:
    """Return a docstring without its sections for developers, but with what stands after them."""
    match = _SECTION.search(doc)
    return doc[: match.start()].strip() if match else doc.strip()


def attributes(doc: str) -> dict[str, str]:
    """Return the entries of the section ``Attributes`` of a docstring, each as one line."""
    _, found, rest = doc.partition("Attributes:\n")
    if not found:
        return {}
    end = _SECTION.search(rest)
    section = inspect.cleandoc("\n" + (rest[: end.start()] if end else rest))
    starts = [*_ENTRY.finditer(section)]
    ends = [*(one.start() for one in starts[1:]), len(section)]
    return {
        one[1]: " ".join(_plain(section[one.end() : end]).split())
        for one, end in zip(starts, ends, strict=True)
    }


def _plain(text: str) -> str:
    """Remove the marks of code."""
    return _CODE.sub(lambda found: next(filter(None, found.groups()), ""), text)
