"""What a run leaves: evidence, manifest, and the module's folder put in place file by file."""

from __future__ import annotations

import datetime
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from torch import nn

from xadapt import languages
from xadapt.assess import BASE, BOTH, LANGUAGE, Bench, judge_bitext
from xadapt.backbones.encoder import Encoder
from xadapt.evaluate.systems import DIRECTIONS
from xadapt.evaluate.tfidf import NAME as TFIDF
from xadapt.hub.folder import write_folder
from xadapt.hub.manifest import Base, Data, Evidence, Manifest, ModuleSpec, build_manifest
from xadapt.recipe import Recipe
from xadapt.records import ParallelPair
from xadapt.records_in import Loaded, Source
from xadapt.store import options_of, save_module

VERIFY_TEXTS = ("A short one.", "A sentence of some more words, to fill the batch.", "7")
Verify = Callable[[str, nn.Module, Sequence[str]], Mapping[str, Callable[[Path], float]]]


def evidence(encoder: Encoder, module: nn.Module, dev: Sequence[ParallelPair]) -> list[Evidence]:
    """Retrieval on the development split, of the module in both modes and the controls."""
    if not dev:
        return []
    result = judge_bitext(Bench(encoder), dev, module, controls=True)
    return [
        Evidence(
            task="bitext",
            data="development split",
            metric=f"accuracy {way.replace('_', ' ')}",
            value=result[name].accuracy[way].mean,
            base=result[BASE].accuracy[way].mean,
            controls={"tf-idf": result[TFIDF].accuracy[way].mean},
            sides="language" if name == LANGUAGE else "both",
            interval=(result[name].accuracy[way].low, result[name].accuracy[way].high),
            rows=result.pool,
        )
        for name in (LANGUAGE, BOTH)
        for way in DIRECTIONS
    ]


def manifest_of(
    recipe: Recipe,
    encoder: Encoder,
    module: nn.Module,
    sources: Sequence[Source],
    loaded: Loaded,
    *,
    base_id: str | None,
    licence: str | None,
) -> Manifest:
    """All that is known of a trained module.

    Raises:
        UserError: The base id or the licence is malformed.
    """
    tags = list(dict.fromkeys(languages.normalise(source.lang) for source in sources))
    return build_manifest(
        name=f"{'-'.join(tags[:4])}_{recipe.name}",
        base=Base(
            id=base_id or encoder.hub_id(),
            revision=encoder.source.revision,
            model_type=str(encoder.model.config.model_type),  # type: ignore[union-attr]
            fingerprint=encoder.identity.to_dict(),
        ),
        module=ModuleSpec(
            kind=recipe.module.kind, options=options_of(module).model_dump(mode="json")
        ),
        objectives=[spec.name for spec in recipe.objectives],
        recipe=recipe.model_dump(mode="json"),
        languages=tags,
        pivot=languages.normalise(sources[0].pivot_lang),
        data=[
            Data(name=Path(source.path).name, sha256=loaded.sha256, rows=len(loaded.train))
            for source in sources
        ],
        evidence=evidence(encoder, module, loaded.dev),
        pooling=encoder.pooling.to_dict(),
        prompt=encoder.pooling.prompt,
        max_length=encoder.max_length,
        dtype=str(encoder.dtype).removeprefix("torch."),
        created=datetime.date.today().isoformat(),
        licence=licence,
    )


def publish(
    out: Path,
    base: str,
    module: nn.Module,
    encoder: Encoder,
    manifest: Manifest,
    verify: Verify,
    twin: nn.Module | None,
) -> Manifest:
    """Write the folder aside, then move its files into place, the manifest last."""
    ready = out / "run" / "module"
    checks = verify(base, module.to("cpu"), VERIFY_TEXTS)
    manifest = write_folder(ready, module, encoder, manifest, verify=checks, replace=True)
    if twin is not None:
        (out / "controls").mkdir(exist_ok=True)
        save_module(out / "controls" / "shuffled.safetensors", twin.to("cpu"))
    for file in sorted(ready.iterdir(), key=lambda file: file.name == "xadapt.json"):
        target = out / file.name
        if target.is_dir():
            shutil.rmtree(target)
        file.replace(target)
    ready.rmdir()
    for left in (out / "run").rglob("checkpoint.safetensors"):
        left.unlink()
    return manifest
