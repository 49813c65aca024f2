// The sum of a matrix product and of a smoothed series, many times: loops that a compiler turns into SIMD where it may.
//
//   kernel SIZE ROUNDS

#include <stdio.h>
#include <stdlib.h>

static void multiply(int n, const float *restrict a, const float *restrict b, float *restrict c) {
  for (int i = 0; i < n; i++) {
    for (int j = 0; j < n; j++) c[i * n + j] = 0;
    for (int k = 0; k < n; k++) {
      float factor = a[i * n + k];
      for (int j = 0; j < n; j++) c[i * n + j] += factor * b[k * n + j];
    }
  }
}

static void smooth(int n, const float *restrict from, float *restrict to) {
  to[0] = from[0];
  for (int i = 1; i < n - 1; i++) to[i] = 0.25f * from[i - 1] + 0.5f * from[i] + 0.25f * from[i + 1];
  to[n - 1] = from[n - 1];
}

int main(int count, char **arguments) {
  int n = count > 1 ? atoi(arguments[1]) : 0, rounds = count > 2 ? atoi(arguments[2]) : 0;
  if (n < 3 || n > 2048 || rounds < 1) {
    fprintf(stderr, "usage: kernel SIZE ROUNDS\n");
    return 2;
  }
  size_t cells = (size_t)n * n;
  float *a = malloc(cells * sizeof *a), *b = malloc(cells * sizeof *b), *c = malloc(cells * sizeof *c);
  if (!a || !b || !c) {
    fprintf(stderr, "out of memory\n");
    return 1;
  }
  for (size_t i = 0; i < cells; i++) {
    a[i] = (float)(i % 7) / 8;
    b[i] = (float)(i % 5) / 16;
  }
  for (int round = 0; round < rounds; round++) {
    multiply(n, a, b, c);
    smooth((int)cells, c, b);
    for (size_t i = 0; i < cells; i++) b[i] /= (float)n;
  }
  double sum = 0;
  for (size_t i = 0; i < cells; i++) sum += b[i];
  printf("{\"sum\": %.9g}\n", sum);
  free(a);
  free(b);
  free(c);
  return 0;
}
