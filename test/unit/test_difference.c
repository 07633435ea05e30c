/* SPDX-License-Identifier: Apache-2.0 */
/* Where two documents differ, said so that a reader finds it. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/scoped.h"
#include "difference.h"
#include "suite.h"

enum { TEXT_SIZE = 512 };

static void note(void *user, const char *path, const struct js *a, const struct js *b)
{
    char *text = user;
    size_t used = strlen(text);
    scoped(freep) char *text_a = a ? js_print(a) : NULL, *text_b = b ? js_print(b) : NULL;

    snprintf(text + used, TEXT_SIZE - used, "%s %s %s\n", path, text_a ? text_a : "-",
             text_b ? text_b : "-");
}

static struct js *parse(const char *text)
{
    struct js *value = NULL;
    struct error err;

    ck_assert_msg(js_parse(text, strlen(text), &value, &err) == 0, "%s: %s", text, err.message);
    return value;
}

static const struct {
    const char *a, *b, *differences;
    size_t count;
} cases[] = {
    {"{\"a\":1,\"b\":[1,2]}", "{\"b\":[1,2],\"a\":1}", "", 0},
    {"{\"a\":{\"b\":1}}", "{\"a\":{\"b\":2}}", "a.b 1 2\n", 1},
    {"{\"a\":1}", "{\"b\":1}", "a 1 -\nb - 1\n", 2},
    {"{\"a\":1}", "{\"a\":\"1\"}", "a 1 \"1\"\n", 1},
    {"{\"a\":{\"x\":1}}", "{\"a\":[]}", "a {\"x\":1} []\n", 1},
    /* By name where there is one, also in another place of the list. */
    {"{\"c\":[{\"name\":\"a\",\"x\":1},{\"name\":\"b\"}]}",
     "{\"c\":[{\"name\":\"b\"},{\"name\":\"a\",\"x\":2},{\"name\":\"d\"}]}",
     "c[a].x 1 2\nc[d] - {\"name\":\"d\"}\n", 2},
    {"{\"m\":[{\"destination\":\"/a\"}]}", "{\"m\":[]}", "m[/a] {\"destination\":\"/a\"} -\n", 1},
    /* The order alone. */
    {"{\"c\":[{\"name\":\"a\"},{\"name\":\"b\"}]}", "{\"c\":[{\"name\":\"b\"},{\"name\":\"a\"}]}",
     "c [{\"name\":\"a\"},{\"name\":\"b\"}] [{\"name\":\"b\"},{\"name\":\"a\"}]\n", 1},
    {"{\"l\":[\"a\",\"a\"]}", "{\"l\":[\"a\"]}", "l [\"a\",\"a\"] [\"a\"]\n", 1},
    /* One more in front does not make all of them differ. */
    {"{\"env\":[\"A=1\",\"B=2\"]}", "{\"env\":[\"C=3\",\"A=1\",\"B=4\"]}",
     "env[] \"B=2\" -\nenv[] - \"C=3\"\nenv[] - \"B=4\"\n", 3},
    /* Twice the same name is none to go by. */
    {"{\"c\":[{\"name\":\"a\",\"x\":1},{\"name\":\"a\",\"x\":2}]}",
     "{\"c\":[{\"name\":\"a\",\"x\":1}]}", "c[] {\"name\":\"a\",\"x\":2} -\n", 1},
};

START_TEST(differences_are_found_and_named)
{
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        scoped(js_freep) struct js *a = parse(cases[i].a), *b = parse(cases[i].b);
        char text[TEXT_SIZE] = "";

        ck_assert_uint_eq(difference_find(a, b, note, text), cases[i].count);
        ck_assert_str_eq(text, cases[i].differences);
    }
}
END_TEST

/* Within the test's time only if it does not match each with each. */
START_TEST(a_long_list_is_compared_as_a_whole)
{
    scoped(js_freep) struct js *a = js_new_object(), *b = js_new_object();
    char text[TEXT_SIZE] = "";

    js_set(a, "l", js_new_array());
    js_set(b, "l", js_new_array());
    for (int i = 0; i < 200000; i++) {
        js_append(js_get(a, "l"), js_new_integer(i));
        js_append(js_get(b, "l"), js_new_integer(i + 1));
    }
    ck_assert_uint_eq(difference_find(a, b, note, text), 1);
    ck_assert_ptr_eq(strstr(text, "l [0,"), text);
}
END_TEST

int main(void)
{
    return suite_run("difference", (const TTest *[]){differences_are_found_and_named,
                                                     a_long_list_is_compared_as_a_whole, NULL});
}
