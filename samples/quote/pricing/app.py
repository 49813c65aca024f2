"""Says what an order costs: prices of articles, less for many."""

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports.types import Line, Order, Price

# Of one piece, in cents.
PRICES = {"apple": 45, "pear": 60, "quince": 120, "fig": 35}

# From so many pieces in all on, so many percent less; the first that fits counts.
DISCOUNTS = [(100, 15), (50, 10), (10, 5)]


class Pricing(exports.Pricing):
    def quote(self, of: Order) -> Price:
        pieces = sum(item.count for item in of.items)
        discount = next((percent for least, percent in DISCOUNTS if pieces >= least), 0)
        lines = []
        for item in of.items:
            each = PRICES.get(item.sku)
            if each is None:
                raise Err(f"there is no price of {item.sku}")
            # Half a cent goes to the customer.
            lines.append(Line(item.sku, item.count, each, each * item.count * (100 - discount) // 100))
        return Price(lines, discount, sum(line.total for line in lines))
