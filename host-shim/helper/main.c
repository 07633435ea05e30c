/* SPDX-License-Identifier: Apache-2.0 */
/* cleave-host-helper VERB: one question, one answer, one process. Nothing here undoes a failed
 * create: the caller asks for destroy then, as it must anyway when this process is killed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "base/scoped.h"
#include "base/text.h"
#include "shim/host_conf.h"
#include "verbs.h"

/* A question about a machine that exists says itself where that is: a host.conf that is broken or
 * changed since must not keep anybody from ending it. */
enum conf_use { CONF_NEEDED, CONF_SPARE };

struct verb {
    const char *name;
    enum conf_use conf;
    int (*run)(const struct host_conf *conf, struct js **ret, struct error *err);
    const char *help;
};

static const struct verb verbs[] = {
    {"create", CONF_NEEDED, verb_create, "make the machine of a sandbox and let it run"},
    {"destroy", CONF_SPARE, verb_destroy, "end it, whatever state it is in"},
    {"status", CONF_SPARE, verb_status, "what libvirt says of it"},
    {"power", CONF_SPARE, verb_power, "press its power button"},
    {"sweep", CONF_NEEDED, verb_sweep, "end machines of this node that belong to no sandbox"},
    {"check", CONF_NEEDED, verb_check, "can libvirt here make the machines that host.conf wants?"},
    {"probe", CONF_NEEDED, verb_probe, "find out whether a kernel boots under KVM here"},
};

static int usage(void)
{
    fputs("usage: cleave-host-helper [-debug] VERB   (JSON on stdin and stdout)\n", stderr);
    for (size_t i = 0; i < ARRAY_LENGTH(verbs); i++)
        fprintf(stderr, "  %-8s %s\n", verbs[i].name, verbs[i].help);
    return 2;
}

static int load(enum conf_use use, struct host_conf *ret, struct error *err)
{
    if (host_conf_load(HOST_CONF_PATH, ret, err) == 0)
        return 0;
    if (use == CONF_NEEDED)
        return -1;
    log_warn("%s: going on with the defaults", err->message);
    return host_conf_parse("", ret, err);
}

static int run(const struct verb *verb)
{
    struct host_conf conf = {0};
    struct js *reply = NULL;
    struct error err;
    int failed = load(verb->conf, &conf, &err);

    if (failed == 0)
        failed = verb->run(&conf, &reply, &err);
    host_conf_fini(&conf);
    if (failed == 0)
        request_answer(reply);
    else
        request_fail(&err);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char *argv[])
{
    const char *name;

    log_open("host-helper");
    log_set_level(LOG_LEVEL_WARN);
    if (argc > 1 && text_equal(argv[1], "-debug")) {
        log_set_level(LOG_LEVEL_DEBUG);
        argv++;
        argc--;
    }
    name = argc == 2 ? argv[1] : "";
    for (size_t i = 0; i < ARRAY_LENGTH(verbs); i++)
        if (text_equal(verbs[i].name, name))
            return run(&verbs[i]);
    return usage();
}
