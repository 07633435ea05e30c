/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "export.h"
#include "suite.h"

static struct export export;
static struct error err;

START_TEST(a_share_is_named_by_one_argument)
{
    ck_assert_int_eq(export_parse("data-1.x:rw,slave:/srv/a:b", &export, &err), 0);
    ck_assert_str_eq(export.name, "data-1.x");
    ck_assert_str_eq(export.path, "/srv/a:b");
    ck_assert_int_eq(export.access, EXPORT_READ_WRITE);
    ck_assert_int_eq(export.propagation, EXPORT_SLAVE);
    ck_assert_int_eq(export_parse("a:ro:/", &export, &err), 0);
    ck_assert_str_eq(export.name, "a");
    ck_assert_int_eq(export.access, EXPORT_READ_ONLY);
    ck_assert_int_eq(export.propagation, EXPORT_PRIVATE);
}
END_TEST

START_TEST(what_is_no_share_is_refused)
{
    static const char *const texts[] = {
        "",
        "a",
        "a:rw",
        "a:rw:",
        "a:rw:relative",
        ":rw:/x",
        "..:rw:/x",
        ".a:rw:/x",
        "a/b:rw:/x",
        "a b:rw:/x",
        "a::/x",
        "a:r:/x",
        "a:RW:/x",
        "a:rw,:/x",
        "a:slave:/x",
        "a:rw,shared:/x",
        "a:rw,slave,slave:/x",
        "a:rw ro:/x",
        "a234567890123456789012345678901234567890123456789012345678901234:rw:/x",
    };

    export.name[0] = 'k';
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        ck_assert_int_lt(export_parse(texts[i], &export, &err), 0);
        ck_assert_int_eq(err.status, STATUS_INVALID_ARGUMENT);
        ck_assert_int_eq(export.name[0], 'k');
    }
}
END_TEST

int main(void)
{
    return suite_run("share_export", (const TTest *[]){a_share_is_named_by_one_argument,
                                                       what_is_no_share_is_refused, NULL});
}
