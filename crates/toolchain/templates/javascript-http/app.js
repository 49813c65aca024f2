// Answers every request with a greeting.

addEventListener('fetch', (event) =>
  event.respondWith(new Response('Hello from {{name}}!\n', { headers: { 'content-type': 'text/plain' } })),
);
