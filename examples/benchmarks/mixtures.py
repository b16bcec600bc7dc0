"""Mixtures of LoRAs for named entities: one LoRA a language, weighed in several ways.

    python examples/benchmarks/mixtures.py --data DATA

All systems learn from the same sentences of WikiANN in four languages and are tried on its
validation parts, and on French, which none has seen (WikiNEuRal, with MISC as outside). Experts are
LoRAs that were each trained on one of the languages; on top of them, frozen, each way of weighing
them gets a head of its own, trained on all four languages.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import yaml
from bench import HERE, parser, save, xadapt
from transfer import told

from xadapt.config.recipe_file import find_recipe
from xadapt.core import registry
from xadapt.data.records import TaggedSentence
from xadapt.hub.opening import tensor_path
from xadapt.tasks.tagging import Tagger, Tagging

LANGS = ("en", "de", "es", "ru")
UNSEEN, NEAR = "fr", "es"  # the oracle has no expert for French: it takes that of its branch
RANK = 4
SITES = ["q", "k", "v", "attn_out", "ffn_in"]
LORA = {"kind": "lora", "sites": SITES, "rank": RANK, "alpha": 2 * RANK}
PLAIN = "uniform mixture"
IMAGES = HERE.parent.parent / "docs" / "images"
Expression = Callable[[str], str]


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--base", default="mini")
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--sentences", type=int, default=1_000, help="of each language")
    args = options.parse_args()
    scores: dict[str, dict[str, list[dict]]] = {}
    sizes: dict[str, int] = {}
    for seed in range(args.seeds):
        experts(args, seed)
        plans = systems(args, seed)
        for name, (module, compose) in plans.items():
            if module is not None:
                learn(args, seed, name, module, LANGS, compose)
                sizes[name] = size(place(args, seed, name))
        for name, by_language in judge(args, seed).items():
            for lang, row in by_language.items():
                scores.setdefault(name, {}).setdefault(lang, []).append(row)
        result = {"base": args.base, "seeds": args.seeds, "seen": LANGS, "unseen": [UNSEEN]}
        result |= {"bytes": sizes, "systems": tables(scores)}
        save(f"mixtures_{Path(args.base).name}", result)
    draw(args)


def draw(args: argparse.Namespace, texts: int = 200) -> None:
    """Which experts the router of the first seed uses, by layer and language."""
    reader = registry.load("readers", "conll")()
    words = {lang: test_rows(args, lang, reader)[:texts] for lang in (*LANGS, UNSEEN)}
    files = [place(args, 0, name).with_suffix(".txt") for name in ("texts", "languages")]
    files[0].write_text("".join(f"{' '.join(r.words)}\n" for rs in words.values() for r in rs))
    files[1].write_text("".join(f"{lang}\n" for lang, rs in words.items() for _ in rs))
    named = {"router": "learnt router", **{lang: lang for lang in LANGS}}
    modules = [
        part for n, own in named.items() for part in ("--module", f"{n}={place(args, 0, own)}")
    ]
    xadapt(
        "usage", "--base", args.base, *modules, "--compose", f"route(router; {', '.join(LANGS)})",
        "--text", files[0], "--languages", files[1], "--out", IMAGES / "router.png",
    )  # fmt: skip


def tables(scores: dict[str, dict[str, list[dict]]]) -> dict[str, dict]:
    """As `transfer.told`, the mean over the seen languages alone."""
    rows = told({n: {lang: r[lang] for lang in LANGS if lang in r} for n, r in scores.items()})
    for name, by_language in told({n: {UNSEEN: r[UNSEEN]} for n, r in scores.items()}).items():
        for part in ("languages", "gain"):
            rows[name][part] |= by_language[part]
    return rows


def place(args: argparse.Namespace, seed: int, name: str) -> Path:
    return args.work / f"mixtures_{Path(args.base).name}" / f"{name.replace(' ', '_')}-{seed}"


def experts(args: argparse.Namespace, seed: int) -> None:
    """One LoRA a language."""
    for lang in LANGS:
        learn(args, seed, lang, LORA, (lang,))


def systems(args: argparse.Namespace, seed: int) -> dict[str, tuple[dict | None, str | None]]:
    """What each system trains, and inside what."""
    own = {lang: str(place(args, seed, lang)) for lang in LANGS}
    listed = ", ".join(own.values())
    by_language = ", ".join(f"{lang} = {folder}" for lang, folder in own.items())
    head = {"kind": "none"}
    count = len(LANGS)
    mixture = {"kind": "mixture_of_loras", "experts": count, "sites": SITES, "rank": RANK}
    router = {"kind": "router", "experts": count, "scope": "layer", "features": "mean"}
    fusion = {"kind": "fusion", "experts": count, "sites": SITES, "width": 32, "value": False}
    return {
        "head only": (head, None),
        "one LoRA of the rank of one": (LORA, None),
        "one LoRA of the rank of all": ({**LORA, "rank": count * RANK, "alpha": 8 * RANK}, None),
        "mixture trained at once": ({**mixture, "alpha": 2 * RANK, "scope": "layer"}, None),
        PLAIN: (head, f"mix({listed}) + self"),
        "oracle": (head, f"by_language({by_language}) + self"),
        "Arrow": (head, f"route(arrow; {listed}) + self"),
        "learnt router": (router, f"route(self; {listed})"),
        "fusion": (fusion, f"fuse(self; {listed})"),
    }


def learn(
    args: argparse.Namespace,
    seed: int,
    name: str,
    module: dict,
    langs: tuple[str, ...],
    compose: str | None = None,
) -> None:
    """Train one module with its head."""
    recipe = yaml.safe_load(find_recipe("ner").read_text(encoding="utf-8"))
    recipe |= {"module": module, "seed": seed}
    recipe["data"]["train"]["limit"] = args.sentences
    file = place(args, seed, name).with_suffix(".yaml")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(recipe), encoding="utf-8")
    data = args.data / "ner" / "wikiann" / "{lang}_train.tsv.gz"
    more = ("--compose", compose) if compose else ()
    xadapt(
        "train", file, "--base", args.base, "--data", data, "--lang", ",".join(langs), "--joint",
        "--out", place(args, seed, name), "--resume", *more,
    )  # fmt: skip


def size(folder: Path) -> int:
    """Bytes of a module's parameters."""
    return tensor_path(folder).stat().st_size


def judge(args: argparse.Namespace, seed: int) -> dict[str, dict[str, dict]]:
    """Every system on every language, with its difference to the uniform mixture."""
    own = {lang: str(place(args, seed, lang)) for lang in LANGS}
    listed = ", ".join(own.values())
    turned = {lang: LANGS[(i + 1) % len(LANGS)] for i, lang in enumerate(LANGS)} | {UNSEEN: "ru"}
    oracle: Expression = lambda lang: f"{own.get(lang, own[NEAR])} + self"  # noqa: E731
    uses: dict[str, tuple[str, Expression]] = {
        name: (name, lambda lang: "self")
        for name in ("head only", "one LoRA of the rank of one", "one LoRA of the rank of all",
                     "mixture trained at once")
    }  # fmt: skip
    uses |= {
        PLAIN: (PLAIN, lambda lang: f"mix({listed}) + self"),
        "oracle": ("oracle", oracle),
        "oracle, another language's": ("oracle", lambda lang: f"{own[turned[lang]]} + self"),
        "Arrow": ("Arrow", lambda lang: f"route(arrow; {listed}) + self"),
        "learnt router": ("learnt router", lambda lang: f"route(self; {listed})"),
        "fusion": ("fusion", lambda lang: f"fuse(self; {listed})"),
    }
    reader = registry.load("readers", "conll")()
    found: dict[str, dict[str, dict]] = {}
    for lang in (*LANGS, UNSEEN):
        rows = test_rows(args, lang, reader)
        words = [row.words for row in rows]
        said = {}
        for name, (trained, text) in uses.items():
            own_head = str(place(args, seed, trained))
            tagger = Tagger.load(
                args.base, compose=text(lang).replace("self", own_head), head=own_head
            )
            said[name] = tagger.tag(words)
        for row in Tagging().evaluate(rows, said, base=PLAIN).rows:
            found.setdefault(row.system, {})[lang] = row.to_dict()
        print(seed, lang, {n: round(f[lang]["score"]["mean"], 3) for n, f in found.items()})
    return found


def test_rows(args: argparse.Namespace, lang: str, reader: object) -> list[TaggedSentence]:
    """The test sentences; what WikiANN has no name for is outside."""
    folder = args.data / "ner"
    seen = folder / "wikiann" / f"{lang}_val.tsv.gz"
    file = seen if lang in LANGS else folder / "nc" / f"wikineural_{lang}_test.tsv.gz"
    rows = list(reader.read(str(file), lang))  # type: ignore[attr-defined]
    return [replace(row, spans=tuple(s for s in row.spans if s[2] != "MISC")) for row in rows]


if __name__ == "__main__":
    main()
