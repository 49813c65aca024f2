#!/bin/sh
# Builds a worked pilot: `build.sh NAME` its native twin, `build.sh NAME wasm` what is kept in the tree.
#
# RUSTC and CLANG name other compilers; for `wasm` the first has to have wasm32-wasip2, the second a WASI C library (WASI_FLAGS
# says where).
set -eu
cd "$(dirname "$0")/$1"
case "$1 ${2-native}" in
"blur native") "${RUSTC-rustc}" -C opt-level=3 -C strip=symbols -o blur-native blur.rs ;;
"blur wasm") "${RUSTC-rustc}" --target wasm32-wasip2 -C opt-level=3 -C target-feature=+simd128 -C panic=abort \
    -C strip=symbols --remap-path-prefix="$PWD"=blur -o blur.wasm blur.rs ;;
"kernel native") cc -std=c17 -O3 -Wall -Wextra -o kernel-native kernel.c -lm ;;
"kernel wasm")
  # shellcheck disable=SC2086 # the flags are several words
  for simd in "" "-msimd128"; do
    "${CLANG-clang}" --target=wasm32-wasi ${WASI_FLAGS-} -std=c17 -O3 $simd -Wall -Wextra -Wl,--strip-all \
      -o "kernel${simd:+-simd}.wasm" kernel.c -lm
  done ;;
"invoice native") ;;
"invoice wasm")
  root=$(cd ../../.. && pwd)
  cd port
  # What a panic names is of the project, and not of the machine it was built on.
  remap="'--remap-path-prefix=$root=coracle', '--remap-path-prefix=${CARGO_HOME-$HOME/.cargo}=cargo'"
  cargo build --quiet --release --locked --target wasm32-wasip2 --target-dir target \
    --config "target.wasm32-wasip2.rustflags = [$remap]"
  cp target/wasm32-wasip2/release/invoice.wasm ../invoice.wasm ;;
*) echo "usage: build.sh blur|invoice|kernel [wasm]" >&2; exit 2 ;;
esac
