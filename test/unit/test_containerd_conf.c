/* SPDX-License-Identifier: Apache-2.0 */
#include "containerd_conf.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/scoped.h"
#include "suite.h"

#define NEW  "[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes."
#define OLD  "[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes."
#define HOST "cleave-host]\nruntime_type = \"io.containerd.cleave-host.v2\"\nsandboxer = \"shim\"\n"

static struct error err;
static char folder[] = "/tmp/containerd-conf-XXXXXX";

static void put(const char *name, const char *text)
{
    scoped(freep) char *path = xformat("%s/%s", folder, name);
    scoped(freep) char *parent = xstrndup(path, (size_t) (strrchr(path, '/') - path));

    ck_assert(file_make_directories(parent, 0755, &err) == 0);
    ck_assert(file_write_atomic(path, text, strlen(text), 0644, &err) == 0);
}

static struct containerd_conf *load(const char *name)
{
    scoped(freep) char *path = xformat("%s/%s", folder, name);
    struct containerd_conf *conf = NULL;

    ck_assert_msg(containerd_conf_load(folder, path, &conf, &err) == 0, "%s", err.message);
    return conf;
}

START_TEST(a_runtime_is_found_under_the_names_of_both_versions)
{
    static const char *const texts[] = {
        "version = 3\n" NEW HOST,
        "version = 2\n" OLD HOST,
        "version = 2\n" NEW HOST,
        NEW HOST,
        "version = 3\n[plugins]\n[plugins.\"io.containerd.cri.v1.runtime\"]\n"
        "containerd.runtimes.cleave-host = {runtime_type = '/x/containerd-shim-cleave-host-v2', "
        "sandboxer = 'shim'}\n",
    };

    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        scoped(containerd_conf_freep) struct containerd_conf *conf = containerd_conf_parse(
            texts[i]);
        scoped(freep) char *runtime = containerd_conf_runtime(conf, "cleave-host");

        ck_assert_msg(runtime != NULL, "%s", texts[i]);
        ck_assert_str_eq(strrchr(runtime, '/'), "/cleave-host");
        ck_assert_str_eq(containerd_conf_text(conf, runtime, "sandboxer"), "shim");
        ck_assert_ptr_null(containerd_conf_text(conf, runtime, "snapshotter"));
        ck_assert_ptr_null(containerd_conf_runtime(conf, "cleave-tenant"));
        ck_assert_ptr_null(containerd_conf_ignored_runtime(conf, "cleave-host"));
        ck_assert_ptr_null(containerd_conf_doubt(conf));
    }
}
END_TEST

START_TEST(old_names_in_a_newer_file_are_known_to_be_ignored)
{
    static const char *const texts[] = {"version = 3\n" OLD HOST, OLD HOST};

    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        scoped(containerd_conf_freep) struct containerd_conf *conf = containerd_conf_parse(
            texts[i]);
        scoped(freep) char *ignored = containerd_conf_ignored_runtime(conf, "cleave-host");

        ck_assert_ptr_null(containerd_conf_runtime(conf, "cleave-host"));
        ck_assert_ptr_nonnull(ignored);
        ck_assert_str_eq(strrchr(ignored, '/'), "/cleave-host");
    }
}
END_TEST

START_TEST(an_options_table_is_seen_in_every_form)
{
    static const struct {
        const char *text;
        bool has;
    } rows[] = {
        {NEW HOST, false},
        {NEW HOST NEW "cleave-host.options]\n", true},
        {NEW HOST NEW "cleave-host.options]\nConfigPath = 'x'\n", true},
        {NEW HOST "options = {}\n", true},
        {NEW HOST "options.ConfigPath = 'x'\n", true},
        {NEW HOST "optionsish = 1\n", false},
        {NEW HOST NEW "runc.options]\nSystemdCgroup = true\n", false},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        scoped(containerd_conf_freep) struct containerd_conf *conf = containerd_conf_parse(
            rows[i].text);
        scoped(freep) char *runtime = containerd_conf_runtime(conf, "cleave-host");

        ck_assert_msg(containerd_conf_has_table(conf, runtime, "options") == rows[i].has, "%s",
                      rows[i].text);
    }
}
END_TEST

START_TEST(discarded_layers_are_seen_under_the_names_of_both_versions)
{
    static const struct {
        const char *text;
        bool discards;
    } rows[] = {
        {"", false},
        {"version = 3\n[plugins.'io.containerd.cri.v1.images']\ndiscard_unpacked_layers = true\n",
         true},
        {"version = 3\n[plugins.'io.containerd.cri.v1.images']\ndiscard_unpacked_layers = false\n",
         false},
        {"version = 2\n[plugins.'io.containerd.grpc.v1.cri'.containerd]\n"
         "discard_unpacked_layers = true\n",
         true},
        {"version = 3\n[plugins.'io.containerd.grpc.v1.cri'.containerd]\n"
         "discard_unpacked_layers = true\n",
         false},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        scoped(containerd_conf_freep) struct containerd_conf *conf = containerd_conf_parse(
            rows[i].text);

        ck_assert_msg(containerd_conf_discards_layers(conf) == rows[i].discards, "%s",
                      rows[i].text);
    }
}
END_TEST

START_TEST(the_snippets_of_deploy_are_understood)
{
    static const char *const names[] = {"host", "tenant"};

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        scoped(freep) char *path = xformat("deploy/containerd-%s.toml", names[i]);
        scoped(freep) char *word = xformat("cleave-%s", names[i]);
        scoped(containerd_conf_freep) struct containerd_conf *conf = NULL;
        scoped(freep) char *runtime = NULL;

        ck_assert_msg(containerd_conf_load("", path, &conf, &err) == 0, "%s", err.message);
        runtime = containerd_conf_runtime(conf, word);
        ck_assert_ptr_nonnull(runtime);
        ck_assert_ptr_null(containerd_conf_doubt(conf));
    }
}
END_TEST

START_TEST(imports_are_followed_and_the_later_value_counts)
{
    ck_assert_ptr_nonnull(mkdtemp(folder));
    put("etc/config.toml", "version = 3\nimports = ['/conf.d/*.toml', 'beside.toml', 'none.toml']\n"
                           "[plugins.'io.containerd.cri.v1.images']\n"
                           "discard_unpacked_layers = true\n");
    put("conf.d/1.toml", NEW HOST);
    put("conf.d/2.toml", NEW "cleave-host]\nsandboxer = 'podsandbox'\n");
    put("conf.d/other.conf", "what\n");
    put("etc/beside.toml", "imports = ['config.toml']\n[plugins.'io.containerd.cri.v1.images']\n"
                           "discard_unpacked_layers = false\nwhat\n");
    {
        scoped(containerd_conf_freep) struct containerd_conf *conf = load("etc/config.toml");
        scoped(freep) char *runtime = containerd_conf_runtime(conf, "cleave-host");

        ck_assert_ptr_nonnull(runtime);
        ck_assert_str_eq(containerd_conf_text(conf, runtime, "sandboxer"), "podsandbox");
        ck_assert(!containerd_conf_discards_layers(conf));
        ck_assert_ptr_nonnull(strstr(containerd_conf_doubt(conf), "etc/beside.toml: line 4"));
    }
    ck_assert(file_remove_tree(folder, &err) == 0);
}
END_TEST

/* As containerd 2.1 has it: the newest version of all files decides what the names mean. */
START_TEST(an_imported_file_of_version_3_retires_the_old_names)
{
    ck_assert_ptr_nonnull(mkdtemp(folder));
    put("config.toml", "version = 2\nimports = ['3.toml']\n" OLD HOST);
    put("3.toml", "version = 3\n");
    {
        scoped(containerd_conf_freep) struct containerd_conf *conf = load("config.toml");
        scoped(freep) char *ignored = containerd_conf_ignored_runtime(conf, "cleave-host");

        ck_assert_ptr_null(containerd_conf_runtime(conf, "cleave-host"));
        ck_assert_ptr_nonnull(ignored);
    }
    ck_assert(file_remove_tree(folder, &err) == 0);
}
END_TEST

START_TEST(an_absent_file_is_not_found)
{
    struct containerd_conf *conf = NULL;

    ck_assert_int_lt(containerd_conf_load("", "/nowhere/config.toml", &conf, &err), 0);
    ck_assert_int_eq(err.status, STATUS_NOT_FOUND);
    ck_assert_ptr_null(conf);
}
END_TEST

int main(void)
{
    return suite_run("containerd_conf",
                     (const TTest *[]){a_runtime_is_found_under_the_names_of_both_versions,
                                       old_names_in_a_newer_file_are_known_to_be_ignored,
                                       an_options_table_is_seen_in_every_form,
                                       discarded_layers_are_seen_under_the_names_of_both_versions,
                                       the_snippets_of_deploy_are_understood,
                                       imports_are_followed_and_the_later_value_counts,
                                       an_imported_file_of_version_3_retires_the_old_names,
                                       an_absent_file_is_not_found, NULL});
}
