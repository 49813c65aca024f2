"""Answers a posted JSON series with a forecast: `{"series": [...], "season": 12, "horizon": 6}`, or just the array.

A `season` of 0, the default, means a trend without a season. `alpha`, `beta` and `gamma` set how fast level, trend and
season follow the series; what is left out is fitted to it.
"""

import json
from typing import Any

import holt_winters
from componentize_py_types import Err, Ok
from wit_world import exports
from wit_world.imports.types import (
    Fields,
    IncomingBody,
    IncomingRequest,
    Method_Post,
    OutgoingBody,
    OutgoingResponse,
    ResponseOutparam,
)
from wit_world.imports.streams import StreamError_Closed

# The longest request body, in bytes: far more than the longest series takes.
MAX_BODY = 1 << 20
# Taken from and given to the host in one call, in bytes.
MAX_READ = 64 << 10
MAX_WRITE = 4 << 10


class IncomingHandler(exports.IncomingHandler):
    def handle(self, request: IncomingRequest, response_out: ResponseOutparam) -> None:
        try:
            if not isinstance(request.method(), Method_Post):
                raise Refusal(405, "post a series as JSON")
            answer = forecast(read_body(request))
            send(response_out, 200, answer)
        except Refusal as refusal:
            send(response_out, refusal.status, {"error": refusal.why})


class Refusal(Exception):
    """What is wrong with a request."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why


def forecast(body: bytes) -> dict[str, Any]:
    try:
        wanted = json.loads(body)
    except ValueError as error:
        raise Refusal(400, f"the body is not JSON: {error}") from error
    if isinstance(wanted, list):
        wanted = {"series": wanted}
    if not isinstance(wanted, dict):
        raise Refusal(422, "the body must be an object with a series, or an array of numbers")
    try:
        return holt_winters.forecast(**wanted)
    except (TypeError, ValueError) as error:
        raise Refusal(422, str(error).removeprefix("forecast() ")) from error


def read_body(request: IncomingRequest) -> bytes:
    incoming = request.consume()
    body = bytearray()
    with incoming.stream() as stream:
        while len(body) <= MAX_BODY:
            try:
                body += stream.blocking_read(MAX_READ)
            except Err as error:
                if isinstance(error.value, StreamError_Closed):
                    break
                raise Refusal(400, "the body ended early") from error
    IncomingBody.finish(incoming)
    if len(body) > MAX_BODY:
        raise Refusal(413, f"a body may have {MAX_BODY} bytes at the most")
    return bytes(body)


def send(response_out: ResponseOutparam, status: int, answer: dict[str, Any]) -> None:
    text = (json.dumps(answer) + "\n").encode()
    response = OutgoingResponse(Fields.from_list([("content-type", b"application/json")]))
    response.set_status_code(status)
    body = response.body()
    ResponseOutparam.set(response_out, Ok(response))
    with body.write() as stream:
        for at in range(0, len(text), MAX_WRITE):
            stream.blocking_write_and_flush(text[at : at + MAX_WRITE])
    OutgoingBody.finish(body, None)
