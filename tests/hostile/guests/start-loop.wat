;; Runs for ever before anything of it is called.
(module
  (func $start (loop (br 0)))
  (start $start)
  (func (export "attack")))
