// Draws the page that shows an order and its price.

interface Order {
  customer: string;
  items: { sku: string; count: number }[];
}

interface Price {
  lines: { sku: string; count: number; each: bigint; total: bigint }[];
  discount: number;
  total: bigint;
}

/** Text as it stands in HTML: what a customer calls himself is no markup. */
function escape(text: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
  return text.replace(/[&<>"']/g, (letter) => entities[letter] ?? letter);
}

/** Cents as euros. */
function money(cents: bigint): string {
  const digits = String(cents).padStart(3, '0');
  return `${digits.slice(0, -2)}.${digits.slice(-2)} €`;
}

export const rendering = {
  page(order: Order, price: Price): string {
    const rows = price.lines.map(
      ({ sku, count, each, total }) =>
        `<tr><td>${escape(sku)}</td><td>${count}</td><td>${money(each)}</td><td>${money(total)}</td></tr>`,
    );
    const discount = price.discount > 0 ? `<p>Less ${price.discount} % for many.</p>` : '';
    return [
      '<!doctype html><meta charset="utf-8"><title>Quote</title>',
      `<h1>A quote for ${escape(order.customer)}</h1>`,
      `<table><tr><th>article</th><th>pieces</th><th>each</th><th>together</th></tr>${rows.join('')}</table>`,
      `${discount}<p>Together <strong>${money(price.total)}</strong></p>`,
      '',
    ].join('\n');
  },
};
