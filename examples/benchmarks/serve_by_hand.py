"""The server that one writes by hand: sentence-transformers behind a route of FastAPI.

    python examples/benchmarks/serve_by_hand.py BASE PORT

Each request is one call of ``encode`` on the thread pool of FastAPI. It is what `serve_load.py`
compares with.
"""

from __future__ import annotations

import base64
import sys
from typing import Annotated, Any

import numpy as np
import uvicorn
from fastapi import Body, FastAPI
from sentence_transformers import SentenceTransformer

from xadapt.backbones.bases import resolve

app = FastAPI()


@app.post("/v1/embeddings")
def embeddings(body: Annotated[dict[str, Any], Body()]) -> dict[str, Any]:
    texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
    found = app.state.model.encode(texts, show_progress_bar=False)
    rows = [
        {"object": "embedding", "index": i, "embedding": base64.b64encode(np.float32(own)).decode()}
        for i, own in enumerate(found)
    ]
    return {"object": "list", "data": rows, "model": body["model"], "usage": {}}


if __name__ == "__main__":
    app.state.model = SentenceTransformer(resolve(sys.argv[1]).location, device="cpu")
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="error")
