from __future__ import annotations

import copy
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_commands import Place, everything, good, write_tsv, xadapt
from tiny_counts import Counts
from tiny_models import tiny_encoder
from tiny_training import forward, module_for, pairs, plain, shaken
from torch import nn

from xadapt.core.errors import UserError
from xadapt.data.records import ParallelPair
from xadapt.inference import measured_fallback as room
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.inference.fallback_language import FallbackLanguageWarning

ENCODER = tiny_encoder("bert", mlm=True)
# `noise` harms every row, `cure` takes it away again, and `more` harms further.
SICK = "by_language(de = cure, ru = more) + noise"


def modules() -> dict[str, nn.Module]:
    noise = shaken(module_for(ENCODER), 0, 0.6)
    cure = copy.deepcopy(noise)
    with torch.no_grad():
        for hook in cure.hooks():
            hook.fn.B.neg_()
    return {"noise": noise, "cure": cure, "more": shaken(module_for(ENCODER), 1, 0.6)}


def copies(path: Path) -> Path:
    """Pairs of equal sentences, which the healthy base finds."""
    return write_tsv(path, [ParallelPair(p.pivot, p.pivot, "nl") for p in pairs(40, seed=3)])


def test_what_helps_on_own_text_stands_in_and_all_scores_are_told(tmp_path: Path) -> None:
    adapted = AdaptedEncoder(ENCODER, modules(), None).with_(SICK)
    found = room.select_on(adapted, ["nl", "de", None], str(copies(tmp_path / "few.tsv")))
    assert found.chosen == "de" and [one.name for one in found.tried] == ["base", "de", "ru"]
    base, de, ru = found.tried
    assert de.score == 1.0 and base.score < 0.9 and ru.score < 0.9
    assert de.gain is not None and de.gain.mean == pytest.approx(de.score - base.score)
    assert de.gain.low > 0 and ru.gain is not None
    texts = [row.text for row in pairs(3)]
    with pytest.warns(
        FallbackLanguageWarning, match="no module is for nl: that for de stands in"
    ) as seen:
        vectors = adapted.encode(texts, ["nl"] * 3)
    line = str(seen[0].message)
    assert "base 0." in line and "de 1.000 (gain +" in line and "ru 0." in line
    assert f"retrieval accuracy on {len({p.pivot for p in pairs(40, seed=3)})} pairs" in line
    np.testing.assert_array_equal(vectors, adapted.encode(texts, ["de"] * 3))
    told = found.to_dict()
    assert told["chosen"] == "de" and [row["candidate"] for row in told["tried"]] == [
        "base", "de", "ru"
    ]  # fmt: skip
    assert f"{de.gain}" in repr(found) and "chosen" in repr(found) and len(found.to_pandas()) == 3
    assert [bar.low for bar in found._bars()] == [de.gain.low, ru.gain.low]
    assert adapted.notices(["nl", "fr"])[1] == "no module is for fr: none stands in"


def test_nothing_that_is_no_better_stands_in(tmp_path: Path) -> None:
    """A candidate that harms, and one that changes nothing."""
    adapted = AdaptedEncoder(ENCODER, modules(), None).with_(
        "by_language(de = more, ru = cure + noise)"
    )
    found = room.select_on(adapted, ["nl"], str(copies(tmp_path / "few.tsv")))
    assert found.chosen is None and "none beats the base" in found.notice("nl")
    same = {one.name: one for one in found.tried}["ru"]
    assert same.gain is not None and same.gain.mean == 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FallbackLanguageWarning)
        vectors = adapted.encode(["the cat"], ["nl"])
    np.testing.assert_array_equal(vectors, adapted.encode(["the cat"], [None]))


def test_the_masked_loss_is_that_of_a_slow_loop() -> None:
    adapted = AdaptedEncoder(ENCODER, modules(), "noise")
    texts = [row.text for row in plain(3)]
    losses, counts = room.masked_losses(adapted, texts, "noise")
    head, special = ENCODER.mlm_head(), set(ENCODER.tokenizer.all_special_ids)
    for text, loss, count in zip(texts, losses, counts, strict=True):
        (ids,) = ENCODER.tokenize([text])
        places = [n for n, token in enumerate(ids) if token not in special]
        by_hand = 0.0
        for start in range(7):
            row = [ENCODER.tokenizer.mask_token_id if n in places[start::7] else t
                   for n, t in enumerate(ids)]  # fmt: skip
            tokens, mask = ENCODER.batch([row])
            with torch.no_grad():
                states = forward(ENCODER, tokens, mask, adapted.activations(1)([0]))
                logs = head(states)[0].log_softmax(-1)
            by_hand -= float(sum(logs[n, ids[n]] for n in places[start::7]))
        assert count == len(places)
        assert loss == pytest.approx(by_hand, rel=1e-4)


def test_plain_text_is_measured_by_the_bases_own_head(tmp_path: Path) -> None:
    text = tmp_path / "nl.txt"
    text.write_text("".join(f"{row.text}\n" for row in plain(12)), encoding="utf-8")
    adapted = AdaptedEncoder(ENCODER, modules(), None).with_(SICK)
    found = room.select_on(adapted, ["nl"], str(text))
    scores = {one.name: one for one in found.tried}
    lost, count = room.masked_losses(adapted, [row.text for row in plain(12)], None)
    assert scores["de"].score == pytest.approx(lost.sum() / count.sum(), rel=1e-3)
    for one in found.tried[1:]:
        assert one.gain is not None
        assert one.gain.mean == pytest.approx(scores["base"].score - one.score)
    able = [one for one in found.tried[1:] if one.gain and one.gain.low > 0]
    best = max(able, key=lambda one: one.gain.mean if one.gain else 0, default=None)
    assert found.chosen == (best.name if best else None)
    assert "masked-token loss on 12 lines of nl.txt" in found.notice("nl")


@pytest.mark.parametrize(
    ("composition", "languages", "said"),
    [
        (SICK, ["nl", "fr"], "nl, fr have no module"),
        (SICK, ["de"], "every text has its module"),
        ("by_language(de = cure, * = more)", ["nl"], "every text has its module"),
        ("noise", ["nl"], "every text has its module"),
        (SICK, [], "every text has its module"),
    ],
)
def test_where_there_is_nothing_to_choose_it_says_so(
    composition: str, languages: list[str], said: str
) -> None:
    with pytest.raises(UserError, match=said):
        room.select_on(
            AdaptedEncoder(ENCODER, modules(), None).with_(composition), languages, "x.tsv"
        )


def test_a_base_without_a_head_is_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "nl.txt").write_text("een kat\n")
    bare = AdaptedEncoder(tiny_encoder("t5"), {"a": shaken(module_for(tiny_encoder("t5")))}, None)
    with pytest.raises(UserError, match="no masked-language-model head"):
        room.select_on(bare.with_("by_language(de = a)"), ["nl"], str(tmp_path / "nl.txt"))


def test_on_the_command_line(made: tuple[Place, Path], tmp_path: Path) -> None:
    place, folder = made
    few = copies(tmp_path / "few.tsv")
    (tmp_path / "t.txt").write_text("de kat\nde hond\n")
    choice = f"by_language(de = {folder}/de, sw = {folder}/sw)"
    given = ("encode", "--base", place.base, "--text", tmp_path / "t.txt", "--compose", choice,
             "--out", tmp_path / "v.npy")  # fmt: skip
    done = good(*given, "--lang", "nl", "--select-on", few)
    assert "no module is for nl" in done.err and "; sw " in done.err
    assert len([line for line in done.lines if "no module" in line]) == 1
    former = good(*given, "--force", "--lang", "nl", "--choose-by", few)
    assert former.err == done.err and "--choose-by" not in good("encode", "--help").out
    both = xadapt(*given, "--force", "--lang", "nl", "--choose-by", few, "--select-on", few)
    assert both.code == 2 and "--choose-by is the former name of --select-on" in both.err
    before = everything(tmp_path)
    wrong = xadapt(*given, "--lang", "de", "--select-on", few)
    assert wrong.code == 2 and len(wrong.lines) == 1 and everything(tmp_path) == before


@pytest.mark.parametrize("plain_text", [False, True])
def test_candidates_share_what_lies_below_them(
    plain_text: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_tsv(tmp_path / "few.tsv", pairs(9, seed=3))
    if plain_text:
        file = tmp_path / "few.txt"
        file.write_text("".join(f"{row.text}\n" for row in plain(9, seed=3)), encoding="utf-8")
    upper = {
        name: shaken(module_for(ENCODER, rank=2, layers=[2, 4]), seed)
        for seed, name in enumerate(("de", "ru"))
    }
    adapted = AdaptedEncoder(ENCODER, upper, None)
    with monkeypatch.context() as patch:
        patch.setattr(room, "shared_states", lambda *_: None)
        expected = room.select_on(adapted, ["nl"], str(file))
    counts = Counts(monkeypatch)
    found = room.select_on(adapted, ["nl"], str(file))
    for one, whole in zip(found.tried, expected.tried, strict=True):
        assert one.score == pytest.approx(whole.score, abs=1e-5)
    read = counts.taken()
    assert read.keys() == {0, 2} and 3 * read[0] >= read[2] >= 2 * read[0]
