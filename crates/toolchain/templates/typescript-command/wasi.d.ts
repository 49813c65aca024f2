// What the world in `wit/` imports; streams have more functions than these.

declare module 'wasi:cli/environment@0.2.12' {
  export function getArguments(): string[];
  export function getEnvironment(): [string, string][];
}

declare module 'wasi:cli/exit@0.2.12' {
  export function exitWithCode(code: number): void;
}

declare module 'wasi:cli/stdin@0.2.12' {
  interface InputStream {
    /** Up to so many bytes; throws at the end. */
    blockingRead(most: number): Uint8Array;
  }
  export function getStdin(): InputStream;
}

declare module 'wasi:cli/stdout@0.2.12' {
  interface OutputStream {
    blockingWriteAndFlush(bytes: Uint8Array): void;
  }
  export function getStdout(): OutputStream;
}

declare module 'wasi:cli/stderr@0.2.12' {
  interface OutputStream {
    blockingWriteAndFlush(bytes: Uint8Array): void;
  }
  export function getStderr(): OutputStream;
}
