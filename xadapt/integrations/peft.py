"""PEFT: the results of ``PeftModel.from_pretrained(base, folder)``."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from torch import Tensor

from xadapt.backbones.task_class import TaskClass
from xadapt.core.errors import missing_extra
from xadapt.integrations import plain

NAME = "peft"


def available() -> str | None:
    """Return ``None`` where the library is installed, otherwise the reason why it is unusable."""
    return None if find_spec("peft") else "peft is not installed"


def states(folder: Path | str, base_path: str, token_ids: Tensor, mask: Tensor) -> Tensor:
    """Compute hidden states of the base with the module active, loaded by PEFT alone.

    Args:
        folder: The module's folder.
        base_path: Hub id or folder of the base.
        token_ids: Ids ``(batch, tokens)``.
        mask: 1 where a token is real, ``(batch, tokens)``.

    Returns:
        States after the last layer, ``(batch, tokens, width)``, float32.

    Raises:
        UserError: If peft is not installed.
    """
    if available():
        raise missing_extra("peft", "peft")
    from peft import PeftModel

    model = PeftModel.from_pretrained(plain.load(base_path), str(folder))
    return plain.last_states(model.eval(), token_ids, mask)


def logits(
    folder: Path | str, base_path: str, inputs: Mapping[str, Tensor], task: TaskClass
) -> Tensor:
    """Compute the logits of a task with the module active, loaded by PEFT's class for the task.

    Args:
        folder: The module's folder.
        base_path: Hub id or folder of the base.
        inputs: The arguments of the model's forward.
        task: The class of the task.

    Returns:
        ``(batch, labels)``, or ``(batch, tokens, labels)``, float32.

    Raises:
        UserError: If peft is not installed.
    """
    if available():
        raise missing_extra("peft", "peft")
    from peft import PeftModel

    model = PeftModel.from_pretrained(plain.load_class(base_path, task), str(folder)).eval()
    if task.task == "span_extraction":  # PEFT 0.21's class for answers drops token_type_ids
        return plain.logits(model.get_base_model(), inputs)
    return plain.logits(model, inputs)
