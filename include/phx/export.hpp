#pragma once

/// PHX_API marks what the shared library exports; everything else is hidden.
#if defined(PHX_STATIC)
#define PHX_API
#elif defined(_WIN32)
#error "phx builds on POSIX systems; on Windows use WSL"
#else
#define PHX_API __attribute__((visibility("default")))
#endif
