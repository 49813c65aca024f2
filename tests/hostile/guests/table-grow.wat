;; Takes table elements, as many at a time as there are, and aborts when it gets no more.
(module
  (table 1 funcref)
  (func (export "attack")
    (loop
      (br_if 0 (i32.ne (table.grow (ref.null func) (table.size)) (i32.const -1)))
      (unreachable))))
