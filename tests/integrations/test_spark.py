"""An encoder as a function of Spark over a column, on two local workers."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_models import TEXTS
from tiny_server import make_shop

from xadapt.core.errors import UserError
from xadapt.inference.encoder_spec import EncoderSpec
from xadapt.integrations.spark import spark_encoder


def test_vectors_are_those_of_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sql = pytest.importorskip("pyspark.sql", reason="the extra spark is not installed")
    shop = make_shop(tmp_path)
    spec = EncoderSpec(shop.base, shop.given("de"), None, "float32", "cpu")
    path = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path))
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    session = (
        sql.SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .getOrCreate()
    )
    try:
        frame = session.createDataFrame(
            [(i, text) for i, text in enumerate(TEXTS)], "id int, text string"
        )
        encode = spark_encoder(spec, language="de", batch_size=3)
        rows = frame.repartition(2).withColumn("vector", encode("text")).orderBy("id").collect()
    finally:
        session.stop()
    wanted = spec().encode(list(TEXTS), "de")
    np.testing.assert_allclose([row["vector"] for row in rows], wanted, rtol=0, atol=1e-5)


def test_without_spark_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyspark", None)
    monkeypatch.setitem(sys.modules, "pyspark.ml.functions", None)
    with pytest.raises(UserError, match=r"xadapt\[spark\]"):
        spark_encoder(lambda: None)
