"""Find the base that modules were trained on, where the user does not name it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from xadapt.backbones import fingerprint
from xadapt.backbones.bases import SHIPPED, here_or_on_hub, resolve
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.loading import load_config
from xadapt.core.errors import UserError
from xadapt.hub.composition_file import open_composition
from xadapt.hub.encoder_file import is_portable, read_encoder_file
from xadapt.hub.fetching import is_module, module_folder
from xadapt.hub.manifest import Base, Manifest
from xadapt.hub.opening import require_module


def base_and_modules(
    base: str | Encoder | None, modules: Sequence[str]
) -> tuple[str | Encoder, list[str]]:
    """Tell the base from the modules, where the base may be omitted.

    Args:
        base: The base, or ``None``, or the first module, if the base is omitted.
        modules: Folders or Hub ids of modules.

    Returns:
        The base and all modules.

    Raises:
        UserError: If the base is omitted, and the first module does not name a base that can be
            found.
    """
    if base is not None and (not isinstance(base, str) or not _is_first_module(base)):
        return base, list(modules)
    every = list(modules) if base is None else [str(base), *modules]
    if not every:
        raise UserError("there is no base and no module", todo="Name a base, such as mini")
    return find_base(every[0]), every


def find_base(module: str) -> str:
    """Find the base that a module, a composition or a saved encoder names.

    Args:
        module: A folder or a Hub id.

    Returns:
        A Hub id with an optional revision, ``package:NAME/SUBDIR``, the name of a base that comes
        with xadapt, or a folder if the user saved the encoder with one.

    Raises:
        UserError: If the module names no base, and no base that comes with xadapt is the one.
    """
    folder = module_folder(_path(module))
    saved = read_encoder_file(folder)
    if saved is not None and saved.base is not None:
        if Path(folder).parent.name == "snapshots" and not is_portable(saved.base):
            raise UserError(
                "this encoder from the Hub names a folder as its base",
                where=module,
                todo="Name the base yourself: from_pretrained(BASE, MODULE)",
            )
        return _here(saved.base)
    named = _first_manifest(folder)
    if named is not None and named.base.id:
        return here_or_on_hub(named.base.id, named.base.revision)
    if named is not None:
        for name in SHIPPED:
            if _is_base(name, named.base):
                return name
    raise UserError(
        "its base has no id on the Hub",
        where=module,
        todo="Name the base before it: from_pretrained(BASE, MODULE)",
    )


def _is_first_module(text: str) -> bool:
    """Whether what stands in the place of the base is a module."""
    if text in SHIPPED or text.startswith("package:"):
        return False
    return is_module(_path(text))


def _path(text: str) -> str:
    """Return the folder or Hub id of a module that may have a name: ``NAME=FOLDER``."""
    name, _, folder = text.partition("=")
    return folder if folder and "/" not in name else text


def _here(base: str) -> str:
    """Name a saved base by an installed package, if only the package has it."""
    name, _, revision = base.partition("@")
    return here_or_on_hub(name, revision or None) if "/" in name else base


def _first_manifest(folder: str) -> Manifest | None:
    """Return the manifest of a module, or of the first module of a composition."""
    opened = open_composition(folder)
    if opened is None:
        return require_module(folder)
    return next((require_module(path) for path in opened[1].values()), None)


def _is_base(name: str, wanted: Base) -> bool:
    """Whether a base that comes with xadapt has the fingerprint of a module's base."""
    print_ = fingerprint.Fingerprint.from_dict(dict(wanted.fingerprint))
    config = load_config(resolve(name))
    if (config.model_type, config.hidden_size) != (print_.model_type, print_.width):
        return False
    own = Encoder.from_pretrained(name, dtype="float32", device="cpu").identity
    return not fingerprint.compare(print_, own)
