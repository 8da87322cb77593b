// A name that has to be demangled, in a namespace and with arguments.
#include <cstdlib>

volatile int after_shapes;

namespace geo {
template <typename T> struct Shape {
    __attribute__((noinline)) void *area(T side, int count) {
        void *block = std::malloc(static_cast<std::size_t>(side) * count);
        after_shapes++;
        return block;
    }
};
}

extern "C" void *measure(double side, int count) {
    geo::Shape<double> shape;
    void *block = shape.area(side, count);
    after_shapes++;
    return block;
}
