"""The card ``README.md``, printed from the manifest and nothing else."""

from __future__ import annotations

from typing import Any

import yaml

from xadapt.hub.manifest import LOADERS, Evidence, Manifest
from xadapt.hub.snippets import snippets
from xadapt.languages.tags import display_name

LIBRARY = {"lora": "peft", "bottleneck": "adapter-transformers"}
TITLES = {
    "adapters": "adapters (`AutoAdapterModel`)",
    "peft": "peft",
    "transformers": "transformers",
    "sentence-transformers": "sentence-transformers",
}
VECTORS = "sentence-similarity"
"""The Hub's name of what a module without a head is for."""
SIDES = {"language": "language side only", "both": "both sides", None: ""}


def card(manifest: Manifest) -> str:
    """Return the whole text of the card: a YAML header and Markdown."""
    header = yaml.safe_dump(card_header(manifest), sort_keys=False, allow_unicode=True)
    parts = [
        f"---\n{header}---",
        f"# {manifest.name}",
        _what(manifest),
        *_loading(manifest),
        *_data(manifest),
        *_evidence(manifest),
        *_limits(manifest),
        _citation(manifest),
    ]
    return "\n\n".join(parts) + "\n"


def card_header(manifest: Manifest) -> dict[str, Any]:
    """Return the header fields that the Hub, adapters, peft and sentence-transformers read."""
    base, held = manifest.base.id, _held(manifest)
    fields: dict[str, Any] = {
        "base_model": base,
        "base_model_relation": "adapter" if base else None,
        "library_name": LIBRARY.get(manifest.module.kind) if held else "xadapt",
        "language": list(dict.fromkeys(tag.split("-")[0] for tag in _languages(manifest))),
        "language_bcp47": [tag for tag in _languages(manifest) if "-" in tag],
        "license": manifest.licence.lower() if manifest.licence else None,
        "pipeline_tag": _task_type(manifest),
        "tags": _tags(manifest, held),
        "datasets": [d.name for d in manifest.data if d.name.count("/") == 1],
        "model-index": _model_index(manifest),
    }
    return {key: value for key, value in fields.items() if value}


def _task_type(manifest: Manifest) -> str | None:
    if manifest.head is None:
        return VECTORS
    return manifest.head.card.task_type if manifest.head.card else None


def _languages(manifest: Manifest) -> list[str]:
    pivot = [manifest.pivot] if manifest.pivot else []
    return list(dict.fromkeys([*manifest.languages, *pivot]))


def _held(manifest: Manifest) -> list[str]:
    known = manifest.loaders
    return [n for n in LOADERS if n in known and known[n].written]  # type: ignore[index]


def _tags(manifest: Manifest, held: list[str]) -> list[str]:
    tags = ["xadapt", manifest.base.model_type, manifest.module.kind]
    tags += ["adapter-transformers"] * ("adapters" in held)
    tags += [name for name in ("peft", "transformers", "sentence-transformers") if name in held]
    if manifest.base.id:
        tags.append(f"base_model:adapter:{manifest.base.id}")
    return list(dict.fromkeys([*tags, *manifest.objectives]))


def _model_index(manifest: Manifest) -> list[dict[str, Any]]:
    results = [
        {
            "task": {"type": one.task_type or "other", "name": one.task},
            "dataset": {"name": one.data, "type": one.data},
            "metrics": [{"type": one.metric, "value": one.value, "name": _metric(one)}],
        }
        for one in manifest.evidence
    ]
    return [{"name": manifest.name, "results": results}] if results else []


def _metric(one: Evidence) -> str:
    side = SIDES[one.sides]
    return f"{one.metric} ({side})" if side else one.metric


def _what(manifest: Manifest) -> str:
    names = ", ".join(f"{display_name(tag)} (`{tag}`)" for tag in manifest.languages)
    base = f"[{manifest.base.id}](https://huggingface.co/{manifest.base.id})"
    if manifest.base.id is None:
        base = f"a base without an id on the Hub (type {manifest.base.model_type})"
    text = (
        f"A {manifest.module.kind} module of xadapt that makes "
        f"the frozen encoder {base} work better in {names or 'its languages'}."
    )
    if manifest.pivot:
        text += f" Its vectors are aligned with the base's own in {display_name(manifest.pivot)}."
    text += f" Objectives: {', '.join(manifest.objectives)}. Trained on {manifest.created}"
    text += f" with the base in {manifest.dtype}."
    if manifest.head:
        card, labels = manifest.head.card, len(manifest.head.labels)
        text += f" Its head {_cell(card.does) if card else f'gives {labels} scores'}."
    if manifest.trained_inside:
        inside = ", then ".join(f"`{_cell(text)}`" for text in manifest.trained_inside)
        text += f" It was trained inside {inside}, where `self` is this module."
    return text


def _loading(manifest: Manifest) -> list[str]:
    parts = ["## Load it"]
    for name, code in snippets(manifest).items():
        parts.append(f"### {TITLES[name]}\n\n{_status(manifest, name)}")
        parts.append(f"```python\n{code}\n```")
    lost = [
        f"- {TITLES[name]}: {_cell(loader.reason or 'the format has no place for it')}"
        for name, loader in manifest.loaders.items()
        if loader.status == "cannot hold"
    ]
    if lost:
        parts.append("These libraries can't hold this module exactly:\n\n" + "\n".join(lost))
    own = manifest.base.id or "BASE"
    command = f"encode --base {own} --module FOLDER --text FILE --out vectors.npy"
    if manifest.head and manifest.head.card:
        about = manifest.head.card
        command = f"evaluate {about.evaluate} --base {own} {about.options} --data FILE"
    parts.append(f"### xadapt\n\n```bash\nxadapt {command}\n```")
    return parts


def _status(manifest: Manifest, name: str) -> str:
    loader = manifest.loaders[name]  # type: ignore[index]
    note = f" {_cell(loader.reason)}." if loader.reason else ""
    if loader.status != "verified":
        return f"Not tried when this folder was written.{note}"
    return (
        f"Compared when this folder was written, version {loader.version}: hidden states differ "
        f"by at most {loader.max_difference or 0.0:.1g} in fp32.{note}"
    )


def _data(manifest: Manifest) -> list[str]:
    if not manifest.data:
        return []
    rows = [[_cell(d.name), str(d.rows), _cell(d.licence or "not stated")] for d in manifest.data]
    return ["## Trained on", _table(["data", "rows", "licence"], rows)]


def _evidence(manifest: Manifest) -> list[str]:
    if not manifest.evidence:
        return []
    controls = list(dict.fromkeys(name for one in manifest.evidence for name in one.controls))
    rows = [
        [
            _cell(f"{one.task}, {one.data}" + (f" ({one.rows} rows)" if one.rows else "")),
            _cell(_metric(one)),
            _number(one.base),
            *(_number(one.controls.get(name)) for name in controls),
            f"**{one.value:.4g}**" + _interval(one),
        ]
        for one in manifest.evidence
    ]
    head = ["test", "metric", "frozen base", *map(_cell, controls), "with the module"]
    return ["## Evidence", _table(head, rows)]


def _limits(manifest: Manifest) -> list[str]:
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
            f"as `{_cell(manifest.trained_inside[0])}`. Its scores above are of that composition."
        )
    if not manifest.evidence:
        limits.append("It was published without a measured score.")
    return ["## Limits", "\n".join(f"- {limit}" for limit in limits)]


def _citation(manifest: Manifest) -> str:
    parents = f"Made from {', '.join(map(_cell, manifest.parents))}. " if manifest.parents else ""
    return (
        f"## Citation\n\n{parents}Name this module by its name `{manifest.name}` and the hash of "
        "its file, and cite the sources of the objectives and the data above; the whole recipe "
        "stands in `xadapt.json`."
    )


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    plain = " ".join(text.split())
    return plain.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _interval(one: Evidence) -> str:
    return f" [{one.interval[0]:.4g}, {one.interval[1]:.4g}]" if one.interval else ""
