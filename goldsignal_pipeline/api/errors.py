"""Every refusal in one JSON shape: a code, what happened, what was done about it, what helps."""

from __future__ import annotations

import logging
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from goldsignal_pipeline.errors import GoldSignalError, StorageError, UsageError

logger = logging.getLogger(__name__)

_CODES: Final = {401: "unauthorized", 404: "not_found", 405: "method_not_allowed", 421: "wrong_host", 422: "invalid_request"}
_READ_ONLY: Final = "The API only reads: GET is all that it knows."


class Refusal(BaseModel):
    """Why a question was not answered."""

    error: str = Field(description="Code of the fault, for programs.")
    message: str = Field(description="What happened.")
    done: str = Field(description="What was done about it; may be empty.")
    fix: str = Field(description="What helps; may be empty.")


class NotFoundError(UsageError):
    """What was asked for does not exist."""


def refusal(status: int, error: str, message: str, *, done: str = "", fix: str = "", headers: Any = None) -> JSONResponse:
    """A refusal as a response."""
    content = Refusal(error=error, message=message, done=done, fix=fix).model_dump()
    return JSONResponse(content, status_code=status, headers=headers)


def install(app: FastAPI) -> None:
    """Let every error leave the application in the one shape."""
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(GoldSignalError, _ours)
    app.add_exception_handler(Exception, _unexpected)


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # registered for this class only
    faults = [f"{fault['loc'][-1]}: {_fault_text(fault)}" for fault in error.errors()]
    return refusal(422, "invalid_request", f"The question is not valid: {'; '.join(faults)}.", fix="See /openapi.json.")


def _fault_text(fault: Any) -> str:
    if fault["type"] == "extra_forbidden":
        return "there is no such parameter"
    return str(fault["msg"]).removeprefix("Value error, ")


async def _http(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # registered for this class only
    status = error.status_code
    fix = _READ_ONLY if status == 405 else ""  # the code of HTTP
    return refusal(status, _CODES.get(status, "refused"), str(error.detail), fix=fix, headers=error.headers)


async def _ours(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, GoldSignalError)  # registered for this class only
    if isinstance(error, NotFoundError):
        return refusal(404, "not_found", error.what, done=error.done, fix=error.fix)
    if isinstance(error, UsageError):
        return refusal(422, "invalid_request", error.what, done=error.done, fix=error.fix)
    if isinstance(error, StorageError):
        logger.warning("%s", error)
        return refusal(503, "database_unavailable", error.what, fix=error.fix)
    logger.error("%s: %s", type(error).__name__, error)
    return refusal(500, "failed", error.what, done=error.done, fix=error.fix)


async def _unexpected(_request: Request, error: Exception) -> JSONResponse:
    logger.error("An unexpected %s in the API", type(error).__name__, exc_info=error)
    return refusal(500, "failed", "An unexpected fault of GoldSignal; its trace is in the log.", fix="See logs/api.log.")
