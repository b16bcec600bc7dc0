import numpy as np
import pytest

from xadapt.data.graphs.components import components


def test_components_by_hand_and_by_a_slow_twin():
    index = {name: i for i, name in enumerate("abcdef")}
    found = components(index, [("a", "b"), ("c", "b"), ("e", "f")])
    groups = [{k for k, i in index.items() if found[i] == n} for n in set(found.tolist())]
    assert sorted(map(sorted, groups)) == [["a", "b", "c"], ["d"], ["e", "f"]]
    draws = np.random.default_rng(1)
    names = [str(i) for i in range(40)]
    pairs = [(str(a), str(b)) for a, b in draws.integers(0, 40, size=(25, 2))]
    slow = {name: {name} for name in names}
    for a, b in pairs:
        union = slow[a] | slow[b]
        for one in union:
            slow[one] = union
    quick = components({name: i for i, name in enumerate(names)}, pairs)
    for a in range(40):
        for b in range(40):
            assert (quick[a] == quick[b]) == (str(b) in slow[str(a)])


def test_no_links_and_strangers():
    assert len(set(components({"a": 0, "b": 1}, []).tolist())) == 2
    with pytest.raises(KeyError):
        components({"a": 0}, [("a", "z")])
