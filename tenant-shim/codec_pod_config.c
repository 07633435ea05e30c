/* SPDX-License-Identifier: Apache-2.0 */
#include "codec_pod_config.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "cri.pb-c.h"
#include "pod_config.h"
#include "shim/pod_message.h"

#define NODES_RESOLV_CONF "/etc/resolv.conf"

/* A map of protobuf may name a key twice: whoever reads the first and whoever reads the last would
 * see different pods. */
static int find_annotation(const Cri__PodSandboxConfig *pod, const char *key, const char **ret,
                           struct error *err)
{
    *ret = NULL;
    for (size_t i = 0; i < pod->n_annotations; i++) {
        if (!text_equal(pod->annotations[i]->key, key))
            continue;
        if (*ret)
            return error_set(err, STATUS_INVALID_ARGUMENT, "annotation %s stands twice", key);
        *ret = pod->annotations[i]->value;
    }
    return 0;
}

static int check(const Cri__PodSandboxConfig *pod, struct error *err)
{
    const Cri__LinuxPodSandboxConfig *on_linux = pod->linux_config;
    const Cri__NamespaceOption *namespaces = NULL;
    struct pod_demands demands = {0};

    if (on_linux && on_linux->security_context)
        namespaces = on_linux->security_context->namespace_options;
    demands.host_network = namespaces && namespaces->network == CRI__NAMESPACE_MODE__NODE;
    demands.user_namespace = namespaces && namespaces->userns_options &&
                             namespaces->userns_options->mode != CRI__NAMESPACE_MODE__NODE;
    return pod_config_check(&demands, err);
}

/* ---- resolv.conf ------------------------------------------------------------------------------
 */

struct text {
    char data[POD_FILE_MAX + 1];
    size_t length;
};

static int put(struct text *text, const char *word, struct error *err)
{
    size_t length = strlen(word);

    if (length > POD_FILE_MAX - text->length)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED,
                         "the pod's DNS configuration is too large");
    memcpy(text->data + text->length, word, length + 1);
    text->length += length;
    return 0;
}

static bool is_word(const char *word)
{
    if (!*word)
        return false;
    for (; *word; word++) {
        if ((unsigned char) *word <= ' ' || *word == 0x7f)
            return false;
    }
    return true;
}

struct words {
    const char *keyword;
    char **list;
    size_t count;
    bool line_each;
};

static int put_words(struct text *text, const struct words *words, struct error *err)
{
    for (size_t i = 0; i < words->count; i++) {
        bool begins = i == 0 || words->line_each, ends = i + 1 == words->count || words->line_each;

        if (!is_word(words->list[i]))
            return error_set(err, STATUS_INVALID_ARGUMENT,
                             "the pod's DNS configuration: a %s is not one word", words->keyword);
        if ((begins && put(text, words->keyword, err) < 0) || put(text, " ", err) < 0 ||
            put(text, words->list[i], err) < 0 || (ends && put(text, "\n", err) < 0))
            return -1;
    }
    return 0;
}

/* Without a word about DNS containerd gives a pod the node's, so this does. */
static int take_dns(struct pod_config *config, const Cri__DNSConfig *dns, struct error *err)
{
    scoped(freep) struct text *text = xnew(struct text);

    if (dns) {
        const struct words parts[] = {
            {"search", dns->searches, dns->n_searches, false},
            {"nameserver", dns->servers, dns->n_servers, true},
            {"options", dns->options, dns->n_options, false},
        };

        for (size_t i = 0; i < ARRAY_LENGTH(parts); i++) {
            if (put_words(text, &parts[i], err) < 0)
                return -1;
        }
    }
    if (text->length == 0 && file_exists(NODES_RESOLV_CONF))
        return file_read(NODES_RESOLV_CONF, POD_FILE_MAX, &config->resolv_conf,
                         &config->resolv_conf_length, err);
    config->resolv_conf = xstrdup(text->data);
    config->resolv_conf_length = text->length;
    return 0;
}

/* ---- the rest ---------------------------------------------------------------------------------
 */

static int take_linux(struct pod_config *config, const Cri__LinuxPodSandboxConfig *on_linux,
                      const struct tenant_conf *conf, struct error *err)
{
    struct pod_size size = {0};

    for (size_t i = 0; on_linux && i < on_linux->n_sysctls; i++) {
        if (pod_config_add_sysctl(config, on_linux->sysctls[i]->key, on_linux->sysctls[i]->value,
                                  err) < 0)
            return -1;
    }
    if (on_linux && on_linux->resources)
        size = (struct pod_size){.cpu_period = on_linux->resources->cpu_period,
                                 .cpu_quota = on_linux->resources->cpu_quota,
                                 .memory = on_linux->resources->memory_limit_in_bytes};
    pod_config_set_size(config, &size, conf);
    return 0;
}

static int decode(const Cri__PodSandboxConfig *pod, const struct tenant_conf *conf,
                  struct pod_config **ret, struct error *err)
{
    scoped(pod_config_freep) struct pod_config *config = xnew(struct pod_config);
    const Cri__PodSandboxMetadata *name = pod->metadata;
    const char *endpoint, *guest_root, *manifest;

    if (check(pod, err) < 0 || find_annotation(pod, "cleave.dev/endpoint", &endpoint, err) < 0 ||
        find_annotation(pod, "cleave.dev/guest-root", &guest_root, err) < 0 ||
        find_annotation(pod, "cleave.dev/manifest", &manifest, err) < 0 ||
        pod_config_set_guest_root(config, guest_root, conf, err) < 0)
        return -1;
    config->name = xstrdup(name ? name->name : "");
    config->pod_namespace = xstrdup(name ? name->namespace_ : "");
    config->uid = xstrdup(name ? name->uid : "");
    config->hostname = xstrdup(pod->hostname);
    config->endpoint = xstrdup(endpoint);
    config->hosts = xstrdup(""); /* the agent makes it */
    if (take_dns(config, pod->dns_config, err) < 0 ||
        take_linux(config, pod->linux_config, conf, err) < 0 ||
        pod_config_seal(config, manifest, conf, err) < 0)
        return -1;
    *ret = take_ptr(config);
    return 0;
}

int codec_pod_config(const struct ProtobufCBinaryData *message, const struct tenant_conf *conf,
                     struct pod_config **ret, struct error *err)
{
    scoped(pod_message_freep) Cri__PodSandboxConfig *pod = NULL;

    if (pod_message_unpack(message->data, message->len, &pod, err) < 0)
        return -1;
    return decode(pod, conf, ret, err);
}
