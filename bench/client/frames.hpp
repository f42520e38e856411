#pragma once

#include <string>
#include <string_view>

/// A text frame of a client, below 64 KiB. Masked with zeros: what is on the wire is the text.
inline std::string frame_of(std::string_view text) {
    std::string frame(1, static_cast<char>(0x81));
    if (text.size() < 126) {
        frame += static_cast<char>(0x80 | text.size());
    } else {
        frame += static_cast<char>(0x80 | 126);
        frame += static_cast<char>(text.size() >> 8);
        frame += static_cast<char>(text.size() & 0xff);
    }
    return frame.append(4, '\0').append(text);
}

inline std::string push_of(std::string_view topic, std::string_view event, std::string_view payload) {
    return frame_of("[\"1\",\"100000\",\"" + std::string(topic) + "\",\"" + std::string(event) + "\"," +
                    std::string(payload) + "]");
}
