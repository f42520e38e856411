#pragma once

#include <cstddef>
#include <string>

/// The rivals of client_bench: each prints one result.
void raw_receive(int port, std::size_t count, std::size_t bytes);
void raw_send(int port, std::size_t count, const std::string& payload);
void raw_call(int port, std::size_t count, std::size_t window, const std::string& payload);
