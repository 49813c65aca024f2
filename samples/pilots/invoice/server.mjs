// The renderer behind HTTP, as Node.js serves it: `node server.mjs PORT`.

import { createServer } from 'node:http';

import { render } from './template.mjs';

createServer((request, response) => {
  const pieces = [];
  request.on('data', (piece) => pieces.push(piece));
  request.on('end', () => {
    response.setHeader('content-type', 'text/html; charset=utf-8');
    response.end(render(Buffer.concat(pieces).toString()));
  });
}).listen(Number(process.argv[2]), '127.0.0.1');
