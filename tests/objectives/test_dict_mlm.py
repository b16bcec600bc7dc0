"""DICT-MLM: the label is replaced, the input is masked, the head knows the label's language."""

from __future__ import annotations

import random
from collections import Counter
from functools import partial

import pytest
import torch
from pydantic import ValidationError
from tiny_models import tiny_encoder
from tiny_training import digest, module_for, plain, trainer, word_pairs

from xadapt.backbones.encoder.words import tokenize_words
from xadapt.config.recipe import strict
from xadapt.core.errors import UserError
from xadapt.data.records import PlainText, WordPair
from xadapt.objectives.contract import States
from xadapt.objectives.dict_mlm import DictMLM, LanguageCondition
from xadapt.training.tasks import Task

ALWAYS = {"translated": 1.0, "skip": 0, "probability": 1.0}
STEPS = {"batch_size": 4, "evaluations": 1, "learning_rate": 1e-2, "warmup": 0.0}


@pytest.fixture(scope="module")
def encoder():
    return tiny_encoder("bert", mlm=True)


def views(encoder, records, dictionary, seed=0, **options):
    objective = DictMLM(**options)
    memory = objective.prepare(records, dictionary)
    words = partial(tokenize_words, encoder)
    made = objective.views(records, random.Random(seed), memory, encoder.tokenizer, words)
    return made, memory


def first_piece(encoder, word):
    return tokenize_words(encoder, [[word]])[0].ids[1]


def test_the_label_is_the_translation_and_the_input_is_masked(encoder):
    rows, entries = plain(12), word_pairs(11)
    made, memory = views(
        encoder, rows, entries, pieces="first", mask_rate=0.0, random_rate=0.0, **ALWAYS
    )
    mask = encoder.tokenizer.mask_token_id
    known = {first_piece(encoder, e.pivot): e.word for e in entries}
    english = memory.languages.index("en")
    synonyms = [
        (place, label)
        for place, label, lang in zip(
            made["picked"], made["labels"], made["label_langs"], strict=True
        )
        if lang == english
    ]
    assert synonyms
    sentences = tokenize_words(encoder, [r.text.split() for r in rows])
    for (owner, at), label in synonyms:
        word = rows[owner].text.split()[sentences[owner].first.index(at)]
        assert known[label] == word
        # mask_rate is 0: an own word would be kept, and a kept word would give the answer away
        assert made["text"].rows[owner][at] == mask


def test_all_pieces_of_a_word_are_masked_and_the_first_one_is_predicted(encoder):
    row = PlainText("paka mbwa", "de")
    long = "schaut"
    pieces = tokenize_words(encoder, [[long]])[0].ids[1:-1]
    row = PlainText(f"{long} {long}", "de")
    made, _ = views(encoder, [row], [WordPair(long, "cat", "de")], pieces="first", **ALWAYS)
    mask = encoder.tokenizer.mask_token_id
    assert list(made["text"].rows[0][1:-1]) == [mask] * 2 * len(pieces)
    assert [at for _, at in made["picked"]] == [1, 1 + len(pieces)]


def test_the_language_is_the_labels_not_the_inputs(encoder):
    rows = [PlainText("katze park", "de")]
    made, memory = views(encoder, rows, [WordPair("katze", "cat", "de")], pieces="first", **ALWAYS)
    langs = [memory.languages[n] for n in made["label_langs"]]
    labels = dict(zip(langs, made["labels"], strict=False))
    assert labels["en"] == first_piece(encoder, "cat")
    assert set(langs) == {"en", "de"}


def test_the_language_is_drawn_before_the_translation(encoder):
    rows = [PlainText("cat", "en"), PlainText("katze", "de"), PlainText("paka", "sw")]
    entries = [WordPair(w, "cat", "de") for w in ("katze", "hund", "park", "die", "auf")]
    entries.append(WordPair("paka", "cat", "sw"))
    counts = Counter()
    for seed in range(300):
        made, memory = views(encoder, rows, entries, seed=seed, pieces="first", **ALWAYS)
        at = [i for i, (owner, _) in enumerate(made["picked"]) if owner == 0]
        counts.update(memory.languages[made["label_langs"][i]] for i in at)
    assert counts["de"] + counts["sw"] == 300 and 110 < counts["sw"] < 190  # not 1 of 6


def test_languages_meet_through_the_pivot(encoder):
    rows = [PlainText("katze", "de"), PlainText("paka", "sw")]
    memory = DictMLM(skip=0).prepare(
        rows, [WordPair("katze", "cat", "de"), WordPair("paka", "cat", "sw")]
    )
    assert memory.synonyms["de", "katze"] == {"en": ("cat",), "sw": ("paka",)}
    assert memory.synonyms["en", "cat"] == {"de": ("katze",), "sw": ("paka",)}


def test_single_pieces_alone_are_labels_by_default(encoder):
    entries = [WordPair("katze", "query passage", "de"), WordPair("hund", "dog", "de")]
    assert len(tokenize_words(encoder, [["query", "passage"]])[0].ids) > 3
    made, memory = views(encoder, [PlainText("katze", "de")], entries, **ALWAYS)
    assert {memory.languages[n] for n in made["label_langs"]} == {"de"}
    made, memory = views(encoder, [PlainText("katze", "de")], entries, pieces="first", **ALWAYS)
    assert {memory.languages[n] for n in made["label_langs"]} == {"en"}


def test_case_is_folded_for_the_search_and_kept_for_the_label(encoder):
    made, _ = views(encoder, [PlainText("Katze", "de")], [WordPair("katze", "cat", "de")],
                    pieces="first", **ALWAYS)  # fmt: skip
    assert made["labels"] == [first_piece(encoder, "Cat")]


def test_punctuation_is_no_part_of_a_word_and_the_text_keeps_its_pieces(encoder):
    row = PlainText("katze, park", "de")
    made, memory = views(encoder, [row], [WordPair("katze", "cat", "de")], pieces="first", **ALWAYS)
    [plain_row] = encoder.tokenize([row.text])
    assert len(made["text"].rows[0]) == len(plain_row)
    assert made["labels"][0] == first_piece(encoder, "cat")
    assert memory.languages[made["label_langs"][0]] == "en"


def test_frequent_words_are_never_translated(encoder):
    rows = [PlainText("die katze die", "de"), PlainText("die hund", "de")]
    entries = [WordPair("die", "the", "de"), WordPair("katze", "cat", "de")]
    memory = DictMLM(skip=1).prepare(rows, entries)
    assert ("de", "die") not in memory.synonyms and ("de", "katze") in memory.synonyms


def test_the_condition_changes_nothing_at_first_and_then_by_language():
    head = LanguageCondition(8, 2)
    states = torch.randn(3, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(head(states, torch.tensor([0, 1, 1])), states)
    with torch.no_grad():
        head.dense.weight.normal_(generator=torch.Generator().manual_seed(1))
    one, other = (head(states, torch.full((3,), n)) for n in (0, 1))
    assert not torch.allclose(one, other, atol=1e-3)
    assert DictMLM(conditioned=False).heads(8, None) is None


def test_without_the_language_the_loss_floor_is_higher():
    """Two labels of one masked word: its own and the translation. Only the language tells."""
    floors = {}
    for conditioned in (True, False):
        torch.manual_seed(0)
        head = LanguageCondition(8, 2) if conditioned else None
        state = torch.randn(1, 1, 8).repeat(2, 1, 1).requires_grad_()
        table = torch.randn(6, 8)
        given = [state, *(head.parameters() if head else ())]
        optimizer = torch.optim.Adam(given, lr=0.05)
        for _ in range(200):
            shared = state.mean(0, keepdim=True).expand_as(state)  # one input for both
            text = States(shared, torch.ones(2, 1))
            found = (
                DictMLM(conditioned=conditioned)
                .loss(
                    text, [(0, 0), (1, 0)], [2, 4], [0, 1], lambda s, table=table: s @ table.T, head
                )
                .total()
            )
            optimizer.zero_grad()
            found.backward()
            optimizer.step()
        floors[conditioned] = float(found.detach())
    assert floors[True] < 0.1 and floors[False] == pytest.approx(0.693, abs=0.05)


@pytest.mark.parametrize("kind", ["lora", "bottleneck", "mixture_of_loras", "embedding_map"])
def test_it_trains_every_kind(tmp_path, encoder, kind):
    options = {"width": 4} if kind == "bottleneck" else {"rank": 2}
    module = module_for(encoder, kind, **options)
    task = Task("dict_mlm", DictMLM(skip=0), plain(8), further={"dictionary": word_pairs(11)})
    before, base = digest(module), digest(encoder.model)
    run = trainer(tmp_path, [task], encoder=encoder, module=module, **STEPS)
    heads = digest(run.trained["heads"])
    run.train()
    assert digest(module) != before and digest(encoder.model) == base
    assert digest(run.trained["heads"]) != heads


def test_faults_are_one_line(encoder):
    with pytest.raises(UserError, match="no word in sw"):
        DictMLM().prepare([PlainText("paka", "sw")], [WordPair("katze", "cat", "de")])
    with pytest.raises(ValidationError, match="translated must be"):
        strict(DictMLM).validate_python({"translated": 2})
