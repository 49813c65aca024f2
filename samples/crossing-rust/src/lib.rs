//! Asks another component for a price as often as `?times=N` says, and answers with the last: what a call between components
//! costs is measured with it.

use http_rust::{Answer, target, value};
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

use shop::quote::pricing;
use shop::quote::types::{Item, Order};

wit_bindgen::generate!({
    path: "../quote/wit",
    inline: "package sample:crossing; world crossing { import shop:quote/pricing@1.0.0; }",
    world: "sample:crossing/crossing",
    generate_all,
});

/// The most calls in one request: thousands, and far from the limit of CPU time.
const MOST: u32 = 10_000;

struct Crossing;

wasip2::http::proxy::export!(Crossing);

impl wasip2::exports::http::incoming_handler::Guest for Crossing {
    fn handle(request: IncomingRequest, answer: ResponseOutparam) {
        let (_, query) = target(&request);
        let times = value(&query, "times").and_then(|text| text.parse().ok()).unwrap_or(0).min(MOST);
        let order = Order { customer: "Ada".to_owned(), items: vec![Item { sku: "apple".to_owned(), count: 3 }] };
        let last = (0..times).map(|_| pricing::quote(&order)).last();
        let text = match last {
            None => Ok("nothing was asked".to_owned()),
            Some(price) => price.map(|price| price.total.to_string()),
        };
        text.map_or_else(|why| Answer::text(500, why), |text| Answer::text(200, text)).send(answer);
    }
}
