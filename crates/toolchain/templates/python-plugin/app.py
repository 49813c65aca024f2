"""A rule of the product: which orders are taken, and what their customers are told."""

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.rules import Order
from wit_world.imports import logging, store


class Rules(exports.Rules):
    def check(self, of: Order) -> list[str]:
        logging.log(logging.Level.INFO, "rules", f"checking an order of {of.customer}")
        unsold = store.get("unsold")
        for item in of.items:
            if item.name == unsold:
                raise Err(f"{item.name} is not sold")
        return [f"{item.count} x {item.name}" for item in of.items]
