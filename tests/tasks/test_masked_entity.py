"""Masked entities: counts by hand, entities seen in training, and a module that learns some."""

from __future__ import annotations

import json

import pytest
import torch
from tiny_commands import good, xadapt
from tiny_models import tiny_encoder, tiny_folder
from tiny_training import linked_sentences, module_for, plain, shaken, trainer

from xadapt.backbones.encoder.text_places import tokenize_places
from xadapt.core.errors import UserError
from xadapt.core.files import read_json
from xadapt.data.records import LinkedSentence
from xadapt.objectives.pep_ms import PartialEntityMS
from xadapt.tasks.masked_entity import FREQUENT, SEEN, UNSEEN, MaskedEntity, keys, predict
from xadapt.training.tasks import Task

ROWS = [
    LinkedSentence("Bonn and Rome", ((0, 4, "Q1"), (9, 13, "Q2")), "en"),
    LinkedSentence("Big Ben", ((0, 7, ""),), "en"),
]
FOUND = [
    [[("B", "B"), ("onn", "x")], [("Rome", "Rome")]],
    [[("Big", "Big"), ("Ben", "Ben"), ("s", "x")]],
]


def scores(**options):
    result = MaskedEntity().evaluate(ROWS, {"it": FOUND}, resamples=5, **options)
    return {name: value.mean for name, value in result["it"].scores.items()}, result


def test_accuracies_by_hand():
    found, result = scores()
    assert found == {"token accuracy": pytest.approx(4 / 6), "whole entity": pytest.approx(1 / 3)}
    # of equally frequent pieces the first in order
    assert result[FREQUENT].scores["token accuracy"].mean == pytest.approx(1 / 6)
    assert result.facts["mentions"] == 3 and result.count == 2


def test_entities_seen_in_training_stand_apart():
    found, result = scores(seen={"Q2", "bigben"})
    assert found[f"token accuracy, {SEEN}"] == pytest.approx(3 / 4)
    assert found[f"whole entity, {SEEN}"] == pytest.approx(1 / 2)
    assert found[f"token accuracy, {UNSEEN}"] == pytest.approx(1 / 2)
    assert found[f"whole entity, {UNSEEN}"] == 0
    assert result.facts["mentions_seen"] == 2
    assert keys(ROWS) == {"Q1", "Q2", "bigben"}


def test_predictions_that_do_not_fit_are_refused():
    with pytest.raises(UserError, match="does not predict each mention"):
        MaskedEntity().evaluate(ROWS, {"it": FOUND[:1]})
    with pytest.raises(UserError, match="does not predict each mention"):
        MaskedEntity().evaluate(ROWS, {"it": [FOUND[0][:1], FOUND[1]]})
    with pytest.raises(UserError, match="no mention"):
        MaskedEntity().evaluate([LinkedSentence("a", (), "en")], {"it": [[]]})


def test_one_mention_is_masked_at_a_time():
    """By a slow loop: each mention in a row of its own, without padding."""
    encoder = tiny_encoder("bert", mlm=True)
    rows = [
        LinkedSentence("die katze und hund park", ((4, 9, "Q1"), (14, 18, "Q2")), "de"),
        LinkedSentence("hund", ((0, 4, "Q2"),), "de"),
    ]
    found = predict(encoder, rows)
    head = encoder.mlm_head()
    for row, own in zip(rows, found, strict=True):
        [text] = tokenize_places(encoder, [row.text])
        for (start, stop, _), pieces in zip(row.mentions, own, strict=True):
            places = text.find(start, stop)
            ids = list(text.ids)
            for at in places:
                ids[at] = encoder.tokenizer.mask_token_id
            tokens, mask = encoder.batch([ids])
            with torch.inference_mode():
                states = encoder.run(encoder.embed(tokens, mask), mask)[0]
                best = head(states[places]).argmax(-1).tolist()
            wanted = encoder.tokenizer.convert_ids_to_tokens([text.ids[at] for at in places])
            assert pieces == list(
                zip(wanted, encoder.tokenizer.convert_ids_to_tokens(best), strict=True)
            )


def test_a_cut_mention_counts_nowhere():
    encoder = tiny_encoder("bert", mlm=True)
    long = "katze " * encoder.max_length
    row = LinkedSentence(long, ((0, 5, "Q1"), (len(long) - 6, len(long) - 1, "Q2")), "de")
    first, second = predict(encoder, [row])[0]
    assert first and second == []
    result = MaskedEntity().evaluate([row], {"it": [[first, second]]}, resamples=2)
    assert result.count == 1


def test_a_module_learns_entities_and_the_run_is_judged(tmp_path):
    encoder = tiny_encoder("bert", mlm=True)
    rows = linked_sentences(6) * 4
    run = trainer(tmp_path, [Task("pep_ms", PartialEntityMS(), rows)], encoder=encoder,
                  module=module_for(encoder, rank=16), batch_size=24, epochs=80,
                  learning_rate=2e-2, evaluations=1)  # fmt: skip
    task = MaskedEntity()
    before = task.scores(run, rows)["score"]
    run.train()
    after = task.scores(run, rows)
    assert after["score"] > before + 0.1 and after["score"] == after["token accuracy"]
    claims = task.evidence(encoder, run.module, rows)
    assert claims[0].value == pytest.approx(after["score"]) and FREQUENT in claims[0].controls


def test_the_command_tells_seen_and_unseen_apart(tmp_path):
    base = tiny_folder(tmp_path / "base", mlm=True)

    def write(name, rows):
        lines = [
            {"text": r.text, "mentions": [{"start": a, "end": b, "id": i}
                                          for a, b, i in r.mentions]} for r in rows
        ]  # fmt: skip
        file = tmp_path / name
        file.write_text("".join(json.dumps(one) + "\n" for one in lines), encoding="utf-8")
        return file

    rows = linked_sentences(30)
    test, train = write("test.jsonl", rows), write("train.jsonl", rows[:10])
    given = ("evaluate", "masked_entity", "--base", base, "--data", test, "--lang", "de")
    done = good(*given, "--train", train, "--json", tmp_path / "r.json")
    assert "never seen" in done.out
    made = read_json(tmp_path / "r.json")
    assert made["mentions"] == 30 and made["mentions_seen"] == 10
    fault = xadapt(*given, "--names", "cldr:all", "--format", "entity_cs")
    assert fault.code == 2 and len(fault.lines) == 1


def test_plain_text_is_linked_by_names(tmp_path):
    base = tiny_folder(tmp_path / "base", mlm=True)
    text = tmp_path / "text.txt"
    lines = [row.text for row in plain(12)]
    text.write_text("\n".join([*lines, "Deutschland und Frankreich", "Kenia"]) + "\n")
    good("evaluate", "masked_entity", "--base", base, "--data", text, "--lang", "de",
         "--names", "cldr:all", "--json", tmp_path / "r.json")  # fmt: skip
    assert read_json(tmp_path / "r.json")["mentions"] == 3


def test_a_module_changes_predictions():
    encoder = tiny_encoder("bert", mlm=True)
    rows = linked_sentences(8)
    bare = predict(encoder, rows)
    assert predict(encoder, rows, module_for(encoder)) == bare
    assert predict(encoder, rows, shaken(module_for(encoder), scale=1.0)) != bare
