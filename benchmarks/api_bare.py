"""A bare FastAPI application that answers `/signals` and `/candles` with bytes it holds: the least that HTTP costs here.

`python -m benchmarks.api_bare PORT FOLDER`; the folder holds a file for each route.
"""

from __future__ import annotations

import sys
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Response


def application(folder: Path) -> FastAPI:
    """The application that answers with the files of a folder."""
    held = {path.name: path.read_bytes() for path in folder.iterdir()}
    app = FastAPI()

    @app.get("/{name}")
    async def answer(name: str) -> Response:
        return Response(held.get(name, b"{}"), media_type="application/json")

    return app


if __name__ == "__main__":
    uvicorn.run(application(Path(sys.argv[2])), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", access_log=False)
