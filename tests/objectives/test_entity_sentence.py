"""ES: the description asks, a drawn name answers."""

from __future__ import annotations

import random

from xadapt.data.records import DescribedEntity
from xadapt.objectives.entity_sentence import EntitySentences

ROW = DescribedEntity("Q64", "the city on the park", (("de", "Berlin"), ("sw", "Berlini")), "en")


def test_descriptions_and_names():
    names = set()
    for seed in range(30):
        made = EntitySentences().views([ROW], random.Random(seed))
        assert made["query"].rows == [ROW.text] and made["query"].langs == ["en"]
        names.add((made["name"].langs[0], made["name"].rows[0]))
        [asked] = made["asked"]
        assert asked.answers == {"Q64"} and asked.names == {"berlin", "berlini"}
    assert names == set(ROW.names)
