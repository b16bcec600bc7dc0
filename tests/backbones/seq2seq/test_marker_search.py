"""The search for markers: against all outputs, against a depth-first twin, on random scores."""

from __future__ import annotations

import random
from heapq import heappush, heappushpop
from itertools import product

import pytest
import torch
from score_table import Table
from tiny_seq2seq import tiny_model, tiny_tokenizer

from xadapt.backbones.seq2seq.marker_search import MarkerTask, _Board, search_markers
from xadapt.backbones.seq2seq.seq2seq import Seq2Seq

END, LEFT, RIGHT = 0, 1, 2


def drawn_task(rng, longest=12, alike=True, **changes):
    """A translation of up to ``longest`` tokens; some of them look like markers, if ``alike``."""
    words, room = [], rng.randint(1, longest)
    while room:
        size = min(room, rng.choice([1, 1, 2, 3]))
        words.append(tuple(rng.randint(1 if alike else 3, 11) for _ in range(size)))
        room -= size
    given = {"end": END, "left": ((LEFT,),), "right": ((RIGHT,),)}
    return MarkerTask(tuple(words), **given | changes)


def outputs(task):
    """Every output: span, tokens, and the number of forced tokens."""
    for start, stop in product(range(len(task.words)), repeat=2):
        if start not in task.openings or stop < start:
            continue
        for left, right in product(task.left, task.right):
            parts = [*task.words[:start], left, *task.words[start : stop + 1], right]
            parts += [*task.words[stop + 1 :], (task.end,)]
            yield (start, stop + 1), (*task.forced, *(t for part in parts for t in part))


def every_output(task, total):
    """Each span with its best score, the best one first."""
    best, spans = {}, {}
    for span, tokens in outputs(task):
        if tokens not in spans or span[1] - span[0] < spans[tokens][1] - spans[tokens][0]:
            spans[tokens] = span
    for tokens, span in spans.items():
        totals = total(tokens)
        score = totals[-1] - (totals[len(task.forced) - 1] if task.forced else 0)
        best[span] = max(score, best.get(span, -1e9))
    return sorted(((score, span) for span, score in best.items()), reverse=True)


def require_best(found, wanted, best=5):
    assert len(found) == min(best, len(wanted))
    for own, (score, _) in zip(found, wanted, strict=False):
        assert own.score == pytest.approx(score, abs=1e-4)
        ties = {one for other, one in wanted if other == pytest.approx(score, abs=1e-4)}
        assert (own.start, own.end) in ties


@pytest.mark.parametrize("width", [1, 3, 16])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"forced": (7,)},
        {"left": ((1, 5), (1,)), "right": ((2,), (5, 2))},
        {"opening": frozenset({0, 2, 5}), "forced": (3, 4)},
    ],
)
def test_the_exact_search_finds_the_best_of_all_outputs(width, changes):
    rng = random.Random(width)
    tasks = [drawn_task(rng, **changes) for _ in range(60)]
    table = Table.drawn(range(len(tasks)), seed=width)
    found = search_markers(table, tasks, best=5, width=width)
    for owner, (task, own) in enumerate(zip(tasks, found, strict=True)):
        wanted = every_output(task, lambda tokens, owner=owner: table.total(owner, tokens))
        require_best(own, wanted)
        assert len({(one.start, one.end) for one in own}) == len(own)


@pytest.mark.parametrize("family", ["m2m_100", "t5", "bart", "marian"])
@torch.no_grad()
def test_the_exact_search_of_a_model_finds_the_best_of_all_outputs(family):
    seq2seq = Seq2Seq(tiny_model(family, **({} if family == "t5" else {"init_std": 0.5})),
                      tiny_tokenizer(family))  # fmt: skip
    rng = random.Random(3)
    tasks = [drawn_task(rng, 9, end=seq2seq.tokenizer.eos_token_id, left=((20,),),
                        right=((21, 22),), forced=(30,)) for _ in range(3)]  # fmt: skip
    encoded = seq2seq.encode([[5, 9, 30, 12, 1], [40, 7, 1], [8, 8, 19, 1]])
    found = search_markers(seq2seq.decode(encoded), tasks)
    for owner, (task, own) in enumerate(zip(tasks, found, strict=True)):

        def total(tokens, owner=owner):
            return seq2seq.score(encoded, [tokens], owners=[owner])[0].cumsum(0).tolist()

        require_best(own, every_output(task, total))
        for one in own:
            assert total(one.tokens)[-1] - total(one.tokens)[0] == pytest.approx(
                one.score, abs=1e-3
            )


def test_ten_thousand_outputs_without_their_markers_are_the_translations():
    rng, cases, shown = random.Random(0), 0, 0
    for block in range(100):
        tasks = [
            drawn_task(rng, 8, forced=rng.choice([(), (7,)]), left=((1, 6),)) for _ in range(100)
        ]
        alpha = rng.choice([-1, 1, 5])
        found = search_markers(
            Table.drawn(range(100), seed=block), tasks, best=1, alpha=alpha, width=2
        )
        for task, [own] in zip(tasks, found, strict=True):
            cases += 1
            tokens = list(own.tokens)
            at = [len(task.forced) + sum(map(len, task.words[:n])) for n in (own.start, own.end)]
            # the closing marker stands behind the opening one, which has two tokens
            assert tokens[at[1] + 2] == RIGHT and tokens[at[0] : at[0] + 2] == [1, 6]
            del tokens[at[1] + 2], tokens[at[0] : at[0] + 2]
            assert tuple(tokens) == task.tokens
            shown += any(token in (LEFT, RIGHT) for word in task.words for token in word)
    assert cases == 10_000 and shown > 3000


def depth_first(table, owner, task, best, alpha):
    """The search as its paper tells it: one prefix at a time, the likelier child first."""
    heap: list[tuple[float, int, tuple[int, int], list[float]]] = []
    count = [0]

    def limit(length):
        if len(heap) < best:
            return -float("inf")
        totals = heap[0][3]
        return totals[-1] if alpha < 0 else totals[min(length + alpha, len(totals)) - 1]

    def visit(written, totals, place, span):
        scores = table.scores[hash((owner, *written)) % 4093].tolist()
        before = totals[-1] if totals else 0.0
        children = [(scores[task.tokens[place]], task.tokens[place], place + 1, span)]
        word = task.bounds.get(place, -1)
        if not span and word in task.openings:
            children.append((scores[LEFT], LEFT, place, (word,)))
        if len(span) == 1 and word > span[0]:
            children.append((scores[RIGHT], RIGHT, place, (*span, word)))
        for score, token, after, own in sorted(children, reverse=True):
            made = [*totals, before + score]
            if made[-1] <= limit(len(made)):
                continue
            if after < len(task.tokens):
                visit((*written, token), made, after, own)
            elif len(own) == 2:
                count[0] += 1
                entry = (made[-1], -count[0], own, made)
                heappush(heap, entry) if len(heap) < best else heappushpop(heap, entry)

    visit((), [], 0, ())
    return sorted(heap, reverse=True)


def test_it_finds_what_a_depth_first_search_finds_and_heuristics_find_most_of_it():
    rng = random.Random(5)
    tasks = [drawn_task(rng, 10, alike=False) for _ in range(150)]
    table = Table.drawn(range(150), seed=5)
    exact = search_markers(Table(table.scores, range(150)), tasks)
    far = search_markers(Table(table.scores, range(150)), tasks, alpha=100)
    for owner, (task, own) in enumerate(zip(tasks, exact, strict=True)):
        twin = depth_first(table, owner, task, 5, -1)
        assert [one.score for one in own] == pytest.approx([one[0] for one in twin], abs=1e-4)
        assert [one.score for one in far[owner]] == [one.score for one in own]
    same = {}
    for alpha in (0, 5):
        found = search_markers(Table(table.scores, range(150)), tasks, alpha=alpha)
        twins = [depth_first(table, n, task, 5, alpha)[0] for n, task in enumerate(tasks)]
        for own, best in zip(found, exact, strict=True):
            assert own[0].score <= best[0].score + 1e-5
        hits = [own[0][:2] == best[0][:2] for own, best in zip(found, exact, strict=True)]
        theirs = [twin[2] == best[0][:2] for twin, best in zip(twins, exact, strict=True)]
        same[alpha] = sum(hits)
        assert sum(hits) >= sum(theirs), "wide sweeps lose no more than one prefix at a time"
    assert same[5] >= same[0] and same[5] >= 140


def test_the_bound_by_hand():
    board = _Board(best=2, alpha=1)
    task = MarkerTask(((3,),), END, ((LEFT,),), ((RIGHT,),))
    [[only]] = search_markers(Table.drawn([0]), [task])
    assert (only.start, only.end, only.tokens) == (0, 1, (LEFT, 3, RIGHT, END))
    board.add(only._replace(totals=(-1.0, -2.0, -3.0, -4.0)))
    assert board.limit(1) == -float("inf"), "there is room for another one"
    board.add(only._replace(end=2, totals=(-1.0, -1.5, -5.0, -6.0)))
    assert [board.limit(t) for t in (1, 2, 3, 4)] == [-1.5, -5.0, -6.0, -6.0]
    board.alpha = -1
    assert board.limit(1) == -6.0
    board.add(only._replace(totals=(-1.0, -2.0, -3.0, -9.0)))
    assert board.found[0].score == -4.0, "the same span, less likely"
    board.add(only._replace(start=3, totals=(-1.0, -2.0, -3.0, -3.5)))
    assert [one.score for one in board.found] == [-3.5, -4.0]


def test_tasks_together_and_alone_are_the_same_and_empty_prefixes_are_left():
    rng = random.Random(9)
    tasks = [drawn_task(rng) for _ in range(20)]
    together = search_markers(Table.drawn(range(20)), tasks, width=4)
    alone = [search_markers(Table.drawn([n]), [task], width=4)[0] for n, task in enumerate(tasks)]
    assert together == alone


def test_mistakes_are_named():
    for words, changes, said in (
        ((), {}, "has words"),
        (((3,), ()), {}, "each word has tokens"),
        (((3,),), {"left": ()}, "a marker has no token"),
        (((3,),), {"right": ((),)}, "a marker has no token"),
        (((3,),), {"opening": frozenset({4})}, "no word before which"),
    ):
        given = {"end": END, "left": ((LEFT,),), "right": ((RIGHT,),)}
        with pytest.raises(ValueError, match=said):
            MarkerTask(words, **given | changes)
    task = MarkerTask(((3,),), END, ((LEFT,),), ((RIGHT,),))
    for tasks, more in (([], {}), ([task], {"best": 0}), ([task], {"width": 0})):
        with pytest.raises(ValueError, match="a task or more"):
            search_markers(Table.drawn(range(len(tasks))), tasks, **more)
