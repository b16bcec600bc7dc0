"""The family of modules from small data: no test sentence is trained on, and a cut run goes on."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

import pytest
from tiny_models import tiny_folder
from tiny_training import pairs

EXAMPLES = Path(__file__).parents[2] / "examples"
sys.path[:0] = [str(EXAMPLES), str(EXAMPLES / "benchmarks")]

import bench  # noqa: E402
import hub_tables  # noqa: E402
import make_gallery  # noqa: E402

from xadapt.core.files import read_json  # noqa: E402
from xadapt.core.text_key import normal_key  # noqa: E402
from xadapt.data.readers.parallel import read_parallel  # noqa: E402
from xadapt.hub.opening import open_folder  # noqa: E402

LANGUAGES = ("de", "fi", "nl")
TAGS = ("tatoeba", "ntrex", "wmt-newstest", "globalvoices")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Tagged translations, a quarter of them of sources that are not open."""
    for folder in ("parallel", "extra/parallel"):
        place = tmp_path / "data" / folder
        place.mkdir(parents=True)
        for number, lang in enumerate(LANGUAGES):
            seed = number + 10 * (folder != "parallel")
            with gzip.open(place / f"en-{lang}.tsv.gz", "wt", encoding="utf-8") as stream:
                for n, row in enumerate(pairs(500, seed=seed)):
                    mark = f"{lang}{folder[0]}"
                    stream.write(f"{row.pivot} {mark}{n}\t{row.text} {mark}{n}\t{TAGS[n % 4]}\n")
    return tmp_path / "data"


def run(monkeypatch, data: Path, out: Path, base: Path, *more: str) -> None:
    given = ["--data", str(data), "--out", str(out), "--base", str(base), "--pairs", "60"]
    monkeypatch.setattr(sys, "argv", ["examples/make_gallery.py", *given, *more])
    make_gallery.main()


def test_a_family_is_made_measured_and_tabled(monkeypatch, tmp_path: Path, data: Path) -> None:
    monkeypatch.setattr(make_gallery, "LANGUAGES", LANGUAGES)
    monkeypatch.setattr(bench, "RESULTS", tmp_path / "results")
    base, out = tiny_folder(tmp_path / "base"), tmp_path / "out"
    run(monkeypatch, data, out, base, "--at-most", "1", "--control", "de")
    home = out / "base"
    assert [path.name for path in home.iterdir()] == ["de"]
    run(monkeypatch, data, out, base)
    before = {lang: (home / lang / "evidence.json").read_bytes() for lang in LANGUAGES}
    run(monkeypatch, data, out, base)  # nothing is left to do
    assert before == {lang: (home / lang / "evidence.json").read_bytes() for lang in LANGUAGES}
    trained, tested = set(), set()
    for lang in LANGUAGES:
        assert open_folder(home / lang)[0].data[0].ids
        for part, kept in (("train/en-", trained), ("test/tatoeba-en-", tested)):
            rows = list(read_parallel(out / "pairs" / f"{part}{lang}.tsv", lang=lang))
            assert rows
            kept |= {normal_key(text) for row in rows for text in (row.text, row.pivot)}
    assert not trained & tested
    numbers = [int("".join(c for c in text if c.isdigit())) for text in trained | tested]
    assert {number % 4 for number in numbers} == {0, 1}  # of open sources alone
    result = read_json(tmp_path / "results" / "gallery_base.json")
    assert result["command"].startswith("python examples/make_gallery.py --data DATA --out GALLERY")
    shown = hub_tables.gallery(result)
    assert (
        shown.count("\n| ") == 2 + 3 + 1 - 1 and "shuffled pairs" in shown and "**mean**" in shown
    )
    own = [hub_tables.both(row, "module", "both") for row in result["rows"]]
    assert f"with the module on both sides {sum(own) / 3:.3f}" in shown
    [wrong] = {hub_tables.found(row, "wrong language", "both")["module"]["languages"][0]
               for row in result["rows"] if row["lang"] == "fi"}  # fmt: skip
    assert wrong in ("de", "nl")
