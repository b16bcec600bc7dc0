"""What each file of a module's folder is for, in the words of its card."""

from __future__ import annotations

from xadapt.hub.manifest import MODULE, Manifest

PEFT, ADAPTERS = "peft, transformers and sentence-transformers", "adapters"
OTHERS = {
    "adapter_model.safetensors": PEFT,
    "adapter.safetensors": f"{ADAPTERS}, with use_safetensors=True",
}
PURPOSES = {
    "README.md": "this card",
    MODULE: "the module's tensors, for xadapt",
    "head.safetensors": "the task head, for xadapt",
    "pytorch_adapter.bin": "the same tensors for the default loader of adapters; never read here",
    "head_config.json": "settings of the head, for adapters",
    "model_head.safetensors": "the task head, for adapters with use_safetensors=True",
    "pytorch_model_head.bin": "the same head for the default loader of adapters; never read here",
    "controls/shuffled.safetensors": (
        "the control: the same module, trained on shuffled pairs. It is compared with, not used"
    ),
    "training_texts.safetensors": (
        "a fingerprint of the training texts: it tells whether a test text was trained on"
    ),
    "evidence.json": "scores on test data with their controls, and what measures them again",
    "evidence.png": "the picture of these scores",
    "xadapt.json": "the manifest: base, data, recipe, scores, and the hash of every file",
}


def purpose(name: str, manifest: Manifest) -> str:
    """Return what a file is for.

    Args:
        name: Path of the file in the folder.
        manifest: The manifest of the module.
    """
    if name in OTHERS:
        shared = manifest.module.file == name
        return f"the module's tensors, for {'xadapt, ' if shared else ''}{OTHERS[name]}"
    if name == "adapter_config.json":
        held = [n for n in (ADAPTERS, "peft") if n in manifest.loaders]
        held = [n for n in held if manifest.loaders[n].written]  # type: ignore[index]
        return f"settings of the module, for {' and '.join(held)}"
    sentence = manifest.loaders.get("sentence-transformers")
    if name == "modules.json" and not (sentence and sentence.written):
        return "tells sentence-transformers that it can't load this module"
    known = PURPOSES.get(name)
    if known is None:
        return "settings for sentence-transformers: pooling, length and prompts of the base"
    return known
