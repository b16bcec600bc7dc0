"""NMTScore: against transformers' loss, both directions, what is kept."""

from __future__ import annotations

import pytest
import torch
from tiny_seq2seq import tiny_model, tiny_tokenizer
from tiny_translation import tiny_translator

from xadapt.core.errors import UserError
from xadapt.integrations.translators.direction import Direction
from xadapt.integrations.translators.nmt_score import NmtScorer
from xadapt.integrations.translators.seq2seq import Seq2SeqTranslator

ADA, NEW_YORK = ("Ada",), ("New", "York")
ANGILETERI = ("Angiletɛri",)


@torch.no_grad()
def by_hand(translator, source, target, code):
    """Two to the power of minus transformers' loss, without the token of the language."""
    tokenizer = translator.tokenizer
    given = tokenizer([source], return_tensors="pt")
    tokens = tokenizer([target], add_special_tokens=False)["input_ids"][0]
    labels = torch.tensor([[tokenizer.convert_tokens_to_ids(code), *tokens, 2]])
    logits = translator.model(
        input_ids=given["input_ids"], attention_mask=given["attention_mask"],
        decoder_input_ids=torch.cat([torch.tensor([[2]]), labels[:, :-1]], 1),
    ).logits  # fmt: skip
    loss = torch.nn.functional.cross_entropy(logits[0, 1:], labels[0, 1:])
    return 2 ** -loss.item()


def test_probabilities_are_those_of_the_loss_in_each_direction():
    translator = tiny_translator(1)
    scorer = NmtScorer(translator, "en", "bm")
    one, other = " ".join(NEW_YORK), ANGILETERI[0]
    both = {
        (0, 1): (NEW_YORK, ANGILETERI, by_hand(translator, one, other, "bam_Latn")),
        (1, 0): (ANGILETERI, NEW_YORK, by_hand(translator, other, one, "eng_Latn")),
        (1, 1): (ANGILETERI, ANGILETERI, by_hand(translator, other, other, "bam_Latn")),
        (0, 0): (NEW_YORK, NEW_YORK, by_hand(translator, one, one, "eng_Latn")),
    }
    for way, (text, said, wanted) in both.items():
        assert scorer.probability(*way, text, said) == pytest.approx(wanted, rel=1e-4)
    values = {way: own[2] for way, own in both.items()}
    score = (values[0, 1] / values[1, 1] + values[1, 0] / values[0, 0]) / 2
    assert scorer.score([(NEW_YORK, ANGILETERI)]) == pytest.approx([score], rel=1e-4)


def test_a_text_is_as_similar_to_itself_as_can_be_said():
    scorer = NmtScorer(tiny_translator(), "en", "en")
    assert scorer.score([(ADA, ADA), (NEW_YORK, NEW_YORK)]) == pytest.approx([1.0, 1.0])


def test_batches_and_what_is_known_change_nothing(monkeypatch):
    pairs = [(ADA, ANGILETERI), (NEW_YORK, ADA), (ADA, ANGILETERI), (ADA, ("x",) * 200)]
    scorer = NmtScorer(tiny_translator(2), "en", "sw")
    together = scorer.score(pairs)
    assert together[3] == 0.0, "longer than the model reads"
    assert together[0] == together[2]
    alone = [NmtScorer(tiny_translator(2), "en", "sw").score([pair])[0] for pair in pairs]
    assert together == pytest.approx(alone, rel=1e-4)

    def never(*_):
        raise AssertionError("what was scored is scored again")

    monkeypatch.setattr(Direction, "score", never)
    assert scorer.score(pairs[:1]) == together[:1] and scorer.score([]) == []


def test_a_model_of_one_direction_is_refused():
    own = Seq2SeqTranslator(tiny_model("marian"), tiny_tokenizer("marian"), "marian")
    with pytest.raises(UserError, match="marian: the model translates in one direction"):
        NmtScorer(own, "en", "sw")
