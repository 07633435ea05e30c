/* SPDX-License-Identifier: Apache-2.0 */
#include "pod.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/hex.h"
#include "base/scoped.h"
#include "base/text.h"
#include "shim/host_conf.h"

#define MIB (UINT64_C(1) << 20)

/* At most one; NULL if there is none. */
static int look_up(const struct pod_input *input, const char *key, const char **ret,
                   struct error *err)
{
    const char *found = NULL;

    for (size_t i = 0; i < input->annotation_count; i++) {
        if (!text_equal(input->annotations[i].key, key))
            continue;
        if (found)
            return error_set(err, STATUS_INVALID_ARGUMENT, "annotation %s stands twice", key);
        found = input->annotations[i].value;
    }
    *ret = found;
    return 0;
}

/* Exactly one, or NULL and an error that names it. */
static const char *find_annotation(const struct pod_input *input, const char *key,
                                   struct error *err)
{
    const char *found = NULL;

    if (look_up(input, key, &found, err) < 0)
        return NULL;
    if (found && found[0] != '\0')
        return found;
    error_set(err, STATUS_INVALID_ARGUMENT, "annotation %s is missing", key);
    return NULL;
}

static int read_dial_out(const struct pod_input *input, struct dial_out *ret, struct error *err)
{
    const char *text = NULL;

    if (look_up(input, POD_ANNOTATION_DIAL_OUT, &text, err) < 0)
        return -1;
    if (text && dial_out_parse(text, ret, err) < 0)
        return error_wrap(err, "annotation " POD_ANNOTATION_DIAL_OUT);
    return 0;
}

static int read_id(const char *text, char *to, struct error *err)
{
    uint8_t raw[POD_ID_LENGTH / 2];

    if (strnlen(text, POD_ID_LENGTH + 1) != POD_ID_LENGTH ||
        hex_decode(text, raw, sizeof(raw), err) < 0)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "annotation " POD_ANNOTATION_ID " is not %d hexadecimal digits",
                         POD_ID_LENGTH);
    hex_encode(raw, sizeof(raw), to);
    return 0;
}

/* CPUs wanted by quota and period, in thousandths; 0: no wish. */
static int milli_cpus(const struct pod_resources *resources, int64_t *ret, struct error *err)
{
    int64_t period = resources->cpu_period > 0 ? resources->cpu_period : 100000;

    if (resources->cpu_quota <= 0) {
        *ret = 0;
        return 0;
    }
    if (resources->cpu_quota > INT64_MAX / 1000)
        return error_set(err, STATUS_INVALID_ARGUMENT, "CPU quota is out of range");
    *ret = resources->cpu_quota * 1000 / period + (resources->cpu_quota * 1000 % period != 0);
    return 0;
}

static int size_vcpus(const struct pod_input *input, const struct host_conf *conf, uint32_t *ret,
                      struct error *err)
{
    int64_t wanted = 0, vcpus;

    if (milli_cpus(&input->resources, &wanted, err) < 0)
        return -1;
    if (wanted == 0)
        wanted = conf->default_vcpus * 1000;
    vcpus = wanted / 1000 + (wanted % 1000 != 0);
    if (vcpus > conf->max_vcpus)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED,
                         "the pod wants %lld vCPUs, this host gives at most %lld (max_vcpus)",
                         (long long) vcpus, (long long) conf->max_vcpus);
    *ret = (uint32_t) (vcpus > 0 ? vcpus : 1);
    return 0;
}

static int size_memory(const struct pod_input *input, const struct host_conf *conf, uint64_t *ret,
                       struct error *err)
{
    int64_t limit = input->resources.memory;
    uint64_t memory = limit > 0 ? (uint64_t) limit : conf->default_memory;

    if (memory > conf->max_memory)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED,
                         "the pod wants %llu MiB, this host gives at most %llu MiB (max_memory)",
                         (unsigned long long) (memory / MIB),
                         (unsigned long long) (conf->max_memory / MIB));
    if (memory < POD_MEMORY_MIN)
        return error_set(
            err, STATUS_INVALID_ARGUMENT, "the pod wants %llu MiB, a guest needs at least %llu MiB",
            (unsigned long long) (memory / MIB), (unsigned long long) (POD_MEMORY_MIN / MIB));
    *ret = (memory + MIB - 1) / MIB * MIB;
    return 0;
}

static bool is_plain_path(const char *path)
{
    if (path[0] != '/' || strnlen(path, POD_CGROUP_MAX + 1) > POD_CGROUP_MAX)
        return false;
    for (const char *p = path; *p; p++) {
        bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
                     (*p >= '0' && *p <= '9') || strchr("/._-:@", *p) != NULL;
        if (!plain || (p[0] == '/' && p[1] == '.'))
            return false; /* also refuses "." and ".." as components */
    }
    return true;
}

/* "a-b.slice" names /a.slice/a-b.slice, as systemd's drivers write it. */
static int expand_slice(const char *slice, char **ret, struct error *err)
{
    size_t length = strlen(slice), stem = length - strlen(".slice");
    char path[2 * POD_CGROUP_MAX * 2] = "";
    size_t used = 0;

    for (size_t i = 1; i <= stem; i++) {
        if (i < stem && slice[i] != '-')
            continue;
        if (slice[0] == '-' || slice[i - 1] == '-' || used + i + sizeof("/.slice") > sizeof(path))
            return error_set(err, STATUS_INVALID_ARGUMENT, "cgroup_parent is not a slice name");
        used += (size_t) snprintf(path + used, sizeof(path) - used, "/%.*s.slice", (int) i, slice);
    }
    *ret = xstrdup(path);
    return 0;
}

static int read_cgroup(const char *parent, char **ret, struct error *err)
{
    if (!parent || parent[0] == '\0' || text_equal(parent, "/")) {
        *ret = NULL;
        return 0;
    }
    if (parent[0] != '/') {
        char rooted[POD_CGROUP_MAX + 2];
        bool fits = strnlen(parent, POD_CGROUP_MAX) < POD_CGROUP_MAX;

        if (!fits || strchr(parent, '/') || !text_ends(parent, ".slice") || parent[0] == '.' ||
            text_format(rooted, sizeof(rooted), err, "/%s", parent) < 0 || !is_plain_path(rooted))
            return error_set(err, STATUS_INVALID_ARGUMENT,
                             "cgroup_parent is neither an absolute path nor a slice");
        return expand_slice(parent, ret, err);
    }
    if (!is_plain_path(parent))
        return error_set(err, STATUS_INVALID_ARGUMENT, "cgroup_parent is not a plain path");
    *ret = xstrdup(parent);
    return 0;
}

int pod_read(const struct pod_input *input, const struct host_conf *conf, struct pod *ret,
             struct error *err)
{
    struct pod pod = {0};
    const char *initdata = find_annotation(input, POD_ANNOTATION_INITDATA, err);
    const char *id = initdata ? find_annotation(input, POD_ANNOTATION_ID, err) : NULL;
    struct error why;

    if (!id || read_id(id, pod.id, err) < 0 || read_dial_out(input, &pod.dial_out, err) < 0)
        return -1;
    if (!input->netns || input->netns[0] != '/')
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "the pod has no network namespace: hostNetwork is not possible here");
    if (size_vcpus(input, conf, &pod.vcpus, err) < 0 ||
        size_memory(input, conf, &pod.memory, err) < 0 ||
        read_cgroup(input->cgroup_parent, &pod.cgroup_parent, err) < 0)
        return -1;
    if (base64_decode(initdata, POD_INITDATA_MAX, &pod.initdata, &pod.initdata_length, &why) < 0 ||
        pod.initdata_length == 0) {
        pod_fini(&pod);
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "annotation " POD_ANNOTATION_INITDATA " is not base64 of 1 to %d bytes",
                         POD_INITDATA_MAX);
    }
    pod.netns = xstrdup(input->netns);
    *ret = pod;
    return 0;
}

void pod_fini(struct pod *pod)
{
    free(pod->initdata);
    free(pod->cgroup_parent);
    free(pod->netns);
    *pod = (struct pod){0};
}
