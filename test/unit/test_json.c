/* SPDX-License-Identifier: Apache-2.0 */
#include "suite.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/scoped.h"

static struct js *parsed(const char *text)
{
    struct js *root = NULL;
    struct error err = {0};

    ck_assert_msg(js_parse(text, strlen(text), &root, &err) == 0, "%s: %s", text, err.message);
    return root;
}

START_TEST(what_json_allows_is_read)
{
    static const char *const good[] = {
        "null",
        "true",
        " 1 ",
        "-0",
        "0",
        "1.5e+3",
        "\"x\"",
        "[]",
        "{}",
        "[1,[2,{}]]",
        "{\"a\":{\"a\":1},\"b\":[{\"a\":1},{\"a\":2}]}",
        "18446744073709551615",
        "-9223372036854775808",
        "\"\\u20ac\\n\\\\u0000\"",
        "\t[\r\n]\n",
    };

    for (size_t i = 0; i < ARRAY_LENGTH(good); i++)
        js_free(parsed(good[i]));
}
END_TEST

START_TEST(what_json_forbids_is_refused)
{
    static const char *const bad[] = {
        "",
        " ",
        "{",
        "[1,]",
        "{\"a\":1,}",
        "{a:1}",
        "{'a':1}",
        "01",
        "-",
        "1.",
        ".5",
        "1e",
        "+1",
        "nan",
        "NaN",
        "Infinity",
        "-Infinity",
        "tru",
        "nulll",
        "1 2",
        "{} {}",
        "[] x",
        "// c\n1",
        "/* c */ 1",
        "[1 /* c */]",
        "\"\t\"",
        "\"\n\"",
        "\"\\x\"",
        "\"open",
        "\"\\u0000\"",
        "{\"a\":1,\"a\":2}",
        "{\"a\":1,\"\\u0061\":2}",
        "{\"b\":{\"a\":{},\"a\":3}}",
        "18446744073709551616",
        "-9223372036854775809",
        "\xff",
        "\"\xc3\"",
        "[1\f]",
        "[1,,2]",
        "[,]",
        "{\"a\"}",
        "{\"a\":}",
        "{:1}",
        "True",
        "0x10",
        "\"a\" : 1",
    };

    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        struct js *root = NULL;
        struct error err;

        ck_assert_msg(js_parse(bad[i], strlen(bad[i]), &root, &err) < 0, "%s", bad[i]);
        ck_assert_ptr_null(root);
    }
}
END_TEST

START_TEST(a_nul_byte_ends_nothing)
{
    static const char text[] = "{}\0{}";
    struct js *root = NULL;
    struct error err;

    ck_assert_int_eq(js_parse(text, sizeof text - 1, &root, &err), -1);
    ck_assert_int_eq(js_parse(text, 3, &root, &err), -1);
}
END_TEST

START_TEST(an_empty_text_need_not_be_anywhere)
{
    struct js *root = NULL;
    struct error err;

    ck_assert_int_eq(js_parse(NULL, 0, &root, &err), -1);
    ck_assert_ptr_nonnull(strstr(err.message, "it is empty"));
}
END_TEST

START_TEST(depth_is_bounded)
{
    char text[2 * JS_DEPTH_MAX + 8];
    struct error err;

    for (size_t depth = JS_DEPTH_MAX - 1; depth <= JS_DEPTH_MAX + 1; depth++) {
        struct js *root = NULL;
        bool fits;

        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        fits = js_parse(text, 2 * depth, &root, &err) == 0;
        js_free(root);
        if (depth < JS_DEPTH_MAX)
            ck_assert(fits);
        if (depth > JS_DEPTH_MAX)
            ck_assert(!fits);
    }
}
END_TEST

START_TEST(getters_take_anything)
{
    scoped(js_freep) struct js *root = parsed(
        "{\"s\":\"x\",\"i\":-7,\"b\":true,\"n\":null,\"a\":[1,\"two\"],\"o\":{\"p\":1.5}}");

    ck_assert_str_eq(js_get_string(root, "s"), "x");
    ck_assert_int_eq(js_get_integer(root, "i", 3), -7);
    ck_assert(js_get_boolean(root, "b", false));
    ck_assert_int_eq(js_type(js_get(root, "n")), JS_NULL);
    ck_assert_uint_eq(js_length(js_get(root, "a")), 2);
    ck_assert_str_eq(js_string(js_at(js_get(root, "a"), 1)), "two");
    ck_assert_int_eq(js_type(js_path(root, "o", "p")), JS_DOUBLE);
    ck_assert_uint_eq(js_length(root), 6);

    ck_assert_ptr_null(js_get_string(root, "i"));
    ck_assert_ptr_null(js_get(js_get(root, "s"), "x"));
    ck_assert_ptr_null(js_at(root, 0));
    ck_assert_ptr_null(js_at(js_get(root, "a"), 2));
    ck_assert_ptr_null(js_path(root, "missing", "p"));
    ck_assert_int_eq(js_get_integer(root, "s", 3), 3);
    ck_assert_int_eq(js_integer(NULL, 4), 4);
    ck_assert(js_get_boolean(NULL, "b", true));
    ck_assert_uint_eq(js_length(NULL), 0);
}
END_TEST

START_TEST(needs_name_the_member)
{
    static const char *const keys[] = {"s", "i", NULL};
    scoped(js_freep) struct js *root = parsed("{\"s\":\"x\",\"i\":70000}");
    const char *text = "old";
    int64_t value = 5;
    struct error err;

    ck_assert_int_eq(js_need_string(root, "s", &text, &err), 0);
    ck_assert_str_eq(text, "x");
    ck_assert_int_eq(js_need_string(root, "i", &text, &err), -1);
    ck_assert_str_eq(err.message, "'i' is not a string");
    ck_assert_int_eq(js_need_string(root, "t", &text, &err), -1);
    ck_assert_str_eq(err.message, "'t' is missing");
    ck_assert_int_eq(js_need_integer(root, "i", 1, 65535, &value, &err), -1);
    ck_assert_int_eq(value, 5);
    ck_assert_int_eq(js_need_integer(root, "i", 1, 70000, &value, &err), 0);
    ck_assert_int_eq(value, 70000);
    ck_assert_int_eq(js_only(root, keys, &err), 0);
    js_set_integer(root, "extra", 1);
    ck_assert_int_eq(js_only(root, keys, &err), -1);
    ck_assert_ptr_nonnull(strstr(err.message, "extra"));
}
END_TEST

START_TEST(trees_are_built_and_printed)
{
    scoped(js_freep) struct js *root = js_new_object();
    scoped(js_freep) struct js *copy = NULL;
    scoped(freep) char *plain = NULL, *canonical = NULL, *copied = NULL;
    struct js *array = js_new_array();

    js_append(array, js_new_boolean(true));
    js_append(array, js_new_string("a/b\"\n"));
    js_append(array, js_new_integer(INT64_MIN));
    js_set(root, "z", array);
    js_set_string(root, "b", "old");
    js_set_string(root, "b", "new");
    js_set(root, "a", NULL);
    js_set_integer(root, "gone", 1);
    js_remove(root, "gone");
    plain = js_print(root);
    ck_assert_str_eq(plain,
                     "{\"z\":[true,\"a/b\\\"\\n\",-9223372036854775808],\"b\":\"new\",\"a\":null}");
    canonical = js_print_canonical(root);
    ck_assert_str_eq(canonical,
                     "{\"a\":null,\"b\":\"new\",\"z\":[true,\"a/b\\\"\\n\",-9223372036854775808]}");
    copy = js_copy(root);
    js_remove_at(js_get(root, "z"), 0);
    ck_assert_uint_eq(js_length(js_get(root, "z")), 2);
    copied = js_print(copy);
    ck_assert_str_eq(copied, plain);
}
END_TEST

START_TEST(numbers_survive_a_round_trip)
{
    static const char text[] = "[18446744073709551615,-9223372036854775808,1.25,1e3,0]";
    scoped(js_freep) struct js *root = parsed(text);
    scoped(freep) char *back = js_print(root);

    ck_assert_str_eq(back, text);
}
END_TEST

int main(void)
{
    return suite_run(
        "json", (const TTest *[]){what_json_allows_is_read, what_json_forbids_is_refused,
                                  a_nul_byte_ends_nothing, an_empty_text_need_not_be_anywhere,
                                  depth_is_bounded, getters_take_anything, needs_name_the_member,
                                  trees_are_built_and_printed, numbers_survive_a_round_trip, NULL});
}
