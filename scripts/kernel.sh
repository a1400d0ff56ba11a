#!/bin/sh
# Compiles the kernel of the CSV reader, and notes which source it was compiled from (kernel.test.ts compares).
# Only who changes the kernel needs the compiler, so it is no dependency.
set -e
cd "$(dirname "$0")/../src/csv/kernel"
npx --yes assemblyscript@0.28.20 asc assembly/kernel.ts -o kernel.wasm \
  --runtime stub --enable simd -O3 --noAssert --initialMemory 900 --maximumMemory 900 --memoryBase 1024
cat assembly/kernel.ts assembly/shape.ts assembly/write.ts | sha256sum | cut -d' ' -f1 > kernel.source
