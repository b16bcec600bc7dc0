from __future__ import annotations

import resource
from pathlib import Path

import pytest
from tiny_commands import QUICK, everything
from tiny_models import tiny_encoder
from tiny_training import module_for, shaken

from xadapt.config.recipe import Recipe
from xadapt.config.recipe_file import find_recipe, load_recipe
from xadapt.core.errors import UserError
from xadapt.data.loading.records import Share, Source
from xadapt.hub.manifest import Manifest
from xadapt.pipelines import outcome

ENCODER = tiny_encoder("bert")


def recipe(name: str = "") -> Recipe:
    made = load_recipe(find_recipe("translation_ranking"), QUICK[1::2])
    return made.model_copy(update={"name": name}) if name else made


def shares(*sources: Source) -> list[Share]:
    return [Share(source, 10 + n, f"{n}" * 64) for n, source in enumerate(sources)]


def manifest(*sources: Source, name: str = "", base_id: str | None = None) -> Manifest:
    given = shares(*(sources or (Source("/home/me/data/de.tsv", "deu"),)))
    return outcome.manifest_of(
        recipe(name), ENCODER, module_for(ENCODER), given, base_id=base_id, licence=None
    )


def test_sources_are_named_without_folders_and_hub_ids_whole() -> None:
    made = manifest(
        Source("/home/me/de.tsv", "de"), Source("hf:org/name:train", "sw"), Source("cldr:dev", "sw")
    )
    assert [d.name for d in made.data] == ["de.tsv", "org/name", "cldr:dev"]
    assert [d.rows for d in made.data] == [10, 11, 12]
    assert made.languages == ["de", "sw"]


@pytest.mark.parametrize("name", ["mine", "my.own v2/é", "...", "x" * 200])
def test_any_name_of_a_recipe_gives_a_name_adapters_takes(name: str) -> None:
    made = manifest(name=name)
    assert made.name.startswith("de_") and "." not in made.name and len(made.name) <= 96


def test_a_malformed_base_id_is_the_users_mistake() -> None:
    assert manifest(base_id="org/base").base.id == "org/base"
    with pytest.raises(UserError, match="id"):
        manifest(base_id="/a/folder")


def test_the_same_recipe_is_known_again() -> None:
    made = manifest()
    assert outcome.same_recipe(made, recipe())
    assert not outcome.same_recipe(made, recipe().model_copy(update={"seed": 1}))
    own = recipe().model_copy(update={"base": "/home/me/base"})
    stored = Manifest(**{**made.model_dump(), "recipe": own.model_dump(mode="json")})
    assert "/home" not in stored.model_dump_json() and outcome.same_recipe(stored, own)
    older = recipe().model_dump(mode="json")
    del older["data"]["train"]["transforms"], older["companions"]
    older["data"]["train"] |= {"filter": True, "maker": None}  # as it was once written
    assert outcome.same_recipe(Manifest(**{**made.model_dump(), "recipe": older}), recipe())
    older["data"]["train"]["filter"] = False
    assert not outcome.same_recipe(Manifest(**{**made.model_dump(), "recipe": older}), recipe())
    odd = Manifest(**{**made.model_dump(), "recipe": {**older, "old": 1}})
    assert not outcome.same_recipe(odd, recipe())


def test_publish_puts_the_files_in_place_with_the_twin(tmp_path: Path) -> None:
    module, twin = shaken(module_for(ENCODER), 1), shaken(module_for(ENCODER), 2)
    seen: list[tuple[str, ...]] = []

    def verify(base: str, _: object, texts: tuple[str, ...], *more: object) -> dict:
        seen.append((base, *texts))
        return {}

    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "checkpoint.safetensors").write_text("x")
    made = outcome.publish(tmp_path, "BASE", module, ENCODER, manifest(), verify, twin)  # type: ignore[arg-type]
    names = everything(tmp_path)
    assert {"xadapt.json", "README.md", "controls/shuffled.safetensors"} < set(names)
    assert everything(tmp_path / "run") == []
    assert seen == [("BASE", *outcome.VERIFY_TEXTS)]
    assert all(loader.status != "verified" for loader in made.loaders.values())


def test_a_full_disk_at_any_file_leaves_no_manifest_and_nothing_half_written(
    tmp_path: Path,
) -> None:
    """Files may grow to a limit only, which the system enforces as it would a full disk."""
    module = shaken(module_for(ENCODER))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    done = 0
    for limit in (0, 500, 3_000, 8_000, 14_000, 16_000, 20_000, 10**6):
        out = tmp_path / str(limit)
        (out / "run").mkdir(parents=True)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        try:
            outcome.publish(out, "BASE", module, ENCODER, manifest(), lambda *_: {}, None)
            done += 1
        except UserError as error:
            assert "can't write" in error.what
            assert everything(out) == ["run"]
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert done >= 1 and (out / "xadapt.json").exists()
    assert not (tmp_path / "14000" / "xadapt.json").exists()
