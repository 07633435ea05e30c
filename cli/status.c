/* SPDX-License-Identifier: Apache-2.0 */
/* `cleave status`: what the last appraisal of each pod of this node has shown. */
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/scoped.h"
#include "base/text.h"
#include "shim/appraisal_record.h"
#include "verbs.h"

enum { ID_PREFIX_MIN = 4 };

struct query {
    const char *directory, *pod; /* pod NULL: all */
    bool json;
    unsigned found, damaged;
};

static int usage(FILE *to)
{
    fputs("Usage: cleave status [--json] [POD]\n\n"
          "The last appraisal of the pods that this tenant node runs: the type of evidence and "
          "whose\n"
          "word it is, the chip, what was measured, whether the pod is sealed and with which "
          "manifest,\n"
          "the version of TLS, the epoch, the age. POD is a name, NAMESPACE/NAME, or the beginning "
          "of a\n"
          "sandbox's id; without it all are listed.\n\n"
          "  --json             one object in a line for each pod\n"
          "  --directory DIR    of the sandboxes; " APPRAISAL_RECORD_DIRECTORY " if not given\n\n"
          "Exit code 1: there is no such pod, none whose record can be read, or the directory "
          "cannot be.\n",
          to);
    return to == stdout ? EXIT_SUCCESS : EXIT_USAGE;
}

static bool starts_id(const char *id, const char *prefix)
{
    return strlen(prefix) >= ID_PREFIX_MIN && text_starts(id, prefix);
}

static bool is_meant(const struct query *query, const struct appraisal_record *record)
{
    scoped(freep) char *full = xformat("%s/%s", record->pod_namespace, record->pod_name);

    return !query->pod || text_equal(query->pod, record->pod_name) ||
           text_equal(query->pod, full) || starts_id(record->cri_sandbox_id, query->pod) ||
           starts_id(record->sandbox_id, query->pod);
}

static const char *meaning(const char *anchor)
{
    if (text_equal(anchor, "none"))
        return "INSECURE: proves nothing";
    if (text_equal(anchor, "host-vtpm"))
        return "host-vtpm: the host runs the TPM, so it gives no protection from the host";
    return anchor;
}

static void print_optional(const char *name, const char *value)
{
    printf("  %-13s %s\n", name, value[0] ? value : "-");
}

static void print_text(const struct appraisal_record *record)
{
    int64_t age = clock_wall_ns() / 1000000000 - record->time;

    printf("%s/%s\n", record->pod_namespace, record->pod_name);
    printf("  %-13s %s\n", "sandbox", record->sandbox_id);
    printf("  %-13s %s\n", "CRI sandbox", record->cri_sandbox_id);
    printf("  %-13s %s (%s)\n", "evidence", record->evidence, meaning(record->anchor));
    print_optional("chip", record->chip);
    print_optional("measurement", record->measurement);
    print_optional("judged by", record->reference);
    if (record->manifest[0])
        printf("  %-13s sealed, manifest %s\n", "pod", record->manifest);
    else
        printf("  %-13s open\n", "pod");
    printf("  %-13s 1.%d\n", "TLS", (int) (record->tls_version & 0xff) - 1);
    printf("  %-13s %" PRId64 "\n", "epoch", record->epoch);
    printf("  %-13s %" PRId64 " s ago, number %" PRId64 " of its connection\n", "appraised", age,
           record->number);
}

static void look_at(struct query *query, const char *name)
{
    scoped(freep) char *directory = xformat("%s/%s", query->directory, name);
    scoped(appraisal_record_fini) struct appraisal_record record = {0};
    struct error err;

    if (appraisal_record_read(directory, &record, &err) < 0) {
        if (err.status == STATUS_NOT_FOUND) /* it is not appraised yet */
            return;
        fprintf(stderr, "cleave: %s\n", err.message);
        query->damaged++;
        return;
    }
    if (!is_meant(query, &record))
        return;
    query->found++;
    if (!query->json) {
        print_text(&record);
        return;
    }
    scoped(js_freep) struct js *root = appraisal_record_json(&record);
    scoped(freep) char *text = js_print(root);
    puts(text);
}

static int look(struct query *query)
{
    struct dirent **entries = NULL;
    int count = scandir(query->directory, &entries, NULL, alphasort);

    /* Without the directory no pod was ever here. */
    if (count < 0 && errno != ENOENT) {
        fprintf(stderr, "cleave: cannot look into '%s': %s%s\n", query->directory, strerror(errno),
                errno == EACCES ? "; only root may" : "");
        return EXIT_FAILURE;
    }
    for (int i = 0; i < count; i++) {
        if (entries[i]->d_name[0] != '.')
            look_at(query, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    if (query->pod && !query->found) {
        fprintf(stderr,
                "cleave: no pod '%s' with an appraisal on this node; `cleave status` lists them "
                "(this is the tenant's node?)\n",
                query->pod);
        return EXIT_FAILURE;
    }
    return query->damaged && !query->found ? EXIT_FAILURE : EXIT_SUCCESS;
}

int status_main(int argc, char *argv[])
{
    static const struct option options[] = {{"json", no_argument, NULL, 'j'},
                                            {"directory", required_argument, NULL, 'd'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    struct query query = {.directory = APPRAISAL_RECORD_DIRECTORY};
    int option;

    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option == 'j')
            query.json = true;
        else if (option == 'd')
            query.directory = optarg;
        else
            return usage(option == 'h' ? stdout : stderr);
    }
    if (argc - optind > 1)
        return usage(stderr);
    query.pod = argv[optind];
    return look(&query);
}
