#include "tests/fuzz/codec_fuzz_support.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    phx::fuzz::check_frame(phx::protocol::Vsn::v1, phx::protocol::Opcode::text, data, size);
    return 0;
}
