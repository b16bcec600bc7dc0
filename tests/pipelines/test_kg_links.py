from __future__ import annotations

import pytest
from twin_graphs import twins, write_twins

from xadapt.core.errors import UserError
from xadapt.core.files import sha256_file
from xadapt.data.graphs.links import make_links, united_links
from xadapt.pipelines.kg_links import alignment_links, between, training_links

LEFT, RIGHT, LINKS = twins()


def test_parts_have_their_uses(tmp_path):
    *_, file = write_twins(tmp_path)
    found = alignment_links(file, None, LEFT, RIGHT)
    assert len(found.test) == 15 and len(found.dev) == 15 and found.known is None
    assert found.sha256 == sha256_file(file)
    assert len(training_links(file, LEFT, RIGHT)) == 30
    known = alignment_links(LINKS.of("test"), LINKS.of("train", "dev"), LEFT, RIGHT)
    assert len(known.known) == 45 and len(known.dev) == 15


def test_links_without_parts_are_all_of_them(tmp_path):
    file = tmp_path / "plain.tsv"
    file.write_text("".join(f"{a}\t{b}\n" for a, b in LINKS.pairs[:9]))
    found = alignment_links(str(file), None, LEFT, RIGHT)
    assert len(found.test) == 9 and found.dev is None
    assert len(training_links(str(file), LEFT, RIGHT)) == 9


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (["de0\tnobody\ttest"], "leads to nothing"),
        (["de0\ten1\ttrain", "de0\ten2\ttest"], "is in a training link"),
        (["de0\ten1\ttrain", "de2\ten1\ttest"], "is in a training link"),
        (["de0\ten1\ttrain", "de0\ten1\ttest"], "is in train and in test"),
        (["de0\ten1\ttrain"], "no test link"),
        (["de0"], "1 column"),
        (["de0\ten1\ttest\tmore"], "4 columns"),
        (["de0\ten1\toften"], "is no part"),
        ([], "empty"),
    ],
)
def test_faults_are_one_line(tmp_path, rows, said):
    file = tmp_path / "links.tsv"
    file.write_text("".join(f"{row}\n" for row in rows))
    with pytest.raises(UserError) as fault:
        alignment_links(str(file), None, LEFT, RIGHT)
    assert said in str(fault.value) and "\n" not in str(fault.value)


def test_known_links_may_not_share_an_entity_with_the_test():
    known = make_links("known", LINKS.pairs[-3:])
    with pytest.raises(UserError, match="is in a training link"):
        alignment_links(LINKS.of("test"), known, LEFT, RIGHT)


def test_links_of_several_languages_are_those_between_the_graphs(monkeypatch):
    from xadapt.pipelines import kg_links

    several = united_links("all", [LINKS.of("train").swapped(), make_links("x", [("fr1", "es2")])])
    monkeypatch.setattr(kg_links, "open_links", lambda source: several)
    found = between("kg:somewhere", LEFT, RIGHT)
    assert found.pairs == LINKS.of("train").pairs and len(found.parts) == 30
    monkeypatch.setattr(kg_links, "open_links", lambda source: make_links("x", [("a", "b")]))
    with pytest.raises(UserError, match="no link is between"):
        between("kg:somewhere", LEFT, RIGHT)
    with pytest.raises(UserError, match="no training link"):
        training_links(LINKS.of("test"), LEFT, RIGHT)
