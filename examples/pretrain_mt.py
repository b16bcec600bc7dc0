"""Pretrain a small translation model, many languages to many, from open parallel text.

    python examples/pretrain_mt.py DATA --out DIR

DATA holds a file `en-xx.tsv` (or `.tsv.gz`) for each language: English, the translation, and
perhaps the tag of its source; or DATA/parallel holds such files. Rows of a source without an open
licence (the list of `mini/collect.py`) are left out. Translations of one English sentence are
translations of each other. One sentence in fifty is held out.

The model is an M2M100 with a token for each language; the tokenizer is a unigram one that spells
rare letters in bytes and keeps brackets as tokens of their own. It runs on a GPU if one is there,
else on the CPU. Ctrl-C and `--resume` go together. Afterwards DIR/model is a folder that
transformers and xadapt load, and DIR/report.json has chrF on held-out sentences.

With --quick and without data it learns a few sentences that ship, to show that it runs. The file
is long because the whole run stands in it.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from mini.collect import OPEN, tagged_pairs
from mini.learn import schedule
from mini.tokens import SPECIAL, sampled, train_tokenizer
from tokenizers import Tokenizer, models, processors
from torch import Tensor, nn
from transformers import (
    AutoTokenizer,
    M2M100Config,
    M2M100ForConditionalGeneration,
    PreTrainedTokenizerFast,
)

from xadapt.core.errors import UserError
from xadapt.core.files import append_line, write_json, write_text
from xadapt.core.progress import meter
from xadapt.data.readers.lines import read_lines
from xadapt.data.readers.sample import Sample
from xadapt.data.readers.sides import Request
from xadapt.data.records import ParallelPair
from xadapt.languages.tags import display_name
from xadapt.training import checkpoint
from xadapt.training.interrupts import interrupts

Group = dict[str, str]
"""Translations of one sentence by language, English among them."""
MARKERS = ("[", "]", "<", ">")
HELD_OUT = 50
LINES = 400_000  # for the tokenizer


@dataclass(frozen=True)
class Settings:
    """How the model is built and trained.

    Attributes:
        layers, width, heads, ffn: Its shape; encoder and decoder have so many layers each.
        longest: Tokens of a row, at most.
        vocabulary: Pieces of the tokenizer.
        tokens: Target tokens to see in all.
        batch_tokens: Padded tokens a step, of sources and targets.
        rate: Peak learning rate; ``warmup`` is the share of steps that rises to it.
        decay: Weight decay.
        dropout: In the network.
        smoothing: Of labels.
        evaluations: How often the held-out loss is looked at.
        measured: Held-out sentences of each direction that chrF is computed on.
        seed: Of everything.
    """

    layers: int = 4
    width: int = 256
    heads: int = 4
    ffn: int = 1024
    longest: int = 96
    vocabulary: int = 16_000
    tokens: int = 100_000_000
    batch_tokens: int = 8192
    rate: float = 1e-3
    warmup: float = 0.06
    decay: float = 0.01
    dropout: float = 0.1
    smoothing: float = 0.1
    evaluations: int = 12
    measured: int = 100
    seed: int = 0


def groups_of(pairs: Iterator[ParallelPair]) -> tuple[list[Group], Counter[str]]:
    """Translations of each English sentence, and the number of rows by source."""
    groups: dict[str, Group] = {}
    tags: Counter[str] = Counter()
    for pair in pairs:
        if pair.pivot.strip() and pair.text.strip():
            group = groups.setdefault(pair.pivot.strip(), {"en": pair.pivot.strip()})
            if pair.lang not in group:
                group[pair.lang] = pair.text.strip()
                tags[pair.origin] += 1
    if not groups:
        raise UserError("there is no pair to learn from", todo="Give files en-xx.tsv")
    return list(groups.values()), tags


def open_pairs(data: Path) -> Iterator[ParallelPair]:
    """Rows of the files of a folder whose source has an open licence, or no tag."""
    if (data / "parallel").is_dir():
        yield from (pair for pair in tagged_pairs(data) if pair.origin in OPEN)
        return
    for path in sorted([*data.glob("en-*.tsv"), *data.glob("en-*.tsv.gz")]):
        lang = path.name.removeprefix("en-").split(".")[0]
        for number, line in read_lines(str(path)):
            cells = line.rstrip("\n").split("\t")
            if len(cells) < 2:
                raise UserError("this line has one column", where=f"{path}:{number}")
            tag = cells[2] if len(cells) > 2 else ""
            if not tag or tag in OPEN:
                yield ParallelPair(text=cells[1], pivot=cells[0], lang=lang, origin=tag)


def split(groups: Sequence[Group]) -> tuple[list[Group], list[Group]]:
    """Groups to train on, and one in fifty, by the hash of its English sentence."""
    parts: dict[bool, list[Group]] = {True: [], False: []}
    for group in groups:
        number = int.from_bytes(sha256(group["en"].casefold().encode()).digest()[:8], "big")
        parts[number % HELD_OUT == 0].append(group)
    return parts[False], parts[True]


def tokenizer_of(groups: Sequence[Group], settings: Settings) -> PreTrainedTokenizerFast:
    """A tokenizer with a token for each language and for each bracket, with and without a space."""
    texts: dict[str, list[str]] = defaultdict(list)
    for group in groups:
        for lang, text in group.items():
            texts[lang].append(text)
    base = train_tokenizer(sampled(texts, 0.6, LINES), settings.vocabulary, settings.longest)
    old = base.backend_tokenizer
    pieces = [tuple(row) for row in json.loads(old.to_str())["model"]["vocab"]]
    marks = [space + mark for mark in MARKERS for space in ("", "\u2581")]
    best = max(score for piece, score in pieces if piece not in SPECIAL)
    pieces = [row for row in pieces if row[0] not in marks] + [(mark, best) for mark in marks]
    inner = Tokenizer(models.Unigram(pieces, unk_id=SPECIAL.index("<unk>"), byte_fallback=True))
    inner.normalizer, inner.pre_tokenizer = old.normalizer, old.pre_tokenizer
    inner.decoder = old.decoder
    inner.add_special_tokens([*SPECIAL, *(f"__{lang}__" for lang in sorted(texts))])
    inner.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 2)]
    )
    made = PreTrainedTokenizerFast(
        tokenizer_object=inner, bos_token="<s>", eos_token="</s>", pad_token="<pad>",
        unk_token="<unk>", model_max_length=settings.longest,
        model_input_names=["input_ids", "attention_mask"],
    )  # fmt: skip
    codes = [f"__{lang}__" for lang in sorted(texts)]
    made.add_special_tokens({"additional_special_tokens": codes})
    return made


def network(settings: Settings, tokenizer: PreTrainedTokenizerFast) -> Any:
    """An M2M100 with random weights."""
    torch.manual_seed(settings.seed)
    config = M2M100Config(
        vocab_size=len(tokenizer), d_model=settings.width, encoder_layers=settings.layers,
        decoder_layers=settings.layers, encoder_attention_heads=settings.heads,
        decoder_attention_heads=settings.heads, encoder_ffn_dim=settings.ffn,
        decoder_ffn_dim=settings.ffn, max_position_embeddings=settings.longest,
        dropout=settings.dropout, attention_dropout=0.0, activation_dropout=0.0,
        encoder_layerdrop=0.0, decoder_layerdrop=0.0,
        bos_token_id=0, pad_token_id=1, eos_token_id=2, decoder_start_token_id=2,
    )  # fmt: skip
    return M2M100ForConditionalGeneration(config)


class Rows:
    """Token ids of all sentences, and the batches of each epoch.

    A group of n translations gives n - 1 rows an epoch: each joins two languages, drawn anew.

    Args:
        groups: The translations.
        tokenizer: The tokenizer.
        settings: The budget of a step, and the seed.
    """

    def __init__(
        self, groups: Sequence[Group], tokenizer: PreTrainedTokenizerFast, settings: Settings
    ) -> None:
        self.settings = settings
        flat = [(n, lang, text) for n, group in enumerate(groups) for lang, text in group.items()]
        codes = {lang: tokenizer.convert_tokens_to_ids(f"__{lang}__") for _, lang, _ in flat}
        self.ids: list[dict[str, list[int]]] = [{} for _ in groups]
        for start in range(0, len(flat), 10_000):
            some = flat[start : start + 10_000]
            given = tokenizer(
                [text for *_, text in some], truncation=True, max_length=settings.longest - 1
            )["input_ids"]
            for (n, lang, _), row in zip(some, given, strict=True):
                self.ids[n][lang] = row
        self.codes = codes

    def epoch(self, number: int) -> list[list[tuple[list[int], list[int]]]]:
        """Batches of sources and targets; a function of the seed and the number alone."""
        rng = random.Random(f"{self.settings.seed}:{number}")
        rows = []
        for group in self.ids:
            for _ in range(len(group) - 1):
                source, target = rng.sample(sorted(group), 2)
                rows.append((group[source], [self.codes[target], *group[target]]))
        rng.shuffle(rows)
        rows.sort(key=lambda row: max(map(len, row)) // 8)  # like lengths; the order inside is kept
        batches: list[list[tuple[list[int], list[int]]]] = [[]]
        longest = 0
        for row in rows:
            longest = max(longest, len(row[0]) + len(row[1]))
            if batches[-1] and longest * (len(batches[-1]) + 1) > self.settings.batch_tokens:
                batches.append([])
                longest = len(row[0]) + len(row[1])
            batches[-1].append(row)
        rng.shuffle(batches)
        return batches


def padded(rows: Sequence[Sequence[int]], pad: int, device: str) -> Tensor:
    """Rows of ids, padded on the right."""
    most = max(map(len, rows))
    return torch.tensor([[*row, *[pad] * (most - len(row))] for row in rows], device=device)


class Learner:
    """One run: it learns to the end, or goes on where a checkpoint stands."""

    def __init__(
        self, model: Any, train: Rows, dev: Rows, settings: Settings, folder: Path, identity: dict
    ) -> None:
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.model, self.train, self.dev = model.to(self.device), train, dev
        self.settings, self.folder = settings, folder
        self.identity = {**identity, "settings": asdict(settings)}
        self.optimizer = torch.optim.AdamW(
            model.parameters(), lr=settings.rate, betas=(0.9, 0.98), weight_decay=settings.decay
        )
        self.progress = checkpoint.Progress(identity=self.identity)
        self.number, self.start, self.batches = 0, 0, train.epoch(0)
        seen = sum(len(target) for batch in self.batches for _, target in batch)
        self.real = seen / len(self.batches)  # target tokens a step, on average
        self.steps = max(1, round(settings.tokens / self.real))

    def learn(self, resume: bool) -> checkpoint.Progress:
        """Run to the end.

        Raises:
            UserError: There is no checkpoint to resume, or it is of another run.
            KeyboardInterrupt: After Ctrl-C, with a checkpoint written.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        if resume:
            self.progress, _ = checkpoint.load(
                self.folder, self.model, self.optimizer, self.identity
            )
        progress, began = self.progress, time.monotonic()
        before, done, saved = progress.seconds, progress.step, began
        looks = self.settings.evaluations
        marks = {round(self.steps * (i + 1) / looks) for i in range(looks)}
        with interrupts() as stop, meter("pretraining", self.steps) as bar:
            bar.skip(done)
            while progress.step < self.steps:
                loss = self._step()
                progress.seconds = before + time.monotonic() - began
                rate = (progress.step - done) * self.real / (time.monotonic() - began)
                bar.advance(note=f"loss {loss:.3f}, {rate:,.0f} target tokens/s")
                if progress.step in marks:
                    self._look(loss, rate)
                if stop or progress.step in marks or time.monotonic() - saved > 120:
                    checkpoint.save(self.folder, progress, self.model, self.optimizer, {})
                    saved = time.monotonic()
                if stop:
                    raise KeyboardInterrupt
        progress.finished = True
        checkpoint.save(self.folder, progress, self.model, self.optimizer, {})
        return progress

    def _step(self) -> float:
        step = self.progress.step
        while step >= self.start + len(self.batches):
            self.start, self.number = self.start + len(self.batches), self.number + 1
            self.batches = self.train.epoch(self.number)
        torch.manual_seed(self.settings.seed * 10**9 + step)  # dropout
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.rate * schedule(step + 1, self.steps, self.settings.warmup)
        self.model.train()
        loss = self._loss(self.batches[step - self.start], self.settings.smoothing)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.progress.step += 1
        return float(loss.detach())

    def _loss(self, batch: Sequence[tuple[list[int], list[int]]], smoothing: float) -> Tensor:
        """Mean cross-entropy of the targets' tokens."""
        sources = padded([source for source, _ in batch], 1, self.device)
        targets = padded([target for _, target in batch], 1, self.device)
        before = torch.cat([torch.full_like(targets[:, :1], 2), targets[:, :-1]], 1)
        with torch.autocast(self.device, torch.bfloat16, enabled=self.device == "cuda"):
            made = self.model(
                input_ids=sources, attention_mask=(sources != 1).long(), decoder_input_ids=before,
                use_cache=False,
            )  # fmt: skip
        return nn.functional.cross_entropy(
            made.logits.float().flatten(0, 1), targets.flatten(), ignore_index=1,
            label_smoothing=smoothing,
        )  # fmt: skip

    @torch.no_grad()
    def _look(self, loss: float, rate: float) -> None:
        self.model.eval()
        some = self.dev.epoch(0)[:20]
        held = [float(self._loss(batch, 0.0)) for batch in some]
        row = {
            "step": self.progress.step,
            "seconds": round(self.progress.seconds),
            "target_tokens": round(self.progress.step * self.real),
            "target_tokens_a_second": round(rate),
            "loss": round(loss, 4),
            "dev_loss": round(sum(held) / max(len(held), 1), 4),
        }
        append_line(self.folder / "log.jsonl", json.dumps(row))
        print(f"\nstep {row['step']:,}: held-out loss {row['dev_loss']:.3f}", flush=True)


@torch.inference_mode()
def translated(
    model: Any, tokenizer: Any, texts: Sequence[str], into: str, longest: int
) -> list[str]:
    """Greedy translations."""
    found = []
    for start in range(0, len(texts), 32):
        batch = tokenizer(
            list(texts[start : start + 32]), padding=True, truncation=True, max_length=longest,
            return_tensors="pt",
        ).to(model.device)  # fmt: skip
        tokens = model.generate(
            **batch, num_beams=1, do_sample=False, max_new_tokens=longest - 2,
            forced_bos_token_id=tokenizer.convert_tokens_to_ids(f"__{into}__"),
        )  # fmt: skip
        found += tokenizer.batch_decode(tokens, skip_special_tokens=True)
    return found


def chrf(found: Sequence[str], wanted: Sequence[str], order: int = 6, beta: float = 2.0) -> float:
    """The character F-score of a corpus, from 0 to 100, without word n-grams.

    The mean of the F-scores of n-grams of 1 to ``order`` characters, without spaces; recall counts
    ``beta`` times as much as precision. Source: Popović 2015, https://aclanthology.org/W15-3049;
    counts are summed over the corpus, as sacrebleu does it.
    """
    scores = []
    for size in range(1, order + 1):
        both = own = theirs = 0
        for one, other in zip(found, wanted, strict=True):
            left, right = (_grams(text, size) for text in (one, other))
            both += sum((left & right).values())
            own, theirs = own + sum(left.values()), theirs + sum(right.values())
        if own and theirs:
            precision, recall = both / own, both / theirs
            below = beta**2 * precision + recall
            scores.append((1 + beta**2) * precision * recall / below if below else 0.0)
    return 100 * sum(scores) / len(scores) if scores else 0.0


def _grams(text: str, size: int) -> Counter[str]:
    letters = "".join(text.split())
    return Counter(letters[i : i + size] for i in range(len(letters) - size + 1))


def measured(
    model: Any, tokenizer: Any, held: Sequence[Group], settings: Settings
) -> dict[str, dict[str, float]]:
    """ChrF into and from English on held-out sentences, beside the copied source."""
    model.eval()
    result = {}
    for lang in sorted({lang for group in held for lang in group} - {"en"}):
        rows = [group for group in held if lang in group][: settings.measured]
        for source, target in (("en", lang), (lang, "en")):
            texts, wanted = ([row[side] for row in rows] for side in (source, target))
            found = translated(model, tokenizer, texts, target, settings.longest)
            result[f"{source}-{target}"] = {
                "sentences": len(rows),
                "chrf": round(chrf(found, wanted), 2),
                "chrf_of_the_source": round(chrf(texts, wanted), 2),
            }
    return result


def card(result: Mapping[str, Any]) -> str:
    """The model card: the text that it learnt from with licences, and chrF."""
    langs = result["languages"]
    front = ["---", "language:", *(f"- {lang}" for lang in langs)]
    front += [f"license: {result['licence']}"] if result["licence"] else []
    front += ["pipeline_tag: translation", "library_name: transformers", "---", ""]
    rows = [
        f"| {tag} | {n:,} | {OPEN.get(tag, '')} |" for tag, n in result["sources"].items() if tag
    ]
    table = [
        f"| {name} | {row['sentences']} | {row['chrf']} | {row['chrf_of_the_source']} |"
        for name, row in result["held_out"].items()
    ]
    return "\n".join(
        [
            *front,
            f"# A small translation model of {len(langs)} languages",
            "",
            f"An M2M100 of {result['parameters'] / 1e6:.2f} million parameters for "
            f"{', '.join(map(display_name, langs))}, from {result['groups']:,} sentences with "
            f"their translations: {result['steps']:,} steps, {result['seconds'] / 60:.0f} minutes "
            f"on one {'GPU' if result['device'] == 'cuda' else 'CPU'}.",
            "",
            "| source | rows | licence |",
            "|---|---:|---|",
            *rows,
            "",
            "Held-out sentences:",
            "",
            "| direction | sentences | chrF | chrF of the copied source |",
            "|---|---:|---:|---:|",
            *table,
            "",
        ]
    )


def run(args: argparse.Namespace, pairs: Iterator[ParallelPair]) -> dict[str, Any]:
    settings = Settings(**{field.name: getattr(args, field.name) for field in fields(Settings)})
    groups, tags = groups_of(pairs)
    train, held = split(groups)
    if not held:
        raise UserError("there are too few sentences to hold one in fifty out")
    place = args.out / "model"
    if not (args.resume and (place / "tokenizer.json").exists()):
        if place.exists():
            raise UserError("there is a model already", where=str(place), todo="Use --resume")
        tokenizer_of(train, settings).save_pretrained(place)
    tokenizer = AutoTokenizer.from_pretrained(place)
    model = network(settings, tokenizer)
    facts = {"groups": len(train), "vocabulary": len(tokenizer), "sources": dict(tags)}
    rows, dev = (Rows(part, tokenizer, settings) for part in (train, held))
    learner = Learner(model, rows, dev, settings, args.out, facts)
    size = sum(p.numel() for p in model.parameters())
    print(
        f"{len(train):,} sentences with translations, {len(held):,} held out; {size / 1e6:.2f}M "
        f"parameters ({2 * size / 1e6:.1f} MB in bf16), {learner.steps:,} steps on {learner.device}"
    )
    progress = learner.learn(args.resume)
    model.to(torch.bfloat16).save_pretrained(place)
    result = {
        **facts,
        "languages": sorted({lang for group in groups for lang in group}),
        "parameters": size,
        "seconds": round(progress.seconds, 1),
        "steps": progress.step,
        "device": learner.device,
        "settings": asdict(settings),
        "licence": args.licence,
        "held_out": measured(model.float(), tokenizer, held, settings),
    }
    write_json(args.out / "report.json", result)
    write_text(place / "README.md", card(result))
    for name, row in result["held_out"].items():
        print(f"{name}: chrF {row['chrf']:.1f} (the source itself {row['chrf_of_the_source']:.1f})")
    print(f"wrote {place}")
    return result


def quick(out: Path) -> dict[str, Any]:
    """A network too small to learn anything, on sentences that ship."""
    tiny = {"layers": 1, "width": 32, "heads": 2, "ffn": 64, "tokens": 20_000, "measured": 4}
    tiny |= {"batch_tokens": 1024, "evaluations": 1, "vocabulary": 1200, "longest": 24}
    given = {field.name: field.default for field in fields(Settings)} | tiny
    pairs = (
        pair
        for lang in ("de", "fr")
        for number, pair in enumerate(Sample().read(f"sample:{lang}", Request(lang, "en")))
        if number < 500
    )
    return run(argparse.Namespace(out=out, resume=False, licence=None, **given), pairs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="?", help="folder with files en-xx.tsv")
    parser.add_argument("--out", type=Path, help="folder of the model, its log and checkpoint")
    parser.add_argument("--licence", help="SPDX id of the weights, for the card")
    parser.add_argument("--resume", action="store_true", help="go on with an interrupted run")
    parser.add_argument("--quick", action="store_true", help="a tiny run on sentences that ship")
    for field in fields(Settings):
        name = "--" + field.name.replace("_", "-")
        parser.add_argument(name, type=type(field.default), default=field.default)
    args = parser.parse_args()
    if not args.quick and not (args.data and args.out):
        parser.error("give the folder of the pairs and --out")
    try:
        if args.quick:
            with tempfile.TemporaryDirectory() as place:
                quick(Path(place))
        else:
            run(args, open_pairs(args.data))
    except UserError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(f"stopped; go on with --resume (the checkpoint is in {args.out})")


if __name__ == "__main__":
    main()
