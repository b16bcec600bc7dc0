import pytest
import torch
from pydantic import ValidationError
from tiny_models import tiny_encoder
from tiny_training import digest, module_for, pairs, trainer

from xadapt.config.recipe import strict
from xadapt.data.records import ParallelPair
from xadapt.functional.losses import link_consistency, link_loss, softmax_both_ways
from xadapt.objectives.contract import States
from xadapt.objectives.word_alignment import WordAlignment
from xadapt.training.metrics_log import read_metrics
from xadapt.training.tasks import Task
from xadapt.training.tokenized import Tokenized

REAL = torch.ones(1, 2, dtype=torch.bool)


def states(*rows):
    hidden = torch.tensor([rows], requires_grad=True)
    return States(hidden, torch.ones(hidden.shape[:2]))


def test_the_loss_by_hand():
    """S_xy = [[.8, .2], [.5, .5]], S_yx = [[.8, .5], [.2, .5]] for links (0, 0) and (1, 1)."""
    scores = torch.tensor([[[4.0, 1.0], [1.0, 1.0]]]).log()
    forward, backward = softmax_both_ways(scores, REAL, REAL)
    assert torch.allclose(forward.exp()[0], torch.tensor([[0.8, 0.2], [0.5, 0.5]]))
    assert torch.allclose(backward.exp()[0], torch.tensor([[0.8, 0.5], [0.2, 0.5]]))
    guide = torch.eye(2, dtype=torch.bool)[None]
    found = link_loss(forward, backward, guide, REAL, REAL, log=False)
    assert found.item() == pytest.approx(-((0.8 + 0.5) / 2 + (0.8 + 0.5) / 2) / 2)
    mean = -torch.tensor([0.8, 0.5, 0.8, 0.5]).log().sum() / 2 / 2
    assert link_loss(forward, backward, guide, REAL, REAL, log=True).item() == pytest.approx(mean)
    agreed = 0.8 * 0.8 + 0.2 * 0.5 + 0.5 * 0.2 + 0.5 * 0.5
    assert link_consistency(forward, backward, REAL, REAL).item() == pytest.approx(agreed / 2)


def test_padding_changes_nothing():
    torch.manual_seed(0)
    scores = torch.randn(1, 2, 3)
    left, right = torch.ones(1, 2, dtype=torch.bool), torch.ones(1, 3, dtype=torch.bool)
    wide = torch.nn.functional.pad(scores, (0, 2, 0, 3), value=9.0)
    real = torch.nn.functional.pad(left, (0, 3)), torch.nn.functional.pad(right, (0, 2))
    guide = torch.rand(1, 2, 3) > 0.5
    for log in (False, True):
        plain = link_loss(*softmax_both_ways(scores, left, right), guide, left, right, log)
        padded = torch.nn.functional.pad(guide, (0, 2, 0, 3))
        both = softmax_both_ways(wide, *real)
        assert torch.allclose(link_loss(*both, padded, *real, log), plain)
        assert torch.allclose(
            link_consistency(*both, *real),
            link_consistency(*softmax_both_ways(scores, left, right), left, right),
        )


def test_the_own_guide_is_the_softmax_intersection_and_gets_no_gradient():
    """Special tokens are no pieces: their states have no part in the softmax."""
    text = states([9.0, 9.0], [2.0, 0.0], [0.0, 2.0], [9.0, 9.0])
    pivot = states([9.0, 9.0], [3.0, 0.0], [0.0, 3.0], [9.0, 9.0])
    loss = WordAlignment(threshold=0.1).loss(text, pivot, [[1, 2]], [[1, 2]])
    p = torch.tensor([6.0, 0.0]).softmax(0)[0]
    assert loss.values.item() == pytest.approx(-p.item())
    loss.total().backward()
    assert text.hidden.grad[0, 0].abs().sum() == 0 and text.hidden.grad[0, 3].abs().sum() == 0
    assert text.hidden.grad[0, 1].abs().sum() > 0


def test_a_frozen_guide_is_of_the_other_states():
    text, pivot = states([2.0, 0.0], [0.0, 2.0]), states([2.0, 0.0], [0.0, 2.0])
    turned = states([0.0, 9.0], [9.0, 0.0])
    own = WordAlignment(threshold=0.1).loss(text, pivot, [[0, 1]], [[0, 1]])
    other = WordAlignment(guide="frozen", threshold=0.1).loss(
        text, pivot, [[0, 1]], [[0, 1]], base_text=turned, base_pivot=pivot
    )
    p = torch.tensor([4.0, 0.0]).softmax(0)
    assert own.values.item() == pytest.approx(-p[0].item())
    assert other.values.item() == pytest.approx(-p[1].item())


def views(objective, records, encoder):
    tools = Tokenized(encoder).tokenizers
    return objective.views(
        records, tools["tokenize_words"], encoder.depth, objective.prepare(records)
    )


def test_views_are_of_one_middle_layer_and_of_pieces_alone():
    encoder = tiny_encoder()
    made = views(WordAlignment(), pairs(3), encoder)
    assert made["text"].layer == made["pivot"].layer == 3
    for side in ("text", "pivot"):
        for ids, places in zip(made[side].rows, made[f"{side}_pieces"], strict=True):
            assert places == list(range(1, len(ids) - 1))
    other = views(WordAlignment(layer=2, pivot="frozen"), pairs(3), encoder)
    assert other["text"].layer == 2 and other["pivot"].module is False
    frozen = views(WordAlignment(guide="frozen"), pairs(2), encoder)
    assert frozen["base_text"].module is False and frozen["base_text"].layer == 3


def test_the_lexical_guide_links_translations():
    encoder, records = tiny_encoder(), pairs(200)
    objective = WordAlignment(guide="lexical", threshold=0.1)
    made = views(objective, records, encoder)
    [row] = [i for i, r in enumerate(records) if len(r.text.split()) > 4][:1]
    links = made["links"][row]
    assert links.shape == tuple(len(made[f"{side}_pieces"][row]) for side in ("text", "pivot"))
    assert links.diagonal().float().mean() > 0.7 or links.sum() > 3


def test_an_empty_sentence_has_a_loss_of_nothing():
    text = states([1.0, 0.0], [0.0, 1.0])
    for form in ("probability", "log"):
        loss = WordAlignment(form=form, consistency=1.0).loss(text, text, [[]], [[0]])
        assert loss.values.tolist() == [0.0]
        loss.total().backward()


@pytest.mark.parametrize("guide", ["own", "frozen", "lexical"])
@pytest.mark.parametrize("kind", ["lora", "bottleneck", "mixture_of_loras"])
def test_it_trains_every_kind_and_resumes(tmp_path, guide, kind):
    if guide != "lexical" and kind != "lora":
        pytest.skip("the guide does not depend on the kind")
    encoder = tiny_encoder()
    options = {"lora": {"rank": 2}, "bottleneck": {"width": 4}}.get(kind, {"experts": 2, "rank": 2})
    objective = WordAlignment(guide=guide, form="log", similarity="cosine", temperature=0.1)
    module = module_for(encoder, kind, **options)
    before, base = digest(module), digest(encoder.model)
    run = trainer(
        tmp_path, [Task("words", objective, pairs(16))], encoder=encoder, module=module,
        epochs=3, learning_rate=1e-2, evaluations=1, warmup=0.0,
    )  # fmt: skip
    run.train()
    assert digest(module) != before and digest(encoder.model) == base
    if guide == "lexical":
        losses = [row["loss"] for row in read_metrics(tmp_path / "metrics.jsonl")]
        assert losses[-1] < losses[0]


@pytest.mark.parametrize(
    "wrong",
    [{"temperature": 0.0}, {"threshold": 1.0}, {"consistency": -1.0}, {"layer": -1},
     {"lexical_pairs": 0}, {"guide": "other"}, {"form": "other"}],
)  # fmt: skip
def test_wrong_options_are_refused(wrong):
    with pytest.raises((ValidationError, ValueError)):
        strict(WordAlignment).validate_python(wrong)


def test_the_lexicon_reads_at_most_so_many_pairs():
    encoder = tiny_encoder()
    records = [*pairs(4), ParallelPair("hund", "park", "de")]
    few, all_of_them = (
        WordAlignment(guide="lexical", lexical_pairs=most, threshold=0.0) for most in (4, 5)
    )
    assert views(all_of_them, records, encoder)["links"][4].any()
    counts = few.prepare(records).lexicon(Tokenized(encoder).tokenize_words, 4).keys
    every = few.prepare(records).lexicon(Tokenized(encoder).tokenize_words, 5).keys
    assert len(counts) < len(every)
