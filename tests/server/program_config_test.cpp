#include "tools/phx-server/config.hpp"

#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <set>
#include <string>

namespace phx::tools {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

ConfigRead read_file(std::string text) { return read_config({.file_text = std::move(text)}); }

std::string fault_of(std::string file_text) {
    const ConfigRead read = read_file(std::move(file_text));
    return read.faults.lines().size() == 1 ? read.faults.lines()[0]
                                           : std::to_string(read.faults.lines().size()) + " faults";
}

std::vector<std::string> keys() { return keys_of<Config>(); }

// ---- precedence

struct Places {
    bool file, variable, flag;
};
class ConfigPrecedence : public testing::TestWithParam<int> {
protected:
    Places places() const { return {(GetParam() & 1) != 0, (GetParam() & 2) != 0, (GetParam() & 4) != 0}; }
};
INSTANTIATE_TEST_SUITE_P(AllCombinations, ConfigPrecedence, testing::Range(0, 8));

/// As it is written: with what is missing.
ConfigJson whole(const Field<Config>& field, const ConfigJson& value) {
    Config config;
    Faults faults;
    field.read(config, ConfigJson::parse(value.dump()), field.key, faults); // numbers as a file has them
    EXPECT_THAT(faults.lines(), ElementsAre());
    return field.write(config);
}

/// A value of a setting for each place, other than its default and each other.
std::vector<ConfigJson> three_values(const Field<Config>& field) {
    const ConfigJson value = field.write(Config{});
    const std::string type(field.value_name);
    if (type == "NUMBER") return {11, 12, 13};
    if (type == "DURATION") return {"11s", "12s", "13m"};
    if (type == "HOST:PORT") return {"127.0.0.1:11", "[::1]:12", "localhost:13"};
    if (type == "TEXT,...") return {{"a"}, {"b", "c"}, {"d"}};
    if (type == "TEXT") return {"a", "b", "c"};
    if (value.is_boolean()) return {!value.get<bool>(), value, !value.get<bool>()};
    if (type == "JSON") {
        const std::map<std::string, std::string> names = {
            {"endpoints", "path"}, {"policies", "topic"}, {"history", "pattern"}};
        std::vector<ConfigJson> lists;
        for (const char* const text : {"/a", "/b", "/c"}) {
            ConfigJson element = ConfigJson::object();
            element[names.at(field.key)] = text;
            lists.push_back(ConfigJson::array({element}));
        }
        return lists;
    }
    std::vector<ConfigJson> choices;
    for (std::size_t begin = 0; begin <= type.size();) { // "text|json"
        const std::size_t end = std::min(type.find('|', begin), type.size());
        choices.push_back(type.substr(begin, end - begin));
        begin = end + 1;
    }
    choices.push_back(choices.front());
    return {choices[0], choices[1], choices[2]};
}

std::string as_text(const ConfigJson& value) {
    if (value.is_string()) return value.get<std::string>();
    if (!value.is_array() || value.at(0).is_object()) return value.dump();
    std::string text;
    for (const auto& element : value) text += (text.empty() ? "" : ",") + element.get<std::string>();
    return text;
}

TEST_P(ConfigPrecedence, IsFlagThenEnvironmentThenFileThenDefaultForEverySetting) {
    for (const auto& field : FieldsOf<Config>::all()) {
        const std::vector<ConfigJson> values = three_values(field);
        ConfigSources sources;
        ConfigJson expected = field.write(Config{});
        ConfigJson file = ConfigJson::object();
        // What goes with it, so that the whole is in order.
        if (field.key == "tls.key_file") add_member(file, "tls.cert_file", "c");
        if (places().file) add_member(file, field.key, expected = values[0]);
        sources.file_text = file.dump();
        const std::string variable_text = as_text(values[1]);
        if (places().variable) {
            expected = values[1];
            sources.variable = [&](const char* name) {
                return name == variable_name(field.key) ? variable_text.c_str() : nullptr;
            };
        }
        if (places().flag) sources.flags.emplace_back(field.key, as_text(expected = values[2]));
        const ConfigRead read = read_config(sources);
        EXPECT_THAT(read.faults.lines(), ElementsAre()) << field.key;
        EXPECT_EQ(field.write(read.config), whole(field, expected)) << field.key;
    }
}

// ---- the table

TEST(ConfigSettings, HaveFlagsAndVariablesOfTheirOwn) {
    std::set<std::string> flags, variables;
    for (const std::string& key : keys()) {
        flags.insert(flag_name(key));
        variables.insert(variable_name(key));
    }
    EXPECT_EQ(flags.size(), keys().size());
    EXPECT_EQ(variables.size(), keys().size());
    EXPECT_EQ(flag_name("limits.max_channels_per_connection"), "--limits-max-channels-per-connection");
    EXPECT_EQ(variable_name("limits.max_channels_per_connection"),
              "PHX_SERVER_LIMITS_MAX_CHANNELS_PER_CONNECTION");
}

TEST(ConfigSettings, AreReadAsTheyAreWritten) {
    const ConfigJson written = write_value(Config{});
    const ConfigRead read = read_file(written.dump(2));
    EXPECT_THAT(read.faults.lines(), ElementsAre());
    EXPECT_EQ(write_value(read.config), written);
}

TEST(ConfigSettings, ReachTheOptionsOfTheServer) {
    const ConfigRead read = read_file(R"({
        "listen": "[::1]:80", "realtime": false, "allowed_origins": ["*"],
        "tls": {"cert_file": "c", "min_version": "1.3"},
        "endpoints": [{"path": "/a", "dialect": "supabase", "max_message_bytes": 7, "idle_timeout": "0s"}],
        "limits": {"max_channels_per_connection": 2, "max_pending_bytes": 3},
        "timeouts": {"request": "4ms", "write": "5s", "close": "6m", "stop": "1h"}})");
    ASSERT_THAT(read.faults.lines(), ElementsAre());
    const server::Options options = server_options(read.config);
    EXPECT_EQ(options.host, "::1");
    EXPECT_EQ(options.port, 80);
    EXPECT_FALSE(options.realtime);
    EXPECT_THAT(options.allowed_origins, ElementsAre("*"));
    ASSERT_TRUE(options.tls);
    EXPECT_EQ(options.tls->cert_file, "c");
    EXPECT_EQ(options.tls->min_version, TlsVersion::v1_3);
    ASSERT_EQ(options.endpoints.size(), 1u);
    EXPECT_EQ(options.endpoints[0].path, "/a");
    EXPECT_EQ(options.endpoints[0].dialect, server::Dialect::supabase);
    EXPECT_EQ(options.endpoints[0].max_message_bytes, 7u);
    EXPECT_EQ(options.endpoints[0].idle_timeout, 0ms);
    EXPECT_EQ(options.max_channels_per_connection, 2u);
    EXPECT_EQ(options.max_pending_bytes, 3u);
    EXPECT_EQ(options.timeouts.request, 4ms);
    EXPECT_EQ(options.timeouts.write, 5s);
    EXPECT_EQ(options.timeouts.close, 6min);
    EXPECT_EQ(options.timeouts.stop, 1h);
    EXPECT_FALSE(server_options(Config{}).tls);
}

TEST(ConfigSettings, SayHowTokensAreVerified) {
    const ConfigRead read = read_file(R"({
        "jwt_secret_file": "s", "jwks_file": "j",
        "tokens": {"require_expiry": false, "require_role": true, "audience": "a", "issuer": null, "leeway": "5m"}})");
    ASSERT_THAT(read.faults.lines(), ElementsAre());
    EXPECT_EQ(read.config.keys.secret_file, "s");
    EXPECT_EQ(read.config.keys.jwks_file, "j");
    EXPECT_FALSE(read.config.token_rules.require_expiry);
    EXPECT_TRUE(read.config.token_rules.require_role);
    EXPECT_EQ(read.config.token_rules.audience, "a");
    EXPECT_EQ(read.config.token_rules.issuer, std::nullopt);
    EXPECT_EQ(read.config.token_rules.leeway, 5min);
    EXPECT_EQ(read_config({.flags = {{"tokens.issuer", ""}}}).config.token_rules.issuer, std::nullopt);
}

// ---- faults

TEST(ConfigFaults, NameThePathOfAnUnknownKeyAndWhatWasMeant) {
    EXPECT_EQ(fault_of(R"({"limits":{"max_chanels_per_connection":5}})"),
              "limits.max_chanels_per_connection: unknown key; did you mean "
              "limits.max_channels_per_connection?");
    EXPECT_EQ(fault_of(R"({"max_pending_bytes":5})"),
              "max_pending_bytes: unknown key; did you mean limits.max_pending_bytes?");
    EXPECT_EQ(fault_of(R"({"endpoints":[{},{"pth":"/x"}]})"),
              "endpoints[1].pth: unknown key; did you mean endpoints[1].path?");
    EXPECT_EQ(fault_of(R"({"something":{"else":1}})"), "something: unknown key");
    EXPECT_EQ(fault_of(R"({"timeoutz":{"stop":"1s"}})"), "timeoutz: unknown key; did you mean timeouts?");
    EXPECT_EQ(fault_of(R"({"tls.cert_file":"x"})"),
              R"(tls.cert_file: a key has no dot; write {"a":{"b":...}} for a.b)");
    EXPECT_EQ(fault_of("{\"\\n\\u0000\":1}"), "\\n\\u0000: unknown key");
    EXPECT_EQ(fault_of(R"({")" + std::string(300, 'x') + R"(":1})"),
              std::string(100, 'x') + "...: unknown key");
}

TEST(ConfigFaults, SayWhatAValueHasToBe) {
    const std::map<std::string, std::string> wrong = {
        {R"({"listen":"4000"})", "listen: expected HOST:PORT, such as"},
        {R"({"listen":4000})", "listen: expected HOST:PORT"},
        {R"({"insecure_no_auth":"yes"})", "insecure_no_auth: expected true or false, not this text"},
        {R"({"tls":{"min_version":"1.1"}})", R"(tls.min_version: expected "1.2" or "1.3", not this text)"},
        {R"({"tls":[]})", "tls: expected an object, not a list"},
        {R"({"allowed_origins":"*"})", "allowed_origins: expected a list of texts, not this text"},
        {R"({"allowed_origins":["*",1]})", "allowed_origins: expected a list of texts"},
        {R"({"endpoints":{}})", "endpoints: expected a list of objects, not an object"},
        {R"({"endpoints":[1]})", "endpoints[0]: expected an object, not this number"},
        {R"({"endpoints":[]})", "endpoints: expected at least one"},
        {R"({"endpoints":[{"path":"socket"}]})", "endpoints[0].path: expected a path"},
        {R"({"endpoints":[{"path":"/a?b"}]})", "endpoints[0].path: expected a path"},
        {R"({"endpoints":[{},{}]})", "endpoints[1].path: an earlier endpoint has it"},
        {R"({"tls":{"key_file":"k"}})", "tls.key_file: it is of no use without tls.cert_file"},
        {R"({"timeouts":{"stop":10}})", "timeouts.stop: expected a duration with its unit"},
        {R"({"timeouts":{"stop":"10"}})", "timeouts.stop: expected a duration with its unit"},
        {R"({"timeouts":{"stop":"-1s"}})", "timeouts.stop: expected a duration"},
        {R"({"timeouts":{"stop":"9999999999h"}})", "timeouts.stop: expected a duration"},
        {R"({"timeouts":{"stop":"99999999999999999999s"}})", "timeouts.stop: expected a duration"},
        {R"({"tokens":{"leeway":"1500ms"}})", "tokens.leeway: expected a duration in whole seconds"},
        {R"({"tokens":{"audience":["a"]}})", "tokens.audience: expected a text or null, not a list"},
        {R"({"jwt_secret":"hunter2"})", "jwt_secret: unknown key; did you mean jwt_secret_file?"},
        {R"({"log":{"level":null}})", "log.level: expected"},
        {R"({"threads":0})", "threads: expected a whole number from 1"},
        {R"({"threads":257})", "threads: expected a whole number from 1 to 256"},
        {R"({"limits":{"max_connections":-1}})", "limits.max_connections: expected a whole number from 0"},
        {"[]", "the configuration: expected an object, not a list"},
    };
    for (const auto& [text, fault] : wrong) EXPECT_THAT(fault_of(text), HasSubstr(fault)) << text;
    for (const char* number :
         {"0", "-1", "1.5", "1e3", "9007199254740992", "18446744073709551616", "\"5\"", "null"})
        EXPECT_THAT(fault_of(std::string(R"({"limits":{"max_pending_bytes":)") + number + "}}"),
                    HasSubstr("limits.max_pending_bytes: expected a whole number"))
            << number;
}

TEST(ConfigFaults, SayWhereAFlagOrAVariableIsWrong) {
    ConfigSources sources;
    sources.flags = {{"timeouts.write", "10"}};
    sources.variable = [](const char* name) {
        return name == std::string("PHX_SERVER_LIMITS_MAX_PENDING_BYTES") ? "many" : nullptr;
    };
    EXPECT_THAT(read_config(sources).faults.lines(),
                ElementsAre(HasSubstr("PHX_SERVER_LIMITS_MAX_PENDING_BYTES: expected a whole number"),
                            HasSubstr("--timeouts-write: expected a duration")));
}

TEST(ConfigFaults, SayWhereListsInJsonAreWrong) {
    ConfigSources sources;
    sources.flags = {{"history", R"([{"patern":"realtime:*"}])"}, {"endpoints", R"({"path":"/a"})"}};
    sources.variable = [](const char* name) {
        return name == std::string("PHX_SERVER_POLICIES") ? "[{]" : nullptr;
    };
    EXPECT_THAT(read_config(sources).faults.lines(),
                ElementsAre("PHX_SERVER_POLICIES: no JSON (RFC 8259) at line 1, column 3",
                            "--history[0].patern: unknown key; did you mean --history[0].pattern?",
                            "--endpoints: expected a list of objects, not an object"));
}

std::vector<std::string> faults_of_variable(const std::string& name, const char* value) {
    ConfigSources sources;
    sources.variable_names = {name};
    sources.variable = [&](const char* asked) { return asked == name ? value : nullptr; };
    return read_config(sources).faults.lines();
}

TEST(ConfigFaults, NameVariablesThatAreNoSettingsAndWhatWasMeant) {
    const std::map<std::string, std::string> wrong = {
        {"PHX_SERVER_LIMITS_MAX_CHANELS_PER_CONNECTION",
         "; did you mean PHX_SERVER_LIMITS_MAX_CHANNELS_PER_CONNECTION?"},
        {"PHX_SERVER_MAX_PENDING_BYTES", "; did you mean PHX_SERVER_LIMITS_MAX_PENDING_BYTES?"},
        {"PHX_SERVER_TLS_CERT", "; did you mean PHX_SERVER_TLS_CERT_FILE?"},
        {"PHX_SERVER_JWT_SECERT", "; did you mean PHX_SERVER_JWT_SECRET?"},
        {"PHX_SERVER_CONFIGS", "; did you mean PHX_SERVER_CONFIG?"},
        {"PHX_SERVER_SOMETHING_ELSE", "; phx-server --help lists the settings"},
        {"PHX_SERVER_PORT", "; phx-server --help lists the settings"},
        {"PHX_SERVER_", "; phx-server --help lists the settings"},
    };
    for (const auto& [name, rest] : wrong)
        EXPECT_THAT(faults_of_variable(name, "4000"), ElementsAre(name + ": unknown variable" + rest));
}

TEST(ConfigFaults, AreNotVariablesThatMayBeThere) {
    const std::map<std::string, const char*> right = {
        {"PHX_SERVER_CONFIG", "x"},
        {"PHX_SERVER_JWT_SECRET", "x"},
        {"PHX_SERVER_JWKS", "x"},
        {"PHX_SERVER_THREADS", "2"},
        // of Kubernetes, for a service of this name
        {"PHX_SERVER_SERVICE_HOST", "10.0.0.1"},
        {"PHX_SERVER_SERVICE_PORT", "4000"},
        {"PHX_SERVER_SERVICE_PORT_HTTP", "4000"},
        {"PHX_SERVER_PORT", "tcp://10.0.0.1:4000"},
        {"PHX_SERVER_PORT_4000_TCP_ADDR", "10.0.0.1"},
        // of one that is called phx-server-metrics
        {"PHX_SERVER_METRICS_SERVICE_HOST", "10.0.0.2"},
        {"PHX_SERVER_METRICS_SERVICE_PORT_HTTP", "9090"},
        {"PHX_SERVER_METRICS_PORT", "tcp://10.0.0.2:9090"},
        {"PHX_SERVER_METRICS_PORT_9090_TCP_PROTO", "tcp"},
    };
    for (const auto& [name, value] : right)
        EXPECT_THAT(faults_of_variable(name, value), ElementsAre()) << name;
}

TEST(ConfigFaults, AreAllToldButNotWithoutEnd) {
    EXPECT_EQ(read_file(R"({"a":1,"b":2,"log":3})").faults.lines().size(), 3u);
    ConfigJson many = ConfigJson::object();
    for (int i = 0; i < 1000; ++i) many["key" + std::to_string(i)] = i;
    EXPECT_EQ(read_file(many.dump()).faults.lines().size(), Faults::max_lines);
}

TEST(ConfigFaults, SayWhereTextIsNoJson) {
    EXPECT_EQ(fault_of("{\"a\": 1,\n  \"b\": x}"),
              "the configuration: no JSON (RFC 8259) at line 2, column 8");
    for (const char* text : {"", "{", "{}x", "{'a':1}", "// no comments\n{}", "{\"a\":1,}", "{\"\xff\":1}"})
        EXPECT_THAT(fault_of(text), HasSubstr("no JSON (RFC 8259) at line")) << text;
    EXPECT_EQ(fault_of(R"({"log":{"level":"info","level":"warn"}})"),
              "level: this key is in the same object twice");
}

TEST(ConfigFaults, BoundSizeAndDepth) {
    EXPECT_EQ(fault_of("{}" + std::string(1u << 20, ' ')), "the configuration: it has more than 1 MiB");
    EXPECT_EQ(fault_of(std::string(500'000, '[')), "the configuration: it is nested deeper than 16 levels");
}

TEST(ConfigFaults, NeverShowValues) {
    const std::string secret = "hunter2";
    for (const auto& key : keys()) {
        Faults faults;
        for (const ConfigJson& value : {ConfigJson(secret), ConfigJson({secret, 1})}) {
            ConfigJson file = ConfigJson::object();
            add_member(file, key, value);
            const ConfigRead read = read_file(file.dump());
            for (const std::string& line : read.faults.lines()) faults.add(line);
        }
        const ConfigRead flag = read_config({.flags = {{key, secret}}});
        for (const std::string& line : flag.faults.lines()) faults.add(line);
        EXPECT_FALSE(faults.empty()) << key;
        for (const std::string& line : faults.lines()) EXPECT_THAT(line, testing::Not(HasSubstr(secret)));
    }
    EXPECT_THAT(fault_of(R"({"a":"hunter2)"), testing::Not(HasSubstr(secret)));
}

// ---- reload

TEST(ConfigReload, TakesWhatCanChangeAndNamesTheRest) {
    Config running, wanted;
    wanted.options.allowed_origins = {"*"};
    wanted.log.level = LogLevel::debug;
    wanted.options.max_pending_bytes = 5;
    wanted.listen.port = 1;
    const ReloadPlan plan = plan_reload(running, wanted);
    EXPECT_THAT(plan.changed, ElementsAre("allowed_origins", "log.level"));
    EXPECT_THAT(plan.needs_restart, ElementsAre("listen", "limits.max_pending_bytes"));
    EXPECT_THAT(plan.config.options.allowed_origins, ElementsAre("*"));
    EXPECT_EQ(plan.config.log.level, LogLevel::debug);
    EXPECT_EQ(plan.config.options.max_pending_bytes, running.options.max_pending_bytes);
    EXPECT_EQ(plan.config.listen.port, running.listen.port);
}

TEST(ConfigReload, ReplacesACertificateButDoesNotTurnTlsOnOrOff) {
    Config without, with, other;
    with.tls.cert_file = "a";
    other.tls.cert_file = "b";
    EXPECT_EQ(plan_reload(with, other).config.tls.cert_file, "b");
    EXPECT_THAT(plan_reload(with, other).changed, ElementsAre("tls.cert_file"));
    EXPECT_EQ(plan_reload(without, with).config.tls.cert_file, "");
    EXPECT_THAT(plan_reload(without, with).needs_restart, ElementsAre("tls.cert_file"));
    EXPECT_EQ(plan_reload(with, without).config.tls.cert_file, "a");
}

} // namespace
} // namespace phx::tools
