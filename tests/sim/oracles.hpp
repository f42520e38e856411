#pragma once

#include "protocol/client/client_config.hpp"
#include "protocol/client/outputs.hpp"
#include "protocol/server/outputs.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// What must hold in every history. An oracle knows no machine: it is told what happened, and adds what is
/// wrong to the findings.
namespace phx::sim {

class Findings {
public:
    /// The first few are kept: what follows from them is noise.
    void add(std::string what) {
        if (all_.size() < 10) all_.push_back(std::move(what));
    }
    bool empty() const noexcept { return all_.empty(); }
    const std::vector<std::string>& all() const noexcept { return all_; }

private:
    std::vector<std::string> all_;
};

/// The number after `"key":` in a JSON text that the simulator's own users made; nothing if there is none.
std::optional<std::uint64_t> number(std::string_view json, std::string_view key);

/// Each push finishes exactly once, not later than its timeout, and a success has the answer to this push.
/// What is in flight ends with its connection and its channel, or waits for its timeout, as the policy says.
class PushOracle {
public:
    explicit PushOracle(Findings& findings, protocol::InFlight in_flight = protocol::InFlight::fail)
        : findings_(findings), in_flight_(in_flight) {}

    /// `tag`: a number that the answer has to repeat; 0 if it will not.
    void made(protocol::PushId, protocol::TimePoint deadline, std::uint64_t tag = 0,
              protocol::ChannelId = {});
    /// A push with that tag went out, perhaps one that is not waited for.
    void sent(std::uint64_t tag);
    void finished(protocol::TimePoint now, const protocol::event::PushFinished&);
    /// This client could not run before: what was due is finished late.
    void woke(protocol::TimePoint now) { woke_ = now; }
    void expect_none_outstanding();
    void changed(const protocol::event::ChannelChanged&);
    /// Until rest() everything that finishes does so with `code`.
    void give_up(Errc code) { given_up_with_ = code; }
    /// The connection is gone: no answer can come any more.
    void lose_connection() { has_lost_connection_ = true; }
    /// All that comes of one call has come.
    void rest();
    /// Of the tagged ones, `limit` at most wait for the join of that channel.
    void expect_bounded(protocol::ChannelId, std::size_t limit);

    std::uint64_t made() const noexcept { return made_; }
    std::size_t outstanding() const noexcept { return static_cast<std::size_t>(made_ - finished_); }

private:
    struct Push {
        enum class State : std::uint8_t { unknown, outstanding, finished } state = State::unknown;
        protocol::TimePoint deadline = {};
        std::uint64_t tag = 0;
        protocol::ChannelId channel = {};
        bool is_sent = false;
    };
    Push& at(protocol::PushId);
    void check_end(const protocol::event::PushFinished&, const Push&);

    Findings& findings_;
    protocol::InFlight in_flight_;
    std::map<protocol::ChannelId, protocol::ChannelState> channels_ = {};
    std::set<protocol::ChannelId> ended_ = {}; ///< in the call at hand, as the next two
    std::optional<Errc> given_up_with_ = {};
    bool has_lost_connection_ = false;
    std::vector<Push> pushes_;                         ///< by id
    std::map<std::uint64_t, protocol::PushId> by_tag_; ///< those that are outstanding
    std::uint64_t made_ = 0;
    std::uint64_t finished_ = 0;
    protocol::TimePoint woke_ = protocol::TimePoint::min();
};

/// What a client may send and hear on its one connection: nothing without an open one, one join of a topic at
/// a time, pushes only once it is acknowledged, under its join_ref, and refs that rise.
class WireOracle {
public:
    explicit WireOracle(Findings& findings) : findings_(findings) {}

    void changed(const protocol::event::SocketChanged&);
    void opening(protocol::ConnId);
    void sent(protocol::ConnId, const protocol::FrameView&);
    enum class Heard : std::uint8_t { nothing, joined, closed };
    /// A frame that is given to the machine; what it says of the join of its topic.
    Heard received(protocol::ConnId, const protocol::FrameView&);
    /// The machine reports what a frame brought.
    void delivered();
    bool is_current(protocol::ConnId conn) const noexcept {
        return state_ == protocol::SocketState::open && conn == conn_;
    }

private:
    enum class Join : std::uint8_t { none, asked, live };
    struct Topic {
        Join join = Join::none;
        std::string join_ref = {};
    };
    void check_ref(const protocol::FrameView&);

    Findings& findings_;
    protocol::SocketState state_ = protocol::SocketState::idle;
    protocol::ConnId conn_{};
    std::uint64_t last_ref_ = 0;
    std::map<std::string, Topic, std::less<>> topics_;
};

/// Where a stream of numbered messages stands.
struct Position {
    std::uint64_t stream = 0; ///< of one publisher
    std::uint64_t number = 0; ///< of its latest message
};

/// Numbered messages reach a member in their order, once, and without a loss from its join to its end; and
/// what lies between an end and the next join is reported as a gap, unless the user wanted it.
class DeliveryOracle {
public:
    explicit DeliveryOracle(Findings& findings) : findings_(findings) {}

    enum class Start : std::uint8_t { exact, at_least };
    /// The server let this client in when the stream `name` stood there.
    void joined(const std::string& topic, const std::string& name, Position, Start);
    /// Likewise, of a join on this connection that the client had given up before it heard of it.
    void joined_before(const std::string& topic, const std::string& name, Position at) {
        past_[{topic, name}] = at;
    }
    void message(const std::string& topic, const std::string& name, Position);
    /// All is quiet, and that is where the stream stands.
    void expect_at(const std::string& topic, const std::string& name, Position);

    void changed(protocol::TimePoint now, const std::string& topic, const protocol::event::ChannelChanged&);
    void connected() { past_.clear(); }
    void gap(protocol::TimePoint now, const protocol::event::Gap&);
    void removed(protocol::ChannelId);
    /// A gap follows its join at once.
    void expect_no_gap_owed();

private:
    struct Stream {
        Position at;
        Start start;
    };

    Findings& findings_;
    using Key = std::pair<std::string, std::string>; ///< topic and name
    std::map<Key, Stream> streams_;                  ///< while joined
    std::map<Key, Position>
        past_; ///< of the joins before, on this connection: their last ones may still come
    std::map<protocol::ChannelId, protocol::TimePoint>
        offline_since_; ///< of those that a rejoin has to report
    std::optional<protocol::ChannelId> owed_ = {};
};

/// What one server may see: at most one live join of a topic on a connection, and the pushes of a channel in
/// their order, each once.
class ServerOracle {
public:
    explicit ServerOracle(Findings& findings) : findings_(findings) {}

    using SessionId = protocol::server::SessionId;
    /// Nobody is known to the server any more.
    void restarted() { members_.clear(); }
    void accepted(SessionId, std::string_view topic);
    void ended(SessionId, std::string_view topic);
    /// Tags of one client rise.
    void handled(SessionId, std::string_view topic, std::uint64_t tag);
    void fanned_out(const protocol::server::act::Fanout&);
    void sent(SessionId, bool is_connected);

private:
    struct Membership {
        bool is_live = false;
        std::uint64_t last_tag = 0;
    };
    Findings& findings_;
    std::map<std::pair<SessionId, std::string>, Membership> members_;
};

/// How evenly moments are spread over equal spans of time, up to the last of them.
struct Spread {
    std::size_t peak = 0; ///< in the fullest span
    double mean = 0;
};
Spread spread(const std::vector<protocol::TimePoint>&, protocol::TimePoint from, protocol::Duration span);

} // namespace phx::sim
