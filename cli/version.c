/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/json.h"
#include "base/scoped.h"
#include "base/text.h"
#include "evidence/evidence.h"
#include "evidence/library.h"
#include "verbs.h"

static const char *remark(const struct evidence_type *type)
{
    if (type->insecure)
        return " (INSECURE: proves nothing, for development only)";
    if (type->anchor == EVIDENCE_ANCHOR_HOST_VTPM)
        return " (host-vtpm: the host runs the TPM, so it gives no protection from the host)";
    return "";
}

static int tls_minor(void)
{
    return (library_tls_version() & 0xff) - 1;
}

/* What it is linked with, and what is known to be wrong with that. */
static void print_library(void)
{
    char version[LIBRARY_VERSION_SIZE];
    const char *advisory;

    library_version(version);
    printf("mbedTLS %s: TLS 1.%d only\n", version, tls_minor());
    for (unsigned i = 0; (advisory = library_advisory(i)); i++)
        printf("advisory: %s (see docs/mbedtls.md)\n", advisory);
}

static struct js *library_json(void)
{
    struct js *library = js_new_object(), *list = js_new_array();
    scoped(freep) char *tls = xformat("1.%d", tls_minor());
    char version[LIBRARY_VERSION_SIZE];
    const char *advisory;

    library_version(version);
    for (unsigned i = 0; (advisory = library_advisory(i)); i++)
        js_append(list, js_new_string(advisory));
    js_set_string(library, "name", "mbedTLS");
    js_set_string(library, "version", version);
    js_set_string(library, "tls", tls);
    js_set(library, "advisories", list);
    return library;
}

static void print_text(void)
{
    printf("cleave %s\n", CLEAVE_VERSION);
    print_library();
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
    js_set(root, "library", library_json());
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
