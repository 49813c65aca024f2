// Some of what the world in `wit/` names, and what componentize-qjs has for its streams and futures.

declare module 'wasi:http/types@0.3.2' {
  export class Fields {
    static fromList(entries: [string, Uint8Array][]): Fields;
    copyAll(): [string, Uint8Array][];
  }
  export class Request {
    getMethod(): { tag: string; val?: string };
    getPathWithQuery(): string | null;
    getHeaders(): Fields;
    static consumeBody(request: Request, done: unknown): [AsyncIterable<Uint8Array>, unknown];
  }
  export class Response {
    static new(headers: Fields, body: unknown, trailers: unknown): [Response, unknown];
    setStatusCode(code: number): void;
  }
}

declare const wit: {
  Stream: { U8: unknown; from(values: AsyncIterable<unknown>, type: unknown): { readable: unknown } };
  Future: {
    RESULT_OPTION_OTHER_ERROR_CODE: unknown;
    RESULT_VOID_ERROR_CODE: unknown;
    from(value: unknown, type: unknown): { readable: unknown };
  };
};
