/* SPDX-License-Identifier: Apache-2.0 */
#include "containerd_conf.h"

#include <glob.h>

#include "base/error.h"
#include "base/file.h"
#include "base/scoped.h"
#include "base/text.h"
#include "toml_scan.h"

enum { FILE_MAX = 1024 * 1024, FILES_MAX = 64, OLD_NAMES = 2 };

#define NEW_RUNTIMES "plugins/io.containerd.cri.v1.runtime/containerd/runtimes/"
#define OLD_RUNTIMES "plugins/io.containerd.grpc.v1.cri/containerd/runtimes/"
#define NEW_DISCARDS "plugins/io.containerd.cri.v1.images/discard_unpacked_layers"
#define OLD_DISCARDS "plugins/io.containerd.grpc.v1.cri/containerd/discard_unpacked_layers"

struct containerd_conf {
    struct toml_scan scan;
    int64_t version; /* the newest of all files */
    char *doubt;
    char *files[FILES_MAX]; /* read already: `imports` may go in circles */
    size_t file_count;
};

static void add_text(struct containerd_conf *conf, const char *name, const char *text)
{
    const struct toml_scan_entry *entry;
    unsigned before = conf->scan.bad_line;
    int64_t version;

    toml_scan_read(&conf->scan, text);
    if (!before && conf->scan.bad_line)
        conf->doubt = xformat("%s: line %u", name, conf->scan.bad_line);
    entry = toml_scan_find(&conf->scan, "version");
    if (entry && entry->text && text_to_i64(entry->text, &version) && version > conf->version)
        conf->version = version;
}

/* containerd looks for a relative name beside the file that imports it. */
static char *import_path(const char *root, const char *from, const char *pattern)
{
    const char *slash = strrchr(from, '/');

    if (pattern[0] == '/')
        return xformat("%s%s", root, pattern);
    return xformat("%.*s%s", slash ? (int) (slash + 1 - from) : 0, from, pattern);
}

static bool remember(struct containerd_conf *conf, const char *path)
{
    for (size_t i = 0; i < conf->file_count; i++)
        if (text_equal(conf->files[i], path))
            return false;
    if (conf->file_count == FILES_MAX)
        return false;
    conf->files[conf->file_count++] = xstrdup(path);
    return true;
}

/* Of the file that was just read: its entries are the ones from `from` on. They may move, the
 * strings of an entry do not. */
static char **imports_of(const struct containerd_conf *conf, size_t from)
{
    for (size_t i = from; i < conf->scan.count; i++)
        if (text_equal(conf->scan.entries[i].path, "imports"))
            return conf->scan.entries[i].strings;
    return NULL;
}

static int add_file(struct containerd_conf *conf, const char *root, const char *path,
                    struct error *err);

static void add_import(struct containerd_conf *conf, const char *root, const char *pattern)
{
    scoped(globfree) glob_t found = {0};
    struct error err;

    if (glob(pattern, 0, NULL, &found) != 0)
        return;
    for (size_t i = 0; i < found.gl_pathc; i++)
        if (add_file(conf, root, found.gl_pathv[i], &err) < 0 && !conf->doubt)
            conf->doubt = xstrdup(err.message);
}

/* Recursive, as imports are; remember() bounds it. */
static int add_file(struct containerd_conf *conf, const char *root, const char *path,
                    struct error *err)
{
    scoped(freep) char *text = NULL;
    size_t before = conf->scan.count;

    if (!remember(conf, path))
        return 0;
    if (file_read(path, FILE_MAX, &text, NULL, err) < 0)
        return -1;
    add_text(conf, path, text);
    for (char **p = imports_of(conf, before); p && *p; p++) {
        scoped(freep) char *pattern = import_path(root, path, *p);

        add_import(conf, root, pattern);
    }
    return 0;
}

int containerd_conf_load(const char *root, const char *path, struct containerd_conf **ret,
                         struct error *err)
{
    scoped(containerd_conf_freep) struct containerd_conf *conf = xnew(struct containerd_conf);

    if (add_file(conf, root, path, err) < 0)
        return -1;
    *ret = take_ptr(conf);
    return 0;
}

struct containerd_conf *containerd_conf_parse(const char *text)
{
    struct containerd_conf *conf = xnew(struct containerd_conf);

    add_text(conf, "text", text);
    return conf;
}

void containerd_conf_free(struct containerd_conf *conf)
{
    if (!conf)
        return;
    for (size_t i = 0; i < conf->file_count; i++)
        free(conf->files[i]);
    toml_scan_fini(&conf->scan);
    free(conf->doubt);
    free(conf);
}

const char *containerd_conf_doubt(const struct containerd_conf *conf)
{
    return conf->doubt;
}

/* containerd 2 takes the new names from a file of any version, the old ones only from version 2. */
static bool reads_old_names(const struct containerd_conf *conf)
{
    return conf->version == OLD_NAMES;
}

/* The table of the first handler below prefix whose runtime_type contains word. */
static char *find_runtime(const struct containerd_conf *conf, const char *prefix, const char *word)
{
    for (size_t i = 0; i < conf->scan.count; i++) {
        const struct toml_scan_entry *entry = &conf->scan.entries[i];
        const char *slash = strrchr(entry->path, '/');

        if (text_starts(entry->path, prefix) && text_equal(slash, "/runtime_type") && entry->text &&
            strstr(entry->text, word))
            return xstrndup(entry->path, (size_t) (slash - entry->path));
    }
    return NULL;
}

char *containerd_conf_runtime(const struct containerd_conf *conf, const char *word)
{
    char *runtime = find_runtime(conf, NEW_RUNTIMES, word);

    return runtime || !reads_old_names(conf) ? runtime : find_runtime(conf, OLD_RUNTIMES, word);
}

char *containerd_conf_ignored_runtime(const struct containerd_conf *conf, const char *word)
{
    return reads_old_names(conf) ? NULL : find_runtime(conf, OLD_RUNTIMES, word);
}

static const struct toml_scan_entry *find_key(const struct containerd_conf *conf,
                                              const char *runtime, const char *key)
{
    scoped(freep) char *path = xformat("%s/%s", runtime, key);

    return toml_scan_find(&conf->scan, path);
}

const char *containerd_conf_text(const struct containerd_conf *conf, const char *runtime,
                                 const char *key)
{
    const struct toml_scan_entry *entry = find_key(conf, runtime, key);

    return entry ? entry->text : NULL;
}

const char *const *containerd_conf_strings(const struct containerd_conf *conf, const char *runtime,
                                           const char *key)
{
    const struct toml_scan_entry *entry = find_key(conf, runtime, key);

    return entry ? (const char *const *) entry->strings : NULL;
}

bool containerd_conf_has_table(const struct containerd_conf *conf, const char *runtime,
                               const char *name)
{
    scoped(freep) char *table = xformat("%s/%s", runtime, name);
    size_t length = strlen(table);

    for (size_t i = 0; i < conf->scan.count; i++) {
        const char *path = conf->scan.entries[i].path;

        if (text_starts(path, table) && (path[length] == '/' || path[length] == '\0'))
            return true;
    }
    return false;
}

bool containerd_conf_discards_layers(const struct containerd_conf *conf)
{
    const struct toml_scan_entry *by_new_name = toml_scan_find(&conf->scan, NEW_DISCARDS);
    const struct toml_scan_entry *by_old_name = toml_scan_find(&conf->scan, OLD_DISCARDS);

    if (by_new_name)
        return text_equal(by_new_name->text, "true");
    return reads_old_names(conf) && by_old_name && text_equal(by_old_name->text, "true");
}
