import json
import shutil

import numpy as np
import pytest
from local_hub import TOKEN
from tiny_folders import manifest_of, random_module, without_hashes
from tiny_models import tiny_encoder

from xadapt.composition.values import Mix
from xadapt.core.errors import UserError
from xadapt.hub.composition_file import open_composition, write_composition
from xadapt.hub.folder import write_folder
from xadapt.hub.opening import open_folder
from xadapt.hub.publishing import publish_folder, write_dry_run

REPO = "org/tiny-sw"


def made(path, kind="lora", seed=0, **changes):
    encoder = tiny_encoder("bert")
    module = random_module(encoder, kind, seed=seed)
    write_folder(path, module, encoder, manifest_of(encoder, module, **changes), verify={})
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = made(tmp_path_factory.mktemp("published") / "sw")
    (path / "run").mkdir()
    (path / "run" / "metrics.jsonl").write_text("{}\n")
    return path


def local(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "run" not in path.parts
    }


def remote(hub, repo=REPO, revision=None):
    return {n: raw for n, raw in hub.files(repo, revision).items() if n != ".gitattributes"}


def commits(hub):
    return [path for _, path in hub.requests if "/commit/" in path]


def test_one_commit_holds_the_folder_without_the_state_of_the_run(local_hub, folder):
    lines = []
    done = publish_folder(folder, REPO, private=True, message="first", report=lines.append)
    assert remote(local_hub) == local(folder)
    assert len(commits(local_hub)) == 1 and done.changed
    assert local_hub.repositories[REPO].private
    assert local_hub.repositories[REPO].at().message == "first"
    assert done.revision == local_hub.repositories[REPO].at().oid
    assert set(done.files) == set(local(folder))
    assert str(len(done.files)) in lines[0]


def test_the_same_again_changes_nothing(local_hub, folder):
    first = publish_folder(folder, REPO)
    again = publish_folder(folder, REPO)
    assert again.revision == first.revision and not again.changed
    assert "nothing changed" in str(again)


def test_what_was_published_is_what_is_loaded(local_hub, folder, tmp_path):
    from huggingface_hub import snapshot_download

    done = publish_folder(folder, REPO)
    place = snapshot_download(REPO, revision=done.revision, cache_dir=tmp_path)
    (own, tensors), (theirs, others) = open_folder(folder), open_folder(place)
    assert own == theirs
    assert all(np.array_equal(tensors[name], others[name]) for name in tensors)


def test_files_of_the_version_before_go_and_those_of_people_stay(local_hub, folder, tmp_path):
    publish_folder(folder, REPO)
    there = local_hub.files(REPO)
    local_hub.put(REPO, there | {"photo.png": b"1", "LICENSE": b"2"})
    other = made(tmp_path / "bn", "bottleneck")
    done = publish_folder(other, REPO)
    left = remote(local_hub)
    assert {n: left.pop(n) for n in ("photo.png", "LICENSE")} == {
        "photo.png": b"1",
        "LICENSE": b"2",
    }
    assert left == local(other)
    assert set(done.removed) == set(there) - set(left) - {".gitattributes"} != set()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"languages": ["de"]}, "for sw, and this one is for de"),
        (
            {"base": {"id": "a/b", "model_type": "bert", "fingerprint": {"id": "sha256:1"}}},
            "another base (someone/tiny-base)",
        ),
    ],
)
def test_another_module_is_not_replaced_unless_forced(local_hub, folder, tmp_path, changes, said):
    publish_folder(folder, REPO)
    other = made(tmp_path / "other", **changes)
    with pytest.raises(UserError) as raised:
        publish_folder(other, REPO)
    assert said in str(raised.value) and "--force" in str(raised.value)
    assert remote(local_hub) == local(folder)
    publish_folder(other, REPO, force=True)
    assert remote(local_hub) == local(other)


@pytest.mark.parametrize("manifest", [None, b"{}", b'{"a": 1, "a": 2}'])
def test_a_repository_with_something_else_is_left_alone(local_hub, folder, manifest):
    held = {"config.json": b"{}"} if manifest is None else {"xadapt.json": manifest}
    local_hub.put(REPO, held)
    with pytest.raises(UserError, match="--force"):
        publish_folder(folder, REPO)
    assert local_hub.files(REPO) == held
    publish_folder(folder, REPO, force=True)
    assert local(folder).items() <= local_hub.files(REPO).items()


def test_a_branch_is_made_and_main_stays(local_hub, folder):
    done = publish_folder(folder, REPO, revision="v2/beta")
    assert remote(local_hub) == {}
    assert remote(local_hub, revision="v2/beta") == local(folder)
    assert remote(local_hub, revision=done.revision) == local(folder)


def test_a_public_repository_is_not_taken_for_a_private_one(local_hub, folder):
    publish_folder(folder, REPO)
    with pytest.raises(UserError, match="is public"):
        publish_folder(folder, REPO, private=True)


def test_a_cut_upload_publishes_nothing_and_the_next_one_lands(local_hub, folder):
    size = sum(map(len, local(folder).values()))
    for after in (0, 700, size // 3, size // 2, size - 1, size + 2000):
        name = f"org/cut-{after}"
        local_hub.break_after(after)
        try:
            publish_folder(folder, name)
            whole = True
        except UserError as error:
            whole = "it is published as" in str(error)  # cut while it was downloaded again
            assert whole or "connection" in str(error), error
        local_hub.mend()
        seen = remote(local_hub, name) if name in local_hub.repositories else {}
        assert seen in ({}, local(folder))
        assert not whole or seen
        publish_folder(folder, name)
        assert remote(local_hub, name) == local(folder)
        assert len(local_hub.repositories[name].commits) == 2  # the first made the repository


def test_an_answer_that_is_lost_leads_to_no_second_commit(local_hub, folder, monkeypatch):
    """The commit is made, and the connection breaks before the client hears of it."""
    before = type(local_hub).spend
    monkeypatch.setattr(
        type(local_hub),
        "spend",
        lambda hub, size: 0 if commits(hub) and size < 200 else before(hub, size),
    )
    with pytest.raises(UserError, match="connection"):
        publish_folder(folder, REPO)
    monkeypatch.setattr(type(local_hub), "spend", before)
    assert remote(local_hub) == local(folder)
    assert not publish_folder(folder, REPO).changed


def test_a_hub_that_stores_other_bytes_is_noticed(local_hub, folder, monkeypatch):
    publish_folder(folder, REPO)
    from local_hub import Stored, _Handler

    real = _Handler._info

    def wrong(handler, repository, commit):
        files = dict(commit.files)
        files["xadapt.json"] = Stored(b"{}", False)
        return real(handler, repository, type(commit)(commit.oid, commit.message, files))

    monkeypatch.setattr(_Handler, "_info", wrong)
    with pytest.raises(UserError, match=r"holds another xadapt\.json than was sent"):
        publish_folder(folder, REPO)


def test_the_token_is_in_no_message_and_no_file(local_hub, folder, monkeypatch, capsys):
    lines = []
    local_hub.refuse("/commit/", 403)
    with pytest.raises(UserError) as raised:
        publish_folder(folder, REPO, token=TOKEN, report=lines.append)
    assert "403" in str(raised.value) and "token" in str(raised.value)
    out = capsys.readouterr()
    assert TOKEN not in str([str(raised.value), lines, out.out, out.err])
    assert not any(TOKEN.encode() in body for body in local_hub.bodies)


@pytest.mark.parametrize("status", [401, 404, 429, 500])
def test_a_refusal_is_one_line(local_hub, folder, status):
    local_hub.refuse("/commit/", status)
    with pytest.raises(UserError) as raised:
        publish_folder(folder, REPO)
    assert "\n" not in str(raised.value) and str(raised.value).startswith(REPO)


def test_without_a_token_it_says_how_to_log_in(local_hub, folder, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("xadapt.hub.publishing.get_token", lambda: None)
        with pytest.raises(UserError, match="hf auth login"):
            publish_folder(folder, REPO)
    with pytest.raises(UserError, match="hf auth login"):
        publish_folder(folder, REPO, token="hf_wrong")


def test_offline_is_one_line(folder, monkeypatch):
    from huggingface_hub import constants
    from huggingface_hub.utils import _http

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    if hasattr(_http, "reset_sessions"):
        _http.reset_sessions()
    with pytest.raises(UserError, match=r"can't be asked offline\. Unset HF_HUB_OFFLINE"):
        publish_folder(folder, REPO)


@pytest.mark.parametrize("name", ["tiny", "a/b/c", "../x", "org/na me", "", "org/a--b", None])
def test_a_name_that_is_no_id_is_refused(folder, name):
    with pytest.raises(UserError, match="ORG/NAME"):
        publish_folder(folder, name)


def test_a_changed_or_incomplete_folder_is_refused(local_hub, folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / "adapter_config.json").unlink()
    with pytest.raises(UserError, match=r"had adapter_config\.json when it was written"):
        publish_folder(copy, REPO)
    (copy / "adapter_config.json").write_text("{}")
    with pytest.raises(UserError, match=r"not what was published .*adapter_config"):
        publish_folder(copy, REPO)
    old = without_hashes(shutil.copytree(folder, tmp_path / "old"))
    with pytest.raises(UserError, match="before xadapt kept hashes"), pytest.warns():
        publish_folder(old, REPO)
    with pytest.raises(UserError, match="no such module folder"):
        publish_folder(tmp_path / "nothing", REPO)
    assert local_hub.requests == []


def test_an_edited_card_is_published_as_it_is(local_hub, folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    card = (copy / "README.md").read_text().replace("## Limits", "More text.\n\n## Limits")
    (copy / "README.md").write_text(card)
    with pytest.warns(match="edited"):
        publish_folder(copy, REPO)
    assert local_hub.files(REPO)["README.md"].decode() == card


def test_a_composition_is_published_with_its_modules(local_hub, folder, tmp_path):
    other = made(tmp_path / "sw2", seed=3)
    places = {"a": folder, "b": other}
    out = tmp_path / "mix"
    write_composition(out, Mix({"a": 0.7, "b": 0.3}), places)
    done = publish_folder(out, REPO)
    assert remote(local_hub) == local(out)
    assert not any(name.endswith(".bin") for name in done.files)
    copy = tmp_path / "again"
    write_dry_run(out, copy)
    assert local(copy) == local(out) and open_composition(copy)[0] == open_composition(out)[0]
    publish_folder(folder, REPO)  # a module in the place of a composition
    assert remote(local_hub) == local(folder)


def test_a_dry_run_writes_what_would_go_up(folder, tmp_path):
    own = write_dry_run(folder, tmp_path / "out")
    assert (
        local(tmp_path / "out")
        == local(folder)
        == {n: p.read_bytes() for n, p in own.files.items()}
    )
    assert not (tmp_path / "out" / "run").exists()
    with pytest.raises(UserError, match="not empty"):
        write_dry_run(folder, tmp_path / "out")
    json.loads((tmp_path / "out" / "xadapt.json").read_text())
