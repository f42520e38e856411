#include "phx/version.hpp"
