// A test of one's own code in virtual time: does this client reload what it missed while a server was
// deployed?
#include <phx/phx.hpp>
#include <phx/testing.hpp>

#include <cstdlib>
#include <iostream>

using namespace std::chrono_literals;

/// The code under test: keeps a copy of a document.
class Editor {
public:
    Editor(phx::Loop& loop, const std::string& url) : socket_(loop, url), room_(socket_.channel("doc:1")) {
        room_.on("edit", [this](const phx::Message& message) { text_ += message.as<std::string>().value(); });
        room_.on_gap([this](phx::Millis) { load(); });
        socket_.connect();
        room_.join();
        load();
    }
    const std::string& text() const { return text_; }

private:
    void load() {
        room_.push("load").then([this](const phx::Result<phx::Reply>& reply) {
            if (reply) text_ = reply->json().value().get<std::string>();
        });
    }

    std::string text_;
    phx::Socket socket_;
    phx::Channel room_;
};

void expect(bool holds, const char* what, const phx::testing::World& world) {
    if (holds) return;
    std::cerr << "not true: " << what << '\n' << world.trace();
    std::exit(1);
}

int main() {
    std::string document = "one ";
    phx::server::Handlers doc;
    doc.handle_in = [&](const phx::server::Context&, std::string_view, phx::server::PayloadView) {
        return phx::server::Actions().ok(phx::Json(document).dump());
    };

    phx::testing::World world(42); // the seed of everything that is drawn
    world.server().channel("doc:*", doc);
    Editor editor(world.loop(), world.url());
    world.run_for(1s); // of virtual time: at once
    expect(editor.text() == "one ", "it loads the document", world);

    world.server().broadcast("doc:1", "edit", R"("two ")");
    expect(world.run_until([&] { return editor.text() == "one two "; }), "it hears edits", world);

    document = "one two three ";
    world.server().restart(5s); // a deploy
    world.run_for(1min);
    expect(editor.text() == document, "it reloads what it has missed", world);
    expect(world.server().received("doc:1", "load").size() == 2, "it loads no more than it must", world);

    world.half_open(); // the network goes away and tells nobody
    world.run_for(2min);
    expect(world.server().connections() == 1, "heartbeats find out", world);
    std::cout << world.now().count() / 1'000'000 << " s of virtual time\n";
    return 0;
}
