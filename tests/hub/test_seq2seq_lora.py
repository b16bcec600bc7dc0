"""LoRA on encoder-decoders: nothing when new, where it acts, and the same in peft."""

from __future__ import annotations

import json
import threading

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_seq2seq import FAMILIES, tiny_model, tiny_tokenizer

from xadapt.backbones.seq2seq.seq2seq import Seq2Seq
from xadapt.core.errors import UserError
from xadapt.hub.seq2seq_lora import load_seq2seq_lora, save_seq2seq_lora
from xadapt.injection.seq2seq_lora import Seq2SeqLoRA

SOURCES, TARGETS = [[5, 9, 30, 12, 1], [40, 7, 1]], [[21, 6, 1], [33, 10, 11, 12, 1]]


def opened(family: str) -> Seq2Seq:
    return Seq2Seq(tiny_model(family), tiny_tokenizer(family))


def shaken(seq2seq: Seq2Seq, *sites: str, **options) -> Seq2SeqLoRA:
    """A module with random values."""
    module = Seq2SeqLoRA.of(seq2seq, sites, **options) if sites else Seq2SeqLoRA.of(seq2seq)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for _, update in module.named_updates():
            update.B.copy_(torch.randn(update.B.shape, generator=generator) * 0.3)
    return module


def scores(seq2seq: Seq2Seq) -> torch.Tensor:
    return torch.cat(seq2seq.score(seq2seq.encode(SOURCES), TARGETS))


@torch.no_grad()
def test_a_new_module_changes_nothing_and_a_changed_one_only_while_it_is_on():
    for family in FAMILIES:
        seq2seq = opened(family)
        bare = scores(seq2seq)
        with Seq2SeqLoRA.of(seq2seq).on(seq2seq):
            assert torch.equal(scores(seq2seq), bare)
        for site in seq2seq.family.inside:
            module = shaken(seq2seq, site, rank=2, alpha=800)
            with module.on(seq2seq):
                assert not torch.equal(scores(seq2seq), bare), (family, site)
            assert torch.equal(scores(seq2seq), bare)


@torch.no_grad()
def test_cached_steps_with_a_module_are_its_full_forwards():
    for family in ("t5", "m2m_100"):
        seq2seq = opened(family)
        with shaken(seq2seq).on(seq2seq):
            encoded = seq2seq.encode(SOURCES[:1])
            decoding = seq2seq.decode(encoded)
            steps = [decoding.step()] + [decoding.step([token]) for token in TARGETS[0][:-1]]
            found = [step[0, token] for step, token in zip(steps, TARGETS[0], strict=True)]
            [wanted] = seq2seq.score(encoded, TARGETS[:1])
        torch.testing.assert_close(torch.stack(found), wanted, atol=1e-5, rtol=0)


def test_two_modules_add_up_and_other_threads_see_none():
    seq2seq = opened("t5")
    one, other = shaken(seq2seq, "encoder.q"), shaken(seq2seq, "cross.v", rank=4)
    seen = {}

    def elsewhere():
        with torch.no_grad():
            seen["scores"] = scores(seq2seq)

    with torch.no_grad():
        bare = scores(seq2seq)
        with one.on(seq2seq), other.on(seq2seq):
            both = scores(seq2seq)
            thread = threading.Thread(target=elsewhere)
            thread.start()
            thread.join()
        with other.on(seq2seq):
            assert not torch.allclose(scores(seq2seq), both)
    assert torch.equal(seen["scores"], bare) and not torch.allclose(both, bare)


def test_it_learns_and_the_base_does_not_change():
    seq2seq = opened("t5")
    before = {key: own.clone() for key, own in seq2seq.model.state_dict().items()}
    module = Seq2SeqLoRA.of(seq2seq, ("encoder.q", "decoder.ffn_in", "cross.v"), rank=4)
    optimizer = torch.optim.Adam(module.parameters(), 0.05)
    losses = []
    for _ in range(30):
        with module.on(seq2seq):
            loss = -scores(seq2seq).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] - 0.5
    assert all(own.grad is not None for own in module.parameters())
    assert all(torch.equal(before[key], own) for key, own in seq2seq.model.state_dict().items())


@pytest.mark.parametrize("family", FAMILIES)
def test_peft_computes_the_same(tmp_path, family):
    peft = pytest.importorskip("peft")
    seq2seq = opened(family)
    module = shaken(seq2seq, *seq2seq.family.inside, rank=3, alpha=5)
    save_seq2seq_lora(tmp_path / "lora", module, base="org/base")
    with torch.no_grad(), module.on(seq2seq):
        wanted = scores(seq2seq)
    theirs = peft.PeftModel.from_pretrained(tiny_model(family), tmp_path / "lora")
    assert theirs.peft_config["default"].task_type == "SEQ_2_SEQ_LM"
    merged = theirs.merge_and_unload()
    with torch.no_grad():
        found = scores(Seq2Seq(merged, tiny_tokenizer(family)))
    torch.testing.assert_close(found, wanted, atol=2e-5, rtol=0)
    again = load_seq2seq_lora(tmp_path / "lora", seq2seq)
    with torch.no_grad(), again.on(seq2seq):
        assert torch.equal(scores(seq2seq), wanted)


def test_a_lora_that_peft_made_is_read(tmp_path):
    peft = pytest.importorskip("peft")
    for scaled in (False, True):
        config = peft.LoraConfig(
            task_type="SEQ_2_SEQ_LM", r=4, lora_alpha=6, use_rslora=scaled,
            target_modules=["q", "wo"], init_lora_weights=True,
        )  # fmt: skip
        theirs = peft.get_peft_model(tiny_model("t5"), config)
        torch.manual_seed(1)
        for name, own in theirs.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(own, std=0.3)
        folder = tmp_path / str(scaled)
        theirs.save_pretrained(folder)
        seq2seq = opened("t5")
        with torch.no_grad(), load_seq2seq_lora(folder, seq2seq).on(seq2seq):
            found = scores(seq2seq)
        with torch.no_grad():
            wanted = scores(Seq2Seq(theirs.merge_and_unload(), tiny_tokenizer("t5")))
        torch.testing.assert_close(found, wanted, atol=2e-5, rtol=0)


def test_bad_folders_are_refused_in_one_line(tmp_path):
    seq2seq = opened("t5")
    folder = tmp_path / "lora"
    save_seq2seq_lora(folder, shaken(seq2seq, "encoder.q", rank=2), base=str(tmp_path))
    config, weights = folder / "adapter_config.json", folder / "adapter_model.safetensors"
    text, tensors = config.read_text(encoding="utf-8"), load_file(weights)
    assert json.loads(text)["base_model_name_or_path"] is None, "no path of this machine is kept"
    name = next(iter(tensors))
    for change, said in (
        ({"peft_type": "IA3"}, "IA3"),
        ({"use_dora": True}, "use_dora"),
        ({"rank_pattern": {"q": 4}}, "rank_pattern"),
        ({"modules_to_save": ["lm_head"]}, "replaces whole modules"),
        ({"r": 3}, r"\(3, 16\) in this base"),
        ({"r": 0}, "no such number"),
        ({"lora_alpha": -1}, "not above 0"),
    ):
        config.write_text(json.dumps(json.loads(text) | change), encoding="utf-8")
        with pytest.raises(UserError, match=said):
            load_seq2seq_lora(folder, seq2seq)
    config.write_text(text, encoding="utf-8")
    for change, said in (
        ({name: torch.full_like(tensors[name], torch.nan)}, "not finite"),
        (
            {"base_model.model.encoder.x.lora_A.weight": tensors[name].clone()},
            "no linear 'encoder.x'",
        ),
    ):
        save_file(tensors | change, weights)
        with pytest.raises(UserError, match=said):
            load_seq2seq_lora(folder, seq2seq)
    save_file({key: own for key, own in tensors.items() if key != name}, weights)
    with pytest.raises(UserError):
        load_seq2seq_lora(folder, seq2seq)
    save_file(tensors, weights)
    with pytest.raises(UserError, match="no linear"):
        load_seq2seq_lora(folder, opened("bart"))
    weights.unlink()
    with pytest.raises(UserError, match="the folder has no adapter_model"):
        load_seq2seq_lora(folder, seq2seq)
    with pytest.raises(UserError, match="not empty"):
        save_seq2seq_lora(folder, shaken(seq2seq))
    for sites in ((), ("encoder.q", "encoder.q"), ("encoder.x",)):
        with pytest.raises(UserError):
            Seq2SeqLoRA.of(seq2seq, sites)
    with pytest.raises(ValueError, match="above 0"):
        Seq2SeqLoRA({}, 1, 1)
