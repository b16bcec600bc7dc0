from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from tiny_commands import Place, good, xadapt
from tiny_counts import Counts
from tiny_folders import tensor_file, without_hashes
from tiny_heads import published
from tiny_models import tiny_folder

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.core import registry
from xadapt.core.files import read_json
from xadapt.evaluation.tfidf import NAME as TFIDF
from xadapt.tasks import alignment
from xadapt.tasks.protocol import find

EVERY = [alignment.BASE, alignment.LANGUAGE, alignment.BOTH, alignment.SHUFFLED, TFIDF]


@pytest.fixture(scope="module")
def module(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("m") / "de"
    good(*place.train(folder, "--controls"))
    return folder


def test_bitext_with_every_control(place: Place, module: Path, tmp_path: Path) -> None:
    given = ("--base", place.base, "--module", module, "--data", place.test)
    done = good("evaluate", "bitext", *given, "--controls", "--json", tmp_path / "r.json")
    told = read_json(tmp_path / "r.json")
    assert [row["system"] for row in told["rows"]] == EVERY
    assert (told["task"], told["pool"], told["lang"]) == ("bitext", 40, "de")
    assert told["rows"][1]["accuracy"].keys() == {"to_pivot", "from_pivot"}
    assert "shuffled pairs" in done.out and max(map(len, done.out.splitlines())) <= 80


def test_the_base_alone(place: Place, tmp_path: Path) -> None:
    given = ("--base", place.base, "--data", place.test, "--lang", "deu")
    good("evaluate", "bitext", *given, "--json", tmp_path / "r.json")
    told = read_json(tmp_path / "r.json")
    assert [row["system"] for row in told["rows"]] == EVERY[:1] and told["lang"] == "de"


def test_entities_of_the_graph_and_of_a_table(place: Place, module: Path, tmp_path: Path) -> None:
    given = ("--base", place.base, "--module", module)
    done = good("evaluate", "entities", *given, "--controls", "--json", tmp_path / "r.json")
    told = read_json(tmp_path / "r.json")
    assert [row["system"] for row in told["rows"]] == EVERY and told["pool"] == "all"
    assert max(map(len, done.out.splitlines())) <= 80
    given += ("--pool", "test", "--json", tmp_path / "r.json")
    good("evaluate", "entities", *given)
    assert read_json(tmp_path / "r.json")["pool_size"]["to_pivot"] < told["pool_size"]["to_pivot"]
    wrong = xadapt("evaluate", "entities", *given, "--data", place.test)
    assert wrong.code == 2 and "--pool does nothing with --data" in wrong.err
    given = ("--base", place.base, "--module", module, "--json", tmp_path / "r.json")
    good("evaluate", "entities", *given, "--data", place.test)
    assert read_json(tmp_path / "r.json")["queries"]["to_pivot"] == 40


def test_a_module_without_a_control_is_reported(place: Place, tmp_path: Path) -> None:
    good(*place.train(tmp_path / "m"))
    given = ("--base", place.base, "--module", tmp_path / "m", "--data", place.test, "--controls")
    done = good("evaluate", "bitext", *given)
    assert "no shuffled-pairs control" in done.err and "shuffled" not in done.out


def test_mistakes(place: Place, module: Path, tmp_path: Path) -> None:
    other = tiny_folder(tmp_path / "other", seed=3)
    (tmp_path / "bad.tsv").write_text("one\n")
    for arguments, said in (
        (("bitext", "--base", place.base, "--data", place.test), "Name it with --lang"),
        (("bitext", "--base", other, "--data", place.test, "--module", module), "another base"),
        (
            ("bitext", "--base", place.base, "--data", tmp_path / "bad.tsv", "--module", module),
            ":1",
        ),
        (
            ("entities", "--base", place.base, "--lang", "de", "--pool", "al"),
            "--pool is test or all",
        ),
        (("entities", "--base", place.base, "--lang", "xh-Cyrl"), "xh-Cyrl"),
        (
            ("entities", "--base", place.base, "--lang", "de", "--columns", "2,1"),
            "--columns does nothing with --data cldr",
        ),
        (
            ("entities", "--base", place.base, "--lang", "de", "--format", "tsv"),
            "--format does nothing with --data cldr",
        ),
        (
            ("bitext", "--base", "/no", "--data", "a.tmx", "--lang", "de", "--columns", "2,1"),
            "a.tmx has no columns to choose from",
        ),
        (
            ("tagging", "--base", "/no", "--data", "a", "--module", "a=b", "--compose", "c"),
            "no composition names 'a'",
        ),
        (("entities", "--base", place.base, "--module", tmp_path / "none"), "no such module"),
    ):
        done = xadapt("evaluate", *arguments, "--json", tmp_path / "r.json")
        assert done.code == 2 and len(done.lines) == 1 and said in done.err, (said, done.err)
    assert not (tmp_path / "r.json").exists()


HEADS = {
    "classification": "katze\tx\nhund im park\ty\npaka\tz\n",
    "tagging": "katze\tB-A\nhund\tI-A\n\npaka\tO\n\nmbwa\tO\npark\tB-A\n",
    "sts": "katze\tcat\t5\nhund\tpark\t1\npaka\tmat\t3\n",
    "vectors": "katze\tcat\t5\nhund\tpark\t1\npaka\tmat\t3\n",
}


@pytest.mark.parametrize("family", ["bert", "deberta-v3"])
@pytest.mark.parametrize("what", HEADS)
def test_two_compositions_share_the_lower_layers_and_say_what_each_says_alone(
    family: str, what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = tiny_folder(tmp_path / "base", family)
    encoder = Encoder.from_pretrained(str(base), dtype="float32")
    head = {"sts": "pair_scoring", "vectors": None}.get(what, what)
    published(tmp_path / "top", encoder, head, 1, layers=[3, 4])
    published(tmp_path / "mid", encoder, None, 2, layers=[2, 4])
    data = tmp_path / ("data.conll" if what == "tagging" else "data.tsv")
    data.write_text(HEADS[what], encoding="utf-8")
    task = "sts" if what == "vectors" else what
    given = ("evaluate", task, "--base", base, "--data", data, "--dtype", "float32")
    given += ("--json", tmp_path / "r.json")
    monkeypatch.setenv("XADAPT_CACHE", str(tmp_path / "cache"))
    both = (f"{tmp_path}/mid + {tmp_path}/top", f"{tmp_path}/top")
    counts = Counts(monkeypatch)

    def rows(*more: object) -> dict[str, object]:
        counts.taken()
        good(*given, *more)
        told = read_json(tmp_path / "r.json")["rows"]
        return {row["system"]: row["scores"] for row in told}

    alone = []
    for one in both:
        alone.append(rows("--compose", one)["module"])
    whole = counts.taken()
    shared = rows("--compose", both[0], "--baseline", both[1])
    assert [shared["module"], shared["baseline"]] == alone
    assert set(whole) == {0} and counts.taken() == {0: whole[0], 2: 2 * whole[0]}
    assert not (tmp_path / "cache" / "prefix").exists()


def test_former_names_of_options_stay_and_are_hidden(place: Place, module: Path) -> None:
    given = ("evaluate", "bitext", "--base", place.base, "--data", place.test, "--lang", "de")
    given += ("--module", f"m={module}", "--compose", "m", "--dtype", "float32")
    new, old = (good(*given, option, "mix(m:.5)") for option in ("--baseline", "--against"))
    assert new.out == old.out and "baseline, both" in new.out
    done = xadapt(*given, "--baseline", "m", "--against", "m")
    assert done.code == 2 and "former name of --baseline" in done.err and len(done.lines) == 1
    assert "--baseline" in good("evaluate", "bitext", "--help").out
    assert "--against" not in good("evaluate", "open_ie", "--help").out


def test_every_task_is_a_command_and_others_are_refused() -> None:
    done = good("evaluate", "--help")
    for name in registry.names("tasks"):
        assert f"│ {name} " in done.out
        text = good("evaluate", name, "--help").out
        flags = ["--base", "--data", "--lang", "--dtype", "--json"]
        assert all(flag in text for flag in flags), name
        assert all(f"--{option}" in text for option in find(name).shared), name
    done = xadapt("evaluate", "taggin", "--base", "mini")
    assert done.code == 2 and "did you mean 'tagging'?" in done.err and len(done.lines) == 1


def test_options_a_task_has_not_are_refused() -> None:
    for task, option in (("bitext", "--head"), ("open_ie", "--module"), ("tagging", "--pool")):
        done = xadapt("evaluate", task, "--base", "mini", "--data", "x", option, "y")
        assert done.code == 2 and f"No such option: {option}" in done.err
        assert len(done.lines) == 1


def test_a_module_whose_vectors_are_not_finite_is_named(
    place: Place, module: Path, tmp_path: Path
) -> None:
    huge = without_hashes(shutil.copytree(module, tmp_path / "huge"))
    file = tensor_file(huge)
    with safe_open(str(file), framework="pt") as opened:
        metadata = opened.metadata()
    tensors = {name: value + 1e30 for name, value in load_file(file).items()}
    save_file(tensors, file, metadata=metadata)
    for task in ("bitext", "entities"):
        given = ("--base", place.base, "--module", huge, "--data", place.test)
        done = xadapt("evaluate", task, *given, "--json", tmp_path / "r.json")
        assert done.code == 2 and not (tmp_path / "r.json").exists()
        assert f"xadapt: {huge}: the vectors of row 1 and" in done.err
        assert len(done.lines) == 2 and "before xadapt kept hashes" in done.lines[0]


def test_a_link_or_a_changed_twin_is_refused(place: Place, module: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(module, tmp_path / "copy")
    twin = copy / "controls" / "shuffled.safetensors"
    with safe_open(str(twin), framework="np") as file:
        options = file.metadata()
    changed = {name: value * 2 for name, value in load_file(twin).items()}
    save_file(changed, twin, metadata=options)
    given = ("--base", place.base, "--module", copy, "--data", place.test, "--controls")
    done = xadapt("evaluate", "bitext", *given)
    assert done.code == 2 and len(done.lines) == 1 and "controls/shuffled.safetensors" in done.err
    good("evaluate", "bitext", *given, "--allow-modified")
    twin.unlink()
    twin.symlink_to(module / "controls" / "shuffled.safetensors")
    done = xadapt("evaluate", "bitext", *given, "--allow-modified")
    assert done.code == 2 and "link that leaves the folder" in done.err
