/* SPDX-License-Identifier: Apache-2.0 */
/* cleave explain: which half of a split pod gets which field, and why. */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/error.h"
#include "base/json.h"
#include "base/scoped.h"
#include "base/text.h"
#include "document.h"
#include "halves.h"
#include "owners.h"
#include "verbs.h"

static int usage(FILE *to)
{
    fputs("Usage: cleave explain POD\n"
          "       cleave explain --fields\n\n"
          "Says of each field of a Pod (YAML or JSON, \"-\" is standard input) which half `cleave "
          "split` puts it\n"
          "into, and why: host, tenant, both (the tenant's, and what follows from it is the "
          "host's), neither (of\n"
          "the cluster that had the object), refused. Values are not shown.\n\n"
          "  --fields  instead: the whole table, docs/spec-split.md\n\n"
          "Exit code: 0 the pod can be split, as far as its fields go, 1 it cannot (the last line "
          "says why),\n"
          "2 the command line was wrong.\n",
          to);
    return to == stdout ? EXIT_SUCCESS : EXIT_USAGE;
}

static int say_table(void)
{
    size_t count;
    const struct owner_row *rows = owners_table(&count);

    printf("version %d, Kubernetes %s\n", OWNERS_VERSION, OWNERS_KUBERNETES);
    for (size_t i = 0; i < count; i++) {
        const char *harmless = owner_harmless(&rows[i]);

        printf("%-8s %s: %s", owner_name(rows[i].owner), rows[i].path, rows[i].reason);
        if (harmless)
            printf(" (%s asks for nothing)", harmless);
        fputs("\n", stdout);
    }
    return EXIT_SUCCESS;
}

static int say_leaf(void *user, const struct owner_leaf *leaf, struct error *err)
{
    scoped(freep) char *name = xstrdup(leaf->name); /* with the pod's own keys in it */

    (void) user;
    (void) err;
    text_make_printable(name);
    if (leaf->row->owner == OWNER_REFUSED && halves_asks_nothing(leaf))
        printf("%-8s %s: left out, it asks for nothing\n", owner_name(OWNER_NEITHER), name);
    else
        printf("%-8s %s: %s\n", owner_name(leaf->row->owner), name, leaf->row->reason);
    return LEAF_DROP;
}

static int explain(const char *path, struct error *err)
{
    scoped(js_freep) struct js *pod = NULL, *nothing = NULL, *normal = NULL;

    if (document_read(path, &pod, err) < 0 ||
        owners_project(pod, say_leaf, NULL, &nothing, err) < 0)
        return -1;
    return halves_normalise(pod, &normal, err);
}

int explain_main(int argc, char *argv[])
{
    static const struct option options[] = {
        {"fields", no_argument, NULL, 'f'}, {"help", no_argument, NULL, 'h'}, {0}};
    bool is_table = false;
    struct error err;
    int option;

    opterr = 0;
    while ((option = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
        if (option != 'f')
            return usage(option == 'h' ? stdout : stderr);
        is_table = true;
    }
    if (argc - optind != (is_table ? 0 : 1))
        return usage(stderr);
    if (is_table)
        return say_table();
    if (explain(argv[optind], &err) == 0)
        return EXIT_SUCCESS;
    (void) fflush(stdout);
    fprintf(stderr, "cleave explain: %s\n", err.message);
    return EXIT_FAILURE;
}
