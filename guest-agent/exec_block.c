/* SPDX-License-Identifier: Apache-2.0 */
#include "exec_block.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/scoped.h"
#include "base/text.h"
#include "confine.h"
#include "exec/block.h"
#include "io/fd.h"

enum {
    GROUPS_MAX = 65536,
    STRINGS_MAX = 1024 * 1024, /* each needs a byte of the JSON text at least */
    FILTER_MAX = BPF_MAXINSNS * (int) sizeof(struct sock_filter),
};

static const int64_t ID_MAX_VALUE = UINT32_MAX - 1; /* the last means "leave it" */

struct js *exec_block_defaults(const struct js *spec)
{
    struct js *defaults = js_new_object();
    const struct js *process = js_get(spec, "process");
    const struct js *linux_object = js_get(spec, "linux");

    js_set(defaults, "env", js_copy(js_get(process, "env")));
    js_set(defaults, "capabilities", js_copy(js_get(process, "capabilities")));
    js_set(defaults, "personality", js_copy(js_get(linux_object, "personality")));
    if (js_type(js_get(linux_object, "seccomp")) == JS_OBJECT) {
        js_set(defaults, "seccomp", js_new_boolean(true));
        js_set(defaults, "flags", js_copy(js_path(linux_object, "seccomp", "flags")));
    }
    return defaults;
}

/* ---- numbers ---- */

/* Only an integer that fits: "0x0" or 1.0 as a user would be somebody else than was meant. */
static int read_number(const struct js *object, const char *key, int64_t otherwise, uint32_t *ret,
                       struct error *err)
{
    int64_t value = otherwise;

    if (js_get(object, key) && js_need_integer(object, key, 0, ID_MAX_VALUE, &value, err) < 0)
        return -1;
    *ret = (uint32_t) value;
    return 0;
}

static int read_user(const struct js *process, struct block_header *header, struct error *err)
{
    const struct js *user = js_get(process, "user");

    if (user && js_type(user) != JS_OBJECT)
        return error_set(err, STATUS_INVALID_ARGUMENT, "'user' has the wrong type");
    if (read_number(user, "uid", 0, &header->uid, err) < 0 ||
        read_number(user, "gid", 0, &header->gid, err) < 0 ||
        read_number(user, "umask", 0022, &header->umask, err) < 0)
        return error_wrap(err, "user");
    header->umask &= 0777;
    return 0;
}

static void read_capabilities(const struct js *all, struct block_header *header)
{
    static const char *const names[BLOCK_SETS] = {
        [BLOCK_BOUNDING] = "bounding",       [BLOCK_EFFECTIVE] = "effective",
        [BLOCK_INHERITABLE] = "inheritable", [BLOCK_PERMITTED] = "permitted",
        [BLOCK_AMBIENT] = "ambient",
    };

    for (size_t i = 0; i < BLOCK_SETS; i++) {
        const struct js *set = js_get(all, names[i]);

        for (size_t n = 0; n < js_length(set); n++) {
            int number = confine_capability_number(js_string(js_at(set, n)));

            if (number >= 0)
                header->capabilities[i] |= UINT64_C(1) << number;
        }
    }
}

static int read_personality(const struct js *personality, struct block_header *header,
                            struct error *err)
{
    const char *domain = js_get_string(personality, "domain");

    if (js_type(personality) == JS_NULL)
        return 0;
    if (!text_equal(domain, "LINUX") && !text_equal(domain, "LINUX32"))
        return error_set(err, STATUS_INVALID_ARGUMENT, "'%.64s' is no personality",
                         domain ? domain : "");
    header->flags |= BLOCK_PERSONALITY;
    header->personality = text_equal(domain, "LINUX32") ? PER_LINUX32 : PER_LINUX;
    return 0;
}

static int read_seccomp(const struct js *defaults, struct block_header *header, struct error *err)
{
    static const struct {
        const char *name;
        unsigned flag;
    } known[] = {
        {"SECCOMP_FILTER_FLAG_TSYNC", SECCOMP_FILTER_FLAG_TSYNC},
        {"SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG},
        {"SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW},
    };
    const struct js *flags = js_get(defaults, "flags");

    if (!js_get_boolean(defaults, "seccomp", false))
        return 0;
    header->flags |= BLOCK_SECCOMP;
    if (js_type(flags) != JS_ARRAY) {
        header->seccomp_flags = SECCOMP_FILTER_FLAG_SPEC_ALLOW;
        return 0;
    }
    for (size_t i = 0; i < js_length(flags); i++) {
        const char *name = js_string(js_at(flags, i));
        size_t k = 0;

        while (k < ARRAY_LENGTH(known) && !text_equal(known[k].name, name))
            k++;
        if (k == ARRAY_LENGTH(known))
            return error_set(err, STATUS_INVALID_ARGUMENT, "unknown seccomp option %.64s",
                             name ? name : "");
        header->seccomp_flags |= known[k].flag;
    }
    return 0;
}

/* The caller's, else the process's own. */
static void read_size(const struct exec_block_options *options, struct block_header *header)
{
    const struct js *own = js_get(options->process, "consoleSize");
    int64_t columns = options->size.width, rows = options->size.height;

    if (columns == 0) {
        columns = js_get_integer(own, "width", 0);
        rows = js_get_integer(own, "height", 0);
    }
    header->columns = (uint16_t) (columns > 0 && columns <= UINT16_MAX ? columns : 0);
    header->rows = (uint16_t) (rows > 0 && rows <= UINT16_MAX ? rows : 0);
}

static int read_header(const struct exec_block_options *options, struct block_header *header,
                       struct error *err)
{
    const struct js *process = options->process;
    const struct js *capabilities = js_get(process, "capabilities");

    header->magic = BLOCK_MAGIC;
    read_size(options, header);
    header->cgroup_count = (uint32_t) options->cgroup_count;
    header->flags |= options->cgroup_version == 2 ? BLOCK_CGROUP_V2 : 0;
    header->flags |= js_get_boolean(process, "terminal", false) ? BLOCK_TERMINAL : 0;
    header->flags |= js_get_boolean(process, "noNewPrivileges", false) ? BLOCK_NO_NEW_PRIVS : 0;
    if (js_get(process, "oomScoreAdj")) {
        int64_t score;

        if (js_need_integer(process, "oomScoreAdj", -1000, 1000, &score, err) < 0)
            return -1;
        header->flags |= BLOCK_OOM_SCORE;
        header->oom_score = (int32_t) score;
    }
    read_capabilities(capabilities ? capabilities : js_get(options->defaults, "capabilities"),
                      header);
    if (read_user(process, header, err) < 0 ||
        read_personality(js_get(options->defaults, "personality"), header, err) < 0)
        return -1;
    return read_seccomp(options->defaults, header, err);
}

/* ---- lists ---- */

static int write_rlimits(struct writer *writer, const struct js *list, struct block_header *header,
                         struct error *err)
{
    static const char *const names[] = {
        [RLIMIT_AS] = "RLIMIT_AS",           [RLIMIT_CORE] = "RLIMIT_CORE",
        [RLIMIT_CPU] = "RLIMIT_CPU",         [RLIMIT_DATA] = "RLIMIT_DATA",
        [RLIMIT_FSIZE] = "RLIMIT_FSIZE",     [RLIMIT_LOCKS] = "RLIMIT_LOCKS",
        [RLIMIT_MEMLOCK] = "RLIMIT_MEMLOCK", [RLIMIT_MSGQUEUE] = "RLIMIT_MSGQUEUE",
        [RLIMIT_NICE] = "RLIMIT_NICE",       [RLIMIT_NOFILE] = "RLIMIT_NOFILE",
        [RLIMIT_NPROC] = "RLIMIT_NPROC",     [RLIMIT_RSS] = "RLIMIT_RSS",
        [RLIMIT_RTPRIO] = "RLIMIT_RTPRIO",   [RLIMIT_RTTIME] = "RLIMIT_RTTIME",
        [RLIMIT_STACK] = "RLIMIT_STACK",     [RLIMIT_SIGPENDING] = "RLIMIT_SIGPENDING",
    };

    for (size_t i = 0; i < js_length(list); i++) {
        const char *name = js_get_string(js_at(list, i), "type");
        struct block_rlimit limit = {0};

        while (limit.resource < ARRAY_LENGTH(names) && !text_equal(names[limit.resource], name))
            limit.resource++;
        if (limit.resource == ARRAY_LENGTH(names))
            return error_set(err, STATUS_INVALID_ARGUMENT, "invalid rlimit `%.64s`",
                             name ? name : "");
        /* RLIM_INFINITY is beyond what a signed number holds. */
        if (!js_unsigned(js_get(js_at(list, i), "soft"), &limit.soft) ||
            !js_unsigned(js_get(js_at(list, i), "hard"), &limit.hard))
            return error_set(err, STATUS_INVALID_ARGUMENT, "%s: a limit is no number", name);
        (void) snprintf(limit.name, sizeof(limit.name), "%s", name);
        writer_bytes(writer, &limit, sizeof(limit));
        header->rlimit_count++;
    }
    return 0;
}

/* Whoever has a filter has all of it: without its file there is no exec. */
static int write_filter(struct writer *writer, const char *path, struct block_header *header,
                        struct error *err)
{
    scoped(freep) char *filter = NULL;
    size_t length;

    if (!(header->flags & BLOCK_SECCOMP))
        return 0;
    if (file_read(path, FILTER_MAX, &filter, &length, err) < 0)
        return error_wrap(err, "the container's seccomp program");
    if (length == 0 || length % sizeof(struct sock_filter) != 0)
        return error_set(err, STATUS_INTERNAL, "the container's seccomp program is torn");
    writer_bytes(writer, filter, length);
    header->filter_count = (uint32_t) (length / sizeof(struct sock_filter));
    return 0;
}

static int write_groups(struct writer *writer, const struct js *list, struct block_header *header,
                        struct error *err)
{
    size_t count = js_length(list);

    if (count > GROUPS_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "more than %d additional groups",
                         GROUPS_MAX);
    for (size_t i = 0; i < count; i++) {
        int64_t value = js_integer(js_at(list, i), -1);
        uint32_t gid = (uint32_t) value;

        if (value < 0 || value > ID_MAX_VALUE)
            return error_set(err, STATUS_INVALID_ARGUMENT, "an additional group is no group");
        writer_bytes(writer, &gid, sizeof(gid));
    }
    header->group_count = (uint32_t) count;
    return 0;
}

static void write_string(struct writer *writer, const char *text)
{
    writer_bytes(writer, text, strlen(text) + 1);
}

static int write_arguments(struct writer *writer, const struct js *list,
                           struct block_header *header, struct error *err)
{
    for (size_t i = 0; i < js_length(list); i++) {
        const char *text = js_string(js_at(list, i));

        if (!text)
            return error_set(err, STATUS_INVALID_ARGUMENT, "an argument is no string");
        write_string(writer, text);
    }
    header->argument_count = (uint32_t) js_length(list);
    return 0;
}

/* ---- environment ---- */

/* As with putenv(): the last of a name counts, at the first one's place; a name without a value
 * takes it away. A table by name, because there may be many. */
struct variables {
    const char **entries; /* NULL: taken away */
    size_t count;
    uint32_t *slots; /* index + 1 */
    size_t mask;
};

static void variables_fini(struct variables *variables)
{
    free(variables->entries);
    free(variables->slots);
}

static size_t name_length(const char *entry)
{
    const char *equals = strchr(entry, '=');

    return equals ? (size_t) (equals - entry) : strlen(entry);
}

static uint32_t *find_slot(const struct variables *variables, const char *const *names,
                           const char *entry)
{
    size_t length = name_length(entry);
    uint32_t hash = 2166136261u;
    size_t at;

    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (uint8_t) entry[i]) * 16777619u;
    for (at = hash & variables->mask; variables->slots[at]; at = (at + 1) & variables->mask) {
        const char *other = names[variables->slots[at] - 1];

        if (name_length(other) == length && memcmp(other, entry, length) == 0)
            break;
    }
    return &variables->slots[at];
}

static int collect(struct variables *variables, const struct js *list, struct error *err)
{
    size_t count = js_length(list);
    scoped(freep) const char **names = xnew_array(const char *, count + 1);

    for (variables->mask = 1; variables->mask < 2 * count; variables->mask *= 2)
        ;
    variables->entries = xnew_array(const char *, count + 1);
    variables->slots = xnew_array(uint32_t, variables->mask);
    variables->mask--;
    for (size_t i = 0; i < count; i++) {
        const char *entry = js_string(js_at(list, i));
        uint32_t *slot;

        if (!entry)
            return error_set(err, STATUS_INVALID_ARGUMENT, "a variable is no string");
        slot = find_slot(variables, names, entry);
        if (!*slot || !variables->entries[*slot - 1]) { /* what was taken away comes last */
            names[variables->count] = entry;
            *slot = (uint32_t) ++variables->count;
        }
        variables->entries[*slot - 1] = strchr(entry, '=') ? entry : NULL;
    }
    return 0;
}

static int write_environment(struct writer *writer, const struct exec_block_options *options,
                             struct block_header *header, struct error *err)
{
    const struct js *own = js_get(options->process, "env");
    scoped(variables_fini) struct variables variables = {0};

    if (collect(&variables, js_length(own) > 0 ? own : js_get(options->defaults, "env"), err) < 0)
        return -1;
    for (size_t i = 0; i < variables.count; i++) {
        if (!variables.entries[i])
            continue;
        write_string(writer, variables.entries[i]);
        header->environment_count++;
    }
    return 0;
}

/* ---- the whole ---- */

static int write_strings(struct writer *writer, const struct exec_block_options *options,
                         struct block_header *header, struct error *err)
{
    const struct js *process = options->process;
    const char *cwd = js_get(process, "cwd") ? js_get_string(process, "cwd") : "/";

    if (!cwd || cwd[0] != '/')
        return error_set(err, STATUS_INVALID_ARGUMENT, "cwd '%.100s' is no absolute path",
                         cwd ? cwd : "");
    write_string(writer, cwd);
    if (write_arguments(writer, js_get(process, "args"), header, err) < 0)
        return -1;
    return write_environment(writer, options, header, err);
}

static int write_all(struct writer *writer, const struct exec_block_options *options,
                     struct error *err)
{
    struct block_header header = {0};

    if (read_header(options, &header, err) < 0)
        return -1;
    writer_zeros(writer, sizeof(header));
    if (write_rlimits(writer, js_get(options->process, "rlimits"), &header, err) < 0 ||
        write_filter(writer, options->filter_path, &header, err) < 0 ||
        write_groups(writer, js_path(options->process, "user", "additionalGids"), &header, err) <
            0 ||
        write_strings(writer, options, &header, err) < 0)
        return -1;
    if (writer->failed)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "the process is larger than %d bytes",
                         BLOCK_MAX);
    memcpy(writer->data, &header, sizeof(header));
    return 0;
}

int exec_block_make(const struct exec_block_options *options, int *ret_fd, struct error *err)
{
    scoped(writer_fini) struct writer writer;
    scoped(closep) int fd = -1;

    writer_init(&writer, BLOCK_MAX);
    if (write_all(&writer, options, err) < 0)
        return -1;
    fd = memfd_create("exec", MFD_CLOEXEC);
    if (fd < 0)
        return error_errno(err, errno, "make a memory file");
    if (fd_write_full(fd, writer.data, writer.size, err) < 0)
        return -1;
    *ret_fd = take_fd(fd);
    return 0;
}
