/* SPDX-License-Identifier: Apache-2.0 */
#include "suite.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/scoped.h"
#include "base/toml.h"

static struct toml *parsed(const char *text)
{
    struct toml *toml = NULL;
    struct error err = {0};

    ck_assert_msg(toml_parse(text, strlen(text), &toml, &err) == 0, "%s: %s", text, err.message);
    return toml;
}

static const struct toml_entry *need(const struct toml *toml, const char *table, const char *key)
{
    const struct toml_entry *entry = toml_find(toml, table, key);

    ck_assert_msg(entry != NULL, "%s.%s", table, key);
    return entry;
}

START_TEST(each_kind_of_value_is_read)
{
    static const char text[] = "# comment\n"
                               "top = \"a\\tb\\u20ac\\\"\"  # behind\n"
                               "[machine]\r\n"
                               "uri = 'qemu:///system\\n'\n"
                               "count = -42\n"
                               "on = true\n off=false\n"
                               "list = [ 'a', \"b\", # c\n '''c''',\n]\n"
                               "none = []\n"
                               "[ a . \"b c\" ]\n"
                               "\"quoted.key\" = 0";
    scoped(toml_freep) struct toml *toml = parsed(text);
    size_t count;

    ck_assert_str_eq(need(toml, "", "top")->string, "a\tb\xe2\x82\xac\"");
    ck_assert_str_eq(need(toml, "machine", "uri")->string, "qemu:///system\\n");
    ck_assert_int_eq(need(toml, "machine", "count")->integer, -42);
    ck_assert(need(toml, "machine", "on")->boolean);
    ck_assert(!need(toml, "machine", "off")->boolean);
    ck_assert_str_eq(need(toml, "machine", "list")->strings[2], "c");
    ck_assert_ptr_null(need(toml, "machine", "list")->strings[3]);
    ck_assert_ptr_null(need(toml, "machine", "none")->strings[0]);
    ck_assert_int_eq(need(toml, "a.b c", "quoted.key")->type, TOML_INTEGER);
    ck_assert_uint_eq(need(toml, "a.b c", "quoted.key")->line, 13);
    (void) toml_entries(toml, &count);
    ck_assert_uint_eq(count, 8);
    ck_assert_ptr_null(toml_find(toml, "machine", "top"));
}
END_TEST

START_TEST(multi_line_strings_keep_their_bytes)
{
    scoped(toml_freep) struct toml *toml = parsed("a = '''\nline 1\n \\ 'two' ''\n'''\n"
                                                  "b = \"\"\"x \\\n   \n  y\n\"\"\"\n"
                                                  "c = \"\"\"\"q\"\"\"\"\"\n"
                                                  "d = ''''''\n");

    ck_assert_str_eq(need(toml, "", "a")->string, "line 1\n \\ 'two' ''\n");
    ck_assert_str_eq(need(toml, "", "b")->string, "x y\n");
    ck_assert_str_eq(need(toml, "", "c")->string, "\"q\"\"");
    ck_assert_str_eq(need(toml, "", "d")->string, "");
    ck_assert_uint_eq(need(toml, "", "c")->line, 9);
}
END_TEST

START_TEST(what_is_not_in_the_subset_is_refused)
{
    static const struct {
        const char *text;
        unsigned line;
    } bad[] = {
        {"a", 1},
        {"a =", 1},
        {"a = b", 1},
        {"a = 1.5", 1},
        {"a = 0x10", 1},
        {"a = +1", 1},
        {"a = 01", 1},
        {"a = -", 1},
        {"a = 1_000", 1},
        {"a = 9223372036854775808", 1},
        {"a = 11111111111111111111111111111111111111", 1},
        {"a = 1979-05-27", 1},
        {"a = {b = 1}", 1},
        {"a.b = 1", 1},
        {"a = [1, 2]", 1},
        {"a = [[]]", 1},
        {"a = ['x' 'y']", 1},
        {"a = ['x'", 1},
        {"a = truer", 1},
        {"a = 'x' y", 1},
        {"a = 'x\n'", 1},
        {"a = \"\\q\"", 1},
        {"a = \"\\u12\"", 1},
        {"a = \"\\ud800\"", 1},
        {"a = \"\\u0000\"", 1},
        {"a = '\x01'", 1},
        {"\n\na = 1\na = 2", 4},
        {"[t]\n[t]", 2},
        {"[t]\na = 1\n[t.a]", 3},
        {"[t.a]\n[t]\na = 1", 3},
        {"[[t]]", 1},
        {"[t", 1},
        {"[]", 1},
        {"[t.]", 1},
        {"[t] x", 1},
        {"= 1", 1},
        {"a = '''x\n\n", 1},
        {"\n[t]\na = \"\"\"\n\n\\q\"\"\"", 5},
        {"a = 1\rb = 2", 1},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        struct toml *toml = NULL;
        struct error err = {0};
        char line[16];

        ck_assert_msg(toml_parse(bad[i].text, strlen(bad[i].text), &toml, &err) < 0, "%s",
                      bad[i].text);
        (void) snprintf(line, sizeof line, "line %u: ", bad[i].line);
        ck_assert_msg(strncmp(err.message, line, strlen(line)) == 0, "%s: %s", bad[i].text,
                      err.message);
        ck_assert_ptr_null(toml);
    }
}
END_TEST

START_TEST(size_encoding_and_nul_are_checked_first)
{
    scoped(freep) char *large = xalloc(TOML_SIZE_MAX + 1);
    struct toml *toml = NULL;
    struct error err;

    memset(large, '\n', TOML_SIZE_MAX + 1);
    ck_assert_int_eq(toml_parse(large, TOML_SIZE_MAX + 1, &toml, &err), -1);
    ck_assert_int_eq(err.status, STATUS_RESOURCE_EXHAUSTED);
    ck_assert_int_eq(toml_parse(large, TOML_SIZE_MAX, &toml, &err), 0);
    toml_free(toml);
    ck_assert_int_eq(toml_parse("a = '\xff'", 8, &toml, &err), -1);
    ck_assert_int_eq(toml_parse("a = 1\0", 6, &toml, &err), -1);
}
END_TEST

START_TEST(the_number_of_keys_is_bounded)
{
    scoped(freep) char *text = xalloc(TOML_SIZE_MAX);
    struct toml *toml = NULL;
    size_t length = 0;
    struct error err;

    for (int i = 0; i < 1025; i++)
        length += (size_t) sprintf(text + length, "k%d=1\n", i);
    ck_assert_int_eq(toml_parse(text, length, &toml, &err), -1);
    ck_assert_ptr_nonnull(strstr(err.message, "too many keys"));
}
END_TEST

int main(void)
{
    return suite_run("toml", (const TTest *[]){each_kind_of_value_is_read,
                                               multi_line_strings_keep_their_bytes,
                                               what_is_not_in_the_subset_is_refused,
                                               size_encoding_and_nul_are_checked_first,
                                               the_number_of_keys_is_bounded, NULL});
}
