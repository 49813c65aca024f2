#include "normal.h"

#include <math.h>
#include <string.h>

// Added to a number below 2^51, leaves its nearest integer in the low bits of the sum.
#define ROUND 0x1.8p52

static inline uint64_t bits_of(double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

static inline double of_bits(uint64_t bits) {
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

// SplitMix64: spreads a seed over the states.
void generator_seed(generator *random, uint64_t seed) {
  for (int word = 0; word < 4; word++) {
    for (int lane = 0; lane < BLOCK; lane++) {
      uint64_t z = (seed += 0x9e3779b97f4a7c15);
      z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
      z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
      random->state[word][lane] = z ^ (z >> 31);
    }
  }
}

static inline uint64_t rotate(uint64_t x, int by) { return (x << by) | (x >> (64 - by)); }

// xoshiro256+, one generator in each lane; its upper bits become a number in [0, 1).
static void uniforms(generator *random, double numbers[BLOCK]) {
  uint64_t *s0 = random->state[0], *s1 = random->state[1], *s2 = random->state[2], *s3 = random->state[3];
  for (int i = 0; i < BLOCK; i++) {
    uint64_t sum = s0[i] + s3[i];
    uint64_t t = s1[i] << 17;
    s2[i] ^= s0[i];
    s3[i] ^= s1[i];
    s1[i] ^= s2[i];
    s0[i] ^= s3[i];
    s2[i] ^= t;
    s3[i] = rotate(s3[i], 45);
    numbers[i] = of_bits((sum >> 12) | 0x3ff0000000000000) - 1.0;
  }
}

// The logarithm of a normal positive number: of the exponent, and of the mantissa m by the series of artanh in
// f = (m - 1) / (m + 1), which is below 0.172, so that nine terms give full precision.
static inline double log_of(double x) {
  uint64_t bits = bits_of(x) - 0x3fe6a09e667f3bcd;  // from the square root of one half on: m is around one
  double exponent = of_bits(((bits >> 52) ^ 0x800) | 0x4330000000000000) - (0x1p52 + 0x800);
  double m = of_bits((bits & 0xfffffffffffff) + 0x3fe6a09e667f3bcd);
  double f = (m - 1.0) / (m + 1.0);
  double g = f * f;
  double series = 1.0 / 17;
  series = series * g + 1.0 / 15;
  series = series * g + 1.0 / 13;
  series = series * g + 1.0 / 11;
  series = series * g + 1.0 / 9;
  series = series * g + 1.0 / 7;
  series = series * g + 1.0 / 5;
  series = series * g + 1.0 / 3;
  series = series * g + 1.0;
  return exponent * 0.6931471805599453 + 2.0 * f * series;
}

static inline double exp_of(double x) {
  double shifted = x * 1.4426950408889634 + ROUND;
  double whole = shifted - ROUND;
  double r = x - whole * 0x1.62e42fefa38p-1 - whole * 0x1.ef35793c7673p-45;  // the logarithm of 2, in two parts
  double series = 1.0 / 479001600;
  series = series * r + 1.0 / 39916800;
  series = series * r + 1.0 / 3628800;
  series = series * r + 1.0 / 362880;
  series = series * r + 1.0 / 40320;
  series = series * r + 1.0 / 5040;
  series = series * r + 1.0 / 720;
  series = series * r + 1.0 / 120;
  series = series * r + 1.0 / 24;
  series = series * r + 1.0 / 6;
  series = series * r + 1.0 / 2;
  series = series * r + 1.0;
  series = series * r + 1.0;
  return series * of_bits((bits_of(shifted) + 1023) << 52);
}

void exp_block(double values[BLOCK]) {
  for (int i = 0; i < BLOCK; i++) values[i] = exp_of(values[i]);
}

// Sine and cosine of a quarter turn at the most, by their series; x is in turns, from -1/8 to 1/8.
static inline void turn(double x, double *sine, double *cosine) {
  double a = x * 6.283185307179586;
  double g = a * a;
  double s = -1.0 / 1307674368000;
  s = s * g + 1.0 / 6227020800;
  s = s * g - 1.0 / 39916800;
  s = s * g + 1.0 / 362880;
  s = s * g - 1.0 / 5040;
  s = s * g + 1.0 / 120;
  s = s * g - 1.0 / 6;
  s = s * g + 1.0;
  double c = 1.0 / 20922789888000;
  c = c * g - 1.0 / 87178291200;
  c = c * g + 1.0 / 479001600;
  c = c * g - 1.0 / 3628800;
  c = c * g + 1.0 / 40320;
  c = c * g - 1.0 / 720;
  c = c * g + 1.0 / 24;
  c = c * g - 1.0 / 2;
  c = c * g + 1.0;
  *sine = a * s;
  *cosine = c;
}

// Box and Muller's method: two uniform numbers become two normal ones. Half a block of radii and angles fills a block.
void generator_normals(generator *random, double normals[BLOCK]) {
  double numbers[BLOCK];
  uniforms(random, numbers);
  for (int i = 0; i < BLOCK / 2; i++) {
    double radius = sqrt(-2.0 * log_of(1.0 - numbers[i]));
    // The angle is a sign, a quarter and what is left of it, each taken from the number by arithmetic alone.
    double quarters = numbers[i + BLOCK / 2] * 4.0;
    double nearest = (quarters + ROUND) - ROUND;
    uint64_t quarter = bits_of(quarters + ROUND);
    double sine, cosine;
    turn((quarters - nearest) * 0.25, &sine, &cosine);
    uint64_t odd = -(quarter & 1);
    double first = of_bits((bits_of(cosine) & ~odd) | (bits_of(sine) & odd));
    double second = of_bits((bits_of(sine) & ~odd) | (bits_of(cosine) & odd));
    // cos turns its sign in the second and third quarter, sin in the third and fourth.
    uint64_t cosine_sign = ((quarter + 1) & 2) << 62;
    uint64_t sine_sign = (quarter & 2) << 62;
    normals[i] = radius * of_bits(bits_of(first) ^ cosine_sign);
    normals[i + BLOCK / 2] = radius * of_bits(bits_of(second) ^ sine_sign);
  }
}
