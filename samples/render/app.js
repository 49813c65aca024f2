// Answers posted Markdown with HTML that is safe to show: tags in the text stay text, and links lead only to the web or
// to mail. `?page` wraps it in a whole page.

import MarkdownIt from 'markdown-it';

// The longest text, in bytes.
const MAX_BODY = 1024 * 1024;
const SAFE_LINK = /^(https?:|mailto:|[/#?.]|[^:]*$)/i;

const markdown = new MarkdownIt({ html: false, linkify: true, typographer: true });
// The library refuses what is known to be harmful; here only what is known to be harmless passes.
const { validateLink } = markdown;
markdown.validateLink = (link) => validateLink(link) && SAFE_LINK.test(link.trim());
// A link tells the place it leads to neither where it was clicked nor how to reach back.
const { link_open: openLink = (tokens, at, options, _, self) => self.renderToken(tokens, at, options) } =
  markdown.renderer.rules;
markdown.renderer.rules.link_open = (tokens, at, ...rest) => {
  tokens[at].attrSet('rel', 'noopener noreferrer nofollow');
  return openLink(tokens, at, ...rest);
};

addEventListener('fetch', (event) => event.respondWith(answer(event.request)));

async function answer(request) {
  if (request.method !== 'POST') {
    return text(405, 'post a text in Markdown');
  }
  const body = await request.arrayBuffer();
  if (body.byteLength > MAX_BODY) {
    return text(413, `a text may have ${MAX_BODY} bytes at the most`);
  }
  const html = markdown.render(new TextDecoder().decode(body));
  const page = new URL(request.url).searchParams.has('page');
  return new Response(page ? whole(html) : html, {
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': "default-src 'none'; img-src https:; style-src 'unsafe-inline'",
      'x-content-type-options': 'nosniff',
    },
  });
}

function text(status, line) {
  return new Response(`${line}\n`, { status, headers: { 'content-type': 'text/plain; charset=utf-8' } });
}

function whole(html) {
  return `<!doctype html>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<style>body { font: 1rem/1.5 sans-serif; margin: auto; max-width: 40rem; padding: 1rem }</style>
${html}`;
}
