"""What a transform is given: randomness by seed and name, progress by row, callables by name."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from xadapt.data.transforms.protocol import CALLABLES, Services, Transform
from xadapt.data.transforms.verbalise import Verbalise


def test_randomness_follows_from_the_seed_and_the_names_alone():
    one, same, other = Services("de"), Services("sw"), Services("de", seed=1)
    assert one.rng("a", 3).random() == same.rng("a", 3).random()
    assert one.rng("a", 3).random() != one.rng("a", 4).random()
    assert one.rng("a", 3).random() != other.rng("a", 3).random()


def test_progress_sees_every_row():
    seen = []

    def watch(rows, label):
        for row in rows:
            seen.append((label, row))
            yield row

    assert list(Services("de", watch=watch).track([7, 8], "turning")) == [7, 8]
    assert seen == [("turning", 7), ("turning", 8)]
    assert list(Services("de").track([5], "nothing")) == [5]


def test_a_callable_is_found_by_its_name():
    services = Services("de", callables={"translate": len})
    assert services["translate"] is len
    with pytest.raises(KeyError):
        services["judge"]
    assert set(Verbalise.needs) <= set(CALLABLES)


def test_what_lacks_a_part_of_the_contract_is_no_transform():
    @dataclass(frozen=True)
    class Mute:
        consumes: type = int
        gives: type = int

    assert isinstance(Verbalise(), Transform) and not isinstance(Mute(), Transform)
