#include "conf/blocks.h"

namespace postern {
namespace {

constexpr Limits any{};
constexpr Limits range(int64_t min, int64_t max) { return {.min = min, .max = max}; }
constexpr Limits words(std::string_view accepted) { return {.words = accepted}; }

constexpr Row row(std::string_view name, RowType type, std::string_view def, Limits limits, std::string_view doc) {
  return {name, type, def, limits, kMaster, kNone, doc, {}};
}

using enum RowType;
using Service = ServiceSettings;
using Database = DatabaseSettings;

const BlockKey<Service> kService[] = {
    {row("executable", Text, "", any, "Program and arguments; relative: below libexec_dir."), &Service::executable},
    {row("user", Text, "", any, "User it runs as."), &Service::user},
    {row("group", Text, "", any, "Group it runs as; empty: the user's own."), &Service::group},
    {row("chroot", Text, "", any, "Root folder; relative: below base_dir."), &Service::chroot},
    {row("process_min_avail", Number, "0", range(0, 100000), "Processes kept ready for more clients."),
     &Service::process_min_avail},
    {row("process_limit", Number, "0", range(0, 1000000), "Processes at most; 0: default_process_limit."),
     &Service::process_limit},
    {row("client_limit", Number, "0", range(0, 1000000), "Clients of one process at most; 0: default_client_limit."),
     &Service::client_limit},
    {row("service_count", Number, "0", range(0, INT32_MAX).or_unlimited(),
         "Clients a process serves before it is replaced; 1: a process for each connection; 0: any number."),
     &Service::service_count},
    {row("idle_kill", Time, "1 min", range(0, 365 * kDay).or_unlimited(),
         "Life of a process without clients; 0: for ever."),
     &Service::idle_kill},
    {row("vsz_limit", Size, "0", range(0, kMaxSize).or_unlimited(), "Address space of a process; 0: not limited."),
     &Service::vsz_limit},
};

const BlockKey<InetListener> kInet[] = {
    {row("port", Number, "0", range(0, 65535), "Port; 0: off."), &InetListener::port},
    {row("address", List, "", any, "Addresses or names; empty: listen."), &InetListener::address},
    {row("ssl", Flag, "no", any, "TLS from the first byte; left out with ssl = \"no\"."), &InetListener::ssl},
    {row("haproxy", Flag, "no", any, "Every connection begins with a PROXY header."), &InetListener::haproxy},
    {row("reuse_port", Flag, "no", any, "Set SO_REUSEPORT."), &InetListener::reuse_port},
};

const BlockKey<UnixListener> kUnix[] = {
    {row("path", Text, "", any, "The socket; relative: below base_dir."), &UnixListener::path},
    {row("mode", Mode, "0600", any, "Its permissions; \"0\": off."), &UnixListener::mode},
    {row("user", Text, "", any, "Its owner; empty: root."), &UnixListener::user},
    {row("group", Text, "", any, "Its group; empty: root's."), &UnixListener::group},
};

constexpr std::string_view kResults = "return-ok return return-fail continue continue-ok continue-fail";
constexpr std::string_view kPassdbDrivers = "static passwd-file passwd shadow sql ldap redis pam http oauth2";
constexpr std::string_view kUserdbDrivers = "static passwd-file passwd sql ldap redis prefetch";

constexpr Row name_row = row("name", Text, "", any, "Name in log lines; empty: its number.");
constexpr Row args_row = row("args", Text, "", any, "Arguments of the driver, in Dovecot's form.");
constexpr Row success_row = row("result_success", Choice, "return-ok", words(kResults),
                                "What follows when it knows the user and the password is right.");
constexpr Row failure_row =
    row("result_failure", Choice, "continue", words(kResults), "What follows when it does not.");
constexpr Row internal_row =
    row("result_internalfail", Choice, "continue", words(kResults), "What follows when it could not be asked.");
constexpr Row default_row = row("default_fields", Pairs, "", any, "Fields for answers that have none of that name.");
constexpr Row override_row = row("override_fields", Pairs, "", any, "Fields that replace those of an answer.");
constexpr Row verbose_row = row("auth_verbose", Choice, "default", words("default yes no"),
                                "Log failures of this block; default: as the global setting.");

const BlockKey<Database> kPassdb[] = {
    {name_row, &Database::name},
    {row("driver", Choice, "", words(kPassdbDrivers), "What is asked."), &Database::driver},
    {args_row, &Database::args},
    {row("master", Flag, "no", any, "Holds master users."), &Database::master},
    {row("deny", Flag, "no", any, "Users found here are refused."), &Database::deny},
    {row("skip", Choice, "never", words("never authenticated unauthenticated"), "When the block is passed over."),
     &Database::skip},
    {success_row, &Database::result_success},
    {failure_row, &Database::result_failure},
    {internal_row, &Database::result_internalfail},
    {row("mechanisms", List, "", any, "Only for these mechanisms; none stands for a look-up without one."),
     &Database::mechanisms},
    {row("username_filter", List, "", any, "Only for user names that match a pattern; !pattern excludes."),
     &Database::username_filter},
    {default_row, &Database::default_fields},
    {override_row, &Database::override_fields},
    {verbose_row, &Database::auth_verbose},
};

const BlockKey<Database> kUserdb[] = {
    {name_row, &Database::name},
    {row("driver", Choice, "", words(kUserdbDrivers), "What is asked."), &Database::driver},
    {args_row, &Database::args},
    {row("skip", Choice, "never", words("never found notfound"), "When the block is passed over."), &Database::skip},
    {success_row, &Database::result_success},
    {failure_row, &Database::result_failure},
    {internal_row, &Database::result_internalfail},
    {default_row, &Database::default_fields},
    {override_row, &Database::override_fields},
    {verbose_row, &Database::auth_verbose},
};

}  // namespace

std::span<const BlockKey<ServiceSettings>> service_keys() { return kService; }
std::span<const BlockKey<InetListener>> inet_listener_keys() { return kInet; }
std::span<const BlockKey<UnixListener>> unix_listener_keys() { return kUnix; }
std::span<const BlockKey<DatabaseSettings>> passdb_keys() { return kPassdb; }
std::span<const BlockKey<DatabaseSettings>> userdb_keys() { return kUserdb; }

}  // namespace postern
