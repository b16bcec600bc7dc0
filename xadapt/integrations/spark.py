"""Spark: an encoder with modules as a function over columns of texts.

Source: ``pyspark.ml.functions.predict_batch_udf``, Spark 3.4 and later.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from xadapt.core.errors import missing_extra

Load = Callable[[], Any]


def spark_encoder(
    load: Load, *, language: str | None = None, batch_size: int = 512, **options: Any
) -> Any:
    """Make a function for columns of texts: ``frame.withColumn("vector", encode("text"))``.

    ```python
    encode = spark_encoder(EncoderSpec("mini", ("sw",)), language="sw")
    frame = frame.withColumn("vector", encode("text"))
    ```

    Args:
        load: Loads the encoder; called once in each Python worker of Spark.
        language: Language of all texts.
        batch_size: Most rows that are encoded at once.
        **options: Options of the encoder's ``encode``, such as ``normalize_embeddings=True``.

    Returns:
        A function of one column; the vectors are arrays of float.

    Raises:
        UserError: If pyspark is not installed.
    """
    try:
        from pyspark.ml.functions import predict_batch_udf
        from pyspark.sql.types import ArrayType, FloatType
    except ImportError:
        raise missing_extra("pyspark", "spark") from None

    def make() -> Callable[[Any], Any]:
        model = load()

        def encode(texts: Any) -> Any:
            given = ["" if text is None else str(text) for text in np.asarray(texts).tolist()]
            found = model.encode(given, language, show_progress_bar=False, **options)
            return np.asarray(found, dtype=np.float32)

        return encode

    return predict_batch_udf(make, return_type=ArrayType(FloatType()), batch_size=batch_size)
