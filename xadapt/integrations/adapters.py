"""adapters: the results of ``AutoAdapterModel`` and ``load_adapter(folder)``."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

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

    model = AutoAdapterModel.from_pretrained(base_path, dtype=torch.float32)
    whole = (Path(folder) / "adapter_setup.json").is_file()
    load = model.load_adapter_setup if whole else model.load_adapter
    more = {"use_safetensors": True} if use_safetensors else {}
    load(str(folder), set_active=True, **more)
    model.active_head = None  # a base published with a head would give that head's scores
    model.eval()
    if not hasattr(model.base_model, "decoder"):
        return plain.last_states(model, token_ids, mask)
    # The decoder has to run too; its input does not affect the encoder's states.
    with torch.no_grad():
        first = token_ids[:, :1]
        out = model(input_ids=token_ids, attention_mask=mask, decoder_input_ids=first)
    result: Tensor = out.encoder_last_hidden_state
    return result.float()
