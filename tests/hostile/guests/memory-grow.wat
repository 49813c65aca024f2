;; Takes memory page by page and touches each, and aborts when it gets no more, as most languages do.
(module
  (memory 1)
  (func (export "attack")
    (local $page i32)
    (loop
      (local.set $page (memory.grow (i32.const 1)))
      (if (i32.eq (local.get $page) (i32.const -1)) (then (unreachable)))
      (i32.store (i32.shl (local.get $page) (i32.const 16)) (i32.const 1))
      (br 0))))
