"""An encoder-decoder for benchmarks: mini is its encoder, and its decoder learnt to copy sentences.

No pretrained encoder-decoder of several languages is small enough to come with a package. This one
is a BART whose encoder and vectors of tokens are mini's, weight by weight, and stay as they are.
The layers of its decoder begin as layers of mini, and learn to write sentences of some languages
again. It knows no task and no translation.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from bench import read
from torch import Tensor, nn
from transformers import BartConfig, BartForConditionalGeneration

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.training import checkpoint

START, PAD, END = 0, 1, 2
LAYERS = (0, 5)
"""The layers of mini with which those of the decoder begin."""
BATCH, LONGEST, HELD = 32, 60, 200
WARMUP, SAVED = 50, 60.0
Row = list[int]


def copying_base(folder: Path, texts: Sequence[str], steps: int, rate: float = 1e-3) -> dict:
    """Make the base from texts, or go on where an interrupted call stopped.

    Args:
        folder: Holds the checkpoint, and afterwards the model and its facts.
        texts: The sentences, in an order of no meaning; the first ones are held out.
        steps: Steps of 32 sentences.
        rate: Peak learning rate.

    Returns:
        What the model is and how well it copies, for the table. The model is in ``folder/model``.
    """
    told = folder / "copying.json"
    if told.exists():
        return read(told)
    folder.mkdir(parents=True, exist_ok=True)
    encoder = Encoder.from_pretrained("mini", dtype="float32", device="cpu")
    torch.manual_seed(0)
    model = network(encoder.model)
    given = encoder.tokenizer(list(texts), truncation=True, max_length=LONGEST + 1)["input_ids"]
    rows = [row for row in given if 4 < len(row) <= LONGEST]
    held, rows = rows[:HELD], rows[HELD:]
    progress = learn(model, rows, folder, steps, rate)
    model.save_pretrained(folder / "model")
    encoder.tokenizer.save_pretrained(folder / "model")
    with torch.no_grad():
        loss, right = copied(model, held)
    facts = {
        "encoder": "mini",
        "decoder_layers": len(LAYERS),
        "parameters": sum(p.numel() for p in model.parameters()),
        "trained": sum(p.numel() for p in model.parameters() if p.requires_grad),
        "sentences": min(len(rows), BATCH * steps),
        "steps": steps,
        "minutes": progress.seconds / 60,
        "held_out": {"sentences": len(held), "loss": float(loss), "tokens_right": float(right)},
    }
    told.write_text(json.dumps(facts), encoding="utf-8")
    return facts


def network(mini: Any) -> Any:
    """A BART around mini's layers; its cross-attention has random weights."""
    own = mini.config
    config = BartConfig(
        vocab_size=own.vocab_size, d_model=own.hidden_size, encoder_layers=own.num_hidden_layers,
        decoder_layers=len(LAYERS), encoder_attention_heads=own.num_attention_heads,
        decoder_attention_heads=own.num_attention_heads, encoder_ffn_dim=own.intermediate_size,
        decoder_ffn_dim=own.intermediate_size,
        max_position_embeddings=own.max_position_embeddings - 2, dropout=0.0,
        bos_token_id=START, pad_token_id=PAD, eos_token_id=END, decoder_start_token_id=END,
        forced_bos_token_id=START, forced_eos_token_id=None,
    )  # fmt: skip
    made = BartForConditionalGeneration(config)
    words = mini.embeddings
    with torch.no_grad():
        made.model.shared.weight.copy_(words.word_embeddings.weight)
        places = words.position_embeddings.weight + words.token_type_embeddings.weight
        for part in (made.model.encoder, made.model.decoder):
            part.embed_positions.weight.copy_(places)
            part.layernorm_embedding.load_state_dict(words.LayerNorm.state_dict())
    layers = mini.encoder.layer
    for layer, source in zip(made.model.encoder.layers, layers, strict=True):
        begin(layer, source)
    for layer, number in zip(made.model.decoder.layers, LAYERS, strict=True):
        begin(layer, layers[number])
    made.requires_grad_(False)
    made.model.decoder.layers.requires_grad_(True)
    return made.eval()


def begin(layer: Any, source: Any) -> None:
    """Give a layer of BART the weights of a layer of mini: both normalise behind each part."""
    inner, out = source.attention.self, source.attention.output
    for name, linear in (
        ("q_proj", inner.query), ("k_proj", inner.key), ("v_proj", inner.value),
        ("out_proj", out.dense),
    ):  # fmt: skip
        getattr(layer.self_attn, name).load_state_dict(linear.state_dict())
    layer.self_attn_layer_norm.load_state_dict(out.LayerNorm.state_dict())
    layer.fc1.load_state_dict(source.intermediate.dense.state_dict())
    layer.fc2.load_state_dict(source.output.dense.state_dict())
    layer.final_layer_norm.load_state_dict(source.output.LayerNorm.state_dict())


def learn(
    model: Any, rows: Sequence[Row], folder: Path, steps: int, rate: float
) -> checkpoint.Progress:
    """Train the decoder; a checkpoint is written each minute."""
    trained = nn.ModuleList(model.model.decoder.layers)
    optimizer = torch.optim.AdamW(trained.parameters(), lr=rate, betas=(0.9, 0.98))
    progress = checkpoint.Progress(identity={"steps": steps, "rate": rate, "rows": len(rows)})
    if (folder / checkpoint.NAME).exists():
        progress, _ = checkpoint.load(folder, trained, optimizer, progress.identity)
    plan = batches(rows, steps)
    before, began = progress.seconds, time.monotonic()
    saved = began
    for batch in plan[progress.step :]:
        share = min((progress.step + 1) / WARMUP, 1.0) * (1 - progress.step / steps)
        for group in optimizer.param_groups:
            group["lr"] = rate * share
        loss, right = copied(model, [rows[n] for n in batch])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(trained.parameters(), 1.0)
        optimizer.step()
        progress.step += 1
        progress.seconds = before + time.monotonic() - began
        if time.monotonic() - saved > SAVED or progress.step == steps:
            checkpoint.save(folder, progress, trained, optimizer, {})
            saved = time.monotonic()
            shown = f"loss {float(loss.detach()):.3f}, {float(right):.1%} of the tokens right"
            print(f"copying, step {progress.step} of {steps}: {shown}", flush=True)
    return progress


def batches(rows: Sequence[Row], steps: int) -> list[list[int]]:
    """Rows of like length together; a function of the numbers of rows and steps alone."""
    rng = random.Random(0)
    found: list[list[int]] = []
    while len(found) < steps:
        order = rng.sample(range(len(rows)), len(rows))
        for start in range(0, len(order), 50 * BATCH):
            some = sorted(order[start : start + 50 * BATCH], key=lambda n: len(rows[n]))
            cut = [some[at : at + BATCH] for at in range(0, len(some), BATCH)]
            found += rng.sample(cut, len(cut))
    return found[:steps]


def copied(model: Any, rows: Sequence[Row]) -> tuple[Tensor, Tensor]:
    """The loss of rows that are written again, and the share of tokens that are the likeliest."""
    most = max(map(len, rows))
    tokens = torch.tensor([[*row, *[PAD] * (most - len(row))] for row in rows])
    mask = (tokens != PAD).long()
    before = torch.cat([torch.full_like(tokens[:, :1], END), tokens[:, :-1]], 1)
    with torch.no_grad():
        states = model.model.encoder(input_ids=tokens, attention_mask=mask).last_hidden_state
    written = model.model.decoder(
        input_ids=before, encoder_hidden_states=states, encoder_attention_mask=mask,
        use_cache=False,
    ).last_hidden_state  # fmt: skip
    kept = mask.bool()
    kept[:, 0] = False  # every output begins with the same token
    logits = model.lm_head(written[kept])
    right = (logits.argmax(-1) == tokens[kept]).float().mean()
    return nn.functional.cross_entropy(logits, tokens[kept]), right
