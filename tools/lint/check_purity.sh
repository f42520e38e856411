#!/usr/bin/env bash
# The core is pure: bytes, commands and the time go in, bytes and news come out. This finds what would end that.
#
#   check_purity.sh includes DIR...      what the sources and headers below DIR include
#   check_purity.sh symbols OBJECT...    what the objects want from elsewhere
set -euo pipefail

# The standard library without clocks that tick, threads, files, streams, random devices and type-erased callbacks.
# <chrono> is in the list for its durations; that no clock is read is seen in the symbols.
std_headers='algorithm|array|bit|bitset|cassert|cctype|charconv|chrono|climits|cmath|compare|concepts|cstddef|cstdint|cstdio|cstdlib|cstring|deque|initializer_list|iterator|limits|list|map|memory|memory_resource|new|numeric|optional|queue|ratio|set|span|stack|stdexcept|string|string_view|system_error|tuple|type_traits|unordered_map|unordered_set|utility|variant|vector'
# Vector instructions are arithmetic.
intrinsics='emmintrin\.h'
ours='protocol/[a-z0-9_/]+\.hpp|phx/(error|result|export)\.hpp|phx/protocol/[a-z0-9_]+\.hpp'
# Plain values that the server's core shares with its users.
server_values='phx/server/(route|payload|actions|connection|policy|rates|limit|history|change|token|topic_count|presence_entry)\.hpp'
# Likewise the Supabase part.
realtime_values='phx/realtime/(reason|system_message|postgres_filter|postgres_text)\.hpp'

# C functions by their whole name, C++ by the beginning of the demangled one.
clocks='time|gettimeofday|clock|clock_gettime|clock_getres|timespec_get|localtime(_r)?|gmtime(_r)?|mktime|(u|nano|clock_nano)?sleep|alarm|timer_create|timerfd_create|setitimer'
threads='pthread_[a-z_]+|thrd_[a-z_]+|mtx_[a-z_]+|cnd_[a-z_]+|sem_[a-z_]+|sched_yield|fork|clone'
randomness='s?rand(_r)?|s?random(_r)?|drand48|lrand48|getrandom|getentropy|arc4random[a-z_]*'
sockets='socket|socketpair|connect|bind|listen|accept4?|shutdown|send|sendto|sendmsg|recv|recvfrom|recvmsg|[gs]etsockopt|p?select|p?poll|epoll_[a-z0-9_]+|eventfd|pipe2?|getaddrinfo|gethostby[a-z_]+|ioctl|fcntl(64)?'
files='f?open(64)?|openat(64)?|fdopen|freopen(64)?|creat|close|fclose|read|pread(64)?|readv|fread|fgets|fgetc|getc|getline|write|pwrite(64)?|writev|fwrite|fputs|fputc|putc|putchar|puts|perror|v?f?d?printf|__v?f?printf_chk|stdout|stderr|stdin|mmap(64)?|unlink|rename|stat(64)?|mkdir|opendir|tmpfile'
process='getenv|secure_getenv|setenv|putenv|system|popen|exec[lv][a-z]*|exit|_exit|signal|sigaction|raise|kill|syscall|getpid|uname|gethostname'
libraries='(lws|uv|SSL|EVP|RAND|BIO|CRYPTO|curl|redis)_[A-Za-z0-9_]+'
cxx='std::chrono::_V2::(system|steady|high_resolution)_clock::now|std::chrono::.*::now\(|std::(thread|jthread|mutex|condition_variable|random_device|locale|cout|cerr|clog|cin|ios_base|basic_[io]*f?stream|basic_filebuf|basic_ifstream|basic_ofstream|filesystem|__throw_bad_function_call)|std::this_thread|nlohmann::'

check_includes() {
    local found
    found=$(grep -rnE '^[[:space:]]*#[[:space:]]*include' --include='*.[ch]pp' --include='*.h' "$@" |
        sed -E 's/:[[:space:]]*#[[:space:]]*include[[:space:]]*/:/; s/([>"])[^>"]*$/\1/' |
        grep -vE ":[0-9]+:(<($std_headers|$intrinsics)>|\"($ours)\")\$" |
        grep -vE "(^|/)protocol/(server|auth)/[^:]*:[0-9]+:\"($server_values)\"\$" |
        grep -vE "(^|/)(protocol|phx)/realtime/[^:]*:[0-9]+:\"($realtime_values)\"\$" || true)
    [ -z "$found" ] && return 0
    sed -E 's/^([^:]*:[0-9]+):/\1: the core does not include /' <<<"$found" >&2
    return 1
}

check_symbols() {
    local object found bad=0
    for object in "$@"; do
        found=$(nm -uC "$object" | sed -E 's/^ *[Uwv] //; s/@.*//' |
            grep -E "^($clocks|$threads|$randomness|$sockets|$files|$process|$libraries)$|^($cxx)" || true)
        [ -z "$found" ] && continue
        sed "s|^|$object: the core does not call |" <<<"$found" >&2
        bad=1
    done
    return $bad
}

[ $# -ge 2 ] || { echo "usage: $0 includes DIR... | symbols OBJECT..." >&2; exit 2; }
mode=$1
shift
for path in "$@"; do [ -e "$path" ] || { echo "$0: no $path" >&2; exit 2; }; done
case $mode in
includes) check_includes "$@" ;;
symbols) check_symbols "$@" ;;
*) echo "$0: neither includes nor symbols: $mode" >&2; exit 2 ;;
esac
