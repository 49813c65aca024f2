// Answers every request with a greeting.

interface FetchEvent extends Event {
  readonly request: Request;
  respondWith(response: Response | Promise<Response>): void;
}

function answer(): Response {
  return new Response('Hello from {{name}}!\n', { headers: { 'content-type': 'text/plain' } });
}

addEventListener('fetch', (event: Event) => (event as FetchEvent).respondWith(answer()));
