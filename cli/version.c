/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/json.h"
#include "base/scoped.h"
#include "base/text.h"
#include "evidence/evidence.h"
#include "verbs.h"

static const char *remark(const struct evidence_type *type)
{
    if (type->insecure)
        return " (INSECURE: proves nothing, for development only)";
    if (type->anchor == EVIDENCE_ANCHOR_HOST_VTPM)
        return " (host-vtpm: the host runs the TPM, so it gives no protection from the host)";
    return "";
}

static void print_text(void)
{
    printf("cleave %s\n", CLEAVE_VERSION);
    for (unsigned code = 1; code <= UINT8_MAX; code++) {
        const struct evidence_type *type = evidence_find((uint8_t) code);

        if (type)
            printf("evidence: %s%s\n", type->name, remark(type));
    }
}

static void print_json(void)
{
    scoped(js_freep) struct js *root = js_new_object();
    scoped(freep) char *text = NULL;
    struct js *list = js_new_array();

    for (unsigned code = 1; code <= UINT8_MAX; code++) {
        const struct evidence_type *type = evidence_find((uint8_t) code);
        struct js *item;

        if (!type)
            continue;
        item = js_new_object();
        js_set_string(item, "name", type->name);
        js_set(item, "insecure", js_new_boolean(type->insecure));
        js_set_string(item, "anchor", evidence_anchor_name(type->anchor));
        js_append(list, item);
    }
    js_set_string(root, "version", CLEAVE_VERSION);
    js_set(root, "evidence", list);
    text = js_print(root);
    puts(text);
}

static int usage(FILE *to)
{
    fputs("Usage: cleave version [--json]\n", to);
    return to == stdout ? EXIT_SUCCESS : EXIT_USAGE;
}

int version_main(int argc, char *argv[])
{
    if (argc == 2 && text_equal(argv[1], "--help"))
        return usage(stdout);
    if (argc == 2 && text_equal(argv[1], "--json"))
        print_json();
    else if (argc == 1)
        print_text();
    else
        return usage(stderr);
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
