#include "phx/function.hpp"

#include <gtest/gtest.h>

namespace phx {
namespace {

int twice(int n) { return 2 * n; }

TEST(Function, TakesAFunctionByItsName) {
    Function<int(int)> function = twice; // g++ 12 warned: 'nonnull' argument compared to NULL
    ASSERT_TRUE(function);
    EXPECT_EQ(function(2), 4);
}

TEST(Function, IsEmptyWhenMadeFromANullPointer) {
    int (*none)(int) = nullptr;
    EXPECT_FALSE(Function<int(int)>(none));
    none = twice;
    EXPECT_TRUE(Function<int(int)>(none));
}

} // namespace
} // namespace phx
