/* SPDX-License-Identifier: Apache-2.0 */
#include "suite.h"

#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/scoped.h"
#include "base/text.h"
#include "document.h"
#include "scalar.h"

static struct error err;

/* What it is as JSON; the caller frees. */
static char *read_text(const char *text)
{
    scoped(js_freep) struct js *root = NULL;

    if (document_parse(text, strlen(text), &root, &err) < 0)
        return xformat("error: %s", err.message);
    return js_print(root);
}

static void expect(const char *text, const char *wanted)
{
    scoped(freep) char *got = read_text(text);

    ck_assert_str_eq(got, wanted);
}

static void expect_error(const char *text, const char *part)
{
    scoped(freep) char *got = read_text(text);

    ck_assert_msg(text_starts(got, "error: ") && strstr(got, part), "%s", got);
}

/* Each as `kubectl annotate --local -o json` (1.32, 1.37) takes it. */
START_TEST(a_plain_scalar_is_what_it_is_to_kubectl)
{
    static const struct {
        const char *yaml, *json;
    } cases[] = {
        {"yes", "true"},
        {"on", "true"},
        {"y", "true"},
        {"True", "true"},
        {"off", "false"},
        {"NO", "false"},
        {"n", "false"},
        {"yES", "\"yES\""},
        {"12", "12"},
        {"-7", "-7"},
        {"0644", "420"},
        {"0o17", "15"},
        {"0", "0"},
        {"0.5", "0.5"},
        {"1.10", "1.10"},
        {"2001-01-01", "\"2001-01-01\""},
        {"1:30", "\"1:30\""},
        {"~", "null"},
        {"null", "null"},
        {"", "null"},
        {"'yes'", "\"yes\""},
        {"\"12\"", "\"12\""},
        {"1.2.3", "\"1.2.3\""},
        {"64Mi", "\"64Mi\""},
        {"500m", "\"500m\""},
        {"-", NULL},
        {"10.0.0.1/8", "\"10.0.0.1/8\""},
        {"e3", "\"e3\""},
        {"1e3", "1e3"},
        {"v1", "\"v1\""},
        {"-x", "\"-x\""},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        scoped(freep) char *text = xformat("a: %s\n", cases[i].yaml), *wanted = NULL;

        if (!cases[i].json)
            continue;
        wanted = xformat("{\"a\":%s}", cases[i].json);
        expect(text, wanted);
    }
}
END_TEST

START_TEST(a_number_that_readers_differ_about_wants_quotes)
{
    static const char *const cases[] = {
        "0x1f",  "1_000", ".inf", "08", "+5", "1.", ".5", "0b11", "99999999999999999999",
        "-.INF", ".nan"};

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        scoped(freep) char *text = xformat("b: 1\na: %s\n", cases[i]);

        expect_error(text, "write it in quotes");
        expect_error(text, "line 2");
    }
}
END_TEST

START_TEST(block_and_flow_and_json_are_the_same)
{
    const char *wanted = "{\"a\":[1,{\"b\":\"x\"}],\"c\":{}}";

    expect("a:\n- 1\n- b: x\nc: {}\n", wanted);
    expect("---\na: [1, {b: x}]\nc: {}\n...\n", wanted);
    expect("  {\"a\": [1, {\"b\": \"x\"}], \"c\": {}}\n", wanted);
    expect("a: |\n  two\n  lines\nb: >-\n  one\n  line\n",
           "{\"a\":\"two\\nlines\\n\",\"b\":\"one line\"}");
}
END_TEST

START_TEST(an_alias_is_a_copy)
{
    expect("a: &x {b: 1}\nc: *x\nd: [*x, *x]\n",
           "{\"a\":{\"b\":1},\"c\":{\"b\":1},\"d\":[{\"b\":1},{\"b\":1}]}");
    expect("a: &x 1\nb: &x 2\nc: *x\n", "{\"a\":1,\"b\":2,\"c\":2}");
    expect_error("a: *x\n", "alias");
    expect_error("a: &x [*x]\n", "not yet complete");
}
END_TEST

/* Ten lines that would be ten thousand million values. */
START_TEST(aliases_of_aliases_are_bounded)
{
    scoped(freep) char *text = xstrdup("a0: &a0 [1,1,1,1,1,1,1,1,1,1]\n");

    for (int i = 1; i < 10; i++) {
        char *longer = xformat("%sa%d: &a%d [*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d]\n",
                               text, i, i, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1,
                               i - 1, i - 1);

        free(text);
        text = longer;
    }
    expect_error(text, "more than 65536 values");
}
END_TEST

START_TEST(what_readers_differ_about_is_refused)
{
    expect_error("a: 1\nb: 2\na: 3\n", "line 3: the key 'a' is there twice");
    expect_error("a: null\na: 1\n", "twice");
    expect_error("{\"a\":1,\"a\":2}", "twice");
    expect_error("a: !!str 1\n", "tags");
    expect_error("a: !x {}\n", "tags");
    expect_error("yes: 1\n", "write it in quotes");
    expect_error("1: 1\n", "write it in quotes");
    expect_error("? [a]\n: 1\n", "a key that is no text");
    expect_error("a: &x {b: 1}\nc:\n  <<: *x\n", "merge keys");
    expect_error("a: 1\n---\nb: 2\n", "more than one document");
    expect_error("- a\n", "no object");
    expect_error("just text\n", "no object");
    expect_error("", "there is nothing in it");
    expect_error("a: [1\n", "line");
    expect_error("a: \"\\0\"\n", "NUL");
    expect_error("{\"a\":1} x", "not JSON");
}
END_TEST

START_TEST(depth_and_size_are_bounded)
{
    scoped(freep) char *deep = xalloc(2 * JS_DEPTH_MAX + 16), *large = NULL;

    memcpy(deep, "a: ", 4);
    memset(deep + 3, '[', JS_DEPTH_MAX);
    expect_error(deep, "nested too deep");
    large = xalloc(DOCUMENT_SIZE_MAX + 2);
    memset(large, ' ', DOCUMENT_SIZE_MAX + 1);
    expect_error(large, "at most");
}
END_TEST

int main(void)
{
    return suite_run("split_document",
                     (const TTest *[]){a_plain_scalar_is_what_it_is_to_kubectl,
                                       a_number_that_readers_differ_about_wants_quotes,
                                       block_and_flow_and_json_are_the_same, an_alias_is_a_copy,
                                       aliases_of_aliases_are_bounded,
                                       what_readers_differ_about_is_refused,
                                       depth_and_size_are_bounded, NULL});
}
