/* SPDX-License-Identifier: Apache-2.0 */
/* How large the host half's machine is, what else stands in it, and what does not fit to it. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/scoped.h"
#include "base/text.h"
#include "halves.h"
#include "host_half.h"
#include "pod_size.h"
#include "suite.h"

#define LINK "00112233445566778899aabbccddeeff"

static struct js *parse(const char *text)
{
    struct js *value = NULL;
    struct error err;

    ck_assert_msg(js_parse(text, strlen(text), &value, &err) == 0, "%s: %s", text, err.message);
    return value;
}

static struct js *normal(const char *text)
{
    scoped(js_freep) struct js *pod = parse(text);
    struct js *result = NULL;
    struct error err;

    ck_assert_msg(halves_normalise(pod, &result, &err) == 0, "%s: %s", text, err.message);
    return result;
}

#define LIMIT(cpu, memory)                                                                         \
    "{\"resources\":{\"limits\":{\"cpu\":" cpu ",\"memory\":\"" memory "\"}}}"
#define REQUEST(cpu) "{\"resources\":{\"requests\":{\"cpu\":" cpu "}}}"
#define SIDECAR(cpu) "{\"restartPolicy\":\"Always\",\"resources\":{\"limits\":{\"cpu\":" cpu "}}}"

/* KEP-753's examples among them. */
static const struct {
    const char *init, *apps, *size;
} sizes[] = {
    {"", "{}", "{\"limits\":{},\"requests\":{}}"},
    {"", LIMIT("1", "1Gi"),
     "{\"limits\":{\"cpu\":\"1\",\"memory\":\"1Gi\"},\"requests\":{\"cpu\":\"1\",\"memory\":"
     "\"1Gi\"}}"},
    {"", LIMIT("\"500m\"", "1000") "," LIMIT("0.3", "24"),
     "{\"limits\":{\"cpu\":\"800m\",\"memory\":\"1Ki\"},\"requests\":{\"cpu\":\"800m\",\"memory\":"
     "\"1Ki\"}}"},
    /* The largest init container alone, more than the apps together. */
    {LIMIT("3", "1Mi") "," LIMIT("1", "3Mi"), LIMIT("2", "2Mi"),
     "{\"limits\":{\"cpu\":\"3\",\"memory\":\"3Mi\"},\"requests\":{\"cpu\":\"3\",\"memory\":"
     "\"3Mi\"}}"},
    /* A sidecar counts with the apps, and with the init containers behind it. */
    {SIDECAR("1"), REQUEST("2"), "{\"limits\":{\"cpu\":\"3\"},\"requests\":{\"cpu\":\"3\"}}"},
    {SIDECAR("1") "," REQUEST("4"), REQUEST("2"),
     "{\"limits\":{\"cpu\":\"5\"},\"requests\":{\"cpu\":\"5\"}}"},
    {REQUEST("4") "," SIDECAR("1"), REQUEST("2"),
     "{\"limits\":{\"cpu\":\"4\"},\"requests\":{\"cpu\":\"4\"}}"},
    {SIDECAR("1") "," SIDECAR("2") "," REQUEST("1"), REQUEST("2"),
     "{\"limits\":{\"cpu\":\"5\"},\"requests\":{\"cpu\":\"5\"}}"},
    /* One without a limit: its request; one with neither: nothing. */
    {"", REQUEST("1") "," SIDECAR("2") ",{}",
     "{\"limits\":{\"cpu\":\"3\"},\"requests\":{\"cpu\":\"3\"}}"},
    {"", "{\"resources\":{\"limits\":{\"cpu\":2},\"requests\":{\"cpu\":1}}}",
     "{\"limits\":{\"cpu\":\"2\"},\"requests\":{\"cpu\":\"1\"}}"},
};

START_TEST(a_pods_size_is_what_kubernetes_counts)
{
    for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
        scoped(freep) char *text = xformat(
            "{\"spec\":{\"initContainers\":[%s],\"containers\":[%s]}}", sizes[i].init,
            sizes[i].apps);
        scoped(js_freep) struct js *pod = parse(text), *printed = NULL;
        struct pod_size size;
        struct error err;

        ck_assert_msg(pod_size_read(pod, &size, &err) == 0, "%s: %s", text, err.message);
        printed = pod_size_print(&size);
        scoped(freep) char *result = js_print(printed);
        ck_assert_str_eq(result, sizes[i].size);
    }
}
END_TEST

START_TEST(a_size_that_is_none_names_its_container)
{
    scoped(js_freep) struct js *wrong = parse(
        "{\"spec\":{\"containers\":[{\"name\":\"web\",\"resources\":{\"limits\":{\"memory\":"
        "\"-1\"}}}]}}");
    scoped(js_freep) struct js *large = parse(
        "{\"spec\":{\"containers\":[" LIMIT("1", "7Ei") "," LIMIT("1", "7Ei") "]}}");
    struct pod_size size;
    struct error err;

    ck_assert_int_lt(pod_size_read(wrong, &size, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "memory of container 'web'"));
    ck_assert_int_lt(pod_size_read(large, &size, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "more than there can be"));
}
END_TEST

#define POD                                                                                        \
    "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"db\",\"namespace\":"         \
    "\"payroll\",\"labels\":{\"app\":\"db\",\"tier\":\"gold\"},\"annotations\":{\"note\":\"x\"}}," \
    "\"spec\":{\"containers\":[{\"name\":\"pg\",\"image\":\"postgres\",\"env\":[{\"name\":"        \
    "\"PW\",\"value\":\"s3cret\"}],\"resources\":{\"limits\":{\"cpu\":\"1500m\",\"memory\":"       \
    "\"1Gi\"}}}],\"nodeSelector\":{\"zone\":\"b\"},\"tolerations\":[{\"key\":\"tee\"}],"           \
    "\"priorityClassName\":\"high\",\"terminationGracePeriodSeconds\":60,"                         \
    "\"activeDeadlineSeconds\":600,\"hostNetwork\":false,\"hostUsers\":true}}"

static struct host_half_options options(void)
{
    return (struct host_half_options){
        .link = LINK, .anchor_image = "anchor:1", .guest_memory = INT64_C(512) << 20};
}

START_TEST(the_host_half_is_a_shell)
{
    scoped(js_freep) struct js *pod = normal(POD), *half = NULL;
    struct host_half_options plain = options();
    struct error err;

    ck_assert_msg(host_half_make(pod, &plain, &half, &err) == 0, "%s", err.message);
    scoped(freep) char *text = js_print_canonical(half);
    ck_assert_str_eq(
        text,
        "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"annotations\":{"
        "\"cleave.dev/link\":\"" LINK "\"},\"name\":\"pod-" LINK "\",\"namespace\":\"cleave\"},"
        "\"spec\":{\"activeDeadlineSeconds\":660,\"automountServiceAccountToken\":false,"
        "\"containers\":[{\"image\":\"anchor:1\",\"name\":\"anchor\",\"resources\":{\"limits\":"
        "{\"cpu\":\"1500m\",\"memory\":\"1536Mi\"},\"requests\":{\"cpu\":\"1500m\",\"memory\":"
        "\"1536Mi\"}}}],\"enableServiceLinks\":false,\"nodeSelector\":{\"zone\":\"b\"},"
        "\"priorityClassName\":\"high\",\"restartPolicy\":\"Never\",\"runtimeClassName\":"
        "\"cleave-host\",\"terminationGracePeriodSeconds\":60,\"tolerations\":[{\"key\":\"tee\"}]}"
        "}");
}
END_TEST

START_TEST(the_host_sees_labels_that_were_named)
{
    scoped(js_freep) struct js *pod = normal(POD), *half = NULL, *none = NULL;
    struct host_half_options tier = options();
    struct error err;

    tier.labels[tier.label_count++] = "tier";
    ck_assert_msg(host_half_make(pod, &tier, &half, &err) == 0, "%s", err.message);
    scoped(freep) char *text = js_print(js_path(half, "metadata", "labels"));
    ck_assert_str_eq(text, "{\"tier\":\"gold\"}");
    ck_assert_msg(host_half_check(half, pod, &err) == 0, "%s", err.message);
    tier.labels[tier.label_count++] = "colour";
    ck_assert_int_lt(host_half_make(pod, &tier, &none, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "no label 'colour'"));
}
END_TEST

/* Of a pod without a deadline or a size, the defaults of the API server and of the host. */
START_TEST(what_a_pod_does_not_say_the_host_decides)
{
    scoped(js_freep) struct js *pod = normal("{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"spec\":"
                                             "{\"containers\":[{\"name\":\"a\"}]}}");
    scoped(js_freep) struct js *half = NULL;
    struct host_half_options plain = options();
    struct error err;

    ck_assert_msg(host_half_make(pod, &plain, &half, &err) == 0, "%s", err.message);
    const struct js *spec = js_get(half, "spec"), *anchor = js_at(js_get(spec, "containers"), 0);
    ck_assert_int_eq(js_get_integer(spec, "terminationGracePeriodSeconds", 0), 30);
    ck_assert_ptr_null(js_get(spec, "activeDeadlineSeconds"));
    ck_assert_uint_eq(js_length(js_path(anchor, "resources", "limits")), 0);
}
END_TEST

static void refuse(const char *pod, const char *words)
{
    scoped(js_freep) struct js *in = parse(pod), *out = NULL;
    struct error err = {0};

    ck_assert_msg(halves_normalise(in, &out, &err) < 0, "%s passed", pod);
    ck_assert_msg(strstr(err.message, words), "%s: '%s' lacks '%s'", pod, err.message, words);
}

#define SPEC(members) "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"spec\":{" members "}}"
#define ANNOTATED(key)                                                                             \
    "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"annotations\":{\"" key                \
    "\":\"x\"}},\"spec\":{\"nodeName\":\"n\"}}"

START_TEST(what_cannot_be_split_is_named)
{
    refuse("{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\"}", "not Deployment");
    refuse("{}", "a Pod (v1) is wanted");
    refuse("{\"apiVersion\":\"v1\",\"kind\":\"Pod\"}", "no spec");
    refuse(SPEC("\"hostNetwork\":true"), "spec.hostNetwork is refused: ");
    refuse(SPEC("\"hostUsers\":false"), "spec.hostUsers is refused: user namespaces");
    refuse(SPEC("\"os\":{\"name\":\"windows\"}"), "spec.os.name is refused");
    refuse(SPEC("\"containers\":[{\"resources\":{\"limits\":{\"example.com/gpu\":1}}}]"),
           "spec.containers[0].resources.limits.example.com/gpu is refused: devices");
    refuse(SPEC("\"initContainers\":[{\"securityContext\":{\"privileged\":true}}]"),
           "spec.initContainers[0].securityContext.privileged is refused");
    refuse(ANNOTATED("cleave.dev/link"), "a half already");
    refuse(ANNOTATED("cleave.dev/manifest"), "a half already");
    refuse(ANNOTATED("cleave.dev/initdata"), "a half already");
}
END_TEST

struct pair {
    struct js *host, *tenant;
};

static struct pair halves(void)
{
    scoped(js_freep) struct js *pod = normal(POD);
    struct host_half_options plain = options();
    struct pair pair = {0};
    struct error err;

    ck_assert_msg(halves_split(pod, &plain, &pair.host, &pair.tenant, &err) == 0, "%s",
                  err.message);
    return pair;
}

static void pair_free(struct pair *pair)
{
    js_free(pair->host);
    js_free(pair->tenant);
}

static void expect_no_join(const struct pair *pair, const char *words)
{
    scoped(js_freep) struct js *pod = NULL;
    struct error err = {0};

    ck_assert_msg(halves_join(pair->host, pair->tenant, &pod, &err) < 0, "no '%s'", words);
    ck_assert_msg(strstr(err.message, words), "'%s' lacks '%s'", err.message, words);
}

static struct js *limits_of(const struct js *half)
{
    return js_path(js_at(js_path(half, "spec", "containers"), 0), "resources", "limits");
}

START_TEST(halves_that_do_not_fit_are_not_joined)
{
    scoped(pair_free) struct pair a = halves(), b = halves(), c = halves(), d = halves(),
                                  e = halves(), f = halves();

    js_set_string(js_path(a.host, "metadata", "annotations"), "cleave.dev/link",
                  "10112233445566778899aabbccddeeff");
    expect_no_join(&a, "their links differ");
    js_set_string(limits_of(b.tenant), "cpu", "2");
    expect_no_join(&b, "the host half: 'spec.containers[anchor].resources.limits.cpu' is not");
    js_set_string(limits_of(c.host), "memory", "1000Mi");
    expect_no_join(&c, "less memory than the pod's containers may use");
    js_set_integer(js_get(d.host, "spec"), "terminationGracePeriodSeconds", 59);
    expect_no_join(&d, "'spec.terminationGracePeriodSeconds'");
    js_set_string(js_get(e.tenant, "spec"), "nodeName", "worker-7");
    expect_no_join(&e, "the tenant half: the tenant half has what is the host's");
    js_set_string(js_get(f.host, "spec"), "hostname", "db");
    expect_no_join(&f, "'spec.hostname' is not what the pod's would be");
}
END_TEST

int main(void)
{
    return suite_run("host_half", (const TTest *[]){a_pods_size_is_what_kubernetes_counts,
                                                    a_size_that_is_none_names_its_container,
                                                    the_host_half_is_a_shell,
                                                    the_host_sees_labels_that_were_named,
                                                    what_a_pod_does_not_say_the_host_decides,
                                                    what_cannot_be_split_is_named,
                                                    halves_that_do_not_fit_are_not_joined, NULL});
}
