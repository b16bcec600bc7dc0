"""The recipes for embeddings within one language, from the file to the published folder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tiny_commands import QUICK, Done, good, xadapt
from tiny_folders import tensor_file
from tiny_models import TEXTS, tiny_folder
from tiny_training import plain, scored, text_pairs

from xadapt.core.errors import UserError
from xadapt.data.records import TextPair
from xadapt.hub.opening import read_manifest
from xadapt.inference.adapted_encoder import AdaptedEncoder

PROMPTS = ("--set", "prompts.query=query: ", "--set", "prompts.passage=passage: ")
SHORT = ("--set", "train.epochs=1", "--set", "data.train.dev=12", "--set", "train.evaluations=1")
KINDS = {
    "lora": (),
    "bottleneck": ("--set", 'module={"kind": "bottleneck", "width": 4}'),
    "mixture_of_loras": ("--set", 'module={"kind": "mixture_of_loras", "experts": 2, "rank": 2}'),
}


class Own:
    """A tiny base and files of one language."""

    def __init__(self, folder: Path) -> None:
        self.base = tiny_folder(folder / "base")
        self.teacher = tiny_folder(folder / "teacher", "roberta", seed=4, hidden_size=48)
        self.pairs, self.scores, self.lines = (
            folder / name for name in ("p.tsv", "s.tsv", "l.txt")
        )
        write(self.pairs, text_pairs(48))
        cells = ((r.left, r.right, f"{r.score}") for r in scored(48))
        self.scores.write_text("".join("\t".join(row) + "\n" for row in cells), encoding="utf-8")
        self.lines.write_text("".join(f"{r.text}\n" for r in plain(48)), encoding="utf-8")

    def train(self, recipe: str, data: Path, out: Path, *more: object) -> Done:
        given = ("--base", self.base, "--data", data, "--lang", "de", "--out", out)
        quick = QUICK[2:] if any("module=" in str(one) for one in more) else QUICK
        return xadapt("train", recipe, *given, *quick, *SHORT, "--base-id", "some/base", *more)


def write(path: Path, rows: list[TextPair]) -> Path:
    lines = ("\t".join((row.anchor, row.positive, *row.negatives)) for row in rows)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Own:
    return Own(tmp_path_factory.mktemp("own"))


@pytest.fixture(scope="module")
def module(own: Own, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A module with prompts and sizes."""
    out = tmp_path_factory.mktemp("module") / "de"
    sizes = ("--set", "dimensions=[32, 8]")
    assert own.train("hard_negatives", own.pairs, out, *PROMPTS, *sizes).code == 0
    return out


def test_the_manifest_and_the_card_tell_prompts_and_sizes(module: Path) -> None:
    found = read_manifest(module)
    assert found.pivot is None and found.languages == ["de"]
    assert found.recipe["prompts"] == {"query": "query: ", "passage": "passage: "}
    assert found.pooling["prompts"] == found.recipe["prompts"]
    metrics = [one.metric for one in found.evidence]
    assert metrics[:3] == ["nDCG@10", "MRR@10", "recall@10"]
    assert metrics[3:] == ["nDCG@10, 32 dims", "nDCG@10, 8 dims"]
    assert all(one.interval and "tf-idf" in one.controls for one in found.evidence)
    assert found.evidence[0].value == pytest.approx(found.evidence[3].value)  # 32 is whole
    card = (module / "README.md").read_text(encoding="utf-8")
    assert 'trained with `"query: "` before queries and `"passage: "` before passages' in card
    assert "cut them to 32, 8" in card and "encode_query" in card
    assert 'prompt_name="query"' in card
    assert '["query: A sentence.", "passage: Another, longer one."]' in card


def test_sentence_transformers_opens_it_with_the_prompts(own: Own, module: Path) -> None:
    pytest.importorskip("sentence_transformers")
    from xadapt.integrations import plain as copies
    from xadapt.integrations.sentence_transformers import _load

    config = json.loads((module / "config_sentence_transformers.json").read_text())
    assert config["prompts"] == {"query": "query: ", "passage": "passage: "}
    assert config["default_prompt_name"] is None
    ours = AdaptedEncoder.from_pretrained(str(own.base), module, dtype="float32")
    with copies.naming_base(module, str(own.base)) as copy:
        theirs = _load(copy)
        for name, wanted in (
            ("query", ours.encode_query(TEXTS, "de")),
            ("passage", ours.encode_document(TEXTS, "de")),
        ):
            found = theirs.encode(list(TEXTS), prompt_name=name)
            np.testing.assert_allclose(found, wanted, atol=1e-5)
    cut = ours.encode(TEXTS, "de", truncate_dim=8, normalize_embeddings=True)
    assert cut.shape == (len(TEXTS), 8)
    np.testing.assert_allclose(np.linalg.norm(cut, axis=1), 1, atol=1e-5)
    model = ours.to_sentence_transformer("de")
    np.testing.assert_allclose(
        model.encode(list(TEXTS), prompt_name="query"), ours.encode_query(TEXTS, "de"), atol=1e-5
    )


def test_encode_query_has_the_prompt_of_training(own: Own, module: Path) -> None:
    ours = AdaptedEncoder.from_pretrained(str(own.base), module, dtype="float32")
    assert ours.prompts == {"query": "query: ", "passage": "passage: "}
    asked = ours.encode([f"query: {text}" for text in TEXTS], "de")
    np.testing.assert_array_equal(ours.encode_query(TEXTS, "de"), asked)
    assert np.abs(asked - ours.encode(TEXTS, "de")).max() > 1e-3


def test_modules_with_other_prompts_are_not_mixed_in_silence(
    own: Own, module: Path, tmp_path: Path
) -> None:
    assert own.train("sentence_pairs", own.pairs, tmp_path / "plain").code == 0
    both = AdaptedEncoder.from_pretrained(
        str(own.base), f"a={module}", f"b={tmp_path / 'plain'}", compose="a + b", dtype="float32"
    )
    assert both.encode(TEXTS).shape == (len(TEXTS), 32)
    assert both.encode(TEXTS, prompt="query: ").shape == (len(TEXTS), 32)
    with pytest.raises(UserError, match="'a' and 'b' were trained with different prompts"):
        both.encode_query(TEXTS)
    made = tmp_path / "made"
    given = ("--base", own.base, "--module", f"a={module}", "--module", f"b={tmp_path / 'plain'}")
    good("compose", "a + b", *given, "--out", made / "both")
    good("compose", "mix(a:.5)", *given[:4], "--out", made / "a")
    assert read_manifest(made / "both").pooling["prompts"] == {}
    assert read_manifest(made / "a").pooling["prompts"] == both.with_("a").prompts
    config = json.loads((made / "a" / "config_sentence_transformers.json").read_text())
    assert config["prompts"] == both.with_("a").prompts
    assert both.with_("b").prompts == {} and "query" in both.with_("a").prompts


def test_evaluate_measures_base_module_and_sizes(own: Own, module: Path, tmp_path: Path) -> None:
    test = write(tmp_path / "test.tsv", text_pairs(30, seed=8))
    given = ("--base", own.base, "--data", test, "--module", module, "--controls")
    done = good("evaluate", "retrieval", *given, "--dimensions", "16,8", "--json", tmp_path / "j")
    result = json.loads((tmp_path / "j").read_text())
    assert [row["system"] for row in result["rows"]] == ["frozen base", "module", "tf-idf"]
    assert result["measures"][-1] == "nDCG@10, 8 dims" and result["rows"][1]["gains"]
    assert max(map(len, done.out.splitlines())) <= 80
    wrong = xadapt("evaluate", "retrieval", *given, "--dimensions", "16,64")
    assert wrong.code == 2 and "'64' is no number of dimensions" in wrong.err


@pytest.mark.parametrize("kind", KINDS)
def test_pairs_with_each_kind_of_module(own: Own, tmp_path: Path, kind: str) -> None:
    done = own.train("sentence_pairs", own.pairs, tmp_path / "m", *KINDS[kind], "--controls")
    assert done.code == 0, done.err
    found = read_manifest(tmp_path / "m")
    assert found.module.kind == kind and found.evidence[0].task == "retrieval"
    assert (tmp_path / "m" / "controls" / "shuffled.safetensors").is_file()


def test_scored_pairs_train_vectors(own: Own, tmp_path: Path) -> None:
    sizes = ("--set", "dimensions=[16]")
    for recipe in ("scored_pairs", "scored_pairs_regression"):
        done = own.train(recipe, own.scores, tmp_path / recipe, *sizes)
        assert done.code == 0, done.err
        found = read_manifest(tmp_path / recipe)
        assert found.head is None and found.pivot is None
        metrics = [one.metric for one in found.evidence]
        assert metrics == ["spearman", "pearson", "spearman, 16 dims"]
    given = ("--base", own.base, "--data", own.scores, "--module", tmp_path / "scored_pairs")
    assert good("evaluate", "sts", *given).code == 0


@pytest.mark.parametrize("kind", ["lora", "bottleneck"])
def test_a_teacher_of_another_width(own: Own, tmp_path: Path, kind: str) -> None:
    out, more = tmp_path / "m", ("--set", f"teacher={own.teacher}", *KINDS[kind])
    done = own.train("teacher_distillation", own.lines, out, *more)
    assert done.code == 0, done.err
    found = read_manifest(out)
    assert found.teacher is not None and found.teacher.model_type == "roberta"
    assert found.teacher.fingerprint != found.base.fingerprint
    assert found.recipe["teacher"] == "teacher"  # no path of this machine
    assert "Its teacher was a model of type roberta (`sha256:" in (out / "README.md").read_text()
    again = own.train("teacher_distillation", own.lines, out, *more, "--resume")
    assert again.code == 0, again.err
    other = tiny_folder(tmp_path / "teacher", "roberta", seed=5, hidden_size=48)
    changed = ("--set", f"teacher={other}", *KINDS[kind], "--resume")
    refused = own.train("teacher_distillation", own.lines, out, *changed)
    assert refused.code == 2 and "another teacher" in refused.err


def test_a_run_is_the_same_run_again(own: Own, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in "ab"]
    for folder in folders:
        assert own.train("hard_negatives", own.pairs, folder, *PROMPTS).code == 0
    one, other = (tensor_file(folder).read_bytes() for folder in folders)
    assert one == other


@pytest.mark.parametrize(
    ("recipe", "more", "said"),
    [
        ("teacher_distillation", (), "the recipe names none"),
        ("sentence_pairs", ("--set", "teacher=TEACHER"), "no objective learns from the teacher"),
        ("sentence_pairs", ("--set", "dimensions=[64]"), "have 32 values, and 64 are asked for"),
        ("sentence_pairs", ("--set", "dimensions=[8, 8]"), "stands there twice"),
        ("sentence_pairs", ("--set", "prompts.qurey=q"), "are named query and passage"),
        ("teacher_distillation", ("--set", "teacher=/no/where"), "/no/where"),
        ("scored_pairs", PROMPTS, "cosent makes no use of them"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(
    own: Own, tmp_path: Path, recipe: str, more: tuple[str, ...], said: str
) -> None:
    data = {"teacher_distillation": own.lines, "scored_pairs": own.scores}.get(recipe, own.pairs)
    given = [one.replace("TEACHER", str(own.teacher)) for one in more]
    done = own.train(recipe, data, tmp_path / "m", *given)
    assert done.code == 2 and said in done.err and "Traceback" not in done.err
    assert not (tmp_path / "m" / "xadapt.json").exists()


def test_one_row_and_an_empty_file(own: Own, tmp_path: Path) -> None:
    path = tmp_path / "one.tsv"
    for text, said in (("wer bellt\tder Hund\n", "can't hold out"), ("", "there is no pair")):
        path.write_text(text)
        done = own.train("sentence_pairs", path, tmp_path / "m")
        assert done.code == 2 and said in done.err


@pytest.mark.parametrize("name", ["sentence_pairs", "hard_negatives", "scored_pairs",
                                  "teacher_distillation"])  # fmt: skip
def test_explain_shows_what_the_recipe_can_do(name: str) -> None:
    shown = good("explain", name).out
    for option in ("prompts", "dimensions", "teacher"):
        assert option in shown
