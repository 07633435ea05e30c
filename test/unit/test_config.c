/* SPDX-License-Identifier: Apache-2.0 */
#include "suite.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/config.h"
#include "base/error.h"
#include "base/scoped.h"

struct settings {
    char *uri;
    int64_t port;
    bool fast;
    char **allowed;
    uint64_t memory;
    char *absent;
};

#define FIELD(name) offsetof(struct settings, name)

static const struct config_key keys[] = {
    {"machine", "uri", CONFIG_STRING, FIELD(uri), 0, 0, "qemu:///system"},
    {"", "port", CONFIG_INTEGER, FIELD(port), 1, 65535, "7433"},
    {"machine", "fast", CONFIG_BOOLEAN, FIELD(fast), 0, 0, "true"},
    {"policy", "allowed", CONFIG_STRINGS, FIELD(allowed), 0, 0, "[\"snp\", \"tdx\"]"},
    {"machine", "memory", CONFIG_SIZE, FIELD(memory), 1 << 20, INT64_C(1) << 40, "512MiB"},
    {"", "absent", CONFIG_STRING, FIELD(absent), 0, 0, NULL},
};

static struct settings settings;

static int parse(const char *text, struct error *err)
{
    config_clear(keys, ARRAY_LENGTH(keys), &settings);
    memset(&settings, 0x5a, sizeof settings); /* what was there does not matter */
    return config_parse("host.conf", text, keys, ARRAY_LENGTH(keys), &settings, err);
}

START_TEST(an_empty_file_gives_the_defaults)
{
    struct error err;

    ck_assert_int_eq(parse("", &err), 0);
    ck_assert_str_eq(settings.uri, "qemu:///system");
    ck_assert_int_eq(settings.port, 7433);
    ck_assert(settings.fast);
    ck_assert_str_eq(settings.allowed[1], "tdx");
    ck_assert_ptr_null(settings.allowed[2]);
    ck_assert_uint_eq(settings.memory, 512u << 20);
    ck_assert_ptr_null(settings.absent);
    config_clear(keys, ARRAY_LENGTH(keys), &settings);
    ck_assert_ptr_null(settings.uri);
    ck_assert_int_eq(settings.port, 0);
}
END_TEST

START_TEST(the_file_overrides_them)
{
    struct error err;

    ck_assert_int_eq(parse("port = 1\nabsent = \"\"\n[machine]\nuri = 'x'\nfast = false\n"
                           "memory = 1048576\n[policy]\nallowed = []\n",
                           &err),
                     0);
    ck_assert_str_eq(settings.uri, "x");
    ck_assert_int_eq(settings.port, 1);
    ck_assert(!settings.fast);
    ck_assert_ptr_null(settings.allowed[0]);
    ck_assert_uint_eq(settings.memory, 1048576);
    ck_assert_str_eq(settings.absent, "");
    config_clear(keys, ARRAY_LENGTH(keys), &settings);
}
END_TEST

START_TEST(an_error_names_file_line_and_key)
{
    static const struct {
        const char *text, *message;
    } bad[] = {
        {"\nprot = 1", "host.conf: line 2: prot: unknown key"},
        {"[machine]\nport = 1", "host.conf: line 2: machine.port: unknown key"},
        {"port = \"1\"", "host.conf: line 1: port: expected an integer"},
        {"port = 0", "host.conf: line 1: port: not in 1..65535"},
        {"port = 65536", "host.conf: line 1: port: not in 1..65535"},
        {"[machine]\n\nfast = 1", "host.conf: line 3: machine.fast: expected true or false"},
        {"[policy]\nallowed = 'a'",
         "host.conf: line 2: policy.allowed: expected an array of strings"},
        {"[machine]\nmemory = -1",
         "host.conf: line 2: machine.memory: expected a size such as \"512MiB\""},
        {"[machine]\nmemory = 4096",
         "host.conf: line 2: machine.memory: not in 1048576..1099511627776"},
        {"[machine", "host.conf: line 1: expected ']'"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        struct error err = {0};

        ck_assert_int_eq(parse(bad[i].text, &err), -1);
        ck_assert_str_eq(err.message, bad[i].message);
        config_clear(keys, ARRAY_LENGTH(keys), &settings);
    }
}
END_TEST

START_TEST(a_missing_file_leaves_the_defaults)
{
    struct error err;

    ck_assert_int_eq(
        config_load("/nonexistent/host.conf", keys, ARRAY_LENGTH(keys), &settings, &err), -1);
    ck_assert_int_eq(err.status, STATUS_NOT_FOUND);
    ck_assert_int_eq(settings.port, 7433);
    config_clear(keys, ARRAY_LENGTH(keys), &settings);
}
END_TEST

int main(void)
{
    return suite_run("config",
                     (const TTest *[]){an_empty_file_gives_the_defaults, the_file_overrides_them,
                                       an_error_names_file_line_and_key,
                                       a_missing_file_leaves_the_defaults, NULL});
}
