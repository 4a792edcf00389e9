"""`/metrics` in OpenMetrics, for machines that watch."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime
from typing import Final

from fastapi import APIRouter
from fastapi.responses import Response

from goldsignal_pipeline.api.asking import Asking, Context
from goldsignal_pipeline.api.measures import measure, text_of

logger = logging.getLogger(__name__)

CONTENT_TYPE: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"

router = APIRouter(tags=["operation"])


@router.get("/metrics", response_class=Response, responses={200: {"content": {"application/openmetrics-text": {}}}})
async def metrics(asking: Asking) -> Response:
    """Age of the newest bar, missing bars, credits, signals, outcomes, outbox, last success of each asset, circuit breaker."""
    successes, heartbeat = await asyncio.to_thread(_told, asking)
    families = await asking.readers.in_thread(
        lambda connection: measure(connection, asking.settings, successes=successes, heartbeat=heartbeat, now=asking.now)
    )
    return Response(text_of(families), media_type=CONTENT_TYPE)


def _told(asking: Context) -> tuple[dict[str, datetime], datetime | None]:
    try:
        return asking.orchestrator.successes(), asking.orchestrator.heartbeat()
    except Exception as error:  # what the record tells must not be lost with Dagster's storage
        logger.warning("Dagster's storage does not answer: %s", type(error).__name__)
        return {}, None
