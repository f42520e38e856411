#pragma once

#include "phx/export.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <utility>

namespace phx::shell {

/// Which of the limits leaves no room for a connection.
enum class Crowded : std::uint8_t { no, server, address };

/// How many connections there are, in all and of each address. Any thread; the shards of a server share one.
/// Exported for phx_testing.
///
///     crowded: nobody --enter()--> waiting --claim()--> waiting, or counted once somebody has left
///     room:    nobody --enter()--> counted
///
/// One that waits is let in to be told why it is refused; those are bounded too.
class PHX_API ConnectionLimits : public std::enable_shared_from_this<ConnectionLimits> {
public:
    /// 0: no limit.
    ConnectionLimits(std::uint32_t max_connections, std::uint32_t max_connections_per_address)
        : max_connections_(max_connections), max_per_address_(max_connections_per_address) {}

    static constexpr std::size_t max_waiting = 256;

    /// An address by which connections are counted: of IPv6 its network of 64 bits, which one host has all
    /// of.
    using Address = std::array<unsigned char, 16>;

    /// What a connection holds while it lives.
    class PHX_API Place {
    public:
        Place() = default; ///< of one that nobody counts
        Place(Place&& other) noexcept;
        Place& operator=(Place&&) = delete;
        ~Place();

        /// Takes room, unless it has it already.
        Crowded claim();

    private:
        friend class ConnectionLimits;
        Place(std::shared_ptr<ConnectionLimits> limits, const Address& address, bool is_counted)
            : limits_(std::move(limits)), address_(address), is_counted_(is_counted) {}

        std::shared_ptr<ConnectionLimits> limits_;
        Address address_{};
        bool is_counted_ = false;
    };

    struct Entry {
        Crowded crowded = Crowded::no;   ///< of that moment
        std::optional<Place> place = {}; ///< none: even too many wait
    };
    /// For a connection from this address; texts that are none count as one.
    Entry enter(std::string_view address);

private:
    Crowded count(const Address&); // REQUIRES mutex_
    void leave(const Place&) noexcept;

    const std::uint32_t max_connections_;
    const std::uint32_t max_per_address_;
    std::mutex mutex_; // of what follows
    std::size_t connections_ = 0;
    std::size_t waiting_ = 0;
    std::map<Address, std::size_t> by_address_; // empty without a limit
};

} // namespace phx::shell
