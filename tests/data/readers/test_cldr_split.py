from __future__ import annotations

import random

from xadapt.data.readers.cldr_split import name_key, split


def test_equal_names_join_and_chains_join():
    entities = [f"e:{i}" for i in range(300)]
    names = [{"e:0": "So", "e:1": "so "}, {"e:1": "ＳＯ-X", "e:2": "sox"}]
    for _ in range(3):
        parts = split(entities, names)
        assert parts["e:0"] == parts["e:1"] == parts["e:2"]
        random.Random(1).shuffle(entities)
        assert split(entities, names[::-1]) == parts, "order must not matter"
    alone = split(entities, [])
    assert {alone[f"e:{i}"] for i in range(3)} <= {"train", "dev", "test"}
    assert len({alone[e] for e in entities}) == 3


def test_shares_are_seven_one_two():
    parts = list(split((f"x:{i}" for i in range(10_000)), []).values())
    assert abs(parts.count("train") - 7000) < 150
    assert abs(parts.count("dev") - 1000) < 120
    assert abs(parts.count("test") - 2000) < 120


def test_joined_groups_equal_slow_twin():
    rng = random.Random(0)
    entities = [f"e:{i}" for i in range(60)]
    names = [{e: str(rng.randrange(60)) for e in entities if rng.random() < 0.3} for _ in range(3)]
    parts = split(entities, names)
    group = {e: e for e in entities}
    for _ in range(60):  # the smallest id of each group spreads until nothing changes
        for labels in names:
            for a in labels:
                for b in labels:
                    if labels[a] == labels[b]:
                        group[a] = min(group[a], group[b])
    alone = split(entities, [])
    assert parts == {e: alone[group[e]] for e in entities}


def test_name_key_keeps_vowel_signs():
    assert name_key("की") != name_key("का")
    assert name_key("Straße") == name_key("STRASSE")
    assert name_key("...") == "..."
