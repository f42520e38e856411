#include "verbs.hpp"
namespace phx::cli {
void add_serve(CLI::App&, int&) {}
} // namespace phx::cli
