// Random numbers of the normal distribution, and the exponential function, for whole blocks at a time.
//
// Everything is plain arithmetic without branches in short loops, so that the compiler turns it into SIMD; and since
// WebAssembly fixes the result of every operation, the same seed gives the same digits everywhere.
#ifndef NORMAL_H
#define NORMAL_H

#include <stdint.h>

// Numbers made at a time: a multiple of every SIMD width, and small enough for the fastest cache.
enum { BLOCK = 64 };

typedef struct {
  uint64_t state[4][BLOCK];
} generator;

void generator_seed(generator *random, uint64_t seed);

// Fills a block with independent draws of the standard normal distribution.
void generator_normals(generator *random, double normals[BLOCK]);

// values[i] = exp(values[i]), for values between -700 and 700.
void exp_block(double values[BLOCK]);

#endif
