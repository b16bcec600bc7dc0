"""Encoding into shards by any number of processes."""

from __future__ import annotations

import shutil
from pathlib import Path

from tiny_shards import adapted, source

from xadapt.core.distributed import DistributedContext
from xadapt.core.errors import UserError
from xadapt.data.readers.text_stream import TextSource
from xadapt.inference.bulk.encoding import encode_into
from xadapt.inference.bulk.plan import Layout


def main(folder: Path, world: int) -> None:
    """Encode afresh; again where some shards are missing; and what must be refused."""
    processes = DistributedContext(cpu=True)
    assert processes.world == world, f"{processes.world} processes, not {world}"
    one, text = adapted(folder / "base"), source(folder)
    for layout, name in ((Layout(rows=5), "fresh"), (Layout(rows=100, half=True), "one-shard")):
        vectors = encode_into(one, text, folder / name, layout)
        assert vectors.shape[0] == 23
    if processes.main:
        shutil.copytree(folder / "fresh", folder / "cut")
        (folder / "cut" / "part-00001.npy").unlink()
        (folder / "cut" / "part-00004.npy").unlink()
    processes.wait()
    encode_into(one, text, folder / "cut", Layout(rows=5), resume=True)
    for wrong, said in (
        (text, "holds finished vectors"),
        (TextSource("-"), "can't share standard input"),
    ):
        try:
            encode_into(one, wrong, folder / "cut", Layout(rows=5))
        except UserError as error:
            assert said in str(error), error
        else:
            raise AssertionError(said)
    processes.wait()
