import numpy as np
import torch
from tiny_models import tiny_encoder
from tiny_training import module_for, questions

from xadapt.backbones.encoder.pairs import tokenize_windows
from xadapt.backbones.encoder.question_rows import with_question_token
from xadapt.heads.pointer_head import PointerHead
from xadapt.injection.activation import Activation, ActiveAdapter
from xadapt.injection.attachment import embedding_table
from xadapt.tasks.pointed_qa import pointed_answers
from xadapt.tasks.qa import best_span


def test_answers_are_the_best_spans_of_the_passage():
    encoder = tiny_encoder()
    module = module_for(encoder, "own_tokens", module={"kind": "none"})
    acts = Activation.of(ActiveAdapter(encoder, module))
    torch.manual_seed(0)
    head, rows = PointerHead(encoder.width), questions(6)
    asked = [(row.question, row.passage) for row in rows]
    found = pointed_answers(encoder, head, asked, acts)
    que, special = embedding_table(encoder).num_embeddings, set(encoder.tokenizer.all_special_ids)
    for (question, passage), answer in zip(asked, found, strict=True):
        [window] = tokenize_windows(encoder, [question], [passage], 8)
        one = with_question_token(window, que, special, encoder.max_length)
        tokens, mask = encoder.batch([one.window.ids])
        with torch.no_grad():
            hidden = encoder.embed(tokens, mask, [one.window.second], acts)
            states = encoder.run(hidden, mask, activation=acts)
            scores = head.scores(states, torch.tensor([0]), torch.tensor([one.at]))[0]
        starts, ends = scores.log_softmax(0).numpy().T
        score, start, stop = best_span(starts, ends, one.window.places, 30)
        assert answer.text == passage[start:stop] and np.isclose(answer.score, score, atol=1e-4)


def test_a_long_passage_is_read_in_windows():
    encoder = tiny_encoder()
    module = module_for(encoder, "own_tokens", module={"kind": "none"})
    acts = Activation.of(ActiveAdapter(encoder, module))
    [answer] = pointed_answers(
        encoder, PointerHead(encoder.width), [("the cat", "die katze sitzt " * 60)], acts
    )
    assert answer.text
