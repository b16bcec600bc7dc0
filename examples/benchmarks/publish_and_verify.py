"""Publish modules on a Hub of this machine, verify them from another environment, and do harm.

    python examples/benchmarks/publish_and_verify.py --python PYTHON

Needs no data. ``PYTHON`` is the interpreter of another environment, which only verifies. The Hub is
the one of the tests; the client is the real huggingface_hub, in a process of its own. Three parts:

- each module is published, signed, and verified from this and from the other environment;
- a byte of each file is changed at 50 places: ``xadapt verify`` has to name the file each time;
- 50 uploads are cut at random bytes: the Hub may never show a half of a revision, and the next
  upload has to land.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench import MINILM, save
from byte_flips import below, manifest, shaken, written

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from local_hub import TOKEN, LocalHub, serving  # noqa: E402

CLIENT = """
import json, sys
sys.path.insert(0, sys.argv[1])
from huggingface_hub.utils import _http, disable_progress_bars
from local_hub import _NoWaiting
disable_progress_bars()
if hasattr(_http, "time"):
    _http.time = _NoWaiting()
import xadapt
from xadapt.core.errors import UserError
for line in sys.stdin:
    given = json.loads(line)
    try:
        done = xadapt.publish(given.pop("folder"), given.pop("repo"), **given)
        said = {"revision": done.revision, "changed": done.changed, "signed": done.signed}
    except UserError as error:
        said = {"error": str(error)}
    print(json.dumps(said), flush=True)
"""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--python", type=Path, required=True)
    options.add_argument("--flips", type=int, default=50, help="places in each file")
    options.add_argument("--cuts", type=int, default=50)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--work", type=Path, default=Path("runs/publish_and_verify"))
    args = options.parse_args()
    shutil.rmtree(args.work, ignore_errors=True)
    work = args.work.resolve()
    folders = made(work)
    private, public = keys(work)
    with serving() as hub, client(hub, work) as publish:
        verified = []
        for name, folder in folders.items():
            done = publish(folder=str(folder), repo=f"org/{name}", sign=str(private))
            assert "error" not in done, done
            for python in (Path(sys.executable), args.python):
                row = verify(python, hub, work, f"org/{name}@{done['revision']}", public)
                verified.append({"module": name, **row})
                print(verified[-1], flush=True)
        flips = flipped(hub, work, folders, public, args.flips, args.seed)
        cuts = cut(hub, publish, folders["lora"], private, args.cuts, args.seed)
    save(
        "publish_and_verify",
        {"seed": args.seed, "verified": verified, "flips": flips, "cuts": cuts},
    )
    if not all(row["ok"] for row in verified) or any(row["named"] < row["flips"] for row in flips):
        sys.exit("a module was not verified, or a changed byte was not noticed by its file")
    if cuts["half"] or cuts["landed"] < cuts["uploads"]:
        sys.exit("a cut upload left a half, or the next one did not land")


def made(work: Path) -> dict[str, Path]:
    """The modules of `byte_flips`, and a LoRA for vectors, which sentence-transformers opens."""
    from xadapt.backbones.encoder.encoder import Encoder
    from xadapt.hub.folder import write_folder
    from xadapt.injection.attachment import model_shape
    from xadapt.modules.storage import build

    encoder = Encoder.from_pretrained(MINILM, dtype="float32", device="cpu")
    folders = written(work, encoder)
    module = shaken(build("lora", {"rank": 4}, model_shape(encoder)), 3)
    own = manifest("vectors", module, encoder).model_copy(update={"objectives": ["distillation"]})
    write_folder(work / "vectors", module, encoder, own, verify={})
    return {"vectors": work / "vectors", **folders}


def keys(work: Path) -> tuple[Path, Path]:
    """A private and a public key."""
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric import ec

    own = ec.generate_private_key(ec.SECP256R1())
    private, public = work / "key.pem", work / "key.pub"
    private.write_bytes(
        own.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    )
    public.write_bytes(
        own.public_key().public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo)
    )
    return private, public


def environment(hub: LocalHub, work: Path, cache: str) -> dict[str, str]:
    """The environment of a process that uses the Hub of this machine."""
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "HF_ENDPOINT": hub.endpoint,
        "HF_TOKEN": TOKEN,
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_CACHE": str(work / cache),
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }


@contextmanager
def client(hub: LocalHub, work: Path) -> Iterator[Any]:
    """A process that publishes, and a function that asks it to."""
    process = subprocess.Popen(
        [sys.executable, "-c", CLIENT, str(ROOT / "tests")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(hub, work, "cache"),
    )
    assert process.stdin is not None and process.stdout is not None

    def publish(**given: Any) -> dict[str, Any]:
        process.stdin.write(json.dumps(given) + "\n")
        process.stdin.flush()
        return json.loads(process.stdout.readline())

    try:
        yield publish
    finally:
        process.stdin.close()
        process.wait()


def verify(python: Path, hub: LocalHub, work: Path, place: str, public: Path) -> dict[str, Any]:
    """Verify a module from an environment, with an empty cache, by the command line."""
    out, elsewhere = work / "verified.json", work / "elsewhere"
    elsewhere.mkdir(exist_ok=True)  # in a folder of modules, Python would import a module's folder
    cache = f"cache-{len(list(work.glob('cache-*')))}"
    done = subprocess.run(
        [str(python), "-m", "xadapt", "verify", place, "--public-key", str(public),
         "--json", str(out)],
        env=environment(hub, work, cache), capture_output=True, text=True, cwd=elsewhere,
    )  # fmt: skip
    asked = (
        "from importlib.metadata import version as v; "
        "print(v('transformers'), v('huggingface_hub'))"
    )
    versions = subprocess.run(
        [str(python), "-c", asked], capture_output=True, text=True, check=True
    )
    transformers, client_version = versions.stdout.split()
    said = json.loads(out.read_text(encoding="utf-8"))
    count = Counter(one["status"] for one in said["checks"])
    open_ = [f"{one['name']}: {one['what']}" for one in said["checks"]
             if one["status"] == "not checked"]  # fmt: skip
    return {
        "transformers": transformers,
        "huggingface_hub": client_version,
        "ok": said["ok"] and done.returncode == 0,
        **{name.replace(" ", "_"): count[name] for name in ("passed", "failed", "not checked")},
        "open": open_,
        "wrong": [
            f"{one['name']}: {one['what']}" for one in said["checks"] if one["status"] == "failed"
        ],
    }


def flipped(
    hub: LocalHub, work: Path, folders: dict[str, Path], public: Path, places: int, seed: int
) -> list[dict[str, Any]]:
    """Change single bytes of each published file; a failed check has to name the file."""
    from xadapt.hub.checks import FAILED
    from xadapt.pipelines.verify import verify as check

    rng = random.Random(seed)
    rows = []
    for name in folders:
        copy = work / "flips" / name
        for path, raw in hub.files(f"org/{name}").items():
            if path != ".gitattributes":
                (copy / path).parent.mkdir(parents=True, exist_ok=True)
                (copy / path).write_bytes(raw)
        assert check(copy, public_key=public, files_only=True).ok
        for file in below(copy):
            raw, shown, named = file.read_bytes(), file.relative_to(copy).as_posix(), 0
            for _ in range(places):
                at = rng.randrange(len(raw))
                other = bytes([raw[at] ^ rng.randrange(1, 256)])
                file.write_bytes(raw[:at] + other + raw[at + 1 :])
                found = check(copy, public_key=public, files_only=True)
                failed = [one for one in found if one.status == FAILED]
                seen = any(one.name == shown or shown in one.what for one in failed)
                named += seen and not found.ok
                if not seen:
                    print(f"byte {at} of {name}/{shown}: not noticed", flush=True)
            file.write_bytes(raw)
            rows.append({"file": f"{name}/{shown}", "flips": places, "named": named})
    print(sum(row["named"] for row in rows), "of", sum(row["flips"] for row in rows), flush=True)
    return rows


def cut(
    hub: LocalHub, publish: Any, folder: Path, private: Path, uploads: int, seed: int
) -> dict[str, Any]:
    """Cut uploads at random bytes of all that goes over the connection until the commit is made.

    What follows, the answer and the download that is verified, is a part of it only by its first
    bytes. The Hub forgets the contents between uploads, so that each has to send them all.
    """
    rng = random.Random(seed)
    hub.uploads.clear()
    before = hub.carried
    publish(folder=str(folder), repo="org/measured", sign=str(private))
    size = hub.committed_at[-1] - before + ANSWER
    own = {path.relative_to(folder).as_posix(): path.read_bytes() for path in below(folder)}
    count: Counter[str] = Counter()
    for number in range(uploads):
        repo = f"org/cut-{number}"
        hub.uploads.clear()
        hub.break_after(rng.randrange(size))
        done = publish(folder=str(folder), repo=repo, sign=str(private))
        hub.mend()
        count["cut" if "error" in done else "finished"] += 1
        repository = hub.repositories.get(repo)
        revisions = [] if repository is None else repository.commits
        whole = [is_whole({n: one.raw for n, one in c.files.items()}, own) for c in revisions]
        count["half"] += any(state == "half" for state in whole)
        count["already whole"] += "error" in done and "whole" in whole
        count["nothing yet"] += "whole" not in whole
        hub.uploads.clear()
        again = publish(folder=str(folder), repo=repo, sign=str(private))
        count["landed"] += "error" not in again and is_whole(hub.files(repo), own) == "whole"
        made_ = len(hub.repositories[repo].commits)
        count["one commit"] += made_ == 2  # the first made the repository
    found = {"uploads": uploads, "bytes": size, **{n: count[n] for n in NAMES}}
    print(found, flush=True)
    return found


ANSWER = 2000
"""Bytes after the commit that may be cut too: its answer, and the beginning of the reading back."""
NAMES = ("cut", "nothing yet", "already whole", "finished", "half", "landed", "one commit")


def is_whole(files: dict[str, bytes], own: dict[str, bytes]) -> str:
    """Whether a revision holds the module: ``empty``, ``whole`` or ``half``."""
    there = {name: raw for name, raw in files.items() if name != ".gitattributes"}
    if not there:
        return "empty"
    signature = there.pop("model.sig", None)
    return "whole" if there == own and signature else "half"


if __name__ == "__main__":
    main()
