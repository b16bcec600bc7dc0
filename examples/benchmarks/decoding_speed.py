"""Speed of constrained decoding with cached prefixes, and of CODEC's search.

    python examples/benchmarks/decoding_speed.py --data DATA

First: sentences are written again with tags, by beam search over cached prefixes, of which finished
sentences drop out, and by ``generate`` of transformers with the same constraint, on a model with
random weights. Second: a small model learns to carry brackets along in a few sentences, word for
word; then CODEC looks for the places of the brackets, by xadapt's search and by the depth-first
search of its authors. All searches are exact. Nothing is said of quality.
"""

from __future__ import annotations

import time
from itertools import accumulate
from typing import Any

import numpy as np
import torch
import transformers
from bench import parser, save
from depth_first import Search, Uncached
from transformers import M2M100Config, M2M100ForConditionalGeneration

from xadapt.backbones.bases import resolve
from xadapt.backbones.loading import load_tokenizer
from xadapt.backbones.seq2seq.marker_search import MarkerTask, search_markers
from xadapt.backbones.seq2seq.seq2seq import Seq2Seq
from xadapt.backbones.seq2seq.tag_processor import TagLogitsProcessor
from xadapt.data.readers.conll import Conll
from xadapt.data.records import TaggedSentence
from xadapt.functional.marker_choice import opening_words
from xadapt.functional.marker_text import with_markers

BEAMS, TYPES = 4, ["PER", "LOC", "ORG", "MISC"]
SENTENCES, TOGETHER = 32, 16
CODEC, NAIVE, STEPS = 12, 3, 250


def main() -> None:
    args = parser(__doc__).parse_args()
    transformers.logging.set_verbosity_error()
    path = args.data / "ner" / "europarl" / "en.tsv.gz"
    rows = [row for row in Conll().read(str(path), "en") if 8 <= len(row.words) <= 20]
    result = {"tagging": tagging(rows[:SENTENCES]), "codec": codec(rows)}
    save("decoding_speed", result)
    for name, own in result.items():
        print(name, {key: value for key, value in own.items() if key != "model"})


def model(width: int, layers: int, seed: int = 0) -> Seq2Seq:
    """An M2M100 with random weights, with the vocabulary of mini."""
    tokenizer = load_tokenizer(resolve("mini"))
    torch.manual_seed(seed)
    made = M2M100ForConditionalGeneration(
        M2M100Config(
            vocab_size=len(tokenizer), d_model=width, encoder_layers=layers, decoder_layers=layers,
            encoder_attention_heads=4, decoder_attention_heads=4, encoder_ffn_dim=4 * width,
            decoder_ffn_dim=4 * width, max_position_embeddings=512,
            pad_token_id=tokenizer.pad_token_id, bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id, decoder_start_token_id=tokenizer.eos_token_id,
        )
    )  # fmt: skip
    return Seq2Seq(made, tokenizer, "random")


@torch.inference_mode()
def tagging(rows: list[TaggedSentence]) -> dict[str, Any]:
    """Tokens a second of both ways, and whether they write the same."""
    seq2seq = model(256, 3)
    ways = {"generate of transformers": by_generate, "cached prefixes": by_prefixes}
    made: dict[str, Any] = {}
    outputs: dict[str, list[tuple[int, ...]]] = {}
    for name, way in ways.items():
        way(seq2seq, rows[:2])
        taken = []
        for _ in range(2):
            began = time.perf_counter()
            outputs[name] = way(seq2seq, rows)
            taken.append(time.perf_counter() - began)
        tokens = sum(map(len, outputs[name]))
        made[name] = {"seconds": min(taken), "tokens": tokens, "rate": tokens / min(taken)}
    one, other = outputs.values()
    same = sum(a == b for a, b in zip(one, other, strict=True)) / len(rows)
    ratio = made["cached prefixes"]["rate"] / made["generate of transformers"]["rate"]
    return {
        "model": "M2M100, 3 + 3 layers of 256, 16,000 tokens, random weights",
        "sentences": len(rows), "beams": BEAMS, "same": same, "ratio": ratio, "ways": made,
    }  # fmt: skip


def by_generate(seq2seq: Seq2Seq, rows: list[TaggedSentence]) -> list[tuple[int, ...]]:
    """The best output of each sentence, by transformers."""
    found: list[tuple[int, ...]] = []
    for begin in range(0, len(rows), TOGETHER):
        words = [row.words for row in rows[begin : begin + TOGETHER]]
        processor = TagLogitsProcessor.of(seq2seq.model, seq2seq.tokenizer, words, TYPES)
        texts = [" ".join(own) for own in words]
        given = seq2seq.tokenizer(texts, padding=True, return_tensors="pt")
        tokens = seq2seq.model.generate(
            input_ids=given["input_ids"], attention_mask=given["attention_mask"],
            logits_processor=[processor], num_beams=BEAMS, do_sample=False, length_penalty=0.0,
            max_new_tokens=processor.longest,
        )  # fmt: skip
        end = seq2seq.tokenizer.eos_token_id
        for own in tokens[:, 1:].tolist():
            found.append(tuple(own[: own.index(end) + 1]))
    return found


def by_prefixes(seq2seq: Seq2Seq, rows: list[TaggedSentence]) -> list[tuple[int, ...]]:
    """The same beam search over `Decoding`."""
    found: list[tuple[int, ...]] = []
    for begin in range(0, len(rows), TOGETHER):
        words = [row.words for row in rows[begin : begin + TOGETHER]]
        processor = TagLogitsProcessor.of(seq2seq.model, seq2seq.tokenizer, words, TYPES)
        sources = seq2seq.tokenizer([" ".join(own) for own in words])["input_ids"]
        found += beam_search(seq2seq, sources, processor.automata)
    return found


def beam_search(seq2seq: Seq2Seq, sources: Any, automata: Any) -> list[tuple[int, ...]]:
    """The best output of each automaton under the sum of log-probabilities."""
    decoding = seq2seq.decode(seq2seq.encode(sources))
    # sentence, tokens, readings, log-probability
    beams = [(n, (), own.read(()), 0.0) for n, own in enumerate(automata)]
    ended: list[list[tuple[float, tuple[int, ...]]]] = [[] for _ in automata]
    scores = decoding.step()
    while beams:
        places, tokens = [], []
        for row, (n, written, readings, _) in enumerate(beams):
            allowed = automata[n].allowed(readings, len(written))
            places += [row] * len(allowed)
            tokens += allowed
        values = scores[places, tokens].tolist()
        ways: dict[int, list[tuple[float, int, int]]] = {}
        for row, token, value in zip(places, tokens, values, strict=True):
            ways.setdefault(beams[row][0], []).append((beams[row][3] + value, row, token))
        made = []
        for n, own in ways.items():
            own.sort(reverse=True)
            going = []
            for rank, (total, row, token) in enumerate(own[: 2 * BEAMS]):
                written = (*beams[row][1], token)
                if token == automata[n].tags.end:
                    if rank < BEAMS:
                        ended[n].append((total, written))
                elif len(going) < BEAMS:
                    after = automata[n].follow(beams[row][2], token, len(written) - 1)
                    going.append((row, (n, written, after, total)))
            ended[n] = sorted(ended[n], reverse=True)[:BEAMS]
            full = len(ended[n]) == BEAMS and ended[n][-1][0] >= max(g[1][3] for g in going or [
                (0, (0, 0, 0, -float("inf")))])  # fmt: skip
            made += [] if full else going
        beams = [own for _, own in made]
        if beams:
            decoding = decoding.branch([row for row, _ in made])
            scores = decoding.step([own[1][-1] for own in beams])
    return [own[0][1] for own in ended]


def codec(rows: list[TaggedSentence]) -> dict[str, Any]:
    """Sentences a second of each search, and how many prefixes each reads."""
    chosen = [row for row in rows if row.spans][:CODEC]
    seq2seq = model(128, 2)
    loss = learn(seq2seq, chosen)
    with torch.inference_mode():
        tasks = [(n, *task) for n, row in enumerate(chosen) for task in tasks_of(seq2seq, row)]
        ways = {
            "sweeps, spans together": lambda some: sweeps(seq2seq, some, 8),
            "sweeps, one span at a time": lambda some: sweeps(seq2seq, some, 1),
            "depth first, cached, as the authors'": lambda some: depth(seq2seq, some, True),
            "depth first, one prefix a forward, no cache": lambda some: depth(seq2seq, some, False),
        }
        made, scores = {}, {}
        for name, way in ways.items():
            some = [task for task in tasks if task[0] < (NAIVE if "no cache" in name else CODEC)]
            way(some[:1])
            began = time.perf_counter()
            scores[name], steps, read = way(some)
            taken = time.perf_counter() - began
            made[name] = {
                "sentences": len({task[0] for task in some}), "spans": len(some),
                "rate": len({task[0] for task in some}) / taken, "seconds": taken,
                "steps": steps, "prefixes": read,
            }  # fmt: skip
    first = scores["sweeps, spans together"]
    for name, own in scores.items():
        apart = max(abs(a - b) for x, y in zip(first, own, strict=False)
                    for a, b in zip(x, y, strict=True))  # fmt: skip
        made[name]["apart"] = apart
        made[name]["slower"] = made["sweeps, spans together"]["rate"] / made[name]["rate"]
    return {
        "model": "M2M100, 2 + 2 layers of 128, 16,000 tokens", "loss": loss, "train steps": STEPS,
        "words": float(np.mean([len(row.words) for row in chosen])), "ways": made,
    }  # fmt: skip


def learn(seq2seq: Seq2Seq, rows: list[TaggedSentence]) -> float:
    """Learn to copy these sentences with their brackets."""
    texts = [" ".join(with_markers(row.words, [span])) for row in rows for span in row.spans]
    texts += [" ".join(row.words) for row in rows]
    own = seq2seq.model.requires_grad_(True)
    optimizer = torch.optim.Adam(own.parameters(), lr=2e-3)
    draw = np.random.default_rng(0)
    for _ in range(STEPS):
        some = [texts[n] for n in draw.choice(len(texts), 12, replace=False)]
        given = seq2seq.tokenizer(some, padding=True, return_tensors="pt")
        labels = given["input_ids"].masked_fill(given["attention_mask"] == 0, -100)
        loss = own(input_ids=given["input_ids"], attention_mask=given["attention_mask"],
                   labels=labels).loss  # fmt: skip
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    own.requires_grad_(False)
    return loss.item()


def tasks_of(seq2seq: Seq2Seq, row: TaggedSentence) -> list[tuple[list[int], MarkerTask]]:
    """The source with brackets around each span, and what is looked for."""
    tokenizer = seq2seq.tokenizer
    begins, end = tokenizer("")["input_ids"][:-1], tokenizer.eos_token_id

    def tokens(word: str) -> tuple[int, ...]:
        return tuple(tokenizer(f" {word}", add_special_tokens=False)["input_ids"])

    words = tuple(tokens(word) for word in row.words)
    target = [*begins, *(token for word in words for token in word), end]
    texts = [" ".join(with_markers(row.words, [span])) for span in row.spans]
    sources = tokenizer([" ".join(row.words), *texts])["input_ids"]
    scores = [own[len(begins) :].tolist() for own in seq2seq.score(
        seq2seq.encode(sources), [target] * len(sources))]  # fmt: skip
    starts = [0, *accumulate(len(word) for word in words[:-1])]
    return [
        (source, MarkerTask(words, end, (tokens("["),), (tokens("]"),), tuple(begins),
                            opening_words(marked, scores[0], starts)))
        for source, marked in zip(sources[1:], scores[1:], strict=True)
    ]  # fmt: skip


class Counted:
    """Prefixes that count how often and how many of them are read."""

    def __init__(self, inner: Any, counts: list[int]) -> None:
        self.inner, self.counts = inner, counts

    def step(self, tokens: Any = None) -> Any:
        self.counts[0] += 1
        self.counts[1] += len(self.inner)
        return self.inner.step(tokens)

    def branch(self, rows: Any) -> Counted:
        return Counted(self.inner.branch(rows), self.counts)

    def join(self, others: Any) -> Counted:
        return Counted(self.inner.join([one.inner for one in others]), self.counts)

    def reread(self, rows: Any, tokens: Any) -> tuple[Counted, Any]:
        self.counts[0] += 1
        self.counts[1] += len(rows)
        made, scores = self.inner.reread(rows, tokens)
        return Counted(made, self.counts), scores


def sweeps(seq2seq: Seq2Seq, tasks: list[Any], together: int) -> tuple[list[list[float]], int, int]:
    counts, found = [0, 0], []
    for begin in range(0, len(tasks), together):
        some = tasks[begin : begin + together]
        root = seq2seq.decode(seq2seq.encode([task[1] for task in some]))
        made = search_markers(Counted(root, counts), [task[2] for task in some])
        found += [[one.score for one in own] for own in made]
    return found, *counts


def depth(seq2seq: Seq2Seq, tasks: list[Any], cached: bool) -> tuple[list[list[float]], int, int]:
    found, steps, rows = [], 0, 0
    for _, source, task in tasks:
        encoded = seq2seq.encode([source])
        search = Search(task)
        root = seq2seq.decode(encoded) if cached else Uncached(seq2seq, encoded, [[]])
        found.append([own[0] for own in search.run(root, 16 if cached else 1)])
        steps, rows = steps + search.steps, rows + search.rows
    return found, steps, rows


if __name__ == "__main__":
    main()
