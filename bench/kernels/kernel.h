// What every kernel has: `NAME COUNT` does its work COUNT times and prints a checksum, which is the same wherever it runs.

#ifndef KERNEL_H
#define KERNEL_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// How often the work is done.
static inline int kernel_count(int count, char **arguments) {
  if (count == 2) return atoi(arguments[1]);
  fprintf(stderr, "usage: %s COUNT\n", arguments[0]);
  exit(2);
}

// Numbers that look random and are the same every time (xorshift, Marsaglia 2003).
static inline uint32_t kernel_random(uint32_t *state) {
  uint32_t x = *state;
  x ^= x << 13;
  x ^= x >> 17;
  x ^= x << 5;
  return *state = x;
}

// Memory, or the end.
static inline void *kernel_memory(size_t bytes) {
  void *memory = malloc(bytes);
  if (!memory) {
    fprintf(stderr, "out of memory\n");
    exit(1);
  }
  return memory;
}

// Small pieces of one size, taken and given back in any order. The C libraries of both sides have allocators that differ: this is
// one source for both, like the rest of a kernel.
typedef struct {
  size_t size, left;
  char *block;
  void *free;
} kernel_pool;

#define KERNEL_BLOCK (1 << 20)

static inline void *kernel_take(kernel_pool *pool) {
  void *piece = pool->free;
  if (piece) {
    pool->free = *(void **)piece;
    return piece;
  }
  if (pool->left < pool->size) {
    pool->block = kernel_memory(KERNEL_BLOCK);
    pool->left = KERNEL_BLOCK;
  }
  pool->left -= pool->size;
  return pool->block + pool->left;
}

static inline void kernel_give(kernel_pool *pool, void *piece) {
  *(void **)piece = pool->free;
  pool->free = piece;
}

// FNV-1a, by which results of many bytes become a checksum.
static inline uint32_t kernel_hash(uint32_t hash, const void *data, size_t bytes) {
  const unsigned char *byte = data;
  for (size_t i = 0; i < bytes; i++) hash = (hash ^ byte[i]) * 16777619u;
  return hash;
}

#define KERNEL_HASH 2166136261u

#endif
