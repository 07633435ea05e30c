/* SPDX-License-Identifier: Apache-2.0 */
#include "suite.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/scoped.h"
#include "mounts.h"
#include "share_name.h"
#include "volumes.h"

static char base[64], pod[80], container[80];

static void setup(void)
{
    strcpy(base, "/tmp/cleave-mounts-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(base));
    snprintf(pod, sizeof(pod), "%s/pod", base);
    snprintf(container, sizeof(container), "%s/one", base);
    ck_assert_int_eq(mkdir(pod, 0755), 0);
    ck_assert_int_eq(mkdir(container, 0755), 0);
}

static void teardown(void)
{
    scoped(freep) char *shm = xformat("%s/shm", pod);
    struct error err;

    (void) umount2(shm, MNT_DETACH);
    ck_assert_int_eq(file_remove_tree(base, &err), 0);
}

static void make_all(void)
{
    const struct mounts_pod in_pod = {
        .hostname = "web-0", .resolv_conf = "nameserver 10.0.0.1\n", .resolv_conf_length = 20};
    const struct mounts_file file = {
        .name = "config", .content = "a=1", .length = 3, .mode = 04640, .uid = 1000, .gid = 7};
    struct error err;

    ck_assert_msg(mounts_make_pod(pod, &in_pod, &err) == 0, "%s", err.message);
    ck_assert_msg(mounts_make_container(container, &file, 1, &err) == 0, "%s", err.message);
}

static int rewrite(const char *json, struct js **ret, struct error *err)
{
    scoped(js_freep) struct js *mounts = NULL;
    const struct mounts_places places = {.pod_directory = pod, .container_directory = container};

    ck_assert_int_eq(js_parse(json, strlen(json), &mounts, err), 0);
    return mounts_rewrite(mounts, &places, ret, err);
}

static void expect_source(const char *source, const char *directory, const char *file)
{
    scoped(freep) char *json = xformat(
        "[{\"destination\":\"/x\",\"source\":\"%s\",\"options\":[\"ro\"]}]", source);
    scoped(freep) char *wanted = xformat("%s/%s", directory, file);
    scoped(js_freep) struct js *result = NULL;
    struct error err;

    ck_assert_msg(rewrite(json, &result, &err) == 0, "%s", err.message);
    struct js *mount = js_at(result, 0);
    ck_assert_str_eq(js_get_string(mount, "source"), wanted);
    ck_assert_str_eq(js_get_string(mount, "type"), "bind");
    ck_assert_str_eq(js_string(js_at(js_get(mount, "options"), 0)), "ro");
    ck_assert_str_eq(js_string(js_at(js_get(mount, "options"), 1)), "bind");
}

static void expect_refused(const char *json, const char *part)
{
    scoped(js_freep) struct js *result = NULL;
    struct error err;

    ck_assert_int_eq(rewrite(json, &result, &err), -1);
    ck_assert_msg(strstr(err.message, part), "'%s' does not say '%s'", err.message, part);
    ck_assert_ptr_null(result);
}

START_TEST(each_source_of_ours_is_found)
{
    make_all();
    expect_source("cleave:hosts", pod, "hosts");
    expect_source("cleave:resolv.conf", pod, "resolv.conf");
    expect_source("cleave:hostname", pod, "hostname");
    expect_source("cleave:shm", pod, "shm");
    expect_source("cleave:termination-log", container, "termination-log");
    expect_source("cleave:file:config", container, "files/config");
}
END_TEST

START_TEST(files_are_as_they_were_asked_for)
{
    scoped(freep) char *config = xformat("%s/files/config", container);
    scoped(freep) char *hosts = xformat("%s/hosts", pod);
    scoped(freep) char *text = NULL;
    struct error err;
    struct stat st;
    size_t length;

    make_all();
    ck_assert_int_eq(stat(config, &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0640);
    ck_assert_uint_eq(st.st_uid, 1000);
    ck_assert_uint_eq(st.st_gid, 7);
    ck_assert_int_eq(file_read(hosts, 4096, &text, &length, &err), 0);
    ck_assert_ptr_nonnull(strstr(text, "localhost"));
    ck_assert_ptr_nonnull(strstr(text, "web-0"));
}
END_TEST

START_TEST(a_pod_can_be_made_again)
{
    const struct mounts_pod first = {.hostname = "one"}, second = {.hostname = "two"};
    scoped(freep) char *hostname = xformat("%s/hostname", pod);
    scoped(freep) char *text = NULL;
    struct error err;
    size_t length;

    ck_assert_msg(mounts_make_pod(pod, &first, &err) == 0, "%s", err.message);
    ck_assert_msg(mounts_make_pod(pod, &second, &err) == 0, "%s", err.message);
    ck_assert_int_eq(file_read(hostname, 64, &text, &length, &err), 0);
    ck_assert_str_eq(text, "two\n");
}
END_TEST

START_TEST(file_systems_of_the_kernel_pass)
{
    scoped(js_freep) struct js *result = NULL;
    struct error err;

    ck_assert_int_eq(rewrite("[{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"},"
                             "{\"destination\":\"/dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\"}]",
                             &result, &err),
                     0);
    ck_assert_uint_eq(js_length(result), 2);
    ck_assert_str_eq(js_get_string(js_at(result, 0), "source"), "proc");
}
END_TEST

START_TEST(every_other_source_is_refused_by_name)
{
    make_all();
    expect_refused("[{\"destination\":\"/x\",\"type\":\"bind\",\"source\":\"/run/cleave\"}]",
                   "'/run/cleave'");
    expect_refused("[{\"destination\":\"/x\",\"type\":\"proc\",\"source\":\"/etc\","
                   "\"options\":[\"rbind\"]}]",
                   "'/etc'");
    expect_refused("[{\"destination\":\"/x\",\"type\":\"ext4\",\"source\":\"/dev/vda\"}]",
                   "'/dev/vda'");
    expect_refused("[{\"destination\":\"/x\",\"source\":\"cleave:key\"}]", "'cleave:key'");
    expect_refused("[{\"destination\":\"/x\",\"source\":\"cleave:file:..\"}]", "no name of a file");
    expect_refused("[{\"destination\":\"/x\",\"source\":\"cleave:file:../termination-log\"}]",
                   "no name of a file");
    expect_refused("[{\"destination\":\"/x\",\"source\":\"cleave:file:\"}]", "no name of a file");
    expect_refused("[{\"destination\":\"/x\",\"source\":\"cleave:file:other\"}]",
                   "was not handed over");
    expect_refused("[{\"source\":\"cleave:hosts\"}]", "destination");
    expect_refused("{}", "no array");
}
END_TEST

START_TEST(a_file_with_a_path_for_a_name_is_refused)
{
    const char *const names[] = {"", ".", "..", "a/b", "/etc/passwd"};
    struct error err;

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        const struct mounts_file file = {.name = names[i]};
        scoped(freep) char *directory = xformat("%s/c%zu", base, i);

        ck_assert_int_eq(mkdir(directory, 0755), 0);
        ck_assert_int_eq(mounts_make_container(directory, &file, 1, &err), -1);
        ck_assert_int_eq(err.status, STATUS_INVALID_ARGUMENT);
    }
}
END_TEST

/* Where the power to mount is missing there is nothing to see. */
START_TEST(volumes_are_held_until_the_container_goes)
{
    scoped(freep) char *directory = xformat("%s/volumes", base), *root = xformat("%s/root", base);
    scoped(freep) char *held = xformat("%s/volumes/0", container);
    scoped(freep) char *seed = xformat("%s/volumes/1/seed", container);
    scoped(freep) char *data = xformat("%s/data", root), *file = xformat("%s/data/seed", root);
    const struct volumes_put put = {
        .name = "v", .mode = 0755, .serial = 1, .first = true, .last = true};
    static const char text[] = "[{\"destination\":\"/x\",\"source\":\"cleave:volume:v\","
                               "\"options\":[\"rw\",\"rbind\",\"rrw\"]},"
                               "{\"destination\":\"/data\",\"source\":\"cleave:image\"}]";
    static const char *const wrong[] = {"cleave:volume:w", "cleave:volume:v/none",
                                        "cleave:volume:v/../..", "cleave:volume:"};
    scoped(js_freep) struct js *mounts = NULL, *result = NULL;
    struct mounts_places places = {
        .pod_directory = pod, .container_directory = container, .root = root};
    struct error err;

    ck_assert_int_eq(mkdir(directory, 0755), 0);
    ck_assert_int_eq(file_make_directories(data, 0755, &err), 0);
    ck_assert_int_eq(file_write_atomic(file, "x", 1, 0644, &err), 0);
    places.volumes = volumes_new(directory);
    ck_assert_int_eq(volumes_put_copied(places.volumes, &put, UINT64_MAX, &err), 0);
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        scoped(freep) char *json = xformat("[{\"destination\":\"/x\",\"source\":\"%s\"}]",
                                           wrong[i]);
        scoped(js_freep) struct js *one = NULL;

        ck_assert_int_eq(js_parse(json, strlen(json), &one, &err), 0);
        ck_assert_msg(mounts_rewrite(one, &places, &result, &err) < 0, "%s", wrong[i]);
    }
    ck_assert_int_eq(js_parse(text, strlen(text), &mounts, &err), 0);
    if (mounts_rewrite(mounts, &places, &result, &err) == 0) {
        ck_assert_str_eq(js_get_string(js_at(result, 0), "source"), held);
        const struct js *options = js_get(js_at(result, 0), "options");
        ck_assert_uint_eq(js_length(options), 2);
        ck_assert_str_eq(js_string(js_at(options, 0)), "rbind");
        ck_assert_str_eq(js_string(js_at(options, 1)), "ro");
        ck_assert(file_exists(seed));
    } else {
        ck_assert_msg(strstr(err.message, "not permitted"), "%s", err.message);
    }
    ck_assert_msg(mounts_unmake(container, &err) == 0, "%s", err.message);
    ck_assert_msg(mounts_unmake(container, &err) == 0, "%s", err.message);
    ck_assert(!file_exists(held) && file_exists(file));
    volumes_free(places.volumes);
}
END_TEST

/* ---- the live share ---- */

static int find_shared(const char *json, struct share_name *names, size_t *count, struct error *err)
{
    scoped(js_freep) struct js *mounts = NULL;

    ck_assert_int_eq(js_parse(json, strlen(json), &mounts, err), 0);
    return mounts_shared(mounts, names, count, err);
}

START_TEST(names_of_the_share_are_found_once_and_others_are_none)
{
    static const char *const wrong[] = {"", ".", "..", "a/b", "../a", "a b", "a%", "/etc"};
    struct share_name names[SHARE_NAMES_MAX];
    struct error err;
    size_t count;

    ck_assert_int_eq(find_shared("[{\"source\": \"cleave:share:a\"}, {\"source\": \"proc\"}, {},"
                                 "{\"source\": \"cleave:share:b-1._\"},"
                                 "{\"source\": \"cleave:share:a\"}]",
                                 names, &count, &err),
                     0);
    ck_assert_uint_eq(count, 2);
    ck_assert_str_eq(names[0].text, "a");
    ck_assert_str_eq(names[1].text, "b-1._");
    ck_assert_int_eq(names[1].fd, -1);
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        scoped(freep) char *json = xformat("[{\"source\": \"cleave:share:%s\"}]", wrong[i]);

        ck_assert_msg(find_shared(json, names, &count, &err) < 0, "%s", wrong[i]);
    }
    ck_assert_int_eq(find_shared("{}", names, &count, &err), 0);
    ck_assert_uint_eq(count, 0);
}
END_TEST

/* What was opened is mounted, and nothing is resolved again. */
START_TEST(what_was_opened_of_the_share_is_mounted)
{
    static const char one[] = "[{\"destination\": \"/d\", \"source\": \"cleave:share:data\","
                              "\"options\": [\"rbind\", \"suid\", \"rw\", \"rdev\"]}]";
    scoped(js_freep) struct js *mounts = NULL, *result = NULL;
    scoped(freep) char *options = NULL;
    struct share_name shared = {.text = "data", .fd = open(pod, O_PATH | O_CLOEXEC)};
    struct mounts_places places = {.pod_directory = pod, .container_directory = container};
    struct stat wanted, got;
    struct error err;

    make_all();
    ck_assert_int_eq(js_parse(one, strlen(one), &mounts, &err), 0);
    ck_assert_int_lt(mounts_rewrite(mounts, &places, &result, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "'data' was not opened"));
    places.shared = &shared;
    places.shared_count = 1;
    if (mounts_rewrite(mounts, &places, &result, &err) == 0) {
        ck_assert_int_eq(fstat(shared.fd, &wanted), 0);
        ck_assert_int_eq(stat(js_get_string(js_at(result, 0), "source"), &got), 0);
        ck_assert(wanted.st_ino == got.st_ino && wanted.st_dev == got.st_dev);
        options = js_print(js_get(js_at(result, 0), "options"));
        ck_assert_str_eq(options, "[\"rbind\",\"rw\",\"nosuid\",\"nodev\"]");
    } else {
        ck_assert_msg(strstr(err.message, "not permitted"), "%s", err.message);
    }
    ck_assert_int_eq(mounts_unmake(container, &err), 0);
    (void) close(shared.fd);
}
END_TEST

START_TEST(the_last_words_are_bounded)
{
    scoped(freep) char *log = xformat("%s/termination-log", container);
    scoped(freep) uint8_t *text = NULL, *none = NULL;
    struct error err;
    size_t length;

    make_all();
    ck_assert_int_eq(mounts_termination_log(container, &none, &length, &err), 0);
    ck_assert_uint_eq(length, 0);
    FILE *file = fopen(log, "we");
    for (int i = 0; i < 10000; i++)
        fputc(i == 9999 ? 'z' : 'a', file);
    fclose(file);
    ck_assert_int_eq(mounts_termination_log(container, &text, &length, &err), 0);
    ck_assert_uint_eq(length, MOUNTS_TERMINATION_LOG_MAX);
    ck_assert_int_eq(text[length - 1], 'z');
}
END_TEST

START_TEST(last_words_are_not_read_through_a_link)
{
    scoped(freep) char *log = xformat("%s/termination-log", container);
    scoped(freep) uint8_t *text = NULL;
    struct error err;
    size_t length;

    ck_assert_int_eq(symlink("/etc/passwd", log), 0);
    ck_assert_int_eq(mounts_termination_log(container, &text, &length, &err), -1);
}
END_TEST

int main(void)
{
    return suite_run_with(
        &(struct suite){.name = "mounts", .setup = setup, .teardown = teardown},
        (const TTest *[]){
            each_source_of_ours_is_found, files_are_as_they_were_asked_for, a_pod_can_be_made_again,
            file_systems_of_the_kernel_pass, every_other_source_is_refused_by_name,
            a_file_with_a_path_for_a_name_is_refused, volumes_are_held_until_the_container_goes,
            names_of_the_share_are_found_once_and_others_are_none,
            what_was_opened_of_the_share_is_mounted, the_last_words_are_bounded,
            last_words_are_not_read_through_a_link, NULL});
}
