/* What `hello-command` does, for the system's own compiler: the floor of `cargo xtask bench start`. */
#include <stdio.h>

int main(void) {
    puts("Hello, world!");
    return 0;
}
