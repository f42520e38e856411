#pragma once

/// Everything of the client.
#include "phx/channel.hpp"
#include "phx/error.hpp"
#include "phx/function.hpp"
#include "phx/json.hpp"
#include "phx/loop.hpp"
#include "phx/message.hpp"
#include "phx/options.hpp"
#include "phx/presence.hpp"
#include "phx/push.hpp"
#include "phx/result.hpp"
#include "phx/rpc.hpp"
#include "phx/scoped_handler.hpp"
#include "phx/socket.hpp"
#include "phx/version.hpp"
