/* SPDX-License-Identifier: Apache-2.0 */
/* How a manifest comes in. */
#include "suite.h"

#include "base/digest.h"
#include "sealed.h"
#include "sealed_fixture.h"
#include "volumes.h"

static const char loose[] =
    "{" FIXTURE_HEAD ",\"restart_policy\":\"Always\",\"service_environment\":false,\"debug\":false,"
    "\"volumes\":{},\"containers\":[{\"name\":\"one\",\"kind\":\"app\",\"config\":\"" FIXTURE_DIGEST
    "\",\"layers\":[\"" FIXTURE_DIGEST "\"],\"spec\":{\"ociVersion\":\"1.0.2\",\"process\":"
    "{\"args\":[\"/x\"]}},\"mounts\":[],\"environment\":[],\"exec\":[],\"stdin\":false}]}";

static char *text;
static size_t total;
static struct sealed *sealed;
static struct error err;

static bool look(void *user, const char *name, struct volumes_about *ret)
{
    return false;
}

static struct sealed *sealed_with(const char *document)
{
    uint8_t digest[SHA384_SIZE];

    digest_sha384(document, strlen(document), digest);
    return sealed_new(digest, look, NULL);
}

static void setup(void)
{
    text = fixture_canonical(loose);
    total = strlen(text);
    sealed = sealed_with(text);
}

static void teardown(void)
{
    sealed_free(take_ptr(sealed));
    free(take_ptr(text));
}

static int put(const char *document, uint64_t offset, size_t length)
{
    const struct sealed_part part = {
        .offset = offset, .total = strlen(document), .data = document + offset, .length = length};

    return sealed_put(sealed, &part, &err);
}

static void must_put(uint64_t offset, size_t length)
{
    ck_assert_msg(put(text, offset, length) == 0, "%s", err.message);
}

START_TEST(in_parts_of_any_size_and_from_the_beginning_as_often_as_it_takes)
{
    for (size_t size = 1; size <= total; size += 61) {
        teardown();
        setup();
        must_put(0, 40); /* the connection is lost here */
        for (size_t at = 0; at < total; at += size) {
            ck_assert_ptr_null(sealed_manifest(sealed));
            must_put(at, total - at < size ? total - at : size);
        }
        ck_assert_str_eq(sealed_manifest(sealed)->hostname, "pod-one");
        ck_assert_ptr_nonnull(sealed_slots(sealed));
        ck_assert_ptr_nonnull(sealed_volumes(sealed));
    }
}
END_TEST

START_TEST(what_was_there_already_does_nothing)
{
    must_put(0, 40);
    must_put(10, 30);
    must_put(40, 0);
    must_put(40, total - 40);
    ck_assert_ptr_nonnull(sealed_manifest(sealed));
    must_put(0, total);
    must_put(40, total - 40);
    text[0]++;
    ck_assert_int_lt(put(text, 0, 1), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "cannot become another one"));
    ck_assert_int_eq(put(text, 1, total - 1), 0); /* all of it is in the other, too */
    ck_assert_int_lt(put("{}", 0, 2), 0);
    ck_assert_str_eq(sealed_manifest(sealed)->hostname, "pod-one");
}
END_TEST

static const struct {
    uint64_t offset, total;
    size_t length;
    enum status status;
    const char *words;
} wrong[] = {
    {0, 0, 0, STATUS_RESOURCE_EXHAUSTED, "it has 1 to"},
    {0, MANIFEST_SIZE_MAX + 1, 10, STATUS_RESOURCE_EXHAUSTED, "it has 1 to"},
    {0, UINT64_MAX, 10, STATUS_RESOURCE_EXHAUSTED, "it has 1 to"},
    {0, MANIFEST_SIZE_MAX, SEALED_PART_MAX + 1, STATUS_RESOURCE_EXHAUSTED, "larger than"},
    {0, 10, 11, STATUS_INVALID_ARGUMENT, "beyond its end"},
    {41, 40, 0, STATUS_INVALID_ARGUMENT, "beyond its end"},
    {UINT64_MAX, 300, 2, STATUS_INVALID_ARGUMENT, "beyond its end"},
    {40, 301, 10, STATUS_INVALID_ARGUMENT, "has 301 bytes, the first said 300"},
    {41, 300, 10, STATUS_FAILED_PRECONDITION, "begins at 40"},
    {30, 300, 20, STATUS_FAILED_PRECONDITION, "begins at 40"},
};

START_TEST(a_part_that_does_not_fit_is_refused_and_changes_nothing)
{
    scoped(freep) char *data = xalloc(SEALED_PART_MAX + 1);
    const struct sealed_part first = {.total = 300, .data = data, .length = 40};
    const struct sealed_part part = {.offset = wrong[_i].offset,
                                     .total = wrong[_i].total,
                                     .data = data,
                                     .length = wrong[_i].length};
    const struct sealed_part next = {.offset = 40, .total = 300, .data = data, .length = 10};

    ck_assert_int_eq(sealed_put(sealed, &first, &err), 0);
    ck_assert_int_lt(sealed_put(sealed, &part, &err), 0);
    ck_assert_msg(err.status == wrong[_i].status && strstr(err.message, wrong[_i].words), "%s: %s",
                  status_name(err.status), err.message);
    ck_assert_msg(sealed_put(sealed, &next, &err) == 0, "%s", err.message);
}
END_TEST

START_TEST(a_manifest_begins_at_its_beginning)
{
    ck_assert_int_lt(put(text, 1, 10), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "begins at offset 0"));
}
END_TEST

/* The bytes are the digest's; what they say is looked at only then, and has to be a manifest. */
START_TEST(of_a_wrong_one_nothing_remains)
{
    scoped(freep) char *other = xstrdup(text);

    other[total / 2]++;
    ck_assert_int_lt(put(other, 0, total), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "not the manifest whose digest"));
    ck_assert_ptr_null(sealed_manifest(sealed));
    ck_assert_int_lt(put(text, total / 2, 1), 0);
    must_put(0, total);
    ck_assert_ptr_nonnull(sealed_manifest(sealed));

    sealed_free(sealed);
    sealed = sealed_with("{\"version\":1}");
    ck_assert_int_lt(put("{\"version\":1}", 0, 13), 0);
    ck_assert_msg(strstr(err.message, "manifest: "), "%s", err.message);
    ck_assert_ptr_null(sealed_manifest(sealed));
}
END_TEST

int main(void)
{
    const TTest *const single[] = {in_parts_of_any_size_and_from_the_beginning_as_often_as_it_takes,
                                   what_was_there_already_does_nothing,
                                   a_manifest_begins_at_its_beginning,
                                   of_a_wrong_one_nothing_remains, NULL};
    TCase *tests = suite_case(&(struct suite){"sealed", setup, teardown, 0}, single);

    tcase_add_loop_test(tests, a_part_that_does_not_fit_is_refused_and_changes_nothing, 0,
                        ARRAY_LENGTH(wrong));
    return suite_run_case("sealed", tests);
}
