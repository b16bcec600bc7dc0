"""Encoding that is killed at every step, and on a full disk, in forks of the process."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path

from tiny_shards import contents

from xadapt.core.errors import UserError
from xadapt.data.readers.text_stream import TextSource
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.inference.bulk.encoding import encode_into
from xadapt.inference.bulk.plan import Layout

LAYOUT = Layout(rows=8)


def child(action: Callable[[], None]) -> int:
    """Run something in a fork of this process; its exit code, or minus the signal."""
    pid = os.fork()
    if pid == 0:
        action()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def killed(step: int, action: Callable[[], object]) -> Callable[[], None]:
    """The action, killed at its ``step``-th file: half written, whole, or in its place by turns."""

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def run() -> None:
        count, replace = 0, Path.replace

        def counted(self: Path, target: Path) -> Path:
            nonlocal count
            count += 1
            if count == step // 3 and step % 3 == 0:
                os.truncate(self, 10)
                die()
            if count == step // 3 and step % 3 == 1:
                die()
            moved = replace(self, target)
            if count == step // 3:
                die()
            return moved

        Path.replace = counted  # type: ignore[method-assign, assignment]
        action()

    return run


def cut_everywhere(one: AdaptedEncoder, text: TextSource, folder: Path) -> int:
    """Cut a run at every step, go on, and compare; how many cuts there were."""
    whole = folder / "whole"
    encode_into(one, text, whole, LAYOUT)
    step = 3
    while True:
        out = folder / f"cut-{step}"
        code = child(killed(step, lambda out=out: encode_into(one, text, out, LAYOUT)))  # type: ignore[misc]
        if code == 0:
            return step - 3
        assert code == -signal.SIGKILL, (step, code)
        assert not (out / "index.json").exists() or contents(out).items() >= contents(whole).items()
        again = child(killed(6, lambda out=out: encode_into(one, text, out, LAYOUT, resume=True)))  # type: ignore[misc]
        assert again in (0, -signal.SIGKILL), (step, again)
        encode_into(one, text, out, LAYOUT, resume=True)
        assert contents(out) == contents(whole), step
        step += 1


def full_disk(one: AdaptedEncoder, text: TextSource, out: Path) -> None:
    """Write a shard that is larger than a file may be, after smaller files."""

    def run() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1100, 1100))
        try:
            encode_into(one, text, out, LAYOUT, resume=True)
        except UserError as error:
            os._exit(42 if "can't write" in str(error) and "\n" not in str(error) else 1)
        os._exit(0)

    encode_into(one, text, out, LAYOUT)
    whole = contents(out)
    (out / "part-00001.npy").unlink()
    assert child(run) == 42
    assert contents(out).keys() == whole.keys() - {"part-00001.npy"}
    encode_into(one, text, out, LAYOUT, resume=True)
    assert contents(out) == whole
