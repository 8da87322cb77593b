/* Native functions whose stacks are known, and those that make stacks hard to read. Compiled with -O2 -g
   -fomit-frame-pointer; every function of a chain does something after its call, so that none of them is left out. */
#define _GNU_SOURCE
#include <alloca.h>
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

volatile int after;
/* Not static: a compiler that sees that nobody reads it leaves the allocations out. */
void *volatile kept[1 << 16];
static int used;

static void keep(void *block) { kept[used++ & 0xffff] = block; }

static inline __attribute__((always_inline)) void inlined_leaf(size_t bytes) {
    keep(malloc(bytes)); /* line of the allocation */
    after++;
}

__attribute__((noinline)) void middle(size_t bytes) {
    inlined_leaf(bytes);
    after++;
}

__attribute__((noinline)) void outer(size_t bytes) {
    middle(bytes);
    after++;
}

/* The frame's size is known at run time only. */
__attribute__((noinline)) void with_array(size_t bytes, int length) {
    volatile char array[length];
    array[length - 1] = 1;
    char *more = alloca(length * 2);
    memset(more, 1, length);
    outer(bytes + (size_t)(more[0] & 0));
    after += array[length - 1];
}

/* The stack is aligned, and the frame's end found through a saved pointer. */
__attribute__((noinline)) void aligned(size_t bytes, int length) {
    __attribute__((aligned(64))) volatile char block[64];
    block[0] = 1;
    with_array(bytes, length);
    volatile char array[length];
    array[0] = block[0];
    after += array[0];
}

__attribute__((noinline)) void recursive(int depth, size_t bytes) {
    if (depth == 0)
        outer(bytes);
    else
        recursive(depth - 1, bytes);
    after++;
}

/* Three functions that stand inside of a fourth. */
static inline __attribute__((always_inline)) void baz_inlined(size_t bytes) {
    keep(malloc(bytes));
    after++;
}

static inline __attribute__((always_inline)) void bar_inlined(size_t bytes) {
    baz_inlined(bytes);
    after++;
}

static inline __attribute__((always_inline)) void foo_inlined(size_t bytes) {
    bar_inlined(bytes);
    after++;
}

__attribute__((noinline)) void has_inlined(size_t bytes) {
    foo_inlined(bytes);
    after++;
}

/* Two places that allocate, for one line of Python. */
__attribute__((noinline)) void two_places(size_t bytes) {
    keep(malloc(bytes));
    after++;
    keep(malloc(bytes));
    after++;
}

/* No stack has it. */
__attribute__((noinline)) void allocates_nothing(void) { after++; }

/* Loads a library that is found by the search path of this one, and calls it. ctypes has released the GIL. */
int loads(const char *name, size_t bytes) {
    void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    void *(*enter)(size_t) = library ? (void *(*)(size_t))dlsym(library, "enter") : NULL;
    if (!enter)
        return 1;
    keep(enter(bytes));
    after++;
    return 0;
}

typedef void (*callback)(void);
/* Calls back, to come to the same place with other frames inside. */
__attribute__((noinline)) void calls_back(callback function, int times) {
    for (int i = 0; i < times; i++) {
        function();
        after++;
    }
}

static void handler(int number) {
    (void)number;
    outer(333);
    after++;
}

/* A handler that allocates, on a stack of its own. */
void in_handler(int times) {
    size_t bytes = 1 << 16;
    stack_t stack = {.ss_sp = malloc(bytes), .ss_size = bytes}, old;
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK}, before;
    sigaltstack(&stack, &old);
    sigaction(SIGUSR2, &action, &before);
    for (int i = 0; i < times; i++)
        raise(SIGUSR2);
    sigaction(SIGUSR2, &before, NULL);
    sigaltstack(&old, NULL);
    free(stack.ss_sp);
}

static void *thread(void *argument) {
    for (int i = 0; i < 100; i++)
        aligned((size_t)argument, 100 + i);
    return NULL;
}

/* Threads with the smallest stacks there are, with some room for what is done here. */
int in_threads(int count, size_t bytes) {
    pthread_t threads[count];
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    if (pthread_attr_setstacksize(&attributes, 32 * 1024))
        return 1;
    for (int i = 0; i < count; i++)
        if (pthread_create(&threads[i], &attributes, thread, (void *)bytes))
            return 2;
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    return 0;
}

/* Code made at run time, about which nothing says how to unwind it: push rbx; call [rdi]; pop rbx; ret. */
int in_made_code(callback function) {
    static const unsigned char code[] = {0x53, 0xff, 0xd7, 0x5b, 0xc3};
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return 1;
    memcpy(page, code, sizeof code);
    ((void (*)(callback))page)(function);
    after++;
    return munmap(page, 4096);
}

static void allocates(void) {
    outer(4444);
    after++;
}

int in_code_without_information(void) { return in_made_code(allocates) + (after & 0); }
