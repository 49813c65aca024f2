//! Says what an order costs, `CUSTOMER SKU:COUNT...`. It knows no price: another component does, in whichever language.

use shop::quote::pricing;
use shop::quote::types::{Item, Order};
use wasip2::cli::{environment, stderr, stdout};
use wasip2::io::streams::OutputStream;

wit_bindgen::generate!({
    path: "../quote/wit",
    inline: "
        package sample:order;
        world order {
            import shop:quote/pricing@1.0.0;
            /// What so many pieces of one article cost, in cents.
            export cost: func(sku: string, count: u32) -> result<u64, string>;
        }",
    world: "sample:order/order",
    generate_all,
});

struct Command;

wasip2::cli::command::export!(Command);
export!(Command);

impl wasip2::exports::cli::run::Guest for Command {
    fn run() -> Result<(), ()> {
        match ordered(&environment::get_arguments()).and_then(|order| total(&order)) {
            Ok(total) => say(&stdout::get_stdout(), &format!("{}.{:02}", total / 100, total % 100)),
            Err(why) => say(&stderr::get_stderr(), &why).and(Err(())),
        }
    }
}

impl Guest for Command {
    fn cost(sku: String, count: u32) -> Result<u64, String> {
        total(&Order { customer: String::new(), items: vec![Item { sku, count }] })
    }
}

fn total(order: &Order) -> Result<u64, String> {
    Ok(pricing::quote(order)?.total)
}

fn ordered(arguments: &[String]) -> Result<Order, String> {
    let [_, customer, items @ ..] = arguments else { return Err("usage: CUSTOMER SKU:COUNT...".to_owned()) };
    let items = items.iter().map(|item| {
        let (sku, count) = item.split_once(':').ok_or_else(|| format!("{item} is not SKU:COUNT"))?;
        let count = count.parse().map_err(|error| format!("{item}: {error}"))?;
        Ok(Item { sku: sku.to_owned(), count })
    });
    Ok(Order { customer: customer.clone(), items: items.collect::<Result<_, String>>()? })
}

fn say(to: &OutputStream, line: &str) -> Result<(), ()> {
    to.blocking_write_and_flush(format!("{line}\n").as_bytes()).map_err(drop)
}
