/* SPDX-License-Identifier: Apache-2.0 */
#include "suite.h"

#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/json.h"
#include "base/scoped.h"
#include "base/text.h"
#include "nesting.h"

static char root[32];
static struct error err;

/* As images are: /var/run is /run; /loop leads to itself; /abs and /rel to /srv. */
static void setup(void)
{
    static const char *const directories[] = {"run", "var", "srv", "srv/in", "etc"};
    static const struct {
        const char *path, *target;
    } links[] = {{"var/run", "/run"},
                 {"loop", "loop"},
                 {"abs", "/srv"},
                 {"rel", "var/../srv"},
                 {"out", "../../../../../../run"}};

    snprintf(root, sizeof(root), "/tmp/nesting-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(root));
    for (size_t i = 0; i < ARRAY_LENGTH(directories); i++) {
        scoped(freep) char *path = xformat("%s/%s", root, directories[i]);

        ck_assert_int_eq(mkdir(path, 0755), 0);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(links); i++) {
        scoped(freep) char *path = xformat("%s/%s", root, links[i].path);

        ck_assert_int_eq(symlink(links[i].target, path), 0);
    }
}

static int remove_it(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path);
}

static void teardown(void)
{
    (void) nftw(root, remove_it, 8, FTW_DEPTH | FTW_PHYS);
}

static int check(const char *share, const char *other, const char *source)
{
    scoped(freep) char *text = xformat("[{\"destination\":\"%s\",\"source\":\"%s\"},"
                                       "{\"destination\":\"%s\",\"source\":\"cleave:share:s\"}]",
                                       other, source, share);
    scoped(js_freep) struct js *mounts = NULL;

    ck_assert_msg(js_parse(text, strlen(text), &mounts, &err) == 0, "%s", err.message);
    return nesting_check(root, mounts, &err);
}

static const struct {
    const char *share, *other;
    bool is_nested;
} cases[] = {
    {"/run", "/var/run/secrets/token", true},
    {"/var/run", "/run/secrets", true},
    {"/run", "/run/made", true},
    {"/abs", "/rel/in", true},
    {"/rel", "/srv/new/deep", true},
    {"/out", "/run/x", true}, /* the root is the root: no link leads out */
    {"/srv/in", "/abs/in/x", true},
    {"/run", "/var/running", false},
    {"/run", "/etc/hosts", false},
    {"/srv/in", "/abs/other", false},
    {"/var/run/share", "/run", false}, /* the share lies in it */
    {"/new", "/new2/x", false},
};

START_TEST(a_mount_lies_where_the_links_lead)
{
    static const char *const sources[] = {"cleave:volume:v", "tmpfs"};

    for (size_t i = 0; i < ARRAY_LENGTH(sources); i++) {
        bool is_refused = check(cases[_i].share, cases[_i].other, sources[i]) < 0;

        ck_assert_msg(is_refused == cases[_i].is_nested, "%s in %s", cases[_i].other,
                      cases[_i].share);
        ck_assert_msg(!is_refused || (err.status == STATUS_PERMISSION_DENIED &&
                                      strstr(err.message, "lies in the share")),
                      "%s", err.message);
    }
}
END_TEST

START_TEST(no_share_lies_in_another)
{
    ck_assert_int_lt(check("/run", "/var/run/share", "cleave:share:other"), 0);
    ck_assert_int_lt(check("/var/run/share", "/run", "cleave:share:other"), 0);
    ck_assert_int_eq(check("/run", "/srv", "cleave:share:other"), 0);
}
END_TEST

START_TEST(what_cannot_be_followed_is_refused)
{
    ck_assert_int_lt(check("/loop", "/etc/hosts", "tmpfs"), 0);
    ck_assert_int_lt(check("/srv", "/loop/x", "tmpfs"), 0);
}
END_TEST

START_TEST(without_a_share_nothing_is_looked_at)
{
    static const char text[] = "[{\"destination\":\"/loop\",\"source\":\"cleave:volume:v\"},"
                               "{\"destination\":\"/loop/x\"}]";
    scoped(js_freep) struct js *mounts = NULL;

    ck_assert_int_eq(js_parse(text, strlen(text), &mounts, &err), 0);
    ck_assert_msg(nesting_check(root, mounts, &err) == 0, "%s", err.message);
    ck_assert_msg(nesting_check(root, NULL, &err) == 0, "%s", err.message);
}
END_TEST

int main(void)
{
    const TTest *const single[] = {no_share_lies_in_another, what_cannot_be_followed_is_refused,
                                   without_a_share_nothing_is_looked_at, NULL};
    TCase *tests = suite_case(&(struct suite){"nesting", setup, teardown, 0}, single);

    tcase_add_loop_test(tests, a_mount_lies_where_the_links_lead, 0, ARRAY_LENGTH(cases));
    return suite_run_case("nesting", tests);
}
