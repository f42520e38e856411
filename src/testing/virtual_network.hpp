#pragma once

#include "src/testing/chance.hpp"
#include "src/testing/virtual_clock.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace phx::sim {

/// One connection, from dialling until both ends have let go of it. Never reused.
enum class LinkId : std::uint64_t {};
enum class HostId : std::uint32_t {};
enum class Side : std::uint8_t { client, server };
constexpr Side other(Side side) noexcept { return side == Side::client ? Side::server : Side::client; }

/// What travels: a WebSocket message or close frame as a whole, or a piece of a stream of bytes.
struct Packet {
    enum class Kind : std::uint8_t { text, binary, close, bytes } kind = Kind::bytes;
    std::uint16_t code = 0; ///< of a close frame
    std::string bytes = {};
};

struct LinkQuality {
    Duration latency = std::chrono::milliseconds(1); ///< one way
    Duration jitter{0};                              ///< up to this much more; the order is kept
    Duration handshake{0};                           ///< until the server has seen the request
    std::uint64_t bytes_per_second = 0;              ///< each way; 0: no limit
    std::size_t max_chunk = 0; ///< streams arrive in pieces of 1 to this; 0: as they were sent
    bool hangs = false;        ///< the request is never answered
};

/// The answer to a request that opens no connection.
struct Refusal {
    int http_status = 0; ///< 0: nobody listens
    std::optional<Duration> retry_after = {};
};

enum class LinkEnd : std::uint8_t {
    closed, ///< the other side closed, and this is all it sent
    broken, ///< what was on its way is lost
};

/// Who holds an end of a link. After handle_refused() and handle_ended() it holds it no more.
class LinkUser {
public:
    virtual ~LinkUser() = default;
    virtual void handle_open(LinkId) = 0; ///< to the client: the server has accepted
    virtual void handle_refused(LinkId, const Refusal&) = 0;
    virtual void handle_packet(LinkId, Packet&) = 0;
    virtual void handle_ended(LinkId, LinkEnd) = 0;
};

class Host : public LinkUser {
public:
    /// Accepts, and holds the server's end from then on, unless it refuses.
    virtual std::optional<Refusal> accept(LinkId, const std::string& request) = 0;
};

/// Links between clients and hosts, in virtual time, with every fault that a network has. It calls its users
/// from tasks of the clock only, never from within a call of theirs.
class VirtualNetwork {
public:
    VirtualNetwork(VirtualClock& clock, std::uint64_t seed) : clock_(clock), chance_(seed) {}

    /// REQUIRES that the host outlives the network's tasks.
    HostId add_host(Host&);
    /// Asked for each new link.
    std::function<LinkQuality()> weather = [] { return LinkQuality{}; };

    // ---- for users
    LinkId dial(LinkUser& client, HostId, std::string request);
    void send(LinkId, Side from, Packet);
    /// Lets go of this end; the other one hears of it when it has all that was sent.
    void close(LinkId, Side from);
    /// Lets go of this end; what is on its way is lost.
    void abort(LinkId, Side from);

    // ---- faults
    enum class Heard : std::uint8_t { by_both, by_client, by_server, by_nobody };
    /// Nothing arrives any more, in either direction. An end that does not hear of it holds a half-open link.
    void cut(LinkId, Heard = Heard::by_both);
    /// Cuts after so many more bytes, or whole messages, have reached that side; in the middle of a packet if
    /// need be.
    void cut_after(LinkId, Side receiver, std::size_t units);
    /// What this side sends vanishes from now on.
    void lose(LinkId, Side from);
    /// Nothing arrives before `until`, but nothing is lost.
    void stall(LinkId, TimePoint until);
    /// Gives every link this quality, and cuts none that was to be cut later. What is on its way keeps its
    /// time, and what is broken stays so.
    void improve(const LinkQuality&);

    std::vector<LinkId> links() const;

    struct Totals {
        std::uint64_t links = 0;
        std::uint64_t cuts = 0;
        std::uint64_t packets = 0; ///< delivered
        std::uint64_t digest = 0;  ///< of all that was delivered, and when
    };
    const Totals& totals() const noexcept { return totals_; }

private:
    struct Arrival {
        TimePoint at;
        Packet packet;
        std::optional<LinkEnd> end = {};
    };
    /// One direction.
    struct Lane {
        std::deque<Arrival> arrivals = {};
        TimePoint free_at = {};      ///< when the last byte will have left
        TimePoint last_arrival = {}; ///< nothing overtakes
        bool loses = false;
        std::optional<std::size_t> units_left = {};
    };
    struct Link {
        LinkQuality quality;
        std::array<LinkUser*, 2> users; ///< by side; null: does not hold its end
        std::array<Lane, 2> lanes;      ///< by sender
        bool is_answered = false;
    };

    Link* find(LinkId);
    void arrive_at_host(LinkId, HostId, const std::string& request);
    void answer(LinkId, const std::optional<Refusal>&);
    void queue(LinkId, Link&, Side from, Arrival);
    void deliver(LinkId, Side from);
    bool pass(LinkId, Link&, Side from, Packet&);
    void end(LinkId, Side side, LinkEnd);
    void end_later(LinkId, Side side);
    void release(LinkId, Side side);
    void count(LinkId, Side from, const Packet&);

    VirtualClock& clock_;
    Chance chance_;
    std::vector<Host*> hosts_;
    std::map<LinkId, Link> links_;
    std::uint64_t last_link_ = 0;
    Totals totals_;
};

} // namespace phx::sim
