#include "src/server/connection_limits.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string>

namespace phx::shell {
namespace {

ConnectionLimits::Address address_of(std::string_view text) {
    constexpr std::size_t network_bytes = 8; // of IPv6: a /64
    const std::string terminated(text);
    ConnectionLimits::Address address{};
    in6_addr v6{};
    if (::inet_pton(AF_INET6, terminated.c_str(), &v6) == 1) {
        std::copy_n(v6.s6_addr, network_bytes, address.begin());
    } else if (in_addr v4{}; ::inet_pton(AF_INET, terminated.c_str(), &v4) == 1) {
        address[network_bytes] = 1; // no network of IPv6 has anything there
        const auto* const bytes = reinterpret_cast<const unsigned char*>(&v4);
        std::copy_n(bytes, sizeof v4, address.end() - sizeof v4);
    }
    return address;
}

} // namespace

ConnectionLimits::Entry ConnectionLimits::enter(std::string_view text) {
    const Address address = address_of(text);
    const std::lock_guard lock(mutex_);
    const Crowded crowded = count(address);
    if (crowded != Crowded::no) {
        if (waiting_ == max_waiting) return {crowded, std::nullopt};
        ++waiting_;
    }
    return {crowded, Place(shared_from_this(), address, crowded == Crowded::no)};
}

Crowded ConnectionLimits::count(const Address& address) {
    if (max_connections_ != 0 && connections_ >= max_connections_) return Crowded::server;
    if (max_per_address_ != 0) {
        const auto [entry, is_new] = by_address_.try_emplace(address, 0);
        if (entry->second >= max_per_address_) return Crowded::address;
        ++entry->second;
    }
    ++connections_;
    return Crowded::no;
}

void ConnectionLimits::leave(const Place& place) noexcept {
    const std::lock_guard lock(mutex_);
    if (!place.is_counted_) {
        --waiting_;
        return;
    }
    --connections_;
    const auto entry = by_address_.find(place.address_);
    if (entry != by_address_.end() && --entry->second == 0) by_address_.erase(entry);
}

ConnectionLimits::Place::Place(Place&& other) noexcept
    : limits_(std::exchange(other.limits_, nullptr)), address_(other.address_),
      is_counted_(other.is_counted_) {}

ConnectionLimits::Place::~Place() {
    if (limits_) limits_->leave(*this);
}

Crowded ConnectionLimits::Place::claim() {
    if (!limits_ || is_counted_) return Crowded::no;
    const std::lock_guard lock(limits_->mutex_);
    const Crowded crowded = limits_->count(address_);
    if (crowded != Crowded::no) return crowded;
    --limits_->waiting_;
    is_counted_ = true;
    return Crowded::no;
}

} // namespace phx::shell
