"""Names of a module's tensors in the file of another library, so that one file serves both.

The map is kept in the manifest, as one entry for all layers: a ``*`` on both sides stands for the
number of a layer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from xadapt.core.errors import UserError

ANY = "*"
HEAD = "head:"
"""Start of xadapt's name of a tensor that belongs to the task head and not to the module."""


def patterns(names: Mapping[str, str]) -> dict[str, str]:
    """Shorten a map from xadapt's names to those of a file to one entry for all layers.

    Args:
        names: xadapt's name of each tensor, and the name in the file.
    """
    short = {}
    for own, theirs in names.items():
        number = re.match(r"layers\.(\d+)\.", own)
        if number is None:
            short[own] = theirs
            continue
        pattern = f"layers.{ANY}.{own[number.end() :]}"
        short[pattern] = theirs.replace(f".{number[1]}.", f".{ANY}.", 1)
    try:
        found = own_names(names.values(), short)
    except UserError:
        found = {}
    return short if found == {theirs: own for own, theirs in names.items()} else dict(names)


def own_names(held: Iterable[str], short: Mapping[str, str], where: str = "") -> dict[str, str]:
    """Find xadapt's name of every tensor of a file.

    Args:
        held: The names in the file.
        short: The map of a manifest, which is not trusted.
        where: The file, for error messages.

    Raises:
        UserError: If a name fits no entry or two, or two tensors would have one name.
    """
    rules = [(_regex(theirs), own) for own, theirs in short.items()]
    found: dict[str, str] = {}
    for name in held:
        fits = [(match, own) for rule, own in rules if (match := rule.fullmatch(name))]
        if len(fits) != 1:
            raise UserError(f"the manifest has no name for the tensor {name!r}", where=where)
        match, own = fits[0]
        found[name] = own.replace(ANY, match[1]) if match.groups() else own
    if len(set(found.values())) < len(found):
        raise UserError("the manifest has one name for two tensors", where=where)
    return found


def named_as_in_file(tensors: Mapping[str, Any], short: Mapping[str, str]) -> dict[str, Any]:
    """Return tensors by the names of the file, the inverse of `renamed`.

    Args:
        tensors: Tensors by xadapt's names.
        short: The map of a manifest; without entries, the names are the same.
    """
    found = {}
    for own, value in tensors.items():
        number = re.match(r"layers\.(\d+)\.", own)
        pattern = own if number is None else f"layers.{ANY}.{own[number.end() :]}"
        theirs = short.get(pattern, short.get(own, own))
        found[theirs if number is None else theirs.replace(ANY, number[1])] = value
    return found


def renamed(tensors: Mapping[str, Any], short: Mapping[str, str], where: str) -> dict[str, Any]:
    """Return the module's tensors of a file by xadapt's names, without those of a task head.

    Raises:
        UserError: As for `own_names`.
    """
    names = own_names(tensors, short, where)
    return {
        names[name]: value for name, value in tensors.items() if not names[name].startswith(HEAD)
    }


def _regex(theirs: str) -> re.Pattern[str]:
    head, star, tail = theirs.partition(ANY)
    number = r"(\d{1,4})" if star else ""
    return re.compile(re.escape(head) + number + re.escape(tail))
