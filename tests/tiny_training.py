"""Small data and small runs, shared by the tests of training."""

from __future__ import annotations

import hashlib
import itertools
import random
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from tiny_models import padded, tiny_encoder
from torch import nn

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.config.recipe import TrainSpec
from xadapt.data.records import (
    AlignedSpans,
    AlignedWords,
    CandidateList,
    DescribedEntity,
    EntityMention,
    EntityNames,
    LabelledPair,
    LabelledText,
    LinkedSentence,
    MultiLabelText,
    NamedTriple,
    OpenTriples,
    ParallelPair,
    PlainText,
    Question,
    RatedText,
    RelationExample,
    ScoredPair,
    TaggedSentence,
    TextPair,
    TranslatedQuestion,
    TranslatedSentence,
    TranslatedText,
    WordPair,
)
from xadapt.injection.activation import Activation, ActiveAdapter
from xadapt.injection.attachment import model_shape
from xadapt.modules.storage import build
from xadapt.training.loop import Trainer
from xadapt.training.settings import Run
from xadapt.training.tasks import Task

_BOTH = """the/die cat/katze dog/hund sat/sitzt on/auf mat/matte park/park runs/läuft looks/schaut
two/eins five/zwei seven/paka query/mbwa passage/katika"""
WORDS, WORTE = zip(*(both.split("/") for both in _BOTH.split()), strict=True)


def pairs(n: int, seed: int = 0) -> list[ParallelPair]:
    """Pairs of 2 to 9 words, each word translated by its place in the lists."""
    rng = random.Random(seed)
    rows = []
    for number in range(n):
        chosen = [rng.randrange(len(WORDS)) for _ in range(rng.randint(2, 9))]
        text, pivot = (" ".join(words[i] for i in chosen) for words in (WORTE, WORDS))
        rows.append(ParallelPair(text, pivot, "de", origin=f"pairs.tsv:{number + 1}"))
    return rows


def plain(n: int, seed: int = 0) -> list[PlainText]:
    """The language side of the pairs alone."""
    return [PlainText(p.text, p.lang, origin=p.origin) for p in pairs(n, seed)]


def tagged(n: int, seed: int = 0) -> list[TaggedSentence]:
    """Sentences of the language side in which every animal is a span and no other word is."""
    animals = {"katze", "hund", "paka", "mbwa"}
    rows = []
    for pair in pairs(n, seed):
        words = tuple(pair.text.split())
        spans = tuple((i, i + 1, "ANIMAL") for i, word in enumerate(words) if word in animals)
        rows.append(TaggedSentence(words, spans, "de", origin=pair.origin))
    return rows


def translated(n: int, seed: int = 0) -> list[TranslatedText]:
    """English texts with German translations, and whether an animal is in them."""
    rows = []
    for pair in pairs(n, seed):
        label = "some" if set(ANIMALS) & set(pair.text.split()[:3]) else "none"
        rows.append(TranslatedText(pair.pivot, label, "en", pair.text, origin=pair.origin))
    return rows


def translated_words(n: int, seed: int = 0) -> list[TranslatedSentence]:
    """English sentences in which every animal is a span, with the words of German translations."""
    rows = []
    for pair in pairs(n, seed):
        words, own = tuple(pair.pivot.split()), tuple(pair.text.split())
        spans = tuple((i, i + 1, "ANIMAL") for i, word in enumerate(own) if word in ANIMALS)
        rows.append(TranslatedSentence(words, spans, "en", own, origin=pair.origin))
    return rows


ANIMALS = ("katze", "hund", "paka", "mbwa")


def labelled(n: int, seed: int = 0) -> list[LabelledText]:
    """Texts of up to three words whose class says whether there is an animal in them."""
    rows = []
    for pair in pairs(n, seed):
        words = pair.text.split()[:3]
        label = "some" if set(ANIMALS) & set(words) else "none"
        rows.append(LabelledText(" ".join(words), label, "de", origin=pair.origin))
    return rows


def rated(n: int, seed: int = 0) -> list[RatedText]:
    """Sentences of the language side, rated from 1 to 4 by their number of words, modulo 4."""
    return [
        RatedText(p.text, str(1 + len(p.text.split()) % 4), "de", origin=p.origin)
        for p in pairs(n, seed)
    ]


def multi_labelled(n: int, seed: int = 0) -> list[MultiLabelText]:
    """Texts of up to three words; the labels say whether an animal and a verb are among them."""
    kinds = {"animal": ANIMALS, "verb": ("sitzt", "läuft", "schaut")}
    rows = []
    for row in labelled(n, seed):
        words = set(row.text.split())
        labels = tuple(kind for kind, own in kinds.items() if words & set(own))
        rows.append(MultiLabelText(row.text, labels, "de", origin=row.origin))
    return rows


def labelled_pairs(n: int, seed: int = 0) -> list[LabelledPair]:
    """Pairs of up to two words a side, whose class says whether two words are animals."""
    rows = []
    for pair in scored(n, seed):
        label = "many" if pair.score > 1 else "few"
        rows.append(LabelledPair(pair.left, pair.right, label, "de", origin=pair.origin))
    return rows


def scored(n: int, seed: int = 0) -> list[ScoredPair]:
    """Pairs of up to two words a side; the score is how many of all are animals."""
    rng = random.Random(seed)
    rows = []
    for number in range(n):
        sides = [rng.choices((*ANIMALS, *WORTE[4:8]), k=rng.randint(1, 2)) for _ in range(2)]
        score = float(sum(word in ANIMALS for side in sides for word in side))
        left, right = (" ".join(side) for side in sides)
        rows.append(ScoredPair(left, right, score, "de", "de", origin=f"pairs.tsv:{number + 1}"))
    return rows


def candidate_lists(n: int, seed: int = 0) -> list[CandidateList]:
    """A word with four candidates, of which the animal is right; one in eight has no animal."""
    rng = random.Random(seed)
    others = [word for word in WORTE if word not in ANIMALS]
    rows = []
    for number in range(n):
        correct = -1 if number % 8 == 7 else rng.randrange(4)
        names = rng.sample(others, 4)
        if correct >= 0:
            names[correct] = rng.choice(ANIMALS)
        scores = tuple(round(rng.random(), 3) for _ in names)
        made = CandidateList(rng.choice(WORTE), tuple(names), scores, correct, "de")
        rows.append(replace(made, concept=f"C{number}", origin=f"lists.jsonl:{number + 1}"))
    return rows


def text_pairs(n: int, seed: int = 0) -> list[TextPair]:
    """Queries of two words and passages that begin with them, each with one hard negative."""
    rng = random.Random(seed)
    rows = []
    for number, pair in enumerate(pairs(n, seed)):
        words = [*pair.text.split(), "hund"]
        passage = " ".join([*words, *rng.choices(WORTE, k=3)])
        negative = " ".join([words[0], *rng.choices(WORTE, k=4)])
        query = f"{' '.join(words[:2])} {WORTE[number % len(WORTE)]}"
        rows.append(TextPair(query, passage, (negative,), "de", origin=f"pairs.tsv:{number + 1}"))
    return rows


def questions(n: int, seed: int = 0) -> list[Question]:
    """Passages with one animal in them, which is the answer."""
    rng = random.Random(seed)
    rows = []
    for pair in pairs(n, seed):
        words = [word for word in pair.text.split() if word not in ANIMALS]
        animal = rng.choice(ANIMALS)
        words.insert(rng.randint(0, len(words)), animal)
        passage = " ".join(words)
        answer = (passage.index(animal), animal)
        rows.append(Question("die katze two", passage, (answer,), "de", origin=pair.origin))
    return rows


def related(n: int, seed: int = 0) -> list[RelationExample]:
    """Texts with two animals; the relation says whether both are cats, dogs, or of two kinds."""
    rng = random.Random(seed)
    rows = []
    for pair in pairs(n, seed):
        words = [word for word in pair.text.split() if word not in ANIMALS][:3]
        both = rng.choices(ANIMALS, k=2)
        places = sorted(rng.sample(range(len(words) + 1), min(2, len(words) + 1)))
        for animal, place in zip(reversed(both), reversed(places), strict=False):
            words.insert(place, animal)
        if len(places) < 2:
            words.append(both[0])
        text = " ".join(words)
        found = [at for at, word in enumerate(words) if word in ANIMALS]
        starts = [len(" ".join(words[:at])) + (at > 0) for at in found]
        spans = [(start, start + len(words[at])) for start, at in zip(starts, found, strict=True)]
        kinds = {words[at] in ("katze", "paka") for at in found}
        relation = "no_relation" if len(kinds) > 1 else "cats" if kinds == {True} else "dogs"
        if rng.random() < 0.5:
            spans.reverse()
        rows.append(RelationExample(text, spans[0], spans[1], relation, "de", origin=pair.origin))
    return rows


def translated_questions(n: int, seed: int = 0) -> list[TranslatedQuestion]:
    """Questions in English, with German ones as their translations; the answers differ."""
    rows = []
    for own in questions(n, seed):
        answer = "cat" if "katze" in own.passage else "dog"
        passage = f"the {answer} sat on a mat"
        said, answers = (own.question, own.passage), ((4, answer),)
        rows.append(TranslatedQuestion("two cat", passage, answers, "en", said, own.answers))
    return rows


def stated(n: int, seed: int = 0) -> list[OpenTriples]:
    """Sentences of the language side where verbs state what stands right beside them."""
    verbs = {"sitzt", "läuft", "schaut"}
    rows = []
    for pair in pairs(n, seed):
        words = ("hund", "läuft", "matte", *pair.text.split())
        found = [
            ((i, i + 1, "P"), (i - 1, i, "A0"), (i + 1, i + 2, "A1"))
            for i in range(1, len(words) - 1)
            if words[i] in verbs and not {words[i - 1], words[i + 1]} & verbs
        ]
        rows.append(OpenTriples(words, tuple(found), "de", origin=pair.origin))
    return rows


def word_pairs(n: int, seed: int = 0) -> list[WordPair]:
    """Entries of one or two words, none of them twice; the words stand in the texts of `plain`."""
    every = [(w, p) for w, p in zip(WORTE, WORDS, strict=True)]
    every += [(f"{a} {b}", f"{p} {q}") for a, p in every for b, q in every]
    rng = random.Random(seed)
    rest = rng.sample(every[len(WORDS) :], max(0, n - len(WORDS)))
    return [
        WordPair(w, p, "de", origin=f"d:{i}")
        for i, (w, p) in enumerate([*every[: min(n, len(WORDS))], *rest])
    ]


def linked(n: int, seed: int = 0) -> list[AlignedWords]:
    """Pairs as words, each word linked to its translation at the same place."""
    rows = []
    for pair in pairs(n, seed):
        left, right = tuple(pair.pivot.split()), tuple(pair.text.split())
        links = tuple((i, i) for i in range(len(left)))
        rows.append(AlignedWords(left, right, links, (), "en", "de", origin=pair.origin))
    return rows


def spanned(n: int, seed: int = 0) -> list[AlignedSpans]:
    """Pairs as words with one span of one word, whose counterpart stands at the same place."""
    rng = random.Random(seed)
    rows = []
    for pair in pairs(n, seed):
        text, pivot = tuple(pair.text.split()), tuple(pair.pivot.split())
        at = rng.randrange(len(text))
        span = (at, at + 1), (at, at + 1)
        rows.append(AlignedSpans(text, pivot, (span,), "de", origin=pair.origin))
    return rows


def named_entities(n: int, seed: int = 0) -> list[EntityNames]:
    """Entities of two words with names in three languages; no two entities share a name."""
    rng = random.Random(seed)
    places = [(a, b) for a in range(len(WORDS)) for b in range(len(WORDS)) if a != b]
    rows = []
    for number, (a, b) in enumerate(rng.sample(places, n)):
        english, swahili = f"{WORDS[a]} {WORDS[b]}", f"{WORTE[b]} {WORTE[a]}"
        others = (("en", english), ("sw", swahili))
        text = f"{WORTE[a]} {WORTE[b]}"
        origin = f"kg:{number}"
        rows.append(EntityNames(f"Q{number}", text, english, "de", "en", others, origin=origin))
    return rows


def named_triples(n: int, seed: int = 0) -> list[NamedTriple]:
    """Facts between the entities of `named_entities`, of two relations."""
    rows = named_entities(n + 1, seed)
    made = []
    for number, (head, tail) in enumerate(itertools.pairwise(rows)):
        relation = ("R0", "sitzt") if number % 2 else ("R1", "schaut")
        made.append(
            NamedTriple(head.entity, relation[0], tail.entity, (("de", head.text),),
                        (("de", relation[1]),), (("de", tail.text), *tail.others), "de")
        )  # fmt: skip
    return made


def described(n: int, seed: int = 0) -> list[DescribedEntity]:
    """Descriptions of the entities of `named_entities`: their words with others between them."""
    return [
        DescribedEntity(row.entity, " auf ".join(row.text.split()), (("de", row.text), *row.others),
                        "de", origin=row.origin)
        for row in named_entities(n, seed)
    ]  # fmt: skip


def mentioned(n: int, seed: int = 0) -> list[EntityMention]:
    """Sentences that end with the name of an entity of `named_entities`."""
    rows = []
    for row, pair in zip(named_entities(n, seed), pairs(n, seed), strict=True):
        text = f"{pair.text} {row.text}"
        span = (len(pair.text) + 1, len(text))
        names = (("de", row.text), *row.others)
        rows.append(EntityMention(text, span, row.entity, names, "de", origin=pair.origin))
    return rows


def linked_sentences(n: int, seed: int = 0) -> list[LinkedSentence]:
    """Sentences with one mention of an entity of `named_entities`, between other words."""
    rows = []
    for row, pair in zip(named_entities(n, seed), pairs(n, seed), strict=True):
        text = f"die {row.text} {pair.text}"
        mention = (4, 4 + len(row.text), row.entity)
        rows.append(LinkedSentence(text, (mention,), "de", origin=pair.origin))
    return rows


def module_for(encoder: Encoder, kind: str = "lora", seed: int = 0, **options: Any) -> nn.Module:
    """A new module with zero effect."""
    return build(kind, options or {"rank": 2}, model_shape(encoder), seed=seed)


def shaken(module: nn.Module, seed: int = 0, scale: float = 0.3) -> nn.Module:
    """The module with every parameter random, so that it has an effect."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(scale * torch.randn(parameter.shape, generator=generator))
    return module


def trainer(
    folder: Path,
    tasks: Sequence[Task],
    *,
    encoder: Encoder | None = None,
    module: nn.Module | None = None,
    companions: Any = None,
    inside: Sequence[nn.Module] = (),
    run: dict[str, Any] | None = None,
    **spec: Any,
) -> Trainer:
    """A trainer of a tiny LoRA on a tiny BERT, silent."""
    encoder = encoder or tiny_encoder("bert", mlm=True)
    module = module if module is not None else module_for(encoder)
    options = {"batch_size": 4, **spec}
    settings = Run(TrainSpec(**options), folder, show=False, **(run or {}))
    return Trainer(encoder, module, tasks, settings, companions, inside)


def digest(module: nn.Module) -> str:
    """The hash of all parameters and buffers, by name."""
    state = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        state.update(name.encode() + value.detach().cpu().contiguous().numpy().tobytes())
    return state.hexdigest()


def forward(encoder: Encoder, tokens: Any, mask: Any, activation: Any = None) -> Any:
    """All layers."""
    hidden = encoder.embed(tokens, mask, activation=activation)
    return encoder.run(hidden, mask, activation=activation)


def hooks_do_nothing(encoder: Encoder) -> bool:
    """Whether the bare encoder computes bitwise what its model does without any hook."""
    model = deepcopy(encoder.model)
    for part in model.modules():
        part._forward_hooks.clear()
        part._forward_pre_hooks.clear()
        vars(part).pop("forward", None)
    twin = Encoder.wrap(model, encoder.tokenizer)
    tokens, mask = padded(encoder)
    with torch.no_grad():
        return torch.equal(forward(encoder, tokens, mask), forward(twin, tokens, mask))


def assert_fused_is_plain(encoder: Encoder, module: nn.Module) -> None:
    """On all rows, and on each row named: values and gradients agree."""
    adapter = ActiveAdapter(encoder, module)
    tokens, mask = padded(encoder)
    outs, grads = [], []
    for rows in (None, range(len(tokens))):
        out = encoder.pool(forward(encoder, tokens, mask, Activation.of(adapter, rows)), mask)
        module.zero_grad()
        out.square().sum().mul(3).sub(out[0].sum()).backward()
        outs.append(out.detach())
        grads.append([p.grad.clone() for p in module.parameters()])
    assert torch.allclose(outs[0], outs[1], atol=1e-6)
    for one, other in zip(*grads, strict=True):
        assert one.abs().max() > 0 and (one - other).abs().max() <= 1e-4 * one.abs().max()
