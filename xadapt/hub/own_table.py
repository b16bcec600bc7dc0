"""A module's vocabulary as the table and the tokenizer of a base that is written with it.

The table has a row for each id of the vocabulary's tokenizer: special tokens keep the vectors of
the base, and all other pieces have the module's rows. Nothing else of the base's table stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.mapped_tokenizer import MappedTokenizer, fast, read_tokenizer
from xadapt.core.errors import UserError
from xadapt.core.files import write_json
from xadapt.core.strict_parsing import parse_json
from xadapt.injection.attachment import embedding_table
from xadapt.modules.vocabulary import Vocabulary

EMBEDDINGS = "embeddings"
"""The folder of an adapter setup with what adapters' ``load_embeddings`` reads."""
SPECIAL = ("unk_token", "pad_token", "cls_token", "sep_token", "bos_token", "eos_token",
           "mask_token")  # fmt: skip


def without_vocabulary(
    modules: Mapping[str, nn.Module],
) -> tuple[dict[str, nn.Module], Vocabulary | None]:
    """Return modules with the inner module in the place of a vocabulary, and the vocabulary."""
    inner = {n: m.inner if isinstance(m, Vocabulary) else m for n, m in modules.items()}
    own = [module for module in modules.values() if isinstance(module, Vocabulary)]
    return inner, own[0] if own else None


def refuses(encoder: Encoder, vocabulary: Vocabulary) -> str | None:
    """Return the reason why a base can't be written with a vocabulary, or ``None``."""
    config: Any = encoder.model.config
    if vocabulary.vocabulary is None:
        return "it has no rows of its own"
    if getattr(config, "is_encoder_decoder", False) or not encoder.family.masked_lm:
        return "the base's decoder has the same table"
    padding = own_ids(encoder, vocabulary).get(encoder.tokenizer.pad_token_id)
    if encoder.family.after_padding and padding != config.pad_token_id:
        return "its padding token has another id, from which this base counts positions"
    return None


def tokenizer_of(vocabulary: Vocabulary) -> MappedTokenizer:
    """Return the tokenizer of a vocabulary.

    Raises:
        UserError: If it has no rows.
    """
    found = vocabulary.vocabulary
    if found is None:
        raise UserError("this vocabulary has no rows of its own")
    return found


def own_ids(encoder: Encoder, vocabulary: Vocabulary) -> dict[int, int]:
    """Return the vocabulary's id of each special token of the base, by the base's id."""
    first = embedding_table(encoder).num_embeddings
    ids = tokenizer_of(vocabulary).ids
    return {theirs: ours for ours, theirs in enumerate(ids) if theirs < first}


def own_table(encoder: Encoder, vocabulary: Vocabulary) -> Tensor:
    """Return the vector of each id of the vocabulary's tokenizer, ``(tokens, width)``, fp32."""
    table = embedding_table(encoder)
    ids = torch.tensor(tokenizer_of(vocabulary).ids)
    with torch.no_grad():
        rows = vocabulary.own(ids.to(vocabulary.own.rows.device)[None])[0].float().cpu()
        special = ids < table.num_embeddings
        rows[special] = table.weight[ids[special].to(table.weight.device)].float().cpu()
    return rows.contiguous()


def save_tokenizer(folder: Path, encoder: Encoder, vocabulary: Vocabulary) -> None:
    """Save the vocabulary's tokenizer for ``AutoTokenizer``, with the base's special tokens."""
    core = read_tokenizer(tokenizer_of(vocabulary).text)
    base = encoder.tokenizer
    special = {
        name: str(token)
        for name in SPECIAL
        if (token := getattr(base, name, None)) is not None
        and core.token_to_id(str(token)) is not None
    }
    made = fast(
        core,
        model_max_length=encoder.longest,
        model_input_names=list(base.model_input_names),
        padding_side=base.padding_side,
        clean_up_tokenization_spaces=False,
        **special,
    )
    made.save_pretrained(folder)
    file = folder / "tokenizer_config.json"
    settings = parse_json(file.read_bytes(), where=str(file))
    # transformers 5 has another name for the same class, which transformers 4 does not know.
    write_json(file, {**settings, "tokenizer_class": "PreTrainedTokenizerFast"})


def with_table(
    encoder: Encoder, tensors: Mapping[str, Tensor], vocabulary: Vocabulary
) -> dict[str, Tensor]:
    """Return the tensors of a base with the vocabulary's table in the place of the base's own.

    Tensors of a language-model head that have one row for each token of the base are left out.

    Raises:
        UserError: If the base's file does not have the table once.
    """
    table = embedding_table(encoder)
    path = next(name for name, own in encoder.model.named_modules() if own is table)
    inner = encoder.model.state_dict()
    wanted = f"{path}.weight"
    found = [n for n in tensors if n == wanted or n.endswith(f".{wanted}")]
    if len(found) != 1:
        raise UserError(f"the base's file has {len(found)} tensors named {wanted}, not one")
    rows = table.num_embeddings
    kept = {
        name: value
        for name, value in tensors.items()
        if not (value.dim() and value.shape[0] == rows and not _inside(name, inner))
    }
    return {**kept, found[0]: own_table(encoder, vocabulary)}


def _inside(name: str, inner: Mapping[str, Tensor]) -> bool:
    """Whether a tensor of a file belongs to the plain encoder."""
    return any(name == own or name.endswith(f".{own}") for own in inner)


def with_ids(settings: dict[str, Any], encoder: Encoder, vocabulary: Vocabulary) -> dict[str, Any]:
    """Return a base's ``config.json`` with the sizes and the ids of the vocabulary."""
    ids = own_ids(encoder, vocabulary)
    made = {**settings, "vocab_size": len(tokenizer_of(vocabulary).ids)}
    for key, value in settings.items():
        if key.endswith("_token_id") and isinstance(value, int):
            made[key] = ids.get(value)
    made["pad_token_id"] = ids.get(encoder.tokenizer.pad_token_id, 0)
    made.pop("tokenizer_class", None)
    return made


def write_embeddings(folder: Path, encoder: Encoder, vocabulary: Vocabulary) -> list[str]:
    """Write what adapters' ``load_embeddings`` reads: the table, and the tokenizer.

    Source: ``EmbeddingAdaptersMixin.save_embeddings`` of adapters 1.3.

    Returns:
        The names of the files.
    """
    target = folder / EMBEDDINGS
    target.mkdir(parents=True)
    torch.save(own_table(encoder, vocabulary), target / "embedding.pt")
    (target / "tokenizer").mkdir()
    save_tokenizer(target / "tokenizer", encoder, vocabulary)
    return sorted(str(p.relative_to(folder)) for p in target.rglob("*") if p.is_file())


def languages(vocabulary: Vocabulary) -> str:
    """Return the languages of a vocabulary as words."""
    return ", ".join(vocabulary.options.languages) or "the language of its training texts"
