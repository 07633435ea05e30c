/* SPDX-License-Identifier: Apache-2.0 */
#include "toml_scan.h"

#include <stdbool.h>
#include <string.h>

#include "base/scoped.h"
#include "suite.h"

static struct toml_scan read_text(const char *text)
{
    struct toml_scan scan = {0};

    toml_scan_read(&scan, text);
    return scan;
}

static const struct toml_scan_entry *need(const struct toml_scan *scan, const char *path)
{
    const struct toml_scan_entry *entry = toml_scan_find(scan, path);

    ck_assert_msg(entry != NULL, "no '%s'", path);
    return entry;
}

START_TEST(a_key_has_one_path_however_it_is_written)
{
    static const char *const texts[] = {
        "[a.'b.c'.d]\nkey = 'x'\n",
        "[a.\"b.c\"]\nd.key = \"x\"\n",
        " [ a . 'b.c' . d ] # why\r\n\t\"key\"\t=\t'x' # because\r\n",
        "a.'b.c'.d.key = \"\"\"x\"\"\"",
        "[a]\n'b.c' = {d = {key = 'x'}, e = 1}\n",
        "[a.'b.c']\nd = {\n # new in TOML 1.1\n key = 'x',\n}\n",
        "[z]\nkey = 'y'\n[[a.'b.c'.d]]\nkey = '''\\\n'''\nkey = 'x'",
    };

    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        scoped(toml_scan_fini) struct toml_scan scan = read_text(texts[i]);

        ck_assert_msg(scan.bad_line == 0, "%s: line %u", texts[i], scan.bad_line);
        ck_assert_str_eq(need(&scan, "a/b.c/d/key")->text, "x");
    }
}
END_TEST

START_TEST(values_of_every_kind_are_passed)
{
    scoped(toml_scan_fini) struct toml_scan scan = read_text("on = true\n"
                                                             "count = -1_000 # many\n"
                                                             "ratio = 6.6e-34\n"
                                                             "born = 1979-05-27T07:32:00Z\n"
                                                             "empty = ''\n"
                                                             "quoted = \"a \\\"b\\\" # c\"\n"
                                                             "lines = '''one\n[two]\nthree'''\n"
                                                             "list = [ 'a', # first\n"
                                                             "  \"b\",\n"
                                                             "]\n"
                                                             "mixed = [1, 'x', ['y'], {k = 1}]\n"
                                                             "none = []\n"
                                                             "[table]\n"
                                                             "last = 1");

    ck_assert_uint_eq(scan.bad_line, 0);
    ck_assert_str_eq(need(&scan, "on")->text, "true");
    ck_assert_str_eq(need(&scan, "count")->text, "-1_000");
    ck_assert_str_eq(need(&scan, "ratio")->text, "6.6e-34");
    ck_assert_str_eq(need(&scan, "born")->text, "1979-05-27T07:32:00Z");
    ck_assert_str_eq(need(&scan, "empty")->text, "");
    ck_assert_str_eq(need(&scan, "quoted")->text, "a \"b\" # c");
    ck_assert_str_eq(need(&scan, "lines")->text, "one\n[two]\nthree");
    ck_assert_str_eq(need(&scan, "list")->strings[1], "b");
    ck_assert_ptr_null(need(&scan, "list")->strings[2]);
    ck_assert_str_eq(need(&scan, "mixed")->strings[0], "x");
    ck_assert_ptr_null(need(&scan, "mixed")->strings[1]);
    ck_assert_ptr_null(need(&scan, "none")->strings[0]);
    ck_assert_int_eq(need(&scan, "table")->type, TOML_SCAN_TABLE);
    ck_assert_str_eq(need(&scan, "table/last")->text, "1");
}
END_TEST

START_TEST(the_last_value_counts)
{
    scoped(toml_scan_fini) struct toml_scan scan = read_text("[a]\nb = 1\n");

    toml_scan_read(&scan, "[a]\nb = 2\n");
    ck_assert_str_eq(need(&scan, "a/b")->text, "2");
    ck_assert_ptr_null(toml_scan_find(&scan, "b"));
}
END_TEST

START_TEST(a_line_that_is_not_understood_is_named_and_passed_over)
{
    static const struct {
        const char *text;
        unsigned line;
    } rows[] = {
        {"x = 1\nwhat\n[a]\nkey = 'v'\n", 2},
        {"= 1\n[a]\nkey = 'v'\n", 1},
        {"x =\n[a]\nkey = 'v'\n", 1},
        {"x = 'no end\n[a]\nkey = 'v'\n", 1},
        {"x = 1 2\n[a]\nkey = 'v'\n", 1},
        {"\n\nx = ['y' 'z']\n[a]\nkey = 'v'\n", 3},
        {"[b\nkey = 'w'\n[a]\nkey = 'v'\n", 1},
        {"x = [[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]\n[a]\nkey = 'v'\n", 1},
        {"[a]\nkey = 'v'\nlast = ['", 3},
        {"[a]\nkey = 'v'\nlast = '''", 3},
        {"[a]\nkey = 'v'\nlast = {x = {", 3},
        {"[a]\nkey = 'v'\nlast = \"\\", 3},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        scoped(toml_scan_fini) struct toml_scan scan = read_text(rows[i].text);

        ck_assert_msg(scan.bad_line == rows[i].line, "%s: line %u", rows[i].text, scan.bad_line);
        ck_assert_str_eq(need(&scan, "a/key")->text, "v");
        ck_assert_ptr_null(toml_scan_find(&scan, "b/key"));
    }
}
END_TEST

/* The line number survives strings and arrays of many lines. */
START_TEST(lines_are_counted_inside_values)
{
    scoped(toml_scan_fini) struct toml_scan scan = read_text(
        "a = '''\n\n'''\nb = [\n'x', # y\n]\nwhat\n");

    ck_assert_uint_eq(scan.bad_line, 7);
}
END_TEST

/* Every prefix of a text is another broken text; under the sanitizers none may read past its end.
 */
START_TEST(a_text_cut_anywhere_is_survived)
{
    static const char whole[] = "[a.\"b\\\"\".'c']\nk.l = [ 'x', \"\"\"y\\\n\"\"\", {m = 1} ] # z\n"
                                "[[t]]\nn = { o = 'p', q = [ 1, 2 ] }\n";

    for (size_t i = 0; i < sizeof whole; i++) {
        scoped(freep) char *text = xstrndup(whole, i);
        scoped(toml_scan_fini) struct toml_scan scan = read_text(text);

        ck_assert_uint_le(scan.bad_line, 5);
    }
}
END_TEST

int main(void)
{
    return suite_run("cli_toml_scan",
                     (const TTest *[]){a_key_has_one_path_however_it_is_written,
                                       values_of_every_kind_are_passed, the_last_value_counts,
                                       a_line_that_is_not_understood_is_named_and_passed_over,
                                       lines_are_counted_inside_values,
                                       a_text_cut_anywhere_is_survived, NULL});
}
