"""The application: routes, one shape of errors, a token where one is set, connections that only read, and the pages.

`create_app` connects to nothing; the lifespan opens the pool and does not wait for it, so that `/health` can tell that the
database is away.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fastapi import APIRouter, Depends, FastAPI
from fastapi.staticfiles import StaticFiles

from goldsignal_pipeline import __version__
from goldsignal_pipeline.api import errors
from goldsignal_pipeline.api.database import Readers
from goldsignal_pipeline.api.known_parameters import refuse_unknown
from goldsignal_pipeline.api.orchestrator import DagsterRecord, Orchestrator
from goldsignal_pipeline.api.routes import chart_page, health, market, metrics, news, performance_page, results, signals
from goldsignal_pipeline.api.security import LOOPBACK, Guard, require_token

if TYPE_CHECKING:
    from goldsignal_pipeline.settings import Settings

STATIC: Final = Path(__file__).parent / "static"
_ROUTERS: Final[tuple[APIRouter, ...]] = (
    health.router,
    metrics.router,
    market.router,
    signals.router,
    results.router,
    news.router,
    chart_page.router,
    performance_page.router,
)
_DESCRIPTION: Final = (
    "Read-only access to what GoldSignal holds. Prices are USD/oz, results R; both are JSON numbers with the digits of the"
    " database. Instants are UTC in ISO 8601, ranges half-open. No strategy has a demonstrated edge."
)
_REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": errors.Refusal, "description": told}
    for status, told in {
        401: "The token is missing or wrong.",
        421: "Asked for under another name than this machine's.",
        422: "The question is not valid.",
        500: "A fault of GoldSignal.",
        503: "The database does not answer.",
    }.items()
}


def create_app(
    settings: Settings, *, clock: Callable[[], datetime] | None = None, orchestrator: Orchestrator | None = None
) -> FastAPI:
    """The application of these settings; `clock` gives the time, `orchestrator` tells of Dagster."""
    app = FastAPI(
        title="GoldSignal",
        version=__version__,
        description=_DESCRIPTION,
        docs_url=None,  # its page would load scripts from elsewhere
        redoc_url=None,
        lifespan=_lifespan,
        responses=_REFUSALS,
    )
    app.state.settings = settings
    app.state.clock = clock or (lambda: datetime.now(UTC))
    app.state.orchestrator = orchestrator or DagsterRecord()
    app.state.token = settings.api_token.get_secret_value() if settings.api_token else None
    app.state.readers = Readers(settings.required_database_url)
    app.state.database = app.state.readers.database
    for router in _ROUTERS:
        app.include_router(router, dependencies=[Depends(require_token), Depends(refuse_unknown)])
    app.mount("/", StaticFiles(directory=STATIC, html=True), name="pages")
    app.add_middleware(Guard, only_local=settings.api_host in LOOPBACK)
    errors.install(app)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    await app.state.readers.open()
    try:
        yield
    finally:
        await app.state.readers.close()
