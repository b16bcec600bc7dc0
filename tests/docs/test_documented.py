"""Every public name says what it does, takes, gives and raises."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest
from pydantic import BaseModel

import xadapt
from xadapt.tasks.predictor import Predictor

SECTION = re.compile(r"^(Args|Attributes|Returns|Yields|Raises|Source|Note|Example)s?:", re.M)
ENTRY = re.compile(r"^ {4}\*{0,2}(\w+)(?: \([^)]*\))?: ", re.M)
CLASSES = ("xadapt.data.records", "xadapt.composition.values", "xadapt.config.recipe")
SELF_EVIDENT = {"self", "cls", "_"}


def public_functions() -> dict[str, Callable[..., Any]]:
    """Functions of `xadapt`, and the public methods of its classes and of every predictor."""
    found: dict[str, Callable[..., Any]] = {}
    values = [getattr(xadapt, name) for name in xadapt.__all__ if name != "__version__"]
    tasks = import_module("xadapt.tasks")
    values += [getattr(tasks, name) for name in tasks.__all__]
    for value in values:
        if not inspect.isclass(value):
            found[value.__qualname__] = value
        elif value.__module__.startswith("xadapt.") and not issubclass(value, BaseModel):
            for name, method in inspect.getmembers(value, inspect.isroutine):
                own = getattr(method, "__module__", "") or ""
                if not name.startswith("_") and own.startswith("xadapt."):
                    found[f"{value.__qualname__}.{name}"] = method
    return found


def public_classes() -> dict[str, type]:
    """Classes of `xadapt`, predictors, records, compositions, and the parts of recipes."""
    found = {}
    for module in CLASSES:
        for name, value in vars(import_module(module)).items():
            if inspect.isclass(value) and value.__module__ == module and name[0] != "_":
                found[f"{module}.{name}"] = value
    tasks = import_module("xadapt.tasks")
    named = [getattr(tasks, name) for name in tasks.__all__]
    named += [getattr(xadapt, name) for name in xadapt.__all__]
    return found | {v.__qualname__: v for v in named if inspect.isclass(v)}


def sections(documented: Any) -> dict[str, str]:
    """The docstring by section; what stands before the first section is under ``""``."""
    text = inspect.getdoc(documented) or ""
    parts = SECTION.split(text)
    return {"": parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))}


@pytest.mark.parametrize("name", sorted(public_functions()))
def test_a_function_says_what_it_takes_gives_and_raises(name: str) -> None:
    function = public_functions()[name]
    told = sections(function)
    assert told[""].strip().split("\n")[0].endswith((".", "!", ":")), "a first line, a sentence"
    taken = [p for p in inspect.signature(function).parameters if p not in SELF_EVIDENT]
    described = set(ENTRY.findall(told.get("Args", "")))
    if "Args" in told or len(taken) > 1 or "." not in name:
        assert set(taken) <= described, f"{name}: undescribed {set(taken) - described}"
        assert described <= set(taken), f"{name}: there is no {described - set(taken)}"
    source = inspect.getsource(function)
    if re.search(r"^\s+raise (UserError|ValueError|TypeError)", source, re.M):
        assert "Raises" in told, f"{name} raises"
    for _, text in re.findall(r"^ {4}(\w+): (.*)$", told.get("Raises", ""), re.M):
        assert text.startswith(("If ", "As ")), f"{name}: {text}"


@pytest.mark.parametrize("name", sorted(public_functions()))
def test_arrays_have_shapes(name: str) -> None:
    function = public_functions()[name]
    given = str(inspect.signature(function).return_annotation)
    if "NDArray" in given or "Tensor" in given:
        assert re.search(r"``\([\w, ]+\)``", inspect.getdoc(function) or ""), f"{name}: no shape"


@pytest.mark.parametrize("name", sorted(public_classes()))
def test_a_class_says_what_it_is_and_what_its_fields_are(name: str) -> None:
    value = public_classes()[name]
    assert (value.__doc__ or "").strip(), name
    if "records" in name:  # which name their fields in a sentence
        return
    fields = set(getattr(value, "model_fields", {}))
    if dataclasses.is_dataclass(value):
        fields = {f.name for f in dataclasses.fields(value)}
    own = fields & set(vars(value).get("__annotations__", {}))
    told = sections(value)
    described = set(ENTRY.findall(told.get("Attributes", "") + told.get("Args", "")))
    assert len(own) < 5 or own <= described, f"{name}: undescribed {own - described}"


def test_predictors_are_found() -> None:
    assert {"Tagger", "AnswerFinder"} <= set(public_classes())
    assert issubclass(public_classes()["Tagger"], Predictor)
    assert "Tagger.load" in public_functions() and "train" in public_functions()


def test_a_docstring_is_read_by_section() -> None:
    def some(a: int) -> int:
        """Do it.

        Args:
            a: A number
                of two lines.
            **more: Others.

        Raises:
            UserError: If not.
        """
        return a

    told = sections(some)
    assert set(told) == {"", "Args", "Raises"} and told[""] == "Do it.\n\n"
    assert ENTRY.findall(told["Args"]) == ["a", "more"]
