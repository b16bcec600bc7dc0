"""adapters: the results of ``AutoAdapterModel`` and ``load_adapter(folder)``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from xadapt.backbones.task_class import MLM, TaskClass
from xadapt.core.errors import missing_extra
from xadapt.integrations import plain

NAME = "adapters"


def available() -> str | None:
    """Return ``None`` where the library can be imported, otherwise the reason why not.

    adapters 1.3 is pinned to transformers 4.57. Its import fails with a newer transformers.
    """
    try:
        import adapters  # noqa: F401
    except ModuleNotFoundError as error:
        if error.name == "adapters":
            return "adapters is not installed"
        return f"adapters can't be imported (no module {error.name})"
    except Exception as error:  # an import may fail in any way under the wrong transformers
        return f"adapters can't be imported ({type(error).__name__})"
    return None


def states(
    folder: Path | str,
    base_path: str,
    token_ids: Tensor,
    mask: Tensor,
    use_safetensors: bool = False,
) -> Tensor:
    """Compute hidden states of the base with the module active, loaded by adapters alone.

    Args:
        folder: The module's folder, or one of an adapter setup.
        base_path: Hub id or folder of the base.
        token_ids: Ids ``(batch, tokens)``.
        mask: 1 where a token is real, ``(batch, tokens)``.
        use_safetensors: Whether adapters reads its safetensors and not its pickle.

    Returns:
        States after the last layer, ``(batch, tokens, width)``, float32.

    Raises:
        UserError: If adapters is not installed.
    """
    if available():
        raise missing_extra("adapters", "adapters")
    from adapters import AutoAdapterModel

    model = _opened(AutoAdapterModel, folder, base_path, use_safetensors)
    model.active_head = None  # a base published with a head would give that head's scores
    if not hasattr(model.base_model, "decoder"):
        return plain.last_states(model, token_ids, mask)
    # The decoder has to run too; its input does not affect the encoder's states.
    with torch.no_grad():
        first = token_ids[:, :1]
        out = model(input_ids=token_ids, attention_mask=mask, decoder_input_ids=first)
    result: Tensor = out.encoder_last_hidden_state
    return result.float()


def with_embeddings(folder: Path | str, base_path: str, embeddings: Path) -> tuple[Any, Any]:
    """Open a base with an adapter setup and a table of word embeddings.

    Args:
        folder: The folder of the setup.
        base_path: Hub id or folder of the base.
        embeddings: A folder of ``save_embeddings``.

    Returns:
        The model, in eval mode, and the tokenizer of the embeddings.

    Raises:
        UserError: If adapters is not installed.
    """
    if available():
        raise missing_extra("adapters", "adapters")
    from adapters import AutoAdapterModel

    model = _opened(AutoAdapterModel, folder, base_path, use_safetensors=False)
    model.active_head = None
    tokenizer = model.load_embeddings(str(embeddings), "vocabulary")
    return model.eval(), tokenizer


def logits(
    folder: Path | str, base_path: str, inputs: Mapping[str, Tensor], task: TaskClass
) -> Tensor:
    """Compute the logits of a task with the module active, loaded by adapters alone.

    The head is that of the folder; for masked language modelling, that of the base. adapters'
    own form of that head applies the inverse of an invertible module, but adapters 1.3 leaves out
    the bias of its last layer when it makes it from the base. So the bias is set here, as by the
    lines of the card; where no map has to be undone, the head of transformers is used.

    Args:
        folder: The module's folder.
        base_path: Hub id or folder of the base.
        inputs: The arguments of the model's forward.
        task: The class of the task.

    Returns:
        ``(batch, labels)``, or ``(batch, tokens, labels)``, float32.

    Raises:
        UserError: If adapters is not installed.
    """
    if available():
        raise missing_extra("adapters", "adapters")
    from adapters import AutoAdapterModel, init

    if task.task != MLM:
        return plain.logits(_opened(AutoAdapterModel, folder, base_path), inputs)
    with_head = plain.load_class(base_path, task)
    if _maps(folder):
        model = _opened(AutoAdapterModel, folder, base_path)
        model.heads["default"][-1].bias = with_head.get_output_embeddings().bias
        return plain.logits(model, inputs)
    init(with_head)
    with_head.load_adapter(str(folder), set_active=True)
    return plain.logits(with_head.eval(), inputs)


def _maps(folder: Path | str) -> bool:
    """Whether the adapter of a folder has an invertible map."""
    said = json.loads((Path(folder) / plain.CONFIG).read_text(encoding="utf-8"))
    return bool(said["config"].get("inv_adapter"))


def _opened(loader: Any, folder: Path | str, base_path: str, use_safetensors: bool = False) -> Any:
    """Load a base with the module, or the adapter setup, of a folder, in eval mode."""
    model = loader.from_pretrained(base_path, dtype=torch.float32)
    whole = (Path(folder) / "adapter_setup.json").is_file()
    load = model.load_adapter_setup if whole else model.load_adapter
    load(str(folder), set_active=True, **({"use_safetensors": True} if use_safetensors else {}))
    return model.eval()
