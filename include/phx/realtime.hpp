#pragma once

// What is particular to Supabase Realtime.
#include "phx/realtime/broadcast.hpp"
#include "phx/realtime/postgres.hpp"
#include "phx/realtime/postgres_filter.hpp"
#include "phx/realtime/realtime_channel.hpp"
#include "phx/realtime/realtime_client.hpp"
#include "phx/realtime/realtime_options.hpp"
#include "phx/realtime/reason.hpp"
#include "phx/realtime/system_message.hpp"
