//! A rule of the product: which orders are taken, and what their customers are told.

use exports::example::plugin::rules::{Guest, Order};
use wasi::config::store;
use wasi::logging::logging::{Level, log};

wit_bindgen::generate!({ world: "plugin", path: "wit", generate_all });

struct Plugin;

export!(Plugin);

impl Guest for Plugin {
    fn check(order: Order) -> Result<Vec<String>, String> {
        log(Level::Info, "rules", &format!("checking an order of {}", order.customer));
        let unsold = store::get("unsold").map_err(|error| format!("{error:?}"))?;
        order
            .items
            .into_iter()
            .map(|item| {
                if unsold.as_ref() == Some(&item.name) {
                    return Err(format!("{} is not sold", item.name));
                }
                Ok(format!("{} x {}", item.count, item.name))
            })
            .collect()
    }
}
