from __future__ import annotations

import random

import pytest

from xadapt.data.records import ROLES, OpenTriples, ParsedSentence
from xadapt.data.transforms.open_ie import arguments, open_triples, predicates

# word/UPOS/head/relation
TREES = {
    "passive": "The/DET/2/det house/NOUN/4/nsubj:pass was/AUX/4/aux:pass built/VERB/0/root "
    "by/ADP/6/case Ada/PROPN/4/obl:agent ./PUNCT/4/punct",
    "conjuncts": "Ada/PROPN/2/nsubj wrote/VERB/0/root code/NOUN/2/obj and/CCONJ/6/cc "
    "never/ADV/6/advmod slept/VERB/2/conj at/ADP/8/case night/NOUN/6/obl",
    "relative": "Ich/PRON/2/nsubj kenne/VERB/0/root den/DET/4/det Mann/NOUN/2/obj ,/PUNCT/8/punct "
    "der/PRON/8/nsubj Ada/PROPN/8/obj sah/VERB/4/acl:relcl ./PUNCT/2/punct",
    "reduced": "the/DET/2/det man/NOUN/0/root I/PRON/4/nsubj saw/VERB/2/acl:relcl",
    "prepositional": "die/DET/2/det Stadt/NOUN/0/root ,/PUNCT/7/punct in/ADP/5/case "
    "der/PRON/7/obl Ada/PROPN/7/nsubj wohnt/VERB/2/acl:relcl",
    "prodrop": "No/ADV/2/advmod compró/VERB/0/root la/DET/4/det casa/NOUN/2/obj ayer/ADV/2/advmod",
    "empty": "Llueve/VERB/0/root ./PUNCT/1/punct",
    "copula": "Dies/PRON/5/nsubj ist/AUX/5/cop nicht/PART/5/advmod ein/DET/5/det Haus/NOUN/0/root "
    "in/ADP/7/case Rom/PROPN/5/nmod",
    "suffix": "Ali/PROPN/2/nsubj öğretmen/NOUN/0/root di/AUX/2/cop",
    "light": "Ali/PROPN/2/nsubj yardım/NOUN/0/root etti/VERB/2/compound:lvc",
    "control": "Ada/PROPN/2/nsubj asked/VERB/0/root Bob/PROPN/2/obj to/PART/5/mark "
    "leave/VERB/2/xcomp Rome/PROPN/5/obj",
    "wish": "Ada/PROPN/2/nsubj wants/VERB/0/root to/PART/4/mark leave/VERB/2/xcomp",
    "bracket": "Ada/PROPN/4/nsubj hat/AUX/4/aux Brot/NOUN/4/obj gegessen/VERB/0/root",
    "particle": "He/PRON/2/nsubj gave/VERB/0/root up/ADP/2/compound:prt hope/NOUN/2/obj",
    "roles": "She/PRON/2/nsubj gave/VERB/0/root him/PRON/2/iobj books/NOUN/2/obj in/ADP/6/case "
    "Rome/PROPN/2/obl on/ADP/8/case Monday/NOUN/2/obl",
    "apart": "What/PRON/4/obj did/AUX/4/aux Ada/PROPN/4/nsubj say/VERB/0/root of/ADP/1/case",
    "outer": "Fact/NOUN/4/nsubj:outer is/AUX/4/cop he/PRON/4/nsubj left/VERB/0/root "
    "Rome/PROPN/4/obj",
    "quoted": 'a/DET/5/det "/PUNCT/4/punct very/ADV/4/advmod old/ADJ/5/amod house/NOUN/6/nsubj '
    "fell/VERB/0/root",
    "antecedent": "It/PRON/4/nsubj is/AUX/4/cop a/DET/4/det city/NOUN/0/root which/PRON/6/nsubj "
    "grew/VERB/4/acl:relcl",
    "adjective": "smiling/VERB/2/amod people/NOUN/0/root",
}
SAID = {
    "passive": ["The house | was built | by Ada"],
    "conjuncts": ["Ada | wrote | code", "Ada | never slept | at night"],
    "relative": ["Ich | kenne | den Mann , der Ada sah", "den Mann | sah | Ada"],
    "reduced": ["I | saw | the man"],
    "prepositional": ["Ada | wohnt | die Stadt"],
    "prodrop": [" | No compró | la casa"],
    "empty": [],
    "copula": ["Dies | ist nicht | ein Haus in Rom"],
    "suffix": ["Ali | di | öğretmen"],
    "light": ["Ali | yardım etti"],
    "control": ["Ada | asked | Bob | to leave Rome", "Bob | leave | Rome"],
    "wish": ["Ada | wants | to leave", "Ada | leave"],
    "bracket": ["Ada | gegessen | Brot"],
    "particle": ["He | gave up | hope"],
    "roles": ["She | gave | books | him | in Rome"],
    "apart": ["Ada | say | What"],
    "outer": ["Fact | is | he left Rome", "he | left | Rome"],
    "quoted": ['a " very old house | fell'],
    "antecedent": ["It | is | a city which grew", "a city | grew"],
    "adjective": [],
}


def tree(text: str) -> ParsedSentence:
    rows = [cell.rsplit("/", 3) for cell in text.split()]
    words, upos, heads, relations = zip(*rows, strict=True)
    return ParsedSentence(words, upos, tuple(map(int, heads)), relations, "und", origin="f:1")


def shown(row: OpenTriples) -> list[str]:
    """``A0 | P | A1 ...`` as text, with nothing where there is no A0."""
    told = []
    for spans in row.extractions:
        text = {role: " ".join(row.words[start:stop]) for start, stop, role in spans}
        rest = [text[role] for role in ROLES[1:] if role in text]
        told.append(" | ".join([text.get("A0", ""), text["P"], *rest]))
    return told


@pytest.mark.parametrize("name", TREES)
def test_trees_by_hand(name):
    (found,) = open_triples([tree(TREES[name])])
    assert shown(found) == SAID[name]
    assert found.origin == "f:1"


def test_what_the_taggers_learn_from():
    rows = [tree(TREES["conjuncts"]), tree(TREES["empty"])]
    first, second = predicates(rows)
    assert first.spans == ((1, 2, "P"), (4, 6, "P")) and second.spans == ()
    assert [row.words for row in arguments(rows)] == [rows[0].words]


def test_any_tree_gives_clean_spans():
    """Random trees of random relations: spans of one extraction never overlap or lie outside."""
    chance = random.Random(0)
    relations = ["nsubj", "obj", "obl", "xcomp", "acl:relcl", "acl", "conj", "cop", "aux", "punct",
                 "case", "advmod", "ccomp", "csubj", "nsubj:outer", "compound", "mark"]  # fmt: skip
    kinds = ["VERB", "NOUN", "PRON", "AUX", "PUNCT", "ADV", "ADP"]
    seen = 0
    for _ in range(600):
        size = chance.randint(1, 12)
        order = chance.sample(range(1, size + 1), size)
        heads = [0] * size
        for place, word in enumerate(order[1:], 1):
            heads[word - 1] = chance.choice(order[:place])
        row = ParsedSentence(
            tuple(f"w{i}" for i in range(size)),
            tuple(chance.choice(kinds) for _ in range(size)),
            tuple(heads),
            tuple(chance.choice(relations) for _ in heads),
            "und",
        )
        (found,) = open_triples([row])
        centres: list[int] = []
        for spans in found.extractions:
            words = [w for start, stop, _ in spans for w in range(start, stop)]
            assert len(words) == len(set(words)) and all(0 <= w < size for w in words)
            roles = [role for *_, role in spans]
            assert roles[0] == "P" and roles[1:] == sorted(set(roles[1:])) and len(roles) > 1
            centres += range(*spans[0][:2])
            seen += 1
        assert len(centres) == len(set(centres))
    assert seen > 300


def test_a_long_chain_is_no_trouble():
    size = 400
    chain = ParsedSentence(
        tuple(f"w{i}" for i in range(size)),
        ("VERB",) * size,
        tuple(range(size)),
        ("root", *["conj"] * (size - 2), "obj"),
        "und",
    )
    (found,) = open_triples([chain])
    assert [spans[1:] for spans in found.extractions] == [((size - 1, size, "A1"),)]
