/* SPDX-License-Identifier: Apache-2.0 */
#include "suite.h"

#include <zlib.h>
#include <zstd.h>

#include "base/clock.h"
#include "io/loop.h"
#include "layer_fixture.h"
#include "layer_store.h"

#define OCI "application/vnd.oci.image.layer.v1."

static struct sandbox_directory sandbox;
static struct loop *loop;
static struct layer_store *store;
static struct writer tar;
static char tar_digest[80];

static void open_store_that_keeps(uint64_t limit, uint64_t keep_ms)
{
    const struct layer_store_options options = {
        .directory = sandbox.layer, .limit = limit, .keep_ms = keep_ms};
    struct error err;

    ck_assert_int_eq(layer_store_new(loop, &options, &store, &err), 0);
}

static void open_store(uint64_t limit)
{
    open_store_that_keeps(limit, 0);
}

static void setup(void)
{
    struct error err;

    sandbox_make(&sandbox);
    ck_assert_int_eq(loop_new(&loop, &err), 0);
    open_store(0);
    writer_init(&tar, 64 << 20);
    tar_add(&tar, &(struct tar_entry){.name = "etc/motd", .content = "hello"});
    tar_end(&tar);
    digest_text(tar.data, tar.size, tar_digest);
}

static void teardown(void)
{
    layer_store_free(store);
    loop_free(loop);
    writer_fini(&tar);
    sandbox_check(&sandbox);
    sandbox_remove(&sandbox);
}

struct outcome {
    int calls;
    bool failed;
    struct error err;
};

static void done(void *user, const struct error *err)
{
    struct outcome *outcome = user;

    outcome->calls++;
    outcome->failed = err != NULL;
    if (err)
        outcome->err = *err;
}

static void wait_for(struct outcome *outcome)
{
    struct error err;

    for (int i = 0; !outcome->calls && i < 1000; i++)
        ck_assert_int_eq(loop_turn(loop, 10, &err), 0);
    ck_assert_int_eq(outcome->calls, 1);
}

static struct layer_upload *begin(const struct layer_begin *wanted)
{
    struct layer_upload *upload = NULL;
    struct error err;

    ck_assert_msg(layer_upload_begin(store, wanted, &upload, &err) == 0, "%s", err.message);
    return upload;
}

static void write_all(struct layer_upload *upload, const void *data, size_t length)
{
    const uint8_t *at = data;

    while (length) {
        size_t piece = length < LAYER_WRITE_MAX ? length : LAYER_WRITE_MAX;
        struct outcome outcome = {0};

        layer_upload_write(upload, at, piece, done, &outcome);
        wait_for(&outcome);
        if (outcome.failed)
            return;
        at += piece;
        length -= piece;
    }
}

static struct outcome finish(struct layer_upload *upload)
{
    struct outcome outcome = {0};

    layer_upload_finish(upload, done, &outcome);
    wait_for(&outcome);
    return outcome;
}

static struct outcome put(const struct layer_begin *wanted, const void *data, size_t length)
{
    struct layer_upload *upload = begin(wanted);
    struct outcome outcome;

    write_all(upload, data, length);
    outcome = finish(upload);
    layer_upload_free(upload);
    return outcome;
}

static struct layer_begin plain(void)
{
    return (struct layer_begin){
        .digest = tar_digest, .diff_id = tar_digest, .media_type = OCI "tar", .size = tar.size};
}

static void expect_complete(const char *digest)
{
    char path[512];
    const char *directory;
    struct error err;
    struct stat st;

    ck_assert(layer_store_state(store, digest).complete);
    ck_assert_int_eq(layer_store_path(store, digest, tar_digest, &directory, &err), 0);
    snprintf(path, sizeof(path), "%s/etc/motd", directory);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_size, 5);
}

/* Forgotten whole: no state, no bytes, no directory. */
static void expect_nothing(const char *digest)
{
    scoped(freep) char *command = xformat("test -z \"$(ls -A %s)\"", sandbox.layer);

    ck_assert(!layer_store_state(store, digest).complete);
    ck_assert_uint_eq(layer_store_state(store, digest).received, 0);
    ck_assert_int_eq(system(command), 0);
}

static void *gzipped(size_t *ret_length)
{
    z_stream stream = {0};
    uint8_t *data = xalloc(tar.size + 1024);

    ck_assert_int_eq(deflateInit2(&stream, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
    stream.next_in = tar.data;
    stream.avail_in = (uInt) tar.size;
    stream.next_out = data;
    stream.avail_out = (uInt) tar.size + 1024;
    ck_assert_int_eq(deflate(&stream, Z_FINISH), Z_STREAM_END);
    *ret_length = stream.total_out;
    deflateEnd(&stream);
    return data;
}

static void tally(void *user)
{
    ++*(unsigned *) user;
}

START_TEST(the_end_of_an_unpacking_is_told_even_if_nobody_waits)
{
    struct outcome never = {0};
    struct layer_begin wanted = plain();
    struct layer_upload *upload = begin(&wanted);
    unsigned unpacked = 0;
    struct error err;

    layer_store_on_unpacked(store, tally, &unpacked);
    write_all(upload, tar.data, tar.size);
    ck_assert_uint_eq(unpacked, 0);
    layer_upload_finish(upload, done, &never);
    layer_upload_free(upload);
    for (int i = 0; !unpacked && i < 1000; i++)
        ck_assert_int_eq(loop_turn(loop, 10, &err), 0);
    ck_assert_uint_eq(unpacked, 1);
    ck_assert_int_eq(never.calls, 0);
    expect_complete(tar_digest);
}
END_TEST

START_TEST(a_plain_layer_is_unpacked)
{
    struct layer_begin wanted = plain();
    struct outcome outcome = put(&wanted, tar.data, tar.size);

    ck_assert_msg(!outcome.failed, "%s", outcome.err.message);
    expect_complete(tar_digest);
    size_t count;
    ck_assert_str_eq(layer_store_implied(store, tar_digest, &count)[0], "etc");
    ck_assert_uint_eq(count, 1);
}
END_TEST

START_TEST(a_gzip_layer_is_unpacked)
{
    struct layer_begin wanted = plain();
    char digest[80];
    size_t length;
    scoped(freep) void *data = gzipped(&length);

    digest_text(data, length, digest);
    wanted.digest = digest;
    wanted.media_type = OCI "tar+gzip";
    wanted.size = length;
    struct outcome outcome = put(&wanted, data, length);
    ck_assert_msg(!outcome.failed, "%s", outcome.err.message);
    expect_complete(digest);
}
END_TEST

START_TEST(a_zstd_layer_is_unpacked)
{
    struct layer_begin wanted = plain();
    char digest[80];
    scoped(freep) void *data = xalloc(ZSTD_compressBound(tar.size));
    size_t length = ZSTD_compress(data, ZSTD_compressBound(tar.size), tar.data, tar.size, 3);

    digest_text(data, length, digest);
    wanted.digest = digest;
    wanted.media_type = OCI "tar+zstd";
    wanted.size = length;
    struct outcome outcome = put(&wanted, data, length);
    ck_assert_msg(!outcome.failed, "%s", outcome.err.message);
    expect_complete(digest);
}
END_TEST

START_TEST(a_truncated_gzip_layer_is_refused)
{
    struct layer_begin wanted = plain();
    char digest[80];
    size_t length;
    scoped(freep) void *data = gzipped(&length);

    length -= 12;
    digest_text(data, length, digest);
    wanted.digest = digest;
    wanted.media_type = OCI "tar+gzip";
    wanted.size = length;
    struct outcome outcome = put(&wanted, data, length);
    ck_assert(outcome.failed);
    ck_assert_int_eq(outcome.err.status, STATUS_INVALID_ARGUMENT);
    expect_nothing(digest);
}
END_TEST

START_TEST(a_layer_that_is_not_compressed_as_it_says_is_refused)
{
    struct layer_begin wanted = plain();

    wanted.media_type = OCI "tar+gzip";
    struct outcome outcome = put(&wanted, tar.data, tar.size);
    ck_assert(outcome.failed);
    ck_assert_ptr_nonnull(strstr(outcome.err.message, "not compressed as its media type says"));
    expect_nothing(tar_digest);
}
END_TEST

START_TEST(a_wrong_digest_is_refused_before_anything_is_unpacked)
{
    struct layer_begin wanted = plain();

    tar.data[600] ^= 1;
    struct outcome outcome = put(&wanted, tar.data, tar.size);
    ck_assert(outcome.failed);
    ck_assert_int_eq(outcome.err.status, STATUS_DATA_LOSS);
    ck_assert_ptr_nonnull(strstr(outcome.err.message, "layer's digest is sha256:"));
    expect_nothing(tar_digest);
}
END_TEST

START_TEST(a_wrong_diff_id_is_refused)
{
    struct layer_begin wanted = plain();
    char other[80];

    digest_text("x", 1, other);
    wanted.diff_id = other;
    struct outcome outcome = put(&wanted, tar.data, tar.size);
    ck_assert(outcome.failed);
    ck_assert_int_eq(outcome.err.status, STATUS_DATA_LOSS);
    ck_assert_ptr_nonnull(strstr(outcome.err.message, "uncompressed"));
    expect_nothing(tar_digest);
}
END_TEST

START_TEST(a_blob_that_was_refused_can_be_sent_again)
{
    struct layer_begin wanted = plain();

    tar.data[600] ^= 1;
    ck_assert(put(&wanted, tar.data, tar.size).failed);
    tar.data[600] ^= 1;
    ck_assert(!put(&wanted, tar.data, tar.size).failed);
    expect_complete(tar_digest);
}
END_TEST

START_TEST(a_transfer_that_broke_off_goes_on)
{
    struct layer_begin wanted = plain();
    struct layer_upload *upload = begin(&wanted);
    struct layer_upload *other = NULL;
    struct error err;

    write_all(upload, tar.data, 700);
    layer_upload_free(upload);
    ck_assert_uint_eq(layer_store_state(store, tar_digest).received, 700);
    ck_assert(!layer_store_state(store, tar_digest).complete);

    ck_assert_int_eq(layer_upload_begin(store, &wanted, &other, &err), -1);
    ck_assert_int_eq(err.status, STATUS_OUT_OF_RANGE);
    ck_assert_ptr_nonnull(strstr(err.message, "goes on at byte 700"));

    wanted.offset = 700;
    struct outcome outcome = put(&wanted, tar.data + 700, tar.size - 700);
    ck_assert_msg(!outcome.failed, "%s", outcome.err.message);
    expect_complete(tar_digest);
}
END_TEST

START_TEST(bytes_in_flight_when_the_transfer_breaks_off_count)
{
    struct layer_begin wanted = plain();
    struct layer_upload *upload = begin(&wanted);
    struct outcome never = {0};

    layer_upload_write(upload, tar.data, 700, done, &never);
    layer_upload_free(upload);
    wanted.offset = layer_store_state(store, tar_digest).received;
    ck_assert_uint_eq(wanted.offset, 700);
    ck_assert(!put(&wanted, tar.data + 700, tar.size - 700).failed);
    ck_assert_int_eq(never.calls, 0);
    expect_complete(tar_digest);
}
END_TEST

START_TEST(a_newer_transfer_takes_over)
{
    struct layer_begin wanted = plain();
    struct layer_upload *older = begin(&wanted);
    struct outcome outcome = {0};

    write_all(older, tar.data, 100);
    wanted.offset = 100;
    struct layer_upload *newer = begin(&wanted);
    layer_upload_write(older, tar.data + 100, 100, done, &outcome);
    wait_for(&outcome);
    ck_assert(outcome.failed);
    ck_assert_int_eq(outcome.err.status, STATUS_ABORTED);
    layer_upload_free(older);
    write_all(newer, tar.data + 100, tar.size - 100);
    ck_assert(!finish(newer).failed);
    layer_upload_free(newer);
    expect_complete(tar_digest);
}
END_TEST

START_TEST(a_layer_that_is_here_takes_no_second_copy)
{
    struct layer_begin wanted = plain();

    ck_assert(!put(&wanted, tar.data, tar.size).failed);
    ck_assert(!put(&wanted, "anything", 8).failed);
    expect_complete(tar_digest);
}
END_TEST

START_TEST(a_second_finish_waits_for_the_first)
{
    struct layer_begin wanted = plain();
    struct layer_upload *first = begin(&wanted), *second;
    struct outcome outcomes[2] = {0};

    write_all(first, tar.data, tar.size);
    layer_upload_finish(first, done, &outcomes[0]);
    second = begin(&wanted);
    layer_upload_finish(second, done, &outcomes[1]);
    wait_for(&outcomes[1]);
    ck_assert_int_eq(outcomes[0].calls, 1);
    ck_assert(!outcomes[0].failed && !outcomes[1].failed);
    layer_upload_free(first);
    layer_upload_free(second);
    expect_complete(tar_digest);
}
END_TEST

START_TEST(an_early_finish_keeps_what_is_there)
{
    struct layer_begin wanted = plain();
    struct layer_upload *upload = begin(&wanted);

    write_all(upload, tar.data, 100);
    struct outcome outcome = finish(upload);
    ck_assert(outcome.failed);
    ck_assert_int_eq(outcome.err.status, STATUS_OUT_OF_RANGE);
    layer_upload_free(upload);
    ck_assert_uint_eq(layer_store_state(store, tar_digest).received, 100);
}
END_TEST

START_TEST(more_bytes_than_announced_are_refused)
{
    struct layer_begin wanted = plain();
    struct layer_upload *upload = begin(&wanted);
    struct outcome outcome = {0};

    write_all(upload, tar.data, tar.size);
    layer_upload_write(upload, "x", 1, done, &outcome);
    wait_for(&outcome);
    ck_assert(outcome.failed);
    ck_assert_int_eq(outcome.err.status, STATUS_INVALID_ARGUMENT);
    layer_upload_free(upload);
}
END_TEST

static void expect_refused(const struct layer_begin *wanted, enum status status, const char *part)
{
    struct layer_upload *upload = NULL;
    struct error err;

    ck_assert_int_eq(layer_upload_begin(store, wanted, &upload, &err), -1);
    ck_assert_msg(err.status == status, "%s: %s", status_name(err.status), err.message);
    ck_assert_msg(strstr(err.message, part), "'%s' does not say '%s'", err.message, part);
}

START_TEST(what_cannot_be_a_layer_is_refused_at_once)
{
    struct layer_begin wanted = plain();

    wanted.digest = "sha512:00";
    expect_refused(&wanted, STATUS_INVALID_ARGUMENT, "no sha256 digest");
    wanted = plain();
    wanted.diff_id = NULL;
    expect_refused(&wanted, STATUS_INVALID_ARGUMENT, "no sha256 digest");
    wanted = plain();
    wanted.media_type = "application/vnd.oci.image.config.v1+json";
    expect_refused(&wanted, STATUS_INVALID_ARGUMENT, "no type of layer");
    wanted = plain();
    wanted.size = 0;
    expect_refused(&wanted, STATUS_INVALID_ARGUMENT, "impossible size");
    wanted = plain();
    wanted.size = UINT64_MAX;
    expect_refused(&wanted, STATUS_INVALID_ARGUMENT, "impossible size");
    wanted = plain();
    wanted.offset = wanted.size + 1;
    expect_refused(&wanted, STATUS_INVALID_ARGUMENT, "impossible size");
    wanted = plain();
    wanted.offset = 5;
    expect_refused(&wanted, STATUS_OUT_OF_RANGE, "byte 0");
    expect_nothing(tar_digest);
}
END_TEST

START_TEST(what_does_not_fit_is_refused_with_numbers)
{
    struct layer_begin wanted = plain();

    layer_store_free(store);
    open_store(10 << 20);
    wanted.unpacked_size = 11 << 20;
    expect_refused(&wanted, STATUS_RESOURCE_EXHAUSTED, "needs 11 MiB, has 10 MiB");
    wanted = plain();
    wanted.size = 1ull << 39;
    expect_refused(&wanted, STATUS_RESOURCE_EXHAUSTED, "needs 524288 MiB");
    expect_nothing(tar_digest);
}
END_TEST

START_TEST(a_layer_that_grows_past_the_room_leaves_nothing)
{
    struct layer_begin wanted = plain();
    scoped(freep) char *content = xalloc((24 << 20) + 1);
    char digest[80];
    size_t length;

    layer_store_free(store);
    open_store(8 << 20);
    memset(content, 'a', 24 << 20);
    tar.size = 0;
    tar_add(&tar, &(struct tar_entry){.name = "zeros", .content = content});
    tar_end(&tar);
    digest_text(tar.data, tar.size, tar_digest);
    scoped(freep) void *data = gzipped(&length);
    digest_text(data, length, digest);
    wanted.digest = digest;
    wanted.media_type = OCI "tar+gzip";
    wanted.size = length;
    struct outcome outcome = put(&wanted, data, length);
    ck_assert(outcome.failed);
    ck_assert_int_eq(outcome.err.status, STATUS_RESOURCE_EXHAUSTED);
    ck_assert_ptr_nonnull(strstr(outcome.err.message, "MiB, has"));
    expect_nothing(digest);
    /* The room is given back: the small one fits again. */
    wanted = plain();
    wanted.size = 1;
    wanted.unpacked_size = 7 << 20;
    struct layer_upload *upload = begin(&wanted);
    layer_upload_free(upload);
}
END_TEST

static void let_time_pass(void)
{
    uint64_t start = clock_monotonic_ms();

    while (clock_monotonic_ms() < start + 2)
        continue;
}

/* Something of 7 MiB in a store of 10. */
static enum status want_most(void)
{
    static const char other[] =
        "sha256:00000000000000000000000000000000000000000000000000000000000000ff";
    struct layer_begin wanted = plain();
    struct layer_upload *upload = NULL;
    struct error err;

    wanted.digest = other;
    wanted.diff_id = other;
    wanted.unpacked_size = 7 << 20;
    if (layer_upload_begin(store, &wanted, &upload, &err) < 0)
        return err.status;
    layer_upload_free(upload);
    return STATUS_OK;
}

static void fill_tar(void)
{
    scoped(freep) char *content = xalloc((5 << 20) + 1);

    memset(content, 'a', 5 << 20);
    tar.size = 0;
    tar_add(&tar, &(struct tar_entry){.name = "etc/motd", .content = "hello"});
    tar_add(&tar, &(struct tar_entry){.name = "big", .content = content});
    tar_end(&tar);
    digest_text(tar.data, tar.size, tar_digest);
}

START_TEST(a_layer_that_nobody_uses_makes_room)
{
    struct layer_begin wanted;

    fill_tar();
    wanted = plain();
    layer_store_free(store);
    open_store_that_keeps(16 << 20, 1);
    ck_assert(!put(&wanted, tar.data, tar.size).failed);
    layer_store_hold(store, tar_digest);
    let_time_pass();
    ck_assert_int_eq(want_most(), STATUS_OK); /* it fits beside it */
    wanted.unpacked_size = 12 << 20;
    wanted.digest = "sha256:00000000000000000000000000000000000000000000000000000000000000aa";
    expect_refused(&wanted, STATUS_RESOURCE_EXHAUSTED, "needs 12 MiB, has 10 MiB");
    expect_complete(tar_digest);
    layer_store_release(store, tar_digest);
    let_time_pass();
    struct layer_upload *upload = begin(&wanted);
    layer_upload_free(upload);
    expect_nothing(tar_digest);
}
END_TEST

START_TEST(a_layer_that_was_asked_for_just_now_stays)
{
    struct layer_begin wanted;

    fill_tar();
    wanted = plain();
    layer_store_free(store);
    open_store(12 << 20);
    ck_assert(!put(&wanted, tar.data, tar.size).failed);
    ck_assert_int_eq(want_most(), STATUS_RESOURCE_EXHAUSTED);
    expect_complete(tar_digest);
}
END_TEST

START_TEST(a_transfer_that_nobody_goes_on_with_makes_room)
{
    struct layer_begin wanted;
    struct layer_upload *upload;

    fill_tar();
    wanted = plain();
    layer_store_free(store);
    open_store_that_keeps(10 << 20, 1);
    upload = begin(&wanted);
    write_all(upload, tar.data, 4 << 20);
    let_time_pass();
    ck_assert_int_eq(want_most(), STATUS_RESOURCE_EXHAUSTED);
    layer_upload_free(upload);
    let_time_pass();
    ck_assert_int_eq(want_most(), STATUS_OK);
    expect_nothing(tar_digest);
}
END_TEST

START_TEST(a_store_that_is_freed_at_work_waits)
{
    struct layer_begin wanted = plain();
    struct layer_upload *upload = begin(&wanted);
    struct outcome never = {0};

    layer_upload_write(upload, tar.data, tar.size, done, &never);
    layer_upload_finish(upload, done, &never);
    layer_upload_free(upload);
    layer_store_free(store);
    store = NULL;
    struct error err;
    ck_assert_int_eq(loop_turn(loop, 10, &err), 0);
    ck_assert_int_eq(never.calls, 0);
}
END_TEST

int main(void)
{
    return suite_run_with(
        &(struct suite){.name = "layer_store", .setup = setup, .teardown = teardown},
        (const TTest *[]){a_plain_layer_is_unpacked,
                          a_gzip_layer_is_unpacked,
                          a_zstd_layer_is_unpacked,
                          a_truncated_gzip_layer_is_refused,
                          a_layer_that_is_not_compressed_as_it_says_is_refused,
                          a_wrong_digest_is_refused_before_anything_is_unpacked,
                          a_wrong_diff_id_is_refused,
                          a_blob_that_was_refused_can_be_sent_again,
                          a_transfer_that_broke_off_goes_on,
                          bytes_in_flight_when_the_transfer_breaks_off_count,
                          a_newer_transfer_takes_over,
                          a_layer_that_is_here_takes_no_second_copy,
                          a_second_finish_waits_for_the_first,
                          the_end_of_an_unpacking_is_told_even_if_nobody_waits,
                          an_early_finish_keeps_what_is_there,
                          more_bytes_than_announced_are_refused,
                          what_cannot_be_a_layer_is_refused_at_once,
                          what_does_not_fit_is_refused_with_numbers,
                          a_layer_that_grows_past_the_room_leaves_nothing,
                          a_layer_that_nobody_uses_makes_room,
                          a_layer_that_was_asked_for_just_now_stays,
                          a_transfer_that_nobody_goes_on_with_makes_room,
                          a_store_that_is_freed_at_work_waits,
                          NULL});
}
