from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_commands import everything
from tiny_shards import adapted, contents, made_of, source

from xadapt.core.errors import UserError
from xadapt.core.files import write_text
from xadapt.core.process_identity import ProcessIdentity
from xadapt.inference.bulk.folder import ShardFolder
from xadapt.vectors.index import Made
from xadapt.vectors.shards import open_vectors

ROWS = np.arange(24, dtype=np.float32).reshape(6, 4)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    home = tmp_path_factory.mktemp("base")
    return made_of(adapted(home / "base"), source(home), rows=4)


def filled(out: Path, made: Made) -> ShardFolder:
    folder = ShardFolder(out, made, False)
    folder.write(1, ROWS[4:], "b")
    folder.write(0, ROWS[:4], "a")
    return folder


def test_shards_in_any_order_then_the_index(made: Made, tmp_path: Path) -> None:
    folder = ShardFolder(tmp_path / "out", made, False)
    assert not (tmp_path / "out").exists() and folder.done(0) is None and folder.known() == 0
    folder = filled(tmp_path / "out", made)
    assert folder.known() == 2 and folder.done(2) is None
    first = folder.done(0)
    assert first is not None and (first.start, first.stop, first.text) == (0, 4, "a")
    names = [f"run/{name}" for name in ("part-00000.json", "part-00001.json", "plan.json")]
    assert everything(tmp_path / "out") == ["part-00000.npy", "part-00001.npy", "run", *names]
    folder.settle(2, 6, 4)
    assert everything(tmp_path / "out") == ["index.json", "part-00000.npy", "part-00001.npy"]
    np.testing.assert_array_equal(open_vectors(tmp_path / "out", check=True)[:], ROWS)


def test_a_shard_counts_when_its_file_is_as_said(made: Made, tmp_path: Path) -> None:
    folder = filled(tmp_path / "out", made)
    part = tmp_path / "out" / "part-00001.npy"
    part.write_bytes(part.read_bytes()[:-1])
    assert folder.done(1) is None and folder.known() == 2
    with pytest.raises(UserError, match="this shard was not written") as caught:
        folder.settle(2, 6, 4)
    assert caught.value.where == str(part) and not (tmp_path / "out" / "index.json").exists()
    write_text(tmp_path / "out" / "run" / "part-00000.json", '{"start": 0}')
    with pytest.raises(UserError, match="no index of vectors"):
        folder.done(0)


def test_a_flipped_byte_is_seen_where_the_content_is_checked(made: Made, tmp_path: Path) -> None:
    folder = filled(tmp_path / "out", made)
    part = tmp_path / "out" / "part-00001.npy"
    whole = part.read_bytes()
    for place in (0, len(whole) // 2, len(whole) - 1):
        part.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert folder.done(1) is not None and folder.done(1, check=True) is None
    part.write_bytes(whole)
    assert folder.done(1, check=True) == folder.done(1)


def test_resume_is_asked_for_and_for_the_same(made: Made, tmp_path: Path) -> None:
    out = tmp_path / "out"
    folder = filled(out, made)
    other = made.model_copy(update={"dtype": "float16"})
    for state in ("an unfinished run", "finished vectors"):
        before = contents(out)
        with pytest.raises(UserError, match=state):
            ShardFolder(out, made, False)
        with pytest.raises(UserError, match="dtype: float32, now float16"):
            ShardFolder(out, other, True)
        assert ShardFolder(out, made, True).done(1) is not None
        assert contents(out) == before
        if state == "an unfinished run":
            folder.settle(2, 6, 4)
    write_text(out / "index.json", "{")
    with pytest.raises(UserError, match="not JSON"):
        ShardFolder(out, made, True)


def test_only_what_was_half_written_is_swept(made: Made, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "run").mkdir(parents=True)
    report = (
        "from xadapt.core.process_identity import ProcessIdentity as P; print(P.current().token)"
    )
    done = subprocess.run(
        [sys.executable, "-c", report], capture_output=True, text=True, check=True
    )
    dead, live = done.stdout.strip(), ProcessIdentity.current().token
    (out / "run" / f".plan.json.{dead}-x1").write_text("{")
    (out / f".part-00000.npy.{dead}-x2").write_text("half")
    (out / f".part-00001.npy.{live}-x3").write_text("half")  # of another process of this run
    ShardFolder(out, made, True).tidy()
    assert everything(out) == [f".part-00001.npy.{live}-x3", "run"]
    (out / f".part-00001.npy.{live}-x3").unlink()
    (out / ".mine").write_text("keep")
    with pytest.raises(UserError, match="not empty"):
        ShardFolder(out, made, True)
    (out / ".mine").unlink()
    filled(out, made).tidy()
    assert len(everything(out)) == 6


def test_a_number_that_float16_lacks(made: Made, tmp_path: Path) -> None:
    half = made.model_copy(update={"dtype": "float16"})
    folder = ShardFolder(tmp_path / "out", half, False)
    with pytest.raises(UserError, match="too large for float16"):
        folder.write(0, ROWS * 1e4, "a")
    assert everything(tmp_path) == []
    folder.write(0, ROWS[:4], "a")
    assert np.load(tmp_path / "out" / "part-00000.npy").dtype == np.float16


def test_parquet_is_what_others_read(made: Made, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    folder = ShardFolder(tmp_path, made.model_copy(update={"file_format": "parquet"}), False)
    folder.write(0, ROWS[:4], "a")
    table = parquet.read_table(tmp_path / "part-00000.parquet")
    assert table.column("vector").to_pylist() == ROWS[:4].tolist()
