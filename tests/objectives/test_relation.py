"""Relations: rows, the loss by hand, both features, types, and the gradient of the markers."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest
import torch
from tiny_models import VOCAB, tiny_encoder
from tiny_training import digest, module_for, related, trainer

from xadapt.backbones.encoder.text_places import tokenize_places
from xadapt.core.errors import UserError
from xadapt.data.records import RelationExample
from xadapt.heads.relation_head import RelationHead
from xadapt.injection.attachment import embedding_table
from xadapt.objectives.contract import States
from xadapt.objectives.relation import Relation
from xadapt.training.tasks import Task

ROW = RelationExample("the cat sat on the mat", (4, 7), (19, 22), "on", "en", ("CAT", "A_MAT"))


def own(encoder, count=4):
    return module_for(encoder, "own_tokens", count=count, module={"kind": "lora", "rank": 2})


def views(encoder, records, **options):
    objective = Relation(**options)
    memory = objective.prepare([*records, replace(records[0], relation="other")])
    return objective.views(
        records, partial(tokenize_places, encoder), encoder.tokenizer, VOCAB, encoder.max_length,
        memory,
    )  # fmt: skip


def test_markers_stand_around_head_and_tail():
    encoder = tiny_encoder()
    made = views(encoder, [ROW, replace(ROW, head=ROW.tail, tail=ROW.head)])
    first, second = made["text"].rows

    def inside(ids, marker):
        tokens = ids[ids.index(marker) + 1 : ids.index(marker + 1)]
        return encoder.tokenizer.decode(tokens).strip("▁ ")

    assert inside(first, VOCAB) == inside(second, VOCAB + 2) == "cat"
    assert inside(first, VOCAB + 2) == inside(second, VOCAB) == "mat"
    assert [first[at] for at in made["markers"][0]] == [VOCAB, VOCAB + 2]
    assert made["labels"] == [0, 0] and made["text"].langs == ["en", "en"]


def test_types_follow_the_text_as_words():
    encoder = tiny_encoder()
    [plain] = views(encoder, [ROW])["text"].rows
    [typed] = views(encoder, [ROW], types=True)["text"].rows
    sep = encoder.tokenizer.sep_token_id
    words = [encoder.tokenizer(w, add_special_tokens=False)["input_ids"] for w in ("cat", "a mat")]
    assert list(typed) == [*plain[:-1], sep, *words[0], sep, *words[1], plain[-1]]
    with pytest.raises(UserError, match="no text has types"):
        views(encoder, [replace(ROW, types=("", ""))], types=True)


@pytest.mark.parametrize(("features", "states"), [("cls", 1), ("markers", 2)])
def test_the_loss_by_hand(features, states):
    objective = Relation(features=features)
    head = objective.heads(2, ("a", "b"))
    assert isinstance(head, RelationHead) and head.sizes == {"states": states}
    weight = torch.tensor([[1.0, 0.0, 2.0, 0.0], [0.0, 1.0, 0.0, -1.0]])[:, : 2 * states]
    with torch.no_grad():
        head.linear.weight.copy_(weight)
        head.linear.bias.copy_(torch.tensor([0.5, 0.0]))
    hidden = torch.tensor([[[3.0, 1.0], [1.0, 2.0], [9.0, 9.0], [0.5, 4.0]]])
    loss = objective.loss(States(hidden, torch.ones(1, 4)), [(1, 3)], [1], head)
    scores = [3 + 0.5, 1.0] if states == 1 else [1 + 2 * 0.5 + 0.5, 2 - 4.0]
    wanted = -torch.tensor(scores).log_softmax(0)[1]
    assert loss.values.item() == pytest.approx(wanted.item())


def test_rare_relations_weigh_more():
    rows = [ROW, ROW, replace(ROW, relation="under")]
    memory = Relation(class_weights="balanced").prepare(rows)
    assert tuple(memory) == ("on", "under") and memory.weights == [3 / 4, 3 / 2]
    with pytest.raises(UserError, match="the same relation"):
        Relation().prepare([ROW])
    with pytest.raises(ValueError, match="above 0"):
        Relation(class_weights={"on": 0.0})


def test_markers_and_head_train_and_the_table_stays(tmp_path):
    encoder = tiny_encoder()
    module = own(encoder)
    table = embedding_table(encoder).weight.clone()
    before = module.tokens.rows.detach().clone()
    run = trainer(
        tmp_path, [Task("r", Relation(), related(16))], encoder=encoder, module=module,
        evaluations=1, learning_rate=1e-2,
    )  # fmt: skip
    head = digest(run.trained["heads"]["0"])
    run.train()
    assert ((module.tokens.rows - before).abs().sum(1) > 0).all()
    assert digest(run.trained["heads"]["0"]) != head
    assert torch.equal(embedding_table(encoder).weight, table)


def test_a_module_with_too_few_tokens_is_refused(tmp_path):
    encoder = tiny_encoder()
    task = Task("r", Relation(), related(8))
    for module, there in ((None, "none"), (own(encoder, 3), "3")):
        with pytest.raises(UserError, match=f"needs 4 tokens .* the module has {there}"):
            trainer(tmp_path, [task], encoder=encoder, **({"module": module} if module else {}))
