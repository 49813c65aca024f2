//! Renders an invoice: lines `name<TAB>quantity<TAB>cents` become a page of HTML. `template.mjs` in Rust, step by step.

use http_rust::{Answer, body};
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

const PAGE: &str = "<!doctype html>\n<title>Invoice</title>\n<h1>Invoice</h1>\n<table>\n{{rows}}</table>\n\
                    <p>{{count}} items, total {{total}}</p>\n";
const ROW: &str = "<tr><td>{{name}}</td><td>{{quantity}}</td><td>{{price}}</td><td>{{sum}}</td></tr>\n";
/// The longest list of items, in bytes.
const MAX_BODY: usize = 1024 * 1024;

struct Invoice;

wasip2::http::proxy::export!(Invoice);

impl wasip2::exports::http::incoming_handler::Guest for Invoice {
    fn handle(request: IncomingRequest, answer: ResponseOutparam) {
        respond(&request).unwrap_or_else(|refusal| refusal).send(answer);
    }
}

fn respond(request: &IncomingRequest) -> Result<Answer, Answer> {
    let body = body(request, MAX_BODY)?;
    let body = std::str::from_utf8(&body).map_err(|_| Answer::text(400, "the items are not UTF-8"))?;
    Ok(Answer { status: 200, content_type: "text/html; charset=utf-8", body: render(body).into_bytes() })
}

fn render(body: &str) -> String {
    let (mut rows, mut count, mut total) = (String::new(), 0_u64, 0);
    for line in body.split('\n') {
        let mut fields = line.split('\t');
        let (Some(name), Some(quantity), Some(price)) = (fields.next(), fields.next(), fields.next()) else { continue };
        let cents: u64 = price.parse().unwrap_or_default();
        let sum = quantity.parse::<u64>().unwrap_or_default() * cents;
        let values =
            [("name", escape(name)), ("quantity", quantity.to_owned()), ("price", money(cents)), ("sum", money(sum))];
        fill(&mut rows, ROW, &values);
        count += 1;
        total += sum;
    }
    let mut page = String::with_capacity(PAGE.len() + rows.len());
    fill(&mut page, PAGE, &[("rows", rows), ("count", count.to_string()), ("total", money(total))]);
    page
}

/// Adds a template with its placeholders filled.
fn fill(page: &mut String, mut template: &str, values: &[(&str, String)]) {
    while let Some((before, (name, after))) =
        template.split_once("{{").and_then(|(before, rest)| Some((before, rest.split_once("}}")?)))
    {
        page.push_str(before);
        page.push_str(values.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value));
        template = after;
    }
    page.push_str(template);
}

fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

fn money(cents: u64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}
