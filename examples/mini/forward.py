"""XLM-R's forward pass over packed rows, on the weights of the transformers model."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import XLMRobertaForMaskedLM


def packed_scores(
    model: XLMRobertaForMaskedLM, ids: Tensor, segments: Tensor, positions: Tensor, places: Tensor
) -> Tensor:
    """Scores ``(scored, vocabulary)`` at the flat places."""
    states = packed_states(model, ids, segments, positions)
    return model.lm_head(states.flatten(0, 1)[places])


def packed_states(
    model: XLMRobertaForMaskedLM, ids: Tensor, segments: Tensor, positions: Tensor
) -> Tensor:
    """Last states ``(lines, width, dim)``; a row attends to nothing but itself."""
    own = segments.unsqueeze(2) == segments.unsqueeze(1)
    table = model.roberta.embeddings
    kind = table.token_type_embeddings.weight[0]
    states = table.word_embeddings(ids) + table.position_embeddings(positions) + kind
    states = table.LayerNorm(states)
    if torch.is_autocast_enabled(states.device.type):
        states = states.to(torch.get_autocast_dtype(states.device.type))
    heads = model.config.num_attention_heads
    far = torch.zeros(own.shape, dtype=states.dtype, device=ids.device)
    far = far.masked_fill(~own, -1e4).unsqueeze(1)
    for layer in model.roberta.encoder.layer:
        states = _layer(layer, states, far, heads)
    return states


def _layer(layer: nn.Module, states: Tensor, far: Tensor, heads: int) -> Tensor:
    own, out = layer.attention.self, layer.attention.output
    lines, width, dim = states.shape
    weight = torch.cat([own.query.weight, own.key.weight, own.value.weight])
    bias = torch.cat([own.query.bias, own.key.bias, own.value.bias])
    mixed = F.linear(states, weight, bias).view(lines, width, 3, heads, dim // heads)
    query, key, value = mixed.permute(2, 0, 3, 1, 4)
    seen = attend(query, key, value, far).transpose(1, 2).reshape(lines, width, dim)
    states = out.LayerNorm(states + out.dense(seen))
    wide = F.gelu(layer.intermediate.dense(states))
    return layer.output.LayerNorm(states + layer.output.dense(wide))


def attend(query: Tensor, key: Tensor, value: Tensor, far: Tensor) -> Tensor:
    """Attention of all heads; on a CPU in three steps, the fused one's backward being slow."""
    if query.is_cuda:
        return F.scaled_dot_product_attention(query, key, value, attn_mask=far)
    scores = query @ (key * key.shape[-1] ** -0.5).transpose(2, 3) + far
    return scores.softmax(3) @ value
