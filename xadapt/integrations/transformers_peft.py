"""transformers alone: ``model.load_adapter(folder)``, which uses PEFT underneath."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from torch import Tensor

from xadapt.backbones.task_class import TaskClass
from xadapt.core.errors import missing_extra
from xadapt.integrations import plain

NAME = "transformers"


def available() -> str | None:
    """Return ``None`` where the library is installed, otherwise the reason why it is unusable."""
    return None if find_spec("peft") else "transformers loads a LoRA through peft, not installed"


def states(folder: Path | str, base_path: str, token_ids: Tensor, mask: Tensor) -> Tensor:
    """Compute hidden states of the base with the module active, loaded by transformers alone.

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
    model = plain.load(base_path)
    model.load_adapter(str(folder))
    return plain.last_states(model.eval(), token_ids, mask)


def logits(
    folder: Path | str, base_path: str, inputs: Mapping[str, Tensor], task: TaskClass
) -> Tensor:
    """Compute the logits of a task with the module active, loaded by transformers alone.

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
    model = plain.load_class(base_path, task)
    model.load_adapter(str(folder))
    return plain.logits(model.eval(), inputs)
