// Prices a European option twice: by the formula of Black and Scholes, and by simulating the price at expiry many times.
//
//   /?spot=100&strike=105&rate=0.05&volatility=0.2&years=1&kind=call&paths=200000&seed=1

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "normal.h"
#include "web.h"

typedef struct {
  double spot, strike, rate, volatility, years, paths, seed;
  bool put;
} option;

typedef struct {
  double price, error;
} estimate;

// What a request may set, and between which bounds that makes sense.
static const struct parameter {
  const char *name;
  size_t at;
  double least, most;
} parameters[] = {
    {"spot", offsetof(option, spot), 1e-6, 1e9},     {"strike", offsetof(option, strike), 1e-6, 1e9},
    {"rate", offsetof(option, rate), -1, 1},         {"volatility", offsetof(option, volatility), 1e-6, 5},
    {"years", offsetof(option, years), 1e-6, 100},   {"paths", offsetof(option, paths), 1000, 50e6},
    {"seed", offsetof(option, seed), 0, 0x1p53 - 1},
};

static double cumulative(double x) { return 0.5 * erfc(-x * 0.7071067811865476); }

static double black_scholes(const option *o) {
  double deviation = o->volatility * sqrt(o->years);
  double d1 = (log(o->spot / o->strike) + (o->rate + 0.5 * o->volatility * o->volatility) * o->years) / deviation;
  double d2 = d1 - deviation;
  double discounted = o->strike * exp(-o->rate * o->years);
  return o->put ? discounted * cumulative(-d2) - o->spot * cumulative(-d1)
                : o->spot * cumulative(d1) - discounted * cumulative(d2);
}

// Every draw is used with both signs: the errors of the two paths mostly cancel.
static estimate monte_carlo(const option *o) {
  static generator random;
  generator_seed(&random, (uint64_t)o->seed);
  double drift = (o->rate - 0.5 * o->volatility * o->volatility) * o->years;
  double deviation = o->volatility * sqrt(o->years);
  double sign = o->put ? -1.0 : 1.0;
  double sums[BLOCK] = {0}, squares[BLOCK] = {0};
  uint64_t blocks = ((uint64_t)o->paths + 2 * BLOCK - 1) / (2 * BLOCK);
  for (uint64_t block = 0; block < blocks; block++) {
    double up[BLOCK], down[BLOCK];
    generator_normals(&random, up);
    for (int i = 0; i < BLOCK; i++) {
      double move = deviation * up[i];
      up[i] = drift + move;
      down[i] = drift - move;
    }
    exp_block(up);
    exp_block(down);
    for (int i = 0; i < BLOCK; i++) {
      double first = sign * (o->spot * up[i] - o->strike);
      double second = sign * (o->spot * down[i] - o->strike);
      double mean = 0.5 * ((first > 0 ? first : 0) + (second > 0 ? second : 0));
      sums[i] += mean;
      squares[i] += mean * mean;
    }
  }
  double sum = 0, square = 0, count = (double)blocks * BLOCK;
  for (int i = 0; i < BLOCK; i++) {
    sum += sums[i];
    square += squares[i];
  }
  double mean = sum / count, variance = square / count - mean * mean;
  double discount = exp(-o->rate * o->years);
  return (estimate){discount * mean, discount * sqrt((variance > 0 ? variance : 0) / count)};
}

// The fault of a parameter, or NULL.
static const char *set(option *o, const char *key, const char *value) {
  static char fault[256];
  if (strcmp(key, "kind") == 0) {
    o->put = strcmp(value, "put") == 0;
    if (o->put || strcmp(value, "call") == 0) return NULL;
    return "{\"error\":\"kind must be call or put\"}\n";
  }
  for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++) {
    const struct parameter *p = &parameters[i];
    if (strcmp(key, p->name) != 0) continue;
    char *end;
    double number = strtod(value, &end);
    if (end != value && *end == '\0' && number >= p->least && number <= p->most) {
      *(double *)((char *)o + p->at) = number;
      return NULL;
    }
    snprintf(fault, sizeof fault, "{\"error\":\"%s must be a number from %g to %g\"}\n", p->name, p->least, p->most);
    return fault;
  }
  return "{\"error\":\"the parameters are spot, strike, rate, volatility, years, kind, paths and seed\"}\n";
}

web_response respond(const char *path, char *query) {
  (void)path;
  static char body[512];
  option o = {.spot = 100, .strike = 105, .rate = 0.05, .volatility = 0.2, .years = 1, .paths = 200000, .seed = 1};
  char *key, *value;
  while (web_next_pair(&query, &key, &value)) {
    const char *fault = set(&o, key, value);
    if (fault != NULL) return web_text(400, "application/json", fault);
  }
  double exact = black_scholes(&o);
  estimate simulated = monte_carlo(&o);
  snprintf(body, sizeof body,
           "{\"kind\":\"%s\",\"black_scholes\":%.6f,\"monte_carlo\":%.6f,\"standard_error\":%.6f,\"paths\":%.0f,"
           "\"seed\":%.0f}\n",
           o.put ? "put" : "call", exact, simulated.price, simulated.error, o.paths, o.seed);
  return web_text(200, "application/json", body);
}
