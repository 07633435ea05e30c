/* SPDX-License-Identifier: Apache-2.0 */
#include "checks.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/scoped.h"
#include "base/text.h"
#include "verbs.h"

static const struct realm *const realms[] = {&host_realm, &tenant_realm};

static void vprint(char *to, size_t size, const char *fmt, va_list args)
{
    (void) vsnprintf(to, size, fmt, args);
    text_make_utf8(to);
}

static void grade(struct check_result *result, enum check_grade given, const char *fmt,
                  va_list args)
{
    result->grade = given;
    result->advice[0] = '\0';
    vprint(result->fact, sizeof(result->fact), fmt, args);
}

void check_ok(struct check_result *result, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    grade(result, CHECK_OK, fmt, args);
    va_end(args);
}

void check_warn(struct check_result *result, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    grade(result, CHECK_WARN, fmt, args);
    va_end(args);
}

void check_fail(struct check_result *result, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    grade(result, CHECK_FAIL, fmt, args);
    va_end(args);
}

void check_advise(struct check_result *result, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vprint(result->advice, sizeof(result->advice), fmt, args);
    va_end(args);
}

void check_run(const struct check *check, struct node *node, struct check_result *ret)
{
    *ret = (struct check_result){0};
    if ((node->known & check->needs) == check->needs)
        check->run(node, ret);
}

static void print(const char *name, const struct check_result *result)
{
    static const char *const words[] = {
        [CHECK_OK] = "ok  ", [CHECK_WARN] = "warn", [CHECK_FAIL] = "FAIL"};

    printf("%s  %s: %s\n", words[result->grade], name, result->fact);
    if (result->advice[0])
        printf("      -> %s\n", result->advice);
}

static int run(struct node *node)
{
    unsigned count[CHECK_FAIL + 1] = {0}, left_out = 0;

    for (size_t i = 0; i < node->realm->count; i++) {
        const struct check *check = &node->realm->checks[i];
        struct check_result result;

        if ((node->known & check->needs) != check->needs)
            left_out++;
        check_run(check, node, &result);
        count[result.grade]++;
        if (result.grade != CHECK_SILENT)
            print(check->name, &result);
    }
    printf("%s: %u ok, %u warn, %u FAIL", node->realm->name, count[CHECK_OK], count[CHECK_WARN],
           count[CHECK_FAIL]);
    printf(left_out ? ", %u left out until the rest is right\n" : "\n", left_out);
    return fflush(stdout) == 0 && count[CHECK_FAIL] == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int usage(FILE *to)
{
    fputs("Usage: cleave check host|tenant [OPTIONS]\n\n"
          "Says what is wrong on this node and what to do about it; changes nothing.\n\n"
          "  --config FILE             instead of /etc/cleave/host.conf or tenant.conf\n"
          "  --containerd-config FILE  instead of /etc/containerd/config.toml\n"
          "  --root DIR                the node lies below DIR instead of /\n\n"
          "Exit code: 0 nothing is wrong, 1 something is, 2 the command line was.\n",
          to);
    return to == stdout ? EXIT_SUCCESS : EXIT_USAGE;
}

static int complain(const char *what, const char *whom)
{
    fprintf(stderr, "cleave check: %s '%s'; `cleave check --help` says more\n", what, whom);
    return EXIT_USAGE;
}

static const struct realm *find_realm(const char *name)
{
    for (size_t i = 0; i < ARRAY_LENGTH(realms); i++)
        if (text_equal(realms[i]->name, name))
            return realms[i];
    return NULL;
}

int check_main(int argc, char *argv[])
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"containerd-config", required_argument, NULL, 'd'},
                                            {"root", required_argument, NULL, 'r'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    scoped(node_fini) struct node node = {.root = ""};
    int option;

    opterr = 0;
    while ((option = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            node.conf_path = optarg;
            break;
        case 'd':
            node.containerd_path = optarg;
            break;
        case 'r':
            node.root = text_equal(optarg, "/") ? "" : optarg;
            break;
        case 'h':
            return usage(stdout);
        default:
            return complain(option == ':' ? "no value behind" : "unknown option", argv[optind - 1]);
        }
    }
    if (optind == argc)
        return usage(stderr);
    node.realm = find_realm(argv[optind]);
    if (!node.realm)
        return complain("a node is host or tenant, not", argv[optind]);
    if (optind + 1 < argc)
        return complain("unexpected", argv[optind + 1]);
    return run(&node);
}
