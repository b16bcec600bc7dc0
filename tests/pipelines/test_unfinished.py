from __future__ import annotations

import numpy as np
import pytest

from xadapt.core.errors import UserError
from xadapt.pipelines.unfinished import UNFINISHED, digest_of, hash_of, models_of, unfinished
from xadapt.tasks.kg import name_vectors
from xadapt.tasks.kg.name_vectors import encode_names


def encode(texts):
    return np.array([[len(text), 1.0] for text in texts], np.float32)


def test_a_folder_stays_until_the_work_is_finished(tmp_path):
    out = tmp_path / "out.tsv"
    with unfinished(out, {"a": 1}) as place:
        (place.folder / place.name("x.npy")).write_bytes(b"x")
        assert place.kept
    assert out.with_name(out.name + UNFINISHED).is_dir()
    with pytest.raises(UserError, match="another value of a"), unfinished(out, {"a": 2}):
        pass
    with unfinished(out, {"a": 1}) as place:
        assert (place.folder / place.name("x.npy")).is_file()
    with unfinished(out, {"a": 2}, restart=True) as place:
        assert not (place.folder / place.name("x.npy")).exists()
        place.finish()
    assert not list(tmp_path.iterdir())


def test_a_temporary_folder_without_a_file_to_write(tmp_path):
    for out in (None, "/dev/null"):
        with unfinished(out, {}) as place:
            assert not place.kept and place.folder.is_dir()
            place.finish()
        assert not place.folder.exists()


def test_vectors_go_on_after_the_last_whole_block(tmp_path, monkeypatch):
    monkeypatch.setattr(name_vectors, "BLOCK", 3)
    names = [*"abc", "dd", "", "eee", "ffff", "g"]
    calls, counts = [], []

    def cut(texts):
        calls.append(texts)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return encode(texts)

    with pytest.raises(KeyboardInterrupt):
        encode_names(names, cut, tmp_path, "v.npy", keep=True)
    found = encode_names(names, cut, tmp_path, "v.npy", counts.append, keep=True)
    assert calls == [["a", "b", "c"], ["dd", "eee"], ["dd", "eee"], ["ffff", "g"]]
    assert counts == [3, 3, 2]
    plain = encode_names(names, encode, tmp_path, "other.npy")
    assert not (tmp_path / "other.npy").exists() and (np.asarray(found) == plain).all()
    again = encode_names(names, cut, tmp_path, "v.npy", keep=True)
    assert len(calls) == 4 and (np.asarray(again) == plain).all()


def test_a_broken_file_is_made_again(tmp_path):
    file = tmp_path / "v.npy"

    def made():
        return np.asarray(encode_names(list("abcd"), encode, tmp_path, "v.npy", keep=True)).copy()

    whole = made()
    for content in (b"", b"no array", file.read_bytes()[: file.stat().st_size - 4]):
        file.write_bytes(content)
        assert (made() == whole).all()
    np.save(file, np.zeros((3, 2), np.float32))  # of other names
    assert (made() == whole).all()


def test_hashes(tmp_path):
    (tmp_path / "a").write_text("x")
    one = hash_of(str(tmp_path / "a"))
    assert hash_of(str(tmp_path)) != one != hash_of("a") and hash_of(f"kg:{tmp_path}") == hash_of(
        str(tmp_path)
    )
    assert digest_of("a", "b") != digest_of("ab") and digest_of("a") == digest_of(b"a")
    assert models_of("mini", [], None) == {"base": "mini", "modules": [], "compose": None}
