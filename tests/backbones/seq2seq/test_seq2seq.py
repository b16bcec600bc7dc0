"""Identities of the encoder-decoder: cached decoding, scores, padding, order; six families."""

from __future__ import annotations

import copy

import pytest
import torch
from tiny_models import tiny_folder
from tiny_seq2seq import FAMILIES, tiny_model, tiny_seq2seq_folder, tiny_tokenizer

from xadapt.backbones.seq2seq import seq2seq as module
from xadapt.backbones.seq2seq.families import FAMILIES as TYPES
from xadapt.backbones.seq2seq.families import family_of
from xadapt.backbones.seq2seq.seq2seq import Seq2Seq
from xadapt.core.errors import UserError

SOURCES = [[5, 9, 30, 12, 1], [40, 7, 1], [8, 8, 19, 1]]
TARGETS = [[21, 6, 1], [33, 10, 11, 12, 25, 1], [9, 1]]


@pytest.fixture(params=FAMILIES)
def seq2seq(request) -> Seq2Seq:
    return Seq2Seq(tiny_model(request.param), tiny_tokenizer(request.param))


@torch.no_grad()
def full(seq2seq, source, prefix):
    """What follows a prefix, by one bare forward of transformers."""
    made = seq2seq.model(
        input_ids=torch.tensor([source]),
        decoder_input_ids=torch.tensor([[seq2seq.start, *prefix]]),
        use_cache=False,
    )
    return made.logits[0, -1].log_softmax(-1)


@torch.no_grad()
def test_cached_steps_are_full_forwards(seq2seq):
    encoded = seq2seq.encode(SOURCES)
    decoding = seq2seq.decode(encoded)
    prefixes = [[], [], []]
    found = decoding.step()
    for tokens in ([4, 5, 6], [30, 31, 32], [9, 9, 40]):
        for row, prefix in enumerate(prefixes):
            wanted = full(seq2seq, SOURCES[row], prefix)
            torch.testing.assert_close(found[row], wanted, atol=1e-5, rtol=0)
        found = decoding.step(tokens)
        prefixes = [[*one, token] for one, token in zip(prefixes, tokens, strict=True)]
    assert decoding.length == 3


@torch.no_grad()
def test_branches_are_new_and_what_they_left_goes_on(seq2seq):
    encoded = seq2seq.encode(SOURCES)
    decoding = seq2seq.decode(encoded, owners=[2, 0])
    decoding.step()
    decoding.step([7, 8])
    branch = decoding.branch([1, 0, 1, 1])
    found = branch.step([20, 21, 22, 23])
    wanted = [(0, [8, 20]), (2, [7, 21]), (0, [8, 22]), (0, [8, 23])]
    for row, (source, prefix) in enumerate(wanted):
        expected = full(seq2seq, SOURCES[source], prefix)
        torch.testing.assert_close(found[row], expected, atol=1e-5, rtol=0)
    # the parent is where it was
    again = decoding.step([30, 31])
    torch.testing.assert_close(again[0], full(seq2seq, SOURCES[2], [7, 30]), atol=1e-5, rtol=0)
    assert (len(decoding), decoding.length, len(branch), branch.length) == (2, 2, 4, 2)


@torch.no_grad()
def test_scores_are_the_loss_of_transformers_and_those_of_steps(seq2seq):
    encoded = seq2seq.encode(SOURCES)
    found = seq2seq.score(encoded, TARGETS)
    for source, target, own in zip(SOURCES, TARGETS, found, strict=True):
        labels = torch.tensor([target])
        inputs = torch.tensor([[seq2seq.start, *target[:-1]]])
        loss = seq2seq.model(
            input_ids=torch.tensor([source]), decoder_input_ids=inputs, labels=labels
        ).loss
        assert -own.mean().item() == pytest.approx(loss.item(), abs=1e-5)
        if seq2seq.model.config.model_type != "mbart":  # its labels end in a language
            loss = seq2seq.model(input_ids=torch.tensor([source]), labels=labels).loss
            assert -own.mean().item() == pytest.approx(loss.item(), abs=1e-5)
        decoding = seq2seq.decode(seq2seq.encode([source]))
        steps = [decoding.step() if n == 0 else decoding.step([target[n - 1]])
                 for n in range(len(target))]  # fmt: skip
        by_steps = torch.stack([step[0, token] for step, token in zip(steps, target, strict=True)])
        torch.testing.assert_close(own, by_steps, atol=1e-5, rtol=0)
    # many targets of one source; alone or in a batch
    rows = seq2seq.score(encoded, [TARGETS[0], TARGETS[1], TARGETS[0]], owners=[1, 1, 0])
    alone = seq2seq.score(seq2seq.encode([SOURCES[1]]), [TARGETS[0]])[0]
    torch.testing.assert_close(rows[0], alone, atol=1e-5, rtol=0)
    torch.testing.assert_close(rows[2], found[0], atol=1e-5, rtol=0)


def test_it_is_frozen_and_a_gradient_can_pass_to_what_enters(seq2seq):
    before = copy.deepcopy(seq2seq.model.state_dict())
    encoded = seq2seq.encode(SOURCES)
    states = encoded.states.detach().requires_grad_(True)
    seq2seq.score(type(encoded)(states, encoded.mask), TARGETS)[1].sum().backward()
    assert states.grad is not None and states.grad[1].abs().sum() > 0
    assert states.grad[0].abs().sum() == 0, "another source has no part in it"
    assert not any(own.requires_grad for own in seq2seq.model.parameters())
    assert all(torch.equal(before[key], own) for key, own in seq2seq.model.state_dict().items())


def test_sites_are_linears_of_their_part(seq2seq):
    known = dict(seq2seq.model.named_modules())
    seen: set[str] = set()
    for name in seq2seq.family.inside:
        paths = seq2seq.paths(name)
        gated = name.endswith("ffn_in") and seq2seq.model.config.model_type == "mt5"
        assert len(paths) == (4 if gated else 2), name
        assert all(isinstance(known[path], torch.nn.Linear) for path in paths)
        assert all(("decoder" in path) != name.startswith("encoder") for path in paths)
        crossing = [("EncDec" in path or "encoder_attn" in path) for path in paths]
        assert set(crossing) == {name.startswith("cross")}
        seen |= set(paths)
    linears = {path for path, one in known.items() if isinstance(one, torch.nn.Linear)}
    assert linears - seen == {"lm_head"}
    with pytest.raises(UserError, match=r"no site 'cross.ffn_in'.*encoder.q"):
        seq2seq.paths("cross.ffn_in")


def test_mistakes_are_named(tmp_path):
    own = Seq2Seq(tiny_model("t5"), tiny_tokenizer("t5"))
    encoded = own.encode(SOURCES)
    for call, said in (
        (lambda: own.encode([]), "no row"),
        (lambda: own.encode([[1], []]), "an empty one"),
        (lambda: own.score(encoded, TARGETS[:2]), "2 targets don't match"),
        (lambda: own.score(encoded, TARGETS, owners=[0]), "3 targets don't match"),
        (lambda: own.decode(encoded).step([1, 2, 3]), "the first step has no token"),
    ):
        with pytest.raises(ValueError, match=said):
            call()
    decoding = own.decode(encoded)
    decoding.step()
    for tokens, said in ((None, "every other step has one"), ([1, 2], "3 prefixes need as many")):
        with pytest.raises(ValueError, match=said):
            decoding.step(tokens)
    with pytest.raises(UserError, match="bert is no encoder-decoder model"):
        Seq2Seq.from_pretrained(str(tiny_folder(tmp_path / "bert")))
    with pytest.raises(UserError, match="int8 is for encoders alone"):
        Seq2Seq.from_pretrained(str(tmp_path / "bert"), dtype="int8")
    assert set(FAMILIES) < set(TYPES) and family_of("t5", "x") is family_of("mt5", "x")


def test_a_saved_model_is_loaded_frozen(tmp_path):
    found = Seq2Seq.from_pretrained(str(tiny_seq2seq_folder(tmp_path)), dtype="float32")
    own = Seq2Seq(tiny_model("t5"), tiny_tokenizer("t5"))
    with torch.no_grad():
        rows = zip(*(one.score(one.encode(SOURCES), TARGETS) for one in (found, own)), strict=True)
        assert all(torch.equal(a, b) for a, b in rows)
    assert found.room is None and found.width == 16 and not found.model.training


@torch.no_grad()
def test_joined_prefixes_go_on_as_each_alone(seq2seq):
    root = seq2seq.decode(seq2seq.encode(SOURCES))
    root.step()
    one, other = root.branch([2, 0]), root.branch([1, 1])
    joined = one.join([other])
    found = joined.step([7, 8, 9, 10])
    for row, (source, token) in enumerate([(2, 7), (0, 8), (1, 9), (1, 10)]):
        wanted = full(seq2seq, SOURCES[source], [token])
        torch.testing.assert_close(found[row], wanted, atol=1e-5, rtol=0)
    assert (len(joined), joined.length, one.length) == (4, 1, 0)
    one.step([7, 8])
    with pytest.raises(ValueError, match="different lengths"):
        one.join([other])


@torch.no_grad()
def test_prefixes_that_are_read_again_are_those_that_were_read_step_by_step(seq2seq, monkeypatch):
    root = seq2seq.decode(seq2seq.encode(SOURCES))
    root.step()
    made, found = root.reread([2, 0, 2], [[7, 8], [9, 10], [11, 12]])
    wanted = [(2, [7, 8]), (0, [9, 10]), (2, [11, 12])]
    for row, (source, prefix) in enumerate(wanted):
        expected = full(seq2seq, SOURCES[source], prefix)
        torch.testing.assert_close(found[row], expected, atol=1e-5, rtol=0)
    monkeypatch.setattr(module, "SCORES", 1)
    assert seq2seq.rows_at_once(3) == 1
    _, few = root.reread([2, 0, 2], [[7, 8], [9, 10], [11, 12]])
    torch.testing.assert_close(few, found, atol=1e-5, rtol=0)
    other = root.branch([1])
    other.step([5])
    other.step([6])
    found = other.join([made]).step([20, 21, 22, 23])
    for row, (source, prefix) in enumerate([(1, [5, 6, 20]), (2, [7, 8, 21]), (0, [9, 10, 22])]):
        expected = full(seq2seq, SOURCES[source], prefix)
        torch.testing.assert_close(found[row], expected, atol=1e-5, rtol=0)
    for rows, tokens in (([0], [[1], [2]]), ([0, 1], [[1], [2, 3]]), ([], [])):
        with pytest.raises(ValueError, match="all are of one length"):
            root.reread(rows, tokens)
