"""The fields of a card's header, one by one: which are filled, and whether the Hub takes them.

The checks are offline: huggingface_hub reads the header and the scores and checks ids; the lists of
licences, tasks and relations are those of the Hub's documentation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import langcodes
from huggingface_hub import ModelCard
from huggingface_hub.utils import HFValidationError, validate_repo_id

from xadapt.core.errors import UserError
from xadapt.hub.card import LIBRARY_TAG, require_valid
from xadapt.hub.card_ids import LICENCES, OTHER, UNKNOWN

LIBRARIES = ("sentence-transformers", "adapter-transformers", "peft", "transformers", LIBRARY_TAG)
RELATIONS = ("adapter", "merge", "quantized", "finetune")
TASKS = (
    "sentence-similarity", "feature-extraction", "fill-mask", "token-classification",
    "text-classification", "question-answering", "zero-shot-classification", "text-ranking",
    "translation", "summarization", "text-generation", "table-question-answering",
)  # fmt: skip


@dataclass(frozen=True)
class CardField:
    """One field of a card's header.

    Attributes:
        name: Its name.
        filled: Whether it has a value.
        fault: Why the Hub would not take the value; empty for a good one.
    """

    name: str
    filled: bool
    fault: str = ""

    @property
    def good(self) -> bool:
        """Whether the field is filled with a valid value."""
        return self.filled and not self.fault


def check_fields(text: str, where: str = "README.md") -> list[CardField]:
    """Check the header of a card, field by field.

    Args:
        text: The whole card.
        where: Its name, for error messages.

    Returns:
        One entry for each field of the checklist, in its order.

    Raises:
        UserError: If huggingface_hub can't read the header at all.
    """
    require_valid(text, where)
    read = ModelCard(text)
    fields = read.data.to_dict()
    found = [_checked(name, fields.get(name), fields, check) for name, check in CHECKS.items()]
    data: Any = read.data
    results = data.eval_results or []
    fault = next(filter(None, map(_result_fault, results)), "")
    return [*found, CardField("model-index", bool(results), fault)]


def require_fields(text: str, names: Iterable[str], where: str = "README.md") -> None:
    """Refuse a card in which a field is empty or would not be taken by the Hub.

    Args:
        text: The whole card.
        names: The fields that must be filled; the others may be empty, but not wrong.
        where: Its name, for error messages.

    Raises:
        UserError: If a field is empty or wrong. All are named.
    """
    wanted = set(names)
    faults = [
        f"{field.name}: {field.fault or 'it is empty'}"
        for field in check_fields(text, where)
        if field.fault or (field.name in wanted and not field.filled)
    ]
    if faults:
        raise UserError(f"the card's header is not complete: {'; '.join(faults)}", where=where)


def _checked(
    name: str, value: Any, fields: dict[str, Any], check: Callable[[Any, dict[str, Any]], str]
) -> CardField:
    if value in (None, "", [], {}):
        return CardField(name, False)
    return CardField(name, True, check(value, fields))


def _language(value: Any, _: dict[str, Any]) -> str:
    codes = _texts(value)
    wrong = [one for one in codes if not (len(one) in (2, 3) and langcodes.tag_is_valid(one))]
    return f"{wrong[0]!r} is no code of ISO 639" if wrong else "" if codes else "no codes"


def _licence(value: Any, fields: dict[str, Any]) -> str:
    if value not in LICENCES:
        return f"{value!r} is no licence that the Hub knows"
    if value == OTHER and not fields.get("license_name"):
        return "other needs license_name"
    return "nobody stated it" if value == UNKNOWN else ""


def _one_of(*known: str) -> Callable[[Any, dict[str, Any]], str]:
    def check(value: Any, _: dict[str, Any]) -> str:
        return "" if value in known else f"{value!r} is none of {', '.join(known)}"

    return check


def _tags(value: Any, _: dict[str, Any]) -> str:
    tags = _texts(value)
    if not tags or len(tags) != len(set(tags)):
        return "no list of distinct texts"
    return "" if LIBRARY_TAG in tags else f"{LIBRARY_TAG} is not among them"


def _ids(value: Any, _: dict[str, Any]) -> str:
    ids = _texts(value)
    return "no ids" if not ids else next(filter(None, map(_id_fault, ids)), "")


def _names(value: Any, _: dict[str, Any]) -> str:
    names = _texts(value)
    wrong = [one for one in names if " " in one or not one]
    return f"{wrong[0]!r} is no id" if wrong else "" if names else "no ids"


def _id_fault(value: str) -> str:
    try:
        validate_repo_id(value)
    except HFValidationError:
        return f"{value!r} is no id on the Hub"
    return ""


def _result_fault(one: Any) -> str:
    value = one.metric_value
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return f"the value of {one.metric_name or one.metric_type} is no number"
    needed = (one.task_type, one.dataset_type, one.dataset_name, one.metric_type)
    return (
        "" if all(isinstance(part, str) and part for part in needed) else "an entry is incomplete"
    )


def _texts(value: Any) -> list[str]:
    every = value if isinstance(value, list) else [value]
    return every if all(isinstance(one, str) for one in every) else []


CHECKS: dict[str, Callable[[Any, dict[str, Any]], str]] = {
    "language": _language,
    "license": _licence,
    "library_name": _one_of(*LIBRARIES),
    "pipeline_tag": _one_of(*TASKS),
    "tags": _tags,
    "datasets": _ids,
    "metrics": _names,
    "base_model": _ids,
    "base_model_relation": _one_of(*RELATIONS),
}
"""The checklist: each field, and what is wrong with a value."""
