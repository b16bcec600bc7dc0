"""Encoders as actors of Ray: vectors of home, the same bytes in shards, and actors that die."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tiny_models import MANY, TEXTS
from tiny_server import Shop, make_shop

from xadapt.core.errors import UserError
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.inference.bulk.encoding import encode_shards
from xadapt.inference.encoder_spec import EncoderSpec
from xadapt.integrations.ray import RayEncoder, RayPool, encode_together, ray_deployment


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return make_shop(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def spec(shop: Shop) -> EncoderSpec:
    return EncoderSpec(shop.base, shop.given("de", "sw"), None, "float32", "cpu")


def test_a_batch_gets_a_column_of_vectors(spec: EncoderSpec) -> None:
    actor = RayEncoder(spec, language_column="lang", normalize_embeddings=True)
    batch = {"text": np.array(TEXTS), "lang": np.array(["de", "sw", None] * 2 + ["de"])}
    found = actor(batch)
    wanted = spec().encode(list(TEXTS), list(batch["lang"]), normalize_embeddings=True)
    np.testing.assert_array_equal(found["vector"], wanted)
    assert found["text"] is batch["text"]


def test_requests_of_many_modules_share_a_call(spec: EncoderSpec) -> None:
    model = spec()
    asked = [(["a", "b"], "de"), ([], "sw"), (["c"], "base"), (["d"], "nothing"), (["e"], "sw")]
    found = encode_together(model, asked)
    assert found[1] == [] and "nothing" in found[3]
    np.testing.assert_allclose(found[0], model.encode(["a", "b"], "de"), atol=1e-5)
    np.testing.assert_allclose(found[2], model.with_(None).encode(["c"]), atol=1e-5)
    np.testing.assert_allclose(found[4], model.encode(["e"], "sw"), atol=1e-5)
    assert len(encode_together(model, asked[3:4])) == 1


def test_without_ray_the_extra_is_named(shop: Shop, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    (tmp_path / "t.txt").write_text("one\ntwo\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"xadapt\[ray\]"):
        encode_shards(tmp_path / "t.txt", tmp_path / "out", base=shop.base, executor="ray")
    with pytest.raises(UserError, match="executor"):
        encode_shards(tmp_path / "t.txt", tmp_path / "out", base=shop.base, executor="dask")


@pytest.fixture(scope="module")
def ray() -> Iterator[object]:
    ray = pytest.importorskip("ray", reason="the extra ray is not installed")
    os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"
    path = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1])]
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        runtime_env={"env_vars": {"PYTHONPATH": os.pathsep.join(path), "OMP_NUM_THREADS": "1"}},
    )
    yield ray
    ray.shutdown()


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_shards_have_the_bytes_of_one_process(ray, shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("".join(f"{text} {i}\n" for i in range(5) for text in MANY))
    given = {
        "base": shop.base,
        "modules": shop.given("de"),
        "lang": "de",
        "shard_rows": 7,
        "dtype": "float32",
        "device": "cpu",
        "normalize": True,
    }
    told: list[str] = []
    encode_shards(tmp_path / "t.txt", tmp_path / "one", report=told.append, **given)
    again: list[str] = []
    encode_shards(
        tmp_path / "t.txt", tmp_path / "two", executor="ray", report=again.append, **given
    )
    assert contents(tmp_path / "one") == contents(tmp_path / "two") and again == told


class Dies:
    """Ends its process at the first piece it is given, twice; the marks are files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, model: object, piece: int) -> int:
        for mark in (self.folder / "first", self.folder / "second"):
            if piece == 3 and not mark.exists():
                mark.touch()
                os._exit(1)
        if piece == 99:
            raise UserError("a mistake of the user")
        return piece * piece


def test_actors_that_die_are_replaced(ray, tmp_path: Path) -> None:
    pool = RayPool(int, 2, Dies(tmp_path))
    try:
        found = dict(pool.map((i, i) for i in range(8)))
        assert found == {i: i * i for i in range(8)} and (tmp_path / "second").exists()
        with pytest.raises(UserError, match="a mistake of the user"):
            list(pool.map([(0, 99)]))
    finally:
        pool.close()


def test_ray_data_and_ray_serve(ray, spec: EncoderSpec) -> None:
    data = pytest.importorskip("ray.data")
    rows = data.from_items([{"text": text} for text in TEXTS])
    made = rows.map_batches(
        RayEncoder,
        fn_constructor_args=(spec,),
        fn_constructor_kwargs={"language": "de"},
        compute=data.ActorPoolStrategy(size=1),
        batch_size=3,
    ).take_all()
    by_text = {row["text"]: row["vector"] for row in made}
    wanted = AdaptedEncoder.from_pretrained(spec.base, *spec.modules, dtype="float32").encode(
        list(TEXTS), "de"
    )
    np.testing.assert_allclose([by_text[text] for text in TEXTS], wanted, atol=1e-5)
    assert type(ray_deployment(spec, num_replicas=1)).__name__ == "Application"
