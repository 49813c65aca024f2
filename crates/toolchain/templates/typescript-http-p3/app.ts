// Answers every request with a greeting.

import { Fields, Request, Response } from 'wasi:http/types@0.3.2';

export const handler = {
  async handle(_request: Request): Promise<Response> {
    const headers = Fields.fromList([['content-type', bytes('text/plain')]]);
    // The body is written while the response is on its way.
    const body = wit.Stream.from(greeting(), wit.Stream.U8);
    const noTrailers = wit.Future.from({ tag: 'ok', val: null }, wit.Future.RESULT_OPTION_OTHER_ERROR_CODE);
    return Response.new(headers, body.readable, noTrailers.readable)[0];
  },
};

async function* greeting(): AsyncGenerator<Uint8Array> {
  yield bytes('Hello from {{name}}!\n');
}

// QuickJS has no TextEncoder: the escapes of a URI are the bytes of UTF-8.
function bytes(text: string): Uint8Array {
  return Uint8Array.from(unescape(encodeURIComponent(text)), (byte) => byte.charCodeAt(0));
}
