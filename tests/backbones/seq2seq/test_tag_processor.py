"""Constrained decoding under ``generate``: greedy, beams, sampling; several families."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
import torch
from tiny_seq2seq import FAMILIES, tiny_model, tiny_tokenizer
from transformers import GPT2Config, GPT2LMHeadModel, LogitsProcessorList

import xadapt
from xadapt.backbones.seq2seq.tag_automaton import TagAutomaton, Tags
from xadapt.backbones.seq2seq.tag_processor import TagLogitsProcessor, TagWriter
from xadapt.core.errors import UserError
from xadapt.functional.tagged_text import from_tagged_text

SENTENCES = [
    "the mayor of The Hague met Ada".split(),  # noqa: SIM905
    ["Nairobi"],
    "Dar es Salaam na Nairobi , < Ada".split(),  # noqa: SIM905
]
TYPES = ["PER", "LOC"]


def batch(tokenizer):
    made = tokenizer([" ".join(words) for words in SENTENCES], padding=True, return_tensors="pt")
    return {name: made[name] for name in ("input_ids", "attention_mask")}


def generated(model, tokenizer, processor=None, **options):
    torch.manual_seed(0)
    more = {} if processor is None else {"logits_processor": [processor]}
    longest = 60 if processor is None else processor.longest
    return model.generate(**batch(tokenizer), max_new_tokens=longest, **more, **options)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    "options",
    [
        {"num_beams": 1, "do_sample": False},
        {"num_beams": 3, "num_return_sequences": 2},
        {"do_sample": True, "num_beams": 1, "num_return_sequences": 4},
    ],
)
def test_outputs_of_generate_are_tagged_copies(family, options):
    model, tokenizer = tiny_model(family), tiny_tokenizer(family)
    processor = TagLogitsProcessor.of(model, tokenizer, SENTENCES, TYPES)
    tokens = generated(model, tokenizer, processor, **options)
    spans = processor.spans(tokens)
    assert len(spans) == 3 * options.get("num_return_sequences", 1) and None not in spans
    texts = tokenizer.batch_decode(tokens, skip_special_tokens=True)
    each = len(spans) // 3
    for row, (text, own) in enumerate(zip(texts, spans, strict=True)):
        words = SENTENCES[row // each]
        if "<" not in words:  # a reader of the text alone can't tell this word from a tag's start
            assert from_tagged_text(text, words, TYPES) == own
    free = processor.spans(generated(model, tokenizer, **options))
    assert None in free, "without the processor these random weights write nonsense"


def test_ten_thousand_outputs_of_random_scores_return_the_words():
    """Scores drawn anew for every token: the outputs parse as text, and free ones don't."""
    tokenizer = tiny_tokenizer("bart")
    writer = TagWriter(tokenizer, [*TYPES, "ORG", "Place"], tokenizer.eos_token_id)
    rng = random.Random(0)
    draw = torch.Generator().manual_seed(0)
    pool = "the Hague met Ada New York Monday Dar es Salaam na 3,5 ŋ 東京 :-)".split()  # noqa: SIM905
    rows, spans_seen, adjacent, malformed = 500, 0, 0, 0
    for _ in range(20):
        sentences = [rng.choices(pool, k=rng.randint(1, 4)) for _ in range(rows)]
        processor = TagLogitsProcessor([writer.automaton(words) for words in sentences])
        written = torch.full((rows, 1), 2)
        free = torch.full((rows, 1), 2)
        done = torch.zeros(rows, dtype=torch.bool)
        while not done.all():
            # tags and the end are likely, so that spans are many
            scores = torch.randn(rows, len(tokenizer), generator=draw)
            scores = processor(written, scores)
            token = scores.argmax(1).masked_fill(done, 2)
            written = torch.cat([written, token[:, None]], 1)
            done |= token == 2
            free = torch.cat([free, torch.randint(len(tokenizer), (rows, 1), generator=draw)], 1)
            assert written.shape[1] <= processor.longest + 1
        found = processor.spans(written)
        texts = tokenizer.batch_decode(written, skip_special_tokens=True)
        for words, own, text in zip(sentences, found, texts, strict=True):
            assert own is not None
            assert from_tagged_text(text, words, writer.tags.types) == own
            spans_seen += len(own)
            adjacent += any(a[1] == b[0] for a, b in pairwise(own))
        malformed += sum(one is None for one in processor.spans(free))
    assert spans_seen > 5000 and adjacent > 500 and malformed > 9000


def test_beams_are_ranked_by_the_softmax_over_all_tokens():
    for family in ("t5", "bart"):
        model, tokenizer = tiny_model(family), tiny_tokenizer(family)
        processor = TagLogitsProcessor.of(model, tokenizer, SENTENCES, TYPES)
        made = generated(
            model, tokenizer, processor, num_beams=4, num_return_sequences=2,
            return_dict_in_generate=True, output_scores=True,
        )  # fmt: skip
        given = {k: v.repeat_interleave(2, 0) for k, v in batch(tokenizer).items()}
        logits = model(**given, decoder_input_ids=made.sequences[:, :-1]).logits
        own = logits.log_softmax(-1).gather(2, made.sequences[:, 1:, None])[..., 0]
        first = len(processor.forced)
        for row, tokens in enumerate(made.sequences[:, 1:].tolist()):
            length = tokens.index(tokenizer.eos_token_id) + 1
            # a forced token is no choice: transformers scores it 0
            total = own[row, first:length].sum()
            score = made.sequences_scores[row] * length
            assert total == pytest.approx(score.item(), abs=2e-3)


def test_the_best_of_many_beams_is_the_best_of_all_outputs():
    """Exhaustive: every tagged copy of two words, scored by the model."""
    model, tokenizer = tiny_model("t5"), tiny_tokenizer("t5")
    [words] = sentences = [["Ada", "met"]]
    processor = TagLogitsProcessor.of(model, tokenizer, sentences, TYPES)
    automaton = processor.automata[0]
    ways = [()] + [((a, b, t),) for a, b in ((0, 1), (1, 2), (0, 2)) for t in TYPES]
    ways += [((0, 1, s), (1, 2, t)) for s in TYPES for t in TYPES]
    given = tokenizer([" ".join(words)], return_tensors="pt")
    given = {name: given[name] for name in ("input_ids", "attention_mask")}
    scored = []
    for spans in ways:
        labels = torch.tensor([automaton.write(spans)])
        scored.append((-model(**given, labels=labels).loss.item(), spans))
    made = model.generate(
        **given, logits_processor=[processor], num_beams=60, max_new_tokens=processor.longest
    )
    assert processor.spans(made) == [max(scored)[1]]


def test_beams_that_change_their_order_and_a_second_call_change_nothing():
    tokenizer = tiny_tokenizer("t5")
    writer = TagWriter(tokenizer, TYPES, 1)
    processor = TagLogitsProcessor([writer.automaton(["Ada", "met"])])
    tokens = processor.automata[0].write([(0, 1, "PER")])
    scores = torch.randn(2, len(tokenizer))
    fresh = []
    for length in range(len(tokens)):
        one, other = (
            [0, *tokens[:length]],
            [0, *writer.word("Ada"), *writer.word("met")][: length + 1],
        )
        other += [0] * (len(one) - len(other))
        rows = torch.tensor([one, other])
        own = TagLogitsProcessor(processor.automata)(rows, scores)
        assert torch.equal(processor(rows, scores), own)
        assert torch.equal(processor(rows.flip(0), scores.flip(0)).flip(0), own)
        assert own[0, tokens[length]] == scores[0, tokens[length]]
        fresh.append(own)
    assert torch.equal(processor(torch.tensor([[0]]), scores[:1]), fresh[0][:1])


def test_a_short_limit_is_kept():
    model, tokenizer = tiny_model("bart"), tiny_tokenizer("bart")
    bare = TagLogitsProcessor.of(model, tokenizer, SENTENCES, TYPES)
    for limit in (20, 25, 40):
        processor = TagLogitsProcessor.of(model, tokenizer, SENTENCES, TYPES, limit=limit)
        assert processor.longest <= limit + 1 < bare.longest
        tokens = generated(model, tokenizer, processor, do_sample=True, num_beams=1)
        assert None not in processor.spans(tokens) and tokens.shape[1] <= limit + 2
    with pytest.raises(UserError, match=r"the mayor .* tokens, not 4"):
        TagLogitsProcessor.of(model, tokenizer, SENTENCES, TYPES, limit=4)


def test_a_decoder_alone_writes_behind_its_prompt():
    tokenizer = tiny_tokenizer("bart")
    torch.manual_seed(0)
    shape = {"n_embd": 16, "n_layer": 1, "n_head": 2, "n_positions": 128}
    model = GPT2LMHeadModel(
        GPT2Config(vocab_size=len(tokenizer), eos_token_id=2, bos_token_id=0, **shape)
    )
    given = tokenizer(["tag :", "tag :"], return_tensors="pt")
    start = given["input_ids"].shape[1]
    processor = TagLogitsProcessor.of(model, tokenizer, SENTENCES[:2], TYPES, start=start)
    tokens = model.eval().generate(
        input_ids=given["input_ids"], attention_mask=given["attention_mask"], pad_token_id=1,
        logits_processor=LogitsProcessorList([processor]), max_new_tokens=processor.longest,
    )  # fmt: skip
    assert None not in processor.spans(tokens)


def test_words_that_are_special_tokens_or_no_tokens_are_copied_too():
    for family in ("t5", "bart"):
        model, tokenizer = tiny_model(family), tiny_tokenizer(family)
        sentences = [["</s>", "Ada", "<pad>", "\u200b", "<PER>", "</PER>"]]
        processor = TagLogitsProcessor.of(model, tokenizer, sentences, TYPES)
        assert all(tokenizer.eos_token_id not in word for word in processor.automata[0].words)
        given = tokenizer(["Ada"], return_tensors="pt")["input_ids"]
        tokens = model.generate(
            input_ids=given, logits_processor=[processor], max_new_tokens=processor.longest
        )
        assert processor.spans(tokens) != [None]


def test_mistakes_are_named():
    model, tokenizer = tiny_model("t5"), tiny_tokenizer("t5")
    for types, tags, said in (
        ([], None, "no type is named"),
        (["PER", "PER"], None, "named twice"),
        (["東", "京"], None, "can't tell the tags apart: the tags of 東 and 京 have the same"),
        (["PER", "LOC"], ("<>", "</>"), "the tags of PER and LOC"),
    ):
        more = {} if tags is None else {"tags": tags}
        with pytest.raises(UserError, match=said):
            TagLogitsProcessor.of(model, tokenizer, SENTENCES, types, **more)
    with pytest.raises(ValueError, match="no sentence"):
        TagLogitsProcessor([])
    tags = Tags({"A": [3]}, {"A": [4]}, 0)
    processor = TagLogitsProcessor([TagAutomaton([[1]], tags)] * 2)
    with pytest.raises(ValueError, match="3 rows don't divide among 2"):
        processor(torch.zeros(3, 1, dtype=torch.long), torch.zeros(3, 5))
    with pytest.raises(ValueError, match="3 rows don't divide among 2"):
        processor.spans([[0, 1, 0]] * 3)


def test_it_is_public():
    assert xadapt.TagLogitsProcessor is TagLogitsProcessor
