// Five bodies under their gravity, 1,000 steps at a time: floating point of double width in short inner loops.

#include <math.h>

#include "kernel.h"

#define BODIES 5
#define STEPS 1000
#define STEP 0.001

typedef struct {
  double at[3], speed[3], mass;
} body;

static void advance(body *bodies) {
  for (int i = 0; i < BODIES; i++) {
    for (int j = i + 1; j < BODIES; j++) {
      double apart[3], square = 0;
      for (int k = 0; k < 3; k++) {
        apart[k] = bodies[i].at[k] - bodies[j].at[k];
        square += apart[k] * apart[k];
      }
      double pull = STEP / (square * sqrt(square));
      for (int k = 0; k < 3; k++) {
        bodies[i].speed[k] -= apart[k] * bodies[j].mass * pull;
        bodies[j].speed[k] += apart[k] * bodies[i].mass * pull;
      }
    }
  }
  for (int i = 0; i < BODIES; i++) {
    for (int k = 0; k < 3; k++) bodies[i].at[k] += STEP * bodies[i].speed[k];
  }
}

int main(int count, char **arguments) {
  int rounds = kernel_count(count, arguments);
  // A heavy one in the middle, and others on circles around it.
  body bodies[BODIES] = {{{0, 0, 0}, {0, 0, 0}, 40}};
  for (int i = 1; i < BODIES; i++) {
    double far = 3.0 * i;
    bodies[i] = (body){{far, 0, 0.1 * i}, {0, sqrt(40 / far), 0}, 0.01 / i};
  }
  for (int round = 0; round < rounds; round++) {
    for (int step = 0; step < STEPS; step++) advance(bodies);
  }
  for (int i = 0; i < BODIES; i++) printf("%a %a %a\n", bodies[i].at[0], bodies[i].at[1], bodies[i].at[2]);
  return 0;
}
