#!/usr/bin/env bash
# Does the purity check find what it is there for? purity_selftest.sh CHECK CXX
set -uo pipefail
check=$1 cxx=$2
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
failures=0
cases=0

expect() { # good|bad NAME COMMAND...
    local want=$1 name=$2 got=good
    shift 2
    "$@" >"$dir/output" 2>&1 || got=bad
    cases=$((cases + 1))
    if [ $got != "$want" ]; then
        echo "FAIL: $name is $got, expected $want"
        cat "$dir/output"
        failures=$((failures + 1))
    elif [ "$want" = bad ] && ! grep -q 'the core does not' "$dir/output"; then
        echo "FAIL: $name fails without saying what"
        cat "$dir/output"
        failures=$((failures + 1))
    fi
}

includes() { # good|bad FILE LINE
    rm -rf "$dir/tree"
    mkdir -p "$dir/tree/protocol/$(dirname "$2")"
    printf '#pragma once\n%s\n' "$3" >"$dir/tree/protocol/$2"
    expect "$1" "$3 in $2" "$check" includes "$dir/tree"
}

symbols() { # good|bad SOURCE
    printf '%s\n' "$2" >"$dir/unit.cpp"
    "$cxx" -std=c++20 -c "$dir/unit.cpp" -o "$dir/unit.o" || { echo "FAIL: does not compile: $2"; failures=$((failures + 1)); return; }
    expect "$1" "$2" "$check" symbols "$dir/unit.o"
}

for good in '#include <vector>' '#include "phx/error.hpp"' '#include "phx/protocol/frame.hpp"' \
    '#include "protocol/wire/json_text.hpp"' '  #  include <string> // why'; do
    includes good wire/a.hpp "$good"
done
for bad in '#include <thread>' '#include <mutex>' '#include <random>' '#include <iostream>' '#include <functional>' \
    '#include <fstream>' '#include <atomic>' '#include <time.h>' '#include <sys/socket.h>' '#include <libwebsockets.h>' \
    '#include <nlohmann/json.hpp>' '#include "phx/socket.hpp"' '#include "src/loop/loop.hpp"' '#include "json_text.hpp"' \
    '# include   <thread>' '#include HEADER'; do
    includes bad wire/a.cpp "$bad"
done
includes good server/a.hpp '#include "phx/server/route.hpp"'
includes bad server/a.hpp '#include "phx/server/server.hpp"'
includes bad client/a.hpp '#include "phx/server/route.hpp"'
includes good realtime/a.hpp '#include "phx/realtime/reason.hpp"'
includes bad realtime/a.hpp '#include "phx/realtime/postgres.hpp"'
includes bad client/a.hpp '#include "phx/realtime/reason.hpp"'

symbols good '#include <string>
#include <memory>
std::shared_ptr<std::string> f(int i) { return std::make_shared<std::string>(std::to_string(i)); }'
for bad in '#include <chrono>
long f() { return std::chrono::steady_clock::now().time_since_epoch().count(); }' \
    '#include <chrono>
long f() { return std::chrono::system_clock::now().time_since_epoch().count(); }' \
    '#include <ctime>
long f() { return std::time(nullptr); }' \
    '#include <thread>
void f() { std::thread([] {}).detach(); }' \
    '#include <mutex>
std::mutex m; void f() { m.lock(); }' \
    '#include <random>
unsigned f() { return std::random_device{}(); }' \
    '#include <cstdlib>
int f() { return std::rand(); }' \
    '#include <sys/socket.h>
int f() { return socket(AF_INET, SOCK_STREAM, 0); }' \
    '#include <cstdio>
void* f() { return std::fopen("a", "r"); }' \
    '#include <cstdio>
void f(int i) { std::printf("%d", i); }' \
    '#include <iostream>
void f() { std::cerr << 1; }' \
    '#include <fstream>
bool f() { return std::ifstream("a").good(); }' \
    '#include <cstdlib>
const char* f() { return std::getenv("A"); }' \
    'extern "C" int lws_service(void*, int); int f() { return lws_service(nullptr, 0); }' \
    '#include <unistd.h>
long f() { return write(1, "a", 1); }'; do
    symbols bad "$bad"
done
expect bad 'the one bad object among good ones' sh -c "'$check' symbols '$dir/unit.o' '$dir/unit.o'"
if "$check" symbols "$dir/none.o" 2>/dev/null || "$check" includes "$dir/none" 2>/dev/null; then
    echo "FAIL: a path that is not there is no success"
    failures=$((failures + 1))
fi
echo "$cases cases, $failures failures"
[ $failures -eq 0 ] && [ $cases -ge 35 ]
