"""CODEC's search as its authors wrote it, to compare with: depth first, one span at a time.

Source: https://github.com/duonglm38/Codec, constrained_decoding.py (Le et al. 2024,
https://arxiv.org/abs/2402.03131); written anew. A prefix without an opening marker is followed to
the end of the translation, and batches hold prefixes of one parent batch.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from xadapt.backbones.seq2seq.marker_search import MarkerTask

WIDTH = 16


class Prefix(NamedTuple):
    """A prefix: its log-probability after each token, and where the markers stand."""

    row: int
    token: int
    totals: tuple[float, ...]
    place: int
    span: tuple[int, ...]
    rest: tuple[int, ...] = ()


class Search:
    """One search; ``best`` outputs, bound ``alpha`` (-1 is exact)."""

    def __init__(self, task: MarkerTask, best: int = 5, alpha: int = -1) -> None:
        self.task, self.best, self.alpha = task, best, alpha
        self.found: list[tuple[tuple[float, ...], tuple[int, ...]]] = []
        self.steps = self.rows = 0

    def run(self, decoding: Any, width: int = WIDTH) -> list[tuple[float, tuple[int, ...]]]:
        """Search from an empty prefix; width 1 and a decoding without cache is the naive form."""
        self.visit(decoding, [Prefix(0, -1, (), 0, ())], width)
        return [(totals[-1], span) for totals, span in self.found]

    def limit(self, length: int) -> float:
        if len(self.found) < self.best:
            return -float("inf")
        totals = self.found[-1][0]
        return totals[-1] if self.alpha < 0 else totals[min(length + self.alpha, len(totals)) - 1]

    def visit(self, decoding: Any, rows: list[Prefix], width: int) -> None:
        """Read a batch, and follow its children, the likeliest batch first."""
        self.steps += 1
        self.rows += len(rows)
        first = rows[0].token < 0
        scores = decoding.step(None if first else [one.token for one in rows])
        children: list[Prefix] = []
        for row, one in enumerate(rows):
            for token, place, span, rest in self.ways(one):
                before = one.totals[-1] if one.totals else 0.0
                scored = place > len(self.task.forced) or bool(span)
                total = before + (scores[row, token].item() if scored else 0.0)
                totals = (*one.totals, total)
                if total > self.limit(len(totals)):
                    children.append(Prefix(row, token, totals, place, span, rest))
        ended = [one for one in children if one.place == len(self.task.tokens)]
        for one in ended:
            if len(one.span) == 2 and one.totals[-1] > self.limit(len(one.totals)):
                self.found = sorted([*self.found, (one.totals, one.span)], key=lambda f: -f[0][-1])
                del self.found[self.best :]
        going = sorted((one for one in children if one not in ended), key=lambda p: -p.totals[-1])
        for begin in range(0, len(going), width):
            some = [p for p in going[begin : begin + width] if p.totals[-1] > self.limit(10**6)]
            if some:
                self.visit(decoding.branch([one.row for one in some]), some, width)

    def ways(self, one: Prefix) -> list[tuple[int, int, tuple[int, ...], tuple[int, ...]]]:
        task, place, span = self.task, one.place, one.span
        if one.rest:
            return [(one.rest[0], place, span, one.rest[1:])]
        ways = [(task.tokens[place], place + 1, span, ())]
        word = task.bounds.get(place, -1)
        if not span and word in task.openings:
            ways += [(way[0], place, (word,), way[1:]) for way in task.left]
        if len(span) == 1 and word > span[0]:
            ways += [(way[0], place, (*span, word), way[1:]) for way in task.right]
        return ways


class Uncached:
    """Prefixes that are read from their beginning at every step, one forward for each."""

    def __init__(self, seq2seq: Any, encoded: Any, prefixes: list[list[int]]) -> None:
        self.seq2seq, self.encoded, self.prefixes = seq2seq, encoded, prefixes

    def step(self, tokens: list[int] | None) -> Any:
        import torch

        from xadapt.backbones.seq2seq.decoding import encoder_outputs

        if tokens is not None:
            pairs = zip(self.prefixes, tokens, strict=True)
            self.prefixes = [[*own, token] for own, token in pairs]
        made = [
            self.seq2seq.model(
                encoder_outputs=encoder_outputs(self.encoded), attention_mask=self.encoded.mask,
                decoder_input_ids=torch.tensor([[self.seq2seq.start, *own]]), use_cache=False,
            ).logits[0, -1]
            for own in self.prefixes
        ]  # fmt: skip
        return torch.stack(made).log_softmax(-1)

    def branch(self, rows: list[int]) -> Uncached:
        return Uncached(self.seq2seq, self.encoded, [list(self.prefixes[row]) for row in rows])
