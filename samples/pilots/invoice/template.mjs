// Renders an invoice: lines `name<TAB>quantity<TAB>cents` become a page of HTML, by a template with {{placeholders}}.

const PAGE = `<!doctype html>
<title>Invoice</title>
<h1>Invoice</h1>
<table>
{{rows}}</table>
<p>{{count}} items, total {{total}}</p>
`;
const ROW = '<tr><td>{{name}}</td><td>{{quantity}}</td><td>{{price}}</td><td>{{sum}}</td></tr>\n';

const SPECIAL = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
const escape = (text) => text.replace(/[&<>"']/g, (character) => SPECIAL[character]);
const money = (cents) => `${Math.floor(cents / 100)}.${String(cents % 100).padStart(2, '0')}`;
const fill = (template, values) => template.replace(/\{\{(\w+)\}\}/g, (_, name) => values[name] ?? '');

export function render(body) {
  let rows = '';
  let count = 0;
  let total = 0;
  for (const line of body.split('\n')) {
    const [name, quantity, price] = line.split('\t');
    if (price === undefined) continue;
    const sum = Number(quantity) * Number(price);
    rows += fill(ROW, { name: escape(name), quantity, price: money(Number(price)), sum: money(sum) });
    count += 1;
    total += sum;
  }
  return fill(PAGE, { rows, count: String(count), total: money(total) });
}
