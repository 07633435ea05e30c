/* SPDX-License-Identifier: Apache-2.0 */
/* The table, and docs/host-calls.md beside it. */
#include "refusal.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/scoped.h"
#include "suite.h"

static const char *const service_name[] = {"Sandbox", "Task"};

START_TEST(what_reaches_into_the_pod_is_refused)
{
    static const char *const refused[] = {"Exec", "ResizePty", "Pause", "Resume", "Checkpoint"};
    size_t count, sentences = 0;
    const struct refusal *table = refusal_table(&count);

    for (size_t i = 0; i < ARRAY_LENGTH(refused); i++) {
        const struct refusal *row = refusal_find(REFUSAL_TASK, refused[i]);

        ck_assert(row && row->sentence);
    }
    for (size_t i = 0; i < count; i++)
        sentences += table[i].sentence != NULL;
    ck_assert_uint_eq(sentences, ARRAY_LENGTH(refused));
    ck_assert_uint_eq(count, 9 + 12 + ARRAY_LENGTH(refused));
    ck_assert_ptr_null(refusal_find(REFUSAL_SANDBOX, "Exec"));
}
END_TEST

START_TEST(every_sentence_says_what_this_is)
{
    size_t count;
    const struct refusal *table = refusal_table(&count);

    for (size_t i = 0; i < count; i++) {
        if (!table[i].sentence)
            continue;
        ck_assert_ptr_nonnull(strstr(table[i].sentence, "host half of a cleave pod"));
        ck_assert_ptr_null(strchr(table[i].sentence, '\n'));
        ck_assert_uint_lt(strlen(table[i].sentence), sizeof(((struct error *) 0)->message));
    }
}
END_TEST

START_TEST(the_document_is_the_table)
{
    scoped(freep) char *text = NULL;
    struct error err;
    size_t count, length, rows = 0;
    const struct refusal *table = refusal_table(&count);

    ck_assert_int_eq(file_read("docs/host-calls.md", 65536, &text, &length, &err), 0);
    for (size_t i = 0; i < count; i++) {
        scoped(freep) char *line = xformat("\n| %s | %s | %s |\n", service_name[table[i].service],
                                           table[i].method,
                                           table[i].sentence ? table[i].sentence : "served");

        ck_assert_msg(strstr(text, line), "docs/host-calls.md lacks:%s", line);
    }
    for (const char *at = text; (at = strstr(at, "\n| ")); at++)
        rows++;
    ck_assert_uint_eq(rows, count + 1); /* and its heading */
}
END_TEST

int main(void)
{
    return suite_run("refusal", (const TTest *[]){what_reaches_into_the_pod_is_refused,
                                                  every_sentence_says_what_this_is,
                                                  the_document_is_the_table, NULL});
}
