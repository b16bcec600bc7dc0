"""The tagging probe: halves, controls, states by a slow loop, and claims in a module's folder."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from tiny_commands import good, xadapt
from tiny_models import tiny_encoder
from tiny_tagging import made, write_conll  # noqa: F401
from tiny_training import module_for, shaken, tagged

from xadapt.backbones.encoder.words import tokenize_words
from xadapt.core.errors import UserError
from xadapt.core.files import read_json
from xadapt.data.records import TaggedSentence
from xadapt.functional.linear_probe import LinearProbe
from xadapt.hub.opening import read_manifest
from xadapt.tasks.tagging_probe import BY_WORD, TaggingProbe, _halves, by_word, predict, word_states
from xadapt.training.active_module import ActiveModule

ENCODER = tiny_encoder()
ROWS = tagged(40)
TWO = [  # one in each half
    TaggedSentence(("hund", "und", "hund"), ((0, 1, "A"), (1, 2, "B"), (2, 3, "C")), "de"),
    TaggedSentence(("Hund", "hof"), ((0, 1, "C"), (1, 2, "B")), "de"),
]


def test_equal_sentences_are_in_one_half_and_each_is_answered_once():
    rows = [*ROWS, *ROWS[:5]]
    halves = _halves(rows)
    assert sorted(halves[0][0] + halves[1][0]) == list(range(45))
    assert halves[0] == halves[1][::-1] and all(halves[0])
    for i in range(5):
        assert (i in halves[0][0]) == (40 + i in halves[0][0])


def test_the_control_gives_the_most_frequent_label_of_the_word_elsewhere():
    assert {len(own) for own, _ in _halves(TWO)} == {1}
    # "hund" is C in the other sentence; there A, B and C are as frequent, and A is the first
    assert by_word(TWO) == [["C", "B", "C"], ["A", "A"]]


def test_states_are_those_of_first_tokens_alone():
    """By a slow loop: one sentence at a time, without padding."""
    module = shaken(module_for(ENCODER))
    for active in (None, ActiveModule(ENCODER, module)):
        found = word_states(ENCODER, ROWS[:6], active)
        for row, states in zip(ROWS[:6], found, strict=True):
            [words] = tokenize_words(ENCODER, [row.words])
            tokens, mask = ENCODER.batch([words.ids])
            acts = None if active is None else active.activation()
            with torch.inference_mode():
                own = ENCODER.run(ENCODER.embed(tokens, mask), mask, activation=acts)[0]
            np.testing.assert_allclose(states, own[list(words.first)].numpy(), atol=1e-5)
    assert not np.allclose(found[0], word_states(ENCODER, ROWS[:1])[0])


def test_a_word_without_a_token_has_no_state():
    row = TaggedSentence(("katze", "\u200b", "hund"), (), "de")
    found = word_states(ENCODER, [row])[0]
    assert found[0].any() and found[2].any() and found.shape == (3, ENCODER.width)


def test_a_sentence_is_answered_by_a_probe_that_has_not_seen_it():
    found = predict(ENCODER, ROWS, scheme="bio")
    states = word_states(ENCODER, ROWS)
    own, rest = _halves(ROWS)[0]
    gold = TaggingProbe().oracle(ROWS)
    probe = LinearProbe.fit(
        np.concatenate([states[i] for i in rest]), [label for i in rest for label in gold[i]]
    )
    for i in own:
        assert found[i] == probe.predict(states[i])  # these labels need no second look
    right = np.mean([a == b for x, y in zip(found, gold, strict=True)
                     for a, b in zip(x, y, strict=True)])  # fmt: skip
    always = np.mean([label == "O" for own in gold for label in own])
    assert right > always + 0.1  # an animal is known by its state


def test_too_few_sentences_and_other_labels_are_refused():
    with pytest.raises(UserError, match="one half has no words"):
        predict(ENCODER, TWO[:1])
    with pytest.raises(UserError, match="another kind"):
        predict(ENCODER, [TaggedSentence(("a", "b"), ((0, 2, "X"),), "de", origin="f:1"), *TWO])


def test_the_command_writes_what_a_module_keeps_into_its_card(made, tmp_path):  # noqa: F811
    place, folder = made
    data = write_conll(tmp_path / "en.conll", tagged(80, seed=5))
    given = ("evaluate", "tagging_probe", "--base", place.base, "--data", data, "--format", "conll")
    module = folder / "de"
    done = good(*given, "--module", module, "--evidence", "--json", tmp_path / "r.json")
    assert BY_WORD in done.out and "most frequent label" in done.out and "one half" in done.out
    result = read_json(tmp_path / "r.json")
    assert result["task"] == "tagging_probe" and result["count"] == 80
    assert [row["system"] for row in result["rows"]][:2] == ["frozen base", "module"]
    [claim] = [c for c in read_manifest(module).evidence if c.task == "tagging_probe"]
    assert claim.metric == "f1" and claim.base is not None and BY_WORD in claim.controls
    assert f"{claim.base:.4g}" in (module / "README.md").read_text(encoding="utf-8")
    assert json.loads((module / "evidence.json").read_text())["measurements"]
    alone = good(*given, "--json", tmp_path / "b.json")
    assert "frozen base" in alone.out and " module" not in alone.out


def test_mistakes_are_one_line(made, tmp_path):  # noqa: F811
    place, _ = made
    data = write_conll(tmp_path / "en.conll", tagged(4))
    given = ("evaluate", "tagging_probe", "--base", place.base)
    for more, said in (
        (("--data", data), "en.conll"),  # no tree bank
        (("--data", data, "--format", "bio"), "conll or conllu"),
        (("--data", data, "--format", "conll", "--baseline", "none"), "no module to measure"),
        (("--data", tmp_path / "none.conllu"), "no such file"),
    ):
        done = xadapt(*given, *more)
        assert done.code == 2 and len(done.lines) == 1 and said in done.err, (said, done.err)
