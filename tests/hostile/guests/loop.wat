;; Runs for ever and never calls the host.
(module
  (func (export "attack") (loop (br 0))))
