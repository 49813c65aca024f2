//! Answers `/quote?customer=NAME&item=SKU:COUNT&item=…` with a page, and leaves everything else to other components: it
//! checks nothing, knows no price and draws nothing itself.

use http_rust::{Answer, target, value};
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

use shop::quote::types::{Item, Order};
use shop::quote::{pricing, rendering, validation};

wit_bindgen::generate!({ path: "../wit", world: "front" });

struct Front;

wasip2::http::proxy::export!(Front);

impl wasip2::exports::http::incoming_handler::Guest for Front {
    fn handle(request: IncomingRequest, answer: ResponseOutparam) {
        respond(&request).unwrap_or_else(|refusal| refusal).send(answer);
    }
}

fn respond(request: &IncomingRequest) -> Result<Answer, Answer> {
    let (_, query) = target(request);
    let items = query.iter().filter(|(key, _)| key == "item").map(|(_, text)| item(text));
    let order = Order {
        customer: value(&query, "customer").unwrap_or_default().to_owned(),
        items: items.collect::<Result<_, _>>()?,
    };
    let problems = validation::check(&order);
    if !problems.is_empty() {
        return Err(Answer::text(422, problems.join("\n")));
    }
    let price = pricing::quote(&order).map_err(|why| Answer::text(404, why))?;
    let page = rendering::page(&order, &price);
    Ok(Answer { status: 200, content_type: "text/html; charset=utf-8", body: page.into_bytes() })
}

/// Reads `SKU:COUNT`.
fn item(text: &str) -> Result<Item, Answer> {
    let (sku, count) = text.split_once(':').unwrap_or((text, "1"));
    match count.parse() {
        Ok(count) => Ok(Item { sku: sku.to_owned(), count }),
        Err(_) => Err(Answer::text(400, format!("{count:?} is not how many there can be of {sku:?}"))),
    }
}
