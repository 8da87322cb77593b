/* An extension module that makes exactly the allocator call it is told to make.
 *
 * The tests compile it with `cc -O0 -fno-builtin -shared -fPIC oracle.c -o oracle.abi3.so -ldl -lpthread`.
 * It uses nothing but CPython's stable ABI and declares that part itself, so it needs no Python headers and
 * one build serves every interpreter. Nothing in here may allocate beside the call under test: figures of the
 * calling line are compared to the byte.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* ---- CPython's stable ABI, as far as it is needed ---- */

typedef struct _object PyObject;
typedef intptr_t Py_ssize_t;
typedef struct {
    const char *name;
    PyObject *(*function)(PyObject *, PyObject *);
    int flags;
    const char *doc;
} PyMethodDef;
typedef struct {
    struct {
        Py_ssize_t references;
        void *type;
        PyObject *(*init)(void);
        Py_ssize_t index;
        PyObject *copy;
    } base;
    const char *name;
    const char *doc;
    Py_ssize_t size;
    PyMethodDef *methods;
    void *slots, *traverse, *clear, *free;
} PyModuleDef;
enum { METH_VARARGS = 1, ABI_VERSION = 3 };
PyObject *PyModule_Create2(PyModuleDef *, int);
int PyArg_ParseTuple(PyObject *, const char *, ...);
PyObject *Py_BuildValue(const char *, ...);
PyObject *PyBool_FromLong(long);
void *PyEval_SaveThread(void);
void PyEval_RestoreThread(void *);
extern PyObject *PyExc_ValueError;
PyObject *PyErr_Format(PyObject *, const char *, ...);

/* ---- the calls ---- */

typedef uintptr_t word;

/* One kind of call. `p`, `a` and `b` are whatever the function takes, in its own order. */
typedef struct {
    const char *name;
    word (*call)(word p, word a, word b);
} Kind;

static word do_malloc(word p, word a, word b) { return (word)malloc(a); }
static word do_calloc(word p, word a, word b) { return (word)calloc(a, b); }
static word do_realloc(word p, word a, word b) { return (word)realloc((void *)p, a); }
static word do_reallocarray(word p, word a, word b) { return (word)reallocarray((void *)p, a, b); }
static word do_aligned_alloc(word p, word a, word b) { return (word)aligned_alloc(a, b); }
static word do_memalign(word p, word a, word b) { return (word)memalign(a, b); }
static word do_valloc(word p, word a, word b) { return (word)valloc(a); }
static word do_pvalloc(word p, word a, word b) { return (word)pvalloc(a); }
static word do_munmap(word p, word a, word b) { return (word)munmap((void *)p, a); }
static word do_posix_memalign(word p, word a, word b) {
    void *block = NULL;
    return posix_memalign(&block, a, b) ? 0 : (word)block;
}
static word do_free(word p, word a, word b) {
    free((void *)p);
    return 0;
}
static word mapped(void *address) { return address == MAP_FAILED ? 0 : (word)address; }
/* `a` bytes at the hint `p`; `b` are further flags. */
static word do_mmap(word p, word a, word b) {
    return mapped(mmap((void *)p, a, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | (int)b, -1, 0));
}
static word do_mmap64(word p, word a, word b) {
    return mapped(mmap64((void *)p, a, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | (int)b, -1, 0));
}
/* From `a` to `b` bytes; it may move. */
static word do_mremap(word p, word a, word b) { return mapped(mremap((void *)p, a, b, MREMAP_MAYMOVE)); }

/* The same functions through pointers, which are looked up when the module is loaded: looking up may allocate. */
static struct {
    void *(*default_malloc)(size_t);
    void *(*next_malloc)(size_t);
    void *(*malloc)(size_t);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    void (*free)(void *);
    void *(*mmap)(void *, size_t, int, int, int, off_t);
    void (*free_sized)(void *, size_t);
    void (*free_aligned_sized)(void *, size_t, size_t);
} by_name;

static void *libc;

static void look_up(void) {
    libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
    by_name.default_malloc = dlsym(RTLD_DEFAULT, "malloc");
    by_name.next_malloc = dlsym(RTLD_NEXT, "malloc");
    by_name.malloc = dlsym(libc, "malloc");
    by_name.calloc = dlsym(libc, "calloc");
    by_name.realloc = dlsym(libc, "realloc");
    by_name.free = dlsym(libc, "free");
    by_name.mmap = dlsym(libc, "mmap");
    by_name.free_sized = dlsym(RTLD_DEFAULT, "free_sized");
    by_name.free_aligned_sized = dlsym(RTLD_DEFAULT, "free_aligned_sized");
}

static word default_malloc(word p, word a, word b) { return (word)by_name.default_malloc(a); }
static word next_malloc(word p, word a, word b) { return (word)by_name.next_malloc(a); }
static word libc_malloc(word p, word a, word b) { return (word)by_name.malloc(a); }
static word libc_calloc(word p, word a, word b) { return (word)by_name.calloc(a, b); }
static word libc_realloc(word p, word a, word b) { return (word)by_name.realloc((void *)p, a); }
static word libc_free(word p, word a, word b) {
    by_name.free((void *)p);
    return 0;
}
static word libc_mmap(word p, word a, word b) {
    return mapped(by_name.mmap((void *)p, a, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}
/* C23; the C library may not have them, see `has`. */
static word do_free_sized(word p, word a, word b) {
    by_name.free_sized((void *)p, a);
    return 0;
}
static word do_free_aligned_sized(word p, word a, word b) {
    by_name.free_aligned_sized((void *)p, a, b);
    return 0;
}

static const Kind kinds[] = {
    {"malloc", do_malloc},
    {"calloc", do_calloc},
    {"realloc", do_realloc},
    {"reallocarray", do_reallocarray},
    {"posix_memalign", do_posix_memalign},
    {"aligned_alloc", do_aligned_alloc},
    {"memalign", do_memalign},
    {"valloc", do_valloc},
    {"pvalloc", do_pvalloc},
    {"free", do_free},
    {"free_sized", do_free_sized},
    {"free_aligned_sized", do_free_aligned_sized},
    {"mmap", do_mmap},
    {"mmap64", do_mmap64},
    {"munmap", do_munmap},
    {"mremap", do_mremap},
    {"dlsym(RTLD_DEFAULT) malloc", default_malloc},
    {"dlsym(RTLD_NEXT) malloc", next_malloc},
    {"dlsym(libc) malloc", libc_malloc},
    {"dlsym(libc) calloc", libc_calloc},
    {"dlsym(libc) realloc", libc_realloc},
    {"dlsym(libc) free", libc_free},
    {"dlsym(libc) mmap", libc_mmap},
};

static const Kind *find(const char *name) {
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (!strcmp(kinds[i].name, name)) return &kinds[i];
    PyErr_Format(PyExc_ValueError, "the oracle knows no call named %s", name);
    return NULL;
}

/* ---- what Python sees ---- */

enum { ERRNO_BEFORE = 77 };

/* call(kind, p=0, a=0, b=0) -> (result, errno); errno is 77 before the call. */
static PyObject *call(PyObject *module, PyObject *args) {
    const char *name;
    unsigned long long p = 0, a = 0, b = 0;
    const Kind *kind;
    if (!PyArg_ParseTuple(args, "s|KKK", &name, &p, &a, &b) || !(kind = find(name))) return NULL;
    errno = ERRNO_BEFORE;
    word result = kind->call(p, a, b);
    int after = errno;
    return Py_BuildValue("(Ki)", (unsigned long long)result, after);
}

/* without_gil(kind, p=0, a=0, b=0) -> result: the same while another thread may run Python. */
static PyObject *without_gil(PyObject *module, PyObject *args) {
    const char *name;
    unsigned long long p = 0, a = 0, b = 0;
    const Kind *kind;
    if (!PyArg_ParseTuple(args, "s|KKK", &name, &p, &a, &b) || !(kind = find(name))) return NULL;
    void *state = PyEval_SaveThread();
    word result = kind->call(p, a, b);
    PyEval_RestoreThread(state);
    return Py_BuildValue("K", (unsigned long long)result);
}

typedef struct {
    const Kind *kind;
    word size;
    int count, keep;
} Job;

static void *work(void *argument) {
    const Job *job = argument;
    for (int i = 0; i < job->count; i++) {
        word block = job->kind->call(0, job->size, 0);
        if (!job->keep) free((void *)block);
    }
    return NULL;
}

enum { MOST_THREADS = 64 };

/* threads(kind, size, count, threads, keep): threads that know nothing of Python make `count` calls each. */
static PyObject *threads(PyObject *module, PyObject *args) {
    const char *name;
    unsigned long long size;
    int number;
    Job job;
    pthread_t running[MOST_THREADS];
    if (!PyArg_ParseTuple(args, "sKiii", &name, &size, &job.count, &number, &job.keep) || !(job.kind = find(name)))
        return NULL;
    if (number > MOST_THREADS) return PyErr_Format(PyExc_ValueError, "at most %d threads", MOST_THREADS);
    job.size = size;
    void *state = PyEval_SaveThread();
    int started = 0;
    while (started < number && !pthread_create(&running[started], NULL, work, &job)) started++;
    for (int i = 0; i < started; i++) pthread_join(running[i], NULL);
    PyEval_RestoreThread(state);
    return Py_BuildValue("i", started);
}

static pthread_key_t at_thread_end;

static void allocate_at_end(void *size) { free(malloc((word)size)); }

/* at_thread_end(size): when the calling thread ends, after its Python state is gone, it allocates once more. */
static PyObject *on_thread_end(PyObject *module, PyObject *args) {
    unsigned long long size;
    if (!PyArg_ParseTuple(args, "K", &size)) return NULL;
    if (!at_thread_end) pthread_key_create(&at_thread_end, allocate_at_end);
    pthread_setspecific(at_thread_end, (void *)(word)size);
    return PyBool_FromLong(1);
}

/* has(name): whether the C library itself has this function. */
static PyObject *has(PyObject *module, PyObject *args) {
    const char *name;
    if (!PyArg_ParseTuple(args, "s", &name)) return NULL;
    return PyBool_FromLong(libc && dlsym(libc, name));
}

static PyMethodDef methods[] = {
    {"call", call, METH_VARARGS, NULL},
    {"without_gil", without_gil, METH_VARARGS, NULL},
    {"threads", threads, METH_VARARGS, NULL},
    {"at_thread_end", on_thread_end, METH_VARARGS, NULL},
    {"has", has, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};
static PyModuleDef definition = {{1, NULL, NULL, 0, NULL}, "oracle", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyObject *PyInit_oracle(void) {
    look_up();
    return PyModule_Create2(&definition, ABI_VERSION);
}
