"""The card ``README.md``, made from the manifest: a header for the Hub, a body by a template.

The file is long because each section of a card has its function here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from xadapt.backbones.fingerprint import Fingerprint
from xadapt.backbones.task_class import MLM
from xadapt.core.errors import UserError
from xadapt.hub.card_ids import data_id, licence_fields, metric_id
from xadapt.hub.file_purposes import purpose
from xadapt.hub.manifest import LOADERS, Ancestor, Evidence, Manifest, Origin
from xadapt.hub.markdown import Markdown, code, escaped, render
from xadapt.hub.snippets import off_switches, prompts_by_side, snippets, xadapt_snippet
from xadapt.hub.task_lines import task_name
from xadapt.hub.worse_than_base import worse_than_base
from xadapt.languages.tags import display_name

TEMPLATE = "card.md.jinja"
FIELD = "xadapt"
"""The header's field with the facts that the Hub has no fields for."""
LIBRARY_TAG = "xadapt"
TITLES = {
    "adapters": "adapters (`AutoAdapterModel`)",
    "peft": "peft",
    "transformers": "transformers",
    "sentence-transformers": "sentence-transformers",
}
VECTORS, MASKED = "sentence-similarity", "fill-mask"
"""The Hub's names of what a module without a head is for."""
SIDES = {"language": "language side only", "both": "both sides", None: ""}
BASE, MODULE = "frozen base", "with the module"
DEVELOPMENT = "development split"
EVIDENCE, PICTURE = "evidence.json", "evidence.png"


def card(manifest: Manifest, files: Iterable[str] = ()) -> str:
    """Return the whole text of the card: a YAML header and Markdown.

    Args:
        manifest: The manifest.
        files: The files of the folder, which the card explains.
    """
    header = Markdown(card_data(manifest).to_yaml())
    return render(TEMPLATE, {"header": header, **_body(manifest, list(files))})


def card_data(manifest: Manifest) -> ModelCardData:
    """Return the header fields that the Hub and other libraries read."""
    base, held = manifest.base.id, _held(manifest)
    bcp47 = [tag for tag in _languages(manifest) if "-" in tag]
    fields: dict[str, Any] = {
        "language": list(dict.fromkeys(tag.split("-")[0] for tag in _languages(manifest))),
        "language_bcp47": bcp47 or None,
        **licence_fields(manifest.licence),
        "library_name": _library(manifest, held),
        "pipeline_tag": _task_type(manifest),
        "tags": _tags(manifest, held),
        "datasets": _data_sets(manifest) or None,
        "metrics": list(dict.fromkeys(metric_id(one.metric) for one in manifest.evidence)) or None,
        "base_model": base,
        "base_model_relation": "adapter" if base else None,
        FIELD: summary(manifest),
    }
    results = [_result(one) for one in manifest.evidence]
    named: dict[str, Any] = {"eval_results": results, "model_name": manifest.name}
    named = named if results else {}
    return ModelCardData(**fields, **named)


def composition_data(manifests: Sequence[Manifest], text: str) -> ModelCardData:
    """Return the header of the card of a composition.

    Args:
        manifests: The manifests of its modules.
        text: The composition.
    """
    bases = {one.base.id for one in manifests}
    base = bases.pop() if len(bases) == 1 else None
    licences = {one.licence for one in manifests}
    licence = licences.pop() if len(licences) == 1 else None
    languages = list(dict.fromkeys(tag for one in manifests for tag in one.languages))
    objectives = list(dict.fromkeys(o for one in manifests for o in one.objectives))
    facts: dict[str, Any] = {
        "name": text[:200],
        "kind": "composition",
        "objectives": objectives,
        "languages": languages,
    }
    own: dict[str, Any] = {**licence_fields(licence), FIELD: facts}
    return ModelCardData(
        language=list(dict.fromkeys(tag.split("-")[0] for tag in languages)),
        library_name=LIBRARY_TAG,
        tags=[LIBRARY_TAG, "composition", *objectives],
        base_model=base,
        base_model_relation="adapter" if base else None,
        **own,
    )


def card_header(manifest: Manifest) -> dict[str, Any]:
    """Return the header as a dictionary."""
    return dict(card_data(manifest).to_dict())


def require_valid(text: str, where: str) -> None:
    """Refuse a card that huggingface_hub can't read.

    Raises:
        UserError: If the header is no YAML, or its scores are not as the Hub wants them.
    """
    try:
        ModelCard(text)
    except Exception as error:  # YAML's errors and huggingface_hub's own
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"the card's header is malformed ({reason})", where=where) from None


def summary(manifest: Manifest) -> dict[str, Any]:
    """Return the facts by which a module is searched, for the card's header."""
    first = _main_evidence(manifest)
    facts: dict[str, Any] = {
        "name": manifest.name,
        "kind": manifest.module.kind,
        "objectives": list(manifest.objectives),
        "languages": list(manifest.languages),
        "pivot": manifest.pivot,
        "task": manifest.head.task if manifest.head else None,
        "fingerprint": manifest.base.fingerprint_id,
        "pairs": sum(one.rows for one in manifest.data) or None,
        "metric": None if first is None else f"{first.task}: {_metric(first)}",
        "score": None if first is None else first.value,
        "base_score": None if first is None else first.base,
    }
    return {key: value for key, value in facts.items() if value is not None}


def _library(manifest: Manifest, held: list[str]) -> str:
    """Choose the library whose lines the Hub's page shows.

    An explicit ``library_name`` wins over what the Hub would guess from the files, and it would
    guess peft from ``adapter_config.json``. The page's lines for peft are made from ``task_type``.
    A module of an encoder-decoder has one. A module that computes vectors has none, and the page
    prints "Task type is invalid". The lines for sentence-transformers need no more than the id:
    ``modules.json`` and ``1_Pooling`` lie in the root, and its transformer is the root itself,
    where transformers finds ``adapter_config.json`` with the id of the base. Those for adapters
    name ``base_model`` and the id, and adapters reads ``pytorch_adapter.bin`` in the root. A
    library that the Hub doesn't know has no lines at all.
    The Hub counts downloads of adapters by ``adapter_config.json``. It counts those of
    sentence-transformers by ``config.json``, which a folder without the base's weights must not
    have: so there are none to see.
    """
    if "sentence-transformers" in held and manifest.head is None:
        return "sentence-transformers"
    if manifest.backbone == "seq2seq" and "peft" in held:
        return "peft"
    if "adapters" in held and "peft" not in held:
        return "adapter-transformers"
    return LIBRARY_TAG


def _task_type(manifest: Manifest) -> str | None:
    if manifest.backbone == "seq2seq":
        return "translation" if manifest.pivot else "text-generation"
    if manifest.head is None:
        return MASKED if task_name(manifest) == MLM else VECTORS
    return manifest.head.card.task_type if manifest.head.card else None


def _languages(manifest: Manifest) -> list[str]:
    pivot = [manifest.pivot] if manifest.pivot else []
    return list(dict.fromkeys([*manifest.languages, *pivot]))


def _held(manifest: Manifest) -> list[str]:
    known = manifest.loaders
    return [n for n in LOADERS if n in known and known[n].written]  # type: ignore[index]


def _tags(manifest: Manifest, held: list[str]) -> list[str]:
    tags = [LIBRARY_TAG, manifest.base.model_type, manifest.module.kind]
    tags += ["adapter-transformers"] * ("adapters" in held)
    tags += [name for name in ("peft", "transformers", "sentence-transformers") if name in held]
    if manifest.base.id:
        tags.append(f"base_model:adapter:{manifest.base.id}")
    tags += [manifest.head.task] if manifest.head else []
    return list(dict.fromkeys([*tags, *manifest.objectives]))


def _vocabulary(manifest: Manifest) -> str | None:
    """Return the size of a module's own vocabulary and what its rows began with."""
    options = manifest.module.options
    if manifest.module.kind != "vocabulary" or not options.get("pieces"):
        return None
    names = {
        "copied": "were copied from the base",
        "combined": f"were combined of rows of the base ({options.get('start')})",
        "pieces": "were means of the base's tokens for the same text",
    }
    began = [f"{options['started'].get(key, 0):,} {said}" for key, said in names.items()]
    rank = f" of rank {options['rank']:,}" if options.get("rank") else ""
    kind = options.get("row_dtype", "float32")
    rank += f" in {kind}" if kind != "float32" else ""
    if options.get("row_bytes"):
        rank += f" ({options['row_bytes'] / 1e6:.1f} MB)"
    return f"{options['pieces']:,} rows of its own{rank}; at the start {', '.join(began)}"


def _main_evidence(manifest: Manifest) -> Evidence | None:
    """Return the score that stands for the module: with the module on both sides, if there is one.

    Whoever loads the module leaves it on for the other language too. Scores on test data stand
    before those on the development split.
    """
    both = [one for one in manifest.evidence if one.sides == "both"]
    return next(iter([*both, *manifest.evidence]), None)


def _result(one: Evidence) -> EvalResult:
    name = _metric(one)
    if one.interval:
        name += f", 95 % interval {one.interval[0]:.4g} to {one.interval[1]:.4g}"
    return EvalResult(
        task_type=one.task_type or "other",
        task_name=one.task,
        dataset_type=data_id(one.data),
        dataset_name=one.data,
        metric_type=metric_id(one.metric),
        metric_name=name,
        metric_value=one.value,
    )


def _metric(one: Evidence) -> str:
    side = SIDES[one.sides]
    return f"{one.metric} ({side})" if side else one.metric


def _body(manifest: Manifest, files: Sequence[str]) -> dict[str, Any]:
    """Return the values of the template; all of them are escaped there."""
    head, pivot = manifest.head, manifest.pivot
    rows = sum(one.rows for one in manifest.data)
    return {
        "name": manifest.name,
        "kind": manifest.module.kind,
        "base": _base(manifest),
        "writes": manifest.backbone == "seq2seq",
        "languages": _named(manifest.languages) or "its languages",
        "pivot": display_name(pivot) if pivot else None,
        "objectives": ", ".join(manifest.objectives),
        "created": manifest.created,
        "dtype": manifest.dtype,
        "rows": f"{rows:,} {'pairs of sentences' if pivot else 'rows'}" if rows else None,
        "head": _head(manifest),
        "vocabulary": _vocabulary(manifest),
        "vocabulary_alone": manifest.module.options.get("acts_on") == "own",
        "inside": _then(manifest.trained_inside),
        "origin": _origin(manifest.origin),
        "started": [_ancestor(one) for one in manifest.started_from],
        "teacher": _teacher(manifest),
        "prompts": _prompts(manifest),
        "sizes": ", ".join(map(str, manifest.recipe.get("dimensions") or ())),
        "own_english": pivot is None and "en" in {tag.split("-")[0] for tag in manifest.languages},
        "loaders": _loaders(manifest),
        "english": display_name(pivot or "en"),
        "lost": [
            {"title": Markdown(TITLES[name]), "reason": one.reason or "it has no place for it"}
            for name, one in manifest.loaders.items()
            if one.status == "cannot hold"
        ],
        "nameless": ", ".join(
            name for name, one in manifest.loaders.items() if one.status == "no base id"
        ),
        "left_out": ", ".join(
            name for name, one in manifest.loaders.items() if one.status == "left out"
        ),
        "command": Markdown(_command(manifest)),
        "own": Markdown(xadapt_snippet(manifest)) if head is None else None,
        "files": [{"name": code(name), "purpose": purpose(name, manifest)} for name in files],
        "data": [
            {
                "name": Markdown(", ".join([escaped(d.name), *map(_data_link, d.ids)])),
                "rows": f"{d.rows:,}",
                "licence": d.licence or "not stated",
            }
            for d in manifest.data
        ],
        "excluded": [
            {"name": one.name, "data": d.name, "sha256": one.sha256[:16]}
            for d in manifest.data
            for one in d.excluded
        ],
        "made_by": [
            code(f"{name}: {', '.join(f'{k} {v}' for k, v in facts.items())}")
            for name, facts in sorted(manifest.callables.items())
        ],
        "evidence": _evidence(manifest),
        "picture": Markdown(PICTURE) if PICTURE in files else None,
        "measured": code(EVIDENCE) if EVIDENCE in files else None,
        "again": code(_again(manifest)),
        "seen": _seen(manifest),
        "limits": _limits(manifest),
        "parents": ", ".join(manifest.parents),
    }


def _data_sets(manifest: Manifest) -> list[str]:
    """Return the ids of the data sets on the Hub: of sources there, and those that were stated."""
    own = [d.name for d in manifest.data if d.name.count("/") == 1]
    return list(dict.fromkeys([*own, *(name for d in manifest.data for name in d.ids)]))


def _data_link(name: str) -> str:
    return f"[{escaped(name)}](https://huggingface.co/datasets/{name})"


def _again(manifest: Manifest) -> str:
    """Return the line that measures the evidence again."""
    tests = (one.data for one in manifest.evidence if one.data != DEVELOPMENT)
    data = next(tests, "test.tsv").replace('"', "")
    return f'xadapt.rerun_evidence("FOLDER", "{data}")'


def _seen(manifest: Manifest) -> str | None:
    """Return what the fingerprint of the training texts says, as a sentence."""
    known = manifest.training_texts
    if known is None:
        return None
    part = "" if known.complete else " Those of a module that training began with are not known."
    return (
        f"It holds {known.texts:,} texts, and takes another text for one of them with a "
        f"probability of {known.false_positive_rate:.1g}.{part}"
    )


def _base(manifest: Manifest) -> Markdown:
    base = manifest.base
    if base.id is None:
        return escaped(f"a base without an id on the Hub (type {base.model_type})")
    return Markdown(f"[{escaped(base.id)}](https://huggingface.co/{base.id})")


def _teacher(manifest: Manifest) -> Markdown | None:
    teacher = manifest.teacher
    if teacher is None:
        return None
    hash_ = Fingerprint.from_dict(dict(teacher.fingerprint)).id
    name = code(teacher.id) if teacher.id else f"a model of type {escaped(teacher.model_type)}"
    return Markdown(f"{name} ({code(hash_[:23])})")


def _prompts(manifest: Manifest) -> Markdown | None:
    """Return the prompts of queries and passages, in words."""
    sides = prompts_by_side(manifest)
    before = {"query": "queries", "passage": "passages"}
    said = [
        f"{code(json.dumps(prompt, ensure_ascii=False))} before {before[side]}"
        for side, (name, prompt) in sides.items()
        if name
    ]
    return Markdown(" and ".join(said)) if said else None


def _named(tags: Iterable[str]) -> Markdown:
    return Markdown(", ".join(f"{escaped(display_name(tag))} ({code(tag)})" for tag in tags))


def _head(manifest: Manifest) -> str | None:
    if manifest.head is None:
        return None
    card = manifest.head.card
    return card.does if card else f"gives {len(manifest.head.labels)} scores"


def _then(texts: list[str]) -> Markdown | None:
    return Markdown(", then ".join(map(code, texts))) if texts else None


def _ancestor(one: Ancestor) -> Markdown:
    """Return the name of a module that training began with, as a link if it is on the Hub."""
    if one.id is None:
        return Markdown(f"{escaped(one.name)} (tensors {code(one.tensors[:12])})")
    url = f"https://huggingface.co/{one.id}/tree/{one.revision or 'main'}"
    return Markdown(f"[{escaped(one.id)}]({url})")


def _origin(one: Origin | None) -> Markdown | None:
    """Return the library and the folder that a module was imported from."""
    if one is None:
        return None
    url = f"https://huggingface.co/{one.id}/tree/{one.revision or 'main'}"
    name = Markdown(f"[{escaped(one.id)}]({url})") if one.id else escaped(one.name)
    version = f" {one.version}" if one.version else ""
    said = f"{name}, a folder of {one.library}{version}"
    if one.max_difference is None:
        return Markdown(f"{said} (not compared with {one.library}: {escaped(one.reason or '')})")
    return Markdown(
        f"{said} (hidden states differ by at most {one.max_difference:.1g} from those of "
        f"{one.library} {one.compared_with})"
    )


def _loaders(manifest: Manifest) -> list[dict[str, Any]]:
    switches = off_switches(manifest)
    return [
        {
            "title": Markdown(TITLES[name]),
            "status": _status(manifest, name),
            "code": Markdown(text),
            "off": Markdown(switches[name]) if name in switches else None,
        }
        for name, text in snippets(manifest).items()
    ]


def _status(manifest: Manifest, name: str) -> str:
    loader = manifest.loaders[name]  # type: ignore[index]
    note = f" {loader.reason}." if loader.reason else ""
    if loader.status != "verified":
        return f"Not tried when this folder was written.{note}"
    values = "hidden states" if task_name(manifest) is None else "logits"
    return (
        f"Compared when this folder was written, version {loader.version}: {values} differ "
        f"by at most {loader.max_difference or 0.0:.1g} in fp32.{note}"
    )


def _command(manifest: Manifest) -> str:
    own = manifest.base.id or "BASE"
    if manifest.backbone == "seq2seq":
        return f"verify FOLDER --base {own}"
    if manifest.head and manifest.head.card:
        about = manifest.head.card
        return f"evaluate {about.evaluate} --base {own} {about.options} --data FILE"
    return f"encode --base {own} --module FOLDER --text FILE --out vectors.npy"


def _evidence(manifest: Manifest) -> dict[str, Any] | None:
    if not manifest.evidence:
        return None
    controls = list(dict.fromkeys(name for one in manifest.evidence for name in one.controls))
    rows = [
        [
            f"{one.task}, {one.data}" + (f" ({one.rows} rows)" if one.rows else ""),
            _metric(one),
            _number(one.base),
            *(_number(one.controls.get(name)) for name in controls),
            Markdown(f"**{one.value:.4g}**" + _interval(one)),
        ]
        for one in manifest.evidence
    ]
    return {"head": ["test", "metric", BASE, *controls, MODULE], "rows": rows}


def _limits(manifest: Manifest) -> list[Markdown]:
    limits = ["Made for this base alone: on other weights it loads and computes nonsense."]
    if manifest.module.options.get("form") == "parallel":
        limits.append(
            "Do not put it into a `Stack` of adapters: beside a parallel bottleneck the `Stack` "
            "loses the output of the feed-forward layer or the other module. Alone it is exact."
        )
    if manifest.module.kind == "lora" and "adapters" in _held(manifest):
        limits.append(
            "Do not put it into a `Stack` with another LoRA in adapters: their product is "
            "computed there, not their sum. A `Stack` with a bottleneck is exact."
        )
    if manifest.trained_inside:
        limits.append(
            "Alone it computes, but not what it was trained for: use it inside a composition such "
            f"as {code(manifest.trained_inside[0])}. Its scores above are of that composition."
        )
    worse = worse_than_base(manifest.evidence)
    if worse:
        limits.append(f"{worse}. More data, or more epochs, may help.")
    limits += [f"Base mismatch: {code(line)}." for line in manifest.base_mismatch]
    if not manifest.evidence:
        limits.append("It was published without a measured score.")
    if manifest.licence is None:
        limits.append("No licence is stated for it.")
    return [Markdown(limit) for limit in limits]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _interval(one: Evidence) -> str:
    return f" [{one.interval[0]:.4g}, {one.interval[1]:.4g}]" if one.interval else ""
