"""Answers every request with a greeting."""

import componentize_py_async_support
import wit_world
from componentize_py_async_support.futures import FutureReader
from componentize_py_async_support.streams import ByteStreamWriter
from componentize_py_types import Ok
from wit_world import exports
from wit_world.imports.wasi_http_types import Fields, Request, Response


class Handler(exports.Handler):
    async def handle(self, request: Request) -> Response:
        headers = Fields.from_list([("content-type", b"text/plain")])
        writer, body = wit_world.byte_stream()
        # The body is written while the response is on its way.
        componentize_py_async_support.spawn(write(writer, b"Hello from {{name}}!\n"))
        return Response.new(headers, body, no_trailers())[0]


async def write(writer: ByteStreamWriter, text: bytes) -> None:
    with writer:
        await writer.write_all(text)


def no_trailers() -> FutureReader:
    # What the future is worth when its writing end is dropped.
    return wit_world.result_option_wasi_http_types_fields_wasi_http_types_error_code_future(lambda: Ok(None))[1]
