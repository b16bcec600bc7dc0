import pytest
from pydantic import ValidationError

from xadapt.config.recipe import strict
from xadapt.data.records import AlignedSpans, ParallelPair
from xadapt.data.transforms.informative_spans import InformativeSpans, capitalised, counterpart
from xadapt.data.transforms.protocol import Services

PAIR = ParallelPair(
    "gestern sah Anna Maria den Kölner Dom",
    "Today we met Anna Maria in Cologne",
    "de",
    origin="a.tsv:1",
)
LINKS = [(0, 0), (2, 1), (3, 2), (4, 3), (6, 5)]


def aligned(asked):
    def align(pairs, module=""):
        asked.append((list(pairs), module))
        return [LINKS for _ in pairs]

    return align


def applied(transform, rows, **callables):
    log = []
    services = Services("de", log=log.append, callables=callables)
    return transform.apply(rows, services), log


def test_names_and_their_counterparts():
    asked = []
    made, log = applied(InformativeSpans(), [PAIR], align=aligned(asked))
    [row] = made
    assert row.pivot == ("Today", "we", "met", "Anna", "Maria", "in", "Cologne")
    assert row.spans == (((3, 5), (2, 4)), ((6, 7), (5, 6)))
    assert (row.lang, row.pivot_lang, row.origin) == ("de", "en", "a.tsv:1")
    assert log == ["1 of 1 pairs have spans, 2 in all"]
    assert asked[0][0] == [(row.pivot, row.text)] and asked[0][1] == ""


def test_runs_of_capitalised_words_without_a_first_word_alone():
    assert capitalised(["The", "cat", "Tom", "Smith", "saw", "Ann"]) == [(2, 4), (5, 6)]
    assert capitalised(["New", "York", "is", "big"]) == [(0, 2)]
    assert capitalised(["the", "cat"]) == []


def test_a_counterpart_is_linked_to_its_span_alone():
    assert counterpart([(0, 3), (1, 4)], (0, 2), 10) == (3, 5)
    assert counterpart([(0, 3), (5, 4), (1, 5)], (0, 2), 10) is None  # 4 is linked outside
    assert counterpart([(5, 1)], (0, 2), 10) is None
    assert counterpart([(0, 0), (1, 9)], (0, 2), 5) is None  # too long


def test_stop_words_alone_are_no_span_and_pairs_without_spans_are_dropped():
    rows = [ParallelPair("x y", f"said It number{i}", "de") for i in range(5)]
    links = {"align": lambda pairs, module="": [[(1, 1)] for _ in pairs]}
    made, log = applied(InformativeSpans(stop_words=2), rows, **links)
    assert made == [] and log == ["0 of 5 pairs have spans, 0 in all"]
    assert len(applied(InformativeSpans(stop_words=0), rows, **links)[0]) == 5


def test_spans_are_limited():
    made, _ = applied(InformativeSpans(per_pair=1), [PAIR], align=aligned([]))
    assert made[0].spans == (((3, 5), (2, 4)),)
    short, _ = applied(InformativeSpans(max_words=1), [PAIR], align=aligned([]))
    assert short[0].spans == (((6, 7), (5, 6)),)


def test_spans_of_a_tagger_and_an_aligner_module():
    asked = []

    def tag(sentences, module):
        asked.append(module)
        return [((6, 7, "LOC"),) for _ in sentences]

    transform = InformativeSpans(find="tagger", tagger="runs/ner", aligner="runs/words")
    links = []
    made, _ = applied(transform, [PAIR], align=aligned(links), tag=tag)
    assert made[0].spans == (((6, 7), (5, 6)),) and asked == ["runs/ner"]
    assert links[0][1] == "runs/words" and transform.needs == ("align", "tag")


def test_given_spans_keep_their_counterparts_and_others_are_found():
    row = AlignedSpans(("a", "b", "c"), ("x", "y"), (((0, 1), (2, 3)), ((1, 2), (0, 0))), "de")
    transform = InformativeSpans(find="column", stop_words=0)
    assert transform.consumes is AlignedSpans
    made, _ = applied(transform, [row], align=lambda pairs, module="": [[(1, 1)]])
    assert made[0].spans == (((0, 1), (2, 3)), ((1, 2), (1, 2)))


@pytest.mark.parametrize(
    "wrong",
    [{"find": "tagger"}, {"tagger": "x"}, {"max_words": 0}, {"stop_words": -1}, {"find": "x"}],
)
def test_wrong_options_are_refused(wrong):
    with pytest.raises((ValidationError, ValueError)):
        strict(InformativeSpans).validate_python(wrong)
