// Greets whoever is named.

import { getArguments } from 'wasi:cli/environment@0.2.12';
import { getStdout } from 'wasi:cli/stdout@0.2.12';

// A stream takes this many bytes in one write at the most.
const MAX_WRITE = 4096;

export const run = {
  run(): void {
    const name = getArguments()[1] ?? 'world';
    print(`Hello, ${name}!\n`);
  },
};

function print(text: string): void {
  // QuickJS has no TextEncoder: the escapes of a URI are the bytes of UTF-8.
  const bytes = Uint8Array.from(unescape(encodeURIComponent(text)), (byte) => byte.charCodeAt(0));
  const stdout = getStdout();
  for (let at = 0; at < bytes.length; at += MAX_WRITE) {
    stdout.blockingWriteAndFlush(bytes.slice(at, at + MAX_WRITE));
  }
}
