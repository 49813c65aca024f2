// A rule of the product: which orders are taken, and what their customers are told.

import { get } from 'wasi:config/store@0.2.0-rc.1';
import { log } from 'wasi:logging/logging@0.1.0-draft';

export const rules = {
  check(order) {
    log('info', 'rules', `checking an order of ${order.customer}`);
    const unsold = get('unsold');
    return order.items.map((item) => {
      if (item.name === unsold) {
        throw `${item.name} is not sold`;
      }
      return `${item.count} x ${item.name}`;
    });
  },
};
