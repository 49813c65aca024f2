// Products of matrices of 192 by 192 floats: loops that a compiler turns into SIMD.

#include "kernel.h"

#define N 192

static void multiply(const float *restrict a, const float *restrict b, float *restrict c) {
  memset(c, 0, sizeof(float) * N * N);
  for (int i = 0; i < N; i++) {
    for (int k = 0; k < N; k++) {
      float factor = a[i * N + k];
      for (int j = 0; j < N; j++) c[i * N + j] += factor * b[k * N + j];
    }
  }
}

int main(int count, char **arguments) {
  int rounds = kernel_count(count, arguments);
  float *a = kernel_memory(sizeof(float) * N * N), *b = kernel_memory(sizeof(float) * N * N);
  float *c = kernel_memory(sizeof(float) * N * N);
  for (int i = 0; i < N * N; i++) {
    a[i] = (float)(i % 7) / 8;
    b[i] = (float)(i % 5) / 16;
    c[i] = 0;
  }
  for (int round = 0; round < rounds; round++) {
    multiply(a, b, c);
    a[round % (N * N)] = c[(round * 31) % (N * N)] / 64;
  }
  printf("%08x\n", kernel_hash(KERNEL_HASH, c, sizeof(float) * N * N));
  return 0;
}
