/* A library that is loaded, closed and loaded again with other contents: PADDING moves its functions. */
#include <stdlib.h>

volatile int after_plugin;

#ifdef PADDING
__attribute__((noinline)) int padding(int value) {
    volatile char bytes[300];
    bytes[value & 255] = 1;
    return bytes[(value + 1) & 255] + after_plugin;
}
#endif

__attribute__((noinline)) void *FUNCTION(size_t bytes) {
#ifdef PADDING
    after_plugin += padding((int)bytes);
#endif
    void *block = malloc(bytes);
    after_plugin++;
    return block;
}

__attribute__((noinline)) void *enter(size_t bytes) {
    void *block = FUNCTION(bytes);
    after_plugin++;
    return block;
}
