;; Fills and copies 64 MiB in one instruction each, for ever.
(module
  (memory 1025)
  (func (export "attack")
    (loop
      (memory.fill (i32.const 0) (i32.const 1) (i32.const 0x4000000))
      (memory.copy (i32.const 0x10000) (i32.const 0) (i32.const 0x4000000))
      (br 0))))
